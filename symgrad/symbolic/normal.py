r"""The sum-product normal form: exact algebra on indexed expressions with symbolic sizes.

A `Poly` is a map from monomials to rational coefficients, $\sum_m c_m \prod_f f^{e_f}$. A factor is a variable at
indices, a Kronecker delta, or a sum of one monomial over bound indices that cannot be pulled apart. Equal
expressions have equal maps: sums are split into connected components, bound indices are renamed canonically, and
deltas are contracted. Capture cannot happen, because opening a sum gives its indices fresh names.

Examples
--------
>>> from symgrad.symbolic.indices import index
>>> i, j = index("i", "B"), index("j", "B")
>>> a, b = variable("a", i), variable("b", j)
>>> sum_over(a * b, i, j) == sum_over(a, i) * sum_over(b, j)
True
>>> sum_over(delta(i, j) * b, j) == variable("b", i)
True
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from symgrad.errors import SymbolicError
from symgrad.symbolic.factors import (
    CancelledError,
    Delta,
    Factor,
    Factors,
    Monomial,
    Number,
    Var,
    canonical,
    copies_of,
    indices_of,
    monomial_of,
    places,
    product,
    rename_factor,
)
from symgrad.symbolic.indices import (
    JOIN,
    QUOTIENT,
    REMAINDER,
    At,
    Extent,
    Index,
    divided,
    fresh,
    joined,
    made,
    moved,
    multiplied,
    plain,
    split,
    unjoined,
)
from symgrad.symbolic.limits import within_limit

__all__ = [
    "ONE",
    "ZERO",
    "Poly",
    "delta",
    "number",
    "rename",
    "size_poly",
    "sum_over",
    "variable",
]

MAX_TERMS = 4000  # of one product


class Poly:
    """An expression in normal form; immutable, compared and hashed by value."""

    __slots__ = ("_hash", "terms")

    def __init__(self, terms: Mapping[Monomial, Number]) -> None:
        self.terms = terms
        self._hash: int | None = None

    def __add__(self, other: Poly) -> Poly:
        if not other.terms:
            return self
        total = dict(self.terms)
        for monomial, c in other.terms.items():
            c = total.get(monomial, 0) + c
            if c:
                total[monomial] = c
            else:
                del total[monomial]
        return Poly(total)

    def __neg__(self) -> Poly:
        return self.scale(-1)

    def __sub__(self, other: Poly) -> Poly:
        return self + other.scale(-1)

    def __mul__(self, other: Poly) -> Poly:
        if len(self.terms) * len(other.terms) > MAX_TERMS:
            raise SymbolicError(
                f"a formula has more than {MAX_TERMS} terms when it is multiplied out; name its parts with sg.named"
            )
        within_limit()
        total: dict[Monomial, Number] = {}
        for m, c in self.terms.items():
            for n, d in other.terms.items():
                k, joined = product(m, n)
                k = total.get(joined, 0) + k * c * d
                if k:
                    total[joined] = k
                else:
                    total.pop(joined, None)
        return Poly(total)

    def scale(self, c: Number) -> Poly:
        """The product with a number."""
        return Poly({m: c * d for m, d in self.terms.items()}) if c else ZERO

    def power(self, n: int) -> Poly:
        """The product of ``n`` equal factors, multiplied out."""
        result = ONE
        for _ in range(n):
            result = result * self
        return result

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Poly) and self.terms == other.terms

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset(self.terms.items()))
        return self._hash

    def __bool__(self) -> bool:
        return bool(self.terms)

    def single(self) -> tuple[Monomial, Number] | None:
        """The only monomial with its coefficient, or None."""
        return next(iter(self.terms.items())) if len(self.terms) == 1 else None

    def constant(self) -> Number | None:
        """The number that this is, or None."""
        if not self.terms:
            return 0
        return self.terms.get(()) if len(self.terms) == 1 else None

    def __repr__(self) -> str:
        return " + ".join(f"{c}*{_text(m)}" if m else str(c) for m, c in sorted(self.terms.items())) or "0"


def _text(monomial: Monomial) -> str:
    return "*".join(_factor_text(f) + (f"^({e})" if e != 1 else "") for f, e in monomial)


def _factor_text(factor: Factor) -> str:
    if isinstance(factor, Var):
        return factor.name + (f"[{','.join(map(_index_text, factor.indices))}]" if factor.indices else "")
    if isinstance(factor, Delta):
        return f"delta[{_index_text(factor.first)},{_index_text(factor.second)}]"
    return f"sum[{','.join(i.name for i in factor.bound)}]({_text(factor.body)})"


def _index_text(i: Index | At) -> str:
    return f"{i.name}[{','.join(map(_index_text, i.indices))}]" if isinstance(i, At) else i.name


ZERO = Poly({})
ONE = Poly({(): 1})


# building --------------------------------------------------------------------------------------------------------


def number(value: Number) -> Poly:
    """A rational number."""
    return Poly({(): value}) if value else ZERO


def variable(name: str, *indices: Index, positive: bool = False) -> Poly:
    """A variable at indices."""
    return Poly({((Var(0, name, indices, positive), 1),): 1})


def delta(a: Index | At, b: Index | At) -> Poly:
    """1 where the indices are equal, else 0."""
    if a == b:
        return ONE
    for whole, other in ((a, b), (b, a)):
        if isinstance(whole, At) and whole.name == JOIN:
            first, second = whole.indices
            parts = split(other, first.size, second.size)
            return delta(first, parts[0]) * delta(second, parts[1])
    return Poly({((Delta.of(a, b), 1),): 1})


def size_poly(size: Extent) -> Poly:
    """A size as a number or a polynomial in its names, which are positive."""
    total = ZERO
    for names, c in size:
        term = number(c)
        for name in names:
            term = term * variable(name, positive=True)
        total = total + term
    return total


# other indices ---------------------------------------------------------------------------------------------------


def rename(poly: Poly, names: Mapping[Index, Any]) -> Poly:
    """The expression at other free indices (all at once); two may become one."""
    if not names:
        return poly
    total: dict[Monomial, Number] = {}
    special = ZERO
    for monomial, c in poly.terms.items():
        factors: Factors = {}
        try:
            for f, e in monomial:
                changed = rename_factor(f, names)
                if changed is not None:
                    factors[changed] = factors.get(changed, 0) + e
        except CancelledError:
            special = special + _rename_open(monomial, names).scale(c)
            continue
        k, new = monomial_of(factors)
        total[new] = total.get(new, 0) + k * c
    return Poly({m: c for m, c in total.items() if c}) + special


def _rename_open(monomial: Monomial, names: Mapping[Index, Index]) -> Poly:
    """`rename` of one monomial by opening its sums, for the case that factors under them cancel."""
    result = ONE
    for f, e in monomial:
        if f.rank == 2:
            swap = {i: fresh(i.size) for i in f.bound}
            body = Poly({tuple(sorted([(rename_factor(g, swap), d) for g, d in f.body])): 1})
            result = result * sum_over(rename(body, names), *swap.values()).power(copies_of(e))
        elif f.rank == 1:
            result = result * delta(moved(f.first, names), moved(f.second, names))
        else:
            result = result * rename(Poly({((f, e),): 1}), names)
    return result


# sums ------------------------------------------------------------------------------------------------------------


def sum_over(poly: Poly, *bound: Index) -> Poly:
    """The sum over the indices, which must be free in ``poly``."""
    if not bound:
        return poly
    total = ZERO
    for monomial, c in poly.terms.items():
        total = total + _sum_monomial(monomial, list(bound)).scale(c)
    return total


def _sum_monomial(monomial: Monomial, bound: list[Index]) -> Poly:
    swap = {i: fresh(i.size) for i in bound}
    factors = {rename_factor(f, swap): e for f, e in monomial}
    coefficient, flat, names = _flatten(factors, list(swap.values()))
    touching = {i: [f for f in flat if i in indices_of(f)] for i in names}
    result = ONE
    for i in names:
        if not touching[i]:
            result = result * size_poly(i.size)
    outside: Factors = {f: e for f, e in flat.items() if not any(f in fs for fs in touching.values())}
    for group in _components([i for i in names if touching[i]], touching):
        inside = {f: flat[f] for i in group for f in touching[i]}
        factor = canonical(tuple(group), inside)
        outside[factor] = outside.get(factor, 0) + 1
    k, joined = monomial_of(outside)
    return result * Poly({joined: coefficient * k})


def _flatten(factors: Factors, bound: list[Index]) -> tuple[Number, Factors, list[Index]]:
    """Open inner sums that touch the bound indices, and contract deltas with them."""
    flat: Factors = {}
    deltas: list[Delta] = []
    queue = list(factors.items())
    while queue:
        f, e = queue.pop()
        if f.rank == 1:
            deltas.append(f)
        elif f.rank == 2 and not indices_of(f).isdisjoint(bound):
            for _ in range(copies_of(e)):
                swap: dict[Any, Any] = {i: fresh(i.size) for i in f.bound}
                bound = bound + list(swap.values())
                queue.extend((rename_factor(g, swap), d) for g, d in f.body)
        else:
            flat[f] = flat.get(f, 0) + e
    while True:
        flat, bound = _contracted(flat, deltas, bound)
        found = _parted(flat, bound)
        if found is None:
            break
        flat, bound = found
        deltas = [f for f in flat if f.rank == 1]
        flat = {f: e for f, e in flat.items() if f.rank != 1}
    coefficient, monomial = monomial_of(flat)
    flat, bound = _whole(dict(monomial), bound)
    return coefficient, flat, bound


def _contracted(flat: Factors, deltas: list[Delta], bound: list[Index]) -> tuple[Factors, list[Index]]:
    """Without the deltas whose index is summed over."""
    flat, deltas = dict(flat), list(deltas)
    while deltas:
        d = deltas.pop()
        gone, stays = (d.second, d.first) if d.second in bound else (d.first, d.second)
        if gone in bound and gone not in plain((stays,)):
            bound = [i for i in bound if i != gone]
            swap = {gone: stays}
            merged: Factors = {}
            for f, e in flat.items():
                changed = rename_factor(f, swap)
                if changed is not None:
                    merged[changed] = 1 if changed.rank == 1 else merged.get(changed, 0) + e
            flat = merged
            deltas = [x for x in (rename_factor(x, swap) for x in deltas) if x is not None]
        else:
            flat[d] = 1
    return flat, bound


def _parted(flat: Factors, bound: list[Index]) -> tuple[Factors, list[Index]] | None:
    """A sum over an index whose quotient or remainder occurs, as sums over the two."""
    for part in [p for f in flat if f.rank != 2 for p in made(places(f)) if p.name in (QUOTIENT, REMAINDER)]:
        (i,) = part.indices
        other = divided(i.size, part.size) if i in bound else None
        if other is not None:
            first, second = (part.size, other) if part.name == QUOTIENT else (other, part.size)
            pair = fresh(first), fresh(second)
            names = {i: joined(*pair)}
            renamed = {rename_factor(f, names): e for f, e in flat.items()}
            renamed.pop(None, None)  # deltas that became 1
            return renamed, [*[k for k in bound if k != i], *pair]
    return None


def _whole(flat: Factors, bound: list[Index]) -> tuple[Factors, list[Index]]:
    """Sums over two indices that occur only as one, as a sum over that one."""
    rows = [unjoined((p,)) for f in flat if f.rank != 2 for p in made(places(f)) if p.name == JOIN]
    for a, b in [pair for row in rows for pair in itertools.pairwise(row) if set(pair) <= set(bound)]:
        whole = fresh(multiplied(a.size, b.size))
        names = dict(zip((a, b), split(whole, a.size, b.size), strict=True))
        renamed: Factors = {rename_factor(f, names): e for f, e in flat.items()}
        if not any(p.indices == (whole,) for f in renamed if f.rank != 2 for p in made(places(f)) if p.name != JOIN):
            return _whole(renamed, [*[i for i in bound if i not in (a, b)], whole])
    return flat, bound


def _components(bound: list[Index], touching: Mapping[Index, list[Factor]]) -> list[list[Index]]:
    groups: list[tuple[list[Index], set[Factor]]] = []
    for i in bound:
        names, factors = [i], set(touching[i])
        apart = []
        for group in groups:
            if factors.isdisjoint(group[1]):
                apart.append(group)
            else:
                names, factors = group[0] + names, factors | group[1]
        groups = [*apart, (names, factors)]
    return [names for names, _ in groups]
