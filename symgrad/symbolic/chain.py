r"""The chain rule between named values, as a lecturer writes it on the board.

$\frac{\partial L}{\partial v} = \sum_c\sum_i\frac{\partial L}{\partial c_i}\,\frac{\partial c_i}{\partial v}$ over the
definitions $c$ in which $v$ stands. The direct derivative $\partial c_i/\partial v$ holds all other names fixed.

It is found twice: by pushing a tangent through the ops of the graph, and by differentiating the definition as it is
printed. That both agree is the certificate of the step.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from symgrad.errors import SymbolicError
from symgrad.symbolic.expr import Call, Expr, Ref, fold, refs
from symgrad.symbolic.factors import Delta, Factor, Var
from symgrad.symbolic.indices import Index, fresh
from symgrad.symbolic.normal import ONE, ZERO, Poly, delta, rename, sum_over
from symgrad.symbolic.pieces import PIECEWISE
from symgrad.symbolic.program import Let, Program, Value
from symgrad.symbolic.proof import Certificate, prove_zero
from symgrad.symbolic.read import PLACEHOLDERS, Instance, partial, tangents
from symgrad.symbolic.structure import indices_of
from symgrad.symbolic.text import FUNCTIONS
from symgrad.tensor import reachable

if TYPE_CHECKING:
    from symgrad.symbolic.derivation import Derivation

__all__ = ["Link", "coupled", "links", "paths", "shown", "stops", "written"]


@dataclass(frozen=True)
class Link:
    """One direct dependence: a consumer, and its derivative with respect to the value.

    ``var`` is the consumer at indices of the value where both move together, and at ``inner`` ones where it sums.
    """

    consumer: Any
    var: Var
    at: tuple[Index, ...]  # the indices of the consumer's axes
    inner: tuple[Index, ...]
    slope: Poly
    raw: Poly  # the slope before sums are replaced by what invariants say about them
    term: Poly
    certificate: Certificate


def stops(d: Derivation) -> dict[int, Any]:
    """The nodes that carry the author's names, and the output, by serial."""
    found = {n.serial: n for n in d.record.forward if n.op is not None and n.op.name == "named"}
    moving = {x.serial for x in d.record.arguments.values()}  # what masks alone give is no stop on the way
    found = {s: n for s, n in found.items() if isinstance(d.reader.values[s].expr, Ref)}
    found = {s: n for s, n in found.items() if not moving.isdisjoint(x.serial for x in reachable([n]))}
    return {**found, d.record.output.serial: d.record.output}


def shown(d: Derivation, node: Any) -> Var:
    """The name under which a node is printed; an output without one is y."""
    tree = d.reader.values[node.serial].expr
    if isinstance(tree, Ref):
        return tree.var
    return Var(0, d.program.unused("y"), indices_of(node.shape), False)


def links(d: Derivation, node: Any) -> Iterator[Link]:
    """The definitions in which a value stands, with the direct derivatives."""
    held = stops(d)
    named = {s for s, n in held.items() if _inside(n) is not n}
    moving, at = tangents(d.reader, [n for n in d.record.forward if n.serial not in named], node)
    own = dict(zip(at, indices_of(node.shape), strict=True))
    for serial, consumer in held.items():
        flow = moving.get(_inside(consumer).serial, ZERO)
        if serial != node.serial and (flow or shown(d, node).name in {v.name for v in refs(written(d, consumer))}):
            link = _link(d, node, consumer, flow, own)
            if link.slope or link.raw:  # otherwise the derivative is stopped there, as at the shift of a softmax
                yield link


