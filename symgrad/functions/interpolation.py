"""Images in other sizes: one matrix along each axis; samples at any points; patches as columns."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgrad.errors import ShapeError
from symgrad.functions.convolution import repeated
from symgrad.functions.padding import constant_pad
from symgrad.functions.pooling import _adaptive_avg_pool, along_axes
from symgrad.op import function
from symgrad.ops.layout import expand_dims, moveaxis, permute, reshape, squeeze
from symgrad.ops.marks import astype, stop_gradient
from symgrad.ops.piecewise import abs, clip, floor, where
from symgrad.ops.sliding import overlap_add, windows
from symgrad.shapes import size_of
from symgrad.tensor import array_like

__all__ = ["affine_grid", "fold", "grid_sample", "interpolate", "unfold", "upsample"]

_AXES = {"linear": 1, "bilinear": 2, "trilinear": 3, "bicubic": 2}
_MODES = ("nearest", "nearest-exact", "area", *_AXES)


@function()
def interpolate(
    input: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Any:
    """Images in another size, as torch.nn.functional.interpolate.

    Parameters
    ----------
    input : Tensor or array, shape (B, C, ...)
    size : int or tuple of int, optional
        The new sizes; else scale_factor.
    scale_factor : float or tuple of float, optional
    mode : {"nearest", "nearest-exact", "linear", "bilinear", "bicubic", "trilinear", "area"}
    align_corners : bool, optional
        Whether the centres of the outermost pixels stay where they are (else the edges do).
    recompute_scale_factor : bool, optional
        Whether positions are computed from the sizes, rather than from scale_factor.
    antialias : bool
        Not supported.

    Raises
    ------
    ShapeError
        If the arguments do not fit each other.

    Examples
    --------
    >>> import numpy as np
    >>> from symgrad.nn import functional as F
    >>> F.interpolate(np.array([[[0.0, 1.0]]]), size=3, mode="linear", align_corners=True)
    array([[[0. , 0.5, 1. ]]])
    """
    x = array_like(input, "interpolate")
    n = len(x.shape) - 2
    if n not in (1, 2, 3):
        raise ShapeError(f"interpolate: the input has shape {tuple(x.shape)}; it must be (B, C) and 1 to 3 more axes")
    if mode not in _MODES or _AXES.get(mode, n) != n:
        raise ShapeError(f"interpolate: mode {mode!r} for {n} axes; the modes are {_MODES}")
    if antialias:
        raise ShapeError("interpolate: antialias is not supported")
    if align_corners is not None and mode not in _AXES:
        raise ShapeError(f"interpolate: align_corners does not apply to mode {mode!r}")
    own = tuple(x.shape[2:])
    if (size is None) == (scale_factor is None):
        raise ShapeError("interpolate: give either size or scale_factor")
    if size is not None:
        counts, steps = (
            repeated(size, n, "interpolate", "size"),
            [m / c for m, c in zip(own, _all(size, n), strict=True)],
        )
    else:
        factors = _all(scale_factor, n)
        counts = tuple(math.floor(m * f) for m, f in zip(own, factors, strict=True))
        exact = [m / max(c, 1) for m, c in zip(own, counts, strict=True)]
        steps = exact if recompute_scale_factor else [1 / f for f in factors]
    if min(counts) < 1 or min(own) < 1:
        raise ShapeError(f"interpolate: sizes {own} to {counts}; all must be at least 1")
    if mode == "area":
        return _adaptive_avg_pool(n, x, counts)
    if mode.startswith("nearest"):
        for axis, (m, c, step) in enumerate(zip(own, counts, steps, strict=True), 2):
            at = np.floor((np.arange(c) + (0.5 if mode == "nearest-exact" else 0.0)) * step)
            x = x[(*(slice(None),) * axis, np.minimum(at, m - 1).astype(np.int64))]
        return x
    kernel = _cubic if mode == "bicubic" else _linear
    return along_axes(x, [kernel(m, c, s, bool(align_corners)) for m, c, s in zip(own, counts, steps, strict=True)])


def _all(value: Any, n: int) -> tuple[float, ...]:
    found = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    found = found * n if len(found) == 1 else found
    if len(found) != n:
        raise ShapeError(f"interpolate: {len(found)} sizes or factors for {n} axes")
    return found


def _positions(m: int, c: int, step: float, align_corners: bool) -> NDArray[Any]:
    """Where the new pixels lie among the old ones."""
    if align_corners:
        return np.arange(c) * ((m - 1) / (c - 1) if c > 1 else 0.0)
    return (np.arange(c) + 0.5) * step - 0.5


def _matrix(m: int, places: list[Any], weights: list[Any]) -> NDArray[Any]:
    """Rows that weigh old pixels; places beyond the edge mean the pixel at the edge."""
    found = np.zeros((len(places[0]), m))
    for place, weight in zip(places, weights, strict=True):
        np.add.at(found, (np.arange(len(place)), np.clip(place, 0, m - 1).astype(np.int64)), weight)
    return found


def _linear(m: int, c: int, step: float, align_corners: bool) -> NDArray[Any]:
    at = np.maximum(_positions(m, c, step, align_corners), 0)
    low = np.floor(at)
    return _matrix(m, [low, low + 1], [1 - (at - low), at - low])


def _cubic(m: int, c: int, step: float, align_corners: bool) -> NDArray[Any]:
    """R. Keys, "Cubic convolution interpolation", 1981, with a = -3/4."""
    at = _positions(m, c, step, align_corners)
    low = np.floor(at)
    return _matrix(m, [low + k for k in (-1, 0, 1, 2)], _cubic_weights(at - low))


def _cubic_weights(t: Any) -> list[Any]:
    a = -0.75

    def near(d: Any) -> Any:
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d: Any) -> Any:
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    return [far(t + 1), near(t), near(1 - t), far(2 - t)]


def upsample(
    input: Any, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None
) -> Any:
    """Older name of `interpolate`."""
    return interpolate(input, size, scale_factor, mode, align_corners)


# Samples at points


@function()
def grid_sample(
    input: Any, grid: Any, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool | None = None
) -> Any:
    """Values of images at points, given in the last axis of a grid as x, y (and z) from -1 to 1.

    Parameters
    ----------
    input : Tensor or array, shape (B, C, H, W) or (B, C, D, H, W)
    grid : Tensor or array, shape (B, ..., 2) or (B, ..., 3)
    mode : {"bilinear", "nearest", "bicubic"}
        "bicubic" for images of two axes only; "nearest" has no gradient in the grid.
    padding_mode : {"zeros", "border", "reflection"}
        What lies outside.
    align_corners : bool, optional
        Whether -1 and 1 are the centres of the outermost pixels, or their edges (the default).
    """
    x, grid = array_like(input, "grid_sample"), array_like(grid, "grid_sample")
    n = len(x.shape) - 2
    if n not in (2, 3) or len(grid.shape) != n + 2 or grid.shape[-1] != n or grid.shape[0] != x.shape[0]:
        raise ShapeError(f"grid_sample: shapes {tuple(x.shape)} and {tuple(grid.shape)} do not fit")
    if mode not in ("bilinear", "nearest") and not (mode == "bicubic" and n == 2):
        raise ShapeError(f"grid_sample: mode {mode!r} for {n} axes; use 'bilinear', 'nearest', or 'bicubic' for 2")
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ShapeError(f"grid_sample: padding_mode must be 'zeros', 'border' or 'reflection', got {padding_mode!r}")
    sizes = tuple(x.shape[2:])
    points = [_unnormalized(grid[..., n - 1 - k], m, bool(align_corners)) for k, m in enumerate(sizes)]
    if mode != "bicubic":
        points = [_inside(p, m, padding_mode, bool(align_corners)) for p, m in zip(points, sizes, strict=True)]
    choices = []
    for p in points:
        low = stop_gradient(floor(p))
        if mode == "nearest":
            choices.append([(stop_gradient(_rounded(p)), 1.0)])
        elif mode == "bilinear":
            choices.append([(low, 1.0 - (p - low)), (low + 1, p - low)])
        else:
            choices.append([(low + k - 1, w) for k, w in enumerate(_cubic_weights(p - low))])
    total: Any = 0.0
    for corner in itertools.product(*choices):
        places = [place for place, _ in corner]
        if mode == "bicubic":
            places = [_inside(p, m, padding_mode, bool(align_corners)) for p, m in zip(places, sizes, strict=True)]
        total = total + _at(x, places, sizes, padding_mode) * _product([weight for _, weight in corner])
    return moveaxis(total, -1, 1)


def _product(weights: list[Any]) -> Any:
    total: Any = 1.0
    for weight in weights:
        total = weight * total
    return expand_dims(total, -1) if len(np.shape(total)) else total


def _rounded(p: Any) -> Any:
    """The nearest integers, half to even."""
    low = floor(p)
    up = where(p - low == 0.5, low % 2 == 1, p - low > 0.5)
    return low + astype(up, p.dtype)


def _at(x: Any, places: list[Any], sizes: Any, padding_mode: str) -> Any:
    """Pixels at integer places, (B, ..., C); zeros outside."""
    outside: Any = False
    index = []
    for place, m in zip(places, sizes, strict=True):
        outside = (place < 0) | (place > m - 1) | outside
        index.append(astype(clip(place, 0.0, float(m - 1)), np.int64))
    batch = np.arange(x.shape[0]).reshape([-1] + [1] * (len(index[0].shape) - 1))
    found = moveaxis(x, 1, -1)[(batch, *index)]
    return where(expand_dims(outside, -1), 0.0, found) if padding_mode == "zeros" else found


def _unnormalized(g: Any, m: int, align_corners: bool) -> Any:
    return (g + 1) * ((m - 1) / 2) if align_corners else ((g + 1) * m - 1) / 2


def _inside(p: Any, m: int, padding_mode: str, align_corners: bool) -> Any:
    """Coordinates moved into the image, as the padding mode says."""
    if padding_mode == "zeros":
        return p
    if padding_mode == "reflection":
        low, span = (0.0, float(m - 1)) if align_corners else (-0.5, float(m))
        if span == 0:
            return p * 0
        away = abs(p - low)
        turns = stop_gradient(floor(away / span))
        rest = away - turns * span
        p = where(turns % 2 == 0, rest, span - rest) + low
    return where(p <= 0, 0.0, where(p >= m - 1, float(m - 1), p))


@function()
def affine_grid(theta: Any, size: Any, align_corners: bool | None = None) -> Any:
    """The points of a grid, from -1 to 1, moved by a matrix (..., n, n + 1), for `grid_sample`."""
    theta = array_like(theta, "affine_grid")
    sizes = tuple(size)[2:]
    n = len(sizes)
    if tuple(theta.shape[1:]) != (n, n + 1):
        raise ShapeError(f"affine_grid: theta has shape {tuple(theta.shape)}, expected (B, {n}, {n + 1})")
    lines = [np.linspace(-1, 1, m) if align_corners else (2 * np.arange(m) + 1) / m - 1 for m in sizes]
    grid = np.stack([*np.meshgrid(*lines, indexing="ij")[::-1], np.ones(sizes)], -1).astype(theta.dtype)
    moved = grid.reshape(-1, n + 1) @ permute(theta, (0, 2, 1))
    return reshape(moved, (theta.shape[0], *sizes, n))


# Patches as columns


@function()
def unfold(input: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """All patches of images as columns, (B, C, H, W) to (B, C h w, L), as torch.nn.functional.unfold."""
    x = array_like(input, "unfold")
    if len(x.shape) not in (3, 4):
        raise ShapeError(f"unfold: the input has shape {tuple(x.shape)}; it must be (B, C, H, W) or (C, H, W)")
    batched = x if len(x.shape) == 4 else expand_dims(x, 0)
    size, step, apart, border = _patches("unfold", kernel_size, stride, dilation, padding)
    padded = constant_pad(batched, [(0, 0), (0, 0), *((p, p) for p in border)])
    shown = permute(windows(padded, size, (2, 3), step, apart), (0, 1, 4, 5, 2, 3))
    y = reshape(shown, (shown.shape[0], size_of(shown.shape[1:4]), size_of(shown.shape[4:])))
    return y if len(x.shape) == 4 else squeeze(y, 0)


def _patches(name: str, size: Any, stride: Any, dilation: Any, padding: Any) -> Any:
    return (repeated(size, 2, name, "kernel_size"), repeated(stride, 2, name, "stride"),
            repeated(dilation, 2, name, "dilation"), repeated(padding, 2, name, "padding", 0))  # fmt: skip


@function()
def fold(input: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """Patches added up where `unfold` finds them: its adjoint."""
    x = array_like(input, "fold")
    if len(x.shape) not in (2, 3):
        raise ShapeError(f"fold: the input has shape {tuple(x.shape)}; it must be (B, C h w, L) or (C h w, L)")
    batched = x if len(x.shape) == 3 else expand_dims(x, 0)
    size, step, apart, border = _patches("fold", kernel_size, stride, dilation, padding)
    shape = [m + 2 * p for m, p in zip(repeated(output_size, 2, "fold", "output_size"), border, strict=True)]
    counts = [(m - d * (k - 1) - 1) // s + 1 for m, k, s, d in zip(shape, size, step, apart, strict=True)]
    channels, rest = divmod(batched.shape[1], size[0] * size[1])
    if rest or counts[0] * counts[1] != batched.shape[2]:
        raise ShapeError(f"fold: {tuple(x.shape)} is not made of patches {size}, {counts[0]} by {counts[1]} of them")
    shown = permute(reshape(batched, (batched.shape[0], channels, *size, *counts)), (0, 1, 4, 5, 2, 3))
    y = overlap_add(shown, (batched.shape[0], channels, *shape), (2, 3), step, apart)
    y = y[(slice(None), slice(None), *(slice(p, m - p) for p, m in zip(border, shape, strict=True)))]
    return y if len(x.shape) == 3 else squeeze(y, 0)
