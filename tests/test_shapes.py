"""Shapes and symbolic sizes, against arithmetic with numbers and against NumPy."""

import contextlib
import operator

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import symgrad as sg
from symgrad.errors import ShapeError, TracingError
from symgrad.shapes import (
    Dim,
    bind,
    broadcast,
    concrete,
    normalize_axes,
    normalize_axis,
    quotient,
    reduced,
    same_shape,
    same_size,
    size_of,
    unify,
)

B, C = Dim("B"), Dim("C")
SIZES = st.fixed_dictionaries({"B": st.integers(1, 9), "C": st.integers(1, 9)})


@st.composite
def polynomials(draw):
    """Polynomials as (Dim or int, function of the sizes that computes the same with numbers)."""
    if draw(st.integers(0, 2)) == 0:
        return draw(st.sampled_from([(B, lambda s: s["B"]), (C, lambda s: s["C"])]))
    kind = draw(st.sampled_from(["number", "+", "-", "*", "//", "negative"]))
    if kind == "number":
        n = draw(st.integers(-4, 4))
        return n, lambda s: n
    a, f = draw(polynomials())
    if kind == "negative":
        return -a, lambda s: -f(s)
    if kind == "//":
        k = draw(st.integers(1, 4))
        return a // k, lambda s: f(s) // k
    b, g = draw(polynomials())
    if kind == "+":
        return a + b, lambda s: f(s) + g(s)
    if kind == "-":
        return a - b, lambda s: f(s) - g(s)
    return a * b, lambda s: f(s) * g(s)


@given(polynomials(), SIZES)
def test_arithmetic_is_that_of_the_numbers(polynomial, sizes):
    dim, f = polynomial
    assert bind(dim, sizes) == f(sizes)
    assert bind((dim, (2, dim)), sizes) == (f(sizes), (2, f(sizes)))


@given(polynomials(), polynomials(), SIZES)
def test_comparisons_hold_for_all_sizes_or_are_refused(first, second, sizes):
    (a, f), (b, g) = first, second
    for compare in ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"):
        with contextlib.suppress(TracingError):
            assert getattr(operator, compare)(a, b) == getattr(operator, compare)(f(sizes), g(sizes))


@given(polynomials(), polynomials(), SIZES)
def test_equal_polynomials_are_equal_and_hash_alike(first, second, sizes):
    (a, f), (b, g) = first, second
    if same_size(a, b):
        assert f(sizes) == g(sizes)
        assert hash(a) == hash(b)
    assert same_size(a + b, b + a)
    assert same_size(a * b, b * a)
    assert same_size((a + b) * a, a * a + a * b)


@given(polynomials(), polynomials(), SIZES)
def test_quotient_is_exact(first, second, sizes):
    (a, f), (b, g) = first, second
    assume(g(sizes) != 0)
    q = quotient(a, b)
    if q is not None:
        assert bind(q, sizes) * g(sizes) == f(sizes)


def test_a_quotient_is_found():
    assert quotient(6 * B * C, 2 * B) == 3 * C
    assert quotient(7, 2) is None
    assert quotient(B + 1, B) is None


