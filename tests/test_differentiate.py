"""Differentiation: transforms against each other, against numbers, and at the points where others fail."""

import gc
import os
import sys
import threading
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symgrad as sg
from symgrad.errors import AnomalyError, DTypeError, GradientError, ShapeError

INF = np.inf


def leaf(data, **options):
    return sg.tensor(data, requires_grad=True, **options)


def close(a, b, tolerance=1e-12):
    np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=tolerance, atol=tolerance)


# --- backward


def test_backward_adds_up():
    x = leaf([1.0, 2.0])
    y = (x * x).sum()
    y.backward()
    first = x.grad.copy()
    y.backward()
    np.testing.assert_array_equal(x.grad, 2 * first)
    (3 * x).sum().backward()
    np.testing.assert_array_equal(x.grad, 2 * first + 3)
    x.grad = None
    assert x.grad is None


def test_backward_of_a_scalar_leaf_stays_an_array():
    x = leaf(3.0)
    y = x * x
    for k in (1, 2, 3):
        y.backward()
        assert type(x.grad) is np.ndarray
        assert x.grad == 6.0 * k


def test_backward_takes_a_cotangent():
    x = leaf([[1.0, 2.0], [3.0, 4.0]])
    (x * x).backward([[1.0, 0.0], [0.0, 10.0]])
    np.testing.assert_array_equal(x.grad, [[2.0, 0.0], [0.0, 80.0]])


def test_backward_fills_leaves_only():
    x = leaf([1.0])
    y = x * 2
    y.sum().backward()
    assert y.grad is None
    constant = sg.tensor([1.0])
    (x * constant).sum().backward()
    assert constant.grad is None


def test_backward_of_a_leaf():
    x = leaf(2.0)
    x.backward()
    assert x.grad == 1.0


def test_gradients_of_two_leaves_do_not_share_memory():
    x, y = leaf([1.0]), leaf([1.0])
    (x + y).sum().backward()
    (x + y).sum().backward()
    assert not np.shares_memory(x.grad, y.grad)


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda: (leaf([1.0, 2.0]) * 2).backward(), GradientError, r"needs a scalar.*\(2,\).*\.sum\(\)"),
        (lambda: (leaf([1.0, 2.0]) * 2).backward([1.0]), ShapeError, r"\(1,\), the output has \(2,\)"),
        (lambda: sg.tensor(1.0).backward(), GradientError, "requires_grad=True"),
        (lambda: (leaf(1.0) > 0).backward(), GradientError, "no leaf below"),
        (lambda: (leaf(1.0) * 2).backward(1j), DTypeError, "real numbers"),
        (lambda: sg.backward(np.ones(1)), GradientError, "needs a Tensor"),
        (lambda: sg.grad(lambda x: x * 2)([1.0, 2.0]), GradientError, "4 outputs"),  # a list is repeated
        (lambda: sg.grad(lambda x: x * 2)(np.ones(2)), GradientError, "needs a scalar"),
        (lambda: sg.grad(lambda x: x * 2)(3), DTypeError, r"argument 0 is int64.*3\.0"),
        (lambda: sg.grad(lambda x: (x, x))(3.0), GradientError, "2 outputs"),
        (lambda: sg.grad(lambda x: x, argnums=1)(3.0), GradientError, "argnums=1"),
        (lambda: sg.grad(lambda x: x, argnums="x")(3.0), GradientError, "argnums='x'"),
        (lambda: sg.grad(lambda x, y: x * y, argnums=(0, -2))(3.0, 2.0), GradientError, "twice"),
        (lambda: sg.grad(lambda x: x, has_aux=True)(3.0), GradientError, "pair"),
        (lambda: sg.jacobian(lambda x: (x, x))(3.0), GradientError, "one array"),
        (lambda: sg.jvp(sg.sin, (1.0,), (1.0, 2.0)), GradientError, r"1 primal\(s\) but 2 tangent"),
        (lambda: sg.jvp(sg.sin, (np.ones(2),), (np.ones(3),)), ShapeError, r"\(3,\).*\(2,\)"),
        (lambda: sg.vjp(sg.sin, 1.0)[1]((1.0, 2.0)), GradientError, r"1 output\(s\), got 2"),
        (lambda: sg.vjp(sg.sin, np.ones(2))[1](1.0), ShapeError, r"\(\).*\(2,\)"),
        (lambda: sg.grad(sg.op("f", np.exp))(1.0), GradientError, "f: has no pullback"),
    ],
)
def test_wrong_uses_are_refused(act, error, message):
    with pytest.raises(error, match=message):
        act()


