"""Examples that count differently: weights of examples and of classes, and the loss that respects them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgrad.errors import DataError, SymgradError
from symgrad.ops.reduction import mean, sum

__all__ = ["Examples", "takes_reduction", "weighted_loss", "weights_of"]


@dataclass(frozen=True)
class Examples:
    """What an epoch goes through: inputs, targets, and how much each example counts (alike if None)."""

    X: NDArray[Any]
    y: NDArray[Any]
    weights: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.X)

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """What there is."""
        return (self.X, self.y) if self.weights is None else (self.X, self.y, self.weights)

    def share(self, rows: Any) -> float:
        """How much these examples count together."""
        return float(len(rows)) if self.weights is None else float(self.weights[rows].sum())


def weights_of(y: NDArray[Any], sample: Any, classes: Any) -> NDArray[Any] | None:
    r"""The weight of every example, of its own and of its class; None if all count alike.

    Parameters
    ----------
    y : ndarray
    sample : array_like of shape (n,), optional
    classes : mapping of class to number, sequence of numbers, "balanced", or None
        "balanced" is :math:`n / (K n_k)`, so that all classes count alike together.

    Raises
    ------
    DataError
        If the weights are not finite numbers of at least 0, one per example or class.
    """
    found = None if sample is None else _numbers("sample_weight", sample, len(y))
    if classes is None:
        return found
    if y.dtype.kind not in "iu" or y.ndim != 1:
        raise DataError("class_weight: the targets must be class labels, integers of shape (n,)")
    present, counts = np.unique(y, return_counts=True)
    if isinstance(classes, str):
        if classes != "balanced":
            raise DataError(f"class_weight={classes!r} must be 'balanced', or weights by class")
        classes = dict(zip(present.tolist(), len(y) / (len(present) * counts), strict=True))
    table = classes if isinstance(classes, Mapping) else dict(enumerate(classes))
    missing = [k for k in present.tolist() if k not in table]
    if missing:
        raise DataError(f"class_weight: has no weight for class {missing[0]}; it has {sorted(table)}")
    by_class = _numbers("class_weight", [table[k] for k in y.tolist()], len(y))
    return by_class if found is None else found * by_class


def _numbers(what: str, given: Any, n: int) -> NDArray[Any]:
    try:
        found = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        found = np.full(n, np.nan)
    if found.shape != (n,) or not np.isfinite(found).all() or found.min() < 0 or not found.sum() > 0:
        raise DataError(f"{what}: must be {n} finite numbers of at least 0, not all 0; got shape {np.shape(given)}")
    return found


def weighted_loss(loss: Callable[..., Any], output: Any, y: Any, weights: Any) -> Any:
    r"""The weighted mean :math:`\sum_i w_i l_i / \sum_i w_i` of the losses of single examples."""
    each = loss(output, y, reduction="none")
    if len(each.shape) > 1:
        each = mean(each, tuple(range(1, len(each.shape))))
    return sum(each * weights) / sum(weights)


def takes_reduction(loss: Callable[..., Any]) -> None:
    """Refuse a loss that cannot give the losses of single examples."""
    try:
        names = inspect.signature(loss).parameters
    except (TypeError, ValueError):
        return
    if "reduction" not in names and not any(p.kind is p.VAR_KEYWORD for p in names.values()):
        name = getattr(loss, "__name__", type(loss).__name__)
        raise SymgradError(
            f"Trainer: weights need the losses of single examples, but {name} has no reduction='none'; "
            "use losses.cross_entropy, nn.functional.mse_loss, or give yours that argument"
        )
