"""Double backward: gradients of gradients are derived, proved and emitted as any function is."""

from __future__ import annotations

import numpy as np
import pytest

import symgrad as sg
from symgrad.errors import SymbolicError
from symgrad.symbolic import catalogue, derive

SLOW = {"focal_loss", "bn_tanh_network"}  # 60 s, after which one gradient of focal_loss is still not proved; and 9 s


@pytest.mark.parametrize("name", sorted(set(catalogue()) - SLOW))
def test_double_backward_is_proved_and_emitted(name):
    d = derive(name)
    twice = d.double(next(iter(d.record.arguments)))
    assert {proof.verdict for proof in twice.proofs.values()} == {"PROVED"}
    assert twice.check()


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