def test_a_pullback_of_a_wrong_shape_is_named():
    wrong = sg.op("wrong", lambda x: x * 1, pullback=(lambda g, y, x: np.ones(5),))
    with pytest.raises(GradientError, match=r"wrong: its pullback gave shape \(5,\) for an input of shape \(3,\)"):
        wrong(leaf(np.ones(3))).sum().backward()


# --- singular points: a documented value, never a silent NaN


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


# --- size


def test_a_chain_of_a_million_ops():
    limit = sys.getrecursionlimit()
    x = leaf(1.0)
    y = x
    for _ in range(1_000_000):
        y = y + x
    y.backward()
    assert x.grad == 1_000_001.0
    assert sys.getrecursionlimit() == limit
    del y  # freeing it must not recurse either


@pytest.mark.parametrize("n", [10, 1_000, 10_000])
def test_differentiation_is_linear_in_the_number_of_nodes(n):
    calls = []

    def rule(g, y, x):
        calls.append(1)
        return g * 2

    double = sg.op("double", lambda x: 2 * x, pullback=(rule,))
    x = leaf(1.0)
    y = x
    for _ in range(n):
        y = double(y) * 0.5 + 0.0 * y  # every node is reached by many paths
    y.backward()
    assert len(calls) == n
    assert x.grad == 1


def test_a_diamond_with_2_to_the_60_paths():
    x = leaf(1.0)
    y = x
    for _ in range(60):
        y = y + y
    y.backward()
    assert x.grad == 2.0**60
    assert sg.grad(sg.grad(lambda v: _diamond(v * v)))(1.0) == 2.0**61


def _diamond(y):
    for _ in range(60):
        y = y + y
    return y


def test_no_memory_grows_without_the_collector():
    x = leaf([1.0, 2.0])

    def step():
        x.grad = None
        (sg.exp(x) * x).sum().backward()
        x.assign(x.numpy() * 0.999)

    def nodes(name):
        return sum(isinstance(o, sg.Tensor) and o.op is not None and o.op.name == name for o in gc.get_objects())

    enabled = gc.isenabled()
    gc.collect()
    others = nodes("exp")  # what other tests still hold
    gc.disable()
    try:
        for _ in range(3000):  # Python keeps up to 2000 freed tuples of a length
            step()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(3_000):
            step()
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        for _ in range(94_000):
            step()
    finally:
        if enabled:
            gc.enable()
    assert grown < 20_000
    assert nodes("exp") <= others


def test_transforms_leave_nothing_behind():
    def alive():
        return sum(type(o) is sg.Tensor for o in gc.get_objects())

    f = sg.grad(lambda x: sg.grad(lambda y: (y**3).sum())(x).sum())
    g = sg.checkpoint(lambda x: sg.linalg.eigh(sg.outer(x, x)).eigenvalues.sum())
    gc.collect()
    gc.disable()
    try:
        before = alive()
        for _ in range(10):
            f(np.ones(3))
            sg.hessian(g)(np.array([1.0, 2.0]))
            sg.jvp(g, (np.array([1.0, 2.0]),), (np.ones(2),))
        assert alive() == before
    finally:
        gc.enable()


# --- threads and processes


