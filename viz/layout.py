"""Where everything goes. Graphviz does the layout, of plain boxes of fixed size; no text reaches it.

A leaf with one reader hangs on it: parameters below, targets above (at the sides in a top-down picture). A card with
what hangs on it is one box for Graphviz, as is the label in the middle of an edge, so that nothing collides. The
spine is one `group` of heavy edges, which dot then draws straight; open modules are its clusters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from viz.hanging import Hung, hang
from viz.measure import FRAME_TITLE, card_size, frame_title_width, label_size, piece_title
from viz.scene import Edge, Scene

__all__ = ["Box", "Layout", "Point", "framed", "layout_source", "place"]

Point = tuple[float, float]
_MARGIN = 16.0
_FRAME = 11.0  # between a frame and what is in it
_EASED = 60  # edges up to which the curves of dot are straightened


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle by its centre."""

    x: float
    y: float
    width: float
    height: float

    def moved(self, dx: float, dy: float) -> Box:
        """The same elsewhere."""
        return replace(self, x=_round(self.x + dx), y=_round(self.y + dy))


@dataclass(frozen=True, slots=True)
class Layout:
    """Boxes of cards, and for every edge its cubic Bezier points and the box of its label.

    Frames have one box, or one for every line of the picture in which they stand.
    """

    width: float
    height: float
    cards: tuple[Box, ...]
    labels: tuple[Box, ...]
    curves: tuple[tuple[Point, ...], ...]
    frames: tuple[tuple[Box, ...], ...] = ()


# What Graphviz is asked


def _slot(edge: Edge, down: bool) -> tuple[float, float]:
    """The box of a label in the middle of its edge: beside the strand, so it is twice as large."""
    if edge.label is None:
        return (10.0, 26.0) if down else (26.0, 10.0)
    width, height = label_size(edge.label)
    return (2 * (width + 8), height + 10) if down else (width + 16, 2 * (height + 3))


def layout_source(scene: Scene, hung: Hung, down: bool = False) -> str:
    """The DOT of the boxes: cards n0, n1, ..., labels e0, e1, ..."""
    spine = set(scene.spine)
    gap = "nodesep=0.3 ranksep=0.26" if down else "nodesep=0.26 ranksep=0.26"
    lines = [f"digraph g {{ graph [rankdir={'TB' if down else 'LR'} {gap} ordering=in splines=true];",
             ' node [shape=box fixedsize=true label=""]; edge [dir=none];']  # fmt: skip
    first = _straight(scene)
    free = [j for j in range(len(scene.edges)) if j not in hung.edges]
    inner = _innermost(scene, hung)
    texts: dict[int | None, list[str]] = {}
    for k in range(len(scene.cards)):
        if k not in hung.cards:
            size = _inches(*hung.size(k))
            texts.setdefault(inner.get(k), []).append(f" n{k} [{size}{' group=s' if k in spine else ''}];")
    for j in free:
        edge = scene.edges[j]
        if _boxed(edge):
            size = _inches(*_slot(edge, down))
            home = _shared(scene, inner.get(edge.source), inner.get(edge.target))
            texts.setdefault(home, []).append(f" e{j} [{size}{' group=s' if j in first else ''}];")
    lines += texts.get(None, []) + _clusters(scene, texts, None)
    for j in sorted(free, key=lambda j: _height(scene, j, first)):
        lines.append(_edge(scene.edges[j], j, j in first, hung, down))
    return "\n".join([*lines, "}", ""])


def _boxed(edge: Edge) -> bool:
    return edge.label is not None


def _straight(scene: Scene) -> set[int]:
    """The edges of the spine, one between each pair."""
    pairs = dict(zip(scene.spine, scene.spine[1:], strict=False))
    straight: dict[tuple[int, int], int] = {}
    for j, edge in enumerate(scene.edges):
        if pairs.get(edge.source) == edge.target and edge.strand != "constant":
            straight.setdefault((edge.source, edge.target), j)
    return set(straight.values())


def _innermost(scene: Scene, hung: Hung) -> dict[int, int]:
    """The innermost frame of every card that Graphviz places."""
    found: dict[int, int] = {}
    for f, frame in enumerate(scene.frames):  # outer frames come before those inside
        found.update((k, f) for k in frame.cards if k not in hung.cards)
    return found


def _shared(scene: Scene, a: int | None, b: int | None) -> int | None:
    """The innermost frame around both."""
    above = set()
    while a is not None:
        above.add(a)
        a = scene.frames[a].parent
    while b is not None and b not in above:
        b = scene.frames[b].parent
    return b


def _clusters(scene: Scene, texts: dict[int | None, list[str]], parent: int | None) -> list[str]:
    """The frames inside a frame, as clusters with room for their titles."""
    lines = []
    for f, frame in enumerate(scene.frames):
        if frame.parent == parent:
            room = f'width="{frame_title_width(frame.title):.0f}" height="{FRAME_TITLE:.0f}"'
            title = f'<<table border="0" fixedsize="true" {room}><tr><td></td></tr></table>>'
            inside = [*texts.get(f, []), *_clusters(scene, texts, f)]
            lines += [f" subgraph cluster_{f} {{ margin={_FRAME:.0f}; label={title};", *inside, " }"]
    return lines


