"""Descent, with momentum or by signs: which rule, with which defaults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symgrad.errors import SymgradError
from symgrad.optim import rules
from symgrad.optim.groups import Recipe
from symgrad.optim.optimizer import Optimizer
from symgrad.optim.options import betas_of, is_zero, nonzero, one_of

__all__ = ["ASGD", "SGD", "Lion", "Rprop", "Signum"]


class SGD(Optimizer):
    """Gradient descent, with momentum if asked; what a minibatch holds decides whether it is stochastic.

    Parameters
    ----------
    params : iterable of Tensor
    lr : float
    momentum : float
        The share of the last step that is kept.
    nesterov : bool or "ahead"
        Take the gradient where momentum leads: in the shifted form, in which the parameters are that point; with
        "ahead" truly there, so that `step` needs a closure.
    dampening : float
        The share of later gradients that does not enter the velocity.
    lr_in_velocity : bool
        Multiply gradients by the rate as they enter the velocity (the lecture, Keras, scikit-learn), not as it leaves.

    Examples
    --------
    >>> import symgrad as sg
    >>> from symgrad import optim
    >>> w = sg.tensor(3.0, requires_grad=True)
    >>> optimizer = optim.SGD([w], lr=0.1, momentum=0.9)
    >>> for _ in range(100):
    ...     optimizer.zero_grad()
    ...     (w * w).backward()
    ...     optimizer.step()
    >>> abs(w.item()) < 0.05
    True
    """

    @staticmethod
    def configure(
        lr: Any = 1e-3,
        momentum: Any = 0.0,
        nesterov: bool | str = False,
        dampening: Any = 0.0,
        lr_in_velocity: bool = False,
    ) -> Recipe:
        """The rule for these options."""
        one_of("SGD", "nesterov", nesterov, (False, True, "ahead"))
        if is_zero(momentum):
            if nesterov or not is_zero(dampening):
                raise SymgradError("SGD: nesterov and dampening are kinds of momentum; pass momentum=, such as 0.9")
            return Recipe(rules.sgd, {"lr": lr})
        hyper = {"lr": lr, "momentum": momentum}
        if not is_zero(dampening):
            if nesterov or lr_in_velocity:
                raise SymgradError("SGD: dampening is of plain momentum, with the rate outside of the velocity")
            return Recipe(rules.momentum, {**hyper, "dampening": dampening}, state=("t",))
        rule = rules.nesterov_ahead if nesterov == "ahead" else _MOMENTUM[bool(nesterov), lr_in_velocity]
        return Recipe(rule, hyper)


_MOMENTUM: dict[tuple[bool, bool], Callable[..., Any]] = {
    (False, False): rules.momentum,
    (True, False): rules.nesterov,
    (False, True): rules.momentum_lecture,
    (True, True): rules.nesterov_lecture,
}


class ASGD(Optimizer):
    """Averaged descent; the average is ``optimizer.state["average"]``. The rule is `rules.asgd`.

    Parameters
    ----------
    params : iterable of Tensor
    lr, lambd, alpha, t0 : float
        The first rate, its decay, the power of the decay, and the step from which on is averaged.
    """

    @staticmethod
    def configure(lr: Any = 1e-2, lambd: Any = 1e-4, alpha: Any = 0.75, t0: Any = 1e6) -> Recipe:
        """The rule for these options."""
        return Recipe(rules.asgd, {"lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0})


class Signum(Optimizer):
    """Steps of the sign of the gradient's running mean; signSGD with momentum=0. The rule is `rules.signum`.

    Parameters
    ----------
    params : iterable of Tensor
    lr, momentum : float
    """

    @staticmethod
    def configure(lr: Any = 1e-3, momentum: Any = 0.9) -> Recipe:
        """The rule for these options."""
        return Recipe(rules.signum, {"lr": lr, "momentum": momentum})


class Lion(Optimizer):
    """Steps of the sign of interpolated momentum, with decoupled decay. The rule is `rules.lion`.

    Parameters
    ----------
    params : iterable of Tensor
    lr : float
    betas : pair of float
        For the step, and for the momentum that is remembered.
    weight_decay : float
    """

    @staticmethod
    def configure(lr: Any = 1e-4, betas: Any = (0.9, 0.99), weight_decay: Any = 0.0) -> Recipe:
        """The rule for these options."""
        hyper = {"lr": lr, **betas_of("Lion", betas), **nonzero(weight_decay=weight_decay)}
        return Recipe(rules.lion, hyper, decoupled=True)


class Rprop(Optimizer):
    """Resilient propagation, for full batches; torch's by default.

    Parameters
    ----------
    params : iterable of Tensor
    lr : float
        The first step size.
    etas : pair of float
        The factors that shorten and lengthen steps.
    step_min, step_max : float or None
        The limits of step sizes; None and None for none (lecture only).
    variant : {"irprop-", "irprop+", "rprop-", "rprop+", "lecture"}
        Which of `rules.irprop_minus`, `rules.irprop_plus` (whose steps need the loss), `rules.rprop_minus`,
        `rules.rprop_plus`, `rules.rprop_lecture`.
    """

    @staticmethod
    def configure(
        lr: Any = 1e-2,
        etas: Any = (0.5, 1.2),
        step_min: Any = 1e-6,
        step_max: Any = 50.0,
        variant: str = "irprop-",
    ) -> Recipe:
        """The rule for these options."""
        one_of("Rprop", "variant", variant, _RPROP)
        if np.shape(etas) != (2,) or not 0 < etas[0] < 1 < etas[1]:
            raise SymgradError(f"Rprop: etas={etas!r} must be a pair around 1, such as (0.5, 1.2)")
        if (step_min is None) != (step_max is None) or (step_min is None and variant != "lecture"):
            raise SymgradError("Rprop: step_min and step_max can be None together, with variant='lecture' only")
        limits = {} if step_min is None else {"step_min": step_min, "step_max": step_max}
        return Recipe(_RPROP[variant], {"lr": lr, "eta_minus": etas[0], "eta_plus": etas[1], **limits})


_RPROP: dict[str, Callable[..., Any]] = {
    "irprop-": rules.irprop_minus,
    "irprop+": rules.irprop_plus,
    "rprop-": rules.rprop_minus,
    "rprop+": rules.rprop_plus,
    "lecture": rules.rprop_lecture,
}
