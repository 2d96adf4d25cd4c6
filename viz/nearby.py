"""What is left of a folded picture: the neighbourhood of a card, or what is nearest to the result."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from viz.fold import Folded, Frame
from viz.reading import Reading

__all__ = ["keep", "nearest", "neighbours"]


def keep(folded: Folded, wanted: Iterable[int]) -> Folded:
    """The same with only the wanted units; the others are counted by their nodes."""
    order = sorted(set(wanted))
    place = {j: k for k, j in enumerate(order)}
    of = [place.get(j, -1) for j in folded.of]
    renumbered = [tuple(place[j] for j in frame.units if j in place) for frame in folded.frames]
    old = [k for k, inside in enumerate(renumbered) if inside]
    new = {k: n for n, k in enumerate(old)}
    frames = []
    for k in old:
        parent = folded.frames[k].parent
        frames.append(Frame(folded.frames[k].title, renumbered[k], None if parent is None else new[parent]))
    missing = sum(len(unit.members) for j, unit in enumerate(folded.units) if j not in place)
    return Folded([folded.units[j] for j in order], of, frames, folded.left_out + missing)


def neighbours(reading: Reading, folded: Folded) -> tuple[list[list[int]], list[list[int]]]:
    """For every unit, the units that it reads and those that read it."""
    below: list[dict[int, None]] = [{} for _ in folded.units]
    above: list[dict[int, None]] = [{} for _ in folded.units]
    for link in reading.links:
        source, target = folded.of[link.source], folded.of[link.target]
        if source != target:
            below[target][source] = None
            above[source][target] = None
    return [list(x) for x in below], [list(x) for x in above]


def nearest(starts: Iterable[int], steps: Sequence[Sequence[int]], count: int, hops: int | None = None) -> set[int]:
    """At most ``count`` units, fewest steps from the starts (at most ``hops``), breadth first."""
    found = dict.fromkeys(starts, 0)
    queue = list(found)
    for j in queue:
        for k in steps[j] if hops is None or found[j] < hops else ():
            if k not in found and len(found) < count:
                found[k] = found[j] + 1
                queue.append(k)
    return set(found)
