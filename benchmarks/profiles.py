"""Where a contender's time goes, told by a profile of the process that is timed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["Share", "of_plan", "of_python"]

CALL = re.compile(r"(?:[\w, ]+ = )?(\w+)\(")
SIGN = re.compile(r" ([-+*/@<>=!&|]{1,2}) ")
NAMES = {"@": "dot", "+": "add", "-": "subtract", "*": "multiply", "/": "divide"}
BUILT_IN = re.compile(r"<(?:built-in )?(?:method |function )?'?([\w.]+).*>")
Share = tuple[str, int, float]
"""What is called, how often, and its part of the time."""


def of_plan(plan: Any) -> list[Share]:
    """The parts of a compiled step by what its lines call, from ``plan.profile()``."""
    return _shares((_operation(line.text), 1, line.seconds) for line in plan.profile())


def _operation(line: str) -> str:
    """What a line calls, or the comment does that shows a part of a program."""
    if call := CALL.match(line.removeprefix("# ")):
        return call[1]
    if not line.startswith("# "):
        return "Python"
    sign = SIGN.search(line.partition(" = ")[2])
    return NAMES.get(sign[1], sign[1]) if sign else "others"


def of_python(step: Callable[[], Any]) -> list[Share]:
    """The parts of a step that runs eagerly by function, callees apart."""
    import cProfile  # only here: the memory of contenders is measured
    import pstats

    watch = cProfile.Profile()
    watch.runcall(step)
    rows = pstats.Stats(watch).stats.items()  # type: ignore[attr-defined]
    return _shares((BUILT_IN.sub(r"\1", name), calls, own)
                   for (_, _, name), (_, calls, own, _, _) in rows)  # fmt: skip


def _shares(parts: Iterable[tuple[str, int, float]], most: int = 6) -> list[Share]:
    counts, seconds = defaultdict[str, int](int), defaultdict[str, float](float)
    for name, count, spent in parts:
        counts[name] += count
        seconds[name] += spent
    total = sum(seconds.values()) or 1.0
    names = sorted(seconds, key=seconds.__getitem__, reverse=True)
    rest = [("others", sum(counts[n] for n in names[most:]), sum(seconds[n] for n in names[most:]) / total)]
    return [(n, counts[n], seconds[n] / total) for n in names[:most]] + rest * (len(names) > most)
