r"""Running means of the gradient over the root of running means of its square: Adam and its kin.

Corrections such as :math:`1 / (1 - \beta^t)` are multiplied into the rate and into :math:`\epsilon`, which are single
numbers, wherever the formula allows it.
"""

from __future__ import annotations

from typing import Any

from symgrad.ops.arithmetic import sqrt
from symgrad.ops.piecewise import abs, maximum, sign, where
from symgrad.optim.rules.declare import mean, rule

__all__ = ["adabelief", "adam", "adamax", "adan", "nadam", "radam", "yogi"]


def adam(
    theta: Any,
    g: Any,
    m: Any,
    v: Any,
    t: Any,
    largest: Any = None,
    *,
    lr: Any,
    beta1: Any,
    beta2: Any,
    eps: Any,
    eps_mode: str = "corrected",
    amsgrad: str = "raw",
    nesterov: bool = False,
) -> Any:
    r"""Adam: steps of the bias-corrected mean of g over the root of the mean of its square.

    .. math::
        m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \quad
        \theta \leftarrow \theta - \eta\, \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon}

    With ``eps_mode="hat"`` epsilon is added to :math:`\sqrt v`, before the correction. AMSGrad puts the largest v so
    far for v, raw or corrected. Nesterov's form puts
    :math:`\beta_1 m / (1 - \beta_1^{t+1}) + (1 - \beta_1) g / (1 - \beta_1^t)` for the corrected m.

    References
    ----------
    D. P. Kingma and J. Ba, "Adam", ICLR 2015, algorithm 1 and the end of section 2; S. Reddi et al., "On the
    convergence of Adam and beyond", ICLR 2018.
    """
    t = t + 1
    m = mean(m, g, beta1)
    v = mean(v, g * g, beta2)
    correction = sqrt(1 - beta2**t)
    s = v
    if largest is not None:
        largest = maximum(largest, v if amsgrad == "raw" else v / (1 - beta2**t))
        s = largest
    ahead = m
    if nesterov:
        ahead = beta1 * (1 - beta1**t) / (1 - beta1 ** (t + 1)) * m + (1 - beta1) * g
    if largest is not None and amsgrad == "corrected":
        return theta - lr / (1 - beta1**t) * (ahead / (sqrt(s) + eps)), m, v, t, largest
    rate = lr * correction / (1 - beta1**t)
    return theta - rate * (ahead / (sqrt(s) + (eps if eps_mode == "hat" else eps * correction))), m, v, t, largest


def adamax(
    theta: Any, g: Any, m: Any, u: Any, t: Any, *, lr: Any, beta1: Any, beta2: Any, eps: Any, eps_mode: str = "inside"
) -> Any:
    r"""Adam in the infinity norm: the largest decayed gradient is the denominator.

    .. math::
        m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad u \leftarrow \max(\beta_2 u, |g| + \epsilon), \quad
        \theta \leftarrow \theta - \frac{\eta}{1 - \beta_1^t} \frac{m}{u}

    With ``eps_mode="outside"`` epsilon is added to u, not to the gradient.

    References
    ----------
    D. P. Kingma and J. Ba, "Adam", ICLR 2015, algorithm 2.
    """
    t = t + 1
    m = mean(m, g, beta1)
    u = maximum(beta2 * u, abs(g) + eps if eps_mode == "inside" else abs(g))
    return theta - lr / (1 - beta1**t) * (m / (u if eps_mode == "inside" else u + eps)), m, u, t


@rule(scalars=("t", "product"), start={"product": 1.0})
def nadam(
    theta: Any,
    g: Any,
    m: Any,
    v: Any,
    t: Any,
    product: Any,
    *,
    lr: Any,
    beta1: Any,
    beta2: Any,
    eps: Any,
    momentum_decay: Any,
) -> Any:
    r"""Adam with Nesterov's momentum, whose strength grows with t.

    .. math::
        \mu_t = \beta_1 (1 - \tfrac12 \cdot 0.96^{\psi t}), \quad
        \theta \leftarrow \theta - \eta\, \frac{\dfrac{(1 - \mu_t)\, g}{1 - \prod_{i \le t} \mu_i}
        + \dfrac{\mu_{t+1}\, m}{1 - \prod_{i \le t+1} \mu_i}}{\sqrt{v / (1 - \beta_2^t)} + \epsilon}

    with m and v as in `adam`.

    References
    ----------
    T. Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop 2016.
    """
    t = t + 1
    m = mean(m, g, beta1)
    v = mean(v, g * g, beta2)
    mu = beta1 * (1 - 0.5 * 0.96 ** (momentum_decay * t))
    following = beta1 * (1 - 0.5 * 0.96 ** (momentum_decay * (t + 1)))
    product = product * mu
    step = (1 - mu) / (1 - product) * g + following / (1 - product * following) * m
    correction = sqrt(1 - beta2**t)
    return theta - lr * correction * (step / (sqrt(v) + eps * correction)), m, v, t, product


