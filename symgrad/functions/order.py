"""Sorting, and what is read off sorted elements: ranks, quantiles, the most frequent value.

Positions are integers without a gradient; the values are gathered there, so the gradient goes to the elements picked.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.errors import ShapeError
from symgrad.functions.elementwise import isnan, lerp
from symgrad.functions.scans import Selected, part, picked
from symgrad.op import OPS, function
from symgrad.ops.layout import expand_dims, moveaxis, ravel, reshape, squeeze, transpose
from symgrad.ops.marks import astype
from symgrad.ops.piecewise import clip, floor, logical_not, where
from symgrad.ops.reduction import sum
from symgrad.shapes import as_integer, normalize_axes, normalize_axis, size_of
from symgrad.tensor import array_like, operand

__all__ = ["argsort", "kthvalue", "median", "mode", "msort", "nanmedian", "nanquantile", "percentile", "quantile",
           "sort", "topk"]  # fmt: skip


def _axis(x: Any, axis: Any, where: str) -> tuple[Any, int]:
    """An array with at least one axis, and which one; a number is one element, None means all in one axis."""
    x = array_like(x, where)
    x, axis = (ravel(x), 0) if axis is None or (not x.shape and axis in (0, -1)) else (x, axis)
    return x, normalize_axis(axis, len(x.shape), where)


@function()
def argsort(x: Any, axis: int | None = -1, *, descending: bool = False) -> Any:
    """Positions that sort along an axis, equal elements in their order (integers, no gradient); NaN counts as largest.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.argsort(sg.tensor([3.0, 1.0, 2.0]))
    Tensor([1, 2, 0])
    """
    shape = array_like(x, "argsort").shape
    x, k = _axis(x, axis, "argsort")
    at = OPS["argsort"](x, k, bool(descending))
    return at if shape else at[0]


@function()
def sort(x: Any, axis: int | None = -1, *, descending: bool = False) -> Any:
    """Elements in order along an axis; parameters as in `argsort`."""
    shape = array_like(x, "sort").shape
    x, k = _axis(x, axis, "sort")
    y = picked(x, OPS["argsort"](x, k, bool(descending)), k)
    return y if shape else y[0]


@function()
def msort(x: Any) -> Any:
    """Elements in order along the first axis."""
    return sort(x, axis=0)


@function()
def topk(x: Any, k: int, axis: int = -1, largest: bool = True, sorted: bool = True) -> Selected:
    """The k largest (or smallest) elements along an axis in order, and where they were.

    Raises
    ------
    ShapeError
        If there are fewer than k.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.topk(sg.tensor([3.0, 1.0, 2.0]), 2).values
    Tensor([3., 2.])
    """
    shape = array_like(x, "topk").shape
    x, at = _axis(x, axis, "topk")
    k = as_integer(k, "topk", "k")
    if not 0 <= k <= x.shape[at]:
        raise ShapeError(f"topk: {k} of {x.shape[at]} elements (shape {tuple(shape)}, axis {axis})")
    positions = part(OPS["argsort"](x, at, bool(largest)), at, k)
    values = picked(x, positions, at)
    return Selected(values, positions) if shape or k != 1 else Selected(values[0], positions[0])


@function()
def kthvalue(x: Any, k: int, axis: int = -1, keepdims: bool = False) -> Selected:
    """The k-th smallest element along an axis (from 1), and where it was.

    Raises
    ------
    ShapeError
        If there is no k-th element.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.kthvalue(sg.tensor([3.0, 1.0, 2.0]), 2).values
    Tensor(2.)
    """
    shape = array_like(x, "kthvalue").shape
    x, at = _axis(x, axis, "kthvalue")
    k = as_integer(k, "kthvalue", "k")
    if not 1 <= k <= x.shape[at]:
        raise ShapeError(f"kthvalue: k = {k} of {x.shape[at]} elements (shape {tuple(shape)}, axis {axis})")
    positions = part(OPS["argsort"](x, at, False), at, k - 1, k)
    return _selected(x, positions, at, keepdims and bool(shape))


@function()
def mode(x: Any, axis: int = -1, keepdims: bool = False) -> Selected:
    """The most frequent element along an axis, the smallest of equally frequent ones, and where it was last.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.mode(sg.tensor([2.0, 1.0, 2.0])).values
    Tensor(2.)
    """
    shape = array_like(x, "mode").shape
    x, at = _axis(x, axis, "mode")
    if x.shape[at] == 0:
        raise ShapeError(f"mode: of no elements (shape {tuple(shape)}, axis {axis}) is not defined")
    return _selected(x, expand_dims(OPS["argmode"](x, at), at), at, keepdims and bool(shape))


def _selected(x: Any, positions: Any, axis: int, keepdims: bool) -> Selected:
    values = picked(x, positions, axis)
    return Selected(*(v if keepdims else squeeze(v, axis) for v in (values, positions)))


# Quantiles

METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


@function()
def quantile(x: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False) -> Any:
    """Quantiles along axes, between neighbours by linear interpolation.

    Parameters
    ----------
    x : Tensor or array
    q : float, array or Tensor
        Probabilities in [0, 1], one number or a vector; a vector gives one more axis, in front.
    axis : int or tuple of int, optional
        All by default.
    method : {"linear", "lower", "higher", "midpoint", "nearest"}
        Between neighbours.
    keepdims : bool

    Raises
    ------
    ShapeError
        If a slice has no elements, a probability is outside of [0, 1], or the method is not known.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.quantile(sg.tensor([3.0, 1.0, 2.0]), 0.25)
    Tensor(1.5)
    """
    return _quantile(x, q, axis, method, keepdims, False, "quantile")


@function()
def nanquantile(x: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False) -> Any:
    """Quantiles of the elements that are not NaN; parameters as in `quantile`."""
    return _quantile(x, q, axis, method, keepdims, True, "nanquantile")


@function()
def percentile(x: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False) -> Any:
    """Quantiles at q percent; parameters as in `quantile`."""
    return _quantile(x, operand(q, "percentile") / 100.0, axis, method, keepdims, False, "percentile")


@function()
def median(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Middle element along axes, or the mean of the two middle ones.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.median(sg.tensor([3.0, 1.0, 2.0, 10.0]))
    Tensor(2.5)
    """
    return _quantile(x, 0.5, axis, "linear", keepdims, False, "median")


