"""The node: what it holds, what may change, and what NumPy and Python see of it."""

import copy
import math
import pickle
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import symgrad as sg
from symgrad.errors import (
    DTypeError,
    GradientError,
    OpError,
    ShapeError,
    StaleGraphError,
    TracingError,
    UnsupportedError,
)
from symgrad.op import OPS
from symgrad.tensor import reachable


def leaf(data, **options):
    return sg.tensor(data, requires_grad=True, **options)


# --- the node


def test_the_fields_of_a_node():
    x, y = leaf([1.0, 2.0], name="x"), leaf([3.0, 4.0])
    z = sg.multiply(x, y)
    assert z.op is OPS["multiply"]
    assert all(a is b for a, b in zip(z.inputs, (x, y), strict=True))
    assert z.params == ()
    assert (z.shape, z.dtype, z.ndim, z.size, len(z)) == ((2,), np.float64, 1, 2, 2)
    assert x.serial < y.serial < z.serial
    assert x.is_leaf
    assert not z.is_leaf
    assert (x.name, y.name, z.scope) == ("x", None, ())
    assert x.op is None
    assert x.inputs == ()
    assert z.requires_grad
    assert sg.sum(x, axis=0).params == ((0,), False)
    assert not hasattr(z, "__dict__")


def test_repeated_inputs_are_kept():
    x = leaf(3.0)
    y = x * x
    assert len(y.inputs) == 2
    assert all(i is x for i in y.inputs)
    y.backward()
    assert x.grad == 6.0
    z = sg.concatenate([leaf([1.0])] * 3)
    assert len(z.inputs) == 3


def test_nodes_without_gradients_hold_no_graph():
    x = sg.tensor([1.0, 2.0])
    for y in (sg.exp(x) * 2, x * x, x @ x, x[0], -x, x.sum()):
        assert y.op is None
        assert y.inputs == ()
    assert (leaf([1.0]) > 0).op is None
    assert sg.argmax(leaf([1.0, 2.0])).op is None
    assert leaf([1.5]).astype(np.int64).op is None


def test_graphs_are_freed_at_once():
    import weakref

    class Owner(np.ndarray):
        """An array that a weak reference can watch."""

    watch = np.zeros(3).view(Owner)
    seen = weakref.ref(watch)
    keep = sg.op("keep", lambda x, w=watch: np.asarray(x), pullback=(lambda g, y, x: g,))
    x = leaf([1.0, 2.0, 3.0])
    y = keep(x) * 2
    node = y.inputs[0]
    assert node.op is keep
    del keep, watch, y, node
    assert seen() is None  # no cycle: reference counting alone was enough


def test_serial_order_is_a_topological_order():
    x = leaf([1.0, 2.0])
    y = sg.exp(x) + sg.sin(x) * x
    order = reachable([y])
    place = {n.serial: k for k, n in enumerate(order)}
    assert order[-1] is y
    assert all(place[i.serial] < place[n.serial] for n in order for i in n.inputs)


def test_names():
    x = leaf([1.0, 3.0])
    mu = sg.named(x.mean(), "mu", latex=r"\mu")
    assert (mu.name, mu.latex, mu.op.name) == ("mu", r"\mu", "named")
    again = sg.named(mu, "m")
    assert (mu.name, again.name) == ("mu", "m")
    array = np.ones(2)
    assert sg.named(array, "a") is array
    named_leaf = sg.named(x, "x")
    assert named_leaf is not x
    assert x.name is None


# --- aliasing: nobody can change what was recorded


def test_source_arrays_are_copied():
    source = np.array([1.0, 2.0])
    x = leaf(source)
    y = (x * source).sum()
    source[:] = 100.0
    np.testing.assert_array_equal(x.numpy(), [1.0, 2.0])
    y.backward()
    np.testing.assert_array_equal(x.grad, [1.0, 2.0])


