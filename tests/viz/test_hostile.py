"""Whatever things are called, every output parses and holds nothing but what we write.

SYMGRAD_FUZZ=10000 (`make test-fuzz`) tries that many names; `make test` a sample.
"""

import os
import random
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import symgrad as sg
import viz
from symgrad import nn
from viz import render

COUNT = int(os.environ.get("SYMGRAD_FUZZ", "120"))
ELEMENTS = {"svg", "title", "g", "rect", "path", "polygon", "text", "tspan"}
ATTRIBUTES = """id class width height viewBox role font-family font-size font-style font-weight fill stroke points
stroke-width stroke-dasharray d x y rx dy text-anchor space"""
TEXT = """< > & " ' \\ ]]> <!-- --> </script> <script> javascript: \x00 \u202e \ufeff \ud800 \\N \\G { } ^ _ \\frac
\\hat
% $ : ; -> @@ 学 λ é 🙂 a B 1 . / # &#x3c; &lt; {0} href= onload= ] ["""
PIECES = [*TEXT.replace("\n", " ").split(" "), " ", "\n", "\t", "\u2028"]

needs_engine = pytest.mark.skipif(not render._commands("svg"), reason="no Graphviz here")
pytestmark = needs_engine


def names(count):
    draw = random.Random(0)
    return ["".join(draw.choice(PIECES) for _ in range(draw.randint(1, 7))) for _ in range(count)]


def check(picture):
    root = ET.fromstring(picture.svg)
    assert {e.tag.rpartition("}")[2] for e in root.iter()} <= ELEMENTS
    assert {n.rpartition("}")[2] for e in root.iter() for n in e.attrib} <= set(ATTRIBUTES.split())
    page = ET.fromstring(picture.html)
    assert not {n for e in page.iter() for n in e.attrib if n.startswith("on") or n in ("href", "src", "style")}
    drawn = ET.fromstring(render.graphviz(picture.dot, "svg").partition(b"<svg")[2].join([b"<svg", b""]).decode())
    assert not {e.tag.rpartition("}")[2] for e in drawn.iter()} & {"script", "image", "foreignObject"}
    assert not {n.rpartition("}")[2] for e in drawn.iter() for n in e.attrib} & {"href", "onload", "style"}


@pytest.mark.parametrize("start", range(0, COUNT, 40))
def test_fuzzed_names(start):
    some = names(COUNT)[start : start + 40]
    total = sg.tensor(1.0, name="safe", requires_grad=True)
    for k, name in enumerate(some):
        leaf = sg.tensor(1.0 + k, name=name, requires_grad=True)
        total = total + (sg.named(leaf * 0.5, "n", latex=name) if k % 3 == 0 else sg.named(leaf * 2.0, name))
    check(viz.draw_backprop(total, labels="none" if start else "both"))


def test_names_of_modules():
    class Net(nn.Module):
        def __init__(self):
            self.parts = {name: nn.Linear(2, 2) for name in names(6)}

        def forward(self, x):
            for part in self.parts.values():
                x = sg.tanh(part(x))
            return x

    net, x = Net(), sg.tensor(np.ones((3, 2)), name="x")
    for fold in (0, 1):
        check(viz.draw((net(x) ** 2).sum(), fold=fold))


@pytest.mark.parametrize("value", [0.0, -0.0, 1e-320, 1e308, np.nan, -np.inf])
def test_values_of_all_sizes_and_names_of_all_scripts(value):
    x = sg.tensor([[value, 1.0]], name="学习率", requires_grad=True)
    y = sg.tensor(value, name="ωμέγα", requires_grad=True)
    with np.errstate(all="ignore"):
        loss = (x * y).sum() + y * y
    picture = viz.draw_backprop(loss)
    check(picture)
    assert not re.search(r"\bnan\b|\binf\b", picture.svg)
    assert viz.step_through(loss).html


def test_empty_and_constant_things():
    check(viz.draw(sg.trace(lambda x: x, sg.spec("B"))))
    check(viz.draw(sg.trace(lambda x: (x, x * 2, sg.exp(x)), sg.spec("B"))))
    check(viz.draw(sg.tensor(3.0)))
    check(viz.draw(sg.tensor(np.zeros((0, 3)), name="empty", requires_grad=True).sum()))
    x = sg.tensor(2.0, name="x", requires_grad=True)
    check(viz.draw_backprop(x * x * x * x + x + x))
