"""Kernels that symgrad derived for its own layers, and how they enter the graph.

`kernels/batch_norm.py` and its kin are generated (``make derive``), proved when they are generated, and checked
again by the tests. Their text is plain NumPy; on Tensors it records an ordinary graph, so the same text
runs eagerly, is compiled, and differentiates again.
"""

from symgrad.derived.fusing import fuse
from symgrad.derived.kernels import batch_norm as _batch_norm
from symgrad.derived.public import fused

__all__ = ["batch_norm", "fuse", "fused"]

batch_norm = fuse("batch_norm", _batch_norm.forward, _batch_norm.backward)
