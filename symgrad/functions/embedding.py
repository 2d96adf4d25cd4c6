"""Rows of a matrix by their numbers, and bags of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.errors import DataError, DTypeError, ShapeError
from symgrad.functions.scans import cumsum
from symgrad.functions.selecting import index_add, index_reduce
from symgrad.op import function
from symgrad.ops.indexing import labels
from symgrad.ops.layout import expand_dims, ravel
from symgrad.ops.marks import astype, stop_gradient
from symgrad.ops.piecewise import maximum, where
from symgrad.tensor import array_like

__all__ = ["embedding", "embedding_bag", "one_hot"]


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
        A row that gets no gradient, from -V to V-1; counted from the end if negative.
    max_norm, norm_type, scale_grad_by_freq
        Not supported: they would change the weight, or its gradient, behind the formula's back.

    Raises
    ------
    DataError
        If a number is outside of 0..V-1, or `padding_idx` of -V..V-1.
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
    padding = expand_dims(index == _row(padding_idx, weight, "embedding"), -1)
    return where(padding, stop_gradient(rows), rows)


def _row(padding_idx: int, weight: Any, name: str) -> Any:
    """The row of a weight that `padding_idx` means."""
    rows = array_like(weight, name).shape[0]
    if not isinstance(padding_idx, (int, np.integer)) or (isinstance(rows, int) and not -rows <= padding_idx < rows):
        raise DataError(f"{name}: padding_idx={padding_idx!r} is no row of a weight of {rows} rows; "
                        f"it is an integer from {-rows} to {rows - 1}")  # fmt: skip
    return padding_idx % rows


@function()
def embedding_bag(
    input: Any,
    weight: Any,
    offsets: Any = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Any = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Any:
    """Sums, means or maxima of bags of a matrix's rows; those of an empty bag are 0.

    Parameters
    ----------
    input : integers, shape (B, N) or (N,)
        Each row is a bag; without rows, offsets say where bags begin.
    weight : Tensor or array, shape (V, D)
    offsets : integers, shape (B,), optional
        The place of each bag's first number.
    mode : {"mean", "sum", "max"}
    per_sample_weights : Tensor or array, shape of the input, optional
        Factors of the rows, for sums only.
    include_last_offset : bool
        Whether the last of the offsets is the end of the last bag.
    padding_idx : int, optional
        A row that counts in no bag, as in `embedding`.
    max_norm, norm_type, scale_grad_by_freq, sparse
        Not supported, as in `embedding`.

    Returns
    -------
    Tensor or array, shape (B, D)

    Raises
    ------
    DataError
        If a number is outside of 0..V-1, or `padding_idx` of -V..V-1.
    ShapeError
        If shapes do not fit, or factors are given for another mode than "sum".

    Examples
    --------
    >>> import numpy as np
    >>> from symgrad.nn import functional as F
    >>> F.embedding_bag(np.array([0, 2, 1]), np.array([[1.0], [2.0], [4.0]]), np.array([0, 2]), mode="sum")
    array([[5.],
           [2.]])
    """
    index, factors = array_like(input, "embedding_bag"), per_sample_weights
    if mode not in ("mean", "sum", "max"):
        raise ShapeError(f"embedding_bag: mode must be 'mean', 'sum' or 'max', got {mode!r}")
    if factors is not None and (mode != "sum" or tuple(np.shape(factors)) != tuple(index.shape)):
        raise ShapeError(f"embedding_bag: per_sample_weights of shape {tuple(np.shape(factors))} for mode {mode!r} and "
                         f"an input of shape {tuple(index.shape)}; they are for sums, one for each number")  # fmt: skip
    bag, bags = _bags(index, offsets, include_last_offset)
    flat = ravel(index)
    rows = embedding(flat, weight, None, max_norm, norm_type, scale_grad_by_freq)
    empty = np.zeros((bags, rows.shape[1]), rows.dtype)
    counts = True if padding_idx is None else expand_dims(flat != _row(padding_idx, weight, "embedding_bag"), 1)
    if mode == "max":
        largest = index_reduce(empty, 0, bag, where(counts, rows, -np.inf), "amax", include_self=False)
        return where(largest == -np.inf, 0.0, largest)
    kept = where(counts, rows if factors is None else rows * expand_dims(ravel(factors), 1), 0.0)
    total = index_add(empty, 0, bag, kept)
    if mode == "sum":
        return total
    ones = astype(where(counts, np.ones((rows.shape[0], 1), bool), False), rows.dtype)
    return total / maximum(index_add(empty[:, :1], 0, bag, ones), 1.0)


def _bags(index: Any, offsets: Any, include_last_offset: bool) -> Any:
    """The bag of each number, and how many bags there are."""
    if len(index.shape) == 2 and offsets is None:
        return np.repeat(np.arange(index.shape[0]), index.shape[1]), index.shape[0]
    starts = None if offsets is None else array_like(offsets, "embedding_bag")
    if starts is None or len(index.shape) != 1 or len(starts.shape) != 1 or starts.dtype.kind not in "iu":
        raise ShapeError(f"embedding_bag: an input of shape {tuple(index.shape)} with "
                         f"{'no offsets' if starts is None else f'offsets {starts.dtype}{tuple(starts.shape)}'}; "
                         "it is (B, N), or (N,) with offsets, (B,) integers")  # fmt: skip
    value = getattr(starts, "value", starts)
    if value is not None and value.size and (value[0] != 0 or (np.diff(value) < 0).any() or value[-1] > index.shape[0]):
        raise DataError(f"embedding_bag: offsets begin with 0, do not decrease, and end at {index.shape[0]} at most, "
                        f"got {value.tolist()}")  # fmt: skip
    if include_last_offset:
        starts = starts[:-1]
    n = index.shape[0]
    begins = index_add(np.zeros(n + 1, np.int64), 0, starts, np.ones(starts.shape[0], np.int64))
    return cumsum(begins)[:n] - 1, starts.shape[0]


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
