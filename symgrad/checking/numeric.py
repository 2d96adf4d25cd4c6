r"""Derivatives from values alone: Ridders' extrapolation, rounding noise, kinks and edges.

Everything happens along a `Line` :math:`t \mapsto v \circ f(x + t d)`, whose derivative at 0 is wanted.
The outputs stay apart until they are subtracted, so that those that do not move add no noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Arrays", "Estimate", "Line", "Singularity", "bends", "derivative", "rounding_noise", "singularity",
           "together"]  # fmt: skip

Arrays = list[NDArray[Any]]
Slope = Callable[[float], tuple[float, float]]

_EPS = float(np.finfo(np.float64).eps)
_START = 0.2318  # of the scale of the input
_RATIO = 1.83  # with a whole number, steps that are periods of f would stay periods
_LEVELS, _DEPTH, _ENOUGH = 48, 8, 4
_SAMPLES, _DEGREE, _WIDTHS = 12, 5, (1e-9, 1e-6)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A numeric derivative, its error bar, the step where it was found, and the noise of the outputs reached."""

    value: float
    error: float
    step: float
    noise: float = 0.0


class Line:
    """The weighted outputs of f at ``x + t d``, where d moves the input of one place."""

    def __init__(
        self, f: Callable[[Arrays], NDArray[Any]], points: Arrays, place: int, direction: NDArray[Any], noise: Any
    ) -> None:
        self.f, self.points, self.place, self.direction = f, points, place, direction
        self.base = f(points)
        self.noise = noise
        self.moved = np.zeros(self.base.shape, np.bool_)
        self.size = 0.0  # of the outputs where the line is first seen
        self.flat, self.grain = 0.0, math.inf  # the longest step without a change, the smallest change seen

    def __call__(self, t: float) -> NDArray[Any]:
        """The outputs at t; NaN outside of the domain of f."""
        return _outputs(self.f, _moved(self.points, self.place, t * self.direction), self.base)

    def pair(self, t: float) -> tuple[NDArray[Any], NDArray[Any], float]:
        """The outputs at t and -t, and the rounding noise of their difference."""
        up, down = self(t), self(-t)
        self.moved |= up != down
        change = abs(float(np.sum(up - down)))
        if change == 0:
            self.flat = max(self.flat, t)
        elif change < self.grain:
            self.grain = change
        self.size = self.size or float(np.nan_to_num(np.sum(np.abs(up)), nan=0.0, posinf=0.0))
        return up, down, together(np.maximum(self.noise, _EPS * np.abs(up))[self.moved])

    def above_noise(self, values: NDArray[Any]) -> float:
        """The sum of the sizes of combinations of outputs that are more than rounding noise."""
        sizes = np.abs(values)
        return float(np.sum(sizes[~(sizes <= 16 * self.noise)]))

    def hides(self, slope: float) -> bool:
        """Whether f moves in grains so coarse that this slope would not show where f seems flat."""
        return 2 * self.flat * abs(slope) < self.grain < math.inf

    def reached(self) -> NDArray[np.bool_]:
        """The outputs that NaN in the moving elements spoils, though they may move by less than their last bit."""
        points = _moved(self.points, self.place, np.where(self.direction != 0, np.nan, 0.0))
        spoiled: NDArray[np.bool_] = np.isnan(_outputs(self.f, points, self.base))
        return spoiled

    def central(self, h: float) -> tuple[float, float]:
        """The central difference quotient and its noise."""
        up, down, noise = self.pair(h)
        return float(np.sum(up - down)) / (2 * h), noise / h

    def one_sided(self, h: float, side: int) -> tuple[float, float]:
        """A difference quotient that leaves out the point itself, where f may jump."""
        _, _, noise = self.pair(h)
        return side * float(np.sum(self(2 * side * h) - self(side * h))) / h, 2 * noise / h


def together(noise: NDArray[Any]) -> float:
    """The noise of a sum of independent terms: the root of the sum of squares, without underflow."""
    largest = float(noise.max(initial=0))
    return largest * float(np.linalg.norm(noise / largest)) if largest > 0 else 0.0