def test_many_threads_differentiate_at_once():
    wrong = []
    w = leaf(np.linspace(0.1, 1.0, 10))

    def work(k):
        for _ in range(50):
            x = leaf(np.full(10, float(k)))
            (sg.tanh(x * w) * x).sum().backward()
            expected = np.tanh(k * w.numpy()) + k * w.numpy() * (1 - np.tanh(k * w.numpy()) ** 2)
            second = sg.grad(sg.grad(lambda v: v**3))(float(k))
            if not np.allclose(x.grad, expected, rtol=1e-12) or second != 6.0 * k:
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_modes_do_not_cross_threads():
    seen = []
    with sg.no_grad():
        thread = threading.Thread(target=lambda: seen.append((leaf(1.0) * 2).requires_grad))
        thread.start()
        thread.join()
        here = (leaf(1.0) * 2).requires_grad
    assert sys.version_info >= (3, 14) or seen == [True]  # from 3.14 threads may inherit the context
    assert here is False


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_differentiates():
    x = leaf([1.0, 2.0])
    y = (x * x).sum()
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        y.backward()
        os.write(write, b"%d" % int(x.grad.sum() + sg.grad(lambda v: v**2)(3.0)))
        os._exit(0)
    os.close(write)
    found = os.read(read, 100)
    os.close(read)
    os.waitpid(pid, 0)
    assert found == b"12"
    assert x.grad is None


# --- nested transforms that must not be confused


def test_perturbation_confusion():
    # Siskind and Pearlmutter, "Perturbation confusion and referential transparency", 2005:
    # d/dx (x * d/dy (x + y)) at 1 is 1; one shared perturbation gives 2.
    assert sg.grad(lambda x: x * sg.grad(lambda y: x + y)(1.0))(1.0) == 1.0
    # their second example: d/dx (x * (d/dy (x * y) at 2)) = 2 x
    assert sg.grad(lambda x: x * sg.grad(lambda y: x * y)(2.0))(1.0) == 2.0
    # Manzyuk et al. 2019: a curried derivative
    outer = sg.grad(lambda x: sg.grad(lambda y: x * y * y)(3.0))
    assert outer(2.0) == 6.0


def test_perturbation_confusion_in_forward_mode():
    def d(f):
        return lambda x: sg.jvp(f, (x,), (1.0,))[1]

    assert d(lambda x: x * d(lambda y: x + y)(1.0))(1.0) == 1.0
    assert d(lambda x: x * sg.grad(lambda y: x + y)(1.0))(1.0) == 1.0
    assert sg.grad(lambda x: x * d(lambda y: x + y)(1.0))(1.0) == 1.0


def test_an_inner_function_that_ignores_its_argument():
    assert sg.grad(lambda x: sg.value_and_grad(lambda y: x)(1.0)[0])(3.0) == 1.0
    assert sg.grad(lambda x: sg.value_and_grad(lambda y: x * x)(1.0)[0])(3.0) == 6.0
    assert sg.grad(lambda x: sg.grad(lambda y: x * x)(1.0) + x)(3.0) == 1.0
    aux = sg.grad(lambda x: sg.grad(lambda y: (y * y, x * x), has_aux=True)(1.0)[1])
    assert aux(3.0) == 6.0


def test_the_same_value_in_both_roles():
    assert sg.grad(lambda x: sg.grad(lambda y: x * y)(x))(3.0) == 1.0  # d/dx x
    assert sg.grad(lambda x: sg.grad(lambda y: y**3)(x) * x)(2.0) == 36.0  # d/dx 3 x^3


def test_five_levels():
    f = lambda x: x**5  # noqa: E731
    expected = [32.0, 80.0, 160.0, 240.0, 240.0, 120.0, 0.0]
    for value in expected:
        assert f(2.0) == pytest.approx(value, rel=1e-14)
        f = sg.grad(f)


