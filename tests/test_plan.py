"""The compiled plan: the same values as the graph, never stale, atomic."""

import itertools
import logging
import re
import sys
import threading

import numpy as np
import pytest

import symgrad as sg

RNG = np.random.default_rng(0)
X = np.array([1.0, 2.0, 3.0])


def parameters(dtype=np.float64, sizes=(4, 5, 3)):
    rng = np.random.default_rng(1)
    made = []
    for k, (a, b) in enumerate(itertools.pairwise(sizes)):
        made += [sg.tensor(rng.standard_normal((a, b)).astype(dtype), name=f"W{k}", requires_grad=True),
                 sg.tensor(rng.standard_normal(b).astype(dtype), name=f"b{k}", requires_grad=True)]  # fmt: skip
    return made


def training_step(leaves, loss=sg.losses.mse, activation=sg.tanh):
    """Momentum on a perceptron, written as an ordinary function."""
    size = sum(p.size for p in leaves)
    velocity = sg.tensor(np.zeros(size, leaves[0].dtype), name="velocity")
    lr = sg.tensor(np.asarray(0.05, leaves[0].dtype), name="lr")

    def step(x, y):
        for p in leaves:
            p.grad = None
        h = x
        for w, b in zip(leaves[::2], leaves[1::2], strict=True):
            h = activation(h @ w + b) if w is not leaves[-2] else h @ w + b
        value = loss(h, y)
        value.backward()
        theta = sg.concatenate([p.ravel() for p in leaves])
        gradient = sg.concatenate(
            [np.ravel(p.grad) if isinstance(p.grad, np.ndarray) else p.grad.ravel() for p in leaves]
        )
        v = 0.9 * velocity + gradient
        new = theta - lr * v
        velocity.assign(v)
        start = 0
        for p in leaves:
            p.assign(new[start : start + p.size].reshape(p.shape))
            start += p.size
        return value

    return step, lr


