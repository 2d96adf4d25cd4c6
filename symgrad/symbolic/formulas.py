r"""Formulas as text become an ordinary symgrad function, so that they run, derive, draw and compile like any other.

Examples
--------
>>> import numpy as np, symgrad as sg
>>> f = from_text("mu = mean(z, i)", "c = z - mu")
>>> f(np.array([1.0, 2.0, 6.0])).tolist()
[-2.0, -1.0, 3.0]
>>> sg.derive(f).gradients["z"]
g[i] - Sum(g[j], (j, 1, B))/B
"""

from __future__ import annotations

import inspect
import operator
import string
from collections.abc import Callable, Collection, Mapping
from fractions import Fraction
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from symgrad.errors import SymbolicError, nearest
from symgrad.op import OPS
from symgrad.ops.arithmetic import sqrt
from symgrad.ops.layout import expand_dims, transpose
from symgrad.ops.marks import named
from symgrad.ops.product import einsum
from symgrad.ops.reduction import sum as summed
from symgrad.symbolic.expr import Add, Call, Expr, Mul, Num, Pow, Ref, Total, bound_of, refs
from symgrad.symbolic.factors import Number, Var
from symgrad.symbolic.indices import Extent, Index
from symgrad.symbolic.text import Formula, read
from symgrad.tensor import Tensor, as_tensor
from symgrad.tracing import spec

__all__ = ["from_text"]


def from_text(*formulas: str, positive: Collection[str] = ()) -> Callable[..., Any]:
    """An ordinary symgrad function from formulas.

    Parameters
    ----------
    *formulas : str
        Each ``name = expression``; the last one is the result, with or without a name. A name that is not defined is an
        argument; a name whose definition is a number, ``eps = 1e-5``, is a constant with that default.
        ``mean(z, i)`` and ``sum(z, i)`` reduce over the index i; letters are written where they matter:
        ``s = sum(x[i,d]*W[d,c], d)``. The size of i is called B, that of d is D.
    positive : collection of str
        Arguments that are greater than zero.

    Returns
    -------
    callable
        Its attribute ``specs`` holds the symbolic shapes of the arguments, which `derive` takes from there.

    Raises
    ------
    SymbolicError
        With the column, for everything that is no formula. Nothing is evaluated.

    Examples
    --------
    >>> f = from_text("s = sum(x[i,d]*W[d,c], d)", "sum(s**2, i, c)")
    >>> list(f.specs)
    ['x', 'W']
    """
    if not formulas:
        raise SymbolicError("formula: none is given; write one as 'mu = mean(z, i)'")
    steps = read(formulas)
    constants = {s.name: s.tree.value for s in steps[:-1] if s.name and isinstance(s.tree, Num)}
    steps = [s for s in steps if s.name not in constants]
    arrays = _arrays(steps, constants)
    if unknown := [n for n in positive if n not in arrays]:
        raise SymbolicError(f"formula: {unknown[0]!r} is no argument{nearest(unknown[0], arrays)}; "
                            f"the arguments are {list(arrays)}")  # fmt: skip

    known = {i.size for axes in arrays.values() for i in axes}
    for index in (i for s in steps for i in bound_of(s.tree)):
        if index.size not in known:
            size = index.size[0][0][0]
            raise SymbolicError(f"formula: the size {size} of a sum is that of no argument; write its index at one")

    def function(given: Mapping[str, Any]) -> Any:
        values = {n: _Value(given[n], axes) for n, axes in arrays.items()}
        values.update({n: _Value(given.get(n, float(c)), ()) for n, c in constants.items()})
        sizes = {i.size: np.shape(given[n])[k] for n, axes in arrays.items() for k, i in enumerate(axes)}
        evaluate = _Arrays(values, sizes, abstract=any(isinstance(x, Tensor) for x in given.values()))
        for step in steps:
            axes = _axes(step)
            result = _at(evaluate(step.tree), axes)
            if step.name:
                result = named(result, step.name)
                values[step.name] = _Value(result, axes)
        return result

    keyword = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(n, keyword) for n in arrays]
    parameters += [inspect.Parameter(n, keyword, default=float(c)) for n, c in constants.items()]
    signature = inspect.Signature(parameters)

    def bound(*args: Any, **given: Any) -> Any:
        return function(signature.bind(*args, **given).arguments)

    bound.__name__ = bound.__qualname__ = steps[-1].name or "formula"
    bound.__doc__ = "; ".join(formulas)
    bound.__signature__ = signature  # type: ignore[attr-defined]
    bound.specs = {n: spec(*map(_dim, axes), positive=n in positive) for n, axes in arrays.items()}  # type: ignore[attr-defined]
    return bound


def _arrays(steps: list[Formula], constants: Mapping[str, Any]) -> dict[str, tuple[Index, ...]]:
    """The arguments in order of first appearance, with the indices of their first use as axes."""
    defined = {s.name for s in steps}
    found: dict[str, tuple[Index, ...]] = {}
    for var in (v for s in steps for v in refs(s.tree)):
        if var.name not in defined and var.name not in constants and var.name != "pi":
            found.setdefault(var.name, var.indices)
    sizes = {name for axes in found.values() for i in axes for names, _ in i.size for name in names}
    return {n: axes for n, axes in found.items() if n not in sizes}


