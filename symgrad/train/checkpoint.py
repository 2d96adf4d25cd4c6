"""Checkpoints: the state of a run in a folder, the last ones and the best ones."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from symgrad.data.checks import whole_number
from symgrad.errors import DataError, SymgradError
from symgrad.files import sweep
from symgrad.saving import read, save, write
from symgrad.train.callbacks import Callback, better, monitored
from symgrad.train.lock import acquire, release
from symgrad.train.state import Snapshot

if TYPE_CHECKING:
    from symgrad.train.trainer import Trainer

__all__ = ["Checkpoint", "newest"]

_log = logging.getLogger("symgrad")


class Checkpoint(Callback):
    """Save the state of the run, so that it can be resumed exactly: ``trainer.resume(folder, train, validation)``.

    A checkpoint is written after every epoch, after every so many steps if asked, and at any end, Ctrl-C
    included. Files are whole or not there, carry a checksum, and hold no pickle. While a training lasts, another
    process that trains into the same folder is refused.

    Parameters
    ----------
    folder : path-like
        Made if missing. It gets ``step-00000012.npz`` and so on; and ``model.npz``, the model alone as it is to
        be used (`sg.load`), once the training ends.
    keep_last : int
        How many of the newest to keep.
    keep_best : int
        How many of the best to keep besides, by what `monitor` was at the end of an epoch.
    steps : int, optional
        Save after every so many steps too.
    monitor : str, optional
        A column of the history; by default ``val_loss``, or ``loss`` without validation data.
    mode : {"auto", "min", "max"}
        Which values are better; "auto" goes by the name.
    format : {"npz", "safetensors"}

    Examples
    --------
    >>> import tempfile
    >>> from symgrad import data, losses, nn, optim
    >>> from symgrad.train import Checkpoint, Trainer
    >>> def trainer(folder):
    ...     model = nn.Sequential(nn.Linear(64, 10))
    ...     return Trainer(model, loss=losses.cross_entropy, optimizer=optim.Adam, callbacks=[Checkpoint(folder)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     first = trainer(folder).fit(data.digits(), epochs=2)
    ...     resumed = trainer(folder).resume(folder, data.digits(), epochs=3)
    >>> resumed["epoch"], resumed["loss"][:2] == first["loss"]
    ([1, 2, 3], True)
    """

    last: ClassVar[bool] = True  # so that it saves what the other callbacks made of the epoch

    def __init__(
        self,
        folder: str | os.PathLike[str],
        keep_last: int = 2,
        keep_best: int = 1,
        steps: int | None = None,
        monitor: str | None = None,
        mode: str = "auto",
        format: str = "npz",
    ) -> None:
        better("", mode)
        if format not in ("npz", "safetensors"):
            raise SymgradError(f"Checkpoint: format={format!r} is none of 'npz', 'safetensors'")
        self.folder, self.monitor, self.mode, self.format = Path(folder), monitor, mode, format
        self.keep_last = whole_number("Checkpoint: keep_last", keep_last, 1)
        self.keep_best = whole_number("Checkpoint: keep_best", keep_best, 0)
        self.every = 0 if steps is None else whole_number("Checkpoint: steps", steps, 1)
        self.values: dict[str, float] = {}  # of the best epochs, by the name of their file

    def on_fit_start(self, trainer: Trainer) -> None:
        """Make the folder, take it for this process, and remove what a killed one left in it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        acquire(self.folder)
        sweep(self.folder)
        if not trainer.step and any(self.folder.glob("step-*")):
            raise DataError(
                f"Checkpoint: {self.folder} holds checkpoints of another run; resume it, or use another folder"
            )

    def on_step_end(self, trainer: Trainer, loss: float) -> None:
        """Save."""
        self.save(trainer)

    def on_epoch_end(self, trainer: Trainer, row: Mapping[str, Any]) -> None:
        """Save, and rank the epoch."""
        column, value = monitored(self.monitor, row)
        self.values[self._name(trainer)] = value
        ranked = sorted(self.values, key=lambda name: (-self.values[name] * better(column, self.mode), name))
        self.values = {name: self.values[name] for name in sorted(ranked[: self.keep_best])}
        self.save(trainer)

    def on_fit_end(self, trainer: Trainer) -> None:
        """Save, at whatever end, and give the folder back."""
        try:
            self.save(trainer)
        finally:
            release(self.folder)

    def on_model_ready(self, trainer: Trainer) -> None:
        """Save the model by itself."""
        save(trainer.model, self.folder / f"model.{self.format}", step=trainer.step)

    def save(self, trainer: Trainer) -> None:
        """Write the state now, then remove what is neither among the last nor among the best."""
        snapshot = trainer.snapshot()
        path = self.folder / self._name(trainer)
        write(path, snapshot.arrays, snapshot.words)
        for old in found_in(self.folder)[self.keep_last :]:
            if old.name not in self.values:
                old.unlink(missing_ok=True)

    def _name(self, trainer: Trainer) -> str:
        return f"step-{trainer.step:08d}.{self.format}"

    def state_dict(self) -> dict[str, Any]:
        """Which files are the best."""
        return {"values": dict(self.values)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a `state_dict`."""
        self.values = dict(state["values"])


def found_in(folder: Path) -> list[Path]:
    """The checkpoints in a folder, newest first."""
    return sorted((p for p in folder.glob("step-*") if p.suffix in (".npz", ".safetensors")), reverse=True)


def newest(path: str | os.PathLike[str]) -> Snapshot:
    """The state in a checkpoint, or in the newest sound one of a folder; damaged ones are named in the log.

    Raises
    ------
    DataError
        If the file is damaged, or the folder holds no sound checkpoint, naming all that were refused.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"resume: there is no {path}")
    if not path.is_dir():
        return Snapshot(*read(path))
    refused = []
    for candidate in found_in(path):
        try:
            found = Snapshot(*read(candidate))
        except DataError as error:
            _log.warning("resume: %s", error)
            refused.append(str(error))
            continue
        return found
    raise DataError(f"resume: {path} holds no sound checkpoint" + "".join(f"; {text}" for text in refused))
