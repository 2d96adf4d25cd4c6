"""Values of normal forms at given sizes and points: exact rationals, rigorous intervals, or floats.

Examples
--------
>>> from symgrad.symbolic.indices import index
>>> from symgrad.symbolic.normal import sum_over, variable
>>> i = index("i", "B")
>>> total = sum_over(variable("z", i).power(2), i)
>>> Evaluator({"B": 2}, {("z", (0,)): Fraction(1, 2), ("z", (1,)): Fraction(3)}).poly(total)
Fraction(37, 4)
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from symgrad.symbolic.factors import Number, Var, label
from symgrad.symbolic.indices import JOIN, QUOTIENT, REMAINDER, At, Extent, Index
from symgrad.symbolic.limits import within_limit
from symgrad.symbolic.normal import Poly
from symgrad.symbolic.program import Let, Program

__all__ = ["Evaluator", "Rationals", "size_at"]

Point = Mapping[tuple[str, tuple[int, ...]], Any]


def size_at(size: Extent, sizes: Mapping[str, int]) -> int:
    """The number that a size is."""
    total = 0
    for names, c in size:
        for name in names:
            c *= sizes[name]
        total += c
    return total


class Rationals:
    """Exact arithmetic where every power is an integer and nothing transcendental occurs; ValueError elsewhere."""

    def number(self, c: Number) -> Any:
        """A rational number."""
        return Fraction(c)

    def pi(self) -> Any:
        """The ratio of a circle's circumference to its diameter."""
        raise ValueError("not rational")

    def power(self, base: Any, e: Number) -> Any:
        """A rational power of a value."""
        if e != int(e):
            raise ValueError("not rational")
        return base ** int(e)

    def call(self, name: str, args: list[Any]) -> Any:
        """A function of values."""
        if name == "Step":
            return self.number(_decided(args[0]))
        if name == "Abs":
            return abs(args[0])
        if name == "sign":
            return self.number(2 * _decided(args[0]) - 1)
        raise ValueError(f"{name} is not rational")


def _decided(x: Any) -> int:
    """Whether a value is surely positive (1) or surely negative (0)."""
    if not (x > 0 or x < 0):
        raise ValueError("on the edge of a step")
    return int(x > 0)


class Intervals(Rationals):
    """Enclosures by mpmath's interval arithmetic: a value that excludes zero is not zero."""

    def __init__(self) -> None:
        from mpmath import iv  # type: ignore[import-untyped]

        self.iv = iv

    def number(self, c: Number) -> Any:
        c = Fraction(c)
        return self.iv.mpf(c.numerator) / c.denominator

    def pi(self) -> Any:
        return self.iv.mpf(1) * self.iv.pi

    def power(self, base: Any, e: Number) -> Any:
        if e == int(e):
            return base ** int(e)
        return self.iv.exp(self.number(e) * self.iv.log(base))

    def call(self, name: str, args: list[Any]) -> Any:
        x, iv = args[0], self.iv
        if name == "Step":
            return super().call(name, args)
        if name == "pow":
            return iv.exp(args[1] * iv.log(x))
        if name == "tanh":
            return 1 - 2 / (iv.exp(2 * x) + 1)
        if name in ("sinh", "cosh"):
            return (iv.exp(x) + iv.exp(-x) * (1 if name == "cosh" else -1)) / 2
        if name == "Abs":
            return abs(x)
        if name == "sign":
            if 0 in x:
                raise ValueError("the sign is not decided")
            return self.number(1 if x > 0 else -1)
        if name in ("exp", "log", "sin", "cos", "tan", "loggamma"):
            return getattr(iv, name)(x)
        if name in ("atan", "atan2"):
            return iv.atan2(x, args[1] if name == "atan2" else iv.mpf(1))
        if name in ("asin", "acos"):
            angle = iv.atan2(x, iv.sqrt(1 - x * x))
            return angle if name == "asin" else self.pi() / 2 - angle
        if name in ("asinh", "acosh"):
            return iv.log(x + iv.sqrt(x * x + (1 if name == "asinh" else -1)))
        if name == "atanh":
            return iv.log((1 + x) / (1 - x)) / 2
        if name == "erf":
            low, high = self._erf(iv.mpf(x.a)), self._erf(iv.mpf(x.b))
            return iv.mpf([low.a, high.b])  # it rises
        raise ValueError(f"no interval rule for {name}")

    def _erf(self, x: Any) -> Any:
        """The error function by its series; what is left out is smaller than the first term that is."""
        if not abs(x) < 5:
            raise ValueError("the series of erf is too long")
        term, total = x, x
        for n in range(1, 120):
            term = -term * x * x / n
            total = total + term / (2 * n + 1)
        rest = abs(term).b
        return 2 / self.iv.sqrt(self.iv.pi) * (total + self.iv.mpf([-rest, rest]))


