r"""Double backward: the derivation of a gradient, taken as a function of its own.

With the cotangent g of the output and a direction v, the function is
:math:`\langle v, \partial \langle g, f \rangle / \partial x \rangle`; what `derive` makes of it has proofs and NumPy
source as any other derivation has. Second derivatives are proved by it.
"""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

from symgrad.differentiate import vjp
from symgrad.errors import TimeLimitError
from symgrad.ops.reduction import sum as total
from symgrad.shapes import Dim
from symgrad.symbolic.limits import part_of_limit
from symgrad.symbolic.normal import Poly, rename
from symgrad.symbolic.proof import Certificate
from symgrad.symbolic.sharing import unused
from symgrad.symbolic.structure import indices_of
from symgrad.tracing import spec

if TYPE_CHECKING:
    from symgrad.symbolic.derivation import Derivation

__all__ = ["asymmetry", "double_of", "second_proof_of"]


def double_of(d: Derivation, name: str) -> Derivation:
    """The derivation of the gradient of one argument, multiplied by a direction ``v``."""
    from symgrad.symbolic.derivation import derive

    record, f = d.record, d.record.function
    options = {n: x for n, x in f.keywords.items() if isinstance(x, Dim)} if isinstance(f, partial) else {}
    given = {**record.arguments, **record.held}
    cotangent = record.cotangent.name
    direction = unused("v", {*given, *record.constants, cotangent})

    def product(**values: Any) -> Any:
        g, v, x = values.pop(cotangent), values.pop(direction), values.pop(name)
        (gradient,) = vjp(lambda x: f(**{name: x}, **values), x)[1](g)
        return total(gradient * v)

    product.__name__ = f"{d.name}_double_backward"
    names = {**given, cotangent: record.cotangent, direction: record.arguments[name]}
    own = [inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY) for n in (*names, *options)]
    numbers = [inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, default=x) for n, x in record.defaults.items()]
    product.__signature__ = inspect.Signature([*own, *numbers])  # type: ignore[attr-defined]
    shapes = {n: spec(*x.shape, dtype=x.dtype, positive=n in given and x.meta.positive) for n, x in names.items()}
    return derive(product, **shapes, **options)


def second_proof_of(d: Derivation, first: str, second: str) -> Certificate:
    """`Derivation.second_proof`, each unordered pair proved once."""
    names = list(d.record.arguments)
    try:
        with part_of_limit(0.5):
            if names.index(first) > names.index(second) and not asymmetry(d, first, second):
                first, second = second, first
            return d.double(first).proof(second)
    except TimeLimitError:
        return Certificate("UNKNOWN", "the time was over before it was proved", d.assumptions)


def asymmetry(d: Derivation, first: str, second: str) -> Poly:
    """The second derivative minus that of the other order; zero where the second derivatives are continuous."""
    (poly, at), (other, other_at) = d.second_poly(first, second), d.second_poly(second, first)
    own, other_own = (indices_of(d.record.arguments[n].shape) for n in (first, second))
    back = dict(zip([*other_own, *other_at], [*at, *own], strict=True))
    return d.program.reduce(poly - rename(other, back))
