"""X22. The choice of the divergence matters: squared error stalls where a sigmoid is saturated and wrong.

The gradient of the squared error carries the factor y(1 - y), which vanishes where the output is sure of itself, right
or wrong. That of the cross-entropy does not: it is y - t.
"""

import numpy as np
from experiment import Check, Experiment, curve

import symgrad as sg
from symgrad import optim
from symgrad.nn import functional as F

STEPS, RATE = 2000, 0.1


def train(seed, bias, loss):
    """The share of wrong answers over the steps of gradient descent, from a bias that is surely wrong."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(200, 2))
    t = (X @ [1.0, -2.0] > 0.5).astype(float)
    w = sg.tensor(np.r_[rng.normal(size=2) * 0.1, bias], requires_grad=True)
    optimizer = optim.SGD([w], lr=RATE)

    @sg.compile
    def step():
        z = X @ w[:2] + w[2]
        value = loss(z, t)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        return sg.mean(sg.abs((z > 0) - t))

    return np.array([float(step()) for _ in range(STEPS)])


def squared(z, t):
    return sg.mean((sg.sigmoid(z) - t) ** 2)


def cross_entropy(z, t):
    return F.binary_cross_entropy_with_logits(z, t)


def measure(seed, control):
    bias = 0.0 if control else 12.0
    runs = {"squared error": train(seed, bias, squared), "cross-entropy": train(seed, bias, cross_entropy)}
    return {
        "error with squared error": runs["squared error"][STEPS // 2],
        "error with cross-entropy": runs["cross-entropy"][STEPS // 2],
        "curves": {name: values[::20] for name, values in runs.items()},
    }


def draw(axes, on, off):
    for k, name in enumerate(on[0]["curves"]):
        curve(axes, [r["curves"][name] for r in on], name, k, np.arange(0, STEPS, 20))
    axes.set(xlabel="step", ylabel="share of wrong answers", ylim=(-0.02, 0.75), xlim=(0, STEPS))


EXPERIMENT = Experiment(
    name="x22_divergence",
    title="Squared error and cross-entropy from a saturated start",
    claim="From a saturated wrong start the squared error stalls, and the cross-entropy does not.",
    control="a start that is not saturated",
    checks=[Check("error with squared error", ">", 0.3), Check("error with cross-entropy", "<", 0.1)],
    measure=measure,
    draw=draw,
)

if __name__ == "__main__":
    raise SystemExit(EXPERIMENT.main())
