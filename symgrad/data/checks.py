"""Checks of what comes from outside."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from numbers import Real
from operator import index
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symgrad.errors import DataError


def whole_number(what: str, value: int, least: int) -> int:
    """The value as an int that is not below `least`."""
    try:
        number = index(value)
    except TypeError:
        raise DataError(f"{what} must be a whole number, got {value!r}; convert it with int()") from None
    if number < least:
        raise DataError(f"{what} must be at least {least}, got {number}")
    return number


def number(value: Any) -> float:
    """The value as a float; what is no number becomes nan, which lies in no interval."""
    return float(value) if isinstance(value, Real) else math.nan


def examples(what: str, values: ArrayLike) -> NDArray[Any]:
    """A read-only copy of the values: finite real numbers, the first axis over at least one example."""
    try:
        array = np.array(values)
    except ValueError as error:
        raise DataError(f"{what} is not a rectangular array; give every example the same shape ({error})") from error
    if array.dtype.kind not in "biu" and array.dtype not in (np.float32, np.float64):
        raise DataError(f"{what} has dtype {array.dtype}; convert it to integers, float32 or float64")
    if array.ndim == 0 or len(array) == 0:
        raise DataError(f"{what} has shape {array.shape}; its first axis must hold at least one example")
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        where = tuple(bad[0].tolist())
        raise DataError(f"{what} is {array[where]} at index {where} ({len(bad)} such values); drop or replace them")
    array.setflags(write=False)
    return array


def class_labels(what: str, y: NDArray[Any], n_classes: int | None = None) -> None:
    """Refuse targets that are not one class number per example."""
    if y.dtype.kind not in "iu" or y.ndim != 1:
        raise DataError(
            f"{what} must hold one integer class label per example, got {y.dtype} of shape {y.shape}; "
            "np.unique(labels, return_inverse=True)[1] turns labels of any kind into integers"
        )
    if n_classes is not None and (y.min() < 0 or y.max() >= n_classes):
        raise DataError(
            f"{what} holds labels from {y.min()} to {y.max()}, but there are names for 0 to {n_classes - 1} only; "
            "number the classes from 0 and name each"
        )


def class_names(what: str, names: Iterable[str]) -> tuple[str, ...]:
    """The names as a tuple of distinct strings."""
    found = tuple(names)
    if isinstance(names, str) or not all(isinstance(name, str) for name in found) or len(set(found)) < len(found):
        raise DataError(f"{what} must be different strings, one per class, got {names!r}")
    return found


def few(names: Sequence[str]) -> str:
    """The first of the names, for an error."""
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
