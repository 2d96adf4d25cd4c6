"""X18. Dropout works over a wide range of keep probabilities.

1,000 digits of MNIST to learn from and 2,000 to test, two hidden layers of 256 units.
"""

import numpy as np
from experiment import Check, Experiment, dots

from symgrad import data, losses, nn, optim
from symgrad.train import Trainer, accuracy

KEEPS, EPOCHS = (0.2, 0.35, 0.5, 0.65, 0.8, 1.0), 40


def parts(seed):
    """1,000 to learn from, 2,000 to test."""
    whole = data.mnist()
    rows = np.random.default_rng(seed).permutation(len(whole))
    learn, test = rows[:1000], rows[1000:3000]
    return (whole.X[learn], whole.y[learn]), (whole.X[test], whole.y[test])


def error(seed, keep):
    """The share of wrong answers on the test part."""
    learn, test = parts(seed)
    layers = []
    for inputs in (784, 256):
        layers += [nn.Linear(inputs, 256), nn.ReLU()] + [nn.Dropout(keep=keep)] * (keep < 1)
    model = nn.Sequential(*layers, nn.Linear(256, 10))
    trainer = Trainer(model, loss=losses.cross_entropy, optimizer=lambda p: optim.SGD(p, lr=0.05, momentum=0.9),
                      metrics=[accuracy], seed=seed, batch_size=50)  # fmt: skip
    trainer.fit(learn, epochs=EPOCHS, progress=False)
    return 1 - trainer.evaluate(test)["accuracy"]


def measure(seed, control):
    errors = [error(seed, 1.0)] * len(KEEPS) if control else [error(seed, keep) for keep in KEEPS]
    plain = errors[-1]
    return {
        "error at keep .5 - without dropout": errors[2] - plain,
        "error at keep .65 - without dropout": errors[3] - plain,
        "error at keep .2 - without dropout": errors[0] - plain,
        "errors": errors,
    }


def draw(axes, on, off):
    dots(axes, KEEPS, [r["errors"] for r in on], "", 0)
    axes.axhline(np.mean([r["errors"][-1] for r in on]), color="#6B7785", linestyle="--", linewidth=1)
    axes.annotate("without dropout", (0.55, np.mean([r["errors"][-1] for r in on])), xytext=(0, 6), color="#6B7785",
                  textcoords="offset points")  # fmt: skip
    axes.set(xlabel="probability to keep a unit", ylabel="test error", ylim=(0, None))


EXPERIMENT = Experiment(
    name="x18_dropout",
    title="Dropout over the keep probability",
    claim="Dropout lowers the test error over a wide range of keep probabilities, and fails when it keeps too few.",
    control="keep 1 under every name",
    checks=[
        Check("error at keep .5 - without dropout", "<", -0.002, mean=True),
        Check("error at keep .65 - without dropout", "<", -0.002, mean=True),
        Check("error at keep .2 - without dropout", ">", 0.0, mean=True),
    ],
    looked="the number of epochs, 40; it was 25.",
    measure=measure,
    draw=draw,
)

if __name__ == "__main__":
    raise SystemExit(EXPERIMENT.main())
