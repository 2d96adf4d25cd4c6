"""NumPy by hand: what a careful person writes, with derivatives worked out on paper."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.problems import BETA1, BETA2, EPS, MOMENTUM, Chain, Hessian, Network, Norm, arrays, normed


def updater(problem: Network, parameters: list[Any]) -> Any:
    """The update rule in place."""
    m, v = [[np.zeros_like(p) for p in parameters] for _ in range(2)]
    count = [0]

    def update(gradients: list[Any]) -> None:
        count[0] += 1
        t = count[0]
        for p, g, s, r in zip(parameters, gradients, m, v, strict=True):
            if problem.optimizer == "momentum":
                s *= MOMENTUM
                s += g
                p -= np.float32(problem.lr) * s
                continue
            s *= BETA1
            s += np.float32(1 - BETA1) * g
            r *= BETA2
            r += np.float32(1 - BETA2) * g * g
            p -= np.float32(problem.lr / (1 - BETA1**t)) * s / (np.sqrt(r / np.float32(1 - BETA2**t)) + np.float32(EPS))

    return update


def _norm_forward(z: Any, gamma: Any, beta: Any) -> Any:
    d = z - z.mean(0)
    root = np.sqrt((d * d).mean(0) + np.float32(1e-5))
    u = d / root
    return gamma * u + beta, (u, root)


def _norm_backward(g: Any, gamma: Any, saved: Any) -> Any:
    u, root = saved
    dgamma, dbeta = (g * u).sum(0), g.sum(0)
    n = np.float32(len(g))
    return gamma / root * (g - dbeta / n - u * (dgamma / n)), dgamma, dbeta


def network(problem: Network) -> Any:
    data = arrays(problem)
    last = len(data["weights"]) - 1
    layers = []
    for k, w in enumerate(data["weights"]):
        width = w.shape[1]
        here = [w.copy()]
        here += [np.zeros(width, np.float32)] if not problem.norm or k == last else [
            np.ones(width, np.float32), np.zeros(width, np.float32)]  # fmt: skip
        layers.append(here)
    update = updater(problem, [p for layer in layers for p in layer])
    x, y = data["x"], data["y"]
    rows = np.arange(len(x))

    def step() -> Any:
        h, tape = x, []
        for k, (w, *rest) in enumerate(layers):
            z, saved = h @ w, None
            if len(rest) == 2:
                z, saved = _norm_forward(z, *rest)
            else:
                z += rest[0]
            a = z if k == last else np.tanh(z) if problem.activation == "tanh" else np.maximum(z, 0)
            tape.append((h, a, saved))
            h = a
        if problem.loss == "mse":
            error = h - y
            loss, g = (error * error).mean(), error * np.float32(2 / error.size)
        else:
            shifted = h - h.max(1, keepdims=True)
            e = np.exp(shifted)
            total = e.sum(1, keepdims=True)
            loss = (np.log(total[:, 0]) - shifted[rows, y]).mean()
            g = e / total
            g[rows, y] -= 1
            g /= np.float32(len(x))
        gradients: list[Any] = []
        for k in range(last, -1, -1):
            h, a, saved = tape[k]
            w, *rest = layers[k]
            if k < last:
                g = g * (1 - a * a) if problem.activation == "tanh" else g * (a > 0)
            if saved is None:
                found = [g.sum(0)]
            else:
                g, *found = _norm_backward(g, rest[0], saved)
            gradients = [h.T @ g, *found, *gradients]
            g = g @ w.T if k else g
        update(gradients)
        return loss

    return step


def norm(problem: Norm) -> Any:
    z, gamma, beta, g = normed(problem)

    def step() -> Any:
        _, saved = _norm_forward(z, gamma, beta)
        return _norm_backward(g, gamma, saved)[1][0]

    return step


def chain(problem: Chain) -> Any:
    a, b, x = np.full(10, 0.9), np.full(10, 0.1), np.linspace(0, 1, 10)

    def step() -> Any:
        y, tape = x, []
        for _ in range(problem.links):
            tape.append(np.cos(y))
            y = np.sin(y) * a + b
        g = np.ones(10)
        for c in reversed(tape):
            g = g * a * c
        return y.sum()

    return step


def hessian(problem: Hessian) -> Any:
    x = np.linspace(-1, 1, problem.variables)

    def step() -> Any:
        diagonal = np.zeros_like(x)
        diagonal[:-1] = 1200 * x[:-1] ** 2 - 400 * x[1:] + 2
        diagonal[1:] += 200
        off = -400 * x[:-1]
        return (np.diag(diagonal) + np.diag(off, 1) + np.diag(off, -1))[0, 0]

    return step
