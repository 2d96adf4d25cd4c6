r"""`diagnose`: what is wrong with a hand-written backward, by comparing it with slips in the derived formula.

Slips are changes of the formula that people make: a term forgotten, doubled or with the wrong sign, a factor dropped, a
value treated as a constant that is none. A slip is named only if it gives the result at two random points of
different sizes. A slip that changes nothing (the formula is zero there) is no slip.

Examples
--------
>>> import numpy as np
>>> def backward(z, gamma, beta, eps, g):
...     h = z.var() + eps
...     u = (z - z.mean()) / np.sqrt(h)
...     dz = gamma / np.sqrt(h) * (g - g.mean())  # the term with u is forgotten
...     return dz, (g * u).sum(), g.sum()
>>> found = diagnose("batchnorm", backward)
>>> found.verdict, found.term
('WRONG', '-gamma*u[i]*Sum(g[j]*u[j], (j, 1, B))/(B*sqrt(eps + sigma2))')
>>> print(found.message)
dL/dz: your result equals the formula without the term -gamma*u[i]*Sum(g[j]*u[j], (j, 1, B))/(B*sqrt(eps + sigma2)):
sigma2 is treated as a constant
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from symgrad.errors import SymbolicError
from symgrad.symbolic.chain import shown, stops
from symgrad.symbolic.checking import random_arrays
from symgrad.symbolic.compact import compact
from symgrad.symbolic.derivation import Derivation, derive
from symgrad.symbolic.expr import Expr, Num
from symgrad.symbolic.normal import ZERO, Poly, rename, size_poly, sum_over
from symgrad.symbolic.read import tangents
from symgrad.symbolic.structure import indices_of

__all__ = ["Diagnosis", "diagnose"]

TOLERANCE = 1e-8  # relative; a wrong formula differs in the first digits
SMALL, LARGE = 0.01, 0.3  # a constant such as eps is made large, so that its place in the formula shows


@dataclass(frozen=True)
class Diagnosis:
    """Verdict CORRECT or WRONG; the first term in question, and a sentence for each wrong gradient."""

    verdict: str
    term: str | None
    message: str

    def __bool__(self) -> bool:
        return self.verdict == "CORRECT"


def diagnose(f: Callable[..., Any] | str, backward: Callable[..., Any], /, **specs: Any) -> Diagnosis:
    """Say whether a hand-written backward is right, and if not, which term it gets wrong.

    Parameters
    ----------
    f : callable or str
        What the backward belongs to, as in `derive`.
    backward : callable
        Called by keyword with the arguments of f and g, as far as it takes them; returns a dict, a tuple in the order
        of the arguments, or one array.
    **specs : spec
        As in `derive`.

    Returns
    -------
    Diagnosis

    Raises
    ------
    SymbolicError
        If it takes or returns something that f does not have, or gives two results for the same arguments.
    """
    d = derive(f, **specs)
    points = [_Point(d, backward, seed) for seed in (0, 1)]
    wrong = [name for name in points[0].given if not all(p.agrees(name) for p in points)]
    if not wrong:
        return Diagnosis("CORRECT", None, f"all of {', '.join(points[0].given)} agree with the proved formula")
    found = [_explained(d, name, points) for name in wrong]
    return Diagnosis(
        "WRONG", found[0][0], "\n".join(f"dL/d{n}: {text}" for n, (_, text) in zip(wrong, found, strict=True))
    )


class _Point:
    """One random point: the arrays, what the backward gives there, and what is right."""

    def __init__(self, d: Derivation, backward: Callable[..., Any], seed: int) -> None:
        taken = _parameters(d, backward)
        constants = {n: LARGE if n in taken and 0 < x < SMALL else x for n, x in d.record.defaults.items()}
        self.d, self.arrays = d, {**random_arrays(d, seed, smallest=4 + 3 * seed), **constants}
        self.given = _named(d, self._called(backward, taken))
        again = _named(d, self._called(backward, taken))
        if any(not np.array_equal(x, again[n], equal_nan=True) for n, x in self.given.items()):
            raise SymbolicError(
                "diagnose: backward gives two results for the same arguments; it must not draw or remember"
            )
        self.expected = d.backward(**self.arrays)

    def _called(self, backward: Callable[..., Any], taken: list[str]) -> Any:
        return backward(**{n: np.array(self.arrays[n]) for n in taken})  # copies: it may work in place

    def agrees(self, name: str) -> bool:
        """Whether the gradient is right."""
        return _equal(self.given[name], self.expected[name])

    def explains(self, name: str, poly: Poly) -> bool:
        """Whether a formula with a slip gives what the backward gave."""
        variant = Derivation(self.d.name, self.d.function, self.d.record)
        others: dict[str, Expr] = dict.fromkeys(self.d.trees, Num(0))  # not asked for, so not computed
        variant.__dict__.update(reader=self.d.reader, trees={**others, name: compact(poly)})
        with np.errstate(all="ignore"):
            return _equal(self.given[name], variant.backward(**self.arrays)[name])


def _parameters(d: Derivation, backward: Callable[..., Any]) -> list[str]:
    """Those of the known arguments that the backward takes."""
    known = [*d.record.arguments, *d.record.held, *d.record.defaults, d.record.cotangent.name]
    parameters = inspect.signature(backward).parameters.values()
    free = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    unknown = [p.name for p in parameters if p.name not in known and p.default is p.empty and p.kind not in free]
    if unknown:
        raise SymbolicError(f"diagnose: backward takes {unknown}, which are not known here; it may take {known}")
    every = any(p.kind is p.VAR_KEYWORD for p in parameters)
    return [n for n in known if every or any(p.name == n for p in parameters)]


def _named(d: Derivation, result: Any) -> dict[str, Any]:
    names = list(d.record.arguments)
    if not isinstance(result, Mapping):
        parts = result if isinstance(result, tuple) else (result,)
        if len(parts) > len(names):
            raise SymbolicError(f"diagnose: backward returned {len(parts)} gradients; the arguments are {names}")
        result = dict(zip(names, parts, strict=False))
    unknown = sorted(set(result) - set(names))
    if unknown or not result:
        raise SymbolicError(f"diagnose: backward returned {unknown or 'nothing'}; the arguments are {names}")
    try:
        arrays = {name: np.asarray(result[name]) for name in names if name in result}
        return {name: x.astype(np.float64, casting="same_kind" if x.dtype.kind in "fc" else "unsafe")
                for name, x in arrays.items()}  # fmt: skip
    except (TypeError, ValueError) as error:
        raise SymbolicError(
            f"diagnose: backward returned something that is no array of real numbers ({error})"
        ) from None


def _equal(a: Any, b: Any) -> bool:
    return np.shape(a) == np.shape(b) and bool(np.all(np.abs(a - b) <= TOLERANCE * (1 + np.max(np.abs(b), initial=0))))


# explanations ----------------------------------------------------------------------------------------------------


def _explained(d: Derivation, name: str, points: list[_Point]) -> tuple[str | None, str]:
    """The term in question, and what is wrong, in words."""
    given, expected = points[0].given[name], points[0].expected[name]
    if np.shape(given) != np.shape(expected):
        return None, f"your result has shape {np.shape(given)}, expected {np.shape(expected)}"
    if not np.all(np.isfinite(given)):
        at = tuple(int(k) for k in np.argwhere(~np.isfinite(given))[0])
        return None, f"your result is {given[at]} at index {list(at)}, where {expected[at]:.6g} is right"
    for term, sentence, slip in _slips(d, name):
        if slip != d.polys[name] and all(p.explains(name, slip) for p in points):
            return term, f"your result equals the formula {sentence}"
    return None, f"no single slip explains your result; it should be {d.gradients[name]}"


Slip = tuple[str, str, Poly]  # the term, what is wrong in words, and the formula with the slip


def _slips(d: Derivation, name: str) -> Iterator[Slip]:
    """One slip each, the likely ones first."""
    poly = d.polys[name]
    yield from _constant_slips(d, name, poly)
    whole = str(d.gradients[name])
    yield whole, "with the opposite sign", poly.scale(-1)
    for factor in (2, Fraction(1, 2)):
        yield whole, f"times {factor}", poly.scale(factor)
    terms = [Poly({m: c}) for m, c in sorted(poly.terms.items())]
    for term in terms if len(terms) > 1 else []:
        text = _text(d, name, term)
        yield text, f"without the term {text}", poly - term
        yield text, f"with the opposite sign of the term {text}", poly - term.scale(2)
        yield text, f"with the term {text} twice", poly + term
    for parts in ([poly], terms if len(terms) > 1 else []):
        for part in parts:
            yield from _factor_slips(d, name, poly, part)
            yield from _size_slips(d, name, poly, part)
    for term in terms if len(terms) > 1 else []:
        yield from _power_slips(d, name, poly, term)


def _constant_slips(d: Derivation, name: str, poly: Poly) -> Iterator[Slip]:
    """A value of the forward pass is treated as a constant, so that nothing flows through it."""
    node = d.record.arguments[name]
    moving, at = tangents(d.reader, d.record.forward, node)
    back = dict(zip(at, indices_of(node.shape), strict=True))
    for other in stops(d).values():
        flow = moving.get(other.serial, ZERO)
        if flow and other is not d.record.output and other.serial in d.record.adjoints:
            through = sum_over(flow * d.adjoint(other), *indices_of(other.shape))
            through = d.program.reduce(rename(through, back))
            if through and through != poly:
                label = shown(d, other).name
                text = _text(d, name, through)
                terms = "term" if len(through.terms) == 1 else "terms"
                yield text, f"without the {terms} {text}: {label} is treated as a constant", poly - through


def _factor_slips(d: Derivation, name: str, poly: Poly, part: Poly) -> Iterator[Slip]:
    shared = set.intersection(*[set(m) for m in part.terms]) if part else set()
    for f, e in sorted(shared):
        if f.rank == 1 or (f.rank == 2 and e != 1):
            continue
        factor = _text(d, name, Poly({((f, e),): 1}))
        without = Poly({tuple([p for p in m if p != (f, e)]): c for m, c in part.terms.items()})
        yield factor, f"without the factor {factor}{_where(d, name, poly, part)}", poly - part + without


def _size_slips(d: Derivation, name: str, poly: Poly, part: Poly) -> Iterator[Slip]:
    """A sum in the place of a mean, or the other way round."""
    sizes = {i.size: None for node in d.record.arguments.values() for i in indices_of(node.shape)}
    for size in sizes:
        times = size_poly(size)
        if times.single() is None or not next(iter(times.terms)):
            continue
        label = str(d.sympy(compact(times), ()))
        over = Poly({tuple((f, -e) for f, e in next(iter(times.terms))): 1})
        where = _where(d, name, poly, part)
        yield label, f"times {label}{where}", poly - part + part * times
        yield label, f"divided by {label}{where}", poly - part + part * over


def _power_slips(d: Derivation, name: str, poly: Poly, term: Poly) -> Iterator[Slip]:
    """A factor with another power, such as h in the place of its root."""
    ((monomial, c),) = term.terms.items()
    for k, (f, e) in enumerate(monomial):
        for other in {2 * Fraction(e), Fraction(e) / 2, Fraction(e) + 1, Fraction(e) - 1} - {0}:
            if f.rank == 0 and f.positive and not f.name.isdigit():
                changed = Poly({tuple([*monomial[:k], (f, other), *monomial[k + 1 :]]): c})
                before, after = (_text(d, name, Poly({((f, x),): 1})) for x in (e, other))
                text = _text(d, name, term)
                yield text, f"with {after} in the place of {before} in the term {text}", poly - term + changed


def _where(d: Derivation, name: str, poly: Poly, part: Poly) -> str:
    return "" if part is poly else f" in the term {_text(d, name, part)}"


def _text(d: Derivation, name: str, poly: Poly) -> str:
    return str(d.sympy(compact(poly), d.record.arguments[name]))
