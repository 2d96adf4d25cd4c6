"""`Trainer`: the training loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgrad.context import no_grad, run
from symgrad.data import Dataset, batches
from symgrad.data.checks import whole_number
from symgrad.errors import AnomalyError, SymgradError
from symgrad.nn import BatchNorm1d, Module, population_statistics
from symgrad.optim import Optimizer
from symgrad.plan import Compiled, Plan, compile
from symgrad.tensor import Tensor, tensor
from symgrad.train.callbacks import Callback
from symgrad.train.history import History
from symgrad.train.progress import interruptible, progress_bar

__all__ = ["Trainer"]


class Trainer:
    """Trains a model; the result is a pure function of the model, the data and these arguments.

    Parameters
    ----------
    model : Module
    loss : callable
        ``loss(output, y)``, a mean over the minibatch.
    optimizer : Optimizer, or callable
        Or a function of the parameters that makes one, such as `optim.Adam`; then initial values that were
        not drawn before are drawn from `seed`.
    schedule : callable, optional
        The learning rate as a function of the step (or epoch) from 0, see `optim.schedules`.
    metrics : sequence of callables
        ``metric(outputs, y) -> float`` on arrays; its name is the column's.
    callbacks : sequence of Callback
    seed : int
        Decides the order of the examples and all random draws.
    batch_size : int
    compiled : bool
        Whether steps run as a plan (`sg.compile`) or op by op; equal up to rounding.

    Attributes
    ----------
    history : History
    epoch, step : int
        How many were done. A second `fit` goes on where the first ended.

    Examples
    --------
    >>> from symgrad import data, losses, nn, optim
    >>> from symgrad.train import Trainer, accuracy
    >>> train, held_out = data.digits().split((0.8, 0.2))
    >>> model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    >>> trainer = Trainer(model, loss=losses.cross_entropy, optimizer=optim.Adam, metrics=[accuracy])
    >>> trainer.fit(train, held_out, epochs=10)["val_accuracy"][-1] > 0.8
    True
    """

    def __init__(
        self,
        model: Module,
        *,
        loss: Callable[..., Any],
        optimizer: Optimizer | Callable[..., Optimizer],
        schedule: Callable[[int], Any] | None = None,
        metrics: Sequence[Callable[..., float]] = (),
        callbacks: Sequence[Callback] = (),
        seed: int = 0,
        batch_size: int = 64,
        compiled: bool = True,
    ) -> None:
        _expect(isinstance(model, Module), "model", model, "an nn.Module")
        _expect(callable(loss), "loss", loss, "a function such as losses.cross_entropy")
        ready = isinstance(optimizer, Optimizer)
        _expect(ready or callable(optimizer), "optimizer", optimizer, "an Optimizer, or what makes one: optim.Adam")
        _expect(schedule is None or callable(schedule), "schedule", schedule, "a function, see optim.schedules")
        functions = isinstance(metrics, Sequence) and all(map(callable, metrics))
        _expect(functions, "metrics", metrics, "a list of functions such as [symgrad.train.accuracy]")
        watchers = isinstance(callbacks, Sequence) and all(isinstance(c, Callback) for c in callbacks)
        _expect(watchers, "callbacks", callbacks, "a list of objects of the class symgrad.train.Callback")
        self.model, self.loss, self.schedule = model, loss, schedule
        self.metrics = {_name(m): m for m in metrics}
        self.callbacks, self.seed = list(callbacks), whole_number("Trainer: seed", seed, 0)
        self.batch_size = whole_number("Trainer: batch_size", batch_size, 1)
        if not isinstance(optimizer, Optimizer):
            with run(seed):
                optimizer = optimizer(model.parameters())
        self.optimizer = optimizer
        self.history = History()
        self.epoch = self.step = 0
        self._stopping = False
        self.compiled = compiled
        self._compiled: Compiled | None = None

    # The loop

    def fit(self, train: Any, validation: Any = None, epochs: int = 1, progress: bool | None = None) -> History:
        """Train for some epochs; Ctrl-C ends the training after the running step.

        Parameters
        ----------
        train, validation : Dataset, or pair (X, y) of arrays
        epochs : int
        progress : bool, optional
            Show a progress bar; by default only on a terminal.

        Returns
        -------
        History
            Of all calls of `fit` so far.

        Raises
        ------
        AnomalyError
            If the loss is not finite, naming the epoch and the batch.
        DataError
            If the data are empty, not finite, or X and y do not fit each other.
        """
        epochs = whole_number("fit: epochs", epochs, 0)
        X, y = self._data(train, "train")
        held_out = None if validation is None else self._data(validation, "validation")
        self._stopping = False
        self._compiled = compile(self._step) if self.compiled else None  # anew: the model may have changed
        self.model.train()
        per_epoch = len(list(batches(len(X), self.batch_size, seed=self.seed, epoch=0)))
        with progress_bar(epochs * per_epoch, progress) as advance, interruptible(self._interrupt):
            for _ in range(epochs):
                row = self._run_epoch(X, y, advance)
                if row is None:
                    break
                if held_out is not None:
                    measured = self.evaluate(held_out)
                    row |= {f"val_{name}": value for name, value in measured.items()}
                self.history.append(row)
                for callback in self.callbacks:
                    callback.on_epoch_end(self, row)
                if self._stopping:
                    break
        self._finish(X)
        return self.history

    @property
    def plan(self) -> Plan | None:
        """The compiled step, to read (``trainer.plan.source``); None before training or with compiled=False."""
        return None if self._compiled is None else self._compiled.plan

    def stop(self) -> None:
        """End the training after the running step."""
        self._stopping = True

    def _interrupt(self) -> None:
        self.history.interrupted = self._stopping = True

    def _run_epoch(self, X: NDArray[Any], y: NDArray[Any], advance: Callable[[str], None]) -> dict[str, Any] | None:
        """One epoch; its row of the history, or None if it was cut short."""
        totals = np.zeros(1 + len(self.metrics))
        watched = any(type(c).on_step_end is not Callback.on_step_end for c in self.callbacks)
        hold = self._compiled.hold if self._compiled is not None and not watched else nullcontext
        with hold():
            for k, chosen in enumerate(batches(len(X), self.batch_size, seed=self.seed, epoch=self.epoch)):
                if self._stopping:
                    return None
                self._set_rate()
                measured = self._train_on(X[chosen], y[chosen], k)
                totals += np.multiply(measured, len(chosen))
                self.step += 1
                advance(f"epoch {self.epoch + 1}  loss {measured[0]:.4g}")
                for callback in self.callbacks:
                    callback.on_step_end(self, measured[0])
        self.epoch += 1
        means = (totals / len(X)).tolist()
        measured_by_name = dict(zip(("loss", *self.metrics), means, strict=True))
        return {"epoch": self.epoch, "step": self.step, "lr": self.optimizer.lr.item(), **measured_by_name}

    def _set_rate(self) -> None:
        if self.schedule is not None:
            by_epoch = getattr(self.schedule, "unit", "step") == "epoch"
            self.optimizer.lr = self.schedule(self.epoch if by_epoch else self.step)

    def _train_on(self, X: NDArray[Any], y: NDArray[Any], k: int) -> list[float]:
        """One step on a minibatch; the loss and the metrics."""
        try:
            with run(self.seed, self.step):
                found = self._compiled(X, y) if self._compiled is not None else self._step(tensor(X), tensor(y))
        except SymgradError as error:
            which = f"minibatch {k + 1} of epoch {self.epoch + 1}" if self.step else "the first minibatch"
            raise type(error)(f"fit: {which}, X {X.shape} and y {y.shape}, failed: {error}") from error
        loss, output = found if self.metrics else (found, None)
        loss = float(loss)
        if not math.isfinite(loss):
            raise AnomalyError(
                f"fit: the loss is {loss} in epoch {self.epoch + 1}, minibatch {k + 1} (step {self.step}); try a "
                "smaller learning rate, or find the node with compiled=False inside of `with sg.detect_anomaly():`"
            )
        return [loss, *(metric(np.asarray(output), y) for metric in self.metrics.values())]

    def _step(self, X: Tensor, y: Tensor) -> Any:
        """What is compiled: forward, backward, update."""
        self.optimizer.zero_grad()
        output = self.model(X)
        loss = self.loss(output, y)
        loss.backward()
        self.optimizer.step()
        return (loss, output) if self.metrics else loss

    def _finish(self, X: NDArray[Any]) -> None:
        """Measure the statistics of the final network on the minibatches of the last epoch."""
        if any(isinstance(m, BatchNorm1d) and m.stats == "population" for m in self.model.modules()):
            last = max(self.epoch - 1, 0)
            chosen = batches(len(X), self.batch_size, seed=self.seed, epoch=last)
            population_statistics(self.model, (X[rows] for rows in chosen))

    # Looking

    def predict(self, X: Any) -> NDArray[Any]:
        """The model's output for X in evaluation mode."""
        return self.model.predict(X)

    def evaluate(self, held_out: Any) -> dict[str, float]:
        """Loss and metrics in evaluation mode.

        Parameters
        ----------
        held_out : Dataset, or pair (X, y) of arrays
        """
        X, y = self._data(held_out, "evaluate")
        output = self.predict(X)
        with no_grad(), run(self.seed, self.step, training=False):
            loss = float(self.loss(tensor(output), tensor(y)))
        return {"loss": loss, **{name: metric(output, y) for name, metric in self.metrics.items()}}

    def _data(self, given: Any, what: str) -> tuple[NDArray[Any], NDArray[Any]]:
        """X and y, checked; floats in the dtype of the parameters."""
        if not isinstance(given, Dataset):
            if not isinstance(given, tuple | list) or len(given) != 2:
                raise SymgradError(f"{what}: takes a data.Dataset or a pair (X, y), got {type(given).__name__}")
            given = Dataset(*given)
        return self.model.cast(given.X), self.model.cast(given.y)


def _expect(good: bool, what: str, given: Any, wanted: str) -> None:
    """Refuse an argument of the wrong kind."""
    if not good:
        raise SymgradError(f"Trainer: {what} must be {wanted}, got {given!r}")


def _name(metric: Callable[..., Any]) -> str:
    """The name of a metric's column."""
    while isinstance(metric, partial):
        metric = metric.func
    return getattr(metric, "__name__", type(metric).__name__)
