"""Numeric verdicts above float64: exact rationals, enclosures, many digits; and what they refute."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import symgrad as sg
from symgrad.symbolic import derive, levels
from symgrad.symbolic.compact import compact
from symgrad.symbolic.exact import Intervals
from symgrad.symbolic.levels import ENCLOSED, EXACT, PRECISE
from symgrad.symbolic.numbers import NotSquareError, Number, Precise, Roots, array_of

REACHED = {
    "batchnorm": EXACT,
    "batchnorm_2d": EXACT,
    "batchnorm_nchw": EXACT,
    "layernorm": EXACT,
    "batchnorm_bessel": EXACT,
    "linear": EXACT,
    "mse": EXACT,
    "softmax": ENCLOSED,
    "cosine": EXACT,
    "lp_norm": ENCLOSED,
    "attention": ENCLOSED,
    "linear_sigmoid": ENCLOSED,
}


@pytest.mark.parametrize("name", REACHED)
def test_the_highest_level_is_reached_by_graph_and_code(name):
    found = derive(name).check()
    assert found
    assert [(level.subject, level.name) for level in found.levels] == [
        ("graph", REACHED[name]),
        ("code", REACHED[name]),
    ]
    assert all(level.agrees for level in found.levels)
    assert set(found.proofs.values()) == {"PROVED"}


def test_roots_of_batchnorm_are_made_rational_by_the_choice_of_eps():
    d = derive("batchnorm")
    (graph, code) = d.check().levels
    assert graph.sizes == code.sizes == ({"B": 2}, {"B": 3}, {"B": 4})
    sizes = {"B": 3}
    point = levels._rational(d, levels._point(d, sizes, 0), lambda p: levels._formula(d, Roots(), sizes, p))
    z = list(point["z"])
    h = sum((x - sum(z) / 3) ** 2 for x in z) / 3 + point["eps"]
    assert isinstance(h, Fraction)
    assert Roots().power(h, Fraction(1, 2)) ** 2 == h
    assert point["eps"] > 0


def test_special_functions_are_compared_with_many_digits():
    d = derive(lambda x, w: sg.stop_gradient(sg.special.erfc(x)) * w, x=sg.spec("N"), w=sg.spec("N"))
    assert [(level.subject, level.name) for level in d.check().levels] == [("graph", PRECISE), ("code", PRECISE)]
    d = derive(lambda x: sg.special.erfc(x) * x, x=sg.spec("N"))  # the rule of erfc has 2/sqrt(pi) as a rounded number
    assert [(level.subject, level.name) for level in d.check().levels] == [("code", PRECISE)]


@pytest.mark.parametrize("name", ["batchnorm", "softmax"])
def test_a_wrong_term_in_the_code_is_refuted(name):
    d = derive(name)
    first = next(iter(d.record.arguments))
    poly = d.polys[first]
    monomial, c = next(iter(poly.terms.items()))
    wrong = replace(d)
    almost = {**d.trees, first: compact(poly + type(poly)({monomial: c * Fraction(1, 10**12)}))}
    wrong.__dict__.update(reader=d.reader, polys=d.polys, trees=almost)
    found = wrong.check()
    assert not found  # although float64 sees next to nothing
    assert found.error < 1e-9
    assert "DIFFERS FROM" in str(found)
    assert [level.agrees for level in found.levels] == [True, False]


def test_a_wrong_rule_of_an_op_is_refuted():
    cube = sg.op("cube", lambda x: x**3, pullback=(lambda g, y, x: g * (3 * x * x + 1e-13),), symbol="x**3")
    d = derive(lambda x: cube(x), x=sg.spec("N"))
    assert d.proofs["x"].verdict == "FALSE"


def test_numbers_compute_as_their_field():
    x = array_of(Roots(), np.array([Fraction(4, 9), Fraction(1, 4)], dtype=object))
    assert [n.value for n in np.sqrt(x)] == [Fraction(2, 3), Fraction(1, 2)]
    assert (1 - x * 2)[0].value == Fraction(1, 9)
    assert (0.1 + x)[1].value == Fraction(7, 20)  # a literal is what was written
    assert (x**-1.5)[1].value == 8
    assert np.sum(x).value == Fraction(25, 36)
    assert np.einsum("i,i->", x, x).value == Fraction(16, 81) + Fraction(1, 16)
    assert np.max(x).value == Fraction(4, 9)
    with pytest.raises(NotSquareError):
        np.sqrt(x * 2)
    with pytest.raises(ValueError, match="rational"):
        np.exp(x)
    with pytest.raises(TypeError, match="no number"):
        x + "a"


def test_enclosures_hold_the_value():
    x = array_of(Intervals(), np.array([Fraction(1, 3)], dtype=object))
    (y,) = np.exp(x) / np.tanh(x) - np.log(x) ** 2
    exact = np.exp(1 / 3) / np.tanh(1 / 3) - np.log(1 / 3) ** 2
    assert float(y.value.a) <= exact <= float(y.value.b)
    assert float(y.value.delta) < 1e-13
    with pytest.raises(ValueError, match="overlap"):
        _ = Number(Intervals(), y.value) > Number(Intervals(), y.value)


def test_digits():
    x = array_of(Precise(40), np.array([Fraction(1, 2)], dtype=object))
    assert abs(float(np.arctan(x)[0].value) - np.arctan(0.5)) < 1e-15
    assert np.sin(x)[0].value != float(np.sin(0.5))
