"""Record the loss curve of a whole training run in torch, for tests/test_train_references.py (which needs no torch).

An MLP with BatchNorm and dropout on the digits, by Adam; the same start, minibatches and dropout masks as symgrad's.

python tests/oracles/record_training.py          writes training.json beside this file
python tests/oracles/record_training.py --check  exits with 1 if torch does something else than recorded
"""

import json
import sys
from functools import partial
from pathlib import Path

import numpy as np

import symgrad as sg
from symgrad import data, losses, nn, optim
from symgrad.context import Run, generator

FILE = Path(__file__).with_name("training.json")
SEED, EPOCHS, BATCH, KEEP, LR = 3, 12, 50, 0.8, 3e-3


def examples() -> data.Dataset:
    digits = data.digits()
    return data.Dataset(digits.X[:420], digits.y[:420])


def by_symgrad() -> list[float]:
    """The loss of every epoch."""
    model = nn.Sequential(
        nn.Linear(64, 24, bias=False), nn.BatchNorm1d(24), nn.ReLU(), nn.Dropout(keep=KEEP), nn.Linear(24, 10)
    )
    adam = partial(optim.Adam, lr=LR)
    trainer = sg.Trainer(model, loss=losses.cross_entropy, optimizer=adam, seed=SEED, batch_size=BATCH)
    return trainer.fit(examples(), epochs=EPOCHS)["loss"]


def by_torch() -> list[float]:
    import torch

    torch.set_default_dtype(torch.float64)
    start = nn.Sequential(
        nn.Linear(64, 24, bias=False), nn.BatchNorm1d(24), nn.ReLU(), nn.Dropout(keep=KEEP), nn.Linear(24, 10)
    ).initialize(SEED)
    first, norm = torch.nn.Linear(64, 24, bias=False), torch.nn.BatchNorm1d(24)
    last = torch.nn.Linear(24, 10)
    with torch.no_grad():
        first.weight.copy_(torch.tensor(start[0].weight.numpy().T.copy()))
        last.weight.copy_(torch.tensor(start[4].weight.numpy().T.copy()))
        last.bias.copy_(torch.tensor(start[4].bias.numpy()))
    adam = torch.optim.Adam([*first.parameters(), *norm.parameters(), *last.parameters()], lr=LR)
    found, step, train = [], 0, examples()
    for epoch in range(EPOCHS):
        total = 0.0
        for rows in data.batches(len(train), BATCH, seed=SEED, epoch=epoch):
            mask = generator(Run(SEED, step).key("draw", "3")).random((len(rows), 24)) < KEEP
            h = torch.relu(norm(first(torch.tensor(train.X[rows])))) * torch.tensor(mask) / KEEP
            loss = torch.nn.functional.cross_entropy(last(h), torch.tensor(train.y[rows]))
            adam.zero_grad()
            loss.backward()
            adam.step()
            total += loss.item() * len(rows)
            step += 1
        found.append(total / len(train))
    return found


def main() -> int:
    found = by_torch()
    if "--check" not in sys.argv:
        FILE.write_text(json.dumps(found, indent=1) + "\n")
        return 0
    recorded = json.loads(FILE.read_text())
    difference = float(np.max(np.abs(np.subtract(found, recorded)) / np.abs(recorded)))
    sys.stdout.write(f"training: torch differs from its record by {difference:.1e}\n")
    return int(not difference < 1e-11)


if __name__ == "__main__":
    raise SystemExit(main())
