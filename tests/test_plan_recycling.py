"""Results of plans are the caller's own: memory is used again only when nobody can see it."""

import gc

import numpy as np
import pytest

import symgrad as sg
from symgrad.plan.fusing import available
from symgrad.plan.memory import zeros
from symgrad.plan.recycling import Recycler

MODES = [False, True] if available() else [False]


def test_an_array_comes_back_when_nobody_holds_it():
    new = Recycler((3,), np.float64)
    a = new()
    b = new()
    assert a is not b
    first = id(a)
    del a
    assert id(new()) == first
    view = b[1:]
    second = id(b)
    del b
    held = [new(), new()]
    assert second not in map(id, held)
    del view, held
    gc.collect()
    assert len(new.arrays) <= 2


@pytest.mark.parametrize("fast", MODES)
def test_large_results_stay_what_they_were(fast):
    f = sg.compile(lambda x: (sg.tanh(x) * 2 + x, sg.exp(x) * x, x * 2), fast=fast)
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal((80, 70)) for _ in range(6)]
    results = [f(x) for x in inputs]
    parts = [f(x)[0][1:, ::2] for x in inputs]
    frozen = [memoryview(f(x)[1]) for x in inputs]
    for x, (a, b, c), part, view in zip(inputs, results, parts, frozen, strict=True):
        np.testing.assert_allclose(a, np.tanh(x) * 2 + x, rtol=1e-14)
        np.testing.assert_allclose(b, np.exp(x) * x, rtol=1e-14)
        np.testing.assert_array_equal(c, x * 2)
        np.testing.assert_allclose(part, (np.tanh(x) * 2 + x)[1:, ::2], rtol=1e-14)
        np.testing.assert_allclose(np.asarray(view), np.exp(x) * x, rtol=1e-14)


@pytest.mark.parametrize("fast", MODES)
def test_results_feed_the_next_call(fast):
    f = sg.compile(lambda x: sg.tanh(x) * 2 + x.mean(axis=0), fast=fast)
    y = expected = np.random.default_rng(0).standard_normal((90, 60))
    for _ in range(5):
        y = f(y)
        expected = np.tanh(expected) * 2 + expected.mean(axis=0)
    np.testing.assert_allclose(y, expected, rtol=1e-12)


@pytest.mark.parametrize("fast", MODES)
def test_one_value_returned_twice_is_two_arrays(fast):
    def f(x):
        y = sg.tanh(x) * 2 + x
        return y, y, y.T, y + 1

    a, b, turned, more = sg.compile(f, fast=fast)(np.random.default_rng(0).standard_normal((90, 60)))
    expected = a.copy()
    a[...] = 0
    np.testing.assert_array_equal(b, expected)
    np.testing.assert_array_equal(turned, expected.T)
    np.testing.assert_array_equal(more, expected + 1)


def test_large_results_need_no_memory_of_the_plan():
    x = np.random.default_rng(0).standard_normal((90, 60))
    f = sg.compile(lambda x: (sg.tanh(x) * 2 + x.mean(axis=0), sg.maximum(x, 0.5) @ np.ones((60, 3))), fast=False)
    a, b = f(x)
    np.testing.assert_allclose(a, np.tanh(x) * 2 + x.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(b, np.maximum(x, 0.5) @ np.ones((60, 3)), rtol=1e-12)
    assert f.plan.memory < 2 * x.nbytes


@pytest.mark.parametrize("fast", MODES)
def test_a_large_result_that_other_results_are_made_from(fast):
    def f(x, w):
        y = sg.exp(x) - x
        return y, y @ w, y.sum(axis=0), sg.sin(y)[1:], y.reshape(-1)

    rng = np.random.default_rng(0)
    w = rng.standard_normal((60, 60))
    run = sg.compile(f, fast=fast)
    for _ in range(4):
        x = rng.standard_normal((90, 60))
        y, product, total, part, flat = run(x, w)
        expected = np.exp(x) - x
        y[...] += 0  # the caller may write to it
        for found, right in zip((y, product, total, part, flat),
                                (expected, expected @ w, expected.sum(axis=0), np.sin(expected)[1:], expected.ravel()),
                                strict=True):  # fmt: skip
            np.testing.assert_allclose(found, right, rtol=1e-12)
        y[...] = 0
        np.testing.assert_allclose(flat, expected.ravel(), rtol=1e-12)


@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_plans_begin_with_a_line_of_the_cache(order):
    for shape in ((), (0,), (3,), (5, 7), (2, 0, 3)):
        array = zeros(shape, np.float32, order)
        assert array.shape == shape
        assert (array == 0).all()
        assert array.flags[f"{order}_CONTIGUOUS"]
        assert array.flags.writeable
        assert not array.size or array.ctypes.data % 64 == 0
