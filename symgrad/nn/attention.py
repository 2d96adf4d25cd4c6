"""Multi-head attention."""

from __future__ import annotations

from typing import Any

from symgrad.errors import ShapeError
from symgrad.functions.attention import apart, joined
from symgrad.nn import functional
from symgrad.nn.layers import Linear
from symgrad.nn.module import Module
from symgrad.nn.parameter import sizes

__all__ = ["MultiheadAttention"]


class MultiheadAttention(Module):
    r"""Attention :math:`\mathrm{softmax}(Q K^T / \sqrt{d})\, V` in several heads of width d = embed_dim / num_heads.

    Parameters
    ----------
    embed_dim, num_heads : int
    bias : bool
    dtype : dtype, optional

    References
    ----------
    A. Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.2.

    Examples
    --------
    >>> import numpy as np, symgrad as sg
    >>> from symgrad import nn
    >>> x = sg.tensor(np.ones((2, 5, 8)))
    >>> nn.MultiheadAttention(8, 2)(x).shape
    (2, 5, 8)
    """

    def __init__(self, embed_dim: int, num_heads: int, bias: bool = True, *, dtype: Any = None) -> None:
        self.embed_dim, self.num_heads = sizes("MultiheadAttention", (embed_dim, num_heads))
        if embed_dim % num_heads:
            raise ShapeError(f"MultiheadAttention: embed_dim={embed_dim} does not divide into {num_heads} heads")
        self.query, self.key, self.value, self.out = (
            Linear(embed_dim, embed_dim, bias=bias, dtype=dtype) for _ in range(4)
        )

    def forward(self, query: Any, key: Any = None, value: Any = None, mask: Any = None) -> Any:
        """Every query's mean of the values, weighted by its likeness to the keys.

        Parameters
        ----------
        query : Tensor, shape (B, T, embed_dim)
        key, value : Tensor, shape (B, S, embed_dim), optional
            By default the query (self-attention), and the key.
        mask : array of bool, broadcast to (B, num_heads, T, S), optional
            Where a query may look: ``np.tri(T, dtype=bool)`` for what came before.
        """
        key = query if key is None else key
        value = key if value is None else value
        mapped = (self.query(query), self.key(key), self.value(value))
        q, k, v = (apart(x, self.num_heads) for x in mapped)
        return self.out(joined(functional.scaled_dot_product_attention(q, k, v, mask)))

    def extra(self) -> str:
        """The arguments that `repr` shows."""
        return f"{self.embed_dim}, {self.num_heads}"