def batch(dtype=np.float64, n=6):
    return RNG.standard_normal((n, 4)).astype(dtype), RNG.standard_normal((n, 3)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("activation", [sg.tanh, sg.relu, sg.sigmoid, lambda h: sg.batch_norm(h, 1.5, 0.1)])
def test_compiled_training_is_eager_training(dtype, activation):
    eager, compiled = parameters(dtype), parameters(dtype)
    step = training_step(eager, activation=activation)[0]
    fast = sg.compile(training_step(compiled, activation=activation)[0])
    for _ in range(10):
        x, y = batch(dtype)
        a, b = step(x, y), fast(x, y)
        assert b.dtype == dtype
        np.testing.assert_allclose(b, a.numpy(), rtol=1e-5 if dtype == np.float32 else 1e-11)
    for p, q in zip(eager, compiled, strict=True):
        np.testing.assert_allclose(q.numpy(), p.numpy(), rtol=1e-4 if dtype == np.float32 else 1e-11, atol=1e-6)


def test_cross_entropy_with_labels_compiles():
    eager, compiled = parameters(), parameters()
    step = training_step(eager, loss=sg.losses.cross_entropy)[0]
    fast = sg.compile(training_step(compiled, loss=sg.losses.cross_entropy)[0])
    for _ in range(5):
        x, _ = batch()
        labels = RNG.integers(0, 3, len(x))
        np.testing.assert_allclose(fast(x, labels), step(x, labels).numpy(), rtol=1e-12)


def test_parameters_and_gradients_are_placed_in_one_buffer():
    fast = sg.compile(training_step(parameters())[0], fast=False)
    fast(*batch())
    assert "joined" in fast.plan.source
    assert fast.plan.source.count("copyto") == fast.plan.source.count("copyto(x_and_1_part, x)") == 1
    assert fast.plan.source.count("\n") == fast.plan.calls + 2


def test_changed_hyperparameters_and_leaves_take_effect():
    eager, compiled = parameters(), parameters()
    step, lr = training_step(eager)
    fast_step, fast_lr = training_step(compiled)
    fast = sg.compile(fast_step)
    x, y = batch()
    step(x, y), fast(x, y)
    for a in (lr, fast_lr):
        a.assign(0.5)
    for leaves in (eager, compiled):
        leaves[0].assign(leaves[0].numpy() * 2)
    for _ in range(2):
        np.testing.assert_allclose(fast(x, y), step(x, y).numpy(), rtol=1e-12)
    np.testing.assert_allclose(compiled[0].numpy(), eager[0].numpy(), rtol=1e-12)


def test_returned_and_published_arrays_are_snapshots():
    leaves = parameters()
    fast = sg.compile(training_step(leaves)[0])
    x, y = batch()
    first = fast(x, y)
    weights = leaves[0].numpy()
    kept, copy = weights.copy(), first.copy()
    fast(x, y)
    assert np.array_equal(weights, kept)
    assert first == copy
    assert not np.array_equal(leaves[0].numpy(), kept)
    assert not leaves[0].numpy().flags.writeable


def test_hold_publishes_at_the_end():
    leaves = parameters()
    fast = sg.compile(training_step(leaves)[0])
    x, y = batch()
    fast(x, y)
    before = leaves[0].numpy().copy()
    with fast.hold():
        fast(x, y)
        assert np.array_equal(leaves[0].numpy(), before)
    assert not np.array_equal(leaves[0].numpy(), before)


def test_plans_for_two_shapes_hand_over_what_they_hold():
    eager, compiled = parameters(), parameters()
    step = training_step(eager)[0]
    fast = sg.compile(training_step(compiled)[0])
    with fast.hold():
        for n in (6, 6, 4, 6, 4, 4, 6):
            x, y = batch(n=n)
            np.testing.assert_allclose(fast(x, y), step(x, y).numpy(), rtol=1e-11)
    for p, q in zip(eager, compiled, strict=True):
        np.testing.assert_allclose(q.numpy(), p.numpy(), rtol=1e-11)


def test_a_graph_recorded_before_a_compiled_step_is_stale():
    leaves = parameters()
    fast = sg.compile(training_step(leaves)[0])
    loss = (leaves[0] * leaves[0]).sum()
    fast(*batch())
    with pytest.raises(sg.StaleGraphError, match="W0"):
        loss.backward()


def test_an_error_inside_a_step_keeps_the_last_published_values():
    leaves = parameters()
    fast = sg.compile(training_step(leaves)[0])
    x, y = batch()
    fast(x, y)
    before = [p.numpy().copy() for p in leaves]
    healthy = fast.plan._step

    def broken(*args):
        healthy(*args)
        raise KeyboardInterrupt

    fast.plan._step = broken
    with pytest.raises(KeyboardInterrupt):
        fast(x, y)
    assert all(np.array_equal(p.numpy(), b) for p, b in zip(leaves, before, strict=True))
    fast.plan._step = healthy
    twin = parameters()
    again = sg.compile(training_step(twin)[0])
    again(x, y), again(x, y), fast(x, y)
    # velocity too was restored: two healthy steps give the same weights as the twin's two
    assert all(np.array_equal(p.numpy(), q.numpy()) for p, q in zip(leaves, twin, strict=True))


def test_two_steps_in_one_trace_are_two_eager_steps():
    eager, compiled = parameters(), parameters()
    step = training_step(eager)[0]
    inner = training_step(compiled)[0]
    fast = sg.compile(lambda x, y: (inner(x, y), inner(x, y)))
    x, y = batch()
    expected = [step(x, y).numpy(), step(x, y).numpy()]
    np.testing.assert_allclose(fast(x, y), expected, rtol=1e-12)
    for p, q in zip(eager, compiled, strict=True):
        np.testing.assert_allclose(q.numpy(), p.numpy(), rtol=1e-12)


def test_new_shapes_get_new_plans():
    fast = sg.compile(lambda x: (x * x).sum())
    assert fast(np.ones(3)) == 3
    assert fast(np.ones((2, 2))) == 4
    assert fast(np.ones(3)) == 3
    assert fast.report().startswith("2 plan(s), 0 eager call(s)")


def test_what_cannot_be_traced_runs_eagerly_and_says_so_once(caplog):
    fast = sg.compile(lambda x: x[np.asarray(sg.tensor(x) > 0)].sum() if float(x[0]) > 0 else x.sum())
    with caplog.at_level(logging.WARNING, "symgrad"):
        for _ in range(3):
            assert float(fast(np.array([1.0, -2.0]))) == 1
    assert len(caplog.records) == 1
    assert "cannot be traced" in caplog.text
    assert "3 eager call(s)" in fast.report()
    assert "float()" in fast.report()


def test_a_compiled_function_differentiates_like_the_function():
    fast = sg.compile(lambda x: sg.sin(x) * x)
    assert fast(np.array(2.0)) == pytest.approx(2 * np.sin(2))
    assert sg.grad(sg.grad(fast))(2.0) == pytest.approx(2 * np.cos(2) - 2 * np.sin(2))


def test_tensors_in_tensors_out():
    fast = sg.compile(lambda t: {"a": t["x"] + 1, "b": [t["y"]]})
    out = fast({"x": sg.tensor([1.0]), "y": 2.0})
    assert isinstance(out["a"], sg.Tensor)
    assert out["b"][0].item() == 2


def test_random_draws_follow_the_run():
    fast = sg.compile(lambda x: x * sg.random_uniform("layer", x.shape))
    with sg.run(seed=3, step=1):
        a = fast(np.ones(4))
    with sg.run(seed=3, step=2):
        b = fast(np.ones(4))
    with sg.run(seed=3, step=1):
        c = fast(np.ones(4))
        eager = sg.random_uniform("layer", (4,)).numpy()
    assert np.array_equal(a, c)
    assert not np.array_equal(a, b)
    assert not np.array_equal(a, eager)  # the second draw of the same step


def test_the_source_shows_the_authors_names():
    fast = sg.compile(lambda z: sg.batch_norm(z, 2.0, 1.0), fast=False)
    fast(np.arange(6.0).reshape(3, 2))
    for name in ("mu", "sigma2", "z_hat"):
        assert f", {name})" in fast.plan.source


def test_transforms_keep_the_names_of_the_function():
    def energy(height, mass=2.0):
        return (mass * height**2).sum()

    for transform in (sg.grad, sg.value_and_grad, sg.jacobian, sg.hessian):
        fast = sg.compile(transform(energy))
        fast(np.ones(3))
        assert fast.plan.source.startswith("def energy(height):\n")
    assert sg.grad(sg.grad(sg.sin))(0.0) == 0  # an op has no signature to keep


def test_the_source_of_a_training_step_has_readable_names():
    class Net(sg.nn.Module):
        def __init__(self):
            self.blocks = [sg.nn.Sequential(sg.nn.Linear(3, 4), sg.nn.BatchNorm1d(4)) for _ in range(2)]
            self.head = sg.nn.Linear(4, 2)

        def forward(self, x):
            return self.head(self.blocks[0](x) + self.blocks[1](x))

    net = Net()
    trainer = sg.Trainer(net, loss=sg.losses.mse, optimizer=sg.optim.Adam)
    trainer.fit((RNG.standard_normal((8, 3)), RNG.standard_normal((8, 2))))
    source = trainer.plan.source
    for name in ("blocks_Sequential0_Linear0_weight", "blocks_Sequential1_BatchNorm1d1_running_var", "head_weight_bias",
                 "m", "v", "t", "lr", "beta1"):  # fmt: skip
        assert re.search(rf"\b{name}(_T)?\b", source), name
    assert "blocks.1.1.running_var" in net.state_dict()
    assert "leaf_" not in re.sub(r"leaf_\w+\.value", "", source)
    assert list(trainer.optimizer.state) == [leaf.name for leaf in trainer.optimizer.state.values()] == ["m", "v", "t"]


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (lambda x: sg.where(x > 0, sg.log(x), 0.0), np.array([-1.0, 0.0, 2.0, np.nan, np.inf])),
        (lambda x: sg.where(x > 0, x * 2, 0.0), X.astype(">f8") - 2),
        (lambda x: x * 1.0, np.array([1, 2])),
        (lambda x: x / 1, np.array([1, 2])),
        (lambda x: (x > 1) * 1, X),
        (lambda x: (x > 1) + 0, X),
        (lambda x: (x * 2**62) * 4, np.array([1, 2])),
        (lambda x: (x * 100) * 0.5, np.array([1, 2], np.int8)),
        (lambda x: (x * 1e200) * 1e200, np.array([1e-300])),
        (sg.grad(lambda x: sg.where(x != 0, sg.sin(x) / x, 1.0).sum()), np.array([0.0, 1.0])),
        (sg.grad(lambda x: sg.where(x > 0, 1 / (x * x) + 3, 0.0).sum()), np.array([0.0, 1.0])),
        (sg.grad(lambda x: sg.where(x > 0, x ** sg.log(x), 0.0).sum()), np.array([0.0, 2.0])),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_plans_keep_dtypes_and_special_values(f, x):
    expected = f(sg.tensor(x)).numpy()
    found = sg.compile(f)(x)
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    assert found.dtype == expected.dtype


def test_ops_of_the_user_are_never_taken_for_built_in_ones():
    def product(g, y, a, b):
        return g * b

    times = sg.op("add", lambda a, b: a * b, pullback=(product, None), indices="elementwise")
    highest = sg.op("sum", lambda x, axis, keepdims: np.max(x), params=("axis", "keepdims"), pullback=(None,),
                    shape=lambda own, axis, keepdims: ())  # fmt: skip
    turned = sg.op("turned", lambda x: x[::-1], pullback=(lambda g, y, x: g[::-1],), indices="opaque",
                    shape=lambda own: own)  # fmt: skip

    def f(x):
        y = turned(x * 2.0)
        z = sg.exp(x) + x
        wide = times(sg.broadcast_to(x[0], (3,)), x)
        return times(x, 1.0), times(x, 0.0), highest(x * x, (0,), False), y, z * x, y + z, wide

    for a, b in zip(sg.compile(f)(X), f(sg.tensor(X)), strict=True):
        np.testing.assert_allclose(a, b.numpy(), rtol=1e-15)


def test_what_a_checkpoint_returns_is_not_overwritten():
    def f(x):
        y = sg.checkpoint(lambda h: h.T)(x * 2)
        return y + 0 * y, sg.exp(x * 3) + x

    x = np.arange(4.0).reshape(2, 2)
    np.testing.assert_array_equal(sg.compile(f)(x)[0], (2 * x).T)


def test_checkpoints_pass_static_arguments_on():
    f = sg.checkpoint(lambda x, squared: (x * x).sum() if squared else x.sum())
    np.testing.assert_array_equal(sg.grad(lambda x: f(x, True))(X), 2 * X)
    np.testing.assert_array_equal(sg.grad(lambda x: f(x, False))(X), np.ones(3))


def test_static_arguments_are_told_apart_by_place():
    fast = sg.compile(lambda a, b: (1.0 if a is True else a * 2.0) + (10.0 if b is True else b * 3.0))
    assert fast(5.0, True) == 20
    assert fast(True, 5.0) == 16


def test_gradients_reach_what_a_compiled_function_closes_over():
    w = sg.tensor(X, requires_grad=True)
    fast = sg.compile(lambda x: (x * w).sum())
    assert sg.grad(lambda a: sg.compile(lambda x: (x * a).sum())(X) * 1.0)(2.0) == 6
    (fast(sg.tensor(X)) + (w * w).sum()).backward()
    np.testing.assert_array_equal(w.grad, 3 * X)


def test_held_values_are_seen_by_whoever_runs_eagerly():
    w = sg.tensor(X)

    def step(x):
        w.assign(w * 2)
        return (x * w).sum()

    fast = sg.compile(step)
    with fast.hold():
        fast(X)
        np.testing.assert_array_equal(sg.grad(fast)(X), 4 * X)
        fast(X)
        w.assign(np.zeros(3))
    np.testing.assert_array_equal(w.numpy(), 0)


def test_an_error_while_holding_publishes_nothing_half_done():
    w = sg.tensor(np.ones((1, 3)))

    def step(x, labels):
        loss = sg.losses.cross_entropy(x * w, labels)
        w.assign(w * 2)
        return loss

    fast = sg.compile(step)
    fast(X[None], np.array([0]))
    with fast.hold():
        fast(X[None], np.array([0]))
        with pytest.raises(sg.DataError):
            fast(X[None], np.array([7]))
    np.testing.assert_array_equal(w.numpy(), 2)


def test_threads_get_their_own_results_and_lose_no_step():
    w = sg.tensor(0.0)

    def step(x):
        w.assign(w + 1.0)
        return sg.sin(x) * 2

    fast = sg.compile(step)
    wrong = []

    def work(k):
        x = np.full(2000 + k % 2, float(k))
        wrong.extend(k for _ in range(100) if not np.array_equal(fast(x), np.sin(x) * 2))

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    finally:
        sys.setswitchinterval(before)
    assert not wrong
    assert w.item() == 400


def test_draws_that_nobody_reads_count():
    def f(x):
        sg.random_uniform("p", (3,))
        return x * sg.random_uniform("p", (3,))

    with sg.run(seed=0):
        expected = f(sg.tensor(X)).numpy()
    with sg.run(seed=0):
        np.testing.assert_array_equal(sg.compile(f)(X), expected)


def test_assigning_in_a_trace_is_as_strict_as_eagerly():
    count = sg.tensor([1, 2, 3])
    with pytest.raises(sg.DTypeError, match="convert it first"):
        sg.trace(lambda x: count.assign(x * 1.5), sg.spec(3))
    with pytest.raises(sg.TracingError, match="argument of the traced function"):
        sg.trace(lambda x: x.assign(x * 2), sg.spec(3))


def test_arrays_come_out_where_the_function_runs_eagerly():
    w = sg.tensor(2.0, requires_grad=True)
    fast = sg.compile(lambda x: (x * w).sum() if float(sg.sum(x * w)) > 0 else 0 * w)
    assert isinstance(fast(np.ones(3)), np.ndarray)
    assert isinstance(fast(sg.tensor(np.ones(3))), sg.Tensor)


def test_anomalies_are_found_in_compiled_functions():
    fast = sg.compile(lambda x: sg.log(x).sum())
    x = np.array([1.0, 0.0])
    with np.errstate(divide="ignore"):
        assert fast(x) == -np.inf
        with sg.detect_anomaly(), pytest.raises(sg.AnomalyError, match="log: produced -inf"):
            fast(x)


def test_the_sign_of_zero_is_kept():
    fast = sg.compile(lambda x: (1 / (x + 0.0), 1 / (x - 0.0), 1 / (x * 1.0)))
    with np.errstate(divide="ignore"):
        plus, minus, times = fast(np.array(-0.0))
    assert (plus, minus, times) == (np.inf, -np.inf, -np.inf)


def test_a_leaf_may_be_called_like_the_function():
    step_leaf = sg.tensor([1.0, 2.0], name="step", requires_grad=True)

    @sg.compile
    def step(x):
        step_leaf.assign(step_leaf + x)
        return sg.sum(-step_leaf)

    assert step(np.ones(2)) == -5
    assert step(np.ones(2)) == -7


def test_python_floats_are_weak():
    x = X.astype(np.float32)
    fast = sg.compile(lambda x, rate: x * rate)
    for rate in (0.5, 0.25):
        found = fast(x, rate)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, x * np.float32(rate))
    assert fast(X, 0.5).dtype == np.float64
    assert sg.compile(lambda a: a * 2)(1.5).dtype == np.float64
    assert fast.report().startswith("2 plan(s), 0 eager call(s)")


