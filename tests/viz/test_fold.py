"""Folding, focus and limits: what is one card, what is left out, and that it is said."""

import numpy as np
import pytest

import symgrad as sg
import viz
from symgrad import losses, nn


class Block(nn.Module):
    def __init__(self, size):
        self.fc, self.norm = nn.Linear(size, size), nn.LayerNorm(size)

    def forward(self, x):
        return x + sg.tanh(self.norm(self.fc(x)))


class Net(nn.Module):
    def __init__(self, depth=5):
        self.head, self.blocks, self.out = nn.Linear(4, 3), [Block(3) for _ in range(depth)], nn.Linear(3, 1)

    def forward(self, x):
        x = self.head(x)
        for block in self.blocks:
            x = block(x)
        return self.out(x)


def loss_of(model, features):
    rng = np.random.default_rng(0)
    x = sg.tensor(rng.normal(size=(8, features)), name="x")
    return losses.mse(model(x), sg.tensor(rng.normal(size=(8, 1)), name="y"))


@pytest.fixture
def bn_loss():
    return loss_of(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 1)), 2)


def titles(picture):
    return [viz.plain(card.name) for card in picture.scene.cards]


def test_modules_by_depth_and_by_name(bn_loss):
    folded = viz.draw_backprop(bn_loss, fold=1)
    assert titles(folded) == ["x", "y", "▸ Linear0", "▸ BatchNorm1d1", "v1", "▸ Linear3", "v2", "L"]
    card = folded.scene.cards[3]
    assert card.kind == "statistic"
    assert [row.text for row in card.rows if row.role == "note"][:2] == ["9 ops · γ 3, β 3", "couples the 8 rows"]
    (heavy,) = [edge for edge in folded.scene.edges if edge.heavy]
    assert (heavy.source, heavy.target) == (2, 3)
    named = viz.draw_backprop(bn_loss, fold="BatchNorm*")
    assert [t for t in titles(named) if t.startswith("▸")] == ["▸ BatchNorm1d1"]
    assert [frame.title for frame in named.scene.frames] == ["▾ Linear0", "▾ Linear3"]


def test_an_eager_result_and_a_trace_have_the_same_modules(bn_loss):
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    traced = viz.draw(model, fold=0).scene
    eager = viz.draw(loss_of(model, 2), fold=0).scene
    shown = [(f.title, len(f.cards)) for f in traced.frames]
    assert shown == [(f.title, len(f.cards)) for f in eager.frames] == [
        ("▾ Linear0", 3), ("▾ BatchNorm1d1", 7), ("▾ Linear2", 3)]  # fmt: skip


def test_a_folded_card_has_the_gradient_of_its_result(bn_loss):
    whole = {viz.plain(c.name): c for c in viz.draw_backprop(bn_loss, fold=0).scene.cards}
    folded = {viz.plain(c.name): c for c in viz.draw_backprop(bn_loss, fold=1).scene.cards}
    rows = {row.word: row.text for row in folded["▸ BatchNorm1d1"].rows}
    assert rows["‖grad‖"] == {row.word: row.text for row in whole["ẑ"].rows}["‖grad‖"]


def test_frames_nest():
    scene = viz.draw(Net(2), fold=0).scene
    frames = {k: f for k, f in enumerate(scene.frames)}
    assert [(f.title, None if f.parent is None else frames[f.parent].title) for f in frames.values()] == [
        ("▾ head", None), ("▾ Block0", None), ("▾ fc", "▾ Block0"), ("▾ norm", "▾ Block0"),
        ("▾ Block1", None), ("▾ fc", "▾ Block1"), ("▾ norm", "▾ Block1"), ("▾ out", None)]  # fmt: skip
    for frame in frames.values():
        assert frame.parent is None or set(frame.cards) < set(frames[frame.parent].cards)


def test_repeats_are_counted():
    shown = titles(viz.draw(Net(7), fold=(1, "repeats")))
    assert shown == ["x", "▸ head", "▸ Block ×7", "▸ out"]
    y = sg.tensor(1.0, name="x", requires_grad=True)
    for _ in range(6):
        y = sg.sin(sg.exp(y) * 0.5)
    assert titles(viz.draw(y, fold="repeats"))[-1] == "▸ exp · multiply · sin ×6"


