"""Plans and leaves: old and new values, joined leaves, memory that is used again."""

import numpy as np
import pytest

import symgrad as sg
from symgrad.plan.fusing import available


def agree(make, calls):
    """A function of leaves gives the same outputs and leaves eagerly and compiled."""
    (eager, f), (compiled, g) = make(), make()
    fast = sg.compile(g)
    for args in calls:
        expected = f(*map(sg.tensor, args))
        for a, b in zip(fast(*args), expected, strict=True):
            np.testing.assert_array_equal(a, b.numpy())
            assert a.dtype == b.dtype
        for p, q in zip(compiled, eager, strict=True):
            np.testing.assert_array_equal(p.numpy(), q.numpy())
            assert p.dtype == q.dtype


X = np.array([1.0, 2.0, 3.0])


def two_leaves(body):
    def make():
        a, b = sg.tensor([1.0, 2.0, 3.0], name="a"), sg.tensor([4.0, 5.0, 6.0], name="b")
        return [a, b], lambda x: body(a, b, x)

    return make


def swap(a, b, x):
    old_a, old_b = a * 1.0, b * 1.0
    a.assign(old_b), b.assign(old_a)
    return [x]


def follow(a, b, x):
    a.assign(b * 1.0)
    b.assign(b - x)
    return [b * 2]


def unread(a, b, x):
    a.assign(x * 2)
    return [x * 3]


def part_of_an_overwritten_buffer(a, b, x):
    h = sg.exp(x)
    new = sg.concatenate([a, h]) * 0.5
    a.assign(new[:3])
    return [h]


def gathered_from_the_old(a, b, x):
    new = b * x
    picked = sg.getitem(b, [0, 2, 0])
    b.assign(new)
    return [picked]


@pytest.mark.parametrize("body", [swap, follow, unread, part_of_an_overwritten_buffer, gathered_from_the_old])
def test_new_values_of_leaves_do_not_spoil_old_ones(body):
    agree(two_leaves(body), [(X,), (X + 1,), (X,)])


@pytest.mark.parametrize(
    "old",
    [lambda w: w * 1.0, lambda w: w.detach(), lambda w: w.detach().reshape(3, 1), lambda w: w.detach()[::-1],
     lambda w: sg.named(w * 1.0, "kept")],
)  # fmt: skip
def test_old_values_of_leaves_may_be_returned(old):
    def body(a, b, x):
        y = old(a)
        a.assign(a - 0.1 * x)
        return [y]

    agree(two_leaves(body), [(X,), (X,)])


def test_joined_leaves_keep_their_dtypes():
    def make():
        a, b = sg.tensor(X.astype(np.float32)), sg.tensor(X)

        def f(x):
            total = sg.concatenate([a, b]).sum() + x.sum()
            a.assign(a * 2), b.assign(b * 3)
            return [total]

        return [a, b], f

    agree(make, [(X,), (X,)])


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("fast", [False, True] if available() else [False])
def test_leaves_that_lie_in_a_joined_matrix_get_their_values(axis, fast):
    a = sg.tensor(np.arange(9.0).reshape(3, 3), name="a")
    b = sg.tensor(np.arange(9.0, 18.0).reshape(3, 3), name="b")

    def step(x):
        joined = sg.concatenate([a, x, b], axis=axis)
        a.assign(x.T)
        b.assign(b * 2)
        return joined

    run = sg.compile(step, fast=fast)
    for k in range(3):
        x = np.random.default_rng(k).standard_normal((3, 3))
        expected = np.concatenate([a.numpy(), x, b.numpy()], axis)
        before = b.numpy().copy()
        np.testing.assert_array_equal(run(x), expected)
        np.testing.assert_array_equal(a.numpy(), x.T)
        np.testing.assert_array_equal(b.numpy(), before * 2)


@pytest.mark.parametrize("n", [1, 3, 40])
@pytest.mark.parametrize("fast", [False, True] if available() else [False])
def test_products_do_not_overwrite_their_factors(n, fast):
    rng = np.random.default_rng(n)
    x = rng.standard_normal((n, n)) / n
    a, b, c = (sg.tensor(rng.standard_normal((n, n)), name=name) for name in "abc")
    expected = a.numpy(), b.numpy(), c.numpy()

    def step(x):
        a.assign(x @ a)
        b.assign(b @ b.T)
        c.assign(c @ c)

    run = sg.compile(lambda x: (step(x), x + 1)[1], fast=fast)
    for _ in range(3):
        run(x)
        expected = x @ expected[0], expected[1] @ expected[1].T, expected[2] @ expected[2]
        for leaf, value in zip((a, b, c), expected, strict=True):
            np.testing.assert_allclose(leaf.numpy(), value, rtol=1e-12, atol=1e-12 * np.abs(value).max())


@pytest.mark.parametrize("fast", [False, True] if available() else [False])
def test_what_is_added_at_indices_may_be_of_the_same_array(fast):
    rows, columns = np.array([2, 0, 1]), np.array([1, 0, 2])

    def f(x):
        y = sg.exp(x) * 2
        return sg.index_put(y, (rows, columns), y[:, 1], accumulate=True) + 1

    x = np.random.default_rng(0).standard_normal((3, 3))
    expected = np.exp(x) * 2
    np.add.at(expected, (rows, columns), expected[:, 1].copy())
    for _ in range(2):
        np.testing.assert_allclose(sg.compile(f, fast=fast)(x), expected + 1, rtol=1e-14)


