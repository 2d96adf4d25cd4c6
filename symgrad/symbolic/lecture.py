r"""A derivation as a lecturer would give it: what is given, what depends on what, the chain rule, the closed form.

The lecture is data: sections of prose, formulas with their certificates, and code. `pages` prints it as terminal text,
Markdown, LaTeX and HTML. Nothing here knows any layer; every sentence is read off the definitions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from symgrad.symbolic.chain import Link, coupled, links, paths, shown, stops, written
from symgrad.symbolic.compact import compact, symbols
from symgrad.symbolic.expr import Call, Expr, Ref, Total, add, bound_of, mul, refs
from symgrad.symbolic.factors import Var
from symgrad.symbolic.indices import Index, labels, made
from symgrad.symbolic.latex import SLOPE, size_latex
from symgrad.symbolic.normal import ZERO, Poly, rename
from symgrad.symbolic.proof import Certificate, prove_zero
from symgrad.symbolic.read import tangents
from symgrad.symbolic.structure import indices_of

if TYPE_CHECKING:
    from symgrad.symbolic.derivation import Derivation
    from symgrad.symbolic.steps import Step

__all__ = ["Block", "Formula", "Heading", "Listing", "Prose", "Section", "lecture"]

SHOWN = 60  # symbols at most of a Jacobian that is printed


@dataclass(frozen=True)
class Prose:
    """A paragraph; formulas in it stand between dollar signs."""

    text: str


@dataclass(frozen=True)
class Formula:
    """A displayed equation: what equals what, and equals what, and what was shown about it."""

    parts: tuple[str, ...]
    certificate: Certificate | None = None


@dataclass(frozen=True)
class Listing:
    """Source code."""

    code: str


@dataclass(frozen=True)
class Heading:
    """A heading within a section, a formula."""

    latex: str


Block = Prose | Formula | Listing | Heading


@dataclass(frozen=True)
class Section:
    """A part of the lecture; the key names it in links."""

    key: str
    title: str
    blocks: tuple[Block, ...]


def lecture(d: Derivation, wanted: Collection[str] | None = None, order: int = 1) -> list[Section]:
    """The sections in order; those with nothing to say are left out.

    Parameters
    ----------
    d : Derivation
    wanted : collection of str, optional
        Only the gradients by these arguments.
    order : {1, 2}
        2 adds the derivatives of the gradients.
    """
    names = [n for n in d.record.arguments if wanted is None or n in wanted]
    made = [
        Section("result", "The gradients", tuple(_result(d, names))),
        Section("second", "The second derivatives", tuple(_second(d, names) if order == 2 else ())),
        Section("given", "What is given", tuple(_given(d))),
        Section("depends", "What depends on what", tuple(_dependences(d, names))),
        Section("solved", "The definitions, turned around", tuple(_solved(d))),
        Section("invariants", "What they imply", tuple(_invariants(d))),
        Section("backward", "Backward, one value at a time", tuple(_backward(d, names))),
        Section("proof", "What was proved", tuple(_proof(d))),
        Section("numpy", "The same as code", tuple(_code(d))),
    ]
    return [section for section in made if section.blocks]


# the forward formulas ----------------------------------------------------------------------------------------------


def _given(d: Derivation) -> Iterator[Block]:
    arguments = _and([f"${_element(d, n)}$" for n in d.record.arguments])
    sizes = _and([f"${i} = 1, \\ldots, {size_latex(size)}$" for i, size in _letters(d).items()])
    over = f", where {sizes}" if sizes else ""
    names = list(d.record.constants)
    fixed = _and([f"${_element(d, n)}{' > 0' * d.program.leaves[n].positive}$" for n in names])
    constants = f" {fixed} {'are constants' if len(names) > 1 else 'is a constant'}." if fixed else ""
    yield Prose(f"The arguments are {arguments}{over}.{constants} Every size may be any whole number from 1 on.")
    yield from _held(d)
    for step in _steps(d, "definition"):
        yield Formula((step.before, step.after))
    output = shown(d, d.record.output)
    if output.name not in d.program.lets:
        yield Formula((d.latex_of(Ref(output)), d.latex_of(written(d, d.record.output))))
    g = d.latex_of(Ref(d.program.leaves[d.record.cotangent.name]))
    yield Prose(f"A loss $L$ depends on ${d.latex_of(Ref(output))}$ alone, and its derivative by that is known:")
    yield Formula((g, d.latex_of(_by(LOSS, output))))


def _held(d: Derivation) -> Iterator[Block]:
    """What masks and labels are, and how to read indices that reshapes made."""
    for name in d.record.held:
        element = _element(d, name)
        if name in d.program.labels:
            size, letter = size_latex(d.program.labels[name]), d.latex_of(Ref(d.program.leaves[name]))
            yield Prose(
                f"${element}$ is a label, one of $1, \\ldots, {size}$, and is held fixed; $\\delta_{{c,{letter}}}$ is "
                "1 where $c$ is the label, and 0 elsewhere."
            )
        else:
            yield Prose(f"${element}$ is {'1 or 0' if name in d.program.binary else 'an integer'}, and is held fixed.")
    trees = [let.expr for let in d.program.lets.values() if let.expr is not None]
    if any(set(made(v.indices)) - set(labels(v.indices)) for tree in trees for v in refs(tree)):
        yield Prose(
            "Axes are split and joined: indices in a row count through the elements of the axis that they are of, the "
            "last one fastest, and $\\lceil q/K\\rceil$ is the one of the blocks of $K$ that $q$ falls into."
        )


def _letters(d: Derivation) -> dict[str, Any]:
    """Index letters of the arguments and of the output, with their sizes."""
    found: dict[str, Any] = {}
    for node in [*d.record.arguments.values(), d.record.output]:
        own = indices_of(node.shape)
        letters = d.letters(sorted(own, reverse=True))
        found.update({letters[i]: i.size for i in own if letters[i] not in found})
    return found


def _element(d: Derivation, name: str) -> str:
    return d.latex_of(Ref(d.program.leaves[name]))


def _and(parts: list[str]) -> str:
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else "".join(parts)


# what depends on what ----------------------------------------------------------------------------------------------


def _dependences(d: Derivation, names: list[str]) -> Iterator[Block]:
    for name in names:
        yield from _dependence(d, name, d.record.arguments[name])


def _dependence(d: Derivation, name: str, node: Any) -> Iterator[Block]:
    moving, at = tangents(d.reader, d.record.forward, node)
    flow = moving.get(d.record.output.serial, ZERO)
    here = _element(d, name)
    output = indices_of(d.record.output.shape)
    there = d.latex_of(Ref(shown(d, d.record.output)))
    if not flow:
        yield Prose(f"${here}$ does not change ${there}$: its gradient is zero.")
        return
    ways = [_path(d, path) for path in paths(d, node)]
    along = coupled(flow, at, output)
    sizes = {i.size for i in along} & {i.size for i in output}
    through = [_name(d, n) for n in _collecting(d, node, sizes)]
    collect = "collect" if len(through) > 1 else "collects"
    reach = f", through {_and([f'${t}$' for t in through])}, which {collect} all of them" if through else ""
    if sizes:
        letters = d.letters(sorted(output, reverse=True))
        free = coupled(flow, output, at)
        tied = [f"${letters[i]}$" for i in output if i not in free]
        same = f" with the same {_and(tied)}" if tied else ""
        sentence = f"Each ${here}$ feeds every ${there}${same}, not only its own{reach}."
    elif along:
        sentence = f"${here}$ is summed over on its way to ${there}$."
    elif at and output:
        sentence = f"Each ${here}$ feeds ${there}$ only where their indices agree."
    elif output:
        sentence = f"${here}$ is shared: it feeds every ${there}$, so its gradient is a sum over them."
    else:
        sentence = f"${here}$ feeds ${there}$."
    yield Prose(f"{sentence} The ways: {'; '.join(f'${way}$' for way in ways)}." if ways else sentence)
    if sizes:
        yield from _jacobian(d, name, flow, at, output)


def _jacobian(
    d: Derivation, name: str, flow: Poly, at: tuple[Index, ...], output: tuple[Index, ...]
) -> Iterator[Block]:
    tree = compact(flow)
    if symbols(tree) > SHOWN:
        return
    moved = d.program.leaves[name]._replace(indices=at)
    slope = Call(SLOPE, (Ref(shown(d, d.record.output)), Ref(moved)))
    yield Formula((d.latex_of(slope, (*output, *at)), d.latex_of(tree, (*output, *at))), d.proofs[name])


def _collecting(d: Derivation, node: Any, sizes: set[Any]) -> list[Any]:
    """Named values on the way that sum over an axis of one of these sizes."""
    found = []
    for other in stops(d).values():
        if sizes & {i.size for i in bound_of(written(d, other))} and other is not d.record.output:
            found.append(other)
    reached = {n.serial for path in paths(d, node) for n in path}
    return [n for n in found if n.serial in reached]


def _name(d: Derivation, node: Any) -> str:
    return d.latex_of(Ref(shown(d, node)._replace(indices=())))


def _path(d: Derivation, path: tuple[Any, ...]) -> str:
    return r" \to ".join(_name(d, n) for n in path)


# what the definitions say about each other ---------------------------------------------------------------------------


def _solved(d: Derivation) -> Iterator[Block]:
    found = list(_steps(d, "solve"))
    if found:
        yield Prose("A definition that is one-to-one can be read the other way round:")
    for step in found:
        yield Formula((step.before, step.after), step.certificate)


def _invariants(d: Derivation) -> Iterator[Block]:
    found = [step for step in _steps(d, "invariant") if step.after != step.before and r"\sum" not in step.after]
    if found:
        yield Prose("Put into the definitions of the sums, this gives facts that hold for all values of the arguments:")
    for step in found:
        reason = _reason(d, step)
        if reason:
            yield Prose(reason)
        yield Formula((step.before, step.after), step.certificate)


def _reason(d: Derivation, step: Step) -> str:
    """From which definition an invariant came."""
    fork = d.program.fork()
    fork.sums = {}
    (total,) = [f for left, _ in d.program.theorems if d.latex_of(compact(left)) == step.before for f in _factors(left)]
    for let in d.program.lets.values():
        owner = d.program.lets.get(d.program.solved_by.get(let.var.name, "")) if let.automatic else let
        if owner is None or owner.automatic or let.call or total not in _factors(fork.reduce(let.poly)):
            continue
        put = [v for v in refs(let.expr) if v.name in d.program.rules] if let.expr is not None else []
        names = _and([f"${d.latex_of(Ref(v._replace(indices=())))}$" for v in put])
        return f"From the definition of ${d.latex_of(Ref(owner.var))}$, with what was found for {names} put in:"
    return ""


def _factors(poly: Poly) -> set[Any]:
    return {f for m in poly.terms for f, _ in m}


# backward ------------------------------------------------------------------------------------------------------------


def _backward(d: Derivation, names: list[str]) -> Iterator[Block]:
    yield Prose(
        "The chain rule: the derivative of $L$ by a value is the sum, over everything in which the value stands, of "
        "the derivative by that times the direct derivative, with all other names held fixed. From the output back:"
    )
    held = stops(d)
    nodes = [held[s] for s in sorted(held, reverse=True)]
    results = {step.node: step for step in d.steps if step.rule == "adjoint"}
    for node in nodes:
        if node is not d.record.output and node.serial in d.record.adjoints:
            yield from _value(d, node, results.get(shown(d, node).name))
    final = {step.node: step for step in d.steps if step.rule == "gradient"}
    for name in names:
        yield from _value(d, d.record.arguments[name], final[name])


def _value(d: Derivation, node: Any, result: Step | None) -> Iterator[Block]:
    """The chain rule at one value."""
    var = shown(d, node)
    found = list(links(d, node))
    yield Heading(d.latex_of(Ref(var)))
    if not found:
        yield Prose("It does not enter the output.")
    for link in found:
        yield Formula(_slope(d, var, link), link.certificate)
    left = d.latex_of(_by(LOSS, var))
    products = [(link.inner, mul(_by(LOSS, link.var), _by(link.var, var))) for link in found]
    rows = [d.latex_of(add(*[Total(inner, t) if inner else t for inner, t in products]))] if found else []
    put = _put_in(d, found)
    if put is not None and symbols(put) > symbols(compact(_total(found))):
        rows.append(d.latex_of(put))
    if result is not None:
        rows.append(result.after)
    total = prove_zero(d.program, _total(found) - d.adjoint(node), d.assumptions)
    certificate = total if not total or result is None else result.certificate
    yield Formula((left, *dict.fromkeys(rows)), certificate)


LOSS = Var(0, "L", (), False)


def _by(above: Var, below: Var) -> Expr:
    return Call(SLOPE, (Ref(above), Ref(below)))


def _slope(d: Derivation, var: Var, link: Link) -> tuple[str, ...]:
    """One direct derivative, with the form that it has before an invariant is used."""
    order = (*var.indices, *link.inner)
    left = d.latex_of(_by(link.var, var), order)
    raw, slope = (d.latex_of(compact(p), order) for p in (link.raw, link.slope))
    return tuple(dict.fromkeys([left, raw, slope]))


def _put_in(d: Derivation, found: list[Link]) -> Expr | None:
    """The chain rule with all factors put in, not yet simplified."""
    terms = []
    for link in found:
        names = dict(zip(indices_of(link.consumer.shape), link.at, strict=True))
        outer = compact(rename(d.adjoint(link.consumer), names))
        body = mul(outer, compact(link.slope))
        if link.slope:
            terms.append(Total(link.inner, body) if link.inner else body)
    tree = add(*terms)
    return tree if found and symbols(tree) <= SHOWN else None


def _total(found: list[Link]) -> Poly:
    total = ZERO
    for link in found:
        total = total + link.term
    return total


def _result(d: Derivation, names: list[str]) -> Iterator[Block]:
    for step in _steps(d, "gradient"):
        if step.node not in names:
            continue
        yield Formula((step.before, step.after), step.certificate)


def _second(d: Derivation, names: list[str]) -> Iterator[Block]:
    held = _element(d, d.record.cotangent.name)
    yield Prose(
        f"The gradients' own derivatives, with ${held}$ held fixed; each is what forward mode through the graph of the "
        "gradient gives, and PROVED where reverse mode through that graph (the double backward) gives the same:"
    )
    for first in names:
        for second in d.record.arguments:
            poly, at = d.second_poly(first, second)
            own = d.program.leaves[first]
            moved = d.program.leaves[second]._replace(indices=at)
            order = (*own.indices, *at)
            a, b = (d.latex_of(Ref(v), order) for v in (own, moved))
            left = rf"\frac{{\partial^2 L}}{{\partial {a}\,\partial {b}}}"
            yield Formula((left, d.latex_of(compact(poly), order)), d.second_proof(first, second))


def _proof(d: Derivation) -> Iterator[Block]:
    yield Prose(
        "Each gradient was compared with an independent total derivative: forward mode, which differentiates the "
        "formulas themselves and uses none of the rules of reverse mode. Where it says PROVED, the difference is zero "
        "for all sizes and all real values, by exact algebra. That says nothing about rounding."
    )
    for heading, items in (("Assumed", d.assumptions), ("Left out are the points where this fails", d.domain)):
        if items:
            yield Prose(f"{heading}: {_and([f'${item}$' for item in items])}.")


def _code(d: Derivation) -> Iterator[Block]:
    if d.program.unknown:
        return
    yield Listing(d.numpy_source.rstrip())


def _steps(d: Derivation, rule: str) -> Iterator[Step]:
    return (step for step in d.steps if step.rule == rule)
