"""What several sweeps over memory read, computed by each of them where that is quicker than to store and load it."""

from __future__ import annotations

from collections.abc import Iterable

from symgrad.graph import Graph
from symgrad.passes import builtin_name, remake, rewrite
from symgrad.plan.choosing import is_view, swept
from symgrad.plan.programs import WHOLE, name_of
from symgrad.shapes import size_of
from symgrad.tensor import Tensor

__all__ = ["repeat"]

_CHEAP = ("add", "subtract", "multiply", "negative", "relu")
_LARGE = 1 << 20  # bytes: of several such arrays, the second-level cache holds less, and the third is slow


def repeat(graph: Graph, order: list[Tensor], sweep_of: dict[int, int], overwritten: Iterable[int]) -> Graph:
    """The graph in this order, with a copy of what takes one operation on one large array in every sweep that reads it.

    Parameters
    ----------
    graph : Graph
    order : list of Tensor
    sweep_of : dict
        Serial of a node -> number of its sweep.
    overwritten : iterable of int
        Serials of the leaves that get new values: what is computed from them is not the same later.
    """
    once = _once(graph, sweep_of, set(overwritten))
    old: dict[int, Tensor] = {}  # serial of a new node -> the node that it replaces
    copies: dict[tuple[int, int], Tensor] = {}

    def here(x: Tensor, sweep: int) -> Tensor:
        was = old[x.serial].serial if x.serial in old else None
        if was is None or was in once or sweep_of.get(was, sweep) == sweep:
            return x
        if (was, sweep) not in copies:
            copies[was, sweep] = remake(x, tuple([here(y, sweep) for y in x.inputs]))
        return copies[was, sweep]

    def rule(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
        sweep = sweep_of.get(node.serial)
        new = remake(node, inputs if sweep is None else tuple([here(x, sweep) for x in inputs]))
        old[new.serial] = node
        return new

    return rewrite(graph, rule, order)


def _once(graph: Graph, sweep_of: dict[int, int], overwritten: set[int]) -> set[int]:
    """The nodes that are computed once: all that are not cheap, or that somebody reads but sweeps of their shape."""
    once = {y.serial for y in graph.roots}
    for node in graph.nodes:
        if not _is_cheap(node, overwritten) or node.serial not in sweep_of:
            once.add(node.serial)
        over = swept(node).shape if node.serial in sweep_of and name_of(node) not in WHOLE else None
        once |= {x.serial for x in node.inputs if over is None or tuple(x.shape) != tuple(over)}
    return once


def _is_cheap(node: Tensor, overwritten: set[int]) -> bool:
    """Whether a node is one quick operation on one large array that is there all the time."""
    if builtin_name(node) not in _CHEAP or int(size_of(node.shape)) * node.dtype.itemsize < _LARGE:
        return False
    full = [x for x in node.inputs if tuple(x.shape) == tuple(node.shape)]
    core = full[0] if full else node
    while is_view(core):
        core = core.inputs[0]
    return len(full) == 1 and core.serial not in overwritten and builtin_name(core) != "concatenate"
