"""Data sets from NumPy archives, and what stands in their targets for which class."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgrad.data.checks import class_labels, few
from symgrad.data.dataset import Dataset
from symgrad.errors import DataError

__all__ = ["Archive", "Labels", "arrays_of", "read_npz"]


def read_npz(
    path: str | os.PathLike[str], X: str = "X", y: str = "y", task: str = "auto", classes: Sequence[str] = ()
) -> Dataset:
    """Read a data set from a NumPy archive.

    Parameters
    ----------
    path : path-like
    X, y : str
        The names of the arrays. An array ``names``, if there is one, names the classes 0, 1, ... in y.
    task : {"auto", "classification", "regression"}
        Targets of one axis that are words, booleans, or at most 20 different whole numbers other than 0, 1, ... become
        classes of these names, unless they are to be numbers.
    classes : sequence of str
        The classes in their order, where another file told them.

    Raises
    ------
    DataError
        If the file cannot be read, holds Python objects, has no such array, or holds an unknown class.
    """
    archive = Archive.read(path, X, y)
    return archive.dataset(Labels(tuple(classes), tuple(classes)) if classes else archive.labels(task))


@dataclass(frozen=True)
class Labels:
    """What stands in targets for the classes 0, 1, ..., decided once: a file to be measured is read by it.

    Attributes
    ----------
    values : tuple of str
        The text of what stands in y.
    names : tuple of str
        The names of the classes; none, if they are but numbered.
    """

    values: tuple[str, ...]
    names: tuple[str, ...] = ()

    @classmethod
    def numbered(cls, n: int, names: Sequence[str] = ()) -> Labels:
        """Those of targets that hold the class numbers 0 to n - 1 themselves."""
        return cls(tuple(map(str, range(n))), tuple(names))

    def classes(self, path: Any, y: NDArray[Any], names: Sequence[str] = ()) -> NDArray[np.int64]:
        """Class numbers of targets: by name where they are words or their own file names them, else by value."""
        if y.ndim != 1 or y.dtype.kind not in "iubUS":
            raise DataError(f"{path}: the target is {y.dtype} of shape {y.shape}; it must hold one label per example, "
                            f"an integer or a word, of the classes {few(self.names or self.values)}")  # fmt: skip
        if names:
            class_labels(f"{path}: y", y, len(names))
        words = np.array(names)[y] if names else y.astype(str)
        known = (self.names or self.values) if names or y.dtype.kind in "US" else self.values
        place = {word: k for k, word in enumerate(known)}
        found = words.tolist()
        if unknown := sorted(set(found) - place.keys()):
            raise DataError(f"{path}: the target holds {unknown[0]!r}, unknown among the classes {few(known)}; it has "
                            f"{few(sorted(set(found)))}; rename these, or leave out such rows")  # fmt: skip
        return np.array([place[word] for word in found], np.int64)


@dataclass(frozen=True)
class Archive:
    """The inputs, the targets and the names of classes that stand in a file."""

    path: str
    X: NDArray[Any]
    y: NDArray[Any]
    names: tuple[str, ...]

    @classmethod
    def read(cls, path: str | os.PathLike[str], X: str = "X", y: str = "y") -> Archive:
        """Read a file; `X` and `y` are the names of its arrays."""
        found = arrays_of(path, (X, y, "names"))
        for name in (X, y):
            if name not in found:
                raise DataError(f"{path}: has no array {name!r}; it has {', '.join(found) or 'none'}")
        return cls(str(path), found[X], found[y], tuple(map(str, found.get("names", ()))))

    def labels(self, task: str = "auto") -> Labels | None:
        """What its targets are labels of; None if they are numbers to be predicted."""
        found = None if task == "regression" else self._labels()
        if found is None and task == "classification":
            raise DataError(
                f"{self.path}: targets {self.y.dtype}{self.y.shape} are no labels of classes; "
                "store them as integers from 0 (y.astype(int)) or as words, or choose the task regression"
            )
        return found

    def _labels(self) -> Labels | None:
        y = self.y
        if self.names:
            return Labels.numbered(len(self.names), self.names)
        if y.ndim != 1 or y.dtype.kind not in "iubUS" or not y.size:
            return None
        values = np.unique(y)
        gaps = len(values) <= 20 and not np.array_equal(values, np.arange(len(values)))
        if y.dtype.kind in "USb" or gaps:
            words = tuple(map(str, values.astype(str)))
            return Labels(words, words)
        return Labels.numbered(int(values[-1]) + 1) if values[0] >= 0 else None

    def dataset(self, labels: Labels | None) -> Dataset:
        """The data set whose targets are classes by their labels, or what stands in the file."""
        if labels is None:
            return Dataset(self.X, self.y)
        return Dataset(self.X, labels.classes(self.path, self.y, self.names), labels.names)


def arrays_of(path: str | os.PathLike[str], wanted: Iterable[str]) -> dict[str, NDArray[Any]]:
    """All arrays of an archive, read where they are wanted.

    Raises
    ------
    DataError
        If the file cannot be read, is no archive, or what is wanted is no array of numbers or words.
    """
    try:
        archive = np.load(path, allow_pickle=False)
        names = archive.files
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except Exception:  # NumPy's own errors speak of pickles, or of a missing attribute
        raise DataError(f"{path}: is no archive of arrays; numpy.savez makes one") from None
    found = {}
    with archive:
        for name in names:
            try:
                found[name] = archive[name] if name in wanted else np.empty(0)
            except Exception:
                raise DataError(f"{path}: the array {name!r} is damaged, or holds Python objects; "
                                "save it as numbers or words") from None  # fmt: skip
    return found
