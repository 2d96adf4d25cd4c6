r"""Programs: ordered definitions, each with its formula tree and its normal form.

The program is the algebra in which graphs and trees are evaluated: it gives every power base that is not a monomial,
and every function value, a name of its own (A-normal form), keeps what is assumed and where the result is defined, and
rewrites with what `solve` found out about the definitions.

Examples
--------
>>> from fractions import Fraction
>>> from symgrad.symbolic.indices import index
>>> p = Program()
>>> z = p.leaf("z", (index("i", "B"),))
>>> square = p.mul([z, z])
>>> root = p.pow(square, p.number(Fraction(1, 2)))  # |z|, not z
>>> root.poly == z.poly
False
"""

from __future__ import annotations

import itertools
from copy import copy
from dataclasses import dataclass, field, fields, replace
from typing import Any

from symgrad.symbolic.compact import compact
from symgrad.symbolic.expr import Call, Expr, Num, Reduction, Ref, Total, add, kronecker, mul, power, rename_tree
from symgrad.symbolic.factors import Number, Sum, Var
from symgrad.symbolic.indices import At, Extent, Index, fresh
from symgrad.symbolic.normal import ONE, ZERO, Poly, delta, number, rename, sum_over
from symgrad.symbolic.pieces import PIECEWISE
from symgrad.symbolic.rewrite import free_indices, positive_root, substitute, sums_of, variables

__all__ = ["ANY", "NONNEGATIVE", "POSITIVE", "Let", "Program", "Value", "ordered"]

ANY, NONNEGATIVE, POSITIVE = 0, 1, 2
ALWAYS_POSITIVE = {"exp", "cosh", "pow", "Abs"}  # Abs away from its kink, which is in the ledger
KINKED = {"Abs", "sign"}
MAX_UNNAMED = 6  # sums of more terms get a name before they are multiplied
MAX_EXPANDED = 12  # higher powers of a sum get a name


@dataclass(frozen=True, slots=True)
class Value:
    """What a node means: normal form, tree as written (None where nobody will print it), and known sign."""

    poly: Poly
    expr: Expr | None = None
    sign: int = ANY

    @property
    def written(self) -> Expr:
        """The tree, as written or else as a person would write the normal form."""
        return self.expr if self.expr is not None else compact(self.poly)


@dataclass(frozen=True, slots=True)
class Let:
    """One definition. ``call`` holds function name and arguments where it is a function value.

    ``op`` is set where the value is opaque: only computed, from those arguments, over the indices in ``bound``.
    """

    var: Var
    poly: Poly
    expr: Expr | None
    automatic: bool
    call: tuple[str, tuple[Poly, ...]] | None = None
    latex: str | None = None
    sign: int = ANY
    op: Any = None
    bound: tuple[Index, ...] = ()