def test_what_differs_is_no_repeat():
    y = sg.tensor(1.0, name="x", requires_grad=True)
    for factor in (2.0, 3.0, 5.0, 7.0):
        y = y * factor
    assert len(viz.draw(y, fold="repeats", inline=False).scene.cards) == 5


def test_chains_are_one_card():
    x = sg.tensor(0.3, name="x", requires_grad=True)
    y = sg.exp(sg.tanh(sg.sin(x))) * x
    assert titles(viz.draw(y, fold="chains")) == ["x", "▸ sin → tanh → exp", "L"]


def test_much_is_folded_and_the_rest_is_counted():
    rng = np.random.default_rng(0)
    leaves = [sg.tensor(float(v), name=f"w{k}", requires_grad=True) for k, v in enumerate(rng.normal(size=300))]
    y = leaves[0]
    for k, leaf in enumerate(leaves[1:]):
        y = sg.sin(y * leaf) if k % 3 else y + leaf
    for limit in (10, 50, 200):
        scene = viz.draw(y, max_nodes=limit).scene
        assert len(scene.cards) <= limit
    cut = viz.draw(y, max_nodes=50, fold=0).scene
    assert len(cut.cards) == 50
    left = sum(card.kind != "more" for card in cut.cards)
    whole = len(viz.draw(y, max_nodes=10**6).scene.cards)
    assert viz.plain(cut.cards[0].name) == f"… {whole - left:,} more nodes"


def test_focus_and_path(bn_loss):
    around = viz.draw(bn_loss, fold=0, focus="u", hops=1)
    assert set(titles(around)[1:]) == {"v1", "σB2", "u", "ẑ"}
    assert titles(around)[0].startswith("… ")
    between = viz.draw(bn_loss, fold=0, path=("mu", "u"))
    assert set(titles(between)[1:]) == {"μB", "v1", "σB2", "u"}
    with pytest.raises(sg.SymgradError, match="no path"):
        viz.draw(bn_loss, fold=0, path=("u", "mu"))
    with pytest.raises(sg.SymgradError, match="no card"):
        viz.draw(bn_loss, focus="nothing")


def test_options_that_are_not_known():
    x = sg.tensor(1.0, name="x", requires_grad=True)
    for option in ({"mode": "sideways"}, {"labels": "x"}, {"show": ("x",)}, {"direction": "up"}, {"max_nodes": 0}):
        with pytest.raises(sg.SymgradError, match=next(iter(option))):
            viz.draw(x * x, **option)
    with pytest.raises(sg.SymgradError, match="give an example"):
        viz.draw(nn.ReLU())


def test_modes_labels_and_rows(bn_loss):
    back = viz.draw(bn_loss, mode="backward", fold=1).scene
    assert {edge.strand for edge in back.edges} <= {"backward", "forward", "constant"}
    assert all(row.role != "value" for card in back.cards for row in card.rows)
    w = sg.tensor(2.0, name="w", requires_grad=True)
    tails = {k: viz.plain(viz.draw(sg.exp(w), mode="both", labels=k).scene.edges[0].label.tail)
             for k in ("symbolic", "numeric", "both")}  # fmt: skip
    assert tails == {"symbolic": " = L", "numeric": " = 7.39", "both": " = L = 7.39"}
    assert viz.draw(sg.exp(w), mode="both", labels="none").scene.edges[0].label is None
    only = viz.draw(bn_loss, mode="both", show=("grad",)).scene
    assert {row.word for card in only.cards for row in card.rows} <= {"grad", ""}


def test_derivations_and_update_rules():
    scene = viz.draw(sg.derive("batchnorm"), mode="both").scene
    rows = {card.full.partition(" ")[0]: [row.text for row in card.rows if row.role == "grad"] for card in scene.cards}
    assert rows["gamma"] == ["∑j=1Bgj\u2009uj"]
    assert rows["z_hat"] == ["gi"]
    from symgrad.optim import rules

    adam = viz.draw(rules.adam).scene
    kinds = {card.full: card.kind for card in adam.cards}
    assert (kinds["theta"], kinds["lr"], kinds["g"]) == ("parameter", "constant", "data")


def test_ten_thousand_nodes_are_one_picture():
    loss = loss_of(Net(300), 4)
    scene = viz.draw_backprop(loss).scene
    assert "▸ Block ×300" in [viz.plain(card.name) for card in scene.cards]
    assert len(scene.cards) < 12
