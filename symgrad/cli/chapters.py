"""The chapters of the tour: each runs a few lines of code and keeps what came out.

The lines that the page shows are the lines that ran: they are read from the functions named ``show_...``.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import symgrad as sg
import viz
from symgrad import data, nn, optim

__all__ = ["Tour", "code_of"]

EPOCHS = 30
SEEDS = 5


@dataclass(frozen=True)
class Tour:
    """Everything that the page shows and that the last lines of the command report."""

    derivation: Any
    check: Any
    gradcheck: Any
    differences: dict[str, float]
    neuron: Any
    batch: Any
    source: str
    histories: list[Any]
    plain: list[Any]
    accuracies: list[float]
    plain_accuracies: list[float]
    seconds: float


def code_of(function: Callable[..., Any]) -> str:
    """The body of a function as it stands in its file, without its docstring."""
    source = textwrap.dedent(inspect.getsource(function))
    (definition,) = ast.parse(source).body
    body = definition.body  # type: ignore[attr-defined]
    skip = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    lines = source.splitlines()[body[int(skip)].lineno - 1 : body[-1].end_lineno]
    return textwrap.dedent("\n".join(line for line in lines if not line.strip().startswith("return ")))


def show_derive() -> Any:
    """Derive BatchNorm's gradient for a symbolic batch size."""
    d = sg.derive("batchnorm")
    d.gradients["z"], d.proofs["z"].verdict
    return d


def show_check(z: Any, gamma: Any, beta: Any) -> Any:
    """Compare with finite differences."""
    report = sg.gradcheck(sg.batch_norm, (z, gamma, beta), order=2)
    print(report)
    return report


def show_neuron() -> Any:
    """Draw backpropagation through one neuron."""
    x, y = sg.tensor(1.5, name="x"), sg.tensor(1.0, name="y")
    w = sg.tensor(-0.8, name="w", requires_grad=True)
    b = sg.tensor(0.4, name="b", requires_grad=True)
    p = sg.named(w * x, "p")
    z = sg.named(p + b, "z")
    a = sg.named(sg.sigmoid(z), "a")
    r = sg.named(a - y, "r")
    picture = viz.draw_backprop(sg.named(r**2, "L"))
    return picture


def show_batch() -> Any:
    """Draw backpropagation through BatchNorm."""
    z = sg.tensor([0.2, -1.0, 1.4, 0.6], name="z", requires_grad=True)
    gamma = sg.tensor(1.5, name="gamma", requires_grad=True)
    beta = sg.tensor(0.3, name="beta", requires_grad=True)
    picture = viz.draw_backprop(sg.named((sg.batch_norm(z, gamma, beta) ** 3).mean(), "L"))
    return picture


def show_train(seed: int, epochs: int) -> Any:
    """Train a network with BatchNorm on handwritten digits."""
    train, validation, test = data.split(data.digits(), (0.6, 0.2, 0.2), seed=seed)
    model = nn.Sequential(
        nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(),
        nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip
    trainer = sg.Trainer(
        model, loss=sg.losses.cross_entropy, optimizer=optim.Adam(model.parameters(), lr=3e-3), seed=seed
    )
    history = trainer.fit(train, validation, epochs=epochs)
    accuracy = np.mean(model.predict(test.X).argmax(axis=1) == test.y)
    return history, accuracy, trainer
