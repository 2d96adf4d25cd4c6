"""Pooling: one number of every window."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.errors import ShapeError, TracingError
from symgrad.functions.convolution import repeated
from symgrad.functions.padding import constant_pad
from symgrad.functions.selecting import put_along_axis
from symgrad.op import function
from symgrad.ops.indexing import labels
from symgrad.ops.layout import reshape, squeeze, swapaxes
from symgrad.ops.piecewise import where
from symgrad.ops.product import matmul
from symgrad.ops.reduction import mean, sum
from symgrad.ops.sliding import window_argmax, window_max, windows
from symgrad.shapes import concrete, size_of
from symgrad.tensor import array_like

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "along_axes",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
]


class _Geometry:
    """Where the windows of a pooling are: the same arithmetic for all kinds."""

    def __init__(
        self, n: int, x: Any, size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool, name: str
    ) -> None:
        if len(x.shape) not in (n + 1, n + 2):
            raise ShapeError(f"{name}: the input has shape {tuple(x.shape)}; it must have a batch (or none), "
                             f"channels, and {n} more axes")  # fmt: skip
        self.n, self.own = n, tuple(x.shape[-n:])
        if not concrete(self.own):
            raise TracingError(f"{name}: the sizes {self.own} of the pooled axes must be numbers; trace with numbers")
        self.size = repeated(size, n, name, "kernel_size")
        no_stride = stride is None or (isinstance(stride, (tuple, list)) and not stride)
        self.stride = self.size if no_stride else repeated(stride, n, name, "stride")
        self.padding = repeated(padding, n, name, "padding", 0)
        self.dilation = repeated(dilation, n, name, "dilation")
        if any(2 * p > d * (k - 1) + 1 for p, k, d in zip(self.padding, self.size, self.dilation, strict=True)):
            raise ShapeError(f"{name}: padding {self.padding} is more than half of the window {self.size}")
        rows = list(zip(self.own, self.size, self.stride, self.padding, self.dilation, strict=True))
        self.counts = tuple(_count(*row, ceil_mode) for row in rows)
        if min(self.counts) < 1:
            raise ShapeError(f"{name}: a window of {self.size} does not fit into {self.own}")
        ends = [(c - 1) * s + d * (k - 1) + 1 - m - p for c, (m, k, s, p, d) in zip(self.counts, rows, strict=True)]
        self.borders = [(p, max(e, 0)) for p, e in zip(self.padding, ends, strict=True)]

    def padded(self, x: Any, border: float) -> Any:
        """The input with a border of this number."""
        if all(b == (0, 0) for b in self.borders):
            return x
        return constant_pad(x, [(0, 0)] * (len(x.shape) - self.n) + self.borders, border)

    @property
    def windows(self) -> Any:
        """Size, axes, step and dilation of the windows."""
        return self.size, None, self.stride, self.dilation

    def starts(self) -> list[Any]:
        """The first index of every window along each axis, in the input without borders."""
        return [np.arange(c) * s - p for c, s, p in zip(self.counts, self.stride, self.padding, strict=True)]


def _count(m: int, k: int, s: int, p: int, d: int, ceil_mode: bool) -> int:
    """Number of windows along an axis; rounded up, a last one must begin inside of the input or its first border."""
    room = m + 2 * p - d * (k - 1) - 1
    count = (-(-room // s) if ceil_mode else room // s) + 1
    return count - 1 if ceil_mode and (count - 1) * s >= m + p else count


# Maxima


def _max_pool(
    n: int, x: Any, size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool, return_indices: bool
) -> Any:
    name = f"max_pool{n}d"
    x = array_like(x, name)
    geometry = _Geometry(n, x, size, stride, padding, dilation, ceil_mode, name)
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    padded = geometry.padded(x, lowest)
    y = window_max(padded, *geometry.windows)
    if not return_indices:
        return y
    found = window_argmax(padded, y, *geometry.windows)
    return y, _flat(found, geometry.starts(), geometry.size, geometry.dilation, geometry.own)


def _flat(found: Any, starts: list[Any], size: Any, dilation: Any, own: Any) -> Any:
    """Places in the windows as places in the input, its last axes flattened."""
    total: Any = 0
    stride = 1
    for k in reversed(range(len(own))):
        start = np.expand_dims(starts[k], tuple(range(1, len(own) - k)))
        total = total + (start + found % size[k] * dilation[k]) * stride
        found, stride = found // size[k], stride * own[k]
    return total


def _spans(own: Any, counts: Any) -> list[tuple[Any, Any]]:
    """First and last + 1 index of each of as many almost equal parts of every axis."""
    return [(np.arange(c) * m // c, -(-(np.arange(c) + 1) * m // c)) for m, c in zip(own, counts, strict=True)]


def _adaptive(n: int, x: Any, output_size: Any, name: str) -> tuple[_Geometry, tuple[int, ...], bool]:
    """The input as one window, the output's sizes, and whether all its windows are equal."""
    geometry = _Geometry(n, x, tuple(x.shape[-n:]), None, 0, 1, False, name)
    wanted = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size,)
    wanted = wanted * n if len(wanted) == 1 else wanted
    filled = tuple(m if c is None else c for m, c in zip(geometry.own, wanted, strict=False))
    counts = repeated(filled, n, name, "output_size") if len(wanted) == n else repeated(wanted, n, name, "output_size")
    return geometry, counts, all(m % c == 0 for m, c in zip(geometry.own, counts, strict=True))


