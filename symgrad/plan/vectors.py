"""Loops of `symgrad.plan.kernels` on whole vectors, written for LLVM, which makes of them what the processor has.

In a loop that numba compiles, LLVM first finds out at every call whether arrays overlap, and goes through them one by
one if so. Here a result may lie where an operand does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

__all__ = ["ELEMENTWISE", "elementwise", "sum_columns", "sum_columns_of_products"]

_WORD = ir.IntType(64)
_declared: Any = cgutils.get_or_insert_function
_variable: Any = cgutils.alloca_once
_BYTES = 64  # of a vector
_MANY = 4  # vectors at once


def _number(x: Any, value: float) -> Any:
    """A constant beside a value, in all places of a vector."""
    return ir.Constant(x.type, [value] * x.type.count if isinstance(x.type, ir.VectorType) else value)


def _function(name: str) -> Callable[..., Any]:
    """LLVM's function of one number, or of a vector of them."""

    def call(b: Any, x: Any, *_: Any) -> Any:
        one = x.type.element if isinstance(x.type, ir.VectorType) else x.type
        kind = f"{'f32' if isinstance(one, ir.FloatType) else 'f64'}"
        kind = f"v{x.type.count}{kind}" if one is not x.type else kind
        signature = ir.FunctionType(x.type, [x.type])
        return b.call(_declared(b.module, signature, f"llvm.{name}.{kind}"), [x])

    return call


def _is(b: Any, x: Any, sign: str, y: Any) -> Any:
    """A comparison as Python's: true of NaN only for ``!=``."""
    return b.fcmp_unordered(sign, x, y) if sign == "!=" else b.fcmp_ordered(sign, x, y)


def _truth(b: Any, test: Any, like: Any) -> Any:
    return b.select(test, _number(like, 1.0), _number(like, 0.0))


def _compared(sign: str) -> Callable[..., Any]:
    return lambda b, x, y, _: _truth(b, _is(b, x, sign, y), x)


def _extreme(sign: str) -> Callable[..., Any]:
    return lambda b, x, y, _: b.select(b.or_(_is(b, x, sign, y), _is(b, x, "!=", x)), x, y)


def _zero(b: Any, x: Any) -> Any:
    return _is(b, x, "==", _number(x, 0.0))


def _not_zero(b: Any, x: Any) -> Any:
    return _is(b, x, "!=", _number(x, 0.0))


def _sign(b: Any, x: Any, *_: Any) -> Any:
    zero = _number(x, 0.0)
    other = b.select(_is(b, x, "<", zero), _number(x, -1.0), b.fadd(x, zero))
    return b.select(_is(b, x, ">", zero), _number(x, 1.0), other)


def _div0(b: Any, x: Any, y: Any, _: Any) -> Any:
    undefined = b.and_(_zero(b, x), b.or_(_zero(b, y), _is(b, y, "!=", y)))
    return b.select(undefined, _number(x, 0.0), b.fdiv(x, y))


def _mul0(b: Any, x: Any, y: Any, _: Any) -> Any:
    undefined = b.and_(_zero(b, x), _not_zero(b, b.fsub(y, y)))
    return b.select(undefined, _number(x, 0.0), b.fmul(x, y))


ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "copy": lambda b, x, y, z: x,
    "add": lambda b, x, y, z: b.fadd(x, y),
    "subtract": lambda b, x, y, z: b.fsub(x, y),
    "multiply": lambda b, x, y, z: b.fmul(x, y),
    "divide": lambda b, x, y, z: b.fdiv(x, y),
    "negative": lambda b, x, y, z: b.fneg(x),
    "square": lambda b, x, y, z: b.fmul(x, x),
    "sqrt": _function("sqrt"),
    "abs": _function("fabs"),
    "maximum": _extreme(">="),
    "minimum": _extreme("<="),
    "relu": lambda b, x, y, z: b.select(_is(b, x, "<=", _number(x, 0.0)), _number(x, 0.0), x),
    "greater": _compared(">"),
    "greater_equal": _compared(">="),
    "less": _compared("<"),
    "less_equal": _compared("<="),
    "equal": _compared("=="),
    "not_equal": _compared("!="),
    "where": lambda b, x, y, z: b.select(_not_zero(b, x), y, z),
    "logical_and": lambda b, x, y, z: _truth(b, b.and_(_not_zero(b, x), _not_zero(b, y)), x),
    "logical_or": lambda b, x, y, z: _truth(b, b.or_(_not_zero(b, x), _not_zero(b, y)), x),
    "logical_not": lambda b, x, y, z: _truth(b, _zero(b, x), x),
    "isfinite": lambda b, x, y, z: _truth(b, _zero(b, b.fsub(x, x)), x),
    "sign": _sign,
    "div0": _div0,
    "mul0": _mul0,
    "reciprocal": lambda b, x, y, z: b.fdiv(_number(x, 1.0), x),
    "product_add": lambda b, x, y, z: b.fadd(b.fmul(x, y), z),
    "product_subtract": lambda b, x, y, z: b.fsub(b.fmul(x, y), z),
    "subtract_product": lambda b, x, y, z: b.fsub(z, b.fmul(x, y)),
}
"""Operation -> what it makes of three operands, of which it may use fewer; in the order of their numbers."""


