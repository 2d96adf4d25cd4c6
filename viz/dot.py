"""The scene as a DOT file for Graphviz: HTML-like cards, twin strands, fractions. Ids are n0, n1, ..., never names."""

from __future__ import annotations

from viz.escape import dot_html, dot_string
from viz.scene import Card, Edge, Label, Row, Scene, Text, plain
from viz.theme import Theme

__all__ = ["dot_source"]

_TABLE = 'border="0" cellborder="0" cellspacing="0"'


def dot_source(scene: Scene, theme: Theme) -> str:
    """The whole DOT file."""
    font = 'fontname="Helvetica,Arial,sans-serif"'
    on_spine = set(scene.spine)
    lines = [
        "digraph g {",
        f"  graph [rankdir=LR bgcolor={dot_string(theme.paper)} pad=0.25 nodesep=0.30 ranksep=0.42"
        f" outputorder=edgesfirst splines=true tooltip={dot_string(scene.title)}];",
        f"  node [shape=plain {font} fontsize=12 fontcolor={dot_string(theme.text)}];",
        f"  edge [{font} fontsize=10 fontcolor={dot_string(theme.text)} arrowsize=0.7 penwidth=1.3];",
    ]
    for k, card in enumerate(scene.cards):
        group = ' group="spine"' if k in on_spine else ""
        lines.append(f"  n{k} [{group.strip()} tooltip={dot_string(card.full)} label=<{_card(card, theme)}>];")
    pairs = set(zip(scene.spine, scene.spine[1:], strict=False))
    lines += [_edge(edge, theme, (edge.source, edge.target) in pairs) for edge in scene.edges]
    return "\n".join([*lines, "}", ""])


def _text(text: Text, theme: Theme) -> str:
    parts = []
    for run in text:
        part = dot_html(run.text)
        for on, tag in ((run.script > 0, "sup"), (run.script < 0, "sub"), (run.italic, "i"), (run.bold, "b")):
            part = f"<{tag}>{part}</{tag}>" if on and part.strip() else part
        parts.append(f'<font color="{theme.muted}">{part}</font>' if run.muted and part.strip() else part)
    return "".join(parts)


def _card(card: Card, theme: Theme) -> str:
    ink = theme.ink(card.kind)
    title = f"<b>{_text(card.name, theme) or ' '}</b>"
    if card.formula:
        title += f'<font color="{theme.muted}"> = {_text(card.formula, theme)}</font>'
    style = "rounded,dashed" if ink.dashed else "rounded"
    rows = "".join(_row(row, theme) for row in card.rows)
    return (
        f'<table border="1" color="{ink.line}" style="{style}" bgcolor="{theme.card}" cellborder="0" cellspacing="0"'
        f' cellpadding="3"><tr><td colspan="2" bgcolor="{ink.fill}" sides="b" border="1" color="{ink.line}"'
        f' cellpadding="5">{title}</td></tr>{rows}</table>'
    )


def _row(row: Row, theme: Theme) -> str:
    colour = theme.role(row.role)
    word = f'<font color="{colour}" point-size="10">{dot_html(row.word)}</font>' if row.word else ""
    text = dot_html(row.text)
    text = text if row.role == "note" else f"<b>{text}</b>"
    return (
        f'<tr><td align="left">{word}</td><td align="right"><font color="{colour}">{text}</font></td></tr>'
        if word
        else f'<tr><td colspan="2" align="right"><font color="{colour}" point-size="10">{text}</font></td></tr>'
    )


def _edge(edge: Edge, theme: Theme, on_spine: bool) -> str:
    attributes = {
        "twin": f'dir=both color="{theme.value}:{theme.grad}" arrowtail=normal arrowhead=normal',
        "forward": f'color="{theme.value}"',
        "constant": f'color="{theme.muted}" style=dashed',
    }[edge.strand]
    weight = " weight=20" if on_spine else ""
    tip = ""
    label = ""
    if edge.label is not None:
        tip = " tooltip=" + dot_string(f"{plain(edge.label.top)}/{plain(edge.label.bottom)}{plain(edge.label.tail)}")
        label = f" label=<{_label(edge.label, theme)}>"
    return f"  n{edge.source} -> n{edge.target} [{attributes}{weight}{tip}{label}];"


def _label(label: Label, theme: Theme) -> str:
    """A fraction as a table of two rows."""
    top, bottom, tail = (_text(t, theme) for t in (label.top, label.bottom, label.tail))
    return (
        f'<table {_TABLE} cellpadding="1"><tr><td sides="b" border="1" color="{theme.text}">{top}</td>'
        f'<td rowspan="2">{tail}</td></tr><tr><td>{bottom}</td></tr></table>'
    )
