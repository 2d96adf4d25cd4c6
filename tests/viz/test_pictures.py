import base64
import hashlib
import json
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import symgrad as sg
import viz
from viz import render

ELEMENTS = {"svg", "title", "g", "rect", "path", "polygon", "text", "tspan"}
PAGE = ELEMENTS | {"html", "head", "meta", "style", "body", "figure", "details", "summary", "table", "thead", "tbody",
                   "tr", "th", "td", "i", "sup", "sub"}  # fmt: skip
HOSTILE = [
    "</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>",
    '"];}', "trailing \\", "\\N \\G \\L", "\u202eevil\u202c",
    "nul\x00l", "x" * 400, "&amp;&lt;", "javascript:alert(1)",
    "]]>", "<!--", "a->b;", "%s{0}{}", "\ud800", "'\"`$(id)", "",
    "\\frac{{{{", "\n\r\t", "日本語 学习率", "ωμέγα", "e\u0301\u0302", "\ue000", "🙂",
]  # fmt: skip

needs_engine = pytest.mark.skipif(not render._commands("svg"), reason="no Graphviz here")
needs_plots = pytest.mark.skipif(
    not (viz.engines()["resvg_py"] and viz.engines()["matplotlib"]), reason="no resvg or matplotlib here"
)


def parsed(text, allowed):
    root = ET.fromstring(text)
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert names <= allowed, names - allowed
    attributes = {name.rpartition("}")[2] for element in root.iter() for name in element.attrib}
    assert not {a for a in attributes if a.startswith("on") or a in ("href", "src", "style")}
    return root


@needs_engine
@pytest.mark.parametrize("latex", [False, True])
def test_hostile_names(latex):
    leaves = [sg.tensor(1.0 + k, name=name, requires_grad=True) for k, name in enumerate(HOSTILE)]
    total = leaves[0]
    for leaf in leaves[1:]:
        total = total + (sg.named(leaf * 2.0, "n", latex=leaf.name) if latex else leaf)
    picture = viz.draw_backprop(total)
    parsed(picture.svg, ELEMENTS)
    parsed(picture.html, PAGE)
    drawn = render.graphviz(picture.dot, "svg").decode()
    assert "<script" not in drawn
    assert "<img" not in drawn
    assert "href" not in drawn
    assert json.loads(picture.scene.to_json())["cards"]
    assert all(len(viz.plain(card.name)) <= 80 for card in picture.scene.cards)
    assert set(re.findall(r"^  (\w+)", picture.dot, re.M)) <= {"graph", "node", "edge", *(f"n{k}" for k in range(200))}


def test_escapes():
    from viz import escape

    assert escape.dot_string("a\\") == '"a\\\\"'
    assert escape.dot_html("<b>\\N") == "&lt;b&gt;&#92;N"
    assert escape.json_script({"a": "</script>\u2028"}) == '{"a":"\\u003c/script\\u003e\\u2028"}'
    assert escape.xml_attr("\"'<") == "&quot;&#39;&lt;"


@needs_engine
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300, -1e-300, 0.0])
def test_extreme_values(value):
    w = sg.tensor(value, name="w", requires_grad=True)
    with np.errstate(all="ignore"):
        picture = viz.draw_backprop(w * w)
    parsed(picture.svg, ELEMENTS)
    json.loads(picture.scene.to_json())


@needs_engine
def test_one_card_and_no_card():
    w = sg.tensor(2.0, name="w", requires_grad=True)
    assert len(viz.draw_backprop(w).scene.cards) == 1
    parsed(viz.draw_backprop(w).svg, ELEMENTS)
    parsed(viz.Picture(viz.Scene("empty")).svg, ELEMENTS)
    parsed(viz.draw(sg.tensor([1, 2])).svg, ELEMENTS)


def test_no_gradient_is_a_clear_error():
    with pytest.raises(sg.GradientError, match="requires_grad=True"):
        viz.draw_backprop(sg.tensor(1.0))
    with pytest.raises(sg.GradientError, match="scalar"):
        viz.draw_backprop(sg.tensor([1.0, 2.0], requires_grad=True) * 2)
    with pytest.raises(sg.SymgradError, match="the themes are"):
        viz.Picture(viz.Scene("x"), "pink")


@needs_engine
def test_the_spine_is_straight_and_nothing_overlaps(neuron, network):
    for loss in (neuron, network):
        picture = viz.draw_backprop(loss)
        layout, scene = picture._layout, picture.scene
        heights = [round(layout.cards[k].y) for k in scene.spine]
        lines = [a for a, b in zip([None, *heights], heights, strict=False) if a != b]
        assert len(lines) == len(set(heights)) <= 2  # straight on each line of the picture
        assert layout.width < 4000
        boxes = [*layout.cards, *(b for b, e in zip(layout.labels, scene.edges, strict=True) if e.label)]
        for k, a in enumerate(boxes):
            for b in boxes[:k]:
                apart = abs(a.x - b.x) >= (a.width + b.width) / 2 - 1 or abs(a.y - b.y) >= (a.height + b.height) / 2 - 1
                assert apart, (a, b)
    neuron_layout, cards = viz.draw_backprop(neuron)._layout, viz.draw_backprop(neuron).scene.cards
    heights = {card.full: box.y for card, box in zip(cards, neuron_layout.cards, strict=True)}
    assert heights["y"] < heights["L"] < heights["w"]


