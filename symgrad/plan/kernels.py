"""The kernels of the `fast` extra: one interpreter of array programs, compiled by numba and cached on disk.

A program is a table of integers, one row per instruction, and costs one call from Python. Elementwise instructions
run over blocks of rows that stay in the first-level cache, so that a chain of them reads and writes memory once.
Arithmetic is that of NumPy, operation by operation (no fast-math but for the order of sums): what is not written here
calls the inner loop of NumPy's own ufunc, and matrix products call BLAS.

=======  ===========================================================================================================
column   of a header                                of an instruction
=======  ===========================================================================================================
0        ``SEGMENT``                                the operation, a value of `CODES`
1, 2     instructions before the blocks, per block  address of the result, bytes from one row of it to the next
3, 4     rows R, columns C                          the same of the first operand
5, 6     rows per block, instructions at the end    the same of the second operand
7, 8     -                                          the same of the third operand, or a loop's address and its data
=======  ===========================================================================================================

Instructions before and after the blocks have their number of elements in column 8. A row that starts with ``PRODUCT``
has the addresses of BLAS's function, the result, both factors and the block of the other arguments; ``PICK`` and
``ADD_AT`` have those of the result, the operand, two arrays of indices, and one of sizes: the number of elements,
strides and lengths of the two axes, and the step of the operand.
"""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from symgrad.plan import vectors

__all__ = ["ADD_AT", "CODES", "PICK", "PRODUCT", "SEGMENT", "execute", "place"]

SEGMENT, PRODUCT, PICK, ADD_AT = -1, -2, -3, -4
CODES = {name: code for code, name in enumerate((
    "repeat_row", "repeat_column", "fill", "sum_rows", "sum_all", "products_rows", "products_all", "max_rows",
    "max_columns", "sum_columns", "products_columns", *vectors.ELEMENTWISE, "loop1", "loop2"))}  # fmt: skip
"""Operation -> its number: the order of the branches below."""
ELEMENTWISE = len(CODES) - len(vectors.ELEMENTWISE) - 2  # this and what follows: an operation per element
LOOP1 = CODES["loop1"]  # this and what follows: inner loops of one operand, of two
_DENSE = 0x101  # NumPy's flags of arrays that are aligned and lie row by row
LOOP1 = CODES["loop1"]  # this and what follows: inner loops of one operand, of two


def _kept(*arguments: str, gives: str = "void") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile for these types of arguments, and keep the result on disk where that is possible."""
    signatures = [f"{gives}({text})" for text in arguments]

    def compiled(f: Callable[..., Any]) -> Callable[..., Any]:
        try:
            return njit(signatures, cache=True, error_model="numpy", nogil=True)(f)
        except RuntimeError:  # no folder to write to
            return njit(signatures, error_model="numpy", nogil=True)(f)

    return compiled


def _pointer(typing_context: Any, address: Any, like: Any) -> Any:
    """The pointer to numbers, of the kind that an array holds, at an address."""
    pointer = types.CPointer(like.dtype)  # type: ignore[no-untyped-call]

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], context.get_value_type(pointer))

    return pointer(types.int64, like), generate


_at: Any = intrinsic(_pointer)
_WORD = ir.IntType(64)
_stack: Any = cgutils.alloca_once


def _call(builder: Any, function: Any, arguments: Any) -> None:
    kind = ir.FunctionType(ir.VoidType(), [argument.type for argument in arguments])
    builder.call(builder.inttoptr(function, kind.as_pointer()), arguments)


def _loop(typing_context: Any, function: Any, data: Any, a: Any, b: Any, c: Any, n: Any, size: Any) -> Any:
    """Call the inner loop of a ufunc on dense arrays at two or three addresses."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        function, data, *words, size = args
        memory = _stack(builder, _WORD, size=7)
        places = [builder.gep(memory, [_WORD(k)]) for k in range(7)]
        for place, word in zip(places, [*words, size, size, size], strict=True):
            builder.store(word, place)
        _call(builder, function, [places[0], places[3], places[4], data])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 7), generate


