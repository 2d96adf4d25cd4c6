"""Sliding windows: what convolutions and pooling read, and the adjoints.

`windows` shows every window of an array as axes of its own (a view: nothing is copied) and
`overlap_add` adds windows back where they came from. `window_pick` takes one element of every window,
given by its number in the window, and `window_put` adds one element per window there. All four are
linear, and each is the rule of its partner.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from symgrad.errors import ShapeError
from symgrad.op import Op, builtin, function
from symgrad.shapes import as_shape, normalize_axis
from symgrad.tensor import array_like

__all__ = [
    "find_first",
    "overlap_add",
    "sliding_window_view",
    "window_argmax",
    "window_max",
    "window_pick",
    "window_put",
    "windows",
]

Ints = tuple[int, ...]


def _counts(own: Any, axes: Ints, size: Ints, step: Ints, dilation: Ints) -> Any:
    counts = list(own)
    for axis, k, s, d in zip(axes, size, step, dilation, strict=True):
        reach = d * (k - 1) + 1
        if own[axis] < reach:
            raise ShapeError(f"windows: a window of {reach} does not fit into axis {axis} of shape {tuple(own)}")
        counts[axis] = (own[axis] - reach) // s + 1
    return (*counts, *size)


def _windows(x: Any, axes: Ints, size: Ints, step: Ints, dilation: Ints) -> Any:
    strides = list(x.strides)
    inner = []
    for axis, s, d in zip(axes, step, dilation, strict=True):
        inner.append(strides[axis] * d)
        strides[axis] *= s
    return as_strided(x, _counts(x.shape, axes, size, step, dilation), (*strides, *inner))


def _overlap_add(g: Any, shape: Any, axes: Ints, size: Ints, step: Ints, dilation: Ints) -> Any:
    z = np.zeros_like(g[(..., *(0,) * len(size))], shape=shape)  # in g's order of axes in memory
    counts = g.shape[: g.ndim - len(size)]
    for offset, part in zip(np.ndindex(size), parts_of(z, counts, axes, size, step, dilation), strict=True):
        np.add(part, g[(..., *offset)], out=part)
    return z


def parts_of(x: Any, counts: Any, axes: Ints, size: Ints, step: Ints, dilation: Ints) -> list[Any]:
    """For every place in a window, the view of x that holds what all windows have there."""
    parts = []
    for offset in np.ndindex(size):
        key = [slice(None)] * len(counts)
        for axis, o, s, d in zip(axes, offset, step, dilation, strict=True):
            key[axis] = slice(o * d, o * d + (counts[axis] - 1) * s + 1, s)
        parts.append(x[tuple(key)])
    return parts


_GEOMETRY = ("axes", "size", "step", "dilation")

_windows_op: Op = builtin(
    "windows",
    _windows,
    pullback=(lambda g, y, x, *geometry: _overlap_add_op(g, tuple(x.shape), *geometry),),
    params=_GEOMETRY,
    indices="opaque",
    notation=r"\operatorname{{windows}}({0})",
    view=True,
    shape=_counts,
)

_overlap_add_op: Op = builtin(
    "overlap_add",
    _overlap_add,
    pullback=(lambda g, y, x, shape, *geometry: _windows_op(g, *geometry),),
    params=("shape", *_GEOMETRY),
    indices="opaque",
    notation=r"\operatorname{{overlap\,add}}({0})",
    shape=lambda own, shape, *geometry: shape,
)


def _geometry(where: str, ndim: int, size: Any, axes: Any, step: Any, dilation: Any) -> tuple[Ints, ...]:
    """The four parameters as tuples of one length."""
    size = as_shape(size, where)
    given = range(-len(size), 0) if axes is None else axes if isinstance(axes, (tuple, list)) else (axes,)
    axes = tuple(normalize_axis(a, ndim, where) for a in given)
    repeated = [n * len(size) if len(n) == 1 else n for n in (as_shape(step, where), as_shape(dilation, where))]
    if len({len(size), len(axes), *map(len, repeated)}) != 1 or len(set(axes)) != len(axes):
        raise ShapeError(f"{where}: size, axes, step and dilation are for different numbers of axes, or one is twice")
    if any(n < 1 for n in (*size, *repeated[0], *repeated[1])):
        raise ShapeError(f"{where}: size {size}, step {repeated[0]} and dilation {repeated[1]} must be at least 1")
    return axes, size, *repeated


@function()
def windows(x: Any, size: Any, axes: Any = None, step: Any = 1, dilation: Any = 1) -> Any:
    r"""All windows of a size along axes: :math:`y_{\ldots i \ldots a} = x_{\ldots,\, i s + a d, \ldots}`.

    Parameters
    ----------
    x : Tensor or array
    size : int or tuple of int
        Elements of a window along each of the axes.
    axes : int or tuple of int, optional
        The last ones by default.
    step, dilation : int or tuple of int
        Distance of neighbouring windows, and of neighbouring elements of a window.

    Returns
    -------
    Tensor or array
        The axes count the windows; new axes at the end hold the elements of a window. A view.

    Raises
    ------
    ShapeError
        If a window does not fit.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.windows(sg.tensor([1.0, 2.0, 3.0, 4.0]), 2, step=2)
    Tensor([[1., 2.],
            [3., 4.]])
    """
    x = array_like(x, "windows")
    return _windows_op(x, *_geometry("windows", len(x.shape), size, axes, step, dilation))


@function()
def overlap_add(g: Any, shape: Any, axes: Any = None, step: Any = 1, dilation: Any = 1) -> Any:
    """Zeros of a shape with all windows added where `windows` finds them: its adjoint.

    Parameters
    ----------
    g : Tensor or array
        Windows, as `windows` gives them for an array of this shape.
    shape : tuple of int
    axes, step, dilation
        As in `windows`.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.overlap_add(sg.tensor([[1.0, 2.0], [3.0, 4.0]]), (3,))
    Tensor([1., 5., 4.])
    """
    g, shape = array_like(g, "overlap_add"), as_shape(shape, "overlap_add")
    size = tuple(g.shape[len(shape) :])
    geometry = _geometry("overlap_add", len(shape), size, axes, step, dilation)
    expected = _counts(shape, *geometry)
    if tuple(g.shape) != tuple(expected):
        raise ShapeError(
            f"overlap_add: windows of shape {tuple(g.shape)} for an array of shape {shape}: not {expected}"
        )
    return _overlap_add_op(g, shape, *geometry)


@function()
def sliding_window_view(x: Any, window_shape: Any, axis: Any = None) -> Any:
    """All windows of a shape, as `numpy.lib.stride_tricks.sliding_window_view`; see `windows`."""
    x, size = array_like(x, "sliding_window_view"), as_shape(window_shape, "sliding_window_view")
    if axis is None and len(size) != len(x.shape):
        raise ShapeError(f"sliding_window_view: window {size} for shape {tuple(x.shape)}; pass axis= for some axes")
    return windows(x, size, axis)


# One element of every window


def _lead(own: Any, *geometry: Any) -> Any:
    return _counts(own, *geometry)[: len(own)]


def _parts(x: Any, *geometry: Any) -> list[Any]:
    return parts_of(x, _lead(x.shape, *geometry), *geometry)


def _window_max(x: Any, *geometry: Any) -> Any:
    first, *rest = _parts(x, *geometry)
    y = first.copy("K")
    for part in rest:
        np.maximum(y, part, out=y)
    return y


def _window_argmax(x: Any, y: Any, dtype: str, *geometry: Any) -> Any:
    found = np.empty_like(y, dtype=dtype)
    find_first(_parts(x, *geometry), y, found, np.empty_like(y, dtype=np.bool_), np.empty_like(y, dtype=np.bool_))
    return found


def find_first(parts: list[Any], y: Any, found: Any, before: Any, test: Any) -> None:
    """The number of the first part that is y, for every element; the last two arguments are room for truth values."""
    missing = y.dtype.kind == "f" and bool(np.isnan(y).any())
    before.fill(True)  # whether y has not come up yet
    found.fill(0)
    for part in parts[:-1]:
        np.not_equal(part, y, test)
        if missing:
            test &= ~np.isnan(part)
        np.logical_and(before, test, before)
        np.add(found, before.view(np.int8), found)


def _window_put(g: Any, k: Any, shape: Any, *geometry: Any) -> Any:
    z = np.zeros_like(g, shape=shape)
    for j, part in enumerate(parts_of(z, g.shape, *geometry)):
        np.add(part, np.where(k == j, g, z.dtype.type(0)), out=part)
    return z


def _window_pick(x: Any, k: Any, *geometry: Any) -> Any:
    y = x.dtype.type(0)
    for j, part in enumerate(_parts(x, *geometry)):
        y = np.where(k == j, part, y)
    return y


def _index_type(size: Ints) -> str:
    """The smallest integers that number the elements of a window."""
    return "int8" if math.prod(size) <= 127 else "int64"


_window_max_op: Op = builtin(
    "window_max",
    _window_max,
    pullback=(
        lambda g, y, x, axes, size, *rest: window_put(
            g, _window_argmax_op(x, y, _index_type(size), axes, size, *rest), tuple(x.shape), axes, size, *rest
        ),
    ),
    params=_GEOMETRY,
    indices="opaque",
    notation=r"\max({0})",
    shape=_lead,
)

_window_argmax_op: Op = builtin(
    "window_argmax",
    _window_argmax,
    pullback=(None, None),
    params=("dtype", *_GEOMETRY),
    indices="opaque",
    notation=r"\arg\max({0}, {1})",
    shape=lambda own, y, dtype, *geometry: _lead(own, *geometry),
    dtype=lambda own, y, dtype, *geometry: np.dtype(dtype),
)

window_put: Op = builtin(
    "window_put",
    _window_put,
    pullback=(lambda g, y, x, k, shape, *geometry: window_pick(g, k, *geometry), None),
    params=("shape", *_GEOMETRY),
    promotes=(0,),
    indices="opaque",
    notation=r"\operatorname{{put}}({0}, {1})",
    shape=lambda own, k, shape, *geometry: shape,
    dtype=lambda own, *rest: own,
)

window_pick: Op = builtin(
    "window_pick",
    _window_pick,
    pullback=(lambda g, y, x, k, *geometry: window_put(g, k, tuple(x.shape), *geometry), None),
    params=_GEOMETRY,
    promotes=(0,),
    indices="opaque",
    notation=r"{0}[{1}]",
    shape=lambda own, k, *geometry: _lead(own, *geometry),
    dtype=lambda own, *rest: own,
)


@function()
def window_max(x: Any, size: Any, axes: Any = None, step: Any = 1, dilation: Any = 1) -> Any:
    """Largest element of every window; of equal ones the first gets the gradient. Parameters as in `windows`.

    Examples
    --------
    >>> import symgrad as sg
    >>> from symgrad.ops.sliding import window_max
    >>> window_max(sg.tensor([1.0, 4.0, 2.0, 3.0]), 2)
    Tensor([4., 4., 3.])
    """
    x = array_like(x, "window_max")
    return _window_max_op(x, *_geometry("window_max", len(x.shape), size, axes, step, dilation))


@function()
def window_argmax(x: Any, y: Any, size: Any, axes: Any = None, step: Any = 1, dilation: Any = 1) -> Any:
    """Number, in every window, of the first element that is y, the result of `window_max` (integers, no gradient)."""
    x = array_like(x, "window_argmax")
    return _window_argmax_op(x, y, "int64", *_geometry("window_argmax", len(x.shape), size, axes, step, dilation))
