"""``symgrad draw``: pictures of functions, models and layers."""

from __future__ import annotations

import inspect
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from symgrad.cli.frame import Answer, MistakeError, command
from symgrad.cli.loading import function_of, guarded, shapes_of

__all__ = ["draw"]


class Mode(StrEnum):
    """Which passes are drawn."""

    forward = "forward"
    backward = "backward"
    both = "both"


class Format(StrEnum):
    """What is written."""

    svg = "svg"
    png = "png"
    pdf = "pdf"
    html = "html"
    dot = "dot"


@command
def draw(
    target: Annotated[
        str | None, typer.Argument(metavar="[FILE.py:NAME]", help="A function or a model, or a layer of the catalogue.")
    ] = None,
    *,
    layer: Annotated[str | None, typer.Option(metavar="NAME", help="Draw which entries of this layer meet.")] = None,
    batch: Annotated[
        int | None, typer.Option(min=2, help="With --layer: size of the axis; else it is a letter.")
    ] = None,
    axis: Annotated[int, typer.Option(help="With --layer: 0 for samples, -1 for features or classes.")] = 0,
    backward: Annotated[
        bool, typer.Option("--backward", help="With --layer: gradients and local derivatives.")
    ] = False,
    mode: Annotated[Mode, typer.Option(help="Values, gradients, or both.")] = Mode.forward,
    shape: Annotated[
        list[str] | None, typer.Option("--shape", metavar="NAME=SIZES", help="Shape of an argument: x=B,3.")
    ] = None,
    fold: Annotated[
        list[str] | None,
        typer.Option(metavar="WHAT", help="Modules at a depth (1) or by name, repeats, chains; 0 folds nothing."),
    ] = None,
    focus: Annotated[str | None, typer.Option(metavar="NAME", help="Only what is near this tensor.")] = None,
    max_nodes: Annotated[
        int, typer.Option(min=1, help="Over it, the rest is one card that says how much it is.")
    ] = 200,
    theme: Annotated[str, typer.Option(help="light, dark or print.")] = "light",
    down: Annotated[bool, typer.Option("--down", help="From the top down instead of to the right.")] = False,
    steps: Annotated[bool, typer.Option("--steps", help="A page that goes through both passes step by step.")] = False,
    format: Annotated[Format | None, typer.Option(help="By default what --out ends in, else svg.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="By default the name of what is drawn.")] = None,
) -> Answer:
    """Draw a function, a model or a layer: what is computed from what, with values, gradients, local derivatives.

    A function without arguments is called and its result is drawn; one with arguments needs a --shape for each.

    Examples
    --------
      symgrad draw net.py:loss --mode both --out loss.svg
      symgrad draw net.py:model --fold 1
      symgrad draw --layer batchnorm --batch 4 --backward
    """
    import viz

    if (target is None) == (layer is None):
        raise MistakeError("draw: give either FILE.py:NAME (or a layer of the catalogue) or --layer NAME")
    file, form = _file(out, format, layer or str(target).rpartition(":")[2], steps)
    options: dict[str, Any] = {"theme": theme}
    if layer is not None:
        picture: Any = viz.draw_coupling(
            layer, axis=axis, batch=batch, backward=backward, title=_title(layer), **options
        )
    else:
        what, inputs = _subject(str(target), shapes_of(shape or []))
        options |= {"fold": _folds(fold), "max_nodes": max_nodes}
        with guarded(f"drawing {target}"):  # which calls what takes arguments
            if steps:
                picture = viz.step_through(what, **options)
            else:
                options |= {"focus": focus, "mode": mode.value, "direction": "down" if down else "right"}
                picture = viz.draw(what, *inputs, **options)
    try:
        picture.save(file)
    except OSError as error:
        raise MistakeError(f"draw: {file} cannot be written ({error.strerror}); give another with --out") from None
    cards = len(picture.scene.cards) if hasattr(picture, "scene") else None
    return Answer(f"{picture!r}\n{file}", {"file": str(file), "format": form, "cards": cards})


def _title(layer: str) -> str | None:
    return "BatchNorm" if layer == "batchnorm" else None


def _file(out: Path | None, format: Format | None, name: str, steps: bool) -> tuple[Path, str]:
    """The file to write, and its format."""
    if steps and format not in (None, Format.html):
        raise MistakeError("draw: --steps makes a page, so its format is html")
    form = format.value if format is not None else "html" if steps else ""
    out = Path(f"{name}.{form or 'svg'}") if out is None else out
    if out.is_dir() or not out.parent.is_dir():
        raise MistakeError(f"draw: {out} cannot be written; give a file in a folder that is there with --out")
    suffix = out.suffix.lower().lstrip(".")
    if form and suffix and suffix != form:
        raise MistakeError(f"draw: --out ends in .{suffix}, but --format is {form}; give one of them")
    if not suffix:
        out = out.with_suffix(f".{form or 'svg'}")
    elif suffix not in [f.value for f in Format]:
        raise MistakeError(f"draw: .{suffix} is not supported; use one of {', '.join(f'.{f.value}' for f in Format)}")
    return out, form or suffix or "svg"


def _folds(fold: list[str] | None) -> Any:
    """Depths as numbers, all else as it is."""
    return None if not fold else [int(f) if f.isdecimal() else f for f in fold]


def _subject(target: str, shapes: dict[str, tuple[Any, ...]]) -> tuple[Any, tuple[Any, ...]]:
    """What is drawn, and the shapes of its arguments."""
    import symgrad as sg
    from symgrad import nn

    if ":" not in target and not target.endswith(".py"):
        return sg.derive(target), ()
    found = function_of(target)
    forward = found.forward if isinstance(found, nn.Module) else found
    parameters = inspect.signature(forward).parameters
    needed = [n for n, p in parameters.items() if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    unknown = sorted(shapes.keys() - parameters.keys())
    if unknown:
        raise MistakeError(f"draw: {target} has no argument {unknown[0]!r}; its arguments are {', '.join(parameters)}")
    if shapes:
        missing = [n for n in needed if n not in shapes]
        if missing:
            raise MistakeError(f"draw: {target} also needs --shape {missing[0]}=SIZES")
        return found, tuple(sg.spec(*shapes[n]) for n in parameters if n in shapes)
    if isinstance(found, nn.Module) or (needed and needed[0] == "theta"):
        return found, ()
    if needed:
        raise MistakeError(
            f"draw: {target} takes {', '.join(needed)}; give their shapes, as in --shape {needed[0]}=B,3"
        )
    with guarded(f"calling {target}"):
        return found(), ()
