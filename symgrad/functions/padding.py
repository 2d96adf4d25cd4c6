"""Borders: a constant, or the array itself, mirrored, repeated at the edge or continued from the other end."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from symgrad.errors import ShapeError, TracingError
from symgrad.op import OPS, function
from symgrad.ops.piecewise import where
from symgrad.ops.reduction import expand
from symgrad.shapes import Dim, concrete
from symgrad.tensor import Tensor, array_like, as_tensor

__all__ = ["constant_pad", "pad", "torch_pad"]

_INDEXED = ("reflect", "symmetric", "edge", "wrap")
_TORCH = ("reflect", "replicate", "circular")

Widths = list[tuple[int, int]]


@function()
def pad(array: Any, pad_width: Any, mode: str = "constant", constant_values: Any = 0.0) -> Any:
    """Add a border, as `numpy.pad`.

    Parameters
    ----------
    array : Tensor or array
    pad_width : int, (before, after), or one pair per axis
    mode : {"constant", "edge", "reflect", "symmetric", "wrap"}
        What stands in the border: a constant, the last element, the array mirrored at its last element
        or behind it, or the array again.
    constant_values : float, (before, after), or one pair per axis

    Raises
    ------
    ShapeError
        For widths that are not integers of at least 0, or another mode.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.pad(sg.tensor([1.0, 2.0]), (1, 2))
    Tensor([0., 1., 2., 0., 0.])
    >>> sg.pad(sg.tensor([1.0, 2.0, 3.0]), 2, mode="reflect")
    Tensor([3., 2., 1., 2., 3., 2., 1.])
    """
    x, widths = array_like(array, "pad"), None
    with contextlib.suppress(ValueError):
        given = np.asarray(pad_width)
        widths = np.broadcast_to(given, (len(x.shape), 2)).tolist() if given.dtype.kind in "iu" else None
    if widths is None:
        raise ShapeError(f"pad: pad_width is an integer, (before, after), or one pair per axis, got {pad_width!r}")
    if any(w < 0 for pair in widths for w in pair):
        raise ShapeError(f"pad: widths must be at least 0, got {pad_width!r}; slice to remove elements")
    pairs = [(a, b) for a, b in widths]
    if mode in _INDEXED:
        return _indexed(x, pairs, mode, "pad")
    if mode != "constant":
        raise ShapeError(f"pad: mode {mode!r} is not supported; use 'constant' or one of {_INDEXED}")
    return constant_pad(x, pairs, constant_values)


def constant_pad(x: Any, widths: Widths, value: Any = 0.0) -> Any:
    """A border of a constant, or of one pair of constants per axis."""
    if all(w == (0, 0) for w in widths):
        return x
    shape = tuple(n + a + b for n, (a, b) in zip(x.shape, widths, strict=True))
    key = tuple(("slice", a, a + n, None) for n, (a, _) in zip(x.shape, widths, strict=True))
    padded = OPS["scatter"]((x,), key, shape)
    if np.ndim(value) == 0 and value == 0:
        return padded
    true = as_tensor(True) if isinstance(x, Tensor) else np.True_
    inside = OPS["scatter"]((expand(true, tuple(x.shape)),), key, shape)
    if np.ndim(value) == 0:
        return where(inside, padded, value)
    if not concrete(x.shape):
        raise TracingError(f"pad: several constants around the symbolic shape {tuple(x.shape)}; pad axis by axis")
    return where(inside, padded, np.pad(np.zeros(x.shape, x.dtype), widths, constant_values=value))


def _indexed(x: Any, widths: Widths, mode: str, name: str) -> Any:
    """A border of the array's own elements: NumPy says which, on the integers of each axis."""
    for axis, (n, pair) in enumerate(zip(x.shape, widths, strict=True)):
        if pair == (0, 0):
            continue
        if isinstance(n, Dim):
            raise TracingError(f"{name}: mode {mode!r} along the symbolic size {n}; trace with numbers")
        if n == 0:
            raise ShapeError(f"{name}: axis {axis} of shape {tuple(x.shape)} has no elements to pad with")
        x = x[(*(slice(None),) * axis, np.pad(np.arange(n), pair, mode=mode))]  # type: ignore[call-overload]
    return x


