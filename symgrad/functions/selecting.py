"""Elements chosen by indices and masks, and copies with others in their places.

What NumPy and torch do in place is a copy here. Where one place is written several times, the last writer counts;
where a maximum or minimum ties, the gradient is shared equally.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.errors import DTypeError, ShapeError, TracingError
from symgrad.op import function
from symgrad.ops.indexing import getitem, scatter
from symgrad.ops.layout import broadcast_to, concatenate, moveaxis, ravel, reshape
from symgrad.ops.marks import arange
from symgrad.ops.piecewise import where
from symgrad.ops.updating import index_extreme, index_update
from symgrad.shapes import broadcast, normalize_axis, size_of
from symgrad.tensor import Tensor, array_like

__all__ = [
    "append",
    "compress",
    "delete",
    "extract",
    "gather",
    "index_add",
    "index_copy",
    "index_fill",
    "index_put",
    "index_reduce",
    "index_select",
    "insert",
    "masked_fill",
    "masked_scatter",
    "masked_select",
    "narrow",
    "put",
    "put_along_axis",
    "scatter_add",
    "scatter_reduce",
    "select",
    "select_scatter",
    "slice_scatter",
    "take_along_axis",
]


# One index along an axis for every element


def _along(index: Any, axis: int, where: str) -> tuple[Any, ...]:
    """The key that varies one axis by an index array and runs through the others."""
    shape = tuple(index.shape)
    if index.dtype.kind not in "iu":
        raise ShapeError(f"{where}: the index must be integers, got {index.dtype}")
    grids = (arange(n).reshape([-1 if j == k else 1 for j in range(len(shape))]) for k, n in enumerate(shape))
    return tuple(index if k == axis else grid for k, grid in enumerate(grids))


@function()
def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    """Elements along an axis by an index array with as many axes, such as argsort gives.

    Parameters
    ----------
    arr : Tensor or array
    indices : integers
        Broadcast against arr on the other axes.
    axis : int, optional
        None means the flattened array.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.take_along_axis(sg.tensor([[1.0, 2.0], [3.0, 4.0]]), [[1], [0]], axis=1)
    Tensor([[2.],
            [3.]])
    """
    arr, index = array_like(arr, "take_along_axis"), array_like(indices, "take_along_axis")
    if axis is None:
        arr, axis = ravel(arr), 0
    axis = normalize_axis(axis, len(arr.shape), "take_along_axis")
    if len(index.shape) != len(arr.shape):
        raise ShapeError(
            f"take_along_axis: indices of shape {tuple(index.shape)} for an array of {len(arr.shape)} axes"
        )
    others = [tuple(1 if k == axis else n for k, n in enumerate(x.shape)) for x in (arr, index)]
    wide = broadcast(*others)
    index = broadcast_to(index, tuple(index.shape[axis] if k == axis else n for k, n in enumerate(wide)))
    arr = broadcast_to(arr, tuple(arr.shape[axis] if k == axis else n for k, n in enumerate(wide)))
    return getitem(arr, _along(index, axis, "take_along_axis"))


def _checked(input: Any, dim: int, index: Any, where: str) -> tuple[Any, int, Any]:
    """Input, axis and index of torch's functions; numbers count as arrays of one axis."""
    x, index = array_like(input, where), array_like(index, where)
    dim = normalize_axis(dim, max(len(x.shape), 1), where)
    if max(len(index.shape), 1) != max(len(x.shape), 1):
        raise ShapeError(f"{where}: index of shape {tuple(index.shape)} for an input of shape {tuple(x.shape)}")
    too_long = [k for k, (m, n) in enumerate(zip(index.shape, x.shape, strict=False)) if k != dim and m > n]
    if too_long and size_of(index.shape):
        raise ShapeError(f"{where}: index {tuple(index.shape)} is longer than the input {tuple(x.shape)} on axis "
                         f"{too_long[0]}")  # fmt: skip
    return x, dim, index


def _raised(x: Any) -> Any:
    return x if len(x.shape) else reshape(x, (1,))


@function()
def gather(input: Any, dim: int, index: Any) -> Any:
    """Elements along an axis by an index array, which may be shorter on the other axes, as torch.gather."""
    x, dim, index = _checked(input, dim, index, "gather")
    y = getitem(_raised(x), _along(_from_0(_raised(index), _raised(x).shape[dim], "gather"), dim, "gather"))
    return reshape(y, tuple(index.shape))


