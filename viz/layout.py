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
    straight = {}
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
    cards = tuple(
        Box(boxes[f"n{k}"].x, boxes[f"n{k}"].y, *card_size(card)) for k, card in enumerate(scene.cards)
    )
    labels = tuple(boxes[f"e{j}"] for j in range(len(scene.edges)))
    curves = tuple(
        _joined(halves[f"n{e.source}", f"e{j}"], labels[j], halves[f"e{j}", f"n{e.target}"])
        for j, e in enumerate(scene.edges)
    )
    return Layout(_round(width + 2 * _MARGIN), _round(height + 2 * _MARGIN), cards, labels, curves)


def _round(value: float) -> float:
    return round(value, 1)


def _joined(start: list[Point], label: Box, end: list[Point]) -> tuple[Point, ...]:
    """Both halves and the straight line below the label as one curve."""
    left, right = (_round(label.x - label.width / 2), label.y), (_round(label.x + label.width / 2), label.y)
    third = (right[0] - left[0]) / 3
    middle = [(_round(left[0] + third), label.y), (_round(right[0] - third), label.y)]
    return (*start[:-1], left, *middle, right, *end[1:])
