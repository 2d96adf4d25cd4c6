"""Theorems that gradients imply, found and proved without knowing any layer."""

from __future__ import annotations

import pytest

import symgrad as sg
from symgrad.symbolic import derive

SECOND = ["batch_norm", "batch_norm_bessel", "layer_norm", "rms_norm", "softmax", "logsumexp", "cross_entropy", "mse",
          "attention", "silu", "lp_norm", "cosine_similarity", "weight_norm", "linear_tanh"]  # fmt: skip


def found(name):
    return {(b.kind, b.name, b.when): b for b in derive(name).byproducts}


def test_batch_norm():
    known = found("batch_norm")
    assert set(known) == {("shift", "z", ""), ("scale", "z", "eps = 0"), ("moment", "z", "")}
    assert known["shift", "z", ""].latex == r"\sum_{j=1}^{B} \frac{\partial L}{\partial z_j} = 0"
    moment = known["moment", "z", ""].latex
    assert moment == (
        r"\sum_{j=1}^{B} u_j\,\frac{\partial L}{\partial z_j} = "
        r"\frac{\epsilon\,\gamma}{\left(\sigma_B^2 + \epsilon\right)^{3/2}}\,\sum_{j=1}^{B} g_j\,u_j"
    )
    assert all(b.certificate for b in known.values())


def test_other_layers():
    assert found("linear_batch_norm")["no effect", "b", ""].certificate  # BatchNorm takes a bias away again
    assert {("shift", "x", ""), ("held", "m", "")} <= set(found("softmax"))  # the shift by the maximum is free
    assert ("shift", "logits", "") in found("cross_entropy")
    assert ("scale", "z", "eps = 0") in found("rms_norm")
    assert ("shift", "z", "") not in found("rms_norm")
    assert ("scale", "v", "") in found("weight_norm")
    assert {("scale", "a", ""), ("scale", "b", "")} <= set(found("cosine_similarity"))
    assert not derive("mse").byproducts


def test_a_layer_that_nobody_has_seen():
    def centred(x):
        return x - sg.mean(x, axis=0, keepdims=True)

    assert {(b.kind, b.name) for b in derive(centred, x=sg.spec("N", "M")).byproducts} == {("shift", "x")}
    assert not derive(lambda x: x - sg.sum(x, axis=0), x=sg.spec("N")).byproducts


@pytest.mark.parametrize("name", SECOND)
def test_second_derivatives_are_symmetric(name):
    d = derive(name)
    assert {a: d.symmetric(a).verdict for a in d.gradients} == dict.fromkeys(d.gradients, "PROVED")