def test_third_derivatives():
    third = sg.grad(sg.grad(sg.grad(lambda x: sg.sin(x) * sg.exp(x))))
    assert third(0.7) == pytest.approx(2 * np.exp(0.7) * (np.cos(0.7) - np.sin(0.7)), rel=1e-12)
    t = sg.jacobian(sg.hessian(lambda x: x[0] * x[1] * x[2]))(np.array([1.0, 2.0, 3.0]))
    assert t.shape == (3, 3, 3)
    assert t[0, 1, 2] == t[2, 1, 0] == t[1, 0, 2] == 1.0
    assert np.count_nonzero(t) == 6


# --- what goes in and comes out


def f(x):
    return (x * x * x).sum()


def test_arrays_in_arrays_out_tensors_in_tensors_out():
    x = np.array([1.0, 2.0])
    for out in (sg.grad(f)(x), sg.value_and_grad(f)(x)[0], sg.jvp(f, (x,), (x,))[1], sg.hvp(f, x, x), sg.hessian(f)(x)):
        assert type(out) is np.ndarray
    t = sg.tensor(x)
    for out in (sg.grad(f)(t), sg.value_and_grad(f)(t)[0], sg.jvp(f, (t,), (x,))[1], sg.hvp(f, t, x), sg.hessian(f)(t)):
        assert type(out) is sg.Tensor
    assert type(sg.vjp(f, x)[1](1.0)[0]) is np.ndarray
    assert type(sg.vjp(f, t)[1](1.0)[0]) is sg.Tensor


def test_closures_over_leaves():
    w = leaf([2.0, 3.0])
    x = np.array([1.0, 2.0])
    g = sg.grad(lambda v: (v * v * w).sum())(x)
    assert type(g) is np.ndarray
    close(g, [4.0, 12.0])
    assert w.grad is None
    g = sg.grad(lambda v: (v * v * w).sum())(sg.tensor(x))  # a Tensor: differentiable by the leaf
    g.sum().backward()
    close(w.grad, 2 * x)


def test_argnums():
    def h(a, b, c):
        return (a * b * b).sum() * c

    a, b = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    close(sg.grad(h, 1)(a, b, 2.0), 4 * a * b)
    close(sg.grad(h, -1)(a, b, 2.0), (a * b * b).sum())
    ga, gc_ = sg.grad(h, (0, 2))(a, b, 2.0)
    close(ga, 2 * b * b)
    close(gc_, (a * b * b).sum())
    total, (gb,) = sg.value_and_grad(h, (1,))(a, b, 2.0)
    close(total, 2 * (a * b * b).sum())
    close(gb, 4 * a * b)


def test_keyword_arguments_are_passed_on():
    assert sg.grad(lambda x, power: x**power)(2.0, power=3.0) == 12.0


def test_nested_arguments_and_results():
    params = {"w": np.array([1.0, 2.0]), "b": [3.0, (4.0, None)]}

    def h(p):
        return (p["w"] ** 2).sum() * p["b"][0] + p["b"][1][0]

    g = sg.grad(h)(params)
    assert g.keys() == params.keys()
    close(g["w"], 6 * params["w"])
    assert (g["b"][0], g["b"][1]) == (5.0, (1.0, None))
    y, pull = sg.vjp(lambda p: {"sum": p[0] + p[1], "product": p[0] * p[1]}, (2.0, 3.0))
    assert y == {"sum": 5.0, "product": 6.0}
    assert pull({"sum": 1.0, "product": 10.0}) == ((31.0, 21.0),)
    _, t = sg.jvp(lambda p: {"d": p["a"] * p["b"]}, ({"a": 2.0, "b": 3.0},), ({"a": 1.0, "b": 0.0},))
    assert t == {"d": 3.0}


