"""The same elements in other places: reversed, rolled, turned, repeated, split."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from symgrad.errors import ShapeError
from symgrad.op import function
from symgrad.ops.layout import (
    broadcast_to,
    concatenate,
    expand_dims,
    moveaxis,
    permute,
    ravel,
    reshape,
    swapaxes,
    transpose,
)
from symgrad.shapes import Dim, as_shape, broadcast, normalize_axes, normalize_axis, quotient, size_of
from symgrad.tensor import array_like

__all__ = [
    "array_split",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "broadcast_arrays",
    "channel_shuffle",
    "column_stack",
    "dsplit",
    "dstack",
    "fftshift",
    "flatten",
    "flip",
    "fliplr",
    "flipud",
    "hsplit",
    "hstack",
    "ifftshift",
    "meshgrid",
    "pixel_shuffle",
    "pixel_unshuffle",
    "repeat",
    "roll",
    "rollaxis",
    "rot90",
    "split",
    "tile",
    "unbind",
    "unflatten",
    "unstack",
    "vsplit",
    "vstack",
]


def flat(values: Sequence[Any]) -> Any:
    """Several values as one vector; one alone is not copied, which saves time where it is large.

    Examples
    --------
    >>> import numpy as np
    >>> from symgrad.functions.rearranging import flat
    >>> flat([np.eye(2), np.array(3.0)])
    array([1., 0., 0., 1., 3.])
    """
    return ravel(values[0]) if len(values) == 1 else concatenate([ravel(x) for x in values])


# Order


@function()
def flip(m: Any, axis: Any = None) -> Any:
    """Reversed order along axes (all by default).

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.flip(sg.tensor([1.0, 2.0, 3.0]))
    Tensor([3., 2., 1.])
    """
    m = array_like(m, "flip")
    axes = normalize_axes(axis, len(m.shape), "flip")
    return m[tuple(slice(None, None, -1 if k in axes else None) for k in range(len(m.shape)))] if axes else m


@function()
def fliplr(m: Any) -> Any:
    """Columns in reversed order."""
    return flip(_at_least(m, 2, "fliplr"), 1)


@function()
def flipud(m: Any) -> Any:
    """Rows in reversed order."""
    return flip(_at_least(m, 1, "flipud"), 0)


def _at_least(x: Any, ndim: int, where: str) -> Any:
    x = array_like(x, where)
    if len(x.shape) < ndim:
        raise ShapeError(f"{where}: needs at least {ndim} axes, got shape {tuple(x.shape)}")
    return x


@function()
def rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    """Turned by k quarter turns in the plane of two axes, from the first towards the second."""
    m = _at_least(m, 2, "rot90")
    given = tuple(axes)
    if len(given) != 2 or len(normalize_axes(given, len(m.shape), "rot90")) != 2:
        raise ShapeError(f"rot90: axes must be two different axes, got {axes!r}")
    a, b = given
    turned = [lambda: m, lambda: swapaxes(flip(m, b), a, b), lambda: flip(m, given), lambda: flip(swapaxes(m, a, b), b)]
    return turned[k % 4]()


@function()
def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    """Elements moved along axes; what leaves at the end enters at the start.

    Parameters
    ----------
    a : Tensor or array
    shift : int or tuple of int
        Places to move by, one for each of the axes.
    axis : int or tuple of int, optional
        By default the flattened array is moved.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.roll(sg.tensor([1.0, 2.0, 3.0]), 1)
    Tensor([3., 1., 2.])
    """
    a = array_like(a, "roll")
    if axis is None and not isinstance(shift, (tuple, list)):
        return reshape(roll(ravel(a), shift, 0), tuple(a.shape))
    axes = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    shifts = tuple(shift) if isinstance(shift, (tuple, list)) else (shift,)
    if axis is None or (1 not in (len(axes), len(shifts)) and len(axes) != len(shifts)):
        raise ShapeError(f"roll: {len(shifts)} shift(s) for axis={axis!r}; give one shift for each axis")
    shifts = shifts * len(axes) if len(shifts) == 1 else shifts
    for s, k in zip(shifts, axes * len(shifts) if len(axes) == 1 else axes, strict=True):
        k = normalize_axis(k, len(a.shape), "roll")
        n = a.shape[k]
        s = s % n if n else 0
        if s:
            before = (slice(None),) * k
            a = concatenate([a[(*before, slice(n - s, None))], a[(*before, slice(None, n - s))]], k)
    return a


def _shifted(x: Any, axes: Any, sign: int, name: str) -> Any:
    x = array_like(x, name)
    axes = normalize_axes(axes, len(x.shape), name)
    return roll(x, tuple(sign * (x.shape[k] // 2) for k in axes), axes)


@function()
def fftshift(x: Any, axes: Any = None) -> Any:
    """The first element of each axis moved to its middle, :math:`n // 2` places, as `numpy.fft.fftshift`."""
    return _shifted(x, axes, 1, "fftshift")


@function()
def ifftshift(x: Any, axes: Any = None) -> Any:
    """The middle of each axis moved to its start: undoes `fftshift`."""
    return _shifted(x, axes, -1, "ifftshift")


@function()
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """One axis moved back until it lies before another; `moveaxis` says it more simply."""
    a = array_like(a, "rollaxis")
    axis = normalize_axis(axis, len(a.shape), "rollaxis")
    start = start + len(a.shape) if start < 0 else start
    if not 0 <= start <= len(a.shape):
        raise ShapeError(f"rollaxis: start {start} is out of range for {len(a.shape)} axes")
    return moveaxis(a, axis, start - (axis < start))


# Repetition


@function()
def tile(A: Any, reps: Any) -> Any:
    """The array repeated as a whole along every axis.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.tile(sg.tensor([1.0, 2.0]), 2)
    Tensor([1., 2., 1., 2.])
    """
    A, reps = array_like(A, "tile"), as_shape(reps, "tile")
    if any(type(r) is int and r < 0 for r in reps):
        raise ShapeError(f"tile: repetitions must be at least 0, got {reps}")
    ndim = max(len(A.shape), len(reps))
    own, reps = (1,) * (ndim - len(A.shape)) + tuple(A.shape), (1,) * (ndim - len(reps)) + reps
    pairs = tuple(m for r, n in zip(reps, own, strict=True) for m in (r, n))
    apart = reshape(A, tuple(m for n in own for m in (1, n)))
    return reshape(broadcast_to(apart, pairs), tuple(r * n for r, n in zip(reps, own, strict=True)))


@function("repeat_interleave")
def repeat(a: Any, repeats: Any, axis: int | None = None) -> Any:
    """Every element repeated along an axis (of the flattened array by default).

    Parameters
    ----------
    a : Tensor or array
    repeats : int, or integers, one for each element of the axis
    axis : int, optional

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.repeat(sg.tensor([1.0, 2.0]), [1, 2])
    Tensor([1., 2., 2.])
    """
    a = array_like(a, "repeat")
    if axis is None:
        a, axis = ravel(a), 0
    axis = normalize_axis(axis, len(a.shape), "repeat")
    counts = np.asarray(repeats) if not isinstance(repeats, Dim) else None
    if counts is not None and (counts.dtype.kind not in "iu" or counts.ndim > 1 or (counts < 0).any()):
        raise ShapeError(f"repeat: repeats must be integers of at least 0, got {repeats!r}")
    if counts is None or counts.size == 1:
        times = repeats if counts is None else int(counts.reshape(()))
        own = tuple(a.shape)
        wide = (*own[: axis + 1], times, *own[axis + 1 :])
        return reshape(broadcast_to(expand_dims(a, axis + 1), wide),
                       (*own[:axis], own[axis] * times, *own[axis + 1 :]))  # fmt: skip
    if counts.shape != (a.shape[axis],):
        raise ShapeError(f"repeat: {counts.size} counts for axis {axis} of shape {tuple(a.shape)}")
    return a[(*(slice(None),) * axis, np.repeat(np.arange(counts.size), counts))]


# More and fewer axes


def _raised(name: str, ndim: int, place: Any) -> Any:
    def atleast(*arys: Any) -> Any:
        found = [x if len(x.shape) >= ndim else place(x) for x in (array_like(a, name) for a in arys)]
        return found[0] if len(found) == 1 else tuple(found)

    atleast.__name__ = atleast.__qualname__ = name
    atleast.__doc__ = f"Arrays with at least {ndim} axes, new ones where NumPy puts them."
    return function()(atleast)


atleast_1d = _raised("atleast_1d", 1, lambda x: reshape(x, (1,)))
atleast_2d = _raised("atleast_2d", 2, lambda x: reshape(x, (1, size_of(x.shape))))
atleast_3d = _raised("atleast_3d", 3, lambda x: expand_dims(atleast_2d(x), 2))


@function()
def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """Several neighbouring axes as one, as torch.flatten.

    Examples
    --------
    >>> import numpy as np, symgrad as sg
    >>> sg.flatten(sg.tensor(np.ones((2, 3, 4))), 1).shape
    (2, 12)
    """
    input = array_like(input, "flatten")
    if not len(input.shape):
        return reshape(input, (1,))
    first, last = (normalize_axis(k, len(input.shape), "flatten") for k in (start_dim, end_dim))
    if first > last:
        raise ShapeError(f"flatten: axis {start_dim} comes after axis {end_dim}")
    own = tuple(input.shape)
    return reshape(input, (*own[:first], size_of(own[first : last + 1]), *own[last + 1 :]))


@function()
def unflatten(input: Any, dim: int, sizes: Any) -> Any:
    """One axis as several, whose sizes multiply to it (one may be -1)."""
    input, sizes = array_like(input, "unflatten"), as_shape(sizes, "unflatten")
    dim = normalize_axis(dim, len(input.shape), "unflatten")
    n = input.shape[dim]
    if -1 in sizes:
        rest = quotient(n, size_of([s for s in sizes if s != -1]))
        sizes = tuple(rest if s == -1 and rest is not None else s for s in sizes)
    if sizes.count(-1) or size_of(sizes) != n:
        raise ShapeError(f"unflatten: axis {dim} of size {n} does not split into {sizes}")
    return reshape(input, (*input.shape[:dim], *sizes, *input.shape[dim + 1 :]))


@function()
def unstack(x: Any, axis: int = 0) -> Any:
    """All slices along an axis, without it."""
    x = _at_least(x, 1, "unstack")
    axis = normalize_axis(axis, len(x.shape), "unstack")
    return tuple(x[(*(slice(None),) * axis, k)] for k in range(x.shape[axis]))


@function()
def unbind(input: Any, dim: int = 0) -> Any:
    """All slices along an axis, without it; torch's name of `unstack`."""
    return unstack(input, dim)


