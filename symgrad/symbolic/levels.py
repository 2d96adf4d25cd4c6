r"""How far numbers can be trusted: the formula, the graph and the emitted code against each other, beyond float64.

In falling order: exact rationals, where every root is made rational by the choice of a constant
($\epsilon := s^2 - \mathrm{var}$); enclosures by interval arithmetic, which cannot miss a difference; floats of 30 and
of 60 digits. The first one that can be computed is reported. None of them is a proof: they hold at the points tried.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.op import OPS
from symgrad.shapes import bind
from symgrad.symbolic.emit import SPECIAL
from symgrad.symbolic.exact import Evaluator, Intervals, Rationals, size_at
from symgrad.symbolic.expr import fold
from symgrad.symbolic.numbers import Entrywise, NotSquareError, Number, Precise, Roots, array_of, boxed
from symgrad.symbolic.read import PLACEHOLDERS, formula
from symgrad.symbolic.source import sizes_of
from symgrad.symbolic.structure import axes_of
from symgrad.symbolic.text import literal

if TYPE_CHECKING:
    from symgrad.symbolic.derivation import Derivation

__all__ = ["EXACT", "Level", "levels"]

EXACT, ENCLOSED, PRECISE = "exact rationals", "interval enclosure", "60 digits"
SHOTS = 4  # tries to make a root rational
ROUNDED = 1e-14  # what constants that are floats may differ by
WIDE = 1e-8  # an enclosure that is wider, relative to its value, says nothing
# What operators, NumPy and a formula raise where they know no Fractions or intervals; the level is then not reached.
REFUSED = (ValueError, TypeError, AttributeError, KeyError, ArithmeticError, NotImplementedError)

Point = dict[str, Any]  # arrays of Fractions by name


@dataclass(frozen=True)
class Level:
    """What was compared with the formula, by which arithmetic, at which sizes, and whether it agrees."""

    subject: str  # "graph" or "code"
    name: str
    sizes: tuple[dict[str, int], ...]
    agrees: bool
    reason: str = ""  # why no exact rationals

    def __str__(self) -> str:
        at = "; ".join(", ".join(f"{n} = {k}" for n, k in s.items()) for s in self.sizes if s)
        where = f" at {at}" if at else ""
        verb = "equals" if self.agrees else "DIFFERS FROM"
        why = f" (no exact rationals: {self.reason})" if self.reason else ""
        return f"the {self.subject} {verb} the formula in {self.name}{where}{why}"


def levels(d: Derivation, seed: int = 0) -> Iterator[Level]:
    """For the graph and for the code, the highest level that can be reached; nothing where none can."""
    for subject, run in (("graph", _graph), ("code", _code)):
        reason = ""
        for attempt in (_exact, _enclosed, _precise):
            try:
                yield Level(subject, *attempt(d, run, seed), reason)
                break
            except REFUSED as error:
                reason = reason or str(error)


Run = Callable[["Derivation", Rationals, Mapping[str, int], Point], dict[str, Any]]
Found = tuple[str, tuple[dict[str, int], ...], bool]


def _exact(d: Derivation, run: Run, seed: int) -> Found:
    field, seen, right = Roots(), [], True
    for sizes in _small(d):
        try:
            point = _rational(d, _point(d, sizes, seed), partial(_formula, d, field, sizes))
            formula, other = _formula(d, field, sizes, point), run(d, field, sizes, point)
        except (NotSquareError, ZeroDivisionError):
            continue
        seen.append(sizes)
        right = right and all(np.array_equal(formula[n], _values(other[n])) for n in formula)
    if not seen:
        raise ValueError("a root is not rational")
    return EXACT, tuple(seen), right


def _enclosed(d: Derivation, run: Run, seed: int) -> Found:
    field, sizes, right = Intervals(), dict.fromkeys(sorted(d.sizes), 2), True
    point = _point(d, sizes, seed)
    formula, other = _formula(d, field, sizes, point), run(d, field, sizes, point)
    for name, values in formula.items():
        for a, b in zip(values.flat, _values(other[name]).flat, strict=True):
            difference = a - b
            if not float(difference.delta) < WIDE * (1 + abs(float(a.mid))):
                raise ValueError("the enclosure is too wide")
            right = right and bool(difference.a <= 0 <= difference.b)
    return ENCLOSED, (sizes,), right


def _precise(d: Derivation, run: Run, seed: int) -> Found:
    sizes, right = dict.fromkeys(sorted(d.sizes), 2), True
    point = _point(d, sizes, seed)
    for digits in (30, 60):
        field = Precise(digits)
        formula, other = _formula(d, field, sizes, point), run(d, field, sizes, point)
        for name, values in formula.items():
            for a, b in zip(values.flat, _values(other[name]).flat, strict=True):
                error = abs(a - b) / (1 + abs(a))
                if 10.0 ** (6 - digits) < error < ROUNDED:
                    raise ValueError("a constant is a rounded number, so that no more digits can agree")
                right = right and bool(error < ROUNDED)
    return PRECISE, (sizes,), right


def _values(array: Any) -> Any:
    made = np.empty(np.shape(array), dtype=object)
    for at in np.ndindex(made.shape):
        entry = array[at] if made.shape else (array.item() if isinstance(array, np.ndarray) else array)
        made[at] = entry.value if isinstance(entry, Number) else entry
    return made


# points ----------------------------------------------------------------------------------------------------------


def _small(d: Derivation) -> list[dict[str, int]]:
    """Sizes to try: all at 2, then each one alone larger, so that a root is of one number."""
    names = sorted(d.sizes)
    alone = [{**dict.fromkeys(names, 1), n: k} for n in names for k in (2, 3, 4)]
    found = [dict.fromkeys(names, 2), *alone]
    return [s for k, s in enumerate(found) if s not in found[:k]]


def _point(d: Derivation, sizes: Mapping[str, int], seed: int) -> Point:
    rng = random.Random(f"{seed} {sorted(sizes.items())}")
    nodes = {**d.record.arguments, d.record.cotangent.name: d.record.cotangent}
    made: Point = {n: Fraction(literal(repr(x))) for n, x in d.record.defaults.items()}
    for name, node in nodes.items():
        array = np.empty(bind(tuple(node.shape), sizes), dtype=object)
        for at in np.ndindex(array.shape):
            value = Fraction(rng.randint(1, 12), rng.randint(2, 5))
            array[at] = value if node.meta.positive or rng.random() < 0.5 else -value
        made[name] = array
    for name, node in d.record.held.items():
        largest = 1 if node.dtype.kind == "b" else size_at(d.program.labels.get(name, (((), 1),)), sizes) - 1
        shape = bind(tuple(node.shape), sizes)
        picked = [rng.randint(0, largest) for _ in range(math.prod(shape))]
        made[name] = np.array(picked, dtype=node.dtype).reshape(shape)
    return made


def _rational(d: Derivation, point: Point, evaluate: Callable[[Point], Any]) -> Point:
    """The point with constants changed so that every root is rational, or NotSquareError."""
    for _ in range(SHOTS):
        try:
            evaluate(point)
            return point
        except NotSquareError as error:
            if not d.record.constants or error.value <= 0:
                raise
            name = next(iter(d.record.constants))
            root = Fraction(math.isqrt(math.ceil(error.value)) + 1)
            point = {**point, name: point[name] + root * root - error.value}
    evaluate(point)
    return point


# the three of them -----------------------------------------------------------------------------------------------


def _formula(d: Derivation, field: Rationals, sizes: Mapping[str, int], point: Point) -> dict[str, Any]:
    """The derived formula, evaluated sum by sum."""
    entries = {}
    for name, array in point.items():
        node = {**d.record.arguments, **d.record.held}.get(name, d.record.cotangent)
        layout = axes_of(node.shape) if np.shape(array) else ()
        for at in np.ndindex(np.shape(array)):
            key = tuple([k for k, i in zip(at, layout, strict=True) if i is not None])
            entries[name, key] = _scalar(array[at] if np.shape(array) else array)
    evaluator = Evaluator(sizes, entries, d.program, field)
    found = {}
    for name, node in d.record.arguments.items():
        made = np.empty(np.shape(point[name]), dtype=object)
        for at in np.ndindex(made.shape):
            where = {i: k for i, k in zip(axes_of(node.shape), at, strict=True) if i is not None}
            made[at] = evaluator.poly(d.polys[name], where)
        found[name] = made
    return found


def _scalar(value: Any) -> Any:
    return value.item() if isinstance(value, np.ndarray | np.generic) else value


def _numbers(field: Rationals, value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value  # masks and labels stay what they are
    return array_of(field, np.asarray(value, dtype=object))


def _code(d: Derivation, field: Rationals, sizes: Mapping[str, int], point: Point) -> dict[str, Any]:
    """The emitted NumPy, on arrays of numbers in the place of floats."""
    namespace: dict[str, Any] = {"np": _NumPy(field), **{own: _special(name) for name, own in SPECIAL.items()}}
    source = re.sub(r"^(import numpy as np|from scipy\.special import .*)$", "", d.numpy_source, flags=re.MULTILINE)
    exec(compile(source, f"<derived {d.name}>", "exec"), namespace)  # our own text, built from trees
    given = {n: _numbers(field, x) for n, x in point.items()}
    cotangent = given.pop(d.record.cotangent.name)
    _, saved = namespace["forward"](**given, **{n: sizes[n] for n in sizes_of(d)[1]})
    return dict(zip(d.record.arguments, namespace["backward"](cotangent, saved), strict=True))


def _special(name: str) -> Any:
    return np.frompyfunc(lambda x: Number(x.field, x.field.call(name, [x.value])), 1, 1)


class _NumPy:
    """NumPy, for arrays of numbers: these are all finite, and pi is as exact as they are."""

    def __init__(self, field: Rationals) -> None:
        self.field = field

    @property
    def pi(self) -> Number:
        """Half the period of the sine."""
        return Number(self.field, self.field.pi())

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def isfinite(self, x: Any) -> Any:
        """True everywhere."""
        return np.ones(np.shape(x), dtype=bool)

    def logaddexp(self, x: Any, y: Any) -> Any:
        """As it is defined: nothing overflows here."""
        return np.log(np.exp(x) + np.exp(y))

    def heaviside(self, x: Any, at_zero: float) -> Any:
        """1 where positive."""
        return np.where(x > 0, 1, np.where(x == 0, at_zero, 0))


def _graph(d: Derivation, field: Rationals, sizes: Mapping[str, int], point: Point) -> dict[str, Any]:
    """The ops of the graph and of the pullbacks that train, one after the other."""
    made = d.record
    values = {
        node.serial: _numbers(field, point[n]) for n, node in {**made.arguments, **made.constants, **made.held}.items()
    }
    values[made.cotangent.serial] = _numbers(field, point[made.cotangent.name])
    for node in sorted([*made.forward, *made.backward], key=lambda n: n.serial):
        if node.serial not in values:
            values[node.serial] = _node(node, [values[x.serial] for x in node.inputs], field, sizes)
    zero = {n: _numbers(field, np.full(np.shape(point[n]), Fraction(0))) for n in made.arguments}
    found = {n: made.adjoints.get(node.serial) for n, node in made.arguments.items()}
    return {n: zero[n] if g is None else np.broadcast_to(values[g.serial], zero[n].shape) for n, g in found.items()}


def _node(node: Any, inputs: list[Any], field: Rationals, sizes: Mapping[str, int]) -> Any:
    params: tuple[Any, ...] = bind(node.params, sizes) if node.params else ()
    op = node.op
    if op is None or op.name == "const":
        return boxed(Number(field, field.number(literal(repr(node.value.item())))))
    if op.name == "size":
        return boxed(Number(field, field.number(Fraction(params[0]))))
    if op is OPS["isfinite"]:
        return _NumPy(field).isfinite(inputs[0])
    try:
        found = boxed(op.forward(tuple(inputs), *params) if op.arity is None else op.forward(*inputs, *params))
        exact = found.dtype == object or node.dtype.kind != "f"  # truth values that became numbers are made exact ones
        return found if exact else array_of(field, np.vectorize(Fraction, otypes=[object])(found))
    except (TypeError, AttributeError):  # it asks what only floats have, such as whether they are finite
        if op.indices != "elementwise" or op.symbol is None:
            raise
        tree = formula(op.symbol, len(inputs))
        return boxed(fold(tree, Entrywise(field, dict(zip(PLACEHOLDERS, inputs, strict=False)))))
