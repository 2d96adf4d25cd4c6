r"""Ops on SymPy scalars: an op called on SymPy expressions means its ``symbol``; its pullback text can then be proved.

Examples
--------
>>> import sympy, symgrad as sg
>>> sg.tanh(sympy.Symbol("x"))
tanh(x)
>>> prove_rule(sg.tanh).verdict
'PROVED'
>>> local_derivative(sg.sigmoid, 0, ("a", "z"))
a*(1 - a)
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import sympy

from symgrad.errors import SymbolicError
from symgrad.op import CONVERTERS, Op
from symgrad.symbolic.expr import fold
from symgrad.symbolic.program import Program
from symgrad.symbolic.proof import Certificate, prove_zero
from symgrad.symbolic.sympy_io import from_sympy
from symgrad.symbolic.text import literal

__all__ = ["local_derivative", "prove_rule", "symbol_of"]

NAMES = ("x", "y", "z")
FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: getattr(sympy, name)
    for name in [
        "Abs",
        "Max",
        "Min",
        "And",
        "Or",
        "Not",
        "Eq",
        "Ne",
        "Piecewise",
        "acos",
        "acosh",
        "asin",
        "asinh",
        "atan",
        "atan2",
        "atanh",
        "ceiling",
        "cos",
        "cosh",
        "digamma",
        "erf",
        "erfc",
        "erfinv",
        "exp",
        "floor",
        "gamma",
        "log",
        "loggamma",
        "sign",
        "sin",
        "sinc",
        "sinh",
        "sqrt",
        "tan",
        "tanh",
    ]
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


def symbol_of(op: Op, inputs: tuple[Any, ...]) -> Any:
    """What an elementwise op gives on SymPy values."""
    if op.identity:
        return inputs[0]
    if op.symbol is None or op.indices != "elementwise":
        raise SymbolicError(f"{op.name}: has no scalar meaning (no symbol), so it is not defined on SymPy expressions")
    text = op.symbol
    if text.isidentifier() and text not in NAMES:
        text = f"{text}({', '.join(NAMES[: len(inputs)])})"
    return evaluate(text, dict(zip(NAMES, inputs, strict=False)))


def _convert(op: Op, inputs: tuple[Any, ...], params: tuple[Any, ...]) -> Any:
    return symbol_of(op, tuple([_exact(x) for x in inputs]))


def _exact(x: Any) -> Any:
    if isinstance(x, float):
        return sympy.Rational(literal(repr(x)).numerator, literal(repr(x)).denominator)
    return sympy.sympify(x)


CONVERTERS[sympy.Basic] = _convert


def _symbols(op: Op, names: tuple[str, ...]) -> list[Any]:
    intervals = op.domain if op.domain and isinstance(op.domain[0], tuple) else (op.domain,) * len(names)
    return [
        sympy.Symbol(name, real=True, positive=True if interval and interval[0] >= 0 else None)
        for name, interval in zip(names, intervals, strict=False)
    ]


def _rules(op: Op, g: Any, y: Any, inputs: list[Any]) -> list[Any]:
    """The cotangents that the pullback text gives; None where nothing flows."""
    if op.pullback is not None and not isinstance(op.pullback, tuple):
        return list(op.pullback(g, y, tuple(inputs), ()))
    return [None if f is None else f(g, y, *inputs) for f in op.pullback or ()]


def prove_rule(op: Op) -> Certificate:
    """Prove that the pullback of an elementwise op is the derivative of its symbol, on each of its pieces.

    Parameters
    ----------
    op : Op

    Returns
    -------
    Certificate
    """
    arity = op.arity or 1
    inputs = _symbols(op, NAMES[:arity])
    g = sympy.Symbol("g", real=True)
    y = symbol_of(op, tuple(inputs))
    rules = _rules(op, g, y, inputs)
    if not rules or not isinstance(y, sympy.Expr):
        return Certificate("UNKNOWN", "a truth value has no derivative")
    for x, rule in zip(inputs, rules, strict=True):
        for piece in op.pieces or ("",):
            found = _proved(_on(piece, (0 if rule is None else rule) - g * sympy.diff(y, x)))
            if not found:
                return found
    return Certificate("PROVED", "pullback text equals the derivative of the symbol")


def _on(piece: str, expression: Any) -> Any:
    """An expression on one piece: each condition moves one symbol a positive distance from the other side."""
    if not piece:
        return expression
    env: dict[str, Any] = {n: sympy.Symbol(n, real=True) for n in NAMES}
    env |= {str(s): s for s in expression.free_symbols}
    moved: dict[Any, Any] = {}
    for k, condition in enumerate(sorted(sympy.And.make_args(evaluate(piece, env)), key=str)):
        distance = sympy.Symbol(f"p{k}", positive=True)
        low, high = condition.lts, condition.gts
        if high.is_Symbol and high not in moved:
            moved[high] = low + distance
        else:
            moved[low] = high - distance
    for _ in moved:
        expression = expression.subs(moved)
    return sympy.piecewise_fold(expression.doit())


def _proved(difference: Any) -> Certificate:
    if difference == 0 or sympy.expand(difference) == 0:
        return Certificate("PROVED", "pullback text equals the derivative of the symbol, by SymPy's automatic algebra")
    program = Program()
    try:
        from symgrad.symbolic.equality import _Reading

        tree = from_sympy(difference)
        positive = {s.name for s in difference.free_symbols if s.is_positive}
        found = prove_zero(program, fold(tree, _Reading(program, positive)).poly)
    except SymbolicError:
        found = Certificate("UNKNOWN", "outside of the normal form")
    if found.verdict == "UNKNOWN" and sympy.simplify(difference) == 0:
        return Certificate("PROVED", "by SymPy's simplify")
    return found


def local_derivative(op: Op, position: int, names: tuple[str, ...]) -> Any:
    """The derivative of an elementwise op by one input, in terms of the names of its output and inputs.

    Parameters
    ----------
    op : Op
    position : int
        Which input.
    names : tuple of str
        Names of the output, then of the inputs.

    Returns
    -------
    SymPy expression, or None where nothing flows or the op is not elementwise

    Examples
    --------
    >>> import symgrad as sg
    >>> local_derivative(sg.tanh, 0, ("a", "z"))
    1 - a**2
    """
    if op.indices != "elementwise" or op.symbol is None:
        return sympy.Integer(1) if op.identity and op.pullback != (None,) else None
    y, *inputs = [sympy.Symbol(n, real=True) for n in names]
    if not isinstance(op.pullback, tuple):
        return _rules(op, sympy.Integer(1), y, inputs)[position]
    rule = op.pullback[position]
    return None if rule is None else rule(sympy.Integer(1), y, *inputs)
