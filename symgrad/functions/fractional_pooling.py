"""Maxima of windows that lie at random places, so that an axis shrinks by any fraction."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.errors import ShapeError
from symgrad.functions.convolution import repeated
from symgrad.functions.random import random_uniform
from symgrad.op import function
from symgrad.ops.layout import broadcast_to, concatenate, expand_dims, squeeze
from symgrad.ops.marks import astype, stop_gradient
from symgrad.ops.piecewise import floor
from symgrad.ops.sliding import window_argmax, window_max
from symgrad.tensor import array_like

__all__ = ["fractional_max_pool2d", "fractional_max_pool3d"]


def _starts(u: Any, m: int, k: int, count: int) -> Any:
    """The first index of each window of k along an axis of m elements, for each of the numbers u in [0, 1)."""
    u = expand_dims(stop_gradient(u), -1)
    alpha = (m - k) / (count - 1) if count > 1 else 0.0
    places = floor((np.arange(count - 1).astype(u.dtype) + u) * alpha) - floor(u * alpha)
    last = broadcast_to(np.array(m - k), (*u.shape[:-1], 1))
    return concatenate([astype(places, np.int64), last], -1)


def _along(a: Any, places: tuple[int, ...], ndim: int) -> Any:
    """The axes of (B, C, ...) after the channels at these of ``ndim`` places."""
    return expand_dims(a, tuple(2 + j for j in range(ndim) if j not in places))


def _fractional_max_pool(
    n: int, x: Any, size: Any, output_size: Any, output_ratio: Any, return_indices: bool, samples: Any
) -> Any:
    name = f"fractional_max_pool{n}d"
    x = array_like(x, name)
    if len(x.shape) not in (n + 1, n + 2):
        raise ShapeError(f"{name}: the input has shape {tuple(x.shape)}; it must have a batch (or none), channels, and "
                         f"{n} more axes")  # fmt: skip
    if (output_size is None) == (output_ratio is None):
        raise ShapeError(f"{name}: give output_size or output_ratio, one of them")
    y = x if len(x.shape) == n + 2 else expand_dims(x, 0)
    own, lead = tuple(y.shape[2:]), tuple(y.shape[:2])
    size = repeated(size, n, name, "kernel_size")
    ratios = output_ratio if isinstance(output_ratio, (tuple, list)) else (output_ratio,) * n
    counts = (
        repeated(output_size, n, name, "output_size")
        if output_ratio is None
        else tuple(int(m * r) for m, r in zip(own, ratios, strict=True))
    )
    if any(not 1 <= c <= m - k + 1 for c, m, k in zip(counts, own, size, strict=True)):
        raise ShapeError(f"{name}: {counts} windows of {size} do not fit into {own}; size {tuple(own)} allows up to "
                         f"{tuple(m - k + 1 for m, k in zip(own, size, strict=True))}")  # fmt: skip
    given = random_uniform(name, (*lead, n), y.dtype) if samples is None else array_like(samples, name)
    if tuple(given.shape) != (*lead, n):
        raise ShapeError(f"{name}: samples of shape {tuple(given.shape)}, expected {(*lead, n)}")
    order = (1, 0) if n == 2 else (0, 1, 2)  # torch's: the first number is that of the columns of images
    starts = [_starts(given[..., j], m, k, c) for j, m, k, c in zip(order, own, size, counts, strict=True)]
    index = [_along(expand_dims(s, -1) + np.arange(k), (j, n + j), 2 * n)
             for j, (s, k) in enumerate(zip(starts, size, strict=True))]  # fmt: skip
    batch, channel = (np.arange(m).reshape([-1 if j == a else 1 for j in range(2 + 2 * n)]) for a, m in enumerate(lead))
    shown = y[(batch, channel, *index)]
    last = tuple(range(-n, 0))
    found = window_max(shown, size)
    parts = [squeeze(found, last)]
    if return_indices:
        inside, flat, stride = squeeze(window_argmax(shown, found, size), last), 0, 1
        for k in reversed(range(n)):
            flat = flat + (_along(starts[k], (k,), n) + inside % size[k]) * stride
            inside, stride = inside // size[k], stride * own[k]
        parts.append(flat)
    parts = [p if len(x.shape) == n + 2 else squeeze(p, 0) for p in parts]
    return tuple(parts) if return_indices else parts[0]


def _named(n: int) -> Any:
    def pool(
        input: Any,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Any = None,
    ) -> Any:
        return _fractional_max_pool(n, input, kernel_size, output_size, output_ratio, return_indices, _random_samples)

    pool.__name__ = pool.__qualname__ = f"fractional_max_pool{n}d"
    pool.__doc__ = f"""Largest element of every one of {n}-d windows at random places; needs a Run.

Parameters
----------
input : Tensor or array, shape (B, C, ...) or (C, ...)
kernel_size : int or tuple of int
    Elements of a window.
output_size : int or tuple of int, optional
    How many windows.
output_ratio : float or tuple of float, optional
    How many windows, as a part of the input's size.
return_indices : bool
    Also return where the maxima are, as indices into the flattened last axes.
_random_samples : array, shape (B, C, {n}), optional
    Numbers in [0, 1) that say where the windows are, in place of drawn ones.

Raises
------
ShapeError
    If the windows do not fit.
SymgradError
    If something is drawn outside of a Run (``with sg.run(seed=0, step=k)``).

References
----------
B. Graham, "Fractional max-pooling", arXiv:1412.6071, 2014.
"""
    return function()(pool)


fractional_max_pool2d, fractional_max_pool3d = map(_named, (2, 3))