def elementwise(typing_context: Any, op: Any, o: Any, a: Any, b: Any, c: Any, n: Any, like: Any) -> Any:
    """Run the operation with this number in `ELEMENTWISE`."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        op, o, *operands, n, _ = args
        end = builder.append_basic_block("end")
        choice = builder.switch(op, end)
        for code, (name, compute) in enumerate(ELEMENTWISE.items()):
            block = builder.append_basic_block(name)
            choice.add_case(ir.Constant(op.type, code), block)
            builder.position_at_end(block)
            _along(builder, n, compute, o, operands)
            builder.branch(end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    return types.void(op, o, a, b, c, n, like), generate


def _along(b: Any, n: Any, compute: Callable[..., Any], o: Any, operands: list[Any]) -> None:
    """A loop over n numbers: by four vectors, then by one, then number by number."""
    number = o.type.pointee
    lanes = _BYTES // _align(number)
    vector = ir.VectorType(number, lanes)
    start: Any = _WORD(0)
    for count, kind, width in ((_MANY, vector, lanes), (1, vector, lanes), (1, number, 1)):
        stop = b.and_(n, _WORD(-count * width))
        with cgutils.for_range_slice(b, start, stop, _WORD(count * width), _WORD) as (i, _):
            for j in range(count):
                at = b.add(i, _WORD(j * width))
                result = compute(b, *[_load(b, x, at, kind) for x in operands])
                b.store(result, _place(b, o, at, kind), align=_align(kind))
        start = stop


def _align(kind: Any) -> int:
    number = kind.element if isinstance(kind, ir.VectorType) else kind
    return 4 if isinstance(number, ir.FloatType) else 8


def _place(b: Any, pointer: Any, i: Any, kind: Any) -> Any:
    return b.bitcast(b.gep(pointer, [i]), kind.as_pointer())


def _load(b: Any, pointer: Any, i: Any, kind: Any) -> Any:
    return b.load(_place(b, pointer, i, kind), align=_align(kind))


def _columns(b: Any, o: Any, factors: list[Any], n: Any, columns: Any) -> Any:
    """Add all rows of a block to one, some columns at a time, whose sums stay in registers; how many are done."""
    number = o.type.pointee
    lanes = _BYTES // _align(number)
    kind = ir.VectorType(number, lanes)
    start: Any = _WORD(0)
    for many in (_MANY, 1):
        stop = b.and_(columns, _WORD(-many * lanes))
        with cgutils.for_range_slice(b, start, stop, _WORD(many * lanes), _WORD) as (first, _):
            sums = [_variable(b, kind) for _ in range(many)]
            places = [_place(b, o, b.add(first, _WORD(j * lanes)), kind) for j in range(many)]
            for total, place in zip(sums, places, strict=True):
                b.store(b.load(place, align=_align(kind)), total)
            with cgutils.for_range_slice(b, _WORD(0), n, columns, _WORD) as (row, _):
                for j, total in enumerate(sums):
                    at = b.add(b.add(row, first), _WORD(j * lanes))
                    values = [_load(b, x, at, kind) for x in factors]
                    b.store(b.fadd(b.load(total), b.fmul(*values) if values[1:] else values[0]), total)
            for total, place in zip(sums, places, strict=True):
                b.store(b.load(total), place, align=_align(kind))
        start = stop
    return start


def sum_columns(typing_context: Any, o: Any, a: Any, n: Any, columns: Any, like: Any) -> Any:
    """Add the rows of a block to one, but for the last columns, which fill no vector; how many are done."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        o, a, n, columns, _ = args
        return _columns(builder, o, [a], n, columns)

    return types.int64(o, a, n, columns, like), generate


def sum_columns_of_products(typing_context: Any, o: Any, a: Any, b: Any, n: Any, columns: Any, like: Any) -> Any:
    """The same for products of two blocks."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        o, a, b, n, columns, _ = args
        return _columns(builder, o, [a, b], n, columns)

    return types.int64(o, a, b, n, columns, like), generate
