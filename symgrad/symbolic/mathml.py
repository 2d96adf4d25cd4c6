r"""LaTeX formulas as MathML, which browsers typeset without network or scripts.

It reads the LaTeX that symgrad prints (and the plain kind that people give as names): letters, numbers, operators,
sub- and superscripts, fractions, roots, accents, sums, brackets, Greek. Every character is escaped, and a command that
is not known is shown as text, so that no name can become markup.
"""

from __future__ import annotations

import re
from html import escape

__all__ = ["equations", "mathml"]

_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|[{}_^]|\d+(?:\.\d+)?|\s+|.", re.DOTALL)

_NAMES = """
alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi omega
Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega
"""
_GREEK = dict(zip(_NAMES.split(), "αβγδϵζηθικλμνξπρστυϕχψωΓΔΘΛΞΠΣΥΦΨΩ", strict=True))
_IDENTIFIERS = {**_GREEK, "partial": "∂", "infty": "∞", "ell": "ℓ", "varepsilon": "ε"}
_PLAIN = """
ln log exp sin cos tan tanh sinh cosh max min arcsin arccos arctan
"""
_FUNCTIONS = {n: n for n in _PLAIN.split()}
_OPERATORS = {"sum": "∑", "prod": "∏", "cdot": "⋅", "times": "×", "le": "≤", "ge": "≥", "ne": "≠", "in": "∈", "to": "→",
              "wedge": "∧", "vee": "∨", "neg": "¬", "pm": "±", "ldots": "…", "cdots": "⋯", "mid": "|", "lVert": "‖",
              "rVert": "‖", "lvert": "|", "rvert": "|", "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉",
              "bmod": "mod", "mapsto": "↦", "approx": "≈",
              "{": "{", "}": "}", "|": "‖", "&": "&", "%": "%", "_": "_"}  # fmt: skip
_SPACES = {",": "0.17em", ";": "0.28em", ":": "0.22em", "!": "0", "quad": "1em", "qquad": "2em", " ": "0.25em"}
_ACCENTS = {"hat": "^", "bar": "¯", "tilde": "~", "dot": "˙", "vec": "→", "overline": "‾"}
_FRACTIONS = {"frac", "tfrac", "dfrac"}
_TEXTS = {"mathrm", "operatorname", "text", "mathsf", "mathbf", "textstyle", "displaystyle"}
_LIMITS = {"∑", "∏", "max", "min"}


def mathml(latex: str, display: bool = False) -> str:
    r"""A formula as a ``<math>`` element.

    Parameters
    ----------
    latex : str
        Without dollar signs.
    display : bool
        Whether it stands on a line of its own.

    Examples
    --------
    >>> mathml(r"\frac{\partial L}{\partial z_i}")
    '<math><mfrac><mrow><mi>∂</mi><mi>L</mi></mrow><mrow><mi>∂</mi><msub><mi>z</mi><mi>i</mi></msub></mrow></mfrac></math>'
    """
    body = _Reader(latex).row()
    return f'<math display="block">{body}</math>' if display else f"<math>{body}</math>"


def equations(parts: tuple[str, ...]) -> str:
    """What equals what, and equals what, as one ``<math>`` element with the equals signs below each other.

    Examples
    --------
    >>> equations(("a", "b", "c")).count("<mtr>")
    2
    """
    left, *rest = [f"<mrow>{_Reader(part).row()}</mrow>" for part in parts]
    cells = [left] + ["<mrow></mrow>"] * (len(rest) - 1)
    rows = [f"<mtr><mtd>{a}</mtd><mtd><mrow><mo>=</mo>{b}</mrow></mtd></mtr>" for a, b in zip(cells, rest, strict=True)]
    return f'<math display="block"><mtable class="equations" displaystyle="true">{"".join(rows)}</mtable></math>'


class _Reader:
    """Reads tokens from left to right; unbalanced braces end a group quietly."""

    def __init__(self, latex: str) -> None:
        self.tokens = _TOKEN.findall(latex)
        self.at = 0

    def peek(self) -> str:
        """The next token; empty at the end."""
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def next(self) -> str:
        """The next token, read."""
        token = self.peek()
        self.at += 1
        return token

    def row(self, stop: str = "") -> str:
        """Items until the closing token, side by side."""
        items = []
        while self.peek() and self.peek() != stop:
            items.append(self.scripted())
        self.at += bool(stop)
        items = [x for x in items if x]
        return items[0] if len(items) == 1 else "<mrow>" + "".join(items) + "</mrow>" if stop else "".join(items)

    def scripted(self) -> str:
        """An item with its sub- and superscript."""
        base = self.item()
        under = over = ""
        while self.peek() in ("_", "^") and self.peek():
            if self.next() == "_":
                under = self.item()
            else:
                over = self.item()
        if not under and not over:
            return base
        limits = any(f">{c}<" in base for c in _LIMITS)
        names = ("munder", "mover", "munderover") if limits else ("msub", "msup", "msubsup")
        parts = [base or "<mrow></mrow>", *filter(None, (under, over))]
        name = names[2] if under and over else names[0] if under else names[1]
        return f"<{name}>{''.join(parts)}</{name}>"

    def group(self) -> str:
        """The next item, or an empty row at the end."""
        return self.item() or "<mrow></mrow>"

    def item(self) -> str:
        """One group, command, number, letter or operator."""
        token = self.next()
        while token and token.isspace():
            token = self.next()
        if token == "{":
            return self.row("}")
        if token.startswith("\\") and len(token) > 1:
            return self.command(token[1:])
        if token[:1].isdigit():
            return f"<mn>{escape(token)}</mn>"
        if token.isalpha():
            return f"<mi>{escape(token)}</mi>"
        return f"<mo>{'−' if token == '-' else escape(token)}</mo>" if token and token not in "}" else ""

    def command(self, name: str) -> str:
        """A backslash command."""
        if name in _FRACTIONS:
            return f"<mfrac>{self.group()}{self.group()}</mfrac>"
        if name == "sqrt":
            return f"<msqrt>{self.group()}</msqrt>"
        if name in _ACCENTS:
            return f'<mover accent="true">{self.group()}<mo>{_ACCENTS[name]}</mo></mover>'
        if name == "left":
            opening, inner = self._fence(), self.row("\\right")
            return f"<mrow><mo>{opening}</mo>{inner}<mo>{self._fence()}</mo></mrow>"
        if name == "mathbb":
            return f"<mi>{ {'R': 'ℝ', 'N': 'ℕ', 'Z': 'ℤ'}.get(self.text(), '?') }</mi>"
        if name in _TEXTS:
            return "" if name.endswith("style") else f'<mi mathvariant="normal">{escape(self.text())}</mi>'
        if name in _SPACES:
            return f'<mspace width="{_SPACES[name]}"/>'
        if name in _OPERATORS:
            return f"<mo>{escape(_OPERATORS[name])}</mo>"
        if name in _FUNCTIONS:
            return f'<mrow><mi>{name}</mi><mspace width="0.1em"/></mrow>'
        return f"<mi>{_IDENTIFIERS.get(name) or escape(name)}</mi>"

    def _fence(self) -> str:
        token = self.next()
        return "" if token == "." else escape(_OPERATORS.get(token[1:], token[1:]) if token[:1] == "\\" else token)

    def text(self) -> str:
        """The characters of the next group, as they are."""
        if self.next() != "{":
            return self.tokens[self.at - 1] if self.at <= len(self.tokens) else ""
        letters, depth = [], 1
        while self.peek():
            token = self.next()
            depth += (token == "{") - (token == "}")
            if not depth:
                break
            letters.append(token.removeprefix("\\"))
        return "".join(letters)
