"""Schedules beside their formulas in mpmath, and what torch and optax call them."""

from dataclasses import dataclass
from typing import Any

import mpmath as mp

from symgrad.optim import schedules as s

mp.mp.dps = 40
f = mp.mpf


@dataclass
class Case:
    schedule: Any
    exact: Any  # k -> mpf
    initial: float  # the rate that errors are relative to
    torch: Any = None  # (lr_scheduler, optimizer of rate `initial`) -> scheduler
    optax: Any = None  # optax -> schedule


def _steps(k, every):
    return int(k) // every


def _cos(share):
    return (1 + mp.cos(mp.pi * share)) / 2


def _restarts(k, period, growth, factor, lr, end):
    n, length, left = 0, period, int(k)
    while left >= length:
        left, length, n = left - length, length * growth, n + 1
    return f(end) + (f(lr) * f(factor) ** n - f(end)) * _cos(f(left) / length)


def _cyclic(k, low, high, up, down, scale):
    n, within = divmod(int(k), up + down)
    height = f(within) / up if within <= up else f(up + down - within) / down
    return f(low) + (f(high) - f(low)) * height * scale(n)


def _one_cycle(k, values, ends, wave=True):
    begin = f(0)
    for j, end in enumerate(ends):
        if k <= end or j == len(ends) - 1:
            share = min((f(k) - begin) / (f(end) - begin), f(1))
            a, b = f(values[j]), f(values[j + 1])
            return b + (a - b) * _cos(share) if wave else a + (b - a) * share
        begin = f(end)
    raise AssertionError


