"""X1. The loop of gradient descent: its stopping test, as printed and as meant.

The lecture's loop goes on *while* |f(x_k) - f(x_{k-1})| < eps. Read literally it stops after the first long step, or
never, if it starts where steps are short. It must go on while the change is *not* small.
"""

import numpy as np
from experiment import Check, Experiment, curve

import symgrad as sg

STEPS, EPS, RATE = 20_000, 1e-13, 1e-3


def rosenbrock(x):
    return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2


def descend(x, small_stops):
    """The path of gradient descent until the test says stop."""
    value_and_gradient = sg.compile(sg.value_and_grad(rosenbrock))
    value, gradient = value_and_gradient(x)
    path = [float(value)]
    for _ in range(STEPS):
        x = x - RATE * gradient
        value, gradient = value_and_gradient(x)
        path.append(float(value))
        small = abs(path[-1] - path[-2]) < EPS
        if small == small_stops:
            break
    return x, path


def measure(seed, control):
    start = np.random.default_rng(seed).uniform(-1, 1, 2)
    x, path = descend(start, small_stops=not control)
    shown = np.interp(np.geomspace(1, STEPS, 80), np.arange(1, len(path) + 1), path)
    return {"distance to the minimum": np.hypot(*(x - 1)), "steps": len(path) - 1, "loss": shown}


def draw(axes, on, off):
    x = np.geomspace(1, STEPS, 80)
    curve(axes, [r["loss"] for r in on], "stops when the change is small", 0, x, end=False)
    curve(axes, [r["loss"] for r in off], "as printed: stops at once", 1, x, end=False)
    axes.set(xscale="log", yscale="log", xlabel="step", ylabel="Rosenbrock's function")
    axes.legend(frameon=False)


EXPERIMENT = Experiment(
    name="x01_gradient_descent",
    title="The loop of gradient descent",
    claim="Gradient descent that stops when f hardly changes ends at the minimum.",
    control="the test as printed, which goes on only while the change is small",
    checks=[Check("distance to the minimum", "<", 1e-3)],
    measure=measure,
    draw=draw,
)

if __name__ == "__main__":
    raise SystemExit(EXPERIMENT.main())
