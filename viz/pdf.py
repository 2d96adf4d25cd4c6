"""Shapes as PDF, by matplotlib, with the fonts it brings inside the file."""

from __future__ import annotations

import importlib.util
import io
import warnings
from collections.abc import Iterable
from typing import Any

from viz.escape import clean
from viz.measure import SCRIPT
from viz.paint import Curve, Group, Panel, Polygon, Words
from viz.render import EngineError
from viz.svg import RISE
from viz.theme import Theme

__all__ = ["pdf_bytes"]

_ROUND = 0.5523  # of a radius: the handles with which a cubic curve is a quarter of a circle


def pdf_bytes(groups: Iterable[Group], width: float, height: float, theme: Theme) -> bytes:
    """A PDF of one page, in points; equal pictures give equal bytes."""
    if importlib.util.find_spec("matplotlib") is None:
        raise EngineError('viz: PDF needs matplotlib; `pip install "symgrad[plots]"`, or save as .svg or .html')
    from matplotlib.backends.backend_pdf import FigureCanvasPdf
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / 72, height / 72), dpi=72, facecolor=theme.paper)
    canvas = FigureCanvasPdf(figure)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0), frame_on=False)
    axes.set_axis_off()
    for group in groups:
        for shape in group.shapes:
            _add(axes, shape)
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # characters that the fonts lack are drawn as boxes
        canvas.print_pdf(  # type: ignore[no-untyped-call]
            out, metadata={"CreationDate": None, "Creator": None, "Producer": None}
        )
    return out.getvalue()


def _add(axes: Any, shape: Panel | Curve | Polygon | Words) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.patches import Polygon as Outline
    from matplotlib.path import Path

    match shape:
        case Panel():
            _panel(axes, shape)
        case Curve(points, colour, width, dashed, _):
            path = Path(points, [Path.MOVETO] + [Path.CURVE4] * (len(points) - 1))
            style = (0, (4, 2.7)) if dashed else "solid"
            axes.add_patch(PathPatch(path, fill=False, edgecolor=colour, linewidth=width, linestyle=style))
        case Polygon(points, colour, _):
            axes.add_patch(Outline(points, facecolor=colour, edgecolor="none"))
        case Words():
            _words(axes, shape)


def _panel(axes: Any, p: Panel) -> None:
    """A rectangle with round corners; one whose corners are half its sides is a circle, as in SVG."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    left, top, right, bottom = p.x, p.y, p.x + p.width, p.y + p.height
    corners = [((left, top), (0, 1), (1, 0)), ((right, top), (-1, 0), (0, 1)),
               ((right, bottom), (0, -1), (-1, 0)), ((left, bottom), (1, 0), (0, -1))]  # fmt: skip
    points: list[tuple[float, float]] = []
    codes: list[Any] = []
    for k, ((x, y), (ax, ay), (bx, by)) in enumerate(corners):
        r = 0.0 if p.open_below and k > 1 else min(p.radius, p.width / 2, p.height / 2)
        c = r * (1 - _ROUND)
        points += [
            (x + r * ax, y + r * ay),
            (x + c * ax, y + c * ay),
            (x + c * bx, y + c * by),
            (x + r * bx, y + r * by),
        ]
        codes += [Path.LINETO if k else Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4]
    style: dict[str, Any] = {"facecolor": p.fill, "edgecolor": p.line or "none", "linewidth": 1.3 if p.line else 0,
             "linestyle": "dashed" if p.dashed else "solid"}  # fmt: skip
    axes.add_patch(PathPatch(Path([*points, points[0]], [*codes, Path.CLOSEPOLY]), **style))


def _words(axes: Any, w: Words) -> None:
    """Runs side by side, by the widths that the fonts have."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextToPath

    measure = TextToPath()
    placed, x = [], 0.0
    for run in w.text:
        text = clean(run.text).replace("\u2009", " ")
        font = FontProperties(
            family="DejaVu Sans", size=w.size * (SCRIPT if run.script else 1),
            style="italic" if run.italic else "normal", weight="bold" if run.bold else "normal",
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            wide = measure.get_text_width_height_descent(text, font, ismath=False)[0] if text.strip() else w.size * 0.32
        placed.append((x, text, font, w.muted if run.muted else w.colour, RISE.get(run.script, 0.0) * w.size))
        x += wide
    shift = {"start": 0.0, "middle": x / 2, "end": x}[w.anchor]
    for at, text, font, colour, rise in placed:
        axes.text(w.x - shift + at, w.y - rise, text, fontproperties=font, color=colour, va="baseline",
                  parse_math=False)  # fmt: skip
