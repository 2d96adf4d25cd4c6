r"""Schedules: the learning rate, or any hyperparameter, as a function of k = 0, 1, ...

Each formula is an ordinary symgrad function of k, so it runs on numbers, arrays and Tensors, is differentiated, and
is compiled into the step where a hyperparameter is given as a schedule: ``optim.SGD(params, lr=schedules.cosine(0.1,
1000), momentum=schedules.linear(0.5, 0.9, 100))``. They compose: ``a.then(b, at=10)``, ``a * b``, `warmup`.
"""

from symgrad.optim.schedules.base import Schedule, schedule
from symgrad.optim.schedules.cycles import cosine_restarts, cyclic, one_cycle
from symgrad.optim.schedules.decays import (
    constant,
    cosine,
    exponential,
    inverse_sqrt,
    inverse_time,
    lecture_exponential,
    lecture_linear,
    lecture_quadratic,
    linear,
    multistep,
    piecewise,
    polynomial,
    step,
    through,
    trapezoid,
    warmup,
)
from symgrad.optim.schedules.plateau import Plateau

__all__ = [
    "Plateau",
    "Schedule",
    "constant",
    "cosine",
    "cosine_restarts",
    "cyclic",
    "exponential",
    "inverse_sqrt",
    "inverse_time",
    "lecture_exponential",
    "lecture_linear",
    "lecture_quadratic",
    "linear",
    "multistep",
    "one_cycle",
    "piecewise",
    "polynomial",
    "schedule",
    "step",
    "through",
    "trapezoid",
    "warmup",
]
