"""A data set, and how it is split."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgrad.context import Run, generator
from symgrad.data.checks import class_labels, class_names, examples, whole_number
from symgrad.errors import DataError

__all__ = ["Dataset", "split"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Dataset:
    """Examples with their targets, checked once and never changed.

    Parameters
    ----------
    X : array_like
        The inputs, of shape (n, ...); integers, float32 or float64, all finite. Copied.
    y : array_like
        The targets, of shape (n, ...); class labels are integers of shape (n,). Copied.
    names : sequence of str
        The names of the classes 0, 1, ...; empty if y holds other targets.

    Raises
    ------
    DataError
        If the arrays do not fit each other or hold what cannot be computed with.

    Examples
    --------
    >>> from symgrad import data
    >>> flowers = data.Dataset([[5.1, 3.5], [6.2, 2.9]], [0, 1], ["setosa", "versicolor"])
    >>> flowers
    Dataset(2 examples, X float64 (2,), y int64 (), 2 classes)
    >>> len(flowers), flowers.names[flowers.y[1]]
    (2, 'versicolor')
    """

    X: NDArray[Any]
    y: NDArray[Any]
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        X, y = examples("Dataset: X", self.X), examples("Dataset: y", self.y)
        names = class_names("Dataset: names", self.names)
        if len(X) != len(y):
            raise DataError(f"Dataset: X holds {len(X)} examples and y {len(y)}; their first axes must be equally long")
        if names:
            class_labels("Dataset: y", y, len(names))
        for field, value in (("X", X), ("y", y), ("names", names)):
            object.__setattr__(self, field, value)

    def __len__(self) -> int:
        return len(self.y)

    def __repr__(self) -> str:
        arrays = ", ".join(f"{name} {a.dtype} {a.shape[1:]}" for name, a in (("X", self.X), ("y", self.y)))
        return f"Dataset({len(self)} examples, {arrays}" + (f", {len(self.names)} classes)" if self.names else ")")

    def split(
        self, fractions: Sequence[float] = (0.6, 0.2, 0.2), stratify: bool = True, seed: int = 0
    ) -> tuple[Dataset, ...]:
        """Split as `symgrad.data.split` does."""
        return split(self, fractions, stratify, seed)


def split(
    dataset: Dataset, fractions: Sequence[float] = (0.6, 0.2, 0.2), stratify: bool = True, seed: int = 0
) -> tuple[Dataset, ...]:
    """Split a data set at random into parts for training, validation and test.

    Parameters
    ----------
    dataset : Dataset
        What to split; every example goes to exactly one part.
    fractions : sequence of float
        The share of every part; positive, with sum 1.
    stratify : bool
        Give every part its share of every class, to within one example; y must hold class labels.
    seed : int
        The split is a pure function of the data set and this number.

    Returns
    -------
    tuple of Dataset
        One per fraction, each with its examples in the order of `dataset`. The last is yours alone:
        nothing in symgrad looks at a test part that you do not hand over.

    Raises
    ------
    DataError
        If the fractions are no shares, a part would be empty, or `stratify` finds no class labels.

    Examples
    --------
    >>> from symgrad import data
    >>> train, validation, test = data.split(data.digits(), seed=1)
    >>> len(train), len(validation), len(test)
    (1078, 360, 359)
    """
    seed = whole_number("split: seed", seed, 0)
    shares = _shares(fractions)
    random = generator(Run(seed).key("split", "data"))
    part = np.empty(len(dataset), dtype=np.intp)
    owed = np.zeros(len(shares))
    for members in _strata(dataset.y) if stratify else [np.arange(len(dataset))]:
        sizes = _apportion(len(members), shares, owed)
        part[random.permutation(members)] = np.repeat(np.arange(len(shares)), sizes)
    if len(np.unique(part)) < len(shares):
        raise DataError(
            f"split: {len(dataset)} examples are too few for a part of each of fractions={tuple(fractions)}; "
            "use fewer parts or more even fractions"
        )
    return tuple(Dataset(dataset.X[part == k], dataset.y[part == k], dataset.names) for k in range(len(shares)))


def _shares(fractions: Sequence[float]) -> NDArray[np.float64]:
    if not isinstance(fractions, Iterable):
        raise DataError(f"split: fractions={fractions!r} must be the shares of all parts, for example (0.5, 0.5)")
    shares = examples("split: fractions", fractions).astype(np.float64)
    if shares.ndim != 1 or shares.min() <= 0 or not np.isclose(shares.sum(), 1, rtol=0, atol=1e-9):
        raise DataError(f"split: fractions must be positive and have sum 1, got {fractions}; e.g. (0.6, 0.2, 0.2)")
    return shares


def _strata(y: NDArray[Any]) -> list[NDArray[np.intp]]:
    """The indices of the examples of each class."""
    class_labels("split: y, with stratify=True,", y)
    return [np.flatnonzero(y == label) for label in np.unique(y)]


def _apportion(n: int, shares: NDArray[np.float64], owed: NDArray[np.float64]) -> NDArray[np.intp]:
    """Whole numbers with sum n, each its share of n rounded down or up; `owed` carries the rest to the next class."""
    exact = n * shares
    sizes = np.floor(exact).astype(np.intp)
    owed += exact - sizes
    first = np.argsort(-owed, kind="stable")[: n - sizes.sum()]
    sizes[first] += 1
    owed[first] -= 1
    return sizes
