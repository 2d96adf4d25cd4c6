"""What notebooks show; it never raises."""

import numpy as np
import pytest

import symgrad as sg
from symgrad import nn
from viz import render

ENGINE = bool(render._commands("svg"))


def things():
    w = sg.tensor(2.0, name="w", requires_grad=True)
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    return {
        "tensor": w * w,
        "vector": sg.tensor([1.0, 2.0], requires_grad=True) * 2,
        "graph": sg.trace(model, sg.spec("B", 2)),
        "module": model,
    }


@pytest.mark.parametrize("name", things())
def test_a_picture_and_the_text(name):
    x = things()[name]
    shown = x._repr_mimebundle_()
    assert shown["text/plain"] == repr(x)
    assert ("image/svg+xml" in shown) == ENGINE


def test_text_alone_where_there_is_nothing_to_draw(monkeypatch):
    leaf = sg.tensor(np.ones(3))
    assert leaf._repr_mimebundle_() == {"text/plain": repr(leaf)}
    shapeless = nn.ReLU()
    assert list(shapeless._repr_mimebundle_()) == ["text/plain"]
    x = sg.tensor(1.0, requires_grad=True)
    y = x * 2
    x.assign(3.0)  # the graph is stale now
    assert list(y._repr_mimebundle_()) == ["text/plain"]
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(render.importlib.util, "find_spec", lambda name: None)
    assert all(list(thing._repr_mimebundle_()) == ["text/plain"] for thing in things().values())


def test_a_derivation_shows_its_formulas():
    assert r"\frac{\partial L}{\partial z_i}" in sg.derive("batchnorm")._repr_markdown_()
