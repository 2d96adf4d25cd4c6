"""The passes of plans: what they change, and that values stay what they were."""

import numpy as np
import pytest

import symgrad as sg
from symgrad.passes import eliminate_common, eliminate_dead, erase_identities
from symgrad.plan import rewriting
from symgrad.plan.factoring import factor_out
from symgrad.plan.joining import hoist_joined_leaves, join_biases
from symgrad.plan.pooling import pool_first
from symgrad.plan.views import copy_once, merge_views, settle_views

RNG = np.random.default_rng(0)


PASSES = [
    erase_identities,
    eliminate_common,
    eliminate_dead,
    merge_views,
    settle_views,
    rewriting.fold_constants,
    rewriting.remove_neutral,
    rewriting.sharpen,
    rewriting.drop_expansions,
    rewriting.collect_factors,
    rewriting.find_means,
    factor_out,
    rewriting.contract,
    rewriting.add_in_place,
    hoist_joined_leaves,
    join_biases,
    pool_first,
    copy_once,
    rewriting.optimize,
]


def examples():
    def bn(z, g):
        y, pull = sg.vjp(lambda t: sg.batch_norm(t, 1.5, 0.2), z)
        return y, *pull(g)

    def softmax(z, g):
        y, pull = sg.vjp(lambda t: sg.softmax(t, -1), z)
        return y, *pull(g)

    def rows(z, g):
        a, b = sg.exp(z[0]) + 1.0, z[1] ** 2 + 0.5
        u = (z - a) / b
        inner = (5.0 * g - a) - sg.einsum("ia,ia->a", g, u) * u
        return b / a * inner, a * u + b, 2.0 * z - b, 3.0 * z - g / b

    def factors(z, g):
        w = 3.0 * (2.0 * z) + (z + z) * 1.0 - sg.negative(-g) / 1.0 + 0.0
        return w, sg.broadcast_to(sg.mean(w), w.shape) * g, (2.0 * sg.mean(z)) * (g * 3.0)

    def singular(z, g):
        y, pull = sg.vjp(lambda t: sg.where(t > 0, sg.exp(t) / sg.sqrt(sg.abs(t) + 1.0), t**2), z)
        return y, *pull(g)

    def gathered(z, g):
        y, pull = sg.vjp(lambda t: sg.tanh(t) * 2.0 + sg.getitem(t, [0, 2, 2, 1, 0]), z)
        return y, *pull(g)

    def convolved(z, g):
        def f(t):
            image = sg.reshape(t[:, :1] * t[:1, :], (1, 1, 5, 3))
            y = sg.nn.functional.conv2d(image, np.arange(8.0).reshape(2, 1, 2, 2), np.array([1.0, -3.0]))
            return sg.nn.functional.max_pool2d(sg.relu(y), 2, 1)

        y, pull = sg.vjp(lambda t: f(t).sum(), z)
        return y * g, *pull(y)

    return [bn, softmax, rows, factors, singular, gathered, convolved]


@pytest.mark.parametrize("transform", PASSES, ids=lambda p: p.__name__)
@pytest.mark.parametrize("f", examples(), ids=lambda f: f.__name__)
def test_passes_keep_values(transform, f):
    z, g = RNG.standard_normal((5, 3)), RNG.standard_normal((5, 3))
    graph = sg.trace(f, z, g)
    new = transform(graph)
    new.validate()
    for a, b in zip(graph(z, g), new(z, g), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-13, atol=1e-14)


def test_biases_are_joined_to_weights_without_changing_values():
    w, b = sg.tensor(RNG.standard_normal((3, 4)), name="w"), sg.tensor(RNG.standard_normal(4), name="b")

    def f(x, g):
        joined = sg.concatenate([w.ravel(), b])
        h = sg.tanh(x)
        y = h @ w + b
        return y, sg.concatenate([(h.T @ g).ravel(), g.sum(axis=0)]) - 0.1 * joined

    graph = erase_identities(sg.trace(f, np.ones((5, 3)), np.ones((5, 4))))
    new = eliminate_dead(join_biases(graph))
    names = [n.op.name for n in new.nodes if n.op]
    assert names.count("matmul") == 2
    assert not {"sum"} & set(names)
    assert "add" not in names
    x, g = RNG.standard_normal((5, 3)), RNG.standard_normal((5, 4))
    for a, b_ in zip(graph(x, g), new(x, g), strict=True):
        np.testing.assert_allclose(b_, a, rtol=1e-13)
    for a, b_ in zip(graph(x, g), sg.compile(f)(x, g), strict=True):
        np.testing.assert_allclose(b_, a, rtol=1e-13)


