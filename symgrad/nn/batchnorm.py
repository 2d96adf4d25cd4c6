"""BatchNorm: features standardised over the minibatch, and what takes the minibatch's place in evaluation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from symgrad.context import RUN, Run, no_grad, run
from symgrad.errors import ShapeError, SymgradError
from symgrad.nn import init, kernels
from symgrad.nn.module import Layer, Module
from symgrad.nn.parameter import Parameter, State, sizes
from symgrad.ops.indexing import take
from symgrad.ops.layout import concatenate, moveaxis
from symgrad.plan import compile
from symgrad.shapes import same_size, size_of

__all__ = ["BatchNorm1d", "BatchNorm2d", "population_statistics"]

STATS = ("population", "pooled", "running", "cumulative")


class BatchNorm1d(Layer):
    r"""Batch normalisation :math:`\hat z = \gamma\,(z - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta` of every feature.

    In training, :math:`\mu` and :math:`\sigma^2` are those of the minibatch, and gradients flow through them.
    In evaluation they are `running_mean` and `running_var`, which training makes of those of all minibatches, the
    variance of each with its own :math:`B / (B - 1)`; `stats` says how.

    Parameters
    ----------
    num_features : int
    eps : float
        Inside the root.
    momentum : float
        The m of ``stats="running"``, the weight of the newest minibatch.
    stats : {"population", "pooled", "running", "cumulative"}
        What evaluation uses. "population": the means over all minibatches of the statistics that the *final* network
        has there (`population_statistics`, which the Trainer calls), as in the paper. "pooled": those of all examples
        as one set; the variance between minibatches, which "population" omits, is in. "running": the running average
        :math:`(1 - m)\,r + m\,s`, as in torch. "cumulative": the mean over all minibatches seen while training, torch's
        ``momentum=None``. The first two hold running averages while training lasts.
    units : sequence of bool or int, optional
        The features to normalise, as a mask or by their indices; the others pass unchanged. All by default.
    dtype : dtype, optional

    Attributes
    ----------
    weight, bias : Tensor, shape (number of units,)
        The gamma and beta; torch's names.
    running_mean, running_var : State

    Notes
    -----
    A minibatch of one example has no variance and is an error in training; `symgrad.data.batches`, and so the
    Trainer, joins a last batch of one to the batch before it.

    References
    ----------
    S. Ioffe and C. Szegedy, "Batch normalization", ICML 2015, PMLR 37:448-456, algorithms 1 and 2.

    Examples
    --------
    >>> import symgrad as sg
    >>> from symgrad import nn
    >>> nn.BatchNorm1d(1, eps=0.0)(sg.tensor([[1.0], [3.0]])).tolist()
    [[-1.0], [1.0]]
    >>> nn.BatchNorm1d(2, eps=0.0, units=[1])(sg.tensor([[1.0, 1.0], [3.0, 3.0]])).tolist()
    [[1.0, -1.0], [3.0, 1.0]]
    """

    shapes: ClassVar[tuple[str, ...]] = ("(B, {})", "(B, {}, L)")

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        *,
        stats: str = "population",
        units: Any = None,
        dtype: Any = None,
    ) -> None:
        name = type(self).__name__
        if stats not in STATS:
            raise SymgradError(f"{name}: stats={stats!r} is none of {', '.join(map(repr, STATS))}")
        (num_features,) = sizes(name, (num_features,))
        self.num_features, self.eps, self.momentum, self.stats = num_features, eps, momentum, stats
        self.units = None if units is None else _indices(name, units, num_features)
        n = num_features if self.units is None else len(self.units)
        self.weight = Parameter(init.ones, (n,), dtype=dtype, latex=r"\gamma")
        self.bias = Parameter(init.zeros, (n,), dtype=dtype, latex=r"\beta")
        self.running_mean = State(np.zeros(n), dtype)
        self.running_var = State(np.ones(n), dtype)
        if stats == "cumulative":
            self.num_batches_tracked = State(0.0, dtype)

    def forward(self, z: Any) -> Any:
        """The standardised features of z, which are on axis 1."""
        C, shape = self.num_features, tuple(z.shape)
        if len(shape) not in [s.count(",") + 1 for s in self.shapes] or not same_size(shape[1], C):
            wanted = " or ".join(s.format(C) for s in self.shapes)
            raise ShapeError(f"{self._called()}: takes {C} features as {wanted}, got an input of shape {shape}")
        if len(shape) == 2:
            return self._of_units(z)
        last = moveaxis(z, (0, 1), (-2, -1))  # the order in which convolutions compute, seen from its end
        rows = self._of_units(last.reshape((size_of(last.shape[:-1]), C)))
        return moveaxis(rows.reshape(last.shape), (-2, -1), (0, 1))

    def _of_units(self, rows: Any) -> Any:
        """Rows of features, of which the chosen units are standardised."""
        if self.units is None:
            return self._standardised(rows)
        others = np.setdiff1d(np.arange(self.num_features), self.units)
        parts = [take(rows, others, 1), self._standardised(take(rows, self.units, 1))]
        return take(concatenate(parts, 1), np.argsort(np.concatenate([others, self.units])), 1)

    def _standardised(self, z: Any) -> Any:
        if not self.in_training():
            scale = self.weight / (self.running_var.read() + self.eps) ** 0.5
            return (z - self.running_mean.read()) * scale + self.bias
        n = z.shape[0]
        if isinstance(n, int) and n == 1:
            raise ShapeError(
                f"{self._called()}: a minibatch of 1 has no variance to divide by in training; use "
                "batches of at least 2 (data.batches joins a last batch of one to the one before it), or model.eval()"
            )
        self.__dict__["rows"] = n
        z_hat, mu, sigma2 = kernels.batch_norm(z, self.weight, self.bias, self.eps)
        share: Any = self.momentum
        if self.stats == "cumulative":
            seen = self.num_batches_tracked.read() + 1
            self.num_batches_tracked.assign(seen)
            share = 1 / seen
        for state, new in ((self.running_mean, mu), (self.running_var, sigma2 * n / (n - 1))):
            state.assign((1 - share) * state.read() + share * new)
        return z_hat

    def extra(self) -> str:
        """The arguments that `repr` shows."""
        units = "" if self.units is None else f", units={self.units.tolist()}"
        return f"{self.num_features}, stats={self.stats!r}{units}"


class BatchNorm2d(BatchNorm1d):
    """Batch normalisation of every channel of images, over the examples and all pixels; see `BatchNorm1d`.

    Examples
    --------
    >>> import numpy as np, symgrad as sg
    >>> from symgrad import nn
    >>> images = np.random.default_rng(0).normal(3.0, 2.0, (4, 2, 5, 5))
    >>> z = nn.BatchNorm2d(2)(sg.tensor(images)).numpy()
    >>> bool(np.allclose(z.mean((0, 2, 3)), 0)), bool(np.allclose(z.std((0, 2, 3)), 1))
    (True, True)
    """

    shapes: ClassVar[tuple[str, ...]] = ("(B, {}, H, W)",)


def _indices(name: str, units: Any, n: int) -> NDArray[np.intp]:
    """A mask or indices as indices, checked."""
    given = np.asarray(units)
    chosen = np.flatnonzero(given) if given.dtype == bool and given.shape == (n,) else given
    if chosen.ndim != 1 or chosen.dtype.kind not in "iu" or not len(chosen) or len(np.unique(chosen)) < len(chosen):
        raise SymgradError(f"{name}: units={units!r} must be a mask of {n} booleans, or different indices below {n}")
    if chosen.min() < 0 or chosen.max() >= n:
        raise SymgradError(f"{name}: units={units!r} holds indices outside of 0 to {n - 1}")
    return chosen.astype(np.intp)


def population_statistics(model: Module, batches: Iterable[Any]) -> None:
    r"""Give BatchNorm of kind "population" or "pooled" the statistics of the finished network over all minibatches.

    .. math::
        \mu = \frac1N \sum_{n=1}^N \mu_n, \qquad
        \sigma^2 = \frac1N \sum_{n=1}^N \frac{B_n}{B_n - 1} \sigma_n^2 \quad\text{("population")}

    .. math::
        \mu = \frac1T \sum_n B_n \mu_n, \qquad
        \sigma^2 = \frac{1}{T - 1} \sum_n B_n \left(\sigma_n^2 + (\mu_n - \mu)^2\right), \quad
        T = \sum_n B_n \quad\text{("pooled")}

    While one layer is measured, those below it use the statistics of the minibatch, as in training; all
    else (dropout) is in evaluation mode. For "population" every minibatch counts once, with its own size
    :math:`B_n`; the variance *between* minibatches is then left out, which makes :math:`\sigma^2` too small
    where minibatches differ systematically. "pooled" has it.

    Parameters
    ----------
    model : Module
        Changed in place: the states `running_mean` and `running_var`.
    batches : iterable of arrays, shape (B, ...)
        Inputs of the model, B at least 2.

    References
    ----------
    S. Ioffe and C. Szegedy, "Batch normalization", ICML 2015, algorithm 2, lines 8 to 11.

    Examples
    --------
    >>> from symgrad import nn
    >>> minibatches = [[[1.0], [3.0]], [[3.0], [7.0]]]
    >>> for stats in ("population", "pooled"):
    ...     layer = nn.BatchNorm1d(1, stats=stats)
    ...     nn.population_statistics(layer, minibatches)
    ...     layer.running_mean.read().tolist(), layer.running_var.read().tolist()
    ([3.5], [5.0])
    ([3.5], [6.333333333333333])
    """
    layers = [m for m in model.modules() if isinstance(m, BatchNorm1d) and m.stats in ("population", "pooled")]
    if not layers:
        return
    before = [(m, m.training, getattr(m, "momentum", None)) for m in model.modules()]
    ambient = RUN.get() or Run()
    found: list[list[Any]] = [[] for _ in layers]
    try:
        model.eval()
        for layer in layers:
            layer.training, layer.momentum = True, 1.0  # so that its states are the newest minibatch's
        forward = compile(lambda X: model(X))
        with no_grad(), run(ambient.seed, ambient.step):
            for X in batches:
                rows = model.cast(X)
                forward(rows)
                for layer, measured in zip(layers, found, strict=True):
                    per_example = measured[0][0] if measured else layer.rows / len(rows)  # the pixels of an image
                    measured.append(
                        (per_example, len(rows), layer.running_mean.leaf.numpy(), layer.running_var.leaf.numpy())
                    )
    finally:
        for module, training, momentum in before:
            module.training = training
            if momentum is not None:
                module.momentum = momentum
    for layer, measured in zip(layers, found, strict=True):
        if measured:
            per_example, examples, means, variances = map(np.array, zip(*measured, strict=True))
            counts = (per_example * examples)[:, None].astype(means.dtype)
            mean, variance = _STATISTICS[layer.stats](counts, means, variances)
            layer.running_mean.assign(mean)
            layer.running_var.assign(variance)


def _population(counts: Any, means: Any, variances: Any) -> tuple[Any, Any]:
    return means.mean(axis=0), variances.mean(axis=0)


def _pooled(counts: Any, means: Any, variances: Any) -> tuple[Any, Any]:
    total = counts.sum()
    mean = (counts * means).sum(axis=0) / total
    within, between = (counts - 1) * variances, counts * (means - mean) ** 2
    return mean, (within + between).sum(axis=0) / (total - 1)


_STATISTICS = {"population": _population, "pooled": _pooled}
