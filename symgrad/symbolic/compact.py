r"""From normal form back to a formula that a person would write.

Numbers, common factors and common denominators come in front, terms that share a factor are grouped, and of the
candidates the one with the fewest symbols wins: $\frac{\gamma}{B\sqrt h}\,(B g_i - \sum_j g_j - u_i\sum_j g_j u_j)$.

Examples
--------
>>> from symgrad.symbolic.normal import variable
>>> a, b, c = variable("a"), variable("b"), variable("c")
>>> compact(a * b + a * c)  # doctest: +ELLIPSIS
Mul(factors=(Ref(...name='a'...), Add(terms=(Ref(...name='b'...), Ref(...name='c'...)))))
"""

from __future__ import annotations

import itertools
from collections import Counter
from fractions import Fraction
from functools import lru_cache
from math import gcd, lcm

from symgrad.symbolic.expr import Add, Call, Expr, Kronecker, Mul, Num, Pow, Reduction, Ref, Total, add, mul, power
from symgrad.symbolic.factors import DECIMAL, Factor, Monomial, Number, Sum
from symgrad.symbolic.indices import Index
from symgrad.symbolic.normal import Poly, number, rename

__all__ = ["compact", "symbols"]

_TRIED = 8  # longer sums are grouped by their most frequent factor only
_GROUPED = 24  # longer sums are printed without trying to group their terms


@lru_cache(maxsize=4096)
def compact(poly: Poly) -> Expr:
    """The shortest of the candidate trees for this expression."""
    if not poly:
        return Num(0)
    candidates = [_pulled(poly, denominators=True), _pulled(poly, denominators=False), _flat(poly)]
    return min(candidates, key=symbols)


@lru_cache(maxsize=4096)
def symbols(tree: Expr) -> int:
    """How many symbols are needed to write it."""
    match tree:
        case Num(value):
            return 0 if abs(value) == 1 else 1
        case Ref() | Kronecker():
            return 2
        case Add(parts) | Mul(parts) | Call(_, parts):
            return sum(symbols(p) for p in parts)
        case Pow(base, exponent):
            return symbols(base) + (exponent != Num(-1))
        case Total(bound, body) | Reduction(_, bound, body):
            return symbols(body) + len(bound)


def _pulled(poly: Poly, denominators: bool) -> Expr:
    """Content times the rest."""
    if len(poly.terms) == 1:
        return _flat(poly)
    content, common = _content(poly, denominators)
    inverse: dict[Monomial, Number] = {tuple([(f, -e) for f, e in common]): 1 / Fraction(content)}
    rest = poly * Poly(inverse)
    if len(rest.terms) != len(poly.terms):
        return _flat(poly)
    return mul(*_ordered_product(common, content), _grouped(rest))


def _content(poly: Poly, denominators: bool) -> tuple[Number, Monomial]:
    """The number and the factors that every term has, with the lowest exponent."""
    lowest: dict[Factor, Number] = {}
    terms = [dict(m) for m in poly.terms]
    for f in {f for m in terms for f in m}:
        exponents = [m.get(f, 0) for m in terms]
        e = min(exponents)
        if f.rank != 1 and (e > 0 or (e < 0 and (denominators or max(exponents) < 0))):
            lowest[f] = e if e > 0 or denominators else max(exponents)
    coefficients = [Fraction(c) for c in poly.terms.values()]
    content = Fraction(gcd(*[c.numerator for c in coefficients]), lcm(*[c.denominator for c in coefficients]))
    if content.denominator > DECIMAL:
        content = Fraction(1)
    return (-content if all(c < 0 for c in coefficients) else content), tuple(sorted(lowest.items()))


def _grouped(poly: Poly) -> Expr:
    """Terms that share a factor together, if that is shorter."""
    flat = _flat(poly)
    if len(poly.terms) < 3 or len(poly.terms) > _GROUPED:
        return flat
    counts = Counter(f for m in poly.terms for f, e in m if e > 0)
    best = flat
    tries = 3 if len(poly.terms) <= _TRIED else 1
    for f, n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:tries]:
        if 1 < n < len(poly.terms):
            having = Poly({m: c for m, c in poly.terms.items() if any(g == f and e > 0 for g, e in m)})
            candidate = _joined([compact(having), compact(poly - having)])
            best = min(best, candidate, key=symbols)
    return best


