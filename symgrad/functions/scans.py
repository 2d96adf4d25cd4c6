"""Cumulative sums, products and extremes, differences, and integrals and slopes of sampled functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from symgrad.errors import ShapeError
from symgrad.op import OPS, function
from symgrad.ops.arithmetic import multiply
from symgrad.ops.exponential import logaddexp
from symgrad.ops.indexing import getitem
from symgrad.ops.layout import concatenate, expand_dims, moveaxis, ravel
from symgrad.ops.marks import astype
from symgrad.ops.reduction import sum
from symgrad.shapes import as_integer, normalize_axis
from symgrad.tensor import array_like, operand

__all__ = ["Selected", "cummax", "cummin", "cumprod", "cumsum", "cumulative_trapezoid", "diff", "gradient",
           "logcumsumexp", "part", "picked", "trapezoid"]  # fmt: skip


class Selected(NamedTuple):
    """Values, and where along the axis they were."""

    values: Any
    indices: Any


def part(x: Any, axis: int, *bounds: Any) -> Any:
    """The elements of a slice (stop; or start, stop, step) along an axis."""
    return getitem(x, (*(slice(None),) * axis, slice(*bounds)))


def picked(x: Any, indices: Any, axis: int) -> Any:
    """The elements along an axis at positions, an array with as many axes: `numpy.take_along_axis`."""
    key = [np.arange(n).reshape([-1 if j == k else 1 for j in range(len(x.shape))]) for k, n in enumerate(x.shape)]
    return getitem(x, (*key[:axis], indices, *key[axis + 1 :]))


def _along(x: Any, axis: Any, where: str) -> tuple[Any, int]:
    """An array and a non-negative axis; without an axis, all elements in one."""
    x = array_like(x, where)
    return (ravel(x), 0) if axis is None else (x, normalize_axis(axis, len(x.shape), where))


def _scan(f: Callable[[Any, Any], Any], x: Any, axis: int) -> Any:
    """All partial results of an associative f along an axis, by doubling: log n steps, exact derivatives."""
    step = 1
    while step < x.shape[axis]:
        x = concatenate([part(x, axis, step), f(part(x, axis, None, -step), part(x, axis, step, None))], axis)
        step *= 2
    return x


@function()
def cumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    r"""Partial sums :math:`y_k = \sum_{i \le k} x_i` along an axis, or of all elements in one.

    Parameters
    ----------
    x : Tensor or array
    axis : int, optional
        All elements in one axis by default.
    dtype : dtype, optional
        Converts the elements first.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.cumsum(sg.tensor([1.0, 2.0, 4.0]))
    Tensor([1., 3., 7.])
    """
    x, k = _along(x, axis, "cumsum")
    return OPS["cumsum"](x if dtype is None else astype(x, dtype), k)


@function()
def cumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    r"""Partial products :math:`y_k = \prod_{i \le k} x_i`, with exact derivatives where factors are 0."""
    x, k = _along(x, axis, "cumprod")
    return _scan(multiply, x if dtype is None else astype(x, dtype), k)


@function()
def logcumsumexp(x: Any, axis: int | None = None) -> Any:
    r"""Partial smooth maxima :math:`y_k = \ln \sum_{i \le k} e^{x_i}`, without overflow."""
    x, k = _along(x, axis, "logcumsumexp")
    return _scan(logaddexp, x, k)


@function()
def cummax(x: Any, axis: int) -> Selected:
    """Largest elements so far, and where they were; the last one of equals gets the gradient.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.cummax(sg.tensor([1.0, 3.0, 2.0]), axis=0).values
    Tensor([1., 3., 3.])
    """
    x, k = _along(x, axis, "cummax")
    at = OPS["cumargmax"](x, k)
    return Selected(picked(x, at, k), at)


@function()
def cummin(x: Any, axis: int) -> Selected:
    """Smallest elements so far, and where they were; the last one of equals gets the gradient."""
    x, k = _along(x, axis, "cummin")
    at = OPS["cumargmax"](-x, k)
    return Selected(picked(x, at, k), at)


@function()
def diff(x: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """Differences of neighbours along an axis, n times.

    Parameters
    ----------
    x : Tensor or array
    n : int
    axis : int
    prepend, append : array_like, optional
        Joined to x first; a number is one element.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.diff(sg.tensor([1.0, 2.0, 4.0]))
    Tensor([1., 2.])
    """
    x = array_like(x, "diff")
    if as_integer(n, "diff", "n") < 0:
        raise ShapeError(f"diff: n must be at least 0, got {n}")
    k = normalize_axis(axis, len(x.shape), "diff")
    if n == 0:
        return x
    edges = [None if e is None else _edge(array_like(operand(e, "diff"), "diff"), x, k) for e in (prepend, append)]
    given = [p for p in (edges[0], x, edges[1]) if p is not None]
    y = concatenate(given, k) if len(given) > 1 else x
    for _ in range(min(n, y.shape[k])):
        y = part(y, k, 1, None) - part(y, k, None, -1)
    return y


def _edge(edge: Any, x: Any, axis: int) -> Any:
    if len(edge.shape):
        return edge
    return OPS["expand"](astype(edge, x.dtype), tuple(1 if k == axis else n for k, n in enumerate(x.shape)))


# Sampled functions


def _spacing(x: Any, dx: Any, y: Any, axis: int) -> Any:
    """Distances between samples along an axis, so that they broadcast with the samples."""
    if x is None:
        return operand(dx, "trapezoid")
    x = array_like(operand(x, "trapezoid"), "trapezoid")
    if len(x.shape) != 1:
        return diff(x, axis=axis - len(y.shape))
    return expand_dims(diff(x), tuple(range(1, len(y.shape) - axis)))


@function("trapz")
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    r"""Integral of a sampled function by the trapezoidal rule, :math:`\sum_k \frac{y_k + y_{k+1}}{2} \Delta x_k`.

    Parameters
    ----------
    y : Tensor or array
    x : Tensor or array, optional
        Where the samples are: one vector, or as y.
    dx : float
        Their distance, if x is not given.
    axis : int

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.trapezoid(sg.tensor([1.0, 2.0, 4.0]))
    Tensor(4.5)
    """
    panels, k = _panels(y, x, dx, axis, "trapezoid")
    return sum(panels, axis=k)


@function()
def cumulative_trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """Partial integrals of a sampled function by the trapezoidal rule; parameters as in `trapezoid`."""
    panels, k = _panels(y, x, dx, axis, "cumulative_trapezoid")
    return cumsum(panels, axis=k)


def _panels(y: Any, x: Any, dx: Any, axis: int, where: str) -> tuple[Any, int]:
    y = array_like(y, where)
    k = normalize_axis(axis, len(y.shape), where)
    panels = (part(y, k, 1, None) + part(y, k, None, -1)) * _spacing(x, dx, y, k) / 2
    return panels, k - len(y.shape)  # x may have more axes than y


@function()
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """Slopes of a sampled function by central differences, of order ``edge_order`` at the ends.

    Parameters
    ----------
    f : Tensor or array
    *varargs : float or array, optional
        Distance, or coordinates of the samples; one for all axes, or one for each.
    axis : int or tuple of int, optional
        All by default.
    edge_order : {1, 2}

    Returns
    -------
    Tensor or array, or a list with one for each axis

    Raises
    ------
    ShapeError
        If an axis has no more than ``edge_order`` samples.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.gradient(sg.tensor([1.0, 2.0, 4.0]))
    Tensor([1. , 1.5, 2. ])
    """
    f = array_like(f, "gradient")
    given = range(len(f.shape)) if axis is None else axis if isinstance(axis, (tuple, list)) else [axis]
    axes = [normalize_axis(a, len(f.shape), "gradient") for a in given]
    spacings = varargs * len(axes) if len(varargs) == 1 else varargs or (1.0,) * len(axes)
    if len(spacings) != len(axes):
        raise ShapeError(f"gradient: {len(spacings)} spacings for {len(axes)} axes")
    if edge_order not in (1, 2):
        raise ShapeError(f"gradient: edge_order is 1 or 2, got {edge_order}")
    found = [_slopes(f, h, k, edge_order) for h, k in zip(spacings, axes, strict=True)]
    return found[0] if len(found) == 1 else found


def _slopes(f: Any, spacing: Any, axis: int, edge_order: int) -> Any:
    """Slopes along one axis: a weighted mean of the two neighbouring ones, extrapolated at the ends."""
    y = moveaxis(f, axis, -1)
    if y.shape[-1] <= edge_order:
        raise ShapeError(f"gradient: axis {axis} has {y.shape[-1]} samples; edge_order {edge_order} needs one more")
    spacing = operand(spacing, "gradient")
    h = diff(spacing) if np.ndim(spacing) else 1.0 * spacing * np.ones(y.shape[-1] - 1, f.dtype)
    slope = diff(y) / h
    before, after = slope[..., :-1], slope[..., 1:]
    left, right = h[:-1], h[1:]
    inner = (before * right + after * left) / (left + right)
    first, last = slope[..., :1], slope[..., -1:]
    if edge_order == 2:
        first = first + (first - slope[..., 1:2]) * h[:1] / (h[:1] + h[1:2])
        last = last + (last - slope[..., -2:-1]) * h[-1:] / (h[-1:] + h[-2:-1])
    return moveaxis(concatenate([first, inner, last], -1), -1, axis)
