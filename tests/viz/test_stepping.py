"""What a step page says is true, and its file is closed to everything else. (In a browser: tests/browser.)"""

import base64
import hashlib
import re
from html.parser import HTMLParser

import numpy as np
import pytest

import symgrad as sg
import viz
from symgrad import losses, nn
from viz import explained, render
from viz.mathmarkup import row
from viz.mathtext import latex_text, name_text

needs_engine = pytest.mark.skipif(not render._commands("svg"), reason="no Graphviz here")
pytestmark = needs_engine


@pytest.fixture(scope="module")
def page():
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 1))
    x = sg.tensor(rng.normal(size=(4, 2)), name="x")
    return viz.step_through(losses.mse(model(x), sg.tensor(rng.normal(size=(4, 1)), name="y")))


def test_running_sums_end_at_the_gradients(page):
    """In every picture, the last sum that flows to a card is the gradient on it."""
    sums = 0
    for view in page.views:
        last = {}
        for kind, k in view.steps:
            if kind == "b":
                last[view.scene.edges[k].source] = view.flows[k]["sum"]
        boundary = {k for k, card in enumerate(view.scene.cards) if card.kind == "data" and view.title}
        for card, text in last.items():
            if card not in boundary:
                assert text == view.numbers[card][1], (view.title, view.scene.cards[card])
                sums += 1
    assert sums > 12


def blocks(count):
    class Block(nn.Module):
        def __init__(self):
            self.fc, self.norm = nn.Linear(3, 3), nn.LayerNorm(3)

        def forward(self, x):
            return x + sg.tanh(self.norm(self.fc(x)))

    x = sg.tensor(np.random.default_rng(0).normal(size=(4, 3)), name="x")
    return (nn.Sequential(*[Block() for _ in range(count)], nn.Linear(3, 1))(x) ** 2).mean()


def test_a_repeat_opens_as_the_first_of_its_parts():
    page = viz.step_through(blocks(5), fold=(1, "repeats"))
    titles = [view.title for view in page.views]
    assert titles[:3] == [(), ("Block (1 of 5)",), ("Linear5",)]
    assert titles[3:] == [("Block0", "fc"), ("Block0", "norm")]
    inside = page.views[1]
    assert inside.note == "The first of 5 equal parts, with its own numbers."
    plain = viz.step_through(blocks(5), fold=1)
    assert plain.views[1].title == ("Block0",)
    assert inside.numbers == plain.views[1].numbers  # those of the first
    assert inside.scene == plain.views[1].scene
    assert test_running_sums_end_at_the_gradients(page) is None


def test_a_chain_opens_and_what_is_too_long_says_so():
    y = sg.tensor(0.5, name="x", requires_grad=True)
    for _ in range(50):
        y = sg.sin(y)
    page = viz.step_through(y, fold="chains")
    assert [len(view.scene.cards) for view in page.views] == [2, 51]
    short = viz.step_through(y, fold="chains", max_nodes=12)
    assert "… 38 more nodes" in [viz.plain(card.name) for card in short.views[1].scene.cards]
    assert short.html


def test_modules_are_linked_to_the_derivation_of_their_gradients(page):
    from viz.stepping import _data

    data = _data(page.views, page._reading)
    outer = data["structures"][data["views"][0]["s"]]
    card = next(c for c in outer["cards"] if c["name"] == "▸ BatchNorm1d1")
    rule = data["rules"][card["rule"]]
    assert rule["link"] == "How the gradients of BatchNorm1d are derived"
    assert "PROVED" in rule["verdict"]
    assert rule["verdict"].startswith("Derived from the ops of this module alone, for every size, by x, gamma, beta")
    expected = sg.derive(lambda x, gamma, beta: sg.batch_norm(x, gamma, beta), x=sg.spec("B", "D"),
                         gamma=sg.spec("D"), beta=sg.spec("D"))  # fmt: skip
    gradients = [step.latex for step in expected.steps if step.rule == "gradient"]
    from symgrad.symbolic.mathml import mathml

    assert rule["parts"][-3:] == [mathml(latex) for latex in gradients]
    into = [edge for edge in outer["edges"] if edge["b"] == outer["cards"].index(card)]
    assert into
    assert all(edge["rule"] == card["rule"] for edge in into)


