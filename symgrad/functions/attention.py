"""Attention and embeddings."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.errors import DTypeError, ShapeError
from symgrad.functions.normalization import softmax
from symgrad.functions.random import random_uniform
from symgrad.functions.rearranging import repeat
from symgrad.op import function
from symgrad.ops.indexing import labels
from symgrad.ops.layout import expand_dims, swapaxes
from symgrad.ops.marks import astype, stop_gradient
from symgrad.ops.piecewise import where
from symgrad.ops.product import matmul
from symgrad.tensor import array_like

__all__ = ["embedding", "one_hot", "scaled_dot_product_attention"]


@function()
def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    r"""Values mixed by the likeness of queries and keys, :math:`\operatorname{softmax}(Q K^{\mathsf T} / \sqrt d) V`.

    Parameters
    ----------
    query : Tensor or array, shape (..., T, d)
    key, value : Tensor or array, shape (..., S, d) and (..., S, e)
    attn_mask : array, broadcast to (..., T, S), optional
        Of bool: where a query may look. Of floats: added to the scores.
    dropout_p : float
        The part of the weights that is set to 0, at random; needs a Run.
    is_causal : bool
        Query i looks at keys 0..i only.
    scale : float, optional
        In place of :math:`1 / \sqrt d`.
    enable_gqa : bool
        Whether fewer heads of keys and values are each shared by several of queries (axis -3).

    Raises
    ------
    ShapeError
        If shapes do not fit, or both a mask and is_causal are given.

    References
    ----------
    A. Vaswani et al., "Attention is all you need", NeurIPS 2017, equation 1.

    Examples
    --------
    >>> import numpy as np
    >>> from symgrad.nn import functional as F
    >>> F.scaled_dot_product_attention(np.zeros((2, 3)), np.ones((4, 3)), np.ones((4, 1)))
    array([[1.],
           [1.]])
    """
    name = "scaled_dot_product_attention"
    q, k, v = (array_like(x, name) for x in (query, key, value))
    if min(len(x.shape) for x in (q, k, v)) < 2 or q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise ShapeError(f"{name}: shapes {tuple(q.shape)}, {tuple(k.shape)} and {tuple(v.shape)} do not fit")
    if is_causal and attn_mask is not None:
        raise ShapeError(f"{name}: give attn_mask or is_causal, not both")
    if enable_gqa:
        k, v = (repeat(x, q.shape[-3] // x.shape[-3], -3) for x in (k, v))
    scores = matmul(q, swapaxes(k, -1, -2)) * (q.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        attn_mask = np.tri(q.shape[-2], k.shape[-2], dtype=bool)
    if attn_mask is not None:
        mask = array_like(attn_mask, name)
        scores = where(mask, scores, -np.inf) if mask.dtype == np.bool_ else scores + mask
    weights = softmax(scores, -1)
    if attn_mask is not None:  # a query that may look nowhere gets zeros
        weights = where(scores.max(-1, keepdims=True) > -np.inf, weights, 0.0)
    if dropout_p:
        kept = random_uniform(name, tuple(weights.shape), weights.dtype) >= dropout_p
        weights = where(kept, weights / (1 - dropout_p), 0.0)
    return matmul(weights, v)


@function()
def embedding(
    input: Any,
    weight: Any,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
) -> Any:
    """Rows of a matrix by their numbers.

    Parameters
    ----------
    input : integers of any shape
    weight : Tensor or array, shape (V, D)
    padding_idx : int, optional
        A row that gets no gradient.
    max_norm, norm_type, scale_grad_by_freq
        Not supported: they would change the weight, or its gradient, behind the formula's back.

    Raises
    ------
    DataError
        If a number is outside of 0..V-1.
    """
    index, weight = array_like(input, "embedding"), array_like(weight, "embedding")
    if len(weight.shape) != 2:
        raise ShapeError(f"embedding: the weight has shape {tuple(weight.shape)}; it must be (V, D)")
    if index.dtype.kind not in "iu":
        raise DTypeError(f"embedding: the input must be integers, got {index.dtype}")
    if max_norm is not None or scale_grad_by_freq:
        raise ShapeError("embedding: max_norm and scale_grad_by_freq are not supported; normalise the weight yourself")
    rows = weight[labels(index, weight.shape[0], "embedding")]
    if padding_idx is None:
        return rows
    padding = expand_dims(index == padding_idx % weight.shape[0], -1)
    return where(padding, stop_gradient(rows), rows)


@function()
def one_hot(tensor: Any, num_classes: int = -1) -> Any:
    """Rows of zeros with a 1 at each label (integers, no gradient).

    Parameters
    ----------
    tensor : integers of any shape
    num_classes : int
        By default the largest label + 1 (not while tracing).

    Examples
    --------
    >>> import numpy as np
    >>> from symgrad.nn import functional as F
    >>> F.one_hot(np.array([1, 0]), 3)
    array([[0, 1, 0],
           [1, 0, 0]])
    """
    index = array_like(tensor, "one_hot")
    if num_classes == -1:
        num_classes = int(np.max(np.asarray(index), initial=-1)) + 1
    safe = labels(index, num_classes, "one_hot")
    return astype(expand_dims(safe, -1) == np.arange(num_classes), np.int64)