def test_decided_comparisons():
    assert B > 0
    assert B >= 1
    assert B + C >= 2
    assert B * C != 0
    assert B != B + 1
    assert B + 1 > B
    assert bool(B)
    assert (B // 2) >= 0


@pytest.mark.parametrize(
    "ask",
    [
        lambda: B == 1,
        lambda: B == C,
        lambda: B > 1,
        lambda: B - C > 0,
        lambda: (B - 5) // 2 + 1 > 0,  # -1 for a size of 1
        lambda: bool(B - 1),
        lambda: bool(B // 2),
    ],
)
def test_undecided_comparisons_are_refused(ask):
    with pytest.raises(TracingError, match="concrete sizes"):
        ask()


@pytest.mark.parametrize(
    ("ask", "what"),
    [
        (lambda: int(B), "int"),
        (lambda: float(B), "float"),
        (lambda: list(range(B)), "integer"),
        (lambda: [0][B], "integer"),
        (lambda: [1] * B, "integer"),
        (lambda: 1.0 / B, "quotient"),
        (lambda: B / 2, "quotient"),
        (lambda: B % 2, "quotient"),
        (lambda: 2**B, "quotient"),
    ],
)
def test_numbers_of_a_size_are_refused_with_a_remedy(ask, what):
    with pytest.raises(TracingError, match=what) as caught:
        ask()
    assert "B" in str(caught.value)
    assert "concrete sizes" in str(caught.value)


def test_a_size_is_not_other_things():
    assert B != "B"
    assert B is not None
    for wrong in (0.5, "x", None):
        with pytest.raises(TypeError):
            B + wrong
    with pytest.raises(ShapeError, match="positive integer"):
        B // 0
    with pytest.raises(ShapeError, match="letters"):
        Dim("a b")


def test_text():
    assert repr(2 * B * C - C + 3) == "2*B*C - C + 3"
    assert repr(-B) == "-B"
    assert "//2" in repr((B + 1) // 2)
    assert (B * (C // 2)).names() == {"B", "C"}


# --- shapes against NumPy


@given(hnp.mutually_broadcastable_shapes(num_shapes=3, min_side=0))
def test_broadcast_is_that_of_numpy(shapes):
    assert broadcast(*shapes.input_shapes) == shapes.result_shape


@given(hnp.array_shapes(min_dims=0, min_side=0), hnp.array_shapes(min_dims=0, min_side=0))
def test_broadcast_refuses_what_numpy_refuses(a, b):
    try:
        expected = np.broadcast_shapes(a, b)
    except ValueError:
        with pytest.raises(ShapeError, match="do not broadcast"):
            broadcast(a, b)
    else:
        assert broadcast(a, b) == expected


def test_broadcast_of_symbolic_sizes():
    assert broadcast((B, 1), (C,)) == (B, C)
    assert broadcast((B, 3), (3,), ()) == (B, 3)
    assert broadcast((2 * B,), (B + B,)) == (2 * B,)
    for other in (3, C, 2 * B):
        with pytest.raises(ShapeError, match="do not broadcast"):
            broadcast((B,), (other,))


@given(st.data())
def test_reduced_is_that_of_numpy(data):
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0))
    axes = data.draw(st.lists(st.integers(0, max(len(shape) - 1, 0)), unique=True)) if shape else []
    signed = tuple(a - len(shape) if data.draw(st.booleans()) else a for a in axes)
    for keep in (False, True):
        expected = np.sum(np.zeros(shape), axis=signed, keepdims=keep).shape
        assert reduced(shape, normalize_axes(signed, len(shape), "sum"), keep) == expected
        assert sg.sum(sg.tensor(np.zeros(shape)), axis=signed, keepdims=keep).shape == expected


def test_axes():
    assert normalize_axis(-1, 3, "f") == 2
    assert normalize_axes(None, 2, "f") == (0, 1)
    assert normalize_axes((-1, 0), 3, "f") == (0, 2)
    for wrong in (3, -4):
        with pytest.raises(ShapeError, match=rf"^f: axis {wrong} is out of range for 3 axes"):
            normalize_axis(wrong, 3, "f")
    with pytest.raises(ShapeError, match="twice"):
        normalize_axes((0, -3), 3, "f")
    with pytest.raises(ShapeError, match="integer"):
        normalize_axis(1.0, 3, "f")


def test_small_ones():
    assert size_of((2, B, 3)) == 6 * B
    assert size_of((2, B, 3), (0, 2)) == 6
    assert size_of(()) == 1
    assert same_shape((B, 2), (B, 2))
    assert not same_shape((B, 2), (B,))
    assert not same_shape((B,), (C,))
    assert not same_size(B, 1)
    assert concrete((1, 2))
    assert not concrete((1, B))


# --- learning sizes from shapes


def learn(*pairs):
    sizes = {}
    for _ in range(2):
        for declared, actual in pairs:
            unify(declared, actual, sizes, "f")
    return sizes


def test_sizes_are_learned():
    assert learn(((B, 3), (4, 3))) == {"B": 4}
    assert learn(((2 * B + 1,), (7,))) == {"B": 3}
    assert learn(((B * C,), (6,)), ((B,), (2,))) == {"B": 2, "C": 3}


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([((B, 3), (4, 2))], "axis 1 has size 2, expected 3"),
        ([((B, B), (4, 5))], "axis 1 has size 5, expected B = 4"),
        ([((B,), (2, 2))], "expected 1 axes"),
        ([((B,), (0,))], "at least 1"),
        ([((B,), (2,)), ((2 * B,), (5,))], "expected 2"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(pairs, message):
    with pytest.raises(ShapeError, match=message):
        learn(*pairs)


def test_a_graph_runs_where_the_size_follows_and_says_where_it_does_not():
    twice = sg.trace(lambda x: x - x.mean(), sg.spec(2 * B))
    np.testing.assert_allclose(twice([1.0, 3.0]), [-1.0, 1.0])
    product = sg.trace(lambda x, y, z: x.sum() + y.sum() + z.sum(), sg.spec(B * C), sg.spec(B), sg.spec(C))
    assert product(np.ones(6), np.ones(2), np.ones(3)) == 11.0
    with pytest.raises(ShapeError, match=r"axis 0 has size 7, expected B\*C = 6"):
        product(np.ones(7), np.ones(2), np.ones(3))
    graph = sg.trace(lambda x: sg.broadcast_to(x.sum(), x.shape), sg.spec(B * C))
    with pytest.raises(ShapeError, match="do not tell the size"):
        graph([1.0, 2.0])
