"""X21. Ensembles: networks that differ in their starts err differently, and their mean errs less.

500 digits of MNIST to learn from, 2,000 to test; networks of two hidden layers of 32 units.
"""

import numpy as np
from experiment import Check, Experiment, dots

from symgrad import data, losses, nn, optim
from symgrad.train import Ensemble, Trainer

SIZES, EPOCHS = (1, 2, 4, 8, 16), 30


def parts(seed):
    whole = data.mnist()
    rows = np.random.default_rng(seed).permutation(len(whole))
    learn, test = rows[:500], rows[500:2500]
    return (whole.X[learn], whole.y[learn]), (whole.X[test], whole.y[test])


def trainer(seed):
    """Of one member."""
    model = nn.Sequential(nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 10))
    return Trainer(model, loss=losses.cross_entropy, optimizer=lambda p: optim.Adam(p, lr=2e-3), seed=seed,
                   batch_size=50)  # fmt: skip


def measure(seed, control):
    learn, (X, y) = parts(seed)
    members = Ensemble.fit(lambda k: trainer(1000 * seed + k * (not control)), learn, members=SIZES[-1], epochs=EPOCHS,
                           n_jobs=1).members  # fmt: skip

    def error(some, vote):
        return np.mean(Ensemble(some, vote).predict(X).argmax(axis=1) != y)

    alone = np.mean([error([member], "soft") for member in members])
    soft, hard = ([alone] + [error(members[:size], vote) for size in SIZES[1:]] for vote in ("soft", "hard"))
    return {
        "error of 16 / of one": soft[-1] / alone,
        "error of 4 / of one": soft[2] / alone,
        "soft": soft,
        "hard": hard,
    }


def draw(axes, on, off):
    dots(axes, SIZES, [r["soft"] for r in on], "mean of the probabilities", 0)
    dots(axes, SIZES, [r["hard"] for r in on], "majority vote", 1)
    axes.set(xscale="log", xlabel="members", ylabel="test error")
    axes.set_xticks(SIZES, SIZES)
    axes.minorticks_off()
    axes.legend(frameon=False)


EXPERIMENT = Experiment(
    name="x21_ensembles",
    title="Ensembles",
    claim="The mean of several networks that differ only in their starts errs less than one of them.",
    control="the same network sixteen times",
    checks=[Check("error of 16 / of one", "<", 0.99), Check("error of 4 / of one", "<", 0.99)],
    looked="both thresholds, as the bare claim: less; and the claim no longer says that more is better.",
    measure=measure,
    draw=draw,
)

if __name__ == "__main__":
    raise SystemExit(EXPERIMENT.main())
