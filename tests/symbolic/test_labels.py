"""Elements picked by integers: labels are indices, so that losses and embeddings are derived as users call them."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

import symgrad as sg
from symgrad import losses
from symgrad.errors import SymbolicError
from symgrad.rechecking import recheck
from symgrad.symbolic import derive
from symgrad.symbolic.indices import At, index
from symgrad.symbolic.normal import delta, rename, sum_over, variable

ROW, OTHER, C = index("i", "B"), index("j", "B"), index("c", "C")
LABEL = At("y", C.size, (ROW,))
LOGITS, LABELS = sg.spec("B", "C"), sg.spec("B", dtype=int)


def proved(d):
    assert {p.verdict for p in d.proofs.values()} == {"PROVED"}
    assert recheck(d.data())
    assert d.check()
    return d


def test_a_sum_over_a_delta_is_the_element_at_the_label():
    a = variable("a", ROW, C)
    picked = rename(a, {C: LABEL})
    assert sum_over(delta(C, LABEL) * a, C) == picked
    assert sum_over(delta(C, LABEL), C) == variable("a", ROW).power(0)
    assert delta(C, LABEL) * a == delta(C, LABEL) * picked
    assert sum_over(picked, ROW) == rename(sum_over(picked, ROW), {OTHER: ROW})


def test_an_index_that_its_own_label_depends_on_is_not_summed_away():
    fixed = At("y", ROW.size, (ROW,))  # the sum over i of [i = y_i] counts fixed points; it is no element
    total = sum_over(delta(ROW, fixed), ROW)
    assert total.constant() is None


def test_cross_entropy_with_labels_is_probability_minus_delta():
    d = proved(derive(losses.cross_entropy, LOGITS, LABELS))
    assert r"\frac{e_{ic}}{S_i} - \delta_{c,\mathrm{target}_i}" in d.latex()
    i, c = sympy.Symbol("i", integer=True), sympy.Symbol("c", integer=True)
    assert d.gradients["logits"].has(sympy.KroneckerDelta(c, sympy.IndexedBase("target", integer=True)[i]))


@pytest.mark.parametrize("target", [LABELS, LOGITS], ids=["labels", "probabilities"])
def test_label_smoothing_by_a_number_is_derived_for_every_number_of_classes(target):
    def smoothed(z, t):
        return losses.cross_entropy(z, t, label_smoothing=0.25)

    d = derive(smoothed, sg.spec("B", "C"), target)
    assert {p.verdict for p in d.proofs.values()} == {"PROVED"}
    assert d.check()
    z, y = np.array([[0.5, -1.0, 2.0], [1.0, 0.0, 0.25]]), np.array([2, 0])
    t = y if target is LABELS else np.eye(3)[y]
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    expected = (p - 0.75 * np.eye(3)[y] - 0.25 / 3) / 2
    np.testing.assert_allclose(d.backward(z=z, t=t, g=1.0)["z"], expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("f", "again"),  # `recheck` knows too little of a label to see that its square is one pick
    [
        (lambda logits, y: losses.nll_loss(sg.log_softmax(logits, -1), y), True),
        (lambda logits, y: sg.mean(sg.take_along_axis(sg.softmax(logits), y[:, None]) ** 2), False),
        (lambda logits, y: sg.mean(sg.take_along_axis(sg.log_softmax(logits), y[:, None], -1)), True),
    ],
    ids=["nll", "squared", "along"],
)
def test_losses_with_labels_are_proved(f, again):
    d = derive(f, logits=LOGITS, y=LABELS)
    assert d.proofs["logits"]
    assert bool(recheck(d.data())) == again
    assert d.check()
    assert d.double("logits").proofs["logits"]


def test_an_embedding_scatters_its_gradient():
    d = proved(derive(lambda W, y, V: sg.tanh(W[y]) @ V, W=sg.spec("N", "D"), y=LABELS, V=sg.spec("D", "E")))
    assert d.gradients["W"].has(sympy.KroneckerDelta)


def test_a_gradient_that_forgets_the_label_is_refuted_with_one():
    d = derive(losses.cross_entropy, LOGITS, LABELS)
    found = d.prove("logits", "g/B*e[i,c]/S[i]")
    assert found.verdict == "FALSE"
    assert set(found.counterexample) >= {"B", "C", "target"}


def test_the_emitted_code_takes_integers():
    d = derive("cross_entropy_labels")
    z, y = np.array([[1.0, 2.0, 3.0]]), np.array([2])
    p = np.exp(z) / np.exp(z).sum()
    np.testing.assert_allclose(d.backward(logits=z, target=y, g=1.0)["logits"], p - [[0, 0, 1]], rtol=1e-14)


def test_parts_of_axes_are_refused_by_name():
    with pytest.raises(SymbolicError, match="part of an axis has no meaning"):
        derive(lambda z: z[1:], z=sg.spec("B"))
