"""What user code may hook into a training run, and what comes ready."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from symgrad.data.checks import whole_number
from symgrad.errors import SymgradError

if TYPE_CHECKING:
    from symgrad.train.trainer import Trainer

__all__ = ["Callback", "EarlyStopping", "HistoryWriter", "LearningRateLogger", "TensorBoard", "better", "monitored"]

_log = logging.getLogger("symgrad")


class Callback:
    """Define the methods that you need; the others do nothing.

    Parameters and states have their newest values whenever a method runs. ``trainer.stop()`` ends the
    training after the current step.

    Attributes
    ----------
    every : int
        How many steps lie between two calls of `on_step_end`; 1 where a class defines that method, else 0 (none).

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

    every: int = 0
    last: ClassVar[bool] = False  # whether it is told after all others (of the start, before them)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "on_step_end" in cls.__dict__ and "every" not in cls.__dict__:
            cls.every = 1

    def on_fit_start(self, trainer: Trainer) -> None:
        """Called before the first step of a `fit`."""

    def on_step_end(self, trainer: Trainer, loss: float) -> None:
        """Called after every step, or every so many: see `every`."""

    def on_epoch_end(self, trainer: Trainer, row: Mapping[str, Any]) -> None:
        """Called after every epoch that was not cut short, with its row of the history."""

    def on_fit_end(self, trainer: Trainer) -> None:
        """Called at any end, by Ctrl-C or an error too, with the model as the last sound step left it."""

    def on_model_ready(self, trainer: Trainer) -> None:
        """Called last, with the model as it will be used: the best, with population statistics."""

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs: arrays, and what JSON can hold."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a `state_dict`."""


def monitored(name: str | None, row: Mapping[str, Any]) -> tuple[str, float]:
    """The column to watch in a row, and its value; the validation loss if there is one and none is named."""
    found = name or ("val_loss" if "val_loss" in row else "loss")
    if found not in row:
        raise SymgradError(f"monitor={found!r} is no column of the history; it has {', '.join(row)}")
    return found, float(row[found])


def better(column: str, mode: str = "auto") -> int:
    """1 where larger values are better, -1 where smaller ones are; "auto" goes by the name."""
    if mode not in ("auto", "min", "max"):
        raise SymgradError(f"mode={mode!r} is none of 'auto', 'min', 'max'")
    small = ("loss", "error", "deviance", "perplexity")
    return {"min": -1, "max": 1}.get(mode) or (-1 if any(word in column for word in small) else 1)


class EarlyStopping(Callback):
    """Stop when the validation loss no longer decreases, and give the model back as it was at its best.

    Parameters
    ----------
    monitor : str, optional
        A column of the history; by default ``val_loss``, or ``loss`` without validation data.
    patience : int
        How many epochs in a row may bring nothing better. The textbook's rule, to stop at the first such epoch and
        keep what is there then, is ``EarlyStopping(patience=1, restore_best=False)``.
    min_delta : float
        Less is not better.
    restore_best : bool
        Whether the model ends with the parameters of its best epoch, however the training ends: by patience, after
        the last epoch, by Ctrl-C.
    mode : {"auto", "min", "max"}
        Which values are better; "auto" goes by the name.

    Attributes
    ----------
    best : float
    best_epoch : int
    waited : int
        Epochs since the best.

    References
    ----------
    L. Prechelt, "Early stopping - but when?", Neural Networks: Tricks of the Trade, 1998.
    """

    def __init__(
        self,
        monitor: str | None = None,
        patience: int = 10,
        min_delta: float = 0.0,
        restore_best: bool = True,
        mode: str = "auto",
    ) -> None:
        better("", mode)
        self.monitor, self.mode, self.restore_best = monitor, mode, restore_best
        self.patience = whole_number("EarlyStopping: patience", patience, 1)
        self.min_delta = abs(float(min_delta))
        self.best = np.nan
        self.best_epoch = self.waited = 0
        self.best_state: dict[str, Any] = {}

    def on_epoch_end(self, trainer: Trainer, row: Mapping[str, Any]) -> None:
        """Compare, and stop if patience is over."""
        column, value = monitored(self.monitor, row)
        gain = (value - self.best) * better(column, self.mode)
        if np.isnan(self.best) or gain > self.min_delta:
            self.best, self.best_epoch, self.waited = value, int(row["epoch"]), 0
            if self.restore_best:
                self.best_state = trainer.model.state_dict()
        else:
            self.waited += 1
            if self.waited >= self.patience:
                trainer.stop()

    def on_fit_end(self, trainer: Trainer) -> None:
        """Give the model its best parameters."""
        if self.best_state:
            trainer.model.load_state_dict(self.best_state)

    def state_dict(self) -> dict[str, Any]:
        """The best, and how long ago it was."""
        numbers = {"best": None if np.isnan(self.best) else self.best, "best_epoch": self.best_epoch}
        return {**numbers, "waited": self.waited, **{f"model.{n}": a for n, a in self.best_state.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a `state_dict`."""
        self.best = np.nan if state["best"] is None else state["best"]
        self.best_epoch, self.waited = state["best_epoch"], state["waited"]
        arrays = {n: a for n, a in state.items() if isinstance(a, np.ndarray)}
        self.best_state = {name.removeprefix("model."): a for name, a in arrays.items()}


class HistoryWriter(Callback):
    """Write the history to a file after every epoch, whole each time.

    Parameters
    ----------
    path : path-like
        Ending in ``.csv`` or ``.jsonl``.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if self.path.suffix not in (".csv", ".jsonl"):
            raise SymgradError(f"HistoryWriter: the name must end in .csv or .jsonl, got {self.path}")

    def on_epoch_end(self, trainer: Trainer, row: Mapping[str, Any]) -> None:
        """Write."""
        self.on_fit_end(trainer)

    def on_fit_end(self, trainer: Trainer) -> None:
        """Write, with the row of an epoch that was cut short."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        getattr(trainer.history, f"to_{self.path.suffix[1:]}")(self.path)


class LearningRateLogger(Callback):
    """Keep the learning rate of every step.

    Attributes
    ----------
    rates : list of float
    """

    every = 1

    def __init__(self) -> None:
        self.rates: list[float] = []

    def on_step_end(self, trainer: Trainer, loss: float) -> None:
        """Keep the rate."""
        self.rates.append(trainer.optimizer.lr.item())

    def state_dict(self) -> dict[str, Any]:
        """The rates."""
        return {"rates": list(self.rates)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a `state_dict`."""
        self.rates = list(state["rates"])


class TensorBoard(Callback):
    """Write every row of the history as scalars for TensorBoard; needs the extra "tensorboard".

    Parameters
    ----------
    folder : path-like
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self._writer: Any = None  # only while training lasts, so that the callback can be copied

    def on_fit_start(self, trainer: Trainer) -> None:
        """Open a file of its own."""
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise SymgradError("TensorBoard: needs tensorboardX: pip install 'symgrad[tensorboard]'") from None
        self._writer = SummaryWriter(str(self.folder), filename_suffix=f".{trainer.step}")

    def on_epoch_end(self, trainer: Trainer, row: Mapping[str, Any]) -> None:
        """Write the row."""
        for name, value in row.items():
            if name not in ("epoch", "step") and value is not None:
                self._writer.add_scalar(name, value, row["step"])
        self._writer.flush()

    def on_fit_end(self, trainer: Trainer) -> None:
        """Close the file."""
        self._writer.close()
        self._writer = None
