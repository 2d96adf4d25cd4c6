r"""Piecewise functions as polynomials in steps, $[p > 0]$, which are 1 where $p$ is positive and 0 elsewhere.

$\max(x, y) = y + (x - y)\,[x - y > 0]$, a condition is 0 or 1, "and" is a product. Steps are idempotent, and one of an
expression that holds other steps is taken apart by them. Where a step depends on what is differentiated, the result is
true off the set $p = 0$, which goes into the ledger of the domain: there the step jumps, and only there.

Examples
--------
>>> from symgrad.symbolic.program import Program
>>> p = Program()
>>> x = p.leaf("x")
>>> (p.call("maximum", [x, p.number(0)]).poly - x.poly * step(p, x).poly).constant()
0
>>> list(p.domain.values()), p.mul([step(p, x), step(p, x)]).poly == step(p, x).poly
([None], True)
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

from symgrad.errors import SymbolicError
from symgrad.symbolic.compact import compact
from symgrad.symbolic.expr import Call
from symgrad.symbolic.factors import Monomial, Number, Var
from symgrad.symbolic.normal import ONE, ZERO, Poly
from symgrad.symbolic.rewrite import substitute, variables

if TYPE_CHECKING:
    from symgrad.symbolic.program import Program, Value

__all__ = ["PIECEWISE", "step"]


def step(program: Program, value: Value) -> Value:
    """1 where the value is positive, else 0."""
    from symgrad.symbolic.program import NONNEGATIVE, POSITIVE, Value

    p = _opened(program, program.reduce(value.poly))
    constant = p.constant()
    if constant is not None or value.sign == POSITIVE:
        return program.number(int(value.sign == POSITIVE or bool(constant and constant > 0)))
    inner = next((v for v, _ in variables(p) if v.name in program.binary), None)
    if inner is not None:
        return _taken_apart(program, p, inner)
    moving = _moves(program, p)
    p, negative = _unit(p)
    if p.constant() is not None:
        return program.number(int(not negative))
    flip = negative and moving
    if negative and not moving:
        p = -p
    if moving:
        program.domain[compact(p), "!= 0"] = None
    var = program.intern("Step", (p,), "step", Value(ZERO, Call("Step", (compact(p),)), NONNEGATIVE))
    program.binary.add(var.name)
    known = Poly({((var, 1),): 1})
    return Value(ONE - known if flip else known, None, NONNEGATIVE)


def _taken_apart(program: Program, p: Poly, inner: Var) -> Value:
    """The step where the inner one is 1, and where it is 0."""
    from symgrad.symbolic.program import Value

    first, other = (
        program.reduce(substitute(p, lambda v, e, c=c: Poly({(): 1} if c else {}) if v == inner else None))  # type: ignore[misc]
        for c in (1, 0)
    )
    if any(v == inner for v, _ in variables(first)):
        raise SymbolicError("a condition depends on a sum of conditions; give the function without it")
    switch = Value(Poly({((inner, 1),): 1}))
    return _choose(program, switch, step(program, Value(first)), step(program, Value(other)))


def _opened(program: Program, p: Poly) -> Poly:
    """The expression with the definitions put in that hold steps: it is continuous but for those it shows."""
    for name in reversed(list(program.lets)):
        if any(v.name == name for v, _ in variables(p)) and name not in program.binary and _jumps(program, name):
            if program.lets[name].call or any(e != int(e) or e < 0 for v, e in variables(p) if v.name == name):
                raise SymbolicError(
                    "a condition depends on a function, root or quotient of another condition; give the pieces apart, "
                    "with sg.where around the whole of each"
                )
            p = substitute(p, lambda v, e, n=name: program.local(v).power(int(e)) if v.name == n else None)  # type: ignore[misc]
    return program.reduce(p)


def _jumps(program: Program, name: str) -> bool:
    """Whether a definition holds a step."""
    let = program.lets.get(name)
    if let is None or name in program.binary:
        return name in program.binary
    inside = let.call[1] if let.call else (let.poly,)
    return any(_jumps(program, n) for q in inside for n in program.uses(q))


def _moves(program: Program, p: Poly) -> bool:
    """Whether an expression depends on what may be differentiated; what is only computed has no known edges."""
    seen: set[str] = set()
    queue = [v.name for v, _ in variables(p)]
    while queue:
        name = queue.pop()
        if name not in seen:
            seen.add(name)
            let = program.lets.get(name)
            if let is not None and let.op is not None:
                raise SymbolicError(
                    f"{let.op.name}: a condition depends on this value, which is only computed, so it is not known "
                    "where the condition changes; write the condition with sums, means and elementwise functions"
                )
            for q in (let.call[1] if let.call else (let.poly,)) if let is not None else ():
                queue.extend(v.name for v, _ in variables(q))
    return bool(seen & (program.leaves.keys() - program.constants))


def _unit(p: Poly) -> tuple[Poly, bool]:
    """The expression without positive factors that all of its terms have, and whether its sign was changed."""
    powers = [dict(m) for m in p.terms]
    shared = [f for f in powers[0] if f.rank == 0 and f.positive and all(f in m for m in powers)]
    inverse: dict[Monomial, Number] = {tuple(sorted((f, -min(m[f] for m in powers)) for f in shared)): 1}
    p = p * Poly(inverse)
    c = Fraction(p.terms[min(p.terms)])
    return p.scale(1 / c), c < 0


# the functions ---------------------------------------------------------------------------------------------------


def _difference(program: Program, a: Value, b: Value) -> Value:
    return program.add([a, program.mul([program.number(-1), b])])


def _opposite(program: Program, a: Value) -> Value:
    return _difference(program, program.number(1), a)


def _greater(program: Program, x: Value, y: Value) -> Value:
    from symgrad.symbolic.program import Value

    return step(program, Value(_difference(program, x, y).poly))


def _choose(program: Program, condition: Value, x: Value, y: Value) -> Value:
    from symgrad.symbolic.program import Value

    poly = program.reduce(condition.poly * (x.poly - y.poly) + y.poly)
    return Value(poly, None, min(x.sign, y.sign))


def _truth(program: Program, x: Value) -> Value:
    """A condition; a number is true where it is not 0."""
    if program.reduce(x.poly * x.poly) == program.reduce(x.poly):
        return x
    return _different(program, x, program.number(0))


def _different(program: Program, x: Value, y: Value) -> Value:
    return program.add([_greater(program, x, y), _greater(program, y, x)])


def _maximum(program: Program, x: Value, y: Value) -> Value:
    from symgrad.symbolic.program import Value

    found = _choose(program, _greater(program, x, y), x, y)
    return Value(found.poly, None, max(x.sign, y.sign))


def _both(program: Program, x: Value, y: Value) -> Value:
    return program.mul([_truth(program, x), _truth(program, y)])


PIECEWISE: dict[str, Callable[..., Value]] = {
    "Step": step,
    "maximum": _maximum,
    "minimum": lambda program, x, y: _choose(program, _greater(program, x, y), y, x),
    "where": lambda program, c, x, y: _choose(program, _truth(program, c), x, y),
    "greater": _greater,
    "less": lambda program, x, y: _greater(program, y, x),
    "greater_equal": lambda program, x, y: _opposite(program, _greater(program, y, x)),
    "less_equal": lambda program, x, y: _opposite(program, _greater(program, x, y)),
    "equal": lambda program, x, y: _opposite(program, _different(program, x, y)),
    "not_equal": _different,
    "logical_and": _both,
    "logical_or": lambda program, x, y: _opposite(program, _both(program, _opposite(program, _truth(program, x)),
                                                                 _opposite(program, _truth(program, y)))),
    "logical_not": lambda program, x: _opposite(program, _truth(program, x)),
}  # fmt: skip
"""What each piecewise function is, by the name that ops and NumPy have for it."""
