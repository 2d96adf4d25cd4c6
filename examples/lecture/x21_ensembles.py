"""X21. Ensembles: networks that differ in their starts err differently, and their mean errs less.

500 digits of MNIST to learn from, 2,000 to test; networks of two hidden layers of 32 units.
"""

import numpy as np
from experiment import Check, Experiment, dots

from symgrad import data, losses, nn, optim
from symgrad.nn import functional as F
from symgrad.train import Trainer

SIZES, EPOCHS = (1, 2, 4, 8, 16), 30


def parts(seed):
    whole = data.mnist()
    rows = np.random.default_rng(seed).permutation(len(whole))
    learn, test = rows[:500], rows[500:2500]
    return (whole.X[learn], whole.y[learn]), (whole.X[test], whole.y[test])


def member(learn, X, seed):
    """The probabilities of one network on X."""
    model = nn.Sequential(nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 10))
    trainer = Trainer(model, loss=losses.cross_entropy, optimizer=lambda p: optim.Adam(p, lr=2e-3), seed=seed,
                      batch_size=50)  # fmt: skip
    trainer.fit(learn, epochs=EPOCHS, progress=False)
    return F.softmax(trainer.predict(X), axis=1)


def measure(seed, control):
    learn, (X, y) = parts(seed)
    seeds = [1000 * seed + (0 if control else k) for k in range(SIZES[-1])]
    known = {s: member(learn, X, s) for s in set(seeds)}
    soft = [known[s] for s in seeds]
    means = [np.mean(soft[:size], axis=0) for size in SIZES]
    votes = [np.eye(10)[np.argmax(soft[:size], axis=2)].sum(axis=0) for size in SIZES]
    alone = np.mean([np.mean(p.argmax(axis=1) != y) for p in soft])
    errors = [alone] + [np.mean(p.argmax(axis=1) != y) for p in means[1:]]
    return {
        "error of 16 / of one": errors[-1] / errors[0],
        "error of 4 / of one": errors[2] / errors[0],
        "soft": errors,
        "hard": [alone] + [np.mean(v.argmax(axis=1) != y) for v in votes[1:]],
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
    measure=measure,
    draw=draw,
)

if __name__ == "__main__":
    raise SystemExit(EXPERIMENT.main())
