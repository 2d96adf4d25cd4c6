"""Powers, exponentials, logarithms, and the functions built on them."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.constants import LN2, LN10
from symgrad.op import FUNCTIONS, Op, builtin
from symgrad.ops.arithmetic import div0, mul0, square
from symgrad.recording import operator, recorder

__all__ = ["cosh", "difference0", "exp", "expm1", "log", "log1p", "log2", "log10", "logaddexp", "power", "sigmoid",
           "sinh", "tanh"]  # fmt: skip


def _sigmoid(x: Any) -> Any:
    e = np.exp(-np.abs(x))
    return np.where(np.greater_equal(x, 0), 1, e) / (1 + e)


def _difference0(a: Any, b: Any) -> Any:
    with np.errstate(invalid="ignore"):
        d = np.subtract(a, b)
    if np.isfinite(d).all():
        return d
    return np.where(np.isnan(d) & np.equal(a, b), np.zeros((), d.dtype), d)


power: Op = builtin(
    "power",
    np.power,
    pullback=(
        lambda g, y, a, b: mul0(g, mul0(b, power(a, b - 1))),
        lambda g, y, a, b: mul0(g, mul0(y, log(a))),
    ),
    symbol="x**y",
    notation="{0}^{{{1}}}",
    domain=((0.3, 2), (-2, 2)),
)

exp: Op = builtin("exp", np.exp, pullback=(lambda g, y, x: mul0(g, y),),
                  symbol="exp", notation="e^{{{0}}}", domain=(-20, 20))  # fmt: skip

expm1: Op = builtin("expm1", np.expm1, pullback=(lambda g, y, x: mul0(g, exp(x)),),
                    symbol="exp(x) - 1", notation="e^{{{0}}} - 1", domain=(-20, 20))  # fmt: skip

log: Op = builtin("log", np.log, pullback=(lambda g, y, x: div0(g, x),),
                  symbol="log", notation=r"\ln {0}", domain=(0.2, 4))  # fmt: skip

log2: Op = builtin("log2", np.log2, pullback=(lambda g, y, x: div0(g, x) / LN2,),
                   symbol="log(x)/log(2)", notation=r"\log_2 {0}", domain=(0.2, 4))  # fmt: skip

log10: Op = builtin("log10", np.log10, pullback=(lambda g, y, x: div0(g, x) / LN10,),
                    symbol="log(x)/log(10)", notation=r"\log_{{10}} {0}", domain=(0.2, 4))  # fmt: skip

log1p: Op = builtin("log1p", np.log1p, pullback=(lambda g, y, x: div0(g, 1 + x),),
                    symbol="log(1 + x)", notation=r"\ln(1 + {0})", domain=(-0.8, 4))  # fmt: skip

tanh: Op = builtin("tanh", np.tanh, pullback=(lambda g, y, x: g * (1 - y * y),),
                   symbol="tanh", notation=r"\tanh({0})", domain=(-8, 8))  # fmt: skip

sinh: Op = builtin("sinh", np.sinh, pullback=(lambda g, y, x: mul0(g, cosh(x)),),
                   symbol="sinh", notation=r"\sinh({0})", domain=(-8, 8))  # fmt: skip

cosh: Op = builtin("cosh", np.cosh, pullback=(lambda g, y, x: mul0(g, sinh(x)),),
                   symbol="cosh", notation=r"\cosh({0})", domain=(-8, 8))  # fmt: skip

sigmoid: Op = builtin("sigmoid", _sigmoid, pullback=(lambda g, y, x: g * (y * (1 - y)),),
                      symbol="1/(1 + exp(-x))", notation=r"\sigma({0})", domain=(-20, 20))  # fmt: skip

difference0: Op = builtin("difference0", _difference0, pullback=(lambda g, y, a, b: g, lambda g, y, a, b: -g),
                          symbol="x - y", notation="{0} - {1}")  # fmt: skip

logaddexp: Op = builtin(
    "logaddexp",
    np.logaddexp,
    pullback=(
        lambda g, y, a, b: g * sigmoid(difference0(a, b)),
        lambda g, y, a, b: g * sigmoid(difference0(b, a)),
    ),
    symbol="log(exp(x) + exp(y))",
    notation=r"\ln(e^{{{0}}} + e^{{{1}}})",
    domain=((-8, 8), (-8, 8)),
)

FUNCTIONS["pow"] = power

_power = recorder(power)
operator("pow", lambda x, n: square(x) if type(n) is int and n == 2 else _power(x, n))
