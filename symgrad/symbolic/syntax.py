"""Formulas as text, up to their syntax tree: what is no formula is refused here, with the column.

Nothing is evaluated. `ast` reads after the length and the characters were checked, and what it gives is only looked at.
"""

from __future__ import annotations

import ast
import keyword
import re
from dataclasses import dataclass
from fractions import Fraction

from symgrad.errors import SymbolicError
from symgrad.symbolic.indices import Extent

__all__ = ["Source", "sides", "syntax"]

MAX_LENGTH, MAX_NODES = 2000, 400
_NUMBER = re.compile(r"(?<![\w.])(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


@dataclass(frozen=True)
class Source:
    """A formula's text, where it starts in what the user gave, and its syntax tree."""

    text: str
    start: int
    tree: ast.expr

    def refuse(self, node: ast.expr, problem: str) -> SymbolicError:
        """The error for a part of it."""
        return SymbolicError(f"formula, column {self.start + node.col_offset + 1}: {problem}")

    def part(self, node: ast.expr) -> str:
        """The text of a part of it, on one line and not too long."""
        text = " ".join((ast.get_source_segment(self.text, node) or type(node).__name__).split())
        return text if len(text) <= 60 else f"{text[:57]}..."

    def identifier(self, node: ast.expr, name: str) -> str:
        """The name, if it is one that formulas may use."""
        if not name.isascii() or name.startswith("__") or keyword.iskeyword(name) or len(name) > 40:
            raise self.refuse(node, f"{name!r} is not a usable name")
        return name

    def number(self, node: ast.Constant) -> Fraction:
        """The exact value of a number as it was written."""
        text = ast.get_source_segment(self.text, node) or ""
        if not _NUMBER.fullmatch(text):
            raise self.refuse(node, f"{self.part(node)!r} is not a number that is read here")
        value = float(text)
        if value > 1e30 or (value < 1e-30 and any(c in "123456789" for c in re.split("[eE]", text)[0])):
            raise self.refuse(node, f"the number {text[:40]} is out of range")
        return Fraction(text.replace("_", ""))

    def limit(self, node: ast.expr) -> tuple[str, Extent]:
        """The letter and the size of a limit such as ``(j, 1, B)``."""
        match node:
            case ast.Tuple(elts=[ast.Name(id=name), ast.Constant(value=1), ast.Name(id=size)]):
                return self.identifier(node, name), (((self.identifier(node, size),), 1),)
            case ast.Tuple(elts=[ast.Name(id=name), ast.Constant(value=1), ast.Constant(value=int() as n)]) if n > 0:
                return self.identifier(node, name), (((), n),)
        raise self.refuse(node, f"{self.part(node)!r} is not a limit; write it as (j, 1, B)")


def sides(text: str) -> tuple[str | None, str, int]:
    """Left side, right side, and where the right side starts."""
    left, equals, right = text.partition("=")
    return (left.strip(), right, len(left) + 1) if equals else (None, text, 0)


def syntax(text: str, start: int = 0) -> Source:
    """The syntax tree of a formula."""
    if len(text) > MAX_LENGTH:
        raise SymbolicError(f"formula: {len(text)} characters; at most {MAX_LENGTH} are read")
    start += len(text) - len(text.lstrip())
    text = text.strip()
    if not text:
        raise SymbolicError("formula: it is empty")
    if odd := re.search(r"[^\w\s.,+\-*/()\[\]]", text):
        remedy = "; a power is written **" if odd[0] == "^" else ""
        raise SymbolicError(f"formula, column {start + odd.start() + 1}: {odd[0]!r} has no meaning here{remedy}")
    for number in _NUMBER.finditer(text):
        follows = text[number.end() : number.end() + 1]
        if follows.isalpha():
            raise SymbolicError(
                f"formula, column {start + number.end() + 1}: {follows!r} follows a number; write a product with *"
            )
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        column = start + (getattr(error, "offset", None) or 1)
        raise SymbolicError(f"formula, column {column}: not a formula ({error.__class__.__name__})") from None
    if sum(1 for _ in ast.walk(tree)) > MAX_NODES:
        raise SymbolicError(f"formula: more than {MAX_NODES} parts; give parts of it names")
    return Source(text, start, tree)
