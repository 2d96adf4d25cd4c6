r"""The parts of the sum-product normal form: sizes, indices, variables, deltas, sums, and products of them.

A factor is a variable at indices, a Kronecker delta, or a sum of one monomial over bound indices that cannot be pulled
apart; bound indices are named canonically, so that equal sums are equal tuples. A monomial is a sorted tuple of factors
with exponents.

Examples
--------
>>> i, j = index("i", "B"), index("j", "B")
>>> a = Var(0, "a", (i,), False)
>>> rename_factor(a, {i: j}).indices == (j,)
True
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from symgrad.shapes import Dim
from symgrad.symbolic.limits import within_limit

__all__ = [
    "JOIN",
    "QUOTIENT",
    "REMAINDER",
    "At",
    "CancelledError",
    "Delta",
    "Extent",
    "Factor",
    "Factors",
    "Index",
    "Monomial",
    "Number",
    "Sum",
    "Var",
    "canonical",
    "copies_of",
    "divided",
    "extent",
    "fresh",
    "index",
    "indices_of",
    "joined",
    "label",
    "labels",
    "made",
    "merged",
    "monomial_of",
    "moved",
    "multiplied",
    "places",
    "plain",
    "product",
    "quotient",
    "remainder",
    "rename_factor",
    "split",
    "unjoined",
]

Number = int | Fraction
DECIMAL = 1000  # longer denominators are those of decimal numbers
Extent = tuple[
    tuple[tuple[str, ...], int], ...
]  # a symbolic size as a sorted polynomial: B - 1 is ((("B",), 1), ((), -1))


class Index(NamedTuple):
    """A name that runs over a size. Digits name canonical bound indices, ``~n`` fresh ones."""

    name: str
    size: Extent


JOIN, QUOTIENT, REMAINDER = ",", "//", "%"  # names of indices that reshapes make of others


class At(NamedTuple):
    """An index made of others: a value such as a label ``y_i`` over the classes, or what a reshape makes of axes.

    A ``JOIN`` runs through two indices as through one, the last one fastest; the ``QUOTIENT`` and the ``REMAINDER`` of
    an index are the two whose join it is.
    """

    name: str
    size: Extent
    indices: tuple[Any, ...]  # Index | At


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

_counter = itertools.count()


class CancelledError(Exception):
    """Factors under a sum cancelled, or a delta fell apart, when their indices became others."""


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


def moved(i: Any, names: Mapping[Any, Any]) -> Any:
    """Another index for this one, also inside of one that is a value."""
    new = names.get(i)
    if new is None and len(i) == 3:
        return shaped(i._replace(indices=tuple([moved(k, names) for k in i.indices])))
    return i if new is None else new


def shaped(i: At) -> Any:
    """An index that reshapes made, in its simplest form."""
    if i.name == JOIN:
        return joined(*i.indices)
    if i.name in (QUOTIENT, REMAINDER):
        return (quotient if i.name == QUOTIENT else remainder)(i.indices[0], i.size)
    return i


def quotient(i: Any, size: Extent) -> Any:
    """The first digits of an index, as many as run over this size."""
    if i.size == size:
        return i
    if len(i) == 3 and i.name == QUOTIENT:
        return quotient(i.indices[0], size)
    if len(i) == 3 and i.name == JOIN:
        first, second = i.indices
        rest = divided(size, first.size)
        if divided(first.size, size) is not None:
            return quotient(first, size)
        if rest is not None and divided(second.size, rest) is not None:
            return joined(first, quotient(second, rest))
    return At(QUOTIENT, size, (i,))


def remainder(i: Any, size: Extent) -> Any:
    """The last digits of an index, as many as run over this size."""
    if i.size == size:
        return i
    if len(i) == 3 and i.name == REMAINDER:
        return remainder(i.indices[0], size)
    if len(i) == 3 and i.name == QUOTIENT and (below := divided(i.indices[0].size, i.size)) is not None:
        return quotient(remainder(i.indices[0], multiplied(size, below)), size)
    if len(i) == 3 and i.name == JOIN:
        first, second = i.indices
        rest = divided(size, second.size)
        if divided(second.size, size) is not None:
            return remainder(second, size)
        if rest is not None and divided(first.size, rest) is not None:
            return joined(remainder(first, rest), second)
    return At(REMAINDER, size, (i,))


def joined(first: Any, second: Any) -> Any:
    """Two indices as one."""
    if first[0] == JOIN:
        return joined(first.indices[0], joined(first.indices[1], second))
    near, *rest = second.indices if second[0] == JOIN else (second,)
    whole = merged(first, near)
    if whole is None:
        return At(JOIN, multiplied(first.size, second.size), (first, second))
    return joined(whole, rest[0]) if rest else whole


def merged(a: Any, b: Any) -> Any:
    """Digits of one index that follow each other as one, or None."""
    (whole, high, low), (other, size, below) = _digits(a), _digits(b)
    if whole != other or low is None or below is None or low != multiplied(size, below):
        return None
    size = multiplied(high, size)
    return quotient(remainder(whole, multiplied(size, below)), size)


def _digits(i: Any) -> tuple[Any, Extent, Extent | None]:
    """Of which index these are digits, over which size, and the size of what follows them there."""
    if len(i) == 2 or i.name not in (QUOTIENT, REMAINDER):
        return i, i.size, (((), 1),)
    whole, size, low = _digits(i.indices[0])
    more = divided(size, i.size) if i.name == QUOTIENT else (((), 1),)
    return whole, i.size, None if low is None or more is None else multiplied(low, more)


def split(i: Any, first: Extent, second: Extent) -> tuple[Any, Any]:
    """The two indices, over these sizes, as whose join an index runs."""
    return quotient(i, first), remainder(i, second)


def unjoined(indices: Iterable[Any]) -> list[Any]:
    """The indices with joins taken apart, and with digits that follow each other as one."""
    flat: list[Any] = []
    queue = list(indices)
    while queue:
        i = queue.pop(0)
        if i is not None and i[0] == JOIN:
            queue[:0] = i.indices
        elif flat and i is not None and flat[-1] is not None and (whole := merged(flat[-1], i)) is not None:
            flat[-1] = whole
        else:
            flat.append(i)
    return flat


def multiplied(a: Extent, b: Extent) -> Extent:
    """The product of two sizes."""
    total: dict[tuple[str, ...], int] = {}
    for (m, c), (n, d) in itertools.product(a, b):
        key = tuple(sorted((*m, *n)))
        total[key] = total.get(key, 0) + c * d
    return tuple(sorted((m, c) for m, c in total.items() if c))


def divided(total: Extent, part: Extent) -> Extent | None:
    """The size whose product with a part is the whole, where both are single products."""
    if len(total) != 1 or len(part) != 1 or total[0][1] % part[0][1]:
        return None
    left = list(total[0][0])
    for name in part[0][0]:
        if name not in left:
            return None
        left.remove(name)
    return ((tuple(left), total[0][1] // part[0][1]),)


def made(indices: Iterable[Any]) -> Iterator[At]:
    """The indices among them, and inside of them, that are made of others."""
    for i in indices:
        if len(i) == 3:
            yield i
            yield from made(i.indices)


def labels(indices: Iterable[Any]) -> list[At]:
    """The indices that are values."""
    return [i for i in made(indices) if i.name not in (JOIN, QUOTIENT, REMAINDER)]


def label(i: At) -> Var:
    """The variable whose value an index is."""
    return Var(0, i.name, i.indices, False)


def plain(indices: Iterable[Any]) -> set[Index]:
    """The indices themselves, and those on which the ones that are values depend."""
    return {k for i in indices for k in (plain(i.indices) if len(i) == 3 else (i,))}


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
