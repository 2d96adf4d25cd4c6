"""The chapters of the tour: each runs a few lines of code and keeps what came out.

The lines that the page shows are the lines that ran: they are read from the functions named ``show_...``.
"""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np

import symgrad as sg
import viz
from symgrad import data, nn, optim

__all__ = [
    "code_of",
    "show_agree",
    "show_batch",
    "show_check",
    "show_derive",
    "show_network",
    "show_neuron",
    "show_train",
    "source_of",
]


def source_of(function: Callable[..., Any]) -> str:
    """A function as it stands in its file, without decorators and docstring."""
    source = textwrap.dedent(inspect.getsource(function))
    (definition,) = ast.parse(source).body
    assert isinstance(definition, ast.FunctionDef)
    documentation = definition.body[0]
    lines = source.splitlines()
    head = lines[definition.lineno - 1 : documentation.lineno - 1]
    return "\n".join([*head, *lines[documentation.end_lineno : definition.end_lineno]])


def code_of(function: Callable[..., Any]) -> str:
    """The lines inside of a function, up to its return."""
    lines = source_of(function).splitlines()[1:]
    return textwrap.dedent("\n".join(line for line in lines if not line.strip().startswith("return ")))


def show_derive() -> Any:
    """Derive BatchNorm's gradient for a symbolic batch size."""
    d = sg.derive("batchnorm")
    gradient, proof = d.gradients["z"], d.proofs["z"]
    assert proof.verdict == "PROVED", gradient
    return d


def show_check() -> Any:
    """Compare with finite differences, to second order."""
    rng = np.random.default_rng(0)
    z, gamma, beta = rng.normal(size=(4, 2)), np.array([1.5, 0.7]), np.array([0.3, -0.2])
    report = sg.gradcheck(sg.batch_norm, (z, gamma, beta), order=2)
    return report


def show_agree() -> dict[str, float]:
    """Compare the derived formula with the graph."""
    rng = np.random.default_rng(1)
    z, g = rng.normal(size=(256, 512)), rng.normal(size=(256, 512))
    gamma, beta = rng.normal(size=512), rng.normal(size=512)
    graph = dict(zip(("z", "gamma", "beta"), sg.vjp(sg.batch_norm, z, gamma, beta)[1](g), strict=True))
    derived = sg.derive("batchnorm").backward(z=z, gamma=gamma, beta=beta, g=g)
    difference = {name: float(np.abs(derived[name] - graph[name]).max()) for name in graph}
    return difference


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
    z_hat = sg.batch_norm(z, gamma, beta)
    picture = viz.draw_backprop(sg.named((z_hat**3).mean(), "L"))
    return picture


def show_network(batchnorm: bool = True) -> Any:
    """Make a network for the digits."""
    layers: list[nn.Module] = []
    for _ in range(3):
        layers += [nn.Linear(64, 64, bias=not batchnorm), *([nn.BatchNorm1d(64)] if batchnorm else []), nn.Sigmoid()]
    model = nn.Sequential(*layers, nn.Linear(64, 10))
    return model


def show_train(model: Any, seed: int, epochs: int) -> tuple[Any, float, Any]:
    """Train it on handwritten digits."""
    train, validation, test = data.digits().split((0.6, 0.2, 0.2), seed=seed)
    adam = functools.partial(optim.Adam, lr=3e-3)
    trainer = sg.Trainer(model, loss=sg.losses.cross_entropy, optimizer=adam, seed=seed)
    history = trainer.fit(train, validation, epochs=epochs)
    accuracy = float(np.mean(model.predict(test.X).argmax(axis=1) == test.y))
    return history, accuracy, trainer