def _axes(step: Formula) -> tuple[Index, ...]:
    """The free indices of a formula, in the order of its letters."""
    free = {i.name: i for v in refs(step.tree) for i in v.indices}
    return tuple([free[letter] for letter in step.letters])


def _dim(index: Index) -> Any:
    (names, count), *_ = index.size
    return names[0] if names else count


class _Value(NamedTuple):
    """An array, and the index of each of its axes."""

    array: Any
    axes: tuple[Index, ...]


def _at(value: _Value, axes: tuple[Index, ...]) -> Any:
    """The array with these axes, of size 1 where it does not depend on an index."""
    order = [value.axes.index(i) for i in axes if i in value.axes]
    array = value.array if order == sorted(order) else transpose(value.array, tuple(order))
    for k, i in enumerate(axes):
        if i not in value.axes:
            array = expand_dims(array, k)
    return array


class _Arrays:
    """Evaluates trees on arrays and Tensors."""

    def __init__(self, values: dict[str, _Value], sizes: Mapping[Extent, Any], abstract: bool) -> None:
        self.values, self.sizes, self.abstract = values, sizes, abstract

    def __call__(self, tree: Expr) -> _Value:
        """The value of a tree."""
        match tree:
            case Num(value):
                return _Value(self.number(value), ())
            case Ref(var):
                return self.ref(var)
            case Add(terms):
                return self.joined(operator.add, [self(t) for t in terms])
            case Mul() | Pow():
                return self.product(tree)
            case Call(name, args):
                return self.call(name, [self(a) for a in args])
            case Total(bound, body):
                return self.total(bound, body)
        raise SymbolicError(f"formula: {type(tree).__name__} cannot be computed with arrays")

    def number(self, value: Number) -> Any:
        """A number; one that is no decimal stays exact as a quotient of two."""
        value = Fraction(value)
        if value.denominator == 1:
            return int(value)
        if Fraction(repr(float(value))) == value or not self.abstract:
            return float(value)
        return as_tensor(float(value.numerator)) / as_tensor(float(value.denominator))

    def ref(self, var: Var) -> _Value:
        """A name at its indices, or a size."""
        if var.name == "pi":
            return _Value(np.pi, ())
        if var.name not in self.values:
            return _Value(self.sizes[((var.name,), 1),], ())
        if len(set(var.indices)) < len(var.indices):
            raise SymbolicError(f"formula: {var.name!r} has the same index twice; give one of them another letter")
        return _Value(self.values[var.name].array, var.indices)

    def joined(self, operation: Callable[[Any, Any], Any], parts: list[_Value]) -> _Value:
        """The parts, combined element by element."""
        axes = tuple(dict.fromkeys(i for part in parts for i in part.axes))
        return _Value(reduce(operation, [_at(part, axes) for part in parts]), axes)

    def product(self, tree: Mul | Pow) -> _Value:
        """A product; negative powers divide."""
        above: list[_Value] = []
        below: list[_Value] = []
        for f in tree.factors if isinstance(tree, Mul) else (tree,):
            if isinstance(f, Pow) and isinstance(f.exponent, Num) and f.exponent.value < 0:
                below.append(self.power(f.base, Num(-f.exponent.value)))
            else:
                above.append(self.power(f.base, f.exponent) if isinstance(f, Pow) else self(f))
        top = self.joined(operator.mul, above or [_Value(1, ())])
        return self.joined(operator.truediv, [top, self.joined(operator.mul, below)]) if below else top

    def power(self, base: Expr, exponent: Expr) -> _Value:
        """A power."""
        value = self(base)
        if exponent == Num(1):
            return value
        if exponent == Num(Fraction(1, 2)):
            return _Value(sqrt(value.array), value.axes)
        return self.joined(operator.pow, [value, self(exponent)])

    def call(self, name: str, args: list[_Value]) -> _Value:
        """A function, by the op whose symbol it is."""
        known = {op.symbol: op for op in OPS.values() if op.symbol}
        if name not in known:
            raise SymbolicError(f"formula: {name} has no op, so it can be compared but not computed or derived")
        return self.joined(known[name], args) if len(args) > 1 else _Value(known[name](args[0].array), args[0].axes)

    def total(self, bound: tuple[Index, ...], body: Expr) -> _Value:
        """A sum; one over a product of arrays is a contraction."""
        factors = body.factors if isinstance(body, Mul) else (body,)
        if len(factors) > 1 and all(isinstance(f, Ref) and f.var.indices for f in factors):
            return self.contraction(bound, [self(f) for f in factors])
        value = self(body)
        positions = tuple([value.axes.index(i) for i in bound if i in value.axes])
        array = summed(value.array, axis=positions) if positions else value.array
        for i in bound:
            array = array if i in value.axes else array * self.sizes[i.size]
        return _Value(array, tuple([i for i in value.axes if i not in bound]))

    def contraction(self, bound: tuple[Index, ...], parts: list[_Value]) -> _Value:
        """The sum of a product of arrays."""
        axes = list(dict.fromkeys(i for part in parts for i in part.axes))
        letter = dict(zip(axes, string.ascii_letters, strict=False))
        kept = tuple([i for i in axes if i not in bound])
        sources = ",".join("".join(letter[i] for i in part.axes) for part in parts)
        array = einsum(f"{sources}->{''.join(letter[i] for i in kept)}", *[part.array for part in parts])
        for i in bound:
            array = array if i in axes else array * self.sizes[i.size]
        return _Value(array, kept)
