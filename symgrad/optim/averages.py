"""Optimizers around an optimizer: averages of the parameters that follow every step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from symgrad.context import no_grad
from symgrad.errors import SymgradError
from symgrad.functions.rearranging import flat
from symgrad.optim import rules
from symgrad.optim.groups import Group, Recipe
from symgrad.optim.optimizer import Optimizer, reader
from symgrad.tensor import Tensor

__all__ = ["EMA", "SWA", "Lookahead"]


class _Following(Optimizer):
    """An optimizer, and a rule that follows its steps; hyperparameters and groups are the inner one's."""

    def __init__(self, optimizer: Optimizer, rule: Callable[..., Any], **hyperparameters: float) -> None:
        if not isinstance(optimizer, Optimizer):
            raise SymgradError(f"{self._name}: goes around an optimizer, as in {self._name}(optim.Adam(params))")
        recipe = Recipe(rule, {name: float(value) for name, value in hyperparameters.items()})
        inner = optimizer.__dict__
        self.__dict__.update({k: inner[k] for k in ("groups", "params", "dtype", "counters", "sums")})
        self.__dict__.update(optimizer=optimizer, following=Group(optimizer.params, recipe))

    def step(self, closure: Callable[[], Any] | None = None, *, loss: Any = None) -> Any:
        """The optimizer's step, and the rule that follows it."""
        result = self.optimizer.step(closure, loss=loss)
        read, (unit,) = reader(), self.following.units
        with no_grad():
            theta = flat([read(p) for p in unit.params])
            state = [read(s) for s in unit.state.values() if s is not None]
            unit.publish(list(self.following.rule(theta, *state, **self.following.read(read))))
        return result

    def _leaves(self) -> dict[str, Tensor]:
        (unit,) = self.following.units
        own = {f"{self._name}.{name}": leaf for name, leaf in unit.state.items() if leaf is not None}
        inner: dict[str, Tensor] = self.optimizer._leaves()
        return inner | own

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={leaf.item():g}" for name, leaf in self.following.hyperparameters.items())
        return f"{self._name}({self.optimizer!r}, {shown})"


class _Averaging(_Following):
    """An average that is kept beside the parameters."""

    def swap(self) -> None:
        """Exchange the parameters and their averages; a second time, back."""
        (unit,) = self.following.units
        average: Any = unit.state["average"]
        before, after = np.concatenate([np.ravel(p.numpy()) for p in unit.params]), average.numpy()
        unit.place(after)
        average.assign(before)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Give the parameters their averages in this block: ``with ema.averaged(): model.predict(X)``."""
        self.swap()
        try:
            yield
        finally:
            self.swap()


class EMA(_Averaging):
    """An optimizer that keeps a running mean of the parameters; the rule is `rules.ema`.

    Parameters
    ----------
    optimizer : Optimizer
    decay : float

    Examples
    --------
    >>> import symgrad as sg
    >>> from symgrad import optim
    >>> w = sg.tensor([4.0], requires_grad=True)
    >>> ema = optim.EMA(optim.SGD([w], lr=0.25), decay=0.5)
    >>> for _ in range(2):
    ...     ema.zero_grad()
    ...     (w * w).sum().backward()
    ...     ema.step()
    >>> with ema.averaged():
    ...     print(w.item())
    1.5
    >>> w.item()
    1.0
    """

    def __init__(self, optimizer: Optimizer, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise SymgradError(f"EMA: decay={decay!r} must be a number of at least 0 and below 1")
        super().__init__(optimizer, rules.ema, decay=decay)


class SWA(_Averaging):
    """An optimizer that keeps the mean of the parameters after some steps; the rule is `rules.swa`.

    Parameters
    ----------
    optimizer : Optimizer
    start, every : int
        The first step after which is averaged (from 0), and the steps between.
    """

    def __init__(self, optimizer: Optimizer, start: int = 0, every: int = 1) -> None:
        if start < 0 or every < 1:
            raise SymgradError(f"SWA: start={start!r} must be at least 0, and every={every!r} at least 1")
        super().__init__(optimizer, rules.swa, start=start, every=every)


class Lookahead(_Following):
    """An optimizer whose parameters return, every few steps, part of the way; the rule is `rules.lookahead`.

    Parameters
    ----------
    optimizer : Optimizer
    every : int
    alpha : float
        The part of the way that is kept.
    """

    def __init__(self, optimizer: Optimizer, every: int = 5, alpha: float = 0.5) -> None:
        if every < 1 or not 0 <= alpha <= 1:
            raise SymgradError(f"Lookahead: every={every!r} must be at least 1, and alpha={alpha!r} from 0 to 1")
        super().__init__(optimizer, rules.lookahead, every=every, alpha=alpha)
