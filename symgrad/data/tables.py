"""Tables in CSV files: what is in the columns, found out and reported; numbers and categories as arrays."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgrad.data.checks import few
from symgrad.data.dataset import Dataset
from symgrad.errors import DataError

__all__ = ["Column", "Table", "read_csv"]

MISSING = ("", "na", "n/a", "nan", "null", "none", "?", "-")


@dataclass(frozen=True)
class Column:
    """What was understood of one column.

    Attributes
    ----------
    name : str
    kind : {"number", "category", "constant"}
        A constant column tells nothing and is left out.
    categories : tuple of str
        In the order in which they first appear; each becomes one input of 0 or 1, in this order.
    mean : float
        What stands for missing numbers; missing categories are 0 everywhere.
    missing : int
    """

    name: str
    kind: str
    categories: tuple[str, ...] = ()
    mean: float = 0.0
    missing: int = 0

    @property
    def inputs(self) -> list[str]:
        """The names of the inputs that the column becomes."""
        if self.kind == "constant":
            return []
        return [self.name] if self.kind == "number" else [f"{self.name}={c}" for c in self.categories]

    def encode(self, cells: Sequence[str], where: str) -> NDArray[np.float64]:
        """The cells of this column as its inputs, of shape (n, inputs)."""
        if self.kind == "constant":
            return np.zeros((len(cells), 0))
        if self.kind == "category":
            unknown = sorted({c for c in cells if not _missing(c)} - set(self.categories))
            if unknown:
                raise DataError(
                    f"{where}: column {self.name!r} holds {', '.join(map(repr, unknown[:3]))}, "
                    f"unknown among {', '.join(self.categories)}"
                )
            return np.array([[float(c == name) for name in self.categories] for c in cells])
        return np.array([[self.mean if _missing(c) else _number(c, f"{where}: column {self.name!r}")] for c in cells])

    def __str__(self) -> str:
        said = {
            "number": "number",
            "category": f"{len(self.categories)} categories: {few(self.categories)}",
            "constant": "constant, left out",
        }[self.kind]
        filled = f"mean {self.mean:.4g}" if self.kind == "number" else "0 for all categories"
        return said + (f"; {self.missing} missing, taken as {filled}" if self.missing else "")


@dataclass(frozen=True)
class Table:
    """A table as inputs and a target, with what was understood.

    Attributes
    ----------
    columns : tuple of Column
        All but the target, in the order of the file.
    target : str
    classes : tuple of str
        The names of the classes 0, 1, ... in the order in which they first appear; empty for regression.
    dataset : Dataset or None
        What was read; None in a table that was made from `to_dict`.
    """

    columns: tuple[Column, ...]
    target: str
    classes: tuple[str, ...]
    dataset: Dataset | None = None

    @property
    def inputs(self) -> list[str]:
        """The names of all inputs, in their order."""
        return [name for column in self.columns for name in column.inputs]

    def encode(self, path: str | os.PathLike[str]) -> NDArray[np.float64]:
        """The inputs of another file with the same columns, whose order does not matter; the target may be missing.

        Raises
        ------
        DataError
            Naming a column that is missing, or a category that is unknown.
        """
        cells = _columns(path, _records(path))
        absent = [column.name for column in self.columns if column.name not in cells]
        if absent:
            raise DataError(f"{path}: has no column {', '.join(map(repr, absent))}; it has {', '.join(cells)}")
        return np.concatenate([column.encode(cells[column.name], str(path)) for column in self.columns], axis=1)

    def targets(self, path: str | os.PathLike[str]) -> NDArray[Any]:
        """The targets in another file."""
        return _targets(path, _chosen(path, _columns(path, _records(path)), self.target)[1], self.classes)

    def report(self) -> str:
        """What was understood, column by column."""
        n = "" if self.dataset is None else f"{len(self.dataset)} rows, "
        rows = [f"  {column.name}: {column}" for column in self.columns]
        kind = f"classes: {few(self.classes)}" if self.classes else "number (regression)"
        return "\n".join([f"{n}{len(self.inputs)} inputs", *rows, f"  target {self.target}: {kind}"])

    def to_dict(self) -> dict[str, Any]:
        """What was understood, as plain data."""
        return {"columns": [asdict(c) for c in self.columns], "target": self.target, "classes": list(self.classes)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Table:
        """The table of a `to_dict`, without its rows."""
        columns = [Column(**(c | {"categories": tuple(c["categories"])})) for c in data["columns"]]
        return cls(tuple(columns), data["target"], tuple(data["classes"]))


def read_csv(
    path: str | os.PathLike[str], target: str | None = None, *, task: str = "auto", delimiter: str | None = None
) -> Table:
    r"""Read a CSV file into inputs and a target.

    Columns of numbers are taken as they are, those of words become one input of 0 or 1 per category. Empty cells,
    NA, NaN, null and ? are missing.

    Parameters
    ----------
    path : path-like
        UTF-8; the first line holds the names, unless all of its cells are numbers: then they are x0, x1, ...
    target : str, optional
        The column to predict; the last one by default.
    task : {"auto", "classification", "regression"}
        "auto": a target of words, or of at most 20 different whole numbers, is a class.
    delimiter : str, optional
        Found out by default.

    Returns
    -------
    Table
        Its `dataset` has the arrays, its `report` says what was understood.

    Raises
    ------
    DataError
        Naming the file, and where it is not a table.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from symgrad import data
    >>> text = "size,colour,kind\n1.5,red,good\n,blue,bad\n2.5,red,good\n"
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "fruit.csv"
    ...     _ = file.write_text(text)
    ...     table = data.read_csv(file, target="kind")
    >>> print(table.report())
    3 rows, 3 inputs
      size: number; 1 missing, taken as mean 2
      colour: 2 categories: red, blue
      target kind: classes: good, bad
    >>> table.dataset.X.tolist(), table.dataset.y.tolist()
    ([[1.5, 1.0, 0.0], [2.0, 0.0, 1.0], [2.5, 1.0, 0.0]], [0, 1, 0])
    """
    if task not in ("auto", "classification", "regression"):
        raise DataError(f"read_csv: task={task!r} is none of 'auto', 'classification', 'regression'")
    cells = _columns(path, _records(path, delimiter))
    name, wanted = _chosen(path, cells, target or next(reversed(cells)))
    columns = tuple(_understood(column, found) for column, found in cells.items() if column != name)
    classes = _classes(wanted, task)
    X = np.concatenate([np.zeros((len(wanted), 0)), *(c.encode(cells[c.name], str(path)) for c in columns)], axis=1)
    if not X.shape[1]:
        raise DataError(f"{path}: no column but the target {name!r} tells anything: all are constant or missing")
    dataset = Dataset(X, _targets(path, wanted, classes), classes)
    return Table(columns, name, classes, dataset)


def _records(path: str | os.PathLike[str], delimiter: str | None = None) -> list[list[str]]:
    """The cells of a file, line by line."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text ({error.reason} at byte {error.start})") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    if "\0" in text:
        raise DataError(f"{path}: holds zero bytes; it is no CSV file")
    first = text.lstrip().partition("\n")[0]
    found = delimiter or max(",;\t|", key=first.count)
    try:
        lines = [[c.strip() for c in line] for line in csv.reader(io.StringIO(text), delimiter=found) if any(line)]
    except csv.Error as error:
        raise DataError(f"{path}: is no CSV file: {error}") from None
    if not lines:
        raise DataError(f"{path}: is empty")
    for k, line in enumerate(lines):
        if len(line) != len(lines[0]):
            raise DataError(f"{path}: row {k + 1} has {len(line)} cells, the first has {len(lines[0])}")
    return lines


