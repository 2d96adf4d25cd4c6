r"""Trees as NumPy source: a forward and a backward function in a plain file that needs NumPy alone.

Arrays keep their axes where the author had them; sums are computed once and named; products under a sum become one
`einsum`. Source is built from trees only, and every name in it is checked to be an identifier.
"""

from __future__ import annotations

import keyword
import re
import string
from collections.abc import Container, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from symgrad.errors import SymbolicError
from symgrad.op import OPS
from symgrad.symbolic.expr import (
    Add,
    Call,
    Expr,
    Kronecker,
    Mul,
    Num,
    Pow,
    Reduction,
    Ref,
    Total,
    add,
    free_of,
    mul,
    refs,
    rename_tree,
)
from symgrad.symbolic.factors import DECIMAL, Number, Var, label
from symgrad.symbolic.indices import (
    JOIN,
    QUOTIENT,
    REMAINDER,
    At,
    Extent,
    Index,
    divided,
    labels,
    made,
    plain,
    unjoined,
)
from symgrad.symbolic.sharing import divided_out, unused

__all__ = ["SPECIAL", "Emitter", "Layout", "canonical", "identifier", "size_code"]

Layout = tuple[Index | None, ...]  # the index of each axis, None where the axis has size 1

FUNCTION = {"exp": "np.exp", "log": "np.log", "tanh": "np.tanh", "sinh": "np.sinh", "cosh": "np.cosh", "sin": "np.sin",
            "cos": "np.cos", "tan": "np.tan", "Abs": "np.abs", "sign": "np.sign", "atan": "np.arctan",
            "asin": "np.arcsin", "acos": "np.arccos", "asinh": "np.arcsinh", "atanh": "np.arctanh"}  # fmt: skip
SPECIAL = {"erf": "erf", "erfc": "erfc", "loggamma": "gammaln", "digamma": "digamma"}  # from scipy.special
SUM, PRODUCT, ATOM = 0, 1, 2
RESERVED = frozenset(["np", "saved", "forward", "backward", *SPECIAL.values()])


def identifier(name: str) -> str:
    """The name as a Python identifier that hides nothing."""
    text = re.sub(r"\W", "_", name, flags=re.ASCII).lstrip("_") or "value"
    if text[0].isdigit() or keyword.iskeyword(text) or text in RESERVED:
        text = f"v_{text}"
    return text


