"""Long pictures in lines, as text is: cut where one edge of the spine passes, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from viz.layout import Box, Layout, Point
from viz.scene import Scene

__all__ = ["wrapped"]

LONG = 1500.0  # points; shorter pictures stay on one line
RATIO = 2.2  # of width to height that is aimed at
_TURN, _LANE = 16.0, 30.0  # radius of a turn, and room between lines


def wrapped(scene: Scene, layout: Layout, long: float = LONG, ratio: float = RATIO) -> Layout:
    """The layout in as many lines as a page or a slide wants; the very same where it is short, or cannot be cut.

    ``long`` is the width up to which one line is fine, ``ratio`` the width to height that is aimed at.
    """
    if layout.width <= long or layout.width < 2 * ratio * layout.height:
        return layout
    count = max(2, round((layout.width / (ratio * (layout.height + 2 * _LANE))) ** 0.5))
    cuts = _chosen(_cuts(scene, layout), layout.width, count)
    if not cuts:
        return layout
    return _Lines(scene, layout, cuts).layout()


def _cuts(scene: Scene, layout: Layout) -> list[tuple[float, int]]:
    """Where the picture may be cut: x, and the edge that passes there."""
    found = []
    by_pair: dict[tuple[int, int], list[int]] = {}
    for j, edge in enumerate(scene.edges):
        by_pair.setdefault((edge.source, edge.target), []).append(j)
    for pair in zip(scene.spine, scene.spine[1:], strict=False):
        a, b = (layout.cards[k] for k in pair)
        left, right = a.x + a.width / 2, b.x - b.width / 2
        edges = by_pair.get(pair, [])
        if len(edges) != 1:
            continue
        (j,) = edges
        if scene.edges[j].label is not None:
            left = max(left, layout.labels[j].x + layout.labels[j].width / 2)
        x = _free((left + right) / 2 if left < right else right, left, right, layout)
        if x is None or any(_passes(scene, layout, i, x) for i in range(len(scene.edges)) if i != j):
            continue
        found.append((x, j))
    return found


def _free(x: float, left: float, right: float, layout: Layout) -> float | None:
    """A place between left and right where no frame and no card is."""
    boxes = [*layout.frames, *layout.cards]
    for at in (x, left + 2, right - 2, *(b.x + b.width / 2 + 4 for b in layout.frames)):
        if left <= at <= right and not any(abs(at - b.x) < b.width / 2 for b in boxes):
            return at
    return None


def _passes(scene: Scene, layout: Layout, j: int, x: float) -> bool:
    """Whether an edge, or its label, is on both sides of x."""
    xs = [p[0] for p in layout.curves[j]]
    if scene.edges[j].label is not None:
        label = layout.labels[j]
        xs += [label.x - label.width / 2, label.x + label.width / 2]
    return min(xs) < x < max(xs)


def _chosen(cuts: Sequence[tuple[float, int]], width: float, count: int) -> list[tuple[float, int]]:
    """The cuts nearest to lines of equal length."""
    chosen: dict[float, tuple[float, int]] = {}
    for n in range(1, count):
        if cuts:
            best = min(cuts, key=lambda cut: abs(cut[0] - width * n / count))
            if abs(best[0] - width * n / count) < width / count / 2:
                chosen[best[0]] = best
    return [chosen[x] for x in sorted(chosen)]


class _Lines:
    """The parts between the cuts, each moved to its line."""

    def __init__(self, scene: Scene, layout: Layout, cuts: list[tuple[float, int]]) -> None:
        self.scene, self.old, self.cuts = scene, layout, cuts
        self.bounds = [0.0, *(x for x, _ in cuts), layout.width]
        self.shifts: list[Point] = []
        top = 16.0
        for n in range(len(self.bounds) - 1):
            boxes = self._inside(n)
            low, high = min(b[1] for b in boxes), max(b[3] for b in boxes)
            left = min(b[0] for b in boxes)
            self.shifts.append((32.0 + _TURN - left if n else 16.0 - left, top - low))
            top += high - low + _LANE
        self.height = top - _LANE + 16.0
        self.tops = [s[1] + min(b[1] for b in self._inside(n)) for n, s in enumerate(self.shifts)]

    def _line(self, x: float) -> int:
        return sum(x >= bound for bound in self.bounds[1:-1])

    def _inside(self, n: int) -> list[tuple[float, float, float, float]]:
        boxes = [*self.old.cards, *self.old.frames]
        boxes += [b for b, e in zip(self.old.labels, self.scene.edges, strict=True) if e.label is not None]
        found = [
            (b.x - b.width / 2, b.y - b.height / 2, b.x + b.width / 2, b.y + b.height / 2)
            for b in boxes if self._line(b.x) == n
        ]  # fmt: skip
        crossing = {j for _, j in self.cuts}
        for j, curve in enumerate(self.old.curves):
            if j not in crossing and self._line(curve[0][0]) == n:
                found.append((min(x for x, _ in curve), min(y for _, y in curve),
                              max(x for x, _ in curve), max(y for _, y in curve)))  # fmt: skip
        return found

    def layout(self) -> Layout:
        """All of it in lines."""
        old = self.old
        crossing = {j: n for n, (_, j) in enumerate(self.cuts)}
        ends = [max(b[2] for b in self._inside(n)) + self.shifts[n][0] for n in range(len(self.shifts))]
        self.right = max([*ends[:-1], 0.0]) + 8.0
        curves = tuple(
            self._turned(curve, crossing[j]) if j in crossing else self._moved(curve)
            for j, curve in enumerate(old.curves)
        )
        width = max(max(ends), self.right + _TURN) + 16.0
        return Layout(
            round(width, 1), round(self.height, 1), tuple(map(self._box, old.cards)), tuple(map(self._box, old.labels)),
            curves, tuple(map(self._box, old.frames)),
        )  # fmt: skip

    def _box(self, box: Box) -> Box:
        return box.moved(*self.shifts[self._line(box.x)])

    def _moved(self, curve: tuple[Point, ...]) -> tuple[Point, ...]:
        dx, dy = self.shifts[self._line(curve[0][0])]
        return tuple((round(x + dx, 1), round(y + dy, 1)) for x, y in curve)

    def _turned(self, curve: tuple[Point, ...], n: int) -> tuple[Point, ...]:
        """From the end of one line, around, to the start of the next."""
        (ax, ay), (bx, by) = self.shifts[n], self.shifts[n + 1]
        (x1, y1), (x2, y2) = (curve[0][0] + ax, curve[0][1] + ay), (curve[-1][0] + bx, curve[-1][1] + by)
        lane, left, r = self.tops[n + 1] - _LANE / 2, 16.0, _TURN
        right = self.right
        stops: list[tuple[Point, ...]] = [
            ((x1, y1), (right, y1)),
            ((right, y1), (right + r * 0.9, y1), (right + r, y1 + r * 0.1), (right + r, y1 + r)),
            ((right + r, y1 + r), (right + r, lane - r)),
            ((right + r, lane - r), (right + r, lane - r * 0.1), (right + r * 0.9, lane), (right, lane)),
            ((right, lane), (left + r, lane)),
            ((left + r, lane), (left + r * 0.1, lane), (left, lane + r * 0.1), (left, lane + r)),
            ((left, lane + r), (left, y2 - r)),
            ((left, y2 - r), (left, y2 - r * 0.1), (left + r * 0.1, y2), (left + r, y2)),
            ((left + r, y2), (x2, y2)),
        ]
        out: list[Point] = [stops[0][0]]
        for stop in stops:
            if len(stop) == 2:
                (xa, ya), (xb, yb) = stop
                out += [(xa + (xb - xa) / 3, ya + (yb - ya) / 3), (xb - (xb - xa) / 3, yb - (yb - ya) / 3), (xb, yb)]
            else:
                out += stop[1:]
        return tuple((round(x, 1), round(y, 1)) for x, y in out)
