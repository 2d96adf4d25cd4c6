"""Which learning rate: the loss as the rate grows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from symgrad.data.checks import number, whole_number
from symgrad.errors import SymgradError
from symgrad.train.state import capture, restore

if TYPE_CHECKING:
    from symgrad.train.trainer import Trainer

__all__ = ["rate_range"]


def rate_range(
    trainer: Trainer, train: Any, low: float = 1e-6, high: float = 10.0, steps: int = 100, worse: float = 4.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""The learning rate range test: losses of minibatches while the rate grows geometrically.

    A good rate lies where the loss falls fastest; well below that it wastes steps, and where the loss rises again it is
    too large. The trainer is as before afterwards.

    Parameters
    ----------
    trainer : Trainer
    train : Dataset, or pair (X, y) of arrays
    low, high : float
        The rates of the first and of the last step.
    steps : int
    worse : float
        End where a loss is this many times the smallest so far, or not finite.

    Returns
    -------
    rates, losses : ndarray of shape (k,), k at most `steps`
        Each loss is that of a minibatch before the step of its rate.

    References
    ----------
    L. N. Smith, "Cyclical learning rates for training neural networks", WACV 2017, section 3.3.

    Raises
    ------
    SymgradError
        If the trainer has trained before, or the rates are none.

    Examples
    --------
    >>> from symgrad import data, losses, nn, optim
    >>> from symgrad.train import Trainer, rate_range
    >>> trainer = Trainer(nn.Linear(64, 10), loss=losses.cross_entropy, optimizer=optim.SGD)
    >>> rates, found = rate_range(trainer, data.digits(), steps=30)
    >>> bool(found.min() < 0.7 * found[0])
    True
    """
    steps = whole_number("rate_range: steps", steps, 2)
    if not 0 < number(low) < number(high) < np.inf:
        raise SymgradError(f"rate_range: low={low!r} must be above 0 and below high={high!r}, both finite numbers")
    if trainer.step:
        raise SymgradError("rate_range: takes a trainer that has not trained; make a new one")
    rates = low * (high / low) ** (np.arange(steps) / (steps - 1))
    examples = trainer.examples(train)
    before, schedule, inner = capture(trainer), trainer.schedule, [dict(g.schedules) for g in trainer.optimizer.groups]
    found: list[float] = []
    try:
        for rate, rows in zip(rates.tolist(), trainer.minibatches(len(examples)), strict=False):
            trainer.schedule = lambda k, rate=rate: rate
            found.append(trainer.run_step(examples, [rows])[0])
            if not found[-1] <= worse * min(found):
                break
    finally:
        restore(trainer, before)
        trainer.schedule = schedule
        for group, schedules in zip(trainer.optimizer.groups, inner, strict=True):
            group.schedules = schedules
    return rates[: len(found)], np.array(found)