def _edge(edge: Edge, j: int, straight: bool, hung: Hung, down: bool) -> str:
    enter, leave = ("n", "s") if down else ("w", "e")
    weight = " weight=60" if straight else ""
    head = f" headport={enter}" if edge.target in hung.by_card else ""
    tail = f" tailport={leave}" if edge.source in hung.by_card else ""
    if not _boxed(edge):
        return f" n{edge.source} -> n{edge.target} [key=e{j} minlen=2{weight}{head}{tail}];"
    return (
        f" n{edge.source} -> e{j} [headport={enter}{weight}{tail}]; "
        f"e{j} -> n{edge.target} [tailport={leave}{weight}{head}];"
    )


def _height(scene: Scene, j: int, first: set[int]) -> tuple[int, int, int]:
    """Order of the arguments of a card from above: targets, what is computed, the spine, parameters."""
    edge = scene.edges[j]
    kind = scene.cards[edge.source].kind
    level = 0 if edge.strand == "constant" else 3 if kind == "parameter" else 1 if j not in first else 2
    return edge.target, level, j


def _inches(width: float, height: float) -> str:
    return f"width={width / 72:.4f} height={height / 72:.4f}"


# What it answered


def place(scene: Scene, run: Callable[[str], str], down: bool = False) -> Layout:
    """The layout of a scene; ``run`` turns DOT into Graphviz's `plain` format."""
    if not scene.cards:
        return Layout(200.0, 60.0, (), (), ())
    hung = hang(scene, down)
    boxes, halves = _read(run(layout_source(scene, hung, down)))
    cards: list[Box] = []
    for k, card in enumerate(scene.cards):
        base = boxes[f"n{hung.on.get(k, k)}"]
        dx, dy = hung.offset(k)
        cards.append(Box(_round(base.x + dx), _round(base.y + dy), *card_size(card)))
    labels: list[Box] = []
    curves: list[tuple[Point, ...]] = []
    seen: dict[tuple[str, str], int] = {}
    slots = [boxes[f"e{j}"] for j in range(len(scene.edges)) if f"e{j}" in boxes]
    others = [*cards, *slots] if len(scene.edges) <= _EASED else []
    for j, edge in enumerate(scene.edges):
        if j in hung.edges:
            label, curve = hung.drawn(j, cards[edge.source], cards[edge.target], Box)
        elif f"e{j}" in boxes:
            slot = boxes[f"e{j}"]
            label = _beside(edge, slot, down)
            curve = _through(edge, j, slot, halves, cards, [b for b in others if b is not slot], down)
        else:
            ends = (f"n{edge.source}", f"n{edge.target}")
            seen[ends] = seen.get(ends, -1) + 1
            label = Box(0.0, 0.0, 0.0, 0.0)
            curve = _reaching(halves[ends][seen[ends]], cards[edge.source], cards[edge.target], down)
        labels.append(label)
        curves.append(curve)
    return _cropped(scene, cards, labels, curves, down)


