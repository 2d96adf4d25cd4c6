"""Compositions of ops: ordinary symgrad functions, each formula written once."""

from symgrad.functions.losses import cross_entropy, mse
from symgrad.functions.normalization import batch_norm, layer_norm, log_softmax, logsumexp, rms_norm, softmax
from symgrad.functions.statistics import norm, prod, std, var

__all__ = [
    "batch_norm",
    "cross_entropy",
    "layer_norm",
    "log_softmax",
    "logsumexp",
    "mse",
    "norm",
    "prod",
    "rms_norm",
    "softmax",
    "std",
    "var",
]
