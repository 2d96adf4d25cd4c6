"""The order of nodes in which programs make few sweeps: what runs together, and that nothing overtakes another."""

import numpy as np
import pytest

import symgrad as sg
from symgrad import derived, optim
from symgrad.plan.choosing import gather
from symgrad.plan.ordering import in_sweeps
from symgrad.plan.rewriting import optimize


def normal(*shape):
    return np.random.default_rng(len(shape)).standard_normal(shape)


def ordered(f, *args):
    """The ops of a function in the order of sweeps, and its graph before and after."""
    before = gather(optimize(sg.trace(f, *args)))
    after = in_sweeps(before)
    return [node.op.name for node in after.nodes if node.inputs], before, after


def sweeps(graph, shape):
    """How often nodes of a shape begin after others."""
    nodes = [x for x in graph.nodes if x.inputs and not x.op.view and x.op.name != "concatenate"]
    over = [tuple((x.inputs[0] if x.op.name in ("sum", "mean", "einsum") else x).shape) for x in nodes]
    return sum(now == shape and before != shape for before, now in zip([None, *over], over, strict=False))


def test_what_has_one_shape_runs_together():
    def f(x, y):
        return sg.sin(x), sg.sin(y), sg.cos(x), sg.cos(y)

    names, before, after = ordered(f, normal(3, 4), normal(2, 5))
    assert names == ["sin", "cos", "sin", "cos"]
    assert sweeps(before, (3, 4)) == 2
    assert sweeps(after, (3, 4)) == 1


def test_batch_norm_goes_to_vectors_once():
    def both(z, gamma, beta, g):
        y, pull = sg.vjp(derived.batch_norm, z, gamma, beta)
        return y, *pull(g)

    args = normal(64, 32), normal(32), normal(32), normal(64, 32)
    _, before, after = ordered(both, *args)
    assert sweeps(before, (64, 32)) > 3
    assert sweeps(after, (64, 32)) == 2
    for a, b in zip(before(*args), after(*args), strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_is_needed_late_is_computed_late():
    def f(x, s):
        early = sg.sin(x)
        total = (x * x).sum()
        return early * (s + total)

    assert ordered(f, normal(40, 50), np.float64(2))[0][-2:] == ["sin", "multiply"]


def test_old_values_are_read_before_they_go():
    w, m = sg.tensor(normal(40, 50), name="w", requires_grad=True), sg.tensor(np.zeros((40, 50)), name="m")

    def step(g):
        m.assign(0.9 * m + g)
        w.assign(w - 0.1 * m)
        return (w * w).sum(), w.sum()

    def first(g):
        penalty = (w * w).mean()
        w.assign(w - 0.1 * g)
        return penalty, sg.sqrt(penalty)

    for f in (step, first):
        graph = in_sweeps(gather(optimize(sg.trace(f, normal(40, 50)))))
        place = {node.serial: k for k, node in enumerate(graph.nodes)}
        stand_ins = {leaf: s for leaf, s in graph.leaves}
        for leaf, new in graph.assigned:
            readers = [n for n in graph.nodes if any(x is stand_ins[leaf] for x in n.inputs)]
            assert all(place[n.serial] <= place[new.serial] for n in readers)


@pytest.mark.parametrize("rule", [optim.Adam, optim.RMSprop, optim.SGD])
def test_an_update_is_one_sweep(rule):
    w = sg.tensor(normal(60, 50), name="w", requires_grad=True)
    rule = rule([w], lr=0.1)

    def step(g):
        w.grad = g
        rule.step()

    _, _, after = ordered(step, normal(60, 50))
    assert sweeps(after, (60, 50)) + sweeps(after, (3000,)) == 1


@pytest.mark.parametrize(("n", "times"), [(512, 2), (32, 1)])
def test_large_values_are_computed_by_every_sweep_that_reads_them(n, times):
    def f(x):
        centred = x - x.mean(axis=0)
        return centred / sg.sqrt((centred * centred).mean(axis=0))

    x = normal(n, n)
    names, before, after = ordered(f, x)
    assert names.count("subtract") == times
    np.testing.assert_array_equal(before(x)[0], after(x)[0])


def test_what_others_read_too_is_computed_once():
    w = sg.tensor(normal(512, 512), name="w")

    def product(x):
        centred = x - x.mean(axis=0)
        return centred * centred.sum(axis=0), centred @ centred

    def result(x):
        centred = x - x.mean(axis=0)
        return centred, centred * centred.sum(axis=0)

    def update(x):
        shifted = w - x[0]
        w.assign(w + shifted.sum(axis=0))
        return shifted * shifted.sum(axis=0)

    for f in (product, result, update):
        assert ordered(f, normal(512, 512))[0].count("subtract") == 1
