"""Long pictures in lines, as text is: cut where few edges pass, which turn around and go on in the next line."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from viz.layout import Box, Layout, Point, framed
from viz.scene import Scene

__all__ = ["HIGH", "LONG", "wrapped"]

LONG, HIGH = 1500.0, 1000.0  # points; shorter pictures stay on one line, or in one column
SLIDE = 16 / 9  # width to height that is aimed at
_MOST, _PASSING = 6, 3  # lines, and edges that may turn at the end of one
_MARGIN, _TURN, _LANE, _APART = 16.0, 16.0, 30.0, 12.0  # radius of a turn, room for the first and for further edges
_STEPS, _FAR = 12, 160.0  # of a search along a curve, and how far it goes
_WORTH = 0.9  # every further line must make the picture this much smaller
_PASS, _OPEN, _SLOPE = 0.02, 0.02, 0.04  # what a cut costs for a further edge, inside of a frame, where edges climb


def wrapped(scene: Scene, layout: Layout, down: bool = False, long: float = LONG, ratio: float = SLIDE) -> Layout:
    """The layout in as many lines as make it largest on a slide; the very same where it is short, or cannot be cut.

    ``long`` is the length up to which one line is fine, ``ratio`` the width to height that is aimed at. A picture
    that goes down is put into columns.
    """
    if (layout.height if down else layout.width) <= long:
        return layout
    old = _transposed(layout) if down else layout
    cuts = _Cuts(scene, old).found()
    best, size, of = layout, max(layout.width / ratio, layout.height), 1
    enough = long if down else long / ratio
    for count in range(2, min(_MOST, len(cuts) + 1) + 1):
        lines = _Lines(scene, old, _chosen(cuts, old.width, count), down).layout()
        now = _transposed(lines) if down else lines
        smaller = max(now.width / ratio, now.height, enough)  # what fits need not be smaller still
        if smaller < size * _WORTH ** (count - of):
            best, size, of = now, smaller, count
    return best


def _transposed(layout: Layout) -> Layout:
    return Layout(
        layout.height, layout.width, tuple(map(_flip, layout.cards)), tuple(map(_flip, layout.labels)),
        tuple(tuple((y, x) for x, y in curve) for curve in layout.curves),
        tuple(tuple(map(_flip, pieces)) for pieces in layout.frames),
    )  # fmt: skip


def _flip(box: Box) -> Box:
    return Box(box.y, box.x, box.height, box.width)


# Where to cut


@dataclass(frozen=True, slots=True)
class _Cut:
    """A place to cut, the edges that pass there from above, and what it costs."""

    x: float
    edges: tuple[int, ...]
    cost: float


class _Cuts:
    """All places at which no card and no label stands and few edges pass."""

    def __init__(self, scene: Scene, layout: Layout) -> None:
        self.layout = layout
        labels = [b for b, e in zip(layout.labels, scene.edges, strict=True) if e.label is not None]
        self.blocks = sorted((b.x - b.width / 2 - 3, b.x + b.width / 2 + 3) for b in (*layout.cards, *labels))
        self.frames = [(b.x - b.width / 2, b.x + b.width / 2) for pieces in layout.frames for b in pieces]
        self.spans = [(min(x for x, _ in c), max(x for x, _ in c)) for c in layout.curves]

    def found(self) -> list[_Cut]:
        cuts = {cut.x: cut for x in self._places() if (cut := self._cut(x)) is not None}
        return [cuts[x] for x in sorted(cuts)]

    def _places(self) -> Iterator[float]:
        """The middles of all gaps, and beside the frames in them."""
        end = self.blocks[0][1]
        for low, high in self.blocks:
            if low > end:
                yield round((low + end) / 2, 1)
                for side in (x for frame in self.frames for x in (frame[0] - 4, frame[1] + 4)):
                    if end < side < low:
                        yield round(side, 1)
            end = max(end, high)

    def _cut(self, x: float) -> _Cut | None:
        passing = [j for j, (low, high) in enumerate(self.spans) if low < x < high]
        if not 1 <= len(passing) <= _PASSING:
            return None
        cost, heights = _PASS * (len(passing) - 1), []
        for j in passing:
            curve = self.layout.curves[j]
            if sum((a[0] < x) != (b[0] < x) for a, b in zip(curve[::3], curve[3::3], strict=False)) != 1:
                return None
            (_, low), (_, at), (_, high) = (_split(curve, place)[1][0] for place in (x - 2, x, x + 2))
            if abs(high - low) > 4:
                return None
            cost += _SLOPE * (abs(high - low) > 0.4)
            heights.append((at, j))
        cost += _OPEN * sum(low < x < high for low, high in self.frames)
        return _Cut(x, tuple(j for _, j in sorted(heights)), cost)


def _chosen(cuts: Sequence[_Cut], width: float, count: int) -> list[_Cut]:
    """The cuts that make lines of the most equal length, at the least cost."""
    ends = [0.0, *(cut.x for cut in cuts), width]
    none: tuple[float, list[int]] = (float("inf"), [])
    best = [(0.0, []), *[none] * (len(ends) - 1)]
    for n in range(count):
        last = n == count - 1
        new = [none] * len(ends)
        for k in [len(ends) - 1] if last else range(1, len(ends) - 1):
            for i in range(k):
                price = best[i][0] + ((ends[k] - ends[i]) / width) ** 2 + (0.0 if last else cuts[k - 1].cost)
                if price < new[k][0]:
                    new[k] = price, [*best[i][1], *([] if last else [k - 1])]
        best = new
    return [cuts[k] for k in best[-1][1]]


def _split(curve: tuple[Point, ...], x: float) -> tuple[tuple[Point, ...], tuple[Point, ...]]:
    """Both parts of a curve that passes x once, by de Casteljau's construction."""
    k = next(k for k in range(0, len(curve) - 1, 3) if (curve[k][0] < x) != (curve[k + 3][0] < x))
    low, high = 0.0, 1.0
    for _ in range(40):
        t = (low + high) / 2
        left, right = _halves(curve[k : k + 4], t)
        low, high = (t, high) if left[-1][0] < x else (low, t)
    return (*curve[:k], *left), (*right, *curve[k + 4 :])


