"""Reading formulas: what they mean, what is refused, and that nothing is ever evaluated or raises anything else."""

from __future__ import annotations

import contextlib
import string
import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symgrad as sg
from symgrad.errors import SymbolicError, TimeLimitError
from symgrad.symbolic import derive, from_text, parse, prove, time_limit
from symgrad.symbolic.expr import Num, Total
from symgrad.symbolic.text import literal, read

RNG = np.random.default_rng(0)

# meaning ---------------------------------------------------------------------------------------------------------


def test_formulas_compute_what_they_say():
    z, w, x = RNG.normal(size=5), RNG.normal(size=(3, 2)), RNG.normal(size=(4, 3))
    f = from_text("mu = mean(z, i)", "s = sum((z - mu)**2, i)/B", "(z - mu)/sqrt(s + 1/3)")
    np.testing.assert_allclose(f(z), (z - z.mean()) / np.sqrt(z.var() + 1 / 3), rtol=1e-13)
    f = from_text("sum(x[i,d]*W[d,c], d) - 2*mean(x[i,d], d)")
    np.testing.assert_allclose(f(x, w), x @ w - 2 * x.mean(axis=1)[:, None], rtol=1e-13)
    f = from_text("sum(a[i,d]*a[j,d], d)*size(d)")
    np.testing.assert_allclose(f(x), 3 * x @ x.T, rtol=1e-13)
    f = from_text("eps = 0.5", "y[d,i] = exp(x[i,d]) + eps*pi")
    np.testing.assert_allclose(f(x), np.exp(x).T + 0.5 * np.pi, rtol=1e-13)
    np.testing.assert_allclose(f(x, eps=2.0), np.exp(x).T + 2 * np.pi, rtol=1e-13)
    f = from_text("sum(x, i, d) + sum(1, i)")
    np.testing.assert_allclose(f(x), x.sum() + 4, rtol=1e-13)


def test_a_function_from_text_is_an_ordinary_one():
    f = from_text("u = tanh(W*x[i])", "mean(u**2, i)")
    assert list(f.specs) == ["W", "x"]
    assert f.__name__ == "formula"
    x = RNG.normal(size=6)
    assert sg.gradcheck(from_text("u = tanh(w*x[i])", "mean(u**2, i)"), (np.array(0.7), x), order=2)
    d = derive(from_text("u = tanh(w*x[i])", "mean(u**2, i)"))
    assert d.check()
    assert all(d.proofs.values())


def test_formulas_read_together_share_letters_and_shapes():
    a, b, c = read(["m = mean(z[i,d], i)", "c = z - m", "sum(c**2, i, d)"])
    assert (a.letters, b.letters, c.letters) == (("d",), ("i", "d"), ())
    assert isinstance(c.tree, Total)
    assert prove("sum(a[i]*b[j], i, j)", "sum(a[i], i)*sum(b[j], j)")
    assert prove("sum(mean(z, i) - z, i) + q", "q")
    assert prove("sum(a[i]*KroneckerDelta(i, j), i)", "a[j]")


def test_numbers_are_what_was_written():
    assert parse("1e-5") == Num(Fraction(1, 100000))
    assert parse("0.1234567890123456789") == Num(Fraction("0.1234567890123456789"))
    assert parse("1_000") == Num(1000)
    assert literal(repr(1 / 3)) == Fraction(1, 3)
    assert literal("0.333333") == Fraction(333333, 1000000)


# what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formulas", "message"),
    [
        (["y = x[i] + i"], "a name and an index"),
        (["i = 3", "y = x[i]"], "a name and an index"),
        (["y = sum(z[i], j)"], "nothing in z.i. has the index 'j'"),
        (["y = mean(sum(x**2, d), i)"], "has the index 'i'"),
        (["y[i] = x[i,j]"], r"has the indices \['i'\]"),
        (["y[i,i] = x[i]"], "cannot be defined"),
        (["2 = x"], "cannot be defined"),
        (["y = w + x", "x = 2*w"], "used or defined before"),
        (["y = z[i,i]"], "same index twice"),
        (["y = x @ w"], "no meaning here"),
        (["y = x // 2"], "FloorDiv"),
        (["y = sum(x, 3)"], "is not an index"),
        (["y = sum(*x, i)"], "not allowed"),
        (["y = sin()"], "takes 1"),
        (["y = Sum(x[j], (j, 0, B))"], "is not a limit"),
        (["y = x if x else 1"], "not allowed"),
        (["y = __x"], "usable name"),
        (["y = " + "x" * 41], "usable name"),
        (["y = 0x10"], "follows a number"),
        (["y = 1j*x"], "follows a number"),
        (["y = 1e-400*x"], "out of range"),
        (["y = x**65"], "exponent"),
        (["y = x/0"], "division by zero"),
        (["y = x;z"], "no meaning here"),
        (["y = (yield)"], "not"),
        (["y = α"], "usable name"),
        ([""], "empty"),
        ([], "none is given"),
    ],
)
def test_refused_with_a_reason(formulas, message):
    with pytest.raises(SymbolicError, match=message) as caught:
        derive(from_text(*formulas))
    assert "\n" not in str(caught.value)


