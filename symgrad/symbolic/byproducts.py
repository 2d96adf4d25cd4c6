r"""What gradients say beyond themselves: sums that vanish, invariances, values that have no effect; each with a proof.

Nothing is known about any layer. Of each gradient, the sums along its axes are taken, also weighted by the argument and
by each name with the same indices; what comes out zero, or as one term, is kept. A sum of the gradient that is zero for
every cotangent means that the output does not change when a constant is added along that axis; one weighted with the
argument, that it does not change when the argument is scaled.

Examples
--------
>>> from symgrad.symbolic import derive
>>> for found in derive("batch_norm").byproducts:
...     print(found.kind, found.latex)  # doctest: +ELLIPSIS
shift \sum_{j=1}^{B} \frac{\partial L}{\partial z_j} = 0
...
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from symgrad.errors import SymbolicError
from symgrad.symbolic.compact import compact
from symgrad.symbolic.double import asymmetry
from symgrad.symbolic.expr import Call, Expr, Num, Ref, Total, mul
from symgrad.symbolic.factors import Var
from symgrad.symbolic.indices import Index
from symgrad.symbolic.latex import SLOPE
from symgrad.symbolic.normal import ZERO, Poly, sum_over
from symgrad.symbolic.proof import Certificate, prove_zero, shown_zero
from symgrad.symbolic.rewrite import substitute, variables
from symgrad.symbolic.structure import indices_of
from symgrad.tensor import reachable

if TYPE_CHECKING:
    from symgrad.symbolic.derivation import Derivation

__all__ = ["Byproduct", "byproducts_of", "symmetric"]

LOSS = Var(0, "L", (), False)


@dataclass(frozen=True)
class Byproduct:
    """A theorem on one gradient: ``kind``, the name it is about, both sides, when it holds, and its proof.

    Kinds: ``no effect`` (the gradient is zero), ``shift`` (a sum is zero: adding a constant changes nothing),
    ``scale`` (scaling changes nothing), ``moment`` (a weighted sum is one term), ``held`` (the value that the gradient
    is stopped at has no effect).
    """

    kind: str
    name: str
    left: Expr
    right: Expr
    when: str  # "" or a condition such as "eps = 0"
    certificate: Certificate
    latex: str


def byproducts_of(d: Derivation) -> Iterator[Byproduct]:
    """Those of all arguments, then those of values at which the gradient is stopped."""
    for name in d.record.arguments:
        nothing = _vanishes(d, d.polys[name])
        if nothing is not None:
            yield _made(d, "no effect", name, _slope(d.program.leaves[name]), ZERO, nothing)
            continue
        known: list[tuple[str, set[Index]]] = []
        for axes in _subsets(indices_of(d.record.arguments[name].shape)):
            for found in _sums(d, name, axes):
                if not any(kind == found.kind and part < set(axes) for kind, part in known):  # else it follows
                    known.append((found.kind, set(axes)))
                    yield found
    yield from _held(d)


def _subsets(indices: tuple[Index, ...]) -> list[tuple[Index, ...]]:
    return [c for n in range(1, len(indices) + 1) for c in itertools.combinations(indices, n)]


def _slope(var: Var) -> Expr:
    return Call(SLOPE, (Ref(LOSS), Ref(var)))


def _sums(d: Derivation, name: str, axes: tuple[Index, ...]) -> Iterator[Byproduct]:
    """The sum of a gradient along axes, plain and weighted."""
    var, poly = d.program.leaves[name], d.polys[name]
    plain = _vanishes(d, sum_over(poly, *axes))
    if plain is not None:
        yield _made(d, "shift", name, Total(axes, _slope(var)), ZERO, plain)
    weights = [let.var for let in d.named if let.var.indices == var.indices and let.var.name not in d.program.adjoints]
    for weight in [var, *[w for w in weights if d.program.uses(poly) & {w.name}]]:
        total = d.program.reduce(sum_over(d.program.power_of(weight) * poly, *axes))
        left = Total(axes, mul(Ref(weight), _slope(var)))
        proof = _vanishes(d, total)
        if proof is not None:
            yield _made(d, "scale" if weight == var else "moment", name, left, ZERO, proof)
            continue
        if weight != var and len(total.terms) == 1:
            yield _made(d, "moment", name, left, total, _equal(d, weight, name, axes, total))
        for constant in [c for c in d.record.constants if weight == var]:
            without = substitute(total, lambda v, e, c=constant: ZERO if v.name == c and e > 0 else None)  # type: ignore[misc]
            gone = all(v.name != constant for v, _ in variables(without))
            if gone and (proof := _vanishes(d, without)) is not None:
                yield _made(d, "scale", name, left, ZERO, proof, f"{constant} = 0")


def _vanishes(d: Derivation, total: Poly) -> Certificate | None:
    """A proof that a sum is zero; no search for a counterexample where it is not."""
    method = shown_zero(d.program, total) if len(total.terms) <= MOST else None
    return Certificate("PROVED", method, d.assumptions) if method is not None else None


MOST = 12  # longer sums are hardly zero, and long to expand


def _equal(d: Derivation, weight: Var, name: str, axes: tuple[Index, ...], total: Poly) -> Certificate:
    """The weighted sum of the independent forward mode's gradient equals what was found."""
    forward = d.total_derivative(d.record.arguments[name])
    left = sum_over(Poly({((weight, 1),): 1}) * forward, *axes)
    return prove_zero(d.program, left - total, d.assumptions)


def _held(d: Derivation) -> Iterator[Byproduct]:
    """Named values at which the gradient is stopped: those that have no effect, whatever they are."""
    moving = {x.serial for x in d.record.arguments.values()}
    for node in d.record.forward:
        own = d.reader.values.get(node.serial)
        if node.op is None or node.op.name != "named" or node.requires_grad or own is None:
            continue
        if isinstance(own.expr, Ref) and not moving.isdisjoint(x.serial for x in reachable([node])):
            proof = _vanishes(d, d.total_derivative(node))
            if proof is not None:
                yield _made(d, "held", own.expr.var.name, _slope(own.expr.var), ZERO, proof)


def _made(
    d: Derivation, kind: str, name: str, left: Expr, right: Poly, proof: Certificate, when: str = ""
) -> Byproduct:
    tree = compact(right) if right else Num(0)
    text = f"{d.latex_of(left)} = {d.latex_of(tree)}"
    if when:
        constant = when.split(" ")[0]
        text += rf" \quad ({d.latex_of(Ref(d.program.leaves[constant]))} = 0)"
    return Byproduct(kind, name, left, tree, when, proof, text)


def symmetric(d: Derivation, name: str) -> Certificate:
    """Whether the second derivative with respect to one argument, at a fixed cotangent, is symmetric."""
    if name not in d.record.arguments:
        raise SymbolicError(f"symmetric: no argument {name!r}; the arguments are {list(d.record.arguments)}")
    return prove_zero(d.program, asymmetry(d, name, name), d.assumptions)
