"""Special functions under SciPy's names."""

from __future__ import annotations

from symgrad.functions.elementwise import logit, xlog1py, xlogy
from symgrad.functions.normalization import log_softmax, logsumexp, softmax
from symgrad.functions.special import (
    beta,
    betaln,
    digamma,
    erfcinv,
    factorial,
    i0,
    i0e,
    i1,
    i1e,
    iv,
    ive,
    log_ndtr,
    multigammaln,
    ndtr,
    polygamma,
    rel_entr,
    sinc,
    spherical_jn,
)
from symgrad.functions.special import digamma as psi
from symgrad.ops.arithmetic import cbrt
from symgrad.ops.exponential import expm1, log1p
from symgrad.ops.exponential import sigmoid as expit
from symgrad.ops.special import entr, erf, erfc, erfcx, erfinv, gamma, gammaln, ndtri

__all__ = ["beta", "betaln", "cbrt", "digamma", "entr", "erf", "erfc", "erfcinv", "erfcx", "erfinv", "expit", "expm1",
           "factorial", "gamma", "gammaln", "i0", "i0e", "i1", "i1e", "iv", "ive", "log1p", "log_ndtr", "log_softmax",
           "logit", "logsumexp", "multigammaln", "ndtr", "ndtri", "polygamma", "psi", "rel_entr", "sinc", "softmax",
           "spherical_jn", "xlog1py", "xlogy"]  # fmt: skip
