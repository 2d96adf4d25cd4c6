"""What the symbols of ops mean on SymPy values, piecewise ones and truth values included.

Examples
--------
>>> import sympy
>>> evaluate("Piecewise((y, x > 0), (-y, True))", {"x": sympy.Integer(2), "y": sympy.Symbol("y")})
y
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

import sympy

from symgrad.errors import SymbolicError
from symgrad.op import Op
from symgrad.symbolic.text import FUNCTIONS as SMOOTH
from symgrad.symbolic.text import literal

__all__ = ["NAMES", "evaluate", "rational_value", "symbol_of", "text_of"]

NAMES = ("x", "y", "z")
REAL = {"isfinite": "True"}  # what ops without a symbol give for every real number, which is all that a symbol means


def _truth(x: Any) -> Any:
    """A condition; a number is true where it is not 0."""
    return sympy.Ne(x, 0) if isinstance(x, sympy.Number) else x


FURTHER = ("Max", "Min", "Eq", "Ne", "besseli", "cbrt", "ceiling", "floor", "gamma", "jn", "polygamma", "sinc", "sqrt")
FUNCTIONS: dict[str, Callable[..., Any]] = {name: getattr(sympy, name) for name in (*sorted(SMOOTH), *FURTHER)}
FUNCTIONS |= {
    "And": lambda *xs: sympy.And(*map(_truth, xs)),
    "Or": lambda *xs: sympy.Or(*map(_truth, xs)),
    "Not": lambda x: sympy.Not(_truth(x)),
    "Piecewise": lambda *pieces: sympy.Piecewise(*[(value, _truth(condition)) for value, condition in pieces]),
}
COMPARE: dict[type, Callable[..., Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
BINARY: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.BitAnd: sympy.And,
    ast.BitOr: sympy.Or,
}


@lru_cache(maxsize=512)
def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def evaluate(text: str, env: Mapping[str, Any]) -> Any:
    """A formula, piecewise ones included, on SymPy values; nothing but the whitelist is ever called."""
    return _evaluate(_parsed(text), env)


def _evaluate(node: ast.expr, env: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=bool() as value):
            return sympy.true if value else sympy.false
        case ast.Constant(value=int() | float() as value):
            return sympy.Rational(literal(repr(value)).numerator, literal(repr(value)).denominator)
        case ast.Name(id=name) if name in env:
            return env[name]
        case ast.Name(id="pi"):
            return sympy.pi
        case ast.UnaryOp(op=ast.USub(), operand=x):
            return -_evaluate(x, env)
        case ast.BinOp(op=kind, left=a, right=b) if type(kind) in BINARY:
            return BINARY[type(kind)](_evaluate(a, env), _evaluate(b, env))
        case ast.Compare(left=a, ops=[kind], comparators=[b]) if type(kind) in COMPARE:
            return COMPARE[type(kind)](_evaluate(a, env), _evaluate(b, env))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
            return FUNCTIONS[name](*[_evaluate(a, env) for a in args])
        case ast.Tuple(elts=parts):
            return tuple(_evaluate(p, env) for p in parts)
    raise SymbolicError(f"symbol, column {node.col_offset + 1}: {ast.unparse(node)!r} is not allowed in an op's symbol")


def text_of(op: Op) -> str | None:
    """The formula of an op on real numbers, if it has one."""
    return op.symbol or REAL.get(op.name)


def symbol_of(op: Op, inputs: tuple[Any, ...]) -> Any:
    """What an elementwise op gives on SymPy values."""
    if op.identity:
        return inputs[0]
    text = text_of(op)
    if text is None or op.indices != "elementwise":
        raise SymbolicError(f"{op.name}: has no scalar meaning (no symbol), so it is not defined on SymPy expressions")
    if text.isidentifier() and text not in (*NAMES, "True"):
        text = f"{text}({', '.join(NAMES[: len(inputs)])})"
    return evaluate(text, dict(zip(NAMES, inputs, strict=False)))


def rational_value(op: Op, inputs: list[Any]) -> Fraction:
    """What an elementwise op gives on rational numbers, or ValueError where that is not rational; true is 1."""
    try:
        value = symbol_of(op, tuple([sympy.Rational(x.numerator, x.denominator) for x in inputs]))
    except SymbolicError:
        raise ValueError(f"{op.name} has no symbol") from None
    if value in (sympy.true, sympy.false):
        return Fraction(bool(value))
    if not isinstance(value, sympy.Rational):
        raise ValueError("not rational")
    return Fraction(int(value.p), int(value.q))