def rounding_noise(
    f: Callable[[Arrays], NDArray[Any]], points: Arrays, place: int, random: np.random.Generator
) -> NDArray[Any]:
    """Rounding noise of every output as one input moves: what a polynomial leaves over at random points close by.

    The points lie so close that whatever is smooth is such a polynomial; of the two sides of the point
    the quieter one counts, in case the other has a kink. Outputs that take few values there (they are
    rounded to float32, say) are looked at again from further away.

    References
    ----------
    J. J. Moré and S. M. Wild, "Estimating computational noise", SIAM J. Sci. Comput. 33 (2011) 1292-1314,
    with equidistant points, where rounding to a grid may go unseen.
    """
    base = f(points)
    x = points[place]
    direction = np.abs(x) * random.choice((-1.0, 1.0), x.shape)
    noise, resolved = np.zeros(base.shape), np.zeros(base.shape, np.bool_)
    t = random.random(_SAMPLES)
    basis = np.linalg.qr(np.vander(t, _DEGREE + 1))[0]
    for width in _WIDTHS:
        quietest = np.full(base.shape, np.inf)
        many = np.zeros(base.shape, np.bool_)
        for side in (1, -1):
            table = np.stack([_outputs(f, _moved(points, place, side * width * s * direction), base) for s in t]) - base
            left = np.abs(table - basis @ (basis.T @ table)).max(axis=0, initial=0)
            quietest = np.fmin(quietest, left)
            many |= (np.diff(np.sort(table, axis=0), axis=0) > 0).sum(axis=0) > _SAMPLES / 2
        noise = np.where(resolved | np.isinf(quietest), noise, quietest)
        resolved |= many
        if resolved.all():
            break
    found: NDArray[Any] = np.maximum(noise, _EPS * np.abs(base))
    return found


def _outputs(f: Callable[[Arrays], NDArray[Any]], points: Arrays, base: NDArray[Any]) -> NDArray[Any]:
    """The outputs of f, NaN where it cannot be computed because the points lie outside of its domain."""
    try:
        return f(points)
    except (ArithmeticError, ValueError):
        return np.full(base.shape, np.nan)


def _moved(points: Arrays, place: int, by: NDArray[Any]) -> Arrays:
    return [x + by if k == place else x for k, x in enumerate(points)]


def extrapolate(slope: Slope, start: float, power: int) -> Estimate:
    r"""The limit of a difference quotient for :math:`h \to 0`, with the least error on a ladder of steps.

    The quotient is :math:`D(h) = f' + c_1 h^p + c_2 h^{2p} + \dots`; from steps that shrink by r,
    Neville's rule removes one term per column,

    .. math:: D_{k+1}(h) = D_k(h) + \frac{D_k(h) - D_k(rh)}{r^{p(k+1)} - 1},

    and the error of a value is its distance from its two parents plus the rounding noise. The ladder
    ends where noise alone exceeds the best error.

    Parameters
    ----------
    slope : callable
        From h to the quotient and its rounding noise.
    start : float
        The first step.
    power : int
        The p: 2 for central differences, 1 for one-sided ones.

    References
    ----------
    C. J. F. Ridders, "Accurate computation of F'(x) and F'(x)F''(x)", Adv. Eng. Software 4 (1982) 75-76.
    """
    best = Estimate(math.nan, math.inf, start)
    row: list[float] = []
    for k in range(_LEVELS):
        h = start / _RATIO**k
        value, noise = slope(h)
        if not math.isfinite(value):
            row = []
            continue
        column = [value]
        for j, coarser in enumerate(row[:_DEPTH]):
            finer = column[j]
            column.append(finer + (finer - coarser) / (_RATIO ** (power * (j + 1)) - 1))
            error = max(abs(column[-1] - finer), abs(column[-1] - coarser)) + noise
            if error < best.error:
                best = Estimate(column[-1], error, h)
        row = column
        if len(row) >= _ENOUGH and _RATIO * noise >= best.error:
            break
    return best


def derivative(line: Line, starts: Iterable[float] = (1.0,)) -> Estimate:
    """The derivative of a line at 0, from the first start that gives a sharp value, else the best."""
    best = Estimate(math.nan, math.inf, _START)
    for start in starts:
        found = extrapolate(line.central, _START * start, 2)
        if found.error < best.error or best.value == 0:
            best = found
        if best.error < 1e-8 * abs(best.value):
            break
    return replace(best, noise=together(line.noise[line.moved | line.reached()]))


# Where f is not smooth


