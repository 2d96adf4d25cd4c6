r"""Schedules: the learning rate as a function of the step k = 0, 1, ..., each formula an ordinary symgrad function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from symgrad.errors import SymgradError
from symgrad.ops.exponential import exp

__all__ = ["Schedule", "constant", "exponential", "inverse_time"]


@dataclass(frozen=True, slots=True, repr=False)
class Schedule:
    """A formula of k with its constants.

    Calling it with a number, an array or a Tensor gives the same kind.

    Parameters
    ----------
    formula : callable
        ``formula(k, **constants)``.
    constants : mapping
    unit : {"step", "epoch"}
        What k counts.
    """

    formula: Callable[..., Any]
    constants: Mapping[str, float] = field(hash=False)
    unit: str = "step"

    def __post_init__(self) -> None:
        if self.unit not in ("step", "epoch"):
            raise SymgradError(f"schedule: unit={self.unit!r} is none of 'step', 'epoch'")

    def __call__(self, k: Any) -> Any:
        """The rate at k."""
        return self.formula(k, **self.constants)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.constants.items())
        return f"{self.formula.__name__.lstrip('_')}({shown}, unit={self.unit!r})"


def _constant(k: Any, lr: float) -> Any:
    return lr + 0 * k


def _inverse_time(k: Any, lr: float, decay: float) -> Any:
    return lr / (1 + decay * k)


def _exponential(k: Any, lr: float, decay: float) -> Any:
    return lr * exp(-decay * k)


def constant(lr: float, *, unit: str = "step") -> Schedule:
    r"""The same rate always: :math:`\eta_k = \eta_0`."""
    return Schedule(_constant, {"lr": lr}, unit)


def inverse_time(lr: float, decay: float = 1.0, *, unit: str = "step") -> Schedule:
    r"""The hyperbola :math:`\eta_k = \eta_0 / (1 + d k)`; with d = 1 what the lecture calls linear decay.

    Examples
    --------
    >>> from symgrad import optim
    >>> rate = optim.schedules.inverse_time(0.1)
    >>> rate, rate(0), rate(3)
    (inverse_time(lr=0.1, decay=1.0, unit='step'), 0.1, 0.025)
    """
    return Schedule(_inverse_time, {"lr": lr, "decay": decay}, unit)


def exponential(lr: float, decay: float, *, unit: str = "step") -> Schedule:
    r"""Exponential decay :math:`\eta_k = \eta_0 e^{-\beta k}`; torch's gamma is :math:`e^{-\beta}`."""
    return Schedule(_exponential, {"lr": lr, "decay": decay}, unit)
