"""One self-contained page that steps through forward and backward; it loads nothing."""

from __future__ import annotations

import base64
import hashlib
import os
import zlib
from collections.abc import Callable, Sequence
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from symgrad.errors import GradientError, SymgradError
from symgrad.op import OPS
from symgrad.tensor import Tensor
from viz.escape import json_script, xml_text
from viz.explained import module_rule, op_rule
from viz.facts import Look
from viz.fold import Unit
from viz.mathmarkup import fraction_math, math, row
from viz.reading import Reading, read
from viz.render import write_text
from viz.scene import plain
from viz.subject import subject
from viz.theme import THEMES
from viz.views import View, Viewer, spoken, title_of

__all__ = ["Page", "step_through"]

_POLICY = "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'"
_PACKED = 60_000  # characters over which the data are compressed
_MODULES = 12  # kinds of modules whose gradients are derived


class Page:
    """A page to open in a browser, or to show in a notebook.

    Attributes
    ----------
    html : str
        The whole file. It may load nothing and send nothing: its content security policy allows its own script and
        its own style only.
    steps : int
        Steps through the outermost picture.

    Examples
    --------
    >>> import symgrad as sg, viz
    >>> w = sg.tensor(2.0, name="w", requires_grad=True)
    >>> page = viz.step_through(w * w)
    >>> page
    Page('step through L', 5 steps, 1 picture)
    """

    def __init__(self, title: str, views: list[View], reading: Reading, theme: str) -> None:
        self.title, self.views, self._reading, self._theme = title, views, reading, THEMES[theme]
        self.steps = len(views[0].steps)

    @cached_property
    def html(self) -> str:
        """The page."""
        return _page(self.title, self.views, self._reading, self._theme)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page to a file ending in .html; it is whole or not there."""
        target = Path(path)
        if target.suffix.lower() not in (".html", ".htm"):
            raise SymgradError(f"save: a page is written as .html, not {target.suffix or 'without a suffix'}")
        write_text(target, self.html)
        return target

    def __repr__(self) -> str:
        count = len(self.views)
        return f"Page({self.title!r}, {self.steps} steps, {count} picture{'s' * (count != 1)})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """The page in a frame of its own, in which its scripts run and nothing else can be reached."""
        try:
            from html import escape

            frame = f'<iframe srcdoc="{escape(self.html)}" sandbox="allow-scripts" width="100%" height="640"></iframe>'
            return {"text/html": frame, "text/plain": repr(self)}
        except Exception as error:
            return {"text/plain": f"{self!r}\n{error}"}


def step_through(loss: Tensor, *, fold: Any = None, max_nodes: int = 200, theme: str = "light") -> Page:
    """Make a page that goes through the forward and the backward pass one node at a time.

    By buttons, the arrow keys, or ``#7`` at the end of its address. Values and gradients appear when they are reached,
    with the running sum where a tensor has several readers. Modules are opened in place.

    Parameters
    ----------
    loss : Tensor
        One element, computed from leaves that require gradients.
    fold : int, str or sequence of them, optional
        As in `viz.draw`; by default every outermost module is one card, which the page can open.
    max_nodes : int
        Cards of the outermost picture over which more is folded.
    theme : {"light", "dark", "print"}

    Returns
    -------
    Page

    Raises
    ------
    GradientError
        If ``loss`` has no gradient, no value, or several elements.
    """
    from viz.drawing import gradients

    if theme not in THEMES:
        raise SymgradError(f"viz: theme {theme!r} is not known; the themes are {', '.join(sorted(THEMES))}")
    if not isinstance(loss, Tensor):
        raise GradientError(f"step_through: needs a Tensor, got {type(loss).__name__}")
    what = subject(loss)
    grads = gradients(what, "both")
    reading = read(what.roots)
    look = Look("both", "both", grads=grads, kinds=what.kinds)
    how = fold
    if how is None and reading.scopes:
        how = 1
    with np.errstate(all="ignore"):  # what overflowed in the network overflows in its gradients
        views = Viewer(reading, look, how, max_nodes, THEMES[theme]).all()
    name = reading.names.get(reading.nodes[reading.roots[0]].serial, ("L", None))[0]
    return Page(f"step through {name}", views, reading, theme)


# The data of the page


def _data(views: Sequence[View], reading: Reading) -> dict[str, Any]:
    structures: dict[Any, int] = {}
    drawn: list[dict[str, Any]] = []
    instances = []
    rules = _Rules(views, reading)
    for view in views:
        key = id(view.scene), tuple(view.shapes), tuple(view.steps), tuple(view.children), rules.of(view)
        if key not in structures:
            structures[key] = len(drawn)
            drawn.append(_structure(view, rules.of(view)))
        instances.append({
            "s": structures[key], "t": list(view.title), "p": view.parent, "n": view.numbers, "k": view.note,
            "c": {str(k): v for k, v in view.children.items()},
            "e": [None if f is None else [f["part"], f["sum"], f.get("number", ""), f.get("heat")] for f in view.flows],
        })  # fmt: skip
    return {"structures": drawn, "views": instances, "rules": rules.found}


class _Rules:
    """The derivations that a page tells: one for every op, and one for every kind of module."""

    def __init__(self, views: Sequence[View], reading: Reading) -> None:
        self.views, self.reading = views, reading
        self.found: list[dict[str, Any]] = []
        self.places: dict[Any, int] = {}

    def of(self, view: View) -> tuple[int, ...]:
        """The derivation for every card; -1 where there is none."""
        return tuple(self._of(view, k, unit) for k, unit in enumerate(view.units))

    def _of(self, view: View, k: int, unit: Unit | None) -> int:
        if unit is None or unit.kind == "edge":
            return -1
        if unit.kind == "module":
            key: Any = id(self.views[view.children[k]].scene) if k in view.children else None
            return -1 if key is None else self._place(key, lambda: module_rule(unit, self.reading))
        node = self.reading.nodes[unit.out]
        if unit.folded or node.op is None or OPS.get(node.op.name) is not node.op:
            return -1
        op = node.op
        return self._place(op.name, lambda: op_rule(op))

    def _place(self, key: Any, make: Callable[[], dict[str, Any] | None]) -> int:
        if key not in self.places:
            modules = sum(not isinstance(k, str) for k in self.places)
            rule = make() if isinstance(key, str) or modules < _MODULES else None
            if rule is not None and rule not in self.found:
                self.found.append(rule)
            self.places[key] = -1 if rule is None else self.found.index(rule)
        return self.places[key]


def _structure(view: View, rules: Sequence[int]) -> dict[str, Any]:
    """What equal modules share."""
    scene = view.scene
    cards = [
        {"name": plain(card.name), "math": row(card.result or card.name),
         "formula": row(card.formula) if card.formula else "",
         "said": spoken(scene, k), "kind": card.kind, "shape": shape, "open": k in view.children,
         "notes": [r.text for r in card.rows if r.role == "note" and not r.word],
         "rule": rule if k in view.children else -1}
        for k, (card, shape, rule) in enumerate(zip(scene.cards, view.shapes, rules, strict=True))
    ]  # fmt: skip
    edges = [
        {"a": edge.source, "b": edge.target, "rule": rules[edge.target],
         "label": fraction_math(edge.label) if edge.label is not None else ""}
        for edge in scene.edges
    ]  # fmt: skip
    return {"svg": view.svg, "cards": cards, "edges": edges, "steps": view.steps}


# The page


def _page(title: str, views: list[View], reading: Reading, theme: Any) -> str:
    folder = files("viz") / "pages"
    script = (folder / "step.js").read_text(encoding="utf-8")
    style = (folder / "step.css").read_text(encoding="utf-8")
    for name in ("paper", "card", "text", "muted", "rule", "value", "grad", "frame"):
        style = style.replace(f"var(--{name})", getattr(theme, name))
    data = json_script(_data(views, reading))
    kind = "plain"
    if len(data) > _PACKED:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        data = base64.b64encode(packer.compress(data.encode()) + packer.flush()).decode()
        kind = "deflate-raw"
    policy = _POLICY.format(_digest(script), _digest(style))
    view = views[0]
    cells = zip(view.scene.cards, view.numbers, view.shapes, strict=True)
    table = "\n".join(
        f'<tr><th scope="row">{math(row(card.name))}</th><td>{math(row(card.formula)) if card.formula else ""}</td>'
        f"<td>{xml_text(shape)}</td><td>{xml_text(value)}</td><td>{xml_text(grad)}</td></tr>"
        for card, (value, grad), shape in cells
    )
    body = (folder / "step.html").read_text(encoding="utf-8")
    parts = {"policy": policy, "title": xml_text(title), "style": style, "svg": view.svg, "rows": table,
             "heading": xml_text(title_of(view)), "kind": kind, "data": data, "script": script}  # fmt: skip
    pieces = body.split("@@")  # the template is ours and is cut before any data is put in
    return "".join(parts[p] if k % 2 else p for k, p in enumerate(pieces))


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
