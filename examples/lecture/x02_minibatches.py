"""X2. Batch, mini-batch and stochastic gradient descent on the digits.

All three take the mean gradient over the examples they look at. One example at a time is quick and rough, all of them
smooth and slow; tens to hundreds give most of both.
"""

import numpy as np
from experiment import Check, Experiment, curve

import symgrad as sg
from symgrad import data, losses, nn, optim

EPOCHS, SIZES = 3, {"all at once": None, "64 at a time": 64, "one at a time": 1}
RATES = {"all at once": 0.5, "64 at a time": 0.5, "one at a time": 0.02}


def train(seed, size, lr):
    """The loss after every update, and how many examples each had cost."""
    whole = data.digits()
    model = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
    with sg.run(seed=seed):
        optimizer = optim.SGD(model.parameters(), lr=lr)

    def step(X, y):
        loss = losses.cross_entropy(model(X), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step = sg.compile(step)
    rng = np.random.default_rng(seed)
    seen, losses_seen = [], []
    with sg.run(seed=seed):
        for _ in range(EPOCHS):
            order = rng.permutation(len(whole))
            for k in range(0, len(whole), size or len(whole)):
                rows = order[k : k + (size or len(whole))]
                losses_seen.append(float(step(whole.X[rows], whole.y[rows])))
                seen.append((seen[-1] if seen else 0) + len(rows))
        final = float(losses.cross_entropy(model.predict(whole.X), whole.y))
    return final, np.array(seen), np.array(losses_seen)


def smooth(seen, values, grid):
    """Means of the losses around a grid of examples seen."""
    half = (grid[1] - grid[0]) / 2
    near = [values[(seen >= g - half) & (seen <= g + half)] for g in grid]
    return [n.mean() if n.size else np.interp(g, seen, values) for n, g in zip(near, grid, strict=True)]


def measure(seed, control):
    grid = np.linspace(90, 1797 * EPOCHS, 60)
    final, curves, jitter = {}, {}, {}
    for name, size in SIZES.items():
        size = None if control else size
        lr = RATES["all at once"] if control else RATES[name]
        final[name], seen, values = train(seed, size, lr)
        curves[name] = smooth(seen, values, grid)
        late = values[len(values) // 2 :]
        jitter[name] = np.abs(np.diff(late)).mean()
    return {
        "loss with mini-batches / with the whole batch": final["64 at a time"] / final["all at once"],
        "jitter of single examples / of mini-batches": jitter["one at a time"] / jitter["64 at a time"],
        "curves": curves,
        "grid": grid,
    }


def draw(axes, on, off):
    for k, name in enumerate(SIZES):
        curve(axes, [r["curves"][name] for r in on], name, k, np.array(on[0]["grid"]) / 1797)
    axes.set(xlabel="epochs (each example seen once)", ylabel="training loss", xlim=(0, EPOCHS))
    axes.set_yscale("log")


EXPERIMENT = Experiment(
    name="x02_minibatches",
    title="Batch, mini-batch, single examples",
    claim="For the same number of examples looked at, mini-batches get much further than the whole batch; "
    "single examples fluctuate more than mini-batches.",
    control="all examples in every update, under all three names",
    checks=[
        Check("loss with mini-batches / with the whole batch", "<", 0.3),
        Check("jitter of single examples / of mini-batches", ">", 2.0),
    ],
    measure=measure,
    draw=draw,
)

if __name__ == "__main__":
    raise SystemExit(EXPERIMENT.main())