@function()
def nanmedian(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Median of the elements that are not NaN; parameters as in `median`."""
    return _quantile(x, 0.5, axis, "linear", keepdims, True, "nanmedian")


def _quantile(x: Any, q: Any, axis: Any, method: str, keepdims: bool, skip_nan: bool, name: str) -> Any:
    x, q = array_like(x, name), array_like(operand(q, name), name)
    if method not in METHODS:
        raise ShapeError(f"{name}: method {method!r} is not one of {', '.join(METHODS)}")
    if len(q.shape) > 1:
        raise ShapeError(f"{name}: q is a number or a vector, got shape {tuple(q.shape)}")
    known = getattr(q, "value", q)
    if known is not None and not ((known >= 0) & (known <= 1)).all():
        raise ShapeError(f"{name}: probabilities are in [0, 1], got {np.asarray(known)}")
    axes = normalize_axes(axis, len(x.shape), name)
    kept = tuple(1 if k in axes else n for k, n in enumerate(x.shape))
    rest = tuple(k for k in range(len(x.shape)) if k not in axes)
    n = size_of(x.shape, axes)
    if n == 0:
        raise ShapeError(f"{name}: of no elements (shape {tuple(x.shape)}, axis {axis}) is not defined")
    rows = reshape(transpose(x, (*rest, *axes)), (*(x.shape[k] for k in rest), n))
    y = _between(sort(rows), astype(q, x.dtype if x.dtype.kind == "f" else np.float64), method, skip_nan)
    y = reshape(moveaxis(y, -1, 0), (*y.shape[-1:], *kept))
    y = y if keepdims else squeeze(y, tuple(k + 1 for k in axes))
    return y if q.shape else squeeze(y, 0)


def _between(rows: Any, q: Any, method: str, skip_nan: bool) -> Any:
    """Quantiles of sorted rows: the last axis becomes one of probabilities."""
    n = rows.shape[-1]
    last = sum(logical_not(isnan(rows)), axis=-1, keepdims=True) - 1 if skip_nan else n - 1
    rank = ravel(q) * astype(array_like(last, "quantile"), q.dtype)
    if not skip_nan:
        rank = OPS["expand"](rank, (*rows.shape[:-1], *rank.shape))
    if method == "nearest":
        rank = OPS["rint"](rank)
    low = floor(rank)
    below = astype(low, np.int64)
    above = astype(clip(-floor(-rank), None, n - 1.0), np.int64)
    first, second = (picked(rows, at, -1 + len(rows.shape)) for at in (below, above))
    weight = {"linear": rank - low, "midpoint": 0.5, "higher": 1.0}.get(method, 0.0)
    y = first if method in ("lower", "nearest") else second if method == "higher" else lerp(first, second, weight)
    return y if skip_nan else where(isnan(rows[..., -1:]), rows[..., -1:], y)
