"""The visual language as data: colours by meaning, after Okabe and Ito; a second carrier stands beside each colour."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["KINDS", "THEMES", "Ink", "Theme"]

KINDS = ("parameter", "data", "constant", "loss", "intermediate", "statistic", "module", "output", "dots", "more")


@dataclass(frozen=True, slots=True)
class Ink:
    """Line and header fill of one kind of card."""

    line: str
    fill: str
    dashed: bool = False
    double: bool = False


@dataclass(frozen=True, slots=True)
class Theme:
    """All colours of one look; see ``THEMES``."""

    name: str
    paper: str
    card: str
    text: str
    muted: str
    rule: str
    value: str
    grad: str
    parameter: Ink
    data: Ink
    constant: Ink
    loss: Ink
    intermediate: Ink
    statistic: Ink
    module: Ink
    output: Ink
    dots: Ink
    more: Ink
    frame: str
    font: str = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"

    def ink(self, kind: str) -> Ink:
        """The ink of a kind of card."""
        found: Ink = getattr(self, kind)
        return found

    def role(self, role: str) -> str:
        """The colour of a row."""
        return {"value": self.value, "grad": self.grad}.get(role, self.muted)

    def strand(self, strand: str, back: bool = False) -> str:
        """The colour of the value strand of an edge."""
        special = {"constant": self.muted, "backward": self.grad, "coupling": self.statistic.line,
                   "parameter": self.parameter.line}  # fmt: skip
        if strand in special:
            return special[strand]
        return self.grad if back else self.muted if strand == "direct" else self.value


THEMES = {
    "light": Theme(
        "light", paper="#FFFFFF", card="#FFFFFF", text="#1F2933", muted="#6B7785", rule="#CBD2D9",
        value="#0072B2", grad="#D55E00",
        parameter=Ink("#009E73", "#DFF3EA"), data=Ink("#8A97A6", "#EEF2F6"),
        constant=Ink("#B0B8C1", "#F7F7F7"), loss=Ink("#B7791F", "#FDF0D5"),
        intermediate=Ink("#5A6877", "#FFFFFF"),
        statistic=Ink("#A23B7A", "#F7E6F1", double=True), module=Ink("#5A6877", "#EDF0F3"),
        output=Ink("#0072B2", "#DCEAF6"), dots=Ink("none", "none"), frame="#FAFBFC",
        more=Ink("#B0B8C1", "#FAFBFC", dashed=True),
    ),
    "dark": Theme(
        "dark", paper="#12171D", card="#1A2129", text="#E6EBF0", muted="#9AA7B4", rule="#3A4653",
        value="#56B4E9", grad="#F0883E",
        parameter=Ink("#2DBE93", "#12372C"), data=Ink("#8A97A6", "#26303A"),
        constant=Ink("#66727F", "#1F262E"), loss=Ink("#E0A83F", "#3B2F14"),
        intermediate=Ink("#8795A3", "#1A2129"),
        statistic=Ink("#E07DB8", "#3A1F30", double=True), module=Ink("#8795A3", "#27313B"),
        output=Ink("#56B4E9", "#16324A"), dots=Ink("none", "none"), frame="#151B22",
        more=Ink("#66727F", "#161C22", dashed=True),
    ),
    "print": Theme(
        "print", paper="#FFFFFF", card="#FFFFFF", text="#000000", muted="#444444", rule="#999999",
        value="#004B76", grad="#9C4500",
        parameter=Ink("#006B4E", "#EFEFEF"), data=Ink("#555555", "#F6F6F6"),
        constant=Ink("#777777", "#FFFFFF"), loss=Ink("#000000", "#E4E4E4"),
        intermediate=Ink("#333333", "#FFFFFF"),
        statistic=Ink("#7A2459", "#EFE6EC", double=True), module=Ink("#333333", "#E8E8E8"),
        output=Ink("#004B76", "#E6EEF3"), dots=Ink("none", "none"), frame="#FAFAFA",
        more=Ink("#777777", "#FFFFFF", dashed=True),
    ),
}  # fmt: skip
"""light, dark, and print (dark inks on white)."""
