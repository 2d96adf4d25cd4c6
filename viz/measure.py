"""Sizes of cards and labels in points, from the widths of their characters."""

from __future__ import annotations

from viz.scene import Card, Label, Row, Text
from viz.widths import width

__all__ = ["FORMULA", "FRAME_TITLE", "HEADER", "LABEL", "PAD", "ROW", "SCRIPT", "TITLE", "WORD", "card_size",
           "fraction_width", "frame_title_width", "label_size", "piece_title", "row_height", "text_width"]  # fmt: skip

TITLE, ROW, WORD, LABEL, FORMULA = 13.0, 12.5, 10.5, 11.0, 12.5  # font sizes
HEADER, LINE, NOTE, PAD = 26.0, 20.0, 16.0, 9.0
SCRIPT = 0.72  # size of superscripts and subscripts
FRACTION = 31.0  # height of a label
FRAME_TITLE = 16.0  # height of the title of a frame


def text_width(text: Text, size: float, bold: bool = False) -> float:
    """Width of runs on one line."""
    return sum(width(run.text, size * (SCRIPT if run.script else 1), bold or run.bold) for run in text)


def title_width(card: Card) -> float:
    """Width of the name, and of the formula after it."""
    own = text_width(card.name, TITLE, bold=True)
    return own + (width(" = ", FORMULA) + text_width(card.formula, FORMULA) if card.formula else 0)


def row_text_width(row: Row) -> float:
    """Width of the text at the right of a row."""
    size = ROW if row.word else WORD
    return text_width(row.runs, size) if row.runs else width(row.text, size, row.role != "note")


def row_height(row: Row) -> float:
    """Height of a row."""
    return NOTE if not row.word else LINE


def card_size(card: Card) -> tuple[float, float]:
    """Width and height of a card."""
    rows = [
        width(r.word, WORD) + row_text_width(r) + 14 for r in card.rows
    ]  # fmt: skip
    wide = max([title_width(card) + 4, *rows, 64.0]) + 2 * PAD
    return round(wide), HEADER + sum(map(row_height, card.rows)) + (4 if card.rows else 0)


def fraction_width(label: Label) -> float:
    """Width of the rule of a fraction."""
    return max(text_width(label.top, LABEL), text_width(label.bottom, LABEL)) + 5


def label_size(label: Label) -> tuple[float, float]:
    """Width and height of a label."""
    return round(fraction_width(label) + text_width(label.tail, LABEL)), FRACTION


def frame_title_width(title: str) -> float:
    """Width of the title of a frame."""
    return width(title, WORD + 1, True)


def piece_title(title: str, continued: bool) -> str:
    """The title of a piece of a frame that stands in several lines."""
    return f"{title} (continued)" if continued else title