def _read(answer: str) -> tuple[dict[str, Box], dict[tuple[str, str], list[list[Point]]]]:
    """Boxes by name, and curves by their ends."""
    boxes: dict[str, Box] = {}
    halves: dict[tuple[str, str], list[list[Point]]] = {}
    for line in answer.splitlines():
        word = line.split()
        if word[0] == "node":
            x, y, w, h = (float(v) * 72 for v in word[2:6])
            boxes[word[1]] = Box(_round(x), _round(-y), w, h)
        elif word[0] == "edge":
            numbers = [float(v) * 72 for v in word[4 : 4 + 2 * int(word[3])]]
            points = [(_round(x), _round(-y)) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
            halves.setdefault((word[1], word[2]), []).append(points)
    return boxes, halves


def _beside(edge: Edge, slot: Box, down: bool) -> Box:
    """The box of the text of a label: above a strand that goes right, at the right of one that goes down."""
    assert edge.label is not None
    width, height = label_size(edge.label)
    if down:
        return Box(_round(slot.x + 8 + width / 2), slot.y, width, height)
    return Box(slot.x, _round(slot.y - height / 2 - 3), width, height)


def _cropped(scene: Scene, cards: list[Box], labels: list[Box], curves: list[tuple[Point, ...]], down: bool) -> Layout:
    """All of it moved to the origin, with frames around their cards."""
    frames = [tuple(pieces.values()) for pieces in framed(scene, cards, labels, down)]
    every = [*cards, *(b for b, e in zip(labels, scene.edges, strict=True) if e.label)]
    every += [box for pieces in frames for box in pieces]
    xs = [x for b in every for x in (b.x - b.width / 2, b.x + b.width / 2)] + [x for c in curves for x, _ in c]
    ys = [y for b in every for y in (b.y - b.height / 2, b.y + b.height / 2)] + [y for c in curves for _, y in c]
    dx, dy = _MARGIN - min(xs), _MARGIN - min(ys)
    return Layout(
        math.ceil(max(xs) - min(xs) + 2 * _MARGIN), math.ceil(max(ys) - min(ys) + 2 * _MARGIN),
        tuple(b.moved(dx, dy) for b in cards), tuple(b.moved(dx, dy) for b in labels),
        tuple(tuple((_round(x + dx), _round(y + dy)) for x, y in c) for c in curves),
        tuple(tuple(b.moved(dx, dy) for b in pieces) for pieces in frames),
    )  # fmt: skip


def framed(
    scene: Scene, cards: Sequence[Box], labels: Sequence[Box], down: bool,
    lines: tuple[Sequence[int], Sequence[int]] | None = None,
) -> list[dict[int, Box]]:  # fmt: skip
    """For every frame the boxes around its cards, by line; ``lines`` says where cards and labels stand."""
    of_card, of_label = lines or ([0] * len(cards), [0] * len(labels))
    spine = set(scene.spine)
    frames: list[dict[int, Box]] = [{} for _ in scene.frames]
    for f in reversed(range(len(scene.frames))):
        frame, own = scene.frames[f], set(scene.frames[f].cards)
        inside: dict[int, list[Box]] = {}
        for k in frame.cards:
            inside.setdefault(of_card[k], []).append(cards[k])
        for pieces, g in zip(frames, scene.frames, strict=True):
            for line, box in pieces.items() if g.parent == f else ():
                inside[line].append(box)
        for box, line, edge in zip(labels, of_label, scene.edges, strict=True):
            if edge.label is not None and {edge.source, edge.target} <= own and line in inside:
                inside[line].append(box)
        for line, boxes in inside.items():
            passes = min((cards[k].x for k in frame.cards if k in spine and of_card[k] == line), default=None)
            title = frame_title_width(piece_title(frame.title, line > min(inside)))
            frames[f][line] = _around(boxes, title, passes if down else None)
    return frames


def _around(boxes: Sequence[Box], title: float, passes: float | None) -> Box:
    """The frame around boxes, with its title at the upper left, and left of what passes from above."""
    left, right = min(b.x - b.width / 2 for b in boxes), max(b.x + b.width / 2 for b in boxes)
    top, bottom = min(b.y - b.height / 2 for b in boxes), max(b.y + b.height / 2 for b in boxes)
    left, right, top, bottom = left - _FRAME, right + _FRAME, top - _FRAME - FRAME_TITLE, bottom + _FRAME
    if passes is not None:
        left = min(left, passes - title - 2 * _FRAME)
    right = max(right, left + title + 2 * _FRAME)
    return Box(_round((left + right) / 2), _round((top + bottom) / 2), _round(right - left), _round(bottom - top))


def _round(value: float) -> float:
    return round(value, 1)


# Curves


def _reaching(points: list[Point], source: Box, target: Box, down: bool) -> tuple[Point, ...]:
    """A curve of Graphviz between boxes with something hung on, drawn on to the cards themselves."""
    out = list(points)
    if down:
        start, end = (source.x, source.y + source.height / 2), (target.x, target.y - target.height / 2)
    else:
        start, end = (source.x + source.width / 2, source.y), (target.x - target.width / 2, target.y)
    if _far(out[0], source):
        out = [_pt(start), *_thirds(start, out[0]), *out]
    if _far(out[-1], target):
        out = [*out, *_thirds(out[-1], end), _pt(end)]
    return tuple(out)


def _pt(p: Point) -> Point:
    return _round(p[0]), _round(p[1])


def _far(p: Point, box: Box) -> bool:
    """Whether a point is away from the border of a box."""
    return abs(p[0] - box.x) > box.width / 2 + 2 or abs(p[1] - box.y) > box.height / 2 + 2


def _thirds(a: Point, b: Point) -> list[Point]:
    return [_pt((a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t)) for t in (1 / 3, 2 / 3)]


def _through(
    edge: Edge, j: int, slot: Box, halves: dict[tuple[str, str], list[list[Point]]], cards: list[Box],
    others: list[Box], down: bool,
) -> tuple[Point, ...]:  # fmt: skip
    """Both halves of an edge and the straight line beside the label as one curve."""
    source, target = cards[edge.source], cards[edge.target]
    (start,) = halves[f"n{edge.source}", f"e{j}"]
    (end,) = halves[f"e{j}", f"n{edge.target}"]
    apart = [b for b in others if b is not source and b is not target]
    if apart and not down:
        start = _eased(start, slot, apart)
        end = _eased(end[::-1], slot, apart)[::-1]
    half = (0.0, slot.height / 2) if down else (slot.width / 2, 0.0)
    a, b = _pt((slot.x - half[0], slot.y - half[1])), _pt((slot.x + half[0], slot.y + half[1]))
    joined = [*start[:-1], a, *_thirds(a, b), b, *end[1:]]
    return _reaching(joined, source, target, down)


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
