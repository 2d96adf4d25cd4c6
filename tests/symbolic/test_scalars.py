"""Ops on SymPy scalars, and the proof of every elementwise rule."""

from __future__ import annotations

import pytest
import sympy

import symgrad as sg
from symgrad.op import OPS
from symgrad.symbolic import local_derivative, prove_rule

UNDECIDED = {  # truth values, and functions that are constant between their jumps
    "equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "logical_and", "logical_or", "logical_not",
    "isfinite", "floor_divide", "remainder", "sign", "floor",
}  # fmt: skip
ELEMENTWISE = sorted(n for n, op in OPS.items() if op.indices == "elementwise" and op.symbol and n not in UNDECIDED)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_rule_is_the_derivative_of_the_symbol(name):
    assert prove_rule(OPS[name]).verdict == "PROVED"


def test_a_wrong_rule_is_refuted():
    wrong = sg.op("wrong", lambda x: x**3, pullback=(lambda g, y, x: g * 2 * x * x,), symbol="x**3")
    found = prove_rule(wrong)
    assert found.verdict == "FALSE"
    assert found.counterexample is not None


def test_ops_run_on_sympy():
    x = sympy.Symbol("x")
    assert sg.tanh(x) == sympy.tanh(x)
    assert sg.sigmoid(x) == 1 / (1 + sympy.exp(-x))


def test_local_derivatives_are_in_the_names_of_output_and_inputs():
    assert str(local_derivative(sg.sigmoid, 0, ("a", "z"))) == "a*(1 - a)"
    assert str(local_derivative(sg.exp, 0, ("e", "z"))) == "e"
    assert str(local_derivative(sg.multiply, 1, ("y", "w", "x"))) == "w"
