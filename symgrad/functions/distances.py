"""Distances and similarities of vectors; the gradient of a distance of 0 is 0."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.errors import ShapeError
from symgrad.op import FUNCTIONS, function
from symgrad.ops.layout import expand_dims
from symgrad.ops.piecewise import maximum
from symgrad.ops.reduction import norm2, sum
from symgrad.tensor import array_like

__all__ = ["cdist", "cosine_similarity", "normalize", "pairwise_distance", "pdist"]


def _norm(x: Any, p: float, axis: int, keepdims: bool = False) -> Any:
    if p == 0:
        return sum(FUNCTIONS["astype"](x != 0, x.dtype), axis, keepdims=keepdims)
    return FUNCTIONS["norm"](x, p, axis, keepdims)


@function()
def pairwise_distance(x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Any:
    r"""Distances of rows, :math:`\lVert x - y + \epsilon \rVert_p`."""
    return _norm(array_like(x1, "pairwise_distance") - x2 + eps, p, -1, keepdim)


@function()
def cdist(x1: Any, x2: Any, p: float = 2.0, compute_mode: str | None = None) -> Any:
    r"""Distances :math:`\lVert x_i - y_j \rVert_p` of all rows of one matrix from all rows of another.

    The compute_mode of torch, which chooses between algorithms, changes nothing here.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.cdist(sg.tensor([[0.0, 0.0]]), [[3.0, 4.0], [0.0, 1.0]])
    Tensor([[5., 1.]])
    """
    if not p >= 0:
        raise ShapeError(f"cdist: p={p!r} is no norm; it must be at least 0")
    x1, x2 = array_like(x1, "cdist"), array_like(x2, "cdist")
    if len(x1.shape) < 2 or len(x2.shape) < 2 or x1.shape[-1] != x2.shape[-1]:
        raise ShapeError(f"cdist: shapes {tuple(x1.shape)} and {tuple(x2.shape)} are not rows of one length")
    return _norm(expand_dims(x1, -2) - expand_dims(x2, -3), p, -1)


@function()
def pdist(input: Any, p: float = 2.0) -> Any:
    """Distances of all pairs of rows, each pair once, row by row."""
    x = array_like(input, "pdist")
    if len(x.shape) != 2:
        raise ShapeError(f"pdist: needs a matrix of rows, got shape {tuple(x.shape)}")
    i, j = np.triu_indices(x.shape[0], 1)
    return _norm(x[i] - x[j], p, -1)


@function()
def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    r"""Cosine of the angle of vectors along an axis, :math:`x \cdot y / (\max(|x|, \epsilon) \max(|y|, \epsilon))`."""
    x1, x2 = FUNCTIONS["broadcast_arrays"](x1, x2)
    lengths = [maximum(norm2(x, dim), eps) for x in (x1, x2)]
    return sum(x1 * x2, dim) / (lengths[0] * lengths[1])


@function()
def normalize(input: Any, p: float = 2.0, dim: Any = 1, eps: float = 1e-12) -> Any:
    r"""Vectors along an axis divided by their length, :math:`x / \max(\lVert x \rVert_p, \epsilon)`."""
    x = array_like(input, "normalize")
    return x / maximum(_norm(x, p, dim, True), eps)
