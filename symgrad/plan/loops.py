"""Addresses of compiled functions that programs of the `fast` extra call: inner loops of ufuncs, matrix products.

NumPy's C interface documents both: a ufunc (`PyUFuncObject` in ``ufuncobject.h``) holds its loops, one per types of
arguments, in the order of ``ufunc.types``; and `scipy.linalg.cython_blas` exports BLAS to compiled code.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["address", "inner_loop", "product", "product_layout"]


class _Ufunc(ctypes.Structure):
    """The public part of `PyUFuncObject`, after the head that all objects have."""

    _fields_ = (
        ("inputs", ctypes.c_int),
        ("outputs", ctypes.c_int),
        ("arguments", ctypes.c_int),
        ("identity", ctypes.c_int),
        ("functions", ctypes.POINTER(ctypes.c_void_p)),
        ("data", ctypes.POINTER(ctypes.c_void_p)),
        ("types", ctypes.c_int),
        ("reserved", ctypes.c_int),
        ("name", ctypes.c_char_p),
    )


def address(array: NDArray[Any]) -> int:
    """Where the first element of an array lies."""
    return int(array.__array_interface__["data"][0])


@functools.cache
def inner_loop(ufunc: np.ufunc, dtype: Any) -> tuple[int, int] | None:
    """The loop of a ufunc for numbers of one kind, and the data that it wants; None if it has none."""
    kind = np.dtype(dtype).char
    wanted = f"{kind * ufunc.nin}->{kind * ufunc.nout}"
    if ufunc.nout != 1 or ufunc.nin not in (1, 2) or wanted not in ufunc.types:
        return None
    inside = _Ufunc.from_address(id(ufunc) + object.__basicsize__)
    if (inside.inputs, inside.outputs, inside.types) != (ufunc.nin, ufunc.nout, ufunc.ntypes):
        return None  # not laid out as documented
    if inside.name is None or inside.name.decode() != ufunc.__name__:
        return None
    k = ufunc.types.index(wanted)
    return int(inside.functions[k] or 0), int(inside.data[k] or 0)


@functools.cache
def product(dtype: Any) -> int:
    """BLAS's matrix product for numbers of one kind: NumPy's own where it can be found, else what SciPy exports."""
    from numba.extending import get_cython_function_address

    name = "sgemm" if np.dtype(dtype) == np.float32 else "dgemm"
    library = ctypes.CDLL(importlib.import_module("numpy._core._multiarray_umath").__file__)
    for symbol in (f"scipy_{name}_64_", f"{name}_64_", f"scipy_{name}_", f"{name}_"):
        if hasattr(library, symbol):
            return ctypes.cast(getattr(library, symbol), ctypes.c_void_p).value or 0
    return int(get_cython_function_address("scipy.linalg.cython_blas", name))


def product_layout(a: NDArray[Any], b: NDArray[Any], out: NDArray[Any]) -> tuple[bool, NDArray[Any]] | None:
    """Whether ``out = a b`` is called as ``out^T = b^T a^T``, and the other arguments of the call.

    Those lie in one block: the sizes m, n, k and the three leading dimensions (as long integers, whose first half is
    what a BLAS with short ones reads), alpha and beta, and the two letters that tell whether a factor is transposed.
    None if BLAS cannot take the arrays as they lie.
    """
    if sys.byteorder != "little":
        return None
    if not out.flags.c_contiguous:
        a, b, out = b.T, a.T, out.T
        swapped = False
    else:
        swapped = True
    # columns first, as BLAS sees memory: out^T = b^T a^T
    kinds = [_leading(x) for x in (b, a, out)]
    if any(kind is None for kind in kinds) or kinds[2][0]:  # type: ignore[index]
        return None
    (first, ld_first), (second, ld_second), (_, ld_out) = kinds  # type: ignore[misc]
    block = np.zeros(72, np.uint8)
    block[:48].view(np.int64)[:] = (out.shape[1], out.shape[0], a.shape[1], ld_first, ld_second, ld_out)
    block[48:56].view(out.dtype)[0] = 1
    block[64:66] = [ord("T" if turned else "N") for turned in (first, second)]
    return swapped, block


def _leading(x: NDArray[Any]) -> tuple[bool, int] | None:
    """Whether a matrix lies column by column, and how far its rows (columns) are apart; None if neither is dense."""
    (rows, columns), (down, right) = x.shape, (s // x.itemsize for s in x.strides)
    if (right == 1 or columns == 1) and (down >= columns or rows == 1):
        return False, max(down if rows > 1 else columns, 1)
    if (down == 1 or rows == 1) and (right >= rows or columns == 1):
        return True, max(right if columns > 1 else rows, 1)
    return None
