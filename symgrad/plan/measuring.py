"""What a plan costs: floating-point operations, and seconds per line."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.graph import Graph
from symgrad.passes import builtin_name
from symgrad.shapes import size_of
from symgrad.tensor import Tensor

if TYPE_CHECKING:
    from symgrad.plan.program import Plan

__all__ = ["Line", "flops", "profile"]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a plan's source, the module that it belongs to, and its time in seconds per call."""

    number: int
    text: str
    scope: str
    seconds: float


def flops(graph: Graph) -> int:
    """Floating-point operations of one run: 2 per product and sum of a contraction, 1 per element of anything else."""
    return sum(_work(node) for node in graph.nodes if node.op is not None and not node.op.outputs)


def _work(node: Tensor) -> int:
    name = builtin_name(node)
    if node.op.view or node.op.identity or name in ("const", "concatenate", "size"):  # type: ignore[union-attr]
        return 0
    if name == "matmul":
        return 2 * int(size_of(node.shape)) * int(node.inputs[0].shape[-1])
    if name == "einsum":
        letters = dict(zip(node.params[0].partition("->")[0].replace(",", ""),
                           [n for x in node.inputs for n in x.shape], strict=True))  # fmt: skip
        return len(node.inputs) * int(np.prod(list(letters.values()), dtype=np.int64))
    inputs = [int(size_of(x.shape)) for x in node.inputs if x.op is None or not x.op.outputs]
    return max([int(size_of(node.shape)), *inputs])


def profile(plan: Plan, arrays: tuple[Any, ...], repeats: int) -> list[Line]:
    """The shortest time of every line of a plan in some runs; the state of the plan stays as it was."""
    lines = plan.source.partition("\n\n")[0].splitlines()
    ticks: list[float] = []
    pieces: dict[int, list[float]] = {}
    timed, inside = [lines[0]], [lines[0]]
    for line in lines[1:]:
        comment = line.strip().startswith("#")
        timed += [] if comment else ["    tick()", line]
        inside += [] if comment else [line]
    namespace = {**plan.namespace, "tick": lambda: ticks.append(time.perf_counter())}
    step = _defined(timed, namespace)
    dissected = _defined(inside, {**plan.namespace, "fused": _dissector(plan, pieces)}) if plan.programs else None
    best: Any = None
    before = plan.freeze()
    with np.errstate(all="ignore"):
        for _ in range(repeats):
            ticks.clear()
            step(*arrays)
            found = np.diff([*ticks, time.perf_counter()])
            best = found if best is None else np.minimum(best, found)
            plan.thaw(before)
            if dissected is not None:
                dissected(*arrays)
                plan.thaw(before)
    return _lines(plan, lines, best, pieces)


def _defined(lines: list[str], namespace: dict[str, Any]) -> Any:
    exec(compile("\n".join(lines), "<profile>", "exec"), namespace)
    return namespace[lines[0][4 : lines[0].index("(")]]


def _dissector(plan: Plan, shortest: dict[int, list[float]]) -> Any:
    """What runs a program bit by bit, and keeps the shortest time of every bit in a dict, by the program's identity."""
    run = plan.namespace["fused"]

    def dissect(program: Any, numbers: Any) -> None:
        known = shortest.get(id(program), [])
        found = []
        for part, _ in parts(program):
            start = time.perf_counter()
            run(part, numbers)
            found.append(time.perf_counter() - start)
        shortest[id(program)] = [min(pair) for pair in zip(found, known or found, strict=True)]

    return dissect


def parts(program: Any) -> Iterator[tuple[Any, int]]:
    """Programs that do what a program does and end later and later, each with the number of its last row.

    First comes one without instructions. Of every segment there is one program per instruction, from the segment's
    beginning: after the last one everything is as after the whole.
    """
    yield program[:0], -1
    at = 0
    while at < len(program):
        once, each, after = program[at, [1, 2, 6]] if program[at, 0] == _SEGMENT else (0, 0, 0)
        stop = at + 1 + once + each + after
        for end in range(min(at + 2 + once, stop), stop + 1):
            part = program[at:end].copy()
            if part[0, 0] == _SEGMENT:
                part[0, 2] = min(each, end - at - 1 - once)
                part[0, 6] = end - at - 1 - once - part[0, 2]
            yield part, end - 1
        at = stop


_SEGMENT = -1  # as in `symgrad.plan.kernels`, which needs the extra


def _per_node(plan: Plan, pieces: dict[int, list[float]]) -> tuple[dict[str, float], dict[int, float]]:
    """Seconds of what every node adds, by its name; and of all nodes of a program, by its identity."""
    nodes: dict[str, float] = {}
    programs: dict[int, float] = {}
    tables = {id(table): table for table in plan.namespace.values()}
    for program, seconds in pieces.items():
        empty, before, start = seconds[0], seconds[0], -1
        for (part, row), now in list(zip(parts(tables[program]), seconds, strict=True))[1:]:
            if row + 1 - len(part) != start:  # another segment begins
                start, before = row + 1 - len(part), empty
            name, more = plan.programs[program][row], max(now - before, 0.0)
            nodes[name] = nodes.get(name, 0.0) + more
            programs[program] = programs.get(program, 0.0) + more
            before = now
    return nodes, programs


def _lines(plan: Plan, lines: list[str], best: Any, pieces: dict[int, list[float]]) -> list[Line]:
    """The lines of a plan with their times."""
    nodes, programs = _per_node(plan, pieces)
    result, scope, k = [], "", 0
    for number, line in enumerate(lines[1:], 2):
        text = line.strip()
        if text.startswith("#"):
            name, computes, _ = text[2:].partition(" = ")
            scope = scope if computes else text[2:]
            if computes and name in nodes:
                result.append(Line(number, text, scope, nodes[name]))
            continue
        seconds = float(best[k])
        if text.startswith("fused("):
            program = plan.namespace[text[len("fused(") : text.index(",")]]
            seconds = max(seconds - programs.get(id(program), 0.0), 0.0)
        result.append(Line(number, text, scope, seconds))
        k += 1
    return result