# Joining and splitting


@function()
def vstack(tup: Any) -> Any:
    """Rows on top of each other; vectors are rows."""
    return concatenate([atleast_2d(x) for x in tup], 0)


@function()
def hstack(tup: Any) -> Any:
    """Columns beside each other; vectors are joined end to end."""
    items = [atleast_1d(x) for x in tup]
    return concatenate(items, 0 if items and len(items[0].shape) == 1 else 1)


@function()
def dstack(tup: Any) -> Any:
    """Joined along the third axis."""
    return concatenate([atleast_3d(x) for x in tup], 2)


@function()
def column_stack(tup: Any) -> Any:
    """Vectors as columns, matrices beside each other."""
    items = [array_like(x, "column_stack") for x in tup]
    return concatenate([x if len(x.shape) > 1 else transpose(atleast_2d(x)) for x in items], 1)


@function()
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    """Parts along an axis: as many, as equal as they can be, or cut at indices; see `numpy.array_split`."""
    ary = _at_least(ary, 1, "array_split")
    axis = normalize_axis(axis, len(ary.shape), "array_split")
    n = ary.shape[axis]
    if isinstance(indices_or_sections, (int, np.integer)):
        parts = int(indices_or_sections)
        if not 1 <= parts <= 1 << 20:
            raise ShapeError(f"array_split: the number of parts must be from 1 to {1 << 20}, got {parts}")
        sizes = [n // parts + (k < n % parts) for k in range(parts)]
        cuts = [0, *np.cumsum(sizes).tolist()]
    else:
        cuts = [0, *(int(k) for k in indices_or_sections), n]
    return [ary[(*(slice(None),) * axis, slice(a, b))] for a, b in itertools.pairwise(cuts)]


@function()
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    """Equal parts along an axis, or parts cut at indices; see `numpy.split`.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.split(sg.tensor([1.0, 2.0, 3.0, 4.0]), 2)
    [Tensor([1., 2.]), Tensor([3., 4.])]
    """
    ary = _at_least(ary, 1, "split")
    n = ary.shape[normalize_axis(axis, len(ary.shape), "split")]
    if isinstance(indices_or_sections, (int, np.integer)) and (indices_or_sections < 1 or n % indices_or_sections):
        raise ShapeError(f"split: {n} elements do not split into {indices_or_sections} equal parts; use array_split")
    return array_split(ary, indices_or_sections, axis)


def _splitter(name: str, ndim: int, axis: Any) -> Any:
    def along(ary: Any, indices_or_sections: Any) -> Any:
        ary = _at_least(ary, ndim, name)
        return split(ary, indices_or_sections, axis(len(ary.shape)))

    along.__name__ = along.__qualname__ = name
    along.__doc__ = f"`split` along the axis of NumPy's `{name}`."
    return function()(along)


vsplit = _splitter("vsplit", 2, lambda ndim: 0)
hsplit = _splitter("hsplit", 1, lambda ndim: 0 if ndim == 1 else 1)
dsplit = _splitter("dsplit", 3, lambda ndim: 2)


# Grids


@function()
def broadcast_arrays(*args: Any) -> Any:
    """All arrays repeated to their common shape."""
    items = [array_like(x, "broadcast_arrays") for x in args]
    shape = broadcast(*[x.shape for x in items])
    return tuple(broadcast_to(x, shape) for x in items)


@function()
def meshgrid(*xi: Any, indexing: str = "xy", sparse: bool = False) -> Any:
    """Coordinates of all points of a grid, one array for each axis.

    Parameters
    ----------
    *xi : Tensors or arrays of one axis (or none)
    indexing : {"xy", "ij"}
        Whether the first coordinate runs along columns or along the first axis.
    sparse : bool
        Keep axes of size 1 instead of repeating.
    """
    if indexing not in ("xy", "ij"):
        raise ShapeError(f"meshgrid: indexing must be 'xy' or 'ij', got {indexing!r}")
    items = [ravel(array_like(x, "meshgrid")) for x in xi]
    n = len(items)
    order = list(range(n))
    if indexing == "xy" and n > 1:
        order[:2] = [1, 0]
    apart = [
        reshape(x, tuple(x.shape[0] if j == k else 1 for j in range(n))) for x, k in zip(items, order, strict=True)
    ]
    return tuple(apart) if sparse else broadcast_arrays(*apart)


# Channels and pixels


def _images(input: Any, where: str) -> Any:
    x = array_like(input, where)
    if len(x.shape) < 3:
        raise ShapeError(f"{where}: the input has shape {tuple(x.shape)}; it must be (..., C, H, W)")
    return x


@function()
def pixel_shuffle(input: Any, upscale_factor: int) -> Any:
    """Channels as pixels: (..., C r r, H, W) becomes (..., C, H r, W r)."""
    x, r = _images(input, "pixel_shuffle"), upscale_factor
    *lead, c, h, w = x.shape
    if r < 1 or c % (r * r):
        raise ShapeError(f"pixel_shuffle: {c} channels are not a multiple of upscale_factor**2 = {r * r}")
    apart = reshape(x, (*lead, c // (r * r), r, r, h, w))
    n = len(lead)
    return reshape(permute(apart, (*range(n + 1), n + 3, n + 1, n + 4, n + 2)), (*lead, c // (r * r), h * r, w * r))


@function()
def pixel_unshuffle(input: Any, downscale_factor: int) -> Any:
    """Pixels as channels: (..., C, H r, W r) becomes (..., C r r, H, W)."""
    x, r = _images(input, "pixel_unshuffle"), downscale_factor
    *lead, c, h, w = x.shape
    if r < 1 or h % r or w % r:
        raise ShapeError(f"pixel_unshuffle: sizes {h} and {w} are not multiples of downscale_factor = {r}")
    apart = reshape(x, (*lead, c, h // r, r, w // r, r))
    n = len(lead)
    return reshape(permute(apart, (*range(n + 1), n + 2, n + 4, n + 1, n + 3)), (*lead, c * r * r, h // r, w // r))


@function()
def channel_shuffle(input: Any, groups: int) -> Any:
    """Channels in turn from every group: axis 1 seen as (groups, C / groups), transposed."""
    x = _at_least(input, 3, "channel_shuffle")
    if groups < 1 or x.shape[1] % groups:
        raise ShapeError(f"channel_shuffle: {x.shape[1]} channels do not split into {groups} groups")
    apart = reshape(x, (x.shape[0], groups, x.shape[1] // groups, *x.shape[2:]))
    return reshape(swapaxes(apart, 1, 2), tuple(x.shape))
