"""Emitted lines that compute nothing twice, and products that pass over large arrays fewer times.

Every name of an emitted function is assigned once, so equal expressions are equal values wherever they stand.

Examples
--------
>>> shared(["s1 = (z - mu)**2", "h = v + eps", "u = (z - mu) / np.sqrt(v + eps)"], "c")
['c1 = z - mu', 's1 = c1**2', 'h = v + eps', 'u = c1 / np.sqrt(h)']
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Collection, Container, Sequence

from symgrad.symbolic.expr import Add, Expr, Mul, Num, Pow, Ref, add, free_of, mul

__all__ = ["divided_out", "shared", "unused"]

Place = tuple[int, int, int]  # line, and where in it an expression begins and ends


def unused(name: str, taken: Container[str]) -> str:
    """The name, with underscores added until it is free."""
    while name in taken:
        name += "_"
    return name


def shared(lines: Sequence[str], temporary: str, cheap: Collection[str] = (), taken: Container[str] = ()) -> list[str]:
    """The lines ``name = expression`` with what stands in them twice computed once.

    Parameters
    ----------
    lines : sequence of str
    temporary : str
        What new names begin with; a number follows.
    cheap : collection of str
        Names of sizes: what is computed from these alone stays where it is.
    taken : container of str
        Names that are none for something new.
    """
    lines, marks = list(lines), itertools.count()
    while found := _repeated(lines, cheap):
        _share(lines, found, f"_{next(marks)}")  # no name of the lines begins so
    new = [target for target, _, _ in _split(lines) if target.startswith("_")]
    names = {mark: unused(f"{temporary}{k}", taken) for k, mark in enumerate(new, 1)}
    return [re.sub(r"\b_\d+\b", lambda found: names[found[0]], line) for line in lines]


def _split(lines: Sequence[str]) -> list[tuple[str, int, str]]:
    """Of every line the name, where its expression begins, and that."""
    return [(target, len(target) + 3, rest) for target, _, rest in (line.partition(" = ") for line in lines)]


def _share(lines: list[str], found: list[Place], new: str) -> None:
    """Compute an expression where it is met first: by the line that computes nothing else, or by a new one."""
    first, start, stop = found[0]
    text = lines[first][start:stop]
    parts = _split(lines)
    own = next((line for line, *_ in found if parts[line][2] == text), None)
    for line, begin, end in reversed(found):
        if line != own:
            lines[line] = _replaced(lines[line], begin, end, new if own is None else parts[own][0])
    if own is None:
        lines.insert(first, f"{new} = {text}")
    else:
        lines.insert(first, lines.pop(own))


def _repeated(lines: Sequence[str], cheap: Collection[str]) -> list[Place]:
    """The places of the longest expression that stands in more than one place, in their order."""
    places: dict[str, list[Place]] = {}
    for k, (_, begin, expression) in enumerate(_split(lines)):
        for node in ast.walk(ast.parse(expression, mode="eval")):
            if isinstance(node, ast.BinOp | ast.Call) and _names(node) - {"np", *cheap}:
                place = k, begin + node.col_offset, begin + (node.end_col_offset or 0)
                places.setdefault(ast.dump(node), []).append(place)
    several = [sorted(found) for found in places.values() if len(found) > 1]
    return max(several, key=lambda found: found[0][2] - found[0][1], default=[])


def _names(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def _replaced(line: str, start: int, stop: int, name: str) -> str:
    """The line with a name in the place of an expression, and of brackets that only grouped it."""
    grouped = line[start - 1] == "(" and line[stop : stop + 1] == ")" and not re.match(r"\w", line[start - 2])
    return line[: start - grouped] + name + line[stop + grouped :]


def divided_out(tree: Mul) -> Expr:
    """A sum over a number, as each term over it: ``(B g - t - s u) / B`` is ``g - t / B - s / B u``.

    Where one term loses a product with the number, and the others have a factor with fewer axes than the sum.
    """
    for divisor in tree.factors:
        match divisor:
            case Pow(Ref() as number, Num(-1)) if not free_of(number):
                for f in tree.factors:
                    terms = _quotients(f, number) if isinstance(f, Add) else None
                    if terms is not None:
                        return mul(*[add(*terms) if g is f else g for g in tree.factors if g is not divisor])
    return tree


def _quotients(total: Add, number: Ref) -> list[Expr] | None:
    """The terms of a sum over a number, if that costs less than the sum over it."""
    axes, terms, saved = free_of(total), [], False
    for term in total.terms:
        factors = list(term.factors) if isinstance(term, Mul) else [term]
        if number in factors:
            factors.remove(number)
            saved |= free_of(term) == axes
        elif any(not isinstance(f, Num) and free_of(f) < axes for f in factors):
            factors.append(Pow(number, Num(-1)))
        else:
            return None
        terms.append(mul(*factors))
    return terms if saved else None
