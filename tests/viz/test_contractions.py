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
from viz.derivatives import contribution, jacobian
from viz.reading import read
from viz.subject import subject

ROOT = Path(__file__).parents[2]


def examples():
    """One call of every op that is not elementwise, as the page of ops traces it."""
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.EXAMPLES


EXAMPLES = examples()
SIZES = {"A": 3, "B": 2, "C": 4, "N": 3}


def check(loss, inline=None):
    """Sum over the edges that leave a card: its gradient, by reverse mode on each path and by Jacobians."""
    (root,) = subject(loss).roots
    reading = read([root], inline)
    gradients = sg.adjoints(root)
    sums, dense = {}, {}
    edges = 0
    for link in reading.links:
        target, source = reading.nodes[link.target], reading.nodes[link.source]
        g = gradients.get(target.serial)
        if not link.flows or g is None or isinstance(g, list):
            continue
        part = contribution(link.path, reading.base, g)
        if part is None:
            continue
        edges += 1
        sums[link.source] = sums.get(link.source, 0.0) + part
        if target.size * source.size <= 400 and not (source.op is not None and source.op.outputs):
            matrix = jacobian(link.path, reading.base, source, target)
            by_matrix = (np.ravel(g) @ matrix).reshape(source.shape)
            assert by_matrix == pytest.approx(np.asarray(part), rel=1e-9, abs=1e-9)
            dense[link.source] = dense.get(link.source, 0.0) + by_matrix
    for k, total in sums.items():
        expected = gradients[reading.nodes[k].serial]
        assert np.asarray(total) == pytest.approx(np.asarray(expected), rel=1e-9, abs=1e-9), reading.nodes[k]
    return edges


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_every_op_that_couples_elements(name):
    specs, f = EXAMPLES[name]
    rng = np.random.default_rng(0)
    xs = [sg.tensor(rng.normal(size=bind(tuple(s.shape), SIZES)), name=f"x{k}", requires_grad=s.dtype.kind == "f")
          for k, s in enumerate(specs)]  # fmt: skip
    if name == "eigh":
        xs[0] = sg.tensor(np.diag([1.0, 2.0, 4.0]) + 0.1, name="x0", requires_grad=True)
    try:
        y = f(*xs)
    except (sg.SymgradError, TypeError, ValueError) as error:
        pytest.skip(f"this call is for symbolic sizes: {error}")
    outputs = [t for t in (y if isinstance(y, tuple) else (y,)) if t.requires_grad]
    if not outputs:
        assert name in ("const", "size", "stop_gradient", "argmax", "argmin", "astype") or not sg.OPS[name].pullback
        return
    total = sum((t * rng.normal(size=t.shape)).sum() for t in outputs)
    for x in xs:  # every input is read twice
        total = total + (x * x).sum() if x.requires_grad else total
    if not sg.OPS[name].outputs:  # the cotangents of such ops are bundles
        assert check(total) > 0


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
