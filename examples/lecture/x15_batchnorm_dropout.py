"""X15. Does BatchNorm remove the need for dropout?

The four combinations on 400 digits: neither, dropout alone, BatchNorm alone, both.
"""

import numpy as np
from experiment import Check, Experiment

from symgrad import data, losses, nn, optim
from symgrad.train import Trainer, accuracy

EPOCHS, EXAMPLES, KEEP = 30, 400, 0.5
KINDS = {"neither": (False, False), "dropout": (False, True), "BatchNorm": (True, False), "both": (True, True)}


def network(normalised, dropped):
    layers = []
    for inputs in (64, 128):
        layers += [nn.Linear(inputs, 128, bias=not normalised)]
        layers += [nn.BatchNorm1d(128)] * normalised + [nn.Sigmoid()] + [nn.Dropout(keep=KEEP)] * dropped
    return nn.Sequential(*layers, nn.Linear(128, 10))


def measure(seed, control):
    learn, _, test = data.digits().split((0.6, 0.2, 0.2), seed=seed)
    rows = np.random.default_rng(seed).permutation(len(learn))[:EXAMPLES]
    found = {}
    for name, (normalised, dropped) in KINDS.items():
        model = network(normalised and not control, dropped)
        trainer = Trainer(model, loss=losses.cross_entropy, optimizer=lambda p: optim.Adam(p, lr=3e-3),
                          metrics=[accuracy], seed=seed, batch_size=40)  # fmt: skip
        trainer.fit((learn.X[rows], learn.y[rows]), epochs=EPOCHS, progress=False)
        found[name] = trainer.evaluate(test)["accuracy"]
    return {
        "accuracy: BatchNorm - neither": found["BatchNorm"] - found["neither"],
        "accuracy: BatchNorm - both": found["BatchNorm"] - found["both"],
        "accuracy: BatchNorm - dropout": found["BatchNorm"] - found["dropout"],
        "found": found,
    }


def draw(axes, on, off):
    for k, name in enumerate(KINDS):
        values = [r["found"][name] for r in on]
        axes.plot([k] * len(values), values, "o", color="#0072B2", alpha=0.6, markersize=5)
        axes.plot([k - 0.2, k + 0.2], [np.mean(values)] * 2, color="#D55E00", linewidth=2.5)
        axes.annotate(f"{np.mean(values):.3f}", (k + 0.24, np.mean(values)), color="#D55E00", va="center")
    axes.set_xticks(range(len(KINDS)), KINDS)
    axes.set(ylabel="test accuracy", xlim=(-0.5, len(KINDS) - 0.3))


EXPERIMENT = Experiment(
    name="x15_batchnorm_dropout",
    title="BatchNorm, dropout, both",
    claim="BatchNorm alone beats neither and dropout alone, and adding dropout to it brings nothing.",
    control="no BatchNorm under any name",
    checks=[
        Check("accuracy: BatchNorm - neither", ">", 0.005, mean=True),
        Check("accuracy: BatchNorm - dropout", ">", 0.005, mean=True),
        Check("accuracy: BatchNorm - both", ">", -0.01, mean=True),
    ],
    measure=measure,
    draw=draw,
)

if __name__ == "__main__":
    raise SystemExit(EXPERIMENT.main())
