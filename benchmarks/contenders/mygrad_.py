"""MyGrad."""

from __future__ import annotations

from typing import Any

import mygrad as mg
import numpy as np

from benchmarks.contenders.numpy_ import updater
from benchmarks.problems import Chain, Network, Norm, arrays, normed


def _normed(z: Any, gamma: Any, beta: Any) -> Any:
    d = z - mg.mean(z, axis=0)
    return gamma * d / mg.sqrt(mg.mean(d * d, axis=0) + np.float32(1e-5)) + beta


def network(problem: Network) -> Any:
    data = arrays(problem)
    last = len(data["weights"]) - 1
    layers: list[Any] = []
    for k, w in enumerate(data["weights"]):
        zeros = np.zeros(w.shape[1], np.float32)
        layers.append([w.copy(), zeros] if not problem.norm or k == last else [w.copy(), np.ones_like(zeros), zeros])
    parameters = [p for layer in layers for p in layer]
    update = updater(problem, parameters)
    x, y = data["x"], data["y"]
    rows = np.arange(len(x))

    def step() -> Any:
        leaves = [[mg.tensor(p) for p in layer] for layer in layers]
        h: Any = x
        for k, (w, *rest) in enumerate(leaves):
            h = mg.matmul(h, w)
            h = h + rest[0] if len(rest) == 1 else _normed(h, *rest)
            if k < last:
                h = mg.tanh(h) if problem.activation == "tanh" else mg.maximum(h, 0)
        errors = (h - y) ** 2 if problem.loss == "mse" else mg.log(mg.sum(mg.exp(h), axis=1)) - h[rows, y]
        value = mg.mean(errors)
        value.backward()
        update([p.grad for layer in leaves for p in layer])
        return value.data

    return step


def norm(problem: Norm) -> Any:
    *leaves, g = normed(problem)

    def step() -> Any:
        z, gamma, beta = map(mg.tensor, leaves)
        _normed(z, gamma, beta).backward(g)
        return gamma.grad[0]

    return step


def chain(problem: Chain) -> Any:
    a, b = np.full(10, 0.9), np.full(10, 0.1)

    def step() -> Any:
        y = mg.tensor(np.linspace(0, 1, 10))
        for _ in range(problem.links):
            y = mg.sin(y) * a + b
        total = y.sum()
        total.backward()
        return total.data

    return step
