r"""A derivation as plain data: what `symgrad.rechecking` reads, who shares no code with what is here.

Indices that reshapes make of others are written as digits: where an axis of $G K$ elements is split anywhere, an index
over it is two, over $G$ and over $K$, in all of the data; so a reshape changes nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.symbolic.claims import Claim
from symgrad.symbolic.expr import Expr, Operations, Ref, fold, free_of, refs
from symgrad.symbolic.factors import Number, Var
from symgrad.symbolic.indices import JOIN, QUOTIENT, REMAINDER, At, Extent, Index, divided, fresh, made, multiplied
from symgrad.symbolic.source import output

if TYPE_CHECKING:
    from symgrad.symbolic.derivation import Derivation

__all__ = ["data_of"]

Digits = dict[Extent, tuple[Extent, ...]]


def data_of(d: Derivation) -> dict[str, Any]:
    """The derivation as dicts, lists, texts and numbers, each certificate bound to its claim and to all before it."""
    leaves, claims, conditions = d.program.leaves, _used(d), _conditions(d)
    sides = [side for claim in claims for side in (claim.before, claim.after)]
    digits = _digits([output(d), *[tree for _, tree in conditions], *sides])
    differentiated = {*d.record.arguments, d.record.cotangent.name}
    cotangent = leaves[d.record.cotangent.name]
    bound, factors = _Writer(digits), [fold(tree, _Writer(digits)) for tree in (Ref(cotangent), output(d))]
    data: dict[str, Any] = {
        "function": d.name,
        "sizes": sorted(d.sizes),
        "extents": {_size(n): _extent(n) for n in _extents(d, digits)},
        "arguments": {n: _leaf(d, leaves[n], digits) for n in d.record.arguments},
        "constants": {n: _leaf(d, v, digits) for n, v in leaves.items() if n not in differentiated}
        | _chosen(d, digits),
        "cotangent": {cotangent.name: _leaf(d, cotangent, digits)},
        "held": sorted({let.op.name for let in d.program.lets.values() if let.op}),
        "truths": sorted({let.op.name for let in d.program.lets.values() if let.op and let.op.dtype is np.bool_}),
        "conditions": [[relation, *_sides(digits, tree)] for relation, tree in conditions],
        "total": ["sum", bound.bound(cotangent.indices), ["mul", *factors]],
    }
    digest = _digest("", data)
    steps = []
    for claim in claims:
        before, after, indices = _sides(digits, claim.before, claim.after)
        step = {"rule": claim.rule, "node": claim.node, "indices": indices, "before": before, "after": after}
        digest = _digest(digest, step)
        found = claim.certificate
        steps.append({**step, "certificate": {"verdict": found.verdict, "method": found.method, "claim": digest}})
    return {**data, "steps": steps}


def _used(d: Derivation) -> list[Claim]:
    """The claims without definitions that nothing speaks of."""
    trees = [output(d), *[tree for _, tree in _conditions(d)]]
    names = {v.name for tree in trees for v in refs(tree)}
    kept = []
    for claim in reversed(d.claims):
        if claim.rule != "definition" or not claim.automatic or claim.node in names:
            names.update(v.name for tree in (claim.before, claim.after) for v in refs(tree))
            kept.append(claim)
    return kept[::-1]


def _conditions(d: Derivation) -> list[tuple[str, Expr]]:
    positive = [(">", tree) for tree in d.program.assumptions.values()]
    return positive + [("!=", Ref(x) if isinstance(x, Var) else x) for x, _ in d.program.domain]


def _sides(digits: Digits, *trees: Expr) -> list[Any]:
    """The trees, and their free indices with sizes, the leftmost axis first."""
    writer = _Writer(digits)
    written = [fold(tree, writer) for tree in trees]
    free = sorted(set().union(*map(free_of, trees)), key=lambda i: (writer.name(i), i), reverse=True)
    return [*written, writer.bound(free)]


def _digest(before: str, claim: dict[str, Any]) -> str:
    return hashlib.sha256((before + json.dumps(claim, sort_keys=True)).encode()).hexdigest()


def _chosen(d: Derivation, digits: Digits) -> dict[str, Any]:
    """For labels $y_i$ the numbers $[y_i = c]$, of which nothing but that they are 0 or 1 is told."""
    found = {}
    for n, size in d.program.labels.items():
        v = d.program.leaves.get(n) or d.program.lets[n].var
        indices = _Writer(digits).bound((*v.indices, Index("c", size)))
        found[CHOSEN.format(n)] = {"indices": indices, "positive": False, "binary": True}
    return found


def _leaf(d: Derivation, var: Var, digits: Digits) -> dict[str, Any]:
    binary = var.name in d.program.binary
    return {"indices": _Writer(digits).bound(var.indices), "positive": var.positive, "binary": binary}


# sizes and digits ------------------------------------------------------------------------------------------------


def _size(size: Extent) -> str:
    return "+".join("*".join([str(c), *names]) for names, c in size)


def _extent(size: Extent) -> list[Any]:
    """A size as a tree."""
    return ["add", *[["mul", ["num", str(c)], *[["ref", n, []] for n in names]] for names, c in size]]


def _extents(d: Derivation, digits: Digits) -> list[Extent]:
    """The sizes that indices run over."""
    own = [*d.program.leaves.values(), *[let.var for let in d.program.lets.values()]]
    whole = {i.size for v in own for i in (*v.indices, *made(v.indices))} | set(d.program.labels.values())
    return sorted(whole.union(*digits.values()))


class _Splits(Operations):
    """The sizes that reshapes split, each with those of its parts."""

    def __init__(self) -> None:
        self.found: set[tuple[Extent, Extent, Extent]] = set()

    def ref(self, var: Var) -> Any:
        self._take(var.indices)
        return super().ref(var)

    def kronecker(self, first: Index | At, second: Index | At) -> Any:
        self._take((first, second))
        return super().kronecker(first, second)

    def _take(self, indices: Iterable[Any]) -> None:
        for i in made(indices):
            first, second = i.indices[0].size, i.indices[-1].size
            rest = divided(first, i.size)
            if i.name == JOIN:
                self.found.add((i.size, first, second))
            elif i.name in (QUOTIENT, REMAINDER) and rest is not None:
                self.found.add((first, i.size, rest) if i.name == QUOTIENT else (first, rest, i.size))


def _digits(trees: Iterable[Expr]) -> Digits:
    """For each size that is split the sizes of its digits, so that every part has some of them."""
    splits = _Splits()
    for tree in trees:
        fold(tree, splits)
    digits: Digits = {size: (size,) for split in splits.found for size in split}
    before: Digits | None = None
    while digits != before:
        before = dict(digits)
        for whole, first, second in sorted(splits.found):
            parts = _common(digits[whole], digits[first] + digits[second])
            cut = next((k for k in range(len(parts) + 1) if _product(parts[:k]) == first), None)
            if cut is None:
                return {}  # one size is split in ways that do not fit; `rechecking` refuses what is written then
            digits |= {first: _common(digits[first], parts[:cut]), second: _common(digits[second], parts[cut:])}
            digits[whole] = parts
    return digits


def _common(a: tuple[Extent, ...], b: tuple[Extent, ...]) -> tuple[Extent, ...]:
    """The digits of both of two ways to split a size; none, if they do not fit."""
    if not a or not b:
        return ()
    if (rest := divided(b[0], a[0])) is not None:
        return a[0], *_common(a[1:], b[1:] if rest == ONE else (rest, *b[1:]))
    return _common(b, a) if divided(a[0], b[0]) is not None else ()


ONE: Extent = (((), 1),)


def _product(sizes: Iterable[Extent]) -> Extent:
    total = ONE
    for size in sizes:
        total = multiplied(total, size)
    return total


# trees -----------------------------------------------------------------------------------------------------------


def _minus(a: Any, b: Any) -> list[Any]:
    return ["add", a, ["mul", ["num", "-1"], b]]


def _not(a: Any) -> list[Any]:
    return _minus(["num", "1"], a)


def _step(a: Any, b: Any) -> list[Any]:
    return ["call", "Step", _minus(a, b)]


def _differ(a: Any, b: Any) -> list[Any]:
    return ["add", _step(a, b), _step(b, a)]


def _choose(c: Any, a: Any, b: Any) -> list[Any]:
    return ["add", ["mul", c, a], ["mul", _not(c), b]]


def _power(a: Any, b: Any) -> list[Any]:
    """A power; one whose exponent is a symbol is written with exp and log."""
    if b[0] == "add":
        return ["mul", *[_power(a, part) for part in b[1:]]]
    return ["pow", a, b] if b[0] == "num" else ["call", "exp", ["mul", b, ["call", "log", a]]]


CHOSEN = "[{}]"
PIECES: dict[str, Any] = {
    "pow": _power,
    "maximum": lambda a, b: _choose(_step(a, b), a, b),
    "minimum": lambda a, b: _choose(_step(a, b), b, a),
    "where": lambda c, a, b: _choose(c, a, b),
    "greater": _step,
    "less": lambda a, b: _step(b, a),
    "greater_equal": lambda a, b: _not(_step(b, a)),
    "less_equal": lambda a, b: _not(_step(a, b)),
    "equal": lambda a, b: _not(_differ(a, b)),
    "not_equal": _differ,
    "logical_and": lambda a, b: ["mul", a, b],
    "logical_or": lambda a, b: _not(["mul", _not(a), _not(b)]),
    "logical_not": lambda a: _not(a),
}
"""Powers with symbolic exponents and piecewise functions, written with others; conditions are 0 or 1."""


class _Writer(Operations):
    """A tree as nested lists; bound indices are named in the order in which they are met."""

    def __init__(self, digits: Digits) -> None:
        self.digits, self.names = digits, dict[Index, str]()

    def name(self, i: Index) -> str:
        """Indices of axes keep their names; the others are numbered."""
        return self.names.setdefault(i, f"j{len(self.names)}") if i.name[0] in "~0123456789" else i.name

    def places(self, i: Any) -> list[tuple[str, Extent]]:
        """An index as its digits with their sizes."""
        if len(i) == 2:
            name, parts = self.name(i), self.digits.get(i.size, (i.size,))
            return [(f"{name}.{k}" if len(parts) > 1 else name, part) for k, part in enumerate(parts)]
        own = [place for part in i.indices for place in self.places(part)]
        for k in range(len(own) + 1):
            if i.name == QUOTIENT and _product(n for _, n in own[:k]) == i.size:
                return own[:k]
            if i.name == REMAINDER and _product(n for _, n in own[k:]) == i.size:
                return own[k:]
        return own if i.name == JOIN else [("reshaped", i.size)]  # no name of an index, so that `rechecking` refuses

    def bound(self, indices: Iterable[Any]) -> list[Any]:
        return [[name, _size(size)] for i in indices for name, size in self.places(i)]

    def number(self, value: Number) -> Any:
        return ["num", str(Fraction(value))]

    def ref(self, var: Var) -> Any:
        if var.name.isdigit():
            return ["num", var.name]
        labels = {i: fresh(i.size) for i in var.indices if len(i) == 3 and i.name not in (JOIN, QUOTIENT, REMAINDER)}
        indices = [labels.get(i, i) for i in var.indices]
        picked = ["ref", var.name, [name for i in indices for name, _ in self.places(i)]]
        chosen = [self.kronecker(i, place) for i, place in labels.items()]
        return ["sum", self.bound(labels.values()), ["mul", picked, *chosen]] if chosen else picked

    def kronecker(self, first: Index | At, second: Index | At) -> Any:
        if isinstance(first, At) and first.name not in (JOIN, QUOTIENT, REMAINDER):
            return self.ref(Var(0, CHOSEN.format(first.name), (*first.indices, second), False))
        pairs = zip(self.places(first), self.places(second), strict=False)
        return ["mul", ["num", "1"], *[["delta", i, j] for (i, _), (j, _) in pairs]]

    def add(self, terms: list[Any]) -> Any:
        return ["add", *terms]

    def mul(self, factors: list[Any]) -> Any:
        return ["mul", *factors]

    def pow(self, base: Any, exponent: Any) -> Any:
        return _power(base, exponent)

    def call(self, name: str, args: list[Any]) -> Any:
        return PIECES[name](*args) if name in PIECES else ["call", name, *args]

    def total(self, bound: tuple[Index, ...], body: Any) -> Any:
        return ["sum", self.bound(bound), body]

    def reduction(self, name: str, bound: tuple[Index, ...], body: Any) -> Any:
        return ["reduce", name, self.bound(bound), body]
