"""Numbers to watch beside the loss: functions of the model's outputs and the targets."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.errors import ShapeError

__all__ = ["accuracy"]


def accuracy(prediction: Any, target: Any) -> float:
    """The share of rows whose largest output is at the target class.

    Parameters
    ----------
    prediction : array_like, shape (n, K)
        Logits or probabilities.
    target : integers of shape (n,)

    Examples
    --------
    >>> from symgrad.train import accuracy
    >>> accuracy([[0.1, 0.9], [0.8, 0.2]], [1, 1])
    0.5
    """
    prediction, target = np.asarray(prediction), np.asarray(target)
    if prediction.ndim != 2 or target.shape != prediction.shape[:1]:
        raise ShapeError(f"accuracy: takes outputs (n, K) and labels (n,), got {prediction.shape} and {target.shape}")
    return float(np.mean(prediction.argmax(axis=1) == target))
