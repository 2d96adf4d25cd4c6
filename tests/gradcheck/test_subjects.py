"""What can be checked, and how mistakes and results are reported."""

import numpy as np
import pytest
from planted import ROW, X

import symgrad as sg
from symgrad.errors import DataError, DTypeError, GradientError, OpError, ShapeError, SymgradError

# --- hand-written backwards


def product(x, w, scale=2.0):
    return scale * x * w


@pytest.mark.parametrize(
    "backward",
    [
        lambda x, w, g: {"x": 2 * g * w, "w": 2 * g * x},
        lambda x, w, scale, g: (scale * g * w, scale * g * x),
        lambda g, **given: [given["scale"] * g * given["w"], given["scale"] * g * given["x"]],
    ],
)
def test_forms_of_a_backward(backward):
    report = sg.gradcheck(product, (X, X + 1), backward=backward)
    assert report.verdict == "RIGHT"
    assert {e.input for e in report.entries} == {"x", "w"}


def test_one_array_for_one_argument():
    assert sg.gradcheck(product, (X, X + 1), argnums=0, backward=lambda x, w, g: 2 * g * w)
    assert sg.gradcheck(product, (X, X + 1), argnums=1, backward=lambda x, w, g: 2 * g * x)
    assert not sg.gradcheck(product, (X, X + 1), argnums=0, backward=lambda x, w, g: 2 * g * x)
    assert sg.gradcheck(product, (X, X + 1), argnums=0, backward=lambda x, w, g: (2 * g * w, None))


def test_integers_may_stay_beside_a_backward():
    def pick(x, index):
        return x[index]

    def backward(x, index, g):
        z = np.zeros_like(x)
        np.add.at(z, index, g)
        return z

    index = np.array([0, 0, 2])
    assert sg.gradcheck(pick, (X, index), argnums=0, backward=backward)

    def overwritten(x, index, g):
        z = np.zeros_like(x)
        z[index] = g
        return z

    assert not sg.gradcheck(pick, (X, index), argnums=0, backward=overwritten)


def test_a_missing_sum_of_the_right_shape_is_wrong():
    def backward(x, b, g):
        return g, g[0]

    assert sg.gradcheck(lambda x, b: x + b, (X, ROW), backward=backward).worst.input == "b"


def test_functions_that_work_in_place_do_no_harm():
    def f(z):
        z -= z.mean()
        return z

    def backward(z, g):
        g -= g.mean()
        return g

    x = X.copy()
    assert sg.gradcheck(f, x, backward=backward)
    np.testing.assert_array_equal(x, X)


def test_g_is_g_bar_where_f_has_a_g():
    assert sg.gradcheck(lambda g: g**2, X, backward=lambda g, g_bar: 2 * g * g_bar)


def test_numpy_functions_that_dispatch_need_no_backward():
    assert sg.gradcheck(lambda x: np.exp(x).sum(axis=0), X, order=2)


# --- mistakes


def bad_backward(result):
    return lambda: sg.gradcheck(product, (X, X), backward=lambda x, w, g: result)