class Evaluator:
    """Evaluates normal forms; definitions of the program are evaluated once per index."""

    def __init__(
        self, sizes: Mapping[str, int], point: Point, program: Program | None = None, field: Rationals | None = None
    ) -> None:
        self.sizes, self.point, self.program = sizes, point, program
        self.field = field or Rationals()
        self.memo: dict[Any, Any] = {}
        self.rational: Evaluator | None = None

    def poly(self, poly: Poly, at: Mapping[Index, int] | None = None) -> Any:
        """The value of a normal form with numbers (from 0) for its free indices."""
        within_limit()
        total = self.field.number(0)
        for monomial, c in poly.terms.items():
            total = total + self.field.number(c) * self._monomial(monomial, at or {})
        return total

    def _monomial(self, monomial: Any, at: Mapping[Index, int]) -> Any:
        product = self.field.number(1)
        for f, e in monomial:
            value = self._factor(f, at)
            product = product * (value if e == 1 else self.field.power(value, e))
        return product

    def _factor(self, f: Any, at: Mapping[Index, int]) -> Any:
        if f.rank == 0:
            return self.var(f, tuple([self.index(i, at) for i in f.indices]))
        if f.rank == 1:
            return self.field.number(int(self.index(f.first, at) == self.index(f.second, at)))
        total = self.field.number(0)
        for values in itertools.product(*[range(size_at(i.size, self.sizes)) for i in f.bound]):
            total = total + self._monomial(f.body, {**at, **dict(zip(f.bound, values, strict=True))})
        return total

    def index(self, i: Index | At, at: Mapping[Index, int]) -> int:
        """The number, from 0, that an index is."""
        if not isinstance(i, At):
            return at[i]
        inner = [self.index(k, at) for k in i.indices]
        if i.name == JOIN:
            return inner[0] * size_at(i.indices[1].size, self.sizes) + inner[1]
        if i.name == REMAINDER:
            return inner[0] % size_at(i.size, self.sizes)
        if i.name == QUOTIENT:
            return inner[0] * size_at(i.size, self.sizes) // size_at(i.indices[0].size, self.sizes)
        return int(self._exactly().var(label(i), tuple(inner)))

    def var(self, var: Var, indices: tuple[int, ...]) -> Any:
        """The value of a variable: a number, a size, an argument, or its definition."""
        key = (var.name, indices)
        if key not in self.memo:
            self.memo[key] = self._var(var, indices)
        return self.memo[key]

    def _var(self, var: Var, indices: tuple[int, ...]) -> Any:
        if var.name.isdigit():
            return self.field.number(int(var.name))
        if var.name == "pi":
            return self.field.pi()
        if (var.name, indices) in self.point:
            return self.field.number(self.point[var.name, indices])
        if var.name in self.sizes:
            return self.field.number(self.sizes[var.name])
        if self.program is None or var.name not in self.program.lets:
            raise KeyError(f"no value for {var.name}{list(indices) if indices else ''}")
        return self._let(self.program.lets[var.name], indices)

    def _let(self, let: Let, indices: tuple[int, ...]) -> Any:
        at = dict(zip(let.var.indices, indices, strict=True))
        if let.op is not None:
            try:
                return self.field.number(self._exactly()._opaque(let, at))
            except ValueError:
                if not isinstance(self.field, Intervals):
                    raise
                return self._enclosed(let, at, self.field.iv)
        if let.call is None:
            return self.poly(let.poly, at)
        name, args = let.call
        return self.field.call(name, [self.poly(a, at) for a in args])

    def _exactly(self) -> Evaluator:
        """An evaluator of the same point in exact rationals."""
        if type(self.field) is not Rationals:
            self.rational = self.rational or Evaluator(self.sizes, self.point, self.program)
            return self.rational
        return self

    def _opaque(self, let: Let, at: Mapping[Index, int]) -> Fraction:
        """What an op computes, exactly: by its symbol, or along the bound indices by its forward on rationals."""
        from symgrad.symbolic.symbols import rational_value

        assert let.call is not None
        if not let.bound:
            return rational_value(let.op, [self.poly(a, at) for a in let.call[1]])
        ranges = itertools.product(*[range(size_at(i.size, self.sizes)) for i in let.bound])
        values = [self.poly(let.call[1][0], {**at, **dict(zip(let.bound, v, strict=True))}) for v in ranges]
        try:
            value = let.op.forward(np.array(values, dtype=object), (0,), False)
            return Fraction(bool(value) if let.op.dtype is np.bool_ else value)
        except (TypeError, AttributeError):
            raise ValueError("not rational") from None

    def _enclosed(self, let: Let, at: Mapping[Index, int], iv: Any) -> Any:
        """An interval of what an op computes: of the largest of intervals, or one of them by the symbol of the op."""
        import sympy

        from symgrad.symbolic.symbols import symbol_of

        assert let.call is not None
        if not let.bound:
            known = {sympy.Dummy(real=True): self.poly(a, at) for a in let.call[1]}
            chosen = symbol_of(let.op, tuple(known))
            if chosen in (sympy.true, sympy.false):
                return self.field.number(int(chosen == sympy.true))
            exact = [x for x, a in known.items() if a.delta == 0]  # only these may decide between the others
            chosen = chosen.subs({x: sympy.Rational(str(float(known[x].a))) for x in exact})
            if chosen not in known:
                raise ValueError("not one of its arguments")
            return known[chosen]
        if let.op.name not in ENDPOINTS:
            raise ValueError(f"no interval rule for {let.op.name}")
        ranges = itertools.product(*[range(size_at(i.size, self.sizes)) for i in let.bound])
        values = [self.poly(let.call[1][0], {**at, **dict(zip(let.bound, v, strict=True))}) for v in ranges]
        best = ENDPOINTS[let.op.name]
        return iv.mpf([best(x.a for x in values), best(x.b for x in values)])


ENDPOINTS: dict[str, Any] = {"max": max, "min": min}
"""Reductions that take the least interval from the ends of intervals."""
