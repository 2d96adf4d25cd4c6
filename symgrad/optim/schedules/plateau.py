"""`Plateau`: a rate that falls when a metric no longer gets better."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, isnan
from typing import Any

from symgrad.errors import SymgradError

__all__ = ["Plateau"]


class Plateau:
    r"""A rate that is multiplied by :math:`\alpha < 1` when a metric has stopped getting better; torch's comparisons.

    Tell it the metric of every epoch by `update`; it is a callable, so that it multiplies schedules
    (``schedules.cosine(0.1, 100) * Plateau(1.0)``) and goes to the Trainer as they do. The optimizer's state is not
    touched.

    Parameters
    ----------
    lr : float
    factor : float
    patience : int
        How many epochs without improvement are endured; the next one reduces. The lecture's is 0.
    threshold, threshold_mode : float, {"rel", "abs"}
        What counts as better.
    cooldown : int
        Epochs after a reduction in which nothing counts as bad.
    min_lr, eps : float
        The smallest rate, and the smallest change of it.
    mode : {"min", "max"}
        Whether smaller metrics are better.

    Attributes
    ----------
    best : float
    bad, cooling : int
        Epochs without improvement, and epochs of cooldown left.

    Examples
    --------
    >>> from symgrad.optim import schedules
    >>> rate = schedules.Plateau(0.1, patience=0)
    >>> for loss in (3.0, 2.0, 2.0):
    ...     rate.update(loss)
    >>> rate(0)
    0.01
    """

    unit = "epoch"

    def __init__(
        self,
        lr: float,
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float = 0.0,
        eps: float = 1e-8,
        mode: str = "min",
    ) -> None:
        if not 0 < factor < 1:
            raise SymgradError(f"Plateau: factor={factor!r} must be between 0 and 1")
        if mode not in ("min", "max") or threshold_mode not in ("rel", "abs"):
            raise SymgradError(
                f"Plateau: mode={mode!r} is 'min' or 'max', threshold_mode={threshold_mode!r} 'rel' or 'abs'"
            )
        self.lr, self.factor, self.patience, self.cooldown = lr, factor, patience, cooldown
        self.threshold, self.threshold_mode, self.min_lr, self.eps, self.mode = (
            threshold,
            threshold_mode,
            min_lr,
            eps,
            mode,
        )
        self.best = inf if mode == "min" else -inf
        self.bad = self.cooling = 0

    def __call__(self, k: Any) -> float:
        """The rate now, whatever k is."""
        return self.lr

    def better(self, metric: float) -> bool:
        """Whether a metric is better than the best so far by the threshold."""
        sign = 1 if self.mode == "min" else -1
        margin = (
            self.best * (1 - sign * self.threshold)
            if self.threshold_mode == "rel"
            else self.best - sign * self.threshold
        )
        return metric < margin if self.mode == "min" else metric > margin

    def update(self, metric: float) -> None:
        """Take in the metric of an epoch; a NaN is not better."""
        metric = float(metric)
        if not isnan(metric) and self.better(metric):
            self.best, self.bad = metric, 0
        else:
            self.bad += 1
        if self.cooling > 0:
            self.cooling, self.bad = self.cooling - 1, 0
        if self.bad > self.patience:
            smaller = max(self.lr * self.factor, self.min_lr)
            if self.lr - smaller > self.eps:
                self.lr = smaller
            self.cooling, self.bad = self.cooldown, 0

    def state_dict(self) -> dict[str, float]:
        """All that changes: the rate, the best metric and both counters."""
        return {"lr": self.lr, "best": self.best, "bad": self.bad, "cooling": self.cooling}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a `state_dict`."""
        if state.keys() != self.state_dict().keys():
            raise SymgradError(f"Plateau: a state has {sorted(self.state_dict())}, got {sorted(state)}")
        self.lr, self.best = float(state["lr"]), float(state["best"])
        self.bad, self.cooling = int(state["bad"]), int(state["cooling"])

    def __repr__(self) -> str:
        return f"Plateau(lr={self.lr!r}, factor={self.factor!r}, patience={self.patience!r})"
