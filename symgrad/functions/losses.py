"""Loss functions: means over the minibatch."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.errors import DTypeError, ShapeError
from symgrad.functions.normalization import largest, log_softmax
from symgrad.op import function
from symgrad.ops.exponential import exp, log
from symgrad.ops.indexing import getitem, labels
from symgrad.ops.reduction import mean, sum
from symgrad.shapes import same_shape, same_size
from symgrad.tensor import array_like

__all__ = ["cross_entropy", "mse"]


@function()
def mse(prediction: Any, target: Any) -> Any:
    r"""Mean squared error :math:`\frac1n \sum_i (y_i - t_i)^2` over all elements.

    Parameters
    ----------
    prediction, target : Tensor or array
        Of one shape.

    Raises
    ------
    ShapeError
        If the shapes differ (they are not broadcast, which would hide a mistake).

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.losses.mse(sg.tensor([1.0, 2.0]), sg.tensor([1.0, 4.0]))
    Tensor(2.)
    """
    prediction, target = array_like(prediction, "mse"), array_like(target, "mse")
    if not same_shape(prediction.shape, target.shape):
        raise ShapeError(
            f"mse: the prediction has shape {tuple(prediction.shape)}, the target {tuple(target.shape)}; "
            "give both one shape, for example target.reshape(prediction.shape)"
        )
    error = prediction - target
    return mean(error * error)


@function()
def cross_entropy(logits: Any, target: Any) -> Any:
    r"""Softmax cross-entropy :math:`-\frac1B \sum_i \ln p_{i, t_i}`, or :math:`-\frac1B \sum_{ik} t_{ik} \ln p_{ik}`.

    Parameters
    ----------
    logits : Tensor or array, shape (B, K)
        Unnormalised log-probabilities.
    target : integers of shape (B,), or probabilities of shape (B, K)
        Class labels from 0 to K - 1, or soft labels.

    Raises
    ------
    DataError
        If a label is outside of 0..K-1.
    ShapeError
        If the shapes do not fit.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.losses.cross_entropy(sg.tensor([[0.0, 0.0]]), [1])
    Tensor(0.69314718)
    """
    logits, target = array_like(logits, "cross_entropy"), array_like(target, "cross_entropy")
    if len(logits.shape) != 2:
        raise ShapeError(f"cross_entropy: logits have shape {tuple(logits.shape)}; they must be (B, K)")
    if len(target.shape) == 2:
        if not same_shape(logits.shape, target.shape):
            raise ShapeError(f"cross_entropy: logits {tuple(logits.shape)} against targets {tuple(target.shape)}")
        return -mean(sum(target * log_softmax(logits, -1), -1))
    _check_labels(logits, target)
    shifted = logits - largest(logits, -1)
    chosen = getitem(shifted, (np.arange(logits.shape[0]), labels(target, logits.shape[1], "cross_entropy")))
    return mean(log(sum(exp(shifted), -1)) - chosen)


def _check_labels(logits: Any, target: Any) -> None:
    if len(target.shape) != 1 or not same_size(target.shape[0], logits.shape[0]):
        raise ShapeError(
            f"cross_entropy: labels have shape {tuple(target.shape)}, logits {tuple(logits.shape)}; "
            "labels are (B,) integers or (B, K) probabilities"
        )
    if target.dtype.kind not in "iu":
        raise DTypeError(f"cross_entropy: labels must be integers, got {target.dtype}; convert with .astype(int)")
