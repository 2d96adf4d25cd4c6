"""Right rules pass, at every scale."""

import numpy as np
import pytest
from planted import BETA, GAMMA, SCALES, X, Z, normal, op

import symgrad as sg
from symgrad.op import OPS

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
