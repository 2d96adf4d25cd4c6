"""What a plan costs: floating-point operations, and seconds per line."""

from __future__ import annotations

import time
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
    timed = [lines[0]]
    for line in lines[1:]:
        comment = line.strip().startswith("#")
        timed += [] if comment else ["    tick()", line]
    namespace = {**plan.namespace, "tick": lambda: ticks.append(time.perf_counter())}
    exec(compile("\n".join(timed), "<profile>", "exec"), namespace)
    step = namespace[lines[0][4 : lines[0].index("(")]]
    best: Any = None
    before = plan.freeze()
    with np.errstate(all="ignore"):
        for _ in range(repeats):
            ticks.clear()
            step(*arrays)
            found = np.diff([*ticks, time.perf_counter()])
            best = found if best is None else np.minimum(best, found)
            plan.thaw(before)
    result, scope, k = [], "", 0
    for number, line in enumerate(lines[1:], 2):
        text = line.strip()
        if text.startswith("#"):
            scope = text[2:] if " = " not in text else scope
            continue
        result.append(Line(number, text, scope, float(best[k])))
        k += 1
    return result
