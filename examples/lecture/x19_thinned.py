"""X19. At test the scaled network stands for the mean of all thinned networks.

Ten hidden units have 1,024 thinned networks; all of them are run. The mean of their weighted sums is that of the scaled
network exactly. The mean of their probabilities is compared with its own, beside how far single thinned networks are.
"""

import numpy as np
from experiment import Check, Experiment, dots

from symgrad import data, losses, nn, optim
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


class Distance(nn.Module):
    """Half the sum of the differences from given probabilities, for every example."""

    def __init__(self, probabilities):
        self.probabilities = probabilities

    def forward(self, p):
        return abs(p - self.probabilities).sum(axis=1) / 2


def measure(seed, control):
    gaps, sums, single = [], [], []
    for keep in KEEPS:
        thinned, X = train(seed, keep)
        hidden, activation, _, out = thinned
        at_test = nn.Sequential(hidden, activation, out) if control else thinned
        mean = Distance(nn.dropout_average(nn.Sequential(*thinned, nn.Softmax()), X))
        gaps.append(nn.Sequential(*at_test, nn.Softmax(), mean).predict(X).mean())
        sums.append(abs(at_test.predict(X) - nn.dropout_average(thinned, X)).max())
        single.append(nn.dropout_average(nn.Sequential(*thinned, nn.Softmax(), mean), X).mean())
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
    refuted="The weighted sums are exact. The probabilities are not near: they miss the mean by more than half of what "
    "a single thinned network does, most where half of the units are kept, for the softmax is far from straight there. "
    "What the scaled network gives exactly is the geometric mean of all thinned networks' probabilities.",
    measure=measure,
    draw=draw,
)

if __name__ == "__main__":
    raise SystemExit(EXPERIMENT.main())