def test_passes_do_not_change_the_graph_they_get():
    graph = sg.trace(examples()[0], np.ones((4, 2)), np.ones((4, 2)))
    before = [(n.serial, n.name, n.op) for n in graph.nodes]
    rewriting.optimize(graph)
    assert before == [(n.serial, n.name, n.op) for n in graph.nodes]


def test_passes_simplify():
    graph = sg.trace(examples()[0], np.ones((4, 2)), np.ones((4, 2)))
    names = [n.op.name for n in rewriting.optimize(graph).nodes if n.op]
    assert not {"named", "alias", "div0", "mul0", "expand"} & set(names)
    scaled = rewriting.optimize(sg.trace(lambda x: 3.0 * (2.0 * x), np.ones(3)))
    assert [n.op.name for n in scaled.nodes if n.op] == ["const", "multiply"]


def test_a_flatten_of_a_permutation_is_a_copy_wherever_memory_lies():
    """A layout without memory of its own could seem to share that of a copy, by the chance of addresses."""
    x = np.arange(2 * 3 * 4 * 5.0).reshape(2, 3, 4, 5)
    expected = np.maximum(x, 0).transpose(0, 3, 1, 2).reshape(2, -1)
    graph = sg.trace(lambda x: sg.reshape(sg.transpose(sg.relu(x), (0, 3, 1, 2)), (2, -1)), x)
    kept = []
    for size in range(300):
        kept.append(np.empty(size % 7 * 1000 + 1, np.int8))
        merged = merge_views(graph)
        assert [n.op.name for n in merged.nodes if n.op is not None and n.op.name != "relu"] == ["permute", "reshape"]
    assert np.array_equal(
        sg.compile(lambda x: sg.reshape(sg.transpose(sg.relu(x), (0, 3, 1, 2)), (2, -1)))(x), expected
    )