def test_assigned_arrays_are_copied():
    x, source = leaf([1.0]), np.array([2.0])
    x.assign(source)
    source[:] = 9.0
    assert x.item() == 2.0


@pytest.mark.parametrize("make", [lambda x: x, lambda x: x * 2, lambda x: x[1:], lambda x: x.T, lambda x: x.detach()])
def test_arrays_handed_out_are_read_only(make):
    x = make(leaf([[1.0, 2.0], [3.0, 4.0]]))
    for array in (x.numpy(), np.asarray(x)):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    copied = np.array(x)
    copied[...] = 0  # a copy is the caller's own
    assert np.all(x.numpy() != 0)


def test_gradients_are_the_callers_own():
    x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    (x + y).sum().backward()
    x.grad[:] = 7.0
    np.testing.assert_array_equal(y.grad, [1.0, 1.0])
    value, gradient = sg.value_and_grad(lambda a: a * 1.0)(3.0)
    value[...] = 0
    gradient[...] = 0
    assert sg.grad(lambda a: a * 1.0)(3.0) == 1.0


def test_assign_changes_the_leaf_alone():
    x = leaf([1.0, 2.0])
    y = x * 3
    before, serial = x.numpy(), x.serial
    x.assign([5.0, 6.0])
    assert not x.value.flags.writeable
    assert not leaf([1.0]).value.flags.writeable
    np.testing.assert_array_equal(before, [1.0, 2.0])
    np.testing.assert_array_equal(y.numpy(), [3.0, 6.0])
    np.testing.assert_array_equal(x.numpy(), [5.0, 6.0])
    assert x.serial > serial
    with pytest.raises(ValueError, match="read-only"):
        x.numpy()[0] = 1


def test_an_old_graph_is_stale():
    w, x = leaf([2.0], name="weight"), leaf([3.0], name="input")
    y = sg.sin(w * x).sum()
    w.assign([5.0])
    with pytest.raises(StaleGraphError, match=r"weight.*<multiply>"):
        y.backward()
    assert x.grad is None
    with pytest.raises(StaleGraphError, match="weight"):
        pickle.dumps(y)
    (w * x).sum().backward()  # a new graph is fine
    assert w.grad == 3.0


def test_a_leaf_assigned_inside_of_a_differentiated_function_is_stale():
    w = leaf(2.0, name="w")

    def f(x):
        y = x * w
        w.assign(7.0)
        return y

    with pytest.raises(StaleGraphError, match="leaf w"):
        sg.grad(f)(3.0)


def test_assign_casts_only_where_no_kind_is_lost():
    narrow = sg.tensor(np.float32([1.0]))
    narrow.assign(np.float64([2.5]))
    assert (narrow.dtype, narrow.item()) == (np.float32, 2.5)
    with pytest.raises(DTypeError, match="assign"):
        sg.tensor([1]).assign([1.5])
    with pytest.raises(ShapeError, match=r"assign.*\(3,\)"):
        narrow.assign([1.0, 2.0, 3.0])
    with pytest.raises(GradientError, match="computed, not a leaf"):
        (leaf([1.0]) * 2).assign([1.0])
    x = leaf([1.0])
    x.assign(sg.tensor([4.0]) * 2)
    assert x.item() == 8.0


# --- Python sees numbers where there is one


def test_conversions():
    x = sg.tensor(2.5)
    assert (float(x), int(x), bool(x), x.item(), f"{x:.1f}") == (2.5, 2, True, 2.5, "2.5")
    assert [10, 20, 30][sg.tensor(1)] == 20
    assert sg.tensor([[1.0], [2.0]]).tolist() == [[1.0], [2.0]]
    assert [float(v) for v in sg.tensor([1.0, 2.0])] == [1.0, 2.0]
    assert math.sqrt(sg.tensor(4.0)) == 2.0
    with pytest.raises(ShapeError, match="ambiguous"):
        bool(sg.tensor([1.0, 2.0]))
    with pytest.raises(ShapeError, match="exactly 1"):
        sg.tensor([1.0, 2.0]).item()
    with pytest.raises(DTypeError, match="not an integer"):
        [0][sg.tensor(0.0)]
    for make in (len, list):
        with pytest.raises(ShapeError, match="no axes"):
            make(sg.tensor(1.0))


