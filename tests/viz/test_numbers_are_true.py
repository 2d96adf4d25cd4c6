"""What is drawn is recomputed here from the scene alone: by the chain rule, and by evaluating each formula."""

import math

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import symgrad as sg
import viz
from viz.numbers import figure

SCALAR = [
    op
    for op in sg.OPS.values()
    if op.indices == "elementwise" and isinstance(op.pullback, tuple) and any(op.pullback) and op.symbol
]


def chain_rule(scene):
    """The gradient of the last card by every card, from the numbers on the edges alone."""
    found = [0.0] * len(scene.cards)
    root = next(k for k, card in enumerate(scene.cards) if card.kind == "loss")
    found[root] = 1.0
    for edge in sorted(scene.edges, key=lambda e: -e.target):
        if edge.strand == "twin":
            found[edge.source] += edge.number * found[edge.target]
    return found


def exactly(x):
    return sympy.Integer(int(x)) if float(x).is_integer() else sympy.Float(x, 30)  # orders are integers


def check(scene, tolerance=1e-9):
    for card, g in zip(scene.cards, chain_rule(scene), strict=True):
        if card.grad is not None:
            assert math.isclose(card.grad, g, rel_tol=tolerance, abs_tol=tolerance), card
            assert f"grad {figure(card.grad)}" in [f"{r.word} {r.text}" for r in card.rows]
        assert f"value {figure(card.value)}" in [f"{r.word} {r.text}" for r in card.rows]
    places = {f"n{k}": sympy.Symbol(f"n{k}", real=True) for k in range(len(scene.cards))}
    for edge in scene.edges:
        if edge.symbol:
            formula = sympy.sympify(edge.symbol, locals=places)
            given = [sympy.true if card.full == "c" else exactly(card.value) for card in scene.cards]
            value = formula.xreplace({places[f"n{k}"]: v for k, v in enumerate(given)})
            assert math.isclose(float(value), edge.number, rel_tol=tolerance, abs_tol=tolerance), edge
            assert any(figure(edge.number) in run.text for run in edge.label.tail)


def test_the_neuron_by_hand(neuron):
    scene = viz.draw_backprop(neuron).scene
    by_name = {card.full: card for card in scene.cards}
    a = 1 / (1 + math.exp(0.8))
    r = 2 * (a - 1)
    assert by_name["w"].grad == pytest.approx(r * a * (1 - a) * 1.5)
    assert by_name["b"].grad == pytest.approx(r * a * (1 - a))
    assert {k: c.kind for k, c in by_name.items()} == {
        "x": "data", "w": "parameter", "b": "parameter", "y": "constant", "p": "intermediate", "z": "intermediate",
        "a": "intermediate", "r": "intermediate", "L": "loss",
    }  # fmt: skip
    labels = {
        f"{viz.plain(e.label.top)}/{viz.plain(e.label.bottom)}{viz.plain(e.label.tail)}" for e in scene.edges if e.label
    }
    assert labels == {
        "∂p/∂w = x = 1.5", "∂p/∂x = w = −0.8", "∂z/∂p = 1", "∂z/∂b = 1", "∂a/∂z = a(1 − a) = 0.214", "∂r/∂a = 1",
        "∂L/∂r = 2r = −1.38",
    }  # fmt: skip
    assert [viz.plain(scene.cards[k].name) for k in scene.spine] == ["x", "p", "z", "a", "r", "L"]
    check(scene)


@pytest.mark.parametrize("op", SCALAR, ids=lambda op: op.name)
def test_every_op_of_the_table(op):
    domain = op.domain if op.domain and isinstance(op.domain[0], tuple) else (op.domain or (0,),) * op.arity
    points = [max(0.3 + 0.25 * k, interval[0]) for k, interval in enumerate(domain)]
    inputs = [sg.tensor(x, name=f"x{k}", requires_grad=True) for k, x in enumerate(points)]
    for k in op.orders:
        inputs[k] = sg.tensor(1, name="n")
    if op.name == "where":
        inputs[0] = sg.tensor(True, name="c")
    scene = viz.draw_backprop(op(*inputs)).scene
    assert all(edge.symbol for edge in scene.edges if edge.strand == "twin")
    check(scene)


STEPS = [
    "add",
    "subtract",
    "multiply",
    "divide",
    "tanh",
    "sigmoid",
    "sin",
    "square",
    "exp",
    "maximum",
    "negative",
    "arctan",
]