def _link(d: Derivation, node: Any, consumer: Any, flow: Poly, own: dict[Index, Index]) -> Link:
    formal = indices_of(consumer.shape)
    certificate, raw = _checked(d, node, consumer, flow, tuple(own))
    together = raw + flow if raw + flow else flow
    tied = {c: q for c in formal for q in own if flow and all(_pair(c, q) in dict(m) for m in together.terms)}
    names = {c: own[tied[c]] if c in tied else fresh(c.size) for c in formal}
    gone = {_pair(c, q) for c, q in tied.items()}

    def direct(poly: Poly) -> Poly:
        kept = {tuple([p for p in m if p[0] not in gone]): c for m, c in poly.terms.items()}
        return rename(Poly(kept), {**names, **own})

    slope = direct(flow)
    inner = tuple([names[c] for c in formal if c not in tied])
    var = shown(d, consumer)
    var = var._replace(indices=tuple([names[i] for i in var.indices]))
    term = d.program.reduce(sum_over(rename(d.adjoint(consumer), names) * slope, *inner))
    return Link(consumer, var, tuple(names.values()), inner, slope, direct(raw), term, certificate)


def _inside(node: Any) -> Any:
    """What a name stands for."""
    return node.inputs[0] if node.op is not None and node.op.name == "named" else node


def _pair(a: Index, b: Index) -> Delta:
    return Delta.of(a, b)


# the same by the printed definition --------------------------------------------------------------------------------


def _checked(d: Derivation, node: Any, consumer: Any, flow: Poly, at: tuple[Index, ...]) -> tuple[Certificate, Poly]:
    """Whether the printed definition of the consumer has this derivative, and how it comes out of it."""
    value = d.reader.values[node.serial].expr
    if not isinstance(value, Ref):
        return Certificate("UNKNOWN", "the value has no name"), flow
    fork = d.program.fork()
    fork.rules, fork.sums = {}, {}  # every name but this one is held fixed, so none may be written in terms of it
    try:
        found = _slope(fork, fold(written(d, consumer), _AsWritten(fork)).poly, value.var.name, at)
    except SymbolicError as error:
        return Certificate("UNKNOWN", str(error), d.assumptions), flow
    fork.rules = dict(d.program.rules)
    _recognise(fork, d.program)
    raw = fork.reduce(found)
    fork.sums = d.program.sums
    proof = prove_zero(fork, fork.reduce(raw) - flow, d.assumptions)
    raw = raw if fork.uses(raw) <= d.program.leaves.keys() | d.program.lets.keys() | d.sizes else flow
    return (Certificate(proof.verdict, METHOD, proof.assumptions, proof.counterexample) if proof else proof), raw


def _recognise(fork: Program, program: Program) -> None:
    """Write what got a new name while the rules were off in terms of the names that it has with them."""
    for name in [n for n in fork.lets if n not in program.lets]:
        let = fork.lets[name]
        same = next((v for other in program.lets.values() if (v := _same(fork, let, other)) is not None), None)
        if same is not None:
            fork.rules[name] = (let.var, fork.reduce(Poly({((same, 1),): 1})))
        elif let.call is None:
            fork.rules[name] = (let.var, fork.reduce(let.poly))


def _same(program: Program, new: Let, old: Let) -> Var | None:
    """The old variable at the indices of the new one, if both are the same value."""
    if (new.call and new.call[0]) != (old.call and old.call[0]) or len(new.var.indices) != len(old.var.indices):
        return None
    polys = _polys(program, new)
    known = _polys(program, old)
    for order in itertools.permutations(new.var.indices):
        names = dict(zip(old.var.indices, order, strict=True))
        fits = all(a.size == b.size for a, b in names.items())
        if fits and polys == tuple([rename(p, names) for p in known]):
            return old.var._replace(indices=order)
    return None


def _polys(program: Program, let: Let) -> tuple[Poly, ...]:
    return tuple([program.reduce(p) for p in (let.call[1] if let.call else (let.poly,))])


