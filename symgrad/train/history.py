"""`History`: what training measured, in columns."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping
from typing import Any

from symgrad.errors import DataError
from symgrad.files import write_atomically

__all__ = ["History"]


class History:
    """One row per epoch, as columns of equal length.

    Attributes
    ----------
    columns : dict of str to list
        ``epoch`` (from 1), ``step`` (steps so far), ``lr`` (of the last step), ``loss`` (mean over the epoch's
        examples while it trained), a column for every metric; with validation data also ``val_loss`` and
        ``val_<metric>``. The last row may be of an epoch that was cut short.
    interrupted : bool
        Whether Ctrl-C ended the training.

    Examples
    --------
    >>> from symgrad.train import History
    >>> history = History()
    >>> history.append({"epoch": 1, "loss": 0.5})
    >>> history.append({"epoch": 2, "loss": 0.25})
    >>> history["loss"], len(history), history.last
    ([0.5, 0.25], 2, {'epoch': 2, 'loss': 0.25})
    """

    def __init__(self, columns: Mapping[str, list[Any]] | None = None) -> None:
        self.columns: dict[str, list[Any]] = {name: list(column) for name, column in (columns or {}).items()}
        self.interrupted = False

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a row; a column that is new, or missing from it, is filled with None."""
        n = len(self)
        for name in row:
            self.columns.setdefault(name, [None] * n)
        for name, column in self.columns.items():
            column.append(row.get(name))

    @property
    def last(self) -> dict[str, Any]:
        """The newest row."""
        return {name: column[-1] for name, column in self.columns.items() if column}

    @property
    def rows(self) -> list[dict[str, Any]]:
        """All rows."""
        return [dict(zip(self.columns, row, strict=True)) for row in zip(*self.columns.values(), strict=True)]

    def until(self, epoch: int) -> History:
        """The history of the epochs up to this one."""
        kept = History({name: column[:epoch] for name, column in self.columns.items()})
        kept.columns = {name: column for name, column in kept.columns.items() if any(x is not None for x in column)}
        return kept

    # Out

    def to_dict(self) -> dict[str, list[Any]]:
        """A copy of the columns."""
        return {name: list(column) for name, column in self.columns.items()}

    def to_pandas(self) -> Any:
        """A pandas DataFrame with one row per epoch."""
        try:
            import pandas
        except ImportError:
            raise DataError("to_pandas: pandas is not installed; pip install pandas, or use to_dict()") from None
        return pandas.DataFrame(self.columns)

    def to_csv(self, path: str | os.PathLike[str] | None = None) -> str:
        """The rows as CSV under a line of names, numbers in full precision; written to a file if a path is given."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([["" if x is None else x for x in row] for row in zip(*self.columns.values(), strict=True)])
        return _written(text.getvalue(), path)

    def to_jsonl(self, path: str | os.PathLike[str] | None = None) -> str:
        """One JSON object per row and line; written to a file if a path is given."""
        return _written("".join(json.dumps(row) + "\n" for row in self.rows), path)

    def __getitem__(self, name: str) -> list[Any]:
        if name not in self.columns:
            raise DataError(f"history: has no column {name!r}; it has {', '.join(self.columns) or 'none yet'}")
        return self.columns[name]

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))

    def __repr__(self) -> str:
        row = ", ".join(f"{name}={value:.4g}" for name, value in self.last.items() if isinstance(value, int | float))
        return f"History({len(self)} epochs{': ' + row if row else ''}{', interrupted' if self.interrupted else ''})"

    def _repr_html_(self) -> str:
        """The rows as a table, for notebooks."""
        head = "".join(f"<th>{name}</th>" for name in self.columns)
        cells = [[_shown(x) for x in row.values()] for row in self.rows]
        body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in cells)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _shown(x: Any) -> str:
    return f"{x:.4g}" if isinstance(x, float) else "" if x is None else str(x)


def _written(text: str, path: str | os.PathLike[str] | None) -> str:
    if path is not None:
        write_atomically(path, text.encode())
    return text
