"""X12. Divide the rate by ten whenever the validation loss stagnates.

Momentum with a rate that is too large to settle: the loss jitters at a floor, falls at once when the rate is cut, and
goes on from the same weights.
"""

import numpy as np
from experiment import Check, Experiment, curve

from symgrad import data, losses, nn, optim
from symgrad.optim import schedules
from symgrad.train import Trainer

EPOCHS, RATE = 60, 0.3


def train(seed, factor):
    """Validation and training losses, and the rates."""
    learn, validation, _ = data.digits().split((0.6, 0.2, 0.2), seed=seed)
    model = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
    plateau = schedules.Plateau(RATE, factor=factor, patience=6)
    trainer = Trainer(model, loss=losses.cross_entropy, optimizer=lambda p: optim.SGD(p, lr=RATE, momentum=0.9),
                      schedule=plateau, seed=seed, batch_size=8)  # fmt: skip
    return trainer.fit(learn, validation, epochs=EPOCHS, progress=False)


def measure(seed, control):
    history = train(seed, 1 - 1e-9 if control else 0.1)
    rates, loss, held_out = (np.array(history[name]) for name in ("lr", "loss", "val_loss"))
    cut = int(np.argmax(rates < 0.5 * RATE)) or EPOCHS // 2
    return {
        "training loss after the first cut / before": loss[cut : cut + 3].mean() / loss[cut - 3 : cut].mean(),
        "validation loss at the end / before the cut": held_out[-3:].mean() / held_out[cut - 3 : cut].mean(),
        "loss": loss,
        "validation": held_out,
        "rates": rates,
    }


def draw(axes, on, off):
    x = np.arange(1, EPOCHS + 1)
    curve(axes[0], [r["loss"] for r in on], "Plateau", 0, x, end=False)
    curve(axes[0], [r["loss"] for r in off], "constant rate", 1, x, end=False)
    axes[0].set(yscale="log", xlabel="epoch", title="training loss")
    axes[0].legend(frameon=False)
    for r in on:
        axes[1].step(x, r["rates"], color="#0072B2", alpha=0.5, where="mid")
    axes[1].set(yscale="log", xlabel="epoch", title="learning rate")


EXPERIMENT = Experiment(
    name="x12_plateau",
    title="Cut the rate at a plateau",
    claim="When the validation loss has stagnated at a large rate, a tenth of the rate brings it down at once.",
    control="the rate is not cut",
    checks=[
        Check("training loss after the first cut / before", "<", 0.5),
        Check("validation loss at the end / before the cut", "<", 0.8),
    ],
    measure=measure,
    draw=draw,
    panels=2,
)

if __name__ == "__main__":
    raise SystemExit(EXPERIMENT.main())
