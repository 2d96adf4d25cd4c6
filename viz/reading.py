"""From Tensors to the nodes of a picture: which become cards, what they are called, how they depend on each other.

Identity ops (`named`, `alias`) and unnamed changes of shape alone never become cards: their name goes
to what they name. Literals stand in the formulas. All walks are loops, so long chains do not recurse.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from symgrad.tensor import Tensor, check_fresh, reachable

__all__ = ["Link", "Reading", "is_literal", "read"]


@dataclass(frozen=True, slots=True)
class Link:
    """One argument of a node: the card it comes from, and whether gradients flow back along it."""

    source: int
    target: int
    position: int
    flows: bool


@dataclass(slots=True)
class Reading:
    """The cards of a graph in topological order: Tensors, names, links."""

    nodes: list[Tensor] = field(default_factory=list)
    names: dict[int, tuple[str, str | None]] = field(default_factory=dict)  # by serial: name and LaTeX
    base: dict[int, int] = field(default_factory=dict)  # serial -> serial of the card's Tensor
    links: list[Link] = field(default_factory=list)
    cut: list[int] = field(default_factory=list)  # cards with inputs that are left out
    root: int | None = None
    left_out: int = 0


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


def read(roots: Iterable[Tensor], limit: int) -> Reading:
    """The cards below the roots; over the limit, those nearest to the roots."""
    roots = list(roots)
    order = reachable(roots)
    reading = Reading()
    _collect(order, reading)
    by_serial = {node.serial: node for node in order}
    bases = list(dict.fromkeys(reading.base[root.serial] for root in roots))
    cards = [s for s, b in reading.base.items() if s == b and (s in bases or not is_literal(by_serial[s]))]
    kept = _nearest(bases, by_serial, reading, limit) if len(cards) > limit else set(cards)
    reading.left_out = len(cards) - len(kept)
    reading.nodes = [by_serial[s] for s in cards if s in kept]
    place = {node.serial: k for k, node in enumerate(reading.nodes)}
    reading.root = place[bases[0]] if len(bases) == 1 else None
    for node in reading.nodes:
        for position, x in enumerate(node.inputs):
            source = place.get(reading.base[x.serial])
            if source is not None:
                reading.links.append(Link(source, place[node.serial], position, _flows(node, x, position)))
            elif not is_literal(by_serial[reading.base[x.serial]]):
                reading.cut.append(place[node.serial])
    return reading


def _flows(node: Tensor, x: Tensor, position: int) -> bool:
    """Whether the node's rule sends a gradient to this argument."""
    rule = node.op.pullback if node.op is not None else ()
    if rule is None or rule == () or not x.requires_grad:
        return False
    return not isinstance(rule, tuple) or (position < len(rule) and rule[position] is not None)


def _nearest(bases: list[int], by_serial: dict[int, Tensor], reading: Reading, limit: int) -> set[int]:
    """The cards fewest steps below the roots, breadth first."""
    kept = dict.fromkeys(bases)
    queue = list(kept)
    for serial in queue:
        for x in by_serial[serial].inputs:
            below = reading.base[x.serial]
            if below not in kept and not is_literal(by_serial[below]) and len(kept) < limit - 1:
                kept[below] = None
                queue.append(below)
    return set(kept)
