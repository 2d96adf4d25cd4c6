"""`Trainer`: the training loop."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgrad.context import Run, generator, no_grad, run
from symgrad.data import Dataset, batches
from symgrad.data.checks import whole_number
from symgrad.errors import SymgradError
from symgrad.nn import Module, population_statistics
from symgrad.optim import Optimizer
from symgrad.plan import Compiled, Plan, compile
from symgrad.tensor import Tensor, tensor
from symgrad.train.callbacks import Callback
from symgrad.train.history import History
from symgrad.train.metrics import as_metrics
from symgrad.train.progress import interruptible, progress_bar
from symgrad.train.recovery import explained, is_sound, rewind
from symgrad.train.state import Snapshot, capture, fingerprint, restore
from symgrad.train.weighting import Examples, takes_reduction, weighted_loss, weights_of

__all__ = ["Trainer"]

_log = logging.getLogger("symgrad")


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
        The learning rate as a function of the step (or epoch) from 0, see `optim.schedules`. One with a method
        ``update`` (`Plateau`) is told the validation loss of every epoch, or the loss without validation data.
    regularizers : sequence of callables
        Each a penalty of the model that is added to the loss, see `symgrad.regularizers`.
    metrics : sequence of callables or names
        ``metric(outputs, y) -> float`` on arrays; its name is the column's. A name such as "accuracy" or
        "f1_score" stands for scikit-learn's metric, see `symgrad.train.metrics`.
    callbacks : sequence of Callback
    transform : callable, or sequence of callables
        What is done to every minibatch: ``transform(X, y, random) -> (X, y)`` on arrays, see `symgrad.data.augment`.
    class_weight : mapping of class to number, sequence of numbers, or "balanced", optional
        How much the examples of every class count in the loss, in training; "balanced" lets all classes count alike.
        Needs a loss with ``reduction="none"``, as do weights of single examples.
    seed : int
        Decides the order of the examples and all random draws.
    batch_size : int
    shuffle : bool
        Whether every epoch visits the examples in another random order; otherwise in that of the data.
    compiled : bool
        Whether steps run as a plan (`sg.compile`) or op by op; equal up to rounding.
    fast : bool, optional
        Whether plans use the extra ``fast``, as in `sg.compile`.

    Attributes
    ----------
    history : History
    signal : int
        The signal that ended the last `fit`: SIGINT (Ctrl-C), SIGTERM; 0 if none did.
    epoch, step : int
        How many were done; `batch` is how many minibatches of an epoch that was cut short were. A second `fit`
        goes on exactly where the first ended: with the parameters and running averages of its last step, even where
        the model was given its best or its population's afterwards (unless you changed them in between).

    Examples
    --------
    >>> from symgrad import data, losses, nn, optim
    >>> from symgrad.train import Trainer
    >>> train, held_out = data.digits().split((0.8, 0.2))
    >>> model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    >>> trainer = Trainer(model, loss=losses.cross_entropy, optimizer=optim.Adam, metrics=["accuracy"])
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
        regularizers: Sequence[Callable[..., Any]] = (),
        metrics: Sequence[Any] = (),
        callbacks: Sequence[Callback] = (),
        transform: Any = (),
        class_weight: Any = None,
        seed: int = 0,
        batch_size: int = 64,
        shuffle: bool = True,
        compiled: bool = True,
        fast: bool | None = None,
    ) -> None:
        _expect(isinstance(model, Module), "model", model, "an nn.Module")
        _expect(callable(loss), "loss", loss, "a function such as losses.cross_entropy")
        ready = isinstance(optimizer, Optimizer)
        _expect(ready or callable(optimizer), "optimizer", optimizer, "an Optimizer, or what makes one: optim.Adam")
        _expect(schedule is None or callable(schedule), "schedule", schedule, "a function, see optim.schedules")
        penalties = isinstance(regularizers, Sequence) and all(map(callable, regularizers))
        _expect(penalties, "regularizers", regularizers, "a list such as [regularizers.L2(1e-4)]")
        watchers = isinstance(callbacks, Sequence) and all(isinstance(c, Callback) for c in callbacks)
        _expect(watchers, "callbacks", callbacks, "a list of objects of the class symgrad.train.Callback")
        transforms = [transform] if callable(transform) else transform
        functions = isinstance(transforms, Sequence) and all(map(callable, transforms))
        _expect(functions, "transform", transform, "a function (X, y, random) -> (X, y), or a list of them")
        self.model, self.loss, self.schedule = model, loss, schedule
        self.metrics, self.regularizers, self.transforms = as_metrics(metrics), list(regularizers), list(transforms)
        self.class_weight = class_weight
        self.callbacks = sorted(callbacks, key=lambda c: c.last)
        self.seed = whole_number("Trainer: seed", seed, 0)
        self.batch_size = whole_number("Trainer: batch_size", batch_size, 1)
        if not isinstance(optimizer, Optimizer):
            with run(seed):
                optimizer = optimizer(model.parameters())
        self.optimizer = optimizer
        self.history = History()
        self.epoch = self.step = self.batch = self.target = 0
        self.totals: list[float] = []  # of loss and metrics in an epoch that is not done
        self.data = ""  # the fingerprint of what was trained on
        self.compiled, self.shuffle, self.fast = compiled, shuffle, fast
        self._stopping, self.signal = False, 0
        self._begun: list[Callback] = []  # those that were told of the start
        self._compiled: Compiled | None = None
        self._forward = compile(lambda X: model(X), fast=fast)
        self._sound: Snapshot | None = None  # where a failed step can be repeated from
        self._paused: tuple[Snapshot, list[int]] | None = None  # the state in training, and what the model has since

    # The loop

    def fit(
        self,
        train: Any,
        validation: Any = None,
        epochs: int = 1,
        progress: bool | None = None,
        sample_weight: Any = None,
    ) -> History:
        """Train for some epochs; Ctrl-C or SIGTERM ends the training after the running step.

        Parameters
        ----------
        train, validation : Dataset, or pair (X, y) of arrays
        epochs : int
            How many more; one that was cut short before counts as one.
        progress : bool, optional
            Show a progress bar; by default only on a terminal.
        sample_weight : array_like of shape (n,), optional
            How much every training example counts in the loss.

        Returns
        -------
        History
            Of all calls of `fit` so far.

        Raises
        ------
        AnomalyError
            If the loss is not finite, naming the epoch, the minibatch and the node that first was not; the model and
            the optimizer are left as they were before that step.
        DataError
            If the data are empty, not finite, or X and y do not fit each other.
        """
        target = self.epoch + whole_number("fit: epochs", epochs, 0)
        return self._fit(self.examples(train, sample_weight), validation, target, progress)

    def resume(
        self,
        path: Any,
        train: Any,
        validation: Any = None,
        epochs: int | None = None,
        progress: bool | None = None,
        sample_weight: Any = None,
    ) -> History:
        """Go on from a checkpoint that `train.Checkpoint` wrote, as if nothing had happened.

        Only the remaining minibatches run; the result is that of the uninterrupted run, bit by bit.

        Parameters
        ----------
        path : path-like
            A checkpoint, or the folder of them; then the newest sound one is taken.
        train, validation : Dataset, or pair (X, y) of arrays
            The same as before.
        epochs : int, optional
            How many there are to be in all; by default as many as the interrupted `fit` was to reach.
        progress : bool, optional
        sample_weight : array_like of shape (n,), optional

        Raises
        ------
        DataError
            If there is no sound checkpoint, or it is of other data or another configuration, naming what differs.
        """
        from symgrad.train.checkpoint import newest

        examples = self.examples(train, sample_weight)
        restore(self, newest(path))
        self._paused = None
        self._recognise(examples)
        return self._fit(examples, validation, self.target if epochs is None else epochs, progress)

    def _fit(self, examples: Examples, validation: Any, target: int, progress: bool | None) -> History:
        held_out = None if validation is None else self._data(validation, "validation")
        self.data = fingerprint(*examples.arrays)
        self._unpause()
        self._stopping, self.signal, self.target = False, 0, target
        self.history = self.history.until(self.epoch)
        # Anew: the model may have changed.
        self._compiled = compile(self._step, fast=self.fast) if self.compiled else None
        self._forward = compile(lambda X: self.model(X), fast=self.fast)
        self.model.train()
        todo = sum(len(self._order(len(examples), epoch)) for epoch in range(self.epoch, target)) - self.batch
        try:
            with progress_bar(todo, progress) as advance, interruptible(self._interrupt):
                self._begin()
                while self.epoch < target and not self._stopping:
                    self._run_epoch(examples, held_out, advance)
        except Exception:
            self._pause()
            raise
        self._pause(examples.X)
        return self.history

    @property
    def plan(self) -> Plan | None:
        """The compiled step, to read (``trainer.plan.source``); None before training or with compiled=False."""
        return None if self._compiled is None else self._compiled.plan

    def stop(self) -> None:
        """End the training after the running step."""
        self._stopping = True

    def _interrupt(self, signal: int) -> None:
        self.history.interrupted = self._stopping = True
        self.signal = signal

    def _run_epoch(self, examples: Examples, held_out: Any, advance: Callable[[str], None]) -> None:
        """What is left of one epoch, and its row of the history; if it is cut short, the row of what was done."""
        order = self._order(len(examples), self.epoch)
        if not self.batch:
            self.totals = [0.0] * (1 + len(self.metrics))
        self._sound = capture(self)
        with self._held():
            while self.batch < len(order) and not self._stopping:
                measured = self._guarded(examples, order)
                self.count(measured, examples, order)
                advance(self._status(measured))
                self._watch(measured[0])
        if not is_sound(self.model.state_dict()):
            raise self._undone(examples, order, "the parameters are not finite")
        if not self.batch:
            return
        row = self._row(examples, order, held_out)
        cut = self.batch < len(order)
        if not cut:
            self.epoch, self.batch = self.epoch + 1, 0
        self.history.append(row)
        if not cut:
            if (update := getattr(self.schedule, "update", None)) is not None:
                update(row.get("val_loss", row["loss"]))
            self._tell("on_epoch_end", row)

    def count(self, measured: Sequence[float], examples: Examples, order: list[NDArray[np.intp]]) -> None:
        """Count a step that was done, with what it measured."""
        rows = order[self.batch]
        shares = [examples.share(rows), *[float(len(rows))] * len(self.metrics)]
        self.totals = [t + m * s for t, m, s in zip(self.totals, measured, shares, strict=True)]
        self.step, self.batch = self.step + 1, self.batch + 1

    def _row(self, examples: Examples, order: list[NDArray[np.intp]], held_out: Any) -> dict[str, Any]:
        seen = np.concatenate(order[: self.batch])
        shares = [examples.share(seen), *[float(len(seen))] * len(self.metrics)]
        means = [total / share for total, share in zip(self.totals, shares, strict=True)]
        row = {"epoch": self.epoch + 1, "step": self.step, "lr": self.optimizer.lr.item()}
        row |= dict(zip(("loss", *self.metrics), means, strict=True))
        if held_out is not None:
            try:
                measured = self.evaluate(held_out)
            except SymgradError as error:
                raise type(error)(f"Trainer: the validation data: {error}") from error
            row |= {f"val_{name}": value for name, value in measured.items()}
        return row

    def _order(self, n: int, epoch: int) -> list[NDArray[np.intp]]:
        """The minibatches of an epoch, as indices."""
        return list(batches(n, self.batch_size, seed=self.seed, epoch=epoch, shuffle=self.shuffle))

    def minibatches(self, n: int) -> Iterator[NDArray[np.intp]]:
        """The minibatches of all epochs from the present one on, as indices."""
        for epoch in itertools.count(self.epoch):
            yield from self._order(n, epoch)

    # One step

    def _guarded(self, examples: Examples, order: list[NDArray[np.intp]]) -> list[float]:
        """The next step; if it fails, model and optimizer go back to where they were before it."""
        assert self._sound is not None, "an epoch takes a snapshot"
        try:
            measured = self.run_step(examples, order)
        except SymgradError as error:
            which = f"minibatch {self.batch + 1} of epoch {self.epoch + 1}" if self.step else "the first minibatch"
            shapes = [a[order[self.batch]].shape for a in (examples.X, examples.y)]
            text = f"Trainer: {which}, X {shapes[0]} and y {shapes[1]}, failed: {error}"
            rewind(self, self._sound, examples, order)
            raise type(error)(text) from error
        except Exception:
            rewind(self, self._sound, examples, order)
            raise
        if not np.isfinite(measured[0]):
            raise self._undone(examples, order, f"loss is {measured[0]}")
        return measured

    def _undone(self, examples: Examples, order: list[NDArray[np.intp]], what: str) -> SymgradError:
        """Go back to before the first step whose result is not sound; the error that says so."""
        assert self._sound is not None, "an epoch takes a snapshot"
        at = self.batch
        rewind(self, self._sound, examples, order)
        return explained(self, examples, order, what, at)

    def run_step(self, examples: Examples, order: list[NDArray[np.intp]]) -> list[float]:
        """One step on the next minibatch; the loss and the metrics."""
        self._set_rate()
        rows = order[self.batch]
        given = self._minibatch(examples, rows)
        with run(self.seed, self.step), np.errstate(all="ignore"):  # what is not finite is told with its node
            step = self._compiled
            found = step(*given) if step is not None else self._step(*map(tensor, given))
        loss, output = found if self.metrics else (found, None)
        return [float(loss), *(metric(np.asarray(output), examples.y[rows]) for metric in self.metrics.values())]

    def _minibatch(self, examples: Examples, rows: NDArray[np.intp]) -> list[NDArray[Any]]:
        """Inputs and targets, transformed; and weights, if there are any."""
        given, targets = examples.X[rows], examples.y[rows]
        if self.transforms:
            random = generator(Run(self.seed, self.step).key("transform", "data"))
            for transform in self.transforms:
                given, targets = transform(given, targets, random)
        weights = [] if examples.weights is None else [examples.weights[rows]]
        return [self.model.cast(a) for a in (given, targets, *weights)]

    def _set_rate(self) -> None:
        if self.schedule is not None:
            by_epoch = getattr(self.schedule, "unit", "step") == "epoch"
            self.optimizer.lr = self.schedule(self.epoch if by_epoch else self.step)

    def _step(self, X: Tensor, y: Tensor, weights: Tensor | None = None) -> Any:
        """What is compiled: forward, backward, update."""
        outputs = []

        def closure() -> Any:
            self.optimizer.zero_grad()
            outputs.append(self.model(X))
            loss = self.loss(outputs[-1], y) if weights is None else weighted_loss(self.loss, outputs[-1], y, weights)
            for regularizer in self.regularizers:
                loss = loss + regularizer(self.model)
            loss.backward()
            return loss

        loss = self.optimizer.step(closure)
        for regularizer in self.regularizers:
            if hasattr(regularizer, "after_step"):
                regularizer.after_step(self.model, self.optimizer.lr)
        return (loss, outputs[-1]) if self.metrics else loss

    # For the recovery from a failed step

    def forget_plans(self) -> None:
        """Compile anew: what the old plan holds back is not wanted."""
        if self._compiled is not None:
            self._compiled = compile(self._step, fast=self.fast)

    @contextmanager
    def op_by_op(self) -> Iterator[None]:
        """A block in which steps do not run as a plan."""
        compiled, self._compiled = self._compiled, None
        try:
            yield
        finally:
            self._compiled = compiled

    # Pauses

    def snapshot(self) -> Snapshot:
        """The state in training: what a checkpoint holds."""
        return capture(self) if self._paused is None else self._paused[0]

    def _pause(self, X: NDArray[Any] | None = None) -> None:
        """Keep the state in training aside, and make the model what it will be used as; after an error without X."""
        kept = capture(self)
        self._paused = kept, []
        if X is None:
            for callback in self._begun:
                try:
                    callback.on_fit_end(self)
                except Exception as error:  # the first error is the one to report
                    _log.warning("%s: %s", type(callback).__name__, error)
        else:
            self._tell("on_fit_end")
            chosen = self._order(len(X), max(self.epoch - 1, 0))
            population_statistics(self.model, (X[rows] for rows in chosen))
        self._paused = kept, self._serials()
        if X is not None:
            self._tell("on_model_ready")

    def _unpause(self) -> None:
        """Go on with the model as it was in training, unless somebody changed it since."""
        if self._paused is not None and self._paused[1] == self._serials():
            self.model.load_state_dict(self._paused[0].under("model"))
        self._paused = None

    def _serials(self) -> list[int]:
        return [leaf.serial for leaf in self.model._leaves().values()]

    def _recognise(self, examples: Examples) -> None:
        """Refuse to resume on other data."""
        if fingerprint(*examples.arrays) != self.data:
            X = examples.X
            raise SymgradError(
                f"resume: the training data are not those of the checkpoint ({len(X)} examples, X {X.dtype} "
                f"{X.shape[1:]}); hand over the same, in the same order and dtype"
            )

    # Callbacks

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Publish new values only where somebody looks."""
        with self._compiled.hold() if self._compiled is not None else nullcontext():
            yield

    def _watch(self, loss: float) -> None:
        """Call the callbacks that want this step, with the newest values published."""
        watching = [c for c in self.callbacks if c.every and self.step % c.every == 0]
        if watching:
            if self._compiled is not None:
                self._compiled.publish()
            for callback in watching:
                callback.on_step_end(self, loss)
            self._sound = capture(self)

    def _begin(self) -> None:
        """Tell the callbacks of the start, a `Checkpoint` first: where it refuses, no other has written anything."""
        self._begun = []
        for callback in reversed(self.callbacks):
            callback.on_fit_start(self)
            self._begun.insert(0, callback)

    def _tell(self, event: str, *args: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(self, *args)

    def _status(self, measured: Sequence[float]) -> str:
        """What the progress bar shows."""
        named = zip(("loss", *self.metrics), measured, strict=True)
        numbers = "  ".join(f"{name} {value:.4g}" for name, value in named)
        return f"epoch {self.epoch + 1}  {numbers}  lr {self.optimizer.lr.item():.3g}"

    # Looking

    def predict(self, X: Any) -> NDArray[Any]:
        """The model's output for X in evaluation mode."""
        return self.model.predict(X)

    def evaluate(self, held_out: Any) -> dict[str, float]:
        """Loss and metrics in evaluation mode, by a compiled forward pass.

        Parameters
        ----------
        held_out : Dataset, or pair (X, y) of arrays
        """
        X, y = self._data(held_out, "evaluate")
        with no_grad(), run(self.seed, self.step, training=False):
            output = np.concatenate([self._forward(X[k : k + 1024]) for k in range(0, len(X), 1024)])
            loss = float(self.loss(tensor(output), tensor(y)))
        return {"loss": loss, **{name: metric(output, y) for name, metric in self.metrics.items()}}

    def examples(self, train: Any, sample_weight: Any = None) -> Examples:
        """The training data, with the weights of examples and classes."""
        X, y = self._data(train, "train")
        weights = weights_of(y, sample_weight, self.class_weight)
        if weights is not None:
            takes_reduction(self.loss)
        return Examples(X, y, weights)

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
