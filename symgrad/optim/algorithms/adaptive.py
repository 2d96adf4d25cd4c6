"""A rate for every parameter: which rule, with which defaults."""

from __future__ import annotations

from typing import Any

from symgrad.optim import rules
from symgrad.optim.groups import Recipe
from symgrad.optim.optimizer import Optimizer
from symgrad.optim.options import is_zero, nonzero, one_of

__all__ = ["FTRL", "Adadelta", "Adagrad", "RMSprop"]


class Adagrad(Optimizer):
    """Rates that shrink with the sum of squared gradients. The rule is `rules.adagrad`.

    Parameters
    ----------
    params : iterable of Tensor
    lr, lr_decay, eps : float
    initial : float
        What the sum starts from.
    eps_mode : {"outside", "inside"}
        Whether eps is added to the root or under it.
    """

    @staticmethod
    def configure(
        lr: Any = 1e-2, lr_decay: Any = 0.0, eps: Any = 1e-10, initial: float = 0.0, eps_mode: str = "outside"
    ) -> Recipe:
        """The rule for these options."""
        one_of("Adagrad", "eps_mode", eps_mode, ("outside", "inside"))
        hyper = {"lr": lr, "eps": eps, "eps_mode": eps_mode, **nonzero(lr_decay=lr_decay)}
        return Recipe(rules.adagrad, hyper, start={"s": initial})


class Adadelta(Optimizer):
    """Steps in the units of the parameters. The rule is `rules.adadelta`.

    Parameters
    ----------
    params : iterable of Tensor
    lr, rho, eps : float
    """

    @staticmethod
    def configure(lr: Any = 1.0, rho: Any = 0.9, eps: Any = 1e-6) -> Recipe:
        """The rule for these options."""
        return Recipe(rules.adadelta, {"lr": lr, "rho": rho, "eps": eps})


class RMSprop(Optimizer):
    """The gradient over the root of its mean square. The rule is `rules.rmsprop`.

    Parameters
    ----------
    params : iterable of Tensor
    lr, alpha, eps, momentum : float
        alpha is the share of the mean that is kept.
    centered : bool
        Take the square of the mean gradient off.
    initial : float
        What the mean square starts from.
    eps_mode : {"outside", "inside"}
        Whether eps is added to the root or under it.
    lr_in_velocity : bool
    """

    @staticmethod
    def configure(
        lr: Any = 1e-2,
        alpha: Any = 0.99,
        eps: Any = 1e-8,
        momentum: Any = 0.0,
        centered: bool = False,
        initial: float = 0.0,
        eps_mode: str = "outside",
        lr_in_velocity: bool = False,
    ) -> Recipe:
        """The rule for these options."""
        one_of("RMSprop", "eps_mode", eps_mode, ("outside", "inside"))
        hyper = {"lr": lr, "alpha": alpha, "eps": eps, "eps_mode": eps_mode, "lr_in_velocity": lr_in_velocity}
        wanted = (*(("a",) if centered else ()), *(() if is_zero(momentum) else ("v",)))
        return Recipe(rules.rmsprop, {**hyper, **nonzero(momentum=momentum)}, start={"s": initial}, state=wanted)


class FTRL(Optimizer):
    """Follow the regularised leader: exact zeros without a proximal step. The rule is `rules.ftrl`.

    Parameters
    ----------
    params : iterable of Tensor
    lr : float
    l1, l2, beta : float
    initial : float
        What the sum of squares starts from.
    """

    @staticmethod
    def configure(lr: Any = 1e-3, l1: Any = 0.0, l2: Any = 0.0, beta: Any = 0.0, initial: float = 0.1) -> Recipe:
        """The rule for these options."""
        return Recipe(rules.ftrl, {"lr": lr, **nonzero(l1=l1, l2=l2, beta=beta)}, start={"s": initial})