def _source(src: Any, index: Any, where: str) -> Any:
    """The part of a source that an index array reaches."""
    if np.ndim(src) == 0 and not isinstance(src, Tensor):
        return src
    src = _raised(array_like(src, where))
    if len(src.shape) != len(index.shape) or any(m > n for m, n in zip(index.shape, src.shape, strict=True)):
        raise ShapeError(f"{where}: index of shape {tuple(index.shape)} reaches over the source {tuple(src.shape)}")
    return src[tuple(slice(0, n) for n in index.shape)]


def put_along_axis(arr: Any, indices: Any, values: Any, axis: int | None = -1) -> Any:
    """A copy with values at the places that `take_along_axis` (or `gather`) reads; torch calls it scatter."""
    if axis is None:
        return reshape(put_along_axis(ravel(arr), indices, values, 0), tuple(arr.shape))
    x, axis, index = _checked(arr, axis, indices, "put_along_axis")
    index = _raised(index)
    y = index_update(_raised(x), _along(index, axis, "put_along_axis"), _source(values, index, "put_along_axis"))
    return reshape(y, tuple(x.shape))


@function()
def scatter_add(input: Any, dim: int, index: Any, src: Any) -> Any:
    """A copy with the elements of a source added at the places that `gather` reads."""
    return scatter_reduce(input, dim, index, src, "sum")


@function()
def scatter_reduce(input: Any, dim: int, index: Any, src: Any, reduce: str, *, include_self: bool = True) -> Any:
    """A copy with the elements of a source joined in at the places that `gather` reads.

    Parameters
    ----------
    input : Tensor or array
    dim : int
    index : integers
    src : Tensor or array
        At least as long as the index on every axis.
    reduce : {"sum", "prod", "mean", "amax", "amin"}
    include_self : bool
        Whether the elements that were there count too.

    Examples
    --------
    >>> import numpy as np, symgrad as sg
    >>> sg.scatter_reduce(sg.tensor([1.0, 2.0]), 0, np.array([0, 0]), sg.tensor([3.0, 5.0]), "mean")
    Tensor([3., 2.])
    """
    x, dim, index = _checked(input, dim, index, "scatter_reduce")
    index = _from_0(_raised(index), _raised(x).shape[dim], "scatter_reduce")
    key = _along(index, dim, "scatter_reduce")
    rows = [tuple(part[_slice(part, dim, j)] for part in key) for j in range(index.shape[dim])]
    y = _joined(_raised(x), key, _source(src, index, "scatter_reduce"), reduce, include_self, rows, dim)
    return reshape(y, tuple(x.shape))


def _slice(part: Any, axis: int, j: int) -> Any:
    return (*(slice(None),) * axis, slice(j, j + 1) if part.shape[axis] > 1 else slice(None))


def _joined(x: Any, key: Any, src: Any, reduce: str, include_self: bool, rows: Any, dim: int) -> Any:
    """Copy of x with a source joined in at a key; rows are keys of parts that write no place twice."""
    shape = tuple(x.shape)
    src = src if isinstance(src, Tensor) or np.ndim(src) else np.full(getitem(np.empty(shape), key).shape, src, x.dtype)
    neutral = {"sum": 0.0, "mean": 0.0, "prod": 1.0, "amax": -np.inf, "amin": np.inf}
    if reduce not in neutral:
        raise ShapeError(f"scatter_reduce: reduce must be one of {tuple(neutral)}, got {reduce!r}")
    hits = scatter(np.ones(src.shape, x.dtype), key, shape)
    if not include_self:
        x = where(hits > 0, _lowest(neutral[reduce], x.dtype), x)
    if reduce in ("amax", "amin"):
        return index_extreme(x, key, src, 1 if reduce == "amax" else -1)
    if reduce == "prod":
        for j, row in enumerate(rows):
            x = x * index_update(np.ones(shape, x.dtype), row, src[_slice(src, dim, j)])
        return x
    total = x + scatter(src, key, shape)
    if reduce == "sum":
        return total
    count = hits + (1.0 if include_self else 0.0)
    return total / where(count > 0, count, 1.0)


def _lowest(neutral: float, dtype: Any) -> Any:
    if dtype.kind == "f" or np.isfinite(neutral):
        return neutral
    return np.iinfo(dtype).min if neutral < 0 else np.iinfo(dtype).max


# One index for whole slices


def _at(dim: int, index: Any) -> tuple[Any, ...]:
    return (*(slice(None),) * dim, index)


