"""The gradient checker: planted wrong rules are caught and named, right ones pass, kinks and edges are called so."""

import numpy as np
import pytest

import symgrad as sg
from symgrad.checking import numeric
from symgrad.checking.complexstep import ANALYTIC, program
from symgrad.errors import DataError, DTypeError, GradientError, OpError, ShapeError, SymgradError
from symgrad.op import OPS

SCALES = [1e-6, 1e-3, 1.0, 1e3, 1e6]


def normal(*shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def op(forward, *pullback, **fields):
    return sg.op("planted", forward, pullback=pullback, **fields)


# --- planted wrong rules: f, inputs, order, and the input and place to blame (None: all of it is wrong)

X = np.array([[0.7, -1.2], [1.9, 0.4], [-0.3, 1.1]])
ROW = np.array([0.5, -2.0])


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


# --- BatchNorm: an all-ones cotangent sees nothing, and bugs that were shipped


def batch_norm(z, gamma, beta, eps=1e-5):
    return gamma * (z - z.mean(0)) / np.sqrt(z.var(0) + eps) + beta


def parts(z, gamma, g, eps):
    s = np.sqrt(z.var(0) + eps)
    u = (z - z.mean(0)) / s
    return len(z), s, u, {"gamma": (g * u).sum(0), "beta": g.sum(0)}


def right(z, gamma, beta, g, eps):
    _, s, u, rest = parts(z, gamma, g, eps)
    return {"z": gamma / s * (g - g.mean(0) - u * (g * u).mean(0)), **rest}


def gamma_dropped(z, gamma, beta, g, eps):
    """Knet.jl#288: g instead of gamma g in the gradient of z."""
    result = right(z, gamma, beta, g, eps)
    return {**result, "z": result["z"] / gamma}


def sum_for_element(z, gamma, beta, g, eps):
    """MIOpen#104: the sum of gamma g where the element itself belongs."""
    n, s, u, rest = parts(z, gamma, g, eps)
    d = gamma * g
    return {"z": (n * d.sum(0) - d.sum(0) - u * (d * u).sum(0)) / (n * s), **rest}


def divided_twice(z, gamma, beta, g, eps):
    """mlpack#2474: the parenthesis divides the direct term by n, too."""
    n, s, u, rest = parts(z, gamma, g, eps)
    d = gamma * g
    return {"z": (d / s - u * (d * u).mean(0) / s) / n - d.mean(0) / s, **rest}


def without_the_projection(z, gamma, beta, g, eps):
    _, s, _, rest = parts(z, gamma, g, eps)
    return {"z": gamma / s * (g - g.mean(0)), **rest}


def with_an_extra_term(z, gamma, beta, g, eps):
    result = right(z, gamma, beta, g, eps)
    return {**result, "z": result["z"] + (g * z).mean(0) / len(z) ** 2}


def with_a_term_that_is_zero(z, gamma, beta, g, eps):
    """mxnet#1053 calls the paper's second term of the gradient of the mean wrong; sum(z - mean) is 0."""
    n, s, _, rest = parts(z, gamma, g, eps)
    d = gamma * g
    of_variance = -0.5 * (d * (z - z.mean(0))).sum(0) / s**3
    of_mean = -d.sum(0) / s + of_variance * (-2 * (z - z.mean(0))).mean(0)
    return {"z": d / s + of_variance * 2 * (z - z.mean(0)) / n + of_mean / n, **rest}


Z, GAMMA, BETA = normal(5, 3), np.array([1.7, -0.4, 2.2]), np.array([0.3, -1.0, 0.8])


@pytest.mark.parametrize(
    "backward",
    [gamma_dropped, sum_for_element, divided_twice, without_the_projection, with_an_extra_term],
)
def test_shipped_batch_norm_bugs_are_caught(backward):
    report = sg.gradcheck(batch_norm, (Z, GAMMA, BETA), backward=backward)
    assert report.verdict == "WRONG"
    assert {e.input for e in report.entries if e.status == "wrong"} == {"z"}
    assert report.level == "Ridders"


@pytest.mark.parametrize("backward", [right, with_a_term_that_is_zero])
def test_right_batch_norm_backwards_pass(backward):
    assert sg.gradcheck(batch_norm, (Z, GAMMA, BETA), backward=backward).verdict == "RIGHT"


def test_ones_as_cotangent_would_see_no_bug():
    g = np.ones_like(Z)
    for backward in (right, gamma_dropped, without_the_projection):
        assert np.abs(backward(Z, GAMMA, BETA, g, 1e-5)["z"]).max() < 1e-14


def test_gamma_of_one_hides_the_dropped_gamma():
    assert sg.gradcheck(batch_norm, (Z, np.ones(3), BETA), backward=gamma_dropped, argnums=0)


def test_a_composed_batch_norm_with_gamma_dropped_is_caught():
    normed = sg.op(
        "normed",
        lambda z, gamma: batch_norm(z, gamma, 0.0),
        pullback=(lambda g, y, z, gamma: right(z, 1.0, 0.0, g, 1e-5)["z"], None),
    )
    assert sg.gradcheck(normed, (Z, GAMMA), argnums=0).verdict == "WRONG"
    assert sg.gradcheck(lambda z, gamma, beta: sg.batch_norm(z, gamma, beta), (Z, GAMMA, BETA), order=2)


# --- right rules

RIGHT = {
    "sin": lambda x: sg.sin(x) * x,
    "softmax": sg.softmax,
    "logsumexp": lambda x: sg.logsumexp(x, axis=1),
    "std": lambda x: sg.std(x, axis=0),
    "norm": lambda x: sg.linalg.norm(x, axis=0),
    "prod": lambda x: sg.prod(x, axis=1),
    "cube": lambda x: x**3,
    "gram": lambda x: sg.einsum("ij,kj->ik", x, x),
    "max": lambda x: sg.max(x, axis=1),
    "gather": lambda x: x[[0, 0, 2]] * x[1],
    "batch_norm": lambda x: sg.batch_norm(x, GAMMA, BETA),
    "constant": lambda x: sg.sum(x * 0.0) + 1e10,
    "offset": lambda x: 1e8 + sg.sin(x),
}


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", RIGHT)
def test_right_rules_pass_at_every_scale(name, scale):
    order = 1 if name == "softmax" and scale > 1 else 2  # saturated, its second derivatives are all rounding
    for dtype in (np.float64, np.float32):
        report = sg.gradcheck(RIGHT[name], ((normal(3, 3) * scale).astype(dtype),), order=order)
        assert report.verdict == "RIGHT", report
        assert {e.order for e in report.entries} == {1, order}


@pytest.mark.parametrize("name", [n for n, o in OPS.items() if o.symbol and o.domain and o.arity in (1, 2)])
def test_right_rules_of_ops_pass_over_their_domains(name):
    domain = OPS[name].domain
    domains = domain if isinstance(domain[0], tuple) else (domain,) * OPS[name].arity
    orders = OPS[name].orders
    inputs = tuple(np.random.default_rng(1).uniform(*d, size=5) for d in domains)
    inputs = tuple(np.arange(5) if k in orders else x for k, x in enumerate(inputs))
    smooth = tuple(k for k in range(len(inputs)) if k not in orders)
    report = sg.gradcheck(OPS[name], inputs, order=2, argnums=smooth)
    assert report.verdict == "RIGHT", report


@pytest.mark.parametrize("size", [1e-200, 1e-30, 1e30, 1e200])
def test_gradients_may_be_tiny_or_huge(size):
    for smooth in (sg.tanh, sg.relu):
        report = sg.gradcheck(lambda x, smooth=smooth: size * smooth(x), X)
        assert report.verdict == "RIGHT", report
        assert all(e.digits > 9 for e in report.entries)
        wrong = sg.op("wrong", lambda x: size * np.tanh(x), pullback=(lambda g, y, x: 1.001 * g * size,))
        assert sg.gradcheck(wrong, X).verdict == "WRONG"


@pytest.mark.parametrize(
    ("f", "digits"),
    [(lambda x: x * x, 10), (lambda x: (1 + x) ** 2, 10), (lambda x: 1 / x, 10), (lambda x: sg.sum(x * x), 3)],
)
def test_elements_of_many_scales_have_steps_of_their_own(f, digits):
    x = 10.0 ** np.arange(-7, 7, 2)
    report = sg.gradcheck(lambda x: f(x) + 0 * sg.abs(x), x)
    assert report.verdict == "RIGHT"
    assert [e for e in report.entries if e.digits < digits] == []


def test_denormal_elements():
    assert sg.gradcheck(lambda x: (1 + x) ** 2 + 0 * sg.abs(x), np.array([5e-320, 1.0])).verdict == "RIGHT"


def test_steps_hit_no_period():
    for seed in range(5):
        assert sg.gradcheck(lambda x: sg.sin(x) + sg.abs(x), normal(3, 4, seed=seed) * 1e6).verdict == "RIGHT"


def test_rounding_of_a_float32_gradient_is_seen():
    gamma, beta = np.array([1.5, 0.3, -2.0, 1.0]), np.array([0.5, 0.3, -2.0, 1.0])
    for seed in range(3):
        x = normal(3, 4, seed=seed, dtype=np.float32) * np.float32(1e-3)
        assert sg.gradcheck(lambda x: sg.batch_norm(x, gamma, beta), x, order=2).verdict == "RIGHT"


def test_rounding_of_an_ill_conditioned_gradient_is_seen():
    for dtype in (np.float64, np.float32):
        for seed in range(3):
            x = normal(3, 6, seed=seed, dtype=dtype)  # the two sums are equal, their gradients cancel
            report = sg.gradcheck(lambda x: sg.sum((x @ x.T) ** 2) - sg.sum((x.T @ x) ** 2), x)
            assert report.verdict in ("RIGHT", "UNSURE"), report


def test_a_sharp_feature_far_below_the_scale_of_the_input_is_resolved():
    report = sg.gradcheck(lambda x: sg.relu(sg.sin(1e6 * x)) + 0 * sg.abs(x), np.array([1.0]))
    assert report.verdict == "RIGHT"
    assert report.worst.digits > 4


@pytest.mark.parametrize("distance", [1e-3, 1e-6, 1e-9])
def test_a_kink_near_by_does_not_disturb(distance):
    x = np.array([1.0 + distance, 1.0 - distance])
    report = sg.gradcheck(lambda x: sg.relu(x - 1.0), x)
    assert report.verdict == "RIGHT"
    assert [round(abs(e.numeric) > 0.1) for e in report.entries] == [1, 0]


def test_nested_inputs_and_outputs():
    def f(params, x):
        return {"y": sg.tanh(x @ params["w"]) + params["b"][0], "n": [sg.sum(params["b"][1] ** 2)]}

    params = {"w": normal(3, 2), "b": [normal(2), 0.5]}
    report = sg.gradcheck(f, (params, Z), order=2)
    assert report.verdict == "RIGHT"
    assert {e.input for e in report.entries if e.order == 1} == {"params['w']", "params['b'][0]", "params['b'][1]", "x"}
    assert {e.input for e in report.entries if e.order == 2} > {"g[0]", "g[1]"}


def test_order_two_differentiates_by_the_cotangent_too():
    def pullback(g, y, x):
        return sg.stop_gradient(g) * sg.cos(x)

    report = sg.gradcheck(op(np.sin, pullback), X, order=2)
    assert {e.input for e in report.entries if e.status == "wrong"} == {"g"}


def test_inputs_by_name_and_argnums():
    def f(x, w):
        return x * w * w

    assert [e.input for e in sg.gradcheck(f, {"w": 3.0, "x": 2.0}).entries] == ["w", "x"]
    assert [e.input for e in sg.gradcheck(f, (2.0, 3.0), argnums=1).entries] == ["w"]
    assert [e.input for e in sg.gradcheck(f, (2.0, 3.0), argnums=(-1, 0)).entries] == ["x", "w"]
    assert [e.input for e in sg.gradcheck(f, (2.0, 3), argnums=0).entries] == ["x"]


def test_zero_size_and_zero_dimensional_inputs():
    empty = sg.gradcheck(lambda x: sg.sum(x), np.zeros((0, 3)))
    assert (bool(empty), empty.entries, empty.worst) == (True, (), None)
    assert "no elements" in str(empty)
    both = sg.gradcheck(lambda x, s: sg.sum(x) + s**2, (np.zeros((0, 3)), 2.0), order=2)
    assert [(e.input, e.index) for e in both.entries if e.order == 1] == [("s", ())]
    assert sg.gradcheck(lambda x: x[:0], X)
    assert not sg.gradcheck(op(np.square, lambda g, y, x: g * x), 2.0)


# --- large inputs


def test_large_inputs_are_checked_along_directions_and_at_a_sample():
    report = sg.gradcheck(lambda w: sg.relu(Z @ w), normal(3, 200), directions=3, entries=40)
    labels = [e.index for e in report.entries]
    assert report.verdict == "RIGHT"
    assert labels[:3] == ["direction 0", "direction 1", "direction 2"]
    assert len(labels) == 13
    wide = sg.gradcheck(lambda w: sg.relu(normal(32, 100) @ w), normal(100, 64, seed=1))
    assert wide.verdict == "RIGHT"  # two thousand outputs, kinks all around, none at the point


@pytest.mark.parametrize("place", [(0, 0), (17, 3), (29, 99)])
def test_one_wrong_element_of_thousands_is_found_and_named(place):
    def pullback(g, y, x):
        wrong = np.ones(x.shape)
        wrong[place] = 1.001
        return g * 2 * x * wrong

    report = sg.gradcheck(op(np.square, pullback), normal(30, 100), directions=1)
    assert report.verdict == "WRONG"
    assert place in {e.index for e in report.entries if e.status == "wrong"}


def test_kinks_along_a_direction():
    x = normal(40, 5)
    x[::3] = 0
    assert sg.gradcheck(sg.relu, x).verdict == "KINK"
    assert sg.gradcheck(op(lambda x: np.maximum(x, 0), lambda g, y, x: g * (x >= 0)), x).verdict == "KINK"
    assert sg.gradcheck(op(lambda x: np.maximum(x, 0), lambda g, y, x: g * (x > -1)), x).verdict == "WRONG"


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


def test_the_same_check_twice_gives_the_same_report():
    f, inputs, *_ = WRONG["factor"]
    assert sg.gradcheck(f, inputs).entries == sg.gradcheck(f, inputs).entries
    assert sg.gradcheck(f, inputs).entries != sg.gradcheck(f, inputs, seed=1).entries


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


# --- the numeric side by itself


def test_the_complex_step_is_used_where_it_is_right_and_refused_elsewhere():
    assert sg.gradcheck(lambda x: sg.exp(x) / (1 + x * x), X).level == "complex step"
    for f in (sg.abs, sg.relu, sg.max, lambda x: sg.where(x > 0, x, 2 * x), lambda x: sg.astype(x, np.float32) * 1.0,
              lambda x: x**2 if x[0, 0] > 0 else x, op(np.sin, lambda g, y, x: g * sg.cos(x))):  # fmt: skip
        assert sg.gradcheck(f, X).level == "Ridders"
    fixed = sg.tensor(X > 0)
    assert sg.gradcheck(lambda x: sg.where(fixed, x, x**3), X).level == "complex step"


def test_analytic_ops_exist_and_are_analytic():
    assert set(ANALYTIC) <= set(OPS)
    for name, run in ANALYTIC.items():
        o = OPS[name]
        if o.indices != "elementwise" or not o.symbol or name == "where":
            continue
        domain = o.domain or (0.3, 2.0)
        domains = domain if isinstance(domain[0], tuple) else (domain,) * o.arity
        x = [np.random.default_rng(2).uniform(*d, size=50) for d in domains]
        for k, moving in enumerate(x):
            inside = [np.array(v, np.complex128) for v in x]
            inside[k] = moving + 1e-20j
            value = (run or o.forward)(*inside)
            np.testing.assert_allclose(value.real, o.forward(*x), rtol=1e-12, atol=1e-300, err_msg=name)
            exact = sg.vjp(o, *x)[1](np.ones(50))[k]
            size = np.abs(exact) + np.abs(o.forward(*x)) / np.abs(moving)
            assert (np.abs(value.imag / 1e-20 - exact) <= 1e-13 * size).all(), name


def test_the_complex_step_where_numpy_is_inexact():
    """Complex log1p loses small real parts; complex powers of negative numbers go by the logarithm from 100 on."""
    small = sg.gradcheck(lambda x: sg.log(sg.log1p(x)), 1e-12)
    assert (small.verdict, small.level) == ("RIGHT", "complex step")
    assert sg.gradcheck(lambda x: x**101, -1.01).verdict == "RIGHT"
    assert sg.gradcheck(lambda x: x**3, -2.0).level == "complex step"


def test_the_complex_step_sees_through_stop_gradient():
    report = sg.gradcheck(lambda x: x * sg.stop_gradient(x), X)
    assert (report.verdict, report.level) == ("WRONG", "complex step")


def test_no_program_without_a_graph_of_values():
    assert program(lambda x: (sg.sin(x),), [X]) is not None
    assert program(lambda x: (sg.sin(x.numpy()),), [X]) is None


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("f", [np.exp, np.sin, np.tanh, np.sqrt, np.log, lambda t: 1 / t, lambda t: t**7])
def test_error_bars_of_extrapolation_hold(f, scale):
    """The true derivative, from a complex step of NumPy itself, lies within a few error bars."""
    for x in np.random.default_rng(3).uniform(0.2, 3, 20):
        point = np.array([x * scale])
        noise = numeric.rounding_noise(lambda p: f(p[0] / scale), [point], 0, np.random.default_rng(0))
        line = numeric.Line(lambda p: f(p[0] / scale), [point], 0, point, noise)
        found = numeric.derivative(line)
        exact = float(np.imag(f(x + 1e-20j * x)) / 1e-20)
        assert abs(found.value - exact) <= 8 * found.error
        assert found.error <= 1e-9 * abs(f(x)) + 1e-9 * abs(exact)


def test_noise_is_measured():
    def f(points):
        (x,) = points
        return np.stack([np.sin(x[0]), (1e8 + np.sin(x[0])) - 1e8, np.float64(np.float32(x[0])), 3.0])

    noise = numeric.rounding_noise(f, [np.array([0.7])], 0, np.random.default_rng(0))
    assert (np.array([1e-17, 1e-9, 1e-9, 1e-17]) < noise).all()
    assert (noise < np.array([1e-15, 1e-7, 1e-6, 1e-15])).all()
