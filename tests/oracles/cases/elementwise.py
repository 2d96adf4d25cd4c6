"""Elementwise ops: every op on every list of shapes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from symgrad.op import OPS

from .base import Case, Shape, bools, torch_named

UNARY: list[tuple[Shape, ...]] = [((3, 4),), ((),), ((0, 2),)]
BINARY: list[tuple[Shape, ...]] = [((2, 3), (2, 3)), ((2, 1, 3), (4, 1)), ((), (3,)), ((3,), ()), ((0, 3), (1, 3))]
TERNARY: list[tuple[Shape, ...]] = [((2, 3), (2, 3), (2, 3)), ((2, 1), (3,), ()), ((), (), ()), ((0, 2), (2,), (1, 1))]

# name in symgrad -> name in torch (or a function of torch and the tensors)
ELEMENTWISE: dict[str, Any] = {
    "div0": "div",
    "mul0": "mul",
    "mul00": "mul",
    "add": "add",
    "subtract": "sub",
    "multiply": "mul",
    "divide": "div",
    "negative": "neg",
    "square": "square",
    "reciprocal": "reciprocal",
    "sqrt": "sqrt",
    "hypot": "hypot",
    "power": "pow",
    "exp": "exp",
    "expm1": "expm1",
    "log": "log",
    "log1p": "log1p",
    "log2": "log2",
    "log10": "log10",
    "tanh": "tanh",
    "sinh": "sinh",
    "cosh": "cosh",
    "sigmoid": "sigmoid",
    "difference0": "sub",
    "logaddexp": "logaddexp",
    "erf": "erf",
    "gauss": lambda t, x: 2 / math.sqrt(math.pi) * t.exp(-x * x),
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "arcsin": "arcsin",
    "arccos": "arccos",
    "arctan": "arctan",
    "arctan2": "arctan2",
    "sign": "sign",
    "floor": "floor",
    "abs": "abs",
    "relu": "relu",
    "maximum": "maximum",
    "minimum": "minimum",
    "clip": lambda t, x, a, b: t.minimum(t.maximum(x, a), b),
    "remainder": "remainder",
    "floor_divide": lambda t, a, b: t.div(a, b, rounding_mode="floor"),
    "equal": "eq",
    "not_equal": "ne",
    "less": "lt",
    "less_equal": "le",
    "greater": "gt",
    "greater_equal": "ge",
    "isfinite": "isfinite",
    "rint": "round",
    "exponent": lambda t, x: t.frexp(x).exponent,
    "copysign": "copysign",
    "cbrt": lambda t, x: x ** (1 / 3),
    "arcsinh": "arcsinh",
    "arccosh": "arccosh",
    "arctanh": "arctanh",
    "erfc": "erfc",
    "erfcx": lambda t, x: t.special.erfcx(x),
    "erfinv": "erfinv",
    "ndtri": lambda t, x: t.special.ndtri(x),
    "gammaln": "lgamma",
    "gamma": lambda t, x: t.exp(t.lgamma(x)),
    "entr": lambda t, x: t.special.entr(x),
    "polygamma": None,  # that of torch has 9 digits only for order 1; mpmath checks ours
    "ive": lambda t, n, x: _bessel(t, n, x),
    "spherical_jn": lambda t, n, x: _spherical_bessel(t, n, x),
}


def _bessel(t: Any, n: Any, x: Any) -> Any:
    """Orders 0 to 2: I(2) = I(0) - 2 I(1) / x."""
    zeroth, first = t.special.i0e(x), t.special.i1e(x)
    return t.where(n == 0, zeroth, t.where(n == 1, first, zeroth - 2 * first / x))


def _spherical_bessel(t: Any, n: Any, x: Any) -> Any:
    """Orders 0 to 2: j(2) = 3 j(1) / x - j(0)."""
    zeroth = t.sin(x) / x
    first = (zeroth - t.cos(x)) / x
    return t.where(n == 0, zeroth, t.where(n == 1, first, 3 * first / x - zeroth))


LOGICAL = ("logical_and", "logical_or", "logical_not")


def _elementwise() -> list[Case]:
    table: dict[str, list[Case]] = {}
    for name, other in ELEMENTWISE.items():
        op = OPS.get(name)
        if op is None:
            continue
        lists = {1: UNARY, 2: BINARY, 3: TERNARY}[op.arity]  # type: ignore[index]
        torch = torch_named(other) if isinstance(other, str) else other
        cases = []
        for piece in op.pieces or (None,):
            for shapes in lists:
                title = " ".join(filter(None, (name, piece, str(shapes))))
                cases.append(Case(title, op, shapes, None, torch, op.domain or (-3, 3), piece, name, op.orders))
        table[name] = cases
    for name in LOGICAL:
        lists = UNARY if name == "logical_not" else BINARY
        table[name] = [
            Case(
                f"{name} {shapes}",
                OPS[name],
                tuple(bools(*s) for s in shapes),
                getattr(np, name),
                torch_named(name),
                op=name,
            )
            for shapes in lists
        ]
    table["where"] = [
        Case(f"where {c} {a} {b}", OPS["where"], (bools(*c), a, b), np.where, lambda t, *xs: t.where(*xs), op="where")
        for c, a, b in TERNARY
    ]
    return [one for cases in table.values() for one in cases]


CASES = _elementwise()