@settings(max_examples=25)
@given(st.data())
def test_random_graphs(data):
    nodes = [sg.tensor(v, name=f"w{k}", requires_grad=True) for k, v in enumerate((0.7, -1.3, 2.1))]
    for _ in range(data.draw(st.integers(1, 8))):
        op = sg.OPS[data.draw(st.sampled_from(STEPS))]
        y = op(*[data.draw(st.sampled_from(nodes)) for _ in range(op.arity)])
        if np.isfinite(y.value) and 1e-3 < abs(y.value) < 1e3:
            nodes.append(y)
    if nodes[-1].op is not None:
        check(viz.draw_backprop(nodes[-1]).scene, 1e-7)


def test_inlined_steps_are_differentiated_through():
    s, e = sg.tensor(2.0, name="s", requires_grad=True), sg.tensor(3.0, name="d", requires_grad=True)
    u = e / (s + 1e-5) ** 0.5
    scene = viz.draw_backprop(u, inline=True).scene
    assert [card.kind for card in scene.cards] == ["parameter", "parameter", "loss"]
    check(scene)
    (by_s,) = [edge for edge in scene.edges if edge.source == 0]
    assert viz.plain(by_s.label.tail).startswith(" = −L/(2(s + 10⁻⁵)) = ")


@pytest.mark.parametrize(
    ("f", "symbol", "text"),
    [
        (lambda w: 1.5 * w, "1.5", " = 1.5"),
        (lambda w: 0.25 * w * w, "0.25*n0", " = 0.25\u2009w = 0.175"),
        (lambda w: w**2.5, "2.5*n0**1.5", " = 2.5\u2009w1.5 = 1.46"),
        (lambda w: w**0.5, "1/(2*sqrt(n0))", " = 1/(2√w) = 0.598"),
        (lambda w: w * w / 2, "n0/2", " = w/2 = 0.35"),
        (lambda w: sg.exp(2.0 * w), "2*n1", " = 2L = 8.11"),
        (lambda w: 0.5 * sg.sqrt(w + 1e-5), "0.25/sqrt(n0 + 1.0e-5)", None),
    ],
)
def test_decimals_are_shown_as_they_were_written(f, symbol, text):
    w = sg.tensor(0.7, name="w", requires_grad=True)
    scene = viz.draw_backprop(f(w), inline=True).scene
    check(scene)
    assert scene.edges[0].symbol == symbol
    assert text in (None, viz.plain(scene.edges[0].label.tail))


def test_a_repeated_input_has_two_edges():
    x = sg.tensor(3.0, name="x", requires_grad=True)
    scene = viz.draw_backprop(x * x).scene
    assert [(e.source, e.target, e.position) for e in scene.edges] == [(0, 1, 0), (0, 1, 1)]
    assert scene.cards[0].rows[-1].text == "sum of 2 paths"
    check(scene)


def test_names_go_to_what_they_name():
    x = sg.tensor(3.0, name="x", requires_grad=True)
    y = sg.named(sg.named(sg.exp(sg.named(x, "other")), "inner"), "outer")
    cards = viz.draw_backprop(y * 2).scene.cards
    assert [c.full for c in cards] == ["x", "outer", "L"]
    assert viz.plain(cards[2].formula) == "2\u2009outer"


def test_tensors_show_shapes_norms_and_rules(network):
    scene = viz.draw_backprop(network).scene
    by_name = {card.full: card for card in scene.cards}
    w = next(t for t in leaves(network) if t.name == "W1")
    rows = {row.word: row.text for row in by_name["W1"].rows}
    g = sg.adjoints(network)[w.serial]
    assert rows == {"shape": "2×3", "‖value‖": figure(np.linalg.norm(w.value)), "‖grad‖": figure(np.linalg.norm(g))}
    tails = {viz.plain(e.label.tail) for e in scene.edges if e.label}
    assert {" : g ↦ xT\u2009g", " : g ↦ g/4", " = 1 − v22"} & tails
    assert all(edge.label for edge in scene.edges if edge.strand == "twin")


def leaves(y):
    stack, found = [y], {}
    while stack:
        t = stack.pop()
        found[t.serial] = t
        stack += t.inputs
    return [t for t in found.values() if t.op is None]


def test_a_graph_and_a_tensor_are_drawn_forward(neuron):
    graph = sg.trace(lambda x: sg.named(sg.exp(x), "e").sum(), sg.spec("B"))
    scene = viz.draw(graph).scene
    assert [c.kind for c in scene.cards] == ["data", "intermediate", "loss"]
    assert {e.strand for e in scene.edges} == {"forward"}
    assert scene.cards[1].rows[0].text == "B"
    assert len(viz.draw(neuron).scene.cards) == 9
