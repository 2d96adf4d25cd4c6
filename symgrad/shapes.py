"""Pure functions on shapes, symbolic sizes (`Dim`) included."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from symgrad.errors import ShapeError, TracingError

__all__ = [
    "Dim",
    "Shape",
    "Size",
    "as_integer",
    "as_shape",
    "bind",
    "broadcast",
    "concrete",
    "normalize_axes",
    "normalize_axis",
    "quotient",
    "reduced",
    "same_shape",
    "same_size",
    "size_of",
    "unify",
]

Atom = Any  # a name, or ("//", Dim, int)
Monomial = tuple[Atom, ...]


class Dim:
    """A symbolic size: an integer polynomial in named sizes, each at least 1.

    Sums, differences, products, and floor division by an integer stay exact. Whatever would need
    the number itself (``int``, ``bool``, ``range``, a comparison that depends on the size) raises.

    Examples
    --------
    >>> B = Dim("B")
    >>> B + B, 2 * B == B + B, (4 * B) // 2
    (2*B, True, 2*B)
    """

    __slots__ = ("terms",)

    terms: dict[Monomial, int]

    def __init__(self, name: str) -> None:
        if not name.isidentifier():
            raise ShapeError(f"Dim: {name!r} is not a usable name for a size; use letters, digits and _")
        self.terms = {(name,): 1}

    @staticmethod
    def _of(terms: Mapping[Monomial, int]) -> Size:
        """The polynomial with these terms, as an int where it is constant."""
        kept = {m: c for m, c in terms.items() if c}
        if not kept:
            return 0
        if len(kept) == 1 and () in kept:
            return kept[()]
        result = Dim.__new__(Dim)
        result.terms = kept
        return result

    def _combine(self, other: object, sign: int) -> Any:
        terms = _terms(other)
        if terms is None:
            return NotImplemented
        total = dict(self.terms)
        for m, c in terms.items():
            total[m] = total.get(m, 0) + sign * c
        return Dim._of(total)

    def __add__(self, other: object) -> Any:
        return self._combine(other, 1)

    __radd__ = __add__

    def __sub__(self, other: object) -> Any:
        return self._combine(other, -1)

    def __rsub__(self, other: object) -> Any:
        return (-self) + other

    def __neg__(self) -> Any:
        return Dim._of({m: -c for m, c in self.terms.items()})

    def __mul__(self, other: object) -> Any:
        terms = _terms(other)
        if terms is None:
            return NotImplemented
        total: dict[Monomial, int] = {}
        for m, c in self.terms.items():
            for n, d in terms.items():
                key = tuple(sorted(m + n, key=str))
                total[key] = total.get(key, 0) + c * d
        return Dim._of(total)

    __rmul__ = __mul__

    def __floordiv__(self, other: object) -> Any:
        if type(other) is not int:
            return NotImplemented
        if other <= 0:
            raise ShapeError(f"Dim: {self} // {other} needs a positive integer")
        if all(c % other == 0 for c in self.terms.values()):
            return Dim._of({m: c // other for m, c in self.terms.items()})
        return Dim._of({(("//", self, other),): 1})

    def _compare(self, other: object, symbol: str) -> bool:
        """Whether the comparison holds for all sizes, or for none; else an error."""
        low, high = _bounds(_terms(self - other) or {})
        above, below = low is not None and low > 0, high is not None and high < 0
        not_below, not_above = low is not None and low >= 0, high is not None and high <= 0
        holds, fails = {
            "==": (not_below and not_above, above or below),
            "!=": (above or below, not_below and not_above),
            "<": (below, not_below),
            "<=": (not_above, above),
            ">": (above, not_above),
            ">=": (not_below, below),
        }[symbol]
        if not (holds or fails):
            raise TracingError(
                f"Dim: whether {self} {symbol} {other} depends on the size, which is symbolic here; "
                "trace with concrete sizes, or write the function so that it does not ask"
            )
        return holds

    def __eq__(self, other: object) -> bool:
        return self._compare(other, "==") if _terms(other) is not None else NotImplemented

    def __ne__(self, other: object) -> bool:
        return self._compare(other, "!=") if _terms(other) is not None else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self._compare(other, "<") if _terms(other) is not None else NotImplemented

    def __le__(self, other: object) -> bool:
        return self._compare(other, "<=") if _terms(other) is not None else NotImplemented

    def __gt__(self, other: object) -> bool:
        return self._compare(other, ">") if _terms(other) is not None else NotImplemented

    def __ge__(self, other: object) -> bool:
        return self._compare(other, ">=") if _terms(other) is not None else NotImplemented

    def __hash__(self) -> int:
        return hash(frozenset(self.terms.items()))

    def _refuse(self, what: str) -> NoReturn:
        raise TracingError(
            f"Dim: {what} of the symbolic size {self} is not known while tracing; "
            "use it in shapes and arithmetic, or trace with concrete sizes"
        )

    def __bool__(self) -> bool:
        low, high = _bounds(self.terms)
        if (low is not None and low > 0) or (high is not None and high < 0):
            return True
        self._refuse("bool()")

    def __int__(self) -> int:
        self._refuse("int()")

    def __index__(self) -> int:
        self._refuse("the integer value")

    def __float__(self) -> float:
        self._refuse("float()")

    def __truediv__(self, other: object) -> Any:
        if isinstance(other, (int, float, Dim)):
            self._refuse("a quotient")
        return NotImplemented  # a Tensor takes the size as the op `size`

    __rtruediv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __divmod__ = __truediv__

    def names(self) -> frozenset[str]:
        """The names of the sizes that it is made of."""
        found: set[str] = set()
        for monomial in self.terms:
            for atom in monomial:
                found |= {atom} if isinstance(atom, str) else atom[1].names()
        return frozenset(found)

    def __repr__(self) -> str:
        text = ""
        for m, c in sorted(self.terms.items(), key=lambda item: (-len(item[0]), str(item[0]))):
            factors = [a if isinstance(a, str) else f"({a[1]}//{a[2]})" for a in m]
            if abs(c) != 1 or not factors:
                factors.insert(0, str(abs(c)))
            text += (" - " if c < 0 else " + ") + "*".join(factors)
        return text[3:] if text.startswith(" + ") else "-" + text[3:]


Size = int | Dim
Shape = tuple[Any, ...]


def _terms(value: object) -> dict[Monomial, int] | None:
    if isinstance(value, Dim):
        return value.terms
    if isinstance(value, int):
        return {(): int(value)}
    return None


def _bounds(terms: Mapping[Monomial, int]) -> tuple[int | None, int | None]:
    """Lowest and highest value over all sizes >= 1; None where unbounded or not known."""
    constant = terms.get((), 0)
    lows: list[tuple[int, int]] = []  # coefficient, and lowest value of its monomial
    for monomial, c in terms.items():
        if monomial:
            atoms = [1 if isinstance(a, str) else _lowest(a[1], a[2]) for a in monomial]
            if any(low is None or low < 0 for low in atoms):
                return None, None
            lows.append((c, math.prod(low for low in atoms if low is not None)))
    if not lows:
        return constant, constant
    if all(c > 0 for c, _ in lows):
        return constant + sum(c * low for c, low in lows), None
    if all(c < 0 for c, _ in lows):
        return None, constant + sum(c * low for c, low in lows)
    return None, None


def _lowest(dim: Dim, divisor: int) -> int | None:
    """Lowest value of ``dim // divisor``, if known."""
    low = _bounds(dim.terms)[0]
    return None if low is None else low // divisor


