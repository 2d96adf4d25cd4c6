"""Steps as long as their tensors: which rule, with which defaults."""

from __future__ import annotations

from typing import Any

from symgrad.optim import rules
from symgrad.optim.groups import Recipe
from symgrad.optim.optimizer import Optimizer
from symgrad.optim.options import betas_of, nonzero

__all__ = ["LAMB", "LARS", "NovoGrad"]


class LARS(Optimizer):
    """Momentum with a rate for every tensor. The rule is `rules.lars`; weight decay enters before the ratio.

    Parameters
    ----------
    params : iterable of Tensor
    lr, momentum, trust_coefficient, eps : float
    nesterov : bool
    """

    @staticmethod
    def configure(
        lr: Any = 1e-1,
        momentum: Any = 0.9,
        trust_coefficient: Any = 1e-3,
        eps: Any = 0.0,
        nesterov: bool = False,
    ) -> Recipe:
        """The rule for these options."""
        hyper = {"lr": lr, "momentum": momentum, "trust_coefficient": trust_coefficient, "nesterov": nesterov}
        return Recipe(rules.lars, {**hyper, **nonzero(eps=eps)})


class LAMB(Optimizer):
    """Adam's direction, as long as the tensor is. The rule is `rules.lamb`.

    Parameters
    ----------
    params : iterable of Tensor
    lr : float
    betas : pair of float
    eps, weight_decay : float
    """

    @staticmethod
    def configure(lr: Any = 1e-3, betas: Any = (0.9, 0.999), eps: Any = 1e-6, weight_decay: Any = 0.0) -> Recipe:
        """The rule for these options."""
        hyper = {"lr": lr, **betas_of("LAMB", betas), "eps": eps, **nonzero(weight_decay=weight_decay)}
        return Recipe(rules.lamb, hyper)


class NovoGrad(Optimizer):
    """Momentum of gradients that are normalised tensor by tensor. The rule is `rules.novograd`.

    Parameters
    ----------
    params : iterable of Tensor
    lr : float
    betas : pair of float
    eps, weight_decay : float
    """

    @staticmethod
    def configure(lr: Any = 1e-3, betas: Any = (0.9, 0.25), eps: Any = 1e-6, weight_decay: Any = 0.0) -> Recipe:
        """The rule for these options."""
        hyper = {"lr": lr, **betas_of("NovoGrad", betas), "eps": eps, **nonzero(weight_decay=weight_decay)}
        return Recipe(rules.novograd, hyper)
