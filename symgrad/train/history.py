"""`History`: what training measured, in columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from symgrad.errors import DataError

__all__ = ["History"]


class History:
    """One row per epoch, as columns of equal length.

    Attributes
    ----------
    columns : dict of str to list
        ``epoch`` (from 1), ``step`` (steps so far), ``loss`` (mean over the epoch's examples while it trained),
        ``lr`` (of the last step), a column for every metric; with validation data also ``val_loss`` and
        ``val_<metric>``.
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

    def __init__(self) -> None:
        self.columns: dict[str, list[Any]] = {}
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

    def to_dict(self) -> dict[str, list[Any]]:
        """A copy of the columns."""
        return {name: list(column) for name, column in self.columns.items()}

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
