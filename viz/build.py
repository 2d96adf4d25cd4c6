"""From a reading of a graph to the scene: kinds, names, formulas, rows, labels, and the spine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from symgrad.tensor import Tensor
from viz.algebra import algebra_text
from viz.derivatives import is_scalar, local_number, local_symbol, recorded_rule, symbol_of
from viz.escape import clean
from viz.mathtext import cut, name_text, notation_text
from viz.numbers import figure
from viz.reading import Link, Reading, is_literal
from viz.scene import Card, Edge, Label, Row, Run, Scene, Text, plain
from viz.texts import exact, grad_row, literal_text, printed, value_rows

__all__ = ["build"]

LONGEST = 40  # characters of a formula in a label
SHORT = 12  # characters of a name in a fraction
_AUTOMATIC = {"loss": "L", "parameter": "p", "data": "c", "constant": "c", "intermediate": "v"}


def build(
    reading: Reading, title: str, grads: Mapping[int, Any] | None, kinds: Mapping[int, str] | None = None
) -> Scene:
    """The scene of a reading; ``grads`` by serial for a backprop picture, None for the forward view."""
    return _Builder(reading, grads, dict(kinds or {})).scene(title)


class _Builder:
    def __init__(self, reading: Reading, grads: Mapping[int, Any] | None, kinds: dict[int, str]) -> None:
        self.reading, self.grads = reading, grads
        self.nodes = reading.nodes
        self.place = {node.serial: k for k, node in enumerate(self.nodes)}
        self.depth = _longest(len(self.nodes), reading.links)
        self.kinds = _kinds(reading, self.depth, kinds)
        self.full = _names(reading, self.kinds)
        self.names = [name_text(*pair) for pair in self.full]

    def scene(self, title: str) -> Scene:
        counts = [0] * len(self.nodes)
        for link in self.reading.links:
            counts[link.source] += link.flows
        cards = [self._card(k, node, counts[k]) for k, node in enumerate(self.nodes)]
        edges = [self._edge(link) for link in self.reading.links]
        scene = Scene(title, tuple(cards), tuple(edges), self._spine())
        return _with_rest(scene, self.reading) if self.reading.left_out else scene

    # Cards

    def _card(self, k: int, node: Tensor, consumers: int) -> Card:
        scalar = is_scalar(node)
        grad = None if self.grads is None else self.grads.get(node.serial)
        rows = value_rows(node)
        if self.grads is not None:
            rows.append(grad_row(node, grad))
            if consumers > 1 and grad is not None:
                rows.append(Row("", f"sum of {consumers} paths", "note"))
        name, latex = self.full[k]
        return Card(
            self.kinds[k],
            self.names[k],
            self.formula(node),
            tuple(rows),
            clean(f"{name} ({latex})" if latex else name),
            float(node.value.reshape(())) if scalar else None,
            float(np.sum(grad)) if scalar and grad is not None else None,
        )

    def formula(self, node: Tensor) -> Text:
        """How a node is computed, with the names of its inputs; empty for a leaf."""
        if node.op is None:
            return ()
        arguments = [self._argument(x) for x in node.inputs]
        if node.op.notation is not None:
            return cut(notation_text(node.op.notation, arguments), LONGEST)
        out = [Run(clean(node.op.name) + "(")]
        for position, text in enumerate(arguments):
            out += [*([Run(", ")] if position else []), *text]
        return cut((*out, Run(")")), LONGEST)

    def _argument(self, x: Tensor) -> Text:
        below = self.reading.base[x.serial]
        if below in self.place:
            return self.names[self.place[below]]
        if below in self.reading.inlined:
            return self.formula(self.reading.by_serial[below])
        node = self.reading.by_serial[below]
        return literal_text(node) if is_literal(node) else (Run("…"),)

    # Edges

    def _edge(self, link: Link) -> Edge:
        node = self.nodes[link.target]
        edge = Edge(link.source, link.target, link.position)
        if self.grads is None:
            return replace(edge, strand="forward")
        if not link.flows and self.kinds[link.source] == "constant":
            return replace(edge, strand="constant")
        edge = replace(edge, strand="twin" if link.flows else "forward")
        if node.op is None or not node.requires_grad:
            return edge
        symbol = local_symbol(link.path, self._symbol)
        number = local_number(link.path)
        tail = self._tail(link, symbol, number)
        if tail is None:
            return edge
        label = Label(self._partial(link.target), self._partial(link.source), tail)
        return replace(edge, label=label, symbol="" if symbol is None else _formula(symbol), number=number)

    def _symbol(self, x: Tensor) -> Any:
        """What stands for a tensor in a local derivative: its card's symbol, its formula, or the literal itself."""
        import sympy

        below = self.reading.base[x.serial]
        node = self.reading.by_serial[below]
        if below in self.place:
            return sympy.Symbol(f"n{self.place[below]}", real=True)
        if below in self.reading.inlined:
            return symbol_of(node.op, map(self._symbol, node.inputs))  # type: ignore[arg-type]
        return exact(node) if is_literal(node) else sympy.Symbol("…", real=True)

    def _tail(self, link: Link, symbol: Any, number: float | None) -> Text | None:
        """What follows the fraction: ``= a(1−a) = 0.214``, or ``: g ↦ g Wᵀ``."""
        value = () if number is None else (Run(f" = {figure(number)}"),)
        if symbol is None:
            rule = self._rule(link)
            return ((Run(" : "), Run("g", italic=True), Run(" ↦ "), *rule) if rule else ()) + value or None
        text = algebra_text(symbol, {f"n{k}": name for k, name in enumerate(self.names)})
        if len(plain(text)) > LONGEST or (value and symbol.is_number):
            return value or None
        return (Run(" = "), *text, *value, *self._summed(link))

    def _summed(self, link: Link) -> Text:
        """A note where the argument was repeated, so that its gradient is a sum."""
        repeated = self.nodes[link.source].shape != self.nodes[link.target].shape
        return (Run("  (summed)", muted=True),) if repeated else ()

    def _rule(self, link: Link) -> Text:
        """The recorded rule of ops that couple elements, on a cotangent g."""
        found = recorded_rule(link.path)
        if found is None:
            return ()
        rule, stand_ins = found
        known = {name: self._argument(x) for name, x in stand_ins.items()} | {"g": (Run("g", italic=True),)}
        text = printed(rule, known, 8)
        return text if len(plain(text)) <= LONGEST else ()

    def _partial(self, k: int) -> Text:
        name = self.names[k]
        if len(plain(name)) > SHORT:
            name = (Run(plain(name)[: SHORT - 1] + "…", italic=True),)
        return (Run("∂", italic=True), *name)

    # Layout hints

    def _spine(self) -> tuple[int, ...]:
        """The longest path to the loss that starts at data; without data, the longest path."""
        root = self.reading.root
        if root is None:
            root = max(range(len(self.nodes)), key=lambda k: k, default=None)
        best: list[tuple[int, int, int]] = [(self.kinds[k] == "data", 0, -1) for k in range(len(self.nodes))]
        for link in sorted(self.reading.links, key=lambda e: (e.target, e.position)):
            if self.kinds[link.source] == "constant":
                continue
            data, length, _ = best[link.source]
            if (data, length + 1) > best[link.target][:2]:
                best[link.target] = (data, length + 1, link.source)
        path: list[int] = []
        while root is not None and root >= 0:
            path.append(root)
            root = best[root][2]
        return tuple(reversed(path))


