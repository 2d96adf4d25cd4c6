"""Gradient descent, momentum, and steps of the sign alone."""

from __future__ import annotations

from typing import Any

from symgrad.ops.piecewise import sign, where
from symgrad.optim.rules.declare import mean, rule

__all__ = ["lion", "momentum", "momentum_lecture", "nesterov", "nesterov_ahead", "nesterov_lecture", "sgd", "signum"]


def sgd(theta: Any, g: Any, *, lr: Any) -> Any:
    r"""Gradient descent.

    .. math:: \theta \leftarrow \theta - \eta g

    Examples
    --------
    >>> import symgrad as sg
    >>> from symgrad.optim import rules
    >>> (theta,) = rules.sgd(1.0, 0.5, lr=0.1)
    >>> theta
    0.95
    >>> sg.grad(lambda lr: rules.sgd(1.0, 0.5, lr=lr)[0])(0.1)
    array(-0.5)
    """
    return (theta - lr * g,)


def momentum(theta: Any, g: Any, v: Any, t: Any = None, *, lr: Any, momentum: Any, dampening: Any = 0.0) -> Any:
    r"""Heavy ball, with the rate outside of the velocity.

    .. math:: v \leftarrow \beta v + (1 - d)\, g, \quad \theta \leftarrow \theta - \eta v

    The first velocity is g itself, undampened.

    References
    ----------
    B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.
    """
    if t is None:
        v = momentum * v + g
    else:
        v, t = where(t == 0, g, momentum * v + (1 - dampening) * g), t + 1
    return theta - lr * v, v, t


def nesterov(theta: Any, g: Any, v: Any, *, lr: Any, momentum: Any) -> Any:
    r"""Nesterov's momentum in the shifted form.

    .. math:: v \leftarrow \beta v + g, \quad \theta \leftarrow \theta - \eta (g + \beta v)

    Theta is the look-ahead point :math:`\theta - \eta \beta v` of the textbook form, where g is taken.

    References
    ----------
    I. Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013.
    """
    v = momentum * v + g
    return theta - lr * (g + momentum * v), v


def momentum_lecture(theta: Any, g: Any, v: Any, *, lr: Any, momentum: Any) -> Any:
    r"""Heavy ball with the rate inside the velocity.

    .. math:: v \leftarrow \beta v - \eta g, \quad \theta \leftarrow \theta + v

    Equal to `momentum` for a constant rate, not under a schedule.
    """
    v = momentum * v - lr * g
    return theta + v, v


def nesterov_lecture(theta: Any, g: Any, v: Any, *, lr: Any, momentum: Any) -> Any:
    r"""Nesterov's momentum in the shifted form, with the rate inside the velocity.

    .. math:: v \leftarrow \beta v - \eta g, \quad \theta \leftarrow \theta + \beta v - \eta g
    """
    step = lr * g
    v = momentum * v - step
    return theta + momentum * v - step, v


@rule(point=lambda theta, v, *, lr, momentum: theta + momentum * v)
def nesterov_ahead(theta: Any, g: Any, v: Any, *, lr: Any, momentum: Any) -> Any:
    r"""Nesterov's momentum as it is told: step, take the gradient there, correct.

    .. math:: v \leftarrow \beta v - \eta \nabla L(\theta + \beta v), \quad \theta \leftarrow \theta + v

    The formula is that of `momentum_lecture`; only the point where g is taken is another, so the optimizer needs a
    closure that computes the gradient there.

    References
    ----------
    Y. Nesterov, "A method for solving the convex programming problem with convergence rate O(1/k^2)", 1983.
    """
    return momentum_lecture(theta, g, v, lr=lr, momentum=momentum)


def signum(theta: Any, g: Any, v: Any, *, lr: Any, momentum: Any) -> Any:
    r"""Steps of the sign of the mean gradient; without momentum signSGD.

    .. math:: v \leftarrow \beta v + (1 - \beta) g, \quad \theta \leftarrow \theta - \eta \operatorname{sign}(v)

    References
    ----------
    J. Bernstein et al., "signSGD", ICML 2018.
    """
    v = mean(v, g, momentum)
    return theta - lr * sign(v), v


def lion(theta: Any, g: Any, m: Any, *, lr: Any, beta1: Any, beta2: Any) -> Any:
    r"""Steps of the sign of an interpolation of momentum and gradient.

    .. math::
        \theta \leftarrow \theta - \eta \operatorname{sign}(\beta_1 m + (1 - \beta_1) g), \quad
        m \leftarrow \beta_2 m + (1 - \beta_2) g

    References
    ----------
    X. Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023.
    """
    return theta - lr * sign(mean(m, g, beta1)), mean(m, g, beta2)
