r"""`diagnose`: what is wrong with a hand-written backward, by comparing it with mutants of the derived formula.

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
dL/dz: your result equals the formula without the term -gamma*u[i]*Sum(g[j]*u[j], (j, 1, B))/(B*sqrt(eps + sigma2))
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from symgrad.errors import SymbolicError
from symgrad.symbolic.checking import random_arrays
from symgrad.symbolic.compact import compact
from symgrad.symbolic.derivation import Derivation, derive
from symgrad.symbolic.normal import Poly

__all__ = ["Diagnosis", "diagnose"]

TOLERANCE = 1e-8  # relative; a wrong formula differs in the first digits


@dataclass(frozen=True)
class Diagnosis:
    """Verdict CORRECT or WRONG; the term in question and a sentence, where a mutant explains the result."""

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
    """
    d = derive(f, **specs)
    arrays = {**random_arrays(d, 0), **d.record.defaults}
    expected = d.backward(**arrays)
    given = _named(d, _called(backward, arrays))
    wrong = [name for name in given if not _equal(given[name], expected[name])]
    if not wrong:
        return Diagnosis("CORRECT", None, f"all of {', '.join(given)} agree with the proved formula")
    name = wrong[0]
    if np.shape(given[name]) != np.shape(expected[name]):
        shapes = f"{np.shape(given[name])}, expected {np.shape(expected[name])}"
        return Diagnosis("WRONG", None, f"dL/d{name}: your result has shape {shapes}")
    for term, sentence, mutant in _mutants(d, name):
        if _equal(given[name], _variant(d, name, mutant).backward(**arrays)[name]):
            return Diagnosis("WRONG", term, f"dL/d{name}: your result equals the formula {sentence}")
    right = d.gradients[name]
    return Diagnosis("WRONG", None, f"dL/d{name}: no single slip explains your result; it should be {right}")


def _called(backward: Callable[..., Any], arrays: Mapping[str, Any]) -> Any:
    parameters = inspect.signature(backward).parameters.values()
    free = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    unknown = [p.name for p in parameters if p.name not in arrays and p.default is p.empty and p.kind not in free]
    if unknown:
        raise SymbolicError(f"diagnose: backward takes {unknown}, which are not known here; it may take {list(arrays)}")
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return backward(**arrays)
    return backward(**{p.name: arrays[p.name] for p in parameters if p.name in arrays})


def _named(d: Derivation, result: Any) -> dict[str, Any]:
    names = list(d.record.arguments)
    if not isinstance(result, Mapping):
        parts = result if isinstance(result, tuple) else (result,)
        result = dict(zip(names, parts, strict=False))
    unknown = sorted(set(result) - set(names))
    if unknown or not result:
        raise SymbolicError(f"diagnose: backward returned {unknown or 'nothing'}; the arguments are {names}")
    return {name: np.asarray(result[name]) for name in names if name in result}


def _equal(a: Any, b: Any) -> bool:
    return np.shape(a) == np.shape(b) and bool(np.all(np.abs(a - b) <= TOLERANCE * (1 + np.max(np.abs(b), initial=0))))


def _variant(d: Derivation, name: str, poly: Poly) -> Derivation:
    """The derivation with another formula for one gradient."""
    variant = Derivation(d.name, d.function, d.record)
    variant.__dict__.update(reader=d.reader, trees={**d.trees, name: compact(poly)})
    return variant


def _mutants(d: Derivation, name: str) -> Iterator[tuple[str, str, Poly]]:
    """One slip each: the term, what is wrong in words, and the formula with the slip."""
    poly = d.polys[name]
    terms = [Poly({m: c}) for m, c in sorted(poly.terms.items())]
    yield str(d.gradients[name]), "with the opposite sign", poly.scale(-1)
    for factor in (2, Fraction(1, 2)):
        yield str(d.gradients[name]), f"times {factor}", poly.scale(factor)
    for term in terms if len(terms) > 1 else []:
        text = str(d.sympy(compact(term), d.record.arguments[name]))
        yield text, f"without the term {text}", poly - term
        yield text, f"with the opposite sign of the term {text}", poly - term.scale(2)
        yield text, f"with the term {text} twice", poly + term
    for parts in ([poly], terms if len(terms) > 1 else []):
        for part in parts:
            yield from _factor_slips(d, name, poly, part)


def _factor_slips(d: Derivation, name: str, poly: Poly, part: Poly) -> Iterator[tuple[str, str, Poly]]:
    shared = set.intersection(*[set(m) for m in part.terms])
    for f, e in sorted(shared):
        if f.rank == 1 or (f.rank == 2 and e != 1):
            continue
        factor = str(d.sympy(compact(Poly({((f, e),): 1})), d.record.arguments[name]))
        without = Poly({tuple([p for p in m if p != (f, e)]): c for m, c in part.terms.items()})
        where = "" if part is poly else f" in the term {d.sympy(compact(part), d.record.arguments[name])}"
        yield factor, f"without the factor {factor}{where}", poly - part + without
