"""Averages of the parameters over time."""

from __future__ import annotations

from typing import Any

from symgrad.ops.piecewise import logical_and, maximum, where
from symgrad.optim.rules.declare import mean, rule

__all__ = ["asgd", "ema", "lookahead", "swa"]


@rule(scalars=("rate", "mu", "t"), start={"mu": 1.0})
def asgd(
    theta: Any, g: Any, average: Any, rate: Any, mu: Any, t: Any, *, lr: Any, lambd: Any, alpha: Any, t0: Any
) -> Any:
    r"""Descent with decaying rates, and the average of where it was.

    .. math::
        \theta \leftarrow (1 - \lambda \eta_t)\, \theta - \eta_t g, \quad
        a \leftarrow a + \mu_t (\theta - a), \quad
        \eta_1 = \eta, \quad \eta_{t+1} = \frac{\eta}{(1 + \lambda \eta t)^\alpha}, \quad
        \mu_{t+1} = \frac{1}{\max(1, t - t_0)}

    References
    ----------
    B. T. Polyak and A. B. Juditsky, "Acceleration of stochastic approximation by averaging", 1992.
    """
    rate = where(t == 0, lr, rate)
    t = t + 1
    theta = theta * (1 - lambd * rate) - rate * g
    average = average + mu * (theta - average)
    return theta, average, lr / (1 + lambd * lr * t) ** alpha, 1 / maximum(t - t0, 1.0), t


@rule(follows=True)
def ema(theta: Any, average: Any, t: Any, *, decay: Any) -> Any:
    r"""The running mean of the parameters, which starts at the first.

    .. math:: a \leftarrow \beta a + (1 - \beta)\, \theta
    """
    return theta, where(t == 0, theta, mean(average, theta, decay)), t + 1


@rule(follows=True)
def swa(theta: Any, average: Any, t: Any, *, start: Any, every: Any) -> Any:
    r"""The plain mean of the parameters after steps s, s + e, s + 2 e, ...

    .. math:: a \leftarrow a + \frac{\theta - a}{n + 1}

    n is the number of parameters averaged so far.

    References
    ----------
    P. Izmailov et al., "Averaging weights leads to wider optima and better generalization", UAI 2018.
    """
    past = maximum(t - start, 0.0)
    taken = logical_and(t >= start, past % every == 0)
    return theta, where(taken, average + (theta - average) / (past // every + 1), average), t + 1


@rule(follows=True, start={"slow": "theta"})
def lookahead(theta: Any, slow: Any, t: Any, *, every: Any, alpha: Any) -> Any:
    r"""Slow weights, which every k steps go a part of the way to the fast ones, and the fast ones back to them.

    .. math:: \phi \leftarrow \phi + \alpha (\theta - \phi), \quad \theta \leftarrow \phi

    References
    ----------
    M. Zhang et al., "Lookahead optimizer: k steps forward, 1 step back", NeurIPS 2019.
    """
    t = t + 1
    due = t % every == 0
    moved = slow + alpha * (theta - slow)
    return where(due, moved, theta), where(due, moved, slow), t
