"""Leaves that hang on the one card that reads them: parameters below, targets above (or at its sides)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from viz.measure import card_size, label_size
from viz.scene import Edge, Scene

__all__ = ["Hung", "hang"]

_GAP = 24.0  # between a card and what hangs on it without a label
_APART = 14.0  # between neighbours
_BESIDE = 7.0  # between a strand and its label
_MOST = 4  # leaves that hang on one side of a card
Point = tuple[float, float]


@dataclass(slots=True)
class Hung:
    """What hangs where: offsets of hung cards from the centre of the box that Graphviz places."""

    scene: Scene
    down: bool
    on: dict[int, int] = field(default_factory=dict)  # hung card -> the card that it hangs on
    edges: dict[int, int] = field(default_factory=dict)  # their edges -> side on which the label stands
    offsets: dict[int, Point] = field(default_factory=dict)
    extents: dict[int, tuple[float, float, float, float]] = field(default_factory=dict)  # left, right, up, down

    @property
    def cards(self) -> dict[int, int]:
        """The cards that Graphviz does not place."""
        return self.on

    @property
    def by_card(self) -> dict[int, tuple[float, float, float, float]]:
        """The cards on which something hangs."""
        return self.extents

    def size(self, k: int) -> tuple[float, float]:
        """The box of a card with all that hangs on it: the card is in its middle across the direction of flow."""
        if k not in self.extents:
            return card_size(self.scene.cards[k])
        left, right, up, low = self.extents[k]
        return (2 * max(left, right), up + low) if self.down else (left + right, 2 * max(up, low))

    def offset(self, k: int) -> Point:
        """From the centre of Graphviz's box to the centre of the card."""
        home = self.on.get(k, k)
        left, right, up, low = self.extents.get(home, (0.0, 0.0, 0.0, 0.0))
        own = self.offsets.get(k, (0.0, 0.0))
        return (own[0], own[1] + (up - low) / 2) if self.down else (own[0] + (left - right) / 2, own[1])

    def drawn(self, j: int, source: Any, target: Any, box: Callable[..., Any]) -> tuple[Any, tuple[Point, ...]]:
        """The label's box and the curve of the edge of a hung card."""
        edge, side = self.scene.edges[j], self.edges[j]
        width, height = label_size(edge.label) if edge.label is not None else (0.0, 0.0)
        if self.down:
            sign = 1 if source.x > target.x else -1
            a = (source.x - sign * source.width / 2, source.y)
            b = (target.x + sign * target.width / 2, _clamped(source.y, target.y, target.height))
            level = min(a[1], b[1]) - height / 2 - 3
            label = box(_r((a[0] + b[0]) / 2), _r(level), width, height)
        else:
            sign = 1 if source.y > target.y else -1
            a = (source.x, source.y - sign * source.height / 2)
            b = (_clamped(source.x, target.x, target.width), target.y + sign * target.height / 2)
            label = box(_r(a[0] + side * (width / 2 + _BESIDE)), _r((a[1] + b[1]) / 2), width, height)
        bend = [(a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t) for t in (1 / 3, 2 / 3)]
        return label, tuple((_r(x), _r(y)) for x, y in (a, *bend, b))


def _clamped(x: float, centre: float, size: float) -> float:
    half = max(size / 2 - 14, 0)
    return min(max(x, centre - half), centre + half)


def _r(x: float) -> float:
    return round(x, 1)


def hang(scene: Scene, down: bool) -> Hung:
    """Which leaves hang, and where."""
    hung = Hung(scene, down)
    readers: dict[int, list[int]] = {}
    reads = {edge.target for edge in scene.edges}
    for j, edge in enumerate(scene.edges):
        readers.setdefault(edge.source, []).append(j)
    spine = set(scene.spine)
    sides: dict[tuple[int, bool], list[tuple[int, int]]] = {}
    for k, card in enumerate(scene.cards):
        below = card.kind == "parameter"
        if (
            k in reads
            or k in spine
            or len(readers.get(k, ())) != 1
            or card.kind not in ("parameter", "constant", "data")
        ):
            continue
        (j,) = readers[k]
        sides.setdefault((scene.edges[j].target, below), []).append((k, j))
    for (target, below), leaves in sides.items():
        if len(leaves) <= _MOST and (below or target in spine):
            _arrange(hung, target, below, leaves)
    return hung


def _arrange(hung: Hung, target: int, below: bool, leaves: list[tuple[int, int]]) -> None:
    """Side by side (above each other in a top-down picture), in the middle of the card."""
    scene, down = hung.scene, hung.down
    width, height = card_size(scene.cards[target])
    old = hung.extents.get(target, (width / 2, width / 2, height / 2, height / 2))
    left, right, up, low = old
    labels = [_label(scene.edges[j]) for _, j in leaves]
    clearance = _clearance(scene, target, leaves) if not below else 0.0
    sizes = [card_size(scene.cards[k]) for k, _ in leaves]
    if down:
        gap = max([_GAP, *(w + 24 for w, _ in labels if w)]) + clearance
        heights = [max(h, 2 * lh + 8) for (_, h), (_, lh) in zip(sizes, labels, strict=True)]
        total = sum(heights) + _APART * (len(leaves) - 1)
        at = -total / 2
        for (k, j), (w, _), tall in zip(leaves, sizes, heights, strict=True):
            x = width / 2 + gap + w / 2
            hung.offsets[k] = (x if below else -x, at + tall / 2)
            hung.on[k], hung.edges[j] = target, 1
            at += tall + _APART
        far = width / 2 + gap + max(w for w, _ in sizes)
        hung.extents[target] = (left if below else max(left, far), max(right, far) if below else right,
                                max(up, total / 2), max(low, total / 2))  # fmt: skip
        return
    gap = max([_GAP, *(h + 10 for _, h in labels if h)]) + clearance
    half = [w / 2 for w, _ in sizes]
    middle = (len(leaves) - 1) / 2
    sides = [-1 if n < middle else 1 for n in range(len(leaves))]
    before = [
        max(h, lw + 2 * _BESIDE) if s < 0 and lw else h for h, s, (lw, _) in zip(half, sides, labels, strict=True)
    ]
    after = [max(h, lw + 2 * _BESIDE) if s > 0 and lw else h for h, s, (lw, _) in zip(half, sides, labels, strict=True)]
    centres = [0.0]
    for n in range(1, len(leaves)):
        centres.append(centres[-1] + after[n - 1] + _APART + before[n])
    shift = (centres[0] + centres[-1]) / 2
    for (k, j), x, (_, h), side in zip(leaves, centres, sizes, sides, strict=True):
        y = height / 2 + gap + h / 2
        hung.offsets[k] = (x - shift, y if below else -y)
        hung.on[k], hung.edges[j] = target, side
    far = height / 2 + gap + max(h for _, h in sizes)
    hung.extents[target] = (
        max(left, shift - centres[0] + before[0]), max(right, centres[-1] - shift + after[-1]),
        up if below else max(up, far), max(low, far) if below else low,
    )  # fmt: skip


def _label(edge: Edge) -> tuple[float, float]:
    return label_size(edge.label) if edge.label is not None else (0.0, 0.0)


def _clearance(scene: Scene, target: int, leaves: list[tuple[int, int]]) -> float:
    """Room for the frames around a card, from which what hangs above it stays out."""
    around = sum(target in frame.cards and leaves[0][0] not in frame.cards for frame in scene.frames)
    return 36.0 * around
