"""Special functions: error functions, gamma functions, Bessel functions, entropy.

Their forwards are SciPy's, loaded at the first call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symgrad.constants import ROOT_HALF, TWO_OVER_ROOT_PI
from symgrad.op import Op, builtin
from symgrad.ops.arithmetic import div0, mul0
from symgrad.ops.exponential import log
from symgrad.ops.piecewise import sign

__all__ = ["entr", "erf", "erfc", "erfcx", "erfinv", "gamma", "gammaln", "gauss", "ive", "ndtri", "polygamma",
           "spherical_jn"]  # fmt: skip


def _scipy(name: str) -> Callable[..., Any]:
    """SciPy's function of this name, in the element type of the last argument."""

    def forward(*xs: Any) -> Any:
        from scipy import special

        y = getattr(special, name)(*xs)
        kind = getattr(xs[-1], "dtype", y.dtype)
        return y if y.dtype == kind or kind.kind != "f" else y.astype(kind)

    return forward


def _spherical_jn(n: Any, x: Any) -> Any:
    """The power series where its terms fall fast, :math:`x^2 < 2 n + 3`; SciPy's recurrence loses digits there."""
    from scipy.special import spherical_jn

    n, size = np.maximum(n, 0).astype(int), np.abs(x)
    near = np.square(size) < 2 * n + 3
    term = np.where(near, 1.0, 0.0)
    for m in range(1, int(np.max(n, initial=0)) + 1):
        term = term * np.where(near & (m <= n), size / (2 * m + 1), 1.0)
    series = term
    for k in range(1, 17):
        term = term * np.where(near, -np.square(size), 0.0) / (2 * k * (2 * n + 2 * k + 1))
        series = series + term
    y = np.where(near, series, spherical_jn(n, np.where(near, 1.0, size)))
    return np.asarray(np.where(np.signbit(x) & (np.mod(n, 2) == 1), -y, y), getattr(x, "dtype", None))


# Error functions

gauss: Op = builtin("gauss", lambda x: float(TWO_OVER_ROOT_PI) * np.exp(-np.square(x)),
                    pullback=(lambda g, y, x: mul0(g, -2 * (x * y)),), symbol="2*exp(-x**2)/sqrt(pi)",
                    notation=r"\tfrac{{2}}{{\sqrt\pi}} e^{{-{0}^2}}")  # fmt: skip

erf: Op = builtin("erf", _scipy("erf"), pullback=(lambda g, y, x: g * gauss(x),), symbol="erf",
                  notation=r"\operatorname{{erf}}({0})", domain=(-4, 4))  # fmt: skip

erfc: Op = builtin("erfc", _scipy("erfc"), pullback=(lambda g, y, x: -(g * gauss(x)),), symbol="erfc",
                   notation=r"\operatorname{{erfc}}({0})", domain=(-4, 4))  # fmt: skip

erfcx: Op = builtin("erfcx", _scipy("erfcx"), pullback=(lambda g, y, x: mul0(g, 2 * mul0(x, y) - TWO_OVER_ROOT_PI),),
                    symbol="exp(x**2)*erfc(x)", notation=r"\operatorname{{erfcx}}({0})", domain=(-2, 3))  # fmt: skip

erfinv: Op = builtin("erfinv", _scipy("erfinv"), pullback=(lambda g, y, x: div0(g, gauss(y)),), symbol="erfinv",
                     notation=r"\operatorname{{erf}}^{{-1}}({0})", domain=(-0.95, 0.95))  # fmt: skip

ndtri: Op = builtin("ndtri", _scipy("ndtri"), pullback=(lambda g, y, x: div0(g, gauss(y * ROOT_HALF) * ROOT_HALF / 2),),
                    symbol="sqrt(2)*erfinv(2*x - 1)", notation=r"\Phi^{{-1}}({0})", domain=(0.05, 0.95))  # fmt: skip

# Gamma functions

polygamma: Op = builtin("polygamma", _scipy("polygamma"), orders=(0,),
                        pullback=(None, lambda g, y, n, x: mul0(g, polygamma(n + 1, x))),
                        symbol="polygamma(x, y)", notation=r"\psi^{{({0})}}({1})", domain=(0.3, 4))  # fmt: skip

gammaln: Op = builtin("gammaln", _scipy("gammaln"), pullback=(lambda g, y, x: mul0(g, polygamma(0, x)),),
                      symbol="loggamma", notation=r"\ln |\Gamma({0})|", domain=(2.2, 6))  # fmt: skip

gamma: Op = builtin("gamma", _scipy("gamma"), pullback=(lambda g, y, x: mul0(g, mul0(y, polygamma(0, x))),),
                    symbol="gamma", notation=r"\Gamma({0})", domain=(0.3, 4))  # fmt: skip

# Bessel functions

ive: Op = builtin("ive", _scipy("ive"),
                  pullback=(None, lambda g, y, n, x: mul0(g, (ive(n - 1, x) + ive(n + 1, x)) / 2 - sign(x) * y)),
                  orders=(0,), symbol="besseli(x, y)*exp(-Abs(y))", notation=r"e^{{-|{1}|}} I_{{{0}}}({1})",
                  pieces=("y > 0", "y < 0"))  # fmt: skip

spherical_jn: Op = builtin(
    "spherical_jn",
    _spherical_jn,
    pullback=(
        None,
        lambda g, y, n, x: mul0(g, (n * spherical_jn(n - 1, x) - (n + 1) * spherical_jn(n + 1, x)) / (2 * n + 1)),
    ),
    orders=(0,),
    symbol="jn(x, y)",
    domain=((0, 3), (0.5, 8)),
    notation=r"j_{{{0}}}({1})",
)

entr: Op = builtin("entr", _scipy("entr"), pullback=(lambda g, y, x: mul0(g, -1 - log(x)),), symbol="-x*log(x)",
                   notation=r"-{0} \ln {0}", domain=(0.2, 4))  # fmt: skip
