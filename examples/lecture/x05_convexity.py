"""X5. Convex and not: two independent tests of the same functions.

On a convex surface the segment between two points on it runs above it (Jensen), and the Hessian has no negative
eigenvalue. A linear model with squared error or with cross-entropy is convex in its weights; a network is not.
"""

import numpy as np
from experiment import COLORS, Check, Experiment

import symgrad as sg
from symgrad import losses

POINTS = 200
rng = np.random.default_rng(0)
X, T, LABELS = rng.normal(size=(12, 3)), rng.normal(size=(12,)), rng.integers(0, 2, 12)


def linear_mse(w):
    return losses.mse(X @ w[:3], T)


def linear_cross_entropy(w):
    return losses.cross_entropy(sg.stack([X @ w[:3], X @ w[3:6]], axis=1), LABELS)


def network_mse(w):
    """Three inputs, two hidden units, one output: 8 weights."""
    hidden = sg.tanh(X @ sg.reshape(w[:6], (3, 2)))
    return losses.mse(hidden @ w[6:8], T)


FUNCTIONS = {"linear, squared error": linear_mse, "linear, cross-entropy": linear_cross_entropy, "network": network_mse}


def jensen(f, rng):
    """The share of segments that run below the surface in their middle."""
    ends = rng.normal(size=(POINTS, 2, 8)) * 2
    return float(np.mean([(float(f(a)) + float(f(b))) / 2 < float(f((a + b) / 2)) - 1e-12 for a, b in ends]))


def negative_curvature(f, rng):
    """The share of points with a negative eigenvalue of the Hessian."""
    hessian = sg.compile(sg.hessian(f))
    points = rng.normal(size=(POINTS, 8)) * 2
    lowest = [np.linalg.eigvalsh(hessian(w)) for w in points]
    return float(np.mean([e[0] < -1e-9 * max(1.0, abs(e[-1])) for e in lowest]))


def measure(seed, control):
    rng = np.random.default_rng(seed)
    network = linear_mse if control else network_mse
    functions = {**FUNCTIONS, "network": network}
    found = {name: (jensen(f, rng), negative_curvature(f, rng)) for name, f in functions.items()}
    return {
        "segments below a linear model's surface": max(
            found["linear, squared error"][0], found["linear, cross-entropy"][0]
        ),
        "negative curvature of a linear model": max(
            found["linear, squared error"][1], found["linear, cross-entropy"][1]
        ),
        "segments below the network's surface": found["network"][0],
        "negative curvature of the network": found["network"][1],
        "found": found,
    }


def draw(axes, on, off):
    names = list(FUNCTIONS)
    for k, label in enumerate(("segments that run below the surface", "points with negative curvature")):
        shares = [[r["found"][n][k] for n in names] for r in on]
        axes.bar(np.arange(3) + 0.3 * k - 0.15, np.mean(shares, axis=0), 0.26, color=COLORS[k], alpha=0.35)
        for row in shares:
            axes.plot(np.arange(3) + 0.3 * k - 0.15, row, "os"[k], color=COLORS[k], markersize=4, label=label)
            label = None
    axes.set_xticks(range(3), names)
    axes.set(ylabel="share", ylim=(-0.02, 1.05), xlim=(-0.5, 2.5))
    axes.legend(frameon=False, loc="upper left")


EXPERIMENT = Experiment(
    name="x05_convexity",
    title="Which losses are convex",
    claim="Squared error and cross-entropy of a linear model are convex in the weights; a network's loss is not. "
    "Segments and exact Hessians agree.",
    control="no hidden layer: a linear model in the place of the network",
    checks=[
        Check("segments below a linear model's surface", "<", 1e-9),
        Check("negative curvature of a linear model", "<", 1e-9),
        Check("segments below the network's surface", ">", 0.02),
        Check("negative curvature of the network", ">", 0.2),
    ],
    measure=measure,
    draw=draw,
)

if __name__ == "__main__":
    raise SystemExit(EXPERIMENT.main())
