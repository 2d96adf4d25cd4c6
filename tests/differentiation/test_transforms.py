"""Transforms: nested ones are not confused; what goes in and comes out."""

import numpy as np
import pytest
from leaves import close, leaf

import symgrad as sg

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
