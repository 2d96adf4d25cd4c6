"""Programs of the fast extra: what they hold, and that they compute what NumPy does wherever the numbers lie."""

import numpy as np
import pytest

import symgrad as sg
from symgrad import nn
from symgrad.errors import GraphError
from symgrad.plan.fusing import available

if not available():
    pytest.skip("needs the extra `fast`", allow_module_level=True)

from symgrad.plan.loops import inner_loop, product_layout


def fused(f, *args):
    """The results of a plan with the extra, checked against the one without; and its source."""
    plain, fast = sg.compile(f, fast=False), sg.compile(f, fast=True)
    for _ in range(2):
        for a, b in zip(sg.trees.flatten(plain(*args))[0], sg.trees.flatten(fast(*args))[0], strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_allclose(b, a, rtol=1e-6 if a.dtype == np.float32 else 1e-13)
    return fast.plan.source


def normal(*shape, dtype=np.float64):
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["sin", "cos", "exp", "log", "tanh", "arctan", "log1p", "expm1", "sinh"])
def test_ufuncs_are_called_in_programs(name, dtype):
    f = getattr(sg, name)
    source = fused(lambda x: f(x) * 2 + x, np.abs(normal(40, 50, dtype=dtype)) / 4 + 0.1)
    assert source.count("fused(") == 1
    assert f"    {name}(" not in source


def test_binary_ufuncs_are_called_in_programs():
    assert fused(lambda x, y: sg.logaddexp(x, y) + x**y, np.abs(normal(9, 30)), normal(9, 30)).count("fused(") == 1


def test_inner_loops_are_those_of_the_types():
    assert inner_loop(np.tanh, np.float32) != inner_loop(np.tanh, np.float64)
    assert inner_loop(np.logical_not, np.float64) is None
    assert inner_loop(np.divmod, np.float64) is None
    assert inner_loop(np.frompyfunc(abs, 1, 1), np.float64) is None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("orders", ["CCC", "CCF", "CFC", "CFF", "FCC", "FCF", "FFC", "FFF"])
def test_products_of_every_layout(orders, dtype):
    from symgrad.plan.kernels import PRODUCT, execute
    from symgrad.plan.loops import address, product

    for m, k, n in ((2, 3, 4), (1, 3, 4), (2, 1, 4), (2, 3, 1), (1, 1, 1), (7, 1, 1)):
        a, b, out = [np.array(normal(*shape, dtype=dtype), order=order)
                     for shape, order in zip(((m, k), (k, n), (m, n)), orders, strict=True)]  # fmt: skip
        swapped, block = product_layout(a, b, out)
        factors = (b, a) if swapped else (a, b)
        row = [PRODUCT, product(out.dtype), address(out), *map(address, factors), address(block), 0, 0, 0]
        execute(np.array([row]), np.array([0, 1], dtype))
        np.testing.assert_allclose(out, a @ b, rtol=1e-5)


def test_products_refuse_what_blas_cannot_read():
    a = normal(8, 8)
    assert product_layout(a[::2, ::2], a[:4, :4], np.empty((4, 4))) is None
    assert product_layout(np.broadcast_to(a[:1, :1], (4, 4)), a[:4, :4], np.empty((4, 4))) is None
    assert product_layout(a[:4, :4], a[4:, 4:], np.empty((4, 4))) is not None


def test_a_whole_step_is_one_call():
    w = sg.tensor(normal(4, 3), name="w", requires_grad=True)

    def step(x, labels):
        loss = sg.losses.cross_entropy(sg.tanh(x @ w), labels)
        (g,) = sg.grad(lambda w: sg.losses.cross_entropy(sg.tanh(x @ w), labels), argnums=(0,))(w)
        return loss, g

    fused(step, normal(3000, 4), np.arange(3000) % 3)  # too many to be copied
    source = fused(step, normal(32, 4), np.arange(32) % 3)
    assert source.count("fused(") == 1
    assert "dot(" not in source
    assert "add.at(" not in source


def test_views_of_arguments_are_read_in_place():
    def f(x):
        return x[1:] * x[:-1] + x[3:, None].T.sum() if x.ndim == 1 else x[5:].T @ x[:-5] + (x[2:] * 2)[0, 0]

    fused(f, normal(50))
    assert "point(" in fused(f, normal(80, 30))


@pytest.mark.parametrize("shape", [(7, 5), (80, 90)])
def test_arguments_may_lie_anyhow(shape):
    fast = sg.compile(lambda x: (sg.relu(x) * 2 + x * x, x.sum(axis=0)), fast=True)
    x = normal(*shape)
    buffer = np.zeros(x.nbytes + 1, np.uint8)
    crooked = buffer[1:].view(np.float64).reshape(shape)
    crooked[...] = x
    frozen = x.copy()
    frozen.flags.writeable = False
    for given in (x, x[::-1], np.asfortranarray(x), np.repeat(x, 2, 1)[:, ::2], crooked, frozen, x.astype(">f8"), x):
        product, total = fast(given)
        np.testing.assert_allclose(product, np.maximum(given, 0) * 2 + given * given, rtol=1e-14)
        np.testing.assert_allclose(total, given.sum(axis=0), rtol=1e-12, atol=1e-12)