def torch_pad(input: Any, pad: Any, mode: str = "constant", value: Any = None) -> Any:
    """Add a border to the last axes, or cut one off, as torch.nn.functional.pad.

    Parameters
    ----------
    input : Tensor or array
    pad : tuple of int
        Widths before and after of the last axis, then of the last but one, and so on; negative ones cut off.
    mode : {"constant", "reflect", "replicate", "circular"}
    value : float, optional
        The constant, 0 by default.

    Raises
    ------
    ShapeError
        If the widths do not fit.

    Examples
    --------
    >>> import symgrad as sg
    >>> from symgrad.nn import functional as F
    >>> F.pad(sg.tensor([[1.0, 2.0, 3.0]]), (-1, 2), "replicate")
    Tensor([[2., 3., 3., 3.]])
    """
    x, given = array_like(input, "pad"), tuple(pad)
    if len(given) % 2 or len(given) > 2 * len(x.shape) or any(not isinstance(w, int) for w in given):
        raise ShapeError(f"pad: two integers for each of the last axes of shape {tuple(x.shape)}, got {given}")
    if mode not in ("constant", *_TORCH):
        raise ShapeError(f"pad: mode {mode!r} is not supported; use 'constant' or one of {_TORCH}")
    if mode != "constant" and value not in (None, 0):
        raise ShapeError(f"pad: mode {mode!r} takes no value, got {value!r}")
    free = len(x.shape) - len(given) // 2
    widths = [(0, 0)] * free + [(given[k], given[k + 1]) for k in range(len(given) - 2, -1, -2)]
    for axis, (n, (a, b)) in enumerate(zip(x.shape, widths, strict=True)):
        if not isinstance(n, Dim) and n + a + b < 0:
            raise ShapeError(f"pad: axis {axis} of size {n} is too short for the widths {(a, b)}")
        too_wide = {"reflect": n - 1, "circular": n}.get(mode)
        if too_wide is not None and max(a, b) > max(too_wide, 0):
            raise ShapeError(f"pad: mode {mode!r} of axis {axis} of size {n} allows {too_wide} at most, got {(a, b)}")
    if mode != "constant":
        return _mapped(x, widths, mode)
    cut = tuple(slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(x.shape, widths, strict=True))
    wider = [(max(a, 0), max(b, 0)) for a, b in widths]
    if any(w < 0 for w in given):
        x = x[cut]
    return constant_pad(x, wider, value or 0.0)


def _mapped(x: Any, widths: Widths, mode: str) -> Any:
    """A border of the array's own elements by torch's rules, which know negative widths too."""
    for axis, (n, (a, b)) in enumerate(zip(x.shape, widths, strict=True)):
        if (a, b) == (0, 0):
            continue
        if isinstance(n, Dim):
            raise TracingError(f"pad: mode {mode!r} along the symbolic size {n}; trace with numbers")
        if n == 0 and n + a + b > 0:
            raise ShapeError(f"pad: axis {axis} of shape {tuple(x.shape)} has no elements to pad with")
        x = x[(*(slice(None),) * axis, _source(mode, n, a, b))]
    return x


def _source(mode: str, n: int, a: int, b: int) -> Any:
    """Which of n elements stands where, with a more in front and b more behind."""
    at = np.arange(-a, n + b)
    if mode == "reflect":
        return n - 1 - np.abs(n - 1 - np.abs(at))
    if mode == "replicate":
        return np.clip(at, 0, max(n - 1, 0))
    kept = np.arange(max(-a, 0), n - max(-b, 0))  # what is cut off is not continued either
    return kept[np.arange(-max(a, 0), len(kept) + max(b, 0)) % max(len(kept), 1)]
