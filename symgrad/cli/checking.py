"""``symgrad check``: a function's gradients against numeric differentiation."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer

from symgrad.cli.diagnosing import Shapes
from symgrad.cli.frame import Answer, MistakeError, command
from symgrad.cli.loading import function_of, guarded, shapes_of
from symgrad.errors import SymgradError, nearest

__all__ = ["check"]

SIZES = (4, 3, 5, 2)  # of names, in order of appearance
TRIED = ((4, 3), (4,), ())  # shapes for arguments without one, until the function runs


@command
def check(
    target: Annotated[str, typer.Argument(metavar="FILE.py:FUNCTION", help="A function of symgrad's ops.")],
    *,
    shape: Shapes = None,
    order: Annotated[
        int | None, typer.Option(min=1, max=2, help="Up to which order of derivatives: 2, or 1 with --backward.")
    ] = None,
    backward: Annotated[
        str | None, typer.Option(metavar="FILE.py:FUNCTION", help="Check this hand-written backward instead.")
    ] = None,
    seed: int,
) -> Answer:
    """Check the gradients of a function against numeric ones at random points.

    Without --shape, all arguments get the shape (4, 3), or else (4,), or else (): the first that runs.

    Examples
    --------
      symgrad check mine.py:loss
      symgrad check mine.py:loss --shape x=B,D --shape w=D --order 1
    """
    import symgrad as sg

    function = function_of(target)
    hand = function_of(backward) if backward else None
    with guarded(f"calling {target}"):
        arrays = _inputs(function, shapes_of(shape or []), seed)
        report = sg.gradcheck(function, arrays, order=order or (1 if hand else 2), backward=hand)
    shapes = ", ".join(f"{n} of shape {x.shape}" for n, x in arrays.items())
    text = f"{report}\nchecked with {shapes}"
    return Answer(text, {"verdict": report.verdict, "report": str(report), "seed": seed}, bool(report))


def _inputs(function: Callable[..., Any], shapes: dict[str, Any], seed: int) -> dict[str, Any]:
    """Random arrays for the arguments that have no default."""
    parameters = inspect.signature(function).parameters
    for name in shapes:
        if name not in parameters:
            raise MistakeError(f"the function has no argument {name!r}{nearest(name, parameters)}")
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [n for n, p in parameters.items() if n in shapes or (p.default is p.empty and p.kind not in variadic)]
    if not needed:
        raise MistakeError("the function has no arguments without a default; name one with --shape")
    problem: Exception | None = None
    for arrays in _candidates(needed, shapes, seed):
        try:
            function(**arrays)
        except (SymgradError, ValueError) as error:  # shapes that do not fit
            problem = problem or error
        else:
            return arrays
    raise MistakeError(f"{problem}; give the shapes of the arguments, such as --shape {needed[0]}=B,D")


def _candidates(names: list[str], shapes: dict[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    import numpy as np

    sizes: dict[str, int] = {}
    for given in shapes.values():
        for size in given:
            if isinstance(size, str):
                sizes.setdefault(size, SIZES[len(sizes) % len(SIZES)])
    for shape in TRIED if set(names) - shapes.keys() else TRIED[:1]:
        rng = np.random.default_rng(seed)
        yield {n: rng.normal(size=[sizes.get(s, s) for s in shapes.get(n, shape)]) for n in names}
