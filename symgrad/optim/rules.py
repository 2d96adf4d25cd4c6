r"""Update rules: each formula written once, as a function of Tensors or arrays.

A rule takes the parameters :math:`\theta`, their gradient g, its state (further positional arguments) and its
hyperparameters (keyword arguments), and returns the new parameters and the new state in the same order. The
signature is the declaration that `symgrad.optim.Optimizer` reads. State starts at 0; a state called ``t`` is one
number (the count of steps), any other has the shape of theta.
"""

from __future__ import annotations

from typing import Any

from symgrad.ops.arithmetic import sqrt

__all__ = ["adam", "momentum", "momentum_lecture", "nesterov", "nesterov_lecture", "sgd"]


def decayed(theta: Any, g: Any, weight_decay: Any) -> Any:
    r"""The gradient with that of the penalty :math:`\frac{\lambda}{2} \lVert \theta \rVert^2`; none for a literal 0."""
    return g if isinstance(weight_decay, int | float) and weight_decay == 0 else g + weight_decay * theta


def sgd(theta: Any, g: Any, *, lr: Any, weight_decay: Any = 0.0) -> Any:
    r"""Gradient descent :math:`\theta \leftarrow \theta - \eta\,(g + \lambda \theta)`.

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
    return (theta - lr * decayed(theta, g, weight_decay),)


def momentum(theta: Any, g: Any, v: Any, *, lr: Any, momentum: Any, weight_decay: Any = 0.0) -> Any:
    r"""Heavy ball, as in torch: :math:`v \leftarrow \beta v + g`, :math:`\theta \leftarrow \theta - \eta v`.

    References
    ----------
    B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.
    """
    v = momentum * v + decayed(theta, g, weight_decay)
    return theta - lr * v, v


def nesterov(theta: Any, g: Any, v: Any, *, lr: Any, momentum: Any, weight_decay: Any = 0.0) -> Any:
    r"""Nesterov's momentum: :math:`v \leftarrow \beta v + g`, :math:`\theta \leftarrow \theta - \eta (g + \beta v)`.

    As in torch; theta is the look-ahead point :math:`\theta - \eta \beta v` of the textbook form, where g is taken.

    References
    ----------
    I. Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013.
    """
    g = decayed(theta, g, weight_decay)
    v = momentum * v + g
    return theta - lr * (g + momentum * v), v


def momentum_lecture(theta: Any, g: Any, v: Any, *, lr: Any, momentum: Any, weight_decay: Any = 0.0) -> Any:
    r"""Heavy ball with the rate inside: :math:`v \leftarrow \beta v - \eta g`, :math:`\theta \leftarrow \theta + v`.

    Equal to `momentum` for a constant rate, not under a schedule.
    """
    v = momentum * v - lr * decayed(theta, g, weight_decay)
    return theta + v, v


def nesterov_lecture(theta: Any, g: Any, v: Any, *, lr: Any, momentum: Any, weight_decay: Any = 0.0) -> Any:
    r"""Nesterov's momentum with the rate inside.

    .. math:: v \leftarrow \beta v - \eta g, \quad \theta \leftarrow \theta + \beta v - \eta g
    """
    step = lr * decayed(theta, g, weight_decay)
    v = momentum * v - step
    return theta + momentum * v - step, v


def adam(
    theta: Any, g: Any, m: Any, v: Any, t: Any, *, lr: Any, beta1: Any, beta2: Any, eps: Any, weight_decay: Any = 0.0
) -> Any:
    r"""Adam: steps of the bias-corrected mean of g over the root of the mean of its square.

    .. math::
        m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \quad
        \theta \leftarrow \theta - \eta\, \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon}

    The corrections are multiplied into the rate and into :math:`\epsilon`, which are single numbers.

    References
    ----------
    D. P. Kingma and J. Ba, "Adam", ICLR 2015, algorithm 1 and the end of section 2.
    """
    g = decayed(theta, g, weight_decay)
    t = t + 1
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * (g * g)
    root = sqrt(1 - beta2**t)
    rate = lr * root / (1 - beta1**t)
    return theta - rate * (m / (sqrt(v) + eps * root)), m, v, t
