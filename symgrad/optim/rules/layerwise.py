"""Rules that compare the norm of a whole tensor with that of its step."""

from __future__ import annotations

from typing import Any

from symgrad.ops.arithmetic import sqrt
from symgrad.ops.piecewise import logical_and, where
from symgrad.ops.reduction import norm2, sum
from symgrad.optim.rules.declare import mean, rule

__all__ = ["lamb", "lars", "novograd"]


def trust(theta: Any, step: Any, eps: Any = 0.0) -> Any:
    r"""The ratio :math:`\lVert \theta \rVert / (\lVert u \rVert + \epsilon)`; 1 where a norm is 0."""
    weight, length = norm2(theta), norm2(step)
    known = logical_and(weight > 0, length > 0)
    return where(known, weight / where(known, length + eps, 1.0), 1.0)


@rule(per_tensor=True)
def lars(
    theta: Any,
    g: Any,
    v: Any,
    *,
    lr: Any,
    momentum: Any,
    trust_coefficient: Any,
    eps: Any = 0.0,
    nesterov: bool = False,
) -> Any:
    r"""Momentum with a rate for every tensor, in proportion to its norm.

    .. math::
        u = \eta\, c\, \frac{\lVert \theta \rVert}{\lVert g \rVert + \epsilon}\, g, \quad
        v \leftarrow \beta v + u, \quad \theta \leftarrow \theta - v

    The factor is :math:`\eta` alone where a norm is 0. Nesterov's form steps by :math:`u + \beta v`.

    References
    ----------
    Y. You, I. Gitman and B. Ginsburg, "Large batch training of convolutional networks", arXiv:1708.03888.
    """
    known = logical_and(norm2(theta) > 0, norm2(g) > 0)
    step = lr * where(known, trust_coefficient * trust(theta, g, eps), 1.0) * g
    v = momentum * v + step
    return theta - (step + momentum * v if nesterov else v), v


@rule(per_tensor=True)
def lamb(
    theta: Any,
    g: Any,
    m: Any,
    v: Any,
    t: Any,
    *,
    lr: Any,
    beta1: Any,
    beta2: Any,
    eps: Any,
    weight_decay: Any = 0.0,
) -> Any:
    r"""Adam's direction, as long as the tensor is.

    .. math::
        u = \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon} + \lambda \theta, \quad
        \theta \leftarrow \theta - \eta \frac{\lVert \theta \rVert}{\lVert u \rVert}\, u

    with m and v as in `adam`, and the factor :math:`\eta` alone where a norm is 0.

    References
    ----------
    Y. You et al., "Large batch optimization for deep learning", ICLR 2020, algorithm 2.
    """
    t = t + 1
    m = mean(m, g, beta1)
    v = mean(v, g * g, beta2)
    correction = sqrt(1 - beta2**t)
    step = correction / (1 - beta1**t) * (m / (sqrt(v) + eps * correction)) + weight_decay * theta
    return theta - lr * trust(theta, step) * step, m, v, t


@rule(per_tensor=True, scalars=("v", "t"))
def novograd(
    theta: Any, g: Any, m: Any, v: Any, t: Any, *, lr: Any, beta1: Any, beta2: Any, eps: Any, weight_decay: Any = 0.0
) -> Any:
    r"""Momentum of gradients that are divided by the root of the mean square norm of their tensor.

    .. math::
        v \leftarrow \beta_2 v + (1 - \beta_2) \lVert g \rVert^2, \quad
        m \leftarrow \beta_1 m + \frac{g}{\sqrt{v} + \epsilon} + \lambda \theta, \quad
        \theta \leftarrow \theta - \eta m

    The first v is :math:`\lVert g \rVert^2`.

    References
    ----------
    B. Ginsburg et al., "Stochastic gradient methods with layer-wise adaptive moments", arXiv:1905.11286.
    """
    square = sum(g * g)
    v = where(t == 0, square, mean(v, square, beta2))
    m = beta1 * m + g / (sqrt(v) + eps) + weight_decay * theta
    return theta - lr * m, m, v, t + 1
