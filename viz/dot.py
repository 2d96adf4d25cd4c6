"""The scene as a DOT file for Graphviz: HTML-like cards, twin strands, fractions. Ids are n0, n1, ..., never names."""

from __future__ import annotations

from viz.escape import dot_html, dot_string
from viz.layout import Layout
from viz.scene import Card, Edge, Label, Row, Scene, Text, plain
from viz.theme import Theme

__all__ = ["dot_source"]

_TABLE = 'border="0" cellborder="0" cellspacing="0"'


def dot_source(scene: Scene, theme: Theme, down: bool = False, pinned: Layout | None = None) -> str:
    """The whole DOT file; a layout that is given pins every card (for `neato -n2`)."""
    font = 'fontname="Helvetica,Arial,sans-serif"'
    on_spine = set(scene.spine)
    place = "layout=neato splines=line" if pinned else f"rankdir={'TB' if down else 'LR'} splines=true"
    lines = [
        "digraph g {",
        f"  graph [{place} bgcolor={dot_string(theme.paper)} pad=0.25 nodesep=0.30 ranksep=0.42"
        f" outputorder={'nodesfirst' if pinned else 'edgesfirst'} tooltip={dot_string(scene.title)}];",
        f"  node [shape=plain {font} fontsize=12 fontcolor={dot_string(theme.text)}];",
        f"  edge [{font} fontsize=10 fontcolor={dot_string(theme.text)} arrowsize=0.7 penwidth=1.3];",
    ]
    if pinned is None:
        lines += _clusters(scene, theme, None)
    for k, card in enumerate(scene.cards):
        where = ' group="spine"' if k in on_spine else ""
        if pinned is not None:
            box = pinned.cards[k]
            where = f' pos="{box.x / 72:.3f},{(pinned.height - box.y) / 72:.3f}!"'
        body = _circle(card, theme, pinned.cards[k].width) if card.round and pinned else f"label=<{_card(card, theme)}>"
        lines.append(f"  n{k} [{where.strip()} tooltip={dot_string(card.full)} {body}];")
    pairs = set(zip(scene.spine, scene.spine[1:], strict=False))
    lines += [_edge(edge, theme, (edge.source, edge.target) in pairs) for edge in scene.edges]
    return "\n".join([*lines, "}", ""])


def _clusters(scene: Scene, theme: Theme, parent: int | None) -> list[str]:
    lines = []
    for f, frame in enumerate(scene.frames):
        if frame.parent == parent:
            style = f'style="rounded,filled" color="{theme.rule}" fillcolor="{theme.frame}" labeljust=l'
            lines.append(f"  subgraph cluster_{f} {{ {style} label=<<b>{dot_html(frame.title) or ' '}</b>>;")
            lines += [*_clusters(scene, theme, f), "  " + " ".join(f"n{k};" for k in frame.cards), "  }"]
    return lines


def _circle(card: Card, theme: Theme, size: float) -> str:
    ink = theme.ink(card.kind)
    if card.kind == "dots":
        return "shape=plain label=<⋮>"
    shape = "doublecircle" if ink.double else "circle"
    return (
        f'shape={shape} style=filled fillcolor="{ink.fill}" color="{ink.line}" fixedsize=true '
        f"width={size / 72:.2f} fontsize=16 label=<{_text(card.name, theme) or ' '}>"
    )


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
    text = _rich(row, theme)
    text = text if row.role == "note" else f"<b>{text}</b>"
    return (
        f'<tr><td align="left">{word}</td><td align="right"><font color="{colour}">{text}</font></td></tr>'
        if word
        else f'<tr><td colspan="2" align="right"><font color="{colour}" point-size="10">{text}</font></td></tr>'
    )


def _rich(row: Row, theme: Theme) -> str:
    return _text(row.runs, theme) if row.runs else dot_html(row.text)


def _edge(edge: Edge, theme: Theme, on_spine: bool) -> str:
    colour = theme.statistic.line if edge.heavy else theme.strand(edge.strand, edge.back)
    if edge.strand == "twin":
        attributes = f'dir=both color="{colour}:{theme.grad}" arrowtail=normal arrowhead=normal'
    else:
        back = " dir=back" if edge.back or edge.strand == "backward" else ""
        dashed = " style=dashed" if edge.strand in ("constant", "direct") else ""
        attributes = f'color="{colour}"{dashed}{back}'
    attributes += " penwidth=2.6" if edge.heavy else ""
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