def _formula(symbol: Any) -> str:
    """A local derivative in SymPy's text, decimals without the digits that are not theirs."""
    from sympy import sstr

    return str(sstr(symbol, full_prec=False))


def _longest(count: int, links: list[Link]) -> list[int]:
    """The length of the longest path from each card to the end."""
    depth = [0] * count
    for link in sorted(links, key=lambda e: -e.target):
        depth[link.source] = max(depth[link.source], depth[link.target] + 1)
    return depth


def _kinds(reading: Reading, depth: list[int], given: dict[int, str]) -> list[str]:
    """The kind of every card. Data that enters after every parameter (the target) is a constant."""
    kinds = []
    entry = min((d for n, d in zip(reading.nodes, depth, strict=True) if n.op is None and n.requires_grad), default=0)
    for k, node in enumerate(reading.nodes):
        if node.serial in given:
            kind = given[node.serial]
        elif k == reading.root and node.op is not None:
            kind = "loss"
        elif node.op is not None:
            kind = "intermediate"
        elif node.requires_grad:
            kind = "parameter"
        else:
            late = depth[k] < entry or node.dtype.kind != "f" or node.name is None
            kind = "constant" if late else "data"
        kinds.append(kind)
    return kinds


def _names(reading: Reading, kinds: list[str]) -> list[tuple[str, str | None]]:
    """The given name of every card, or a short automatic one that nobody else has."""
    taken = {name for name, _ in reading.names.values()}
    counters: dict[str, int] = {}
    found = []
    for node, kind in zip(reading.nodes, kinds, strict=True):
        if node.serial in reading.names:
            found.append(reading.names[node.serial])
            continue
        letter = _AUTOMATIC.get(kind, "v")
        name = letter if letter == "L" else ""
        while not name or name in taken:
            counters[letter] = counters.get(letter, 0) + 1
            name = f"{letter}{counters[letter]}"
        taken.add(name)
        found.append((name, None))
    return found


def _with_rest(scene: Scene, reading: Reading) -> Scene:
    """The scene with a card that says how many nodes are not drawn."""
    count = reading.left_out
    name = (Run(f"… {count:,} more node{'s' if count > 1 else ''}"),)
    card = Card("more", name, (), (Row("", "not drawn: raise max_nodes=", "note"),), f"{count} nodes left out")
    edges = [replace(e, source=e.source + 1, target=e.target + 1, symbol=_shifted(e.symbol)) for e in scene.edges]
    cut = [Edge(0, k + 1, strand="constant") for k in sorted(set(reading.cut))]
    return Scene(scene.title, (card, *scene.cards), (*cut, *edges), tuple(k + 1 for k in scene.spine))


def _shifted(symbol: str) -> str:
    import re

    return re.sub(r"\bn(\d+)\b", lambda m: f"n{int(m[1]) + 1}", symbol)