def _slices(input: Any, dim: int, index: Any, where: str) -> tuple[Any, int, Any]:
    x, index = _raised(array_like(input, where)), _raised(array_like(index, where))
    dim = normalize_axis(dim, len(x.shape), where)
    if len(index.shape) != 1 or index.dtype.kind not in "iu":
        raise ShapeError(f"{where}: the index must be integers of one axis, got {index.dtype}{tuple(index.shape)}")
    return x, dim, _from_0(index, x.shape[dim], where)


def _from_0(index: Any, n: Any, where: str) -> Any:
    """An index array, refused where it counts from the end, which torch does not."""
    value = getattr(index, "value", index)
    if value is not None and value.dtype.kind == "i" and (value < 0).any():
        raise ShapeError(f"{where}: index {np.min(value)} is outside of 0..{n - 1}")
    return index


@function()
def index_select(input: Any, dim: int, index: Any) -> Any:
    """Slices along an axis by their numbers, as torch.index_select."""
    x, dim, index = _slices(input, dim, index, "index_select")
    return reshape(x[_at(dim, index)], tuple(input.shape)) if not len(np.shape(input)) else x[_at(dim, index)]


@function()
def index_add(input: Any, dim: int, index: Any, source: Any, *, alpha: float = 1) -> Any:
    """A copy with slices of a source, times alpha, added at the given numbers along an axis."""
    x, dim, index = _slices(input, dim, index, "index_add")
    added = scatter(_raised(array_like(source, "index_add")) * alpha, _at(dim, index), tuple(x.shape))
    return reshape(x + added, np.shape(input))


@function()
def index_copy(input: Any, dim: int, index: Any, source: Any) -> Any:
    """A copy with slices of a source at the given numbers along an axis."""
    x, dim, index = _slices(input, dim, index, "index_copy")
    return reshape(index_update(x, _at(dim, index), _raised(array_like(source, "index_copy"))), np.shape(input))


@function()
def index_fill(input: Any, dim: int, index: Any, value: Any) -> Any:
    """A copy with one value in the slices of the given numbers along an axis."""
    x, dim, index = _slices(input, dim, index, "index_fill")
    return reshape(index_update(x, _at(dim, index), value), np.shape(input))


@function()
def index_reduce(input: Any, dim: int, index: Any, source: Any, reduce: str, *, include_self: bool = True) -> Any:
    """A copy with slices of a source joined in at the given numbers: "prod", "mean", "amax" or "amin"."""
    x, dim, index = _slices(input, dim, index, "index_reduce")
    source = _raised(array_like(source, "index_reduce"))
    rows = [_at(dim, index[j : j + 1]) for j in range(index.shape[0])]
    y = _joined(x, _at(dim, index), source, reduce, include_self, rows, dim)
    return reshape(y, np.shape(input))


@function()
def index_put(input: Any, indices: Any, values: Any, accumulate: bool = False) -> Any:
    """A copy with values written, or added, at a tuple of index arrays; None stands for a whole axis."""
    x = array_like(input, "index_put")
    key = tuple(slice(None) if k is None else k for k in indices)
    if not accumulate:
        return index_update(x, key, values)
    place = np.empty(tuple(x.shape), np.bool_)[tuple(np.asarray(k) if isinstance(k, Tensor) else k for k in key)].shape
    return x + scatter(broadcast_to(array_like(values, "index_put"), place), key, tuple(x.shape))


def put(input: Any, index: Any, source: Any, accumulate: bool = False) -> Any:
    """A copy with values written, or added, at indices into the flattened array, as torch.Tensor.put."""
    x, index = array_like(input, "put"), ravel(array_like(index, "put"))
    y = index_put(ravel(x), (index,), ravel(array_like(source, "put")), accumulate)
    return reshape(y, tuple(x.shape))


# Slices


@function()
def narrow(input: Any, dim: int, start: int, length: int) -> Any:
    """A part of an axis: length elements from start on."""
    x = array_like(input, "narrow")
    dim = normalize_axis(dim, len(x.shape), "narrow")
    start = int(start)
    start = start + x.shape[dim] if start < 0 else start
    if length < 0 or start < 0 or start + length > x.shape[dim]:
        raise ShapeError(f"narrow: {length} elements from {start} on, of axis {dim} of shape {tuple(x.shape)}")
    return x[_at(dim, slice(start, start + length))]


@function()
def select_scatter(input: Any, src: Any, dim: int, index: int) -> Any:
    """A copy with one slice along an axis replaced."""
    x = array_like(input, "select_scatter")
    return index_update(x, _at(normalize_axis(dim, len(x.shape), "select_scatter"), int(index)), src)


