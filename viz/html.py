"""One page with the picture and its numbers as a table; it loads nothing and runs nothing."""

from __future__ import annotations

import base64
import hashlib

from viz.escape import xml_text
from viz.scene import Scene, Text, plain
from viz.theme import Theme

__all__ = ["html_source"]

_POLICY = "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'"
_STYLE = """body{margin:2rem;font-family:Helvetica,Arial,sans-serif;color:%s;background:%s}
figure{margin:0;overflow-x:auto}table{border-collapse:collapse;margin-top:1rem}
td,th{border-bottom:1px solid %s;padding:.25rem .75rem;text-align:left}td.number{text-align:right}"""


def html_source(scene: Scene, svg: str, theme: Theme) -> str:
    """The page, which is also well-formed XML."""
    rows = "\n".join(
        f"<tr><th scope=\"row\">{_markup(card.name)}</th><td>{_markup(card.formula)}</td><td>{card.kind}</td>"
        f'<td class="number">{xml_text(" · ".join(f"{r.word} {r.text}".strip() for r in card.rows))}</td></tr>'
        for card in scene.cards
    )  # fmt: skip
    style = _STYLE % (theme.text, theme.paper, theme.rule)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"""<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" lang="en"><head><meta charset="utf-8"/>
<meta http-equiv="Content-Security-Policy" content="{_POLICY.format(digest)}"/>
<title>{xml_text(scene.title)}</title>
<style>{style}</style></head>
<body><figure>{svg}</figure>
<details><summary>The numbers as a table</summary>
<table><thead><tr><th scope="col">name</th><th scope="col">formula</th><th scope="col">kind</th>
<th scope="col">numbers</th></tr></thead><tbody>
{rows}
</tbody></table></details></body></html>
"""


def _markup(text: Text) -> str:
    out = []
    for run in text:
        part = xml_text(run.text)
        tag = {1: "sup", -1: "sub"}.get(run.script)
        part = f"<{tag}>{part}</{tag}>" if tag else part
        out.append(f"<i>{part}</i>" if run.italic else part)
    return "".join(out) if plain(text) else ""
