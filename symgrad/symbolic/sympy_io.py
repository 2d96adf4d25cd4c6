"""SymPy at the surface: trees to SymPy (`Sum`, `Indexed`, `KroneckerDelta`) and back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from fractions import Fraction
from typing import Any

import sympy

from symgrad.errors import SymbolicError
from symgrad.symbolic.expr import (
    Call,
    Expr,
    Kronecker,
    Num,
    Operations,
    Reduction,
    Ref,
    Total,
    add,
    fold,
    kronecker,
    mul,
    power,
    replace_refs,
)
from symgrad.symbolic.factors import Number, Var
from symgrad.symbolic.indices import JOIN, QUOTIENT, REMAINDER, At, Extent, Index, fresh
from symgrad.symbolic.text import FUNCTIONS

__all__ = ["Letters", "ToSympy", "as_number", "from_sympy", "letters_for", "scalar_sympy", "to_sympy", "walk"]

BOUND = "jkqrstvw"
SPARE = "qlmnopabcdefh"


def rational(value: Number) -> Any:
    """An exact SymPy number."""
    return sympy.Rational(Fraction(value).numerator, Fraction(value).denominator)


PIECES: dict[str, Any] = {
    "Step": lambda x: sympy.Heaviside(x, 0),
    "maximum": sympy.Max,
    "minimum": sympy.Min,
    "where": lambda c, x, y: sympy.Piecewise((x, c), (y, True)),
    "greater": sympy.StrictGreaterThan,
    "less": sympy.StrictLessThan,
    "greater_equal": sympy.GreaterThan,
    "less_equal": sympy.LessThan,
    "equal": sympy.Eq,
    "not_equal": sympy.Ne,
    "logical_and": sympy.And,
    "logical_or": sympy.Or,
    "logical_not": sympy.Not,
}
"""Piecewise functions by their names here."""
NAMES = {getattr(kind, "__name__", ""): name for name, kind in PIECES.items()} | {"Heaviside": "Step"}


def _function(name: str, args: list[Any]) -> Any:
    if name == "pow":
        return args[0] ** args[1]
    if name in PIECES:
        conditions = 1 if name == "where" else len(args) if name.startswith("logical") else 0
        return PIECES[name](*[_condition(x) if k < conditions else x for k, x in enumerate(args)])
    return getattr(sympy, name)(*args) if name in FUNCTIONS else sympy.Function(name)(*args)


def _condition(x: Any) -> Any:
    """A condition; a number is true where it is not 0."""
    return sympy.Ne(x, 0) if isinstance(x, sympy.Expr) and (x.is_real or not x.is_Symbol) else x


def as_number(x: Any) -> Any:
    """A truth value as 0 or 1."""
    boolean = isinstance(x, sympy.logic.boolalg.Boolean) and not x.is_Symbol
    return sympy.Piecewise((1, x), (0, True)) if boolean else x


class _Scalar(Operations):
    """Scalar formulas on real symbols."""

    def number(self, value: Number) -> Any:
        return rational(value)

    def ref(self, var: Var) -> Any:
        return sympy.pi if var.name == "pi" else sympy.Symbol(var.name, real=True, positive=var.positive or None)

    def add(self, terms: list[Any]) -> Any:
        return sympy.Add(*map(as_number, terms))

    def mul(self, factors: list[Any]) -> Any:
        return sympy.Mul(*map(as_number, factors))

    def pow(self, base: Any, exponent: Any) -> Any:
        return sympy.Pow(base, exponent)

    def call(self, name: str, args: list[Any]) -> Any:
        return _function(name, args)


def scalar_sympy(tree: Expr, constants: Mapping[str, Num] | None = None) -> Any:
    """A formula without indices as SymPy, with numbers put for some of its names."""
    held = constants or {}
    return fold(replace_refs(tree, lambda var: held.get(var.name)), _Scalar())


class Letters:
    """Which letter each free index is shown as, and which letters bound ones take."""

    def __init__(self, free: Mapping[Index, str], taken: frozenset[str] = frozenset()) -> None:
        self.names = dict(free)
        self.taken = taken | frozenset(free.values())

    def enter(self, bound: tuple[Index, ...]) -> list[str]:
        """Letters for bound indices, different from all that are visible."""
        free = [c for c in BOUND if c not in self.taken and c not in self.names.values()]
        letters = [free[k] if k < len(free) else f"j{k}" for k in range(len(bound))]
        self.names.update(zip(bound, letters, strict=True))
        return letters

    def leave(self, bound: tuple[Index, ...]) -> None:
        """Forget bound indices."""
        for i in bound:
            del self.names[i]

    def __getitem__(self, i: Index) -> str:
        return self.names.get(i, i.name)


def letters_for(indices: Iterable[Index], first: Extent | None, taken: Collection[str]) -> Letters:
    """Letters for free indices: i for those over the first size, then the size's own letter."""
    names: dict[Index, str] = {}
    for i in indices:
        own = i.size[0][0][0].lower() if len(i.size) == 1 and i.size[0][0] else ""
        choices = ("i", *SPARE) if i.size == first else (own if len(own) == 1 else "", *SPARE)
        usable = (c for c in (*choices, *[f"i{k}" for k in range(99)]) if c and c not in (*names.values(), "j", "k"))
        names.setdefault(i, next(c for c in usable if c not in taken))
    return Letters(names, frozenset(taken))


