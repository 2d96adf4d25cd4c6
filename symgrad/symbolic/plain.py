r"""LaTeX formulas as one line of Unicode, for terminals.

It reads the MathML that `mathml` makes, so that there is one reader of LaTeX.

Examples
--------
>>> plain(r"\frac{\partial L}{\partial z_i} = \frac{\gamma}{B\,\sqrt{\sigma_B^2 + \epsilon}}")
'∂L/∂z_i = γ/(B √(σ_B² + ϵ))'
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from symgrad.symbolic.mathml import mathml

__all__ = ["plain"]

_UP = dict(zip("0123456789+-−ni", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻ⁿⁱ", strict=True))
_ACCENTS = {"^": "\u0302", "¯": "\u0304", "~": "\u0303", "˙": "\u0307", "→": "\u20d7", "‾": "\u0305"}
_SPACED = set("=+−≤≥≠∈→×±≈↦∧∨<>")


def plain(latex: str) -> str:
    """The formula as text; what would be two-dimensional is written with slashes, underscores and brackets."""
    line = re.sub(r" +", " ", _text(ElementTree.fromstring(mathml(latex)))).strip()
    return re.sub(r"(^|[(=] ?)− ", r"\1−", line)  # a sign, not a difference


def _text(node: ElementTree.Element) -> str:
    parts = list(node)
    match node.tag:
        case "mi" | "mn" | "mtext":
            return node.text or ""
        case "mo":
            text = node.text or ""
            return f" {text} " if text in _SPACED else "Σ" if text == "∑" else text
        case "mspace":
            return "" if node.get("width") in ("0.1em", "0") else " "
        case "mfrac":
            above, below = (_text(p).strip() for p in parts)
            return f"{_grouped(above, ' +−')}/{_grouped(below, ' +−/')}"
        case "msqrt":
            inner = "".join(map(_text, parts)).strip()
            return f"√{inner}" if len(inner) == 1 else f"√({inner})"
        case "msub" | "munder":
            return _text(parts[0]) + _low(parts[1])
        case "msup" | "mover" if node.get("accent"):
            accent = _ACCENTS.get(parts[1].text or "", "")
            return "".join(c + accent for c in _text(parts[0]))
        case "msup" | "mover":
            return _text(parts[0]) + _high(parts[1])
        case "munderover":
            low, high = (_text(p).replace(" ", "") for p in parts[1:])
            return f"{_text(parts[0])}_{{{low}..{high}}} "
        case "msubsup":
            return _text(parts[0]) + _low(parts[1]) + _high(parts[2])
    return "".join(map(_text, parts))


def _grouped(text: str, splits: str) -> str:
    """The text in parentheses if it would fall apart beside a slash."""
    inside = re.sub(r"\([^()]*\)", "", text.lstrip("−"))
    while "(" in inside and re.search(r"\([^()]*\)", inside):
        inside = re.sub(r"\([^()]*\)", "", inside)
    return f"({text})" if any(c in inside for c in splits) else text


def _low(node: ElementTree.Element) -> str:
    text = _text(node).replace(" ", "")
    return f"_{text}" if len(text) == 1 else f"_{{{text}}}"


def _high(node: ElementTree.Element) -> str:
    text = _text(node).strip()
    if text and all(c in _UP for c in text):
        return "".join(_UP[c] for c in text)
    return f"^{text}" if len(text) == 1 else f"^({text})"
