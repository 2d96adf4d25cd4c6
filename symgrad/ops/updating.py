"""Copies with other values at an index: written there (the last writer counts), or joined by max or min."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.errors import TracingError
from symgrad.op import Op, builtin, function
from symgrad.ops.indexing import Key, add_at, decode, encode, get, indexed
from symgrad.ops.layout import broadcast_to, ravel
from symgrad.ops.marks import astype
from symgrad.ops.piecewise import equal, maximum, where
from symgrad.shapes import concrete, same_size
from symgrad.tensor import SCALARS, array_like

__all__ = ["extreme_at", "index_extreme", "index_update"]


def _writer_map(arrays: Any, key: Key, shape: Any) -> Any:
    owner = np.full(shape, -1)
    where = decode(key, arrays)
    owner[where] = np.arange(owner[where].size).reshape(owner[where].shape)
    return owner


_writers: Op = builtin("writers", _writer_map, arity=None, params=("key", "shape"), promotes=(),
                       pullback=lambda g, y, inputs, params: [],
                       indices="opaque", notation=r"\operatorname{{writers}}({0}, \ldots)",
                       shape=lambda shapes, key, shape: shape,
                       dtype=lambda *rest: np.dtype(np.int64))  # fmt: skip


def _extreme(inputs: Any, key: Key, sign: int) -> Any:
    x, v, *arrays = inputs
    z = x.copy()
    (np.maximum if sign > 0 else np.minimum).at(z, decode(key, arrays), v)
    return z


def _extreme_rule(g: Any, y: Any, inputs: Any, params: Any) -> Any:
    """Everything that equals the result shares its cotangent equally."""
    (x, v, *arrays), (key, _) = inputs, params
    kept, shown = equal(x, y), equal(v, get((y, *arrays), key))
    float_type = x.dtype.name
    ties = astype(kept, float_type) + add_at((astype(shown, float_type), *arrays), key, tuple(x.shape))
    share = g / ties
    return [where(kept, share, 0.0), where(shown, get((share, *arrays), key), 0.0)]


extreme_at: Op = builtin("extreme_at", _extreme, arity=None, pullback=_extreme_rule, params=("key", "sign"),
                         promotes=(0, 1), indices="opaque", notation=r"\max({0}, \ldots)",
                         shape=lambda shapes, key, sign: shapes[0], dtype=lambda own, *rest: own)  # fmt: skip


@function()
def index_update(x: Any, key: Any, v: Any) -> Any:
    """A copy of x with x[key] = v; where a place is written twice, the last one counts, as in NumPy.

    Parameters
    ----------
    x : Tensor or array
    key : index
        As in `getitem`.
    v : Tensor or array
        Broadcast to the shape of x[key]; gradients flow to what is kept of x and of v.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.index_update(sg.tensor([1.0, 2.0, 3.0]), [0, 0], sg.tensor([5.0, 6.0]))
    Tensor([6., 2., 3.])
    """
    x, v = array_like(x, "index_update"), v if isinstance(v, SCALARS) else array_like(v, "index_update")
    encoded, arrays = encode(key, x.shape, "index_update")
    place = indexed((x.shape, *[a.shape for a in arrays]), encoded)
    if arrays:
        owner = _writers(arrays, encoded, tuple(x.shape))
    else:
        if not concrete(x.shape):
            raise TracingError(f"index_update: the shape {tuple(x.shape)} is symbolic; trace with numbers")
        owner = _writer_map((), encoded, tuple(x.shape))
    written = owner >= 0
    if isinstance(v, SCALARS):
        return where(written, v, x)
    spread = ravel(broadcast_to(v, place))
    if same_size(spread.shape[0], 0):
        return x
    return where(written, spread[maximum(owner, 0)], x)


def index_extreme(x: Any, key: Any, v: Any, sign: int) -> Any:
    """A copy of x with the largest (sign 1) or smallest (sign -1) of x and all v that belong to a place."""
    x, v = array_like(x, "index_extreme"), array_like(v, "index_extreme")
    encoded, arrays = encode(key, x.shape, "index_extreme")
    place = indexed((x.shape, *[a.shape for a in arrays]), encoded)
    return extreme_at((x, broadcast_to(v, place), *arrays), encoded, sign)
