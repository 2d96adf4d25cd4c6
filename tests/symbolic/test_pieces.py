"""Piecewise functions and masks: derived and proved off the points where they jump, which are named."""

from __future__ import annotations

import numpy as np
import pytest

import symgrad as sg
from symgrad.errors import SymbolicError
from symgrad.rechecking import recheck
from symgrad.symbolic import derive, prove

N = sg.spec("N")


def leaky(x):
    return sg.where(x > 0, x, 0.01 * x)


def huber(x, delta=1.0):
    return sg.where(sg.abs(x) <= delta, 0.5 * x * x, delta * (sg.abs(x) - 0.5 * delta))


def between(x):
    return sg.where(sg.logical_and(x > -1.0, sg.logical_not(x >= 2.0)), x**2, sg.exp(-x))


CASES = {
    "relu": (lambda x: sg.relu(x), {"x": N}, "Heaviside(x[i], 0)*g[i]", (r"x_i \ne 0",)),
    "maximum": (lambda x, y: sg.maximum(x, y), {"x": N, "y": N}, "Heaviside(x[i] - y[i], 0)*g[i]", None),
    "minimum": (lambda x, y: sg.minimum(x, y), {"x": N, "y": N}, None, (r"x_i - y_i \ne 0",)),
    "leaky": (leaky, {"x": N}, None, (r"x_i \ne 0",)),
    "clip": (lambda x: sg.clip(x, 0.0, 1.0), {"x": N}, None, (r"x_i \ne 0", r"1 - x_i \ne 0")),
    "huber": (huber, {"x": N}, None, None),
    "between": (between, {"x": N}, None, None),
    "nested": (lambda x: sg.relu(sg.relu(x) - 1.0), {"x": N}, None, None),
    "hinge": (lambda x, y: sg.mean(sg.maximum(0.0, 1 - x * y)), {"x": N, "y": N}, None, (r"1 - x_i\,y_i \ne 0",)),
    "layer": (lambda x, W: sg.relu(sg.named(x @ W, "z")), {"x": sg.spec("B", "D"), "W": sg.spec("D", "H")}, None, None),
    "after batch_norm": (lambda z, gamma, beta: sg.relu(sg.batch_norm(z, gamma, beta)),
                         {"z": sg.spec("B"), "gamma": sg.spec(), "beta": sg.spec()}, None, (r"\hat z_i \ne 0",)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_piecewise_functions_are_derived_and_proved_almost_everywhere(name):
    f, specs, gradient, domain = CASES[name]
    d = derive(f, **specs)
    first = next(iter(d.gradients))
    assert gradient is None or str(d.gradients[first]) == gradient
    assert domain is None or d.domain == domain
    assert d.domain
    assert all(d.proofs.values())
    assert d.check(), str(d.check())
    assert recheck(d.data()), str(recheck(d.data()))
    assert d.certify(d.record.arguments[first], d.polys[first].scale(2)).verdict == "FALSE"
    assert all(proofs(d))


def proofs(d):
    """The certificates of everything that the lecture shows."""
    blocks = [block for part in d.lecture for block in part.blocks]
    return [c for block in blocks if (c := getattr(block, "certificate", None)) is not None]


def test_equal_piecewise_functions_are_proved_equal():
    spec = {"x": N}
    assert prove(lambda x: sg.relu(x), lambda x: sg.maximum(x, 0.0), **spec)
    assert prove(lambda x: sg.relu(x) - sg.relu(-x), lambda x: x, **spec)
    assert prove(lambda x: sg.relu(sg.relu(x)), lambda x: sg.relu(x), **spec)
    assert prove(lambda x: sg.relu(3.0 * x), lambda x: 3 * sg.relu(x), **spec)
    assert prove(lambda x: sg.relu(x), lambda x: sg.relu(x) ** 2, **spec).verdict == "FALSE"
    assert prove(leaky, lambda x: sg.where(x > 0, x, 0.02 * x), **spec).verdict == "FALSE"


def test_a_condition_on_what_is_only_computed_is_refused():
    with pytest.raises(SymbolicError, match="only computed"):
        derive(lambda x: sg.where(x >= sg.stop_gradient(sg.max(x)), x, 0.0), x=N)


def masked_attention(q, k, v, mask, scale=0.125, low=-1e9):
    s = sg.named(q @ k.T * scale, "s")
    return sg.softmax(sg.where(mask, s, low)) @ v


def masked_norm(z, gamma, beta, mask, eps=1e-5):
    n = sg.named(sg.sum(mask, axis=0), "n")
    mu = sg.named(sg.sum(mask * z, axis=0) / n, "mu")
    sigma2 = sg.named(sg.sum(mask * (z - mu) ** 2, axis=0) / n, "sigma2")
    return gamma * sg.named((z - mu) / sg.sqrt(sigma2 + eps), "u") + beta


def selected_norm(z, gamma, beta, selected, eps=1e-5):
    return sg.where(selected, sg.batch_norm(z, gamma, beta, eps), z)


NORM = {"z": sg.spec("B", "D"), "gamma": sg.spec("D"), "beta": sg.spec("D")}
MASKED = {
    "attention": (masked_attention, {"q": sg.spec("T", "D"), "k": sg.spec("U", "D"), "v": sg.spec("U", "E"),
                                     "mask": sg.spec("T", "U", dtype=bool)}),
    "norm": (masked_norm, {**NORM, "mask": sg.spec("B", 1, dtype=bool)}),
    "selected": (selected_norm, {**NORM, "selected": sg.spec("D", dtype=bool)}),
    "dropout": (lambda x, mask, keep=0.8: x * mask / keep, {"x": N, "mask": sg.spec("N", dtype=bool)}),
}  # fmt: skip


@pytest.mark.parametrize("name", MASKED)
def test_masks_are_arguments_that_nothing_flows_to(name):
    f, specs = MASKED[name]
    d = derive(f, **specs)
    assert list(d.gradients) == [n for n, x in specs.items() if x.dtype.kind == "f"]
    assert all(d.proofs.values())
    assert d.check(), str(d.check())
    assert recheck(d.data()), str(recheck(d.data()))
    assert all(proofs(d))
    first = next(iter(d.gradients))
    wrong = d.certify(d.record.arguments[first], d.polys[first].scale(2))
    assert wrong.verdict == "FALSE"


def test_a_mask_is_its_own_square_and_no_number():
    d = derive(lambda x, m: x * m * m, x=N, m=sg.spec("N", dtype=bool))
    assert str(d.gradients["x"]) == "g[i]*m[i]"
    found = derive(*MASKED["norm"][:1], **MASKED["norm"][1])
    assert found.domain == (r"n \ne 0",)
    assert found.assumptions == (r"\epsilon > 0",)
    mask = np.array([[True], [False], [True]])
    z = np.array([[1.0, 2.0], [100.0, -50.0], [3.0, 5.0]], np.float32)
    y, _ = found.compiled["forward"](z, np.ones(2, np.float32), np.zeros(2, np.float32), mask)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y[[0, 2]], [[-1, -1], [1, 1]], rtol=1e-4)


def test_a_step_of_what_is_positive_is_1():
    d = derive(
        lambda x, t: sg.where(t > 0, t * sg.log(sg.where(t > 0, t, 1.0)) * x, x), x=N, t=sg.spec("N", positive=True)
    )
    assert str(d.gradients["t"]) == "(log(t[i]) + 1)*g[i]*x[i]"
    assert d.domain == ()
    assert recheck(d.data())
