"""Adam and its kin: which rule, with which defaults."""

from __future__ import annotations

from typing import Any

from symgrad.errors import SymgradError
from symgrad.optim import rules
from symgrad.optim.groups import Recipe
from symgrad.optim.optimizer import Optimizer
from symgrad.optim.options import betas_of, nonzero, one_of

__all__ = ["AdaBelief", "Adam", "AdamW", "Adamax", "Adan", "NAdam", "RAdam", "Yogi"]


class Adam(Optimizer):
    """Adam; the rule is `rules.adam`.

    Parameters
    ----------
    params : iterable of Tensor
    lr : float
    betas : pair of float
        Decay of the averages of the gradient and of its square; later the attributes beta1 and beta2.
    eps : float
    weight_decay : float
        Adds that multiple of the parameters to the gradient.
    amsgrad : bool or "corrected"
        Divide by the largest mean square so far; with "corrected" by the largest corrected one, as optax does.
    eps_mode : {"corrected", "hat"}
        Whether eps is added to the corrected root, or to the uncorrected one (Keras, scikit-learn).
    nesterov : bool
        As `optax.nadam`; torch's and Keras's are `NAdam`.

    Examples
    --------
    >>> import symgrad as sg
    >>> from symgrad import optim
    >>> optimizer = optim.Adam([sg.tensor([1.0, 2.0], requires_grad=True)], lr=0.01)
    >>> optimizer
    Adam(1 parameters, 2 numbers, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-08)
    """

    @staticmethod
    def configure(
        lr: Any = 1e-3,
        betas: Any = (0.9, 0.999),
        eps: Any = 1e-8,
        weight_decay: Any = 0.0,
        amsgrad: bool | str = False,
        eps_mode: str = "corrected",
        nesterov: bool = False,
    ) -> Recipe:
        """The rule for these options."""
        one_of("Adam", "eps_mode", eps_mode, ("corrected", "hat"))
        one_of("Adam", "amsgrad", amsgrad, (False, True, "corrected"))
        if amsgrad == "corrected" and eps_mode == "hat":
            raise SymgradError("Adam: amsgrad='corrected' has eps on the corrected root; leave eps_mode as it is")
        hyper = {"lr": lr, **betas_of("Adam", betas), "eps": eps, "eps_mode": eps_mode, "nesterov": nesterov}
        hyper["amsgrad"] = "corrected" if amsgrad == "corrected" else "raw"
        decay = nonzero(weight_decay=weight_decay)
        return Recipe(rules.adam, {**hyper, **decay}, state=("largest",) if amsgrad else ())


class AdamW(Adam):
    """Adam with decoupled weight decay; arguments as in `Adam`.

    References
    ----------
    I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", ICLR 2019.
    """

    @staticmethod
    def configure(
        lr: Any = 1e-3,
        betas: Any = (0.9, 0.999),
        eps: Any = 1e-8,
        weight_decay: Any = 1e-2,
        amsgrad: bool | str = False,
        eps_mode: str = "corrected",
        nesterov: bool = False,
    ) -> Recipe:
        """The rule for these options."""
        recipe = Adam.configure(lr, betas, eps, weight_decay, amsgrad, eps_mode, nesterov)
        recipe.decoupled = True
        return recipe


class Adamax(Optimizer):
    """Adam in the infinity norm. The rule is `rules.adamax`.

    Parameters
    ----------
    params : iterable of Tensor
    lr : float
    betas : pair of float
    eps : float
    eps_mode : {"inside", "outside"}
        Whether eps is added to the gradient inside of the maximum, or to the denominator (Keras).
    """

    @staticmethod
    def configure(lr: Any = 2e-3, betas: Any = (0.9, 0.999), eps: Any = 1e-8, eps_mode: str = "inside") -> Recipe:
        """The rule for these options."""
        one_of("Adamax", "eps_mode", eps_mode, ("inside", "outside"))
        return Recipe(rules.adamax, {"lr": lr, **betas_of("Adamax", betas), "eps": eps, "eps_mode": eps_mode})


class NAdam(Optimizer):
    """Adam with Nesterov's momentum on a schedule. The rule is `rules.nadam`; optax's is ``Adam(nesterov=True)``.

    Parameters
    ----------
    params : iterable of Tensor
    lr : float
    betas : pair of float
    eps, momentum_decay : float
        momentum_decay is the speed at which momentum grows.
    """

    @staticmethod
    def configure(lr: Any = 2e-3, betas: Any = (0.9, 0.999), eps: Any = 1e-8, momentum_decay: Any = 4e-3) -> Recipe:
        """The rule for these options."""
        hyper = {"lr": lr, **betas_of("NAdam", betas), "eps": eps, "momentum_decay": momentum_decay}
        return Recipe(rules.nadam, hyper)


class RAdam(Optimizer):
    """Rectified Adam. The rule is `rules.radam`.

    Parameters
    ----------
    params : iterable of Tensor
    lr : float
    betas : pair of float
    eps : float
    eps_mode : {"hat", "corrected"}
        Whether eps is added to the uncorrected root, or to the corrected one (optax).
    """

    @staticmethod
    def configure(lr: Any = 1e-3, betas: Any = (0.9, 0.999), eps: Any = 1e-8, eps_mode: str = "hat") -> Recipe:
        """The rule for these options."""
        one_of("RAdam", "eps_mode", eps_mode, ("hat", "corrected"))
        return Recipe(rules.radam, {"lr": lr, **betas_of("RAdam", betas), "eps": eps, "eps_mode": eps_mode})


class Yogi(Optimizer):
    """Adam with a denominator that grows slowly. The rule is `rules.yogi`.

    Parameters
    ----------
    params : iterable of Tensor
    lr : float
    betas : pair of float
    eps : float
    initial : float
        What both means start from.
    """

    @staticmethod
    def configure(lr: Any = 1e-2, betas: Any = (0.9, 0.999), eps: Any = 1e-3, initial: float = 1e-6) -> Recipe:
        """The rule for these options."""
        hyper = {"lr": lr, **betas_of("Yogi", betas), "eps": eps}
        return Recipe(rules.yogi, hyper, start={"m": initial, "v": initial})


class AdaBelief(Optimizer):
    """Adam over the variance of the surprise. The rule is `rules.adabelief`.

    Parameters
    ----------
    params : iterable of Tensor
    lr : float
    betas : pair of float
    eps, eps_root : float
        eps_root is added to the mean square at every step.
    """

    @staticmethod
    def configure(lr: Any = 1e-3, betas: Any = (0.9, 0.999), eps: Any = 1e-16, eps_root: Any = 1e-16) -> Recipe:
        """The rule for these options."""
        return Recipe(rules.adabelief, {"lr": lr, **betas_of("AdaBelief", betas), "eps": eps, "eps_root": eps_root})


class Adan(Optimizer):
    """Nesterov's momentum from differences of gradients, with decoupled decay. The rule is `rules.adan`.

    Parameters
    ----------
    params : iterable of Tensor
    lr : float
    betas : three floats
        The shares kept by the means of gradients, of their differences, and of squares.
    eps, weight_decay : float
    """

    @staticmethod
    def configure(lr: Any = 1e-3, betas: Any = (0.98, 0.92, 0.99), eps: Any = 1e-8, weight_decay: Any = 0.0) -> Recipe:
        """The rule for these options."""
        hyper = {"lr": lr, **betas_of("Adan", betas, 3), "eps": eps, **nonzero(weight_decay=weight_decay)}
        return Recipe(rules.adan, hyper, decoupled=True)
