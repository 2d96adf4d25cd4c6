r"""A derivation as steps that a reader can follow and that are each checked on their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from symgrad.symbolic.proof import Certificate

if TYPE_CHECKING:
    from symgrad.symbolic.derivation import Derivation

__all__ = ["Step", "equation", "steps_of"]


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


def steps_of(d: Derivation) -> Iterator[Step]:
    """Definitions, what they imply, then one adjoint per name from the output to the arguments."""
    for claim in d.claims:
        if not claim.automatic:
            left = d.latex_of(claim.before)
            if claim.rule in ("adjoint", "gradient"):
                left = rf"\frac{{\partial L}}{{\partial {left}}}"
            yield Step(claim.rule, claim.node, left, d.latex_of(claim.after), claim.certificate)
