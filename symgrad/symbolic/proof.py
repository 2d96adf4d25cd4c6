r"""Proofs that two expressions are equal for every size and every real input, and counterexamples where they are not.

The difference is rewritten with the program's theorems; if that does not empty it, definitions are expanded to the
leaves, with every power $h^e$ of a named base brought to the lowest exponent of its class (integer or fractional).
An empty map is a proof. Otherwise small sizes and random rationals are tried in exact or interval arithmetic: a value
that cannot be zero refutes. What is neither is UNKNOWN. Sampling is never called proof.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite
from typing import Any

from symgrad.errors import SymbolicError
from symgrad.symbolic.exact import Evaluator, Intervals, Rationals, size_at
from symgrad.symbolic.factors import Factor, Number, Var
from symgrad.symbolic.indices import Index
from symgrad.symbolic.normal import ONE, ZERO, Poly, number, rename, variable
from symgrad.symbolic.program import Let, Program
from symgrad.symbolic.rewrite import free_indices, partial_fractions, positive_root, substitute, variables

__all__ = ["Certificate", "expand", "prove_zero", "shown_zero"]

LARGEST = 6  # sizes tried for a counterexample
POINTS = 3  # random points per choice of sizes
MOST = 4000  # elements at most, over all arguments, of a point


@dataclass(frozen=True)
class Certificate:
    """What was shown about a difference, how, and under which assumptions."""

    verdict: str  # "PROVED", "FALSE" or "UNKNOWN"
    method: str
    assumptions: tuple[str, ...] = ()
    counterexample: Mapping[str, Any] | None = None

    def __bool__(self) -> bool:
        return self.verdict == "PROVED"


def prove_zero(program: Program, difference: Poly, assumptions: tuple[str, ...] = ()) -> Certificate:
    """Whether the expression is zero for all sizes and all inputs."""
    method = shown_zero(program, difference)
    if method is not None:
        return Certificate("PROVED", method, assumptions)
    found = counterexample(program, difference)
    if found is not None:
        return Certificate("FALSE", "a point where the difference is not zero", assumptions, found)
    return Certificate("UNKNOWN", "neither a proof nor a counterexample was found", assumptions)


def shown_zero(program: Program, difference: Poly) -> str | None:
    """How the expression was shown to be zero, or None where it was not, or is too long to expand."""
    if not program.reduce(difference):
        return "equal normal forms, by the definitions solved and their invariants"
    try:
        left = program.reduce(_without_adjoints(program, difference))
        if not left:
            return "equal normal forms, by the definitions solved and their invariants"
        for var, value in program.rules.values():
            left = program.reduce(partial_fractions(left, var, value))
        if not left:
            return "equal normal forms, by the definitions solved, their invariants and partial fractions"
        known: Known = {}
        zero = not program.reduce(_without_secants(expand(program, left, known), known))
        return "equal after expanding every definition to the arguments" if zero else None
    except SymbolicError:
        return None


def _without_adjoints(program: Program, poly: Poly) -> Poly:
    """Put in the definitions of named cotangents."""
    for name in [n for n in reversed(program.lets) if n in program.adjoints]:
        poly = substitute(poly, lambda v, e, n=name: program.local(v).power(int(e)) if v.name == n else None)  # type: ignore[misc]
    return poly


# expanding -------------------------------------------------------------------------------------------------------


Known = dict[str, tuple[str, list[Poly]]]  # function and arguments by the name of the variable that stands for them


def expand(program: Program, poly: Poly, atoms: Known | None = None) -> Poly:
    """The expression in terms of arguments, function values, and lowest powers of named bases."""
    known: Known = {} if atoms is None else atoms
    for let in reversed(list(program.lets.values())):
        exponents = [e for v, e in variables(poly) if v.name == let.var.name]
        if exponents and let.op is None:
            body = _function(program, let, known) if let.call else let.poly
            poly = _expand_var(poly, let, body, exponents)
    return _squares(poly, known)


def _without_secants(poly: Poly, known: Known) -> Poly:
    r"""The expression times powers of cosines, so that it has no $1/\cos$: zero if and only if it was zero."""
    for f in sorted({f for m in poly.terms for f, e in m if f.rank == 0 and e < 0 and _is(known, f, "cos")}):
        lowest = min(dict(m).get(f, 0) for m in poly.terms)
        poly = poly * Poly({((f, -lowest),): 1})
    return _squares(poly, known)


def _squares(poly: Poly, known: Known) -> Poly:
    r"""The expression with $\cos^2 = 1 - \sin^2$ and $|a|^2 = a^2$."""

    def replace(var: Var, e: Number) -> Poly | None:
        if e != int(e) or e < 2:
            return None
        pairs, left = divmod(int(e), 2)
        if _is(known, var, "cos"):
            sine = _atom("sin", [_at(known[var.name][1][0], var)], known)
            square = ONE - sine * sine
        elif _is(known, var, "Abs"):
            square = _at(known[var.name][1][0], var).power(2)
        elif _is(known, var, "Step"):
            return Poly({((var, 1),): 1})
        else:
            return None
        return square.power(pairs) * Poly({((var, left),): 1} if left else {(): 1})

    return substitute(poly, replace)


def _is(known: Known, var: Var, function: str) -> bool:
    return var.name in known and known[var.name][0] == function


def _expand_var(poly: Poly, let: Let, body: Poly, exponents: list[Number]) -> Poly:
    lowest: dict[Number, Number] = {}
    for e in exponents:
        part = e - e.__floor__()
        lowest[part] = min(lowest.get(part, part), e)

    def replace(var: Var, e: Number) -> Poly | None:
        if var.name != let.var.name:
            return None
        at = rename(body, dict(zip(let.var.indices, var.indices, strict=True)))
        direct = positive_root(at, e)
        if direct is not None:
            return direct
        low = lowest[e - e.__floor__()]
        base = Poly({((var, low),): 1}) if low else ONE
        return base * at.power(int(e - low)) if e != low else None

    changed = substitute(poly, replace)
    return _common_power(changed, let, body, lowest.get(0, 0))


def _common_power(poly: Poly, let: Let, body: Poly, low: Number) -> Poly:
    """Terms without the power ``low`` of the base get it: $1 = h^{-n} h^n$, the second one multiplied out."""
    if low >= 0:
        return poly
    present = {f for m in poly.terms for f, e in m if f.rank == 0 and f.name == let.var.name and e == low}
    for f in sorted(present):
        at = rename(body, dict(zip(let.var.indices, f.indices, strict=True)))
        factor = Poly({((f, low),): 1}) * at.power(int(-low))
        total = ZERO
        for monomial, c in poly.terms.items():
            own = next((e for g, e in monomial if g == f), 0)
            term = Poly({monomial: c})
            total = total + (term * factor if own == 0 else term)
        poly = total
    return poly


def _function(program: Program, let: Let, known: Known) -> Poly:
    """A function value in canonical form: exp of a sum is a product, log of a positive product is a sum."""
    assert let.call is not None
    name, args = let.call
    flat = [expand(program, a, known) for a in args]
    if name == "exp":
        product = ONE
        for monomial, c in sorted(flat[0].terms.items()):
            product = product * _power_of(_atom("exp", [Poly({monomial: 1})], known), c)
        return product
    if name == "log":
        return _logarithm(program, flat[0], known)
    if name == "tan":
        return _atom("sin", flat, known) * _power_of(_atom("cos", flat, known), -1)
    return _atom(name, flat, known)


def _power_of(atom: Poly, e: Number) -> Poly:
    powered = positive_root(atom, e)
    assert powered is not None, "an exponential is positive, and -1 is an integer"
    return powered


def _logarithm(program: Program, arg: Poly, known: Known) -> Poly:
    pair = arg.single()
    assumed = program.assumptions
    if pair is None or pair[1] <= 0 or not all(_positive(f) or Poly({((f, 1),): 1}) in assumed for f, _ in pair[0]):
        return _atom("log", [arg], known)
    total = _atom("log", [number(pair[1])], known) if pair[1] != 1 else ZERO
    for f, e in pair[0]:
        exponential = _is(known, f, "exp")
        part = _at(known[f.name][1][0], f) if exponential else _atom("log", [Poly({((f, 1),): 1})], known)
        total = total + part.scale(e)
    return total


def _positive(f: Factor) -> bool:
    return f.rank == 0 and bool(f.positive)


def _at(poly: Poly, var: Var) -> Poly:
    return rename(poly, {Index(f"?{k}", i.size): i for k, i in enumerate(var.indices)})


def _atom(name: str, args: list[Poly], known: Known) -> Poly:
    """A variable that stands for this function of these arguments, the same one for equal arguments."""
    order: dict[Index, Index] = {}
    for a in args:
        for monomial in sorted(a.terms):
            for i in sorted(free_indices(monomial)):
                order.setdefault(i, Index(f"?{len(order)}", i.size))
    abstract = [rename(a, order) for a in args]
    text = f"{name}({', '.join(map(repr, abstract))})"
    known[text] = (name, abstract)
    return variable(text, *order, positive=name in ("exp", "Abs", "pow", "cosh"))


# refuting --------------------------------------------------------------------------------------------------------


def counterexample(program: Program, difference: Poly) -> dict[str, Any] | None:
    """Smallest sizes, and rational arguments, at which the expression is surely not zero."""
    arguments = _arguments(program, [difference, *program.assumptions])
    if any(v.name in program.unknown for v in arguments):
        return None  # it may well be zero for the value that it really has
    free = sorted(free_indices(difference))
    names = sorted(_size_names(arguments, difference, program))
    for sizes in _choices(names):
        rng = random.Random(repr(sizes))
        if any(size_at(i.size, sizes) < 1 for v in arguments for i in v.indices):
            continue
        for _ in range(POINTS):
            point = _point(program, arguments, sizes, rng)
            if len(point) > MOST:
                break
            if not _assumed(program, sizes, point):
                continue
            for at in itertools.product(*[range(size_at(i.size, sizes)) for i in free]):
                value = _nonzero(program, difference, sizes, point, dict(zip(free, at, strict=True)))
                if value is not None:
                    return _report(sizes, arguments, point, dict(zip(free, at, strict=True)), value)
    return None


def _arguments(program: Program, polys: list[Poly]) -> list[Var]:
    """The leaves that expressions depend on, also through definitions."""
    seen: dict[str, Var] = {}
    queue = [v for poly in polys for v, _ in variables(poly)]
    while queue:
        v = queue.pop()
        if v.name in seen or v.name.isdigit() or v.name == "pi":
            continue
        let = program.lets.get(v.name)
        seen[v.name] = v if let else program.leaves.get(v.name, v)
        for p in (let.call[1] if let.call else (let.poly,)) if let else ():
            queue.extend(w for w, _ in variables(p))
    return sorted([v for v in seen.values() if v.name not in program.lets])


def _size_names(arguments: list[Var], difference: Poly, program: Program) -> set[str]:
    found = {n for v in arguments for i in v.indices for names, _ in i.size for n in names}
    found |= {n for v in arguments if v.name in program.labels for names, _ in program.labels[v.name] for n in names}
    plain = {v.name for v in arguments if not v.indices and v.positive and v.name not in program.leaves}
    found |= plain & program.reserved
    queue: list[Any] = [f for m in difference.terms for f, _ in m]
    for f in queue:
        if f.rank == 2:
            found |= {n for i in f.bound for names, _ in i.size for n in names}
    return found


def _choices(names: list[str]) -> Iterator[dict[str, int]]:
    """Sizes, smallest first."""
    if not names:
        yield {}
        return
    for largest in range(1, LARGEST + 1):
        for values in itertools.product(range(1, largest + 1), repeat=len(names)):
            if max(values) == largest and (len(names) < 3 or largest < 4):
                yield dict(zip(names, values, strict=True))


def _point(program: Program, arguments: list[Var], sizes: Any, rng: random.Random) -> dict[Any, Fraction]:
    point: dict[Any, Fraction] = {}
    for v in arguments:
        if v.name in sizes:
            continue
        for at in itertools.product(*[range(size_at(i.size, sizes)) for i in v.indices]):
            if v.name in program.binary or v.name in program.labels:
                largest = 1 if v.name in program.binary else size_at(program.labels[v.name], sizes) - 1
                point[v.name, at] = Fraction(rng.randint(0, largest))
                continue
            value = Fraction(rng.randint(1, 24), rng.randint(4, 9))
            point[v.name, at] = value if v.positive or rng.random() < 0.5 else -value
    return point


def _nonzero(program: Program, poly: Poly, sizes: Any, point: Any, at: Mapping[Index, int]) -> str | None:
    """The value as text if it is surely not zero."""
    try:
        exact = Evaluator(sizes, point, program, Rationals()).poly(poly, at)
        return str(exact) if exact else None
    except (ValueError, ZeroDivisionError):
        pass
    try:
        value = Evaluator(sizes, point, program, Intervals()).poly(poly, at)
        low, high = float(value.a), float(value.b)
        return str((low + high) / 2) if isfinite(low) and isfinite(high) and low * high > 0 else None
    except (ValueError, ZeroDivisionError, ArithmeticError, TypeError):
        return None


def _assumed(program: Program, sizes: Any, point: Any) -> bool:
    """Whether a point is one that the printed assumptions admit."""
    value = Evaluator(sizes, point, program, Intervals())
    try:
        for poly in program.assumptions:
            free = sorted(free_indices(poly))
            for at in itertools.product(*[range(size_at(i.size, sizes)) for i in free]):
                if not float(value.poly(poly, dict(zip(free, at, strict=True))).a) > 0:
                    return False
    except (ValueError, ArithmeticError, TypeError):
        return False
    return True


def _report(sizes: Any, arguments: list[Var], point: Any, at: Any, value: str) -> dict[str, Any]:
    report: dict[str, Any] = dict(sizes)
    for v in arguments:
        entries = [(k[1], x) for k, x in point.items() if k[0] == v.name]
        if entries:
            report[v.name] = entries[0][1] if not v.indices else {tuple(n + 1 for n in k): x for k, x in entries}
    return {**report, "index": tuple(n + 1 for n in at.values()), "difference": value}