@pytest.mark.parametrize("shape", [(4,), (4, 3)])
@pytest.mark.parametrize("fast", [False, True] if available() else [False])
def test_residuals_of_least_squares_compile(shape, fast):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((4, 2)), rng.standard_normal(shape)
    run = sg.compile(lambda a, b: tuple(sg.linalg.lstsq(a, b)), fast=fast)
    for found, expected in zip(run(a, b), sg.linalg.lstsq(a, b), strict=True):
        np.testing.assert_allclose(found, np.asarray(expected), rtol=1e-12)
    assert np.isnan(run(np.ones((4, 2)), b)[1]).all()  # whether they are empty is not known when it is traced


@pytest.mark.parametrize("fast", [False, None])
def test_what_depends_on_leaves_alone_is_computed_when_they_change(fast):
    a, w = sg.tensor([1.0, 2.0], name="a"), sg.tensor([5.0, 6.0], name="w", requires_grad=True)

    def step(x):
        small = sg.exp(a) * 2
        w.assign(w - small * x)
        return small, sg.concatenate([w, small])

    compiled = sg.compile(step, fast=fast)
    for k in range(6):
        if k in (2, 3):
            a.assign(a * (k + 0.5))
        before, x = w.numpy(), np.array([1.0, k])
        small, joined = compiled(x)
        np.testing.assert_allclose(small, 2 * np.exp(a.numpy()), rtol=1e-15)
        np.testing.assert_allclose(w.numpy(), before - small * x, rtol=1e-15)
        np.testing.assert_array_equal(joined, [*w.numpy(), *small])
    main, _, prepare = compiled.plan.source.partition("\n\n")
    assert "exp(a" in prepare
    assert "exp(a" not in main


def test_a_new_value_is_computed_in_the_memory_of_the_old_one_from_its_first_step_on():
    w, v = sg.tensor(np.arange(500.0)), sg.tensor(np.ones(500))

    def step(x):
        v.assign(0.9 * v + 0.1 * x)
        w.assign(w * 0.5 - v)

    fast = sg.compile(step, fast=False)
    x, expected_w, expected_v = np.linspace(-1, 1, 500), np.arange(500.0), np.ones(500)
    for _ in range(3):
        fast(x)
        expected_v = 0.9 * expected_v + 0.1 * x
        expected_w = expected_w * 0.5 - expected_v
        np.testing.assert_allclose(w.numpy(), expected_w, rtol=1e-14)
        np.testing.assert_allclose(v.numpy(), expected_v, rtol=1e-14)
    assert fast.plan.memory < 3.5 * x.nbytes  # w, v, and 0.1 x


@pytest.mark.parametrize("later", ["result", "reader", "part", "other"])
def test_an_old_value_that_somebody_reads_later_stays_until_then(later):
    w, other = sg.tensor(np.arange(50.0)), sg.tensor(np.zeros(50))

    def step(x):
        old = w[:] if later == "result" else w * 1.0
        half = 0.5 * w
        rest = sg.sin(w[3:]) if later == "part" else sg.sin(half) if later == "other" else x * w
        if later == "reader":
            other.assign(sg.cos(rest) + sg.exp(w))
        w.assign(half + x)
        return old, rest

    def run(f):
        w.assign(np.arange(50.0))
        other.assign(np.zeros(50))
        results = [[y.copy() for y in f(np.linspace(0, 1, 50))] for _ in range(3)]
        return [*[y for ys in results for y in ys], w.numpy().copy(), other.numpy().copy()]

    for a, b in zip(
        run(sg.compile(step, fast=False)), run(lambda x: [y.numpy() for y in step(sg.tensor(x))]), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-13)


@pytest.mark.parametrize("read", ["not", "before", "after"])
def test_new_values_of_alike_leaves_are_rows(read):
    def trained(fast):
        means = [sg.tensor(np.full(3, k + 1.0), name=f"layer{k}.mean") for k in range(3)]

        def step(x):
            old = means[1] * 2
            for k, mean in enumerate(means):
                x = sg.tanh(x + k)
                mean.assign(0.9 * mean + 0.1 * x.mean(axis=0))
            return x.sum() + {"not": 0, "before": old, "after": means[1] * 2}[read]

        rng, found = np.random.default_rng(3), []
        called = step if fast is None else sg.compile(step, fast=fast)
        for k in range(6):
            if k in (2, 4):  # set by hand in between
                means[0].assign(np.full(3, float(k)))
            x = rng.standard_normal((8, 3))
            y = called(sg.tensor(x)).numpy() if fast is None else called(x)
            found += [y.copy(), *(mean.numpy().copy() for mean in means)]
        return found, called

    found, called = trained(False)
    for a, b in zip(found, trained(None)[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)
    assert "all_mean" in called.plan.source


def test_the_memory_of_gradients_is_used_again_when_nobody_reads_them_any_more():
    from symgrad import optim

    values = [np.linspace(-1, 1, 3000), np.linspace(0, 1, 500)]

    def trained(compiled, returned):
        w, b = leaves = [sg.tensor(x, requires_grad=True) for x in values]
        optimizer = optim.SGD(leaves, lr=0.1, momentum=0.9)

        def step(x):
            optimizer.zero_grad()
            loss = (sg.sin(w * x) ** 2).sum() + (b**3).sum()
            loss.backward()
            gradient = w.grad
            optimizer.step()
            return gradient * 1.0 if returned == "read" else gradient if returned else loss

        run = sg.compile(step, fast=False) if compiled else lambda x: step(sg.tensor(x))
        results = [np.array(run(np.linspace(0, k, 3000))) for k in range(1, 4)]
        return [*results, *[p.numpy() for p in leaves]], run

    for returned in ("", "read", "itself"):
        found, run = trained(True, returned)
        for a, expected in zip(found, trained(False, returned)[0], strict=True):
            np.testing.assert_allclose(a, expected, rtol=1e-12, atol=1e-15)
        if not returned:
            assert run.plan.memory < 8 * (3 * 3500 + 3 * 3000 + 3 * 500)  # no fourth of 3500
