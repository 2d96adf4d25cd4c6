"""A time limit for derivations: the algebra looks at the clock between its steps."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from symgrad.errors import TimeLimitError

__all__ = ["part_of_limit", "time_limit", "within_limit"]

_UNTIL: ContextVar[tuple[float, float, str] | None] = ContextVar("until", default=None)


@contextmanager
def time_limit(seconds: float, what: str = "the derivation") -> Iterator[None]:
    """Let everything symbolic inside the block raise `TimeLimitError` after so many seconds.

    Parameters
    ----------
    seconds : float
        Of wall-clock time.
    what : str
        What the error calls it.

    Examples
    --------
    >>> import symgrad as sg
    >>> with time_limit(30):
    ...     d = sg.derive("softmax")
    """
    token = _UNTIL.set((time.perf_counter() + seconds, seconds, what))
    try:
        yield
    finally:
        _UNTIL.reset(token)


@contextmanager
def part_of_limit(share: float) -> Iterator[None]:
    """Let everything symbolic inside the block raise when this share of the time, if it is limited, is over."""
    until = _UNTIL.get()
    token = _UNTIL.set(until and (until[0] - (1 - share) * until[1], *until[1:]))
    try:
        yield
    finally:
        _UNTIL.reset(token)


def within_limit() -> None:
    """Raise if the time is over."""
    until = _UNTIL.get()
    if until is not None and time.perf_counter() > until[0]:
        raise TimeLimitError(
            f"{until[2]}: not done after {until[1]:g} s; name parts of the formula with sg.named (or --let), derive "
            "fewer arguments at once, or allow more time"
        )
