"""An order of nodes in which the programs of `symgrad.plan.kernels` make few sweeps over memory.

A sweep is a set of nodes over one shape of which none waits for a reduction by another one. Sweeps are collected from
the last one to the first, and each takes what it can: everything is computed as late as possible, next to who reads it.
"""

from __future__ import annotations

from typing import Any

from symgrad.graph import Graph
from symgrad.passes import builtin_name
from symgrad.plan.choosing import chained, is_view, kind_of, swept
from symgrad.plan.programs import BLOCK, WHOLE, name_of
from symgrad.plan.repeating import repeat
from symgrad.plan.storage import orders_of
from symgrad.shapes import size_of
from symgrad.tensor import Tensor

__all__ = ["in_sweeps"]


def in_sweeps(graph: Graph) -> Graph:
    """The graph with the nodes of every chain in the order of few sweeps."""
    runs: list[list[Tensor]] = []
    kind: Any = None  # of the chain
    for node in sorted(graph.nodes, key=lambda x: bool(x.inputs)):
        own = kind_of(node)
        if not runs or not chained(node) or not chained(runs[-1][-1]) or (kind or own) != (own or kind):
            runs.append([])
            kind = None
        runs[-1].append(node)
        kind = own if own is not None else kind
    orders, overwriters = orders_of(graph), _overwriters(graph)
    order: list[Tensor] = []
    sweep_of: dict[int, int] = {}
    for run in runs:
        found = _Run(run, orders, overwriters)
        order += found.order() if chained(run[0]) else run
        sweep_of |= {serial: len(sweep_of) + k for k, sweep in enumerate(found.sweeps) for serial in sweep}
    return repeat(graph, order, sweep_of, overwriters)


class _Run:
    """Nodes that follow each other and may change places."""

    def __init__(self, nodes: list[Tensor], orders: dict[int, Any], overwriters: dict[int, list[Tensor]]) -> None:
        self.nodes, self.orders = nodes, orders
        self.sweeps: list[dict[int, Tensor]] = []  # from the last one to the first
        self.place = {node.serial: k for k, node in enumerate(nodes)}
        self.readers: dict[int, dict[int, bool]] = {node.serial: {} for node in nodes}  # and whether element by element
        self.reads: dict[int, list[Tensor]] = {node.serial: [] for node in nodes}
        for node in nodes:
            for x in () if _free(node) else node.inputs:
                for source in self._sources(x):
                    self._precedes(source, node, source is x)
                    for y in overwriters.get(source.serial, ()):  # who reads old values comes before they go
                        if self.place.get(y.serial, -1) > self.place[node.serial]:
                            self._precedes(node, y, True)

    def _sources(self, x: Tensor) -> list[Tensor]:
        """Whose memory a value shows: its own, or that of others."""
        if not _free(x):
            return [x]
        return [source for y in x.inputs for source in self._sources(y)]

    def _precedes(self, x: Tensor, y: Tensor, directly: bool) -> None:
        if x.serial not in self.place:
            return
        known = self.readers[x.serial]
        if y.serial not in known:
            self.reads[y.serial].append(x)
        known[y.serial] = known.get(y.serial, True) and directly

    def order(self) -> list[Tensor]:
        """The nodes sweep by sweep, each with the views that it reads in front of it."""
        waits = {serial: len(readers) for serial, readers in self.readers.items()}
        ready = {node.serial: node for node in self.nodes if not waits[node.serial] and not _free(node)}
        while ready:
            sweep: dict[int, Tensor] = {}
            space = self._space(max(ready.values(), key=self._urgency))
            while fits := [x for x in ready.values() if self._space(x) == space and self._joins(x, sweep)]:
                for node in fits:
                    sweep[node.serial] = ready.pop(node.serial)
                    for x in self.reads[node.serial]:
                        waits[x.serial] -= 1
                        ready |= {} if waits[x.serial] else {x.serial: x}
            self.sweeps.append(sweep)
        order: dict[int, Tensor] = {}
        found = [sorted(sweep.values(), key=lambda x: self.place[x.serial]) for sweep in reversed(self.sweeps)]
        for node in (*[node for sweep in found for node in sweep], *self.nodes):
            self._write(node, order)
        return list(order.values())

    def _write(self, node: Tensor, order: dict[int, Tensor]) -> None:
        for x in node.inputs:
            if x.serial in self.place and x.serial not in order:
                self._write(x, order)
        order[node.serial] = node

    def _joins(self, node: Tensor, sweep: dict[int, Tensor]) -> bool:
        """Whether everything in the sweep that reads a value does so block by block."""
        here = [directly for serial, directly in self.readers[node.serial].items() if serial in sweep]
        return not here or (all(here) and swept(node) is node)

    def _space(self, node: Tensor) -> Any:
        """What nodes of one sweep have in common."""
        if name_of(node) in WHOLE:
            return node.serial
        x = swept(node)
        return tuple(x.shape), self.orders.get(x.serial)

    def _urgency(self, node: Tensor) -> tuple[int, int]:
        """Short sweeps first, for those that come before them; else what has been the last one."""
        space = self._space(node)
        size = int(size_of(space[0])) if isinstance(space, tuple) else BLOCK + 1
        return -min(size, BLOCK + 1), self.place[node.serial]


def _free(node: Tensor) -> bool:
    """Whether a node costs nothing: a view, or parts that are computed in their place."""
    return is_view(node) or builtin_name(node) == "concatenate"


def _overwriters(graph: Graph) -> dict[int, list[Tensor]]:
    """Leaf -> the nodes that may write its new value in its place."""
    found: dict[int, list[Tensor]] = {}
    stand_ins = {leaf: s for leaf, s in graph.leaves}
    for leaf, new in graph.assigned:
        while is_view(new):
            new = new.inputs[0]
        if leaf in stand_ins:
            found.setdefault(stand_ins[leaf].serial, []).append(new)
    return found
