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

from dataclasses import replace
from typing import Any

import sympy
from sympy.core.sympify import converter

from symgrad.constants import Constant
from symgrad.errors import SymbolicError
from symgrad.op import CONVERTERS, OPS, Op
from symgrad.symbolic.expr import fold
from symgrad.symbolic.program import Program
from symgrad.symbolic.proof import Certificate, prove_zero
from symgrad.symbolic.symbols import NAMES, evaluate, symbol_of, text_of
from symgrad.symbolic.sympy_io import Letters, from_sympy, to_sympy
from symgrad.symbolic.text import literal

__all__ = ["local_derivative", "prove_rule", "symbol_of"]

STEPS = (sympy.floor, sympy.ceiling, sympy.sign)  # constant between their jumps


def _convert(op: Op, inputs: tuple[Any, ...], params: tuple[Any, ...]) -> Any:
    return symbol_of(op, tuple([_exact(x) for x in inputs]))


def _exact(x: Any) -> Any:
    if isinstance(x, float) and not isinstance(x, Constant):
        return sympy.Rational(literal(repr(x)).numerator, literal(repr(x)).denominator)
    return sympy.sympify(x)


CONVERTERS[sympy.Basic] = _convert
converter[Constant] = lambda c: evaluate(c.text, {})


def _symbols(op: Op, names: tuple[str, ...], signed: bool) -> list[Any]:
    """Real symbols for the inputs; if ``signed``, positive ones where the op's domain is positive."""
    intervals = op.domain if op.domain and isinstance(op.domain[0], tuple) else (op.domain,) * len(names)
    return [
        sympy.Symbol(name, integer=True, nonnegative=True)
        if k in op.orders
        else sympy.Symbol(name, real=True, positive=True if signed and interval and interval[0] >= 0 else None)
        for k, (name, interval) in enumerate(zip(names, intervals, strict=False))
    ]


def _rules(op: Op, g: Any, y: Any, inputs: list[Any]) -> list[Any]:
    """The cotangents that the pullback text gives; None where nothing flows."""
    if not op.pullback:
        return [None] * len(inputs)
    if not isinstance(op.pullback, tuple):
        return list(op.pullback(g, y, tuple(inputs), op.defaults))
    return [None if f is None else f(g, y, *inputs, *op.defaults) for f in op.pullback]


def _is_op(op: Any, where: str) -> Op:
    if isinstance(op, Op):
        return op
    name = getattr(op, "__name__", "")
    known = (
        f"the op under it is sg.OPS[{name!r}]" if name in OPS else "derive(f, x=sg.spec('B')).proofs is for functions"
    )
    raise SymbolicError(f"{where}: needs an op, got {name or repr(op)}, which is not one; {known}")


def prove_rule(op: Op) -> Certificate:
    """Prove that the pullback of an elementwise op is the derivative of its symbol, on each of its pieces.

    The signs of the op's domain are assumed only where there is no proof without them; the certificate then says so.
    A step function (floor, sign) is constant between its jumps.

    Parameters
    ----------
    op : Op

    Returns
    -------
    Certificate

    Raises
    ------
    SymbolicError
        If it is not an op but a function of ops.
    """
    op = _is_op(op, "prove_rule")
    if op.identity and not op.pullback:
        return Certificate("UNKNOWN", "that nothing flows is a declaration, not the derivative of the identity")
    if not op.identity and (text_of(op) is None or op.indices != "elementwise"):
        return Certificate("UNKNOWN", "it declares no symbol that its rule could be compared with")
    if op.pullback is None:
        return Certificate("UNKNOWN", "it declares no pullback")
    found = _proved_rule(op, signed=False)
    return found or _proved_rule(op, signed=True)


def _proved_rule(op: Op, signed: bool) -> Certificate:
    inputs = _symbols(op, NAMES[: op.arity or 1], signed)
    g = sympy.Symbol("g", real=True)
    y = symbol_of(op, tuple(inputs))
    if not isinstance(y, sympy.Expr):
        return Certificate(
            "UNKNOWN", "its values are truth values, which have no derivative; nothing flows to an input"
        )
    steps = {step: sympy.Dummy(real=True) for step in y.atoms(*STEPS)}
    methods: dict[str, None] = {}
    assumed = dict.fromkeys(f"{x} > 0" for x in inputs if x.is_positive)
    for k, (x, rule) in enumerate(zip(inputs, _rules(op, g, y, inputs), strict=True)):
        if k in op.orders:
            continue
        slope = sympy.diff(y.xreplace(steps), x).xreplace({held: step for step, held in steps.items()})
        for piece in op.pieces or ("",):
            found = _proved(_on(piece, (0 if rule is None else rule) - g * slope))
            if not found:
                return found
            methods[found.method] = None
            assumed |= dict.fromkeys(found.assumptions)
    if steps:
        methods["a step function is constant between its jumps"] = None
    return Certificate("PROVED", "; ".join(methods), tuple(assumed))


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


def _raised(n: Any, z: Any) -> Any:
    """A spherical Bessel function in those of higher order: j(n) + j(n + 2) = (2n + 3) j(n + 1) / z."""
    higher = (2 * n + 3) * sympy.jn(n + 1, z) / z - sympy.jn(n + 2, z)
    return higher if n.as_coeff_Add()[0] < 0 else sympy.jn(n, z)


def _proved(difference: Any) -> Certificate:
    difference = difference.replace(sympy.jn, _raised)
    if difference == 0 or sympy.expand(difference) == 0:
        return Certificate("PROVED", "the pullback equals the derivative of the symbol, by SymPy's automatic algebra")
    program = Program()
    try:
        from symgrad.symbolic.equality import _Reading

        tree = from_sympy(difference)
        positive = {s.name for s in difference.free_symbols if s.is_positive}
        found = prove_zero(program, fold(tree, _Reading(program, positive)).poly)
    except SymbolicError:
        found = Certificate("UNKNOWN", "outside of the normal form")
    if found:
        assumed = tuple([f"{to_sympy(tree, Letters({}))} > 0" for tree in program.assumptions.values()])
        return replace(found, assumptions=assumed)
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
    op = _is_op(op, "local_derivative")
    if not op.pullback:
        return None
    if op.indices != "elementwise" or op.symbol is None:
        return sympy.Integer(1) if op.identity else None
    y, *inputs = [sympy.Symbol(n, real=True) for n in names]
    return _rules(op, sympy.Integer(1), y, inputs)[position]
