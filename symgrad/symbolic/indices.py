r"""Indices: names that run over a size, values such as labels, and what reshapes make of them.

Axes that are split and joined are digits of one index, the last one fastest: an index over $G K$ elements is the
`joined` one of its `quotient` over G and its `remainder` over K. Every index has one simplest form, so that equal ones
are equal tuples.

Examples
--------
>>> c = Index("c", multiplied(extent("G"), extent("K")))
>>> g, k = split(c, extent("G"), extent("K"))
>>> joined(g, k) == c
True
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from symgrad.shapes import Dim

__all__ = [
    "JOIN",
    "QUOTIENT",
    "REMAINDER",
    "At",
    "Extent",
    "Index",
    "divided",
    "extent",
    "fresh",
    "index",
    "joined",
    "labels",
    "made",
    "merged",
    "moved",
    "multiplied",
    "plain",
    "quotient",
    "remainder",
    "split",
    "unjoined",
]

Extent = tuple[
    tuple[tuple[str, ...], int], ...
]  # a symbolic size as a sorted polynomial: B - 1 is ((("B",), 1), ((), -1))
_counter = itertools.count()


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


def plain(indices: Iterable[Any]) -> set[Index]:
    """The indices themselves, and those on which the ones that are values depend."""
    return {k for i in indices for k in (plain(i.indices) if len(i) == 3 else (i,))}
