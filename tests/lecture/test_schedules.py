"""The lecture's decays (L16 to L20), with mutants; errata on their names and on what their sums allow (E6, E15)."""

from math import exp, pi

import numpy as np
from mutants import holds_only_for

from symgrad.optim import schedules

STEPS = range(0, 300)


def test_l16_linear_decay_divides_by_k_plus_1():
    def check(rate):
        assert rate(0) == 0.8  # k counts from 0
        assert [rate(k) for k in STEPS] == [0.8 / (k + 1) for k in STEPS]

    holds_only_for(
        check,
        schedules.lecture_linear(0.8),
        shifted=lambda k: 0.8 / (k + 2),
        square=schedules.lecture_quadratic(0.8),
        ramp=schedules.linear(0.8, 0.0, 300),
    )
    check(schedules.inverse_time(0.8))


def test_l17_quadratic_decay_divides_by_the_square():
    def check(rate):
        assert [rate(k) for k in STEPS] == [0.8 / (k + 1) ** 2 for k in STEPS]

    holds_only_for(
        check,
        schedules.lecture_quadratic(0.8),
        linear=schedules.lecture_linear(0.8),
        polynomial=schedules.polynomial(0.8, 300, 2.0),
        shifted=lambda k: 0.8 / (k + 2) ** 2,
    )


def test_l18_exponential_decay_by_beta():
    def check(rate):
        np.testing.assert_allclose([rate(k) for k in STEPS], [0.8 * exp(-0.03 * k) for k in STEPS], rtol=1e-13)

    holds_only_for(
        check,
        schedules.lecture_exponential(0.8, 0.03),
        base_2=lambda k: 0.8 * 2 ** (-0.03 * k),
        shifted=lambda k: 0.8 * exp(-0.03 * (k + 1)),
    )
    check(schedules.step(0.8, 1, exp(-0.03)).__call__)  # torch's gamma


def test_l19_a_schedule_counts_steps_or_epochs():
    by_step, by_epoch = schedules.lecture_linear(0.8), schedules.lecture_linear(0.8, unit="epoch").in_steps(10)

    def check(rate):
        assert [rate(k) for k in (0, 9, 10, 25)] == [0.8, 0.8, 0.4, 0.8 / 3]

    holds_only_for(check, by_epoch, steps=by_step)


def test_l20_plateau_multiplies_by_alpha_when_progress_stops():
    losses = [5.0, 4.0, 4.0, 3.0, 3.5, 3.4, 2.0]

    def check(rate):
        seen = []
        for loss in losses:
            rate.update(loss)
            seen.append(rate(0))
        np.testing.assert_allclose(seen, [1, 1, 0.1, 0.1, 0.01, 0.001, 0.001], rtol=1e-15)

    holds_only_for(
        check,
        schedules.Plateau(1.0, factor=0.1, patience=0),
        patient=schedules.Plateau(1.0, factor=0.1, patience=1),
        gentle=schedules.Plateau(1.0, factor=0.5, patience=0),
        reversed=schedules.Plateau(1.0, factor=0.1, patience=0, mode="max"),
    )


def test_e6_linear_and_quadratic_decay_are_hyperbolas():
    """What torch and optax call linear is a straight line; the lecture's is not."""

    def bend(rate):
        return max(abs(rate(k - 1) - 2 * rate(k) + rate(k + 1)) for k in range(1, 50))

    assert bend(schedules.linear(0.8, 0.0, 100)) < 1e-15
    assert bend(schedules.lecture_linear(0.8)) > 0.1


def test_e15_only_the_hyperbola_may_walk_anywhere_and_comes_to_rest():
    """Robbins and Monro: rates must add up to infinity, and their squares must not."""
    k = np.arange(1_000_000)
    sums = {name: rate(k).sum() for name, rate in {
        "linear": schedules.lecture_linear(1.0),
        "quadratic": schedules.lecture_quadratic(1.0),
        "exponential": schedules.lecture_exponential(1.0, 0.1),
    }.items()}  # fmt: skip
    assert sums["linear"] > 14  # grows as ln k
    assert abs(sums["quadratic"] - pi**2 / 6) < 1e-5  # finite
    assert abs(sums["exponential"] - 1 / (1 - exp(-0.1))) < 1e-9  # finite
    assert (schedules.lecture_linear(1.0)(k) ** 2).sum() < pi**2 / 6

    def descend(rate, noise, steps=20_000):
        """Noisy descent on x^2 / 2 from 3, averaged over 50 walkers: how far from 0 they end."""
        random, x = np.random.default_rng(0), np.full(50, 3.0)
        for j in range(steps):
            x = x - rate(j) * (x + noise * random.standard_normal(50))
        return float(np.sqrt(np.mean(x * x)))

    jitters = [descend(schedules.constant(eta), 1.0, 2000) for eta in (0.4, 0.1)]
    assert jitters[0] > 1.5 * jitters[1] > 0.2  # a constant rate never comes to rest: a floor that grows with it
    assert descend(schedules.lecture_linear(1.0), 1.0) < 0.02
    stalled = descend(schedules.lecture_quadratic(0.1), 0.0)
    assert stalled > 2.5  # 0.1 pi^2 / 6 in all is not enough to arrive