def _levelled(curve: tuple[Point, ...], end: float = math.inf) -> tuple[Point, ...]:
    """A part of a curve that starts level: where it climbs no more, if before ``end``; else where it was cut."""
    for k in range(0, len(curve) - 1, 3):
        for step in range(_STEPS):
            _, rest = _halves(curve[k : k + 4], step / _STEPS)
            (xa, ya), (xb, yb) = rest[0], rest[1]
            if abs(xa - curve[0][0]) > _FAR or xa >= end:
                break
            if abs(yb - ya) < 0.1 * abs(xb - xa):
                return (*rest[:1], (xb, ya), *rest[2:], *curve[k + 4 :])
    return (curve[0], (curve[1][0], curve[0][1]), *curve[2:])


def _halves(points: Sequence[Point], t: float) -> tuple[list[Point], list[Point]]:
    left, right, level = [points[0]], [points[-1]], list(points)
    while len(level) > 1:
        level = [(a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t) for a, b in pairwise(level)]
        left.append(level[0])
        right.append(level[-1])
    return left, right[::-1]


# The lines


@dataclass(slots=True)
class _Line:
    """What stands in a line: its extent before it is moved, and how far it is moved."""

    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)
    shift: Point = (0.0, 0.0)

    def side(self, k: int) -> float:
        """Left, top, right, bottom."""
        values = [box[k] for box in self.boxes]
        return min(values) if k < 2 else max(values)


