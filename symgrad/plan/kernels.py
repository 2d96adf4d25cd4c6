"""The kernels of the `fast` extra: one interpreter of elementwise programs, compiled by numba and cached on disk.

A program is a table of integers, one row per instruction. It runs over blocks of rows that stay in the first-level
cache, so that a chain of elementwise operations reads and writes memory once, and costs one call from Python.
Arithmetic is that of NumPy, operation by operation (no fast-math but for the order of sums).

=======  ===========================================================================================================
column   of a header                                of an instruction
=======  ===========================================================================================================
0        ``SEGMENT``                                the operation, a value of `CODES`
1, 2     instructions before the blocks, per block  address of the result, bytes from one row of it to the next
3, 4     rows R, columns C                          the same of the first operand
5, 6     rows per block, instructions at the end    the same of the second operand
7, 8     -                                          the same of the third operand
=======  ===========================================================================================================

Instructions before and after the blocks have their number of elements in column 8.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

__all__ = ["CODES", "SEGMENT", "execute", "point"]

SEGMENT = -1
CODES = {name: code for code, name in enumerate((
    "copy", "repeat_row", "repeat_column", "fill", "sum_columns", "sum_rows", "sum_all", "max_rows", "max_columns",
    "add", "subtract", "multiply", "divide", "negative", "square", "sqrt", "abs", "maximum", "minimum", "relu",
    "greater", "greater_equal", "less", "less_equal", "equal", "not_equal", "where", "logical_and", "logical_or",
    "logical_not", "isfinite", "sign", "div0", "mul0", "reciprocal"))}  # fmt: skip
"""Operation -> its number: the order of the branches below."""


def _kept(*arguments: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile for these types of arguments, and keep the result on disk where that is possible."""
    signatures = [f"void({text})" for text in arguments]

    def compiled(f: Callable[..., Any]) -> Callable[..., Any]:
        try:
            return njit(signatures, cache=True, error_model="numpy")(f)
        except RuntimeError:  # no folder to write to
            return njit(signatures, error_model="numpy")(f)

    return compiled


def _pointer(typing_context: Any, address: Any, like: Any) -> Any:
    """The pointer to numbers, of the kind that an array holds, at an address."""
    pointer = types.CPointer(like.dtype)  # type: ignore[no-untyped-call]

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], context.get_value_type(pointer))

    return pointer(types.int64, like), generate


_at: Any = intrinsic(_pointer)


@njit(fastmath={"reassoc"})
def _sum(a: Any, start: int, n: int, zero: Any) -> Any:
    total = zero
    for i in range(n):
        total += a[start + i]
    return total