def same_size(a: Size, b: Size) -> bool:
    """Whether two sizes are equal for every value of the symbols; never raises."""
    if type(a) is Dim and type(b) is Dim:
        return a.terms == b.terms
    return type(a) is not Dim and type(b) is not Dim and a == b


def same_shape(a: Sequence[Size], b: Sequence[Size]) -> bool:
    """Whether two shapes are equal for every value of the symbols; never raises."""
    return len(a) == len(b) and all(map(same_size, a, b))


def concrete(shape: Iterable[Size]) -> bool:
    """Whether no size in the shape is symbolic."""
    return not any(type(n) is Dim for n in shape)


def size_of(shape: Sequence[Size], axes: Iterable[int] | None = None) -> Size:
    """Number of elements, over all axes or over the given ones."""
    total: Size = 1
    for n in shape if axes is None else [shape[a] for a in axes]:
        total = total * n
    return total


def bind(value: Any, sizes: Mapping[str, Any]) -> Any:
    """Put numbers (or other sizes) for the names: in a Dim, or in a (nested) tuple that holds Dims.

    Examples
    --------
    >>> bind((Dim("B") + 1, 3), {"B": 4})
    (5, 3)
    """
    if type(value) is Dim:
        total: Any = 0
        for m, c in value.terms.items():
            for atom in m:
                c *= sizes[atom] if isinstance(atom, str) else bind(atom[1], sizes) // atom[2]
            total += c
        return total
    if type(value) is tuple:
        return tuple([bind(v, sizes) for v in value])
    return value


