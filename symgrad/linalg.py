"""Linear algebra under NumPy's names."""

from __future__ import annotations

from symgrad.functions.norms import norm, vector_norm
from symgrad.ops.decomposition import eigh
from symgrad.ops.product import matmul, outer

__all__ = ["eigh", "matmul", "norm", "outer", "vector_norm"]
