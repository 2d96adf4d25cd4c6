"""Backward: what it fills, what it refuses, and its modes."""

import numpy as np
import pytest
from leaves import INF, leaf

import symgrad as sg
from symgrad.errors import AnomalyError, DTypeError, GradientError, ShapeError

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
