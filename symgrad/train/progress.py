"""The progress bar, and the way out by Ctrl-C or SIGTERM."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["interruptible", "progress_bar"]


@contextmanager
def progress_bar(steps: int, shown: bool | None) -> Iterator[Callable[[str], None]]:
    """A bar on stderr; the block gets a function that advances it by one step, with a text.

    Parameters
    ----------
    steps : int
    shown : bool, optional
        By default only where stderr is a terminal.
    """
    if not (sys.stderr.isatty() if shown is None else shown):
        yield lambda text: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=steps)
        yield lambda text: bar.update(task, advance=1, description=text)


@contextmanager
def interruptible(stop: Callable[[int], None]) -> Iterator[None]:
    """Let the first Ctrl-C, or SIGTERM, in the block call `stop` with its number; a second one does as usual."""
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
        # Left alone: what is ignored (in the background, Ctrl-C is meant for others), and what is not Python's.
        before = {n: handler for n, handler in before.items() if handler not in (signal.SIG_IGN, None)}

    def as_before() -> None:
        for n, handler in before.items():
            signal.signal(n, handler)

    def handler(number: int, frame: object) -> None:
        as_before()
        stop(number)

    for n in before:
        signal.signal(n, handler)
    try:
        yield
    finally:
        as_before()