def _joined(parts: list[Expr]) -> Expr:
    return add(*sorted(parts, key=lambda t: (_is_negative(t), symbols(t))))


def _is_negative(t: Expr) -> bool:
    front = t.factors[0] if isinstance(t, Mul) else t
    return isinstance(front, Num) and front.value < 0


def _flat(poly: Poly) -> Expr:
    """Term by term, a positive one first; sums over the same indices with common factors become one sum."""
    groups: list[Group] = []
    for monomial, c in sorted(poly.terms.items(), key=lambda item: _term_key(item[0])):
        sums = [f for f, e in monomial if f.rank == 2 and e == 1]
        outside = tuple([p for p in monomial if p[0] != sums[0]]) if len(sums) == 1 else monomial
        _absorb(groups, outside, sums[0] if len(sums) == 1 else None, c)
    first = next((k for k, (_, _, body) in enumerate(groups) if max(body.terms.values()) > 0), 0)
    groups.insert(0, groups.pop(first))
    return add(*[_shown(*group) for group in groups])


Group = tuple[Monomial, tuple[Index, ...], Poly]


def _absorb(groups: list[Group], outside: Monomial, total: Sum | None, c: Number) -> None:
    """Add a term to a group that it shares factors under a sum with, or open a new group."""
    if total is None:
        groups.append((outside, (), number(c)))
        return
    sizes = sorted(i.size for i in total.bound)
    for k, (other, bound, body) in enumerate(groups):
        if other == outside and sorted(i.size for i in bound) == sizes:
            shared = {pair for m in body.terms for pair in m}
            names = [dict(zip(total.bound, order, strict=True)) for order in itertools.permutations(bound)]
            fitting = [rename(Poly({total.body: c}), n) for n in names if all(a.size == b.size for a, b in n.items())]
            best = max(fitting, key=lambda p: sum(pair in shared for m in p.terms for pair in m))
            if any(pair in shared for m in best.terms for pair in m):
                groups[k] = (other, bound, body + best)
                return
    groups.append((outside, total.bound, Poly({total.body: c})))


def _shown(outside: Monomial, bound: tuple[Index, ...], body: Poly) -> Expr:
    """One sum, with the number of its terms in front."""
    inner = compact(body) if bound else Num(body.constant() or 0)
    c: Number = 1
    if isinstance(inner, Num):
        c, inner = inner.value, Num(1)
    elif isinstance(inner, Mul) and isinstance(inner.factors[0], Num):
        c, inner = inner.factors[0].value, mul(*inner.factors[1:])
    return mul(*_ordered_product(outside, c), Total(bound, inner) if bound else Num(1))


def _term_key(monomial: Monomial) -> tuple[bool, int, int, Monomial]:
    """Deltas first, then terms without sums, then short ones."""
    no_delta = all(f.rank != 1 for f, _ in monomial)
    indexed = sum(bool(f.rank or f.indices) for f, _ in monomial)
    return no_delta, sum(f.rank == 2 for f, _ in monomial), indexed, monomial


def _ordered_product(monomial: Monomial, c: Number) -> list[Expr]:
    """Number, scalars, indexed variables, sums."""

    def key(pair: tuple[Factor, Number]) -> tuple[int, int, Factor]:
        return pair[0].rank, len(pair[0].indices) if pair[0].rank == 0 else 0, pair[0]

    return [Num(c), *[power(_factor(f), Num(e)) for f, e in sorted(monomial, key=key)]]


def _factor(f: Factor) -> Expr:
    if f.rank == 0:
        return Num(int(f.name)) if f.name.isdigit() else Ref(f)
    if f.rank == 1:
        return Kronecker(f.first, f.second)
    return Total(f.bound, mul(*_ordered_product(f.body, 1)))
