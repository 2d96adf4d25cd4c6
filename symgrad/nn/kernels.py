"""The formulas that layers run: the one place that chooses between composed and derived kernels."""

from __future__ import annotations

from typing import Any

from symgrad import derived

__all__ = ["batch_norm"]


def batch_norm(z: Any, gamma: Any, beta: Any, eps: float) -> tuple[Any, Any, Any]:
    r""":math:`\hat z` by the derived kernel, with the batch's :math:`\mu_B` and (biased) :math:`\sigma_B^2`."""
    z_hat, (_, _, mu, sigma2, *_) = derived.batch_norm(z, gamma, beta, eps=eps, saved=True)
    return z_hat, mu, sigma2
