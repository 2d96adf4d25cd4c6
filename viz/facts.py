"""What all pictures of one reading share: what is to be shown, kinds of cards, statistics, names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from symgrad.shapes import same_shape
from symgrad.tensor import Tensor
from viz.derivatives import is_one
from viz.reading import Link, Reading

__all__ = ["Facts", "Look", "Names"]

_AUTOMATIC = {"loss": "L", "parameter": "p", "data": "c", "constant": "c"}


@dataclass(frozen=True, slots=True)
class Look:
    """What is shown: the passes (forward, backward, both), the labels, the rows, and what is known by serial.

    ``blank`` leaves room for the numbers instead of writing them.
    """

    mode: str = "forward"
    labels: str = "both"
    show: frozenset[str] = frozenset({"value", "grad", "shape", "norm"})
    grads: Mapping[int, Any] | None = None
    kinds: Mapping[int, str] = field(default_factory=dict)
    notes: Mapping[int, str] = field(default_factory=dict)
    blank: bool = False


class Facts:
    """What all pictures of one reading share: kinds, statistics, numbers of consumers, links by their reader."""

    def __init__(self, reading: Reading, look: Look) -> None:
        self.reading = reading
        self.kinds = _kinds(reading, look.kinds)
        self.notes = {reading.base[s]: text for s, text in look.notes.items() if s in reading.base}
        self.abstract = any(node.value is None for node in reading.nodes)
        self.place = {node.serial: k for k, node in enumerate(reading.nodes)}
        self.consumers = [0] * len(reading.nodes)
        self.into: list[list[Link]] = [[] for _ in reading.nodes]
        for link in reading.links:
            self.consumers[link.source] += link.flows
            self.into[link.target].append(link)
        self.statistics = _statistics(reading)


def _statistics(reading: Reading) -> dict[int, tuple[int, ...]]:
    """Cards that a reduction makes and that are spread again over what was reduced, with the axes."""
    found: dict[int, tuple[int, ...]] = {}
    nodes = reading.nodes
    spread = {e.source for e in reading.links if any(not same_shape(x.shape, nodes[e.source].shape) for x, _ in e.path)}
    for k in spread:
        node = nodes[k]
        if node.op is not None and node.op.indices in ("sum", "mean"):
            below = len(node.inputs[0].shape)
            axes = node.params[0] if node.params else None
            axes = range(below) if axes is None else (axes,) if isinstance(axes, int) else axes
            found[k] = tuple(a % below for a in axes) if below else ()
    return found


def _longest(count: int, links: list[Link]) -> list[int]:
    """The length of the longest path from each card to the end."""
    depth = [0] * count
    for link in sorted(links, key=lambda e: -e.target):
        depth[link.source] = max(depth[link.source], depth[link.target] + 1)
    return depth


def _kinds(reading: Reading, given: Mapping[int, str]) -> list[str]:
    """The kind of every card. Data that enters after every parameter (the target) is a constant."""
    kinds = []
    depth = _longest(len(reading.nodes), reading.links)
    entry = min((d for n, d in zip(reading.nodes, depth, strict=True) if n.op is None and n.requires_grad), default=0)
    for k, node in enumerate(reading.nodes):
        if node.serial in given:
            kind = given[node.serial]
        elif k == reading.root and node.op is not None:
            kind = "loss"
        elif node.op is not None:
            kind = "intermediate"
        elif node.requires_grad:
            kind = "parameter"
        else:
            late = depth[k] < entry or node.dtype.kind != "f" or node.name is None
            kind = "constant" if late else "data"
        kinds.append(kind)
    return kinds


class Names:
    """The given name of every node, or a short automatic one that nobody else has, in the order of asking."""

    def __init__(self, reading: Reading, kinds: list[str]) -> None:
        self.reading, self.kinds = reading, kinds
        self.taken = {name for name, _ in reading.names.values()}
        self.counters: dict[str, int] = {}
        self.found: dict[int, tuple[str, str | None]] = {}

    def __getitem__(self, k: int) -> tuple[str, str | None]:
        if k not in self.found:
            node = self.reading.nodes[k]
            self.found[k] = self.reading.names.get(node.serial) or (self._automatic(node, self.kinds[k]), None)
        return self.found[k]

    def _automatic(self, node: Tensor, kind: str) -> str:
        letter = _AUTOMATIC.get(kind, "v") if kind != "loss" or is_one(node) else "y"
        name = letter if letter == "L" else ""
        while not name or name in self.taken:
            self.counters[letter] = self.counters.get(letter, 0) + 1
            name = f"{letter}{self.counters[letter]}"
        self.taken.add(name)
        return name
