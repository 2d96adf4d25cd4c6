"""Units or channels that are absent at random, under the names of torch.nn.functional; the draws are the Run's."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from symgrad.errors import DataError, ShapeError
from symgrad.functions.activations import SELU_ALPHA, SELU_SCALE
from symgrad.functions.random import random_uniform
from symgrad.op import function
from symgrad.ops.piecewise import where
from symgrad.tensor import array_like

__all__ = ["alpha_dropout", "dropout", "dropout1d", "dropout2d", "dropout3d", "feature_alpha_dropout"]

LOWEST = -SELU_SCALE * SELU_ALPHA  # of selu


def staying(path: str, keep: float, shape: Any, dtype: Any) -> Any:
    """Which elements stay, each with probability ``keep``; whole numbers are thinned as float64."""
    return random_uniform(path, tuple(shape), dtype if dtype.kind == "f" else np.float64) < keep


def thinned(x: Any, stays: Any, keep: float) -> Any:
    r"""The elements that stay, larger by as much as is missing: :math:`x m / p`."""
    return x * stays / keep


def _given(x: Any, p: Any, name: str) -> Any:
    """The input and the probability, checked."""
    x = array_like(x, name)
    if not isinstance(p, Real) or not 0 <= float(p) <= 1:
        raise DataError(f"{name}: p is the probability to be set to 0, from 0 to 1, got {p!r}")
    return x, float(p)


def _every(x: Any, name: str) -> Any:
    return tuple(x.shape)


def inverted(x: Any, p: float, training: bool, name: str, shape_of: Any = _every) -> Any:
    """The array with elements absent at random, each draw repeated from the shape that ``shape_of`` gives."""
    x, p = _given(x, p, name)
    keep = 1.0 - p
    if not training or keep == 1:
        return x
    shape = shape_of(x, name)
    return thinned(x, staying(name, keep, shape, x.dtype), keep) if keep else x * 0.0


def _alpha(x: Any, p: float, training: bool, name: str, shape_of: Any) -> Any:
    x, p = _given(x, p, name)
    keep = 1.0 - p
    if not training or keep == 1:
        return x
    shape = shape_of(x, name)
    if not keep:
        return x * 0.0
    stays = staying(name, keep, shape, x.dtype)
    scale = (keep * (1.0 + p * LOWEST**2)) ** -0.5
    return scale * where(stays, x, LOWEST) - scale * LOWEST * p


def _channels(n: int | None) -> Any:
    """The shape of one draw per sample and channel, for n axes after the channels (any number for None)."""

    def shape_of(x: Any, name: str) -> Any:
        ndim = len(x.shape)
        after = ndim - 2 if n is None else n
        if ndim < 2 or ndim not in (after + 1, after + 2):
            wanted = "(B, C, ...)" if n is None else f"(B, C, ...) or (C, ...) with {n} more axes"
            raise ShapeError(f"{name}: the input has shape {tuple(x.shape)}; it must be {wanted}")
        return (*x.shape[: ndim - after], *(1 for _ in range(after)))

    return shape_of


_DOC = """

Parameters
----------
input : Tensor or array{shape}
p : float
    The probability of an element to go.
training : bool
    Whether to draw at all; False is the identity.

Raises
------
DataError
    If p is no probability.
SymgradError
    If something is drawn outside of a Run (``with sg.run(seed=0, step=k)``).

References
----------
{source}
"""
_HINTON = 'N. Srivastava et al., "Dropout", JMLR 15:1929-1958, 2014.'
_TOMPSON = 'J. Tompson et al., "Efficient object localization using convolutional networks", CVPR 2015.'
_KLAMBAUER = 'G. Klambauer et al., "Self-normalizing neural networks", NeurIPS 2017, section 3.'


def _named(name: str, how: Any, shape_of: Any, default: bool, title: str, source: str, shape: str = "") -> Any:
    def drop(input: Any, p: float = 0.5, training: bool = default) -> Any:
        return how(input, p, training, name, shape_of)

    drop.__name__ = drop.__qualname__ = name
    drop.__doc__ = title + _DOC.format(shape=shape, source=source)
    return function()(drop)


dropout = _named(
    "dropout", inverted, _every, True, "Elements set to 0 at random, the others divided by 1 - p.", _HINTON
)
dropout1d, dropout2d, dropout3d = (
    _named(
        f"dropout{n}d",
        inverted,
        _channels(n),
        True,
        f"Whole channels, each of {n} axes, set to 0 at random, the others divided by 1 - p.",
        _TOMPSON,
        ", shape (B, C, ...) or (C, ...)",
    )
    for n in (1, 2, 3)
)
alpha_dropout = _named(
    "alpha_dropout",
    _alpha,
    _every,
    False,
    "Elements set to the lower limit of selu at random, so that mean 0 and variance 1 stay as they are.",
    _KLAMBAUER,
)
feature_alpha_dropout = _named(
    "feature_alpha_dropout",
    _alpha,
    _channels(None),
    False,
    "Whole channels set to the lower limit of selu at random, as `alpha_dropout` does with elements.",
    _KLAMBAUER,
    ", shape (B, C, ...)",
)
