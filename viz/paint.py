"""A scene with its layout as a list of shapes: what the SVG and PDF writers write."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from viz.layout import Box, Layout, Point
from viz.measure import (
    FRAME_TITLE,
    HEADER,
    LABEL,
    PAD,
    ROW,
    TITLE,
    WORD,
    fraction_width,
    frame_title_width,
    piece_title,
    row_height,
    text_width,  # fmt: skip
)
from viz.scene import Card, Edge, Frame, Label, Row, Run, Scene, Text, plain
from viz.theme import Theme

__all__ = ["Curve", "Group", "Panel", "Polygon", "Shape", "Words", "paint"]

_GAP, _HEAD, _WIDE = 1.5, 7.5, 2.9  # half the distance of the strands, length and half width of arrow heads


@dataclass(frozen=True, slots=True)
class Panel:
    """A rectangle with rounded corners; ``open_below`` keeps the lower corners square."""

    x: float
    y: float
    width: float
    height: float
    fill: str
    line: str | None = None
    radius: float = 0.0
    dashed: bool = False
    open_below: bool = False


@dataclass(frozen=True, slots=True)
class Curve:
    """Cubic Bezier segments: a start and three points each."""

    points: tuple[Point, ...]
    colour: str
    width: float = 1.3
    dashed: bool = False
    role: str = ""


@dataclass(frozen=True, slots=True)
class Polygon:
    """A filled outline."""

    points: tuple[Point, ...]
    colour: str
    role: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """Runs on one line; ``anchor`` is start, middle or end; muted runs take the second colour.

    The ``role`` of a shape (value, grad) is how a page finds it.
    """

    x: float
    y: float
    text: Text
    size: float
    colour: str
    muted: str
    anchor: str = "start"
    role: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Shapes that belong to one card or edge, with what it is called."""

    name: str
    title: str
    shapes: tuple[Panel | Curve | Polygon | Words, ...]


Shape = Panel | Curve | Polygon | Words


def paint(scene: Scene, layout: Layout, theme: Theme) -> list[Group]:
    """All groups: frames, edges, cards."""
    passing = [p for curve in layout.curves for p in _sampled(curve)] if scene.frames else []
    groups = [
        Group(
            f"f{k}",
            frame.title,
            tuple(s for n, box in enumerate(layout.frames[k]) for s in _frame(frame, n > 0, box, passing, theme)),
        )
        for k, frame in enumerate(scene.frames)
    ]
    groups += [
        Group(f"e{j}", _spoken(scene, edge), tuple(_edge(edge, layout.curves[j], layout.labels[j], theme)))
        for j, edge in enumerate(scene.edges)
    ]
    for k, card in enumerate(scene.cards):
        title = " · ".join([card.full or plain(card.name), *(f"{r.word} {r.text}".strip() for r in card.rows)])
        groups.append(Group(f"n{k}", title, tuple(_card(card, layout.cards[k], theme))))
    if not scene.cards:
        empty = Words(layout.width / 2, layout.height / 2, (Run("nothing to draw"),), ROW, theme.muted, theme.muted)
        groups.append(Group("empty", "nothing to draw", (replace(empty, anchor="middle"),)))
    return groups


def _spoken(scene: Scene, edge: Edge) -> str:
    source, target = (plain(scene.cards[k].name) for k in (edge.source, edge.target))
    if edge.label is None:
        return f"{source} to {target}"
    return f"{plain(edge.label.top)}/{plain(edge.label.bottom)}{plain(edge.label.tail)}"


# Frames and cards


def _sampled(curve: tuple[Point, ...]) -> Iterator[Point]:
    """Points on a curve, close enough to know which texts it passes."""
    for k in range(0, len(curve) - 1, 3):
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = curve[k : k + 4]
        steps = min(max(round(math.dist(curve[k], curve[k + 3]) / 8), 4), 60)
        for t in (n / steps for n in range(steps + 1)):
            a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
            yield a * ax + b * bx + c * cx + d * dx, a * ay + b * by + c * cy + d * dy


def _title_at(box: Box, wide: float, passing: list[Point]) -> float:
    """Where the title of a frame starts: at the left, or in the middle or at the right, where no edge passes."""
    left, top = box.x - box.width / 2 + PAD, box.y - box.height / 2
    near = [x for x, y in passing if top - 2 < y < top + FRAME_TITLE + 6]
    places = (left, box.x - wide / 2, box.x + box.width / 2 - PAD - wide)
    return next((x for x in places if not any(x - 4 < p < x + wide + 4 for p in near)), left)


def _frame(frame: Frame, continued: bool, box: Box, passing: list[Point], theme: Theme) -> Iterator[Shape]:
    left, top = box.x - box.width / 2, box.y - box.height / 2
    yield Panel(left, top, box.width, box.height, theme.frame, theme.rule, 10)
    title: Text = (Run(frame.title, bold=True),)
    if frame.note:  # a frame around all
        title += (Run("   " + frame.note, muted=True),)
        yield Words(box.x, top + FRAME_TITLE + 8, title, TITLE, theme.text, theme.muted, "middle")
        return
    name = piece_title(frame.title, continued)
    start, title = _title_at(box, frame_title_width(name), passing), (Run(name, bold=True),)
    yield Words(start, top + FRAME_TITLE + 1, title, WORD + 1, theme.text, theme.muted)


