"""Arrays that begin where a line of the cache does: numbers that lie across two lines cost twice the time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["zeros"]

_LINE = 64  # bytes


def zeros(shape: tuple[int, ...], dtype: Any, order: Any = "C") -> NDArray[Any]:
    """An array of zeros; its ``base`` is the memory that it and all views of it refer to."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.zeros(size + _LINE, np.uint8)
    start = -memory.__array_interface__["data"][0] % _LINE
    return np.ndarray(shape, dtype, memory, start, order=order)
