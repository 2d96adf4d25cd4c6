r"""A lecture in four formats: terminal text, Markdown, LaTeX, HTML.

Names are foreign text: Markdown and HTML escape them, the LaTeX document holds printable ASCII alone.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from symgrad.symbolic.lecture import Block, Formula, Heading, Listing, Prose, Section
from symgrad.symbolic.mathml import equations, mathml
from symgrad.symbolic.page import page, verdict
from symgrad.symbolic.plain import plain
from symgrad.symbolic.proof import Certificate

if TYPE_CHECKING:
    from symgrad.symbolic.derivation import Derivation

__all__ = ["html", "latex", "markdown", "text"]

WIDTH = 100
_MATH = re.compile(r"(?<!\\)\$((?:\\.|[^$\\])+)\$")
LEAD = "Closed-form gradients for every size, each step checked."


def aligned(parts: tuple[str, ...]) -> str:
    """Equals below equals."""
    left, *rest = parts
    if len(rest) == 1:
        return f"{left} = {rest[0]}"
    return rf"\begin{{aligned}} {left} &= " + r" \\ &= ".join(rest) + r" \end{aligned}"


# terminal --------------------------------------------------------------------------------------------------------


def text(d: Derivation, sections: Iterable[Section] | None = None) -> str:
    """The lecture for a terminal."""
    lines = [f"{d.name}: {LEAD}"]
    for k, section in enumerate(sections or d.lecture, 1):
        lines += ["", f"{k}. {section.title}", ""]
        lines += [line for block in section.blocks for line in _text(block)]
    return "\n".join(lines) + "\n"


def _text(block: Block) -> Iterable[str]:
    match block:
        case Prose(words):
            return textwrap.wrap(_MATH.sub(lambda m: plain(m[1]), words), WIDTH, break_long_words=False)
        case Heading(formula):
            return ["", f"  {plain(formula)}"]
        case Listing(code):
            return textwrap.indent(code, "    ").splitlines()
        case Formula(parts, certificate):
            left, first, *rest = map(plain, parts)
            return [f"      {left} = {first}", *[f"      {' ' * len(left)} = {p}" for p in rest], *_seal(certificate)]


def _seal(certificate: Certificate | None) -> list[str]:
    return [] if certificate is None else [f"          {certificate.verdict}: {certificate.method}"]


# Markdown --------------------------------------------------------------------------------------------------------


def markdown(d: Derivation, sections: Iterable[Section] | None = None) -> str:
    """The lecture as a Markdown page with LaTeX between dollar signs."""
    lines = [f"# {_escaped(d.name)}", "", LEAD, ""]
    for section in sections or d.lecture:
        lines += [f"## {section.title}", ""]
        lines += [line for block in section.blocks for line in _markdown(block)]
    return "\n".join(lines)


def _escaped(name: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>#])", r"\\\1", name)


def _markdown(block: Block) -> list[str]:
    match block:
        case Prose(words):
            return [words, ""]
        case Heading(formula):
            return [f"### ${formula}$", ""]
        case Listing(code):
            return ["```python", code, "```", ""]
        case Formula(parts, certificate):
            note = [f"*{certificate.verdict}*: {certificate.method}.", ""] if certificate else []
            return [f"$$ {aligned(parts)} $$", "", *note]


# LaTeX -----------------------------------------------------------------------------------------------------------

PREAMBLE = r"""\documentclass[11pt]{article}
\usepackage[a4paper,margin=25mm]{geometry}
\usepackage{amsmath,amssymb,graphicx,xcolor}
\newsavebox{\formulabox}
% a formula that is wider than the line is made smaller
\newcommand{\formula}[1]{\sbox{\formulabox}{$\displaystyle #1$}%
  \ifdim\wd\formulabox>\linewidth\resizebox{\linewidth}{!}{\usebox{\formulabox}}\else\usebox{\formulabox}\fi}
\newcommand{\seal}[2]{\par\noindent{\footnotesize\textcolor{teal}{\textsf{#1}} \textcolor{gray}{#2}}\par\medskip}
\setlength{\parindent}{0pt}\setlength{\parskip}{6pt}
"""


def latex(d: Derivation, sections: Iterable[Section] | None = None) -> str:
    """The lecture as a LaTeX document for pdflatex."""
    lines = [PREAMBLE, rf"\title{{{_tex(d.name)}}}\author{{Derived and proved by symgrad}}\date{{}}"]
    lines += [r"\begin{document}", r"\maketitle", _tex(LEAD), ""]
    for section in sections or d.lecture:
        lines += [rf"\section{{{_tex(section.title)}}}", ""]
        lines += [line for block in section.blocks for line in _latex(block)]
    return _ascii("\n".join([*lines, r"\end{document}", ""]))


def _latex(block: Block) -> list[str]:
    match block:
        case Prose(words):
            parts = _MATH.split(words)
            return ["".join(f"${p}$" if k % 2 else _tex(p) for k, p in enumerate(parts)), ""]
        case Heading(formula):
            return [rf"\subsection*{{$\boldsymbol{{{formula}}}$}}", ""]
        case Listing(code):
            return [r"\begingroup\footnotesize", r"\begin{verbatim}", _ascii(code), r"\end{verbatim}", r"\endgroup", ""]
        case Formula(parts, certificate):
            note = rf"\seal{{{certificate.verdict}}}{{{_tex(certificate.method)}}}" if certificate else ""
            return [rf"\[\formula{{{aligned(parts)}}}\]{note}", ""]


_TEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
        ">": r"\textgreater{}", "|": r"\textbar{}"}  # fmt: skip


def _tex(words: str) -> str:
    return "".join(_TEX.get(c) or (f"\\{c}" if c in "&%$#_{}" else c) for c in words)


def _ascii(words: str) -> str:
    return "".join(c if c.isascii() and (c.isprintable() or c == "\n") else f"U+{ord(c):04X}" for c in words)


# HTML ------------------------------------------------------------------------------------------------------------


def html(d: Derivation, sections: Iterable[Section] | None = None) -> str:
    """The lecture as one HTML page with MathML, without scripts."""
    parts = [(s.key, s.title, _joined(s)) for s in sections or d.lecture]
    return page(
        title=f"symgrad: {d.name}",
        brand="symgrad",
        headline=escape(d.name),
        lead=LEAD,
        sections=parts,
        footer="<p>Made by <code>symgrad derive</code>. A proof holds in exact real arithmetic, for all sizes.</p>",
    )


def _joined(section: Section) -> str:
    return "\n".join(_html(block) for block in section.blocks)


def _html(block: Block) -> str:
    match block:
        case Prose(words):
            parts = _MATH.split(words)
            return f"<p>{''.join(mathml(p) if k % 2 else escape(p) for k, p in enumerate(parts))}</p>"
        case Heading(formula):
            return f"<h3>{mathml(formula)}</h3>"
        case Listing(code):
            return f'<pre tabindex="0"><code>{escape(code)}</code></pre>'
        case Formula(parts, certificate):
            note = f"<p>{verdict(certificate.verdict)} {escape(certificate.method)}</p>" if certificate else ""
            return f'<div class="step"><div class="math">{equations(parts)}</div>{note}</div>'
