"""How a program of `symgrad.plan.kernels` gets the addresses of arrays that are others at every call."""

from __future__ import annotations

import functools
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgrad.errors import GraphError
from symgrad.plan.kernels import place
from symgrad.plan.loops import address

__all__ = ["Pointer"]

Array = NDArray[Any]


class Pointer:
    """Writes addresses into a program when it is called with arrays; gives what must be kept until that has run.

    Parameters
    ----------
    program : ndarray
    traced : list of (str, tuple of int, dtype)
        The name, shape and element type that every array had when it was traced: a program reads as much memory as
        was there then.
    places : list of ndarray
        For every array, row and column of the program, and how many bytes to add to the address of the array.
    """

    __slots__ = ("_kinds", "_objects", "_places", "_write", "program", "traced")

    def __init__(self, program: Array, traced: list[tuple[str, tuple[int, ...], Any]], places: list[Array]) -> None:
        self.program, self.traced = program, traced
        self._objects = np.zeros(len(traced), np.int64)
        self._write = functools.partial(struct.Struct(f"{len(traced)}q").pack_into, self._objects.data, 0)
        widest = max(len(shape) for _, shape, _ in traced)
        self._kinds = np.zeros((len(traced), 2 + widest), np.int64)
        for kind, (_, shape, dtype) in zip(self._kinds, traced, strict=True):
            kind[: 2 + len(shape)] = id(np.dtype(dtype)), len(shape), *shape
        self._places = np.vstack([np.column_stack([np.full(len(p), k), p]) for k, p in enumerate(places)])

    def __call__(self, *arrays: Any) -> Any:
        """Write the addresses."""
        self._write(*map(id, arrays))
        if _LAYOUT.size and place(self.program, self._places, self._objects, self._kinds, _LAYOUT):
            return arrays
        dense = [_dense(a, *traced) for a, traced in zip(arrays, self.traced, strict=True)]
        for k, row, column, offset in self._places:
            self.program[row, column] = address(dense[k]) + offset
        return dense


def _dense(array: Any, name: str, shape: tuple[int, ...], dtype: Any) -> Array:
    """The array as it was traced."""
    if array.shape != shape or not np.can_cast(array.dtype, dtype, "same_kind"):
        raise GraphError(
            f"plan: {name} is {array.dtype}{array.shape}, and was {dtype}{shape} when it was traced;"
            " compile the step again"
        )
    return np.require(array, dtype, ["C", "A"])


def _layout() -> Array:
    """What `place` looks at in an array: see `symgrad.plan.kernels`; empty if arrays are not laid out as documented.

    NumPy's C interface (`PyArrayObject` in ``ndarraytypes.h``): after the head that all objects have, whose last part
    is the type, come the data, the number of axes, shape, strides, base, element type and flags.
    """
    head = object.__basicsize__
    layout = np.array([head - 8, id(np.ndarray), head] if np.dtype(np.intp).itemsize == 8 else [], np.int64)
    if not layout.size:
        return layout
    array, other = np.zeros((2, 3)), np.zeros((3, 2)).T
    kinds = np.array([[id(array.dtype), 2, 2, 3]])
    program, places = np.zeros((1, 1), np.int64), np.array([[0, 0, 0, 8]])
    found = [place(program, places, np.array([id(x)]), kinds, layout) for x in (other, array)]
    return layout if found == [False, True] and program[0, 0] == address(array) + 8 else layout[:0]


_LAYOUT = _layout()
