"""The frame of symgrad's HTML pages: one file that loads nothing and runs nothing, with one style."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from importlib import resources

__all__ = ["page", "section", "verdict"]

_POLICY = "default-src 'none'; style-src 'sha256-{}'; img-src data:; base-uri 'none'; form-action 'none'"


def page(*, title: str, brand: str, headline: str, lead: str, sections: list[tuple[str, str, str]], footer: str) -> str:
    """A whole page.

    Parameters
    ----------
    title, brand : str
        Text, which is escaped.
    headline, lead, footer : str
        Markup.
    sections : list of (key, title, markup)
        In order, with links to them at the top.
    """
    style = resources.files("symgrad.symbolic").joinpath("page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    contents = "".join(f'<li><a href="#{key}">{escape(name)}</a></li>' for key, name, _ in sections)
    body = "\n".join(section(k, *given) for k, given in enumerate(sections, 1))
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY.format(digest)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{style}</style></head>
<body><header><p class="brand">{escape(brand)}</p>
<h1>{headline}</h1>
<p class="lead">{lead}</p>
<nav aria-label="Contents"><ol>{contents}</ol></nav></header>
<main>
{body}
</main>
<footer>{footer}</footer>
</body></html>
"""


def section(number: int, key: str, title: str, body: str) -> str:
    """One numbered section."""
    return f'<section id="{key}"><h2><span>{number}</span>{escape(title)}</h2>{body}</section>'


def verdict(word: str) -> str:
    """A verdict as a coloured badge."""
    good = word in ("PROVED", "RIGHT", "CORRECT")
    return f'<span class="verdict {"good" if good else "bad"}">{escape(word)}</span>'
