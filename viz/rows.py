"""Pictures of coupling: a circle per entry of an axis, a double circle for what all entries share.

Every place is given (columns by dependence, shared names above and below the rows), so no engine is needed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from symgrad.errors import SymgradError
from symgrad.tensor import Tensor
from viz.coupled import Coupling, Link, coupling
from viz.labels import Derived
from viz.layout import Box, Layout, Point
from viz.mathtext import cut, latex_text, name_text
from viz.measure import label_size, text_width
from viz.picture import Picture
from viz.routes import between, way
from viz.scene import Card, Edge, Frame, Label, Run, Scene, Text

__all__ = ["draw_batchnorm", "draw_coupling"]

_R, _SHARED = 30.0, 35.0  # radii of circles
_ROW, _TOP = 88.0, 72.0  # between rows, and from a row to what is shared
_MOST = 5  # rows that are all shown
_LONGEST = 46  # characters of a label


def draw_batchnorm(batch: int | None = 3, *, backward: bool = False, theme: str = "light") -> Picture:
    r"""Draw how BatchNorm couples the samples of a minibatch.

    Parameters
    ----------
    batch : int or None
        Size of the minibatch; None draws a symbolic B.
    backward : bool
        Draw the backward pass: arrows from the output to the inputs, with the local derivative of each kind of edge,
        which are derived, :math:`\partial \sigma^2 / \partial \mu = 0` among them.
    theme : {"light", "dark", "print"}

    Returns
    -------
    Picture

    Examples
    --------
    >>> import viz
    >>> viz.draw_batchnorm(batch=3)
    Picture('BatchNorm', 12 cards, 22 edges)
    """
    return draw_coupling("batchnorm", batch=batch, backward=backward, theme=theme, title="BatchNorm")


def draw_coupling(
    f: Any,
    *inputs: Any,
    axis: int = 0,
    batch: int | None = 4,
    backward: bool = False,
    theme: str = "light",
    title: str | None = None,
) -> Picture:
    """Draw which entries along an axis of a function's input depend on each other.

    Nothing is known about any layer: the dependences are read off the sparsity of Jacobians (`viz.coupling`), and the
    labels are derived.

    Parameters
    ----------
    f : callable, Module or str
        A function of Tensors, a layer, or a name from `symgrad.symbolic.catalogue`.
    *inputs : specs or arrays
        Shapes of the arguments; by default those of the catalogue.
    axis : int
        Of the first argument: 0 for samples, -1 for features or classes.
    batch : int or None
        The size of the axis; None draws it as a symbol. Of more than 5 entries the first two and the last are shown.
    backward : bool
        Draw gradients, with the local derivative of each kind of edge.
    theme : {"light", "dark", "print"}
    title : str, optional

    Returns
    -------
    Picture

    Examples
    --------
    >>> import viz
    >>> picture = viz.draw_coupling("softmax", axis=-1, batch=3)
    >>> picture.scene.frames[0].note
    'C = 3 classes in the last axis of x: each output depends on every input'
    """
    if batch is not None and (isinstance(batch, bool) or not isinstance(batch, int) or batch < 2):
        raise SymgradError(f"draw_coupling: batch must be None or an integer of at least 2, got {batch!r}")
    found = coupling(f, *inputs, axis=axis, batch=min(batch or 4, _MOST))
    rows = _Rows(found, batch, backward, title or found.title)
    return Picture(rows.scene(), theme, layout=rows.layout())


@dataclass(slots=True)
class _Place:
    """A name in the picture: its column, whether it is one for all, and its cards by entry."""

    node: Tensor
    column: int
    shared: bool
    cards: dict[int, int] = field(default_factory=dict)


class _Rows:
    def __init__(self, found: Coupling, batch: int | None, backward: bool, title: str) -> None:
        self.found, self.backward, self.title = found, backward, title
        self.size = str(found.dim) if batch is None else str(batch)
        many = batch is None or batch > _MOST
        self.entries = [0, 1, len(found.matrix) - 1] if many else list(range(len(found.matrix)))
        self.letters = ["1", "2", self.size] if many else [str(k + 1) for k in self.entries]
        self.lines = [0.0, 1.0, 3.0] if many else [float(k) for k in self.entries]
        self.dots = many
        self.cards: list[Card] = []
        self.boxes: list[Box] = []
        self.edges: list[Edge] = []
        self.labels: list[Box] = []
        self.curves: list[tuple[Point, ...]] = []
        self.derived = Derived(found)
        self.places: dict[int, _Place] = {}
        self._columns()
        self._circles()
        self._strands()
        self._parameters()

    # Which columns

    def _columns(self) -> None:
        """An entry's column comes after all that it needs; what is shared stands between."""
        found = self.found
        self.extra = [x for x in found.inputs[1:] if self._is_aside(x)]
        aside = {x.serial for x in self.extra}
        for x in found.inputs:
            if x.serial not in aside:
                self.places[x.serial] = _Place(x, 0, False)
        for x in found.names:
            shared = found.along[x.serial] is None
            columns = [0]
            for link in found.links:
                if link.target is x and link.source.serial in self.places:
                    before = self.places[link.source.serial]
                    columns.append(before.column + (0 if shared and before.shared else 1))
            self.places[x.serial] = _Place(x, max(columns), shared)

    def _is_aside(self, x: Tensor) -> bool:
        """Whether an input only scales or shifts its own entry, as gamma does where the axis is that of features."""
        patterns = [link.pattern for link in self.found.links if link.source is x]
        return all(p.shape[0] == p.shape[1] and not (p & ~np.eye(len(p), dtype=bool)).any() for p in patterns)

    # Circles

    def _x(self, column: int) -> float:
        wide = 286.0 if self.backward else 220.0
        shared = {p.column for p in self.places.values() if p.shared}
        x = 0.0
        for k in range(1, column + 1):
            near = k - 1 not in shared and k not in shared
            x += (212.0 if self.backward else 186.0) if near else wide
        return x

    def _circles(self) -> None:
        by_column: dict[int, list[_Place]] = {}
        for place in self.places.values():
            by_column.setdefault(place.column, []).append(place)
        self.tall = max(sum(not p.shared for p in places) for places in by_column.values())
        height = (self.lines[-1] + 1) * self.tall * _ROW
        self.bottom = height - _ROW
        for column, places in by_column.items():
            rows = [p for p in places if not p.shared]
            top = (height - (self.lines[-1] + 1) * len(rows) * _ROW) / 2
            for n, place in enumerate(rows):
                self._entries(place, self._x(column), top + n * (self.lines[-1] + 1) * _ROW)
            shared = [p for p in places if p.shared]
            for n, place in enumerate(shared):
                final = place.node is self.found.output
                y = (
                    self.bottom / 2
                    if final and not rows
                    else (
                        -_TOP - 16 - (n // 2) * 2.6 * _SHARED
                        if n % 2 == 0
                        else self.bottom + _TOP + 16 + (n // 2) * 2.6 * _SHARED
                    )
                )
                kind = "loss" if final else "statistic"
                place.cards[0] = self._circle(self._name(place.node), kind, self._x(column), y, _SHARED)

    def _entries(self, place: _Place, x: float, top: float) -> None:
        last = place.node is self.found.output
        kind = "output" if last else "data" if place.node.op is None else "intermediate"
        name = self._name(place.node)
        for entry, letter, line in zip(self.entries, self.letters, self.lines, strict=True):
            sub = Run(letter, script=-1, italic=letter.isalpha())
            place.cards[entry] = self._circle((*name, sub), kind, x, top + line * _ROW, _R)
        if self.dots:
            self._circle((Run("⋮"),), "dots", x, top + 2 * _ROW, 12.0)

    def _circle(self, name: Text, kind: str, x: float, y: float, radius: float) -> int:
        self.cards.append(Card(kind, name, full="".join(run.text for run in name), round=True))
        wide = max(2 * radius, text_width(name, 15.0, True) + 16)
        self.boxes.append(Box(x, y, wide, wide))
        return len(self.cards) - 1

    def _name(self, x: Tensor) -> Text:
        if x.name is None:
            return (Run("L" if self.found.along[x.serial] is None else "y", italic=True),)
        text = name_text(x.name, x.latex)
        return text if len(text) == 1 else tuple(r for r in text if not (r.script < 0 and r.text == "B"))

    # Edges

    def _strands(self) -> None:
        for link in self.found.links:
            source, target = self.places.get(link.source.serial), self.places.get(link.target.serial)
            if source is None or target is None:
                continue
            pairs = [
                (i, k)
                for i in target.cards
                for k in source.cards
                if link.pattern[i if link.pattern.shape[0] > 1 else 0, k if link.pattern.shape[1] > 1 else 0]
                or (source.shared and target.shared)
            ]
            straight = not source.shared and not target.shared and all(i == k for i, k in pairs)
            jump = target.column - source.column > 1
            aside = jump and target.node is self.found.output and target.shared
            strand = ("direct" if jump else "forward") if straight else "direct" if aside else "coupling"
            shown = self._labelled(source, target, pairs, straight)
            for i, k in pairs:
                edge = Edge(source.cards[k], target.cards[i], strand=strand, back=self.backward)
                label = self._label(link, source, target, i, k) if (i, k) == shown and self.backward else None
                self._add(edge, label, source, target, straight and jump)

    def _labelled(self, source: _Place, target: _Place, pairs: list[tuple[int, int]], straight: bool) -> Any:
        """The one edge of its kind that gets the label: the outermost, on the side of what is shared."""
        if not pairs:
            return None
        shared = source if source.shared else target
        if shared.node is self.found.output and not straight:
            above = self.boxes[next(iter(source.cards.values()))].y < self.boxes[shared.cards[0]].y
            return pairs[0] if above else pairs[-1]
        if straight or not shared.shared or self.boxes[shared.cards[0]].y < self.bottom / 2:
            last = straight and target.column - source.column > 1
            return pairs[-1] if last else pairs[0]
        return pairs[-1]

    def _label(self, link: Link, source: _Place, target: _Place, i: int, k: int) -> tuple[Label, str] | None:
        letters = dict(zip(self.entries, self.letters, strict=True))
        diagonal = not source.shared and not target.shared and i == k
        found = self.derived.local(link.source, link.target, diagonal, letters.get(k, ""), letters.get(i, ""))
        if found is None:
            return None
        latex, symbol = found
        top = self.cards[target.cards[i]].name
        bottom = self.cards[source.cards[k]].name
        tail = latex_text(latex)
        partial = Run("∂", italic=True)
        label = Label((partial, *top), (partial, *bottom), cut((Run(" = "), *tail), _LONGEST))
        return label, symbol

    def _add(self, edge: Edge, label: tuple[Label, str] | None, source: _Place, target: _Place, far: bool) -> None:
        a, b = self.boxes[edge.source], self.boxes[edge.target]
        box, curve = Box(0.0, 0.0, 0.0, 0.0), way(self.boxes, a, b, _ROW)
        if label is not None:
            edge = replace(edge, label=label[0], symbol=label[1])
            box = self._label_box(label[0], a, b, source.shared and target.shared, far)
            if len(curve) > 4:  # above its level part, between the last two columns that it passes
                columns = sorted({c.x for c in self.boxes if a.x < c.x < b.x})
                x = sum(columns[-2:]) / len(columns[-2:])
                box = replace(box, x=x, y=curve[3][1] - box.height / 2 - 4)
            if far:
                edge = replace(edge, label=replace(label[0], tail=(*label[0].tail, Run("   (dashed)", muted=True))))
                box = replace(box, width=box.width + 60)
        self.edges.append(edge)
        self.labels.append(box)
        self.curves.append(curve)

    def _label_box(self, label: Label, a: Box, b: Box, vertical: bool, far: bool) -> Box:
        """Outside of the edge, clear of its slope; right of a vertical one; below all for the dashed ones."""
        width, height = label_size(label)
        x, y = (a.x + b.x) / 2, (a.y + b.y) / 2
        if vertical:
            return Box(x + width / 2 + 10, y + _ROW * 0.18, width, height)
        if far:
            low = max(p.y + p.height / 2 for p in self.boxes)
            return Box(x + 30, low + 14 + height / 2, width, height)
        slope = abs((b.y - a.y) / max(abs(b.x - a.x), 1.0))
        side = 1 if y > self.bottom / 2 and slope > 0.01 else -1
        return Box(x, y + side * (height / 2 + slope * width / 2 + 6), width, height)

    # Parameters

    def _parameters(self) -> None:
        """One box per name that parameters enter, below its column."""
        names = [*self.found.others, *self.extra]
        by_target: dict[int, list[Tensor]] = {}
        for x in names:
            target = self._reader(x)
            if target is not None:
                by_target.setdefault(target, []).append(x)
        for serial, parameters in by_target.items():
            place = self.places[serial]
            if len(parameters) > 3:
                text: Text = (Run(f"{len(parameters)} parameters"),)
            else:
                text = tuple(
                    r for n, x in enumerate(parameters) for r in (*((Run(", "),) if n else ()), *self._name(x))
                )
            before = [p.column for p in self.places.values() if not p.shared and p.column < place.column]
            at = self._x(max(before)) if before else self._x(place.column) - 120
            self.cards.append(Card("parameter", text, full=", ".join(str(p.name) for p in parameters), round=False))
            k = len(self.cards) - 1
            y = self.bottom + _TOP
            clash = [p.cards[0] for p in self.places.values() if p.shared and p.cards]
            if any(abs(self.boxes[c].x - at) < 90 and abs(self.boxes[c].y - y) < 60 for c in clash):
                y += 90
            self.boxes.append(Box(at, y, text_width(text, 13.0, True) + 30, 30.0))
            for card in place.cards.values():
                edge = Edge(k, card, strand="parameter", back=self.backward)
                self.edges.append(edge)
                self.labels.append(Box(0.0, 0.0, 0.0, 0.0))
                self.curves.append(between(self.boxes[k], self.boxes[card]))

    def _reader(self, x: Tensor) -> int | None:
        """The first name that a parameter enters."""
        stops = [p.node for p in self.places.values() if p.node.op is not None]
        for node in sorted(stops, key=lambda n: n.serial):
            stack, seen = list(node.inputs), set()
            while stack:
                y = stack.pop()
                if y.serial in seen or y.serial in self.places:
                    continue
                if y.serial == x.serial:
                    return node.serial
                seen.add(y.serial)
                stack += y.inputs
        return None

    # All of it

    def _note(self) -> str:
        found = self.found
        rank = len(found.inputs[0].shape) if found.inputs else 1
        size = str(found.dim) if self.size == str(found.dim) else f"{found.dim} = {self.size}"
        if self.title == "BatchNorm":
            return f"minibatch of {size}, one feature" + (": backward pass" if self.backward else "")
        last = "classes" if str(found.dim) == "C" else "features"
        what = (
            "entries" if rank == 1 else "samples" if found.axis == 0 else last if found.axis == rank - 1 else "entries"
        )
        where = "in the last axis" if found.axis == rank - 1 and rank > 1 else f"in axis {found.axis}"
        name = found.inputs[0].name if found.inputs else "the input"
        if found.along.get(found.output.serial if found.output is not None else -1) is None:
            verdict = (
                "the gradient by each depends on the others" if found.couples else "the gradient by each is its own"
            )
        else:
            full = found.matrix.all()
            verdict = (
                "each output depends on every input"
                if full
                else (
                    "outputs depend on other inputs" if found.couples else "each output depends on its own input alone"
                )
            )
        return f"{size} {what} {where} of {name}: {verdict}"

    def scene(self) -> Scene:
        frame = Frame(self.title, tuple(range(len(self.cards))), note=self._note())
        return Scene(self.title, tuple(self.cards), tuple(self.edges), (), (frame,))

    def layout(self) -> Layout:
        """Moved to the origin, with a frame around and room for its title."""
        boxes = [*self.boxes, *(b for b, e in zip(self.labels, self.edges, strict=True) if e.label)]
        left, right = min(b.x - b.width / 2 for b in boxes), max(b.x + b.width / 2 for b in boxes)
        top, bottom = min(b.y - b.height / 2 for b in boxes), max(b.y + b.height / 2 for b in boxes)
        title = text_width((Run(self.title, bold=True), Run("   " + self._note())), 13.0) + 40
        spare = max(0.0, (title - (right - left)) / 2)
        left, right = left - 38 - spare, right + 38 + spare
        top, bottom = top - 52, bottom + 30
        dx, dy = 16.0 - left, 16.0 - top
        frame = Box((left + right) / 2, (top + bottom) / 2, right - left, bottom - top).moved(dx, dy)
        return Layout(
            math.ceil(right - left + 32), math.ceil(bottom - top + 32), tuple(b.moved(dx, dy) for b in self.boxes),
            tuple(b.moved(dx, dy) for b in self.labels),
            tuple(tuple((round(x + dx, 1), round(y + dy, 1)) for x, y in c) for c in self.curves), ((frame,),),
        )  # fmt: skip
