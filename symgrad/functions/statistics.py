"""Products, variances, and statistics that leave out elements."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.errors import ShapeError, TracingError
from symgrad.op import function
from symgrad.ops.arithmetic import multiply, sqrt
from symgrad.ops.layout import broadcast_to, concatenate, expand_dims, transpose
from symgrad.ops.marks import astype
from symgrad.ops.piecewise import equal, logical_and, maximum, not_equal
from symgrad.ops.piecewise import where as _where
from symgrad.ops.reduction import max, mean, min, norm2, sum
from symgrad.shapes import Dim, normalize_axes, size_of
from symgrad.tensor import array_like

__all__ = ["aminmax", "average", "count_nonzero", "nanmax", "nanmean", "nanmin", "nanprod", "nanstd", "nansum",
           "nanvar", "prod", "ptp", "std", "var"]  # fmt: skip


@function()
def var(x: Any, axis: Any = None, ddof: float = 0, keepdims: bool = False, *, where: Any = None) -> Any:
    r"""Variance over axes: :math:`\frac{1}{n - \mathrm{ddof}} \sum_i (x_i - \bar x)^2`, centred.

    Parameters
    ----------
    x : Tensor or array
    axis : int or tuple of int, optional
        All by default.
    ddof : float
        0 divides by n, 1 (Bessel) by n - 1.
    keepdims : bool
    where : array of bool, optional
        Which elements count.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.var(sg.tensor([1.0, 3.0]))
    Tensor(1.)
    """
    x = _kept(array_like(x, "var"), where)
    deviation = x - mean(x, axis, keepdims=True, where=where)
    if where is not None:
        total = sum(deviation * deviation, axis, keepdims=keepdims, where=where)
        return total / _counted(x, axis, ddof, keepdims, where)
    if ddof == 0:
        return mean(deviation * deviation, axis, keepdims=keepdims)
    return sum(deviation * deviation, axis, keepdims=keepdims) / _degrees(x, axis, ddof, "var")


@function()
def std(x: Any, axis: Any = None, ddof: float = 0, keepdims: bool = False, *, where: Any = None) -> Any:
    r"""Standard deviation over axes, :math:`\lVert x - \bar x \rVert_2 / \sqrt{n - \mathrm{ddof}}`.

    Its gradient is 0 where all elements are equal. Parameters as in `var`.
    """
    x = _kept(array_like(x, "std"), where)
    spread = norm2(x - mean(x, axis, keepdims=True, where=where), axis, keepdims=keepdims, where=where)
    if where is not None:
        return spread / sqrt(_counted(x, axis, ddof, keepdims, where))
    n = _degrees(x, axis, ddof, "std")
    return spread / (n**0.5 if not isinstance(n, Dim) else (spread * 0 + n) ** 0.5)


def _degrees(x: Any, axis: Any, ddof: float, where: str) -> Any:
    n = size_of(x.shape, normalize_axes(axis, len(x.shape), where)) - ddof
    if not isinstance(n, Dim) and n <= 0:
        raise ShapeError(f"{where}: {n + ddof} element(s) with ddof={ddof} leave nothing to divide by")
    return n


def _kept(x: Any, where: Any) -> Any:
    """The elements with zeros in place of those that do not count, which may be NaN."""
    return x if where is None else _where(where, x, 0)


def _counted(x: Any, axis: Any, ddof: float, keepdims: bool, where: Any) -> Any:
    """How many elements count, less ddof, but not below 0."""
    counted = sum(broadcast_to(where, x.shape), axis, keepdims=keepdims, dtype=x.dtype)
    return maximum(counted - ddof, 0.0)


@function()
def prod(
    x: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False, initial: Any = None, where: Any = None
) -> Any:
    """Product over axes, by halving, so that derivatives are exact where factors are 0.

    Parameters as in `sum`.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.grad(sg.prod)(sg.tensor([0.0, 2.0, 3.0]))
    Tensor([6., 0., 0.])
    """
    x = array_like(x, "prod")
    x = x if dtype is None else astype(x, dtype)
    x = x if where is None else _where(where, x, 1)
    if initial is not None:
        return multiply(prod(x, axis, keepdims=keepdims), initial)
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


# Elements left out


@function()
def count_nonzero(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """How many elements are not 0 (an integer, no gradient). Parameters as in `sum`."""
    return sum(not_equal(array_like(x, "count_nonzero"), 0), axis, keepdims=keepdims)


def _nan_form(f: Any, what: str) -> Any:
    def call(x: Any, axis: Any = None, **options: Any) -> Any:
        x = array_like(x, call.__name__)
        options["where"] = logical_and(options.get("where", True), equal(x, x))
        return f(x, axis, **options)

    call.__name__ = call.__qualname__ = f"nan{f.__name__}"
    call.__doc__ = f"{what} of the elements that are not NaN; parameters as in `{f.__name__}`."
    return function()(call)


nansum = _nan_form(sum, "Sum")
nanprod = _nan_form(prod, "Product")
nanmean = _nan_form(mean, "Mean")
nanvar = _nan_form(var, "Variance")
nanstd = _nan_form(std, "Standard deviation")


@function()
def nanmax(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """Largest of the elements that are not NaN; -inf if there are none. Parameters as in `sum`."""
    return max(x, axis, keepdims=keepdims, where=equal(x, x), initial=-np.inf)


@function()
def nanmin(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """Smallest of the elements that are not NaN; inf if there are none. Parameters as in `sum`."""
    return min(x, axis, keepdims=keepdims, where=equal(x, x), initial=np.inf)


# Others


@function()
def aminmax(x: Any, axis: Any = None, keepdims: bool = False) -> tuple[Any, Any]:
    """Smallest and largest element along axes. Parameters as in `sum`."""
    return min(x, axis, keepdims=keepdims), max(x, axis, keepdims=keepdims)


@function()
def ptp(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """Range, from the smallest to the largest element. Parameters as in `sum`."""
    low, high = aminmax(x, axis, keepdims)
    return high - low


@function()
def average(x: Any, axis: Any = None, weights: Any = None, *, keepdims: bool = False) -> Any:
    r"""Weighted mean :math:`\sum_i w_i x_i / \sum_i w_i`.

    Parameters
    ----------
    x : Tensor or array
    axis : int or tuple of int, optional
        All by default.
    weights : Tensor or array, optional
        Of the shape of x, or one vector for a single axis; equal ones by default.
    keepdims : bool

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.average(sg.tensor([1.0, 3.0]), weights=[3.0, 1.0])
    Tensor(1.5)
    """
    x = array_like(x, "average")
    if weights is None:
        return mean(x, axis, keepdims=keepdims)
    w = array_like(weights, "average")
    if len(w.shape) == 1 and len(x.shape) > 1:
        (k,) = normalize_axes(axis, len(x.shape), "average")
        w = expand_dims(w, tuple(range(1, len(x.shape) - k)))
    w = broadcast_to(w, x.shape)
    return sum(w * x, axis, keepdims=keepdims) / sum(w, axis, keepdims=keepdims)