@needs_engine
def test_a_long_chain_is_cut_and_says_so():
    y = sg.tensor(0.5, name="x", requires_grad=True)
    for _ in range(10_000):
        y = sg.sin(y)
    picture = viz.draw_backprop(y, max_nodes=30, fold=0)
    assert len(picture.scene.cards) == 30
    assert viz.plain(picture.scene.cards[0].name) == "… 9,972 more nodes"
    assert "9,972 more" in picture.svg
    assert "9,972 more" in picture.dot


@needs_engine
@needs_plots
def test_formats_and_saving(neuron, tmp_path):
    picture = viz.draw_backprop(neuron)
    assert picture.png[:8] == b"\x89PNG\r\n\x1a\n"
    assert picture.pdf[:5] == b"%PDF-"
    for suffix in (".svg", ".html", ".png", ".pdf", ".dot", ".json"):
        assert picture.save(tmp_path / f"a{suffix}").stat().st_size > 300
    assert len(list(tmp_path.iterdir())) == 6
    with pytest.raises(sg.SymgradError, match="use one of"):
        picture.save(tmp_path / "a.gif")
    again = viz.draw_backprop(neuron)
    assert (again.svg, again.dot, again.html, again.png, again.pdf) == (
        picture.svg, picture.dot, picture.html, picture.png, picture.pdf)  # fmt: skip
    for theme in ("dark", "print"):
        assert viz.draw_backprop(neuron, theme=theme).svg != picture.svg


@needs_plots
def test_circles_are_round_in_pdf():
    from matplotlib.figure import Figure

    from viz import pdf
    from viz.paint import Panel, _sampled

    axes = Figure().add_subplot()
    pdf._panel(axes, Panel(10.0, 20.0, 60.0, 60.0, "white", "black", 30.0))
    corners = axes.patches[0].get_path().vertices[:16].reshape(4, 4, 2)
    away = [np.hypot(x - 40.0, y - 50.0) for corner in corners for x, y in _sampled(tuple(map(tuple, corner)))]
    assert np.allclose(away, 30.0, atol=0.02)


@needs_engine
@needs_plots
def test_chinese_png():
    w = sg.tensor(2.0, name="学习率", requires_grad=True)
    assert viz.draw_backprop(w * w).png


def test_a_failed_write_leaves_no_file(neuron, tmp_path, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda fd: (_ for _ in ()).throw(OSError(28, "disk full")))
    with pytest.raises(OSError, match="disk full"):
        viz.draw_backprop(neuron).save(tmp_path / "a.dot")
    assert not list(tmp_path.iterdir())


def test_without_an_engine(neuron, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(render.importlib.util, "find_spec", lambda name: None)
    picture = viz.draw_backprop(neuron)
    assert picture.dot.startswith("digraph")
    with pytest.raises(viz.EngineError, match=r"apt-get install graphviz.*symgrad\[graphviz\]"):
        _ = picture.svg
    shown = picture._repr_mimebundle_()
    assert list(shown) == ["text/plain"]
    assert "grad −0.443" in shown["text/plain"]


def test_a_slow_engine_is_stopped(neuron, monkeypatch, tmp_path):
    slow = tmp_path / "dot"
    slow.write_text("#!/bin/sh\nexec /bin/sleep 20\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(render, "TIME_LIMIT", 0.3)
    with pytest.raises(viz.EngineError, match="max_nodes="):
        _ = viz.draw_backprop(neuron).svg
    assert viz.engines()["dot"] is None


@needs_engine
def test_a_broken_dot_falls_back(neuron, monkeypatch, tmp_path):
    broken = tmp_path / "dot"
    broken.write_text("#!/bin/sh\necho no plugins >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    if len(render._commands("svg")) > 1:
        assert viz.draw_backprop(neuron).svg
    monkeypatch.setattr(render.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(viz.EngineError, match="no plugins"):
        _ = viz.draw_backprop(neuron).svg


def test_a_tree_for_terminals(neuron):
    lines = viz.draw_backprop(neuron).text.splitlines()
    assert lines[0].endswith("L = r²: value 0.476, grad 1")
    assert sum("w: value −0.8, grad −0.443" in line for line in lines) == 1
    assert all(c.isprintable() for line in lines for c in line)


def test_dot_is_in_the_visual_language(neuron):
    dot = viz.draw_backprop(neuron).dot
    assert dot.count('dir=both color="#0072B2:#D55E00" arrowtail=normal') == 6
    assert dot.count("style=dashed") == 1
    assert "<i>∂a</i>" in dot or "<i>∂</i><i>a</i>" in dot


def test_the_page_loads_nothing(neuron):
    if render._commands("svg"):
        page = viz.draw_backprop(neuron).html
        style = re.search(r"<style>(.*)</style>", page, re.S)[1]
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert f"default-src 'none'; style-src 'sha256-{digest}'" in page
        assert "<script" not in page
        assert not re.search(r"(src|href|url)\s*[=(]", page)
