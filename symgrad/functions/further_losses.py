"""Losses that torch.nn.functional lacks: of Keras, of scikit-learn's metrics, and of segmentation."""

from __future__ import annotations

import math
from typing import Any

from symgrad.errors import DataError, ShapeError
from symgrad.functions.elementwise import xlogy
from symgrad.functions.losses import check_labels
from symgrad.functions.normalization import log_softmax
from symgrad.functions.regression_losses import reduced_loss
from symgrad.functions.selecting import take_along_axis
from symgrad.op import function
from symgrad.ops.exponential import exp, log, log1p, logaddexp
from symgrad.ops.indexing import labels
from symgrad.ops.layout import reshape
from symgrad.ops.piecewise import abs, maximum
from symgrad.ops.reduction import sum
from symgrad.tensor import array_like

__all__ = [
    "dice_loss",
    "focal_loss",
    "hinge_loss",
    "log_cosh_loss",
    "percentage_loss",
    "quantile_loss",
    "squared_hinge_loss",
    "squared_log_loss",
    "tversky_loss",
    "tweedie_loss",
]


def _pair(input: Any, target: Any, name: str) -> tuple[Any, Any]:
    return array_like(input, name), array_like(target, name)


@function()
def log_cosh_loss(input: Any, target: Any, *, reduction: str = "mean") -> Any:
    r""":math:`\log \cosh(y - t)`: half the squared error where that is small, its size less log 2 where it is large."""
    y, t = _pair(input, target, "log_cosh_loss")
    return reduced_loss(logaddexp(y - t, t - y) - math.log(2), reduction, "log_cosh_loss")


@function()
def quantile_loss(input: Any, target: Any, q: float = 0.5, *, reduction: str = "mean") -> Any:
    r"""The pinball loss :math:`\max(q (t - y), (q - 1) (t - y))`, which is least at the q-quantile of t.

    References
    ----------
    R. Koenker and G. Bassett, "Regression quantiles", Econometrica 46:33-50, 1978.

    Examples
    --------
    >>> import numpy as np
    >>> from symgrad import losses
    >>> float(losses.quantile_loss(np.array([1.0, 1.0]), np.array([3.0, 0.0]), q=0.75))
    0.875
    """
    if not 0 < q < 1:
        raise DataError(f"quantile_loss: q must be between 0 and 1, got {q}")
    y, t = _pair(input, target, "quantile_loss")
    return reduced_loss(maximum(q * (t - y), (q - 1) * (t - y)), reduction, "quantile_loss")


@function()
def squared_log_loss(input: Any, target: Any, *, reduction: str = "mean") -> Any:
    r"""Squared errors of logarithms, :math:`(\log(1 + y) - \log(1 + t))^2`, for y and t above -1."""
    y, t = _pair(input, target, "squared_log_loss")
    error = log1p(y) - log1p(t)
    return reduced_loss(error * error, reduction, "squared_log_loss")


@function()
def percentage_loss(input: Any, target: Any, *, eps: float = 1e-7, reduction: str = "mean") -> Any:
    r"""Absolute errors as shares of the target, :math:`|y - t| / \max(|t|, \epsilon)`; 0.1 is ten per cent."""
    y, t = _pair(input, target, "percentage_loss")
    return reduced_loss(abs(y - t) / maximum(abs(t), eps), reduction, "percentage_loss")


@function()
def hinge_loss(input: Any, target: Any, *, reduction: str = "mean") -> Any:
    r"""What is missing of a margin of 1, :math:`\max(1 - t y, 0)`, for targets -1 and 1."""
    y, t = _pair(input, target, "hinge_loss")
    return reduced_loss(maximum(1 - y * t, 0.0), reduction, "hinge_loss")


@function()
def squared_hinge_loss(input: Any, target: Any, *, reduction: str = "mean") -> Any:
    r"""The square of `hinge_loss`, :math:`\max(1 - t y, 0)^2`."""
    y, t = _pair(input, target, "squared_hinge_loss")
    missing = maximum(1 - y * t, 0.0)
    return reduced_loss(missing * missing, reduction, "squared_hinge_loss")


