"""X10. One learning rate for all parameters is the root of the trouble.

The same linear regression with features on very different scales: gradient descent at its best single rate, a rate of
its own for every parameter (1 over the diagonal of the Hessian, RMSprop's scaling), and standardised features.
"""

import numpy as np
from experiment import Check, Experiment, curve

import symgrad as sg
from symgrad import losses

STEPS, ROWS = 300, 200


def problem(seed, scales):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(ROWS, len(scales))) * scales
    return X, X @ (rng.normal(size=len(scales)) / scales) + 0.01 * rng.normal(size=ROWS)


def descend(X, t, rate):
    """The excess loss over the steps with a rate for each parameter; `rate` is made from the Hessian."""

    def loss(w):
        return losses.mse(X @ w, t)

    w = np.zeros(X.shape[1])
    hessian = sg.hessian(loss)(w)
    lr = rate(hessian)
    best = float(loss(np.linalg.lstsq(X, t, rcond=None)[0]))
    values, gradient = [], sg.compile(sg.grad(loss))
    for _ in range(STEPS):
        values.append(float(loss(w)) - best)
        w = w - lr * gradient(w)
    return np.maximum(values, 1e-16)


def one_rate(hessian):
    """The best single rate of a quadratic, 2 over the sum of its extreme curvatures."""
    curvatures = np.linalg.eigvalsh(hessian)
    return 2 / (curvatures[0] + curvatures[-1])


def own_rates(hessian):
    return 1 / np.diag(hessian)


def measure(seed, control):
    scales = np.ones(5) if control else np.array([1.0, 3.0, 10.0, 30.0, 100.0])
    X, t = problem(seed, scales)
    standard = (X - X.mean(axis=0)) / X.std(axis=0)
    runs = {
        "one rate": descend(X, t, one_rate),
        "a rate for each parameter": descend(X, t, own_rates),
        "one rate, features standardised": descend(standard, t - t.mean(), one_rate),
    }
    left = {name: values[100] / values[0] for name, values in runs.items()}
    return {
        "what is left after 100 steps: own rates / one rate": left["a rate for each parameter"] / left["one rate"],
        "standardised / one rate": left["one rate, features standardised"] / left["one rate"],
        "curves": {name: values[::3] / values[0] for name, values in runs.items()},
    }


def draw(axes, on, off):
    for k, name in enumerate(on[0]["curves"]):
        curve(axes, [r["curves"][name] for r in on], name, k, np.arange(0, STEPS, 3), end=False)
    axes.set(yscale="log", xlabel="step", ylabel="excess loss / at the start", ylim=(1e-15, 2), xlim=(0, 100))
    axes.legend(frameon=False)


EXPERIMENT = Experiment(
    name="x10_one_rate",
    title="One learning rate for all parameters",
    claim="On features of different scales a rate for each parameter, or standardised features, beats any single rate.",
    control="features of equal scales",
    checks=[
        Check("what is left after 100 steps: own rates / one rate", "<", 1e-3),
        Check("standardised / one rate", "<", 1e-3),
    ],
    measure=measure,
    draw=draw,
)

if __name__ == "__main__":
    raise SystemExit(EXPERIMENT.main())
