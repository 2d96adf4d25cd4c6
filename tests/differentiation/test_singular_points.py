"""Singular points: a documented value, never a silent NaN."""

import numpy as np
import pytest
from leaves import INF, close, leaf

import symgrad as sg


@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        (lambda x: sg.abs(x).sum(), [0.0, -2.0], [0.0, -1.0]),
        (lambda x: sg.relu(x).sum(), [0.0, 2.0], [0.0, 1.0]),
        (lambda x: x.max(), [2.0, 1.0, 2.0, 2.0], [1 / 3, 0.0, 1 / 3, 1 / 3]),
        (lambda x: x.min(), [2.0, 1.0, 1.0], [0.0, 0.5, 0.5]),
        (lambda x: sg.linalg.norm(x), [0.0, 0.0], [0.0, 0.0]),
        (lambda x: sg.linalg.norm(x, 1), [0.0, 0.0], [0.0, 0.0]),
        (lambda x: sg.linalg.norm(x, 3), [0.0, 0.0], [0.0, 0.0]),
        (lambda x: sg.linalg.norm(x, np.inf), [0.0, 0.0], [0.0, 0.0]),
        (lambda x: x.std(), [1.5, 1.5, 1.5], [0.0, 0.0, 0.0]),
        (lambda x: x.std(ddof=1), [1.5, 1.5, 1.5], [0.0, 0.0, 0.0]),
        (lambda x: sg.hypot(x[0], x[1]), [0.0, 0.0], [0.0, 0.0]),
        (lambda x: sg.prod(x), [0.0, 2.0, 3.0], [6.0, 0.0, 0.0]),
        (lambda x: sg.prod(x), [0.0, 0.0, 3.0], [0.0, 0.0, 0.0]),
        (lambda x: x[0] ** 2 + x[1] ** 3.0, [0.0, 0.0], [0.0, 0.0]),
        (lambda x: (x**0).sum(), [0.0, 2.0], [0.0, 0.0]),
        (lambda x: sg.logaddexp(x[0], x[1]), [-INF, -INF], [0.5, 0.5]),
        (lambda x: sg.logsumexp(x), [-INF, 0.0], [0.0, 1.0]),
        (lambda x: sg.logsumexp(x), [-INF, -INF], [0.5, 0.5]),
        (lambda x: sg.logsumexp(x), [INF, 0.0, INF], [0.5, 0.0, 0.5]),
        (lambda x: sg.softmax(x)[0], [1000.0, 0.0], [0.0, 0.0]),
        (lambda x: sg.linalg.norm(x), [3e200, 4e200], [0.6, 0.8]),
        (lambda x: sg.linalg.norm(x), [3e-200, 4e-200], [0.6, 0.8]),
        (lambda x: sg.var(x), [1e9, 1e9 + 1.0], [-0.5, 0.5]),
    ],
)
def test_singular_points(f, x, expected):
    close(sg.grad(f)(np.array(x)), expected)


def test_prod_with_zeros_to_second_order():
    h = sg.hessian(sg.prod)(np.array([0.0, 0.0, 3.0, 2.0]))
    expected = np.zeros((4, 4))
    expected[0, 1] = expected[1, 0] = 6.0
    np.testing.assert_array_equal(h, expected)


def test_mixed_second_derivative_of_a_root_with_factor_zero():
    mixed = sg.grad(lambda a, x: sg.grad(lambda z: a * sg.sqrt(z))(x))
    assert mixed(0.0, 4.0) == 0.25
    swapped = sg.grad(lambda a, x: sg.grad(lambda b: b * sg.sqrt(x))(a), argnums=1)
    assert swapped(0.0, 4.0) == 0.25


def test_jvp_through_a_singular_rule():
    assert sg.jvp(lambda x: sg.sqrt(x), (4.0,), (1.0,))[1] == 0.25
    y, t = sg.jvp(sg.linalg.norm, (np.zeros(2),), (np.ones(2),))
    assert (y, t) == (0.0, 0.0)


# op of the branch that is not taken, and a point where it is not finite or has no finite slope
UNUSED = {
    "sqrt at 0": (sg.sqrt, 0.0),
    "sqrt below": (sg.sqrt, -1.0),
    "log at 0": (sg.log, 0.0),
    "log below": (sg.log, -1.0),
    "divide": (lambda x: 1.0 / x, 0.0),
    "0/0": (lambda x: x / x, 0.0),
    "power": (lambda x: x**-0.5, 0.0),
    "power below": (lambda x: x**0.5, -1.0),
    "power in the exponent": (lambda x: x**x, -0.5),
    "exp": (sg.exp, 1000.0),
    "expm1": (sg.expm1, 1000.0),
    "cosh": (sg.cosh, 1000.0),
    "norm": (lambda x: sg.linalg.norm(x * np.ones(2)), 0.0),
    "std": (lambda x: sg.std(x * np.ones(2)), 1.0),
    "arcsin": (sg.arcsin, 1.0),
    "arccos beyond": (sg.arccos, 2.0),
    "log1p": (sg.log1p, -1.0),
    "reciprocal": (sg.OPS["reciprocal"], 0.0),
    "sqrt of log": (lambda x: sg.sqrt(sg.log(x)), 1.0),
    "log of sqrt": (lambda x: sg.log(sg.sqrt(x)), 0.0),
    "exp of reciprocal": (lambda x: sg.exp(1.0 / x), 0.0),
    "hypot": (lambda x: sg.hypot(x, 0.0), 0.0),
    "arctan2": (lambda x: sg.arctan2(x, 0.0), 0.0),
    "logsumexp": (lambda x: sg.log(x * 0.0), 1.0),
}


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("name", UNUSED)
def test_the_branch_that_is_not_taken_does_not_poison(name, order):
    f, at = UNUSED[name]

    def chosen(x):
        return sg.where(sg.stop_gradient(x) == at, 2 * x * x, f(x))

    derivative = chosen
    for _ in range(order):
        derivative = sg.grad(derivative)
    with np.errstate(all="ignore"):
        assert derivative(at) == {1: 4 * at, 2: 4.0, 3: 0.0}[order]


def test_rules_do_not_warn():
    x = leaf(np.array([0.0, -1.0, 1000.0]))
    with np.errstate(all="ignore"):
        y = sg.sqrt(x) + sg.log(x) + sg.exp(x) + 1.0 / x + x**-2.5
    y.sum().backward()  # warnings are errors here
