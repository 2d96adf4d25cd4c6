"""Piecewise and locally constant functions, comparisons and logic.

At a kink the documented value: |x| and sign give 0, relu gives 0, maximum and minimum split a tie
equally, clip passes the gradient at its bounds (as torch does).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.op import FUNCTIONS, Op, builtin
from symgrad.ops.arithmetic import mul0
from symgrad.tensor import array_like

__all__ = ["abs", "clip", "copysign", "equal", "exponent", "floor", "floor_divide", "greater", "greater_equal",
           "isfinite", "less", "less_equal", "logical_and", "logical_not", "logical_or", "maximum", "minimum",
           "not_equal", "relu", "remainder", "rint", "sign", "where"]  # fmt: skip


def _compare(name: str, forward: Any, symbol: str, notation: str) -> Any:
    return builtin(name, forward, pullback=(None, None), symbol=symbol, notation=notation, dtype=np.bool_)


equal = _compare("equal", np.equal, "Eq(x, y)", "{0} = {1}")
not_equal = _compare("not_equal", np.not_equal, "Ne(x, y)", r"{0} \ne {1}")
less = _compare("less", np.less, "x < y", "{0} < {1}")
less_equal = _compare("less_equal", np.less_equal, "x <= y", r"{0} \le {1}")
greater = _compare("greater", np.greater, "x > y", "{0} > {1}")
greater_equal = _compare("greater_equal", np.greater_equal, "x >= y", r"{0} \ge {1}")
logical_and = _compare("logical_and", np.logical_and, "And(x, y)", r"{0} \wedge {1}")
logical_or = _compare("logical_or", np.logical_or, "Or(x, y)", r"{0} \vee {1}")
logical_not: Op = builtin("logical_not", np.logical_not, pullback=(None,), symbol="Not(x)", notation=r"\neg {0}",
                          dtype=np.bool_)  # fmt: skip
isfinite: Op = builtin("isfinite", np.isfinite, pullback=(None,), notation=r"{0} \in \mathbb{{R}}", dtype=np.bool_)

sign: Op = builtin("sign", np.sign, pullback=(None,), symbol="sign", notation=r"\operatorname{{sign}}({0})",
                   pieces=("x > 0", "x < 0"))  # fmt: skip

floor: Op = builtin("floor", np.floor, pullback=(None,), symbol="floor", notation=r"\lfloor {0} \rfloor",
                    pieces=("x > 0",))  # fmt: skip

rint: Op = builtin("rint", np.rint, pullback=(None,), notation=r"\operatorname{{round}}({0})")

exponent: Op = builtin("exponent", lambda x: np.frexp(x)[1], pullback=(None,), dtype=np.int32,
                       notation=r"\lfloor \log_2 |{0}| \rfloor + 1")  # fmt: skip

floor_divide: Op = builtin("floor_divide", np.floor_divide, pullback=(None, None), symbol="floor(x/y)",
                           notation=r"\lfloor {0} / {1} \rfloor", domain=((-3, 3), (0.3, 3)))  # fmt: skip

remainder: Op = builtin("remainder", np.remainder,
                        pullback=(lambda g, y, a, b: g, lambda g, y, a, b: -mul0(g, floor_divide(a, b))),
                        symbol="x - y*floor(x/y)", notation=r"{0} \bmod {1}", domain=((-3, 3), (0.3, 3)))  # fmt: skip

where: Op = builtin(
    "where",
    np.where,
    arity=3,
    pullback=(None, lambda g, y, c, a, b: where(c, g, 0.0), lambda g, y, c, a, b: where(c, 0.0, g)),
    promotes=(1, 2),
    symbol="Piecewise((y, x), (z, True))",
    notation=r"{1} \text{{ if }} {0} \text{{ else }} {2}",
    dtype=lambda c, a, b: np.result_type(a, b),
)

abs: Op = builtin("abs", np.abs, pullback=(lambda g, y, x: g * sign(x),), symbol="Abs", notation=r"|{0}|",
                  pieces=("x > 0", "x < 0"))  # fmt: skip

copysign: Op = builtin("copysign", np.copysign,
                       pullback=(lambda g, y, a, b: g * (sign(a) * copysign(1.0, b)), None),
                       symbol="Abs(x)*sign(y)", notation=r"|{0}| \operatorname{{sign}}({1})",
                       pieces=("(x > 0) & (y > 0)", "(x > 0) & (y < 0)", "(x < 0) & (y > 0)", "(x < 0) & (y < 0)"),
                       )  # fmt: skip

relu: Op = builtin("relu", lambda x: np.maximum(x, np.zeros((), x.dtype) if isinstance(x, np.ndarray) else 0),
                   pullback=(lambda g, y, x: where(x > 0, g, 0.0),), symbol="Max(x, 0)",
                   notation=r"\operatorname{{relu}}({0})", pieces=("x > 0", "x < 0"))  # fmt: skip

maximum: Op = builtin(
    "maximum",
    np.maximum,
    pullback=(
        lambda g, y, a, b: where(a > b, g, where(a < b, 0.0, g / 2)),
        lambda g, y, a, b: where(b > a, g, where(b < a, 0.0, g / 2)),
    ),
    symbol="Max(x, y)",
    notation=r"\max({0}, {1})",
    pieces=("x > y", "x < y"),
)

minimum: Op = builtin(
    "minimum",
    np.minimum,
    pullback=(
        lambda g, y, a, b: where(a < b, g, where(a > b, 0.0, g / 2)),
        lambda g, y, a, b: where(b < a, g, where(b > a, 0.0, g / 2)),
    ),
    symbol="Min(x, y)",
    notation=r"\min({0}, {1})",
    pieces=("x > y", "x < y"),
)

_clip: Op = builtin(
    "clip",
    lambda x, low, high: np.minimum(np.maximum(x, low), high),
    pullback=(
        lambda g, y, x, low, high: where(logical_and(x >= low, x <= high), g, 0.0),
        lambda g, y, x, low, high: where(logical_and(x < low, low <= high), g, 0.0),
        lambda g, y, x, low, high: where(logical_or(x > high, low > high), g, 0.0),
    ),
    symbol="Min(Max(x, y), z)",
    notation=r"\operatorname{{clip}}({0}, {1}, {2})",
    pieces=("(x > y) & (x < z)", "(x < y) & (y < z)", "(x > z) & (y < z)"),
)


def clip(x: Any, min: Any = None, max: Any = None) -> Any:
    """Limit to an interval: ``min(max(x, min), max)``.

    Parameters
    ----------
    x : Tensor or array
    min, max : array_like, optional
        Bounds; None means none.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.clip(sg.tensor([-2.0, 0.5, 3.0]), 0.0, 1.0)
    Tensor([0. , 0.5, 1. ])
    """
    x = array_like(x, "clip") if isinstance(x, (list, tuple)) else x
    kind = np.dtype(getattr(x, "dtype", np.float64))
    low, high = (np.iinfo(kind).min, np.iinfo(kind).max) if kind.kind in "iu" else (-np.inf, np.inf)
    return _clip(x, low if min is None else min, high if max is None else max)


FUNCTIONS.update(mod=remainder, clip=clip, absolute=abs, fabs=abs)
