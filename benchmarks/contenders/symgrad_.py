"""symgrad: eager, compiled, with the fast extra, and the NumPy files that it emits."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np

import symgrad as sg
from benchmarks import profiles
from benchmarks.problems import (
    BETA1,
    BETA2,
    EPS,
    MOMENTUM,
    Chain,
    Hessian,
    Network,
    Norm,
    Update,
    arrays,
    given,
    normed,
)
from symgrad import derived, nn, optim
from symgrad.derived.kernels import batch_norm as kernel

Step = Callable[[], Any]
HELD = ExitStack()
COMPILED: list[Any] = []  # what this process has compiled


def profile(step: Step) -> list[profiles.Share]:
    """Where the time of a step goes."""
    return profiles.of_plan(COMPILED[-1].plan) if COMPILED else profiles.of_python(step)


def _compiled(f: Callable[..., Any], fast: bool) -> Any:
    COMPILED.append(sg.compile(f, fast=fast))
    return COMPILED[-1]


def _optimizer(problem: Network, parameters: Any) -> optim.Optimizer:
    if problem.optimizer == "adam":
        return optim.Adam(parameters, lr=problem.lr, betas=(BETA1, BETA2), eps=EPS)
    return optim.SGD(parameters, lr=problem.lr, momentum=MOMENTUM)


def _trained(problem: Network, model: Any, data: Any, compiled: bool, fast: bool) -> Step:
    optimizer = _optimizer(problem, model.parameters())
    loss = getattr(sg.losses, problem.loss)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        return value

    x, y = data["x"], data["y"]
    if not compiled:
        return lambda: step(sg.tensor(x), sg.tensor(y)).item()
    replay = _compiled(step, fast)
    HELD.enter_context(replay.hold())  # as in an epoch of the Trainer: nobody looks between the steps
    return lambda: replay(x, y)


def _linear(w: Any, bias: bool) -> nn.Linear:
    layer = nn.Linear(*w.shape, bias=bias, dtype=np.float32)
    layer.weight.assign(w)
    if bias:
        layer.bias.assign(np.zeros(w.shape[1], np.float32))
    return layer


def network(problem: Network, compiled: bool = True, fast: bool = False) -> Step:
    data, layers = arrays(problem), []
    last = len(data["weights"]) - 1
    with sg.run(seed=0):
        for k, w in enumerate(data["weights"]):
            layers.append(_linear(w, not problem.norm or k == last))
            if k < last:
                layers += [nn.BatchNorm1d(w.shape[1], dtype=np.float32)] if problem.norm else []
                layers.append({"tanh": nn.Tanh, "relu": nn.ReLU}[problem.activation]())
        return _trained(problem, nn.Sequential(*layers), data, compiled, fast)


def cnn(problem: Network, compiled: bool = True, fast: bool = False) -> Step:
    data = arrays(problem)
    with sg.run(seed=0):
        convolutions = [nn.Conv2d(k.shape[1], k.shape[0], 3, dtype=np.float32) for k in data["kernels"]]
        for layer, kernel in zip(convolutions, data["kernels"], strict=True):
            layer.weight.assign(kernel)
            layer.bias.assign(np.zeros(kernel.shape[0], np.float32))
        first, second = convolutions
        model = nn.Sequential(first, nn.ReLU(), nn.MaxPool2d(2), second, nn.ReLU(), nn.Flatten(),
                              _linear(data["weights"][0], True))  # fmt: skip
        return _trained(problem, model, data, compiled, fast)


def norm(problem: Norm, compiled: bool = True, fast: bool = False, emitted: bool = False) -> Step:
    def both(z: Any, gamma: Any, beta: Any, g: Any) -> Any:
        y, pull = sg.vjp(derived.batch_norm, z, gamma, beta)
        return y, *pull(g)

    def plain(z: Any, gamma: Any, beta: Any, g: Any) -> Any:
        y, saved = kernel.forward(z, gamma, beta)
        return y, *kernel.backward(g, saved)

    data = normed(problem)
    run = plain if emitted else _compiled(both, fast) if compiled else both
    return lambda: run(*data)[2][0]


def chain(problem: Chain, compiled: bool = True, fast: bool = False) -> Step:
    a, b, start = sg.tensor(np.full(10, 0.9)), sg.tensor(np.full(10, 0.1)), np.linspace(0, 1, 10)

    def f(x: Any) -> Any:
        y = x
        for _ in range(problem.links):
            y = sg.sin(y) * a + b
        return y.sum()

    if compiled and problem.replayed:
        replay = _compiled(sg.value_and_grad(f), fast)
        return lambda: replay(start)[0]

    def step() -> Any:
        total = f(sg.tensor(start, requires_grad=True))
        total.backward()
        return total.item()

    return step


def hessian(problem: Hessian, compiled: bool = True, fast: bool = False) -> Step:
    def f(x: Any) -> Any:
        return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()

    x = np.linspace(-1, 1, problem.variables)
    run = _compiled(sg.hessian(f), fast) if compiled else sg.hessian(f)
    return lambda: run(x)[0, 0]


def update(problem: Update, compiled: bool = True, fast: bool = False) -> Step:
    values, gradients = given(problem)
    leaves = [sg.tensor(x, requires_grad=True) for x in values]
    make = {
        "sgd": optim.SGD,
        "momentum": partial(optim.SGD, momentum=MOMENTUM),
        "adam": partial(optim.Adam, betas=(BETA1, BETA2), eps=EPS),
        "adamw": partial(optim.AdamW, betas=(BETA1, BETA2), eps=EPS, weight_decay=problem.decay),
    }
    optimizer = make[problem.optimizer](leaves, lr=problem.lr)

    def step(*gs: Any) -> None:
        for p, g in zip(leaves, gs, strict=True):
            p.grad = g
        optimizer.step()

    run = _compiled(step, fast) if compiled else step
    run(*gradients)  # the first one is what is checked

    def check() -> float:
        return sum(float(abs(p.numpy()).sum()) for p in leaves)

    done = check()
    if compiled:
        HELD.enter_context(run.hold())  # type: ignore[attr-defined]

    def replay() -> float:
        run(*gradients)
        return done

    return replay
