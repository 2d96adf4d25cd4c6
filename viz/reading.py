"""From Tensors to the nodes of a picture: which become cards, what they are called, how they depend on each other.

Identity ops (`named`, `alias`) and unnamed changes of shape alone never become cards: their name goes
to what they name. Literals stand in the formulas. All walks are loops, so long chains do not recurse.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from symgrad.tensor import Tensor, check_fresh, reachable
from viz.subject import scopes_of

__all__ = ["Link", "Reading", "arguments", "is_literal", "read"]


@dataclass(frozen=True, slots=True)
class Link:
    """One argument of a card: where it comes from, and whether gradients flow back along it.

    ``path`` leads from the card's own op down through the ops written into its formula: each Tensor
    with the position of the argument that is followed.
    """

    source: int
    target: int
    position: int
    path: tuple[tuple[Tensor, int], ...]
    flows: bool


@dataclass(slots=True)
class Reading:
    """The cards of a graph in topological order: Tensors, names, links."""

    nodes: list[Tensor] = field(default_factory=list)
    names: dict[int, tuple[str, str | None]] = field(default_factory=dict)  # by serial: name and LaTeX
    base: dict[int, int] = field(default_factory=dict)  # serial -> serial of the card's Tensor
    by_serial: dict[int, Tensor] = field(default_factory=dict)
    inlined: dict[int, int] = field(default_factory=dict)  # serials written into formulas, with their numbers of ops
    links: list[Link] = field(default_factory=list)
    roots: list[int] = field(default_factory=list)  # cards of what is drawn
    scopes: dict[int, tuple[str, ...]] = field(default_factory=dict)  # modules around a node, by serial

    @property
    def root(self) -> int | None:
        """The one card that all leads to, if there is one."""
        return self.roots[0] if len(self.roots) == 1 else None


def is_literal(node: Tensor) -> bool:
    """Whether a node is written into formulas and gets no card: constants, sizes, unnamed indices."""
    if node.op is not None:
        return node.op.indices in ("const", "size")
    return node.name is None and node.value is not None and node.value.dtype.kind in "iub"


def _is_mark(node: Tensor) -> bool:
    """Whether a node only marks its input: a name, an alias, another element type."""
    return node.op is not None and len(node.inputs) == 1 and node.op.indices == "identity" and node.op.pullback != ()


def _is_silent(node: Tensor) -> bool:
    """Whether a node only changes the shape, in a way that its notation does not show."""
    return node.op is not None and len(node.inputs) == 1 and node.op.notation == "{0}" and node.op.pullback != ()


def _collect(order: list[Tensor], reading: Reading) -> None:
    """Decide the card that every node belongs to, and gather names."""
    base, names = reading.base, reading.names
    leaves = set()
    for node in order:
        check_fresh(node)
        marks = _is_mark(node) and not is_literal(node.inputs[0])
        below = base[node.serial] = base[node.inputs[0].serial] if marks else node.serial
        if node.op is None:
            leaves.add(node.serial)
        if node.name is not None and not (marks and below in leaves and below in names):
            names[below] = (node.name, node.latex)  # the last name is the author's own, but a leaf keeps its own
    for node in order:  # unnamed changes of shape join what they change
        if base[node.serial] == node.serial and _is_silent(node) and node.serial not in names:
            base[node.serial] = node.inputs[0].serial
        base[node.serial] = base[base[node.serial]]


def read(roots: Iterable[Tensor], inline: bool | None = None) -> Reading:
    """The cards below the roots.

    ``inline`` writes short unnamed steps into the formula of what reads them; by default where
    tensors have several elements.
    """
    roots = list(roots)
    order = reachable(roots)
    reading = Reading(by_serial={node.serial: node for node in order}, scopes=scopes_of(order))
    _collect(order, reading)
    bases = list(dict.fromkeys(reading.base[root.serial] for root in roots))
    if inline if inline is not None else any(_is_large(node) for node in order):
        _inline(order, reading, set(bases))
    cards = [s for s, b in reading.base.items() if s == b and s not in reading.inlined]
    cards = [s for s in cards if s in bases or not is_literal(reading.by_serial[s])]
    reading.nodes = [reading.by_serial[s] for s in cards]
    place = {node.serial: k for k, node in enumerate(reading.nodes)}
    reading.roots = [place[s] for s in bases]
    for target, node in enumerate(reading.nodes):
        for position, (below, path) in enumerate(arguments(node, reading)):
            flows = all(_flows(step, k) for step, k in path)
            reading.links.append(Link(place[below], target, position, path, flows))
    return reading


def arguments(node: Tensor, reading: Reading) -> Iterator[tuple[int, tuple[tuple[Tensor, int], ...]]]:
    """The cards that a card reads, in the order of its formula, each with the path to it."""
    stack: list[tuple[Tensor, tuple[tuple[Tensor, int], ...]]] = [(node, ())]
    while stack:
        at, path = stack.pop()
        if path:
            below = reading.base[at.serial]
            if below not in reading.inlined:
                if not is_literal(reading.by_serial[below]):
                    yield below, path
                continue
            at = reading.by_serial[below]
        stack += [(x, (*path, (at, k))) for k, x in reversed(list(enumerate(at.inputs)))]


def _is_large(node: Tensor) -> bool:
    return node.value is None or (isinstance(node.value, np.ndarray) and node.value.size > 1 and not is_literal(node))


def _inline(order: list[Tensor], reading: Reading, bases: set[int]) -> None:
    """Choose the nodes that are written into the formula of their only reader."""
    readers: dict[int, list[Tensor]] = {}
    for node in order:
        if reading.base[node.serial] == node.serial:
            for x in node.inputs:
                readers.setdefault(reading.base[x.serial], []).append(node)
    for node in order:
        serial = node.serial
        if serial in bases or reading.base[serial] != serial or serial in reading.names:
            continue
        (reader, *more) = readers.get(serial, (None,))
        if reader is None or more or reading.scopes.get(serial, ()) != reading.scopes.get(reader.serial, ()):
            continue
        if _is_short(node) and _takes(reader):
            below = [reading.inlined.get(reading.base[x.serial], 0) for x in node.inputs]
            reduces = node.op is not None and node.op.indices in _REDUCTIONS
            if sum(below) < _OPS and not (reduces and any(below)):
                reading.inlined[serial] = 1 + sum(below)


_OPS = 3  # ops that one argument of a formula may hold
_REDUCTIONS: tuple[Any, ...] = ("sum", "mean")


def _is_short(node: Tensor) -> bool:
    """Whether an op reads well inside another formula."""
    op = node.op
    if op is None or op.notation is None or op.outputs or op.pullback == () or is_literal(node):
        return False
    return op.indices == "elementwise" or op.indices in _REDUCTIONS or callable(op.indices)


def _takes(node: Tensor) -> bool:
    return node.op is not None and node.op.notation is not None and node.op.arity is not None and not node.op.outputs


def _flows(node: Tensor, position: int) -> bool:
    """Whether the node's rule sends a gradient to this argument."""
    rule = node.op.pullback if node.op is not None else ()
    if rule is None or rule == () or not node.inputs[position].requires_grad:
        return False
    return not isinstance(rule, tuple) or (position < len(rule) and rule[position] is not None)
