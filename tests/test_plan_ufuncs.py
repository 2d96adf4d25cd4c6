"""Rows that are repeated for many samples: several samples are seen as one row, and results are the same."""

import numpy as np
import pytest

import symgrad as sg

SIZES = [(128, 256), (1000, 40), (2048, 17), (10_007, 5), (40_000, 1), (4, 9000)]


def f(x, row, column):
    y = (x - row) * 2
    z = sg.tanh(y / (1 + row * row)) + row
    return y, z, row - z * column, (z * row).sum(axis=0), sg.maximum(z.T, 0.5)


def by_numpy(x, row, column):
    y = (x - row) * 2
    z = np.tanh(y / (1 + row * row)) + row
    return y, z, row - z * column, (z * row).sum(axis=0), np.maximum(z.T, 0.5)


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_are_numpys(shape, dtype):
    rng = np.random.default_rng(0)
    x, row, column = (rng.standard_normal(s).astype(dtype) for s in (shape, shape[1:], (shape[0], 1)))
    run = sg.compile(f, fast=False)
    turned, strided = np.asfortranarray(x), np.repeat(x, 2, axis=1)[:, ::2]
    for given in (x, turned, strided):
        for found, expected in zip(run(given, row, column), by_numpy(x, row, column), strict=True):
            assert found.dtype == dtype
            np.testing.assert_allclose(
                found, expected, rtol=300 * np.finfo(dtype).eps, atol=len(x) * np.finfo(dtype).eps
            )


def test_long_rows_only_where_they_are_worth_it():
    def source(batch, features):
        run = sg.compile(lambda x, row: x * row, fast=False)
        run(np.ones((batch, features)), np.ones(features))
        return run.plan.source

    assert "reshape((16, 8192))" in source(256, 512)
    for batch, features in ((64, 64), (257, 512), (8, 8192)):  # small; a prime number of samples; long as they are
        assert "reshape" not in source(batch, features)


def test_a_gradient_of_large_samples_is_that_of_small_ones():
    gamma = sg.tensor(np.linspace(1, 2, 64), requires_grad=True)

    def step(x):
        loss = (sg.batch_norm(x, gamma, np.zeros(64)) ** 3).sum()
        loss.backward()
        g = gamma.grad
        gamma.grad = None
        return loss, g

    x = np.random.default_rng(0).standard_normal((1024, 64))
    loss, g = sg.compile(step, fast=False)(x)
    right, expected = step(sg.tensor(x))
    np.testing.assert_allclose(loss, right.numpy(), rtol=1e-12)
    np.testing.assert_allclose(g, expected, rtol=1e-10)


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("f", [sg.add, sg.subtract, sg.multiply, sg.divide, sg.maximum, sg.power])
def test_what_small_arrays_repeat_is_copied(f, order):
    rng = np.random.default_rng(0)
    w = rng.uniform(1, 2, (4, 5))

    def both(x, row, column):
        y = (sg.matmul(x, w) if order else sg.exp(x @ w)) + 1
        for short in (row, column, row[:1], row):
            y = f(y, short) if order else f(short, y)
        return y, f(y, row) * f(row, row), y > row, y[:, 1:] + column

    args = rng.uniform(1, 2, (6, 4)), rng.uniform(0.5, 1, 5), rng.uniform(0.5, 1, (6, 1))
    compiled = sg.compile(both, fast=False)
    for got, expected in zip(compiled(*args), both(*map(sg.tensor, args)), strict=True):
        np.testing.assert_allclose(got, expected.numpy(), rtol=1e-12)
    assert "copyto" in compiled.plan.source
