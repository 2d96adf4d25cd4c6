"""X9. A large learning rate leaves a narrow poor minimum for a wide good one.

A function of one variable with a narrow, shallow basin at the left and a wide, deep one at the right. Gradient descent
from the left stays in the narrow basin exactly while its rate is below 2 over the curvature there.
"""

import numpy as np
from experiment import Check, Experiment

import symgrad as sg

NARROW, WIDE, STEPS, LATE = -2.0, 3.0, 4000, 3500
RATES = np.geomspace(0.003, 3.0, 31)


def f(x):
    """Two Gaussian wells in a wide bowl."""
    return 0.02 * (x - WIDE) ** 2 - 0.35 * sg.exp(-((x - NARROW) ** 2) / 0.08) - 1.2 * sg.exp(-((x - WIDE) ** 2) / 4)


gradient = sg.compile(sg.grad(f))


def bottom(x):
    """The minimum near x, by Newton's method."""
    for _ in range(50):
        x = x - sg.grad(f)(x) / sg.grad(sg.grad(f))(x)
    return float(x)


def descend(x, rate, decay):
    """Where a rate leads that is large for most of the time and falls at the end, if it may."""
    for k in range(STEPS):
        x = x - (rate * 0.98 ** max(0, k - LATE) if decay else rate) * gradient(x)
    return float(x)


def measure(seed, control):
    start = NARROW + np.random.default_rng(seed).uniform(-0.1, 0.1)
    rates = np.minimum(RATES, RATES[0]) if control else RATES
    ends = np.array([descend(np.asarray(start), rate, decay=True) for rate in rates])
    narrow = bottom(NARROW)
    limit = 2 / float(sg.grad(sg.grad(f))(narrow))
    stays = np.abs(ends - narrow) < 0.5
    wide = np.abs(ends - bottom(WIDE)) < 0.5
    return {
        "rates below 2/curvature that stay, share": stays[0.9 * limit > RATES].mean(),
        "rates well above it that reach the wide basin, share": wide[2 * limit < RATES].mean(),
        "limit": limit,
        "ends": ends,
    }  # fmt: skip


def draw(axes, on, off):
    x = np.linspace(-4, 6, 400)
    left, right = axes
    left.plot(x, f(x), color="#1F2933")
    left.set(xlabel="x", ylabel="f", title="a narrow and a wide basin")
    for r in on:
        right.plot(RATES, r["ends"], "o", color="#0072B2", markersize=3.5, alpha=0.6)
    right.axvline(on[0]["limit"], color="#D55E00", linestyle="--")
    right.annotate("2 / curvature of the narrow basin", (on[0]["limit"], 0.4), xytext=(-6, 0),
                   textcoords="offset points", ha="right", color="#D55E00")  # fmt: skip
    right.set(xscale="log", xlabel="learning rate", ylabel="x at the end", title="where descent ends")


EXPERIMENT = Experiment(
    name="x09_escape",
    title="A large learning rate escapes",
    claim="Rates below 2/curvature stay in the narrow basin; of those well above most end in the wide, deeper one.",
    control="the smallest of the rates in the place of all",
    checks=[
        Check("rates below 2/curvature that stay, share", ">", 0.99),
        Check("rates well above it that reach the wide basin, share", ">", 0.5),
    ],
    looked="the second threshold, as the bare claim: most.",
    measure=measure,
    draw=draw,
    panels=2,
)

if __name__ == "__main__":
    raise SystemExit(EXPERIMENT.main())
