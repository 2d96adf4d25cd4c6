"""`Picture`: one scene in every format."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Any

from symgrad.errors import SymgradError
from symgrad.files import write_atomically
from viz.dot import dot_source
from viz.html import html_source
from viz.layout import Layout, place
from viz.mathtext import SMALL
from viz.paint import paint
from viz.render import plain_layout, to_png
from viz.scene import Scene, Text
from viz.svg import svg_source
from viz.theme import THEMES, Theme
from viz.wrapping import HIGH, LONG, wrapped

__all__ = ["Picture"]


class Picture:
    """A drawn graph, in every format; notebooks show it.

    Attributes
    ----------
    scene : Scene
        What it says, as plain data.
    dot, text : str
        A Graphviz file, and a tree of characters for terminals; they need no engine.
    svg, html : str
        Placed by Graphviz, painted by us; the page is one file that loads nothing.
    png, pdf : bytes
        Need ``symgrad[plots]``.

    Examples
    --------
    >>> import symgrad as sg, viz
    >>> w = sg.tensor(2.0, name="w", requires_grad=True)
    >>> picture = viz.draw_backprop(w * w)
    >>> picture
    Picture('backprop of L', 2 cards, 2 edges)
    >>> picture.svg[:4]
    '<svg'
    """

    def __init__(
        self, scene: Scene, theme: str = "light", direction: str = "right", layout: Layout | None = None
    ) -> None:
        if theme not in THEMES:
            raise SymgradError(f"viz: theme {theme!r} is not known; the themes are {', '.join(sorted(THEMES))}")
        self.scene = scene
        self.theme: Theme = THEMES[theme]
        self.direction = direction
        self.given = layout

    @cached_property
    def dot(self) -> str:
        """The picture as DOT."""
        return dot_source(self.scene, self.theme, self.direction == "down", self.given)

    @cached_property
    def _layout(self) -> Layout:
        if self.given is not None:
            return self.given
        down = self.direction == "down"
        layout = place(self.scene, plain_layout, down)
        return wrapped(self.scene, layout, down, HIGH if down else LONG)

    @cached_property
    def text(self) -> str:
        """The picture for a terminal, as a tree of characters; it needs no engine."""
        return _as_text(self.scene)

    @cached_property
    def svg(self) -> str:
        """The picture as SVG."""
        layout = self._layout
        groups = paint(self.scene, layout, self.theme)
        return svg_source(groups, layout.width, layout.height, self.scene.title, self.theme)

    @cached_property
    def html(self) -> str:
        """The picture as a page."""
        return html_source(self.scene, self.svg, self.theme)

    @cached_property
    def png(self) -> bytes:
        """The picture as pixels, two per point."""
        return to_png(self.svg, _zoom(self._layout))

    @cached_property
    def pdf(self) -> bytes:
        """The picture as PDF, with its fonts."""
        from viz.pdf import pdf_bytes

        layout = self._layout
        return pdf_bytes(paint(self.scene, layout, self.theme), layout.width, layout.height, self.theme)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a file; the suffix decides the format. The file is whole or not there.

        Parameters
        ----------
        path : path
            Ending in .dot, .gv, .svg, .html, .png, .pdf, .txt or .json.

        Returns
        -------
        Path

        Raises
        ------
        SymgradError
            For another suffix.
        """
        target = Path(path)
        make = _FORMATS.get(target.suffix.lower())
        if make is None:
            raise SymgradError(
                f"save: {target.suffix or 'no suffix'} is not supported; use one of {', '.join(_FORMATS)}"
            )
        content = make(self)
        write_atomically(target, content.encode() if isinstance(content, str) else content)
        return target

    def __repr__(self) -> str:
        cards, edges = len(self.scene.cards), len(self.scene.edges)
        return f"Picture({self.scene.title!r}, {cards} card{'s' * (cards != 1)}, {edges} edge{'s' * (edges != 1)})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """SVG where Graphviz is there; always text. Never raises."""
        try:
            return {"image/svg+xml": self.svg, "text/plain": repr(self)}
        except Exception as error:
            return {"text/plain": f"{self!r}\n{error}\n{self.text}"}


def _zoom(layout: Layout) -> float:
    """Two pixels per point, less where the image would be enormous."""
    return min(2.0, 16_000 / max(layout.width, layout.height, 1.0))


def _as_text(scene: Scene) -> str:
    """The scene for terminals: each card above what it is computed from, by networkx."""
    import networkx as nx

    graph: nx.DiGraph[int] = nx.DiGraph()
    for k, card in reversed(list(enumerate(scene.cards))):
        formula = f" = {_flat(card.formula)}" if card.formula else ""
        rows = ", ".join(f"{row.word} {_flat(row.runs) or row.text}".strip() for row in card.rows)
        graph.add_node(k, label=f"{_flat(card.name)}{formula}" + (f": {rows}" if rows else ""))
    graph.add_edges_from((edge.target, edge.source) for edge in scene.edges)
    return "\n".join(nx.generate_network_text(graph, with_labels=True))


def _flat(text: Text) -> str:
    """Runs as characters of one line; scripts as small digits where there are such."""
    parts = [run.text.translate(SMALL[run.script]) if run.script else run.text for run in text]
    return "".join(parts).replace("\u2009", " ")


_FORMATS: dict[str, Any] = {
    ".svg": lambda p: p.svg,
    ".png": lambda p: p.png,
    ".pdf": lambda p: p.pdf,
    ".html": lambda p: p.html,
    ".dot": lambda p: p.dot,
    ".gv": lambda p: p.dot,
    ".txt": lambda p: p.text + "\n",
    ".json": lambda p: p.scene.to_json(),
}
