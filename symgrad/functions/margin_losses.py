"""Losses by margins and similarities, under the names of torch.nn.functional."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symgrad.errors import ShapeError
from symgrad.functions.activations import logsigmoid
from symgrad.functions.distances import pairwise_distance
from symgrad.functions.regression_losses import reduced_loss
from symgrad.functions.scans import cumsum
from symgrad.functions.selecting import take_along_axis
from symgrad.op import function
from symgrad.ops.arithmetic import sqrt
from symgrad.ops.indexing import labels
from symgrad.ops.layout import expand_dims, reshape
from symgrad.ops.piecewise import minimum, relu, where
from symgrad.ops.reduction import mean, sum
from symgrad.tensor import array_like

__all__ = [
    "cosine_embedding_loss",
    "hinge_embedding_loss",
    "margin_ranking_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]


def _hinge(x: Any) -> Any:
    """max(x, 0), with the slope of torch's clamp at 0: 1."""
    return where(x >= 0, x, 0.0)


@function()
def hinge_embedding_loss(input: Any, target: Any, margin: float = 1.0, *, reduction: str = "mean") -> Any:
    r"""Distances x of alike pairs (t = 1), and :math:`\max(m - x, 0)` of unlike ones (t = -1)."""
    x, t = array_like(input, "hinge_embedding_loss"), array_like(target, "hinge_embedding_loss")
    losses = where(t == 1, 0.0, _hinge(margin - x)) + where(t == -1, 0.0, x)
    return reduced_loss(losses, reduction, "hinge_embedding_loss")


@function()
def margin_ranking_loss(input1: Any, input2: Any, target: Any, margin: float = 0.0, *, reduction: str = "mean") -> Any:
    r"""Ranks in the wrong order, :math:`\max(-t (x - y) + m, 0)`: x shall be above y where t is 1."""
    x, y, t = (array_like(v, "margin_ranking_loss") for v in (input1, input2, target))
    if len({len(v.shape) for v in (x, y, t)}) != 1:
        raise ShapeError(f"margin_ranking_loss: shapes {tuple(x.shape)}, {tuple(y.shape)} and {tuple(t.shape)} differ")
    return reduced_loss(_hinge(-t * (x - y) + margin), reduction, "margin_ranking_loss")


@function()
def cosine_embedding_loss(
    input1: Any, input2: Any, target: Any, margin: float = 0.0, *, reduction: str = "mean"
) -> Any:
    r"""For alike pairs of vectors :math:`1 - \cos`, for unlike ones :math:`\max(\cos - m, 0)`."""
    x, y, t = (array_like(v, "cosine_embedding_loss") for v in (input1, input2, target))
    tiny = 1e-12
    cosine = sum(x * y, -1) / sqrt((sum(x * x, -1) + tiny) * (sum(y * y, -1) + tiny))
    losses = where(t == 1, 1.0 - cosine, 0.0) + where(t == -1, _hinge(cosine - margin), 0.0)
    return reduced_loss(losses, reduction, "cosine_embedding_loss")


@function()
def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    *,
    reduction: str = "mean",
) -> Any:
    r"""How much nearer the positive is than the negative: :math:`\max(d(a, p) - d(a, n) + m, 0)`."""
    return triplet_margin_with_distance_loss(
        anchor,
        positive,
        negative,
        distance_function=lambda x, y: pairwise_distance(x, y, p, eps),
        margin=margin,
        swap=swap,
        reduction=reduction,
    )


@function()
def triplet_margin_with_distance_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    *,
    distance_function: Callable[[Any, Any], Any] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Any:
    """`triplet_margin_loss` with a distance of one's own; swap takes the negative's nearer one of both."""
    distance = pairwise_distance if distance_function is None else distance_function
    far = distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    losses = _hinge(distance(anchor, positive) - far + margin)
    return reduced_loss(losses, reduction, "triplet_margin_loss")


@function()
def multi_margin_loss(
    input: Any, target: Any, p: int = 1, margin: float = 1.0, weight: Any = None, *, reduction: str = "mean"
) -> Any:
    r"""Margins of the wrong classes, :math:`\frac1K \sum_{k \ne t} \max(m - x_t + x_k, 0)^p`.

    Parameters
    ----------
    input : Tensor or array, shape (B, K) or (K,)
    target : integers, shape (B,) or ()
    p : {1, 2}
    margin : float
    weight : array, shape (K,), optional
        Of the classes.
    reduction : {"mean", "sum", "none"}
    """
    x, t = array_like(input, "multi_margin_loss"), array_like(target, "multi_margin_loss")
    if p not in (1, 2):
        raise ShapeError(f"multi_margin_loss: p must be 1 or 2, got {p}")
    x = x if len(x.shape) else reshape(x, (1,))
    t = labels(t, x.shape[-1], "multi_margin_loss")
    places = expand_dims(t, -1) if len(t.shape) < len(x.shape) else t
    hinges = where(margin - take_along_axis(x, places, -1) + x > 0, margin - take_along_axis(x, places, -1) + x, 0.0)
    hinges = hinges * hinges if p == 2 else hinges
    if weight is not None:
        hinges = hinges * array_like(weight, "multi_margin_loss")[places]
    other = places != np.arange(x.shape[-1])
    losses = sum(where(other, hinges, 0.0), -1) / x.shape[-1]
    return reduced_loss(losses, reduction, "multi_margin_loss")


@function()
def multilabel_margin_loss(input: Any, target: Any, *, reduction: str = "mean") -> Any:
    r"""Margins between every right and every wrong class, :math:`\frac1K \sum \max(1 - x_t + x_k, 0)`.

    Parameters
    ----------
    input : Tensor or array, shape (B, K) or (K,)
    target : integers, shape of the input
        The right classes of a row, ended by -1.
    reduction : {"mean", "sum", "none"}
    """
    x, t = array_like(input, "multilabel_margin_loss"), array_like(target, "multilabel_margin_loss")
    if tuple(t.shape) != tuple(x.shape) or t.dtype.kind not in "iu":
        raise ShapeError(f"multilabel_margin_loss: targets are integers of the shape {tuple(x.shape)}, got {t.shape}")
    x, t = (v if len(v.shape) else reshape(v, (1,)) for v in (x, t))
    listed = cumsum(where(t < 0, 1.0, 0.0), -1) == 0
    classes = np.arange(x.shape[-1])
    hits = (expand_dims(t, -1) == classes) & expand_dims(listed, -1)
    right = sum(where(hits, 1.0, 0.0), -2) > 0
    chosen = take_along_axis(x, where(listed, t, 0), -1)
    margins = 1.0 - expand_dims(chosen, -1) + expand_dims(x, -2)
    counted = expand_dims(listed, -1) & ~expand_dims(right, -2)
    losses = sum(where(counted, relu(margins), 0.0), (-1, -2)) / x.shape[-1]
    return reduced_loss(losses, reduction, "multilabel_margin_loss")


@function()
def multilabel_soft_margin_loss(input: Any, target: Any, weight: Any = None, *, reduction: str = "mean") -> Any:
    r"""Mean over classes of :math:`-t \ln \sigma(x) - (1 - t) \ln \sigma(-x)`."""
    x, t = array_like(input, "multilabel_soft_margin_loss"), array_like(target, "multilabel_soft_margin_loss")
    losses = -(t * logsigmoid(x) + (1 - t) * logsigmoid(-x))
    if weight is not None:
        losses = losses * weight
    return reduced_loss(mean(losses, -1), reduction, "multilabel_soft_margin_loss")
