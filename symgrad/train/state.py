"""The state of a training run as arrays and words: taken, put back, written, read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from symgrad.errors import DataError
from symgrad.train.history import History

if TYPE_CHECKING:
    from symgrad.train.trainer import Trainer

__all__ = ["Snapshot", "capture", "fingerprint", "restore"]


@dataclass(frozen=True)
class Snapshot:
    """All that the rest of a run depends on: arrays by path, and words that JSON can hold."""

    arrays: dict[str, NDArray[Any]]
    words: dict[str, Any] = field(default_factory=dict)

    def under(self, path: str) -> dict[str, NDArray[Any]]:
        """The arrays below a path, without it."""
        return {name.removeprefix(path + "/"): a for name, a in self.arrays.items() if name.startswith(path + "/")}


def capture(trainer: Trainer) -> Snapshot:
    """The state of a trainer now."""
    parts = {"model": trainer.model.state_dict(), "optimizer": trainer.optimizer.state_dict()}
    callbacks = []
    for k, callback in enumerate(trainer.callbacks):
        state = callback.state_dict()
        parts[f"callbacks/{k}"] = {name: x for name, x in state.items() if isinstance(x, np.ndarray)}
        callbacks.append({name: x for name, x in state.items() if not isinstance(x, np.ndarray)})
    words = {
        "configuration": configuration(trainer),
        "data": trainer.data,
        **{name: getattr(trainer, name) for name in ("epoch", "step", "batch", "target")},
        "totals": list(trainer.totals),
        "history": trainer.history.until(trainer.epoch).to_dict(),
        "callbacks": callbacks,
        "schedule": [watcher.state_dict() for watcher in _watchers(trainer.schedule)],
    }
    arrays = {f"{part}/{name}": a for part, found in parts.items() for name, a in found.items()}
    return Snapshot(arrays, words)


def restore(trainer: Trainer, snapshot: Snapshot) -> None:
    """Put a state back; nothing changes unless it is one of this configuration.

    Raises
    ------
    DataError
        Naming what is configured differently.
    """
    words, now = snapshot.words, configuration(trainer)
    then = words["configuration"]
    different = [
        f"{name}: {then.get(name)!r} then, {now.get(name)!r} now" for name in now if then.get(name) != now[name]
    ]
    if different:
        raise DataError(f"resume: the checkpoint is of another configuration: {'; '.join(different)}")
    trainer.model.load_state_dict(snapshot.under("model"))
    trainer.optimizer.load_state_dict(snapshot.under("optimizer"))
    for name in ("data", "epoch", "step", "batch", "target"):
        setattr(trainer, name, words[name])
    trainer.totals = list(words["totals"])
    interrupted = trainer.history.interrupted
    trainer.history = History(words["history"])
    trainer.history.interrupted = interrupted
    for watcher, state in zip(_watchers(trainer.schedule), words["schedule"], strict=True):
        watcher.load_state_dict(state)
    for k, callback in enumerate(trainer.callbacks):
        callback.load_state_dict(words["callbacks"][k] | snapshot.under(f"callbacks/{k}"))


def _watchers(schedule: Any) -> list[Any]:
    """The parts of a schedule that have a state."""
    found = schedule.watchers() if hasattr(schedule, "watchers") else [schedule]
    return [part for part in found if hasattr(part, "state_dict")]


def configuration(trainer: Trainer) -> dict[str, Any]:
    """What must be the same for a state to go on from."""
    return {
        "seed": trainer.seed,
        "batch_size": trainer.batch_size,
        "shuffle": trainer.shuffle,
        "optimizer": type(trainer.optimizer).__name__,
        "loss": getattr(trainer.loss, "__name__", type(trainer.loss).__name__),
        "metrics": list(trainer.metrics),
        "callbacks": [type(c).__name__ for c in trainer.callbacks],
        "parameters": {name: [list(p.shape), str(p.dtype)] for name, p in trainer.model.named_parameters()},
    }


def fingerprint(*arrays: NDArray[Any]) -> str:
    """A checksum of arrays with their shapes and dtypes."""
    digest = hashlib.sha256()
    for a in arrays:
        digest.update(f"{a.dtype.str}{a.shape}".encode())
        digest.update(np.ascontiguousarray(a).tobytes())
    return digest.hexdigest()