N = 10_000
CASES = {
    "constant": Case(s.constant(0.3), lambda k: f(0.3), 0.3, lambda t, o: t.ConstantLR(o, 1.0)),
    "inverse time": Case(
        s.inverse_time(0.3, 0.7), lambda k: f(0.3) / (1 + f(0.7) * k), 0.3,
        lambda t, o: t.LambdaLR(o, lambda k: 1 / (1 + 0.7 * k)),
    ),
    "inverse time, power": Case(
        s.inverse_time(0.3, 0.7, 0.5, 10), lambda k: f(0.3) / mp.sqrt(1 + f(0.7) * k / 10), 0.3
    ),
    "lecture linear": Case(
        s.lecture_linear(0.3), lambda k: f(0.3) / (k + 1), 0.3, lambda t, o: t.LambdaLR(o, lambda k: 1 / (k + 1))
    ),
    "lecture quadratic": Case(
        s.lecture_quadratic(0.3), lambda k: f(0.3) / (k + 1) ** 2, 0.3,
        lambda t, o: t.LambdaLR(o, lambda k: 1 / (k + 1) ** 2),
    ),
    "lecture exponential": Case(
        s.lecture_exponential(0.3, 0.01), lambda k: f(0.3) * mp.exp(-f(0.01) * k), 0.3,
        lambda t, o: t.ExponentialLR(o, float(mp.exp(-f(0.01)))),
    ),
    "exponential": Case(s.exponential(0.3, 0.001), lambda k: f(0.3) * mp.exp(-f(0.001) * k), 0.3),
    "step": Case(
        s.step(0.3, 700, 0.5), lambda k: f(0.3) * f(0.5) ** _steps(k, 700), 0.3, lambda t, o: t.StepLR(o, 700, 0.5),
        lambda o: o.exponential_decay(0.3, 700, 0.5, staircase=True),
    ),
    "multistep": Case(
        s.multistep(0.3, (500, 3000, 3001), 0.3), lambda k: f(0.3) * f(0.3) ** sum(k >= j for j in (500, 3000, 3001)),
        0.3, lambda t, o: t.MultiStepLR(o, [500, 3000, 3001], 0.3),
        lambda o: o.piecewise_constant_schedule(0.3, {500: 0.3, 3000: 0.3, 3001: 0.3}),
    ),
    "piecewise": Case(
        s.piecewise((0.3, 0.1, 0.7), (100, 5000)), lambda k: f(0.3 if k < 100 else 0.1 if k < 5000 else 0.7), 0.3
    ),
    "linear": Case(
        s.linear(0.3, 0.03, 6000), lambda k: f(0.3) + (f(0.03) - f(0.3)) * min(f(k) / 6000, 1), 0.3,
        lambda t, o: t.LinearLR(o, 1.0, 0.1, 6000), lambda o: o.linear_schedule(0.3, 0.03, 6000),
    ),
    "polynomial": Case(
        s.polynomial(0.3, 8000, 2.0), lambda k: f(0.3) * (1 - min(f(k) / 8000, 1)) ** 2, 0.3,
        lambda t, o: t.PolynomialLR(o, 8000, 2.0), lambda o: o.polynomial_schedule(0.3, 0.0, 2.0, 8000),
    ),
    "cosine": Case(
        s.cosine(0.3, N, 0.01), lambda k: f(0.01) + (f(0.3) - f(0.01)) * _cos(min(f(k) / N, 1)), 0.3,
        lambda t, o: t.CosineAnnealingLR(o, N, 0.01), lambda o: o.cosine_decay_schedule(0.3, N, 0.01 / 0.3),
    ),
    "cosine restarts": Case(
        s.cosine_restarts(0.3, 300, end=0.01), lambda k: _restarts(k, 300, 1, 1, 0.3, 0.01), 0.3,
        lambda t, o: t.CosineAnnealingWarmRestarts(o, 300, 1, 0.01),
    ),
    "cosine restarts, growing": Case(
        s.cosine_restarts(0.3, 7, 2.0), lambda k: _restarts(k, 7, 2, 1, 0.3, 0), 0.3,
        lambda t, o: t.CosineAnnealingWarmRestarts(o, 7, 2),
    ),
    "cosine restarts, falling": Case(
        s.cosine_restarts(0.3, 10, 3.0, 0.5), lambda k: _restarts(k, 10, 3, 0.5, 0.3, 0), 0.3
    ),
    "cyclic": Case(
        s.cyclic(0.3, 0.9, 100, 50), lambda k: _cyclic(k, 0.3, 0.9, 100, 50, lambda n: 1), 0.3,
        lambda t, o: t.CyclicLR(o, 0.3, 0.9, 100, 50, cycle_momentum=False),
    ),
    "cyclic, halving": Case(
        s.cyclic(0.3, 0.9, 100, mode="triangular2"),
        lambda k: _cyclic(k, 0.3, 0.9, 100, 100, lambda n: f(0.5) ** n), 0.3,
        lambda t, o: t.CyclicLR(o, 0.3, 0.9, 100, mode="triangular2", cycle_momentum=False),
    ),
    "cyclic, shrinking": Case(
        s.cyclic(0.3, 0.9, 100, mode="exp_range", gamma=0.999),
        lambda k: _cyclic(k, 0.3, 0.9, 100, 100, lambda n: f(0.999) ** int(k)), 0.3,
        lambda t, o: t.CyclicLR(o, 0.3, 0.9, 100, mode="exp_range", gamma=0.999, cycle_momentum=False),
    ),
    "one cycle": Case(
        s.one_cycle(0.3, N),
        lambda k: _one_cycle(k, (f(0.3) / 25, 0.3, f(0.3) / 250000), (0.3 * N - 1, N - 1)), 0.3,
        lambda t, o: t.OneCycleLR(o, 0.3, N), lambda o: None,
    ),
    "one cycle, lines, three phases": Case(
        s.one_cycle(0.3, N, up=0.2, shape="linear", three_phase=True),
        lambda k: _one_cycle(
            k, (f(0.3) / 25, 0.3, f(0.3) / 25, f(0.3) / 250000), (f(0.2) * N - 1, 2 * f(0.2) * N - 2, N - 1), False
        ),
        0.3, lambda t, o: t.OneCycleLR(o, 0.3, N, pct_start=0.2, anneal_strategy="linear", three_phase=True),
    ),
    "inverse sqrt": Case(
        s.inverse_sqrt(0.3, 400), lambda k: f(0.3) * min((f(k) + 1) / 400, mp.sqrt(f(400) / (k + 1))), 0.3
    ),
    "warm-up, then exponential": Case(
        s.warmup(s.exponential(0.3, 0.001), 500, 0.03),
        lambda k: f(0.03) + (f(0.3) - f(0.03)) * k / 500 if k < 500 else f(0.3) * mp.exp(-f(0.001) * (k - 500)), 0.3,
    ),
    "trapezoid": Case(
        s.trapezoid(0.3, 9000, 1000, 2000),
        lambda k: f(0.3) * max(min(f(k) / 1000, 1, (9000 - f(k)) / 2000), 0), 0.3,
    ),
    "product, in steps of epochs": Case(
        (s.step(1.0, 3, 0.5, unit="epoch") * s.linear(0.3, 0.1, 40, unit="epoch")).in_steps(100),
        lambda k: f(0.5) ** _steps(k, 300)
        * (f(0.3) + (f(0.1) - f(0.3)) * min(f(_steps(k, 100)) / 40, 1)),
        0.3,
    ),
}  # fmt: skip