def test_aux_comes_out_plain():
    def h(x):
        y = x * x
        return y.sum(), {"y": y, "note": "text", "n": 3}

    x = np.array([1.0, 2.0])
    g, aux = sg.grad(h, has_aux=True)(x)
    close(g, 2 * x)
    assert type(aux["y"]) is np.ndarray
    assert (aux["note"], aux["n"]) == ("text", 3)
    (_value, aux), g = sg.value_and_grad(h, has_aux=True)(sg.tensor(x))
    assert type(aux["y"]) is sg.Tensor
    assert type(sg.grad(lambda v: v * aux["y"].sum())(1.0)) is np.ndarray
    _y, pull, aux = sg.vjp(h, x, has_aux=True)
    close(pull(1.0)[0], 2 * x)


def test_arguments_that_do_not_matter_get_zeros():
    _ga, gb = sg.grad(lambda a, b: (a * 2).sum(), (0, 1))(np.ones(2), np.ones((3, 1), np.float32))
    assert (gb.shape, gb.dtype) == ((3, 1), np.float32)
    assert not gb.any()
    assert sg.grad(lambda x: sg.tensor(1.0))(2.0) == 0.0
    assert sg.jvp(lambda x: sg.tensor([1.0, 2.0]), (1.0,), (1.0,))[1].tolist() == [0.0, 0.0]


def test_an_argument_that_is_returned():
    assert sg.grad(lambda x: x)(2.0) == 1.0
    _y, pull = sg.vjp(lambda x: (x, x), 3.0)
    assert pull((1.0, 10.0)) == (11.0,)


def test_a_pullback_can_be_called_again():
    _, pull = sg.vjp(lambda x: x * x, 3.0)
    assert [pull(1.0)[0], pull(2.0)[0], pull(1.0)[0]] == [6.0, 12.0, 6.0]


def test_jacobian_shapes():
    w = np.arange(6.0).reshape(2, 3)
    close(sg.jacobian(lambda x: w @ x)(np.ones(3)), w)
    j = sg.jacobian(lambda x: sg.outer(x, x))(np.array([1.0, 2.0]))
    assert j.shape == (2, 2, 2)
    ja, jb = sg.jacobian(lambda a, b: a * b, (0, 1))(np.ones(2), np.full(2, 3.0))
    close(ja, 3 * np.eye(2))
    close(jb, np.eye(2))
    assert sg.jacobian(lambda x: x[:0])(np.ones(3, np.float32)).shape == (0, 3)
    assert sg.jacobian(lambda x: x[:0])(np.ones(3, np.float32)).dtype == np.float32
    d = sg.jacobian(lambda p: p["a"] * p["b"])({"a": np.ones(2), "b": 3.0})
    assert (d["a"].shape, d["b"].shape) == ((2, 2), (2,))


# --- identities, on random functions


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


# --- modes


def test_no_grad():
    x = leaf(3.0)
    with sg.no_grad():
        y = x * x
        assert sg.grad(lambda v: v * v)(2.0) == 4.0  # a transform records what it needs
    assert not y.requires_grad
    assert y.op is None
    assert (x * x).requires_grad


def test_no_grad_inside_of_a_transform_is_a_constant():
    def h(x):
        with sg.no_grad():
            c = x * x
        return c * x

    assert sg.grad(h)(3.0) == 9.0


def test_stop_gradient():
    assert sg.grad(lambda x: sg.stop_gradient(x) * x)(3.0) == 3.0
    x = leaf(3.0)
    y = x.detach()
    assert not y.requires_grad
    (y * x).backward()
    assert x.grad == 3.0


def test_modes_are_left_after_an_error():
    with pytest.raises(ZeroDivisionError), sg.no_grad():
        1 / 0  # noqa: B018
    assert (leaf(1.0) * 2).requires_grad
    with pytest.raises(ZeroDivisionError):
        sg.trace(lambda x: 1 / 0, sg.spec())
    assert float(leaf(1.0)) == 1.0


# --- anomaly


