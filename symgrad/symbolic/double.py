r"""Double backward: the derivation of a gradient, taken as a function of its own.

With the cotangent g of the output and a direction v, the function is
:math:`\langle v, \partial \langle g, f \rangle / \partial x \rangle`; what `derive` makes of it has proofs and NumPy
source as any other derivation has.
"""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

from symgrad.differentiate import vjp
from symgrad.ops.reduction import sum as total
from symgrad.shapes import Dim
from symgrad.symbolic.emit import unused
from symgrad.tracing import spec

if TYPE_CHECKING:
    from symgrad.symbolic.derivation import Derivation

__all__ = ["double_of"]


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
