r"""The parts of the sum-product normal form: sizes, indices, variables, deltas, sums, and products of them.

A factor is a variable at indices, a Kronecker delta, or a sum of one monomial over bound indices that cannot be pulled
apart; bound indices are named canonically, so that equal sums are equal tuples. A monomial is a sorted tuple of factors
with exponents.

Examples
--------
>>> from symgrad.symbolic.indices import index
>>> i, j = index("i", "B"), index("j", "B")
>>> a = Var(0, "a", (i,), False)
>>> rename_factor(a, {i: j}).indices == (j,)
True
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from symgrad.symbolic.indices import (
    JOIN,
    At,
    Index,
    merged,
    moved,
    plain,
)
from symgrad.symbolic.limits import within_limit

__all__ = [
    "CancelledError",
    "Delta",
    "Factor",
    "Factors",
    "Monomial",
    "Number",
    "Sum",
    "Var",
    "canonical",
    "copies_of",
    "indices_of",
    "label",
    "monomial_of",
    "places",
    "product",
    "rename_factor",
]

Number = int | Fraction
DECIMAL = 1000  # longer denominators are those of decimal numbers


class Var(NamedTuple):
    """A variable at indices; a name of digits is that prime number (it appears under roots)."""

    rank: int
    name: str
    indices: tuple[Any, ...]  # Index | At
    positive: bool


class Delta(NamedTuple):
    """The Kronecker delta of two free indices, the one that is a value first, else the smaller one."""

    rank: int
    first: Index | At
    second: Index | At

    @staticmethod
    def of(a: Index | At, b: Index | At) -> Delta:
        """The delta of two different indices."""
        return Delta(1, a, b) if (len(a) == 2, a) < (len(b) == 2, b) else Delta(1, b, a)


class Sum(NamedTuple):
    """The sum of one monomial over connected bound indices."""

    rank: int
    bound: tuple[Index, ...]
    body: Monomial


Factor = Any  # Var | Delta | Sum: mypy cannot yet check recursive NamedTuples that are compared
Monomial = tuple[tuple[Factor, Number], ...]
Factors = dict[Factor, Number]


class CancelledError(Exception):
    """Factors under a sum cancelled, or a delta fell apart, when their indices became others."""


def label(i: At) -> Var:
    """The variable whose value an index is."""
    return Var(0, i.name, i.indices, False)


def product(a: Monomial, b: Monomial) -> tuple[Number, Monomial]:
    """Coefficient and monomial of a product."""
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
    if len(deltas) > 1:
        deltas, factors = _together(deltas, factors)
    while deltas:
        chosen = deltas.pop()
        swap = {chosen.second: chosen.first}
        renamed: Factors = {chosen: 1}
        try:
            for f, e in factors.items():
                changed = rename_factor(f, swap) if f != chosen and e else None
                if changed is not None:
                    renamed[changed] = 1 if changed.rank == 1 else renamed.get(changed, 0) + e
        except CancelledError:
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


def _together(deltas: list[Delta], factors: Factors) -> tuple[list[Delta], Factors]:
    """Deltas of quotients and of remainders as the deltas of what these are of."""
    for a, b in itertools.permutations(deltas, 2):
        for x, y in ((b.first, b.second), (b.second, b.first)):
            left, right = merged(a.first, x), merged(a.second, y)
            if left is not None and right is not None:
                whole = Delta.of(left, right)
                rest = {f: e for f, e in factors.items() if f not in (a, b)}
                return _together([*[d for d in deltas if d not in (a, b)], whole], {**rest, whole: 1})
    return deltas, factors


def rename_factor(factor: Factor, names: Mapping[Any, Any]) -> Factor | None:
    """The factor at other free indices; None where it became 1."""
    if factor.rank == 0:
        return factor._replace(indices=tuple([names.get(i) or moved(i, names) for i in factor.indices]))
    if factor.rank == 1:
        a, b = moved(factor.first, names), moved(factor.second, names)
        if JOIN in (a[0], b[0]) and a != b:
            raise CancelledError  # it falls apart into two
        return None if a == b else Delta.of(a, b)
    renamed: Factors = {}
    for f, e in factor.body:
        changed = rename_factor(f, names)
        if changed is not None:
            renamed[changed] = 1 if changed.rank == 1 else renamed.get(changed, 0) + e
    if not all(renamed.values()):
        raise CancelledError
    return canonical(factor.bound, renamed)


def canonical(bound: tuple[Index, ...], factors: Factors) -> Sum:
    """The sum with bound indices named 0, 1, ... so that equal sums are equal tuples."""
    if len(bound) == 1:
        return _named_sum(bound, factors)
    ties: dict[Any, list[Index]] = {}
    for i in bound:
        ties.setdefault((i.size, _signature(i, factors)), []).append(i)
    orders = itertools.product(*[itertools.permutations(ties[key]) for key in sorted(ties)])
    return min(_timed(_named_sum(tuple(itertools.chain(*order)), factors)) for order in orders)


def _timed(total: Sum) -> Sum:
    within_limit()
    return total


def _signature(i: Index, factors: Factors) -> tuple[Any, ...]:
    seen = [
        (f.name if f.rank == 0 else "", e, tuple(k for k, x in enumerate(places(f)) if i in plain((x,))))
        for f, e in factors.items()
        if i in indices_of(f)
    ]
    return tuple(sorted(seen))


def places(f: Factor) -> tuple[Any, ...]:
    """The indices of a variable or delta, as they stand there."""
    return f.indices if f.rank == 0 else (f.first, f.second)


def _named_sum(order: tuple[Index, ...], factors: Factors) -> Sum:
    names = {i: Index(str(k), i.size) for k, i in enumerate(order)}
    body = sorted([(rename_factor(f, names), e) for f, e in factors.items()])
    return Sum(2, tuple(names.values()), tuple(body))


def copies_of(exponent: Number) -> int:
    """How many equal sums are multiplied, or ValueError where a sum cannot be opened."""
    if exponent != int(exponent) or exponent < 0:
        raise ValueError("a sum to a negative or fractional power depends on the summed index; give the sum a name")
    return int(exponent)


def indices_of(factor: Factor) -> set[Index]:
    """The free indices of a factor."""
    if factor.rank == 0:
        return plain(factor.indices)
    if factor.rank == 1:
        return plain((factor.first, factor.second))
    return {i for f, _ in factor.body for i in indices_of(f)}.difference(factor.bound)
