r"""The sum-product normal form: exact algebra on indexed expressions with symbolic sizes.

A `Poly` is a map from monomials to rational coefficients, $\sum_m c_m \prod_f f^{e_f}$. A factor is a variable at
indices, a Kronecker delta, or a sum of one monomial over bound indices that cannot be pulled apart. Equal
expressions have equal maps: sums are split into connected components, bound indices are renamed canonically, and
deltas are contracted. Capture cannot happen, because opening a sum gives its indices fresh names.

Examples
--------
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
from fractions import Fraction
from typing import Any, NamedTuple

from symgrad.errors import SymbolicError
from symgrad.shapes import Dim

__all__ = [
    "ONE",
    "ZERO",
    "Delta",
    "Extent",
    "Index",
    "Monomial",
    "Number",
    "Poly",
    "Sum",
    "Var",
    "copies_of",
    "delta",
    "extent",
    "fresh",
    "index",
    "indices_of",
    "monomial_of",
    "number",
    "rename",
    "rename_factor",
    "size_poly",
    "sum_over",
    "variable",
]

Number = int | Fraction
Extent = tuple[
    tuple[tuple[str, ...], int], ...
]  # a symbolic size as a sorted polynomial: B - 1 is ((("B",), 1), ((), -1))


class Index(NamedTuple):
    """A name that runs over a size. Digits name canonical bound indices, ``~n`` fresh ones."""

    name: str
    size: Extent


class Var(NamedTuple):
    """A variable at indices; a name of digits is that prime number (it appears under roots)."""

    rank: int
    name: str
    indices: tuple[Index, ...]
    positive: bool


class Delta(NamedTuple):
    """The Kronecker delta of two free indices, smaller one first."""

    rank: int
    first: Index
    second: Index


class Sum(NamedTuple):
    """The sum of one monomial over connected bound indices."""

    rank: int
    bound: tuple[Index, ...]
    body: Monomial


Factor = Any  # Var | Delta | Sum: mypy cannot yet check recursive NamedTuples that are compared
Monomial = tuple[tuple[Factor, Number], ...]
Factors = dict[Factor, Number]

_counter = itertools.count()
MAX_TERMS = 4000  # of one product


class _CancelledError(Exception):
    """Two factors under a sum cancelled when their indices became equal."""


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
        total: dict[Monomial, Number] = {}
        for m, c in self.terms.items():
            for n, d in other.terms.items():
                k, product = _product(m, n)
                k = total.get(product, 0) + k * c * d
                if k:
                    total[product] = k
                else:
                    total.pop(product, None)
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
        return factor.name + (f"[{','.join(i.name for i in factor.indices)}]" if factor.indices else "")
    if isinstance(factor, Delta):
        return f"delta[{factor.first.name},{factor.second.name}]"
    return f"sum[{','.join(i.name for i in factor.bound)}]({_text(factor.body)})"


ZERO = Poly({})
ONE = Poly({(): 1})


# building --------------------------------------------------------------------------------------------------------


def extent(size: int | str | Dim) -> Extent:
    """A size as a sorted tuple of terms."""
    if isinstance(size, str):
        return (((size,), 1),)
    if isinstance(size, Dim):
        named = {tuple(a if isinstance(a, str) else f"({a[1]}//{a[2]})" for a in m): c for m, c in size.terms.items()}
        return tuple(sorted(named.items()))
    return (((), int(size)),) if size else ()


def index(name: str, size: int | str | Dim) -> Index:
    """An index of this name over a size."""
    return Index(name, extent(size))


def fresh(size: Extent) -> Index:
    """An index that occurs nowhere else."""
    return Index(f"~{next(_counter)}", size)


def number(value: Number) -> Poly:
    """A rational number."""
    return Poly({(): value}) if value else ZERO


def variable(name: str, *indices: Index, positive: bool = False) -> Poly:
    """A variable at indices."""
    return Poly({((Var(0, name, indices, positive), 1),): 1})


def delta(a: Index, b: Index) -> Poly:
    """1 where the indices are equal, else 0."""
    if a == b:
        return ONE
    return Poly({((Delta(1, min(a, b), max(a, b)), 1),): 1})


def size_poly(size: Extent) -> Poly:
    """A size as a number or a polynomial in its names, which are positive."""
    total = ZERO
    for names, c in size:
        term = number(c)
        for name in names:
            term = term * variable(name, positive=True)
        total = total + term
    return total


# products --------------------------------------------------------------------------------------------------------


def _product(a: Monomial, b: Monomial) -> tuple[Number, Monomial]:
    if not a or not b:
        return 1, a or b
    factors = dict(a)
    for f, e in b:
        factors[f] = factors.get(f, 0) + e
    return monomial_of(factors)


def monomial_of(factors: Factors) -> tuple[Number, Monomial]:
    """Coefficient and sorted monomial: zero exponents dropped, deltas applied, powers of primes folded."""
    coefficient: Number = 1
    deltas = [f for f in factors if f.rank == 1]
    while deltas:
        chosen = deltas.pop()
        swap = {chosen.second: chosen.first}
        renamed: Factors = {chosen: 1}
        try:
            for f, e in factors.items():
                changed = rename_factor(f, swap) if f != chosen and e else None
                if changed is not None:
                    renamed[changed] = 1 if changed.rank == 1 else renamed.get(changed, 0) + e
        except _CancelledError:
            continue  # kept as it is: sound, only not as short as it could be
        deltas = [d for d in (rename_factor(d, swap) for d in deltas) if d is not None]
        factors = renamed
    kept = []
    for f, e in factors.items():
        if f.rank == 0 and f.name.isdigit():
            whole = e.__floor__()
            coefficient = coefficient * Fraction(int(f.name)) ** whole
            e = e - whole
        if e:
            kept.append((f, e))
    kept.sort()
    return coefficient, tuple(kept)


def rename_factor(factor: Factor, names: Mapping[Index, Index]) -> Factor | None:
    """The factor at other free indices; None where it became 1."""
    if factor.rank == 0:
        return factor._replace(indices=tuple([names.get(i, i) for i in factor.indices]))
    if factor.rank == 1:
        a, b = names.get(factor.first, factor.first), names.get(factor.second, factor.second)
        return None if a == b else Delta(1, min(a, b), max(a, b))
    renamed: Factors = {}
    for f, e in factor.body:
        changed = rename_factor(f, names)
        renamed[changed] = renamed.get(changed, 0) + e
    if not all(renamed.values()):
        raise _CancelledError
    return _canonical(factor.bound, renamed)


def rename(poly: Poly, names: Mapping[Index, Index]) -> Poly:
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
        except _CancelledError:
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
        factor = _canonical(tuple(group), inside)
        outside[factor] = outside.get(factor, 0) + 1
    k, product = monomial_of(outside)
    return result * Poly({product: coefficient * k})


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
                swap = {i: fresh(i.size) for i in f.bound}
                bound = bound + list(swap.values())
                queue.extend((rename_factor(g, swap), d) for g, d in f.body)
        else:
            flat[f] = flat.get(f, 0) + e
    while deltas:
        d = deltas.pop()
        if d.second in bound or d.first in bound:
            gone, stays = (d.second, d.first) if d.second in bound else (d.first, d.second)
            bound = [i for i in bound if i != gone]
            swap = {gone: stays}
            merged: Factors = {}
            for f, e in flat.items():
                changed = rename_factor(f, swap)
                merged[changed] = merged.get(changed, 0) + e
            flat = merged
            deltas = [x for x in (rename_factor(x, swap) for x in deltas) if x is not None]
        else:
            flat[d] = 1
    coefficient, monomial = monomial_of(flat)
    return coefficient, dict(monomial), bound


def copies_of(exponent: Number) -> int:
    """How many equal sums are multiplied, or ValueError where a sum cannot be opened."""
    if exponent != int(exponent) or exponent < 0:
        raise ValueError("a sum to a negative or fractional power depends on the summed index; give the sum a name")
    return int(exponent)


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


def _canonical(bound: tuple[Index, ...], factors: Factors) -> Sum:
    """The sum with bound indices named 0, 1, ... so that equal sums are equal tuples."""
    if len(bound) == 1:
        return _named_sum(bound, factors)
    ties: dict[Any, list[Index]] = {}
    for i in bound:
        ties.setdefault((i.size, _signature(i, factors)), []).append(i)
    orders = itertools.product(*[itertools.permutations(ties[key]) for key in sorted(ties)])
    return min(_named_sum(tuple(itertools.chain(*order)), factors) for order in orders)


def _signature(i: Index, factors: Factors) -> tuple[Any, ...]:
    seen = [
        (f.name, e, tuple(k for k, x in enumerate(f.indices) if x == i)) for f, e in factors.items() if i in f.indices
    ]
    return tuple(sorted(seen))


def _named_sum(order: tuple[Index, ...], factors: Factors) -> Sum:
    names = {i: Index(str(k), i.size) for k, i in enumerate(order)}
    body = sorted([(rename_factor(f, names), e) for f, e in factors.items()])
    return Sum(2, tuple(names.values()), tuple(body))


def indices_of(factor: Factor) -> set[Index]:
    """The free indices of a factor."""
    if factor.rank == 0:
        return set(factor.indices)
    if factor.rank == 1:
        return {factor.first, factor.second}
    return {i for f, _ in factor.body for i in indices_of(f)}.difference(factor.bound)