@function()
def tweedie_loss(input: Any, target: Any, power: float = 1.5, *, reduction: str = "mean") -> Any:
    r"""The deviance of Tweedie's distributions with mean y and variance in proportion to :math:`y^p`.

    .. math:: 2 \left(\frac{t^{2-p}}{(1-p)(2-p)} - \frac{t\, y^{1-p}}{1-p} + \frac{y^{2-p}}{2-p}\right)

    With p = 1 that of Poisson's, with p = 2 that of the gamma distribution, with p = 0 the squared error.

    Parameters
    ----------
    input : Tensor or array
        Means, above 0.
    target : Tensor or array
        At least 0; above 0 for :math:`p \ge 2`.
    power : float
        0, or at least 1.
    reduction : {"mean", "sum", "none"}
    """
    if power != 0 and not power >= 1:
        raise DataError(f"tweedie_loss: power must be 0 or at least 1, got {power}")
    y, t = _pair(input, target, "tweedie_loss")
    p = float(power)
    if p == 1:
        half = xlogy(t, t / y) - t + y
    elif p == 2:
        half = log(y / t) + t / y - 1
    else:
        half = t ** (2 - p) / ((1 - p) * (2 - p)) - t * y ** (1 - p) / (1 - p) + y ** (2 - p) / (2 - p)
    return reduced_loss(2 * half, reduction, "tweedie_loss")


@function()
def focal_loss(input: Any, target: Any, focus: float = 2.0, *, reduction: str = "mean") -> Any:
    r"""Cross-entropy that counts what is already recognised less: :math:`-(1 - p_t)^\gamma \log p_t`.

    Parameters
    ----------
    input : Tensor or array, shape (n, K)
        Logits.
    target : array, shape (n,) of integers, or (n, K) of probabilities
    focus : float
        The :math:`\gamma`; with 0 it is cross-entropy.
    reduction : {"mean", "sum", "none"}

    Raises
    ------
    DataError
        If a label is outside of 0..K-1.

    References
    ----------
    T.-Y. Lin et al., "Focal loss for dense object detection", ICCV 2017, equation 4.

    Examples
    --------
    >>> import numpy as np
    >>> from symgrad import losses
    >>> z, labels = np.array([[2.0, -1.0], [0.5, 0.0]]), np.array([0, 1])
    >>> float(losses.focal_loss(z, labels, 0.0) - losses.cross_entropy(z, labels))
    0.0
    """
    z, t = _pair(input, target, "focal_loss")
    if len(z.shape) != 2 or tuple(t.shape) not in ((z.shape[0],), tuple(z.shape)):
        raise ShapeError(f"focal_loss: takes logits (n, K) and n labels or (n, K), got {z.shape} and {t.shape}")
    scores = log_softmax(z, 1)
    if len(t.shape) == 1:
        check_labels(z, t, "focal_loss")
        safe = labels(t, z.shape[1], "focal_loss")
        chosen = reshape(take_along_axis(scores, reshape(safe, (-1, 1)), 1), (-1,))
        each = -((1 - exp(chosen)) ** focus) * chosen
    else:
        each = -sum(t * (1 - exp(scores)) ** focus * scores, 1)
    return reduced_loss(each, reduction, "focal_loss")


@function()
def tversky_loss(
    input: Any, target: Any, alpha: float = 0.5, beta: float = 0.5, smooth: float = 1.0, *, reduction: str = "mean"
) -> Any:
    r"""One less Tversky's index of overlap, over all axes but the first.

    .. math:: 1 - \frac{s + \sum p t}{s + \sum p t + \alpha \sum p (1 - t) + \beta \sum (1 - p) t}

    Parameters
    ----------
    input, target : Tensor or array, shape (n, ...)
        Probabilities.
    alpha, beta : float
        What it costs to find what is not there, and not to find what is.
    smooth : float
        The s.
    reduction : {"mean", "sum", "none"}

    References
    ----------
    S. S. M. Salehi, D. Erdogmus and A. Gholipour, "Tversky loss function for image segmentation", MLMI 2017.
    """
    p, t = _pair(input, target, "tversky_loss")
    return reduced_loss(_missed_overlap(p, t, alpha, beta, smooth), reduction, "tversky_loss")


def _missed_overlap(p: Any, t: Any, alpha: float, beta: float, smooth: float) -> Any:
    """One less Tversky's index, for each along the first axis."""
    axes = tuple(range(1, len(p.shape)))
    found, wrong, missed = sum(p * t, axes), sum(p * (1 - t), axes), sum((1 - p) * t, axes)
    return 1 - (smooth + found) / (smooth + found + alpha * wrong + beta * missed)


@function()
def dice_loss(input: Any, target: Any, smooth: float = 1.0, *, reduction: str = "mean") -> Any:
    r"""One less Dice's coefficient over all but the first axis: :math:`1 - \frac{s + 2 \sum p t}{s + \sum p + \sum t}`.

    References
    ----------
    F. Milletari, N. Navab and S.-A. Ahmadi, "V-Net", 3DV 2016.
    """
    p, t = _pair(input, target, "dice_loss")
    return reduced_loss(_missed_overlap(p, t, 0.5, 0.5, smooth / 2), reduction, "dice_loss")
