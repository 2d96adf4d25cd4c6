"""X6. A saddle point holds gradient descent up; noise and momentum get it away.

f = (x^2 - y^2)/2 + y^4/4 has a saddle at 0 and minima at y = ±1. Exactly on the ridge y = 0 gradient descent stays for
ever. From y0 it needs about log(1/y0) steps, because y grows by a constant factor at every step.
"""

import numpy as np
from experiment import Check, Experiment, curve

import symgrad as sg
from symgrad.optim import rules

STEPS, RATE, STARTS = 600, 0.05, (0.0, 1e-12, 1e-6, 1e-2)


def f(p):
    x, y = p[0], p[1]
    return (x**2 - y**2) / 2 + y**4 / 4


gradient = sg.grad(f)


def path(start, momentum=0.0, noise=0.0, seed=0):
    """|y| over the steps."""
    rng = np.random.default_rng(seed)
    p, v, ys = np.array(start), np.zeros(2), []
    for _ in range(STEPS):
        p, v, *_ = rules.momentum(p, gradient(p) + noise * rng.normal(size=2), v, lr=RATE, momentum=momentum)
        ys.append(abs(float(p[1])))
    return np.array(ys)


def escape(ys):
    """The first step at which |y| has passed 0.5."""
    return int(np.argmax(ys > 0.5)) + 1 if (ys > 0.5).any() else STEPS


def measure(seed, control):
    x0 = np.random.default_rng(seed).uniform(0.5, 2)
    kick = 0.0 if control else 1.0
    stay = path((x0, 0.0))
    plain = {f"y₀ = {y:g}": path((x0, y)) for y in STARTS[1:]}
    noisy = path((x0, 0.0), noise=0.01 * kick, seed=seed)
    fast = path((x0, 1e-6), momentum=0.9 * kick)
    eigenvalues = np.linalg.eigvalsh(sg.hessian(f)(np.zeros(2)))
    steps = [escape(ys) for ys in plain.values()]
    return {
        "distance moved from the ridge itself": stay.max(),
        "Hessian's eigenvalues at 0, product": eigenvalues.prod(),
        "steps from 1e-12 / from 1e-6": steps[0] / steps[1],
        "steps with momentum / without": escape(fast) / steps[1],
        "steps with noise / all": escape(noisy) / STEPS,
        "curves": {
            "on the ridge, with noise": noisy[::5],
            **{k: v[::5] for k, v in plain.items()},
            "1e-06, momentum": fast[::5],
        },
    }


def draw(axes, on, off):
    for k, name in enumerate(on[0]["curves"]):
        curve(axes, [r["curves"][name] for r in on], name, k, np.arange(0, STEPS, 5), end=False)
    axes.set(xlabel="step", ylabel="distance from the ridge", yscale="log", ylim=(1e-13, 3))
    axes.legend(frameon=False, loc="lower right")


EXPERIMENT = Experiment(
    name="x06_saddle",
    title="Stuck at a saddle point",
    claim="On the ridge of a saddle gradient descent never moves off; near it the time to escape grows like log(1/y0); "
    "gradient noise and momentum shorten it.",
    control="no noise and no momentum",
    checks=[
        Check("distance moved from the ridge itself", "<", 1e-15),
        Check("Hessian's eigenvalues at 0, product", "<", -0.5),
        Check("steps from 1e-12 / from 1e-6", "<", 2.2),
        Check("steps with momentum / without", "<", 0.6),
        Check("steps with noise / all", "<", 0.5),
    ],
    measure=measure,
    draw=draw,
)

if __name__ == "__main__":
    raise SystemExit(EXPERIMENT.main())
