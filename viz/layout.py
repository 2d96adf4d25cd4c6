"""Where everything goes. Graphviz does the layout, of plain boxes of fixed size; no text reaches it.

A label is a box of its own in the middle of its edge, so that it can collide with nothing, and the
spine is one `group` of heavy edges, which dot then draws straight.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from viz.measure import card_size, label_size
from viz.scene import Edge, Scene

__all__ = ["Box", "Layout", "Point", "layout_source", "place"]

Point = tuple[float, float]
_MARGIN = 16.0


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle by its centre."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Layout:
    """Boxes of cards, and for every edge its cubic Bezier points and the box of its label."""

    width: float
    height: float
    cards: tuple[Box, ...]
    labels: tuple[Box, ...]
    curves: tuple[tuple[Point, ...], ...]


def _size(edge: Edge) -> tuple[float, float]:
    return label_size(edge.label) if edge.label is not None else (26.0, 10.0)


_ORDER = {"constant": 0, "forward": 1, "twin": 1}


def layout_source(scene: Scene) -> str:
    """The DOT of the boxes: cards n0, n1, ..., labels e0, e1, ..."""
    spine = set(scene.spine)
    pairs = dict(zip(scene.spine, scene.spine[1:], strict=False))
    lines = ["digraph g {", " graph [rankdir=LR nodesep=0.26 ranksep=0.26 ordering=in splines=true];",
             ' node [shape=box fixedsize=true label=""]; edge [dir=none];']  # fmt: skip
    for k, card in enumerate(scene.cards):
        lines.append(f" n{k} [{_inches(*card_size(card))}{' group=s' if k in spine else ''}];")
    straight: dict[tuple[int, int], int] = {}
    for j, edge in enumerate(scene.edges):
        if pairs.get(edge.source) == edge.target and edge.strand != "constant":
            straight.setdefault((edge.source, edge.target), j)
    first = set(straight.values())
    for j, edge in enumerate(scene.edges):
        lines.append(f" e{j} [{_inches(*_size(edge))}{' group=s' if j in first else ''}];")
    above = sorted(range(len(scene.edges)), key=lambda j: _height(scene, j, first))
    for j in above:
        edge = scene.edges[j]
        weight = " weight=60" if j in first else ""
        lines.append(f" n{edge.source} -> e{j} [headport=w{weight}]; e{j} -> n{edge.target} [tailport=e{weight}];")
    return "\n".join([*lines, "}", ""])


def _height(scene: Scene, j: int, first: set[int]) -> tuple[int, int, int]:
    """Order of the arguments of a card from above: targets, what is computed, the spine, parameters."""
    edge = scene.edges[j]
    kind = scene.cards[edge.source].kind
    level = 0 if edge.strand == "constant" else 3 if kind == "parameter" else 1 if j not in first else 2
    return edge.target, level, j


def _inches(width: float, height: float) -> str:
    return f"width={width / 72:.4f} height={height / 72:.4f}"


def place(scene: Scene, run: Callable[[str], str]) -> Layout:
    """The layout of a scene; ``run`` turns DOT into Graphviz's `plain` format."""
    if not scene.cards:
        return Layout(200.0, 60.0, (), (), ())
    boxes: dict[str, Box] = {}
    halves: dict[tuple[str, str], list[Point]] = {}
    height = width = 0.0
    for line in run(layout_source(scene)).splitlines():
        word = line.split()
        if word[0] == "graph":
            width, height = float(word[2]) * 72, float(word[3]) * 72
        elif word[0] == "node":
            x, y, w, h = (float(v) * 72 for v in word[2:6])
            boxes[word[1]] = Box(_round(x + _MARGIN), _round(height - y + _MARGIN), w, h)
        elif word[0] == "edge":
            numbers = [float(v) * 72 for v in word[4 : 4 + 2 * int(word[3])]]
            points = zip(numbers[::2], numbers[1::2], strict=True)
            halves[word[1], word[2]] = [(_round(x + _MARGIN), _round(height - y + _MARGIN)) for x, y in points]
    cards = tuple(Box(boxes[f"n{k}"].x, boxes[f"n{k}"].y, *card_size(card)) for k, card in enumerate(scene.cards))
    labels = tuple(boxes[f"e{j}"] for j in range(len(scene.edges)))
    curves = []
    for j, edge in enumerate(scene.edges):
        start, end = halves[f"n{edge.source}", f"e{j}"], halves[f"e{j}", f"n{edge.target}"]
        others = [b for k, b in enumerate(cards) if k not in (edge.source, edge.target)]
        others += [b for k, b in enumerate(labels) if k != j]
        curves.append(_joined(_eased(start, labels[j], others), labels[j], _eased(end[::-1], labels[j], others)[::-1]))
    return Layout(_round(width + 2 * _MARGIN), _round(height + 2 * _MARGIN), cards, labels, tuple(curves))


def _round(value: float) -> float:
    return round(value, 1)


def _eased(half: list[Point], label: Box, others: list[Box]) -> list[Point]:
    """Half of an edge, from a card to its label, without the detour that dot makes around nothing."""
    (x, y), (end, _) = half[0], half[-1]
    level = label.y
    if all(min(y, level) - 3 <= q <= max(y, level) + 3 for _, q in half):
        return half
    for lead in (0.2, 0.08, 0.0):
        direct = [(x, y), (_round(x + lead * (end - x)), level), (_round(end - 0.6 * (end - x)), level), (end, level)]
        if not any(_inside(_point(direct, t / 20), box) for t in range(1, 20) for box in others):
            return direct
    return half


def _point(p: list[Point], t: float) -> Point:
    """A point of one cubic Bezier segment."""
    s = 1 - t
    weights = (s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t)
    x = sum(w * q[0] for w, q in zip(weights, p, strict=True))
    return x, sum(w * q[1] for w, q in zip(weights, p, strict=True))


def _inside(point: Point, box: Box) -> bool:
    return abs(point[0] - box.x) < box.width / 2 + 1 and abs(point[1] - box.y) < box.height / 2 + 1


def _joined(start: list[Point], label: Box, end: list[Point]) -> tuple[Point, ...]:
    """Both halves and the straight line below the label as one curve."""
    left, right = (_round(label.x - label.width / 2), label.y), (_round(label.x + label.width / 2), label.y)
    third = (right[0] - left[0]) / 3
    middle = [(_round(left[0] + third), label.y), (_round(right[0] - third), label.y)]
    return (*start[:-1], left, *middle, right, *end[1:])
