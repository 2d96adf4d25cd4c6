"""Ensembles: several networks trained apart, asked together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symgrad.data import Dataset
from symgrad.data.checks import whole_number
from symgrad.errors import SymgradError
from symgrad.functions.normalization import softmax
from symgrad.nn import Module
from symgrad.train.trainer import Trainer

__all__ = ["Ensemble"]


class Ensemble:
    r"""Networks whose predictions are put together.

    Parameters
    ----------
    members : sequence of Module
        They may be of different architectures; their outputs are of one shape.
    vote : {"soft", "hard", "geometric", "mean"}
        For classes: the mean of the members' probabilities; the share of members that have the class first; the
        geometric mean of probabilities, scaled to sum 1 (the softmax of the mean of logarithms). For numbers: the mean
        of outputs.
    weights : array_like, optional
        How much each member counts; alike by default.

    References
    ----------
    L. K. Hansen and P. Salamon, "Neural network ensembles", IEEE PAMI 12:993-1001, 1990.

    Examples
    --------
    >>> from symgrad import data, losses, nn, optim
    >>> from symgrad.train import Ensemble, Trainer
    >>> def member(k):
    ...     model = nn.Sequential(nn.Linear(64, 16 + k), nn.ReLU(), nn.Linear(16 + k, 10))
    ...     return Trainer(model, loss=losses.cross_entropy, optimizer=optim.Adam, seed=k)
    >>> train, test = data.digits().split((0.8, 0.2))
    >>> ensemble = Ensemble.fit(member, train, members=3, epochs=5)
    >>> len(ensemble.members), ensemble.predict(test.X).shape
    (3, (359, 10))
    """

    def __init__(self, members: Sequence[Module], vote: str = "soft", weights: ArrayLike | None = None) -> None:
        self.members = list(members)
        if not self.members or not all(isinstance(m, Module) for m in self.members):
            raise SymgradError(f"Ensemble: members must be a list of models, got {members!r}")
        if vote not in _VOTES:
            raise SymgradError(f"Ensemble: vote={vote!r} is none of {', '.join(map(repr, _VOTES))}")
        self.vote = vote
        given = np.ones(len(self.members)) if weights is None else np.asarray(weights, float)
        if given.shape != (len(self.members),) or not given.min() >= 0 or not given.sum() > 0:
            raise SymgradError(f"Ensemble: weights must be {len(self.members)} numbers of at least 0, got {weights!r}")
        self.weights = given / given.sum()

    @classmethod
    def fit(
        cls,
        make: Callable[[int], Trainer],
        train: Any,
        validation: Any = None,
        *,
        members: int = 5,
        epochs: int = 1,
        bootstrap: bool = False,
        vote: str = "soft",
        n_jobs: int | None = None,
    ) -> Ensemble:
        """Train the members, each by a Trainer of its own, in parallel where joblib is installed.

        Parameters
        ----------
        make : callable
            ``make(k)`` returns the Trainer of member k = 0, 1, ...: another seed, architecture or transform.
        train, validation : Dataset, or pair (X, y) of arrays
        members, epochs : int
        bootstrap : bool
            Whether every member gets its own examples, drawn from `train` with replacement, as many as there are.
        vote : str
        n_jobs : int, optional
            As in joblib, whose ``parallel_config(backend=...)`` also takes the members to other machines; 1 is serial.

        Returns
        -------
        Ensemble
            The same for any `n_jobs`.
        """
        numbers = range(whole_number("Ensemble: members", members, 1))
        dataset = train if isinstance(train, Dataset) else Dataset(*train)

        def trained(k: int) -> Module:
            trainer = make(k)
            if not isinstance(trainer, Trainer):
                raise SymgradError(f"Ensemble: make({k}) must return a Trainer, got {type(trainer).__name__}")
            own = _drawn(dataset, trainer.seed, k) if bootstrap else dataset
            trainer.fit(own, validation, epochs=epochs, progress=False)
            return trainer.model

        try:
            from joblib import Parallel, delayed
        except ImportError:
            return cls([trained(k) for k in numbers], vote)
        return cls(Parallel(n_jobs=n_jobs)(delayed(trained)(k) for k in numbers), vote)

    def predict(self, X: Any) -> NDArray[Any]:
        """What the members say together: of shape (n, K), for classes of sum 1."""
        return _VOTES[self.vote](np.stack([member.predict(X) for member in self.members]), self.weights)

    def __repr__(self) -> str:
        return f"Ensemble({len(self.members)} members, vote={self.vote!r})"


def _drawn(dataset: Dataset, seed: int, k: int) -> Dataset:
    from symgrad.context import Run, generator

    rows = generator(Run(seed, k).key("bootstrap", "data")).integers(0, len(dataset), len(dataset))
    return Dataset(dataset.X[rows], dataset.y[rows], dataset.names)


def _mean(outputs: Any, weights: Any) -> NDArray[Any]:
    found: NDArray[Any] = np.tensordot(weights, outputs, 1)
    return found


def _soft(logits: Any, weights: Any) -> NDArray[Any]:
    return _mean(softmax(logits), weights)


def _hard(logits: Any, weights: Any) -> NDArray[Any]:
    return _mean(np.eye(logits.shape[-1])[logits.argmax(-1)], weights)


def _geometric(logits: Any, weights: Any) -> NDArray[Any]:
    return np.asarray(softmax(_mean(logits, weights)))


_VOTES = {"soft": _soft, "hard": _hard, "geometric": _geometric, "mean": _mean}
