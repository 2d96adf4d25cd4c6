"""X19. At test the scaled network stands for the mean of all thinned networks.

Ten hidden units have 1,024 thinned networks; all of them are run. The mean of their weighted sums is that of the scaled
network exactly. The mean of their probabilities is close to it, the closer the less bent the output is.
"""

from itertools import product

import numpy as np
from experiment import Check, Experiment, dots

import symgrad as sg
from symgrad import data, losses, nn, optim
from symgrad.nn import functional as F
from symgrad.train import Trainer

KEEPS, UNITS = (0.3, 0.5, 0.7, 0.9), 10


def train(seed, keep):
    """A trained network with dropout on its hidden layer, in the lecture's style."""
    learn, test = data.digits().split((0.8, 0.2), seed=seed)
    hidden, out = nn.Linear(64, UNITS), nn.Linear(UNITS, 10)
    dropout = nn.Dropout(keep=keep, style="lecture")
    model = nn.Sequential(hidden, nn.Tanh(), dropout, out)
    Trainer(model, loss=losses.cross_entropy, optimizer=lambda p: optim.Adam(p, lr=5e-3), seed=seed).fit(
        learn, epochs=20, progress=False
    )
    return model, test.X[:200]


def measure(seed, control):
    gaps, sums, single = [], [], []
    for keep in KEEPS:
        model, X = train(seed, keep)
        first, activation, _, last = model
        with sg.no_grad():
            h = activation(first(sg.tensor(X))).numpy()
        weight, bias = last.weight.numpy(), last.bias.numpy()
        scaled = h * (1.0 if control else keep) @ weight.T + bias
        masks = np.array(list(product((0.0, 1.0), repeat=UNITS)))
        chances = np.prod(np.where(masks == 1, keep, 1 - keep), axis=1)
        logits = (h[None] * masks[:, None]) @ weight.T + bias
        mean_logits = np.tensordot(chances, logits, axes=1)
        mean = np.tensordot(chances, F.softmax(logits, axis=2), axes=1)
        gap = np.abs(F.softmax(scaled, axis=1) - mean).sum(axis=1).mean() / 2
        one = np.abs(F.softmax(logits, axis=2) - mean).sum(axis=2).mean(axis=1) / 2
        gaps.append(gap)
        sums.append(np.abs(scaled - mean_logits).max())
        single.append(chances @ one)
    return {
        "gap of the weighted sums": max(sums),
        "gap of the probabilities / of a single thinned network's": max(np.divide(gaps, single)),
        "gaps": gaps,
        "single": single,
    }


def draw(axes, on, off):
    dots(axes, KEEPS, [r["gaps"] for r in on], "the scaled network", 0)
    dots(axes, KEEPS, [r["single"] for r in on], "one thinned network", 1)
    dots(axes, KEEPS, [r["gaps"] for r in off], "not scaled", 2)
    axes.set(xlabel="probability to keep a unit", ylabel="distance to the mean of all 1,024", ylim=(0, None))
    axes.legend(frameon=False)


EXPERIMENT = Experiment(
    name="x19_thinned",
    title="The mean of all thinned networks",
    claim="Scaling the weights gives the mean of the next weighted sum exactly, and of the output nearly.",
    control="the weights are not scaled",
    checks=[
        Check("gap of the weighted sums", "<", 1e-10),
        Check("gap of the probabilities / of a single thinned network's", "<", 0.5),
    ],
    measure=measure,
    draw=draw,
)

if __name__ == "__main__":
    raise SystemExit(EXPERIMENT.main())
