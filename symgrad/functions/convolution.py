"""Convolutions and their transposes: windows and one matrix product."""

from __future__ import annotations

from typing import Any

from symgrad.errors import ShapeError
from symgrad.functions.padding import constant_pad
from symgrad.op import function
from symgrad.ops.layout import expand_dims, permute, reshape, squeeze, swapaxes
from symgrad.ops.product import matmul
from symgrad.ops.sliding import overlap_add, windows
from symgrad.shapes import same_size, size_of
from symgrad.tensor import array_like

__all__ = ["conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "repeated"]


def repeated(value: Any, n: int, where: str, name: str, low: int = 1) -> tuple[int, ...]:
    """One integer for every axis, from one for all or a sequence."""
    found = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    found = found * n if len(found) == 1 else found
    if len(found) != n or any(isinstance(k, bool) or not isinstance(k, int) or k < low for k in found):
        raise ShapeError(f"{where}: {name} must be {n} integer(s) of at least {low}, got {value!r}")
    return found


def _batched(x: Any, n: int, channels: Any, where: str) -> Any:
    """The input with a batch axis, checked."""
    if len(x.shape) not in (n + 1, n + 2):
        raise ShapeError(f"{where}: the input has shape {tuple(x.shape)}; it must have a batch (or none), "
                         f"channels, and {n} more axes")  # fmt: skip
    batched = x if len(x.shape) == n + 2 else expand_dims(x, 0)
    if not same_size(batched.shape[1], channels):
        raise ShapeError(f"{where}: the input of shape {tuple(x.shape)} has {batched.shape[1]} channels, "
                         f"the weight is for {channels}")  # fmt: skip
    return batched


def _checked(weight: Any, bias: Any, channels: Any, groups: Any, n: int, where: str) -> None:
    if len(weight.shape) != n + 2 or 0 in tuple(weight.shape)[2:]:
        raise ShapeError(f"{where}: the weight has shape {tuple(weight.shape)}; it must have {n + 2} axes, none empty")
    if isinstance(groups, bool) or not isinstance(groups, int) or groups < 1 or weight.shape[0] % groups:
        raise ShapeError(f"{where}: groups={groups!r} must divide the weight's {weight.shape[0]} leading channels")
    if bias is not None and tuple(bias.shape) != (channels,):
        raise ShapeError(f"{where}: the bias has shape {tuple(bias.shape)}, expected ({channels},)")


def _batch_last(x: Any) -> Any:
    """Channels, the other axes, samples: rows of numbers that are long in every layer, and products of few rows."""
    return permute(x, (*range(1, len(x.shape)), 0))


def _batch_first(x: Any) -> Any:
    last = len(x.shape) - 1
    return permute(x, (last, *range(last)))


def _same(size: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...], where: str) -> Any:
    """Borders that keep the sizes; the odd element goes to the end."""
    if any(s != 1 for s in stride):
        raise ShapeError(f"{where}: padding='same' needs stride 1, got {stride}")
    total = [d * (k - 1) for k, d in zip(size, dilation, strict=True)]
    return [(t // 2, t - t // 2) for t in total]


def _matrices(x: Any, groups: int, rows: int) -> Any:
    """A matrix for each group of channels, which lead: its rows are the channels and as many further axes."""
    further, columns = size_of(x.shape[1 : rows + 1]), size_of(x.shape[rows + 1 :])
    shape = (x.shape[0] // groups * further, columns)
    return reshape(x, shape if groups == 1 else (groups, *shape))


def _conv(n: int, x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: Any) -> Any:
    """Convolution over n axes: the kernels as rows of a matrix, times all windows as its columns."""
    where = f"conv{n}d"
    x, weight = array_like(x, where), array_like(weight, where)
    bias = None if bias is None else array_like(bias, where)
    _checked(weight, bias, weight.shape[0], groups, n, where)
    batched = _batch_last(_batched(x, n, weight.shape[1] * groups, where))
    size = tuple(weight.shape[2:])
    stride, dilation = repeated(stride, n, where, "stride"), repeated(dilation, n, where, "dilation")
    if padding == "same":
        borders = _same(size, stride, dilation, where)
    else:
        borders = [(p, p) for p in repeated(0 if padding == "valid" else padding, n, where, "padding", 0)]
    if any(border != (0, 0) for border in borders):
        batched = constant_pad(batched, [(0, 0), *borders, (0, 0)])
    spatial = range(1, n + 1)
    shown = windows(batched, size, tuple(spatial), stride, dilation)  # (C, L.., N, K..)
    shown = permute(shown, (0, *range(n + 2, 2 * n + 2), *spatial, n + 1))  # (C, K.., L.., N)
    lead = (weight.shape[0], *shown.shape[n + 1 :])
    y = reshape(matmul(_matrices(weight, groups, 0), _matrices(shown, groups, n)), (lead[0], size_of(lead[1:])))
    y = y if bias is None else y + expand_dims(bias, 1)
    return _as_given(_batch_first(reshape(y, lead)), x)


def _conv_transpose(
    n: int, x: Any, weight: Any, bias: Any, stride: Any, padding: Any, output_padding: Any, groups: Any, dilation: Any
) -> Any:
    """The adjoint of a convolution: every element sends a multiple of the kernel to its window."""
    where = f"conv_transpose{n}d"
    x, weight = array_like(x, where), array_like(weight, where)
    bias = None if bias is None else array_like(bias, where)
    _checked(weight, bias, (weight.shape[1] if len(weight.shape) > 1 else 0) * groups, groups, n, where)
    batched = _batch_last(_batched(x, n, weight.shape[0], where))
    size, channels = tuple(weight.shape[2:]), weight.shape[1] * groups
    stride, dilation = repeated(stride, n, where, "stride"), repeated(dilation, n, where, "dilation")
    padding, extra = repeated(padding, n, where, "padding", 0), repeated(output_padding, n, where, "output_padding", 0)
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        raise ShapeError(f"{where}: output_padding {extra} must be smaller than stride {stride} or dilation {dilation}")
    kernels = swapaxes(_matrices(weight, groups, 0), -1, -2)
    counts, samples = batched.shape[1:-1], batched.shape[-1]
    y = reshape(matmul(kernels, _matrices(batched, groups, 0)), (channels, *size, *counts, samples))
    y = permute(y, (0, *range(n + 1, 2 * n + 2), *range(1, n + 1)))  # (O, L.., N, K..)
    full = [(m - 1) * s + d * (k - 1) + 1 for m, k, s, d in zip(counts, size, stride, dilation, strict=True)]
    y = overlap_add(y, (channels, *full, samples), tuple(range(1, n + 1)), stride, dilation)
    y = constant_pad(y, [(0, 0), *((0, e) for e in extra), (0, 0)])
    y = y[(slice(None), *(slice(p, m + e - p) for p, m, e in zip(padding, full, extra, strict=True)))]
    y = y if bias is None else y + expand_dims(bias, tuple(range(1, n + 2)))
    return _as_given(_batch_first(y), x)


def _as_given(y: Any, x: Any) -> Any:
    """Without the batch axis, if the input came without."""
    return y if len(x.shape) == len(y.shape) else squeeze(y, 0)


_ARGUMENTS = r"""

Parameters
----------
input : Tensor or array, shape (B, C, ...) or (C, ...)
weight : Tensor or array, shape {weight}
bias : Tensor or array, shape (O,), optional
stride, dilation : int or tuple of int
    Distance of neighbouring windows (s), and of neighbouring elements of a window (d), for each axis.
padding : int or tuple of int
    {padding}
groups : int
    Each of as many parts of the output channels reads a part of the input channels of its own.

Returns
-------
Tensor or array, shape (B, O, ...) or (O, ...)

Raises
------
ShapeError
    If shapes and arguments do not fit.

References
----------
V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep learning", 2016.

Examples
--------
>>> import numpy as np
>>> from symgrad.nn import functional as F
>>> F.{name}(np.ones({x}), np.ones({w})).shape
{y}
"""


def _convolution(n: int) -> Any:
    def conv(
        input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
    ) -> Any:
        return _conv(n, input, weight, bias, stride, padding, dilation, groups)

    conv.__name__ = conv.__qualname__ = name = f"conv{n}d"
    conv.__doc__ = (
        f"{n}-d convolution, :math:`y_{{noi}} = b_o + \\sum_{{ca}} w_{{oca}} x_{{n, c, is + ad - p}}`."
    ) + _ARGUMENTS.format(name=name, weight="(O, C / groups, ...)", x=(2, 3) + (5,) * n, w=(4, 3) + (2,) * n,
                          y=(2, 4) + (4,) * n, padding='Zeros on both sides (p), "valid" (none), or "same" '
                          "(the sizes stay; stride 1 only).")  # fmt: skip
    return function()(conv)


def _transposed_convolution(n: int) -> Any:
    def conv_transpose(
        input: Any,
        weight: Any,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> Any:
        return _conv_transpose(n, input, weight, bias, stride, padding, output_padding, groups, dilation)

    conv_transpose.__name__ = conv_transpose.__qualname__ = name = f"conv_transpose{n}d"
    conv_transpose.__doc__ = (
        f"{n}-d transposed convolution, :math:`y_{{n, o, is + ad - p}} \\mathrel{{+}}= w_{{coa}} x_{{nci}}`."
    ) + _ARGUMENTS.format(name=name, weight="(C, O / groups, ...)", x=(2, 3) + (4,) * n, w=(3, 4) + (2,) * n,
                          y=(2, 4) + (5,) * n, padding="Elements cut off on both sides (p); output_padding adds some "
                          "at the end.")  # fmt: skip
    return function()(conv_transpose)


conv1d, conv2d, conv3d = map(_convolution, (1, 2, 3))
conv_transpose1d, conv_transpose2d, conv_transpose3d = map(_transposed_convolution, (1, 2, 3))
