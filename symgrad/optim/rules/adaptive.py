"""A rate for every parameter, from the squares of its gradients."""

from __future__ import annotations

from typing import Any

from symgrad.ops.arithmetic import sqrt
from symgrad.ops.piecewise import clip
from symgrad.optim.rules.declare import mean, rule

__all__ = ["adadelta", "adagrad", "ftrl", "rmsprop"]


def root(s: Any, eps: Any, eps_mode: str) -> Any:
    r"""The denominator: :math:`\sqrt s + \epsilon` outside, or :math:`\sqrt{s + \epsilon}` inside."""
    return sqrt(s + eps) if eps_mode == "inside" else sqrt(s) + eps


def adagrad(
    theta: Any, g: Any, s: Any, t: Any, *, lr: Any, eps: Any, lr_decay: Any = 0.0, eps_mode: str = "outside"
) -> Any:
    r"""Rates that shrink with the sum of squared gradients.

    .. math::
        s \leftarrow s + g^2, \quad
        \theta \leftarrow \theta - \frac{\eta}{1 + \delta\, t} \frac{g}{\sqrt{s} + \epsilon}

    Here t counts from 0.

    References
    ----------
    J. Duchi, E. Hazan and Y. Singer, "Adaptive subgradient methods", JMLR 12:2121-2159, 2011.
    """
    s = s + g * g
    return theta - lr / (1 + lr_decay * t) * (g / root(s, eps, eps_mode)), s, t + 1


def adadelta(theta: Any, g: Any, s: Any, d: Any, *, lr: Any, rho: Any, eps: Any) -> Any:
    r"""Steps in the units of the parameters: the mean square step over the mean square gradient.

    .. math::
        s \leftarrow \rho s + (1 - \rho) g^2, \quad
        u = \frac{\sqrt{d + \epsilon}}{\sqrt{s + \epsilon}}\, g, \quad
        d \leftarrow \rho d + (1 - \rho) u^2, \quad \theta \leftarrow \theta - \eta u

    References
    ----------
    M. D. Zeiler, "ADADELTA", arXiv:1212.5701, algorithm 1.
    """
    s = mean(s, g * g, rho)
    u = sqrt(d + eps) / sqrt(s + eps) * g
    return theta - lr * u, s, mean(d, u * u, rho)


def rmsprop(
    theta: Any,
    g: Any,
    s: Any,
    a: Any = None,
    v: Any = None,
    *,
    lr: Any,
    alpha: Any,
    eps: Any,
    momentum: Any = 0.0,
    eps_mode: str = "outside",
    lr_in_velocity: bool = False,
) -> Any:
    r"""The gradient over the root of its mean square.

    .. math::
        s \leftarrow \alpha s + (1 - \alpha) g^2, \quad
        \theta \leftarrow \theta - \eta \frac{g}{\sqrt{s} + \epsilon}

    Centred, :math:`s - a^2` stands for s, where a is the mean of g; with momentum the fraction enters a velocity,
    multiplied by the rate inside of it or outside.

    References
    ----------
    T. Tieleman and G. Hinton, "Lecture 6.5: rmsprop", 2012; A. Graves, arXiv:1308.0850, for the centred form.
    """
    s = mean(s, g * g, alpha)
    variance = s
    if a is not None:
        a = mean(a, g, alpha)
        variance = s - a * a
    step = g / root(variance, eps, eps_mode)
    if v is None:
        return theta - lr * step, s, a, v
    v = momentum * v + (lr * step if lr_in_velocity else step)
    return theta - (v if lr_in_velocity else lr * v), s, a, v


@rule(start={"s": 0.1})
def ftrl(theta: Any, g: Any, s: Any, z: Any, *, lr: Any, l1: Any = 0.0, l2: Any = 0.0, beta: Any = 0.0) -> Any:
    r"""Follow the regularised leader, proximal form: exact zeros for :math:`\lambda_1 > 0`.

    .. math::
        z \leftarrow z + g - \frac{\sqrt{s + g^2} - \sqrt{s}}{\eta}\, \theta, \quad s \leftarrow s + g^2, \quad
        \theta \leftarrow \frac{\operatorname{clip}(z, -\lambda_1, \lambda_1) - z}
        {(\beta + \sqrt{s}) / \eta + 2 \lambda_2}

    References
    ----------
    H. B. McMahan et al., "Ad click prediction: a view from the trenches", KDD 2013, algorithm 1; the 2 is Keras's.
    """
    total = s + g * g
    z = z + g - (sqrt(total) - sqrt(s)) / lr * theta
    return (clip(z, -l1, l1) - z) / ((beta + sqrt(total)) / lr + 2 * l2), total, z
