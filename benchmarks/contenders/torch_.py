"""PyTorch: eager, with the fused optimizer, and compiled."""

from __future__ import annotations

from typing import Any

import torch

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

torch.set_num_threads(1)


def _trained(problem: Network, model: Any, data: Any, fused: bool, compiled: bool) -> Any:
    if problem.optimizer == "adam":
        optimizer: Any = torch.optim.Adam(model.parameters(), lr=problem.lr, betas=(BETA1, BETA2), eps=EPS, fused=fused)
    else:
        optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr, momentum=MOMENTUM, fused=fused)
    loss = {"mse": torch.nn.functional.mse_loss, "cross_entropy": torch.nn.functional.cross_entropy}[problem.loss]
    x, y = torch.tensor(data["x"]), torch.tensor(data["y"])

    def step() -> Any:
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        return value.detach()

    return torch.compile(step) if compiled else step


def _linear(w: Any, bias: bool) -> Any:
    layer = torch.nn.Linear(*w.shape, bias=bias)
    layer.weight.data = torch.tensor(w.T.copy())
    if bias:
        layer.bias.data = torch.zeros(w.shape[1])
    return layer


def network(problem: Network, fused: bool = False, compiled: bool = False) -> Any:
    data, layers = arrays(problem), []
    last = len(data["weights"]) - 1
    for k, w in enumerate(data["weights"]):
        layers.append(_linear(w, not problem.norm or k == last))
        if k < last:
            layers += [torch.nn.BatchNorm1d(w.shape[1])] if problem.norm else []
            layers.append({"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}[problem.activation]())
    return _trained(problem, torch.nn.Sequential(*layers), data, fused, compiled)


def cnn(problem: Network, fused: bool = False, compiled: bool = False) -> Any:
    data = arrays(problem)
    convolutions = [torch.nn.Conv2d(k.shape[1], k.shape[0], 3) for k in data["kernels"]]
    for layer, kernel in zip(convolutions, data["kernels"], strict=True):
        layer.weight.data, layer.bias.data = torch.tensor(kernel), torch.zeros(kernel.shape[0])
    first, second = convolutions
    relu = torch.nn.ReLU
    model = torch.nn.Sequential(first, relu(), torch.nn.MaxPool2d(2), second, relu(), torch.nn.Flatten(),
                                _linear(data["weights"][0], True))  # fmt: skip
    return _trained(problem, model, data, fused, compiled)


def norm(problem: Norm, compiled: bool = False) -> Any:
    z, gamma, beta, g = map(torch.tensor, normed(problem))
    leaves = [x.requires_grad_() for x in (z, gamma, beta)]

    def forward(z: Any, gamma: Any, beta: Any) -> Any:
        return torch.nn.functional.batch_norm(z, None, None, gamma, beta, True)

    f = torch.compile(forward) if compiled else forward

    def step() -> Any:
        return torch.autograd.grad(f(*leaves), leaves, g)[1][0]

    return step


def chain(problem: Chain) -> Any:
    a, b = torch.full((10,), 0.9, dtype=torch.float64), torch.full((10,), 0.1, dtype=torch.float64)

    def step() -> Any:
        x = torch.linspace(0, 1, 10, dtype=torch.float64, requires_grad=True)
        y = x
        for _ in range(problem.links):
            y = torch.sin(y) * a + b
        total = y.sum()
        total.backward()
        return total.detach()

    return step


def hessian(problem: Hessian, compiled: bool = False) -> Any:
    def f(x: Any) -> Any:
        return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()

    x = torch.linspace(-1, 1, problem.variables, dtype=torch.float64)
    run = torch.compile(torch.func.hessian(f)) if compiled else torch.func.hessian(f)
    return lambda: run(x)[0, 0]


def update(problem: Update, fused: bool = False) -> Any:
    values, gradients = given(problem)
    leaves = [torch.nn.Parameter(torch.tensor(x)) for x in values]
    for p, g in zip(leaves, gradients, strict=True):
        p.grad = torch.tensor(g)
    options: dict[str, Any] = {"lr": problem.lr, "fused": fused, "foreach": not fused}
    if problem.optimizer in ("sgd", "momentum"):
        momentum = MOMENTUM if problem.optimizer == "momentum" else 0
        optimizer: Any = torch.optim.SGD(leaves, momentum=momentum, **options)
    else:
        kind, decay = (torch.optim.Adam, 0.0) if problem.optimizer == "adam" else (torch.optim.AdamW, problem.decay)
        optimizer = kind(leaves, betas=(BETA1, BETA2), eps=EPS, weight_decay=decay, **options)
    optimizer.step()  # the first one is what is checked
    done = sum(float(p.detach().abs().sum()) for p in leaves)

    def step() -> float:
        optimizer.step()
        return done

    return step
