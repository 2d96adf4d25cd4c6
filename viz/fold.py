"""Many cards as few: modules, repeats as ×N, elementwise chains, parameters; and what is left out, counted.

Cards of ops stand in topological order. A module is an interval of that order, as is a repeat, so that folding
never makes a cycle. All is done on numbers of cards: nothing here reads values or makes formulas.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from symgrad.errors import SymgradError
from symgrad.tensor import Tensor
from viz.reading import Reading, is_literal

__all__ = ["Folded", "Frame", "Unit", "fold", "formula_code"]

REPEATS, CHAINS = "repeats", "chains"
_PERIOD = 64  # cards in the longest block that is searched for repeats
Scope = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """One card of the picture: a leaf, a node of an op, or many (module, repeat, chain).

    ``out`` is the card that others read; ``count`` how often a repeat occurs.
    """

    members: tuple[int, ...]
    out: int
    kind: str = "node"
    title: str = ""
    count: int = 1
    scope: Scope = ()

    @property
    def folded(self) -> bool:
        """Whether it stands for several ops."""
        return self.kind in ("module", "repeat", "chain")


@dataclass(frozen=True, slots=True)
class Frame:
    """An open module: the units inside, and the frame around it."""

    title: str
    units: tuple[int, ...]
    parent: int | None = None


@dataclass(slots=True)
class Folded:
    """The units in topological order, the links between them (by place of unit), open modules, and what is missing."""

    units: list[Unit]
    of: list[int]  # unit of every card; -1 where it is left out
    frames: list[Frame] = field(default_factory=list)
    left_out: int = 0


def plain_scopes(reading: Reading) -> list[Scope]:
    """The modules around every card, without those that are around all others (the model itself)."""
    scopes = [reading.scopes.get(node.serial, ()) if node.op is not None else () for node in reading.nodes]
    given = {scope for scope in scopes if scope}
    drop = 0
    while given and all(len(s) > drop + 1 for s in given) and len({s[drop] for s in given}) == 1:
        drop += 1
    return [scope[drop:] for scope in scopes]


def fold(reading: Reading, how: Any, limit: int) -> Folded:
    """The units of a reading.

    ``how`` is None (fold as much as the limit needs), a depth (modules at it are one card; 0 or False folds nothing),
    or names of modules (with * and ?), "repeats" and "chains".
    """
    folder = _Folder(reading)
    if how is None:
        for step in folder.steps():
            if len(folder.blocks) + folder.loose() <= limit:
                break
            step()
    else:
        for each in [how] if isinstance(how, (str, int)) else list(how):
            folder.apply(each)
    return folder.result()


class _Folder:
    """Blocks (intervals of cards of ops) that are joined step by step."""

    def __init__(self, reading: Reading) -> None:
        self.reading, self.nodes = reading, reading.nodes
        self.scopes = plain_scopes(reading)
        ops = [k for k, node in enumerate(self.nodes) if node.op is not None]
        self.blocks = [Unit((k,), k, scope=self.scopes[k]) for k in ops]
        self.readers: list[list[int]] = [[] for _ in self.nodes]
        self.reads: list[list[int]] = [[] for _ in self.nodes]
        for link in reading.links:
            self.readers[link.source].append(link.target)
            self.reads[link.target].append(link.source)
        self.absorbs = False

    # Which steps

    def steps(self) -> Iterator[Any]:
        """What is folded, in turn, when there is too much: deepest modules first."""
        for depth in range(max(map(len, self.scopes), default=0), 0, -1):
            yield lambda depth=depth: self.modules(lambda scope: scope[:depth] if len(scope) >= depth else None)
        yield self.repeats
        yield self.chains
        yield self.parameters

    def apply(self, what: Any) -> None:
        """One way of folding, as the user names it."""
        if isinstance(what, int):
            if what > 0:
                self.modules(lambda scope: scope[:what] if len(scope) >= what else None)
        elif what == REPEATS:
            self.repeats()
        elif what == CHAINS:
            self.chains()
        else:
            if not any(_named(scope, str(what)) for scope in self.scopes):
                known = ", ".join(dict.fromkeys(".".join(scope[:1]) for scope in self.scopes if scope)) or "no modules"
                raise SymgradError(f"viz: fold={what!r} names no module here; there are {known}, repeats and chains")
            self.modules(lambda scope: _named(scope, str(what)))

    def loose(self) -> int:
        """The number of leaves that get a card of their own."""
        inside = {m: j for j, block in enumerate(self.blocks) for m in block.members}
        return sum(node.op is None and self._home(k, inside) is None for k, node in enumerate(self.nodes))

    def _home(self, leaf: int, inside: dict[int, int]) -> int | None:
        """The block that holds a leaf: the one folded block (or, at last, the one op) that reads it."""
        homes = {inside[r] for r in self.readers[leaf]}
        if len(homes) != 1 or not self._is_small(leaf):
            return None
        (home,) = homes
        block = self.blocks[home]
        if not block.folded and not self.absorbs:
            return None
        start = leaf in self.reads[block.members[0]]  # what would be left without any input keeps this one
        return (
            None
            if start and all(self._is_inner(x, home, inside) for m in block.members for x in self.reads[m])
            else home
        )

    def _is_inner(self, k: int, home: int, inside: dict[int, int]) -> bool:
        return inside.get(k) == home or self._is_small(k)

    def _is_small(self, leaf: int) -> bool:
        """Whether a leaf belongs to its reader; what the user made and named stays in sight."""
        node = self.nodes[leaf]
        return node.op is None and (bool(node.requires_grad) or node.name is None or "." in node.name)

    # Joining

    def modules(self, key: Any) -> None:
        """Join neighbours of the same module; one op without parameters stays as it is."""
        runs: list[tuple[Scope | None, list[Unit]]] = []
        for block in self.blocks:
            own = key(block.scope)
            if own is not None and runs and runs[-1][0] == own:
                runs[-1][1].append(block)
            else:
                runs.append((own, [block]))
        self.blocks = [
            self._joined(run, "module", own[-1], own[:-1]) if own is not None and self._worth(run) else block
            for own, run in runs
            for block in (run if own is None or not self._worth(run) else run[:1])
        ]

    def _worth(self, run: list[Unit]) -> bool:
        return len(run) > 1 or any(
            self.nodes[x].op is None and self.nodes[x].requires_grad for m in run[0].members for x in self.reads[m]
        )

    def _joined(self, run: Sequence[Unit], kind: str, title: str, scope: Scope, count: int = 1) -> Unit:
        members = tuple(m for block in run for m in block.members)
        inside = set(members)
        roots = set(self.reading.roots)
        leaving = [m for m in members if m in roots or any(r not in inside for r in self.readers[m])]
        return Unit(members, leaving[-1] if leaving else members[-1], kind, title, count, scope)

    def repeats(self) -> None:
        """Join blocks that occur at least three times in a row."""
        ids: dict[Any, int] = {}
        inside = {m: (j, k) for j, block in enumerate(self.blocks) for k, m in enumerate(block.members)}
        codes = np.array([ids.setdefault(self._code(j, inside), len(ids)) for j in range(len(self.blocks))], int)
        lengths = [_run_lengths(codes, p) for p in range(1, min(_PERIOD, len(codes) // 3) + 1)]
        found: list[Unit] = []
        j = 0
        while j < len(self.blocks):
            best, size = 0, 0
            for p, runs in enumerate(lengths, 1):
                whole = (int(runs[j]) // p + 1) * p if j < len(runs) else 0
                if whole >= 3 * p and whole > best:
                    best, size = whole, p
            if best:
                run = self.blocks[j : j + best]
                title = _series([self._called(block) for block in run[:size]])
                found.append(self._joined(run, "repeat", title, _common(run), best // size))
                j += best
            else:
                found.append(self.blocks[j])
                j += 1
        self.blocks = found

    def _called(self, block: Unit) -> str:
        if block.title:
            return re.sub(r"[._]?\d+$", "", block.title)
        op: Any = self.nodes[block.out].op
        return str(op.name)

    def _code(self, j: int, inside: dict[int, tuple[int, int]]) -> Any:
        """What a block does, and where its inputs come from, counted from itself."""
        block = self.blocks[j]
        sources = dict.fromkeys(x for m in block.members for x in self.reads[m] if inside.get(x, (-1,))[0] != j)
        start = self._start([x for x in sources if x not in inside]) if not sources.keys() & inside.keys() else None
        parts: list[Any] = [block.kind, block.count]
        for m in block.members:
            places: list[Any] = []
            for x in self.reads[m]:
                if x in inside:
                    at, k = inside[x]
                    places.append((j - at, k if at == j else -1))
                else:
                    node = self.nodes[x]
                    places.append((1, -1) if x == start else (str(node.shape), bool(node.requires_grad)))
            parts.append((formula_code(self.nodes[m], self.reading), str(self.nodes[m].shape), tuple(places)))
        return tuple(parts)

    def _start(self, leaves: list[int]) -> int | None:
        """The leaf that the first block of a repeat reads where the others read the block before them."""
        data = [x for x in leaves if not self.nodes[x].requires_grad] or leaves
        return data[0] if len(data) == 1 else None

    def chains(self) -> None:
        """Join elementwise ops of one input, each read by the next alone."""
        found: list[Unit] = []
        for block in self.blocks:
            if found and self._extends(found[-1], block):
                run = [found.pop(), block]
                title = " → ".join(filter(None, (run[0].title or self._called(run[0]), self._called(block))))
                found.append(self._joined(run, "chain", title, _common(run)))
            else:
                found.append(block)
        self.blocks = [replace(b, title=_short_chain(b.title)) if b.kind == "chain" else b for b in found]

    def _extends(self, before: Unit, block: Unit) -> bool:
        if before.kind not in ("node", "chain") or block.kind != "node":
            return False
        last, own = before.members[-1], block.members[0]
        elementwise = all(self._is_elementwise(m) for m in (last, own))
        return elementwise and self.readers[last] == [own] and last not in self.reading.roots

    def _is_elementwise(self, m: int) -> bool:
        op = self.nodes[m].op
        return op is not None and op.indices == "elementwise" and len(self.reads[m]) == 1

    def parameters(self) -> None:
        """Put leaves into the one op that reads them."""
        self.absorbs = True

    # The result

    def result(self) -> Folded:
        inside = {m: j for j, block in enumerate(self.blocks) for m in block.members}
        extra: dict[int, list[int]] = {}
        loose: list[Unit] = []
        for k, node in enumerate(self.nodes):
            if node.op is not None:
                continue
            home = self._home(k, inside)
            if home is None:
                loose.append(Unit((k,), k, "leaf", scope=self._leaf_scope(k)))
            else:
                extra.setdefault(home, []).append(k)
        blocks = [replace(b, members=(*extra.get(j, ()), *b.members)) for j, b in enumerate(self.blocks)]
        units = sorted([*loose, *blocks], key=lambda unit: unit.members[-1])
        of = [-1] * len(self.nodes)
        for j, unit in enumerate(units):
            for m in unit.members:
                of[m] = j
        return Folded(units, of, _frames(units))

    def _leaf_scope(self, k: int) -> Scope:
        """The innermost module that holds all readers of a parameter; data belongs to none."""
        if not self.nodes[k].requires_grad:
            return ()
        return _common([Unit((), 0, scope=self.scopes[r]) for r in self.readers[k]])


def _named(scope: Scope, pattern: str) -> Scope | None:
    """The part of a scope up to the module of this name."""
    for k in range(1, len(scope) + 1):
        if fnmatchcase(scope[k - 1], pattern) or fnmatchcase(".".join(scope[:k]), pattern):
            return scope[:k]
    return None


def formula_code(node: Tensor, reading: Reading, depth: int = 5) -> str:
    """The ops of a card and its literals, without names."""
    op: Any = node.op
    parts = []
    for x in node.inputs if depth else ():
        below = reading.base[x.serial]
        inner = reading.by_serial[below]
        if below in reading.inlined:
            parts.append(formula_code(inner, reading, depth - 1))
        elif is_literal(inner):
            parts.append(str(inner.params or inner.value))
    return f"{op.name}{node.params}({','.join(parts)})"


def _run_lengths(codes: Any, period: int) -> Any:
    """For every place, how many of the next codes equal the one a period later."""
    same = codes[:-period] == codes[period:]
    ends = np.append(np.flatnonzero(~same), len(same))
    return ends[np.searchsorted(ends, np.arange(len(same)))] - np.arange(len(same))


def _series(titles: list[str]) -> str:
    shown = titles if len(titles) <= 4 else [*titles[:3], "…"]
    return " · ".join(shown)


def _short_chain(title: str) -> str:
    parts = title.split(" → ")
    return title if len(parts) <= 4 else " → ".join([*parts[:2], "…", parts[-1]])


def _common(run: Iterable[Unit]) -> Scope:
    """The modules around all of them."""
    scopes = [u.scope for u in run]
    if not scopes:
        return ()
    k = 0
    while all(len(s) > k for s in scopes) and len({s[k] for s in scopes}) == 1:
        k += 1
    return scopes[0][:k]


def _frames(units: list[Unit]) -> list[Frame]:
    """Open modules: runs of units with the same scope, nested."""
    made: list[tuple[Scope, list[int], int | None]] = []
    live: list[int] = []  # the frames that are open, outermost first
    newest: dict[Scope, int] = {}
    for j, unit in enumerate(units):
        if unit.kind == "leaf":
            continue
        while live and made[live[-1]][0] != unit.scope[: len(made[live[-1]][0])]:
            live.pop()
        while len(live) < len(unit.scope):
            scope = unit.scope[: len(live) + 1]
            newest[scope] = len(made)
            made.append((scope, [], live[-1] if live else None))
            live.append(newest[scope])
        for k in live:
            made[k][1].append(j)
    for j, unit in enumerate(units):
        if unit.kind == "leaf":
            for k in {newest.get(unit.scope[:n], -1) for n in range(1, len(unit.scope) + 1)} - {-1}:
                made[k][1].append(j)
    wide = [k for k, (_, inside, _) in enumerate(made) if len(inside) > 1]  # around one card there is no frame
    place = {k: n for n, k in enumerate(wide)}
    found = []
    for k in wide:
        scope, inside, parent = made[k]
        found.append(Frame(scope[-1], tuple(sorted(inside)), None if parent is None else place[parent]))
    return found
