r"""Update rules: each formula written once, as a function of Tensors or arrays.

A rule takes the parameters :math:`\theta`, their gradient g, its state (further positional arguments) and its
hyperparameters (keyword arguments), and returns the new parameters and the new state in the same order. The
signature is the declaration that `symgrad.optim.Optimizer` reads; what it cannot say, the decorator
`symgrad.optim.rules.declare.rule` adds. State with the default None is there only if the optimizer asks for it; it is
returned as it came where it is None.
"""

from symgrad.optim.rules.adaptive import adadelta, adagrad, ftrl, rmsprop
from symgrad.optim.rules.averaging import asgd, ema, lookahead, swa
from symgrad.optim.rules.descent import (
    lion,
    momentum,
    momentum_lecture,
    nesterov,
    nesterov_ahead,
    nesterov_lecture,
    sgd,
    signum,
)
from symgrad.optim.rules.layerwise import lamb, lars, novograd
from symgrad.optim.rules.moments import adabelief, adam, adamax, adan, nadam, radam, yogi
from symgrad.optim.rules.rprop import irprop_minus, irprop_plus, rprop_lecture, rprop_minus, rprop_plus

__all__ = [
    "adabelief",
    "adadelta",
    "adagrad",
    "adam",
    "adamax",
    "adan",
    "asgd",
    "ema",
    "ftrl",
    "irprop_minus",
    "irprop_plus",
    "lamb",
    "lars",
    "lion",
    "lookahead",
    "momentum",
    "momentum_lecture",
    "nadam",
    "nesterov",
    "nesterov_ahead",
    "nesterov_lecture",
    "novograd",
    "radam",
    "rmsprop",
    "rprop_lecture",
    "rprop_minus",
    "rprop_plus",
    "sgd",
    "signum",
    "swa",
    "yogi",
]
