"""The shipped kernels are what symgrad derives now, and training with them is training with the formula."""

import numpy as np
import pytest

import symgrad as sg
from symgrad import derived
from symgrad.derived import fuse
from symgrad.derived.__main__ import KERNELS, generate
from symgrad.derived.kernels import batch_norm as kernel

RNG = np.random.default_rng(0)
Z, G = RNG.standard_normal((6, 3)), RNG.standard_normal((6, 3))
GAMMA, BETA = RNG.standard_normal(3), RNG.standard_normal(3)


@pytest.mark.parametrize("name", KERNELS)
def test_the_file_is_what_is_derived_now_and_proved(name):
    from importlib import resources

    shipped = resources.files("symgrad.derived.kernels").joinpath(f"{name}.py").read_text(encoding="utf-8")
    entry, keep = KERNELS[name]
    assert generate(entry, keep) == shipped
    derivation = sg.derive(entry)
    assert {proof.verdict for proof in derivation.proofs.values()} == {"PROVED"}
    assert {step.certificate.verdict for step in derivation.steps} == {"PROVED"}
    assert derivation.function is getattr(sg, name)


def losses(f):
    return lambda z, gamma, beta: (f(z, gamma, beta) ** 3 * G).sum()


@pytest.mark.parametrize("order", [1, 2, 3])
def test_derivatives_of_every_order_are_those_of_the_composed_function(order):
    def nested(f, order):
        g = losses(f)
        for _ in range(order - 1):
            inner = sg.grad(g)
            g = lambda z, gamma, beta, inner=inner: (inner(z, gamma, beta) * G).sum()  # noqa: E731
        return sg.grad(g, argnums=(0, 1, 2))

    fused = nested(derived.batch_norm, order)(Z, GAMMA, BETA)
    composed = nested(sg.batch_norm, order)(Z, GAMMA, BETA)
    for a, b in zip(fused, composed, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * np.abs(b).max())


def test_the_kernel_is_used_eagerly_and_not_differentiated_through():
    _y, pull = sg.vjp(lambda z: derived.batch_norm(z, GAMMA, BETA), Z)
    np.testing.assert_allclose(pull(G)[0], kernel.backward(G, kernel.forward(Z, GAMMA, BETA)[1])[0], rtol=1e-14)
    z = sg.tensor(Z, requires_grad=True)
    node = derived.batch_norm(z, GAMMA, BETA)
    assert node.op.name == "batch_norm"
    assert all(not x.requires_grad for x in node.inputs if x is not z)
    assert isinstance(derived.batch_norm(Z, GAMMA, BETA), np.ndarray)


def test_the_kernel_compiles_to_the_same_values():
    def step(z, g):
        y, pull = sg.vjp(lambda t: derived.batch_norm(t, GAMMA, BETA), z)
        return y, *pull(g)

    fast = sg.compile(step, fast=False)
    y, dz = fast(Z, G)
    np.testing.assert_allclose(y, kernel.forward(Z, GAMMA, BETA)[0], rtol=1e-13)
    np.testing.assert_allclose(dz, sg.vjp(sg.batch_norm, Z, GAMMA, BETA)[1](G)[0], rtol=1e-12)
    assert "einsum(" not in fast.plan.source


def test_a_wrong_kernel_is_caught_by_the_checker():
    def without_term(g, saved):
        gamma, n, _mu, _sigma2, h, u = saved
        return gamma / (n * np.sqrt(h)) * (n * g - g.sum(axis=0)), (g * u).sum(axis=0), g.sum(axis=0)

    wrong = fuse("wrong", kernel.forward, without_term)
    assert sg.gradcheck(derived.batch_norm, (Z, GAMMA, BETA), order=2)
    report = sg.gradcheck(wrong, (Z, GAMMA, BETA))
    assert not report
    assert report.worst.input == "x0"


def test_float32_stays_float32():
    arrays = [x.astype(np.float32) for x in (Z, GAMMA, BETA)]
    y, pull = sg.vjp(derived.batch_norm, *arrays)
    assert y.dtype == np.float32
    assert all(g.dtype == np.float32 for g in pull(G.astype(np.float32)))
