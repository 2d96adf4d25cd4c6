"""Estimators of scikit-learn: a network with `fit`, `predict`, `predict_proba` and `score`; needs the extra "sklearn".

They are ordinary estimators: they clone, pickle, and work in pipelines and searches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from symgrad import losses, nn, optim
from symgrad.errors import SymgradError, nearest
from symgrad.functions.normalization import softmax
from symgrad.train.trainer import Trainer

__all__ = ["SymGradClassifier", "SymGradRegressor"]


class _Network(BaseEstimator):  # type: ignore[misc]
    """What both kinds share: the parameters, and the training."""

    def __init__(
        self,
        hidden: Sequence[int] = (64,),
        activation: str = "relu",
        *,
        batchnorm: bool = False,
        dropout: float = 0.0,
        optimizer: str = "adam",
        lr: float = 3e-3,
        epochs: int = 200,
        batch_size: int = 32,
        weight_decay: float = 0.0,
        random_state: Any = None,
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.batchnorm = batchnorm
        self.dropout = dropout
        self.optimizer = optimizer
        self.lr = lr
        self.epochs = epochs
        self.batch_size = batch_size
        self.weight_decay = weight_decay
        self.random_state = random_state

    def _train(self, X: NDArray[Any], y: NDArray[Any], outputs: int, loss: Any) -> None:
        kinds = {name.lower(): getattr(optim, name) for name in optim.__all__ if name[0].isupper()}
        if self.optimizer not in kinds:
            raise SymgradError(f"optimizer={self.optimizer!r} is unknown{nearest(self.optimizer, kinds)}")
        seed = self.random_state if isinstance(self.random_state, int) else None
        seed = int(check_random_state(self.random_state).randint(2**31)) if seed is None else seed
        body = nn.mlp(X.shape[1], outputs, self.hidden, self.activation, self.batchnorm, self.dropout)
        layers: list[nn.Module] = [nn.Standardize.of(X), body]
        if outputs == y.shape[-1] and y.dtype.kind == "f":
            layers.append(nn.Rescale.of(y))
        self.model_ = nn.Sequential(*layers)
        trainer = Trainer(
            self.model_,
            loss=loss,
            optimizer=lambda parameters: kinds[self.optimizer](
                parameters, lr=self.lr, weight_decay=self.weight_decay, exclude=("bias", "norm")
            ),
            seed=seed,
            batch_size=min(self.batch_size, len(X)),
        )
        history = trainer.fit((X, y), epochs=self.epochs, progress=False)
        self.loss_curve_ = history["loss"]
        self.n_iter_ = trainer.epoch

    def _outputs(self, X: Any) -> NDArray[Any]:
        check_is_fitted(self)
        found: NDArray[Any] = self.model_.predict(validate_data(self, X, dtype=np.float64, reset=False))
        return found


class SymGradClassifier(ClassifierMixin, _Network):  # type: ignore[misc]
    """A classifier by a multilayer perceptron, trained by the cross-entropy.

    Parameters
    ----------
    hidden : sequence of int
        Widths of the hidden layers.
    activation : str
        In small letters, see `symgrad.nn.mlp`.
    batchnorm : bool
    dropout : float
        Probability that a hidden unit is left out of a training step.
    optimizer : str
        In small letters, see `symgrad.optim`.
    lr : float
    epochs, batch_size : int
    weight_decay : float
        Of weights only.
    random_state : int, RandomState or None

    Attributes
    ----------
    classes_ : ndarray
    model_ : Module
    loss_curve_ : list of float
    n_iter_ : int
        Epochs.

    Examples
    --------
    >>> from symgrad import data
    >>> from symgrad.train.estimators import SymGradClassifier
    >>> flowers = data.xor(80)
    >>> SymGradClassifier((8,), epochs=30, random_state=0).fit(flowers.X, flowers.y).score(flowers.X, flowers.y) > 0.9
    True
    """

    def fit(self, X: Any, y: Any) -> SymGradClassifier:
        """Train on X of shape (n, features) with labels y of any kind; returns the estimator."""
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"SymGradClassifier: y holds 1 class only, {self.classes_[0]!r}; there is nothing to learn"
            )
        self._train(X, labels, len(self.classes_), losses.cross_entropy)
        return self

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """The probability of every class, of shape (n, classes)."""
        return np.asarray(softmax(self._outputs(X)))

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable classes."""
        outputs = self._outputs(X)
        found: NDArray[Any] = self.classes_[outputs.argmax(axis=1)]
        return found


class SymGradRegressor(RegressorMixin, _Network):  # type: ignore[misc]
    """A regression by a multilayer perceptron, trained by the squared error; parameters as in `SymGradClassifier`."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any) -> SymGradRegressor:
        """Train on X of shape (n, features) with numbers y of shape (n,) or (n, outputs); returns the estimator."""
        X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True)
        self._one = y.ndim == 1
        targets = np.asarray(y, np.float64).reshape(len(y), -1)
        self._train(X, targets, targets.shape[1], losses.mse)
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """Numbers of the shape of the targets."""
        found = self._outputs(X)
        return found[:, 0] if self._one else found
