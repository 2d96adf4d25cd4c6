"""Attention: values mixed by the likeness of queries and keys."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.errors import DTypeError, ShapeError
from symgrad.functions.dropout import inverted
from symgrad.functions.linear import linear
from symgrad.functions.normalization import softmax
from symgrad.functions.padding import constant_pad
from symgrad.functions.rearranging import repeat
from symgrad.op import function
from symgrad.ops.layout import broadcast_to, concatenate, expand_dims, reshape, squeeze, swapaxes
from symgrad.ops.marks import named
from symgrad.ops.piecewise import where
from symgrad.ops.product import matmul
from symgrad.ops.reduction import mean
from symgrad.shapes import Dim
from symgrad.tensor import array_like, as_tensor

__all__ = ["multi_head_attention_forward", "scaled_dot_product_attention"]


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
    if is_causal:
        attn_mask = np.tri(q.shape[-2], k.shape[-2], dtype=bool)
    weights = _likeness(q, k, attn_mask, scale, name)
    return matmul(inverted(weights, dropout_p, True, name), v)


def _number(size: Any) -> Any:
    """A size as a number to calculate with."""
    return as_tensor(size) if isinstance(size, Dim) else size


def _likeness(q: Any, k: Any, mask: Any, scale: float | None, name: str) -> Any:
    """The weights of the keys for every query, which add up to 1; a query that may look nowhere gets zeros."""
    scale = _number(q.shape[-1]) ** -0.5 if scale is None else scale
    scores = named(matmul(q, swapaxes(k, -1, -2)) * scale, "s")
    if mask is None:
        return softmax(scores, -1)
    mask = _mask(mask, name)
    scores = where(mask, scores, -np.inf) if mask.dtype == np.bool_ else scores + mask
    return where(scores.max(-1, keepdims=True) > -np.inf, softmax(scores, -1), 0.0)


def _mask(mask: Any, name: str) -> Any:
    mask = array_like(mask, name)
    if mask.dtype.kind not in "bf":
        raise DTypeError(f"{name}: a mask is of bool or of floats, got {mask.dtype}")
    return mask


# Several heads


def apart(x: Any, heads: int) -> Any:
    """Features (B, T, H d) as (B, H, T, d)."""
    return swapaxes(reshape(x, (x.shape[0], x.shape[1], heads, x.shape[2] // heads)), 1, 2)


def joined(x: Any) -> Any:
    """Heads (B, H, T, d) as features (B, T, H d)."""
    y = swapaxes(x, 1, 2)
    return reshape(y, (y.shape[0], y.shape[1], y.shape[2] * y.shape[3]))


@function()
def multi_head_attention_forward(
    query: Any,
    key: Any,
    value: Any,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Any,
    in_proj_bias: Any,
    bias_k: Any,
    bias_v: Any,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Any,
    out_proj_bias: Any,
    training: bool = True,
    key_padding_mask: Any = None,
    need_weights: bool = True,
    attn_mask: Any = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Any = None,
    k_proj_weight: Any = None,
    v_proj_weight: Any = None,
    static_k: Any = None,
    static_v: Any = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Any, Any]:
    r"""Attention in several heads, between a linear map of each of its inputs and one of its output.

    Parameters
    ----------
    query : Tensor or array, shape (T, B, E) or (T, E)
    key, value : Tensor or array, shape (S, B, ...) or (S, ...)
    embed_dim_to_check, num_heads : int
        E, and how many heads of width d = E / num_heads.
    in_proj_weight, in_proj_bias : Tensor or array, shape (3 E, E) and (3 E,), or None
        The maps of query, key and value on top of each other.
    bias_k, bias_v : Tensor or array, shape (1, 1, E), or None
        One more key and value.
    add_zero_attn : bool
        Whether zeros are one more key and value.
    dropout_p : float
        The part of the weights that is set to 0 at random in training; needs a Run.
    out_proj_weight, out_proj_bias : Tensor or array, shape (E, E) and (E,), or None
    training : bool
    key_padding_mask : array, shape (B, S) or (S,), optional
        Of bool: keys that are NOT looked at. Of floats: added to the scores.
    need_weights : bool
        Whether the weights are returned too.
    attn_mask : array, shape (T, S) or (B num_heads, T, S), optional
        Of bool: where a query may NOT look. Of floats: added to the scores.
    use_separate_proj_weight : bool
        Take q_proj_weight, k_proj_weight and v_proj_weight in place of in_proj_weight.
    static_k, static_v : Tensor or array, shape (B num_heads, S, d), optional
        Mapped keys and values, in place of those of key and value.
    average_attn_weights : bool
        Whether the returned weights are the mean of the heads.
    is_causal : bool
        Says that attn_mask, which must be given, is the causal one; it changes nothing.

    Returns
    -------
    tuple
        The output, shape (T, B, E) or (T, E), and the weights or None: (B, T, S), or (B, num_heads, T, S) if not
        averaged, without B if the query has none.

    Raises
    ------
    ShapeError
        If shapes do not fit, or is_causal is given without a mask.

    References
    ----------
    A. Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.2.2.

    Examples
    --------
    >>> import numpy as np
    >>> from symgrad.nn import functional as F
    >>> x = np.ones((3, 1, 4))
    >>> y, weights = F.multi_head_attention_forward(
    ...     x, x, x, 4, 2, np.ones((12, 4)), None, None, None, False, 0.0, np.eye(4), None
    ... )
    >>> y.shape, weights[0, 0].round(3)
    ((3, 1, 4), array([0.333, 0.333, 0.333]))
    """
    name = "multi_head_attention_forward"
    q, k, v = (array_like(x, name) for x in (query, key, value))
    batched, width = len(q.shape) == 3, q.shape[-1]
    if width != embed_dim_to_check or width % num_heads:
        raise ShapeError(f"{name}: the query has {width} features; embed_dim_to_check is {embed_dim_to_check}, and "
                         f"they must divide into {num_heads} heads")  # fmt: skip
    if is_causal and attn_mask is None:
        raise ShapeError(f"{name}: is_causal is said of a mask; give it as attn_mask=~np.tri(T, S, dtype=bool)")
    if not (len(q.shape) == len(k.shape) == len(v.shape) and len(q.shape) in (2, 3)):
        raise ShapeError(f"{name}: shapes {tuple(q.shape)}, {tuple(k.shape)} and {tuple(v.shape)} do not fit; "
                         "all are (T, B, E), or all (T, E)")  # fmt: skip
    q, k, v = (swapaxes(x, 0, 1) if batched else expand_dims(x, 0) for x in (q, k, v))
    thirds = [slice(j * width, (j + 1) * width) for j in range(3)]
    separate = (q_proj_weight, k_proj_weight, v_proj_weight)
    maps = separate if use_separate_proj_weight else [in_proj_weight[rows] for rows in thirds]
    biases = [None if in_proj_bias is None else in_proj_bias[rows] for rows in thirds]
    q, k, v = (linear(x, w, b) for x, w, b in zip((q, k, v), maps, biases, strict=True))
    k, v = (x if b is None else _longer(x, b) for x, b in ((k, bias_k), (v, bias_v)))
    q, k, v = (apart(x, num_heads) for x in (q, k, v))
    k, v = (
        x if s is None else reshape(s, (q.shape[0], num_heads, *s.shape[1:])) for x, s in ((k, static_k), (v, static_v))
    )
    if add_zero_attn:
        k, v = (_longer(x, np.zeros((), x.dtype)) for x in (k, v))
    mask = _added(attn_mask, key_padding_mask, (q.shape[0], num_heads, q.shape[2], k.shape[2]), q.dtype, name)
    weights = inverted(_likeness(q, k, mask, None, name), dropout_p, training, name)
    y = linear(joined(matmul(weights, v)), out_proj_weight, out_proj_bias)
    shown = mean(weights, 1) if average_attn_weights else weights
    if not batched:
        y, shown = squeeze(y, 0), squeeze(shown, 0)
    return (swapaxes(y, 0, 1) if batched else y), (shown if need_weights else None)


def _longer(x: Any, row: Any) -> Any:
    """One more row of the last axis but one."""
    return concatenate([x, broadcast_to(row, (*x.shape[:-2], 1, x.shape[-1]))], -2)


def _added(attn_mask: Any, key_padding_mask: Any, shape: Any, dtype: Any, name: str) -> Any:
    """What masks add to the scores, (B, H, T, S), nothing for keys beyond the masks; or None."""
    batch, heads, _, keys = shape
    total: Any = None
    for mask, lead in ((attn_mask, (batch, heads)), (key_padding_mask, (batch, 1, 1))):
        if mask is None:
            continue
        mask = _mask(mask, name)
        if mask.dtype == np.bool_:
            mask = where(mask, np.array(-np.inf, dtype), np.zeros((), dtype))
        own = tuple(mask.shape)[len(lead) - 4 :]
        if lead == (batch, heads) and len(mask.shape) == 2:
            lead = (1, 1)
        mask = reshape(mask, (*lead, *own))
        mask = constant_pad(mask, [(0, 0)] * (len(mask.shape) - 1) + [(0, keys - mask.shape[-1])])
        total = mask if total is None else total + mask
    return total