class ToSympy(_Scalar):
    """Indexed formulas: sums over letters from 1 to the size."""

    def __init__(self, letters: Letters) -> None:
        self.letters = letters

    def letter(self, i: Index | At) -> Any:
        """The SymPy index: a symbol, or a label at its own indices."""
        if isinstance(i, At):
            inner, size = [self.letter(k) for k in i.indices], size_sympy(i.size)  # indices run from 1
            if i.name == JOIN:
                return (inner[0] - 1) * size_sympy(i.indices[1].size) + inner[1]
            if i.name == REMAINDER:
                return sympy.Mod(inner[0] - 1, size) + 1
            if i.name == QUOTIENT:
                return sympy.ceiling(inner[0] * size / size_sympy(i.indices[0].size))
            if not i.indices:
                return sympy.Symbol(i.name, integer=True)
            return sympy.IndexedBase(i.name, integer=True)[tuple(inner)]
        return sympy.Symbol(self.letters[i], integer=True)

    def ref(self, var: Var) -> Any:
        """A symbol, or an indexed base at its letters."""
        if not var.indices:
            return super().ref(var)
        return sympy.IndexedBase(var.name, real=True, positive=var.positive or None)[
            tuple(map(self.letter, var.indices))
        ]

    def kronecker(self, first: Index | At, second: Index | At) -> Any:
        """SymPy's KroneckerDelta."""
        return sympy.KroneckerDelta(self.letter(first), self.letter(second))


def size_sympy(size: Extent) -> Any:
    """A size as a SymPy integer expression."""
    return sympy.Add(
        *[c * sympy.Mul(*[sympy.Symbol(n, integer=True, positive=True) for n in names]) for names, c in size]
    )


def to_sympy(tree: Expr, letters: Letters, sizes: frozenset[str] = frozenset()) -> Any:
    """The tree as a SymPy expression."""
    return walk(tree, ToSympy(letters), sizes)


def walk(tree: Expr, do: ToSympy, sizes: frozenset[str]) -> Any:
    """`fold` with letters chosen on the way down, where a sum binds them."""
    match tree:
        case Total(bound, body) | Reduction(_, bound, body):
            do.letters.enter(bound)
            inner = as_number(walk(body, do, sizes))
            limits = [(do.letter(i), 1, size_sympy(i.size)) for i in bound]
            do.letters.leave(bound)
            return sympy.Sum(inner, *limits) if isinstance(tree, Total) else sympy.Function(tree.name)(inner, *limits)
        case Ref(var) if var.name in sizes:
            return sympy.Symbol(var.name, integer=True, positive=True)
        case Num() | Ref() | Kronecker():
            return fold(tree, do)
        case Call(name, args):
            return do.call(name, [walk(a, do, sizes) for a in args])
    parts = [walk(p, do, sizes) for p in _children(tree)]
    kind = type(tree).__name__
    return do.add(parts) if kind == "Add" else do.mul(parts) if kind == "Mul" else do.pow(*parts)


def _children(tree: Any) -> tuple[Expr, ...]:
    kind = type(tree).__name__
    return tree.terms if kind == "Add" else tree.factors if kind == "Mul" else (tree.base, tree.exponent)


