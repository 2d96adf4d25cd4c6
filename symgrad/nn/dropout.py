"""Dropout and its kin: units, channels or weights that are absent at random, and noise."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgrad.context import no_grad, run
from symgrad.errors import ShapeError, SymgradError
from symgrad.functions.dropout import staying, thinned
from symgrad.functions.random import random_normal
from symgrad.nn.layers import Linear, Sequential
from symgrad.nn.module import Layer, Module
from symgrad.tensor import SCALARS, tensor

__all__ = ["DropConnect", "Dropout", "GaussianDropout", "GaussianNoise", "SpatialDropout", "dropout_average",
           "dropout_samples", "restyle_dropout"]  # fmt: skip

STYLES = ("inverted", "lecture")


def kept(who: str, unnamed: tuple[float, ...], keep: float | None, drop: float | None) -> float:
    """The probability to stay, from one of the two ways to say it."""
    if unnamed or (keep is None) == (drop is None):
        raise SymgradError(f"{who}: say keep=0.8 (the probability to stay) or drop=0.2 (to go), one of them")
    name, given = ("keep", keep) if drop is None else ("drop", drop)
    number: Any = given if isinstance(given, Real) else np.nan
    stays = number if drop is None else 1 - number
    if not 0 < stays <= 1:
        raise SymgradError(f"{who}: the probability to stay must be above 0 and at most 1, got {name}={given!r}")
    return float(stays)


class Dropout(Layer):
    r"""In training, keep every unit with probability `keep` and set it to 0 otherwise.

    Draws are keyed by the Run's (seed, step) and by the layer's path, so training needs a Run.

    Parameters
    ----------
    keep, drop : float
        Exactly one of them: the probability that a unit stays, or that it goes (torch's ``p``).
    style : {"inverted", "lecture"}
        "inverted" divides by `keep` in training, and evaluation is the identity. "lecture" leaves training
        as it is, and evaluation multiplies by `keep` (which is to scale the weights that follow); the output in
        evaluation is then what training expects of the next weighted sum. `restyle_dropout` converts models.
    mask : {"sample", "batch"}
        A draw of its own for every sample, or one for all samples of a minibatch.

    References
    ----------
    N. Srivastava et al., "Dropout", JMLR 15:1929-1958, 2014.

    Examples
    --------
    >>> import numpy as np, symgrad as sg
    >>> from symgrad import nn
    >>> layer = nn.Dropout(keep=0.5)
    >>> with sg.run(seed=0, step=0):
    ...     sorted(set(layer(sg.tensor(np.ones(100))).tolist()))
    [0.0, 2.0]
    >>> layer.eval()(sg.tensor([1.0, 2.0]))
    Tensor([1., 2.])
    """

    chosen: Any = None  # True: draw in evaluation too; an array: this mask

    def __init__(
        self,
        *unnamed: float,
        keep: float | None = None,
        drop: float | None = None,
        style: str = "inverted",
        mask: str = "sample",
    ) -> None:
        self.keep = kept(type(self).__name__, unnamed, keep, drop)
        if style not in STYLES:
            raise SymgradError(f"{type(self).__name__}: style={style!r} is none of 'inverted', 'lecture'")
        if mask not in ("sample", "batch"):
            raise SymgradError(f"{type(self).__name__}: mask={mask!r} is none of 'sample', 'batch'")
        self.style, self.mask = style, mask

    def forward(self, x: Any) -> Any:
        """A random part of x in training, its expectation in evaluation."""
        if not self.in_training() and self.chosen is None:
            return x if self.style == "inverted" else x * self.keep
        stays = self._stays(x) if self.chosen is None or self.chosen is True else self.chosen
        return x * stays if self.style == "lecture" else thinned(x, stays, self.keep)

    def _stays(self, x: Any) -> Any:
        """Which numbers stay."""
        return staying(self._path or type(self).__name__, self.keep, self._shape(x), x.dtype)

    def _shape(self, x: Any) -> Any:
        """The shape of the mask, which is repeated to that of x."""
        return x.shape if self.mask == "sample" or len(x.shape) < 2 else (1, *x.shape[1:])

    def extra(self) -> str:
        """The arguments that `repr` shows."""
        shown = f"keep={self.keep:g}" + ("" if self.style == "inverted" else f", style={self.style!r}")
        return shown + ("" if self.mask == "sample" else f", mask={self.mask!r}")


class SpatialDropout(Dropout):
    """Dropout of whole channels: one draw per sample and channel of an input (B, C, ...). Arguments as in `Dropout`.

    References
    ----------
    J. Tompson et al., "Efficient object localization using convolutional networks", CVPR 2015.
    """

    def _shape(self, x: Any) -> Any:
        if len(x.shape) < 2:
            raise ShapeError(f"{self._called()}: takes an input (samples, channels, ...), got shape {tuple(x.shape)}")
        return (x.shape[0] if self.mask == "sample" else 1, x.shape[1], *(1 for _ in x.shape[2:]))


class GaussianDropout(Layer):
    r"""In training, multiply by normal numbers of mean 1 and variance :math:`(1 - p) / p`, p = keep; else nothing.

    Mean and variance are those of inverted dropout.

    Parameters
    ----------
    keep, drop : float

    References
    ----------
    N. Srivastava et al., "Dropout", JMLR 15:1929-1958, 2014, section 10.
    """

    def __init__(self, *unnamed: float, keep: float | None = None, drop: float | None = None) -> None:
        self.keep = kept("GaussianDropout", unnamed, keep, drop)

    def forward(self, x: Any) -> Any:
        """The noisy x in training, x in evaluation."""
        if not self.in_training():
            return x
        noise = random_normal(self._path or "GaussianDropout", x.shape, x.dtype)
        return x * (1 + ((1 - self.keep) / self.keep) ** 0.5 * noise)

    def extra(self) -> str:
        """The arguments that `repr` shows."""
        return f"keep={self.keep:g}"


class GaussianNoise(Layer):
    """In training, add normal noise of this standard deviation: first in a model, noise of the input.

    Parameters
    ----------
    std : float
    """

    def __init__(self, std: float) -> None:
        if not isinstance(std, SCALARS) or not std >= 0:
            raise SymgradError(f"GaussianNoise: std={std!r} must be a number of at least 0")
        self.std = float(std)

    def forward(self, x: Any) -> Any:
        """The noisy x in training, x in evaluation."""
        if not self.in_training():
            return x
        return x + self.std * random_normal(self._path or "GaussianNoise", x.shape, x.dtype)

    def extra(self) -> str:
        """The arguments that `repr` shows."""
        return f"{self.std:g}"


class DropConnect(Layer):
    r"""A `Linear` whose weights, not units, are absent at random: :math:`z = x (W \odot M) + b`.

    Parameters
    ----------
    layer : Linear
    keep, drop : float
    style : {"inverted", "lecture"}
        As in `Dropout`; one draw for all samples of a minibatch.

    References
    ----------
    L. Wan et al., "Regularization of neural networks using DropConnect", ICML 2013.
    """

    def __init__(
        self,
        layer: Linear,
        *unnamed: float,
        keep: float | None = None,
        drop: float | None = None,
        style: str = "inverted",
    ) -> None:
        if not isinstance(layer, Linear):
            raise SymgradError(f"DropConnect: goes around a Linear, got {type(layer).__name__}")
        self.keep = kept("DropConnect", unnamed, keep, drop)
        if style not in STYLES:
            raise SymgradError(f"DropConnect: style={style!r} is none of 'inverted', 'lecture'")
        self.layer, self.style = layer, style

    def forward(self, x: Any) -> Any:
        """The weighted sums by a random part of the weights."""
        w = self.layer.weight
        if self.in_training():
            stays = staying(self._path or "DropConnect", self.keep, w.shape, w.dtype)
            w = thinned(w, stays, self.keep) if self.style == "inverted" else w * stays
        elif self.style == "lecture":
            w = w * self.keep
        z = x @ w
        return z if self.layer.bias is None else z + self.layer.bias

    def extra(self) -> str:
        """The arguments that `repr` shows."""
        return f"keep={self.keep:g}" + ("" if self.style == "inverted" else f", style={self.style!r}")


# Averages over thinned networks


def dropouts(model: Module) -> list[Dropout]:
    """The Dropout layers of a model."""
    found = [m for m in model.modules() if isinstance(m, Dropout)]
    if not found:
        raise SymgradError(f"{type(model).__name__}: has no Dropout layer")
    return found


def dropout_average(model: Module, X: Any, limit: int = 12) -> NDArray[Any]:
    r"""The exact mean output over all masks, :math:`\sum_M P(M) f_M(x)`; everything else as in evaluation.

    Parameters
    ----------
    model : Module
    X : array_like, shape (n, ...)
    limit : int
        How many units may drop out, all layers together; there are 2 to that power masks.

    Raises
    ------
    SymgradError
        If there are more units.

    Examples
    --------
    >>> import numpy as np
    >>> from symgrad import nn
    >>> model = nn.Sequential(nn.Dropout(keep=0.5, style="lecture"), nn.Linear(3, 1, weight_init=nn.init.ones))
    >>> X = np.array([[1.0, 2.0, 4.0]])
    >>> bool(np.isclose(nn.dropout_average(model, X), model.predict(X)).all())
    True
    """
    X, layers = model.cast(X), dropouts(model)
    shapes = _unit_shapes(model, X, layers)
    units = sum(int(np.prod(s)) for s in shapes)
    if units > limit:
        raise SymgradError(
            f"dropout_average: {units} units have 2**{units} masks; raise limit={limit}, or use dropout_samples"
        )
    total: Any = 0.0
    for bits in product((0.0, 1.0), repeat=units):
        chance, start = 1.0, 0
        for layer, shape in zip(layers, shapes, strict=True):
            size = int(np.prod(shape))
            mask = np.reshape(bits[start : start + size], shape)
            chance *= float(np.prod(np.where(mask == 1, layer.keep, 1 - layer.keep)))
            layer.chosen, start = mask, start + size
        try:
            total = total + chance * model.predict(X)
        finally:
            _forget(layers)
    return total  # type: ignore[no-any-return]


def dropout_samples(model: Module, X: Any, samples: int, seed: int = 0) -> Iterator[NDArray[Any]]:
    """Outputs with random masks (Monte-Carlo dropout); everything else as in evaluation.

    Parameters
    ----------
    model : Module
    X : array_like, shape (n, ...)
    samples, seed : int

    Yields
    ------
    ndarray
        The output for X; mean and standard deviation over samples say what the model expects and how sure it is.

    References
    ----------
    Y. Gal and Z. Ghahramani, "Dropout as a Bayesian approximation", ICML 2016.
    """
    X, layers = model.cast(X), dropouts(model)
    for k in range(samples):
        for layer in layers:
            layer.chosen = True
        try:
            with no_grad(), run(seed, k, training=False):
                yield np.array(model(tensor(X)).numpy())
        finally:
            _forget(layers)


def restyle_dropout(model: Sequential, style: str) -> None:
    """Change all Dropout layers of a Sequential to a style; the weights that follow are scaled, so outputs stay.

    Parameters
    ----------
    model : Sequential
        In which a layer with a weight follows every Dropout of the other style at once.
    style : {"inverted", "lecture"}

    Raises
    ------
    SymgradError
        If no weight follows; then nothing has changed.
    """
    if style not in STYLES:
        raise SymgradError(f"restyle_dropout: style={style!r} is none of 'inverted', 'lecture'")
    layers = list(model)
    pairs = []
    for layer, after in zip(layers, [*layers[1:], None], strict=True):
        if isinstance(layer, Dropout) and layer.style != style:
            if getattr(after, "weight", None) is None:
                raise SymgradError(f"restyle_dropout: no weight follows {layer!r}, so that its factor has no place")
            pairs.append((layer, after))
    for layer, after in pairs:
        after.weight.assign(after.weight.numpy() * (layer.keep if style == "inverted" else 1 / layer.keep))
        layer.style = style


def _unit_shapes(model: Module, X: NDArray[Any], layers: list[Dropout]) -> list[tuple[int, ...]]:
    """The shapes of what the layers drop for one sample, found by running one."""
    seen: dict[int, tuple[int, ...]] = {}

    class Spy:
        """Stands for a mask of ones, and notes the shape it is multiplied with."""

        __array_ufunc__ = None

        def __init__(self, layer: Dropout) -> None:
            self.layer = layer

        def __rmul__(self, x: Any) -> Any:
            seen[id(self.layer)] = tuple(self.layer._shape(x)[1:])
            return x

    for layer in layers:
        layer.chosen = Spy(layer)
    try:
        model.predict(X[:1])
    finally:
        _forget(layers)
    return [seen[id(layer)] for layer in layers]


def _forget(layers: list[Dropout]) -> None:
    for layer in layers:
        layer.chosen = None