def test_equality_is_elementwise_and_hash_is_identity():
    x, y = leaf([1.0, 2.0]), leaf([1.0, 3.0])
    np.testing.assert_array_equal((x == y).numpy(), [True, False])
    np.testing.assert_array_equal((x != y).numpy(), [False, True])
    assert len({x, y, x}) == 2
    assert {x: 1}[x] == 1


def test_repr():
    assert repr(leaf([[1.0, 2.0]], name="x")) == "Tensor([[1., 2.]], name='x', requires_grad=True)"
    assert "op=exp" in repr(sg.exp(leaf(1.0)))
    graph = sg.trace(lambda a: a * 2, sg.spec("B", 3))
    assert "B, 3" in repr(graph.outputs[0])


# --- NumPy


X = np.array([[0.5, 1.5], [2.5, 0.7]])
NUMPY = {
    "exp": lambda x: np.exp(x),
    "add": lambda x: np.add(X, x),
    "absolute": lambda x: np.absolute(x),
    "abs": abs,
    "array left": lambda x: X * x,
    "array right": lambda x: x / X,
    "scalar left": lambda x: np.float64(2.0) - x,
    "python": lambda x: 1 - 2 * x / 3 + x**2 - 2**x + x // 2 + x % 2 + 5 % x + 5 // x,
    "compare": lambda x: (x < X) | (x <= 1),
    "and": lambda x: (x > 0.6) & (x < 2),
    "not": lambda x: ~(x > 1),
    "equal": lambda x: np.equal(x, 0.5),
    "matmul": lambda x: X @ x,
    "rmatmul": lambda x: x @ X,
    "np.matmul": lambda x: np.matmul(x, x),
    "sum": lambda x: np.sum(x, axis=0),
    "mean": lambda x: np.mean(x, axis=-1, keepdims=True),
    "max": lambda x: np.max(x),
    "amin": lambda x: np.amin(x, 0),
    "std": lambda x: np.std(x, axis=0, ddof=1),
    "var": lambda x: np.var(x),
    "prod": lambda x: np.prod(x),
    "argmax": lambda x: np.argmax(x, axis=1),
    "where": lambda x: np.where(x > 1, x, 0.0),
    "clip": lambda x: np.clip(x, 0.6, 2.0),
    "maximum": lambda x: np.maximum(x, 1.0),
    "reshape": lambda x: np.reshape(x, (4,)),
    "ravel": lambda x: np.ravel(x),
    "transpose": lambda x: np.transpose(x),
    "swapaxes": lambda x: np.swapaxes(x, 0, 1),
    "concatenate": lambda x: np.concatenate([x, X]),
    "stack": lambda x: np.stack([X, x], axis=1),
    "expand_dims": lambda x: np.expand_dims(x, 0),
    "squeeze": lambda x: np.squeeze(x[None]),
    "broadcast_to": lambda x: np.broadcast_to(x, (3, 2, 2)),
    "einsum": lambda x: np.einsum("ij,jk->ik", x, X),
    "dot": lambda x: np.dot(X, x),
    "outer": lambda x: np.outer(x[0], x[1]),
    "norm": lambda x: np.linalg.norm(x),
    "pad": lambda x: np.pad(x, 1),
    "take": lambda x: np.take(x, [1, 0], axis=1),
    "hypot": lambda x: np.hypot(x, 1.0),
    "arctan2": lambda x: np.arctan2(x, X),
    "logaddexp": lambda x: np.logaddexp(x, X),
    "power": lambda x: np.power(x, X),
    "mod": lambda x: np.mod(x, 0.4),
    "floor_divide": lambda x: np.floor_divide(x, 0.4),
    "index": lambda x: x[0, -1],
    "mask": lambda x: x[X > 1],
    "T": lambda x: x.T,
    "methods": lambda x: x.sum(0) + x.mean(0) + x.max(0) - x.min(0) + x.var(0) + x.std(0) + x.prod(0),
    "method shapes": lambda x: x.reshape(1, 4).ravel().reshape(-1, 1).squeeze().flatten(),
    "method astype": lambda x: x.astype(np.int64),
    "method clip": lambda x: x.clip(0.6, 1.0),
}


