"""Losses element by element, under the names of torch.nn.functional; input and target broadcast."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from symgrad.errors import DataError, ShapeError
from symgrad.op import function
from symgrad.ops.exponential import exp, log, logaddexp
from symgrad.ops.marks import stop_gradient
from symgrad.ops.piecewise import abs, maximum, where
from symgrad.ops.reduction import mean, sum
from symgrad.tensor import Tensor, array_like, holds

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "gaussian_nll_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "mse_loss",
    "poisson_nll_loss",
    "reduced_loss",
    "smooth_l1_loss",
    "soft_margin_loss",
]


def reduced_loss(losses: Any, reduction: str, name: str, weight: Any = None) -> Any:
    """All losses, their sum, or their mean (weighted ones are multiplied first)."""
    if weight is not None:
        losses = losses * weight
    if reduction == "mean":
        return mean(losses)
    if reduction == "sum":
        return sum(losses)
    if reduction != "none":
        raise ShapeError(f"{name}: reduction must be 'mean', 'sum' or 'none', got {reduction!r}")
    return losses


def _pair(input: Any, target: Any, name: str) -> tuple[Any, Any]:
    return array_like(input, name), array_like(target, name)


@function()
def l1_loss(input: Any, target: Any, *, reduction: str = "mean", weight: Any = None) -> Any:
    r"""Absolute errors :math:`|y - t|`."""
    y, t = _pair(input, target, "l1_loss")
    return reduced_loss(abs(y - t), reduction, "l1_loss", weight)


@function()
def mse_loss(input: Any, target: Any, *, reduction: str = "mean", weight: Any = None) -> Any:
    r"""Squared errors :math:`(y - t)^2`; the mean over all weights if weighted."""
    y, t = _pair(input, target, "mse_loss")
    error = y - t
    if weight is not None and reduction == "mean":
        return sum(error * error * weight) / sum(weight + 0 * error)
    return reduced_loss(error * error, reduction, "mse_loss", weight)


@function()
def smooth_l1_loss(input: Any, target: Any, *, reduction: str = "mean", beta: float = 1.0) -> Any:
    r"""Errors that are squared, :math:`e^2 / 2 \beta`, below beta, and linear, :math:`|e| - \beta/2`, above."""
    y, t = _pair(input, target, "smooth_l1_loss")
    if holds(beta < 0):
        raise ShapeError(f"smooth_l1_loss: beta must be at least 0, got {beta}")
    if holds(beta == 0):
        return l1_loss(y, t, reduction=reduction)
    size = abs(y - t)
    losses = where(size < beta, (y - t) * (y - t) * (0.5 / beta), size - 0.5 * beta)
    return reduced_loss(losses, reduction, "smooth_l1_loss")


@function()
def huber_loss(input: Any, target: Any, *, reduction: str = "mean", delta: float = 1.0, weight: Any = None) -> Any:
    r"""Errors that are squared, :math:`e^2 / 2`, up to delta, and linear, :math:`\delta (|e| - \delta/2)`, above.

    References
    ----------
    P. J. Huber, "Robust estimation of a location parameter", Ann. Math. Statist. 35 (1964).
    """
    y, t = _pair(input, target, "huber_loss")
    if holds(delta <= 0):
        raise ShapeError(f"huber_loss: delta must be above 0, got {delta}")
    size = abs(y - t)
    losses = where(size <= delta, (y - t) * (y - t) * 0.5, delta * (size - 0.5 * delta))
    return reduced_loss(losses, reduction, "huber_loss", weight)


@function()
def binary_cross_entropy(input: Any, target: Any, weight: Any = None, *, reduction: str = "mean") -> Any:
    r"""Cross-entropy of probabilities, :math:`-t \ln p - (1 - t) \ln(1 - p)`; logarithms end at -100, as in torch.

    Raises
    ------
    DataError
        If an input is not between 0 and 1.
    """
    p, t = _pair(input, target, "binary_cross_entropy")
    value = p.value if isinstance(p, Tensor) else p
    if value is not None and not ((value >= 0) & (value <= 1)).all():
        raise DataError("binary_cross_entropy: inputs are probabilities, between 0 and 1; "
                        "use binary_cross_entropy_with_logits for other numbers")  # fmt: skip
    losses = -(t * maximum(log(p), -100.0)) - (1 - t) * maximum(log(1 - p), -100.0)
    return reduced_loss(losses, reduction, "binary_cross_entropy", weight)


@function()
def binary_cross_entropy_with_logits(
    input: Any, target: Any, weight: Any = None, *, reduction: str = "mean", pos_weight: Any = None
) -> Any:
    r"""Cross-entropy of logits, :math:`(1 - t) x + (1 + (w - 1) t) \ln(1 + e^{-x})`, w weighing positive targets."""
    x, t = _pair(input, target, "binary_cross_entropy_with_logits")
    positive: Any = 1.0 if pos_weight is None else (array_like(pos_weight, "pos_weight") - 1) * t + 1
    losses = (1 - t) * x + positive * logaddexp(-x, 0.0)
    return reduced_loss(losses, reduction, "binary_cross_entropy_with_logits", weight)


@function()
def kl_div(input: Any, target: Any, *, reduction: str = "mean", log_target: bool = False) -> Any:
    r"""Kullback-Leibler divergence :math:`t (\ln t - x)` of log-probabilities x; 0 where t is 0.

    Parameters
    ----------
    input : Tensor or array
        Log-probabilities.
    target : Tensor or array
        Probabilities, or their logarithms.
    reduction : {"mean", "batchmean", "sum", "none"}
        "batchmean" divides the sum by the first axis' size, which is what the mathematics says.
    log_target : bool
    """
    x, t = _pair(input, target, "kl_div")
    if log_target:
        losses = exp(t) * (t - x)
    else:
        positive = t > 0
        losses = where(positive, t * (log(where(positive, t, 1.0)) - x), 0.0 - t * x)
    if reduction == "batchmean":
        return sum(losses) / x.shape[0]
    return reduced_loss(losses, reduction, "kl_div")


@function()
def poisson_nll_loss(
    input: Any, target: Any, log_input: bool = True, full: bool = False, *, eps: float = 1e-8, reduction: str = "mean"
) -> Any:
    r"""Negative log-likelihood of Poisson counts, :math:`e^x - t x`, or :math:`x - t \ln(x + \epsilon)`.

    Parameters
    ----------
    input, target : Tensor or array
        (Logarithms of) expected counts, and counts.
    log_input : bool
    full : bool
        Add Stirling's approximation of :math:`\ln t!` where t is above 1.
    eps : float
    reduction : {"mean", "sum", "none"}
    """
    x, t = _pair(input, target, "poisson_nll_loss")
    losses = exp(x) - t * x if log_input else x - t * log(x + eps)
    if full:
        large = where(t > 1, t, 1.0)
        losses = losses + where(t > 1, large * log(large) - large + 0.5 * log(2 * math.pi * large), 0.0)
    return reduced_loss(losses, reduction, "poisson_nll_loss")


@function()
def gaussian_nll_loss(
    input: Any, target: Any, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Any:
    r"""Negative log-likelihood of normal numbers, :math:`\frac12 (\ln v + (y - t)^2 / v)`, with v at least eps.

    The bound eps has no gradient: below it, v counts as if it were eps, as in torch.

    Raises
    ------
    DataError
        If a variance is negative.
    """
    y, t = _pair(input, target, "gaussian_nll_loss")
    var = array_like(var, "gaussian_nll_loss")
    value = var.value if isinstance(var, Tensor) else var
    if value is not None and np.any(value < 0):
        raise DataError("gaussian_nll_loss: a variance is negative")
    if len(var.shape) == len(y.shape) - 1 and tuple(var.shape) == tuple(y.shape[:-1]) and len(y.shape):
        var = var[..., None]
    var = var + stop_gradient(maximum(var, eps) - var)
    losses = 0.5 * (log(var) + (y - t) * (y - t) / var)
    if full:
        losses = losses + 0.5 * math.log(2 * math.pi)
    return reduced_loss(losses, reduction, "gaussian_nll_loss")


@function()
def soft_margin_loss(input: Any, target: Any, *, reduction: str = "mean") -> Any:
    r"""Logistic loss of targets 1 and -1, :math:`\ln(1 + e^{-t x})`."""
    x, t = _pair(input, target, "soft_margin_loss")
    return reduced_loss(logaddexp(-t * x, 0.0), reduction, "soft_margin_loss")
