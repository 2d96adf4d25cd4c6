"""Special functions under SciPy's names."""

from __future__ import annotations

from symgrad.functions.normalization import log_softmax, logsumexp, softmax
from symgrad.ops.exponential import erf
from symgrad.ops.exponential import sigmoid as expit

__all__ = ["erf", "expit", "log_softmax", "logsumexp", "softmax"]