def test_checkpoints_may_close_over_traced_values():
    def f(x):
        h = sg.exp(x)
        inner = sg.checkpoint(lambda t: sg.sin(t) * h + h)
        return inner(x * 2).sum()

    assert sg.compile(f)(X) == pytest.approx(f(sg.tensor(X)).item())
    np.testing.assert_allclose(sg.compile(sg.grad(f))(X), sg.grad(f)(X), rtol=1e-14)
    fast = sg.compile(sg.grad(f))
    fast(X)
    assert "0 eager" in fast.report()


def test_a_node_of_another_trace_is_still_refused():
    kept = []
    sg.trace(lambda x: kept.append(x * 2) or x, sg.spec(3))
    with pytest.raises(sg.GraphError, match="another trace"):
        sg.trace(lambda x: x + kept[0], sg.spec(3))


def test_plans_do_not_warn_where_the_eager_rules_do_not():
    at_zero = sg.grad(lambda x, p: (x**p).sum(), argnums=(0, 1))
    for fast in (False, True):
        compiled = sg.compile(at_zero, fast=fast)
        for a, b in zip(compiled(np.array([0.0, 2.0]), np.array([2.0, 3.0])),
                        at_zero(np.array([0.0, 2.0]), np.array([2.0, 3.0])), strict=True):  # fmt: skip
            np.testing.assert_allclose(a, b, rtol=1e-14)


