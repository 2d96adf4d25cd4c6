"""sg.fused: a user's function with its derived gradient as one op; values and derivatives are those of the function."""

from __future__ import annotations

import numpy as np
import pytest

import symgrad as sg
from symgrad.derived import public
from symgrad.errors import SymbolicError
from symgrad.symbolic import catalogue, derive
from symgrad.symbolic.checking import random_arrays


def swish_norm(x, w, eps=1e-3, axis=-1):
    mu = sg.named(sg.mean(x, axis=axis, keepdims=True), "mu")
    s = sg.named(sg.mean((x - mu) ** 2, axis=axis, keepdims=True), "s")
    u = sg.named((x - mu) / sg.sqrt(s + eps), "u")
    return u * sg.sigmoid(w * u)


RNG = np.random.default_rng(0)
X, W, G = RNG.normal(size=(5, 3)), RNG.normal(size=3), RNG.normal(size=(5, 3))


def pulled(f, *arrays):
    y, pull = sg.vjp(f, *arrays)
    return [y, *pull(G)]


@pytest.mark.parametrize("name", catalogue())
def test_the_catalogue_fused_is_the_catalogue_composed(name):
    d = derive(name)
    if d.record.held:
        pytest.skip("it takes labels or masks")
    arrays = random_arrays(d, 1, positive=bool(d.program.assumptions))
    g = arrays.pop(d.record.cotangent.name)
    fast = sg.fused(d.function)

    def by_name(f):
        return lambda *xs: f(**dict(zip(arrays, xs, strict=True)))

    y, pull = sg.vjp(by_name(d.function), *arrays.values())
    z, fused_pull = sg.vjp(by_name(fast), *arrays.values())
    np.testing.assert_allclose(z, y, rtol=1e-12, atol=1e-12)
    for a, b in zip(fused_pull(g), pull(g), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-11 * (1 + np.abs(b).max()))


def test_it_is_one_op_and_its_pullback_is_the_derived_one():
    fast = sg.fused(swish_norm)
    x = sg.tensor(X, requires_grad=True)
    node = fast(x, W)
    assert node.op.name == "swish_norm"
    assert isinstance(fast(X, W), np.ndarray)
    for a, b in zip(pulled(fast, X, W), pulled(swish_norm, X, W), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


def test_constants_options_and_keywords():
    fast = sg.fused(swish_norm)
    for kwargs in ({}, {"eps": 0.5}, {"axis": 0}, {"eps": 0.1, "axis": 0}):
        np.testing.assert_allclose(fast(X, w=W, **kwargs), swish_norm(X, W, **kwargs), rtol=1e-13)
        got = sg.grad(lambda x, k=kwargs: (fast(x, W, **k) * G).sum())(X)
        want = sg.grad(lambda x, k=kwargs: (swish_norm(x, W, **k) * G).sum())(X)
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)


def test_other_sizes_use_the_same_derivation(monkeypatch):
    made = []
    monkeypatch.setattr(public, "fuse", lambda *args, real=public.fuse: made.append(args[0]) or real(*args))
    public._KERNELS.clear()
    first, second = sg.fused(swish_norm), sg.fused(lambda x, w: swish_norm(x, w))
    for shape in ((5, 3), (7, 3), (2, 9)):
        first(np.ones(shape), np.ones(shape[1]))
        second(np.ones(shape), np.ones(shape[1]))
    assert len(made) == 2  # one without the symbol eps
    first(np.ones((4, 4)), np.ones(4))  # another pattern: as many rows as columns
    assert len(made) == 3
    third = sg.fused(swish_norm)
    third(np.ones((8, 2)), np.ones(2))
    assert len(made) == 3


def test_second_order_and_compiled():
    fast = sg.fused(swish_norm)

    def penalty(f):
        return sg.grad(lambda x: (sg.grad(lambda t: (f(t, W) * G).sum())(x) ** 2).sum())(X)

    np.testing.assert_allclose(penalty(fast), penalty(swish_norm), rtol=1e-9, atol=1e-11)
    step = sg.compile(lambda x, w: sg.grad(lambda t: (fast(t, w) * G).sum())(x))
    want = sg.grad(lambda t: (swish_norm(t, W) * G).sum())(X)
    np.testing.assert_allclose(step(X, W), want, rtol=1e-10, atol=1e-12)
    assert sg.gradcheck(fast, (X, W), order=2)


def test_axes_of_size_one():
    for shape in ((1, 3), (5, 1), (1, 1)):
        x, w = RNG.normal(size=shape), RNG.normal(size=shape[1])
        fast, g = sg.fused(swish_norm), RNG.normal(size=shape)
        assert fast(x, w).shape == shape
        for a, b in zip(sg.vjp(fast, x, w)[1](g), sg.vjp(swish_norm, x, w)[1](g), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_what_cannot_be_derived_is_said_at_the_first_call():
    with pytest.raises(SymbolicError, match="getitem"):
        sg.fused(lambda x: x[1:])(X)
    with pytest.raises(SymbolicError, match="'m' is no array of floats"):
        sg.fused(lambda x, m: sg.where(m, x, 0.0))(X, X > 0)
    wrong = sg.op("wrong", lambda x: x**2, pullback=(lambda g, y, x: g * 3 * x,), symbol="x**2")
    with pytest.raises(SymbolicError, match="not proved"):
        sg.fused(lambda x: wrong(x))(X)
    lying = sg.op("lying", lambda x: x**2, pullback=(lambda g, y, x: g * 3 * x * x,), symbol="x**3")
    with pytest.raises(SymbolicError, match="not the graph"):
        sg.fused(lambda x: sg.sum(lying(x)) * x)(X)
