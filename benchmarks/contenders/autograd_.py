"""HIPS autograd."""

from __future__ import annotations

from typing import Any

import autograd
import autograd.numpy as np
import numpy

from benchmarks.contenders.numpy_ import updater
from benchmarks.problems import Chain, Hessian, Network, Norm, arrays, normed


def _normed(z: Any, gamma: Any, beta: Any) -> Any:
    d = z - np.mean(z, axis=0)
    return gamma * d / np.sqrt(np.mean(d * d, axis=0) + numpy.float32(1e-5)) + beta


def network(problem: Network) -> Any:
    data = arrays(problem)
    last = len(data["weights"]) - 1
    layers: list[Any] = []
    for k, w in enumerate(data["weights"]):
        here = [w.copy()]
        zeros = numpy.zeros(w.shape[1], numpy.float32)
        layers.append([*here, zeros] if not problem.norm or k == last else [*here, numpy.ones_like(zeros), zeros])
    update = updater(problem, [p for layer in layers for p in layer])
    x, y = data["x"], data["y"]
    rows = numpy.arange(len(x))

    def objective(layers: Any) -> Any:
        h = x
        for k, (w, *rest) in enumerate(layers):
            h = np.dot(h, w)
            h = h + rest[0] if len(rest) == 1 else _normed(h, *rest)
            if k < last:
                h = np.tanh(h) if problem.activation == "tanh" else np.maximum(h, 0)
        if problem.loss == "mse":
            return np.mean((h - y) ** 2)
        shifted = h - np.max(h, axis=1, keepdims=True)
        return -np.mean((shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True)))[rows, y])

    both = autograd.value_and_grad(objective)

    def step() -> Any:
        value, gradient = both(layers)
        update([g for layer in gradient for g in layer])
        return value

    return step


def norm(problem: Norm) -> Any:
    *leaves, g = normed(problem)
    gradient = autograd.grad(lambda leaves: np.sum(_normed(*leaves) * g))
    return lambda: gradient(tuple(leaves))[1][0]


def chain(problem: Chain) -> Any:
    a, b = numpy.full(10, 0.9), numpy.full(10, 0.1)

    def f(x: Any) -> Any:
        y = x
        for _ in range(problem.links):
            y = np.sin(y) * a + b
        return np.sum(y)

    both = autograd.value_and_grad(f)
    return lambda: both(numpy.linspace(0, 1, 10))[0]


def hessian(problem: Hessian) -> Any:
    def f(x: Any) -> Any:
        return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    run = autograd.hessian(f)
    x = numpy.linspace(-1, 1, problem.variables)
    return lambda: run(x)[0, 0]