@dataclass
class Program:
    """Definitions in order, rewriting rules found in them, assumptions, and the domain ledger."""

    leaves: dict[str, Var] = field(default_factory=dict)
    constants: set[str] = field(default_factory=set)
    latex: dict[str, str] = field(default_factory=dict)
    lets: dict[str, Let] = field(default_factory=dict)
    rules: dict[str, tuple[Var, Poly]] = field(default_factory=dict)
    solved_by: dict[str, str] = field(default_factory=dict)
    sums: dict[Sum, Poly] = field(default_factory=dict)
    theorems: list[tuple[Poly, Poly]] = field(default_factory=list)
    assumptions: dict[Poly, Expr] = field(default_factory=dict)
    domain: dict[tuple[Expr | Var, str], None] = field(default_factory=dict)
    interned: dict[tuple[str | None, tuple[Poly, ...], bool], Var] = field(default_factory=dict)
    adjoints: set[str] = field(default_factory=set)
    writing: bool = True  # off while pullbacks are read: nothing that they compute becomes a definition to print
    reserved: set[str] = field(default_factory=set)
    binary: set[str] = field(default_factory=set)  # variables that are 0 or 1
    labels: dict[str, Extent] = field(default_factory=dict)  # variables that are indices, with how many there are
    unknown: dict[str, str] = field(default_factory=dict)  # constants known only by a name, with the op they come from

    def fork(self) -> Program:
        """A copy in which questions can be asked without leaving a trace."""
        copies = {f.name: copy(getattr(self, f.name)) for f in fields(self)}
        return replace(self, **copies)

    # definitions -------------------------------------------------------------------------------------------------

    def leaf(self, name: str, indices: tuple[Index, ...] = (), sign: int = ANY, constant: bool = False) -> Value:
        """An argument of the function, or a symbolic constant."""
        var = Var(0, name, indices, sign == POSITIVE)
        self.leaves[name] = var
        if constant:
            self.constants.add(name)
        return self.ref(var)

    def define(self, name: str, value: Value, latex: str | None = None) -> Value:
        """Give the value a name, and learn what its definition says about the others."""
        from symgrad.symbolic.solve import learn

        name = self.unused(name)
        var = Var(0, name, ordered(free_indices(value.poly)), value.sign == POSITIVE)
        self.lets[name] = Let(var, value.poly, value.expr, False, None, latex, value.sign)
        if latex:
            self.latex[name] = latex
        learn(self, self.lets[name])
        return self.ref(var)

    def define_adjoint(self, name: str, value: Value, latex: str) -> Value:
        """Name a cotangent at a layer boundary; nothing is solved through it."""
        name = self.unused(name)
        var = Var(0, name, ordered(free_indices(value.poly)), False)
        self.lets[name] = Let(var, value.poly, None, False, None, latex)
        self.latex[name] = latex
        self.adjoints.add(name)
        return Value(Poly({((var, 1),): 1}))

    def unused(self, name: str) -> str:
        """The name, numbered if it is taken."""
        taken = self.leaves.keys() | self.lets.keys() | self.reserved | {"pi"}
        if name not in taken:
            return name
        return next(f"{name}{k}" for k in itertools.count(1) if f"{name}{k}" not in taken)

    def intern(self, function: str | None, polys: tuple[Poly, ...], prefix: str, value: Value, op: Any = None,
               bound: tuple[Index, ...] = ()) -> Var:  # fmt: skip
        """The variable of an expression, or of a function of expressions; equal ones share it.

        It is one variable with the sign of the value, also where `reduce` would write it in terms of others.
        """
        from symgrad.symbolic.solve import learn

        key = (function, polys, value.sign == POSITIVE)
        if key not in self.interned:
            known = self._known_as(*key)
            if known is None:
                indices = ordered({i for p in polys for i in free_indices(p)} - set(bound))
                known = Var(0, self.unused(f"{prefix}_"), indices, value.sign == POSITIVE)
                call = (function, polys) if function else None
                self.lets[known.name] = Let(known, value.poly, value.expr, True, call, None, value.sign, op, bound)
                self.interned[key] = known
                if self.writing:
                    learn(self, self.lets[known.name])
            self.interned[key] = known
        return self.interned[key]

    def held_as(self, name: str, args: tuple[Poly, ...]) -> Var | None:
        """The variable of a value that an op only computes from these arguments."""
        return self.interned.get((f"{name}[]", args, False))

    def power_of(self, var: Var, e: Number = 1) -> Poly:
        """A power of one variable, rewritten with what is known about it."""
        return self.reduce(Poly({((var, e),): 1}))

    def _known_as(self, function: str | None, polys: tuple[Poly, ...], positive: bool) -> Var | None:
        """A definition that is the same by what was learnt after it was made."""
        reduced = [self.reduce(p) for p in polys]
        for (name, others, sign), var in self.interned.items():
            if name == function and sign == positive and [self.reduce(p) for p in others] == reduced:
                return var
        return None

    # the algebra: one method per kind of tree --------------------------------------------------------------------

    def number(self, value: Number) -> Value:
        """A rational number."""
        return Value(number(value), Num(value), POSITIVE if value > 0 else NONNEGATIVE if value == 0 else ANY)

    def ref(self, var: Var) -> Value:
        """A variable at indices."""
        let = self.lets.get(var.name)
        sign = POSITIVE if var.positive else NONNEGATIVE if var.name in self.binary else let.sign if let else ANY
        return Value(self.reduce(Poly({((var, 1),): 1})), Ref(var), sign)

    def kronecker(self, first: Index | At, second: Index | At) -> Value:
        """A Kronecker delta."""
        return Value(delta(first, second), kronecker(first, second), NONNEGATIVE)

    def add(self, terms: list[Value]) -> Value:
        """A sum of terms."""
        poly = ZERO
        for t in terms:
            poly = poly + t.poly
        known = min(t.sign for t in terms)
        sign = max(t.sign for t in terms) if known else ANY
        return Value(poly, _tree(add, terms), sign)

    def mul(self, factors: list[Value]) -> Value:
        """A product."""
        factors = [self._atom(f) for f in factors]
        poly = factors[0].poly
        for f in factors[1:]:
            poly = poly * f.poly
        sign = min(f.sign for f in factors)
        if len(factors) == 2 and factors[0].poly == factors[1].poly:
            sign = max(sign, NONNEGATIVE)
        return Value(self.reduce(poly), _tree(mul, factors), sign)

    def pow(self, base: Value, exponent: Value) -> Value:
        """A power. Fractional and negative ones of anything but a monomial go through a name."""
        expr = power(base.expr, exponent.expr) if base.expr is not None and exponent.expr is not None else None
        e = exponent.poly.constant()
        if e is None:
            self.require(base, POSITIVE)
            return Value(self.reduce(self._symbolic_power(base, exponent)), expr, POSITIVE)
        base = self._atom(base, "c" if e == int(e) and e > 0 else "h")
        sign = POSITIVE if base.sign == POSITIVE or e != int(e) else NONNEGATIVE if base.sign or _even(e) else ANY
        return Value(self.reduce(self._power(base, e)), expr, sign)

    def _atom(self, value: Value, prefix: str = "c") -> Value:
        """Centred expressions such as $z - mu$, and long ones, get a name before they would be multiplied out."""
        from symgrad.symbolic.solve import solvable

        if not self.writing or value.expr is None or len(value.poly.terms) < 2 or self.uses(value.poly) <= self.binary:
            return value
        indices = ordered(free_indices(value.poly))
        trial = Let(Var(0, "c", indices, False), value.poly, value.expr, True)
        long = len(value.poly.terms) > MAX_UNNAMED
        if not long and (not indices or solvable(self, trial) is None):
            return value
        return Value(self.power_of(self.intern(None, (value.poly,), prefix, value)), value.expr, value.sign)

    def _symbolic_power(self, base: Value, exponent: Value) -> Poly:
        """The product of ``base**c`` and of ``pow(base, m)**c`` for the terms ``c*m`` of the exponent."""
        result = ONE
        held = Value(base.poly, base.expr, POSITIVE)
        for monomial, c in sorted(exponent.poly.terms.items()):
            if monomial:
                own = exponent.expr if len(exponent.poly.terms) == c == 1 else compact(Poly({monomial: 1}))
                tree = None if base.expr is None or own is None else Call("pow", (base.expr, own))
                power = self._called("pow", [held, Value(Poly({monomial: 1}))], tree)
                result = result * self.power_of(power, c)
            else:
                result = result * self._power(held, c)
        return result

    def _power(self, base: Value, e: Number) -> Poly:
        if e == int(e) and 0 <= e <= MAX_EXPANDED:
            return base.poly.power(int(e))
        poly = base.poly
        if e < 0 and not poly:
            from symgrad.errors import SymbolicError

            raise SymbolicError("a power with a negative exponent has the base 0; the formula is defined nowhere")
        if e != int(e):
            poly = self._absolute(poly)
        direct = positive_root(poly, e)
        if direct is not None:
            if e < 0:
                self._nonzero(poly)
            return direct
        self.require(base, POSITIVE if e != int(e) else ANY)
        sign = POSITIVE if e != int(e) or poly in self.assumptions else base.sign
        if e < 0 and e == int(e) and sign != POSITIVE:
            self.domain[base.written, "!= 0"] = None
        return self.power_of(self.intern(None, (poly,), "h", Value(poly, base.expr, sign)), e)

    def _absolute(self, poly: Poly) -> Poly:
        """Write even powers of variables of unknown sign in a monomial as powers of absolute values."""
        pair = poly.single()
        if pair is None:
            return poly
        result = number(pair[1])
        for f, e in pair[0]:
            part = Poly({((f, e),): 1})
            if f.rank == 0 and not f.positive and _even(e):
                self._nonzero(part)
                size = self._called("Abs", [Value(Poly({((f, 1),): 1}))], Call("Abs", (Ref(f),)))
                part = Poly({((size, e),): 1})
            result = result * part
        return result

    def call(self, name: str, args: list[Value]) -> Value:
        """A function value; equal ones share a name."""
        if name in PIECEWISE:
            return replace(PIECEWISE[name](self, *args), expr=_tree(lambda *trees: Call(name, trees), args))
        if name == "log":
            self.require(args[0], POSITIVE)
        if name == "Abs" and args[0].sign:
            return args[0]
        if name in KINKED:
            self.domain[args[0].written, "!= 0"] = None
        expr = _tree(lambda *trees: Call(name, trees), args)
        return Value(self.power_of(self._called(name, args, expr)), expr, POSITIVE if name in ALWAYS_POSITIVE else ANY)

    def _called(self, name: str, args: list[Value], expr: Expr | None) -> Var:
        """The variable of a function value."""
        value = Value(ZERO, expr, POSITIVE if name in ALWAYS_POSITIVE else ANY)
        return self.intern(name, tuple(a.poly for a in args), name.lower(), value)

    def opaque(self, op: Any, args: list[Value], bound: tuple[Index, ...] = ()) -> Value:
        """A value that is only computed, by an op along the bound indices: the algebra never looks into it."""
        trees = [a.written for a in args]
        if bound:
            names = {i: fresh(i.size) for i in bound}
            expr: Expr = Reduction(op.name, tuple(names.values()), rename_tree(trees[0], names))
        else:
            expr = Call(op.name, tuple(trees))
        function = f"{op.name}[{','.join(i.name for i in bound)}]"
        var = self.intern(function, tuple(a.poly for a in args), op.name, Value(ZERO, expr), op, bound)
        return Value(self.power_of(var), expr)

    def total(self, bound: tuple[Index, ...], body: Value) -> Value:
        """A sum over indices."""
        names = {i: fresh(i.size) for i in bound}
        expr = None if body.expr is None else Total(tuple(names.values()), rename_tree(body.expr, names))
        poly = self.reduce(sum_over(body.poly, *bound))
        if self.writing and expr is not None and sums_of(poly):
            poly = self.power_of(self.intern(None, (poly,), "s", Value(poly, expr, body.sign)))
        return Value(poly, expr, body.sign)

    def renamed(self, value: Value, names: dict[Index, Any]) -> Value:
        """The value at other indices."""
        if all(a == b for a, b in names.items()):
            return value
        expr = None if value.expr is None else rename_tree(value.expr, names)
        return Value(rename(value.poly, names), expr, value.sign)

    # knowledge ---------------------------------------------------------------------------------------------------

    def require(self, value: Value, sign: int) -> None:
        """Print as an assumption what could not be derived."""
        if value.sign < sign:
            self.assumptions[value.poly] = value.written

    def _nonzero(self, poly: Poly) -> None:
        for monomial in poly.terms:
            for f, _ in monomial:
                if f.rank == 0 and not f.positive:
                    self.domain[f, "!= 0"] = None

    def reduce(self, poly: Poly) -> Poly:
        """Rewrite with the solved definitions and the invariants until nothing changes."""
        from symgrad.symbolic.solve import rewrite_sums

        while True:
            before = poly
            poly = self._substituted(poly)  # to the end, so that a theorem is found for what was solved last
            if self.sums:
                poly = rewrite_sums(poly, self.sums)
            if poly is before:
                return poly

    def _substituted(self, poly: Poly) -> Poly:
        while self.rules or self.binary:
            before, poly = poly, substitute(poly, self._solved)
            if poly is before:
                break
        return poly

    def _solved(self, var: Var, exponent: Number) -> Poly | None:
        found = self.rules.get(var.name)
        if found is None:
            return Poly({((var, 1),): 1}) if var.name in self.binary and exponent > 1 else None
        formal, poly = found
        at = rename(poly, dict(zip(formal.indices, var.indices, strict=True)))
        if exponent == int(exponent) and exponent >= 0:
            return at.power(int(exponent))
        return positive_root(at, exponent)

    def local(self, var: Var) -> Poly:
        """The definition of a variable at its indices."""
        let = self.lets[var.name]
        return rename(let.poly, dict(zip(let.var.indices, var.indices, strict=True)))

    def uses(self, poly: Poly) -> set[str]:
        """Names of the variables in it."""
        return {v.name for v, _ in variables(poly)}


def ordered(indices: set[Index]) -> tuple[Index, ...]:
    """Leftmost axis first: ``x2, x1, x0``, named by the position from the right."""
    return tuple(sorted(indices, reverse=True))


def _even(e: Number) -> bool:
    return e == int(e) and int(e) % 2 == 0


def _tree(build: Any, values: list[Value]) -> Expr | None:
    trees = [v.expr for v in values]
    return None if None in trees else build(*trees)
