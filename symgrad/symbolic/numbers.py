"""Numbers that NumPy's object arrays compute with: rationals, intervals, and floats of many digits.

The same plain NumPy that runs on float64 runs on them, because NumPy asks objects for ``+`` and for methods such as
``sqrt``. A number knows its field (see `exact`), which does the arithmetic or refuses with ValueError.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from math import isqrt
from typing import Any

import numpy as np

from symgrad.symbolic.exact import Rationals
from symgrad.symbolic.expr import Operations
from symgrad.symbolic.factors import Number as Exponent
from symgrad.symbolic.factors import Var
from symgrad.symbolic.text import literal

__all__ = ["Entrywise", "NotSquareError", "Number", "Precise", "Roots", "array_of", "boxed"]

METHODS = {"exp": "exp", "log": "log", "tanh": "tanh", "sinh": "sinh", "cosh": "cosh", "sin": "sin", "cos": "cos",
           "tan": "tan", "arctan": "atan", "arcsin": "asin", "arccos": "acos", "arcsinh": "asinh",
           "arctanh": "atanh"}  # fmt: skip


class NotSquareError(ValueError):
    """A root is not rational."""

    def __init__(self, value: Fraction) -> None:
        super().__init__("the root is not rational")
        self.value = value


class Roots(Rationals):
    """Exact rationals, with roots of squares."""

    def power(self, base: Any, e: Exponent) -> Any:
        """A power whose result is rational."""
        e = Fraction(e)
        if e.denominator == 2:
            root = Fraction(isqrt(base.numerator), isqrt(base.denominator)) if base > 0 else Fraction(0)
            if root * root != base or not base:
                raise NotSquareError(base)
            base, e = root, Fraction(e.numerator)
        return super().power(base, e)


class Precise(Rationals):
    """Floats of many digits, by mpmath."""

    def __init__(self, digits: int) -> None:
        import mpmath  # type: ignore[import-untyped]

        self.mp = mpmath.mp.clone()
        self.mp.dps = digits

    def number(self, c: Exponent) -> Any:
        """A rational number, rounded."""
        c = Fraction(c)
        return self.mp.mpf(c.numerator) / c.denominator

    def pi(self) -> Any:
        """Half the period of the sine."""
        return +self.mp.pi

    def power(self, base: Any, e: Exponent) -> Any:
        """A real power."""
        if e != int(e) and base < 0:
            raise ValueError("a root of a negative number")
        return self.mp.power(base, self.number(e))

    def call(self, name: str, args: list[Any]) -> Any:
        """A function, by mpmath's own one."""
        if name == "Step":
            return super().call(name, args)
        found = getattr(self.mp, {"Abs": "fabs", "log": "ln", "pow": "power"}.get(name, name), None)
        if found is None or (name == "log" and args[0] <= 0):
            raise ValueError(f"no value of {name}")
        return found(*args)


class Number:
    """A value of a field, with the operators and methods that NumPy asks for."""

    __slots__ = ("field", "value")

    def __init__(self, field: Rationals, value: Any) -> None:
        self.field, self.value = field, value

    def of(self, other: Any) -> Any:
        """The value of another number, literals as they are written."""
        if isinstance(other, Number):
            return other.value
        if isinstance(other, int | Fraction | np.integer | np.bool_):
            return self.field.number(Fraction(other if isinstance(other, Fraction) else int(other)))
        if isinstance(other, float):
            return self.field.number(literal(repr(float(other))))
        raise TypeError(f"{type(other).__name__} is no number here")

    def __pow__(self, e: Any) -> Any:
        if isinstance(e, np.ndarray):
            return NotImplemented
        if isinstance(e, Number) and not isinstance(e.value, Fraction):
            return Number(self.field, self.field.call("pow", [self.value, e.value]))
        if isinstance(e, Number):
            return Number(self.field, self.field.power(self.value, e.value))
        exponent = literal(repr(e.item() if isinstance(e, np.generic) else e))
        return Number(self.field, self.field.power(self.value, exponent))

    def __neg__(self) -> Number:
        return Number(self.field, -self.value)

    def __pos__(self) -> Number:
        return self

    def __abs__(self) -> Number:
        return Number(self.field, abs(self.value))

    def __bool__(self) -> bool:
        return bool(self.value != 0)

    def sqrt(self) -> Number:
        """The root."""
        return Number(self.field, self.field.power(self.value, Fraction(1, 2)))

    def reshape(self, shape: tuple[int, ...]) -> Any:
        """An array of this one number: NumPy's sums over all axes give it bare."""
        return boxed(self).reshape(shape)

    def conjugate(self) -> Number:
        """Itself: it is real."""
        return self


def _binary(operation: Callable[[Any, Any], Any], swapped: bool) -> Callable[[Number, Any], Any]:
    def apply(self: Number, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented  # the array does it, entry by entry
        a, b = self.value, self.of(other)
        return Number(self.field, operation(b, a) if swapped else operation(a, b))

    return apply


def _comparison(operation: Callable[[Any, Any], Any]) -> Callable[[Number, Any], Any]:
    def apply(self: Number, other: Any) -> Any:
        decided = operation(self.value, self.of(other))
        if decided is None:
            raise ValueError("intervals overlap")
        return bool(decided)

    return apply


def _method(name: str) -> Callable[[Number], Number]:
    return lambda self: Number(self.field, self.field.call(name, [self.value]))


for _name in ("add", "sub", "mul", "truediv"):
    setattr(Number, f"__{_name}__", _binary(getattr(operator, _name), swapped=False))
    setattr(Number, f"__r{_name}__", _binary(getattr(operator, _name), swapped=True))
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(Number, f"__{_name}__", _comparison(getattr(operator, _name)))
for _name, _function in METHODS.items():
    setattr(Number, _name, _method(_function))


class Entrywise(Operations):
    """Evaluates a formula of scalars on arrays of numbers."""

    def __init__(self, field: Rationals, env: Mapping[str, Any]) -> None:
        self.field, self.env = field, env

    def number(self, value: Exponent) -> Any:
        """A rational number."""
        return Number(self.field, self.field.number(value))

    def ref(self, var: Var) -> Any:
        """An array by its name."""
        return Number(self.field, self.field.pi()) if var.name == "pi" else self.env[var.name]

    def add(self, terms: list[Any]) -> Any:
        """A sum."""
        return functools.reduce(operator.add, terms)

    def mul(self, factors: list[Any]) -> Any:
        """A product."""
        return functools.reduce(operator.mul, factors)

    def pow(self, base: Any, exponent: Any) -> Any:
        """A power."""
        return base**exponent

    def call(self, name: str, args: list[Any]) -> Any:
        """A function, entry by entry."""

        def entry(*numbers: Any) -> Number:
            return Number(self.field, self.field.call(name, [x.value for x in numbers]))

        return np.frompyfunc(entry, len(args), 1)(*args)


def boxed(value: Any) -> Any:
    """One number as an array without axes, as NumPy's ops on such arrays do not give it."""
    if isinstance(value, np.ndarray):
        return value
    box = np.empty((), dtype=object)
    box[()] = value
    return box


def array_of(field: Rationals, values: Any) -> Any:
    """An object array of numbers from an array of Fractions."""
    made = np.empty(np.shape(values), dtype=object)
    for at in np.ndindex(made.shape):
        made[at] = Number(field, field.number(values[at]))
    return made
