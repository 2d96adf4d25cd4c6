"""Transforms against each other and against differences, on random functions."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from leaves import close, leaf

import symgrad as sg

VECTORS = st.lists(st.floats(-2, 2), min_size=3, max_size=3).map(np.array)
UNARY = [sg.sin, sg.tanh, sg.sigmoid, sg.square, lambda x: -x, lambda x: sg.exp(x / 4),
         lambda x: x.sum(keepdims=True) + x, sg.softmax, lambda x: x[::-1],
         lambda x: sg.logsumexp(x) - x, sg.arctan]  # fmt: skip
BINARY = [sg.add, sg.multiply, sg.subtract, sg.logaddexp, lambda a, b: a / (1 + b * b), lambda a, b: sg.outer(a, b) @ a,
          lambda a, b: sg.hypot(a, b + 5)]  # fmt: skip


@st.composite
def functions(draw, depth=4):
    """Smooth random functions of a vector of 3 to a vector of 3, with shared parts."""
    steps = draw(
        st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=depth)
    )

    def f(x):
        values = [x]
        for a, b, c in steps:
            if a % 2:
                values.append(UNARY[b % len(UNARY)](values[c % len(values)]))
            else:
                values.append(BINARY[b % len(BINARY)](values[c % len(values)], values[-1]))
        return values[-1]

    return f


@settings(max_examples=60)
@given(functions(), VECTORS, VECTORS, VECTORS)
def test_vjp_and_jvp_are_dual(f, x, u, v):
    y, tangent = sg.jvp(f, (x,), (v,))
    value, pull = sg.vjp(f, x)
    (cotangent,) = pull(u)
    np.testing.assert_array_equal(y, value)
    scale = 1 + np.sum(np.abs(u * tangent)) + np.sum(np.abs(cotangent * v))
    assert abs(np.sum(u * tangent) - np.sum(cotangent * v)) < 1e-12 * scale


@settings(max_examples=40)
@given(functions(), VECTORS, VECTORS)
def test_transforms_agree_with_each_other(f, x, v):
    def scalar(z):
        return (f(z) * np.array([1.0, -0.5, 2.0])).sum()

    j = sg.jacobian(f)(x)
    close(j @ v, sg.jvp(f, (x,), (v,))[1], 1e-10)
    g = sg.grad(scalar)(x)
    close(np.array([1.0, -0.5, 2.0]) @ j, g, 1e-10)
    h = sg.hessian(scalar)(x)
    size = 1 + np.max(np.abs(h))
    assert np.max(np.abs(h - h.T)) < 1e-10 * size
    assert np.max(np.abs(h @ v - sg.hvp(scalar, x, v))) < 1e-10 * size
    forward = sg.jvp(sg.grad(scalar), (x,), (v,))[1]
    assert np.max(np.abs(h @ v - forward)) < 1e-10 * size


@settings(max_examples=40)
@given(functions(), VECTORS)
def test_random_functions_against_differences(f, x):
    w = np.array([1.0, -0.5, 2.0])
    g = sg.grad(lambda z: (f(z) * w).sum())(x)
    for k in range(3):
        e, h = np.eye(3)[k], 1e-4

        def at(t, e=e):
            return float((f(x + t * e) * w).sum())

        numeric = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)
        rounding = 8 * np.finfo(float).eps * np.sum(np.abs(f(x) * w)) / h
        assert abs(g[k] - numeric) < 1e-6 * (1 + np.max(np.abs(g))) + rounding


@settings(max_examples=40)
@given(functions(), VECTORS)
def test_four_ways_to_the_same_gradient(f, x):
    def scalar(z):
        return f(z).sum()

    expected = sg.grad(scalar)(x)
    z = leaf(x)
    scalar(z).backward()
    np.testing.assert_array_equal(z.grad, expected)
    graph = sg.trace(sg.grad(scalar), x)
    close(graph(x), expected, 1e-11)
    close(sg.grad(lambda v: scalar(v))(sg.tensor(x)).numpy(), expected, 1e-11)
    close(sg.grad(sg.checkpoint(scalar))(x), expected, 1e-11)
    adjoint = sg.adjoints(scalar(z))[z.serial]
    np.testing.assert_array_equal(adjoint, expected)
