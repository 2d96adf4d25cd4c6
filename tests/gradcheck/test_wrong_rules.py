"""Planted wrong rules are caught and named."""

import numpy as np
import pytest
from planted import ROW, SCALES, X, op

import symgrad as sg


def at_one_index(g, y, x):
    wrong = np.zeros(x.shape)
    wrong[2, 1] = 1e-6
    return g * (2 * x + wrong)


def second_order(g, y, x):
    return g * sg.stop_gradient(3 * x * x)


WRONG = {
    "sign": (op(np.sin, lambda g, y, x: -g * sg.cos(x)), (X,), 1, "x0", None),
    "factor": (op(np.square, lambda g, y, x: g * x), (X,), 1, "x0", None),
    "factor, just so": (op(np.square, lambda g, y, x: g * 2 * x * (1 + 1e-9)), (X,), 1, "x0", None),
    "missing term": (op(lambda x: x * np.exp(x), lambda g, y, x: g * sg.exp(x)), (X,), 1, "x0", None),
    "one index": (op(np.square, at_one_index), (X,), 1, "x0", (2, 1)),
    "missing sum": (
        op(lambda x, b: x + b, lambda g, y, x, b: g, lambda g, y, x, b: g[:1].reshape(b.shape)),
        (X, ROW),
        1,
        "x1",
        None,
    ),
    "second order": (op(lambda x: x**3, second_order), (X,), 2, "x0", None),
    "third order": (
        lambda x: op(lambda x: x**3, lambda g, y, x: g * 3 * op(np.square, second_order_of_square)(x))(x),
        (X,),
        3,
        "x",
        None,
    ),
    "linear in g no more": (op(np.sin, lambda g, y, x: abs(g) * sg.cos(x)), (X,), 1, "x0", None),
    "constant g": (op(np.sin, lambda g, y, x: g.mean() * sg.cos(x)), (X,), 1, "x0", None),
    "left of 0": (op(np.square, lambda g, y, x: g * 2 * sg.maximum(x, 0.0)), (X,), 1, "x0", None),
    "second input": (
        op(np.multiply, lambda g, y, x, b: g * b, lambda g, y, x, b: g * b),
        (X, ROW),
        1,
        "x1",
        None,
    ),
    "flat": (op(np.tanh, None), (X,), 1, "x0", None),
}


def second_order_of_square(g, y, x):
    return g * sg.stop_gradient(2 * x)


@pytest.mark.parametrize("name", WRONG)
def test_a_planted_wrong_rule_is_caught_and_placed(name):
    f, inputs, order, blamed, index = WRONG[name]
    report = sg.gradcheck(f, inputs, order=order)
    assert not report
    assert report.verdict == "WRONG"
    assert report.worst.status == "wrong"
    assert report.worst.order == order
    wrong = {e.input for e in report.entries if e.status == "wrong"}
    assert blamed in wrong
    assert wrong <= {blamed, *("g" * k for k in range(1, order)), "g2"}
    if index is not None:
        assert [e.index for e in report.entries if e.status == "wrong"] == [index]


@pytest.mark.parametrize("name", ["second order", "third order"])
def test_what_is_wrong_at_a_higher_order_only_is_right_below(name):
    f, inputs, order, _, _ = WRONG[name]
    assert sg.gradcheck(f, inputs, order=order - 1).verdict == "RIGHT"


def test_left_of_zero_only_there():
    f, inputs, *_ = WRONG["left of 0"]
    wrong = {e.index for e in sg.gradcheck(f, inputs).entries if e.status == "wrong"}
    assert wrong == {tuple(map(int, i)) for i in np.argwhere(X < 0)}


def test_checking_stops_at_the_first_wrong_order():
    f, inputs, *_ = WRONG["factor"]
    assert {e.order for e in sg.gradcheck(f, inputs, order=3).entries} == {1}


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_wrong_factor_is_caught_at_every_scale(scale, dtype):
    cube = op(lambda x: x**3, lambda g, y, x: g * 3.01 * x * x)
    assert sg.gradcheck(cube, ((X * scale).astype(dtype),)).verdict == "WRONG"


def test_the_worst_entry_tells_all():
    square = WRONG["one index"][0]
    report = sg.gradcheck(lambda x: square(x), {"x": X})
    worst = report.worst
    assert (worst.input, worst.index, worst.order) == ("x", (2, 1), 1)
    assert worst.analytic - worst.numeric == pytest.approx(1e-6 * worst.numeric / 2.2, rel=1e-3)
    assert worst.error < abs(worst.analytic - worst.numeric) / 100
    assert 6 < worst.digits < 7
    assert all(e.digits > 12 for e in report.entries if e is not worst)
    assert "x[2, 1]: wrong at order 1" in str(report)
    assert report.table().splitlines()[1].startswith("x      [2, 1]  1")


def test_the_same_check_twice_gives_the_same_report():
    f, inputs, *_ = WRONG["factor"]
    assert sg.gradcheck(f, inputs).entries == sg.gradcheck(f, inputs).entries
    assert sg.gradcheck(f, inputs).entries != sg.gradcheck(f, inputs, seed=1).entries