@pytest.mark.parametrize("name", NUMPY)
def test_numpy_functions_and_operators_give_tensors(name):
    f = NUMPY[name]
    found, expected = f(leaf(X)), f(X)
    assert type(found) is sg.Tensor
    assert (found.shape, found.dtype) == (np.shape(expected), np.asarray(expected).dtype)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-13)
    assert found.requires_grad == (found.dtype == np.float64 and name != "floor_divide")


def test_shape_questions_are_answered():
    x = leaf(X)
    assert (np.shape(x), np.ndim(x), np.size(x)) == ((2, 2), 2, 4)


def test_asarray_is_explicit():
    x = leaf([1.0, 2.0])
    assert type(np.asarray(x)) is np.ndarray
    assert np.asarray(x, dtype=np.float32).dtype == np.float32
    assert not x.grad
    seen = []

    def f(a):
        for look in (np.asarray, np.array, lambda v: v.numpy(), float, bool, lambda v: v.item(), lambda v: v.tolist()):
            for t in (a, w):
                with pytest.raises(TracingError, match=r"not known while tracing.*sg\.where"):
                    look(t)
                seen.append(t)
        return a

    w = leaf(1.0)
    sg.trace(f, sg.spec())
    assert len(seen) == 14


def test_unknown_numpy_functions_are_refused():
    x = leaf([1.0, 2.0])
    for call in (lambda: np.convolve(x, x), lambda: np.spacing(x), lambda: np.add.reduce(x), lambda: np.fft.fft(x)):
        with pytest.raises(UnsupportedError, match=r"np\.\w+.*x\.numpy\(\)"):
            call()


# --- element types


DTYPES = [np.float64, np.float32, np.int64, np.int32, np.uint8, np.bool_]


@pytest.mark.parametrize("a", DTYPES)
@pytest.mark.parametrize("b", DTYPES)
@pytest.mark.parametrize("f", [sg.multiply, sg.maximum, sg.arctan2, sg.logaddexp, sg.add])
def test_integers_and_booleans_never_widen_floats(a, b, f):
    x, y = np.ones(2, a), np.ones(3, b)[:, None]
    floats = [t for t in (a, b) if np.dtype(t).kind == "f"]
    expected = np.result_type(*floats) if floats else f(x, y).dtype
    assert f(sg.tensor(x), sg.tensor(y)).dtype == expected
    assert f(sg.tensor(x), y).dtype == expected
    recorded = [sg.tensor(v, requires_grad=v.dtype.kind == "f") for v in (x, y)]
    assert f(*recorded).dtype == expected
    if f is sg.multiply:
        assert (recorded[0] * recorded[1]).dtype == expected
    specs = [sg.spec(2, dtype=a), sg.spec(3, 1, dtype=b)]
    assert sg.trace(f, *specs).outputs[0].dtype == expected


