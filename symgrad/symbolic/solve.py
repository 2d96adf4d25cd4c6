r"""What the definitions of a program say about each other: solved maps and invariants.

A one-to-one map is inverted: $u = (z-\mu)/\sqrt h$ gives $z = \mu + \sqrt h\,u$. Put into the definitions of $\mu$ and
$\sigma^2$, that gives $\sum u = 0$ and $\sum u^2 = B(h-\epsilon)/h$ as theorems. Nothing is known about any layer.
Divisions are only by what is known to be positive, and never is a map solved through an argument of the function.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from symgrad.symbolic.factors import Factor, Monomial, Number, Sum, Var, indices_of, places
from symgrad.symbolic.indices import JOIN, Index, fresh, joined, labels, merged, plain, split
from symgrad.symbolic.normal import ZERO, Poly, rename, sum_over, variable
from symgrad.symbolic.rewrite import free_indices, positive_root, sums_of, variables

if TYPE_CHECKING:
    from symgrad.symbolic.program import Let, Program

__all__ = ["learn", "rewrite_sums", "solvable"]


def learn(program: Program, let: Let) -> None:
    """Solve a new definition backwards, then look for invariants in the reductions it touches."""
    target = None if let.call else solvable(program, let)
    if target is not None:
        var, solution = target
        program.rules[var.name] = (var, program.reduce(solution))
        program.solved_by[var.name] = let.var.name
        _invariants(program)
    elif sums_of(let.poly):
        _invariants(program)


def solvable(program: Program, let: Let) -> tuple[Var, Poly] | None:
    """A variable that the definition determines, and its value in terms of the others."""
    counts: dict[str, int] = {}
    for var, _ in variables(let.poly):
        counts[var.name] = counts.get(var.name, 0) + 1
    for monomial, c in let.poly.terms.items():
        rest = let.poly - Poly({monomial: c})
        for k, (f, e) in enumerate(monomial):
            others = Poly({monomial[:k] + monomial[k + 1 :]: c})
            if (
                _invertible(let, f, e, rest)
                and counts.get(getattr(f, "name", ""), 0) == 1
                and _may_solve(program, let, f, others, rest)
            ):
                inverse = positive_root(others, -1)
                assert inverse is not None, "a product of positive variables can be inverted"
                solution = (variable(let.var.name, *let.var.indices, positive=let.var.positive) - rest) * inverse
                return _formal(f, solution if e == 1 else _root(solution, e))
    return None


def _formal(var: Var, solution: Poly) -> tuple[Var, Poly]:
    """The variable at plain indices, and its solution there, where it stood at what reshapes made of them."""
    formal = tuple([fresh(i.size) if len(i) == 3 else i for i in var.indices])
    names = _inverse(var.indices, formal)
    return var._replace(indices=formal), rename(solution, {} if formal == var.indices else names)


def _inverse(indices: tuple[Any, ...], formal: tuple[Index, ...]) -> dict[Any, Any]:
    """What plain indices, or quotients and remainders of them, are in terms of the ones that are made of them."""
    found: dict[Any, Any] = {}
    for i, whole in zip(indices, formal, strict=True):
        if len(i) == 3 and i.name == JOIN:
            found.update(_inverse(i.indices, split(whole, *[k.size for k in i.indices])))
        else:
            found[i] = whole
    parts = [i for i in found if len(i) == 3]
    while True:
        near = [(a, b) for a, b in itertools.permutations(parts, 2) if merged(a, b) is not None]
        if not near:
            return found
        whole = merged(*near[0])
        found[whole] = joined(*[found[i] for i in near[0]])
        parts = [*[i for i in parts if i not in near[0]], whole]


def _invertible(let: Let, f: Factor, e: Number, rest: Poly) -> bool:
    """A power is one-to-one between positive values; the sum of a power and others is left alone."""
    return e == 1 or (f.rank == 0 and f.positive and let.var.positive and not rest)


def _root(poly: Poly, e: Number) -> Poly:
    root = positive_root(poly, 1 / Fraction(e))
    assert root is not None, "all factors are positive"
    return root


def _may_solve(program: Program, let: Let, f: Factor, others: Poly, rest: Poly) -> bool:
    """Whether ``let = others * f + rest`` may be solved for ``f``, which must have all the indices and a name."""
    own = set(let.var.indices)
    if f.rank or plain(f.indices) != own or len(set(f.indices)) < len(f.indices):
        return False
    if set(f.indices) != own and (labels(f.indices) or not own <= _inverse(f.indices, f.indices).keys()):
        return False
    if (
        f.name in program.constants
        or f.name not in program.leaves | program.lets
        or (f.name in program.leaves and not own)
    ):
        return False
    if any(g.rank or not g.positive for g, _ in next(iter(others.terms))):
        return False
    if any(v.name in program.leaves.keys() - program.constants for p in (others, rest) for v, _ in variables(p)):
        return False
    narrow = all(_fixed(program, v) or plain(v.indices) < own for v, _ in variables(rest))
    return narrow and not (own and any(free_indices(m) == own for m in rest.terms))


def _fixed(program: Program, var: Var) -> bool:
    return var.name in program.constants or (var.name not in program.lets and var.name not in program.leaves)


def _invariants(program: Program) -> None:
    """Theorems on sums that follow from the definitions of the reductions, to a fixed point."""
    found = True
    while found:
        found = False
        for let in list(program.lets.values()):
            if let.call is None and sums_of(let.poly):
                own = program.reduce(Poly({((let.var, 1),): 1}))
                equation = program.reduce(let.poly) - own
                theorem = _isolate(equation)
                if theorem is not None:
                    total, value = theorem
                    key, names = _abstract(total)
                    program.sums[key] = rename(value, names)
                    program.theorems.append((Poly({((total, 1),): 1}), value))
                    found = True


def _isolate(equation: Poly) -> tuple[Sum, Poly] | None:
    """The largest sum that the equation determines, with its value."""
    for total in sorted(sums_of(equation), key=lambda s: (-len(s.body), s)):
        holding = [(m, c) for m, c in equation.terms.items() if any(f == total for f, _ in m)]
        if len(holding) != 1:
            continue
        monomial, c = holding[0]
        others = tuple([(f, e) for f, e in monomial if f != total])
        if (total, 1) not in monomial or any(f.rank or not f.positive for f, _ in others):
            continue
        rest = equation - Poly({monomial: c})
        if any(len(s.body) > len(total.body) for s in sums_of(rest)):
            continue
        inverse = positive_root(Poly({others: -c}), -1)
        if inverse is not None and free_indices(rest * inverse) <= free_indices((((total, 1)),)):
            return total, rest * inverse
    return None


def _abstract(total: Sum) -> tuple[Sum, dict[Index, Index]]:
    """The sum with its free indices named by position, as the key of a rule."""
    free: dict[Index, Index] = {}
    for f, _ in total.body:
        for i in sorted(indices_of(f), key=lambda i: (_position(f, i), i)):
            if i not in total.bound and i not in free:
                free[i] = Index(f"?{len(free)}", i.size)
    ((renamed, _),) = next(iter(rename(Poly({((total, 1),): 1}), free).terms))
    return renamed, free


def _position(f: Factor, i: Index) -> int:
    """The first place in which an index occurs in a factor."""
    return next(k for k, x in enumerate(places(f)) if i in plain((x,)))


def rewrite_sums(poly: Poly, rules: dict[Sum, Poly]) -> Poly:
    """Replace sums, and sums inside sums, for which a theorem is known."""
    total = ZERO
    changed = False
    for monomial, c in poly.terms.items():
        for k, (f, e) in enumerate(monomial):
            if f.rank == 2 and e == int(e) and e > 0 and (new := _rewrite(f, rules)) is not None:
                rest: Monomial = monomial[:k] + (((f, e - 1),) if e > 1 else ()) + monomial[k + 1 :]
                total = total + Poly({rest: c}) * new
                changed = True
                break
        else:
            total = total + Poly({monomial: c})
    return total if changed else poly


def _rewrite(total: Sum, rules: dict[Sum, Poly]) -> Poly | None:
    widths = sorted({len(key.bound) for key in rules})
    for width in widths:
        for chosen in itertools.combinations(total.bound, width):
            new = _rewrite_part(total, chosen, rules)
            if new is not None:
                return new
    return None


def _rewrite_part(total: Sum, chosen: tuple[Index, ...], rules: dict[Sum, Poly]) -> Poly | None:
    """Apply a rule to the inner sum over the chosen indices."""
    swap = {i: fresh(i.size) for i in total.bound}
    body = rename(Poly({total.body: 1}), swap)
    inner_names = [swap[i] for i in chosen]
    inside: list[tuple[Factor, Number]] = []
    outside: list[tuple[Factor, Number]] = []
    for f, e in next(iter(body.terms)):
        (outside if indices_of(f).isdisjoint(inner_names) else inside).append((f, e))
    inner = sum_over(Poly({tuple(inside): 1}), *inner_names).single()
    if inner is None or len(inner[0]) != 1 or inner[1] != 1 or inner[0][0][0].rank != 2:
        return None
    key, free = _abstract(inner[0][0][0])
    if key not in rules:
        return None
    value = rename(rules[key], {b: a for a, b in free.items()})
    left = [swap[i] for i in total.bound if i not in chosen]
    return sum_over(Poly({tuple(outside): 1}) * value, *left)
