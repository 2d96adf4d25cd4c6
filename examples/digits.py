"""How well the digits are recognised, by a configuration that was chosen without what it is measured on.

python examples/digits.py [SEED ...]      about three minutes; by default seeds 3000 to 3004

For every seed the 1,797 digits are split, stratified, into 80 % for training and 20 % held out. Which of eight networks
is trained is decided inside of the 80 %: each is trained on three quarters of them and measured on the rest, for three
such splits. The best one is trained anew on all of the 80 %, and measured once on what was held out.
"""

import itertools
import sys

import numpy as np

from symgrad import data, losses, nn, optim
from symgrad.train import Trainer

WIDTHS, AUGMENTED, RATES = ((256,), (256, 256)), (False, True), (5e-3, 1e-2)
CANDIDATES = list(itertools.product(WIDTHS, AUGMENTED, RATES))
EPOCHS, BATCH = 30, 64


def accuracy(
    train: data.Dataset, held_out: data.Dataset, seed: int, widths: tuple[int, ...], augmented: bool, lr: float
) -> float:
    """Train blocks of Linear, BatchNorm, ReLU and dropout by Adam under a cosine; the share that is then recognised."""
    blocks = [
        layer
        for before, width in itertools.pairwise((64, *widths))
        for layer in (nn.Linear(before, width, bias=False), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(keep=0.7))
    ]
    trainer = Trainer(
        nn.Sequential(*blocks, nn.Linear(widths[-1], 10)),
        loss=losses.cross_entropy,
        optimizer=optim.Adam,
        schedule=optim.schedules.cosine(lr, EPOCHS * (len(train) // BATCH)),
        transform=[data.Images((1, 8, 8), rotate=10, translate=0.06)] if augmented else [],
        metrics=["accuracy"],
        seed=seed,
        batch_size=BATCH,
    )
    trainer.fit(train, epochs=EPOCHS, progress=False)
    return trainer.evaluate(held_out)["accuracy"]


def chosen(train: data.Dataset, seed: int) -> tuple[tuple[int, ...], bool, float]:
    """The candidate with the best mean accuracy over three splits of the training part."""
    inner = [train.split((0.75, 0.25), seed=k) for k in range(3)]
    return max(CANDIDATES, key=lambda c: float(np.mean([accuracy(*parts, seed, *c) for parts in inner])))


def main(seeds: list[int]) -> None:
    """Print the held-out accuracy of every seed, and their mean."""
    found = []
    for seed in seeds:
        train, held_out = data.digits().split((0.8, 0.2), seed=seed)
        widths, augmented, lr = chosen(train, seed)
        found.append(accuracy(train, held_out, seed, widths, augmented, lr))
        kind = f"{'-'.join(map(str, (64, *widths, 10)))}{', augmented' if augmented else ''}, rate {lr:g}"
        print(f"seed {seed}: chose {kind}; held out {found[-1]:.2%}", flush=True)
    print(f"mean {np.mean(found):.2%}, from {min(found):.2%} to {max(found):.2%}")


if __name__ == "__main__":
    main([int(seed) for seed in sys.argv[1:]] or list(range(3000, 3005)))
