"""From the folded reading of a graph to the scene: kinds, names, formulas, rows, labels, and the spine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from symgrad.shapes import same_shape
from symgrad.tensor import Tensor
from viz.algebra import algebra_text
from viz.derivatives import is_scalar, local_number, local_symbol, recorded_rule, symbol_of
from viz.escape import clean
from viz.facts import Facts, Look, Names
from viz.fold import Folded, Unit
from viz.mathtext import cut, latex_text, name_text
from viz.numbers import figure, sizes
from viz.reading import Link, Reading, is_literal
from viz.scene import Card, Edge, Frame, Label, Row, Run, Scene, Text, plain
from viz.texts import exact, grad_row, literal_text, notated, printed, value_rows

__all__ = ["build"]

LONGEST = 40  # characters of a formula in a label
SHORT = 12  # characters of a name in a fraction
BLANK = "−0.00000"  # as wide as most numbers


def build(reading: Reading, folded: Folded, title: str, look: Look, facts: Facts | None = None) -> Scene:
    """The scene of a folded reading."""
    return _Builder(reading, folded, look, facts or Facts(reading, look)).scene(title)


class _Builder:
    def __init__(self, reading: Reading, folded: Folded, look: Look, facts: Facts) -> None:
        self.reading, self.folded, self.look, self.grads, self.facts = reading, folded, look, look.grads, facts
        self.nodes, self.units, self.of = reading.nodes, folded.units, folded.of
        self.kinds, self.place, self.statistics = facts.kinds, facts.place, facts.statistics
        self.full = Names(reading, self.kinds)
        for unit in folded.units:  # what is seen is numbered first
            _ = unit.folded or self.full[unit.out]
        self.texts: dict[int, Text] = {}
        self.shift = 1 if folded.left_out else 0  # the card that says what is left out comes first

    def name(self, k: int) -> Text:
        """The name of a node, by its place."""
        if k not in self.texts:
            self.texts[k] = name_text(*self.full[k])
        return self.texts[k]

    def scene(self, title: str) -> Scene:
        links = self._links()
        cards = [self._card(unit) for unit in self.units]
        edges = [self._edge(link) for link in links]
        spine = self._spine(links)
        frames = [Frame("▾ " + f.title, tuple(k + self.shift for k in f.units), f.parent) for f in self.folded.frames]
        if self.shift:
            cards.insert(0, self._rest())
            cut = {self.of[e.target] for e in self.reading.links if self.of[e.source] < 0 <= self.of[e.target]}
            edges = [Edge(0, k + 1, strand="constant") for k in sorted(cut)] + edges
        return Scene(title, tuple(cards), tuple(edges), tuple(k + self.shift for k in spine), tuple(frames))

    def _links(self) -> list[Link]:
        """The links between different units; one is enough between folded ones, and where no derivative is shown."""
        found, seen = [], set()
        inside = sorted(m for unit in self.units if unit.kind != "edge" for m in unit.members)
        for link in (link for m in inside for link in self.facts.into[m]):
            source, target = self.of[link.source], self.of[link.target]
            if source < 0 or target < 0 or source == target:
                continue
            if self.look.mode == "forward" or self.units[source].folded or self.units[target].folded:
                if (source, target) in seen:
                    continue
                seen.add((source, target))
            found.append(link)
        return found

    def _rest(self) -> Card:
        """The card that says how many nodes are not drawn."""
        count = self.folded.left_out
        name = (Run(f"… {count:,} more node{'s' if count > 1 else ''}"),)
        rows = (Row("", "not drawn: fold=, focus=, max_nodes=", "note"),)
        return Card("more", name, (), rows, f"{count} nodes left out")

    # Cards

    def _card(self, unit: Unit) -> Card:
        node = self.nodes[unit.out]
        consumers = self.facts.consumers[unit.out]
        if unit.folded:
            return self._folded_card(unit, node)
        grad = None if self.grads is None else self.grads.get(node.serial)
        rows = self._rows(node, grad)
        if node.serial in self.facts.notes:
            text = cut(latex_text(self.facts.notes[node.serial]), 60)
            rows.append(Row("grad", plain(text), "grad", text))
        elif self.grads is not None and consumers > 1 and grad is not None and self.look.mode != "forward":
            rows.append(Row("", f"sum of {consumers} paths", "note"))
        if unit.kind == "absorbed":
            rows += self._inside(unit)
        name, latex = self.full[unit.out]
        scalar = is_scalar(node)
        return Card(
            "data" if unit.kind == "edge" else self._kind(unit),
            self.name(unit.out),
            () if unit.kind == "edge" else self.formula(node),
            tuple(rows),
            self._called(f"{name} ({latex})" if latex else name),
            float(node.value.reshape(())) if scalar else None,
            float(np.sum(grad)) if scalar and grad is not None else None,
        )

    def _called(self, full: str) -> str:
        """The full name of a card; without its path where equal modules share a picture."""
        return clean(full.rpartition(".")[2] if self.look.blank else full)

    def _kind(self, unit: Unit) -> str:
        kind = self.kinds[unit.out]
        return "statistic" if kind == "intermediate" and self._is_statistic(unit.out) else kind

    def _rows(self, node: Tensor, grad: Any) -> list[Row]:
        """Value and gradient, as far as they are asked for."""
        look = self.look
        found = value_rows(node, self.facts.abstract, vectors=not look.blank)
        if look.mode == "backward":
            found = [row for row in found if row.role == "note"]
        if self.grads is not None and look.mode != "forward":
            found.append(grad_row(node, grad, vectors=not look.blank))
        words = {"shape": "shape", "value": "value", "grad": "grad", "‖value‖": "norm", "‖grad‖": "norm"}
        if look.blank:
            found = [row if row.role == "note" or row.text == "—" else replace(row, text=BLANK) for row in found]
        return [row for row in found if words.get(row.word, "value") in look.show]

    def _folded_card(self, unit: Unit, node: Tensor) -> Card:
        """A module, a repeat or a chain: how much is inside, and its result."""
        ops = sum(1 + self._inlined(m) for m in unit.members if self.nodes[m].op is not None)
        times = f" ×{unit.count:,}" if unit.count > 1 else ""
        rows = [Row("", f"{ops:,} op{'s' if ops != 1 else ''}" + self._parameters(unit), "note")]
        statistics = [m for m in unit.members if self.nodes[m].op is not None and self._is_statistic(m)]
        if statistics:
            rows.append(Row("", self._couples(statistics), "note"))
        grad = None if self.grads is None else self.grads.get(node.serial)
        rows += self._rows(node, grad)
        kind = "statistic" if any(self._is_over_samples(m) for m in statistics) else "module"
        title = (Run("▸ " + clean(unit.title) + times),)
        scalar = is_scalar(node)
        return Card(
            "loss" if unit.out in self.reading.roots and self.reading.root is not None and scalar else kind,
            cut(title, 60), (), tuple(rows), self._called(".".join((*unit.scope, unit.title)) + times),
            float(node.value.reshape(())) if scalar else None,
            float(np.sum(grad)) if scalar and grad is not None else None, unit.count, False, self.name(unit.out),
        )  # fmt: skip

    def _inlined(self, m: int) -> int:
        """How many ops are written into the formula of a card."""
        return sum(self.reading.inlined.get(self.reading.base[x.serial], 0) for x in self.nodes[m].inputs)

    def _parameters(self, unit: Unit) -> str:
        """Which parameters a folded card holds."""
        leaves = [m for m in unit.members if self.nodes[m].op is None and self.nodes[m].requires_grad]
        if not leaves:
            return ""
        if len(leaves) <= 3:
            return " · " + ", ".join(f"{plain(self.name(m))} {sizes(self.nodes[m].shape)}" for m in leaves)
        numbers = sum(int(self.nodes[m].size) for m in leaves)
        return f" · {len(leaves):,} parameters ({numbers:,} numbers)"

    def _inside(self, unit: Unit) -> list[Row]:
        leaves = [m for m in unit.members if self.nodes[m].op is None]
        text = ", ".join(f"{plain(self.name(m))} {sizes(self.nodes[m].shape)}" for m in leaves[:3])
        return [Row("", text + (" …" if len(leaves) > 3 else ""), "note")]

    def _is_statistic(self, k: int) -> bool:
        return k in self.statistics

    def _is_over_samples(self, k: int) -> bool:
        return 0 in self.statistics[k]

    def _couples(self, statistics: list[int]) -> str:
        """``couples the 4 rows``."""
        first = statistics[0]
        shape = self.nodes[first].inputs[0].shape
        over = [("rows" if a == 0 else "features" if a == len(shape) - 1 else f"axis {a}", shape[a])
                for a in self.statistics[first]]  # fmt: skip
        return "couples the " + " and ".join(f"{n} {what}" for what, n in over)

    def formula(self, node: Tensor) -> Text:
        """How a node is computed, with the names of its inputs; empty for a leaf."""
        if node.op is None:
            return ()
        arguments = [self._argument(x) for x in node.inputs]
        if node.op.notation is not None:
            return cut(notated(node.op, arguments), LONGEST)
        out = [Run(clean(node.op.name) + "(")]
        for position, text in enumerate(arguments):
            out += [*([Run(", ")] if position else []), *text]
        return cut((*out, Run(")")), LONGEST)

    def _argument(self, x: Tensor) -> Text:
        below = self.reading.base[x.serial]
        if below in self.place:
            return self.name(self.place[below])
        if below in self.reading.inlined:
            return self.formula(self.reading.by_serial[below])
        node = self.reading.by_serial[below]
        return literal_text(node) if is_literal(node) else (Run("…"),)

    # Edges

    def _edge(self, link: Link) -> Edge:
        source, target = self.of[link.source], self.of[link.target]
        edge = Edge(source + self.shift, target + self.shift, link.position)
        node, look = self.nodes[link.target], self.look
        if self.units[target].folded and self.kinds[link.source] != "constant" and self._target_couples(target):
            edge = replace(edge, heavy=True)
        if look.mode == "forward":
            return replace(edge, strand="forward")
        if not link.flows and self.kinds[link.source] == "constant":
            return replace(edge, strand="constant")
        back = "backward" if look.mode == "backward" else "twin"
        edge = replace(edge, strand=back if link.flows else "forward")
        if node.op is None or not node.requires_grad or self.units[target].folded or look.labels == "none":
            return edge
        if self.units[source].out != link.source:
            return edge  # one of several results of a folded card
        symbol = local_symbol(link.path, self._symbol)
        number = local_number(link.path)
        tail = self._tail(link, symbol, number)
        if tail is None:
            return edge
        label = Label(self._partial(link.target), self._partial(link.source), tail)
        known = symbol is not None and "…" not in {s.name for s in symbol.free_symbols}
        return replace(edge, label=label, symbol=_formula(symbol) if known else "", number=number)

    def _target_couples(self, target: int) -> bool:
        return any(self._is_statistic(m) and self._is_over_samples(m) for m in self.units[target].members)

    def _symbol(self, x: Tensor) -> Any:
        """What stands for a tensor in a local derivative: its card's symbol, its formula, or the literal itself."""
        import sympy

        below = self.reading.base[x.serial]
        node = self.reading.by_serial[below]
        if below in self.place:
            k = self.place[below]
            unit = self.of[k]
            shown = unit >= 0 and self.units[unit].out == k
            return sympy.Symbol(f"n{unit + self.shift}" if shown else "…", real=True)
        if below in self.reading.inlined:
            return symbol_of(node.op, map(self._symbol, node.inputs))  # type: ignore[arg-type]
        return exact(node) if is_literal(node) else sympy.Symbol("…", real=True)

    def _tail(self, link: Link, symbol: Any, number: float | None) -> Text | None:
        """What follows the fraction: ``= a(1−a) = 0.214``, or ``: g ↦ g Wᵀ``."""
        labels = self.look.labels
        value = () if number is None or labels == "symbolic" else (Run(f" = {figure(number)}"),)
        if labels == "numeric" and value:
            return value
        if symbol is None:
            rule = self._rule(link)
            return ((Run(" : "), Run("g", italic=True), Run(" ↦ "), *rule) if rule else ()) + value or None
        names = {f"n{j + self.shift}": self.name(unit.out) for j, unit in enumerate(self.units)}
        text = algebra_text(symbol, {s.name: names.get(s.name, (Run("…"),)) for s in symbol.free_symbols})
        if len(plain(text)) > LONGEST or (value and symbol.is_number):
            return value or None
        return (Run(" = "), *text, *value, *self._summed(link))

    def _summed(self, link: Link) -> Text:
        """A note where the argument was repeated, so that its gradient is a sum."""
        repeated = not same_shape(self.nodes[link.source].shape, self.nodes[link.target].shape)
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
        name = self.name(k)
        if len(plain(name)) > SHORT:
            name = (Run(plain(name)[: SHORT - 1] + "…", italic=True),)
        return (Run("∂", italic=True), *name)

    # Layout hints

    def _spine(self, links: list[Link]) -> tuple[int, ...]:
        """The longest path to the loss that starts at data; without data, the longest path."""
        root: int | None = max((self.of[r] for r in self.reading.roots), default=-1)
        if root is not None and root < 0:
            root = len(self.units) - 1 if self.units else None
        best: list[tuple[int, int, int]] = [(self.kinds[unit.out] == "data", 0, -1) for unit in self.units]
        for target, _, source in sorted((self.of[e.target], e.position, self.of[e.source]) for e in links):
            if self.kinds[self.units[source].out] == "constant":
                continue
            data, length, _ = best[source]
            if (data, length + 1) > best[target][:2]:
                best[target] = (data, length + 1, source)
        path: list[int] = []
        while root is not None and root >= 0:
            path.append(root)
            root = best[root][2]
        return tuple(reversed(path))


def _formula(symbol: Any) -> str:
    """A local derivative in SymPy's text, decimals without the digits that are not theirs."""
    from sympy import sstr

    return str(sstr(symbol, full_prec=False))
