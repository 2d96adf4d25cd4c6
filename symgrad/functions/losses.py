"""Loss functions: means over the minibatch."""

from __future__ import annotations

from typing import Any

from symgrad.errors import DTypeError, ShapeError
from symgrad.functions.linear import tensordot
from symgrad.functions.normalization import largest, log_softmax
from symgrad.functions.regression_losses import reduced_loss
from symgrad.functions.selecting import take_along_axis
from symgrad.op import function
from symgrad.ops.exponential import exp, log
from symgrad.ops.indexing import getitem, labels
from symgrad.ops.layout import expand_dims, reshape, squeeze
from symgrad.ops.marks import arange, astype, named
from symgrad.ops.piecewise import where
from symgrad.ops.reduction import mean, sum
from symgrad.shapes import same_shape
from symgrad.tensor import Tensor, array_like, holds

__all__ = ["cross_entropy", "linear_cross_entropy", "mse", "nll_loss"]

IGNORED = -100  # the label that does not count, as in PyTorch


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
def cross_entropy(
    logits: Any,
    target: Any,
    weight: Any = None,
    *,
    ignore_index: int | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0,
) -> Any:
    r"""Softmax cross-entropy :math:`-\frac1B \sum_i \ln p_{i, t_i}`, or :math:`-\frac1B \sum_{ik} t_{ik} \ln p_{ik}`.

    Parameters
    ----------
    logits : Tensor or array, shape (B, K), (B, K, ...) or (K,)
        Unnormalised log-probabilities; axis 1 (0 of a vector) counts the classes.
    target : integers of shape (B,) or (B, ...), or probabilities of the shape of the logits
        Class labels from 0 to K - 1, or soft labels.
    weight : Tensor or array, shape (K,), optional
        Of the classes; a mean divides by the sum of the weights of the labels.
    ignore_index : int, optional
        A label that does not count; -100 unless given. A compiled function, whose labels come later, is told of it by
        giving it.
    reduction : {"mean", "sum", "none"}
    label_smoothing : float
        The part, from 0 to 1, of every label that is spread over all classes.

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
    ndim = len(logits.shape)
    if not ndim:
        raise ShapeError("cross_entropy: logits have shape (); they must be (B, K)")
    if holds(label_smoothing < 0) or holds(label_smoothing > 1):
        raise ShapeError(f"cross_entropy: label_smoothing must be between 0 and 1, got {label_smoothing}")
    soft = len(target.shape) == ndim
    if soft and not same_shape(logits.shape, target.shape):
        raise ShapeError(f"cross_entropy: logits {tuple(logits.shape)} against targets {tuple(target.shape)}")
    axis = min(ndim - 1, 1)
    plain = weight is None and reduction == "mean" and holds(label_smoothing == 0)
    if soft:
        if ndim == 2 and plain:
            return -mean(sum(target * log_softmax(logits, -1), -1))
        return _soft(log_softmax(logits, axis), target, weight, reduction, label_smoothing, axis)
    check_labels(logits, target, "cross_entropy")
    if ndim == 2 and plain and not _has(target, ignore_index):
        shifted = logits - largest(logits, -1)
        chosen = getitem(shifted, (arange(logits.shape[0]), labels(target, logits.shape[1], "cross_entropy")))
        e = named(exp(shifted), "e")
        return mean(log(named(sum(e, -1), "S")) - chosen)
    log_p, skipped = log_softmax(logits, axis), IGNORED if ignore_index is None else ignore_index
    return _hard(log_p, target, weight, skipped, reduction, label_smoothing, "cross_entropy")


def _has(target: Any, label: int | None) -> bool:
    """Whether labels that do not count may be among the labels."""
    value = target.value if isinstance(target, Tensor) else target
    if value is None:
        return label is not None
    return bool((value == (IGNORED if label is None else label)).any())


def _soft(log_p: Any, target: Any, weight: Any, reduction: str, smoothing: float, axis: int) -> Any:
    """Cross-entropy of probabilities."""
    own = log_p * _per_class(weight, log_p, axis)
    losses = _smoothed(-sum(target * own, axis), own, axis, smoothing)
    return reduced_loss(losses, reduction, "cross_entropy")


def _smoothed(losses: Any, log_p: Any, axis: int, smoothing: Any, counts: Any = 1.0) -> Any:
    """Losses of which a part is the loss by the same probability of every class, where they count."""
    if holds(smoothing == 0):
        return losses
    return losses * (1 - smoothing) - mean(log_p, axis) * (smoothing * counts)


def _per_class(weight: Any, log_p: Any, axis: int) -> Any:
    """The weights along the axis of the classes, or 1."""
    if weight is None:
        return 1.0
    weight = array_like(weight, "weight")
    if tuple(weight.shape) != (log_p.shape[axis],):
        raise ShapeError(f"weight: shape {tuple(weight.shape)} for {log_p.shape[axis]} classes")
    return reshape(weight, (-1, *(1,) * (len(log_p.shape) - axis - 1)))


def _hard(log_p: Any, target: Any, weight: Any, ignore_index: int, reduction: str, smoothing: float, name: str) -> Any:
    """Minus the log-probabilities of labels."""
    axis = min(len(log_p.shape) - 1, 1)
    counts = target != ignore_index
    safe = labels(where(counts, target, 0), log_p.shape[axis], name)
    places = expand_dims(safe, axis)
    own = None if weight is None else array_like(weight, name)
    per_class = _per_class(own, log_p, axis)
    each = astype(counts, log_p.dtype) if own is None else where(counts, own[safe], 0.0)
    losses = -squeeze(take_along_axis(log_p, places, axis), axis) * each
    losses = _smoothed(losses, log_p * per_class, axis, smoothing, astype(counts, log_p.dtype))
    if reduction == "mean":
        return sum(losses) / sum(each + 0 * losses)
    return reduced_loss(losses, reduction, name)


@function()
def nll_loss(
    input: Any, target: Any, weight: Any = None, *, ignore_index: int = IGNORED, reduction: str = "mean"
) -> Any:
    r"""Minus the log-probabilities of labels, :math:`-w_t x_t`; the mean divides by the sum of the weights.

    Parameters are those of `cross_entropy`, but for the input: log-probabilities, such as `log_softmax` gives.
    """
    x, target = array_like(input, "nll_loss"), array_like(target, "nll_loss")
    if not len(x.shape):
        raise ShapeError("nll_loss: the input has no axis of classes")
    check_labels(x, target, "nll_loss")
    return _hard(x, target, weight, ignore_index, reduction, 0.0, "nll_loss")


@function()
def linear_cross_entropy(input: Any, linear_weight: Any, target: Any, linear_bias: Any = None, **options: Any) -> Any:
    """`cross_entropy` of the logits of a linear layer with weights (K, ..., features); its options are those there."""
    logits = tensordot(input, linear_weight, ((-1,), (-1,)))
    if linear_bias is not None:
        logits = logits + linear_bias
    return cross_entropy(logits, target, **options)


def check_labels(logits: Any, target: Any, name: str) -> None:
    """Refuse labels that are no integers, or not one for each row of the logits."""
    axis = min(len(logits.shape) - 1, 1)
    wanted = tuple(n for k, n in enumerate(logits.shape) if k != axis)
    if not same_shape(target.shape, wanted):
        raise ShapeError(
            f"{name}: labels have shape {tuple(target.shape)}, logits {tuple(logits.shape)}; "
            "labels are (B,) integers or (B, K) probabilities"
        )
    if target.dtype.kind not in "iu":
        raise DTypeError(f"{name}: labels must be integers, got {target.dtype}; convert with .astype(int)")
