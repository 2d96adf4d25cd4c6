"""Ops on SymPy scalars, and the proof of every elementwise rule."""

from __future__ import annotations

import pytest
import sympy

import symgrad as sg
from symgrad.errors import SymbolicError
from symgrad.op import OPS
from symgrad.symbolic import local_derivative, prove_rule

UNDECIDED = {  # truth values
    "equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "logical_and", "logical_or", "logical_not",
    "isfinite",
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


@pytest.mark.parametrize("name", sorted(UNDECIDED))
def test_truth_values_are_said_to_be_such(name):
    found = prove_rule(OPS[name])
    assert found.verdict == "UNKNOWN"
    assert "truth values" in found.method


@pytest.mark.parametrize("name", ["sign", "floor", "floor_divide", "remainder"])
def test_steps_are_constant_between_their_jumps(name):
    assert "between its jumps" in prove_rule(OPS[name]).method


@pytest.mark.parametrize("name", ["divide", "reciprocal", "hypot", "arctan2", "div0", "remainder", "log"])
def test_the_sampling_domain_is_not_assumed(name):
    assert prove_rule(OPS[name]).assumptions == ()


def test_what_is_assumed_is_said():
    assert prove_rule(sg.power).assumptions == ("x > 0",)


def test_a_wrong_rule_of_a_step_is_refuted():
    wrong = sg.op("wrong", lambda x: x, pullback=(lambda g, y, x: g,), symbol="floor")
    assert prove_rule(wrong).verdict == "FALSE"
    wrong = sg.op("wrong", lambda x: x, pullback=(None,), symbol="x**2")
    assert prove_rule(wrong).verdict == "FALSE"


def test_ops_without_a_scalar_meaning_are_undecided():
    assert "no symbol" in prove_rule(OPS["sum"]).method
    assert "declaration" in prove_rule(OPS["stop_gradient"]).method


def test_functions_that_are_no_ops_are_refused_with_the_remedy():
    with pytest.raises(SymbolicError, match=r"sg\.OPS\['clip'\]"):
        prove_rule(sg.clip)
    with pytest.raises(SymbolicError, match=r"sg\.OPS\['sum'\]"):
        local_derivative(sg.sum, 0, ("y", "x"))
    with pytest.raises(SymbolicError, match=r"derive\(f"):
        prove_rule(lambda x: x)


@pytest.mark.parametrize("name", ["sign", "floor", "greater", "isfinite", "stop_gradient", "const"])
def test_where_nothing_flows_there_is_no_local_derivative(name):
    assert local_derivative(OPS[name], 0, ("y", "a", "b")) is None


def test_where_runs_on_sympy_with_numbers_as_conditions():
    x = sympy.Symbol("x", real=True)
    assert OPS["where"](sympy.Integer(1), x, -x) == x
    assert OPS["isfinite"](x) == sympy.true
