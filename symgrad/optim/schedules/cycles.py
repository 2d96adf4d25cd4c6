"""Schedules that rise again."""

from __future__ import annotations

from math import log as ln
from math import pi
from typing import Any

from symgrad.errors import SymgradError
from symgrad.ops.exponential import log
from symgrad.ops.piecewise import floor, maximum, minimum, where
from symgrad.ops.trigonometric import cos
from symgrad.optim.schedules.base import Schedule, schedule

__all__ = ["cosine_restarts", "cyclic", "one_cycle"]


@schedule
def cosine_restarts(k: Any, lr: float, period: int, growth: float = 1.0, factor: float = 1.0, end: float = 0.0) -> Any:
    r"""Waves, each longer by a factor and lower by another than the one before.

    .. math:: \eta_{end} + \tfrac12 (\eta_0 f^n - \eta_{end}) (1 + \cos(\pi\, k' / (T g^n)))

    n is the number of full periods before k, and :math:`k'` the rest.

    References
    ----------
    I. Loshchilov and F. Hutter, "SGDR", ICLR 2017, equation 5.
    """
    if growth == 1:
        n = floor(k / period)
        first, length = n * period, period + 0 * k
    else:
        # The logarithm may fall on the wrong side of a whole number; its neighbours are tried as well.
        guess = floor(log(1 + k / period * (growth - 1)) / ln(growth))
        n = maximum(guess - 1, 0.0)
        n = where(_begin(n + 1, period, growth) <= k, n + 1, n)
        n = where(_begin(n + 1, period, growth) <= k, n + 1, n)
        first, length = _begin(n, period, growth), period * growth**n
    return end + (lr * factor**n - end) * (1 + cos(pi * ((k - first) / length))) / 2


def _begin(n: Any, period: int, growth: float) -> Any:
    """Where the n-th wave begins."""
    return floor(period * (growth**n - 1) / (growth - 1) + 0.5)


@schedule
def cyclic(
    k: Any, low: float, high: float, up: int, down: int | None = None, mode: str = "triangular", gamma: float = 1.0
) -> Any:
    r"""Triangles between two rates; "triangular2" halves each, "exp_range" multiplies by :math:`\gamma^k`.

    References
    ----------
    L. N. Smith, "Cyclical learning rates for training neural networks", WACV 2017.
    """
    if mode not in ("triangular", "triangular2", "exp_range"):
        raise SymgradError(f"cyclic: mode={mode!r} is none of 'triangular', 'triangular2', 'exp_range'")
    fall = up if down is None else down
    n = floor(k / (up + fall))
    within = k - n * (up + fall)
    height = minimum(within / up, (up + fall - within) / fall)
    if mode == "triangular2":
        height = height * 0.5**n
    elif mode == "exp_range":
        height = height * gamma**k
    return low + (high - low) * height


@schedule
def _phases(k: Any, values: tuple[float, ...], ends: tuple[float, ...], shape: str) -> Any:
    """From one value to the next, in straight lines or half waves; the k-th phase ends at ends[k]."""
    found, begin = values[0] + 0 * k, 0.0
    for start, stop, end in zip(values, values[1:], ends, strict=False):
        share = minimum(maximum((k - begin) / (end - begin), 0.0), 1.0)
        inside = stop + (start - stop) * (1 + cos(pi * share)) / 2 if shape == "cos" else start + (stop - start) * share
        found, begin = where(k >= begin, inside, found), end
    return found


def one_cycle(
    high: float,
    steps: int,
    *,
    up: float = 0.3,
    start: float | None = None,
    end: float | None = None,
    shape: str = "cos",
    three_phase: bool = False,
    unit: str = "step",
) -> Schedule:
    r"""One rise and one fall, over all steps; torch's OneCycleLR.

    For momentum, which falls while the rate rises, give the lowest value as `high` and the highest as `start` and
    `end`: ``one_cycle(0.85, steps, start=0.95, end=0.95)``.

    Parameters
    ----------
    high : float
        The value at the turn.
    steps : int
    up : float
        The share of the steps before the turn.
    start, end : float, optional
        By default high / 25, and start / 10,000.
    shape : {"cos", "linear"}
    three_phase : bool
        Fall as fast as it rose, then go from start to end.
    unit : str

    References
    ----------
    L. N. Smith and N. Topin, "Super-convergence", arXiv:1708.07120.
    """
    if shape not in ("cos", "linear") or not 0 < up < 1:
        raise SymgradError(f"one_cycle: shape={shape!r} must be 'cos' or 'linear', and up={up!r} between 0 and 1")
    first = high / 25 if start is None else start
    last = first / 1e4 if end is None else end
    turn = up * steps - 1
    if three_phase:
        return _phases((first, high, first, last), (turn, 2 * up * steps - 2, steps - 1), shape, unit=unit)
    return _phases((first, high, last), (turn, steps - 1), shape, unit=unit)
