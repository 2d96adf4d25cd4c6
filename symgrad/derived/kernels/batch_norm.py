"""Forward and backward of batchnorm, derived and proved by symgrad; do not edit.

Gradients, with g the cotangent of the output:

    dz = gamma*(B*g[i] - u[i]*Sum(g[j]*u[j], (j, 1, B)) - Sum(g[j], (j, 1, B)))/(B*sqrt(eps + sigma2))
    dgamma = Sum(g[j]*u[j], (j, 1, B))
    dbeta = Sum(g[j], (j, 1, B))
"""

from typing import Any

import numpy as np


def forward(z: Any, gamma: Any, beta: Any, eps: Any = 1e-05) -> Any:
    """The output, and what backward needs."""
    B = z.shape[0]
    s1 = z.sum(axis=0)
    mu = s1 / B
    c1 = z - mu
    s2 = (c1**2).sum(axis=0)
    sigma2 = s2 / B
    h_ = sigma2 + eps
    u = c1 / np.sqrt(h_)
    z_hat = gamma * u + beta
    return z_hat, (gamma, B, mu, sigma2, h_, u)


def backward(g: Any, saved: Any) -> Any:
    """The gradients of the arguments, in their order."""
    (gamma, B, mu, sigma2, h_, u) = saved
    t1 = g.sum(axis=0)
    t2 = np.einsum("i...,i...->...", g, u)
    dz = gamma / np.sqrt(h_) * (g - t1 / B - t2 / B * u)
    dgamma = t2
    dbeta = t1
    return (dz, dgamma, dbeta)
