"""How each contender does the work: a function per family that returns ``(block, check)``.

``block()`` does the work ``repeats`` times; ``check`` is a number that must be equal for all contenders.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.problems import CHAINS, NETWORKS, Network, arrays

__all__ = ["CONTENDERS"]

Block = tuple[Callable[[], Any], float]
BETA1, BETA2, EPS, MOMENTUM = 0.9, 0.999, 1e-8, 0.9


def _repeated(step: Callable[[], Any], repeats: int) -> Callable[[], None]:
    def block() -> None:
        for _ in range(repeats):
            step()

    return block


def _trained(step: Callable[[], Any], repeats: int) -> Block:
    """Five steps, whose last loss is the check; then blocks of steps."""
    for _ in range(4):
        step()
    return _repeated(step, repeats), float(step())


# symgrad


def _symgrad_network(network: Network, repeats: int, compiled: bool, fast: bool = False) -> Block:
    import symgrad as sg
    from symgrad import nn, optim

    data = arrays(network)
    activation = {"tanh": nn.Tanh, "relu": nn.ReLU}[network.activation]
    layers: list[Any] = []
    for w in data["weights"]:
        layers += [nn.Linear(*w.shape, dtype=np.float32), activation()]
    model = nn.Sequential(*layers[:-1])
    linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
    model.initialize(seed=0)
    for layer, w, b in zip(linear, data["weights"], data["biases"], strict=True):
        layer.weight.assign(w if layer.weight.shape == w.shape else w.T)
        layer.bias.assign(b)
    loss = getattr(sg.losses, network.loss)
    if network.optimizer == "adam":
        optimizer: Any = optim.Adam(model.parameters(), lr=network.lr, betas=(BETA1, BETA2), eps=EPS)
    else:
        optimizer = optim.SGD(model.parameters(), lr=network.lr, momentum=MOMENTUM)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        return value

    x, y = data["x"], data["y"]
    if not compiled:
        return _trained(lambda: step(x, y).item(), repeats)
    replay = sg.compile(step, fast=fast)
    _, check = _trained(lambda: replay(x, y), 0)

    def block() -> None:
        with replay.hold():
            for _ in range(repeats):
                replay(x, y)

    return block, check


def _symgrad_chain(n: int, repeats: int) -> Block:
    import symgrad as sg

    a, b = sg.tensor(np.full(10, 0.9)), sg.tensor(np.full(10, 0.1))

    def run() -> float:
        x = sg.tensor(np.linspace(0, 1, 10), requires_grad=True)
        y = x
        for _ in range(n):
            y = sg.sin(y) * a + b
        total = y.sum()
        total.backward()
        return float(total)

    return _repeated(run, repeats), run()


# torch


def _torch_network(network: Network, repeats: int) -> Block:
    import torch

    torch.set_num_threads(1)
    data = arrays(network)
    activation = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}[network.activation]
    layers: list[Any] = []
    for w, b in zip(data["weights"], data["biases"], strict=True):
        linear = torch.nn.Linear(*w.shape)
        linear.weight.data, linear.bias.data = torch.tensor(w.T.copy()), torch.tensor(b)
        layers += [linear, activation()]
    model = torch.nn.Sequential(*layers[:-1])
    loss = {"mse": torch.nn.functional.mse_loss, "cross_entropy": torch.nn.functional.cross_entropy}[network.loss]
    if network.optimizer == "adam":
        optimizer: Any = torch.optim.Adam(model.parameters(), lr=network.lr, betas=(BETA1, BETA2), eps=EPS)
    else:
        optimizer = torch.optim.SGD(model.parameters(), lr=network.lr, momentum=MOMENTUM)
    x, y = torch.tensor(data["x"]), torch.tensor(data["y"])

    def step() -> Any:
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        return value.detach()

    return _trained(step, repeats)


def _torch_chain(n: int, repeats: int) -> Block:
    import torch

    torch.set_num_threads(1)
    a, b = torch.full((10,), 0.9, dtype=torch.float64), torch.full((10,), 0.1, dtype=torch.float64)

    def run() -> float:
        x = torch.linspace(0, 1, 10, dtype=torch.float64, requires_grad=True)
        y = x
        for _ in range(n):
            y = torch.sin(y) * a + b
        total = y.sum()
        total.backward()
        return float(total)

    return _repeated(run, repeats), run()


# HIPS autograd


def _autograd_chain(n: int, repeats: int) -> Block:
    import autograd
    import autograd.numpy as anp

    a, b = np.full(10, 0.9), np.full(10, 0.1)

    def f(x: Any) -> Any:
        y = x
        for _ in range(n):
            y = anp.sin(y) * a + b
        return anp.sum(y)

    gradient = autograd.value_and_grad(f)

    def run() -> float:
        return float(gradient(np.linspace(0, 1, 10))[0])

    return _repeated(run, repeats), run()


def _autograd_network(network: Network, repeats: int) -> Block:
    import autograd
    import autograd.numpy as anp

    data = arrays(network)
    theta = [(w.copy(), b.copy()) for w, b in zip(data["weights"], data["biases"], strict=True)]
    state = [[np.zeros_like(p) for p in pair] for pair in theta]
    second = [[np.zeros_like(p) for p in pair] for pair in theta]
    x, y = data["x"], data["y"]
    rows = np.arange(len(x))

    def objective(parameters: Any) -> Any:
        h = x
        for k, (w, b) in enumerate(parameters):
            h = anp.dot(h, w) + b
            if k < len(parameters) - 1:
                h = anp.tanh(h) if network.activation == "tanh" else anp.maximum(h, 0)
        if network.loss == "mse":
            return anp.mean((h - y) ** 2)
        shifted = h - anp.max(h, axis=1, keepdims=True)
        return -anp.mean((shifted - anp.log(anp.sum(anp.exp(shifted), axis=1, keepdims=True)))[rows, y])

    both = autograd.value_and_grad(objective)
    count = [0]

    def step() -> Any:
        value, gradient = both(theta)
        count[0] += 1
        for pair, g_pair, s_pair, v_pair in zip(theta, gradient, state, second, strict=True):
            for p, g, s, v in zip(pair, g_pair, s_pair, v_pair, strict=True):
                _update(network, count[0], p, g, s, v)
        return value

    return _trained(step, repeats)


def _update(network: Network, t: int, p: Any, g: Any, s: Any, v: Any) -> None:
    """The update rule in place, in plain NumPy."""
    if network.optimizer == "momentum":
        s *= MOMENTUM
        s += g
        p -= network.lr * s
        return
    s *= BETA1
    s += (1 - BETA1) * g
    v *= BETA2
    v += (1 - BETA2) * g * g
    p -= network.lr * (s / (1 - BETA1**t)) / (np.sqrt(v / (1 - BETA2**t)) + EPS)


# MyGrad


def _mygrad_chain(n: int, repeats: int) -> Block:
    import mygrad as mg

    a, b = np.full(10, 0.9), np.full(10, 0.1)

    def run() -> float:
        x = mg.tensor(np.linspace(0, 1, 10))
        y = x
        for _ in range(n):
            y = mg.sin(y) * a + b
        total = y.sum()
        total.backward()
        return float(total.data)

    return _repeated(run, repeats), run()


def _family(make: Callable[..., Block], **options: Any) -> Callable[[str, int], Block]:
    return lambda name, repeats: make(CHAINS.get(name) or NETWORKS[name], repeats, **options)


CONTENDERS: dict[str, dict[str, Callable[[str, int], Block]]] = {
    **{
        name: {
            "torch": _family(_torch_network),
            "symgrad": _family(_symgrad_network, compiled=True),
            "symgrad fast": _family(_symgrad_network, compiled=True, fast=True),
            "symgrad eager": _family(_symgrad_network, compiled=False),
            "autograd": _family(_autograd_network),
        }
        for name in NETWORKS
    },
    **{
        name: {
            "torch": _family(_torch_chain),
            "symgrad eager": _family(_symgrad_chain),
            "autograd": _family(_autograd_chain),
            "mygrad": _family(_mygrad_chain),
        }
        for name in CHAINS
    },
}
"""Family -> contender -> how it does the work."""
