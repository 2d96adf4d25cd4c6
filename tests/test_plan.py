"""The compiled plan: the same values as the graph, never stale, atomic."""

import itertools
import logging
import re

import numpy as np
import pytest

import symgrad as sg
from symgrad.passes import eliminate_common, eliminate_dead, erase_identities
from symgrad.plan import rewriting

RNG = np.random.default_rng(0)


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
    fast = sg.compile(training_step(parameters())[0])
    fast(*batch())
    assert "concatenate" in fast.plan.source
    assert "copyto" not in fast.plan.source
    assert fast.plan.source.count("\n") == fast.plan.calls + 3 + fast.plan.source.count(".T\n") - 1


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
    assert fast.report() == "2 plan(s), 0 eager call(s)"


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


PASSES = [
    erase_identities,
    eliminate_common,
    eliminate_dead,
    rewriting.fold_constants,
    rewriting.remove_neutral,
    rewriting.sharpen,
    rewriting.drop_expansions,
    rewriting.collect_factors,
    rewriting.contract,
    rewriting.optimize,
]


def examples():
    def bn(z, g):
        y, pull = sg.vjp(lambda t: sg.batch_norm(t, 1.5, 0.2), z)
        return y, *pull(g)

    def softmax(z, g):
        y, pull = sg.vjp(lambda t: sg.softmax(t, -1), z)
        return y, *pull(g)

    def factors(z, g):
        w = 3.0 * (2.0 * z) + (z + z) * 1.0 - sg.negative(-g) / 1.0 + 0.0
        return w, sg.broadcast_to(sg.mean(w), w.shape) * g, (2.0 * sg.mean(z)) * (g * 3.0)

    def singular(z, g):
        y, pull = sg.vjp(lambda t: sg.where(t > 0, sg.exp(t) / sg.sqrt(sg.abs(t) + 1.0), t**2), z)
        return y, *pull(g)

    return [bn, softmax, factors, singular]


@pytest.mark.parametrize("transform", PASSES, ids=lambda p: p.__name__)
@pytest.mark.parametrize("f", examples(), ids=lambda f: f.__name__)
def test_passes_keep_values(transform, f):
    z, g = RNG.standard_normal((5, 3)), RNG.standard_normal((5, 3))
    graph = sg.trace(f, z, g)
    new = transform(graph)
    new.validate()
    for a, b in zip(graph(z, g), new(z, g), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-13, atol=1e-14)


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


def test_the_source_shows_the_authors_names():
    fast = sg.compile(lambda z: sg.batch_norm(z, 2.0, 1.0))
    fast(np.arange(6.0).reshape(3, 2))
    for name in ("mu", "sigma2", "u", "z_hat"):
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
    for name in ("blocks_Sequential0_Linear0_weight", "blocks_Sequential1_BatchNorm1d1_running_var", "head_bias",
                 "m", "v", "t", "lr", "beta1"):  # fmt: skip
        assert re.search(rf"\b{name}\b", source), name
    assert "blocks.1.1.running_var" in net.state_dict()
    assert "leaf_" not in re.sub(r"leaf_\w+\.value", "", source)
    assert list(trainer.optimizer.state) == [leaf.name for leaf in trainer.optimizer.state.values()] == ["m", "v", "t"]