def from_sympy(expression: Any, bound: Mapping[Any, Index] | None = None) -> Expr:
    """A SymPy expression as a tree; bound SymPy indices get fresh names, so nothing is captured."""
    inside = bound or {}
    match expression:
        case sympy.Rational():
            return Num(Fraction(int(expression.p), int(expression.q)))
        case sympy.Float():
            return Num(Fraction(str(expression)))
        case sympy.Symbol():
            return Ref(Var(0, expression.name, (), bool(expression.is_positive)))
        case sympy.Indexed():
            indices = tuple([_index(i, expression, k, inside) for k, i in enumerate(expression.indices)])
            return Ref(Var(0, expression.base.name, indices, bool(expression.is_positive)))
        case sympy.Sum():
            return _from_sum(expression, inside)
        case sympy.KroneckerDelta():
            a, b = (_index(i, expression, 0, inside) for i in expression.args[:2])
            return kronecker(a, b)
        case sympy.Add():
            return add(*[from_sympy(a, inside) for a in expression.args])
        case sympy.Mul():
            return mul(*[from_sympy(a, inside) for a in expression.args])
        case sympy.Pow():
            return power(from_sympy(expression.base, inside), from_sympy(expression.exp, inside))
        case sympy.exp():
            return Call("exp", (from_sympy(expression.args[0], inside),))
    if expression is sympy.pi:
        return Ref(Var(0, "pi", (), True))
    if expression is sympy.E:
        return Call("exp", (Num(1),))
    name = type(expression).__name__
    if isinstance(expression, sympy.Function) and name in FUNCTIONS:
        return Call(name, tuple([from_sympy(a, inside) for a in expression.args]))
    if name in NAMES or isinstance(expression, sympy.Piecewise):
        return _from_pieces(expression, inside)
    if expression in (sympy.true, sympy.false):
        return Num(int(expression == sympy.true))
    raise SymbolicError(f"{name}: has no meaning in the normal form; the functions are {', '.join(sorted(FUNCTIONS))}")


def _from_pieces(expression: Any, inside: Mapping[Any, Index]) -> Expr:
    """A piecewise function; one of several arguments is taken two by two."""
    if isinstance(expression, sympy.Piecewise):
        (value, condition), *rest = expression.args
        tree = from_sympy(value, inside)
        if condition == sympy.true:
            return tree
        if not rest:
            raise SymbolicError("Piecewise: it is not said what it is everywhere; add a last piece (value, True)")
        return Call("where", (from_sympy(condition, inside), tree, from_sympy(sympy.Piecewise(*rest), inside)))
    if isinstance(expression, sympy.Heaviside):
        return Call("Step", (from_sympy(expression.args[0], inside),))
    name = NAMES[type(expression).__name__]
    first, *rest = [from_sympy(a, inside) for a in expression.args]
    for other in rest:
        first = Call(name, (first, other))
    return first if rest else Call(name, (first,))


def _index(i: Any, expression: Any, axis: int, bound: Mapping[Any, Index]) -> Index | At:
    if i in bound:
        return bound[i]
    if isinstance(i, sympy.Indexed):
        inner = tuple([_index(k, i, n, bound) for n, k in enumerate(i.indices)])
        return At(i.base.name, (), inner)
    if not isinstance(i, sympy.Symbol):
        raise SymbolicError(f"{expression}: the index {i} is not a plain symbol")
    ranges = getattr(expression, "shape", None)
    return Index(i.name, _extent(ranges[axis]) if ranges else ())


def _extent(size: Any) -> Extent:
    terms: dict[tuple[str, ...], int] = {}
    for monomial, c in sympy.Poly(size).terms() if size.free_symbols else [((), size)]:
        names = (
            [str(s) for s, e in zip(sympy.Poly(size).gens, monomial, strict=True) for _ in range(e)] if monomial else []
        )
        terms[tuple(sorted(names))] = int(c)
    return tuple(sorted(terms.items()))


def _from_sum(expression: Any, inside: Mapping[Any, Index]) -> Expr:
    inner = dict(inside)
    for symbol, low, high in expression.limits:
        if low != 1:
            raise SymbolicError(f"{expression}: sums must start at 1, as indices do here; shift the index")
        inner[symbol] = fresh(_extent(high))
    return Total(tuple([inner[s] for s, _, _ in expression.limits]), from_sympy(expression.function, inner))