def test_depth_and_size_are_limited():
    deep = "x"
    for _ in range(60):
        deep = f"tanh({deep})"
    for text in (deep, "+".join(["x"] * 900), "(" * 500, "[" * 1999, "-" * 1999 + "x", "x" + "**2" * 600):
        with pytest.raises(SymbolicError):
            parse(text)


def test_a_time_limit_ends_what_does_not_end():
    def endless():
        with time_limit(0.2):
            while True:
                prove("sum((a[i] + b[i] + c[i])**12, i)", "sum((a[i] + b[i] - c[i])**12, i)")

    with pytest.raises(TimeLimitError, match="not done after"):
        endless()
    assert prove("x", "x")


# fuzz ------------------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["x", "z", "w", "i", "j", "mu", "B", "pi", "exp", "sum", "mean", "Sum", "__class__", "lambda"])
PIECES = st.one_of(
    NAMES,
    st.sampled_from(["+", "-", "*", "/", "**", "(", ")", "[", "]", ",", ".", " ", "=", "1", "2.5", "1e9", "0", "[i]"]),
    st.sampled_from(
        ["sum(", "mean(", ", i)", "(j, 1, B)", "sqrt(", "log(", "import", "if", ":=", "'a'", '"', "\\", "\n"]
    ),
)


def total(text):
    """Reading either gives formulas or raises a SymbolicError of one line; warnings would be errors here."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for reader in (parse, lambda t: read([t]), from_text):
            with contextlib.suppress(SymbolicError):
                reader(text)


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=14).map("".join))
def test_any_arrangement_of_pieces_is_read_or_refused(text):
    total(text)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from(string.printable)), max_size=60))
def test_any_text_is_read_or_refused(text):
    total(text)


def trees(depth):
    leaf = st.sampled_from(["x[i]", "w", "2", "0.5", "v[i,d]", "pi"])
    if not depth:
        return leaf
    part = trees(depth - 1)
    return st.one_of(
        leaf,
        st.builds("({} {} {})".format, part, st.sampled_from(["+", "-", "*"]), part),
        st.builds("{}({})".format, st.sampled_from(["tanh", "exp", "cos", "square"]), part),
        st.builds("sum({} + v[i,d], d)".format, part),
        st.builds("mean({} + x[i], i)".format, part),
    )


@settings(max_examples=60, deadline=None)
@given(trees(3))
def test_formulas_equal_themselves_written_otherwise(text):
    assert prove(text, f"  +({text})*1 + 0").verdict == "PROVED"


@settings(max_examples=25, deadline=None)
@given(trees(2))
def test_random_formulas_run_as_they_are_evaluated_by_python(text):
    """The function from text against Python's own reading of the same text on arrays with all axes."""
    x, v = np.linspace(-1, 1, 3), np.linspace(-0.5, 1, 6).reshape(3, 2)
    f = from_text(f"{text} + x[i] + v[i,d] + w")
    scope = {"w": 0.7, "pi": np.pi, "i": 0, "d": 1, "tanh": np.tanh, "exp": np.exp, "cos": np.cos, "square": np.square,
             "sum": lambda a, axis: np.broadcast_to(a, (3, 2)).sum(axis=axis, keepdims=True),
             "mean": lambda a, axis: np.broadcast_to(a, (3, 2)).mean(axis=axis, keepdims=True)}  # fmt: skip
    source = text.replace("x[i]", "X").replace("v[i,d]", "V")
    expected = eval(f"{source} + X + V + w", {"__builtins__": {}}, {**scope, "X": x[:, None], "V": v})
    got = f(**{n: {"x": x, "v": v, "w": np.array(0.7)}[n] for n in f.specs})
    full = got.T if got.shape == (2, 3) else got[:, None] if got.shape == (3,) else got  # what cancelled has no axis
    np.testing.assert_allclose(np.broadcast_to(full, (3, 2)), expected, rtol=1e-10, atol=1e-10)
