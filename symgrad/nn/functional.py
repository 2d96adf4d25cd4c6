"""Functions under the names of torch.nn.functional."""

from __future__ import annotations

from symgrad.functions.losses import cross_entropy
from symgrad.functions.losses import mse as mse_loss
from symgrad.functions.normalization import log_softmax, softmax
from symgrad.ops.exponential import sigmoid, tanh
from symgrad.ops.piecewise import relu

__all__ = ["cross_entropy", "log_softmax", "mse_loss", "relu", "sigmoid", "softmax", "tanh"]
