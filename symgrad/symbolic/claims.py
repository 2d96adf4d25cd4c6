r"""A derivation as claims: definitions, what they imply, and one derivative after the other, each with its certificate.

These are the facts that `steps` prints, and that `symgrad.rechecking` verifies again from the plain data that `data`
makes of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from symgrad.symbolic.compact import compact
from symgrad.symbolic.expr import Expr, Ref
from symgrad.symbolic.normal import Poly
from symgrad.symbolic.proof import Certificate, expand
from symgrad.symbolic.rewrite import variables

if TYPE_CHECKING:
    from symgrad.symbolic.derivation import Derivation

__all__ = ["Claim", "claims_of"]


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
