"""The ambient state, all in context variables: how ops are recorded, and the current `Run`."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from symgrad.errors import SymgradError

__all__ = ["MODE", "PLAIN", "RUN", "Mode", "Run", "current_run", "detect_anomaly", "mode", "no_grad", "run", "scope"]


@dataclass(frozen=True, slots=True)
class Mode:
    """How ops are recorded where that is not the plain eager way."""

    trace: Any = None
    recording: bool = True
    anomaly: bool = False
    scope: tuple[str, ...] = ()


PLAIN = Mode()
MODE: ContextVar[Mode | None] = ContextVar("symgrad_mode", default=None)


@contextmanager
def mode(**changes: Any) -> Iterator[Mode]:
    """Run a block under the current mode with the given fields changed."""
    new = replace(MODE.get() or PLAIN, **changes)
    token = MODE.set(None if new == PLAIN else new)
    try:
        yield new
    finally:
        MODE.reset(token)


@contextmanager
def no_grad() -> Iterator[None]:
    """Record nothing in this block: results are plain data.

    Examples
    --------
    >>> import symgrad as sg
    >>> w = sg.tensor(3.0, requires_grad=True)
    >>> with sg.no_grad():
    ...     y = w * w
    >>> y.requires_grad
    False
    """
    with mode(recording=False):
        yield


@contextmanager
def detect_anomaly() -> Iterator[None]:
    """Raise `AnomalyError` at the first node, forward or backward, whose value is not finite.

    Examples
    --------
    >>> import numpy as np, symgrad as sg
    >>> with np.errstate(all="ignore"), sg.detect_anomaly():
    ...     try:
    ...         sg.log(sg.tensor([1.0, 0.0], name="p"))
    ...     except sg.AnomalyError as error:
    ...         print(error)
    log: produced -inf at index (1,) from inputs p float64(2,); all inputs were finite
    """
    with mode(anomaly=True):
        yield


@contextmanager
def scope(name: str) -> Iterator[None]:
    """Mark the nodes that are traced in this block as inside the module of this name."""
    current = MODE.get()
    if current is None or current.trace is None:
        yield
        return
    with mode(scope=(*current.scope, name)):
        yield


@dataclass(slots=True)
class Run:
    """Mode, seed and step of a computation: the only source of randomness.

    Every draw is keyed by (seed, purpose, path, step, call number within the step), so that a run is
    a pure function of its configuration.
    """

    seed: int = 0
    step: int = 0
    training: bool = True
    calls: dict[str, int] = field(default_factory=dict)

    def at(self, step: int) -> Run:
        """The run at another step, with call numbers from 0."""
        return Run(self.seed, step, self.training)

    def key(self, purpose: str, path: str) -> tuple[int, ...]:
        """The key of the next draw of this purpose at this path."""
        name = f"{purpose}:{path}"
        call = self.calls.get(name, 0)
        self.calls[name] = call + 1
        return (self.seed, zlib.crc32(name.encode()), self.step, call)


RUN: ContextVar[Run | None] = ContextVar("symgrad_run", default=None)


def generator(key: tuple[int, ...]) -> np.random.Generator:
    """The random generator of a key."""
    return np.random.default_rng(np.random.SeedSequence(key))


@contextmanager
def run(seed: int = 0, step: int = 0, training: bool = True) -> Iterator[Run]:
    """Give the block a seed and a step, which random layers need.

    Parameters
    ----------
    seed, step : int
        Non-negative; the pair decides every draw.
    training : bool
        Whether layers such as Dropout act as in training.

    Examples
    --------
    >>> import numpy as np, symgrad as sg
    >>> from symgrad import nn
    >>> drop = nn.Dropout(keep=0.5)
    >>> with sg.run(seed=0, step=3):
    ...     a = drop(sg.tensor(np.ones(5)))
    >>> with sg.run(seed=0, step=3):
    ...     b = drop(sg.tensor(np.ones(5)))
    >>> bool((a.numpy() == b.numpy()).all())
    True
    """
    if seed < 0 or step < 0:
        raise SymgradError(f"run: seed and step must be at least 0, got seed={seed}, step={step}")
    token = RUN.set(Run(seed, step, training))
    try:
        yield RUN.get()  # type: ignore[misc]
    finally:
        RUN.reset(token)


def current_run(what: str) -> Run:
    """The ambient Run, or an error that says how to make one."""
    found = RUN.get()
    if found is None:
        raise SymgradError(f"{what}: needs a Run for its random draws; use `with sg.run(seed=0, step=k): ...`")
    return found
