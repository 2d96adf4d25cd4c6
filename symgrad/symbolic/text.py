r"""A safe reader of formulas written as text: `ast` reads, a whitelist decides, nothing is evaluated.

`parse` reads one formula; `read` reads several together, such as definitions that build on each other.

An index letter stands for one size in all formulas that are read together: ``mean(z, i)`` is
$\frac1B\sum_i z_i$. Letters are written where they matter, ``sum(x[i,d]*W[d,c], d)``; a name without letters has
those of its definition or of its first use, and an argument that a reduction meets without letters gets its letters.

Examples
--------
>>> parse("x**2 + 1")  # doctest: +ELLIPSIS
Add(terms=(Pow(base=Ref(...'x'...), exponent=Num(value=Fraction(2, 1))), Num(value=Fraction(1, 1))))
>>> parse("__import__(x)")  # doctest: +ELLIPSIS
Traceback (most recent call last):
symgrad.errors.SymbolicError: formula, column 1: function '__import__' is not known; ...
>>> [(f.name, f.letters) for f in read(["mu = mean(z, i)", "c = z - mu"])]
[('mu', ()), ('c', ('i',))]
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from symgrad.errors import SymbolicError, nearest
from symgrad.symbolic.expr import (
    Call,
    Expr,
    Kronecker,
    Num,
    Ref,
    Total,
    add,
    bound_of,
    free_of,
    mul,
    negative,
    power,
    quotient,
    rename_tree,
    replace_refs,
)
from symgrad.symbolic.factors import Var
from symgrad.symbolic.indices import Extent, Index, fresh
from symgrad.symbolic.syntax import Source, sides, syntax

__all__ = ["FUNCTIONS", "Formula", "literal", "parse", "read"]

FUNCTIONS = frozenset(
    [
        "Abs",
        "acos",
        "acosh",
        "asin",
        "asinh",
        "atan",
        "atan2",
        "atanh",
        "cos",
        "cosh",
        "digamma",
        "erf",
        "erfc",
        "erfinv",
        "exp",
        "log",
        "loggamma",
        "sign",
        "sin",
        "sinh",
        "tan",
        "tanh",
    ]
)
ALIASES = {"abs": "Abs", "arctan": "atan", "arcsin": "asin", "arccos": "acos", "ln": "log"}
COMPOSED: dict[str, Callable[[Expr], Expr]] = {
    "sqrt": lambda x: power(x, Num(Fraction(1, 2))),
    "cbrt": lambda x: power(x, Num(Fraction(1, 3))),
    "square": lambda x: power(x, Num(2)),
    "sigmoid": lambda x: power(add(Num(1), Call("exp", (negative(x),))), Num(-1)),
    "softplus": lambda x: Call("log", (add(Num(1), Call("exp", (x,))),)),
}
MAX_DEPTH, MAX_EXPONENT = 40, 64
REDUCTIONS = ("sum", "mean")


@dataclass(frozen=True)
class Formula:
    """A formula that was read: the name on its left side, if any, its free letters, and its tree."""

    name: str | None
    letters: tuple[str, ...]
    tree: Expr


@lru_cache(maxsize=1024)
def parse(text: str, free: tuple[tuple[str, Index], ...] = ()) -> Expr:
    """The tree of one formula, or SymbolicError with the column; ``free`` are the letters that ``g[i]`` may use."""
    reader = _Reader({name: index.size for name, index in free}, closed=True)
    source = syntax(text)
    reader.collect(source)
    tree = reader.finished(reader.formula(source, None).tree)
    return rename_tree(tree, {Index(name, index.size): index for name, index in free})


def read(texts: Sequence[str], arrays: Mapping[str, tuple[Extent, ...]] | None = None) -> list[Formula]:
    """Formulas that belong together, each an expression or ``name = expression``.

    Parameters
    ----------
    texts : sequence of str
        In order: a formula may use the names on the left sides before it.
    arrays : mapping, optional
        Sizes of the axes of names that are known already.

    Returns
    -------
    list of Formula
        The indices of equal letters are equal.

    Raises
    ------
    SymbolicError
        With the column, for everything that is no formula.

    Examples
    --------
    >>> read(["c = z - mean(z, i)"])[0].letters
    ('i',)
    """
    reader = _Reader({}, closed=False)
    for name, sizes in (arrays or {}).items():
        reader.sized(name, sizes)
    pairs = [sides(text) for text in texts]
    sources = [syntax(right, start) for _, right, start in pairs]
    for source in sources:
        reader.collect(source)
    found = [reader.formula(source, left) for source, (left, _, _) in zip(sources, pairs, strict=True)]
    return [Formula(f.name, f.letters, reader.finished(f.tree)) for f in found]


def literal(text: str) -> Fraction:
    """The exact value of a number as it was written: 1e-5 is 1/100000, and 0.3333333333333333 is 1/3."""
    try:
        value = Fraction({"True": "1", "False": "0"}.get(text, text))
    except ValueError:
        raise SymbolicError(f"{text}: is no rational number, so it cannot stand in a formula") from None
    short = value.limit_denominator(999)  # what was computed by dividing small integers
    return short if len(text) > 16 and float(short) == float(value) else value


# meaning ---------------------------------------------------------------------------------------------------------


class _Reader:
    """Reads formulas one after the other, and keeps what letters and names turned out to mean.

    While it reads, the size of a letter is a provisional name; `finished` puts in what it was found to be.
    """

    def __init__(self, free: Mapping[str, Extent], closed: bool) -> None:
        self.closed = closed
        self.sizes: dict[str, Extent] = {}  # of letters, where it is known
        self.same: dict[str, str] = {}  # letter -> a letter with the same size
        self.letters: dict[str, tuple[str, ...]] = {}  # of names
        self.subscripted: set[str] = set()
        self.indices: set[str] = set()  # names that stand where an index does
        self.defined: set[str] = set()
        self.bare: set[str] = set()
        self.explicit: set[str] = set()  # names whose letters a Sum with limits binds: they are never left out
        for letter, size in free.items():
            self.sizes[self.letter(letter)] = size

    # sizes

    def letter(self, name: str) -> str:
        """The representative of all letters with the same size."""
        self.same.setdefault(name, name)
        while self.same[name] != name:
            name = self.same[name]
        return name

    def unite(self, source: Source, node: ast.expr, a: str, b: str) -> None:
        """Let two letters range over the same size."""
        a, b = self.letter(a), self.letter(b)
        if a == b:
            return
        if "." in a:  # an axis; a letter shall name the size
            a, b = b, a
        first, second = self.sizes.get(a), self.sizes.get(b)
        if first is not None and second is not None and first != second:
            sizes = f"{_size_text(first)} in one place and {_size_text(second)} in another"
            raise source.refuse(node, f"an axis of {source.part(node)} has size {sizes}")
        self.same[b] = a
        if second is not None:
            self.sizes[a] = second

    def provisional(self, letter: str) -> Extent:
        """A name for the size of a letter while formulas are read."""
        return (((f"?{letter}",), 1),)

    def sized(self, name: str, sizes: tuple[Extent, ...]) -> None:
        """Let a name be an array with axes of these sizes."""
        for k, size in enumerate(sizes):
            self.sizes[self.letter(f"{name}.{k}")] = size

    def size(self, letter: str) -> Extent:
        """The size of a letter: as given, or else B for i, D for d, n_w where the capital is an array."""
        letter = self.letter(letter)
        if letter not in self.sizes:
            name = {"i": "B"}.get(letter, letter.upper())
            taken = self.subscripted | self.defined
            name = next(n for n in (name, f"n_{letter}", f"size_{letter}") if n not in taken)
            self.sizes[letter] = (((name,), 1),)
        return self.sizes[letter]

    def finished(self, tree: Expr) -> Expr:
        """The tree with the sizes that letters were found to have."""
        table = {i: Index(i.name, self.size(i.size[0][0][0][1:])) for i in _indices(tree) if _is_provisional(i)}

        def size(var: Var) -> Expr | None:
            return _size_tree(self.size(var.name[1:])) if var.name.startswith("?") else None

        return replace_refs(rename_tree(tree, table), size)

    # names

    def collect(self, source: Source) -> None:
        """Note which names carry letters anywhere, and which are letters."""
        for node in ast.walk(source.tree):
            match node:
                case ast.Subscript(value=ast.Name(id=name), slice=where):
                    self.subscripted.add(name)
                    self.indices.update(n.id for n in ast.walk(where) if isinstance(n, ast.Name))
                case ast.Call(func=ast.Name(id=name), args=[_, *letters]) if name in REDUCTIONS:
                    self.indices.update(n.id for n in letters if isinstance(n, ast.Name))

    def formula(self, source: Source, left: str | None) -> Formula:
        """One formula; its name gets the letters that are free in it."""
        self.resolve(source.tree)
        tree = self.read(source, source.tree, 0, {})
        free = tuple(dict.fromkeys(i.name for i in _in_order(tree)))
        if left is None:
            return Formula(None, free, tree)
        name, given = self._head(left)
        if name in self.letters or name in self.defined or name in self.bare:
            raise SymbolicError(f"formula: {name!r} is used or defined before its definition {left} = ...")
        if given is not None and set(given) != set(free):
            raise SymbolicError(f"formula: {left} has the indices {list(given)}, its right side has {list(free)}")
        self.defined.add(name)
        self.letters[name] = given if given is not None else free
        return Formula(name, self.letters[name], tree)

    def _head(self, left: str) -> tuple[str, tuple[str, ...] | None]:
        source = syntax(left)
        match source.tree:
            case ast.Name(id=name):
                return source.identifier(source.tree, name), None
            case ast.Subscript(value=ast.Name(id=name), slice=where):
                parts = where.elts if isinstance(where, ast.Tuple) else [where]
                letters = tuple([p.id for p in parts if isinstance(p, ast.Name)])
                if len(letters) == len(parts) == len(set(letters)):
                    return source.identifier(source.tree, name), letters
        raise source.refuse(source.tree, f"{source.part(source.tree)!r} cannot be defined; write name = ...")

    # parts

    def read(self, source: Source, node: ast.expr, depth: int, scope: Mapping[str, Index]) -> Expr:
        """The tree of a part."""
        if depth > MAX_DEPTH:
            raise source.refuse(node, f"nested more than {MAX_DEPTH} deep; give parts of it names")

        def read(part: ast.expr) -> Expr:
            return self.read(source, part, depth + 1, scope)

        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return Num(source.number(node))
            case ast.Name(id=name):
                return self.name(source, node, source.identifier(node, name), scope)
            case ast.UnaryOp(op=ast.USub(), operand=x):
                return negative(read(x))
            case ast.UnaryOp(op=ast.UAdd(), operand=x):
                return read(x)
            case ast.BinOp(left=a, op=op, right=b):
                return _binary(source, node, op, read(a), read(b))
            case ast.Call(func=ast.Name(id="Sum"), args=[body, *limits], keywords=[]) if limits:
                bound = {name: fresh(size) for name, size in [source.limit(limit) for limit in limits]}
                for index in bound.values():
                    self.sizes[self.letter(index.name)] = index.size
                return Total(tuple(bound.values()), self.read(source, body, depth + 1, {**scope, **bound}))
            case ast.Call(func=ast.Name(id=name), args=[body, *letters], keywords=[]) if name in REDUCTIONS and letters:
                return self.reduction(source, node, name, body, letters, depth, scope)
            case ast.Call(func=ast.Name(id="KroneckerDelta"), args=[a, b], keywords=[]):
                first, second = (self.index(source, x, scope) for x in (a, b))
                self.unite(source, node, first.name, second.name)
                return Kronecker(min(first, second), max(first, second))
            case ast.Call(func=ast.Name(id="size"), args=[letter], keywords=[]):
                return Ref(Var(0, self.index(source, letter, scope).size[0][0][0], (), True))
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                return _call(source, node, name, [read(a) for a in args])
            case ast.Subscript(value=ast.Name(id=name), slice=where):
                letters = where.elts if isinstance(where, ast.Tuple) else [where]
                return self.element(source, node, source.identifier(node, name), letters, scope)
        raise source.refuse(
            node, f"{type(node).__name__} is not allowed; use numbers, names, + - * / ** and known functions"
        )

    def index(self, source: Source, node: ast.expr, scope: Mapping[str, Index]) -> Index:
        """The index that a letter stands for."""
        if not isinstance(node, ast.Name):
            raise source.refuse(node, f"{source.part(node)!r} is not an index; write a letter, such as z[i]")
        name = source.identifier(node, node.id)
        if name in scope:
            return scope[name]
        if name in self.bare | self.defined | self.subscripted:
            raise source.refuse(node, f"{name!r} is a name and an index; use different letters")
        if self.closed and name not in self.same:
            known = f"the indices here are {', '.join(self.same)}" if self.same else "only a sum gives indices here"
            raise source.refuse(node, f"{name!r} is not an index; {known}")
        return Index(name, self.provisional(self.letter(name)))

    def name(self, source: Source, node: ast.expr, name: str, scope: Mapping[str, Index]) -> Expr:
        """A name without letters."""
        if name == "pi":
            return Ref(Var(0, "pi", (), True))
        if name in self.same or name in scope:
            raise source.refuse(node, f"{name!r} is a name and an index; use different letters")
        if name in self.explicit:
            raise source.refuse(
                node, f"{name!r} is used with different indices: write them here too, such as {name}[j]"
            )
        if name in self.letters:
            return self._indexed(source, node, name, [self._at(x, scope) for x in self.letters[name]])
        if name in self.subscripted:
            raise source.refuse(node, f"{name!r} has indices elsewhere; write them here too, at its first use")
        self.bare.add(name)
        return Ref(Var(0, name, (), False))

    def _at(self, letter: str, scope: Mapping[str, Index]) -> Index:
        return scope[letter] if letter in scope else Index(letter, self.provisional(self.letter(letter)))

    def element(
        self, source: Source, node: ast.expr, name: str, letters: Sequence[ast.expr], scope: Mapping[str, Index]
    ) -> Expr:
        """A name with letters."""
        indices = [self.index(source, x, scope) for x in letters]
        if any(isinstance(x, ast.Name) and x.id in scope and not _is_provisional(scope[x.id]) for x in letters):
            self.explicit.add(name)
        own = self.letters.setdefault(name, tuple([x.id for x in letters if isinstance(x, ast.Name)]))
        if len(own) != len(indices):
            raise source.refuse(node, f"{name!r} has {len(own)} index(es) elsewhere, {len(indices)} here")
        return self._indexed(source, node, name, indices)

    def _indexed(self, source: Source, node: ast.expr, name: str, indices: list[Index]) -> Expr:
        for k, i in enumerate(indices):
            self.unite(source, node, f"{name}.{k}", i.name)
        return Ref(Var(0, name, tuple(indices), False))

    def reduction(
        self, source: Source, node: ast.expr, name: str, body: ast.expr, letters: Sequence[ast.expr], depth: int,
        scope: Mapping[str, Index],
    ) -> Expr:  # fmt: skip
        """A sum or mean over letters."""
        indices = [self.index(source, x, {}) for x in letters]  # not those of a sum around it
        own = {i.name: fresh(self.provisional(self.letter(i.name))) for i in indices}
        for letter, index in own.items():
            self.same[index.name] = self.letter(letter)
        names = {n.id for n in ast.walk(body) if isinstance(n, ast.Name)} - self.indices - FUNCTIONS - {*REDUCTIONS}
        missing = [i.name for i in indices if not self._carries(body, i.name)]
        if missing and names:
            remedy = f"write it where it belongs, such as {min(names)}[{missing[0]}]"
            raise source.refuse(node, f"nothing in {source.part(body)} has the index {missing[0]!r}; {remedy}")
        total = Total(tuple(own.values()), self.read(source, body, depth + 1, {**scope, **own}))
        if name == "sum":
            return total
        sizes = [power(Ref(Var(0, i.size[0][0][0], (), True)), Num(-1)) for i in own.values()]
        return mul(*sizes, total)

    def resolve(self, node: ast.AST) -> None:
        """Give arguments that a reduction meets without letters those of the reduction, the innermost one first."""
        for child in ast.iter_child_nodes(node):
            self.resolve(child)
        match node:
            case ast.Call(func=ast.Name(id=name), args=[body, *given]) if name in REDUCTIONS:
                letters = tuple([x.id for x in given if isinstance(x, ast.Name)])
                if not any(self._carries(body, letter) for letter in letters):
                    new = [n.id for n in ast.walk(body) if isinstance(n, ast.Name) and self._is_new(n.id)]
                    self.letters.update(dict.fromkeys(new, letters))

    def _is_new(self, name: str) -> bool:
        known = name in self.letters or name in self.bare or name in self.subscripted or name in self.indices
        return not known and name not in (*FUNCTIONS, *ALIASES, *COMPOSED, *REDUCTIONS, "Sum", "size", "pi")

    def _carries(self, body: ast.expr, letter: str) -> bool:
        """Whether something in it has the letter."""
        return any(isinstance(n, ast.Name) and (n.id == letter or letter in self.letters.get(n.id, ()))
                   for n in ast.walk(body))  # fmt: skip


def _is_provisional(index: Index) -> bool:
    return len(index.size) == 1 and len(index.size[0][0]) == 1 and index.size[0][0][0].startswith("?")


def _in_order(tree: Expr) -> list[Index]:
    """Free indices in order of appearance."""
    match tree:
        case Ref(var):
            return list(var.indices)
        case Kronecker(first, second):
            return [i for i in (first, second) if isinstance(i, Index)]
        case Total(bound, body):
            return [i for i in _in_order(body) if i not in bound]
    parts = (*getattr(tree, "terms", ()), *getattr(tree, "factors", ()), *getattr(tree, "args", ()))
    parts += tuple([p for p in (getattr(tree, "base", None), getattr(tree, "exponent", None)) if p is not None])
    return [i for p in parts for i in _in_order(p)]


def _indices(tree: Expr) -> set[Index]:
    return free_of(tree) | bound_of(tree)


def _size_text(size: Extent) -> str:
    return " + ".join("*".join([*([str(c)] if c != 1 or not names else []), *names]) for names, c in size)


def _size_tree(size: Extent) -> Expr:
    return add(*[mul(Num(c), *[Ref(Var(0, n, (), True)) for n in names]) for names, c in size])


def _binary(source: Source, node: ast.expr, op: ast.operator, a: Expr, b: Expr) -> Expr:
    match op:
        case ast.Add():
            return add(a, b)
        case ast.Sub():
            return add(a, negative(b))
        case ast.Mult():
            return mul(a, b)
        case ast.Div():
            if b == Num(0):
                raise source.refuse(node, "division by zero")
            return quotient(a, b)
        case ast.Pow():
            if isinstance(b, Num) and abs(Fraction(b.value)) > MAX_EXPONENT:
                raise source.refuse(node, f"the exponent {b.value} is out of range; at most {MAX_EXPONENT}")
            if a == Num(0) and isinstance(b, Num) and b.value <= 0:
                raise source.refuse(node, "0 to a power that is not positive")
            return power(a, b)
    raise source.refuse(node, f"the operator {type(op).__name__} is not allowed; use + - * / **")


def _call(source: Source, node: ast.expr, name: str, args: list[Expr]) -> Expr:
    name = ALIASES.get(name, name)
    if name in COMPOSED and len(args) == 1:
        return COMPOSED[name](args[0])
    if name in REDUCTIONS:
        raise source.refuse(node, f"{name} needs the index it runs over, such as {name}(z, i)")
    if name not in FUNCTIONS:
        known = sorted(FUNCTIONS | COMPOSED.keys() | {*REDUCTIONS})
        raise source.refuse(node, f"function {name!r} is not known{nearest(name, known)}; they are {', '.join(known)}")
    wanted = 2 if name == "atan2" else 1
    if len(args) != wanted:
        raise source.refuse(node, f"{name} takes {wanted} argument(s), got {len(args)}")
    return Call(name, tuple(args))
