"""Optimizers: update rules written once, and schedules."""

from symgrad.optim import rules, schedules, transforms
from symgrad.optim.algorithms import (
    ASGD,
    FTRL,
    LAMB,
    LARS,
    SGD,
    AdaBelief,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Adan,
    Lion,
    NAdam,
    NovoGrad,
    RAdam,
    RMSprop,
    Rprop,
    Signum,
    Yogi,
)
from symgrad.optim.averages import EMA, SWA, Lookahead
from symgrad.optim.fullbatch import LevenbergMarquardt, Newton, ScipyMinimize
from symgrad.optim.lbfgs import LBFGS
from symgrad.optim.optimizer import Optimizer

__all__ = [
    "ASGD",
    "EMA",
    "FTRL",
    "LAMB",
    "LARS",
    "LBFGS",
    "SGD",
    "SWA",
    "AdaBelief",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Adan",
    "LevenbergMarquardt",
    "Lion",
    "Lookahead",
    "NAdam",
    "Newton",
    "NovoGrad",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "ScipyMinimize",
    "Signum",
    "Yogi",
    "rules",
    "schedules",
    "transforms",
]
