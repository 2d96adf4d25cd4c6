"""X16. Overfitting, and early stopping.

A wide network on 200 digits: the training loss goes on falling while the validation loss falls and then rises. Early
stopping ends the training when the validation loss has not improved for a while, and takes the best weights back.
"""

import numpy as np
from experiment import Check, Experiment, curve

from symgrad import data, losses, nn, optim
from symgrad.train import EarlyStopping, Trainer

EPOCHS, PATIENCE, EXAMPLES = 120, 10, 200


def train(seed, callbacks):
    """The history, and the loss on the test part."""
    learn, validation, test = data.digits().split((0.6, 0.2, 0.2), seed=seed)
    rng = np.random.default_rng(seed)
    few = rng.permutation(len(learn))[:EXAMPLES]
    y = learn.y[few].copy()
    y[:20] = rng.integers(0, 10, 20)  # a tenth of the labels are noise, as in any real data
    model = nn.Sequential(nn.Linear(64, 512), nn.ReLU(), nn.Linear(512, 10))
    trainer = Trainer(model, loss=losses.cross_entropy, optimizer=lambda p: optim.Adam(p, lr=2e-3),
                      callbacks=callbacks, seed=seed, batch_size=20)  # fmt: skip
    history = trainer.fit((learn.X[few], y), validation, epochs=EPOCHS, progress=False)
    return history, trainer.evaluate(test)["loss"]


def measure(seed, control):
    history, last = train(seed, [])
    stopping = EarlyStopping(patience=PATIENCE)
    stopped, restored = train(seed, [] if control else [stopping])
    validation = np.array(history["val_loss"])
    best = int(validation.argmin())
    return {
        "validation loss at the end / at its lowest": validation[-1] / validation[best],
        "training loss at the end / at that point": history["loss"][-1] / history["loss"][best],
        "test loss with early stopping / without": restored / last,
        "train": history["loss"],
        "validation": validation,
        "best": stopping.best_epoch,
        "stopped": len(stopped),
    }


def draw(axes, on, off):
    x = np.arange(1, EPOCHS + 1)
    curve(axes, [r["train"] for r in on], "training", 0, x)
    curve(axes, [r["validation"] for r in on], "validation", 1, x)
    for label, key, dash in (("lowest, restored", "best", "-"), ("stopped", "stopped", "--")):
        axes.axvline(np.median([r[key] for r in on]), color="#6B7785", linestyle=dash, linewidth=1)
        axes.annotate(label, (np.median([r[key] for r in on]), 0.03), rotation=90, xytext=(4, 0), color="#6B7785",
                      xycoords=("data", "axes fraction"), textcoords="offset points")  # fmt: skip
    axes.set(xlabel="epoch", ylabel="loss", yscale="log", xlim=(0, EPOCHS))


EXPERIMENT = Experiment(
    name="x16_overfitting",
    title="Overfitting and early stopping",
    claim="On few examples the validation loss falls and rises again while the training loss falls; "
    "the weights that early stopping restores are better on the test part than the last ones.",
    control="no early stopping: the last weights are kept",
    checks=[
        Check("validation loss at the end / at its lowest", ">", 1.1),
        Check("training loss at the end / at that point", "<", 0.5),
        Check("test loss with early stopping / without", "<", 0.9),
    ],
    measure=measure,
    draw=draw,
)

if __name__ == "__main__":
    raise SystemExit(EXPERIMENT.main())
