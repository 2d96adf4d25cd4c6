"""Matrices from vectors and parts of matrices: diagonals, triangles, blocks, powers in columns."""

from __future__ import annotations

from itertools import combinations as choose
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from symgrad.errors import ShapeError
from symgrad.op import function
from symgrad.ops.indexing import getitem, scatter
from symgrad.ops.layout import concatenate, expand_dims, moveaxis, ravel, reshape, stack
from symgrad.ops.piecewise import where
from symgrad.ops.reduction import sum
from symgrad.ops.updating import index_update
from symgrad.shapes import as_integer, normalize_axis
from symgrad.tensor import array_like

__all__ = [
    "block_diag",
    "cartesian_prod",
    "combinations",
    "diag",
    "diag_embed",
    "diagflat",
    "diagonal",
    "diagonal_scatter",
    "kron",
    "trace",
    "tril",
    "triu",
    "vander",
]


def _two_axes(x: Any, axis1: int, axis2: int, where: str) -> tuple[int, int]:
    a, b = (normalize_axis(k, len(x.shape), where) for k in (axis1, axis2))
    if a == b:
        raise ShapeError(f"{where}: the two axes must differ, got {axis1} and {axis2}")
    return a, b


def _places(rows: Any, columns: Any, offset: int) -> tuple[Any, Any]:
    """Rows and columns of a diagonal."""
    k = np.arange(max(min(rows - max(-offset, 0), columns - max(offset, 0)), 0))
    return k + max(-offset, 0), k + max(offset, 0)


@function()
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """A diagonal of two axes, as a new last axis.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.diagonal(sg.tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor([1., 4.])
    """
    a = array_like(a, "diagonal")
    k, j = _two_axes(a, axis1, axis2, "diagonal")
    moved = moveaxis(a, (k, j), (-2, -1))
    return getitem(moved, (..., *_places(moved.shape[-2], moved.shape[-1], offset)))