class _AsWritten(Instance):
    """Evaluate a printed definition; what was only computed is the constant that it was."""

    def __init__(self, program: Program) -> None:
        super().__init__(program, {})
        self.total, self.kronecker = program.total, program.kronecker  # type: ignore[method-assign]
        self.call = self._called  # type: ignore[method-assign]

    def _called(self, name: str, args: list[Value]) -> Value:
        """A function value."""
        if self.program.held_as(name, tuple([a.poly for a in args])) is not None or name not in KNOWN:
            return self._computed(name, tuple([a.poly for a in args]))
        return self.program.call(name, args)

    def reduction(self, name: str, bound: tuple[Index, ...], body: Value) -> Value:
        """A maximum or the like."""
        return self._computed(name)

    def _computed(self, name: str, args: tuple[Poly, ...] = ()) -> Value:
        var = self.program.held_as(name, args)
        own = [let.var for let in self.program.lets.values() if let.op is not None and let.op.name == name]
        if var is None and len(own) != 1:
            raise SymbolicError(f"{name}: its value is not known under one name")
        return Value(Poly({((var or own[0], 1),): 1}))


KNOWN = FUNCTIONS | PIECEWISE.keys() | {"pow"}
METHOD = "the tangent pushed through the ops equals the derivative of the definition as printed"


def written(d: Derivation, node: Any) -> Expr:
    """What a name stands for, as the author wrote it."""
    inner = _inside(node).serial
    tree = (d.reader.values.get(inner) or d.reader.constant[inner]).expr
    assert tree is not None, "forward values keep their trees"
    return tree


def _slope(program: Program, poly: Poly, name: str, at: tuple[Index, ...]) -> Poly:
    """The derivative of an expression with respect to one name, all others held fixed."""
    total = ZERO
    for monomial, c in poly.terms.items():
        for k, (f, e) in enumerate(monomial):
            inner = _factor_slope(program, f, name, at)
            if inner:
                rest = Poly({monomial[:k] + monomial[k + 1 :]: c})
                total = total + rest * (Poly({((f, e - 1),): e}) if e != 1 else ONE) * inner
    return total


def _factor_slope(program: Program, f: Factor, name: str, at: tuple[Index, ...]) -> Poly:
    if f.rank == 2:
        swap = {i: fresh(i.size) for i in f.bound}
        return sum_over(_slope(program, rename(Poly({f.body: 1}), swap), name, at), *swap.values())
    if f.rank == 1:
        return ZERO
    if f.name == name:
        product = ONE
        for a, b in zip(f.indices, at, strict=True):
            product = product * delta(a, b)
        return product
    let = program.lets.get(f.name)
    if let is None or not let.automatic or let.op is not None:
        return ZERO
    names = dict(zip(let.var.indices, f.indices, strict=True))
    if let.call is None:
        return _slope(program, rename(let.poly, names), name, at)
    function, args = let.call[0], [rename(a, names) for a in let.call[1]]
    tree = Call(function, tuple([Ref(Var(0, x, (), False)) for x, _ in zip(PLACEHOLDERS, args, strict=False)]))
    env = {x: Value(a) for x, a in zip(PLACEHOLDERS, args, strict=False)}
    total = ZERO
    for x, a in zip(PLACEHOLDERS, args, strict=False):
        inner = _slope(program, a, name, at)
        if inner:
            total = total + fold(partial(tree, x, ()), Instance(program, env)).poly * inner
    return total


# what depends on what ----------------------------------------------------------------------------------------------


def paths(d: Derivation, node: Any) -> list[tuple[Any, ...]]:
    """Every path of names from a value to the output, the shortest first."""
    found: list[tuple[Any, ...]] = []
    queue: list[tuple[Any, ...]] = [(node,)]
    direct: dict[int, list[Any]] = {}
    while queue and len(found) < MOST_PATHS:
        path = queue.pop(0)
        last = path[-1]
        if last is d.record.output:
            found.append(path)
            continue
        if last.serial not in direct:
            direct[last.serial] = [link.consumer for link in links(d, last)]
        queue.extend((*path, consumer) for consumer in direct[last.serial])
    return found


MOST_PATHS = 12


def coupled(flow: Poly, here: Iterable[Index], there: Iterable[Index]) -> list[Index]:
    """Those of ``here`` along which an element also moves other elements than its own."""
    return [q for q in here if not any(all(_pair(c, q) in dict(m) for m in flow.terms) for c in there)]
