"""Sliding windows: what convolutions and pooling read, and its adjoint.

`windows` shows every window of an array as axes of its own (a view: nothing is copied) and
`overlap_add` adds windows back where they came from. Each is linear, and each is the other's rule.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from symgrad.errors import ShapeError
from symgrad.op import FUNCTIONS, Op, builtin
from symgrad.ops.layout import expand_dims
from symgrad.ops.piecewise import equal, where
from symgrad.shapes import as_shape, normalize_axis
from symgrad.tensor import array_like

__all__ = ["overlap_add", "sliding_window_view", "window_argmax", "window_max", "windows"]

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
    for offset, place in _places(g.shape, axes, size, step, dilation):
        z[place] += g[offset]
    return z


def _places(counts: Any, axes: Ints, size: Ints, step: Ints, dilation: Ints) -> Any:
    """For every offset in a window: the index into the windows, and the slices of the array that it shows."""
    for offset in itertools.product(*map(range, size)):
        place = [slice(None)] * (len(counts) - len(size))
        for axis, o, s, d in zip(axes, offset, step, dilation, strict=True):
            place[axis] = slice(o * d, o * d + (counts[axis] - 1) * s + 1, s)
        yield (..., *offset), tuple(place)


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


def sliding_window_view(x: Any, window_shape: Any, axis: Any = None) -> Any:
    """All windows of a shape, as `numpy.lib.stride_tricks.sliding_window_view`; see `windows`."""
    x, size = array_like(x, "sliding_window_view"), as_shape(window_shape, "sliding_window_view")
    if axis is None and len(size) != len(x.shape):
        raise ShapeError(f"sliding_window_view: window {size} for shape {tuple(x.shape)}; pass axis= for some axes")
    return windows(x, size, axis)


# The largest element of every window (the last n axes); a tie goes to the first, as in torch


def _window_max(w: Any, n: int) -> Any:
    offsets = list(itertools.product(*map(range, w.shape[w.ndim - n :])))
    y = w[(..., *offsets[0])].copy("K")
    for offset in offsets[1:]:
        np.maximum(y, w[(..., *offset)], out=y)
    return y


def _window_argmax(w: Any, n: int, dtype: str) -> Any:
    y = _window_max(w, n)
    missing = y.dtype.kind == "f" and bool(np.isnan(y).any())
    before = np.ones_like(y, dtype=np.bool_)  # whether the largest element has not come up yet
    found = np.zeros_like(y, dtype=dtype)
    for offset in itertools.product(*map(range, w.shape[w.ndim - n :])):
        element = w[(..., *offset)]
        before &= (element != y) & ~np.isnan(element) if missing else element != y
        found += before
    return found


def _to_first_largest(g: Any, y: Any, w: Any, n: int) -> Any:
    size = tuple(w.shape[len(w.shape) - n :])
    count, last = int(np.prod(size)), tuple(range(-n, 0))
    places = np.arange(count, dtype=np.int8 if count <= 127 else np.int64).reshape(size)
    largest = equal(expand_dims(window_argmax(w, n, places.dtype.name), last), places)
    return where(largest, expand_dims(g, last), 0.0)


window_max: Op = builtin("window_max", _window_max, pullback=(_to_first_largest,), params=("n",), indices="opaque",
                         notation=r"\max({0})", shape=lambda own, n: own[: len(own) - n])  # fmt: skip

window_argmax: Op = builtin("window_argmax", _window_argmax, pullback=(None,), params=("n", "dtype"),
                            defaults=("int64",), indices="opaque", notation=r"\arg\max({0})",
                            shape=lambda own, n, dtype: own[: len(own) - n],
                            dtype=lambda own, n, dtype: np.dtype(dtype))  # fmt: skip

FUNCTIONS.update(windows=windows, overlap_add=overlap_add, sliding_window_view=sliding_window_view)
