"""Random shapes, axes and indices: indexing, reductions and broadcasting are those of NumPy."""

import numpy as np
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import symgrad as sg
from symgrad.op import OPS

SIDES = hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4)


@st.composite
def indexed(draw):
    """A shape and an index into it: integers, slices, None, ..., integer arrays and masks, mixed."""
    shape = draw(SIDES)
    parts = []
    arrays = draw(hnp.array_shapes(min_dims=0, max_dims=2, max_side=3))
    for n in shape[: draw(st.integers(0, len(shape)))]:
        kind = draw(st.sampled_from(["int", "slice", "slice", "array", "mask", "none and slice"]))
        if kind == "int":
            parts.append(draw(st.integers(-n, n - 1)))
        elif kind == "array":
            parts.append(draw(hnp.arrays(np.int64, arrays, elements=st.integers(-n, n - 1))))
        elif kind == "mask" and not any(isinstance(p, np.ndarray) for p in parts):
            parts.append(draw(hnp.arrays(np.bool_, n)))
            arrays = (int(parts[-1].sum()),)
        else:
            parts += [None] if kind == "none and slice" else []
            parts.append(draw(st.slices(n)))
    if draw(st.booleans()):
        parts.append(...)
    return shape, tuple(parts)


@given(indexed())
def test_indexing_is_that_of_numpy(drawn):
    shape, key = drawn
    x = np.arange(float(np.prod(shape))).reshape(shape)
    try:
        expected = x[key]
    except IndexError:
        reject()
    t = sg.tensor(x, requires_grad=True)
    y = t[key]
    np.testing.assert_array_equal(y.numpy(), expected)
    w = np.random.default_rng(0).normal(size=expected.shape)
    (y * y * w).sum().backward()
    z = np.zeros(shape)
    np.add.at(z, key, w)
    np.testing.assert_allclose(t.grad, 2 * x * z, atol=1e-12)
    graph = sg.trace(lambda v: v[key], t)
    assert tuple(graph.outputs[0].shape) == expected.shape
    np.testing.assert_array_equal(graph(x), expected)
    np.testing.assert_allclose(np.asarray(sg.scatter(w, key, shape)), z, atol=1e-12)


@given(st.data())
def test_reductions_over_random_axes(data):
    shape = data.draw(SIDES)
    axes = tuple(data.draw(st.lists(st.integers(-len(shape), -1), unique=True)))
    keep = data.draw(st.booleans())
    x = data.draw(hnp.arrays(np.float64, shape, elements=st.floats(-4, 4, width=16)))
    for ours, theirs in ((sg.sum, np.sum), (sg.mean, np.mean), (sg.max, np.max), (sg.var, np.var), (sg.prod, np.prod)):
        t = sg.tensor(x, requires_grad=True)
        y = ours(t, axis=axes, keepdims=keep)
        expected = theirs(x, axis=axes, keepdims=keep)
        np.testing.assert_allclose(y.numpy(), expected, rtol=1e-12, atol=1e-9)
        assert y.shape == np.shape(expected)
        y.sum().backward()
        assert t.grad.shape == x.shape
        if ours is sg.max:  # a subgradient: its elements are shares of 1 per result, on the maxima alone
            assert t.grad.sum() == pytest.approx(y.size)
            assert not t.grad[x < np.max(x, axis=axes, keepdims=True)].any()


@given(hnp.mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_dims=4, max_side=3), st.data())
def test_binary_ops_broadcast_like_numpy(shapes, data):
    name = data.draw(
        st.sampled_from(["add", "multiply", "divide", "maximum", "arctan2", "logaddexp", "hypot", "power"])
    )
    rng = np.random.default_rng(data.draw(st.integers(0, 5)))
    a, b = (rng.uniform(0.5, 2, s) for s in shapes.input_shapes)
    x, y = sg.tensor(a, requires_grad=True), sg.tensor(b, requires_grad=True)
    z = OPS[name](x, y)
    np.testing.assert_allclose(z.numpy(), getattr(np, name)(a, b), rtol=1e-15)
    z.sum().backward()
    wide = [sg.tensor(v, requires_grad=True) for v in np.broadcast_arrays(a, b)]
    OPS[name](*wide).sum().backward()
    for narrow, broad in zip((x, y), wide, strict=True):
        summed = np.asarray(OPS["sum_to"](broad.grad, narrow.shape))
        np.testing.assert_allclose(narrow.grad, summed, rtol=1e-13, atol=1e-13)
