r"""A derivation as claims: definitions, what they imply, and one derivative after the other, each with its certificate.

These are the facts that `steps` prints and that `symgrad.rechecking` verifies again from plain data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.symbolic.compact import compact
from symgrad.symbolic.expr import Expr, Operations, Ref, fold, free_of, refs
from symgrad.symbolic.factors import Number, Var
from symgrad.symbolic.indices import At, Extent, Index, fresh, labels, made
from symgrad.symbolic.normal import Poly
from symgrad.symbolic.proof import Certificate, expand
from symgrad.symbolic.rewrite import variables
from symgrad.symbolic.source import output

if TYPE_CHECKING:
    from symgrad.symbolic.derivation import Derivation

__all__ = ["Claim", "claims_of", "data_of"]


@dataclass(frozen=True)
class Claim:
    """One fact: the rule, the name it is about, both sides, and what was shown.

    The left side of an ``adjoint`` or a ``gradient`` is the derivative by the variable ``before``.
    """

    rule: str  # "definition", "solve", "invariant", "adjoint" or "gradient"
    node: str
    before: Expr
    after: Expr
    certificate: Certificate
    automatic: bool = False  # about a name that the author did not give


def claims_of(d: Derivation) -> Iterator[Claim]:
    """Definitions, what they imply, then one adjoint per name from the output to the arguments."""
    yield from _definitions(d)
    yield from _solved(d)
    yield from _invariants(d)
    yield from _adjoints(d)


def _definitions(d: Derivation) -> Iterator[Claim]:
    from symgrad.symbolic.derivation import definition

    given = Certificate("PROVED", "by definition")
    for let in d.program.lets.values():
        hidden = let.automatic or let.expr is None
        yield Claim("definition", let.var.name, Ref(let.var), definition(let), given, hidden)


def _solved(d: Derivation) -> Iterator[Claim]:
    for var, _ in d.program.rules.values():
        if _visible(d, var.name):
            poly = d.program.reduce(_own(var))
            tree = compact(poly)
            if d.latex_of(tree) != d.latex_of(Ref(var)):
                yield Claim("solve", var.name, Ref(var), tree, _by_leaves(d, _own(var) - poly))


def _invariants(d: Derivation) -> Iterator[Claim]:
    solved = d.program.rules.keys()
    for left, right in d.program.theorems:
        if not d.program.uses(left) & solved:
            node = ", ".join(sorted(d.program.uses(left)))
            yield Claim("invariant", node, compact(left), compact(right), _by_leaves(d, left - right))


def _adjoints(d: Derivation) -> Iterator[Claim]:
    own = {n.serial: n for n in d.record.forward if n.op is not None and n.op.name == "named"}
    for serial in sorted(own, reverse=True):
        node = own[serial]
        value = d.reader.values[serial].expr
        if serial in d.record.adjoints and isinstance(value, Ref):
            poly = d.adjoint(node)
            boundary = next((v for v, _ in variables(poly) if v.name in d.program.adjoints), None)
            if boundary is not None and poly == _own(boundary):
                poly = d.program.local(boundary)
            yield Claim("adjoint", value.var.name, value, compact(poly), d.certify(node, poly))
    for name, tree in d.trees.items():
        yield Claim("gradient", name, Ref(d.program.leaves[name]), tree, d.proofs[name])


def _own(var: object) -> Poly:
    return Poly({((var, 1),): 1})


def _by_leaves(d: Derivation, difference: Poly) -> Certificate:
    """Checked by expanding all definitions, without the theorems that are to be checked."""
    if not expand(d.program, difference):
        return Certificate("PROVED", "equal after expanding every definition to the arguments", d.assumptions)
    return Certificate("UNKNOWN", "expanding the definitions did not decide it", d.assumptions)


def _visible(d: Derivation, name: str) -> bool:
    let = d.program.lets.get(name)
    return let is None or not let.automatic


# plain data ------------------------------------------------------------------------------------------------------


def data_of(d: Derivation) -> dict[str, Any]:
    """The derivation as dicts, lists, texts and numbers, each certificate bound to its claim and to all before it."""
    leaves = d.program.leaves
    differentiated = {*d.record.arguments, d.record.cotangent.name}
    data: dict[str, Any] = {
        "function": d.name,
        "sizes": sorted(d.sizes),
        "extents": {_size(n): _extent(n) for n in _extents(d)},
        "arguments": {n: _leaf(d, leaves[n]) for n in d.record.arguments},
        "constants": {n: _leaf(d, v) for n, v in leaves.items() if n not in differentiated} | _chosen(d),
        "cotangent": {d.record.cotangent.name: _leaf(d, leaves[d.record.cotangent.name])},
        "held": sorted({let.op.name for let in d.program.lets.values() if let.op}),
        "truths": sorted({let.op.name for let in d.program.lets.values() if let.op and let.op.dtype is np.bool_}),
        "conditions": [[relation, plain(tree), _indices(tree)] for relation, tree in _conditions(d)],
        "total": _total(d),
    }
    digest = _digest("", data)
    steps = []
    for claim in _used(d):
        step = {
            "rule": claim.rule,
            "node": claim.node,
            "indices": _indices(claim.before, claim.after),
            "before": plain(claim.before),
            "after": plain(claim.after),
        }
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


def _indices(*trees: Expr) -> list[list[str]]:
    """The free indices, the leftmost axis first, with their sizes."""
    return [[i.name, _size(i.size)] for i in sorted(set().union(*map(free_of, trees)), reverse=True)]


def _digest(before: str, claim: dict[str, Any]) -> str:
    return hashlib.sha256((before + json.dumps(claim, sort_keys=True)).encode()).hexdigest()


def _chosen(d: Derivation) -> dict[str, Any]:
    """For labels $y_i$ the numbers $[y_i = c]$, of which nothing but that they are 0 or 1 is told."""
    return {
        CHOSEN.format(n): {"indices": [[i.name, _size(i.size)] for i in (*v.indices, Index("c", size))],
                           "positive": False, "binary": True}
        for n, size in d.program.labels.items() for v in [d.program.leaves.get(n) or d.program.lets[n].var]
    }  # fmt: skip


def _leaf(d: Derivation, var: Var) -> dict[str, Any]:
    indices = [[i.name, _size(i.size)] for i in var.indices]
    return {"indices": indices, "positive": var.positive, "binary": var.name in d.program.binary}


def _total(d: Derivation) -> list[Any]:
    """What gradients are of: the sum of the output times the cotangent."""
    cotangent = d.program.leaves[d.record.cotangent.name]
    bound = [[i.name, _size(i.size)] for i in cotangent.indices]
    return ["sum", bound, ["mul", plain(Ref(cotangent)), plain(output(d))]]


def _extents(d: Derivation) -> list[Extent]:
    """The sizes that indices run over."""
    own = [*d.program.leaves.values(), *[let.var for let in d.program.lets.values()]]
    return sorted({i.size for v in own for i in (*v.indices, *made(v.indices))} | set(d.program.labels.values()))


def _extent(size: Extent) -> list[Any]:
    """A size as a tree."""
    return ["add", *[["mul", ["num", str(c)], *[["ref", n, []] for n in names]] for names, c in size]]


def _size(size: Extent) -> str:
    return "+".join("*".join([str(c), *names]) for names, c in size)


def plain(tree: Expr) -> list[Any]:
    """A tree as nested lists; bound indices are named in the order in which they are met."""
    names: dict[Index, str] = {}
    return fold(tree, _Plain(names))  # type: ignore[no-any-return]


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


class _Plain(Operations):
    def __init__(self, names: dict[Index, str]) -> None:
        self.names = names

    def name(self, i: Index) -> str:
        """Free indices keep their names; the others are numbered."""
        return self.names.setdefault(i, f"j{len(self.names)}") if i.name[0] in "~0123456789" else i.name

    def number(self, value: Number) -> Any:
        return ["num", str(Fraction(value))]

    def ref(self, var: Var) -> Any:
        if var.name.isdigit():
            return ["num", var.name]
        if len(labels(var.indices)) < len(list(made(var.indices))):
            return ["reshaped", var.name]  # `rechecking` has no such indices and refuses
        places = {i: fresh(i.size) for i in var.indices if isinstance(i, At)}
        picked = ["ref", var.name, [self.name(places.get(i, i)) for i in var.indices]]
        chosen = [self.kronecker(i, place) for i, place in places.items()]
        bound = [[self.name(place), _size(place.size)] for place in places.values()]
        return ["sum", bound, ["mul", picked, *chosen]] if chosen else picked

    def kronecker(self, first: Index | At, second: Index | At) -> Any:
        if isinstance(first, At):
            return self.ref(Var(0, CHOSEN.format(first.name), (*first.indices, second), False))
        assert not isinstance(second, At), "a label stands first"
        return ["delta", self.name(first), self.name(second)]

    def add(self, terms: list[Any]) -> Any:
        return ["add", *terms]

    def mul(self, factors: list[Any]) -> Any:
        return ["mul", *factors]

    def pow(self, base: Any, exponent: Any) -> Any:
        return _power(base, exponent)

    def call(self, name: str, args: list[Any]) -> Any:
        return PIECES[name](*args) if name in PIECES else ["call", name, *args]

    def total(self, bound: tuple[Index, ...], body: Any) -> Any:
        return ["sum", [[self.name(i), _size(i.size)] for i in bound], body]

    def reduction(self, name: str, bound: tuple[Index, ...], body: Any) -> Any:
        return ["reduce", name, [[self.name(i), _size(i.size)] for i in bound], body]