def test_detect_anomaly_names_the_forward_node():
    x = leaf([1.0, 0.0], name="p")
    with np.errstate(all="ignore"), sg.detect_anomaly():
        with pytest.raises(AnomalyError, match=r"log: produced -inf at index \(1,\) from inputs p"):
            sg.log(x)
        with pytest.raises(AnomalyError, match=r"multiply: produced inf.*all inputs were finite"):
            sg.tensor(1e200) * sg.tensor(1e200)


def test_detect_anomaly_names_the_backward_node():
    x = leaf([4.0, 0.0], name="p")
    with sg.detect_anomaly():
        y = sg.sqrt(x).sum()
        with pytest.raises(AnomalyError, match=r"backward of sqrt: produced inf at index \(1,\)"):
            y.backward()
    y.backward()  # outside of the block: mathematics as it is
    assert x.grad[1] == INF


def test_detect_anomaly_in_transforms():
    with sg.detect_anomaly(), pytest.raises(AnomalyError, match="backward of sqrt"):
        sg.grad(lambda x: sg.sqrt(x))(0.0)
    with sg.detect_anomaly(), pytest.raises(AnomalyError, match=r"not finite already"):
        sg.exp(sg.tensor([np.nan], name="data"))


# --- checkpoint


def test_checkpoint_keeps_values_and_derivatives():
    w = leaf([0.5, 2.0])

    def f(x):
        return (sg.sin(x * w) * sg.exp(x)).sum()

    x = np.array([0.3, 0.7])
    g = sg.checkpoint(f)
    close(g(sg.tensor(x)), f(sg.tensor(x)))
    close(sg.grad(g)(x), sg.grad(f)(x))
    close(sg.hessian(g)(x), sg.hessian(f)(x))
    g(sg.tensor(x)).backward()
    found, w.grad = w.grad, None
    f(sg.tensor(x)).backward()
    close(found, w.grad)


def test_checkpoint_closes_over_what_is_computed():
    w = leaf(2.0)
    scaled = w * w
    sg.checkpoint(lambda x: x * scaled)(sg.tensor(3.0)).backward()
    assert w.grad == 12.0
    assert sg.grad(lambda v: sg.checkpoint(lambda x: x * v)(5.0))(3.0) == 5.0


def test_checkpoint_of_several_outputs():
    f = sg.checkpoint(lambda a, b: {"p": a * b, "s": a + b})
    a, b = leaf(2.0), leaf(3.0)
    f(a, b)["p"].backward()
    assert (a.grad, b.grad) == (3.0, 2.0)
    second = sg.grad(sg.grad(lambda x: f(x, x)["p"] * f(x, x)["s"]))
    assert second(1.0) == 12.0  # 2 x^3


def test_checkpoint_keeps_fewer_values():
    def f(x):
        for _ in range(20):
            x = sg.sin(x)
        return x

    def held(g):
        from symgrad.tensor import reachable

        y = g(leaf(np.ones(10)))
        return len(reachable([y]))

    assert held(sg.checkpoint(f)) == 2
    assert held(f) == 21


def test_checkpoint_assigns_state_once():
    stat, w = sg.tensor(1.0), leaf(2.0)

    def f(x):
        y = x * w + stat
        stat.assign(stat * 10 + x)
        return y

    x = leaf(3.0)
    y = sg.checkpoint(f)(x)
    assert stat.item() == 13.0
    y.backward()
    assert (y.item(), stat.item(), x.grad, w.grad) == (7.0, 13.0, 2.0, 3.0)


def test_checkpoint_draws_the_same_numbers_again():
    def f(x):
        return (x * (sg.random_uniform("mask", (50,)) > 0.5)).sum()

    x = leaf(np.ones(50))
    with sg.run(seed=1):
        y = sg.checkpoint(f)(x)
        y.backward()
    assert float(y) == x.grad.sum()
    with sg.run(seed=1):
        assert float(f(x)) == float(y)  # and those of the plain function