def _card(card: Card, box: Box, theme: Theme) -> Iterator[Shape]:
    ink = theme.ink(card.kind)
    left, top = box.x - box.width / 2, box.y - box.height / 2
    if card.round:
        yield from _circle(card, box, theme)
        return
    for k in range(min(card.count - 1, 2), 0, -1):  # a repeat looks like a stack
        yield Panel(left + 3 * k, top - 3 * k, box.width, box.height, theme.card, ink.line, 8)
    yield Panel(left, top, box.width, box.height, theme.card, None, 8)
    header = HEADER if card.rows else box.height
    yield Panel(left, top, box.width, header, ink.fill, None, 8, open_below=bool(card.rows))
    if card.rows:
        yield _line(left, top + HEADER, left + box.width, top + HEADER, ink.line, 1.0)
    yield replace(Panel(left, top, box.width, box.height, "none", ink.line, 8), dashed=ink.dashed)
    if ink.double:
        yield Panel(left - 3, top - 3, box.width + 6, box.height + 6, "none", ink.line, 11)
    title = tuple(replace(run, bold=True) for run in card.name)
    if card.formula:
        title += (Run(" = ", muted=True), *(replace(run, muted=True) for run in card.formula))
    yield Words(box.x, top + header / 2 + 4.5, title, TITLE, theme.text, theme.muted, "middle")
    y = top + HEADER + 2
    for row in card.rows:
        yield from _row(row, left + PAD, left + box.width - PAD, y + row_height(row) / 2 + 4.2, theme)
        y += row_height(row)


def _circle(card: Card, box: Box, theme: Theme) -> Iterator[Shape]:
    ink, r = theme.ink(card.kind), box.width / 2
    if card.kind != "dots":
        yield Panel(box.x - r, box.y - r, 2 * r, 2 * r, ink.fill, ink.line, r)
    if ink.double:
        yield Panel(box.x - r + 5, box.y - r + 5, 2 * r - 10, 2 * r - 10, "none", ink.line, r - 5)
    yield Words(box.x, box.y + 5.5, card.name, 17.0, theme.text, theme.muted, "middle")


def _row(row: Row, left: float, right: float, y: float, theme: Theme) -> Iterator[Words]:
    colour = theme.role(row.role)
    if row.word:
        yield Words(left, y, (Run(row.word),), WORD, colour, colour)
    text = row.runs or (Run(row.text, bold=row.role != "note"),)
    yield Words(right, y, text, ROW if row.word else WORD, colour, colour, "end", row.role if row.word else "")


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float) -> Curve:
    a, b = (x1 + (x2 - x1) / 3, y1 + (y2 - y1) / 3), (x2 - (x2 - x1) / 3, y2 - (y2 - y1) / 3)
    return Curve(((x1, y1), a, b, (x2, y2)), colour, width)


# Edges


def _edge(edge: Edge, points: tuple[Point, ...], box: Box, theme: Theme) -> Iterator[Shape]:
    colour = theme.statistic.line if edge.heavy else theme.strand(edge.strand, edge.back)
    width = 2.6 if edge.heavy else 1.3
    points = tuple(reversed(points)) if edge.back else points
    if edge.strand == "twin":
        yield from _arrow(_offset(points, _GAP), colour, False, width, "value")
        yield from _arrow(tuple(reversed(_offset(points, -_GAP))), theme.grad, False, role="grad")
    elif edge.strand == "backward":
        yield from _arrow(tuple(reversed(points)), colour, False, width)
    else:
        yield from _arrow(points, colour, edge.strand in ("constant", "direct"), width, "value")
    if edge.label is not None:
        yield from _label(edge.label, box, theme, colour if edge.back else theme.text)


def _arrow(points: tuple[Point, ...], colour: str, dashed: bool, width: float = 1.3, role: str = "") -> Iterator[Shape]:
    """A curve that ends in a head."""
    tip = points[-1]
    back = next((p for p in reversed(points[:-1]) if math.dist(p, tip) > 0.5), None)
    if back is None:
        return
    ux, uy = (tip[0] - back[0]) / math.dist(back, tip), (tip[1] - back[1]) / math.dist(back, tip)
    base = (tip[0] - _HEAD * ux, tip[1] - _HEAD * uy)
    yield Curve((*points[:-1], (base[0] + ux, base[1] + uy)), colour, width, dashed, role)
    wide = _WIDE + (width - 1.3) / 2
    wing = (-uy * wide, ux * wide)
    corners = (tip, (base[0] + wing[0], base[1] + wing[1]), (base[0] - wing[0], base[1] - wing[1]))
    yield Polygon(corners, colour, role)


def _offset(points: tuple[Point, ...], distance: float) -> tuple[Point, ...]:
    """A curve beside a curve: every control point moved along the normal of its control polygon."""
    moved = []
    for k, (x, y) in enumerate(points):
        before, after = points[max(k - 1, 0)], points[min(k + 1, len(points) - 1)]
        dx, dy = after[0] - before[0], after[1] - before[1]
        length = math.hypot(dx, dy) or 1.0
        moved.append((x - dy / length * distance, y + dx / length * distance))
    return tuple(moved)


def _label(label: Label, box: Box, theme: Theme, colour: str) -> Iterator[Shape]:
    """The fraction and its tail."""
    rule = fraction_width(label)
    total = rule + text_width(label.tail, LABEL)
    left, middle = box.x - total / 2, box.y
    yield _line(left, middle, left + rule, middle, colour, 0.9)
    style = {"size": LABEL, "colour": colour, "muted": theme.muted}
    yield Words(left + rule / 2, middle - 3.6, label.top, anchor="middle", **style)  # type: ignore[arg-type]
    yield Words(left + rule / 2, middle + 11.2, label.bottom, anchor="middle", **style)  # type: ignore[arg-type]
    yield Words(left + rule, middle + 4.0, label.tail, **style)  # type: ignore[arg-type]
