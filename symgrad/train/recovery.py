"""What happens when a step fails: back to the last sound state, and an error that names the first bad node.

A run is a pure function of its configuration, so no step has to keep what was before it: after a failure the
steps since the last snapshot are simply run again, up to the one that failed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.context import detect_anomaly
from symgrad.errors import AnomalyError
from symgrad.train.state import Snapshot, capture, restore

if TYPE_CHECKING:
    from symgrad.train.trainer import Trainer
    from symgrad.train.weighting import Examples

__all__ = ["explained", "is_sound", "rewind"]


def is_sound(arrays: Mapping[str, Any]) -> bool:
    """Whether all numbers are finite."""
    return all(bool(np.isfinite(a).all()) for a in arrays.values())


def rewind(trainer: Trainer, sound: Snapshot, examples: Examples, order: Any) -> None:
    """Back to a snapshot, and again through the steps since then, up to the first whose result is not sound."""
    end = trainer.batch
    trainer.forget_plans()
    restore(trainer, sound)
    while trainer.batch < end:
        before = capture(trainer)
        measured = trainer.run_step(examples, order)
        if not np.isfinite(measured[0]) or not is_sound(trainer.model.state_dict()):
            restore(trainer, before)
            break
        trainer.count(measured, examples, order)


def explained(trainer: Trainer, examples: Examples, order: Any, what: str, at: int) -> AnomalyError:
    """The error for a state that is not sound, found in minibatch `at`: run the next step op by op to find the node."""
    where = f"epoch {trainer.epoch + 1}, minibatch {trainer.batch + 1} (step {trainer.step})"
    before = capture(trainer)
    with trainer.op_by_op():
        node = _first_bad_node(lambda: trainer.run_step(examples, order))
    restore(trainer, before)
    found = f"{what} in {where}" if trainer.batch == at else f"{what} after {where}"
    return AnomalyError(
        f"Trainer: {found}{node}; model and optimizer are as they were before that step; lower the learning rate"
    )


def _first_bad_node(step: Callable[[], Any]) -> str:
    """Run a step, and tell the node that first made a number that is not finite; "" if none did."""
    try:
        with np.errstate(all="ignore"), detect_anomaly():
            step()
    except AnomalyError as error:
        return f": {error}"
    except Exception:  # the step failed in another way than was to be explained
        return ""
    return ""
