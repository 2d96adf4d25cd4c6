"""The numeric side by itself."""

import numpy as np
import pytest
from planted import SCALES, X, op

import symgrad as sg
from symgrad.checking import numeric
from symgrad.checking.complexstep import ANALYTIC, program
from symgrad.op import OPS


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
