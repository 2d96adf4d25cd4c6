"""Kinks, jumps and edges are called so."""

import numpy as np
import pytest
from planted import X, normal, op

import symgrad as sg

# --- kinks, jumps, edges


def kink_of(slope):
    """Max(x, 0) with a chosen derivative at 0."""
    return op(lambda x: np.maximum(x, 0), lambda g, y, x: g * np.where(x == 0, slope, x > 0))


@pytest.mark.parametrize(
    ("slope", "verdict"), [(0, "KINK"), (0.3, "KINK"), (1, "KINK"), (1.01, "WRONG"), (-0.01, "WRONG")]
)
def test_a_kink_accepts_subgradients_only(slope, verdict):
    report = sg.gradcheck(kink_of(slope), np.array([1.0, 0.0, -1.0]))
    assert report.verdict == verdict
    assert report.worst.index == (1,)
    assert "kink, derivative" in report.worst.note
    assert [e.status for e in report.entries][::2] == ["right", "right"]


@pytest.mark.parametrize("slope", [0.0, 1.0, np.nan])
def test_away_from_the_kink_nothing_is_forgiven(slope):
    wrong = op(lambda x: np.maximum(x, 0), lambda g, y, x: g * np.where(x > 0, 1.0001, slope))
    assert sg.gradcheck(wrong, np.array([1.0, 2.0])).verdict == "WRONG"


KINKS = {
    "abs": (sg.abs, np.array([0.0, 1.0])),
    "maximum": (lambda x: sg.maximum(x[:2], x[1:]), np.array([1.0, 1.0, 3.0])),
    "max of three": (sg.max, np.array([2.0, 2.0, 2.0])),
    "norm at 0": (sg.linalg.norm, np.zeros(3)),
    "std of equals": (sg.std, np.ones(4)),
    "clip at its bound": (lambda x: sg.clip(x, -1.0, 1.0), np.array([1.0, -1.0, 0.5])),
    "sign": (sg.sign, np.array([0.0, 1.0])),
    "floor": (sg.floor, np.array([2.0, 2.5])),
    "gentle kink on a steep slope": (lambda x: 1e3 * x + 0.1 * sg.abs(x), np.array([0.0])),
    "on curvature": (lambda x: 10 * x * x + sg.relu(x), np.array([0.0])),
}


