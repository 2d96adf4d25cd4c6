"""The order in which an epoch visits the examples."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from symgrad.context import Run, generator
from symgrad.data.checks import whole_number
from symgrad.errors import DataError

__all__ = ["batches"]


def batches(
    n: int,
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    drop_last: bool = False,
    merge_singleton: bool = True,
    shuffle: bool = True,
) -> Iterator[NDArray[np.intp]]:
    """Shuffle n examples and cut them into batches.

    The order is a pure function of ``(n, seed, epoch)``: a resumed run asks for the same epoch and gets the
    same batches.

    Parameters
    ----------
    n, batch_size : int
        How many examples there are, and how many a batch takes; at least 1.
    seed, epoch : int
        Keys of the shuffle; at least 0.
    drop_last : bool
        Leave out a last batch that is smaller than the others.
    merge_singleton : bool
        Join a last batch of one example, left over by the division, to the batch before it:
        batch normalization has no variance to divide by in a batch of one.
    shuffle : bool
        Whether the order is random, another one in every epoch; otherwise it is that of the examples.

    Returns
    -------
    iterator of ndarray
        Integer arrays of indices below n; no index occurs twice.

    Raises
    ------
    DataError
        If a number is not whole or too small, or if `drop_last` leaves no batch.

    Examples
    --------
    >>> from symgrad import data
    >>> [len(batch) for batch in data.batches(10, 4, seed=0, epoch=0)]
    [4, 4, 2]
    >>> [len(batch) for batch in data.batches(9, 4, seed=0, epoch=0)]
    [4, 5]
    """
    n, batch_size = whole_number("batches: n", n, 1), whole_number("batches: batch_size", batch_size, 1)
    seed, epoch = whole_number("batches: seed", seed, 0), whole_number("batches: epoch", epoch, 0)
    edges = _edges(n, batch_size, drop_last, merge_singleton)
    order = generator(Run(seed, epoch).key("batches", "data")).permutation(n) if shuffle else np.arange(n)
    return (order[start:stop] for start, stop in pairwise(edges))


def _edges(n: int, batch_size: int, drop_last: bool, merge_singleton: bool) -> list[int]:
    """Where one batch ends and the next begins."""
    edges = [*range(0, n, batch_size), n]
    left_over = n % batch_size
    if drop_last and left_over:
        if n < batch_size:
            raise DataError(
                f"batches: drop_last=True leaves no batch of {batch_size} out of {n} examples; "
                f"use batch_size={n} or less, or drop_last=False"
            )
        del edges[-1]
    elif merge_singleton and left_over == 1 and n > 1:
        del edges[-2]
    return edges
