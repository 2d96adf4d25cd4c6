"""Resilient propagation: step sizes of their own for all parameters, from the signs of their gradients.

For full batches: the sign of a minibatch's gradient is noise. A product of signs that is 0 leaves a step size as it is.
"""

from __future__ import annotations

from typing import Any

from symgrad.ops.piecewise import clip, logical_and, sign, where
from symgrad.optim.rules.declare import rule

__all__ = ["irprop_minus", "irprop_plus", "rprop_lecture", "rprop_minus", "rprop_plus"]


def sized(size: Any, agreement: Any, lr: Any, eta_minus: Any, eta_plus: Any, step_min: Any, step_max: Any) -> Any:
    """The step size: the rate at first, longer while signs agree, shorter where they differ, within limits if any."""
    size = where(size > 0, size, lr) * where(agreement > 0, eta_plus, where(agreement < 0, eta_minus, 1.0))
    return size if step_min is None and step_max is None else clip(size, step_min, step_max)


def rprop_lecture(
    theta: Any,
    g: Any,
    size: Any,
    direction: Any,
    *,
    lr: Any,
    eta_minus: Any,
    eta_plus: Any,
    step_min: Any = None,
    step_max: Any = None,
) -> Any:
    r"""Rprop with backtracking: undo a step over a minimum, and take it again shorter.

    .. math::
        \Delta, s, \theta \leftarrow \begin{cases}
        \min(\eta^+ \Delta, \Delta_{\max}),\; \operatorname{sign} g,\; \theta - s \Delta & s g > 0 \\
        \max(\eta^- \Delta, \Delta_{\min}),\; s,\; \theta + s \Delta' - s \Delta & s g < 0 \\
        \Delta,\; \operatorname{sign} g,\; \theta - s \Delta & s g = 0 \end{cases}

    s is the sign that the last step followed, and :math:`\Delta'` its size, held apart from the sign: a clamp of
    the signed step would lose it, and a gradient of 0 would stop a parameter for ever. The first size is the rate.
    """
    agreement = direction * sign(g)
    over = agreement < 0
    longer = sized(size, agreement, lr, eta_minus, eta_plus, step_min, step_max)
    following = where(over, direction, sign(g))
    return theta + where(over, direction * size, 0.0) - following * longer, longer, following


def rprop_minus(
    theta: Any,
    g: Any,
    previous: Any,
    size: Any,
    *,
    lr: Any,
    eta_minus: Any,
    eta_plus: Any,
    step_min: Any,
    step_max: Any,
) -> Any:
    r"""Rprop without backtracking.

    .. math::
        \Delta \leftarrow \operatorname{clip}(\Delta \cdot (\eta^+ \text{ or } \eta^-)), \quad
        \theta \leftarrow \theta - \operatorname{sign}(g)\, \Delta

    The factor is :math:`\eta^+` where g has the sign of the step before, :math:`\eta^-` where it has the other.

    References
    ----------
    M. Riedmiller, "Advanced supervised learning in multi-layer perceptrons", 1994.
    """
    size = sized(size, sign(g) * sign(previous), lr, eta_minus, eta_plus, step_min, step_max)
    return theta - sign(g) * size, g, size


def irprop_minus(
    theta: Any,
    g: Any,
    previous: Any,
    size: Any,
    *,
    lr: Any,
    eta_minus: Any,
    eta_plus: Any,
    step_min: Any,
    step_max: Any,
) -> Any:
    r"""As `rprop_minus`, but no step, and no memory of g, where its sign has changed; torch's Rprop.

    .. math:: g \leftarrow 0 \text{ where } g g' < 0, \quad \theta \leftarrow \theta - \operatorname{sign}(g)\, \Delta

    References
    ----------
    C. Igel and M. Hüsken, "Improving the Rprop learning algorithm", 2000.
    """
    agreement = sign(g) * sign(previous)
    size = sized(size, agreement, lr, eta_minus, eta_plus, step_min, step_max)
    g = where(agreement < 0, 0.0, g)
    return theta - sign(g) * size, g, size


def rprop_plus(
    theta: Any,
    g: Any,
    previous: Any,
    size: Any,
    step: Any,
    *,
    lr: Any,
    eta_minus: Any,
    eta_plus: Any,
    step_min: Any,
    step_max: Any,
) -> Any:
    r"""Rprop with weight backtracking: the last step is undone where the sign has changed.

    .. math::
        u \leftarrow \begin{cases} -u & g g' < 0 \\ -\operatorname{sign}(g)\, \Delta & \text{otherwise}
        \end{cases}, \quad \theta \leftarrow \theta + u, \quad g' \leftarrow 0 \text{ where it was undone}

    References
    ----------
    M. Riedmiller and H. Braun, "A direct adaptive method for faster backpropagation learning", ICNN 1993.
    """
    agreement = sign(g) * sign(previous)
    size = sized(size, agreement, lr, eta_minus, eta_plus, step_min, step_max)
    step = where(agreement < 0, -step, -sign(g) * size)
    return theta + step, where(agreement < 0, 0.0, g), size, step


@rule(start={"error": float("inf")}, scalars=("error",))
def irprop_plus(
    theta: Any,
    g: Any,
    previous: Any,
    size: Any,
    step: Any,
    error: Any,
    *,
    loss: Any,
    lr: Any,
    eta_minus: Any,
    eta_plus: Any,
    step_min: Any,
    step_max: Any,
) -> Any:
    r"""As `rprop_plus`, but a step is undone only if the loss has risen.

    .. math::
        u \leftarrow \begin{cases} -u & g g' < 0 \text{ and } L > L' \\ 0 & g g' < 0 \text{ and } L \le L' \\
        -\operatorname{sign}(g)\, \Delta & \text{otherwise} \end{cases}

    The optimizer's ``step`` needs the loss: ``optimizer.step(loss=loss)``, or a closure that returns it.

    References
    ----------
    C. Igel and M. Hüsken, "Improving the Rprop learning algorithm", 2000.
    """
    agreement = sign(g) * sign(previous)
    size = sized(size, agreement, lr, eta_minus, eta_plus, step_min, step_max)
    undone = where(logical_and(agreement < 0, loss > error), -step, 0.0)
    step = where(agreement < 0, undone, -sign(g) * size)
    return theta + step, where(agreement < 0, 0.0, g), size, step, loss