MISTAKES = [
    (lambda: sg.gradcheck(sg.sin, 3), DTypeError, r"x0? is int64.*write 3.0"),
    (lambda: sg.gradcheck(product, (X, np.arange(2))), DTypeError, r"w is int64.*argnums"),
    (lambda: sg.gradcheck(sg.sin, ()), GradientError, "inputs is empty"),
    (lambda: sg.gradcheck(sg.sin, {}), GradientError, "inputs is empty"),
    (lambda: sg.gradcheck(lambda flag: 1.0, (True,)), GradientError, "nothing to differentiate"),
    (lambda: sg.gradcheck(sg.sin, np.array([1.0, np.nan])), DataError, r"is nan at index \(1,\)"),
    (lambda: sg.gradcheck(sg.sin, np.inf), DataError, r"is inf at index \(\)"),
    (lambda: sg.gradcheck(sg.sin, np.array([1j])), DTypeError, "complex128"),
    (lambda: sg.gradcheck(sg.sin, np.array(["a", "b"])), DTypeError, "float64 or float32"),
    (lambda: sg.gradcheck(lambda p: p["w"], ({"w": [1.0, 2]},)), DTypeError, r"p\['w'\]\[1\] is int64"),
    (lambda: sg.gradcheck(product, (X,)), OpError, "missing a required argument: 'w'"),
    (lambda: sg.gradcheck(lambda x: x, {"y": X}), OpError, "names.*dict arguments by name"),
    (lambda: sg.gradcheck(3.0, X), OpError, "f must be a function, got float"),
    (lambda: sg.gradcheck(sg.sin, X, order=0), GradientError, "order must be an integer of at least 1, got 0"),
    (lambda: sg.gradcheck(sg.sin, X, order=1.5), GradientError, "order must be an integer"),
    (lambda: sg.gradcheck(sg.sin, X, entries=0), GradientError, "entries must be"),
    (lambda: sg.gradcheck(sg.sin, X, argnums=1), GradientError, "argnums=1 does not fit 1"),
    (lambda: sg.gradcheck(lambda x: sg.argmax(x), X), DTypeError, "output 0 of f is int64"),
    (lambda: sg.gradcheck(lambda x: x.numpy() ** 2, X), OpError, "left the graph.*backward="),
    (lambda: sg.gradcheck(lambda x: np.linalg.svd(x)[1], X), OpError, "NumPy arrays but not on Tensors.*backward="),
    (lambda: sg.gradcheck(np.spacing, X), OpError, "NumPy arrays but not on Tensors.*backward="),
    (lambda: sg.gradcheck(product, (X, X), backward=3), OpError, "backward must be a function"),
    (lambda: sg.gradcheck(product, (X, X), 2, lambda x, w, g: (w, x)), GradientError, "order=2.*order=1"),
    (lambda: sg.gradcheck(product, (X, X), backward=lambda x, w: x), OpError, "has no argument g"),
    (lambda: sg.gradcheck(product, (X, X), backward=lambda x, v, g: x), OpError, r"needs \['v'\], but f has"),
    (bad_backward((X, X[0])), ShapeError, r"shape \(2,\) for 'w', which has shape \(3, 2\).*sum over"),
    (bad_backward({"x": X}), GradientError, "no gradient for 'w'"),
    (bad_backward((X, None)), GradientError, "no gradient for 'w'"),
    (bad_backward({"x": X, "w": X, "v": X}), GradientError, r"gradients for \['v'\]"),
    (bad_backward((X, X, X)), GradientError, "returned 3 gradient"),
    (bad_backward(X[0, 0]), GradientError, "returned 1 gradient"),
    (bad_backward((X, X * 1j)), DTypeError, "complex128 for 'w'"),
    (lambda: sg.gradcheck(lambda x: (x, x), X, backward=lambda x, g: g), OpError, "must return one array, got 2"),
]


@pytest.mark.parametrize("case", range(len(MISTAKES)))
def test_mistakes_are_named(case):
    call, kind, message = MISTAKES[case]
    with pytest.raises(kind, match=message) as caught:
        call()
    assert isinstance(caught.value, SymgradError)
    assert str(caught.value).startswith("gradcheck: ")


# --- the report


def test_reports_print_and_show():
    report = sg.gradcheck(lambda x: sg.softmax(x), X, order=2)
    text = str(report)
    assert text.startswith("gradcheck: RIGHT, order 2, 18 entries, Ridders\nworst: ")
    assert text.splitlines()[2].split() == [
        "input", "index", "order", "analytic", "numeric", "error", "bar", "digits", "status", "method"]  # fmt: skip
    assert text.endswith("... and 10 more")
    assert len(report.rows) == 18
    assert report.rows[0]["input"] == "x"
    assert report._repr_html_().count("<tr>") == 9
    assert "<" not in sg.gradcheck(lambda x: x * x, {"x": 2.0}).table()
    assert repr(report) == "<gradcheck: RIGHT, order 2, 18 entries, Ridders>"
