"""The ways of edges between circles and boxes whose places are given."""

from __future__ import annotations

import math
from collections.abc import Sequence

from viz.layout import Box, Point

__all__ = ["between", "way"]


def way(boxes: Sequence[Box], a: Box, b: Box, row: float) -> tuple[Point, ...]:
    """Straight; where circles are in the way, level between them past the last, and on from there.

    ``row`` is the distance of the rows of circles.
    """
    direct, others = between(a, b), [c for c in boxes if c is not a and c is not b]
    if not any(_meets(direct[0], direct[-1], c) for c in others):
        return direct
    last = max(c.x + c.width / 2 for c in others if c.x < b.x - b.width / 2) + 12
    for level in (a.y, a.y - row / 2, a.y + row / 2):
        start, lead, turn = (a.x + a.width / 2 + 3.5, a.y), (a.x + a.width / 2 + 70.0, level), (last, level)
        if turn[0] > lead[0] and not any(_meets(lead, turn, c) for c in others):
            middle = (start[0] + lead[0]) / 2
            enter = [(middle, start[1]), (middle, level), lead]
            rest = between(Box(*turn, 0.0, 0.0), b)
            bend = ((turn[0] + rest[-1][0]) / 2, level)
            points = (start, *enter, *_thirds(lead, turn), turn, bend, *rest[-2:])
            return tuple((round(x, 1), round(y, 1)) for x, y in points)
    return direct


def between(a: Box, b: Box) -> tuple[Point, ...]:
    """A straight edge from border to border."""
    dx, dy = b.x - a.x, b.y - a.y
    length = (dx * dx + dy * dy) ** 0.5 or 1.0
    ux, uy = dx / length, dy / length
    start, end = _border(a, ux, uy), _border(b, -ux, -uy)
    return tuple((round(x, 1), round(y, 1)) for x, y in (start, *_thirds(start, end), end))


def _thirds(a: Point, b: Point) -> list[Point]:
    return [(a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t) for t in (1 / 3, 2 / 3)]


def _meets(a: Point, b: Point, circle: Box) -> bool:
    """Whether a straight line comes too close to a circle."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    t = ((circle.x - a[0]) * dx + (circle.y - a[1]) * dy) / max(dx * dx + dy * dy, 1e-9)
    t = min(max(t, 0.0), 1.0)
    return math.hypot(a[0] + t * dx - circle.x, a[1] + t * dy - circle.y) < circle.width / 2 + 4


def _border(box: Box, ux: float, uy: float) -> Point:
    if abs(box.width - box.height) < 0.5:
        r = box.width / 2 + 3.5
        return box.x + ux * r, box.y + uy * r
    t = min(box.width / 2 / max(abs(ux), 1e-9), box.height / 2 / max(abs(uy), 1e-9)) + 3
    return box.x + ux * t, box.y + uy * t
