"""``symgrad diagnose``: what is wrong with a backward pass that was written by hand."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from symgrad.cli.deriving import Formulas, Limit, Positive
from symgrad.cli.frame import Answer, MistakeError, command
from symgrad.cli.loading import function_of, guarded, shapes_of

__all__ = ["Shapes", "diagnose"]

Shapes = Annotated[
    list[str] | None, typer.Option("--shape", metavar="ARGUMENT=SIZES", help="Such as z=B,D; once per argument.")
]


@command
def diagnose(
    target: Annotated[str, typer.Argument(metavar="FILE.py:FUNCTION", help="The backward pass, written with NumPy.")],
    *,
    layer: Annotated[str | None, typer.Option(help="What it belongs to: a name, or FILE.py:FUNCTION.")] = None,
    shape: Shapes = None,
    let: Formulas = None,
    positive: Positive = None,
    limit: Limit = 60.0,
) -> Answer:
    """Compare a hand-written backward pass with the proved formula, and name the term that is wrong.

    The function is called by keyword with the arguments of the layer and g, the derivative of the loss by the
    output, as far as it takes them. It returns a dict, a tuple in the order of the arguments, or one array.

    Examples
    --------
      symgrad diagnose mine.py:backward --layer batchnorm
      symgrad diagnose mine.py:backward --layer mine.py:forward --shape z=B,D --shape w=D
    """
    from symgrad.symbolic import diagnose as diagnosed
    from symgrad.symbolic import from_text
    from symgrad.symbolic.limits import time_limit

    if (layer is None) == (not let):
        raise MistakeError("give what the function belongs to: --layer batchnorm, or formulas with --let")
    subject: Any = from_text(*let, positive=positive or []) if let else layer
    if layer is not None and ":" in layer:
        subject = function_of(layer)
    backward = function_of(target)
    specs = _specs(shape or [])
    with time_limit(limit, "diagnose"), guarded(f"calling {target}"):
        found = diagnosed(subject, backward, **specs)
    return Answer(f"{found.verdict}: {found.message}",
                  {"verdict": found.verdict, "term": found.term, "message": found.message}, bool(found))  # fmt: skip


def _specs(shapes: list[str]) -> dict[str, Any]:
    import symgrad as sg

    return {name: sg.spec(*sizes) for name, sizes in shapes_of(shapes).items()}
