"""`Schedule`: a formula of k with its constants."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

from symgrad.errors import SymgradError
from symgrad.ops.piecewise import floor, maximum, where

__all__ = ["Schedule", "schedule"]


@dataclass(frozen=True, slots=True, repr=False)
class Schedule:
    """A formula of k with its constants.

    Calling it with a number, an array or a Tensor gives the same kind.

    Parameters
    ----------
    formula : callable
        ``formula(k, **constants)``, of operators and symgrad functions. k comes as a float.
    constants : mapping
    unit : {"step", "epoch"}
        What k counts.

    Examples
    --------
    >>> from symgrad.optim import schedules
    >>> rate = schedules.warmup(schedules.exponential(0.5, 0.1), 4)
    >>> [rate(k) for k in (0, 2, 4)]
    [0.0, 0.25, 0.5]
    """

    formula: Callable[..., Any]
    constants: Mapping[str, Any] = field(hash=False)
    unit: str = "step"

    def __post_init__(self) -> None:
        if self.unit not in ("step", "epoch"):
            raise SymgradError(f"schedule: unit={self.unit!r} is none of 'step', 'epoch'")
        for part in self.parts():
            if part.unit != self.unit and part.formula.__name__ != "constant":
                raise SymgradError(
                    f"schedule: {part!r} counts {part.unit}s within one of {self.unit}s; use .in_steps(steps_per_epoch)"
                )

    def __call__(self, k: Any) -> Any:
        """The value at k."""
        value = self.formula(k * 1.0, **self.constants)
        return value.item() if isinstance(k, int | float) and hasattr(value, "item") else value

    def then(self, other: Schedule, at: int) -> Schedule:
        """The same for k below `at`, and from there on the other one, whose k starts at 0."""
        return Schedule(_then, {"first": self, "second": other, "at": at}, self.unit)

    def __mul__(self, other: Any) -> Schedule:
        if not isinstance(other, int | float) and not callable(other):
            return NotImplemented
        return Schedule(_product, {"first": self, "second": other}, self.unit)

    __rmul__ = __mul__

    def in_steps(self, steps_per_epoch: int) -> Schedule:
        """A schedule of epochs as one of steps."""
        if self.unit != "epoch":
            raise SymgradError(f"schedule: {self!r} counts steps already")
        return Schedule(_staircase, {"schedule": self._of("step"), "every": steps_per_epoch}, "step")

    def _of(self, unit: str) -> Schedule:
        """The same formulas, whose k is called by another unit."""
        constants = {k: x._of(unit) if isinstance(x, Schedule) else x for k, x in self.constants.items()}
        return Schedule(self.formula, constants, unit)

    def parts(self) -> Iterator[Schedule]:
        """The schedules that this one is composed of."""
        return (x for x in self.constants.values() if isinstance(x, Schedule))

    def watchers(self) -> Iterator[Any]:
        """Everything below that `update` tells the metric to, such as `Plateau`."""
        for x in self.constants.values():
            if isinstance(x, Schedule):
                yield from x.watchers()
            elif hasattr(x, "update"):
                yield x

    def update(self, metric: float) -> None:
        """Tell the metric of an epoch to every `Plateau` below."""
        for x in self.watchers():
            x.update(metric)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.constants.items())
        return f"{self.formula.__name__.lstrip('_')}({shown}, unit={self.unit!r})"


def _then(k: Any, first: Schedule, second: Schedule, at: int) -> Any:
    return where(k < at, first(k), second(maximum(k - at, 0.0)))


def _product(k: Any, first: Schedule, second: Any) -> Any:
    return first(k) * (second(k) if callable(second) else second)


def _staircase(k: Any, schedule: Schedule, every: int) -> Any:
    return schedule(floor(k / every))


def schedule(formula: Callable[..., Any]) -> Callable[..., Schedule]:
    """Turn a formula of k into the function of its constants that makes the `Schedule`.

    Examples
    --------
    >>> @schedule
    ... def halving(k, lr, *, every=1):
    ...     return lr * 0.5 ** (k / every)
    >>> halving(1.0, every=10)
    halving(lr=1.0, every=10, unit='step')
    """
    found = inspect.signature(formula)
    constants = list(found.parameters.values())[1:]
    unit = inspect.Parameter("unit", inspect.Parameter.KEYWORD_ONLY, default="step", annotation=str)
    signature = inspect.Signature([*constants, unit], return_annotation=Schedule)

    @wraps(formula)
    def make(*args: Any, **options: Any) -> Schedule:
        try:
            bound = signature.bind(*args, **options)
        except TypeError as error:
            raise SymgradError(
                f"{formula.__name__}: {error}; it takes {signature.replace(return_annotation=found.empty)}"
            ) from None
        bound.apply_defaults()
        return Schedule(formula, {k: v for k, v in bound.arguments.items() if k != "unit"}, bound.arguments["unit"])

    make.__signature__ = signature  # type: ignore[attr-defined]
    return make
