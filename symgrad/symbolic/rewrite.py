r"""Reading and rewriting normal forms: variables, free indices, substitution, and powers of monomials.

Examples
--------
>>> from symgrad.symbolic.indices import index
>>> from symgrad.symbolic.normal import sum_over, variable
>>> i, j = index("i", "B"), index("j", "B")
>>> total = sum_over(variable("a", i), i)
>>> substitute(total, lambda v, e: variable("b", *v.indices) * total)  # the inner sum cannot be captured
1*sum[0](a[0])*sum[0](b[0])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Any

from symgrad.symbolic.factors import (
    Factor,
    Factors,
    Monomial,
    Number,
    Sum,
    Var,
    copies_of,
    indices_of,
    label,
    monomial_of,
    places,
    rename_factor,
)
from symgrad.symbolic.indices import Index, fresh, labels
from symgrad.symbolic.normal import ONE, ZERO, Poly, sum_over

__all__ = ["free_indices", "partial_fractions", "positive_root", "substitute", "sums_of", "variables"]


def free_indices(poly: Poly | Monomial) -> set[Index]:
    """The indices that are not summed."""
    monomials: Iterable[Monomial] = poly.terms if isinstance(poly, Poly) else (poly,)
    return {i for m in monomials for f, _ in m for i in indices_of(f)}


def variables(poly: Poly) -> Iterator[tuple[Var, Number]]:
    """Every variable with its exponent, those under sums and those that are indices included."""
    queue = [pair for m in poly.terms for pair in m]
    while queue:
        f, e = queue.pop()
        if f.rank == 2:
            queue.extend(f.body)
            continue
        if f.rank == 0:
            yield f, e
        queue.extend((label(i), 1) for i in labels(places(f)))


def sums_of(poly: Poly) -> dict[Sum, None]:
    """The sums that occur, in a fixed order."""
    return dict.fromkeys(f for m in sorted(poly.terms) for f, _ in m if f.rank == 2)


def substitute(poly: Poly, replace: Callable[[Var, Number], Poly | None]) -> Poly:
    """Put ``replace(variable, exponent)`` for each power of a variable; None keeps it. Capture is impossible."""
    total = ZERO
    changed = False
    for monomial, c in poly.terms.items():
        kept: Factors = {}
        product: Poly | None = None
        for f, e in monomial:
            new = _substitute_factor(f, e, replace)
            if new is None:
                kept[f] = e
            else:
                product = new if product is None else product * new
        if product is None:
            total = total + Poly({monomial: c})
        else:
            changed = True
            k, rest = monomial_of(kept)
            total = total + Poly({rest: c * k}) * product
    return total if changed else poly


def _substitute_factor(f: Factor, e: Number, replace: Callable[[Var, Number], Poly | None]) -> Poly | None:
    if f.rank == 0:
        return replace(f, e)
    if f.rank == 1:
        return None
    swap = {i: fresh(i.size) for i in f.bound}
    body = Poly({tuple(sorted([(rename_factor(g, swap), d) for g, d in f.body])): 1})
    new = substitute(body, replace)
    return None if new is body else sum_over(new, *swap.values()).power(copies_of(e))


# partial fractions -----------------------------------------------------------------------------------------------


def partial_fractions(poly: Poly, formal: Var, value: Poly) -> Poly:
    r"""No product of a negative power of p and a power of h where $p = a + c h$, also under sums.

    Then $h/p = (1 - a/p)/c$ and $1/(p h) = (1/h - c/p)/a$ have one form only.
    """
    slopes = {m: c for m, c in value.terms.items() if m}
    if len(value.terms) != 2 or len(slopes) != 1 or not (a := Fraction(value.terms.get((), 0))):
        return poly
    (((h, e),), c) = next(iter(slopes.items())) if len(next(iter(slopes))) == 1 else (((None, 0),), 0)
    if h is None or h.rank or e != 1 or h.indices != formal.indices:
        return poly
    return _apart(poly, formal.name, h, a, Fraction(c))


def _apart(poly: Poly, p: str, h: Var, a: Fraction, c: Fraction) -> Poly:
    total = ZERO
    for monomial, k in poly.terms.items():
        product = Poly({tuple([pair for pair in monomial if pair[0].rank != 2]): k})
        for f, e in monomial:
            if f.rank == 2:
                swap = {i: fresh(i.size) for i in f.bound}
                body = Poly({tuple(sorted([(rename_factor(g, swap), d) for g, d in f.body])): 1})
                product = product * sum_over(_apart(body, p, h, a, c), *swap.values()).power(copies_of(e))
        total = total + product
    while True:
        found = next((x for x in map(lambda m: _pair(m, p, h.name), total.terms) if x), None)
        if found is None:
            return total
        monomial, (f, down), (g, up) = found
        rest = Poly({tuple([pair for pair in monomial if pair[0] not in (f, g)]): total.terms[monomial]})
        less, other = Poly({((f, down + 1),): 1}) if down != -1 else ONE, Poly({((f, down),): 1})
        if up > 0:
            near = Poly({((g, up - 1),): 1}) if up != 1 else ONE
            new = (less * near - (other * near).scale(a)).scale(1 / c)
        else:
            near = Poly({((g, up + 1),): 1}) if up != -1 else ONE
            new = (less * Poly({((g, up),): 1}) - (other * near).scale(c)).scale(1 / a)
        total = total - Poly({monomial: total.terms[monomial]}) + rest * new


def _pair(monomial: Monomial, p: str, h: str) -> tuple[Monomial, Any, Any] | None:
    """A negative power of p in a monomial, and a power of h at the same indices."""
    for f, e in monomial:
        if f.rank == 0 and f.name == p and e < 0 and e == int(e):
            for g, d in monomial:
                if g.rank == 0 and g.name == h and g.indices == f.indices and d == int(d):
                    return monomial, (f, e), (g, d)
    return None


# powers ----------------------------------------------------------------------------------------------------------


def positive_root(poly: Poly, exponent: Number) -> Poly | None:
    """A monomial to any rational power where that is sound for real numbers, else None.

    A fractional power needs every factor positive: $(x^2)^{1/2}$ is $|x|$, not $x$.
    """
    pair = poly.single()
    if pair is None:
        return None
    monomial, c = pair
    if exponent == int(exponent):
        if any(f.rank == 2 for f, _ in monomial) and exponent < 0:
            return None
        k, powered = monomial_of({f: (1 if f.rank == 1 else e * exponent) for f, e in monomial})
        return Poly({powered: k * Fraction(c) ** int(exponent)})
    if c < 0 or not all(f.rank == 0 and f.positive for f, _ in monomial):
        return None
    factors: Factors = {f: e * exponent for f, e in monomial}
    for prime, n in _primes(Fraction(c)).items():
        factor = Var(0, str(prime), (), True)
        factors[factor] = factors.get(factor, 0) + n * exponent
    k, powered = monomial_of(factors)
    return Poly({powered: k})


def _primes(value: Fraction) -> dict[int, int]:
    found: dict[int, int] = {}
    for part, sign in ((value.numerator, 1), (value.denominator, -1)):
        divisor = 2
        while part > 1:
            if divisor * divisor > part or divisor > 10_000:
                divisor = part
            while part % divisor == 0:
                found[divisor] = found.get(divisor, 0) + sign
                part //= divisor
            divisor += 1
    return found
