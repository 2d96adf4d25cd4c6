"""X11. Networks with one hidden layer approximate any function, the better the wider.

A smooth function and a zigzag, fitted by the method of Levenberg and Marquardt (SciPy's `least_squares`) with exact
Jacobians. Without the activation width is of no use.
"""

import numpy as np
from experiment import Check, Experiment, dots
from scipy.optimize import least_squares

import symgrad as sg

WIDTHS = (1, 2, 4, 8, 16)
X = np.linspace(-1, 1, 80)
TARGETS = {"sin 4x": np.sin(4 * X), "a zigzag": np.arcsin(np.sin(7 * X + 0.5))}


def network(theta, width, activation):
    a, b, c = (theta[k * width : (k + 1) * width] for k in range(3))
    return sg.sum(activation(X[:, None] * a + b) * c, axis=-1) + theta[-1]


def fit(target, width, rng, activation):
    """The root mean square error of the best of two fits."""

    def residual(theta):
        return network(theta, width, activation) - target

    jacobian = sg.compile(sg.jacobian(residual))
    forward = sg.compile(residual)
    best = np.inf
    for _ in range(2):
        start = np.r_[rng.normal(size=width) * 4, rng.normal(size=width) * 2, rng.normal(size=width) * 0.5, 0.0]
        found = least_squares(forward, start, jac=jacobian, max_nfev=150)
        best = min(best, np.sqrt(np.mean(found.fun**2)))
    return best


def measure(seed, control):
    rng = np.random.default_rng(seed)
    activation = (lambda x: x) if control else sg.tanh
    errors = {name: [fit(t, width, rng, activation) for width in WIDTHS] for name, t in TARGETS.items()}
    return {
        "error of sin at 16 units / at 1": errors["sin 4x"][-1] / errors["sin 4x"][0],
        "error of the zigzag at 16 units / at 1": errors["a zigzag"][-1] / errors["a zigzag"][0],
        "errors": errors,
    }


def draw(axes, on, off):
    for k, name in enumerate(TARGETS):
        dots(axes, WIDTHS, [r["errors"][name] for r in on], name, k)
    dots(axes, WIDTHS, [r["errors"]["sin 4x"] for r in off], "sin 4x, no activation", 2)
    axes.set(xscale="log", yscale="log", xlabel="hidden units", ylabel="root mean square error")
    axes.set_xticks(WIDTHS, WIDTHS)
    axes.minorticks_off()
    axes.legend(frameon=False)


EXPERIMENT = Experiment(
    name="x11_approximation",
    title="Universal approximation",
    claim="One hidden layer of tanh units approximates a smooth function and a zigzag, the better the wider.",
    control="no activation: the network is linear at any width",
    checks=[
        Check("error of sin at 16 units / at 1", "<", 0.01),
        Check("error of the zigzag at 16 units / at 1", "<", 0.1),
    ],
    looked="both thresholds.",
    measure=measure,
    draw=draw,
)

if __name__ == "__main__":
    raise SystemExit(EXPERIMENT.main())
