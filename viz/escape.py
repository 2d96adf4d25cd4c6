"""The one place where text enters DOT, XML and JSON. What users name things is data, never markup."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

__all__ = ["clean", "dot_html", "dot_string", "json_script", "shorten", "xml_attr", "xml_text"]

LIMIT = 80
FULL = 2000  # characters of a tooltip
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # control, format (bidi), surrogates, private, unassigned
_XML: dict[str, str | int | None] = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_ATTR: dict[str, str | int | None] = {**_XML, '"': "&quot;", "'": "&#39;"}
_DOT: dict[str, str | int | None] = {
    **_XML,
    '"': "&quot;",
    "\\": "&#92;",
}  # a backslash would start an escape such as \N
_SCRIPT: dict[str, str | int | None] = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}


def clean(text: str) -> str:
    r"""Text with every control, bidi and unassigned character shown as ``␣``.

    Examples
    --------
    >>> clean("a\nb\u202e")
    'a␣b␣'
    """
    return "".join("␣" if unicodedata.category(c) in _INVISIBLE else c for c in str(text)[:FULL])


def shorten(text: str, limit: int = LIMIT) -> str:
    """Clean text, cut at a number of characters.

    Examples
    --------
    >>> shorten("abcdef", 4)
    'abc…'
    """
    text = clean(text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _replace(text: str, table: dict[str, str | int | None]) -> str:
    return clean(text).translate(str.maketrans(table))


def xml_text(text: str) -> str:
    """Text between tags.

    Examples
    --------
    >>> xml_text("<b> & co")
    '&lt;b&gt; &amp; co'
    """
    return _replace(text, _XML)


def xml_attr(text: str) -> str:
    """Text inside a quoted attribute."""
    return _replace(text, _ATTR)


def dot_html(text: str) -> str:
    """Text inside an HTML-like label of DOT."""
    return _replace(text, _DOT)


def dot_string(text: str) -> str:
    r"""A quoted DOT string that shows exactly this text.

    Examples
    --------
    >>> print(dot_string('say "\\N"'))
    "say \"\\N\""
    """
    return '"' + clean(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def json_script(data: Any) -> str:
    """JSON that is safe inside a script element."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
    return text.translate(str.maketrans(_SCRIPT))