def test_permutations_sink_past_what_is_repeated_along_axes():
    """Also past the views between: an image in the order of convolutions is never copied into another."""
    x, mean = RNG.standard_normal((3, 5, 4, 2)), RNG.standard_normal(3)

    def f(x, mean):
        rows = sg.reshape(sg.transpose(sg.exp(x), (1, 2, 3, 0)), (40, 3))
        centred = (rows - mean) * sg.broadcast_to(mean, (40, 3))
        return sg.transpose(sg.relu(sg.reshape(centred, (5, 4, 2, 3)))[:, :, :, ::-1] + mean, (3, 2, 0, 1))

    graph = settle_views(sg.trace(f, x, mean))
    computed = {
        n.op.name: n.shape for n in graph.nodes if n.op is not None and n.op.name in ("subtract", "multiply", "relu")
    }
    assert computed == {"subtract": (3, 40), "multiply": (3, 40), "relu": (3, 5, 4, 2)}
    np.testing.assert_array_equal(graph.run([x, mean])[0], f(x, mean))
    np.testing.assert_array_equal(sg.compile(f, fast=False)(x, mean), f(x, mean))


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize(("size", "stride", "padding"), [(2, 2, 0), (3, 2, 1), ((1, 3), 1, 0), (1, 1, 0), (9, 9, 0)])
def test_means_of_windows_keep_the_order_of_convolutions(size, stride, padding, fast):
    F = sg.nn.functional
    x, w = RNG.standard_normal((2, 3, 11, 11)), RNG.standard_normal((4, 3, 3, 3))

    def f(x, w):
        def total(x, w):
            y = F.avg_pool2d(sg.tanh(F.conv2d(x, w)), size, stride, padding)
            return sg.sum(sg.exp(y) * y)

        return sg.value_and_grad(total, (0, 1))(x, w)

    run = sg.compile(f, fast=fast)
    (value, grads), (expected, wanted) = run(x, w), f(x, w)
    np.testing.assert_allclose(value, expected, rtol=1e-13)
    for a, b in zip(grads, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    if not fast and not padding:
        graph = rewriting.optimize(sg.trace(f, x, w))
        assert not any(n.op is not None and n.op.name == "copied" and n.shape == (2, 4, 9, 9) for n in graph.nodes)


def test_windows_that_overlap_are_no_view_in_another_shape():
    """A reshape of windows and its transpose are the transpose of one copy, not a second copy in another order."""
    x = np.arange(20.0).reshape(1, 4, 5)

    def f(x):
        shown = sg.windows(x, (2, 2), (1, 2))
        patches = sg.reshape(sg.transpose(shown, (0, 3, 4, 1, 2)), (4, 12))
        return patches, sg.transpose(patches)

    merged = merge_views(sg.trace(f, x))
    assert [n.op.name for n in merged.nodes if n.op is not None] == ["windows", "permute", "reshape", "permute"]
    for a, b in zip(sg.compile(f)(x), f(x), strict=True):
        np.testing.assert_array_equal(a, b)


def test_windows_show_arrays_whose_rows_have_no_gaps():
    def f(x):
        return sg.reshape(sg.windows(sg.transpose(sg.exp(x)), 3), (-1, 3))

    x = RNG.standard_normal((6, 4))
    graph = rewriting.optimize(sg.trace(f, x))
    assert [n.op.name for n in graph.nodes if n.op is not None] == ["exp", "permute", "copied", "windows", "copied"]
    np.testing.assert_allclose(sg.compile(f)(x), f(x), rtol=1e-15)
    np.testing.assert_array_equal(graph.run([x])[0], f(x))


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize(("size", "stride", "padding"), [(2, 2, 0), (2, 2, 1), (3, 2, 1), ((1, 3), 1, 0), (12, 12, 0)])
@pytest.mark.parametrize("missing", [False, True])
def test_pooling_sends_gradients_to_the_same_places(size, stride, padding, missing, fast):
    """Ties are frequent (and all that relu cuts off are equal), numbers may be missing: the first gets everything."""
    x = RNG.integers(-2, 3, (2, 3, 12, 12)).astype(np.float32)
    if missing:
        x[RNG.random(x.shape) < 0.05] = np.nan

    def f(x):
        pool = sg.nn.functional.max_pool2d
        return pool(sg.relu(2.0 * x), size, stride, padding) + pool(x, size, stride, padding)

    def both(x, g):
        y, pull = sg.vjp(f, x)
        return y, pull(g)[0]

    g = RNG.standard_normal(f(x).shape).astype(np.float32)
    for a, b in zip(sg.compile(both, fast=fast)(x, g), both(x, g), strict=True):
        np.testing.assert_array_equal(a, b)


def test_relu_is_taken_of_the_largest_numbers_of_windows():
    """But not where somebody else reads it, or sends gradients to the places that it does not stop."""
    pool = sg.nn.functional.max_pool2d
    x, g = RNG.standard_normal((2, 3, 8, 8)), RNG.standard_normal((2, 3, 4, 4))

    def shapes(f):
        graph = rewriting.optimize(sg.trace(f, x, g))
        for a, b in zip(sg.compile(f, fast=False)(x, g), f(x, g), strict=True):
            np.testing.assert_array_equal(a, b)
        return {n.shape for n in graph.nodes if n.op is not None and n.op.name in ("relu", "where", "greater")}

    def pooled(x, g):
        y, pull = sg.vjp(lambda x: pool(sg.relu(sg.exp(x) - 1.0), 2), x)
        return y, *pull(g)

    def read_twice(x, g):
        y, pull = sg.vjp(lambda x: pool(r := sg.relu(sg.exp(x) - 1.0), 2) + r[:, :, 4:, 4:], x)
        return y, *pull(g)

    def others(x, g):
        r = sg.relu(sg.exp(x) - 1.0)
        y, pull = sg.vjp(lambda r: pool(r, 2), r)
        return y, *pull(g)

    assert shapes(pooled) == {(2, 3, 4, 4)}
    assert (2, 3, 8, 8) in shapes(read_twice)
    assert shapes(others) == {(2, 3, 8, 8)}


@pytest.mark.parametrize("shape", [(3, 50, 4000), (50, 3, 4000), (40, 40, 400)])
def test_products_of_rows_with_rows(shape):
    n, m, inner = shape
    a, b = RNG.standard_normal((n, inner)), RNG.standard_normal((m, inner))
    run = sg.compile(lambda a, b: sg.exp(a) @ sg.transpose(sg.tanh(b)), fast=False)
    np.testing.assert_allclose(run(a, b), np.exp(a) @ np.tanh(b).T, rtol=1e-12, atol=1e-10)


def rows_of_products(x):
    w = np.arange(12.0).reshape(3, 4) / 7
    return sg.tanh(w @ x) @ (x @ np.ones((4, 4)))[:3] * sg.logsumexp(x[1:] - x[:-1])


@pytest.mark.parametrize(
    "f",
    [
        sg.hessian(lambda x: (x[1:] ** 2 * x[:-1] + sg.sin(x[0])).sum()),
        sg.hessian(rows_of_products),
        sg.jacobian(sg.softmax),
        sg.jacobian(lambda x: sg.outer(x, x[:2])),
        sg.jacobian(lambda x: sg.max(sg.concatenate([x, x * x]).reshape(4, 2), axis=1)),
        sg.jacobian(lambda x: x[np.array([0, 0, 3])] * x.mean()),
        sg.jacobian(sg.grad(lambda x: (x.reshape(2, 2) @ x.reshape(2, 2).T).sum())),
        sg.jacobian(sg.cumsum),
        sg.jacobian(sg.sort),
        lambda x: sg.stack([x, x * 2, x * x, x[::-1]]),
        lambda x: sg.stack([sg.sin(x[k]) for k in range(4)]) + sg.sin(x[2]),
    ],
)
@pytest.mark.parametrize("fast", [False, None])
def test_rows_that_are_computed_together_are_the_rows(f, fast):
    x = np.array([0.3, -1.2, 0.7, 2.0])
    np.testing.assert_allclose(sg.compile(f, fast=fast)(x), f(sg.tensor(x)).numpy(), rtol=1e-13, atol=1e-13)


def test_the_rows_of_a_hessian_are_one_call_per_operation():
    def calls(n):
        f = sg.compile(sg.hessian(lambda x: (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()), fast=False)
        f(np.linspace(-1, 1, n))
        return f.plan.calls

    assert calls(4) == calls(12) < 25


def links(n, g=None):
    a, b = sg.tensor(np.full(3, 0.9), name="a"), sg.tensor(np.full(3, 0.1), name="b")

    def f(x):
        y = x
        for _ in range(n):
            y = sg.sin(y) * a + b
        return (y if g is None else y * g).sum()

    return f


@pytest.mark.parametrize("fast", [False, None])
@pytest.mark.parametrize("n", [1, 7, 8, 9, 40])
def test_the_factors_of_a_chain_are_multiplied_at_once(n, fast):
    x = np.array([0.3, -1.2, 0.7])
    for f in (links(n), links(n, np.array([0.0, -1.0, 1e300])), lambda x: links(n)(sg.sin(x * x * 2))):
        value, gradient = sg.compile(sg.value_and_grad(f), fast=fast)(x)
        expected = sg.value_and_grad(f)(x)
        np.testing.assert_allclose(value, expected[0], rtol=1e-14)
        np.testing.assert_allclose(gradient, expected[1], rtol=1e-13)
    compiled = sg.compile(sg.value_and_grad(links(n)), fast=False)
    compiled(x)
    assert compiled.plan.calls <= (6 * n + 1 if n < 10 else 3 * n + 10)


def test_factors_of_chains_may_be_read_elsewhere_and_repeat():
    rng = np.random.default_rng(0)
    factors = [sg.tensor(rng.uniform(0.5, 1.5, s), name="c") for s in [(2, 3)] * 9 + [(3,), (), (2, 3)]]

    def f(x):
        made = [sg.exp(c * x) for c in factors]
        y = x * made[0]
        for k, m in enumerate(made[1:]):
            y = y * m * made[k % 3]
            if k == 9:
                middle = y
        return y, middle, made[4], made[2].sum()

    x = rng.uniform(0.5, 1, (2, 3))
    for got, expected in zip(sg.compile(f, fast=False)(x), f(sg.tensor(x)), strict=True):
        np.testing.assert_allclose(got, expected.numpy(), rtol=1e-13)


def test_rows_of_which_one_is_read_alone_are_still_right():
    def f(x):
        rows = [sg.sin(sg.exp(x[k] * 2)) * (k + 1) for k in range(6)]
        return sg.stack(rows), rows[3] + 1, sg.exp(x[1] * 2)

    x = np.linspace(-1, 1, 30).reshape(6, 5)
    for got, expected in zip(sg.compile(f, fast=False)(x), f(sg.tensor(x)), strict=True):
        np.testing.assert_allclose(got, expected.numpy(), rtol=1e-14)
