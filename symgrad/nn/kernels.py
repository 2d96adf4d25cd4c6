"""The formulas that layers run: the one place that chooses between composed and derived kernels."""

from __future__ import annotations

from typing import Any

from symgrad import derived
from symgrad.ops.reduction import sum

__all__ = ["batch_norm"]


def batch_norm(z: Any, gamma: Any, beta: Any, eps: float) -> tuple[Any, Any, Any]:
    r"""Normalised :math:`\hat z` by the derived kernel, and the batch's :math:`\mu_B` and (biased) :math:`\sigma_B^2`.

    The statistics repeat nodes of the kernel, which a plan merges.
    """
    mu = sum(z, 0) / z.shape[0]
    deviation = z - mu
    return derived.batch_norm(z, gamma, beta, eps=eps), mu, sum(deviation**2, 0) / z.shape[0]
