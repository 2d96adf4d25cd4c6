r"""A derivation as steps that a reader can follow and that are each checked on their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from symgrad.symbolic.mathml import mathml
from symgrad.symbolic.proof import Certificate

if TYPE_CHECKING:
    from symgrad.symbolic.derivation import Derivation

__all__ = ["Step", "equation", "html", "markdown", "steps_of"]


@dataclass(frozen=True)
class Step:
    """One step: the rule, the name it is about, both sides as LaTeX, and what was checked."""

    rule: str
    node: str
    before: str
    after: str
    certificate: Certificate

    @property
    def latex(self) -> str:
        """The step as an equation."""
        return equation(self.before, self.after)


def equation(left: str, right: str, relation: str = "=") -> str:
    """Both sides with the relation between them."""
    return f"{left} {relation} {right}"


TITLES = {
    "definition": "Definitions",
    "solve": "Solved backwards",
    "invariant": "Invariants",
    "adjoint": "Backward, step by step",
    "gradient": "Gradients",
}


def steps_of(d: Derivation) -> Iterator[Step]:
    """Definitions, what they imply, then one adjoint per name from the output to the arguments."""
    for claim in d.claims:
        if not claim.automatic:
            left = d.latex_of(claim.before)
            if claim.rule in ("adjoint", "gradient"):
                left = rf"\frac{{\partial L}}{{\partial {left}}}"
            yield Step(claim.rule, claim.node, left, d.latex_of(claim.after), claim.certificate)


def html(d: Derivation) -> str:
    """The derivation as one HTML page without scripts; formulas are MathML."""
    body = [f"<h1>{escape(d.name)}</h1>"]
    title = ""
    for step in d.steps:
        if TITLES[step.rule] != title:
            title = TITLES[step.rule]
            body.append(f"<h2>{title}</h2>")
        body.append(f"<p>{mathml(step.latex, display=True)}</p>")
        if step.rule != "definition":
            body.append(f"<p><b>{step.certificate.verdict}</b>: {escape(step.certificate.method)}.</p>")
    for heading, items in (("Assumptions", d.assumptions), ("Domain", d.domain)):
        if items:
            body.append(f"<h2>{heading}</h2><p>{', '.join(map(mathml, items))}</p>")
    head = f'<meta charset="utf-8"><title>{escape(d.name)}</title>'
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body>\n' + "\n".join(body) + "\n</body></html>\n"


def markdown(d: Derivation) -> str:
    """The derivation as a Markdown page."""
    lines = [f"# {d.name}", ""]
    title = ""
    for step in d.steps:
        if TITLES[step.rule] != title:
            title = TITLES[step.rule]
            lines += [f"## {title}", ""]
        lines += [f"$$ {step.latex} $$", ""]
        if step.rule != "definition":
            lines += [f"*{step.certificate.verdict}*: {step.certificate.method}.", ""]
    for heading, items in (("Assumptions", d.assumptions), ("Domain", d.domain)):
        if items:
            lines += [f"## {heading}", "", ", ".join(f"${item}$" for item in items), ""]
    lines += ["## NumPy", "", "```python", d.numpy_source.rstrip(), "```", ""]
    return "\n".join(lines)