@function()
def slice_scatter(input: Any, src: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
    """A copy with a part of an axis replaced."""
    x = array_like(input, "slice_scatter")
    dim = normalize_axis(dim, len(x.shape), "slice_scatter")
    return index_update(x, _at(dim, slice(start, end, step)), src)


# Masks


@function()
def masked_fill(input: Any, mask: Any, value: Any) -> Any:
    """A value where the mask is true, the input elsewhere."""
    return where(_mask(mask, "masked_fill"), value, array_like(input, "masked_fill"))


def _mask(mask: Any, name: str) -> Any:
    mask = array_like(mask, name)
    if mask.dtype.kind != "b":
        raise DTypeError(f"{name}: the mask must be of bool, got {mask.dtype}; compare it with something")
    return mask


@function()
def masked_select(input: Any, mask: Any) -> Any:
    """The elements where the mask is true, in one axis (eagerly only: their number depends on the mask)."""
    x, mask = array_like(input, "masked_select"), _mask(mask, "masked_select")
    shape = broadcast(x.shape, mask.shape)
    return broadcast_to(x, shape)[broadcast_to(mask, shape)] if shape else ravel(x)[ravel(mask)]


@function()
def masked_scatter(input: Any, mask: Any, source: Any) -> Any:
    """The elements of a source, one after the other, where the mask is true."""
    x, mask = array_like(input, "masked_scatter"), _mask(mask, "masked_scatter")
    if getattr(mask, "value", mask) is None:
        raise TracingError("masked_scatter: which elements go where depends on the mask, which is not known here")
    shape = broadcast(x.shape, mask.shape)
    chosen = np.broadcast_to(np.asarray(mask), shape)
    flat, count = ravel(array_like(source, "masked_scatter")), int(chosen.sum())
    if count > flat.shape[0]:
        raise ShapeError(f"masked_scatter: {count} places for the {flat.shape[0]} elements of the source")
    return (
        index_update(broadcast_to(x, shape), np.nonzero(chosen), flat[:count]) if shape else (flat[0] if count else x)
    )


@function()
def compress(condition: Any, a: Any, axis: int | None = None) -> Any:
    """Slices along an axis where a condition of one axis is true (eagerly only)."""
    a = ravel(a) if axis is None else array_like(a, "compress")
    axis = normalize_axis(axis or 0, len(a.shape), "compress")
    return a[_at(axis, np.flatnonzero(np.asarray(condition)))]


@function()
def extract(condition: Any, arr: Any) -> Any:
    """The elements of the flattened array where a condition is true (eagerly only)."""
    return compress(np.ravel(np.asarray(condition)), ravel(array_like(arr, "extract")))


@function()
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """Where the first of several conditions is true, its choice; else a default, as `numpy.select`."""
    if len(condlist) != len(choicelist) or not condlist:
        raise ShapeError(f"select: {len(condlist)} conditions for {len(choicelist)} choices")
    y = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        y = where(condition, choice, y)
    return y


# Longer and shorter axes


@function()
def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """Joined along an axis; flattened by default."""
    arr, values = array_like(arr, "append"), array_like(values, "append")
    return concatenate([ravel(arr), ravel(values)]) if axis is None else concatenate([arr, values], axis)


@function()
def delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    """Without the slices of the given numbers (or slice, or mask); flattened by default."""
    arr = ravel(arr) if axis is None else array_like(arr, "delete")
    axis = normalize_axis(axis or 0, len(arr.shape), "delete")
    return arr[_at(axis, np.delete(np.arange(arr.shape[axis]), obj))]


@function()
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """With values before the slices of the given numbers, as `numpy.insert`."""
    arr = ravel(arr) if axis is None else array_like(arr, "insert")
    axis = normalize_axis(axis or 0, len(arr.shape), "insert")
    n, values = arr.shape[axis], array_like(values, "insert")
    if np.ndim(obj) == 0 and axis and len(values.shape):
        values = moveaxis(values, 0, axis) if len(values.shape) == len(arr.shape) else values
    places = np.insert(np.arange(n), obj, -1)
    new = np.flatnonzero(places < 0)
    shape = tuple(new.size if k == axis else m for k, m in enumerate(arr.shape))
    kept = arr[_at(axis, np.maximum(places, 0))] if n else broadcast_to(arr[..., :0], shape)
    return index_update(kept, _at(axis, new), broadcast_to(values, shape))