def test_a_fault_in_the_engine_is_no_module_without_a_derivation(monkeypatch):
    def faulty(*args, **specs):
        raise TypeError("a fault")

    monkeypatch.setattr("symgrad.symbolic.derive", faulty)
    page = viz.step_through((nn.Linear(2, 3)(sg.tensor(np.ones((4, 2)), name="x")) ** 2).mean())
    with pytest.raises(TypeError, match="a fault"):
        _ = page.html


def test_lines_may_be_cut_twice_where_an_edge_climbs():
    x = sg.tensor(np.ones((4, 3)) * [1, 2, 3], name="x", requires_grad=True)
    assert viz.step_through((nn.Sequential(nn.RMSNorm(3))(x) ** 2).mean()).html


def test_every_size_of_a_module_has_a_name_of_its_own():
    letters = {}

    def names():
        return [str(explained._spec(sg.tensor(np.ones(n)), False, letters).shape[0]) for n in range(2, 14)]

    assert len(set(names())) == 12
    assert names() == list(letters.values())


def test_forward_comes_first_and_readers_send_before_they_are_read(page):
    for view in page.views:
        kinds = "".join(kind for kind, _ in view.steps)
        assert re.fullmatch(r"f+[sb]+", kinds)
        assert kinds.count("f") == len(view.scene.cards)
        order = [view.scene.edges[k].target for kind, k in view.steps if kind == "b"]
        assert order == sorted(order, reverse=True)  # cards stand in topological order


def test_the_file_loads_nothing(page):
    html = page.html
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    style = re.search(r"<style>(.*?)</style>", html, re.S)[1]
    script = re.search(r"<script>(.*)</script>", html, re.S)[1]
    digests = [base64.b64encode(hashlib.sha256(t.encode()).digest()).decode() for t in (script, style)]
    assert policy == (
        f"default-src 'none'; script-src 'sha256-{digests[0]}'; style-src 'sha256-{digests[1]}'; base-uri 'none'; "
        "form-action 'none'"
    )
    assert not re.search(r"(?:src|href|action)=|@import|url\(|https?://(?!www\.w3\.org)", html.replace("xlink", ""))
    assert "eval(" not in html
    assert len(html.encode()) < 150_000
    assert "@@" not in html


TAGS = """html head meta title style body header nav b div button span main figure svg g rect path polygon text tspan
aside
section h2 p details summary table thead tbody tr th td math mrow mi mn mo msub msup msubsup mfrac mspace script"""
ALLOWED = set(TAGS.split())


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes = set(), set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.mark.parametrize(
    "name", ["</script><b>", "<!--", "@@data@@", 'x" onload="1', "\u202e", "nul\x00", "日本語", "\\"]
)
def test_hostile_names(name):
    w = sg.tensor(2.0, name=name, requires_grad=True)
    html = viz.step_through(sg.named(w * w, name, latex=name)).html
    reader = Reader()
    reader.feed(html)
    assert reader.tags <= ALLOWED
    assert not {a for a in reader.attributes if a.startswith("on") or a in ("src", "href", "style")}
    assert html.count("<script") == 2
    assert html.count("</script>") == 2


def test_equal_pages_are_equal_bytes(page):
    again = viz.step_through(page._reading.nodes[page._reading.root]).html
    assert again == page.html


def test_saving_and_showing(page, tmp_path):
    assert page.save(tmp_path / "a.html").read_text(encoding="utf-8") == page.html
    with pytest.raises(sg.SymgradError, match=r"\.html"):
        page.save(tmp_path / "a.svg")
    shown = page._repr_mimebundle_()
    assert 'sandbox="allow-scripts"' in shown["text/html"]
    with pytest.raises(sg.GradientError, match="scalar"):
        viz.step_through(sg.tensor([1.0, 2.0], requires_grad=True) * 2)
    with pytest.raises(sg.GradientError, match="needs a Tensor"):
        viz.step_through(3)


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        (name_text("sigma2", r"\sigma_B^2"), "<mrow><msubsup><mi>σ</mi><mi>B</mi><mn>2</mn></msubsup></mrow>"),
        (latex_text("10^{-5}"), "<mrow><msup><mn>10</mn><mrow><mo>−</mo><mn>5</mn></mrow></msup></mrow>"),
        (name_text("<b>"), '<mrow><mo>&lt;</mo><mi>b</mi><mo>&gt;</mo></mrow>'),
    ],
)  # fmt: skip
def test_runs_as_mathml(text, markup):
    assert row(text) == markup
