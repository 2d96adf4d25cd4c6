"""Trigonometric functions, and the inverses of these and of the hyperbolic ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.op import FUNCTIONS, Op, builtin
from symgrad.ops.arithmetic import div0, hypot, mul0, sqrt

__all__ = ["arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "cos", "sin", "tan"]

sin: Op = builtin("sin", np.sin, pullback=(lambda g, y, x: g * cos(x),), symbol="sin", notation=r"\sin({0})")

cos: Op = builtin("cos", np.cos, pullback=(lambda g, y, x: -(g * sin(x)),), symbol="cos", notation=r"\cos({0})")

tan: Op = builtin("tan", np.tan, pullback=(lambda g, y, x: mul0(g, 1 + y * y),), symbol="tan",
                  notation=r"\tan({0})", domain=(-1.4, 1.4))  # fmt: skip

arcsin: Op = builtin("arcsin", np.arcsin, pullback=(lambda g, y, x: div0(g, sqrt((1 - x) * (1 + x))),), symbol="asin",
                     notation=r"\arcsin({0})", domain=(-0.95, 0.95))  # fmt: skip

arccos: Op = builtin("arccos", np.arccos, pullback=(lambda g, y, x: -div0(g, sqrt((1 - x) * (1 + x))),), symbol="acos",
                     notation=r"\arccos({0})", domain=(-0.95, 0.95))  # fmt: skip

arctan: Op = builtin("arctan", np.arctan, pullback=(lambda g, y, x: g / (1 + x * x),), symbol="atan",
                     notation=r"\arctan({0})")  # fmt: skip


arcsinh: Op = builtin("arcsinh", np.arcsinh, pullback=(lambda g, y, x: g / hypot(x, 1.0),), symbol="asinh",
                      notation=r"\operatorname{{arsinh}}({0})")  # fmt: skip

arccosh: Op = builtin("arccosh", np.arccosh, pullback=(lambda g, y, x: div0(g, mul0(sqrt(x - 1), sqrt(x + 1))),),
                      symbol="acosh", notation=r"\operatorname{{arcosh}}({0})", domain=(1.1, 4))  # fmt: skip

arctanh: Op = builtin("arctanh", np.arctanh, pullback=(lambda g, y, x: div0(g, (1 - x) * (1 + x)),),
                      symbol="atanh", notation=r"\operatorname{{artanh}}({0})", domain=(-0.95, 0.95))  # fmt: skip


def _quotients(g: Any, a: Any, r: Any) -> Any:
    """The quotient g a / r**2, where r**2 alone may overflow or underflow."""
    return mul0(g, div0(div0(a, r), r))


arctan2: Op = builtin(
    "arctan2",
    np.arctan2,
    pullback=(
        lambda g, y, a, b: _quotients(g, b, hypot(a, b)),
        lambda g, y, a, b: -_quotients(g, a, hypot(a, b)),
    ),
    symbol="atan2(x, y)",
    notation=r"\operatorname{{atan2}}({0}, {1})",
    domain=(0.3, 3),
)

FUNCTIONS.update(asin=arcsin, acos=arccos, atan=arctan, atan2=arctan2, asinh=arcsinh, acosh=arccosh, atanh=arctanh)