@function()
def diag_embed(input: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """Matrices, in two new axes, with the last axis of the input as a diagonal, as torch.diag_embed."""
    x = array_like(input, "diag_embed")
    if not len(x.shape):
        raise ShapeError("diag_embed: a scalar has no axis to put on a diagonal")
    n = x.shape[-1] + abs(offset)
    a, b = (normalize_axis(k, len(x.shape) + 1, "diag_embed") for k in (dim1, dim2))
    if a == b:
        raise ShapeError(f"diag_embed: the two axes must differ, got {dim1} and {dim2}")
    made = scatter(x, (..., *_places(n, n, offset)), (*x.shape[:-1], n, n))
    return moveaxis(made, (-2, -1), (a, b))


@function()
def diag(v: Any, k: int = 0) -> Any:
    """The diagonal of a matrix, or the matrix that has a vector as diagonal."""
    v = array_like(v, "diag")
    if len(v.shape) not in (1, 2):
        raise ShapeError(f"diag: needs a vector or a matrix, got shape {tuple(v.shape)}")
    return diag_embed(v, k) if len(v.shape) == 1 else diagonal(v, k)


@function()
def diagflat(v: Any, k: int = 0) -> Any:
    """The matrix that has all elements as diagonal."""
    return diag_embed(ravel(v), k)


@function()
def diagonal_scatter(input: Any, src: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """A copy with a diagonal of two axes replaced."""
    x = array_like(input, "diagonal_scatter")
    a, b = _two_axes(x, dim1, dim2, "diagonal_scatter")
    moved = moveaxis(x, (a, b), (-2, -1))
    return moveaxis(
        index_update(moved, (..., *_places(moved.shape[-2], moved.shape[-1], offset)), src), (-2, -1), (a, b)
    )


@function()
def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Sum of a diagonal of two axes."""
    return sum(diagonal(a, offset, axis1, axis2), -1)


def _triangle(name: str, mask: Any, which: str) -> Any:
    def triangle(m: Any, k: int = 0) -> Any:
        m, k = array_like(m, name), as_integer(k, name, "k")
        if len(m.shape) < 2:
            raise ShapeError(f"{name}: needs matrices, got shape {tuple(m.shape)}")
        rows, columns = m.shape[-2:]
        return where(mask(rows, columns, k), m, np.zeros((), m.dtype))

    triangle.__name__ = triangle.__qualname__ = name
    triangle.__doc__ = f"Zeros {which} the k-th diagonal of the last two axes."
    return function()(triangle)


tril = _triangle("tril", lambda n, m, k: np.tri(n, m, k, dtype=bool), "above")
triu = _triangle("triu", lambda n, m, k: ~np.tri(n, m, k - 1, dtype=bool), "below")


@function()
def kron(a: Any, b: Any) -> Any:
    """Kronecker product: every element of a times all of b, as blocks.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.kron(sg.tensor([1.0, 2.0]), sg.tensor([1.0, 10.0]))
    Tensor([ 1., 10.,  2., 20.])
    """
    a, b = array_like(a, "kron"), array_like(b, "kron")
    n = max(len(a.shape), len(b.shape))
    left, right = (reshape(x, (1,) * (n - len(x.shape)) + tuple(x.shape)) for x in (a, b))
    apart = expand_dims(left, tuple(range(1, 2 * n, 2))) * expand_dims(right, tuple(range(0, 2 * n, 2)))
    return reshape(apart, tuple(m * k for m, k in zip(left.shape, right.shape, strict=True)))


@function()
def block_diag(*arrs: Any) -> Any:
    """Matrices along a diagonal, zeros elsewhere; vectors are rows."""
    blocks = [array_like(x, "block_diag") for x in arrs]
    if any(len(x.shape) > 2 for x in blocks):
        raise ShapeError("block_diag: needs matrices, vectors and scalars")
    blocks = [reshape(x, (1,) * (2 - len(x.shape)) + tuple(x.shape)) for x in blocks]
    width = int(np.sum([x.shape[1] for x in blocks]))
    rows, start = [], 0
    for x in blocks:
        rows.append(scatter(x, (slice(None), slice(start, start + x.shape[1])), (x.shape[0], width)))
        start += x.shape[1]
    return concatenate(rows, 0)


@function()
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """Powers of the last axis as columns, the highest first, or the lowest.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.vander(sg.tensor([2.0, 3.0]), 3, increasing=True)
    Tensor([[1., 2., 4.],
            [1., 3., 9.]])
    """
    x = array_like(x, "vander")
    if len(x.shape) < 1:
        raise ShapeError("vander: a scalar has no axis of points")
    count = x.shape[-1] if N is None else N
    if count < 0:
        raise ShapeError(f"vander: the number of columns must be at least 0, got {N}")
    powers = np.arange(count) if increasing else np.arange(count)[::-1]
    return expand_dims(x, -1) ** powers.astype(x.dtype)


@function()
def cartesian_prod(*tensors: Any) -> Any:
    """All combinations of one element of each vector, as rows."""
    items = [ravel(array_like(x, "cartesian_prod")) for x in tensors]
    if len(items) == 1:
        return items[0]
    places = np.indices(tuple(x.shape[0] for x in items)).reshape(len(items), -1)
    return stack([x[k] for x, k in zip(items, places, strict=True)], 1)


@function()
def combinations(input: Any, r: int = 2, with_replacement: bool = False) -> Any:
    """All combinations of r elements of a vector, as rows, in the order of itertools."""
    x = array_like(input, "combinations")
    if len(x.shape) != 1 or r < 0:
        raise ShapeError(f"combinations: needs a vector and r of at least 0, got shape {tuple(x.shape)} and r={r}")
    chosen = (combinations_with_replacement if with_replacement else choose)(range(x.shape[0]), r)
    return x[np.array(list(chosen), np.int64).reshape(-1, r)]
