"""The formulas that layers run: the one place that chooses between composed and derived kernels."""

from __future__ import annotations

from typing import Any

from symgrad import functions
from symgrad.ops.layout import squeeze
from symgrad.ops.reduction import mean

__all__ = ["batch_norm"]


def batch_norm(z: Any, gamma: Any, beta: Any, eps: float) -> tuple[Any, Any, Any]:
    r"""Normalised :math:`\hat z`, and the statistics :math:`\mu_B` and (biased) :math:`\sigma_B^2` of the features.

    The statistics repeat nodes inside of `functions.batch_norm`, which a plan merges.
    """
    mu = mean(z, 0, keepdims=True)
    deviation = z - mu
    sigma2 = mean(deviation * deviation, 0, keepdims=True)
    return functions.batch_norm(z, gamma, beta, eps), squeeze(mu, 0), squeeze(sigma2, 0)
