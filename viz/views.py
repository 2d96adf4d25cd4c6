"""The pictures behind a step page: one of the whole, and one of the inside of every folded module.

Equal modules have equal pictures, which are laid out and painted once. What differs between them is their numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from viz.build import build
from viz.derivatives import contribution, is_scalar, jacobian, local_number
from viz.facts import Facts, Look
from viz.fold import Folded, Unit, fold, formula_code
from viz.layout import place
from viz.numbers import figure, sizes
from viz.paint import paint
from viz.reading import Link, Reading
from viz.render import plain_layout
from viz.scene import Scene, plain
from viz.svg import svg_source
from viz.texts import norm
from viz.theme import Theme
from viz.wrapping import wrapped

__all__ = ["View", "Viewer"]

_HEAT = 144  # numbers of a local Jacobian that is kept
_HEATS = 400  # edges up to which Jacobians are kept at all


@dataclass(slots=True)
class View:
    """One picture with its numbers: per card value and gradient, per edge what flows back; children by card."""

    title: tuple[str, ...]
    scene: Scene
    svg: str
    numbers: list[tuple[str, str]]
    flows: list[dict[str, Any] | None]
    steps: list[tuple[str, int]]
    shapes: list[str]
    units: list[Unit | None]  # behind every card; None for the card of what is left out
    note: str = ""
    children: dict[int, int] = field(default_factory=dict)
    parent: int = -1


class Viewer:
    """Makes the views of a reading, the whole first."""

    def __init__(self, reading: Reading, look: Look, how: Any, limit: int, theme: Theme) -> None:
        self.reading, self.theme, self.limit = reading, theme, limit
        self.look = replace(look, labels="symbolic", blank=True)
        self.facts = Facts(reading, look)
        self.how = how
        self.drawn: dict[int, str] = {}
        self.built: dict[Any, Scene] = {}
        self.placed: dict[str, str] = {}
        self.folds: dict[int, Folded] = {}
        self.heats = len(reading.links) <= _HEATS
        self.views: list[View] = []

    def all(self) -> list[View]:
        """The views, each after the one that it is opened from."""
        whole = fold(self.reading, self.how, self.limit)
        queue: list[tuple[tuple[str, ...], Folded, int, int, str]] = [((), whole, -1, -1, "")]
        for title, folded, parent, card, note in queue:
            view = self._view(title, folded)
            view.parent, view.note = parent, note
            if parent >= 0:
                self.views[parent].children[card] = len(self.views)
            here = len(self.views)
            self.views.append(view)
            shift = 1 if folded.left_out else 0
            for j, unit in enumerate(folded.units):
                if unit.folded:
                    name, inside, said = self._opened(unit)
                    queue.append((name, inside, here, j + shift, said))
        return self.views

    # What is inside of what

    def _opened(self, unit: Unit) -> tuple[tuple[str, ...], Folded, str]:
        """The inside of a card with its title and what is to be said of it; of a repeat, the first of its parts."""
        depth = len(unit.scope) + 1
        if unit.kind != "repeat":
            inside = self._inside(unit.members, depth + (unit.kind == "module"))
            return (*unit.scope, unit.title), inside, ""
        nodes = self.reading.nodes
        ops = [m for m in unit.members if nodes[m].op is not None]
        first = ops[: len(ops) // unit.count]
        leaves = {link.source for m in first for link in self.facts.into[m] if nodes[link.source].op is None}
        members = (*(m for m in unit.members if m in leaves), *first)
        inside = self._inside(members, depth)
        if sum(u.kind != "edge" for u in inside.units) == 1:  # the part is one module: what is in it
            inside = self._inside(members, depth + 1)
        said = f"The first of {unit.count:,} equal parts, with its own numbers."
        return (*unit.scope, f"{unit.title} (1 of {unit.count:,})"), inside, said

    def _inside(self, chosen: Sequence[int], depth: int) -> Folded:
        """The units in some cards, folded below a depth, and the tensors from outside that they read."""
        if depth not in self.folds:
            self.folds[depth] = fold(self.reading, depth, self.limit)
        whole, members = self.folds[depth], set(chosen)
        inside = [u for j, u in self._units_of(whole, chosen) if members.issuperset(u.members)]
        shown, left_out = inside[-self.limit :], sum(len(u.members) for u in inside[: -self.limit])
        held = {m for u in shown for m in u.members}
        outside = dict.fromkeys(
            link.source for m in sorted(held) for link in self.facts.into[m] if link.source not in members
        )
        units = [*(Unit((k,), k, "edge") for k in sorted(outside)), *shown]
        of = {m: j for j, u in enumerate(units) for m in u.members}
        return Folded(units, _Places(of), [], left_out)  # type: ignore[arg-type]

    def _units_of(self, whole: Folded, chosen: Sequence[int]) -> list[tuple[int, Unit]]:
        indices = sorted({whole.of[m] for m in chosen})
        return [(j, whole.units[j]) for j in indices if j >= 0]

    # One picture

    def _view(self, title: tuple[str, ...], folded: Folded) -> View:
        scene = self._scene(title, folded)
        svg = self._painted(scene)
        links = self._edges(folded, scene)
        grads = self.look.grads or {}
        numbers, shapes = [], []
        units: list[Unit | None] = list(folded.units)
        for unit in folded.units:
            node = self.reading.nodes[unit.out]
            value = node.value if isinstance(node.value, np.ndarray) else np.zeros(0)
            numbers.append((_number(value), _number(grads.get(node.serial))))
            shapes.append(sizes(node.shape) if not (node.op is not None and node.op.outputs) else "several")
        if scene.cards and scene.cards[0].kind == "more":
            numbers.insert(0, ("", ""))
            shapes.insert(0, "")
            units.insert(0, None)
        flows, steps = self._flows(folded, scene, links)
        return View(title, scene, svg, numbers, flows, steps, shapes, units)

    def _scene(self, title: tuple[str, ...], folded: Folded) -> Scene:
        key = self._signature(folded) if title else None
        if key not in self.built:
            name = "inside of a module" if title else "network"
            self.built[key] = build(self.reading, folded, name, self.look, self.facts)
        return self.built[key]

    def _signature(self, folded: Folded) -> Any:
        """All that a picture of the inside of a module shows: equal ones are built once."""
        order = {m: n for n, m in enumerate(m for unit in folded.units for m in unit.members)}
        parts: list[Any] = []
        for unit in folded.units:
            parts.append((unit.kind, unit.title, unit.count, order[unit.out]))
            for m in unit.members:
                node = self.reading.nodes[m]
                name, latex = self.reading.names.get(node.serial, ("", None))
                known = (name.rpartition(".")[2], latex, str(node.shape), self.facts.kinds[m], self.facts.consumers[m])
                if node.op is None or unit.kind == "edge":
                    parts.append(known)
                    continue
                sources = tuple((order.get(e.source, -1), e.position, e.flows) for e in self.facts.into[m])
                parts.append((*known, formula_code(node, self.reading), sources))
        return tuple(parts)

    def _painted(self, scene: Scene) -> str:
        key = id(scene)
        if key not in self.drawn:
            layout = wrapped(scene, place(scene, self._run), long=1000.0, ratio=1.5)
            groups = paint(scene, layout, self.theme)
            self.drawn[key] = svg_source(groups, layout.width, layout.height, scene.title, self.theme)
        return self.drawn[key]

    def _run(self, source: str) -> str:
        if source not in self.placed:
            self.placed[source] = plain_layout(source)
        return self.placed[source]

    def _edges(self, folded: Folded, scene: Scene) -> list[list[Link]]:
        """The links behind every edge of the scene: several where it leads into a folded card."""
        shift = len(scene.cards) - len(folded.units)
        by_pair: dict[tuple[int, int], list[Link]] = {}
        for unit in folded.units:
            for m in unit.members if unit.kind != "edge" else ():
                for link in self.facts.into[m]:
                    pair = folded.of[link.source], folded.of[link.target]
                    if pair[0] >= 0 and pair[0] != pair[1]:
                        by_pair.setdefault(pair, []).append(link)
        found = []
        for edge in scene.edges:
            source, target = edge.source - shift, edge.target - shift
            links = by_pair.get((source, target), [])
            if target >= 0 and not folded.units[target].folded:
                links = [e for e in links if e.position == edge.position]
            found.append([e for e in links if e.source == folded.units[source].out])
        return found

    # What flows

    def _flows(
        self, folded: Folded, scene: Scene, links: list[list[Link]]
    ) -> tuple[list[dict[str, Any] | None], list[tuple[str, int]]]:
        """For every edge what it sends back and the sum so far; and the steps: forward, then backward."""
        grads = self.look.grads or {}
        shift = len(scene.cards) - len(folded.units)
        steps = [("f", j + shift) for j in range(len(folded.units))]
        flows: list[dict[str, Any] | None] = [None] * len(scene.edges)
        sums: dict[int, Any] = {}
        into: dict[int, list[int]] = {}
        for j, edge in enumerate(scene.edges):
            into.setdefault(edge.target, []).append(j)
        inner: dict[int, int] = {}
        for j in range(len(scene.edges)):
            for link in links[j]:
                inner[link.source] = inner.get(link.source, 0) + link.flows
        for j in reversed(range(len(folded.units))):
            unit = folded.units[j]
            k, node = unit.out, self.reading.nodes[unit.out]
            if (unit.kind != "edge" and node.serial in grads and inner.get(k, 0) < self.facts.consumers[k]) or (
                k in self.reading.roots and node.serial in grads
            ):
                steps.append(("s", j + shift))  # gradient from outside of this picture
                rest = self._outside(k, folded, j)
                sums[k] = rest
            for e in into.get(j + shift, ()):
                flow = self._flow(links[e], sums, grads)
                if flow is not None:
                    flows[e] = flow
                    steps.append(("b", e))
        return flows, steps

    def _outside(self, k: int, folded: Folded, j: int) -> Any:
        """The gradient that comes from readers that are not in the picture; 1 for the loss itself."""
        grads = self.look.grads or {}
        total = np.array(grads[self.reading.nodes[k].serial], dtype=float)
        for unit in folded.units:
            for m in unit.members if unit.kind != "edge" else ():
                for link in self.facts.into[m]:
                    if link.source == k and link.flows and folded.of[link.target] != j:
                        part = self._part(link, grads)
                        total = total - part if part is not None else total
        return total

    def _part(self, link: Link, grads: Any) -> Any:
        g = grads.get(self.reading.nodes[link.target].serial)
        if g is None or not link.flows:
            return None
        part = contribution(link.path, self.reading.base, g)
        return None if isinstance(part, list) else part  # an op of several results has no one number

    def _flow(self, links: list[Link], sums: dict[int, Any], grads: Any) -> dict[str, Any] | None:
        parts = [part for link in links if (part := self._part(link, grads)) is not None]
        if not parts:
            return None
        source = links[0].source
        part = np.sum(parts, axis=0)
        sums[source] = part if source not in sums else sums[source] + part
        found: dict[str, Any] = {"part": _number(part), "sum": _number(sums[source])}
        (link, *more) = links
        node, below = self.reading.nodes[link.target], self.reading.nodes[source]
        if not more and is_scalar(node) and is_scalar(below):
            number = local_number(link.path)
            found["number"] = "" if number is None else figure(number)
        elif not more and self.heats and 1 < node.size * below.size <= _HEAT:
            matrix = jacobian(link.path, self.reading.base, below, node)
            found["heat"] = [[float(f"{x:.3g}") if np.isfinite(x) else None for x in row] for row in matrix]
        return found


class _Places(dict[int, int]):
    """The unit of a card; -1 for those of other pictures."""

    def __missing__(self, key: int) -> int:
        return -1


def _number(x: Any) -> str:
    """A value, or a norm."""
    if x is None or isinstance(x, list):
        return "—"
    return figure(np.sum(x)) if np.size(x) == 1 else figure(norm(np.asarray(x, dtype=float)))


def title_of(view: View) -> str:
    """The path of a view for people."""
    return " ▸ ".join(("Network", *view.title))


def spoken(scene: Scene, k: int) -> str:
    """A card in words."""
    card = scene.cards[k]
    return plain(card.name) + (f" = {plain(card.formula)}" if card.formula else "")
