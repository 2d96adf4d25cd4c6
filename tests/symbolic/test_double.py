"""Double backward: gradients of gradients are derived, proved and emitted as any function is."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from catalogue_cases import by_symgrad, difference
from record_catalogue import read

import symgrad as sg
from symgrad.errors import SymbolicError
from symgrad.symbolic import catalogue, derive
from symgrad.symbolic.double import asymmetry
from symgrad.symbolic.limits import time_limit

SLOW = {"bn_tanh_network", "bn_tanh_labels"}  # to prove: 9 s each
RECORDED = read()


@pytest.mark.parametrize("name", catalogue())
def test_double_backward_is_proved_and_is_what_torch_gives(name):
    d = derive(name)
    twice = d.double(next(iter(d.record.arguments)))
    if name not in SLOW:
        assert {proof.verdict for proof in twice.proofs.values()} == {"PROVED"}
        assert twice.check()
    arrays, answers = RECORDED[name]
    assert difference(by_symgrad(d, twice, arrays), answers) is None


def test_a_small_difference_is_found():
    _, answers = RECORDED["softmax"]
    for part, a in answers.items():
        largest = max(np.max(np.abs(b)) for b in answers.values())
        assert part in difference(answers | {part: a + 2e-12 * largest}, answers)
        assert part in difference(answers | {part: a * np.nan}, answers)
    assert difference({}, answers) is not None


def test_double_backward_is_the_second_derivative():
    d = derive(lambda v, g: sg.sum(v**2 * g), v=sg.spec("N"), g=sg.spec("N"))  # whose names are taken
    twice = d.double("v")
    rng = np.random.default_rng(0)
    v, g, direction = rng.standard_normal((3, 4))
    found = twice.backward(v=v, g=g, g_bar=2.0, v_=direction, g_bar_=3.0)
    np.testing.assert_allclose(found["v"], 12 * g * direction)
    np.testing.assert_allclose(found["g"], 12 * v * direction)
    np.testing.assert_allclose(found["g_bar"], 6 * np.sum(v * g * direction))
    np.testing.assert_allclose(found["v_"], 12 * v * g)


def test_a_wrong_name_is_named():
    with pytest.raises(SymbolicError, match="gama"):
        derive("batchnorm").double("gama")


def test_a_gradient_of_zero_is_an_array():
    d = derive(lambda x, c: sg.sum(x) + 0 * c, x=sg.spec("N"), c=sg.spec())
    assert np.shape(d.backward(x=np.ones(2), c=1.0, g=1.0)["c"]) == ()
    assert d.check()


def test_second_derivatives_are_proved_once_per_pair_and_answer_when_the_time_is_over():
    d = derive("bn_tanh_labels")
    with time_limit(0):
        assert d.second_proof("b", "b").verdict == "UNKNOWN"
    assert d.second_proof("b", "W2")
    assert d.double("W2").proof("b") is d.second_proof("b", "W2")


@pytest.mark.parametrize("name", ["batchnorm", "softmax", "lp_norm", "cosine"])
def test_the_other_order_gives_the_same_formula(name):
    d = derive(name)
    for a, b in combinations(d.record.arguments, 2):
        assert not asymmetry(d, b, a)
