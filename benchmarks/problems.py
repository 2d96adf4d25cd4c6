"""The work that is timed, as plain data, equal for all contenders."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

__all__ = ["BETA1", "BETA2", "EPS", "FAMILIES", "MOMENTUM", "Chain", "Hessian", "Network", "Norm", "Update", "arrays",
           "given", "normed"]  # fmt: skip

BETA1, BETA2, EPS, MOMENTUM = 0.9, 0.999, 1e-8, 0.9


@dataclass(frozen=True)
class Network:
    """A perceptron, or with `channels` convolutions in front of one layer, and how a step trains it."""

    sizes: tuple[int, ...]
    batch: int
    activation: str
    loss: str
    optimizer: str
    lr: float
    norm: bool = False
    channels: tuple[int, ...] = ()
    kind: str = "network"


@dataclass(frozen=True)
class Norm:
    """BatchNorm forward and backward on (batch, features)."""

    batch: int
    features: int
    kind: str = "norm"


@dataclass(frozen=True)
class Chain:
    """y = sin(y) a + b on a 10-vector, forward and backward; recorded every time, or replayed."""

    links: int
    replayed: bool = False
    kind: str = "chain"


@dataclass(frozen=True)
class Update:
    """A step of an optimizer alone: the parameters of a perceptron, and gradients that are given."""

    optimizer: str
    sizes: tuple[int, ...]
    lr: float = 0.001
    decay: float = 0.01  # AdamW's
    kind: str = "update"


@dataclass(frozen=True)
class Hessian:
    """The Hessian of Rosenbrock's function."""

    variables: int
    kind: str = "hessian"


FAMILIES: dict[str, Any] = {
    "tiny MLP": Network((4, 24, 24, 1), 32, "tanh", "mse", "momentum", 0.05),
    "small MLP": Network((48, 64, 64, 10), 64, "relu", "cross_entropy", "adam", 0.001),
    "small MLP, BatchNorm": Network((48, 64, 64, 10), 64, "relu", "cross_entropy", "adam", 0.001, norm=True),
    "image MLP": Network((784, 300, 100, 10), 64, "relu", "cross_entropy", "momentum", 0.05),
    "image MLP, BatchNorm": Network((784, 500, 500, 10), 128, "relu", "cross_entropy", "adam", 0.001, norm=True),
    "small CNN": Network((216, 10), 64, "relu", "cross_entropy", "adam", 0.001, channels=(1, 12, 24), kind="cnn"),
    "chain of 1e3": Chain(1_000),
    "chain of 1e4": Chain(10_000),
    "chain of 1e5": Chain(100_000),
    "chain of 1e3, replayed": Chain(1_000, replayed=True),
    "BatchNorm 64x256": Norm(64, 256),
    "BatchNorm 256x512": Norm(256, 512),
    "BatchNorm 1024x1024": Norm(1024, 1024),
    "Hessian of 10 variables": Hessian(10),
    **{
        f"{name} step, {where} MLP": Update(name.lower(), sizes)
        for where, sizes in (("small", (48, 64, 64, 10)), ("image", (784, 300, 100, 10)))
        for name in ("SGD", "Momentum", "Adam", "AdamW")
    },
}


def arrays(network: Network) -> dict[str, Any]:
    """Weights, inputs and targets in float32, the same in every process."""
    rng = np.random.default_rng(0)
    weights = [(rng.standard_normal(pair) / pair[0] ** 0.5).astype(np.float32) for pair in pairwise(network.sizes)]
    kernels = [
        (rng.standard_normal((b, a, 3, 3)) / (9 * a) ** 0.5).astype(np.float32) for a, b in pairwise(network.channels)
    ]
    shape = (network.batch, 1, 12, 12) if network.channels else (network.batch, network.sizes[0])
    x = rng.standard_normal(shape).astype(np.float32)
    if network.loss == "cross_entropy":
        y: Any = rng.integers(0, network.sizes[-1], network.batch)
    else:
        y = rng.standard_normal((network.batch, network.sizes[-1])).astype(np.float32)
    return {"weights": weights, "kernels": kernels, "x": x, "y": y}


def normed(norm: Norm) -> tuple[Any, ...]:
    """z, gamma, beta and the cotangent, in float32."""
    rng = np.random.default_rng(0)
    shapes = [(norm.batch, norm.features), (norm.features,), (norm.features,), (norm.batch, norm.features)]
    return tuple(rng.standard_normal(shape).astype(np.float32) for shape in shapes)


def given(update: Update) -> tuple[list[Any], list[Any]]:
    """Weights and biases, and a gradient for each, in float32."""
    rng = np.random.default_rng(0)
    shapes = [shape for pair in pairwise(update.sizes) for shape in (pair, pair[1:])]
    parameters, gradients = ([rng.standard_normal(shape).astype(np.float32) for shape in shapes] for _ in range(2))
    return parameters, gradients
