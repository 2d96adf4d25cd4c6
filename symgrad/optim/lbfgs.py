"""L-BFGS with torch's choices, and the line search for the strong Wolfe conditions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from symgrad.errors import GradientError, SymgradError
from symgrad.optim.objective import FullBatch
from symgrad.tensor import Tensor

__all__ = ["LBFGS"]

Array = NDArray[Any]


class LBFGS(FullBatch):
    r"""Quasi-Newton steps from the last m changes of parameters and gradients.

    A step goes along :math:`-H g`, where :math:`H` is the BFGS matrix of the pairs :math:`s = \theta' - \theta`,
    :math:`y = g' - g`, started from :math:`\tfrac{s^T y}{y^T y} I`. `step` makes up to `max_iter` of them.

    Parameters
    ----------
    params : iterable of Tensor
    lr : float
    max_iter, max_eval : int
        Per call of `step`; by default 20 and 5/4 of it.
    tolerance_grad, tolerance_change : float
        A `step` ends where the largest gradient, or the change of loss or parameters, is below.
    history_size : int
        The m.
    line_search_fn : {None, "strong_wolfe"}

    References
    ----------
    J. Nocedal and S. J. Wright, "Numerical optimization", 2nd edition, algorithms 7.4, 3.5 and 3.6.

    Examples
    --------
    >>> import symgrad as sg
    >>> from symgrad import optim
    >>> w = sg.tensor([-1.2, 1.0], requires_grad=True)
    >>> optimizer = optim.LBFGS([w], max_iter=100, line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = 100 * (w[1] - w[0] ** 2) ** 2 + (1 - w[0]) ** 2
    ...     loss.backward()
    ...     return loss
    >>> loss = optimizer.step(closure)
    >>> w.numpy().round(6).tolist()
    [1.0, 1.0]
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        super().__init__(params)
        if line_search_fn not in (None, "strong_wolfe"):
            raise SymgradError(f"LBFGS: line_search_fn={line_search_fn!r} is none of None, 'strong_wolfe'")
        self.lr, self.max_iter, self.history_size = lr, max_iter, history_size
        self.max_eval = max_iter * 5 // 4 if max_eval is None else max_eval
        self.tolerance_grad, self.tolerance_change, self.line_search_fn = (
            tolerance_grad,
            tolerance_change,
            line_search_fn,
        )
        self.changes: list[Array] = []  # s
        self.gradient_changes: list[Array] = []  # y
        self.scale, self.iterations, self.evaluations = 1.0, 0, 0
        self.previous: Array | None = None  # the gradient before
        self.moved: Array | None = None  # the last step

    def step(self, closure: Callable[[], Any]) -> Any:
        """Up to `max_iter` quasi-Newton steps; returns the loss before them.

        Parameters
        ----------
        closure : callable
            Calls zero_grad and backward, and returns the loss.
        """
        first = closure()
        loss, g = float(first), self._gradient()
        used = 1
        self.evaluations += 1
        for count in range(1, self.max_iter + 1):
            if np.abs(g).max() <= self.tolerance_grad:
                break
            self.iterations += 1
            self._remember(g)
            d = self._direction(g)
            self.previous, before = g, loss
            t = min(1.0, 1.0 / float(np.abs(g).sum())) * self.lr if self.iterations == 1 else self.lr
            slope = float(g @ d)
            if slope > -self.tolerance_change:
                break
            theta = self._theta()
            if self.line_search_fn is not None:
                search = Search(lambda t, d=d, x=theta: self._at(closure, x, t, d), d, self.tolerance_change)  # type: ignore[misc]
                point, tried = search.run(Point(0.0, loss, g, slope), t, self.max_eval - used)
                t, loss, g = point.t, point.loss, point.gradient
                self._place(theta + t * d)
            else:
                self._place(theta + t * d)
                tried = 0
                if count < self.max_iter:
                    loss, g, tried = float(closure()), self._gradient(), 1
            self.moved = t * d
            used += tried
            self.evaluations += tried
            if used >= self.max_eval or np.abs(self.moved).max() <= self.tolerance_change:
                break
            if abs(loss - before) < self.tolerance_change:
                break
        return first

    def _remember(self, g: Array) -> None:
        """Take in the last change, if the curvature along it is positive."""
        if self.previous is None or self.moved is None:
            return
        y, s = g - self.previous, self.moved
        curvature = float(y @ s)
        if curvature > 1e-10:
            self.gradient_changes = [*self.gradient_changes, y][-self.history_size :]
            self.changes = [*self.changes, s][-self.history_size :]
            self.scale = curvature / float(y @ y)

    def _direction(self, g: Array) -> Array:
        """Minus the inverse Hessian of the memory times g, by the two loops."""
        q = -g
        pairs = [(s, y, 1.0 / float(y @ s)) for s, y in zip(self.changes, self.gradient_changes, strict=True)]
        shares = []
        for s, y, rho in reversed(pairs):
            shares.append(float(s @ q) * rho)
            q = q - shares[-1] * y
        r = q * self.scale
        for (s, y, rho), share in zip(pairs, reversed(shares), strict=True):
            r = r + s * (share - float(y @ r) * rho)
        return r

    def _theta(self) -> Array:
        return np.concatenate([np.ravel(p.numpy()) for p in self.params])

    def _place(self, theta: Array) -> None:
        start = 0
        for p in self.params:
            p.assign(theta[start : start + p.size].reshape(p.shape))
            start += p.size

    def _gradient(self) -> Array:
        if all(p.grad is None for p in self.params):
            raise GradientError("LBFGS: the closure left no gradient; it must call zero_grad() and loss.backward()")
        parts = [np.zeros(p.size) if p.grad is None else np.ravel(p.grad) for p in self.params]
        return np.concatenate(parts)

    def _at(self, closure: Callable[[], Any], theta: Array, t: float, d: Array) -> Point:
        self._place(theta + t * d)
        loss = float(closure())
        g = self._gradient()
        return Point(t, loss, g, float(g @ d))

    def state_dict(self) -> dict[str, Any]:
        """The memory and the counts, as arrays."""
        size = sum(p.size for p in self.params)
        return {
            "changes": np.array(self.changes).reshape(-1, size),
            "gradient_changes": np.array(self.gradient_changes).reshape(-1, size),
            "previous": np.zeros(0) if self.previous is None else self.previous.copy(),
            "moved": np.zeros(0) if self.moved is None else self.moved.copy(),
            "counts": np.array([self.scale, self.iterations, self.evaluations], float),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a `state_dict`."""
        if state.keys() != self.state_dict().keys():
            raise SymgradError(f"LBFGS: a state has {sorted(self.state_dict())}, got {sorted(state)}")
        self.changes, self.gradient_changes = list(state["changes"]), list(state["gradient_changes"])
        self.previous = np.array(state["previous"]) if len(state["previous"]) else None
        self.moved = np.array(state["moved"]) if len(state["moved"]) else None
        scale, iterations, evaluations = np.asarray(state["counts"]).tolist()
        self.scale, self.iterations, self.evaluations = scale, int(iterations), int(evaluations)


class Point(NamedTuple):
    """A place on the line: how far, the loss and its gradient there, and the slope along the line."""

    t: float
    loss: float
    gradient: Array
    slope: float


@dataclass
class Search:
    """A search along a line for a point with enough descent and a flat enough slope (strong Wolfe)."""

    at: Callable[[float], Point]
    direction: Array
    tolerance: float
    descent: float = 1e-4
    flatness: float = 0.9

    def run(self, start: Point, t: float, limit: int) -> tuple[Point, int]:
        """The point found, and how many were tried, the first one included."""
        self.start = start
        previous, new = start, self.at(t)
        count = 0
        while count < limit:
            if not self._descends(new) or (count > 1 and new.loss >= previous.loss):
                return self._zoom(previous, new, count, limit)
            if self._flat(new):
                return new, count + 1
            if new.slope >= 0:
                return self._zoom(previous, new, count, limit)
            bounds = new.t + 0.01 * (new.t - previous.t), new.t * 10
            previous, new = new, self.at(cubic_minimum(previous, new, bounds))
            count += 1
        return (start if start.loss <= new.loss else new), count + 1

    def _descends(self, p: Point) -> bool:
        return p.loss <= self.start.loss + self.descent * p.t * self.start.slope

    def _flat(self, p: Point) -> bool:
        return abs(p.slope) <= -self.flatness * self.start.slope

    def _zoom(self, a: Point, b: Point, count: int, limit: int) -> tuple[Point, int]:
        """Narrow a bracket down."""
        ends = [a, b]  # in their own order, which decides the interpolation
        stuck = False
        reach = float(np.abs(self.direction).max())
        low = 0 if a.loss <= b.loss else 1
        while count < limit and abs(ends[1].t - ends[0].t) * reach >= self.tolerance:
            t, stuck = self._inside(cubic_minimum(ends[0], ends[1]), ends, stuck)
            new = self.at(t)
            count += 1
            high = 1 - low
            if not self._descends(new) or new.loss >= ends[low].loss:
                ends[high] = new
                low = 0 if ends[0].loss <= ends[1].loss else 1
                continue
            if self._flat(new):
                return new, count + 1
            if new.slope * (ends[high].t - ends[low].t) >= 0:
                ends[high] = ends[low]
            ends[low] = new
        return ends[low], count + 1

    @staticmethod
    def _inside(t: float, ends: list[Point], stuck: bool) -> tuple[float, bool]:
        """A point that is not too near to the ends twice."""
        left, right = min(ends[0].t, ends[1].t), max(ends[0].t, ends[1].t)
        margin = 0.1 * (right - left)
        if min(right - t, t - left) >= margin:
            return t, False
        if not stuck and left < t < right:
            return t, True
        return (right - margin if abs(t - right) < abs(t - left) else left + margin), False


def cubic_minimum(a: Point, b: Point, bounds: tuple[float, float] | None = None) -> float:
    """The minimum of the cubic through two points with their slopes, within bounds; the middle if it has none."""
    low, high = bounds if bounds is not None else (min(a.t, b.t), max(a.t, b.t))
    first = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = first * first - a.slope * b.slope
    if square < 0:
        return (low + high) / 2
    second = math.sqrt(square)
    left, right = (a, b) if a.t <= b.t else (b, a)
    shift = (right.slope + second - first) / (right.slope - left.slope + 2 * second)
    return min(max(right.t - (right.t - left.t) * shift, low), high)
