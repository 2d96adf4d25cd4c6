"""The work that is timed, as plain data, equal for all contenders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["CHAINS", "NETWORKS", "Network", "arrays"]


@dataclass(frozen=True)
class Network:
    """A perceptron and how it is trained."""

    sizes: tuple[int, ...]
    batch: int
    activation: str
    loss: str
    optimizer: str
    lr: float


NETWORKS = {
    "tiny-mlp": Network((4, 24, 24, 1), 32, "tanh", "mse", "momentum", 0.05),
    "small-mlp": Network((48, 64, 64, 10), 64, "relu", "cross_entropy", "adam", 0.001),
    "image-mlp": Network((784, 300, 100, 10), 64, "relu", "cross_entropy", "momentum", 0.05),
}
CHAINS = {"chain-1e3": 1_000, "chain-1e4": 10_000, "chain-1e5": 100_000}


def arrays(network: Network) -> dict[str, Any]:
    """Weights, inputs and targets in float32, the same in every process."""
    rng = np.random.default_rng(0)
    pairs = list(zip(network.sizes, network.sizes[1:], strict=False))
    weights = [(rng.standard_normal(pair) / pair[0] ** 0.5).astype(np.float32) for pair in pairs]
    x = rng.standard_normal((network.batch, network.sizes[0])).astype(np.float32)
    if network.loss == "cross_entropy":
        y: Any = rng.integers(0, network.sizes[-1], network.batch)
    else:
        y = rng.standard_normal((network.batch, network.sizes[-1])).astype(np.float32)
    return {"weights": weights, "biases": [np.zeros(b, np.float32) for _, b in pairs], "x": x, "y": y}
