"""Compositions of ops: ordinary symgrad functions, each formula written once."""

from symgrad.functions import elementwise, order, scans, special
from symgrad.functions.normalization import batch_norm, layer_norm, log_softmax, logsumexp, rms_norm, softmax
from symgrad.functions.norms import norm, vector_norm
from symgrad.functions.statistics import prod, std, var

__all__ = [
    "batch_norm",
    "elementwise",
    "layer_norm",
    "log_softmax",
    "logsumexp",
    "norm",
    "order",
    "prod",
    "rms_norm",
    "scans",
    "softmax",
    "special",
    "std",
    "var",
    "vector_norm",
]
