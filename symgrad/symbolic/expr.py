r"""Formula trees as they were written, and one `fold` through which every reader of them works.

A tree keeps the author's shape ($\frac1B\sum(z-\mu)^2$ stays centred); the normal form does not. So trees are what is
printed and emitted, and the normal form is what is computed with.

Examples
--------
>>> x = Ref(Var(0, "x", (), False))
>>> fold(add(x, power(x, Num(2))), Operations())  # doctest: +ELLIPSIS
Add(terms=(Ref(...), Pow(...)))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from symgrad.symbolic.factors import Delta, Number, Var, label
from symgrad.symbolic.indices import At, Index, labels, moved, plain

__all__ = [
    "Add",
    "Call",
    "Expr",
    "Kronecker",
    "Mul",
    "Num",
    "Operations",
    "Pow",
    "Reduction",
    "Ref",
    "Total",
    "add",
    "bound_of",
    "fold",
    "free_of",
    "kronecker",
    "mul",
    "negative",
    "power",
    "quotient",
    "refs",
    "rename_tree",
    "replace_refs",
]


@dataclass(frozen=True, slots=True)
class Num:
    """A rational number."""

    value: Number


@dataclass(frozen=True, slots=True)
class Ref:
    """A variable at indices."""

    var: Var


@dataclass(frozen=True, slots=True)
class Kronecker:
    """1 where two indices are equal, else 0."""

    first: Index | At
    second: Index | At


@dataclass(frozen=True, slots=True)
class Add:
    """A sum of terms."""

    terms: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Mul:
    """A product of factors."""

    factors: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Pow:
    """A power."""

    base: Expr
    exponent: Expr


@dataclass(frozen=True, slots=True)
class Call:
    """A function of scalars."""

    name: str
    args: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Total:
    """A sum over indices."""

    bound: tuple[Index, ...]
    body: Expr


@dataclass(frozen=True, slots=True)
class Reduction:
    """A reduction over indices that is no sum, such as a maximum: computed and printed, never differentiated."""

    name: str
    bound: tuple[Index, ...]
    body: Expr


Expr = Num | Ref | Kronecker | Add | Mul | Pow | Call | Total | Reduction


def add(*terms: Expr) -> Expr:
    """A flat sum without zeros."""
    flat: list[Expr] = []
    for t in terms:
        for part in t.terms if isinstance(t, Add) else () if t == Num(0) else (t,):
            opposite = negative(part)
            if opposite in flat:
                flat.remove(opposite)
            else:
                flat.append(part)
    return flat[0] if len(flat) == 1 else Add(tuple(flat)) if flat else Num(0)


def mul(*factors: Expr) -> Expr:
    """A flat product with one number in front."""
    flat: list[Expr] = []
    c: Number = 1
    for f in factors:
        for g in f.factors if isinstance(f, Mul) else (f,):
            if isinstance(g, Num):
                c = c * g.value
            else:
                flat.append(g)
    if c == 0:
        return Num(0)
    if c != 1 or not flat:
        flat.insert(0, Num(c))
    return flat[0] if len(flat) == 1 else Mul(tuple(flat))


def power(base: Expr, exponent: Expr) -> Expr:
    """A power; numbers are worked out."""
    if exponent == Num(1):
        return base
    if isinstance(base, Num) and isinstance(exponent, Num) and exponent.value == int(exponent.value):
        return Num(Fraction(base.value) ** int(exponent.value)) if base.value else Num(0)
    integer = isinstance(exponent, Num) and exponent.value == int(exponent.value)
    if integer and isinstance(base, Pow) and isinstance(base.exponent, Num) and isinstance(exponent, Num):
        return power(base.base, Num(base.exponent.value * exponent.value))  # (x^a)^n = x^(a n) for integers n only
    return Pow(base, exponent)


def negative(x: Expr) -> Expr:
    """Minus x."""
    return mul(Num(-1), x)


def quotient(a: Expr, b: Expr) -> Expr:
    """A over b."""
    return mul(a, power(b, Num(-1)))


def kronecker(a: Index | At, b: Index | At) -> Expr:
    """1 where two indices are equal, else 0."""
    return Num(1) if a == b else Kronecker(*Delta.of(a, b)[1:])


class Operations:
    """What to do at each kind of tree; this one rebuilds the tree, others print it or compute with it."""

    def number(self, value: Number) -> Any:
        """A rational number."""
        return Num(value)

    def ref(self, var: Var) -> Any:
        """A variable at indices."""
        return Ref(var)

    def kronecker(self, first: Index | At, second: Index | At) -> Any:
        """A Kronecker delta."""
        return Kronecker(first, second)

    def add(self, terms: list[Any]) -> Any:
        """A sum of terms."""
        return add(*terms)

    def mul(self, factors: list[Any]) -> Any:
        """A product."""
        return mul(*factors)

    def pow(self, base: Any, exponent: Any) -> Any:
        """A power."""
        return power(base, exponent)

    def call(self, name: str, args: list[Any]) -> Any:
        """A function."""
        return Call(name, tuple(args))

    def total(self, bound: tuple[Index, ...], body: Any) -> Any:
        """A sum over indices."""
        return Total(bound, body)

    def reduction(self, name: str, bound: tuple[Index, ...], body: Any) -> Any:
        """Another reduction over indices."""
        return Reduction(name, bound, body)


def fold(tree: Expr, do: Any) -> Any:
    """Read a tree from the leaves up, with one method of ``do`` (see `Operations`) per kind."""
    match tree:
        case Num(value):
            return do.number(value)
        case Ref(var):
            return do.ref(var)
        case Kronecker(first, second):
            return do.kronecker(first, second)
        case Add(terms):
            return do.add([fold(t, do) for t in terms])
        case Mul(factors):
            return do.mul([fold(f, do) for f in factors])
        case Pow(base, exponent):
            return do.pow(fold(base, do), fold(exponent, do))
        case Call(name, args):
            return do.call(name, [fold(a, do) for a in args])
        case Total(bound, body):
            return do.total(bound, fold(body, do))
        case Reduction(name, bound, body):
            return do.reduction(name, bound, fold(body, do))


class _Rename(Operations):
    def __init__(self, names: Mapping[Index, Any]) -> None:
        self.names = names

    def ref(self, var: Var) -> Expr:
        return Ref(var._replace(indices=tuple([moved(i, self.names) for i in var.indices])))

    def kronecker(self, first: Index | At, second: Index | At) -> Expr:
        return kronecker(moved(first, self.names), moved(second, self.names))

    def total(self, bound: tuple[Index, ...], body: Any) -> Expr:
        return Total(tuple([self.names.get(i, i) for i in bound]), body)

    def reduction(self, name: str, bound: tuple[Index, ...], body: Any) -> Expr:
        return Reduction(name, tuple([self.names.get(i, i) for i in bound]), body)


def rename_tree(tree: Expr, names: Mapping[Index, Any]) -> Expr:
    """The tree at other indices; bound ones may be renamed too."""
    return fold(tree, _Rename(names)) if names else tree


class _Replace(Operations):
    def __init__(self, table: Any) -> None:
        self.table = table

    def ref(self, var: Var) -> Expr:
        new = self.table(var)
        return Ref(var) if new is None else new


def replace_refs(tree: Expr, table: Any) -> Expr:
    """Put ``table(var)`` for each variable; None keeps it. Bound indices must be fresh ones."""
    return fold(tree, _Replace(table))  # type: ignore[no-any-return]


class _Refs(Operations):
    def __init__(self) -> None:
        self.found: dict[Var, None] = {}

    def ref(self, var: Var) -> Expr:
        self.found[var] = None
        self.inside(var.indices)
        return Ref(var)

    def kronecker(self, first: Index | At, second: Index | At) -> Expr:
        self.inside((first, second))
        return Kronecker(first, second)

    def inside(self, indices: tuple[Index | At, ...]) -> None:
        """The values that are indices."""
        for i in labels(indices):
            self.found[label(i)] = None


def refs(tree: Expr) -> list[Var]:
    """The variables in order of first appearance, those that are indices included."""
    reader = _Refs()
    fold(tree, reader)
    return list(reader.found)


def free_of(tree: Expr) -> set[Index]:
    """The indices that no sum or other reduction binds."""
    match tree:
        case Num():
            return set()
        case Ref(var):
            return plain(var.indices)
        case Kronecker(first, second):
            return plain((first, second))
        case Add(parts) | Mul(parts) | Call(_, parts):
            return {i for p in parts for i in free_of(p)}
        case Pow(base, exponent):
            return free_of(base) | free_of(exponent)
        case Total(bound, body) | Reduction(_, bound, body):
            return free_of(body).difference(bound)


def bound_of(tree: Expr) -> set[Index]:
    """The indices that sums and other reductions bind."""
    match tree:
        case Add(parts) | Mul(parts) | Call(_, parts):
            return {i for p in parts for i in bound_of(p)}
        case Pow(base, exponent):
            return bound_of(base) | bound_of(exponent)
        case Total(bound, body) | Reduction(_, bound, body):
            return bound_of(body).union(bound)
    return set()