def test_modes_of_modules_take_effect_in_a_plan_of_the_user():
    layer = sg.nn.Dropout(keep=0.5)
    model = sg.nn.Sequential(layer, sg.checkpoint(sg.nn.Dropout(keep=0.5)))
    fast = sg.compile(model)
    x = np.ones((4, 50))
    with sg.run(seed=0, step=1):
        assert (fast(x) == 0).any()
    model.eval()
    layer.eval()
    with sg.run(seed=0, step=1):
        assert (fast(x)[:, :5] != 0).any()
    layer.training = True
    with sg.run(seed=0, step=1):
        assert (fast(x) == 0).any()
    assert "0 eager call(s)" in fast.report()


@pytest.mark.parametrize("fast", [False, True])
def test_profiles_name_every_line_and_change_nothing(fast):
    leaves = parameters()
    step = sg.compile(training_step(leaves)[0], fast=fast)
    x, y = batch()
    step(x, y)
    before = [p.numpy().copy() for p in leaves]
    lines = step.plan.profile(x, y, repeats=3)
    source = step.plan.source.splitlines()
    assert [source[line.number - 1].strip() for line in lines] == [line.text for line in lines]
    assert all(line.seconds >= 0 for line in lines)
    assert all(np.array_equal(p.numpy(), b) for p, b in zip(leaves, before, strict=True))
    twin = parameters()
    again = sg.compile(training_step(twin)[0], fast=fast)
    again(x, y), again(x, y), step(x, y)
    assert all(np.array_equal(p.numpy(), q.numpy()) for p, q in zip(leaves, twin, strict=True))
    with pytest.raises(sg.GraphError, match="takes 2"):
        step.plan.profile(x)


