"""Products, variances and norms."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from symgrad.errors import ShapeError, TracingError
from symgrad.op import function
from symgrad.ops.layout import concatenate, expand_dims, ravel, squeeze, transpose
from symgrad.ops.piecewise import abs
from symgrad.ops.reduction import max, mean, min, norm2, sum
from symgrad.shapes import Dim, normalize_axes, size_of
from symgrad.tensor import array_like

__all__ = ["norm", "prod", "std", "var"]


@function()
def var(x: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
    r"""Variance over axes: :math:`\frac{1}{n - \mathrm{ddof}} \sum_i (x_i - \bar x)^2`, centred.

    Parameters
    ----------
    x : Tensor or array
    axis : int or tuple of int, optional
        All by default.
    ddof : int
        0 divides by n, 1 (Bessel) by n - 1.
    keepdims : bool

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.var(sg.tensor([1.0, 3.0]))
    Tensor(1.)
    """
    x = array_like(x, "var")
    deviation = x - mean(x, axis, keepdims=True)
    if ddof == 0:
        return mean(deviation * deviation, axis, keepdims=keepdims)
    return sum(deviation * deviation, axis, keepdims=keepdims) / _degrees(x, axis, ddof, "var")


@function()
def std(x: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
    r"""Standard deviation over axes, :math:`\lVert x - \bar x \rVert_2 / \sqrt{n - \mathrm{ddof}}`.

    Its gradient is 0 where all elements are equal. Parameters as in `var`.
    """
    x = array_like(x, "std")
    n = _degrees(x, axis, ddof, "std")
    spread = norm2(x - mean(x, axis, keepdims=True), axis, keepdims=keepdims)
    return spread / (n**0.5 if not isinstance(n, Dim) else (spread * 0 + n) ** 0.5)


def _degrees(x: Any, axis: Any, ddof: int, where: str) -> Any:
    n = size_of(x.shape, normalize_axes(axis, len(x.shape), where)) - ddof
    if isinstance(n, int) and n <= 0:
        raise ShapeError(f"{where}: {n + ddof} element(s) with ddof={ddof} leave nothing to divide by")
    return n


@function()
def prod(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Product over axes, by halving, so that derivatives are exact where factors are 0.

    Parameters as in `sum`.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.grad(sg.prod)(sg.tensor([0.0, 2.0, 3.0]))
    Tensor([6., 0., 0.])
    """
    x = array_like(x, "prod")
    axes = normalize_axes(axis, len(x.shape), "prod")
    if any(isinstance(x.shape[k], Dim) for k in axes):
        raise TracingError(f"prod: the number of factors of shape {tuple(x.shape)} is symbolic; trace with numbers")
    rest = tuple(k for k in range(len(x.shape)) if k not in axes)
    kept = tuple(1 if k in axes else n for k, n in enumerate(x.shape))
    y = transpose(x, (*axes, *rest)).reshape((size_of(x.shape, axes), *(x.shape[k] for k in rest)))
    if y.shape[0] == 0:
        y = concatenate([y, np.ones((1, *y.shape[1:]), y.dtype)])
    while y.shape[0] > 1:
        half = y.shape[0] // 2
        pairs = y[:half] * y[half : 2 * half]
        y = pairs if y.shape[0] % 2 == 0 else concatenate([pairs, y[2 * half :]])
    return y.reshape(kept) if keepdims else y[0]


@function()
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    r"""Vector norm :math:`(\sum_i |x_i|^p)^{1/p}`; its gradient at 0 is 0.

    Parameters
    ----------
    x : Tensor or array
    ord : float, optional
        The p, at least 1 or infinite; 2 by default.
    axis : int, tuple of int, or None
        All axes, flattened, by default.
    keepdims : bool

    Raises
    ------
    ShapeError
        For an order that is not a norm's, or a matrix norm (two axes with an order).

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.linalg.norm(sg.tensor([3.0, 4.0]))
    Tensor(5.)
    """
    x = array_like(x, "norm")
    if ord is not None and (isinstance(ord, bool) or not isinstance(ord, Real)):
        raise ShapeError(f"norm: ord={ord!r} is not supported; use a number of at least 1, or inf")
    if ord is not None and axis is None and len(x.shape) > 1:
        raise ShapeError("norm: matrix norms are not supported; pass axis= for vector norms, or ravel() first")
    if ord is None or ord == 2:
        return norm2(x, axis, keepdims=keepdims)
    if ord == np.inf:
        return max(abs(x), axis, keepdims=keepdims)
    if ord == -np.inf:
        return min(abs(x), axis, keepdims=keepdims)
    if ord == 1:
        return sum(abs(x), axis, keepdims=keepdims)
    if not float(ord) > 1:
        raise ShapeError(f"norm: ord={ord!r} is not supported; use a number of at least 1, or inf")
    largest = max(abs(x), axis, keepdims=True)
    scale = largest + (largest == 0)
    total = sum((abs(x) / scale) ** ord, axis, keepdims=True)
    y = (total + (total == 0)) ** (1 / ord) * largest
    return y if keepdims else squeeze(y, normalize_axes(axis, len(x.shape), "norm"))


_ = (expand_dims, ravel)