@pytest.mark.parametrize("name", KINKS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_documented_values_at_kinks_pass_as_kinks(name, dtype):
    f, x = KINKS[name]
    report = sg.gradcheck(f, x.astype(dtype))
    assert report
    assert report.verdict == "KINK", report


@pytest.mark.parametrize(
    ("f", "x"),
    [(sg.square, 0.0), (lambda x: sg.relu(x) ** 2, 0.0), (lambda x: x**4 + 0 * sg.abs(x) ** 3, 0.0),
     (lambda x: sg.sqrt(x * x + 1e-6) + 0 * sg.abs(x + 1), 0.0), (lambda x: sg.abs(x) ** 3, np.zeros(2)),
     (lambda x: sg.tanh(1e4 * x) + 0 * sg.abs(x + 1), 0.0)],
)  # fmt: skip
def test_smooth_points_are_no_kinks(f, x):
    assert sg.gradcheck(f, x).verdict == "RIGHT"


def test_second_order_at_a_kink_is_a_kink():
    assert sg.gradcheck(sg.relu, np.array([0.0, 1.0]), order=2).verdict == "KINK"
    assert sg.gradcheck(sg.abs, np.array([0.0, 1.0]), order=3).verdict == "KINK"


def test_the_edge_of_the_domain_is_named():
    report = sg.gradcheck(sg.sqrt, np.array([0.0, 1.0]))
    assert (report.verdict, bool(report)) == ("EDGE", True)
    edge = report.worst
    assert (edge.index, edge.status, abs(edge.analytic)) == ((0,), "domain edge", np.inf)
    assert edge.note.startswith("domain edge, derivative none from the left")
    zero = op(np.sqrt, lambda g, y, x: np.where(x > 0, g / (2 * np.where(x > 0, y, 1)), 0.0))
    assert sg.gradcheck(zero, np.array([0.0, 1.0])).verdict == "WRONG"
    assert sg.gradcheck(lambda x: x**1.5, np.array([0.0, 1.0])).verdict == "EDGE"
    assert sg.gradcheck(lambda x: sg.arcsin(x), np.array([1.0, 0.5])).verdict == "EDGE"


def test_close_to_the_edge_is_inside():
    assert sg.gradcheck(lambda x: sg.log(x) + 0 * sg.abs(x), np.array([1e-9, 1.0])).verdict == "RIGHT"
    assert sg.gradcheck(sg.arcsin, np.array([1 - 1e-9])).verdict == "RIGHT"


def test_outputs_that_are_not_finite_leave_the_question_open():
    report = sg.gradcheck(sg.log, np.array([1.0, 0.0]))
    assert (report.verdict, bool(report)) == ("UNSURE", False)
    assert "output 0 is -inf at index (1,)" in report.message


def test_nan_in_the_gradient_is_wrong():
    assert sg.gradcheck(op(np.square, lambda g, y, x: g * np.nan), X).verdict == "WRONG"


def test_noise_that_hides_the_derivative_is_no_proof():
    for size in (1e14, 3e14):
        report = sg.gradcheck(lambda x, size=size: size + sg.sin(x) + 0 * sg.abs(x), {"x": X})
        assert (report.verdict, bool(report)) == ("UNSURE", False)
        assert {e.note for e in report.entries} == {"the error bars are too wide to tell"}
    assert sg.gradcheck(lambda x: sg.astype(sg.astype(1e9 + x, np.float32), np.float64), 1.0).verdict != "RIGHT"


def test_a_gradient_that_is_zero_is_right():
    assert sg.gradcheck(lambda x: sg.sum(sg.softmax(x)), X).verdict == "RIGHT"


def test_a_slope_below_the_grain_of_f_is_no_mistake():
    """Left of 0, sin(x) + |x| is 0 up to the last bit of x; its slope is not."""
    for seed in range(4):
        x = normal(3, 4, seed=seed) * 1e-6
        assert sg.gradcheck(lambda x: sg.sin(x) + sg.abs(x), x).verdict in ("RIGHT", "UNSURE")


def test_an_input_that_is_not_used_has_no_gradient():
    unused = op(lambda x, b: x * x, lambda g, y, x, b: 2 * g * x, lambda g, y, x, b: 1e-9 * g)
    assert sg.gradcheck(unused, (X, X)).worst.input == "x1"
    flat = op(lambda x: np.maximum(x - 1, 0), lambda g, y, x: g * 1e-3)
    assert not sg.gradcheck(flat, np.array([0.95]))


def test_float32_inside_widens_the_error_bar_only():
    def f(x):
        return sg.astype(sg.tanh(sg.astype(x, np.float32)), np.float64)

    report = sg.gradcheck(f, X)
    assert report.verdict == "RIGHT", report
    assert all(1e-8 < e.error < 1e-2 for e in report.entries)


# --- determinism


def test_a_function_that_changes_is_called_so():
    random = np.random.default_rng(0)
    report = sg.gradcheck(lambda x: x * random.random(), X)
    assert (report.verdict, bool(report)) == ("NONDETERMINISTIC", False)
    assert "f gave other values on a second call" in str(report)


def test_a_gradient_that_changes_is_called_so():
    random = np.random.default_rng(0)
    assert sg.gradcheck(op(np.sin, lambda g, y, x: g * random.random()), X).verdict == "NONDETERMINISTIC"


def test_a_function_that_changes_late_is_called_so():
    calls = []

    def f(x):
        calls.append(1)
        return sg.relu(x) * (1.0 if len(calls) < 60 else 2.0)

    assert sg.gradcheck(f, X).verdict == "NONDETERMINISTIC"
