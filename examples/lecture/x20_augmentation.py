"""X20. Augmentation: digits that are turned and shifted a little are the same digits.

The same number of steps with and without random turns and shifts, for training sets of growing size, tested on 2,000
digits of MNIST as they are.
"""

import numpy as np
from experiment import Check, Experiment, dots

from symgrad import data, losses, nn, optim
from symgrad.train import Trainer, accuracy

SIZES, STEPS, BATCH = (100, 300, 1000, 3000), 600, 50


def error(seed, size, transform):
    """The share of wrong answers on the test part."""
    whole = data.mnist()
    rows = np.random.default_rng(seed).permutation(len(whole))
    learn, test = rows[:size], rows[3000:]
    model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    trainer = Trainer(model, loss=losses.cross_entropy, optimizer=lambda p: optim.Adam(p, lr=2e-3), metrics=[accuracy],
                      transform=transform, seed=seed, batch_size=BATCH)  # fmt: skip
    trainer.fit((whole.X[learn], whole.y[learn]), epochs=STEPS * BATCH // size, progress=False)
    return 1 - trainer.evaluate((whole.X[test], whole.y[test]))["accuracy"]


def measure(seed, control):
    change = () if control else data.Images(shape=(28, 28), rotate=10, translate=0.07)
    plain = [error(seed, size, ()) for size in SIZES]
    changed = plain if control else [error(seed, size, change) for size in SIZES]
    return {
        "error with 100 digits, augmented / not": changed[0] / plain[0],
        "error with 300 digits, augmented / not": changed[1] / plain[1],
        "what it gains with 100 / with 3,000": (plain[0] - changed[0]) / max(plain[3] - changed[3], 1e-3),
        "plain": plain,
        "changed": changed,
    }


def draw(axes, on, off):
    dots(axes, SIZES, [r["plain"] for r in on], "as they are", 0)
    dots(axes, SIZES, [r["changed"] for r in on], "turned and shifted", 1)
    axes.set(xscale="log", yscale="log", xlabel="digits in the training set", ylabel="test error")
    axes.set_xticks(SIZES, SIZES)
    axes.set_yticks([0.05, 0.1, 0.2, 0.3], ["0.05", "0.1", "0.2", "0.3"])
    axes.minorticks_off()
    axes.legend(frameon=False)


EXPERIMENT = Experiment(
    name="x20_augmentation",
    title="Augmentation",
    claim="Small turns and shifts of the training images lower the test error, most for small training sets.",
    control="no augmentation",
    checks=[
        Check("error with 100 digits, augmented / not", "<", 0.95),
        Check("error with 300 digits, augmented / not", "<", 0.95),
        Check("what it gains with 100 / with 3,000", ">", 1.0, mean=True),
    ],
    measure=measure,
    draw=draw,
)

if __name__ == "__main__":
    raise SystemExit(EXPERIMENT.main())
