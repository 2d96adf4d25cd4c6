"""Arrays that a plan hands out, and uses again when nobody else holds them any more.

Fresh memory of this size comes from the system page by page, which costs more than most of what is computed in it.
"""

from __future__ import annotations

from sys import getrefcount
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgrad.plan.memory import zeros

__all__ = ["LARGE", "Recycler"]

Array = NDArray[Any]
LARGE = 1 << 15  # bytes from which on an array is worth it
_KEPT = 2  # the last result is still held while the next one is computed


def _holders(arrays: list[Any], k: int) -> tuple[int, int]:
    return getrefcount(arrays[k]), getrefcount(arrays[k].base)


_ARRAY, _MEMORY = _holders([zeros((), np.int8)], 0)  # as seen when only the list holds it, and nobody a view


class Recycler:
    """Calling it gives an array of this shape and dtype, with any content, that nobody else holds."""

    __slots__ = ("arrays", "dtype", "shape")

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.shape, self.dtype = shape, dtype
        self.arrays: list[Array] = []

    def __call__(self) -> Array:
        """An array that is free."""
        arrays = self.arrays
        for k in range(len(arrays)):
            if getrefcount(arrays[k]) == _ARRAY and getrefcount(arrays[k].base) == _MEMORY:
                return arrays[k]
        array = zeros(self.shape, self.dtype)
        self.arrays = [array, *self.arrays[: _KEPT - 1]]
        return array
