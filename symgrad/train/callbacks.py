"""What user code may hook into a training run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from symgrad.train.trainer import Trainer

__all__ = ["Callback"]


class Callback:
    """Define the methods that you need; the others do nothing.

    Parameters and states have their newest values whenever a method runs. ``trainer.stop()`` ends the
    training after the current step.

    Examples
    --------
    >>> from symgrad.train import Callback
    >>> class Patience(Callback):
    ...     best = float("inf")
    ...
    ...     def on_epoch_end(self, trainer, row):
    ...         if row["val_loss"] >= self.best:
    ...             trainer.stop()
    ...         self.best = min(self.best, row["val_loss"])
    """

    def on_step_end(self, trainer: Trainer, loss: float) -> None:
        """Called after every step; a callback that defines it makes compiled steps publish every time."""

    def on_epoch_end(self, trainer: Trainer, row: Mapping[str, Any]) -> None:
        """Called after every epoch, with the row of the history."""