@dataclass(frozen=True, slots=True)
class Singularity:
    """A point where f is not smooth along the line: what it is, and the derivatives from both sides.

    Attributes
    ----------
    kind : str
        ``kink``, ``jump``, ``infinite slope`` or ``domain edge``.
    left, right : float
        One-sided derivatives: infinite where they grow without bound, NaN where f is not defined.
    width : float
        How far they are apart, summed over the outputs.
    error : float
        The error bar of the two.
    """

    kind: str
    left: float
    right: float
    width: float
    error: float

    @property
    def status(self) -> str:
        """What an entry with an admitted value is called."""
        return "kink" if self.kind in ("kink", "jump") else "domain edge"

    @property
    def sides(self) -> list[float]:
        """The one-sided derivatives that exist."""
        return [s for s in (self.left, self.right) if not math.isnan(s)]

    @property
    def apart(self) -> bool:
        """Whether the one-sided derivatives differ by more than noise."""
        return self.width > 0 or not abs(self.left - self.right) <= 8 * self.error

    @property
    def middle(self) -> float:
        """Their mean."""
        return sum(self.sides) / len(self.sides) if self.sides else math.nan

    def admits(self, value: float, bar: float) -> bool:
        """Whether a value lies between the one-sided derivatives, output by output, up to an error bar."""
        if not self.sides or math.isnan(value):
            return False
        low, high = min(self.sides), max(self.sides)
        if math.isinf(low) or math.isinf(high):
            return low <= value <= high
        half = max(high - low, self.width) / 2
        return abs(value - self.middle) <= half + bar + 8 * self.error + 1e-6 * max(abs(low), abs(high))

    def __str__(self) -> str:
        return f"{self.kind}, derivative {_side(self.left)} from the left, {_side(self.right)} from the right"


def _side(value: float) -> str:
    return "none" if math.isnan(value) else f"{value:.6g}"


def bends(line: Line, step: float) -> bool:
    """Whether second differences look as at a kink, and `singularity` shall look closer.

    They fall with the step where f is smooth, so that extrapolating them to 0 gives little.
    """
    coarse, fine = (line.above_noise(line(h) + line(-h) - 2 * line.base) / h for h in (step, step / 2))
    return not abs(2 * fine - coarse) <= 0.1 * coarse


def singularity(line: Line, step: float) -> Singularity | None:
    """What stops f from being smooth at the point, or None; looked at over nine decades of steps."""
    seen: list[tuple[float, float, float] | None] = []
    for k in range(1, 10):
        h = step / 10**k
        up, down, noise = line.pair(h)
        finite = bool(np.isfinite(up).all() and np.isfinite(down).all())
        jump = line.above_noise(up + down - 2 * line.base) / h
        slope = abs(float(np.sum(up - down))) / (2 * h)
        seen.append((jump, slope, noise / h) if finite else None)
        if finite and jump == 0 and slope <= 20 * noise / h:
            break
    before, last = seen[-2:] if len(seen) > 1 else (None, seen[-1])
    if last is None:
        return _sides(line, step, "domain edge")
    if before is None:
        return None
    (jump, slope, noise), (jump0, slope0, _) = last, before
    if slope > 3 * slope0 and slope > 20 * noise:
        return _sides(line, step, "jump or infinite slope")
    kink = _sides(line, step, "kink") if jump > jump0 / 2 else None
    return kink if kink is not None and kink.apart else None


def _sides(line: Line, step: float, kind: str) -> Singularity:
    """The one-sided derivatives, and how far apart they are, output by output."""
    (left, e_left), (right, e_right) = (_one_sided(line, step, side) for side in (-1, 1))
    h = step * 1e-4
    width = line.above_noise(line(2 * h) - line(h) - line(-h) + line(-2 * h)) / h
    if kind == "jump or infinite slope":
        kind = "infinite slope" if math.isinf(left) or math.isinf(right) else "jump"
    return Singularity(kind, left, right, width if math.isfinite(width) else 0.0, e_left + e_right)


def _one_sided(line: Line, step: float, side: int) -> tuple[float, float]:
    """The derivative from one side and its error bar; infinite where it grows without bound, NaN where f ends."""
    found = extrapolate(lambda h: line.one_sided(h, side), step, 1)
    near, nearer = (line.one_sided(step * t, side)[0] for t in (1e-4, 1e-8))
    if math.isfinite(near) and abs(nearer) > 5 * abs(near) and found.error > 0.01 * abs(found.value):
        return math.copysign(math.inf, nearer), 0.0
    return (found.value, found.error) if math.isfinite(nearer) else (math.nan, 0.0)
