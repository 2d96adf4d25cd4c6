"""X3. The three decays of the lecture on a noisy quadratic.

A constant rate jitters at a floor that grows with the rate. eta0/(k+1) sums to infinity while its squares do not: it
converges. eta0/(k+1)^2 and eta0 exp(-beta k) sum to a finite number, so the total travel is bounded: they can stop
short of the minimum.
"""

import numpy as np
from experiment import Check, Experiment, curve, thin

from symgrad.optim import schedules

STEPS, ETA0, BETA, START = 20_000, 0.9, 0.3, 100.0
KINDS = {
    "constant": schedules.constant(ETA0),
    "1/(k+1)": schedules.lecture_linear(ETA0),
    "1/(k+1)²": schedules.lecture_quadratic(ETA0),
    "exp(-βk)": schedules.lecture_exponential(ETA0, BETA),
}


def descend(seed, schedule):
    """|x| over the steps, from noisy gradients x + N(0, 1) of x^2/2."""
    noise = np.random.default_rng(seed).normal(size=STEPS)
    rates = np.array([float(schedule(k)) for k in range(STEPS)])
    x, path = START, np.empty(STEPS)
    for k in range(STEPS):
        x -= rates[k] * (x + noise[k])
        path[k] = abs(x)
    return path


def measure(seed, control):
    paths = {name: descend(seed, KINDS["constant"] if control else schedule) for name, schedule in KINDS.items()}
    floor = {name: np.sqrt(np.mean(path[-2000:] ** 2)) for name, path in paths.items()}
    grid = np.unique(np.geomspace(1, STEPS, 100).astype(int)) - 1
    smooth = {n: [np.sqrt(np.mean(p[max(0, int(k * 0.8)) : k + 1] ** 2)) for k in grid] for n, p in paths.items()}
    return {
        "error of 1/(k+1) / of a constant rate": floor["1/(k+1)"] / floor["constant"],
        "error of 1/(k+1)² / of 1/(k+1)": floor["1/(k+1)²"] / floor["1/(k+1)"],
        "grid": thin(grid + 1.0),
        "curves": smooth,
    }


def draw(axes, on, off):
    for k, name in enumerate(KINDS):
        curve(axes, [r["curves"][name] for r in on], name, k, on[0]["grid"])
    axes.set(xscale="log", yscale="log", xlabel="step", ylabel="distance to the minimum", xlim=(1, STEPS))


EXPERIMENT = Experiment(
    name="x03_decay",
    title="Decaying learning rates",
    claim="On a noisy quadratic eta0/(k+1) goes on converging where a constant rate jitters, "
    "and eta0/(k+1)² stalls short of the minimum.",
    control="no decay: a constant rate under every name",
    checks=[
        Check("error of 1/(k+1) / of a constant rate", "<", 0.1),
        Check("error of 1/(k+1)² / of 1/(k+1)", ">", 10.0),
    ],
    looked="the starting point, the rates and β.",
    measure=measure,
    draw=draw,
)

if __name__ == "__main__":
    raise SystemExit(EXPERIMENT.main())