def radam(
    theta: Any, g: Any, m: Any, v: Any, t: Any, *, lr: Any, beta1: Any, beta2: Any, eps: Any, eps_mode: str = "hat"
) -> Any:
    r"""Rectified Adam: no denominator until its variance is finite.

    .. math::
        \rho_\infty = \frac{2}{1 - \beta_2} - 1, \quad
        \rho = \rho_\infty - \frac{2 t \beta_2^t}{1 - \beta_2^t}, \quad
        r = \sqrt{\frac{(\rho - 4)(\rho - 2)\, \rho_\infty}{(\rho_\infty - 4)(\rho_\infty - 2)\, \rho}}

    .. math::
        \theta \leftarrow \theta - \eta\, \frac{m}{1 - \beta_1^t}
        \begin{cases} r \sqrt{1 - \beta_2^t} / (\sqrt{v} + \epsilon) & \rho > 5 \\ 1 & \text{otherwise} \end{cases}

    with m and v as in `adam`; ``eps_mode="corrected"`` adds epsilon to the corrected root.

    References
    ----------
    L. Liu et al., "On the variance of the adaptive learning rate and beyond", ICLR 2020.
    """
    t = t + 1
    m = mean(m, g, beta1)
    v = mean(v, g * g, beta2)
    power = beta2**t
    longest = 2 / (1 - beta2) - 1
    rho = longest - 2 * t * power / (1 - power)
    safe = where(rho > 5, rho, 5.0)
    r = sqrt((safe - 4) * (safe - 2) * longest / ((longest - 4) * (longest - 2) * safe))
    correction = sqrt(1 - power)
    adapted = r * correction / (sqrt(v) + (eps if eps_mode == "hat" else eps * correction))
    return theta - lr / (1 - beta1**t) * (m * where(rho > 5, adapted, 1.0)), m, v, t


@rule(start={"m": 1e-6, "v": 1e-6})
def yogi(theta: Any, g: Any, m: Any, v: Any, t: Any, *, lr: Any, beta1: Any, beta2: Any, eps: Any) -> Any:
    r"""Adam with a denominator that changes by at most :math:`(1 - \beta_2) g^2`.

    .. math:: v \leftarrow v - (1 - \beta_2) \operatorname{sign}(v - g^2)\, g^2

    and the rest as in `adam`. The means start at a small number.

    References
    ----------
    M. Zaheer et al., "Adaptive methods for nonconvex optimization", NeurIPS 2018.
    """
    t = t + 1
    square = g * g
    m = mean(m, g, beta1)
    v = v - (1 - beta2) * (sign(v - square) * square)
    correction = sqrt(1 - beta2**t)
    return theta - lr * correction / (1 - beta1**t) * (m / (sqrt(v) + eps * correction)), m, v, t


def adabelief(
    theta: Any, g: Any, m: Any, s: Any, t: Any, *, lr: Any, beta1: Any, beta2: Any, eps: Any, eps_root: Any
) -> Any:
    r"""Adam over the mean square of the surprise :math:`g - m`.

    .. math::
        s \leftarrow \beta_2 s + (1 - \beta_2)(g - m)^2 + \epsilon_r, \quad
        \theta \leftarrow \theta - \eta\, \frac{m / (1 - \beta_1^t)}{\sqrt{s / (1 - \beta_2^t)} + \epsilon}

    with m as in `adam`, the new one.

    References
    ----------
    J. Zhuang et al., "AdaBelief optimizer", NeurIPS 2020.
    """
    t = t + 1
    m = mean(m, g, beta1)
    surprise = g - m
    s = mean(s, surprise * surprise, beta2) + eps_root
    correction = sqrt(1 - beta2**t)
    return theta - lr * correction / (1 - beta1**t) * (m / (sqrt(s) + eps * correction)), m, s, t


def adan(
    theta: Any,
    g: Any,
    m: Any,
    d: Any,
    n: Any,
    previous: Any,
    t: Any,
    *,
    lr: Any,
    beta1: Any,
    beta2: Any,
    beta3: Any,
    eps: Any,
) -> Any:
    r"""Nesterov's momentum from differences of gradients, adapted.

    .. math::
        m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad
        d \leftarrow \beta_2 d + (1 - \beta_2)(g - g'), \quad
        n \leftarrow \beta_3 n + (1 - \beta_3) (g + \beta_2 (g - g'))^2

    .. math::
        \theta \leftarrow \theta - \eta\, \frac{m / (1 - \beta_1^t) + \beta_2\, d / (1 - \beta_2^t)}
        {\sqrt{n / (1 - \beta_3^t)} + \epsilon}

    Here :math:`g'` is the gradient of the step before (at the first step g itself). The betas are shares kept, one
    less those of the paper.

    References
    ----------
    X. Xie et al., "Adan: adaptive Nesterov momentum algorithm", TPAMI 2024, algorithm 1.
    """
    change = where(t == 0, 0.0, g - previous)
    t = t + 1
    m, d = mean(m, g, beta1), mean(d, change, beta2)
    ahead = g + beta2 * change
    n = mean(n, ahead * ahead, beta3)
    step = m / (1 - beta1**t) + beta2 / (1 - beta2**t) * d
    correction = sqrt(1 - beta3**t)
    return theta - lr * correction * (step / (sqrt(n) + eps * correction)), m, d, n, g, t
