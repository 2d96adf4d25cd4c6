"""X17. Penalties: which weights become small, and which exactly zero.

A linear regression on the digits' pixels, most of which are of no use. The lecture's penalty is a norm of all
parameters. The norm with p = 2 is not weight decay: its gradient never gets short, so that from lambda = |grad L(0)| on
all weights are zero at once. Single zeros come with p = 1, and only by proximal steps: a subgradient jitters around 0.
"""

import numpy as np
from experiment import Check, Experiment, dots

import symgrad as sg
from symgrad import data, losses, optim, regularizers

STEPS, RATE = 1500, 0.02
STRENGTHS = np.array([0.01, 0.03, 0.1, 0.3, 0.95, 1.05])  # in units of |grad L(0)| in the dual norm
KINDS = {
    "p = 1, proximal": lambda lam: regularizers.Lp(lam, 1, proximal=True),
    "p = 1, subgradient": lambda lam: regularizers.Lp(lam, 1),
    "p = 2, proximal": lambda lam: regularizers.Lp(lam, 2, proximal=True),
    "squared (weight decay)": lambda lam: regularizers.L2(lam),
}


def problem(seed):
    """Is it a three? From 300 digits, standardised."""
    whole = data.digits()
    rows = np.random.default_rng(seed).permutation(len(whole))[:300]
    X = whole.X[rows].astype(float)
    X = X[:, X.std(axis=0) > 0]  # a pixel that is always the same has no say
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    t = (whole.y[rows] == 3).astype(float)
    return X, t - t.mean()


def fit(X, t, regularizer):
    """Full-batch gradient descent from small weights."""
    w = sg.tensor(np.full(X.shape[1], 0.01), name="w", requires_grad=True)
    optimizer = optim.SGD([w], lr=RATE)

    @sg.compile
    def step():
        loss = losses.mse(X @ w, t) + regularizer([w])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        regularizer.after_step([w], lr=RATE)
        return loss

    with step.hold():
        for _ in range(STEPS):
            step()
    return w.numpy()


def measure(seed, control):
    X, t = problem(seed)
    slope = sg.grad(lambda w: losses.mse(X @ w, t))(np.zeros(X.shape[1]))
    limit = {"p = 1": np.abs(slope).max(), "p = 2": np.linalg.norm(slope)}
    zeros, sizes = {}, {}
    for name, make in KINDS.items():
        unit = limit[name[:5]] if name[:5] in limit else limit["p = 2"]
        found = [fit(X, t, make(0.0 if control else k * unit)) for k in STRENGTHS]
        zeros[name] = [float(np.mean(w == 0)) for w in found]
        sizes[name] = [float(np.linalg.norm(w)) for w in found]
    return {
        "share of exact zeros, p = 1 at 0.3, proximal": zeros["p = 1, proximal"][3],
        "share of exact zeros, p = 1 at 0.3, subgradient": zeros["p = 1, subgradient"][3],
        "share of exact zeros, p = 2 just below its limit": zeros["p = 2, proximal"][4],
        "share of exact zeros, p = 2 just above its limit": zeros["p = 2, proximal"][5],
        "share of exact zeros, weight decay": max(zeros["squared (weight decay)"]),
        "zeros": zeros,
        "sizes": sizes,
    }


def draw(axes, on, off):
    for k, name in enumerate(KINDS):
        dots(axes[0], STRENGTHS, [r["zeros"][name] for r in on], name, k)
        dots(axes[1], STRENGTHS, [r["sizes"][name] for r in on], name, k)
    axes[0].set(xscale="log", xlabel="λ / |∇L(0)| in the dual norm", ylabel="share", title="weights that are exactly 0")
    axes[1].set(xscale="log", xlabel="λ / |∇L(0)| in the dual norm", ylabel="", title="length of the weight vector")
    axes[0].legend(frameon=False, fontsize=9)


EXPERIMENT = Experiment(
    name="x17_penalties",
    title="Norm penalties and exact zeros",
    claim="Proximal steps on the 1-norm make single weights exactly 0 and subgradients do not; "
    "the 2-norm makes all weights 0 at once, from λ = |∇L(0)| on; weight decay makes none 0.",
    control="λ = 0",
    checks=[
        Check("share of exact zeros, p = 1 at 0.3, proximal", ">", 0.2),
        Check("share of exact zeros, p = 1 at 0.3, subgradient", "<", 1e-9),
        Check("share of exact zeros, p = 2 just below its limit", "<", 1e-9),
        Check("share of exact zeros, p = 2 just above its limit", ">", 0.999),
        Check("share of exact zeros, weight decay", "<", 1e-9),
    ],
    measure=measure,
    draw=draw,
    panels=2,
)

if __name__ == "__main__":
    raise SystemExit(EXPERIMENT.main())