def test_indices_in_programs_are_checked():
    x = normal(6, 4)

    def f(x, rows, columns):
        return (sg.exp(x)[rows, columns] * 2).sum(), sg.grad(lambda x: (sg.exp(x)[rows, columns] ** 2).sum())(x)

    rows, columns = np.array([0, -1, 2, 2]), np.array([3, -4, 1, 1])
    assert fused(f, x, rows, columns).count("fused(") == 1
    fast = sg.compile(f, fast=True)
    fast(x, rows, columns)
    for bad in ((rows + 6, columns), (rows, columns - 4)):
        with pytest.raises(sg.GraphError, match="out of bounds"):
            fast(x, *bad)
    np.testing.assert_allclose(fast(x, rows, columns)[0], (np.exp(x)[rows, columns] * 2).sum())


def test_scattering_to_slices():
    for key in (0, -1, slice(2, 4), slice(None, None, 2), slice(3, 3)):
        fused(sg.grad(lambda x, key=key: (sg.exp(x)[key] * 2).sum()), normal(5))
        fused(sg.grad(lambda x, key=key: (sg.exp(x)[key] * 2).sum()), normal(5, 3))
        fused(sg.grad(lambda x, key=key: (sg.exp(x)[:, key] * 2).sum()), normal(5, 6))


@pytest.mark.parametrize("n", [15, 16, 17])
def test_squares_are_not_read_across(n):
    w, weight, bias = sg.tensor(normal(3, n)), normal(n), normal(n) + 1

    def f(x):  # the quotient of a row and a column lies row by row, the rest column by column
        return sg.tanh(nn.functional.layer_norm(x @ w + bias, (n,), weight, bias))

    fused(f, normal(n, 3))
    fused(sg.grad(lambda x: (f(x) ** 2).sum()), normal(n, 3))


def test_truth_values_leave_programs():
    source = fused(lambda x: (x > 0, sg.where(x > 0, x, -x) * 2, sg.sum(sg.exp(x) > 1)), normal(30, 40))
    assert "fused(" in source


def test_leaves_are_followed_between_calls():
    scale = sg.tensor(np.array([1.0, 2.0, 3.0]), name="scale")
    large = sg.tensor(np.ones((60, 50)), name="large")
    fast = sg.compile(lambda x: sg.tanh(x * scale).sum() + (large * large * 2).sum(), fast=True)
    for k in range(4):
        x = np.ones(3)
        np.testing.assert_allclose(fast(x), np.tanh(scale.numpy()).sum() + 2 * (large.numpy() ** 2).sum(), rtol=1e-12)
        (scale if k % 2 else large).assign((scale if k % 2 else large).numpy() + k + 1)


def test_a_leaf_assigned_while_a_plan_runs_is_read_next_time():
    scale = sg.tensor(np.array([1.0, 2.0]), name="scale")
    fast = sg.compile(lambda x: sg.exp(x) * scale * 2, fast=True)
    fast(np.zeros(2))
    step = fast.plan._step

    def meanwhile(*arrays):
        scale.assign(np.array([5.0, 6.0]))
        return step(*arrays)

    fast.plan._step = meanwhile
    fast(np.zeros(2))
    fast.plan._step = step
    np.testing.assert_array_equal(fast(np.zeros(2)), [10, 12])


def test_plans_of_one_function_are_one_program():
    from symgrad import optim

    def compiled():
        model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(27, 4))
        model.initialize(seed=0)
        optimizer = optim.Adam(model.parameters())

        def step(x, y):
            optimizer.zero_grad()
            loss = sg.losses.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        fast = sg.compile(step, fast=True)
        losses = [float(fast(normal(20, 1, 8, 8), np.arange(20) % 4)) for _ in range(3)]
        return fast.plan.source, losses

    first, *others = [compiled() for _ in range(8)]
    assert all(other == first for other in others)  # addresses of arrays differ, and must not count


def test_products_merge_with_sums_and_differences():
    x, y = normal(40, 30), normal(30)

    def f(x, y):
        a = x * y + x
        b = x - sg.square(x + 1)
        c = (x * 2) * (y * 3) - y
        d = x * y + x * x
        return a * 2, b * 2, c * 2, d + d, (x * y).sum(axis=0), sg.square(x - y).mean(axis=1), sg.square(x).sum() + 1

    fused(f, x, y)
    fused(f, np.asfortranarray(x) @ np.ones((30, 30)), y)


def test_who_reads_what_was_joined_waits_for_its_parts():
    def f(x):
        y = sg.concatenate([x[:, :1], x[:, :-1] * x[:, 1:] + 1], axis=1)
        return sg.concatenate([y[:, :2], y[:, :-2] * y[:, 2:] + 1], axis=1)

    fused(f, normal(3, 6))
    fused(sg.grad(lambda x: (f(x) ** 2).sum()), normal(3, 6))