@pytest.mark.parametrize("scalar", [2, 2.0, True, np.float64(2), np.float32(2), np.int64(2), np.bool_(True)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scalars_are_weak(scalar, dtype):
    x = sg.tensor(np.ones(2, dtype), requires_grad=True)
    for y in (
        x + scalar,
        scalar + x,
        x * scalar,
        scalar / x,
        x**scalar,
        sg.where(x > 0, x, scalar),
        sg.maximum(x, scalar),
    ):
        assert y.dtype == dtype


def test_python_floats_beside_integers_are_float64():
    assert (sg.tensor([1, 2]) + 0.5).dtype == np.float64
    assert (sg.tensor([1, 2]) + 1).dtype == np.int64
    assert (sg.tensor(np.int8([1])) + 1).dtype == np.int8
    assert (sg.tensor([True]) + 1).dtype == np.int64
    assert sg.tensor(1.0).dtype == np.float64
    assert sg.tensor([1, 2], dtype=np.float32).dtype == np.float32
    assert sg.tensor(np.array([1.0], ">f8")).dtype.isnative


def test_clipping_integers_gives_integers():
    for dtype in (np.int64, np.uint8):
        x = sg.tensor(np.array([1, 5, 9], dtype))
        assert sg.clip(x, 2).dtype == dtype
        assert sg.clip(x, None, 6).tolist() == [1, 5, 6]
        assert sg.clip(x, 2, 6).tolist() == [2, 5, 6]
    assert sg.clip([-1.0, 2.0], 0.0).tolist() == [0.0, 2.0]


def test_literals_keep_their_text():
    graph = sg.trace(lambda x: x + 1e-5, sg.spec(dtype=np.float32))
    (literal,) = [n for n in graph.nodes if n.op is not None and n.op.name == "const"]
    assert literal.params == (1e-5,)
    assert literal.dtype == np.float32


@given(st.data())
def test_gradients_have_the_shape_and_type_of_their_argument(data):
    shapes = data.draw(hnp.mutually_broadcastable_shapes(num_shapes=3, min_side=0, max_dims=3, max_side=3))
    kinds = [data.draw(st.sampled_from([np.float64, np.float32])) for _ in range(3)]
    inputs = [leaf(np.full(s, 0.5, k)) for s, k in zip(shapes.input_shapes, kinds, strict=True)]
    a, b, c = inputs
    y = sg.where(a > b, a * b, sg.hypot(b, c)) + sg.logaddexp(a, c) / 2
    assert y.shape == shapes.result_shape
    assert y.dtype == np.result_type(*kinds)
    y.sum().backward()
    for x in inputs:
        assert (x.grad.shape, x.grad.dtype) == (x.shape, x.dtype)


# --- copy and pickle


def deep(n):
    x = leaf([1.0, 2.0], name="x")
    y = x
    for _ in range(n):
        y = y + x
    return x, y


@pytest.mark.parametrize("copier", [copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))], ids=["copy", "pickle"])
def test_deep_graphs_are_copied_with_shared_leaves(copier):
    x, y = deep(100_000)
    new_x, new_y = copier([x, y])
    assert new_x is not x
    assert (new_x.name, new_x.requires_grad) == ("x", True)
    new_y.sum().backward()
    np.testing.assert_array_equal(new_x.grad, [100_001.0, 100_001.0])
    assert x.grad is None
    assert reachable([new_y])[0] is new_x
    new_x.assign([5.0, 5.0])
    np.testing.assert_array_equal(x.numpy(), [1.0, 2.0])


@pytest.mark.parametrize("copier", [copy.deepcopy, copy.copy, lambda v: pickle.loads(pickle.dumps(v))])
def test_a_copied_leaf_keeps_what_it_is(copier):
    x = sg.tensor(np.float32([1.0, 2.0]), name="w", requires_grad=True)
    (x * x).sum().backward()
    new = copier(x)
    assert (new.name, new.dtype, new.requires_grad) == ("w", np.float32, True)
    np.testing.assert_array_equal(new.grad, x.grad)
    assert new.serial > x.serial
    with pytest.raises(ValueError, match="read-only"):
        new.numpy()[0] = 3


def test_derivatives_of_copies_are_right():
    x = leaf([0.3, 0.7])
    y = sg.softmax(sg.sin(x) * x)[0] + sg.linalg.eigh(sg.outer(x, x) + np.eye(2)).eigenvalues.sum()
    y.backward()
    new_x, new_y = pickle.loads(pickle.dumps((x, y)))
    new_x.grad = None
    new_y.backward()
    np.testing.assert_array_equal(new_x.grad, x.grad)


