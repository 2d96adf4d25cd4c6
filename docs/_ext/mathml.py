"""Formulas as MathML, so that the site needs no script and no network to show mathematics."""

import re

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

# What the converter does not read, said in what it reads.
SAME = [
    (re.compile(r"\\(begin|end)\{(?:aligned|split)\}"), r"\\\1{align*}"),
    (re.compile(r"\\mathrm\{([A-Za-z]{2,})\}"), r"\\operatorname{\1}"),
]


def mathml(latex: str, display: str) -> str:
    """LaTeX as MathML."""
    for pattern, same in SAME:
        latex = pattern.sub(same, latex)
    return convert(latex, display=display)


def inline(self: HTML5Translator, node: nodes.math) -> None:
    self.body.append(mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def block(self: HTML5Translator, node: nodes.math_block) -> None:
    rows = re.split(r"\n\s*\n", node.astext().strip())
    shown = "".join(mathml(row, "block") for row in rows)
    self.body.append(f'<div class="math">{shown}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer under the name `mathml`."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True}
