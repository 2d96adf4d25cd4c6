"""The edges of tensor pictures are true: contracting their local Jacobians gives the gradient on each card."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symgrad as sg
import viz
from symgrad.shapes import bind
from viz.derivatives import contribution, flat, jacobian
from viz.reading import read
from viz.subject import subject

ROOT = Path(__file__).parents[2]


def examples():
    """One call of every op that is not elementwise, as the page of ops traces it."""
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.EXAMPLES


EXAMPLES = examples() | {"call": ((sg.spec(3, 2),), sg.checkpoint(lambda x: sg.tanh(x) * x))}
SIZES = {"A": 3, "B": 2, "C": 4, "N": 3}


def check(loss, inline=None):
    """Sum over the edges that leave a card: its gradient, by reverse mode on each path and by Jacobians."""
    (root,) = subject(loss).roots
    reading = read([root], inline)
    gradients = sg.adjoints(root)
    sums = {}
    edges = 0
    for link in reading.links:
        target, source = reading.nodes[link.target], reading.nodes[link.source]
        g = gradients.get(target.serial)
        if not link.flows or g is None:
            continue
        part = contribution(link.path, reading.base, g)
        if part is None:
            continue
        edges += 1
        vector, start = flat(part, source), flat(g, target)
        sums[link.source] = sums.get(link.source, 0.0) + vector
        if vector.size * start.size <= 400:
            matrix = jacobian(link.path, reading.base, source, target)
            assert start @ matrix == pytest.approx(vector, rel=1e-9, abs=1e-9)
    for k, total in sums.items():
        node = reading.nodes[k]
        assert total == pytest.approx(flat(gradients[node.serial], node), rel=1e-9, abs=1e-9), node
    return edges


ELEMENTWISE = sorted(name for name, op in sg.OPS.items() if op.indices == "elementwise" and not op.orders)


def arguments(name, rng):
    """Numbers for one call of an op, and which of them are differentiated."""
    if name == "eigh":
        return [np.diag([1.0, 2.0, 4.0]) + 0.1], [True]
    if name in EXAMPLES:
        specs = EXAMPLES[name][0]
        arrays = [rng.normal(size=bind(tuple(s.shape), SIZES)) for s in specs]
        return arrays, [s.dtype.kind == "f" for s in specs]
    op = sg.OPS[name]
    domain = op.domain if op.domain and isinstance(op.domain[0], tuple) else (op.domain or (0,),) * op.arity
    points = [max(0.3 + 0.25 * k, interval[0]) for k, interval in enumerate(domain)]
    arrays = [point + 0.01 * rng.random((2, 2)) for point in points]
    if name == "where":
        arrays[0] = np.array([[True, False], [False, True]])
    return arrays, [array.dtype.kind == "f" for array in arrays]


def results(name, xs):
    """The differentiable results of one call."""
    y = EXAMPLES[name][1](*xs) if name in EXAMPLES else sg.OPS[name](*xs)
    return [t for t in (y if isinstance(y, tuple) else (y,)) if t.requires_grad]


def test_the_whole_table_is_tried():
    """The other ops differentiate nothing, take an order (the formulas of those are evaluated), or pick a result."""
    rest = {name: op for name, op in sg.OPS.items() if name not in (*EXAMPLES, *ELEMENTWISE)}
    assert {name for name, op in rest.items() if op.pullback != () and not op.orders} == {"item"}
    assert set(EXAMPLES) <= set(sg.OPS)


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_every_op_that_couples_elements(name):
    rng = np.random.default_rng(0)
    arrays, flags = arguments(name, rng)
    xs = [sg.tensor(x, name=f"x{k}", requires_grad=f) for k, (x, f) in enumerate(zip(arrays, flags, strict=True))]
    outputs = results(name, xs)
    if not outputs:
        assert name == "astype" or not sg.OPS[name].pullback
        return
    total = sum((t * rng.normal(size=t.shape)).sum() for t in outputs)
    for x in xs:  # every input is read twice
        total = total + (x * x).sum() if x.requires_grad else total
    assert check(total) >= len(outputs) + sum(x.requires_grad for x in xs)


IN_DOUBLE = sorted({*EXAMPLES, *ELEMENTWISE} - {"astype"})  # which goes to float32, so that all after it has 7 digits


@settings(max_examples=25)
@given(
    st.lists(st.sampled_from(IN_DOUBLE), min_size=2, max_size=6),
    st.lists(st.integers(0, 9), min_size=6, max_size=6),
    st.sampled_from([None, False]),
)
def test_random_graphs_over_the_whole_table(names, places, inline):
    """Every op reads its own numbers, moved a little by results of ops before it, which so have several readers."""
    rng = np.random.default_rng(0)
    w = sg.tensor(0.3, name="w", requires_grad=True)
    sums = [w]
    for name, place in zip(names, places, strict=False):
        arrays, flags = arguments(name, rng)
        moved = 1e-3 * sg.tanh(sums[-1 - place % len(sums)] + sums[place % len(sums)])
        xs = [sg.tensor(x) + moved if f else sg.tensor(x) for x, f in zip(arrays, flags, strict=True)]
        sums += [(t * rng.normal(size=t.shape)).sum() for t in results(name, xs)]
    total = sums[0] * sums[0]
    for each in sums[1:]:
        total = total + each * each
    assert check(total, inline) > 0


STEPS = {
    "tanh": lambda a, b: sg.tanh(a),
    "add": lambda a, b: a + b,
    "multiply": lambda a, b: a * b,
    "square": lambda a, b: a**2,
    "mean0": lambda a, b: a - a.mean(axis=0, keepdims=True),
    "softmax": lambda a, b: sg.softmax(a),
    "matmul": lambda a, b: a @ b.T @ b,
    "relu": lambda a, b: sg.maximum(a, 0.0),
    "sum": lambda a, b: a + b.sum(axis=-1, keepdims=True),
    "where": lambda a, b: sg.where(a > b, a, 0.5 * b),
    "named": lambda a, b: sg.named(a * 0.5, "h"),
    "reshape": lambda a, b: sg.reshape(sg.reshape(a, (-1,)), (3, 2)),
    "norm": lambda a, b: a / sg.sqrt((b * b).sum() + 1.0),
    "index": lambda a, b: sg.concatenate([a[1:], b[:1]]),
    "logsumexp": lambda a, b: a - sg.logsumexp(b, axis=0),
    "batch_norm": lambda a, b: sg.batch_norm(a, b[0], b[1]),
}


@settings(max_examples=15)
@given(
    st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=6),
    st.sampled_from([None, False]),
)
def test_random_graphs_of_tensors(steps, inline):
    rng = np.random.default_rng(0)
    nodes = [sg.tensor(rng.normal(size=(3, 2)), name=f"w{k}", requires_grad=True) for k in range(3)]
    for name, i, j in steps:
        nodes.append(STEPS[name](nodes[-1 - i % len(nodes)], nodes[j % len(nodes)]))
    assert check((nodes[-1] ** 2).mean() + (nodes[-1] * nodes[0]).sum(), inline) > 0


def test_norms_on_cards_are_those_of_the_gradients():
    rng = np.random.default_rng(0)
    w = sg.tensor(rng.normal(size=(5, 4)), name="w", requires_grad=True)
    loss = sg.tanh(w @ w.T).sum()
    (card,) = [c for c in viz.draw_backprop(loss).scene.cards if c.full == "w"]
    g = sg.adjoints(loss)[w.serial]
    rows = {row.word: row.text for row in card.rows}
    assert rows["‖grad‖"] == viz.numbers.figure(np.linalg.norm(g))