def test_ops_of_users_are_copied_but_not_pickled():
    cube = sg.op("cube", lambda x: x**3, pullback=(lambda g, y, x: g * 3 * x * x,))
    x = leaf(2.0)
    new_x, new_y = copy.deepcopy((x, cube(x)))
    new_y.backward()
    assert new_x.grad == 12.0
    with pytest.raises(OpError, match="cube: only built-in ops"):
        pickle.dumps(cube(x))


# --- ops of users


def test_an_op_of_a_user_is_differentiated_to_any_order():
    cube = sg.op("cube", lambda x: x**3, pullback=(lambda g, y, x: g * 3 * x * x,), symbol="x**3")
    assert "cube" not in OPS
    f = cube
    for expected in (8.0, 12.0, 12.0, 6.0, 0.0):
        assert f(2.0) == expected
        f = sg.grad(f)
    assert sg.trace(cube, sg.spec("B"))([1.0, 2.0]).tolist() == [1.0, 8.0]


def test_a_pullback_may_return_a_number():
    ramp = sg.op("ramp", lambda x: 2 * x, pullback=(lambda g, y, x: 2.0 * g,))
    flat = sg.op("flat", lambda x: 0 * x, pullback=(lambda g, y, x: 0.0,))
    x = leaf([1.0, 2.0])
    (ramp(x) + flat(x)).sum().backward()
    np.testing.assert_array_equal(x.grad, [2.0, 2.0])


def test_an_op_with_several_outputs():
    split = sg.op(
        "split",
        lambda x: (x[0], x[1:]),
        pullback=lambda g, y, inputs, params: [
            (sg.scatter(g[0], 0, inputs[0].shape) if g[0] is not None else 0.0)
            + (sg.scatter(g[1], slice(1, None), inputs[0].shape) if g[1] is not None else 0.0)
        ],
        arity=1,
        outputs=("head", "tail"),
        indices="opaque",
        shape=lambda s: ((), (s[0] - 1,)),
        dtype=lambda d: (d, d),
    )
    item = OPS["item"]
    x = leaf([2.0, 3.0, 4.0])
    bundle = split(x)
    (item(bundle, 0) * item(bundle, 1)).sum().backward()
    np.testing.assert_array_equal(x.grad, [7.0, 2.0, 2.0])
    x.grad = None
    item(split(x), 1).sum().backward()  # nothing flowed to the head
    np.testing.assert_array_equal(x.grad, [0.0, 1.0, 1.0])


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: sg.op("f", np.exp, pulback=()), "unknown field.*pulback"),
        (lambda: sg.op("not a name", np.exp), "identifier"),
        (lambda: sg.op("f", 3), "callable"),
        (lambda: sg.op("f", np.exp, arity=2, pullback=(None,)), "2 input"),
    ],
)
def test_wrong_declarations_are_refused(declare, message):
    with pytest.raises(OpError, match=message):
        declare()


def test_built_in_ops_are_declared_once():
    from symgrad.op import builtin

    with pytest.raises(OpError, match="twice"):
        builtin("exp", np.exp)
    assert OPS["exp"].forward is np.exp


# --- threads


def test_serials_are_unique_over_threads():
    found = [[] for _ in range(8)]

    def work(k):
        for _ in range(2000):
            found[k].append(sg.tensor(1.0).serial)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    serials = [s for part in found for s in part]
    assert len(set(serials)) == len(serials)


@pytest.mark.parametrize(
    ("name", "same"),
    [("amax", "max"), ("mod", "remainder"), ("absolute", "abs"), ("mul", "multiply"), ("cat", "concatenate")],
)
def test_other_names_of_numpy_and_torch_are_known(name, same):
    assert getattr(sg, name) is sg.FUNCTIONS[same]
    with pytest.raises(AttributeError, match="no attribute 'amaxx'"):
        sg.amaxx  # noqa: B018