def _columns(path: str | os.PathLike[str], lines: list[list[str]]) -> dict[str, list[str]]:
    """The cells by column."""
    head = lines[0]
    if all(_is_number(c) for c in head):
        names, lines = [f"x{k}" for k in range(len(head))], [[], *lines]
    else:
        names = [c or f"column {k + 1}" for k, c in enumerate(head)]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise DataError(f"{path}: the name {twice[0]!r} stands over two columns")
    if len(lines) < 2:
        raise DataError(f"{path}: has names but no rows")
    return dict(zip(names, map(list, zip(*lines[1:], strict=True)), strict=True))


def _chosen(path: Any, cells: dict[str, list[str]], target: str) -> tuple[str, list[str]]:
    if target not in cells:
        near = get_close_matches(target, cells, 1)
        raise DataError(
            f"{path}: has no column {target!r}"
            + (f"; did you mean {near[0]!r}?" if near else f"; it has {', '.join(cells)}")
        )
    absent = [k for k, c in enumerate(cells[target]) if _missing(c)]
    if absent:
        raise DataError(f"{path}: the target {target!r} is missing in {len(absent)} rows, first in row {absent[0] + 2}")
    return target, cells[target]


def _understood(name: str, cells: list[str]) -> Column:
    there = [c for c in cells if not _missing(c)]
    missing = len(cells) - len(there)
    if len(set(there)) < 2:
        return Column(name, "constant", missing=missing)
    if all(map(_is_number, there)):
        return Column(name, "number", mean=float(np.mean([float(c) for c in there])), missing=missing)
    return Column(name, "category", tuple(dict.fromkeys(there)), missing=missing)


def _classes(cells: list[str], task: str) -> tuple[str, ...]:
    distinct = tuple(dict.fromkeys(cells))
    whole = all(_is_number(c) and float(c).is_integer() for c in distinct)
    named = not all(map(_is_number, distinct)) or (whole and len(distinct) <= 20)
    if task == "classification" or (task == "auto" and named):
        return tuple(sorted(distinct, key=float)) if whole else distinct
    return ()


def _targets(path: Any, cells: Iterable[str], classes: tuple[str, ...]) -> NDArray[Any]:
    if not classes:
        return np.array([[_number(c, f"{path}: the target")] for c in cells])
    at = {name: k for k, name in enumerate(classes)}
    unknown = sorted({c for c in cells} - set(at))
    if unknown:
        raise DataError(f"{path}: the target holds {unknown[0]!r}, unknown among the classes {few(classes)}")
    return np.array([at[c] for c in cells])


def _missing(cell: str) -> bool:
    return cell.lower() in MISSING


def _is_number(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False


def _number(cell: str, where: str) -> float:
    if not _is_number(cell):
        raise DataError(f"{where} holds {cell!r}, which is no finite number")
    return float(cell)