def _adaptive_max_pool(n: int, x: Any, output_size: Any, return_indices: bool) -> Any:
    name = f"adaptive_max_pool{n}d"
    x = array_like(x, name)
    geometry, counts, equal = _adaptive(n, x, output_size, name)
    if equal:
        size = tuple(m // c for m, c in zip(geometry.own, counts, strict=True))
        return _max_pool(n, x, size, None, 0, 1, False, return_indices)
    spans = _spans(geometry.own, counts)
    size = tuple(int((stop - start).max()) for start, stop in spans)
    index = []
    for k, ((start, stop), m) in enumerate(zip(spans, size, strict=True)):
        places = np.minimum(start[:, None] + np.arange(m), stop[:, None] - 1)  # shorter ones repeat their last element
        index.append(places.reshape([s if j in (k, n + k) else 1 for j, s in enumerate((*counts, *size))]))
    shown = x[(..., *index)]
    y = window_max(shown, size)
    last = tuple(range(-n, 0))
    if not return_indices:
        return squeeze(y, last)
    found = squeeze(window_argmax(shown, y, size), last)
    return squeeze(y, last), _flat(found, [start for start, _ in spans], size, (1,) * n, geometry.own)


# Means


def _outer(parts: list[Any]) -> Any:
    """Products of one number per axis."""
    total = parts[0]
    for part in parts[1:]:
        total = total[..., None] * part
    return total


def _avg_pool(
    n: int, x: Any, size: Any, stride: Any, padding: Any, ceil_mode: bool, count_include_pad: bool, divisor: Any
) -> Any:
    name = f"avg_pool{n}d"
    x = array_like(x, name)
    geometry = _Geometry(n, x, size, stride, padding, 1, ceil_mode, name)
    last = tuple(range(-n, 0))
    shown = windows(geometry.padded(x, 0.0), *geometry.windows)
    if divisor is not None:
        if not divisor:
            raise ShapeError(f"{name}: divisor_override must not be 0")
        return sum(shown, last) / divisor
    counted = []
    for start, k, p, m in zip(geometry.starts(), geometry.size, geometry.padding, geometry.own, strict=True):
        outside = p if count_include_pad else 0
        counted.append(np.minimum(start + k, m + outside) - np.maximum(start, -outside))
    if all((c == k).all() for c, k in zip(counted, geometry.size, strict=True)):
        return mean(shown, last)
    return sum(shown, last) / _outer(counted).astype(x.dtype)


def along_axes(x: Any, matrices: list[Any]) -> Any:
    r"""A linear map along each of the last axes: :math:`y_{oq} = \sum_{ij} A_{oi} B_{qj} x_{ij}`."""
    for k, matrix in enumerate(reversed(matrices)):
        if matrix is not None:
            x = swapaxes(matmul(swapaxes(x, -1, -1 - k), matrix.T.astype(x.dtype)), -1, -1 - k)
    return x


def _adaptive_avg_pool(n: int, x: Any, output_size: Any) -> Any:
    name = f"adaptive_avg_pool{n}d"
    x = array_like(x, name)
    geometry, counts, equal = _adaptive(n, x, output_size, name)
    if equal:
        return _avg_pool(
            n, x, tuple(m // c for m, c in zip(geometry.own, counts, strict=True)), None, 0, False, True, None
        )
    matrices = []
    for (start, stop), m in zip(_spans(geometry.own, counts), geometry.own, strict=True):
        inside = (np.arange(m) >= start[:, None]) & (np.arange(m) < stop[:, None])
        matrices.append(inside / (stop - start)[:, None])
    return along_axes(x, matrices)


def _lp_pool(n: int, x: Any, norm_type: float, size: Any, stride: Any, ceil_mode: bool) -> Any:
    x = array_like(x, f"lp_pool{n}d")
    total = _avg_pool(n, x**norm_type, size, stride, 0, ceil_mode, True, None)
    total = total * int(np.prod(repeated(size, n, f"lp_pool{n}d", "kernel_size")))
    root = where(total == 0, 1.0, total) ** (1 / norm_type)
    return where(total == 0, 0.0, root)


# Back to where the maxima were


def _max_unpool(n: int, x: Any, indices: Any, size: Any, stride: Any, padding: Any, output_size: Any) -> Any:
    name = f"max_unpool{n}d"
    x, index = array_like(x, name), array_like(indices, name)
    if len(x.shape) not in (n + 1, n + 2) or tuple(index.shape) != tuple(x.shape):
        raise ShapeError(f"{name}: the input has shape {tuple(x.shape)}, the indices {tuple(index.shape)}")
    size = repeated(size, n, name, "kernel_size")
    stride = size if stride is None or stride == [] else repeated(stride, n, name, "stride")
    padding = repeated(padding, n, name, "padding", 0)
    own = tuple(x.shape[-n:])
    shape = tuple((m - 1) * s - 2 * p + k for m, k, s, p in zip(own, size, stride, padding, strict=True))
    if output_size is not None:
        shape = repeated(tuple(output_size)[-n:], n, name, "output_size")
    lead = tuple(x.shape[:-n])
    flat, count = (size_of(lead), size_of(own)), size_of(shape)
    where_to = labels(reshape(index, flat), count, name)
    y = put_along_axis(np.zeros((flat[0], count), x.dtype), where_to, reshape(x, flat), 1)
    return reshape(y, (*lead, *shape))


# Under torch's names and with its arguments

_COMMON = """
Parameters
----------
input : Tensor or array, shape (B, C, ...) or (C, ...)
{arguments}
Returns
-------
Tensor or array
    {returns}

Raises
------
ShapeError
    If a window does not fit, or padding is more than half of it.
"""
_KERNEL = """kernel_size, stride : int or tuple of int
    Elements of a window, and distance of neighbouring ones (by default the windows touch).
"""
_CEIL = """ceil_mode : bool
    Also windows that reach over the end.
"""
_PADDING = "padding : int or tuple of int\n    {0}\n"
_INDICES = """return_indices : bool
    Also return where the maxima are, as indices into the flattened last axes.
"""


def _documented(f: Any, name: str, title: str, *arguments: str, returns: str = "One number of every window.") -> Any:
    f.__name__ = f.__qualname__ = name
    f.__doc__ = title + "\n" + _COMMON.format(arguments="".join(arguments), returns=returns)
    return function()(f)


def _max(n: int) -> Any:
    def f(
        input: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        return _max_pool(n, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)

    title = f"Largest element of every {n}-d window; of equal ones the first gets the gradient, as in torch."
    dilation = "dilation : int or tuple of int\n    Distance of neighbouring elements of a window.\n"
    return _documented(f, f"max_pool{n}d", title, _KERNEL, _PADDING.format("Of minus infinity, on both sides."),
                       dilation, _CEIL, _INDICES)  # fmt: skip


def _avg(n: int) -> Any:
    def f(
        input: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: Any = None,
    ) -> Any:
        return _avg_pool(n, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)

    rest = """count_include_pad : bool
    Whether zeros of the padding count as elements.
divisor_override : int, optional
    Divide by this number instead.
"""
    return _documented(f, f"avg_pool{n}d", f"Mean of every {n}-d window.", _KERNEL,
                       _PADDING.format("Zeros, on both sides."), _CEIL, rest)  # fmt: skip


def _lp(n: int) -> Any:
    def f(input: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Any:
        return _lp_pool(n, input, norm_type, kernel_size, stride, ceil_mode)

    title = f"The root :math:`(\\sum_a x_a^p)^{{1/p}}` of every {n}-d window; its gradient at 0 is 0."
    return _documented(f, f"lp_pool{n}d", title, "norm_type : float\n    The p.\n", _KERNEL, _CEIL)


_OUTPUT = """output_size : int, None, or a tuple of them
    Sizes of the result; None keeps that of the input. Windows are as equal as they can be.
"""


def _amax(n: int) -> Any:
    def f(input: Any, output_size: Any, return_indices: bool = False) -> Any:
        return _adaptive_max_pool(n, input, output_size, return_indices)

    title = f"Maxima of {n}-d windows made for a wanted size of the result."
    return _documented(f, f"adaptive_max_pool{n}d", title, _OUTPUT, _INDICES)


def _aavg(n: int) -> Any:
    def f(input: Any, output_size: Any) -> Any:
        return _adaptive_avg_pool(n, input, output_size)

    title = f"Means of {n}-d windows made for a wanted size of the result."
    return _documented(f, f"adaptive_avg_pool{n}d", title, _OUTPUT)


def _unpool(n: int) -> Any:
    def f(
        input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
    ) -> Any:
        return _max_unpool(n, input, indices, kernel_size, stride, padding, output_size)

    title = f"Zeros, with the input at the places that `max_pool{n}d` returned as indices."
    indices = "indices : integers, shape of the input\n"
    output = "output_size : tuple of int, optional\n    By default the smallest that the windows fit into.\n"
    return _documented(f, f"max_unpool{n}d", title, indices, _KERNEL, _PADDING.format("As in the pooling."), output,
                       returns="The input in a larger array.")  # fmt: skip


max_pool1d, max_pool2d, max_pool3d = map(_max, (1, 2, 3))
avg_pool1d, avg_pool2d, avg_pool3d = map(_avg, (1, 2, 3))
lp_pool1d, lp_pool2d, lp_pool3d = map(_lp, (1, 2, 3))
adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = map(_amax, (1, 2, 3))
adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = map(_aavg, (1, 2, 3))
max_unpool1d, max_unpool2d, max_unpool3d = map(_unpool, (1, 2, 3))
