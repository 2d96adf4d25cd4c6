"""Vector norms of any order."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from symgrad.errors import ShapeError
from symgrad.op import FUNCTIONS, function
from symgrad.ops.layout import squeeze
from symgrad.ops.marks import astype, stop_gradient
from symgrad.ops.piecewise import abs, where
from symgrad.ops.reduction import max, min, norm2, sum
from symgrad.shapes import normalize_axes, size_of
from symgrad.tensor import array_like

__all__ = ["norm", "vector_norm"]


@function()
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    r"""Vector norm :math:`(\sum_i |x_i|^p)^{1/p}`; its gradient at 0 is 0.

    Parameters
    ----------
    x : Tensor or array
    ord : float, optional
        The p; 2 by default. With two axes, the order of a matrix norm.
    axis : int, tuple of int, or None
        All axes, flattened, by default.
    keepdims : bool

    Raises
    ------
    ShapeError
        For an order that is not a norm's.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.linalg.norm(sg.tensor([3.0, 4.0]))
    Tensor(5.)
    """
    x = array_like(x, "norm")
    axes = normalize_axes(axis, len(x.shape), "norm")
    if len(axes) == 2 and (ord is not None or isinstance(axis, (tuple, list))) and "matrix_norm" in FUNCTIONS:
        return FUNCTIONS["matrix_norm"](x, "fro" if ord is None else ord, axes, keepdims)
    if ord is not None and axis is None and len(x.shape) > 1:
        raise ShapeError("norm: matrix norms are not supported; pass axis= for vector norms, or ravel() first")
    return vector_norm(x, 2 if ord is None else ord, axis, keepdims)


@function()
def vector_norm(x: Any, ord: Any = 2, axis: Any = None, keepdims: bool = False) -> Any:
    r"""Norm of the elements along axes as one vector, :math:`(\sum_i |x_i|^p)^{1/p}`, without overflow.

    The gradient at 0 is 0, and for 0 < p < 1 that of every element that is 0.

    Parameters
    ----------
    x : Tensor or array
    ord : float
        The p: any number, or inf (the largest size), -inf (the smallest), 0 (how many are not 0).
    axis : int or tuple of int, optional
        All by default.
    keepdims : bool

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.linalg.vector_norm(sg.tensor([3.0, -4.0]), 1)
    Tensor(7.)
    """
    x = array_like(x, "vector_norm")
    if not _is_order(ord):
        raise ShapeError(f"norm: ord={ord!r} is not the order of a vector norm; use a number, inf or -inf")
    if ord == 2:
        return norm2(x, axis, keepdims=keepdims)
    if ord == 0:
        return sum(astype(x != 0, x.dtype), axis, keepdims=keepdims)
    if ord == 1:
        return sum(abs(x), axis, keepdims=keepdims)
    if ord == -np.inf:
        return min(abs(x), axis, keepdims=keepdims)
    if size_of(x.shape, axes := normalize_axes(axis, len(x.shape), "norm")) == 0:
        return sum(abs(x), axes, keepdims=keepdims)
    if ord == np.inf:
        return max(abs(x), axis, keepdims=keepdims)
    extreme = stop_gradient((max if ord > 0 else min)(abs(x), axes, keepdims=True))
    scale = extreme + (extreme == 0)
    powers = (abs(x) / scale) ** float(ord)
    if 0 < ord < 1:  # infinitely steep at 0
        powers = where(x == 0, 0.0, (where(x == 0, 1.0, abs(x)) / scale) ** float(ord))
    total = sum(powers, axes, keepdims=True)
    y = (total + (total == 0)) ** (1 / float(ord)) * extreme
    return y if keepdims else squeeze(y, axes)


def _is_order(ord: Any) -> bool:
    return isinstance(ord, Real) and ord == ord and ord is not True and ord is not False