@pytest.mark.parametrize("other", [np.float32, np.int64, np.int32])
def test_numbers_of_two_kinds_are_compared(other):
    fused(lambda x, y: sg.where(sg.square(x) > y, sg.square(x) + 1, -x), normal(40, 40), np.ones((40, 40), other))
    fused(lambda x, y: sg.where(sg.equal(sg.relu(x), y), x * 2, -x), normal(4, 4), np.ones((4, 4), other))


@pytest.mark.parametrize("shape", [(3, 4, 5), (4, 4, 4), (1, 4, 4), (4, 4, 1)])
@pytest.mark.parametrize("reduce", [sg.sum, sg.mean, sg.max])
def test_what_reductions_keep_stays_in_order(shape, reduce):
    for axis in ((), 0, 1, 2, (0, 1), (0, 2), (1, 2), None):
        for keepdims in (False, True):

            def f(x, axis=axis, keepdims=keepdims):
                y = sg.cumsum(sg.exp(x), axis=0)  # lies in memory row by row, and is seen in reverse
                return reduce(y.T, axis=axis, keepdims=keepdims) * 2, reduce(y, axis=axis, keepdims=keepdims) * 2

            fused(f, normal(*shape))


def test_programs_read_no_more_than_is_there():
    """A function that returns another type later, and a leaf that was given another shape behind symgrad's back."""
    narrow = []
    double = sg.op("double", lambda x: (x * 2.0).astype(np.float32 if narrow else np.float64),
                   pullback=(lambda g, y, x: g * 2,))  # fmt: skip
    x, compiled = normal(60, 50), sg.compile(lambda x: sg.exp(double(x)) + x, fast=True)
    compiled(x)
    narrow.append(True)
    np.testing.assert_allclose(compiled(x), np.exp(2 * x) + x, rtol=1e-5, atol=1e-6)
    leaf = sg.tensor(normal(5000), name="w")
    compiled = sg.compile(lambda x: sg.exp(x) + leaf * x, fast=True)
    compiled(normal(5000))
    leaf.value = np.ones(10)
    with pytest.raises(GraphError, match=r"w is float64\(10,\), and was float64\(5000,\)"):
        compiled(normal(5000))


def test_the_sign_of_minus_zero_is_plus_zero():
    signs = sg.compile(lambda x: sg.sign(x) * 2 + x * 0, fast=True)(np.full(64, -0.0))
    assert not np.signbit(signs[0] + 0.0)
    assert not np.signbit(sg.compile(lambda x: sg.maximum(sg.sign(x), -1.0), fast=True)(np.full(64, -0.0))[0])


def test_addresses_of_arrays_are_written_however_they_come():
    from symgrad.plan.loops import address
    from symgrad.plan.pointing import Pointer

    program = np.zeros((2, 3), np.int64)
    places = [np.array([[0, 1, 0], [1, 2, 8]]), np.array([[1, 0, 0]])]
    pointer = Pointer(program, [("x", (2, 3), np.dtype(np.float64)), ("n", (), np.dtype(np.int64))], places)
    x, n = normal(2, 3), np.array(3)
    others = np.array(x, np.float32), np.array(x, order="F"), np.array([x, x], order="F")[1], x.view(np.matrix)
    for a, b in ((x, n), *((other, n) for other in others), (x, np.int64(3)), (x, n.astype(np.int32))):
        kept = pointer(a, b)
        np.testing.assert_allclose(kept[0], x, rtol=1e-6)
        assert (kept[1], kept[0].dtype, kept[1].dtype) == (3, np.float64, np.int64)
        assert program.tolist() == [[0, address(kept[0]), 0], [address(kept[1]), 0, address(kept[0]) + 8]]
    assert pointer(x, n)[0] is x
    for a, b in ((x[:1], n), (x.ravel(), n), (x, np.array([3])), (x, np.array(3.5))):
        with pytest.raises(GraphError, match="was traced"):
            pointer(a, b)


def test_profiles_tell_what_the_nodes_of_a_program_take():
    def f(x, y):
        s = sg.tanh(sg.exp(x))
        return (s * y).sum(axis=0), x @ s, y + 1.0

    x, y = normal(300, 300), normal(300, 300)
    plan = sg.compile(f, fast=True)
    expected = plan(x, y)
    lines = plan.plan.profile(x, y, repeats=3)
    assert {"exp1", "tanh1", "matmul1", "add1"} <= {line.text.removeprefix("# ").split(" = ")[0] for line in lines}
    assert all(line.seconds >= 0 for line in lines)
    for a, b in zip(plan(x, y), expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_parts_of_a_program_end_later_and_later():
    from symgrad.plan.measuring import parts

    plan = sg.compile(lambda x, y: ((x - x.mean(axis=0)).sum(axis=0), x @ y, sg.exp(y)), fast=True)
    plan(normal(30, 40), normal(40, 30))
    for program, names in [(plan.plan.namespace["program"], *plan.plan.programs.values())]:
        found = list(parts(program))
        assert len(names) == len(program)
        assert [row for _, row in found] == sorted({row for _, row in found})
        assert found[0][1] == -1
        assert found[-1][1] == len(program) - 1