def unify(declared: Sequence[Size], actual: Sequence[Size], sizes: dict[str, Any], where: str) -> None:
    """Learn the sizes that make ``declared`` equal to ``actual``, or raise ShapeError."""
    if len(declared) != len(actual):
        raise ShapeError(f"{where}: expected {len(declared)} axes {tuple(declared)}, got shape {tuple(actual)}")
    for axis, (want, got) in enumerate(zip(declared, actual, strict=True)):
        if type(want) is Dim:
            new = want.names() - sizes.keys()
            if want.terms == {(name,): 1 for name in new} and len(new) == 1:
                (name,) = new
                if type(got) is int and got < 1:
                    raise ShapeError(f"{where}: axis {axis} has size {got}; the symbolic size {name} is at least 1")
                sizes[name] = got
                continue
            if len(new) == 1 and type(got) is int and (solved := _solve(want, got, sizes)) is not None:
                sizes[min(new)] = solved
                continue
            if new:
                continue  # a later axis may name them; checked once all are known
            want = bind(want, sizes)
        if not same_size(want, got):
            raise ShapeError(f"{where}: axis {axis} has size {got}, expected {declared[axis]} = {want}")


def _solve(dim: Dim, value: int, sizes: Mapping[str, int]) -> int | None:
    """The one unknown size that makes ``dim`` equal to ``value``, if it is linear in it."""
    slope, constant = 0, 0
    for monomial, c in dim.terms.items():
        unknown = [a for a in monomial if not (isinstance(a, str) and a in sizes)]
        for a in monomial:
            c *= sizes.get(a, 1) if isinstance(a, str) else 1
        if not unknown:
            constant += c
        elif len(unknown) == 1 and isinstance(unknown[0], str):
            slope += c
        else:
            return None
    if slope == 0 or (value - constant) % slope:
        return None
    found = (value - constant) // slope
    return found if found >= 1 else None


def as_shape(given: Any, where: str) -> Shape:
    """A shape from an integer, a Dim, or a sequence of them."""
    items = given if isinstance(given, (tuple, list)) else (given,)
    try:
        return tuple(n if isinstance(n, Dim) else operator.index(n) for n in items)
    except TypeError:
        raise ShapeError(f"{where}: a shape is made of integers, got {given!r}") from None


def as_integer(given: Any, where: str, what: str) -> int:
    """An integer argument, or ShapeError."""
    try:
        return operator.index(given)
    except TypeError:
        raise ShapeError(f"{where}: {what} must be an integer, got {given!r}") from None


def normalize_axis(axis: Any, ndim: int, where: str) -> int:
    """A non-negative axis, or ShapeError."""
    try:
        k = operator.index(axis)
    except TypeError:
        raise ShapeError(f"{where}: axis must be an integer, got {axis!r}") from None
    if not -ndim <= k < ndim:
        raise ShapeError(f"{where}: axis {k} is out of range for {ndim} axes (-{ndim} to {ndim - 1})")
    return k % ndim


def normalize_axes(axis: Any, ndim: int, where: str) -> tuple[int, ...]:
    """Sorted non-negative axes; None means all."""
    if axis is None:
        return tuple(range(ndim))
    given = axis if isinstance(axis, (tuple, list)) else (axis,)
    axes = tuple(sorted(normalize_axis(a, ndim, where) for a in given))
    if len(set(axes)) != len(axes):
        raise ShapeError(f"{where}: axis {axis!r} names an axis twice")
    return axes


def reduced(shape: Sequence[Size], axes: Sequence[int], keepdims: bool) -> Shape:
    """The shape after a reduction over the axes."""
    if keepdims:
        return tuple(1 if k in axes else n for k, n in enumerate(shape))
    return tuple(n for k, n in enumerate(shape) if k not in axes)


def broadcast(*shapes: Sequence[Size]) -> Shape:
    """NumPy's broadcast of the shapes; sizes that are symbolic must be equal, or meet a 1."""
    ndim = max(map(len, shapes), default=0)
    result: list[Size] = []
    for k in range(-ndim, 0):
        size: Size = 1
        for shape in shapes:
            n = shape[k] if -k <= len(shape) else 1
            if (type(n) is int and n == 1) or same_size(n, size):
                continue
            if type(size) is int and size == 1:
                size = n
                continue
            listed = " and ".join(str(tuple(s)) for s in shapes)
            raise ShapeError(f"shapes {listed} do not broadcast; reshape one of them, or insert an axis of size 1")
        result.append(size)
    return tuple(result)


def quotient(total: Size, part: Size) -> Size | None:
    """The size q with part * q == total for every value of the symbols, or None.

    Examples
    --------
    >>> quotient(6 * Dim("B"), 2 * Dim("B")), quotient(7, 2)
    (3, None)
    """
    numerator, denominator = _terms(total) or {}, _terms(part) or {}
    if len(denominator) != 1:
        return None
    ((divisor, scale),) = denominator.items()
    result: dict[Monomial, int] = {}
    for monomial, c in numerator.items():
        rest = list(monomial)
        for atom in divisor:
            texts = [str(a) for a in rest]  # equality of sizes may be undecided; that of texts is not
            if str(atom) not in texts:
                return None
            del rest[texts.index(str(atom))]
        if scale == 0 or c % scale:
            return None
        result[tuple(rest)] = c // scale
    return Dim._of(result)
