"""A safe reader of formulas written as text: `ast` reads, a whitelist decides, nothing is evaluated.

Examples
--------
>>> parse("x**2 + 1")  # doctest: +ELLIPSIS
Add(terms=(Pow(base=Ref(...'x'...), exponent=Num(value=Fraction(2, 1))), Num(value=Fraction(1, 1))))
>>> parse("__import__(x)")  # doctest: +ELLIPSIS
Traceback (most recent call last):
symgrad.errors.SymbolicError: formula, column 1: function '__import__' is not known; ...
"""

from __future__ import annotations

import ast
import keyword
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache

from symgrad.errors import SymbolicError
from symgrad.symbolic.expr import Call, Expr, Num, Ref, Total, add, mul, negative, power, quotient
from symgrad.symbolic.factors import Extent, Index, Var, fresh

__all__ = ["FUNCTIONS", "literal", "parse"]

FUNCTIONS = frozenset(
    [
        "Abs",
        "acos",
        "acosh",
        "asin",
        "asinh",
        "atan",
        "atan2",
        "atanh",
        "cos",
        "cosh",
        "digamma",
        "erf",
        "erfc",
        "erfinv",
        "exp",
        "log",
        "loggamma",
        "sign",
        "sin",
        "sinh",
        "tan",
        "tanh",
    ]
)
ALIASES = {"abs": "Abs", "arctan": "atan", "arcsin": "asin", "arccos": "acos", "ln": "log"}
COMPOSED: dict[str, Callable[[Expr], Expr]] = {
    "sqrt": lambda x: power(x, Num(Fraction(1, 2))),
    "cbrt": lambda x: power(x, Num(Fraction(1, 3))),
    "square": lambda x: power(x, Num(2)),
    "sigmoid": lambda x: power(add(Num(1), Call("exp", (negative(x),))), Num(-1)),
    "softplus": lambda x: Call("log", (add(Num(1), Call("exp", (x,))),)),
}
MAX_LENGTH, MAX_DEPTH, MAX_NODES, MAX_EXPONENT = 2000, 40, 400, 64


@lru_cache(maxsize=1024)
def parse(text: str, free: tuple[tuple[str, Index], ...] = ()) -> Expr:
    """The tree of a formula, or SymbolicError with the column; ``free`` are letters that ``g[i]`` may use."""
    if len(text) > MAX_LENGTH:
        raise SymbolicError(f"formula: {len(text)} characters; at most {MAX_LENGTH} are read")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        column = getattr(error, "offset", None) or 1
        raise SymbolicError(f"formula, column {column}: not a formula ({error.__class__.__name__})") from None
    if sum(1 for _ in ast.walk(tree)) > MAX_NODES:
        raise SymbolicError(f"formula: more than {MAX_NODES} parts; give parts of it names")
    return _read(tree.body, 0, dict(free))


def literal(text: str) -> Fraction:
    """The exact value of a number as it was written: 1e-5 is 1/100000."""
    try:
        return Fraction({"True": "1", "False": "0"}.get(text, text))
    except ValueError:
        raise SymbolicError(f"{text}: is no rational number, so it cannot stand in a formula") from None


def _refuse(node: ast.expr, problem: str) -> SymbolicError:
    return SymbolicError(f"formula, column {node.col_offset + 1}: {problem}")


def _read(node: ast.expr, depth: int, scope: Mapping[str, Index]) -> Expr:
    if depth > MAX_DEPTH:
        raise _refuse(node, f"nested more than {MAX_DEPTH} deep; give parts of it names")

    def read(part: ast.expr) -> Expr:
        return _read(part, depth + 1, scope)

    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return Num(_number(node, value))
        case ast.Name(id=name):
            return Ref(Var(0, _identifier(node, name), (), False)) if name != "pi" else Ref(Var(0, "pi", (), True))
        case ast.UnaryOp(op=ast.USub(), operand=x):
            return negative(read(x))
        case ast.UnaryOp(op=ast.UAdd(), operand=x):
            return read(x)
        case ast.BinOp(left=a, op=op, right=b):
            return _binary(node, op, read(a), read(b))
        case ast.Call(func=ast.Name(id="Sum"), args=[body, *limits], keywords=[]) if limits:
            bound = {name: fresh(size) for name, size in map(_limit, limits)}
            return Total(tuple(bound.values()), _read(body, depth + 1, {**scope, **bound}))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
            return _call(node, name, [read(a) for a in args])
        case ast.Subscript(value=ast.Name(id=name), slice=where):
            letters = where.elts if isinstance(where, ast.Tuple) else [where]
            indices = tuple([_index(i, scope) for i in letters])
            return Ref(Var(0, _identifier(node, name), indices, False))
    raise _refuse(node, f"{type(node).__name__} is not allowed; use numbers, names, + - * / ** and known functions")


def _index(node: ast.expr, scope: Mapping[str, Index]) -> Index:
    if isinstance(node, ast.Name) and node.id in scope:
        return scope[node.id]
    known = f"the indices here are {', '.join(scope)}" if scope else "only a Sum gives indices here"
    raise _refuse(node, f"{ast.unparse(node)!r} is not an index; {known}")


def _limit(node: ast.expr) -> tuple[str, Extent]:
    """The letter and the size of a limit such as ``(j, 1, B)``."""
    match node:
        case ast.Tuple(elts=[ast.Name(id=name), ast.Constant(value=1), ast.Name(id=size)]):
            return _identifier(node, name), (((_identifier(node, size),), 1),)
        case ast.Tuple(elts=[ast.Name(id=name), ast.Constant(value=1), ast.Constant(value=int() as n)]) if n > 0:
            return _identifier(node, name), (((), n),)
    raise _refuse(node, f"{ast.unparse(node)!r} is not a limit; write it as (j, 1, B)")


def _number(node: ast.expr, value: float) -> Fraction:
    if value != value or value in (float("inf"), float("-inf")) or abs(value) > 1e30:
        raise _refuse(node, f"the number {value} is out of range")
    return literal(repr(value))


def _identifier(node: ast.expr, name: str) -> str:
    if not name.isascii() or name.startswith("__") or keyword.iskeyword(name) or len(name) > 40:
        raise _refuse(node, f"{name!r} is not a usable name")
    return name


def _binary(node: ast.expr, op: ast.operator, a: Expr, b: Expr) -> Expr:
    match op:
        case ast.Add():
            return add(a, b)
        case ast.Sub():
            return add(a, negative(b))
        case ast.Mult():
            return mul(a, b)
        case ast.Div():
            if b == Num(0):
                raise _refuse(node, "division by zero")
            return quotient(a, b)
        case ast.Pow():
            if isinstance(b, Num) and abs(Fraction(b.value)) > MAX_EXPONENT:
                raise _refuse(node, f"the exponent {b.value} is out of range; at most {MAX_EXPONENT}")
            return power(a, b)
    raise _refuse(node, f"the operator {type(op).__name__} is not allowed; use + - * / **")


def _call(node: ast.expr, name: str, args: list[Expr]) -> Expr:
    name = ALIASES.get(name, name)
    if name in COMPOSED and len(args) == 1:
        return COMPOSED[name](args[0])
    if name not in FUNCTIONS or not args:
        known = ", ".join(sorted(FUNCTIONS | COMPOSED.keys()))
        raise _refuse(node, f"function {name!r} is not known; the functions are {known}")
    return Call(name, tuple(args))