@njit(error_model="numpy")
def _instruction(op: int, o: Any, a: Any, b: Any, c: Any, n: int, columns: int, zero: Any, one: Any) -> None:
    if op == 0:
        for i in range(n):
            o[i] = a[i]
    elif op == 1:  # a row, for every row of a block
        for i in range(n // columns):
            for j in range(columns):
                o[i * columns + j] = a[j]
    elif op == 2:  # one number per row
        for i in range(n // columns):
            for j in range(columns):
                o[i * columns + j] = a[i]
    elif op == 3:
        first = a[0]
        for i in range(n):
            o[i] = first
    elif op == 4:
        for i in range(n // columns):
            for j in range(columns):
                o[j] += a[i * columns + j]
    elif op == 5:
        for i in range(n // columns):
            o[i] = _sum(a, i * columns, columns, zero)
    elif op == 6:
        o[0] += _sum(a, 0, n, zero)
    elif op == 7:
        for i in range(n // columns):
            largest = a[i * columns]
            for j in range(1, columns):
                x = a[i * columns + j]
                largest = largest if largest >= x or largest != largest else x
            o[i] = largest
    elif op == 8:
        for i in range(n // columns):
            for j in range(columns):
                x, y = o[j], a[i * columns + j]
                o[j] = x if x >= y or x != x else y
    elif op == 9:
        for i in range(n):
            o[i] = a[i] + b[i]
    elif op == 10:
        for i in range(n):
            o[i] = a[i] - b[i]
    elif op == 11:
        for i in range(n):
            o[i] = a[i] * b[i]
    elif op == 12:
        for i in range(n):
            o[i] = a[i] / b[i]
    elif op == 13:
        for i in range(n):
            o[i] = -a[i]
    elif op == 14:
        for i in range(n):
            o[i] = a[i] * a[i]
    elif op == 15:
        for i in range(n):
            o[i] = np.sqrt(a[i])
    elif op == 16:
        for i in range(n):
            o[i] = np.abs(a[i])
    elif op == 17:
        for i in range(n):
            o[i] = a[i] if a[i] >= b[i] or a[i] != a[i] else b[i]
    elif op == 18:
        for i in range(n):
            o[i] = a[i] if a[i] <= b[i] or a[i] != a[i] else b[i]
    elif op == 19:
        for i in range(n):
            o[i] = zero if a[i] <= zero else a[i]
    elif op == 20:
        for i in range(n):
            o[i] = one if a[i] > b[i] else zero
    elif op == 21:
        for i in range(n):
            o[i] = one if a[i] >= b[i] else zero
    elif op == 22:
        for i in range(n):
            o[i] = one if a[i] < b[i] else zero
    elif op == 23:
        for i in range(n):
            o[i] = one if a[i] <= b[i] else zero
    elif op == 24:
        for i in range(n):
            o[i] = one if a[i] == b[i] else zero
    elif op == 25:
        for i in range(n):
            o[i] = one if a[i] != b[i] else zero
    elif op == 26:
        for i in range(n):
            x, y = b[i], c[i]
            o[i] = x if a[i] != zero else y
    elif op == 27:
        for i in range(n):
            o[i] = one if a[i] != zero and b[i] != zero else zero
    elif op == 28:
        for i in range(n):
            o[i] = one if a[i] != zero or b[i] != zero else zero
    elif op == 29:
        for i in range(n):
            o[i] = one if a[i] == zero else zero
    elif op == 30:
        for i in range(n):
            o[i] = one if a[i] - a[i] == zero else zero
    elif op == 31:
        for i in range(n):
            o[i] = one if a[i] > zero else -one if a[i] < zero else a[i]
    elif op == 32:
        for i in range(n):
            o[i] = zero if a[i] == zero and (b[i] == zero or b[i] != b[i]) else a[i] / b[i]
    elif op == 33:
        for i in range(n):
            o[i] = zero if a[i] == zero and b[i] - b[i] != zero else a[i] * b[i]
    elif op == 34:
        for i in range(n):
            o[i] = one / a[i]


@_kept("int64[:, ::1], float32[::1]", "int64[:, ::1], float64[::1]")
def execute(program: Any, like: Any) -> None:
    """Run a program on numbers of the kind that an array holds, which starts with a zero and a one."""
    zero, one = like[0], like[1]
    at = 0
    while at < program.shape[0]:
        once, each, rows, columns, step = program[at, 1], program[at, 2], program[at, 3], program[at, 4], program[at, 5]
        last = at + 1 + once + each + program[at, 6]
        for k in range(at + 1, at + 1 + once):
            a = _at(program[k, 3], like)
            _instruction(program[k, 0], _at(program[k, 1], like), a, a, a, program[k, 8], columns, zero, one)
        for row in range(0, rows, step):
            n = min(step, rows - row) * columns
            for k in range(at + 1 + once, at + 1 + once + each):
                o = _at(program[k, 1] + row * program[k, 2], like)
                a = _at(program[k, 3] + row * program[k, 4], like)
                b = _at(program[k, 5] + row * program[k, 6], like)
                c = _at(program[k, 7] + row * program[k, 8], like)
                _instruction(program[k, 0], o, a, b, c, n, columns, zero, one)
        for k in range(at + 1 + once + each, last):
            a, b = _at(program[k, 3], like), _at(program[k, 5], like)
            _instruction(program[k, 0], _at(program[k, 1], like), a, b, b, program[k, 8], columns, zero, one)
        at = last


@_kept("int64[:, ::1], int64[:, ::1], float32[::1]", "int64[:, ::1], int64[:, ::1], float64[::1]")
def _place(program: Any, places: Any, array: Any) -> None:
    for k in range(places.shape[0]):
        program[places[k, 0], places[k, 1]] = array.ctypes.data


def point(program: Any, places: Any, array: Any) -> Any:
    """Write the address of an argument into a program; what must be kept until the program has run."""
    flat = array.reshape(-1)
    if flat.flags.writeable:
        _place(program, places, flat)
    else:  # numba tells the two kinds apart
        program[places[:, 0], places[:, 1]] = flat.ctypes.data
    return flat
