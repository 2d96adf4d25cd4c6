"""Long pictures in lines and columns: on a slide, nothing on top of anything, every edge from card to card."""

import math

import numpy as np
import pytest

import symgrad as sg
import viz
from symgrad import losses, nn
from viz import render
from viz.paint import _sampled

needs_engine = pytest.mark.skipif(not render._commands("svg"), reason="no Graphviz here")


def batchnorm():
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 1))
    x, y = sg.tensor(rng.normal(size=(4, 2)), name="x"), sg.tensor(rng.normal(size=(4, 1)), name="y")
    return viz.draw_backprop, losses.mse(model(x), y)


def residual():
    class Block(nn.Module):
        def __init__(self):
            self.fc, self.norm = nn.Linear(8, 8), nn.LayerNorm(8)

        def forward(self, x):
            return x + sg.tanh(self.norm(self.fc(x)))

    return viz.draw, nn.Sequential(nn.Linear(4, 8), *[Block() for _ in range(3)], nn.Linear(8, 1))


def apart(a, b):
    return abs(a.x - b.x) >= (a.width + b.width) / 2 - 1 or abs(a.y - b.y) >= (a.height + b.height) / 2 - 1


@needs_engine
@pytest.mark.parametrize("direction", ["right", "down"])
@pytest.mark.parametrize(("make", "scale"), [(batchnorm, 0.8), (residual, 0.7)])
def test_long_pictures_fit_a_slide(make, scale, direction):
    draw, what = make()
    picture = draw(what, fold=0, direction=direction)
    layout, scene = picture._layout, picture.scene
    assert min(1600 / layout.width, 900 / layout.height) > scale
    boxes = [*layout.cards, *(b for b, e in zip(layout.labels, scene.edges, strict=True) if e.label)]
    assert all(apart(a, b) for k, a in enumerate(boxes) for b in boxes[:k])
    pieces = [box for each in layout.frames for box in each]
    for box in (*boxes, *pieces):
        assert box.width / 2 <= box.x <= layout.width - box.width / 2
        assert box.height / 2 <= box.y <= layout.height - box.height / 2
    for edge, curve in zip(scene.edges, layout.curves, strict=True):
        source, target = layout.cards[edge.source], layout.cards[edge.target]
        for (x, y), card in ((curve[0], source), (curve[-1], target)):
            assert abs(x - card.x) <= card.width / 2 + 3
            assert abs(y - card.y) <= card.height / 2 + 3
        others = [box for box in layout.cards if box is not source and box is not target]
        for x, y in _sampled(curve):
            assert 0 <= x <= layout.width
            assert 0 <= y <= layout.height
            assert not any(abs(x - b.x) < b.width / 2 - 2 and abs(y - b.y) < b.height / 2 - 2 for b in others)


@needs_engine
def test_a_module_in_two_lines_has_a_frame_in_each():
    draw, loss = batchnorm()
    picture = draw(loss, fold=0)
    frames = {frame.title: pieces for frame, pieces in zip(picture.scene.frames, picture._layout.frames, strict=True)}
    assert {title: len(pieces) for title, pieces in frames.items()} == {
        "▾ Linear0": 1, "▾ BatchNorm1d1": 2, "▾ Linear3": 1}  # fmt: skip
    assert picture.svg.count("BatchNorm1d1 (continued)") == 1
    of_card = {k: n for n, frame in enumerate(picture.scene.frames) for k in frame.cards}
    for k, n in of_card.items():
        card = picture._layout.cards[k]
        assert any(not apart(card, piece) for piece in picture._layout.frames[n])


@needs_engine
def test_short_pictures_stay_in_one_line(neuron):
    layout = viz.draw_backprop(neuron)._layout
    assert viz.wrapping.wrapped(viz.draw_backprop(neuron).scene, layout) is layout


@pytest.mark.parametrize("name", ["info_nce", "cross_entropy"])
@pytest.mark.parametrize("batch", [3, 4, None])
def test_no_edge_of_a_coupling_passes_through_a_circle(name, batch):
    picture = viz.draw_coupling(name, axis=0 if name == "info_nce" else -1, batch=batch)
    layout = picture._layout
    for edge, curve in zip(picture.scene.edges, layout.curves, strict=True):
        for k, box in enumerate(layout.cards):
            if k not in (edge.source, edge.target) and picture.scene.cards[k].kind != "dots":
                assert all(math.dist(p, (box.x, box.y)) > box.width / 2 for p in _sampled(curve))


def test_a_part_of_an_edge_starts_before_the_next_cut():
    from viz.wrapping import _levelled, _split

    curve = ((169.5, 93.3), (208.7, 71.9), (262.0, 50.0), (314.5, 50.0), (358.2, 50.0), (401.8, 50.0), (445.5, 50.0))
    assert _levelled(curve)[0][0] > 280  # it climbs until there
    rest = _levelled(curve, 280)
    assert rest[0] == curve[0]
    assert rest[1][1] == curve[0][1]
    assert _split(rest, 280)[1][0][0] == pytest.approx(280)
