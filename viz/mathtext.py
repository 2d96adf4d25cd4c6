r"""LaTeX of one line as runs of Unicode text, for labels: ``\hat z``, ``\sigma_B^2``, ``\frac{{0}}{{1}}``.

It reads the small part of LaTeX that names and ops use. Unknown commands show as their words, so
nothing raises, and nothing a user writes becomes markup: the result is plain runs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from viz.escape import LIMIT, clean
from viz.scene import Run, Text, plain

__all__ = ["SMALL", "bracketed", "cut", "is_loose", "latex_text", "literal", "name_text", "notation_text", "raised"]

_LETTERS = "αβγδεζηθικλμνξοπρςστυφχψω"
_WORDS = (
    *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu"),
    *("xi", "omicron", "pi", "rho", "final", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega"),
)
GREEK = dict(zip(_WORDS, _LETTERS, strict=True)) | {"eps": "ε", "varepsilon": "ε", "lam": "λ", "varphi": "φ"}
GREEK |= {w.capitalize(): c.upper() for w, c in zip(_WORDS, _LETTERS, strict=True) if w != "final"}
_ACCENTS = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303", "dot": "\u0307"}
_SYMBOLS = {
    "cdot": "·", "cdots": "⋯", "ldots": "…", "times": "×", "odot": "⊙", "partial": "∂", "infty": "∞", "ell": "ℓ",
    "sum": "∑", "prod": "∏", "in": " ∈ ", "le": " ≤ ", "ge": " ≥ ", "ne": " ≠ ", "wedge": " ∧ ", "vee": " ∨ ",
    "neg": "¬", "lVert": "‖", "rVert": "‖", "lfloor": "⌊", "rfloor": "⌋", "to": " → ", "mapsto": " ↦ ",
    ",": "\u2009", ";": " ", ":": " ", " ": " ", "quad": " ", "{": "{", "}": "}", "|": "‖",
}  # fmt: skip
_SILENT = {"textstyle", "displaystyle", "left", "right", "!", "limits"}
_UPRIGHT = {"operatorname", "mathrm", "mathsf", "text", "mathbf", "mathit", "boldsymbol"}
_SPACED = {"+": " + ", "-": " − ", "=": " = ", "<": " < ", ">": " > ", ",": ", "}
_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|.", re.DOTALL)
_ARGUMENT = 0xE000  # places of arguments stand in the private use area, which `clean` keeps out of user text
_OPEN, _CLOSE = {None, "(", "|", "[", ",", "{", "+"}, {None, ")", "|", "]", ",", "}", "+", "-"}


def literal(text: str, **style: bool) -> Text:
    """User text as it is, cleaned and cut."""
    text = clean(text)
    return (Run(text if len(text) <= LIMIT else text[: LIMIT - 1] + "…", **style),)


def name_text(name: str, latex: str | None = None) -> Text:
    r"""A name as people write it: ``sigma2`` is σ², ``z_hat`` is ẑ, ``W1`` is W₁.

    Examples
    --------
    >>> plain(name_text("z_hat")), plain(name_text("mu")), plain(name_text("any", r"\sigma_B^2"))
    ('ẑ', 'μ', 'σB2')
    """
    if latex:
        found = latex_text(latex)
        if plain(found).strip():
            return cut(found, LIMIT)
    match = re.fullmatch(r"([A-Za-z]{1,20}?)(?:_?(hat|bar|tilde))?(?:_?([0-9]{1,4})|_([A-Za-z0-9]{1,12}))?", name)
    if not match or "__" in name:
        return literal(name, italic=True)
    stem, accent, digits, word = match.groups()
    letter = GREEK.get(stem, stem)
    if (accent or word) and len(letter) > 1:
        return literal(name, italic=True)
    letter = unicodedata.normalize("NFC", letter + _ACCENTS.get(accent, ""))
    script = Run(GREEK.get(word, word) if word else digits or "", italic=bool(word), script=-1)
    if name == "sigma2":
        script = Run("2", script=1)
    return (Run(letter, italic=True), *([script] if script.text else []))


def latex_text(latex: str) -> Text:
    r"""A line of LaTeX.

    Examples
    --------
    >>> plain(latex_text(r"\hat y = \frac{a+b}{2}"))
    'ŷ = (a + b)/2'
    """
    return _Reader(clean(latex)[:200], ()).read()


def notation_text(notation: str, arguments: Sequence[Text]) -> Text:
    r"""An op's notation with its arguments, in parentheses where they need them.

    Examples
    --------
    >>> v = name_text("v")
    >>> plain(notation_text("{0} - {1}", [v, notation_text("{0} + {1}", [v, v])]))
    'v − (v + v)'
    """
    marks = [chr(_ARGUMENT + k) for k in range(len(arguments))]
    try:
        source = notation.format(*marks)
    except (IndexError, KeyError, ValueError):
        source = notation
    return _Reader(source, tuple(arguments)).read()


def _outside(text: Text) -> str:
    """The characters outside of parentheses and scripts."""
    out, depth = [], 0
    for c in "".join(run.text for run in text if not run.script):
        depth -= c in ")]}⌋"
        if depth <= 0:
            out.append(c)
        depth += c in "([{⌊"
    return "".join(out)


def is_loose(text: Text) -> bool:
    """Whether a text is a sum, or starts with a minus, outside of parentheses."""
    flat = _outside(text)
    return flat.startswith("−") or " − " in flat or " if " in flat or any(c in flat for c in "+=<>≤≥≠∧∨")


def cut(text: Text, limit: int) -> Text:
    """A text cut at a number of characters, with an ellipsis."""
    if len(plain(text)) <= limit:
        return text
    out: list[Run] = []
    for run in text:
        room = limit - 1 - sum(len(r.text) for r in out)
        if room <= 0:
            break
        out.append(replace(run, text=run.text[:room]))
    return (*out, Run("…"))


def bracketed(text: Text) -> Text:
    """A text in parentheses."""
    return (Run("("), *text, Run(")"))


def _is_atom(text: Text) -> bool:
    return not is_loose(text) and not any(c in _outside(text) for c in " \u2009/·")


class _Reader:
    """Recursive descent over the tokens; the input is short, so the depth is."""

    def __init__(self, source: str, arguments: tuple[Text, ...]) -> None:
        self.tokens: list[str] = [t for t in _TOKEN.findall(source)]
        self.at = 0
        self.arguments = arguments

    def read(self) -> Text:
        out: list[Run] = []
        while self.at < len(self.tokens):
            out += self._group(False)
            self.at += 1  # a stray closing brace
        return _merged(out)

    def _group(self, closed: bool = True) -> list[Run]:
        """Everything up to the closing brace, which is taken if there was an opening one."""
        out: list[Run] = []
        while self.at < len(self.tokens):
            if self.tokens[self.at] == "}":
                self.at += closed
                break
            out += self._item(not out or out[-1].text[-1:] in "(|[,^")
        return out

    def _peek(self, step: int) -> str | None:
        """The nearest token that is not a space, ahead (0) or behind the last one read (-2)."""
        k = self.at + step
        while 0 <= k < len(self.tokens) and self.tokens[k] == " ":
            k += 1 if step >= 0 else -1
        return self.tokens[k] if 0 <= k < len(self.tokens) else None

    def _item(self, first: bool = True) -> list[Run]:
        if self.at >= len(self.tokens):
            return []
        token = self.tokens[self.at]
        self.at += 1
        if token == "{":
            return self._group()
        if token in "^_":
            return self._script(1 if token == "^" else -1)
        if token.startswith("\\") and len(token) > 1:
            return self._command(token[1:])
        if 0 <= ord(token[0]) - _ARGUMENT < len(self.arguments):
            return self._argument(self.arguments[ord(token[0]) - _ARGUMENT])
        if token in _SPACED:
            return [Run("−" if token == "-" else token) if first and token != "," else Run(_SPACED[token])]
        if token == " ":
            return []
        return [Run(token, italic=token.isalpha())]

    def _argument(self, text: Text) -> list[Run]:
        before, after = self._peek(-2), self._peek(0)
        if is_loose(text) and (before not in _OPEN or after not in _CLOSE):
            return list(bracketed(text))
        if after is not None and after not in _CLOSE and "/" in _outside(text):
            return list(bracketed(text))
        return list(bracketed(text) if after == "^" and not _is_atom(text) else text)

    def _next(self) -> list[Run]:
        while self.at < len(self.tokens) and self.tokens[self.at] == " ":
            self.at += 1
        return self._item()

    def _script(self, script: int) -> list[Run]:
        runs = self._next()
        return raised(runs, script)

    def _command(self, word: str) -> list[Run]:
        if word in GREEK:
            return [Run(GREEK[word], italic=True)]
        if word in _SYMBOLS:
            return [Run(_SYMBOLS[word])]
        if word in _SILENT:
            return []
        if word in _ACCENTS or word == "overline":
            return _accented(self._next(), _ACCENTS.get(word, "\u0304"))
        if word in ("frac", "tfrac", "dfrac"):
            runs = _fraction(tuple(self._next()), tuple(self._next()))
            return runs if self._peek(0) in (None, ")", "}", "+", "-") else [*runs, Run("\u2009")]
        if word == "sqrt":
            inside = tuple(self._next())
            return [Run("√"), *(inside if _is_atom(inside) else bracketed(inside))]
        if word == "mathbb":
            return [Run({"R": "ℝ", "E": "𝔼"}.get(plain(tuple(self._next())), "ℝ"))]
        if word in _UPRIGHT:
            return self._upright()
        return [Run(word + ("" if self._peek(0) in ("(", "{", "^", None) else "\u2009"))]

    def _upright(self) -> list[Run]:
        r"""The text of ``\text{...}``, spaces kept."""
        if self.at < len(self.tokens) and self.tokens[self.at] == "{" and "}" in self.tokens[self.at :]:
            end = self.tokens.index("}", self.at)
            body = "".join(t for t in self.tokens[self.at + 1 : end] if t != "{")
            self.at = end + 1
            return [Run(body)] if body else []
        return [replace(run, italic=False) for run in self._next()]


SMALL = {-1: str.maketrans("0123456789+−", "₀₁₂₃₄₅₆₇₈₉₊₋"), 1: str.maketrans("0123456789+−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")}


def raised(runs: Sequence[Run], script: int) -> list[Run]:
    """Runs as a superscript or subscript; scripts inside them become small digits, or all goes in parentheses."""
    out = []
    for run in runs:
        text = run.text.replace(" ", "")
        if run.script:
            small = text.translate(SMALL[run.script])
            if any(c == d for c, d in zip(text, small, strict=True)):
                return [Run("^(" if script > 0 else "_("), *runs, Run(")")]
            text = small
        out.append(replace(run, text=text, script=script))
    return out


def _accented(runs: list[Run], accent: str) -> list[Run]:
    if not runs:
        return []
    return [replace(runs[0], text=unicodedata.normalize("NFC", runs[0].text + accent)), *runs[1:]]


def _fraction(top: Text, bottom: Text) -> list[Run]:
    if is_loose(top) and not (
        plain(top).startswith("−") and not is_loose((replace(top[0], text=top[0].text[1:]), *top[1:]))
    ):
        top = bracketed(top)
    return [*top, Run("/"), *(bottom if _is_atom(bottom) else bracketed(bottom))]


def _merged(runs: list[Run]) -> Text:
    """Neighbours of one style as one run."""
    out: list[Run] = []
    for run in runs:
        if out and replace(run, text="") == replace(out[-1], text=""):
            out[-1] = replace(run, text=out[-1].text + run.text)
        elif run.text:
            out.append(run)
    return tuple(out)
