"""What the tour finds, as data."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

__all__ = ["SEEDS", "Findings"]

SEEDS = 5


@dataclass(frozen=True)
class Findings:
    """Everything that the page shows and that the last lines of the command report."""

    derivation: Any
    derive_seconds: float
    check: Any
    gradcheck: Any
    differences: dict[str, float]
    neuron: Any
    batch: Any
    plan: Any
    histories: dict[str, list[Any]]
    accuracies: dict[str, list[float]]
    train_seconds: float

    @property
    def right(self) -> bool:
        """Whether every proof and every check came out as it should."""
        proved = all(proof.verdict == "PROVED" for proof in self.derivation.proofs.values())
        return bool(proved and self.check and self.gradcheck)

    @property
    def accuracy(self) -> float:
        """Mean accuracy of the networks with BatchNorm on the test part."""
        return statistics.mean(self.accuracies["with BatchNorm"])

    def summary(self) -> dict[str, Any]:
        """What was found, as plain data."""
        return {
            "gradient": str(self.derivation.gradients["z"]),
            "proofs": {name: proof.verdict for name, proof in self.derivation.proofs.items()},
            "gradcheck": self.gradcheck.verdict,
            "largest_difference": max(self.differences.values()),
            "test_accuracy": self.accuracy,
            "test_accuracies": self.accuracies,
            "right": self.right,
        }
