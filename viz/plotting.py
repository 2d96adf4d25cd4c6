"""`Plot`: one matplotlib figure in every format; colours, markers and dashes; labels at the ends of lines."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from symgrad.errors import SymgradError
from symgrad.files import write_atomically
from viz.render import EngineError
from viz.theme import THEMES, Theme

__all__ = ["STYLES", "Plot", "label_ends", "style_axes"]

STYLES = (("#0072B2", "-", "o"), ("#D55E00", "--", "s"), ("#009E73", "-.", "^"), ("#A23B7A", ":", "D"),
          ("#1F2933", (0, (5, 1, 1, 1, 1, 1)), "v"), ("#B7791F", (0, (1, 1)), "P"))  # fmt: skip
"""Colour (told apart by colour-blind people), dash and marker of each line; none is told apart by colour alone."""

_GAP = 12.5  # points between labels


class Plot:
    """A plot, in every format; notebooks show it.

    Attributes
    ----------
    svg : str
    png, pdf : bytes
    """

    def __init__(self, title: str, draw: Callable[[Any, Theme], None], size: tuple[float, float] = (7.2, 3.8)) -> None:
        self.title, self._draw, self._size = title, draw, size

    @cached_property
    def figure(self) -> Any:
        """The matplotlib figure."""
        try:
            from matplotlib.backends.backend_agg import FigureCanvasAgg
            from matplotlib.figure import Figure
        except ImportError:
            raise EngineError('viz: plots need matplotlib; `pip install "symgrad[plots]"`') from None
        figure = Figure(figsize=self._size, layout="constrained", facecolor="white")
        FigureCanvasAgg(figure)
        self._draw(figure, THEMES["light"])
        return figure

    def _as(self, form: str, **options: Any) -> bytes:
        from matplotlib import rc_context

        figure = self.figure  # without matplotlib, this says so
        out = io.BytesIO()
        keys = {"svg": ("Date", "Creator", "Format", "Type"), "pdf": ("CreationDate", "Creator", "Producer"),
                "png": ("Software",)}  # fmt: skip
        with rc_context({"svg.hashsalt": "symgrad"}):
            figure.savefig(out, format=form, metadata=dict.fromkeys(keys[form]), **options)
        return out.getvalue()

    @cached_property
    def svg(self) -> str:
        """The plot as SVG, letters as outlines."""
        text = self._as("svg").decode()
        return text[text.index("<svg") :]

    @cached_property
    def png(self) -> bytes:
        """The plot as pixels."""
        return self._as("png", dpi=144)

    @cached_property
    def pdf(self) -> bytes:
        """The plot as PDF."""
        return self._as("pdf")

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a file ending in .svg, .png or .pdf; it is whole or not there."""
        target = Path(path)
        form = target.suffix.lower().lstrip(".")
        if form not in ("svg", "png", "pdf"):
            raise SymgradError(f"save: {target.suffix or 'no suffix'} is not supported; use one of .svg, .png, .pdf")
        content: str | bytes = getattr(self, form)
        write_atomically(target, content.encode() if isinstance(content, str) else content)
        return target

    def __repr__(self) -> str:
        return f"Plot({self.title!r})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        try:
            return {"image/svg+xml": self.svg, "text/plain": repr(self)}
        except Exception as error:
            return {"text/plain": f"{self!r}\n{error}"}


def style_axes(axes: Any, theme: Theme, x: str, y: str, log: bool = False) -> None:
    """Names, a light grid, and no frame that says nothing."""
    axes.set_xlabel(x, color=theme.muted)
    axes.set_ylabel(y, color=theme.muted)
    if log:
        axes.set_yscale("log")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=theme.muted)
    axes.grid(axis="y", color=theme.rule, linewidth=0.6)


def label_ends(axes: Any, ends: Sequence[tuple[str, float, float, str]], always: bool = False) -> None:
    """Names (name, x, y, colour) at the right of the ends of lines, moved apart where they would touch.

    ``always`` draws the line from the point to its name, which is otherwise for names that were moved.
    """
    figure = axes.figure
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # from here on nothing moves
    scale = 72 / figure.dpi
    place, room = axes.get_position(), 7.2 * max((len(name) for name, *_ in ends), default=0) + 24
    right = min(place.x1, 1 - room / (72 * figure.get_figwidth()))
    axes.set_position((place.x0, place.y0, right - place.x0, place.height))
    spots = sorted((float(axes.transData.transform((x, y))[1]) * scale, n) for n, (_, x, y, _) in enumerate(ends))
    heights: list[float] = [y for y, _ in spots]
    for _ in range(60):  # push neighbours apart, half each
        for k in range(1, len(heights)):
            short = _GAP - (heights[k] - heights[k - 1])
            if short > 0:
                heights[k - 1] -= short / 2
                heights[k] += short / 2
    for (own, n), height in zip(spots, heights, strict=True):
        name, x, y, colour = ends[n]
        line = {"arrowstyle": "-", "color": colour, "lw": 0.7} if always or abs(height - own) > 3 else None
        right = (float(axes.transAxes.transform((1, 0))[0]) - float(axes.transData.transform((x, y))[0])) * scale
        axes.annotate(name, (x, y), xytext=(right + 8, height - own), textcoords="offset points", color=colour,
                      weight="bold", fontsize=10, va="center", ha="left", annotation_clip=False, arrowprops=line,
                      parse_math=False)  # fmt: skip
