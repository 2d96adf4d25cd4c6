"""Pictures by each way to Graphviz, and on a machine that has neither a `dot` nor a font."""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from importlib.util import find_spec
from pathlib import Path

import pytest

import symgrad as sg
import viz
from symgrad import nn
from viz import render

ROOT = Path(__file__).parents[2]


def test_the_engine_that_is_meant_draws(engine, neuron):
    svg = viz.draw_backprop(neuron).svg
    assert viz.engines()["dot"] is None or engine
    if engine:
        assert render._commands("svg")[0] == [engine, "-Tsvg"]
        used = Path(engine).with_name("used")  # the mark that a stand-in leaves
        assert used.exists() or viz.engines()["dot"]
    else:
        assert [command[0] for command in render._commands("svg")] == [sys.executable]
    assert len(ET.fromstring(svg).findall("{*}g")) == 17


def test_pictures_by_each_engine(engine, neuron, network):
    for options in ({}, {"direction": "down"}, {"fold": 1}, {"theme": "dark", "mode": "backward"}):
        picture = viz.draw_backprop(network, **options)
        names = {group.get("id") for group in ET.fromstring(picture.svg).findall(".//{*}g")}
        assert {f"n{k}" for k in range(len(picture.scene.cards))} <= names
        assert {f"e{j}" for j in range(len(picture.scene.edges))} <= names
    heights = [round(viz.draw_backprop(neuron)._layout.cards[k].y) for k in viz.draw_backprop(neuron).scene.spine]
    assert len(set(heights)) == 1
    drawn = ET.fromstring(render.graphviz(viz.draw_backprop(neuron).dot, "svg").partition(b"?>")[2])
    assert len([g for g in drawn.findall(".//{*}g") if g.get("class") == "node"]) == 9
    assert "image/svg+xml" in viz.draw(nn.Linear(2, 3))._repr_mimebundle_()


def test_pages_and_notebooks_by_each_engine(engine, network):
    assert viz.step_through(network, fold=0).html.count("<svg") >= 1
    assert "image/svg+xml" in sg.exp(sg.tensor(2.0, requires_grad=True))._repr_mimebundle_()


def test_hostile_names_by_each_engine(engine):
    names = ['"];}', "trailing \\", "\\N \\G", "</script>", "日本語", "nul\x00l", "\u202eevil", "%s{0}", "e\u0301"]
    total = sg.tensor(1.0, name="safe", requires_grad=True)
    for name in names:
        total = total + sg.named(2.0 * total, name)
    assert ET.fromstring(viz.draw_backprop(total).svg) is not None
    assert b"<script" not in render.graphviz(viz.draw_backprop(total).dot, "svg")


BARE = """
import hashlib, json, sys
import symgrad as sg, viz
w = sg.tensor(-0.8, name="w", requires_grad=True)
loss = sg.named(sg.sigmoid(w * 1.5 + 0.4) ** 2, "L")
pictures = [viz.draw_backprop(loss), viz.draw_batchnorm(batch=4, backward=True)]
made = [getattr(p, form) for p in pictures for form in ("svg", "png", "pdf", "html")] + [viz.step_through(loss).html]
digests = [hashlib.sha256(x if isinstance(x, bytes) else x.encode()).hexdigest() for x in made]
print(json.dumps({"engines": viz.engines(), "digests": digests}))
"""


@pytest.mark.skipif(
    not all(map(find_spec, ("pygraphviz", "resvg_py", "matplotlib"))), reason="the extras that draw are not installed"
)
def test_no_dot_and_no_fonts(tmp_path, monkeypatch, capsys):
    """With the extras alone every file is, byte for byte, the one that is drawn here."""
    (tmp_path / "fonts.conf").write_text("<fontconfig></fontconfig>", encoding="utf-8")
    bare = {"PATH": "", "FONTCONFIG_FILE": str(tmp_path / "fonts.conf"), "PYTHONPATH": str(ROOT)}
    bare |= {name: str(tmp_path) for name in ("HOME", "XDG_DATA_HOME", "MPLCONFIGDIR")}
    bare |= {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
    done = subprocess.run([sys.executable, "-c", BARE], env=bare, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    monkeypatch.setenv("PATH", "")
    exec(BARE, {})
    there, here = json.loads(done.stdout), json.loads(capsys.readouterr().out)
    assert there["engines"]["dot"] is None
    assert there["digests"] == here["digests"]


def test_the_letters_of_a_png_are_drawn_without_system_fonts(neuron):
    if not all(map(find_spec, ("resvg_py", "matplotlib"))):
        pytest.skip("the extra that makes PNG is not installed")
    import resvg_py

    picture = viz.draw_batchnorm(batch=3)
    svg = picture.svg
    boxes = bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=1.0, skip_system_fonts=True))  # no font at all
    assert render.to_png(svg, 1.0) != boxes
    assert render._covered(svg, render.bundled_fonts() / "DejaVuSans.ttf")
