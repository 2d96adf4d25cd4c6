"""X4. The rate of convergence, momentum and Nesterov's momentum on a badly scaled quadratic.

f = (x^2 + 100 y^2)/2 has curvatures 1 and 100. Gradient descent converges linearly, with R = (1 - eta lambda)^2 exactly
along an axis, and diverges from eta = 2/100 on. Momentum needs about sqrt(100) steps where gradient descent needs 100.
"""

import numpy as np
from experiment import Check, Experiment, curve

import symgrad as sg
from symgrad.optim import rules

CURVATURES = np.array([1.0, 100.0])
LIMIT, GOAL = 4000, 1e-8


def f(x):
    return 0.5 * sg.sum(CURVATURES * x**2)


def descend(start, rule, state, **hyper):
    """f over the steps until it has fallen by the factor GOAL, or has grown without bound."""
    gradient, x, values = sg.grad(f), start, [float(f(start))]
    while len(values) <= LIMIT and GOAL * values[0] < values[-1] < 1e6 * values[0]:
        x, *state = rule(x, gradient(x), *state, **hyper)
        values.append(float(f(x)))
    return np.array(values)


def measure(seed, control):
    start = np.random.default_rng(seed).uniform(1, 2, 2)
    beta = 0.0 if control else 0.9
    zero = np.zeros(2)
    runs = {
        "gradient descent, η = 0.01": descend(start, rules.sgd, (), lr=0.01),
        "momentum 0.9": descend(start, rules.momentum, (zero,), lr=0.01, momentum=beta),
        "Nesterov 0.9": descend(start, rules.nesterov, (zero,), lr=0.01, momentum=beta),
        "η = 2.01/100: diverges": descend(start, rules.sgd, (), lr=0.0201)[:400],
    }
    steps = {name: len(values) - 1 for name, values in runs.items()}
    ratio = descend(np.array([0.0, 1.0]), rules.sgd, (), lr=0.003)
    bent = {n: np.interp(np.arange(900), np.arange(len(v)), v, right=np.nan) for n, v in runs.items()}
    return {
        "steps of momentum / of gradient descent": steps["momentum 0.9"] / steps["gradient descent, η = 0.01"],
        "steps of Nesterov / of gradient descent": steps["Nesterov 0.9"] / steps["gradient descent, η = 0.01"],
        "error of R = (1 - ηλ)²": np.abs(ratio[1:10] / ratio[:9] - (1 - 0.003 * 100) ** 2).max(),
        "growth for η > 2/λ": runs["η = 2.01/100: diverges"][-1] / runs["η = 2.01/100: diverges"][0],
        "curves": {n: [v if np.isfinite(v) else -1.0 for v in c[::6]] for n, c in bent.items()},
        "start": float(f(start)),
    }


def draw(axes, on, off):
    for k, name in enumerate(on[0]["curves"]):
        rows = [[v / r["start"] if v >= 0 else np.nan for v in r["curves"][name]] for r in on]
        curve(axes, rows, name, k, np.arange(len(rows[0])) * 6, end=False)
    axes.set(yscale="log", xlabel="step", ylabel="f / f at the start", ylim=(1e-9, 1e4), xlim=(0, 900))
    axes.legend(frameon=False)


EXPERIMENT = Experiment(
    name="x04_convergence",
    title="Convergence rate and momentum",
    claim="R = (1 - ηλ)² on a quadratic; momentum and Nesterov's momentum need less than half the steps of gradient "
    "descent; η > 2/λ diverges.",
    control="momentum 0 under both names",
    checks=[
        Check("error of R = (1 - ηλ)²", "<", 1e-12),
        Check("steps of momentum / of gradient descent", "<", 0.5),
        Check("steps of Nesterov / of gradient descent", "<", 0.5),
        Check("growth for η > 2/λ", ">", 10.0),
    ],
    measure=measure,
    draw=draw,
)

if __name__ == "__main__":
    raise SystemExit(EXPERIMENT.main())