class _Lines:
    """The parts between the cuts, each moved to its line."""

    def __init__(self, scene: Scene, layout: Layout, cuts: list[_Cut], down: bool) -> None:
        self.scene, self.old, self.cuts = scene, layout, cuts
        self.lines = [_Line() for _ in range(len(cuts) + 1)]
        self.frames = self._frames(down)
        self.parts = [self._parts(j) for j in range(len(scene.edges))]
        labels = [b for b, e in zip(layout.labels, scene.edges, strict=True) if e.label is not None]
        for box in (*layout.cards, *labels):
            self._add(self._of(box.x), box)
        for pieces in self.frames:
            for n, box in pieces:
                self._add(n, box)
        for parts in self.parts:
            for n, part in parts:
                xs, ys = zip(*part, strict=True)
                self.lines[n].boxes.append((min(xs), min(ys), max(xs), max(ys)))
        self.tops: list[float] = []
        y = _MARGIN
        for n, line in enumerate(self.lines):
            lanes = len(cuts[n - 1].edges) if n else 0
            self.tops.append(y)
            left = _MARGIN + _TURN + _APART * (lanes - 1) + 4 if n else _MARGIN
            line.shift = left - line.side(0), y - line.side(1)
            y += line.side(3) - line.side(1) + (_LANE + _APART * (len(cuts[n].edges) - 1) if n < len(cuts) else 0)
        self.height = y + _MARGIN
        self.right = max(line.side(2) + line.shift[0] for line in self.lines[:-1]) + 8

    def _frames(self, down: bool) -> list[list[tuple[int, Box]]]:
        """The pieces of every frame with their lines; they are made in the picture's own direction."""
        turn = _flip if down else (lambda box: box)
        cards, labels = list(map(turn, self.old.cards)), list(map(turn, self.old.labels))
        lines = [self._of(b.x) for b in self.old.cards], [self._of(b.x) for b in self.old.labels]
        pieces = framed(self.scene, cards, labels, down, lines)
        return [[(n, turn(box)) for n, box in sorted(each.items())] for each in pieces]

    def _of(self, x: float) -> int:
        return sum(x >= cut.x for cut in self.cuts)

    def _add(self, n: int, b: Box) -> None:
        box = b.x - b.width / 2, b.y - b.height / 2, b.x + b.width / 2, b.y + b.height / 2
        self.lines[n].boxes.append(box)

    def _parts(self, j: int) -> list[tuple[int, tuple[Point, ...]]]:
        """The parts of an edge, with their lines."""
        rest, found = self.old.curves[j], []
        for n, cut in enumerate(self.cuts):
            if j in cut.edges:
                part, rest = _split(rest, cut.x)
                found.append((n, _levelled(part[::-1])[::-1]))
                rest = _levelled(rest, self.cuts[n + 1].x if n + 1 < len(self.cuts) else math.inf)
        return [*found, (self._of(rest[-1][0] - 0.1), rest)]

    def layout(self) -> Layout:
        """All of it in lines."""
        most = max(len(cut.edges) for cut in self.cuts)
        ends = max(line.side(2) + line.shift[0] for line in self.lines)
        width = max(ends, self.right + _TURN + _APART * (most - 1)) + _MARGIN
        return Layout(
            math.ceil(width), math.ceil(self.height), tuple(map(self._box, self.old.cards)),
            tuple(map(self._box, self.old.labels)), tuple(self._curve(j) for j in range(len(self.parts))),
            tuple(tuple(box.moved(*self.lines[n].shift) for n, box in pieces) for pieces in self.frames),
        )  # fmt: skip

    def _box(self, box: Box) -> Box:
        return box.moved(*self.lines[self._of(box.x)].shift)

    def _curve(self, j: int) -> tuple[Point, ...]:
        out: list[Point] = []
        for n, part in self.parts[j]:
            dx, dy = self.lines[n].shift
            moved = [(x + dx, y + dy) for x, y in part]
            out += [*self._turn(j, n, out[-1], moved[0])[1:], *moved[1:]] if out else moved
        return tuple((round(x, 1), round(y, 1)) for x, y in out)

    def _turn(self, j: int, n: int, start: Point, end: Point) -> list[Point]:
        """From the end of the line before around to the start of line n; edges keep their order."""
        edges = self.cuts[n - 1].edges
        place = _APART * (len(edges) - 1 - edges.index(j))
        right, left, r = self.right + place, _MARGIN + place, _TURN
        lane = self.tops[n] - _LANE / 2 - _APART * (len(edges) - 1) + place
        (_, y1), (_, y2) = start, end
        corners = [(right + r, y1), (right + r, lane), (left, lane), (left, y2)]
        out = [start]
        for corner, after in zip(corners, [*corners[1:], end], strict=True):
            out += _rounded(out[-1], corner, after, r)
        return [*out, *_straight(out[-1], end)]


def _rounded(a: Point, corner: Point, b: Point, r: float) -> list[Point]:
    """From a straight to a corner, around it, and no further."""
    before, after = _towards(corner, a, r), _towards(corner, b, r)
    bend = [_towards(corner, a, r * 0.1), _towards(corner, b, r * 0.1), after]
    return [*_straight(a, before), *bend]


def _towards(a: Point, b: Point, r: float) -> Point:
    length = max(((b[0] - a[0]) ** 2 + (b[1] - a[1]) ** 2) ** 0.5, 0.1)
    r = min(r, length / 2)
    return a[0] + (b[0] - a[0]) * r / length, a[1] + (b[1] - a[1]) * r / length


def _straight(a: Point, b: Point) -> list[Point]:
    return [(a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t) for t in (1 / 3, 2 / 3)] + [b]
