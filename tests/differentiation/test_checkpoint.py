"""Checkpoint: the same values and derivatives from less memory."""

import numpy as np
from leaves import close, leaf

import symgrad as sg


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
