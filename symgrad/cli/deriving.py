"""``symgrad derive``: the gradients of a layer or of one's own formulas, in closed form, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from symgrad.cli.frame import Answer, MistakeError, command, write
from symgrad.errors import nearest

__all__ = ["Formulas", "Limit", "Positive", "derivation", "derive"]

Formulas = Annotated[
    list[str] | None,
    typer.Option("--let", metavar="NAME=FORMULA", help="A formula of your own; give the option once per formula."),
]
Positive = Annotated[list[str] | None, typer.Option(metavar="NAME", help="An argument of them that is positive.")]
Limit = Annotated[float, typer.Option(min=0.001, metavar="SECONDS", help="Give up after this time.")]


class Format(StrEnum):
    """How the derivation is printed."""

    text = "text"
    markdown = "markdown"
    latex = "latex"
    html = "html"
    numpy = "numpy"


@command
def derive(
    name: Annotated[str | None, typer.Argument(metavar="[LAYER]", help="A layer of the catalogue.")] = None,
    *,
    let: Formulas = None,
    positive: Positive = None,
    wrt: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only the gradient by this argument.")] = None,
    order: Annotated[int, typer.Option(min=1, max=2, help="2 adds the second derivatives.")] = 1,
    format: Annotated[Format, typer.Option(help="How it is printed.")] = Format.text,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it to a file.")] = None,
    limit: Limit = 60.0,
) -> Answer:
    """Derive gradients in closed form for every size, prove them, explain each step.

    Without a layer and without formulas it lists the catalogue. In formulas, mean(z, i) and sum(z, i)
    run over an index i; write indices where they matter, as in sum(x[i,d]*W[d,c], d).

    Examples
    --------
      symgrad derive batchnorm
      symgrad derive batchnorm --wrt z --format html --out batchnorm.html
      symgrad derive --let "mu = mean(z, i)" --let "c = (z - mu)**2"
    """
    if name is None and not let:
        from symgrad.symbolic import catalogue

        names = catalogue()
        return Answer("The catalogue: " + ", ".join(names) + "\nTry: symgrad derive batchnorm", {"catalogue": names})
    from symgrad.symbolic.limits import time_limit

    with time_limit(limit, "derive"):
        d = derivation(name, let or [], positive or [])
        wanted = _wanted(d, wrt or [])
        shown = _printed(d, wanted, order, format)
        proofs = {n: d.proofs[n].verdict for n in wanted}
        data: dict[str, Any] = {
            "name": d.name,
            "arguments": {n: [str(s) for s in x.shape] for n, x in d.record.arguments.items()},
            "definitions": {n: str(x) for n, x in d.definitions.items()},
            "gradients": {n: str(d.gradients[n]) for n in wanted},
            "proofs": {n: {"verdict": d.proofs[n].verdict, "method": d.proofs[n].method} for n in wanted},
            "assumptions": d.assumptions,
            "domain": d.domain,
        }
        if order == 2:
            pairs = {a: {b: d.second_proof(a, b).verdict for b in d.record.arguments} for a in wanted}
            data["second"] = {a: {b: str(d.second(a, b)) for b in found} for a, found in pairs.items()}
            data["second_proofs"] = pairs
    verdicts = [*proofs.values(), *[v for found in data.get("second_proofs", {}).values() for v in found.values()]]
    right = all(verdict == "PROVED" for verdict in verdicts)
    if out is None:
        return Answer(shown, data, right)
    write(out, shown)
    seen = ", ".join(f"{n} {verdict}" for n, verdict in proofs.items())
    return Answer(f"{seen}\nwritten: {out}", {**data, "written": str(out)}, right)


def derivation(name: str | None, let: Sequence[str], positive: Sequence[str]) -> Any:
    """The derivation of a layer of the catalogue, or of formulas."""
    import symgrad as sg
    from symgrad.symbolic import from_text

    if name is not None and let:
        raise MistakeError(f"give a layer ({name}) or formulas (--let), not both")
    if name is None:
        return sg.derive(from_text(*let, positive=positive))
    if positive:
        raise MistakeError("--positive belongs to the formulas of --let")
    return sg.derive(name)


def _wanted(d: Any, wrt: Sequence[str]) -> list[str]:
    known = list(d.record.arguments)
    for name in wrt:
        if name not in known:
            raise MistakeError(
                f"{d.name} has no argument {name!r}{nearest(name, known)}; its arguments are {', '.join(known)}"
            )
    return [n for n in known if n in wrt or not wrt]


def _printed(d: Any, wanted: list[str], order: int, format: Format) -> str:
    from symgrad.symbolic import pages
    from symgrad.symbolic.lecture import lecture

    if format is Format.numpy:
        return str(d.numpy_source)
    printer = {Format.text: pages.text, Format.markdown: pages.markdown, Format.latex: pages.latex,
               Format.html: pages.html}[format]  # fmt: skip
    return printer(d, lecture(d, wanted, order))