def _product(typing_context: Any, function: Any, out: Any, a: Any, b: Any, block: Any) -> Any:
    """Call BLAS's matrix product; `block` is laid out by `symgrad.plan.loops.product_layout`."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        function, out, a, b, block = args
        m, n, k, lda, ldb, ldc, alpha, beta = [builder.add(block, _WORD(8 * j)) for j in range(8)]
        turned_a, turned_b = [builder.add(block, _WORD(j)) for j in (64, 65)]
        _call(builder, function, [turned_a, turned_b, m, n, k, alpha, a, lda, b, ldb, beta, out, ldc])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 5), generate


_run_loop: Any = intrinsic(_loop)
_run_product: Any = intrinsic(_product)
_elementwise: Any = intrinsic(vectors.elementwise)
_sum_columns: Any = intrinsic(vectors.sum_columns)
_sum_columns_of_products: Any = intrinsic(vectors.sum_columns_of_products)


@njit(fastmath={"reassoc"})
def _sum(a: Any, start: int, n: int, zero: Any) -> Any:
    total = zero
    for i in range(n):
        total += a[start + i]
    return total


@njit(fastmath={"reassoc"})
def _sum_products(a: Any, b: Any, start: int, n: int, zero: Any) -> Any:
    total = zero
    for i in range(n):
        total += a[start + i] * b[start + i]
    return total


@njit(error_model="numpy")
def _instruction(op: int, o: Any, a: Any, b: Any, c: Any, n: int, columns: int, zero: Any, like: Any) -> None:
    if op >= ELEMENTWISE:
        _elementwise(op - ELEMENTWISE, o, a, b, c, n, like)
    elif op == 0:  # a row, for every row of a block
        for i in range(n // columns):
            for j in range(columns):
                o[i * columns + j] = a[j]
    elif op == 1:  # one number per row
        for i in range(n // columns):
            for j in range(columns):
                o[i * columns + j] = a[i]
    elif op == 2:
        first = a[0]
        for i in range(n):
            o[i] = first
    elif op == 3:
        for i in range(n // columns):
            o[i] = _sum(a, i * columns, columns, zero)
    elif op == 4:
        o[0] += _sum(a, 0, n, zero)
    elif op == 5:
        for i in range(n // columns):
            o[i] = _sum_products(a, b, i * columns, columns, zero)
    elif op == 6:
        o[0] += _sum_products(a, b, 0, n, zero)
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
        done = _sum_columns(o, a, n, columns, like)
        for i in range(n // columns):
            for j in range(done, columns):
                o[j] += a[i * columns + j]
    elif op == 10:
        done = _sum_columns_of_products(o, a, b, n, columns, like)
        for i in range(n // columns):
            for j in range(done, columns):
                o[j] += a[i * columns + j] * b[i * columns + j]


@njit(error_model="numpy")
def _indexed(adds: bool, o: Any, a: Any, i: Any, j: Any, sizes: Any) -> None:
    n, down, right, rows, columns, step = sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], sizes[5]
    for k in range(n):
        row, column = i[k], j[k]
        row += rows if row < 0 else 0
        column += columns if column < 0 else 0
        if not (0 <= row < rows and 0 <= column < columns):
            raise IndexError("an index is out of bounds")
        place = row * down + column * right
        if adds:
            o[place] += a[k * step]
        else:
            o[k] = a[place]


def _interpreter(version: int) -> Any:
    """`execute`; numba takes what it finds on disk for the same if this file and what a function refers to are."""

    @_kept("int64[:, ::1], float32[::1]", "int64[:, ::1], float64[::1]")
    def execute(program: Any, like: Any) -> None:
        """Run a program on numbers of the kind that an array holds, which starts with a zero and a one."""
        _ = version
        zero = like[0]
        at = 0
        while at < program.shape[0]:
            if program[at, 0] == PRODUCT:
                _run_product(program[at, 1], program[at, 2], program[at, 3], program[at, 4], program[at, 5])
                at += 1
                continue
            if program[at, 0] <= PICK:
                o, a = _at(program[at, 1], like), _at(program[at, 2], like)
                words = program[at]
                i, j, sizes = _at(words[3], words), _at(words[4], words), _at(words[5], words)
                _indexed(words[0] == ADD_AT, o, a, i, j, sizes)
                at += 1
                continue
            once, each, rows, columns, step = (
                program[at, 1],
                program[at, 2],
                program[at, 3],
                program[at, 4],
                program[at, 5],
            )
            last = at + 1 + once + each + program[at, 6]
            for k in range(at + 1, at + 1 + once):
                a = _at(program[k, 3], like)
                _instruction(program[k, 0], _at(program[k, 1], like), a, a, a, program[k, 8], columns, zero, like)
            for row in range(0, rows, step):
                n = min(step, rows - row) * columns
                for k in range(at + 1 + once, at + 1 + once + each):
                    o, a = program[k, 1] + row * program[k, 2], program[k, 3] + row * program[k, 4]
                    b = program[k, 5] + row * program[k, 6]
                    if program[k, 0] >= LOOP1:
                        second = o if program[k, 0] == LOOP1 else b
                        _run_loop(program[k, 7], program[k, 8], a, second, o, n, like.itemsize)
                        continue
                    c = program[k, 7] + row * program[k, 8]
                    _instruction(
                        program[k, 0], _at(o, like), _at(a, like), _at(b, like), _at(c, like), n, columns, zero, like
                    )
            for k in range(at + 1 + once + each, last):
                a, b = _at(program[k, 3], like), _at(program[k, 5], like)
                _instruction(program[k, 0], _at(program[k, 1], like), a, b, b, program[k, 8], columns, zero, like)
            at = last

    return execute


execute = _interpreter(zlib.crc32(inspect.getsource(vectors).encode()))


@_kept("int64[:, ::1], int64[:, ::1], int64[::1], int64[:, ::1], int64[::1]", gives="boolean")
def place(program: Any, places: Any, objects: Any, kinds: Any, layout: Any) -> Any:
    """Write the addresses of arrays, which are given as objects, into a program; see `symgrad.plan.pointing`.

    False, and nothing written, if one of them is no array, or has another type or shape, or gaps.
    """
    for k in range(objects.size):
        if _at(objects[k] + layout[0], objects)[0] != layout[1]:
            return False
        words = _at(objects[k] + layout[2], objects)  # data, axes, shape, strides, base, type, flags
        if words[5] != kinds[k, 0] or words[1] & 0xFFFFFFFF != kinds[k, 1] or words[6] & _DENSE != _DENSE:
            return False
        shape = _at(words[2], objects)
        for j in range(kinds[k, 1]):
            if shape[j] != kinds[k, 2 + j]:
                return False
    for k in range(places.shape[0]):
        words = _at(objects[places[k, 0]] + layout[2], objects)
        program[places[k, 1], places[k, 2]] = words[0] + places[k, 3]
    return True