class Emitter:
    """Writes the lines of one function."""

    def __init__(self, stored: dict[str, Layout], temporary: str, taken: Container[str]) -> None:
        self.stored = stored
        self.taken = taken
        self.temporary = temporary
        self.lines: list[str] = []
        self.known: dict[tuple[Expr, Layout], str] = {}

    def assign(self, name: str, tree: Expr, layout: Layout) -> None:
        """Add the line ``name = tree``."""
        self.line(identifier(name), tree, layout)
        self.stored[name] = layout

    def line(self, target: str, tree: Expr, layout: Layout) -> None:
        """Add the line ``target = tree``; a sum computed here is known by that name from now on."""
        tree = canonical(tree)
        own = self._own_layout(tree, layout)
        if isinstance(tree, Total | Reduction) and (tree, own) not in self.known:
            self.known[tree, own] = target
            self.lines.append(f"{target} = {self._reduced(tree, own)}")
        else:
            self.lines.append(f"{target} = {self(tree, layout)}")

    def __call__(self, tree: Expr, layout: Layout, level: int = SUM) -> str:
        """The source of a tree, as an array that broadcasts to ``layout``."""
        match tree:
            case Num(value):
                return _number(value, level)
            case Ref(var):
                return self._ref(var, layout)
            case Add(terms):
                text = "".join(self._signed(t, layout, k == 0) for k, t in enumerate(terms))
                return text if level == SUM else f"({text})"
            case Mul():
                divided = divided_out(tree)
                return self._product(tree, layout, level) if divided is tree else self(divided, layout, level)
            case Pow():
                return self._product(tree, layout, level)
            case Call(name, args):
                return self._call(name, args, layout)
            case Total() | Reduction():
                return self._once(tree, layout)
            case Kronecker(first, second):
                return self._kronecker(first, second, layout)

    # atoms -------------------------------------------------------------------------------------------------------

    def _ref(self, var: Var, layout: Layout) -> str:
        if var.name == "pi":
            return "np.pi"
        name, axes = self._array(var)
        if any(isinstance(i, At) for i in axes):
            return f"{name}[{', '.join(self._place(i, layout) for i in axes)}]"
        if _aligned(axes, layout):
            return name
        wanted = [i for i in layout if i is not None and i in axes]
        present = [i for i in axes if i is not None]
        if len(set(present)) < len(present) or set(present) - set(wanted):
            letters = self._letters(layout, [var])
            text = f'np.einsum("{self._subscript(axes, letters)}->{"".join(letters[i] for i in wanted)}", {name})'
            return text + _inserted(wanted, layout)
        kept = [k for k, i in enumerate(axes) if i is not None]
        if len(kept) < len(axes):
            name = f"{name}[{', '.join(':' if i is not None else '0' for i in axes)}]"
        order = [[axes[k] for k in kept].index(i) for i in wanted]
        if order != sorted(order):
            name = f"{name}.T" if order == [1, 0] else f"np.transpose({name}, {tuple(order)})"
        return name + _inserted(wanted, layout)

    def axes(self, var: Var) -> Layout:
        """The actual index of each axis of the stored array."""
        stored = self.stored.get(var.name, ())
        formal = [i for i in stored if i is not None]
        actual = dict(zip(formal, var.indices, strict=True))
        return tuple([None if i is None else actual[i] for i in stored])

    def _array(self, var: Var) -> tuple[str, Layout]:
        """The stored array, with its axes split, joined and repeated as the indices say that reshapes made."""
        stored = self.axes(var)
        axes = unjoined(stored)
        reshaped = any(i is not None and i[0] == JOIN for i in stored) or len(axes) != len(stored)
        name = identifier(var.name)
        if reshaped:
            name += f".reshape({', '.join('1' if i is None else size_code(i.size) for i in axes)})"
        for k in range(len(axes)):
            while (i := axes[k]) is not None and i[0] in (QUOTIENT, REMAINDER):
                axes[k] = whole = i.indices[0]
                times = size_code(divided(whole.size, i.size) or ())
                turns = f"np.arange({size_code(whole.size)}) % ({size_code(i.size)})"
                name = f"np.repeat({name}, {times}, {k})" if i[0] == QUOTIENT else f"np.take({name}, {turns}, {k})"
        return name, tuple(axes)

    def _place(self, i: Index | At | None, layout: Layout) -> str:
        """The integers that an index is, along its axis of the layout."""
        if i is None:
            return "0"
        if isinstance(i, At):
            return self._ref(label(i), layout)
        return f"np.arange({size_code(i.size)})" + _inserted([i], layout)

    def _kronecker(self, first: Index | At, second: Index | At, layout: Layout) -> str:
        if isinstance(first, At):
            return f"({self._place(second, layout)} == {self._place(first, layout)}).astype(np.int8)"
        a, b = (i for i in layout if i in (first, second))
        return f"np.eye({size_code(first.size)})" + _inserted([a, b], layout)

    # products ----------------------------------------------------------------------------------------------------

    def _signed(self, term: Expr, layout: Layout, first: bool) -> str:
        text = self(term, layout, SUM)
        return text if first else f" - {text[1:]}" if text.startswith("-") else f" + {text}"

    def _product(self, tree: Expr, layout: Layout, level: int) -> str:
        factors = list(tree.factors) if isinstance(tree, Mul) else [tree]
        c = Fraction(1)
        above: list[str] = []
        below: list[str] = []
        for f in sorted(factors, key=lambda f: _width(f, layout)):
            if isinstance(f, Num):
                c = c * f.value
            elif isinstance(f, Pow) and isinstance(f.exponent, Num) and f.exponent.value < 0:
                below.append(self._power(f.base, -f.exponent.value, layout))
            else:
                above.append(self._factor(f, layout))
        narrow, wide = above[:-1], above[-1:]
        sign, c = ("-" if c < 0 else ""), abs(c)
        decimal = c.denominator > DECIMAL and Fraction(str(float(c))) == c
        front = _number(c if decimal else c.numerator, PRODUCT)
        top = ([front] if front != "1" or not above else []) + narrow
        if c.denominator != 1 and not decimal:
            below.insert(0, str(c.denominator))
        if not below:
            text = " * ".join(top + wide)
        else:
            bottom = below[0] if len(below) == 1 else f"({' * '.join(below)})"
            front = " * ".join(top) if top else (wide.pop() if len(wide) == 1 and len(above) == 1 else "1")
            text = " * ".join([f"{front} / {bottom}", *wide])
        text = sign + text
        return text if level < ATOM and not (level and (sign or below)) else f"({text})"

    def _factor(self, tree: Expr, layout: Layout) -> str:
        if isinstance(tree, Pow):
            if isinstance(tree.exponent, Num):
                return self._power(tree.base, tree.exponent.value, layout)
            return f"{self(tree.base, layout, ATOM)}**{self(tree.exponent, layout, ATOM)}"
        return self(tree, layout, PRODUCT)

    def _power(self, base: Expr, e: Number, layout: Layout) -> str:
        if e == 1:
            return self(base, layout, ATOM)
        if e == Fraction(1, 2):
            return f"np.sqrt({self(base, layout)})"
        text = self(base, layout, ATOM)
        exact = e == int(e) or 2 * e == int(2 * e)
        return f"{text}**{e if e == int(e) else float(e)}" if exact else f"{text}**({Fraction(e)})"

    def _call(self, name: str, args: tuple[Expr, ...], layout: Layout) -> str:
        if name == "Step":
            return f"np.heaviside({self(args[0], layout)}, 0.0)"
        if name == "stop":  # a mark for derivatives
            return f"({self(args[0], layout)})"
        if name == "pow":
            return f"{self(args[0], layout, ATOM)}**{self(args[1], layout, ATOM)}"
        match name, args:
            case "log", (Add((Call("exp", (a,)), Call("exp", (b,)))),):  # which overflows where its logarithm does not
                return f"np.logaddexp({self(a, layout)}, {self(b, layout)})"
        return f"{_function(name)}({', '.join(self(a, layout) for a in args)})"

    # sums --------------------------------------------------------------------------------------------------------

    def _once(self, tree: Total | Reduction, layout: Layout) -> str:
        """A reduction, computed on a line of its own the first time it is needed."""
        for part in [p for v in refs(tree) for p in made(v.indices) if p.name == QUOTIENT]:
            narrow = Index(f"{part.indices[0][0]}/", part.size)
            names: dict[Any, Any] = {part: narrow}
            smaller = rename_tree(tree, names)
            if plain(part.indices).isdisjoint(free_of(smaller)) and part.indices[0] in layout:
                own = tuple([narrow if i == part.indices[0] else i for i in layout])
                times, axis = divided(part.indices[0].size, part.size), own.index(narrow) - len(own)
                return f"np.repeat({self(smaller, own)}, {size_code(times or ())}, {axis})"
        own = self._own_layout(tree, layout)
        if (tree, own) not in self.known:
            text = self._reduced(tree, own)
            self.known[tree, own] = unused(f"{self.temporary}{len(self.known) + 1}", self.taken)
            self.lines.append(f"{self.known[tree, own]} = {text}")
        return self.known[tree, own]

    def _own_layout(self, tree: Expr, layout: Layout) -> Layout:
        """The part of a layout that a tree really spans."""
        present = free_of(tree)
        own = tuple([i if i in present else None for i in layout])
        while own and own[0] is None:
            own = own[1:]
        return own

    def _reduced(self, tree: Total | Reduction, layout: Layout) -> str:
        if isinstance(tree, Total):
            return self._sum(tree.bound, tree.body, layout)
        if not hasattr(np, tree.name):
            raise SymbolicError(f"{tree.name}: NumPy has no reduction of this name, so no source is emitted for it")
        return self._over(f"np.{tree.name}", tree.bound, tree.body, layout)

    def _sum(self, bound: tuple[Index, ...], body: Expr, layout: Layout) -> str:
        factors = list(body.factors) if isinstance(body, Mul) else [body]
        variables = [v for f in factors for v in _plain(f)]
        if len(variables) > 1 and not any(labels(v.indices) for v in variables) and all(_plain(f) for f in factors):
            return self._einsum(variables, bound, layout)
        parts = _distributed(factors, bound)
        if parts:  # otherwise an array with all the axes would be made
            return self(parts, layout)
        return self._over("np.sum", bound, body, layout)

    def _over(self, function: str, bound: tuple[Index, ...], body: Expr, layout: Layout) -> str:
        """A reduction of an array along the axes of the bound indices."""
        free = free_of(body)
        shapes = [self._array(v)[1] for v in refs(body)]
        shapes = [axes for axes in shapes if free.issuperset(i for i in axes if i is not None)]
        wide = max(shapes, key=lambda axes: (len(set(axes) & set(bound)), len(axes)), default=())
        axes = tuple([k for k, i in enumerate(wide) if i in bound])
        kept = tuple([None if i in bound else i for i in wide])
        dropped = tuple([i for i in wide if i not in bound])
        if len(axes) == len(bound) and len(set(wide)) >= len(wide) - wide.count(None) and free.issubset(wide):
            axis = axes[0] if len(axes) == 1 else axes
            if len(kept) == len(layout) and _aligned(kept, layout):
                return self._called(function, body, wide, f"axis={axis}, keepdims=True")
            if _aligned(dropped, layout):
                return self._called(function, body, wide, f"axis={axis}")
        axis = 0 if len(bound) == 1 else tuple(range(len(bound)))
        return f"{function}({self(body, (*bound, *layout))}, axis={axis})"

    def _called(self, function: str, body: Expr, layout: Layout, options: str) -> str:
        """A reduction as a method where arrays have one: that is quicker than NumPy's function of its name."""
        name = function.removeprefix("np.")
        if hasattr(np.ndarray, name):
            return f"{self(body, layout, ATOM)}.{name}({options})"
        return f"{function}({self(body, layout)}, {options})"

    def _einsum(self, variables: list[Var], bound: tuple[Index, ...], layout: Layout) -> str:
        wanted = [i for i in layout if i is not None]
        product = self._matmul(variables, bound, wanted)
        if product:
            return f"({product}){_inserted(wanted, layout)}" if _inserted(wanted, layout) else product
        letters = self._letters((*bound, *layout), variables)
        arrays = [self._array(v) for v in variables]
        sources = ",".join(self._subscript(axes, letters) for _, axes in arrays)
        names = ", ".join(name for name, _ in arrays)
        sets = [set(axes) - {None} for _, axes in arrays]
        mixed = any(a - b and b - a for a in sets for b in sets)
        plan = ", optimize=True" if mixed or len(variables) > 2 else ""
        target = "".join(letters[i] for i in wanted)
        if not layout and len({axes for _, axes in arrays}) == 1:  # a kernel per unit also runs over more axes
            sources, target = sources.replace(",", "...,") + "...", "..."
        return f'np.einsum("{sources}->{target}", {names}{plan})' + _inserted(wanted, layout)

    def _matmul(self, variables: list[Var], bound: tuple[Index, ...], wanted: list[Index]) -> str:
        """A matrix product, where a sum is one: rows and columns that are kept, and one index between them."""
        if len(variables) != 2 or len(bound) != 1 or len(wanted) != 2:
            return ""
        for a, b in (variables, variables[::-1]):
            (left, rows), (right, columns) = self._array(a), self._array(b)
            matrices = len(rows) == len(columns) == 2
            if matrices and set(rows) == {wanted[0], bound[0]} and set(columns) == {bound[0], wanted[1]}:
                left += "" if rows[1] == bound[0] else ".T"
                right += "" if columns[0] == bound[0] else ".T"
                return f"{left} @ {right}"
        return ""

    def _letters(self, layout: Sequence[Index | None], variables: list[Var]) -> dict[Index, str]:
        found = [i for axes in (layout, *[self._array(v)[1] for v in variables]) for i in axes if i is not None]
        unique = list(dict.fromkeys(found))
        return dict(zip(unique, string.ascii_lowercase[8:] + string.ascii_lowercase[:8], strict=False))

    def _subscript(self, axes: Layout, letters: dict[Index, str]) -> str:
        spare = iter(string.ascii_uppercase)  # an axis of size 1: summed away
        return "".join(next(spare) if i is None else letters[i] for i in axes)