def test_floating_point_operations_are_counted():
    a, b = np.ones((3, 4)), np.ones((4, 5))
    fast = sg.compile(lambda a, b: sg.exp(a @ b).sum(axis=0), fast=False)
    fast(a, b)
    assert fast.plan.flops == 2 * 3 * 4 * 5 + 15 + 15
    assert "flops" in fast.report()


def test_the_extra_can_be_turned_off_and_is_asked_for_by_name(monkeypatch, caplog):
    from symgrad.plan import compiled, fusing

    def f(x):
        return sg.exp(x * 2 + 1) * (x - x.mean(axis=0)) + 1

    x = RNG.standard_normal((5, 3))
    plain, fused = sg.compile(f, fast=False), sg.compile(f, fast=None)
    np.testing.assert_allclose(plain(x), fused(x), rtol=1e-14)
    assert "fused(" not in plain.plan.source
    assert ("fused(" in fused.plan.source) == fusing.available()
    monkeypatch.setattr(compiled, "available", lambda: False)
    with pytest.raises(sg.SymgradError, match=r"symgrad\[fast\]"):
        sg.compile(f, fast=True)
    alone = sg.compile(f)
    np.testing.assert_array_equal(alone(x), plain(x))
    assert "fused(" not in alone.plan.source


def test_an_extra_that_does_not_work_is_done_without_and_says_so(monkeypatch, caplog):
    from symgrad.plan import fusing

    def broken(name):
        raise ImportError("numba needs another NumPy")

    monkeypatch.setattr(fusing.importlib, "import_module", broken)
    monkeypatch.setattr(fusing.importlib.util, "find_spec", lambda name: object())
    with caplog.at_level(logging.WARNING, "symgrad"):
        assert fusing.available.__wrapped__() is False
    assert "needs another NumPy" in caplog.text


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_chains_take_arguments_that_are_large_small_or_not_contiguous(fast, dtype):
    pytest.importorskip("numba")

    def f(x, y, s):
        centred = x - x.mean(axis=0)
        return sg.where(centred > y, centred * s, -y) / (1.0 + sg.abs(x)), (centred * y).sum(axis=1), sg.max(x, axis=1)

    run = sg.compile(f, fast=fast)
    for shape in ((3, 2), (70, 40), (40, 70), (1, 5)):
        x, y = RNG.standard_normal((2, *shape)).astype(dtype)
        turned = np.asfortranarray(x)
        for given in (x, turned, np.repeat(x, 2, axis=0)[::2]):
            expected = [t.numpy() for t in f(sg.tensor(given), sg.tensor(y), sg.tensor(dtype(0.5)))]
            for a, b in zip(run(given, y, dtype(0.5)), expected, strict=True):
                np.testing.assert_allclose(
                    a, b, rtol=1e-5 if dtype is np.float32 else 1e-13, atol=200 * np.finfo(dtype).eps
                )


@sg.compile
def doubled(x):
    return sg.exp(x) * 2


def test_compiled_functions_are_copied_and_pickled():
    import copy
    import pickle

    x = np.ones(3)
    for again in (pickle.loads(pickle.dumps(doubled)), copy.deepcopy(doubled), copy.copy(doubled)):
        assert again is doubled
    inner = sg.compile(_tripled, fast=False)
    inner(x)
    for again in (pickle.loads(pickle.dumps(inner)), copy.deepcopy(inner)):
        assert again is not inner
        assert again.fast is False
        np.testing.assert_array_equal(again(x), inner(x))


def _tripled(x):
    return sg.exp(x) * 3


def test_plans_call_numpy_without_its_search_for_other_arrays():
    f = sg.compile(lambda x: (x @ x.T).sum(axis=0), fast=False)
    f(np.eye(3, 4))
    assert "dot(" in f.plan.source
    assert f.plan.namespace["dot"] is getattr(np.dot, "_implementation", np.dot)
    assert f.plan.namespace["multiply"] is np.multiply
