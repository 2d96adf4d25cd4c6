"""Runs as MathML, which browsers typeset without network or scripts. Every character is escaped."""

from __future__ import annotations

import re
from dataclasses import replace

from viz.escape import xml_text
from viz.scene import Label, Run, Text

__all__ = ["fraction_math", "math", "row"]


def math(inner: str) -> str:
    """A ``<math>`` element."""
    return f"<math>{inner}</math>"


def row(text: Text) -> str:
    """Runs side by side, scripts on what they follow.

    Examples
    --------
    >>> row((Run("x", italic=True), Run("2", script=1), Run(" + 1")))
    '<mrow><msup><mi>x</mi><mn>2</mn></msup><mo>+</mo><mn>1</mn></mrow>'
    """
    parts: list[str] = []
    for run in _split(text):
        if run.script:
            base = parts.pop() if parts else "<mrow></mrow>"
            tag = "msup" if run.script > 0 else "msub"
            inner = _atoms(run)
            script = inner[0] if len(inner) == 1 else f"<mrow>{''.join(inner)}</mrow>"
            if base.startswith("<msub>") and tag == "msup":  # both at the same letter
                parts.append("<msubsup>" + base[6:-7] + script + "</msubsup>")
            else:
                parts.append(f"<{tag}>{base}{script}</{tag}>")
        else:
            parts += _atoms(run)
    return f"<mrow>{''.join(parts)}</mrow>"


def fraction_math(label: Label) -> str:
    """A label: the fraction and what it equals."""
    return f"<mrow><mfrac>{row(label.top)}{row(label.bottom)}</mfrac>{row(label.tail)}</mrow>"


_UP = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+−", strict=True))
_DOWN = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋", "0123456789+−", strict=True))
_FENCES = "()[]|‖"


def _split(text: Text) -> Text:
    """Runs in which small digits are scripts of their own."""
    out: list[Run] = []
    for run in text:
        for part in re.findall(f"[{''.join(_UP)}]+|[{''.join(_DOWN)}]+|[^{''.join(_UP)}{''.join(_DOWN)}]+", run.text):
            table, script = (_UP, 1) if part[0] in _UP else (_DOWN, -1) if part[0] in _DOWN else ({}, 0)
            if script and not run.script:
                out.append(replace(run, text="".join(table[c] for c in part), script=script))
            else:
                out.append(replace(run, text=part))
    return tuple(out)


def _atoms(run: Run) -> list[str]:
    """Letters, numbers and signs of a run, each as its element."""
    found: list[tuple[str, str]] = []
    for c in run.text:
        kind = _kind(c)
        if found and found[-1][0] == kind and (kind == "mn" or (kind == "mi" and not run.italic)):
            found[-1] = (kind, found[-1][1] + c)
        else:
            found.append((kind, c))
    out = []
    for n, (kind, text) in enumerate(found):
        near = {found[k][0] for k in (n - 1, n + 1) if 0 <= k < len(found)}
        if kind == "space":
            out += [] if "mo" in near or text == "\u2009" else ['<mspace width="0.3em"/>']
            continue
        style = ' mathvariant="normal"' if kind == "mi" and len(text) == 1 and not run.italic else ""
        style = ' stretchy="false" lspace="0" rspace="0"' if text in _FENCES else style
        style = ' lspace="0.1em" rspace="0.1em"' if text == "/" else style
        out.append(f"<{kind}{style}>{xml_text(text)}</{kind}>")
    return out


def _kind(c: str) -> str:
    if c.isdigit() or c in ".,":
        return "mn"
    return "mi" if c.isalpha() or c in "∂∞…" else "space" if c.isspace() else "mo"