def canonical(tree: Expr) -> Expr:
    """The tree with bound indices named by how many are bound below them, so that equal sums are equal trees."""
    return _leveled(tree)[0]


def _leveled(tree: Expr) -> tuple[Expr, int]:
    match tree:
        case Total(bound, body) | Reduction(_, bound, body):
            inner, level = _leveled(body)
            names = {i: Index(f"b{level + k}", i.size) for k, i in enumerate(bound)}
            return replace(tree, bound=tuple(names.values()), body=rename_tree(inner, names)), level + len(bound)
        case Add(parts) | Mul(parts):
            return type(tree)(tuple([_leveled(p)[0] for p in parts])), max(_leveled(p)[1] for p in parts)
        case Call(name, parts):
            return Call(name, tuple([_leveled(p)[0] for p in parts])), max((_leveled(p)[1] for p in parts), default=0)
        case Pow(base, exponent):
            (first, depth), (second, other) = _leveled(base), _leveled(exponent)
            return Pow(first, second), max(depth, other)
    return tree, 0


def _function(name: str) -> str:
    """NumPy's or SciPy's name of a function; an op whose forward is NumPy's function of its name keeps it."""
    known = FUNCTION.get(name) or SPECIAL.get(name)
    if known is None and (name not in OPS or OPS[name].forward is not getattr(np, name, None)):
        raise SymbolicError(f"{name}: neither NumPy nor SciPy has it, so no source is emitted for it")
    return known or f"np.{name}"


