"""X8. The loss is only a proxy: squared error can misclassify what a line separates.

A separable set on which the least squares fit of the labels ±1 puts the boundary wrong, because a few examples that are
right by far cost a great deal; the perceptron's rule separates it (Brady, Raghavan and Slawny, 1989).
"""

import numpy as np
from experiment import Check, Experiment

import symgrad as sg
from symgrad import losses, optim

STEPS = 4000


def examples(seed, far):
    """Two classes on either side of x = 0; `far` moves some of the second class a long way to the right side."""
    rng = np.random.default_rng(seed)
    left = np.column_stack([rng.uniform(-1.0, -0.1, 30), rng.uniform(-1, 1, 30)])
    right = np.column_stack([rng.uniform(0.1, 1.0, 30), rng.uniform(-1, 1, 30)])
    right[:8, 0] += far
    return np.vstack([left, right]), np.r_[-np.ones(30), np.ones(30)]


def fit(X, t, loss):
    """A line by gradient descent with Adam on a loss."""
    w = sg.tensor(np.zeros(3), requires_grad=True)
    optimizer = optim.Adam([w], lr=0.05)

    @sg.compile
    def step():
        value = loss(X @ w[:2] + w[2], t)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        return value

    for _ in range(STEPS):
        step()
    return w.numpy()


def wrong(w, X, t):
    return float(np.mean((X @ w[:2] + w[2]) * t <= 0))


def perceptron(X, t):
    w, A = np.zeros(3), np.column_stack([X, np.ones(len(X))])
    for _ in range(2000):
        missed = np.flatnonzero((A @ w) * t <= 0)
        if not missed.size:
            break
        w = w + t[missed[0]] * A[missed[0]]
    return w


def measure(seed, control):
    X, t = examples(seed, far=0.0 if control else 25.0)
    w = fit(X, t, losses.mse)
    best = np.linalg.lstsq(np.column_stack([X, np.ones(len(X))]), t, rcond=None)[0]
    p = perceptron(X, t)
    return {
        "error of the least squares line": wrong(w, X, t),
        "error of the perceptron": wrong(p, X, t),
        "distance to the exact least squares solution": np.abs(w - best).max(),
        "X": X, "t": t, "least squares": w, "perceptron": p,
    }  # fmt: skip


def draw(axes, on, off):
    r = on[0]
    X, t = np.array(r["X"]), np.array(r["t"])
    y = np.array([-1.2, 1.2])
    for part in axes:
        for sign, marker, color in ((-1, "o", "#0072B2"), (1, "^", "#D55E00")):
            part.plot(*X[t == sign].T, marker, color=color, markersize=4)
        for name, dash in (("least squares", "-"), ("perceptron", "--")):
            w = r[name]
            part.plot(-(w[1] * y + w[2]) / w[0], y, color="#1F2933", linestyle=dash, label=name)
        part.set(xlabel="x", ylim=y)
    axes[0].set(ylabel="y", xlim=(-2, 28), title="all examples")
    axes[0].legend(frameon=False, loc="center")
    axes[1].set(xlim=(-1.2, 7), title="near the boundary")


EXPERIMENT = Experiment(
    name="x08_proxy_loss",
    title="The loss is a proxy for the error",
    claim="On a separable set the minimum of the squared error misclassifies examples; a separating line exists.",
    control="no examples far on their right side",
    checks=[
        Check("error of the least squares line", ">", 0.05),
        Check("error of the perceptron", "<", 1e-9),
        Check("distance to the exact least squares solution", "<", 1e-3),
    ],
    measure=measure,
    draw=draw,
    panels=2,
)

if __name__ == "__main__":
    raise SystemExit(EXPERIMENT.main())
