r"""A derivation as steps that a reader can follow and that are each checked on their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from symgrad.symbolic.compact import compact
from symgrad.symbolic.expr import Expr, Ref
from symgrad.symbolic.mathml import mathml
from symgrad.symbolic.normal import Poly
from symgrad.symbolic.proof import Certificate, expand
from symgrad.symbolic.rewrite import variables

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
    yield from _definitions(d)
    yield from _solved(d)
    yield from _invariants(d)
    yield from _adjoints(d)


def _definitions(d: Derivation) -> Iterator[Step]:
    given = Certificate("PROVED", "by definition")
    for let in d.named:
        if let.expr is not None:
            yield Step("definition", let.var.name, d.latex_of(Ref(let.var)), d.latex_of(let.expr), given)


def _solved(d: Derivation) -> Iterator[Step]:
    for var, poly in d.program.rules.values():
        if _visible(d, var.name) and _visible(d, d.program.solved_by[var.name]):
            yield Step("solve", var.name, d.latex_of(Ref(var)), _latex(d, poly), _by_leaves(d, _own(var) - poly))


def _invariants(d: Derivation) -> Iterator[Step]:
    solved = d.program.rules.keys()
    for left, right in d.program.theorems:
        if not d.program.uses(left) & solved:
            node = ", ".join(sorted(d.program.uses(left)))
            yield Step("invariant", node, _latex(d, left), _latex(d, right), _by_leaves(d, left - right))


def _adjoints(d: Derivation) -> Iterator[Step]:
    own = {n.serial: n for n in d.record.forward if n.op is not None and n.op.name == "named"}
    for serial in sorted(own, reverse=True):
        node = own[serial]
        value = d.reader.values[serial].expr
        if serial in d.record.adjoints and isinstance(value, Ref):
            poly = d.adjoint(node)
            boundary = next((v for v, _ in variables(poly) if v.name in d.program.adjoints), None)
            if boundary is not None and poly == _own(boundary):
                poly = d.program.local(boundary)
            left = rf"\frac{{\partial L}}{{\partial {d.latex_of(value)}}}"
            yield Step("adjoint", value.var.name, left, _latex(d, poly), d.certify(node, poly))
    for name, tree in d.trees.items():
        yield Step("gradient", name, d.lhs(name), d.latex_of(tree), d.proofs[name])


def _own(var: object) -> Poly:
    return Poly({((var, 1),): 1})


def _by_leaves(d: Derivation, difference: Poly) -> Certificate:
    """Checked by expanding all definitions, without the theorems that are to be checked."""
    if not expand(d.program, difference):
        return Certificate("PROVED", "equal after expanding every definition to the arguments", d.assumptions)
    return Certificate("UNKNOWN", "expanding the definitions did not decide it", d.assumptions)


def _visible(d: Derivation, name: str) -> bool:
    let = d.program.lets.get(name)
    return let is None or not let.automatic


def _latex(d: Derivation, poly: Poly) -> str:
    tree: Expr = compact(poly)
    return d.latex_of(tree)


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
