"""Numbers to watch beside the loss: functions of the model's outputs and the targets; scikit-learn's by their names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import partial
from typing import Any

import numpy as np

from symgrad.errors import ShapeError, SymgradError

__all__ = ["accuracy", "as_metrics", "from_sklearn"]


def accuracy(prediction: Any, target: Any) -> float:
    """The share of rows whose largest output is at the target class.

    Parameters
    ----------
    prediction : array_like, shape (n, K)
        Logits or probabilities.
    target : integers of shape (n,), or shape (n, K)
        Classes; or probabilities, of which the largest counts.

    Examples
    --------
    >>> from symgrad.train import accuracy
    >>> accuracy([[0.1, 0.9], [0.8, 0.2]], [1, 1])
    0.5
    """
    prediction, target = np.asarray(prediction), np.asarray(target)
    if prediction.ndim == 2 and target.shape == prediction.shape:
        target = target.argmax(axis=1)
    if prediction.ndim != 2 or target.shape != prediction.shape[:1]:
        raise ShapeError(f"accuracy: takes outputs (n, K) and labels (n,), got {prediction.shape} and {target.shape}")
    return float(np.mean(prediction.argmax(axis=1) == target))


def from_sklearn(metric: str | Callable[..., Any], **options: Any) -> Callable[[Any, Any], float]:
    """A metric of scikit-learn as a function of (outputs, targets), for the Trainer.

    Parameters
    ----------
    metric : str or callable
        A function of `sklearn.metrics`, or its name, that takes (targets, predictions).
    **options
        For the function, such as ``average="macro"``.

    Notes
    -----
    Of outputs (n, K) with integer targets (n,) it gets the class of the largest; other outputs as they are, in the
    shape of the targets. Over an epoch of training the Trainer takes the mean over minibatches, which for metrics that
    are no means (F1, R2) is not the value for the whole epoch; validation is measured at once.

    Examples
    --------
    >>> import numpy as np
    >>> from symgrad.train import from_sklearn
    >>> recall = from_sklearn("recall_score", average="macro")
    >>> recall(np.array([[0.1, 0.9], [0.2, 0.8]]), np.array([0, 1]))
    0.5
    """
    try:
        from sklearn import metrics
    except ImportError:
        raise SymgradError(f"metric {metric!r}: needs scikit-learn: pip install 'symgrad[sklearn]'") from None
    names = [name for name in metrics.__all__ if name.endswith(("_score", "_error", "_loss", "_deviance"))]
    if isinstance(metric, str) and metric not in names:
        near = get_close_matches(metric, ["accuracy", *names], 1)
        raise SymgradError(f"metric {metric!r} is none of scikit-learn's" + (f"; {near[0]!r}?" if near else ""))
    function = getattr(metrics, metric) if isinstance(metric, str) else metric

    def measure(outputs: Any, targets: Any) -> float:
        outputs, targets = np.asarray(outputs), np.asarray(targets)
        classes = outputs.ndim == 2 and targets.ndim == 1 and targets.dtype.kind in "iu"
        return float(
            function(targets, outputs.argmax(axis=1) if classes else outputs.reshape(targets.shape), **options)
        )

    measure.__name__ = function.__name__
    return measure


def as_metrics(given: Any) -> dict[str, Callable[..., float]]:
    """Metrics by the names of their columns."""
    if (
        not isinstance(given, Sequence)
        or isinstance(given, str)
        or not all(callable(m) or isinstance(m, str) for m in given)
    ):
        raise SymgradError(
            f'Trainer: metrics must be a list of functions or names such as ["accuracy", "f1_score"], got {given!r}'
        )
    found = [accuracy if m == "accuracy" else from_sklearn(m) if isinstance(m, str) else m for m in given]
    return {_name(m): m for m in found}


def _name(metric: Callable[..., Any]) -> str:
    """The name of a metric's column."""
    while isinstance(metric, partial):
        metric = metric.func
    return getattr(metric, "__name__", type(metric).__name__)
