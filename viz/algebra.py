"""SymPy scalars as short text: ``a(1−a)``, ``2r``, ``−u/(2(σ²+ε))``."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from viz.mathtext import bracketed, raised
from viz.numbers import MINUS, figure
from viz.scene import Run, Text, plain

__all__ = ["algebra_text"]

_SUM, _PRODUCT, _POWER, _ATOM = range(4)
_FUNCTIONS = {"log": "ln", "asin": "arcsin", "acos": "arccos", "atan": "arctan", "Max": "max", "Min": "min"}
_RELATIONS = {"Gt": ">", "Lt": "<", "Ge": "≥", "Le": "≤", "Eq": "=", "Ne": "≠",
              "StrictGreaterThan": ">", "StrictLessThan": "<", "GreaterThan": "≥", "LessThan": "≤",
              "Equality": "=", "Unequality": "≠"}  # fmt: skip
Piece = tuple[list[Run], int]


def algebra_text(expression: Any, names: Mapping[str, Text]) -> Text:
    """A SymPy expression as runs; symbols are looked up by name.

    Examples
    --------
    >>> import sympy
    >>> a = sympy.Symbol("n0")
    >>> plain(algebra_text(a * (1 - a), {"n0": (Run("a", italic=True),)}))
    'a(1 − a)'
    """
    return tuple(_text(expression, names)[0])


def _wrap(piece: Piece, level: int) -> list[Run]:
    runs, own = piece
    return runs if own >= level else list(bracketed(tuple(runs)))


def _text(e: Any, names: Mapping[str, Text]) -> Piece:
    if e.is_Symbol:
        return list(names.get(e.name, (Run(e.name, italic=True),))), _ATOM
    if e.is_Number:
        return _number(e)
    if e.is_Add:
        return _sum(e, names)
    if e.is_Mul or (e.is_Pow and e.exp.is_Number and e.exp.is_negative):
        return _product(e, names)
    if e.is_Pow:
        return _power(e.base, e.exp, names)
    return _other(e, names)


def _number(e: Any) -> Piece:
    if e.is_Rational and e.q != 1 and max(abs(e.p), e.q) < 100:
        return [Run(f"{MINUS if e.p < 0 else ''}{abs(e.p)}/{e.q}")], _PRODUCT if e.p > 0 else _SUM
    text = str(e.p).replace("-", MINUS) if e.is_Integer and abs(e.p) < 10**6 else figure(float(e))
    return [Run(text)], _SUM if text.startswith(MINUS) else _ATOM


def _sum(e: Any, names: Mapping[str, Text]) -> Piece:
    terms = [(t.could_extract_minus_sign(), t) for t in e.as_ordered_terms()]
    terms.sort(key=lambda pair: pair[0])
    out: list[Run] = []
    for negative, term in terms:
        sign = (MINUS if not out else f" {MINUS} ") if negative else (" + " if out else "")
        out += [Run(sign)] if sign else []
        out += _wrap(_text(-term if negative else term, names), _PRODUCT)
    return out, _SUM


def _product(e: Any, names: Mapping[str, Text]) -> Piece:
    coefficient, rest = e.as_coeff_Mul()
    above: list[Any] = []
    below: list[Any] = []
    for factor in rest.as_ordered_factors():
        inverse = factor.is_Pow and factor.exp.is_Number and factor.exp.is_negative
        (below if inverse else above).append(factor.base**-factor.exp if inverse else factor)
    if not coefficient.is_Rational:  # infinities and floats
        above = [abs(coefficient), *above]
        scale = Fraction(1)
    else:
        scale = Fraction(int(abs(coefficient.p)), int(coefficient.q))
    above = [factor for factor in above if factor != 1] or ([] if scale.numerator != 1 else [coefficient * 0 + 1])
    top = _joined(scale.numerator, above, names)
    out = [Run(MINUS)] if coefficient.is_negative else []
    if scale.denominator != 1 or below:
        bottom = _joined(scale.denominator, below, names)
        single = len(below) + (scale.denominator != 1) == 1
        top = [*top, Run("/"), *(bottom if single else bracketed(tuple(bottom)))]
    return out + top, _SUM if out else _PRODUCT


def _joined(number: int, factors: list[Any], names: Mapping[str, Text]) -> list[Run]:
    """A product written side by side, with a thin space where two letters would touch."""
    out = [Run(str(number))] if number != 1 or not factors else []
    for k, factor in enumerate(factors):
        level = _POWER if len(factors) > 1 or out or k else _PRODUCT
        runs = _wrap(_text(factor, names), level)
        both = plain(tuple(out))[-1:], plain(tuple(runs))[:1]
        apart = out and ((both[1].isalpha() and not both[0].isdigit()) or both[1].isdigit()) and both[0] != "("
        out += [Run("\u2009"), *runs] if apart or (k and both[0].isdigit() and both[1] != "(") else runs
    return out


def _power(base: Any, exponent: Any, names: Mapping[str, Text]) -> Piece:
    if exponent.is_number and exponent.is_real and float(exponent) == 0.5:
        return [Run("√"), *_wrap(_text(base, names), _ATOM)], _POWER
    if base.is_Pow or base.func.__name__ == "exp":
        inside = bracketed(tuple(_text(base, names)[0]))
        return _raised(list(inside), exponent, names)
    return _raised(_wrap(_text(base, names), _ATOM), exponent, names)


def _raised(base: list[Run], exponent: Any, names: Mapping[str, Text]) -> Piece:
    runs = _text(exponent, names)[0]
    if "/" in plain(tuple(runs)):
        return [*base, Run("^("), *runs, Run(")")], _POWER
    return [*base, *raised(runs, 1)], _POWER


def _other(e: Any, names: Mapping[str, Text]) -> Piece:
    kind = e.func.__name__
    if kind == "exp":
        return _exponential(e, names)
    if kind in _RELATIONS:
        a, b = (_text(x, names)[0] for x in e.args)
        return [*a, Run(f" {_RELATIONS[kind]} "), *b], _SUM
    if kind == "Piecewise":
        return _pieces(e, names), _SUM
    if kind in ("And", "Or"):
        parts = [_wrap(_text(x, names), _SUM) for x in sorted(e.args, key=str)]
        return _listed(parts, " ∧ " if kind == "And" else " ∨ "), _SUM
    if not e.args:
        return [Run({"Pi": "π", "Infinity": "∞", "NegativeInfinity": "−∞", "NaN": "NaN"}.get(kind, str(e)))], _ATOM
    parts = [_text(x, names)[0] for x in e.args]
    if kind == "Abs":
        return [Run("|"), *parts[0], Run("|")], _ATOM
    return [Run(_FUNCTIONS.get(kind, kind) + "("), *_listed(parts, ", "), Run(")")], _ATOM


def _exponential(e: Any, names: Mapping[str, Text]) -> Piece:
    return _raised([Run("e")], e.args[0], names)


def _pieces(e: Any, names: Mapping[str, Text]) -> list[Run]:
    """``1 if x > 0 else 0``."""
    parts: list[list[Run]] = []
    for value, condition in e.args:
        text = _text(value, names)[0]
        parts.append(text if condition == True else [*text, Run(" if "), *_text(condition, names)[0]])  # noqa: E712
    return _listed(parts, " else ")


def _listed(parts: list[list[Run]], separator: str) -> list[Run]:
    out = list(parts[0]) if parts else []
    for part in parts[1:]:
        out += [Run(separator), *part]
    return out
