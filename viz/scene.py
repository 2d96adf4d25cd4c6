"""What a picture says, as plain frozen data: cards, the edges between them, and the text on both.

A scene holds no Tensor and no coordinates. Readers of graphs make it, painters draw it, and
``Scene.to_json`` is what pages and tests read.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Card", "Edge", "Frame", "Label", "Row", "Run", "Scene", "Text", "plain"]


@dataclass(frozen=True, slots=True)
class Run:
    """Characters of one style; ``script`` is 1 for a superscript and -1 for a subscript."""

    text: str
    italic: bool = False
    bold: bool = False
    muted: bool = False
    script: int = 0


Text = tuple[Run, ...]


def plain(text: Text) -> str:
    """The characters alone.

    Examples
    --------
    >>> plain((Run("x", italic=True), Run("2", script=1)))
    'x2'
    """
    return "".join(run.text for run in text)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a card: a word at the left, a text at the right; the role (value, grad, note) decides the colour.

    ``runs`` is the text in styles, where plain characters do not do.
    """

    word: str
    text: str
    role: str
    runs: Text = ()


@dataclass(frozen=True, slots=True)
class Card:
    """One tensor, or many folded into one: its kind (see ``viz.theme.KINDS``), title and rows.

    ``value`` and ``grad`` are the unrounded numbers where the tensor has one element; ``count`` how often a
    folded block occurs; a ``round`` card is a circle with the name alone.
    ``result`` is the name of what a folded card computes.
    """

    kind: str
    name: Text
    formula: Text = ()
    rows: tuple[Row, ...] = ()
    full: str = ""
    value: float | None = None
    grad: float | None = None
    count: int = 1
    round: bool = False
    result: Text = ()


@dataclass(frozen=True, slots=True)
class Label:
    """A fraction (``top`` over ``bottom``) and what it equals."""

    top: Text
    bottom: Text
    tail: Text


@dataclass(frozen=True, slots=True)
class Edge:
    """One dependency, from the card that is read to the card that reads it.

    ``strand`` is twin (value there, gradient back), forward (value only), backward (gradient only) or constant
    (dashed); in pictures of coupling also coupling, direct and parameter. ``back`` turns the arrow around;
    ``heavy`` marks what enters a module that couples samples.
    ``position`` is the argument's place; ``symbol`` the local derivative as a formula in ``n0``, ``n1``...
    (the cards by number), ``number`` its value at the cards' values.
    """

    source: int
    target: int
    position: int = 0
    strand: str = "twin"
    label: Label | None = None
    symbol: str = ""
    number: float | None = None
    heavy: bool = False
    back: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """An open module: its title, the cards inside (those of inner frames too), the frame around it, and a note."""

    title: str
    cards: tuple[int, ...]
    parent: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """Cards, inputs before consumers; edges; the cards of the longest data path; and frames around cards."""

    title: str
    cards: tuple[Card, ...] = ()
    edges: tuple[Edge, ...] = ()
    spine: tuple[int, ...] = ()
    frames: tuple[Frame, ...] = ()

    def to_json(self) -> str:
        """The scene as JSON; numbers that JSON lacks stand as text.

        Examples
        --------
        >>> Scene("nothing").to_json()
        '{"cards": [], "edges": [], "frames": [], "spine": [], "title": "nothing"}'
        """
        return json.dumps(_finite(asdict(self)), ensure_ascii=False, allow_nan=False, sort_keys=True)


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_finite(value) for value in data]
    return repr(data) if isinstance(data, float) and not math.isfinite(data) else data
