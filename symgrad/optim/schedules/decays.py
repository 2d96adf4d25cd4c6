"""Schedules that go one way."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import pi
from typing import Any

from symgrad.errors import SymgradError
from symgrad.ops.exponential import exp
from symgrad.ops.piecewise import floor, maximum, minimum, where
from symgrad.ops.trigonometric import cos
from symgrad.optim.schedules.base import Schedule, schedule

__all__ = ["constant", "cosine", "exponential", "inverse_sqrt", "inverse_time", "lecture_exponential",
           "lecture_linear", "lecture_quadratic", "linear", "multistep", "piecewise", "polynomial", "step", "through",
           "trapezoid", "warmup"]  # fmt: skip


@schedule
def constant(k: Any, lr: float) -> Any:
    r"""The same rate always: :math:`\eta_k = \eta_0`."""
    return lr + 0 * k


@schedule
def inverse_time(k: Any, lr: float, decay: float = 1.0, power: float = 1.0, every: float = 1.0) -> Any:
    r"""The hyperbola :math:`\eta_k = \eta_0 / (1 + d k / s)^p`; with d = s = p = 1 what the lecture calls linear decay.

    Examples
    --------
    >>> from symgrad import optim
    >>> rate = optim.schedules.inverse_time(0.1)
    >>> rate(0), rate(3)
    (0.1, 0.025)
    """
    return lr / (1 + decay * k / every) ** power


@schedule
def lecture_linear(k: Any, lr: float) -> Any:
    r"""The lecture's linear decay :math:`\eta_k = \eta_0 / (k + 1)`, a hyperbola; `linear` is the straight line."""
    return lr / (k + 1)


@schedule
def lecture_quadratic(k: Any, lr: float) -> Any:
    r"""The lecture's quadratic decay :math:`\eta_k = \eta_0 / (k + 1)^2`; all steps together are finite."""
    return lr / (k + 1) ** 2


@schedule
def lecture_exponential(k: Any, lr: float, beta: float) -> Any:
    r"""The lecture's exponential decay :math:`\eta_k = \eta_0 e^{-\beta k}`."""
    return lr * exp(-beta * k)


@schedule
def exponential(k: Any, lr: float, decay: float) -> Any:
    r"""Exponential decay :math:`\eta_k = \eta_0 e^{-\beta k}`; torch's gamma is :math:`e^{-\beta}`."""
    return lr * exp(-decay * k)


@schedule
def step(k: Any, lr: float, every: int, factor: float = 0.1) -> Any:
    r"""Stairs: :math:`\eta_k = \eta_0 \gamma^{\lfloor k / s \rfloor}`."""
    return lr * factor ** floor(k / every)


@schedule
def multistep(k: Any, lr: float, at: Sequence[int], factor: float = 0.1) -> Any:
    r"""Stairs at given places: :math:`\eta_k = \eta_0 \gamma^{\#\{j : k_j \le k\}}`."""
    count = 0.0 * k
    for place in at:
        count = count + where(k >= place, 1.0, 0.0)
    return lr * factor**count


@schedule
def piecewise(k: Any, values: Sequence[float], at: Sequence[int]) -> Any:
    r"""Constants: the first value for :math:`k < k_1`, the second for :math:`k_1 \le k < k_2`, and so on."""
    if len(values) != len(at) + 1:
        raise SymgradError(f"piecewise: {len(at)} places separate {len(at) + 1} values, got {len(values)}")
    found = values[0] + 0 * k
    for value, place in zip(values[1:], at, strict=True):
        found = where(k >= place, value, found)
    return found


@schedule
def through(k: Any, points: Sequence[tuple[float, float]]) -> Any:
    r"""Straight lines through points :math:`(k_j, \eta_j)`, constant outside of them."""
    found = points[0][1] + 0 * k
    for (left, a), (right, b) in pairwise(points):
        share = minimum(maximum((k - left) / (right - left), 0.0), 1.0)
        found = where(k >= left, a * (1 - share) + b * share, found)
    return found


@schedule
def linear(k: Any, start: float, end: float, steps: int) -> Any:
    r"""The straight line from a to b: :math:`a + (b - a) \min(k / n, 1)`."""
    share = minimum(k / steps, 1.0)
    return start * (1 - share) + end * share


@schedule
def polynomial(k: Any, lr: float, steps: int, power: float = 1.0, end: float = 0.0) -> Any:
    r"""A power of what is left: :math:`\eta_{end} + (\eta_0 - \eta_{end}) (1 - \min(k / n, 1))^p`."""
    return end + (lr - end) * (1 - minimum(k / steps, 1.0)) ** power


@schedule
def cosine(k: Any, lr: float, steps: int, end: float = 0.0) -> Any:
    r"""Half a wave: :math:`\eta_{end} + \tfrac12 (\eta_0 - \eta_{end}) (1 + \cos(\pi \min(k / n, 1)))`.

    References
    ----------
    I. Loshchilov and F. Hutter, "SGDR", ICLR 2017.
    """
    return end + (lr - end) * (1 + cos(pi * minimum(k / steps, 1.0))) / 2


@schedule
def inverse_sqrt(k: Any, lr: float, warmup: int) -> Any:
    r"""Up in a line, down as a root: :math:`\eta \min\left((k + 1) / w, \sqrt{w / (k + 1)}\right)`.

    With :math:`\eta = (d\, w)^{-1/2}` the schedule of the paper.

    References
    ----------
    A. Vaswani et al., "Attention is all you need", NeurIPS 2017, equation 3.
    """
    return lr * minimum((k + 1) / warmup, (warmup / (k + 1)) ** 0.5)


def warmup(schedule: Schedule, steps: int, start: float = 0.0) -> Schedule:
    r"""A straight line up to where a schedule begins, then that schedule.

    Parameters
    ----------
    schedule : Schedule
    steps : int
        The k at which the schedule begins.
    start : float
        The value at k = 0.
    """
    return linear(start, schedule(0), steps, unit=schedule.unit).then(schedule, steps)


def trapezoid(lr: float, steps: int, up: int, down: int, *, unit: str = "step") -> Schedule:
    r"""Up in a line from 0, constant, down in a line to 0: `through` four points.

    Parameters
    ----------
    lr : float
    steps, up, down : int
        All steps, those of the rise, and those of the fall.
    unit : str
    """
    points = ((0, 0.0), (up, lr), (steps - down, lr), (steps, 0.0))
    return through(points, unit=unit)
