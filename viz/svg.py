"""Shapes as SVG: every line of text is one element, so nothing depends on guessed widths."""

from __future__ import annotations

from collections.abc import Iterable

from viz.escape import xml_attr, xml_text
from viz.measure import SCRIPT
from viz.paint import Curve, Group, Panel, Polygon, Shape, Words
from viz.scene import Run
from viz.theme import Theme

__all__ = ["RISE", "svg_source"]

RISE = {1: 0.36, -1: -0.2}  # of the font size


def svg_source(groups: Iterable[Group], width: float, height: float, title: str, theme: Theme) -> str:
    """A whole SVG document."""
    body = "\n".join(_group(group) for group in groups)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_n(width)}" height="{_n(height)}"'
        f' viewBox="0 0 {_n(width)} {_n(height)}" role="img" font-family="{xml_attr(theme.font)}"'
        f' fill="{theme.text}">\n<title>{xml_text(title)}</title>\n'
        f'<rect width="{_n(width)}" height="{_n(height)}" fill="{theme.paper}"/>\n{body}\n</svg>\n'
    )


def _n(value: float) -> str:
    """A coordinate, to a tenth of a point."""
    return f"{round(value, 1) + 0.0:.1f}".removesuffix(".0")


def _group(group: Group) -> str:
    shapes = "".join(map(_shape, group.shapes))
    return f'<g id="{xml_attr(group.name)}"><title>{xml_text(group.title)}</title>{shapes}</g>'


def _shape(shape: Shape) -> str:
    match shape:
        case Panel():
            return _panel(shape)
        case Curve(points, colour, width, dashed, role):
            dash = ' stroke-dasharray="5 3.5"' if dashed else ""
            line = f'stroke="{colour}" stroke-width="{_n(width)}"{dash}{_class(role)}'
            return f'<path d="{_path(points)}" fill="none" {line}/>'
        case Polygon(points, colour, role):
            return (
                f'<polygon points="{" ".join(f"{_n(x)},{_n(y)}" for x, y in points)}" fill="{colour}"{_class(role)}/>'
            )
        case Words():
            return _words(shape)


def _class(role: str) -> str:
    return f' class="{xml_attr(role)}"' if role else ""


def _path(points: tuple[tuple[float, float], ...]) -> str:
    start, *rest = (f"{_n(x)} {_n(y)}" for x, y in points)
    return f"M{start}" + (f"C{' '.join(rest)}" if rest else "")


def _panel(p: Panel) -> str:
    dash = ' stroke-dasharray="5 3.5"' if p.dashed else ""
    line = f' stroke="{p.line}" stroke-width="1.3"{dash}' if p.line else ""
    if p.open_below:
        r, right, bottom = p.radius, p.x + p.width, p.y + p.height
        d = (f"M{_n(p.x)} {_n(bottom)}V{_n(p.y + r)}Q{_n(p.x)} {_n(p.y)} {_n(p.x + r)} {_n(p.y)}"
             f"H{_n(right - r)}Q{_n(right)} {_n(p.y)} {_n(right)} {_n(p.y + r)}V{_n(bottom)}Z")  # fmt: skip
        return f'<path d="{d}" fill="{p.fill}"{line}/>'
    return (f'<rect x="{_n(p.x)}" y="{_n(p.y)}" width="{_n(p.width)}" height="{_n(p.height)}" rx="{_n(p.radius)}"'
            f' fill="{p.fill}"{line}/>')  # fmt: skip


def _words(w: Words) -> str:
    anchor = f' text-anchor="{w.anchor}"' if w.anchor != "start" else ""
    out, risen = [], 0.0
    for run in w.text:
        rise = RISE.get(run.script, 0.0) * w.size
        out.append(_span(run, w, rise - risen))
        risen = rise
    return (f'<text x="{_n(w.x)}" y="{_n(w.y)}" font-size="{_n(w.size)}" fill="{w.colour}" xml:space="preserve"'
            f"{anchor}{_class(w.role)}>{''.join(out)}</text>")  # fmt: skip


def _span(run: Run, w: Words, step: float) -> str:
    style = "".join((
        f' dy="{_n(-step)}"' if abs(step) > 0.05 else "",
        f' font-size="{_n(w.size * SCRIPT)}"' if run.script else "",
        ' font-style="italic"' if run.italic else "",
        ' font-weight="bold"' if run.bold else "",
        f' fill="{w.muted}"' if run.muted else "",
    ))  # fmt: skip
    return f"<tspan{style}>{xml_text(run.text)}</tspan>" if style else xml_text(run.text)
