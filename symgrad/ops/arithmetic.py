"""Arithmetic and roots.

`div0` and `mul0` are quotient and product in which a zero cotangent (their first argument) stays zero
through a singular rule; rules use them wherever the local derivative may be infinite. In their own
rules two factors are cotangents, hence `mul00`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.op import FUNCTIONS, Op, builtin
from symgrad.recording import operator, recorder

__all__ = ["add", "cbrt", "div0", "divide", "hypot", "mul0", "mul00", "multiply", "negative", "reciprocal", "sqrt",
           "square", "subtract"]  # fmt: skip


def _div0(a: Any, b: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        q = np.divide(a, b)
    if np.isfinite(q).all():
        return q
    return np.where((np.equal(a, 0)) & ((np.equal(b, 0)) | np.isnan(b)), np.zeros((), q.dtype), q)


def _mul0(a: Any, b: Any) -> Any:
    with np.errstate(invalid="ignore", over="ignore"):
        p = np.multiply(a, b)
    if np.isfinite(p).all():
        return p
    return np.where(np.equal(a, 0) & ~np.isfinite(b), np.zeros((), p.dtype), p)


def _mul00(a: Any, b: Any) -> Any:
    with np.errstate(invalid="ignore", over="ignore"):
        p = np.multiply(a, b)
    if np.isfinite(p).all():
        return p
    return np.where(np.isnan(p) & (np.equal(a, 0) | np.equal(b, 0)), np.zeros((), p.dtype), p)


div0: Op = builtin("div0", _div0, pullback=(lambda g, y, a, b: div0(g, b), lambda g, y, a, b: -div0(mul00(g, y), b)),
                   symbol="x/y", notation=r"\frac{{{0}}}{{{1}}}", domain=((-3, 3), (0.3, 3)))  # fmt: skip

mul0: Op = builtin("mul0", _mul0, pullback=(lambda g, y, a, b: mul0(g, b), lambda g, y, a, b: mul00(g, a)),
                   symbol="x*y", notation=r"{0}\,{1}")  # fmt: skip

mul00: Op = builtin("mul00", _mul00, pullback=(lambda g, y, a, b: mul00(g, b), lambda g, y, a, b: mul00(g, a)),
                    symbol="x*y", notation=r"{0}\,{1}")  # fmt: skip

add: Op = builtin("add", np.add, pullback=(lambda g, y, a, b: g, lambda g, y, a, b: g),
                  symbol="x + y", notation="{0} + {1}")  # fmt: skip

subtract: Op = builtin("subtract", np.subtract, pullback=(lambda g, y, a, b: g, lambda g, y, a, b: -g),
                       symbol="x - y", notation="{0} - {1}")  # fmt: skip

multiply: Op = builtin("multiply", np.multiply, pullback=(lambda g, y, a, b: g * b, lambda g, y, a, b: g * a),
                       symbol="x*y", notation=r"{0}\,{1}")  # fmt: skip

divide: Op = builtin("divide", np.divide,
                     pullback=(lambda g, y, a, b: div0(g, b), lambda g, y, a, b: -div0(mul0(g, y), b)),
                     symbol="x/y", notation=r"\frac{{{0}}}{{{1}}}", domain=((-3, 3), (0.3, 3)))  # fmt: skip

negative: Op = builtin("negative", np.negative, pullback=(lambda g, y, x: -g,), symbol="-x", notation="-{0}")

square: Op = builtin("square", np.square, pullback=(lambda g, y, x: g * x * 2,), symbol="x**2", notation="{0}^2")

reciprocal: Op = builtin("reciprocal", np.reciprocal, pullback=(lambda g, y, x: -div0(mul0(g, y), x),),
                         symbol="1/x", notation=r"\frac{{1}}{{{0}}}", domain=(0.3, 3))  # fmt: skip

sqrt: Op = builtin("sqrt", np.sqrt, pullback=(lambda g, y, x: div0(g, 2 * y),),
                   symbol="sqrt(x)", notation=r"\sqrt{{{0}}}", domain=(0.2, 4))  # fmt: skip

cbrt: Op = builtin("cbrt", np.cbrt, pullback=(lambda g, y, x: div0(g, 3 * (y * y)),),
                   symbol="cbrt(x)", notation=r"\sqrt[3]{{{0}}}", domain=(0.2, 4))  # fmt: skip

hypot: Op = builtin("hypot", np.hypot, pullback=(lambda g, y, a, b: g * div0(a, y), lambda g, y, a, b: g * div0(b, y)),
                    symbol="sqrt(x**2 + y**2)", notation=r"\sqrt{{{0}^2 + {1}^2}}", domain=(0.3, 3))  # fmt: skip

FUNCTIONS["true_divide"] = divide

for _name, _op in {"add": add, "sub": subtract, "mul": multiply, "truediv": divide}.items():
    operator(_name, recorder(_op))