def size_code(size: Extent) -> str:
    """A size as source."""
    terms = ["*".join([*([str(c)] if c != 1 or not names else []), *map(identifier, names)]) for names, c in size]
    return " + ".join(terms) or "0"


def _number(value: Number, level: int) -> str:
    value = Fraction(value)
    if value.denominator == 1:
        text = str(value.numerator)
    elif Fraction(str(float(value))) == value:
        text = repr(float(value))
    else:
        return f"({value.numerator} / {value.denominator})"
    return f"({text})" if value < 0 and level != SUM else text


def _width(tree: Expr, layout: Layout) -> int:
    """How many axes of the layout a factor really has: narrow ones are multiplied first."""
    return len(free_of(tree).intersection(layout))


def _plain(f: Expr) -> list[Var]:
    """Variables whose product the factor is, if it is that simple."""
    if isinstance(f, Ref):
        return [f.var]
    if isinstance(f, Pow) and isinstance(f.base, Ref) and f.exponent == Num(2):
        return [f.base.var, f.base.var]
    return []


def _distributed(factors: Sequence[Expr], bound: tuple[Index, ...]) -> Expr | None:
    """A sum over a product with more axes than any of its variables, as sums over products of variables."""
    free = {i for f in factors for i in free_of(f)}
    indices = [free.intersection(v.indices) for f in factors for v in refs(f)]
    inner = next((f for f in factors if isinstance(f, Add)), None)
    if inner is None or any(i >= set().union(*indices) for i in indices):
        return None
    rest = [f for f in factors if f is not inner]
    sums = []
    for term in inner.terms:
        product = mul(*rest, term)
        if not set(bound) <= {i for v in refs(product) for i in v.indices}:
            return None
        front = product.factors[:1] if isinstance(product, Mul) and isinstance(product.factors[0], Num) else ()
        body = mul(*product.factors[len(front) :]) if isinstance(product, Mul) else product
        sums.append(mul(*front, Total(bound, body)))
    return add(*sums)


def _aligned(axes: Layout, layout: Layout) -> bool:
    if len(axes) > len(layout):
        return False
    return all(a is None or a == b for a, b in zip(reversed(axes), reversed(layout), strict=False))


def _inserted(wanted: Sequence[Index | None], layout: Layout) -> str:
    """Subscript that puts axes of size 1 where the layout has other indices between the wanted ones."""
    tail = list(layout)
    while tail and tail[0] not in wanted:
        tail.pop(0)
    if len(tail) == len(wanted):
        return ""
    return "[" + ", ".join(":" if i in wanted else "None" for i in tail) + "]"
