"""A derivation as a lecture: the dependency argument, the chain rule, invariants and their reasons, four formats."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

import symgrad as sg
from symgrad.symbolic import catalogue, derive
from symgrad.symbolic.chain import coupled, links, paths, shown, stops
from symgrad.symbolic.lecture import Formula, Listing, Prose
from symgrad.symbolic.mathml import equations, mathml
from symgrad.symbolic.normal import ZERO
from symgrad.symbolic.plain import plain
from symgrad.symbolic.proof import prove_zero
from symgrad.symbolic.read import tangents
from symgrad.symbolic.structure import indices_of


def body_of(page):
    return "<body>" + page.split("<body>")[1].split("</html>")[0]


def section(d, key):
    return next(s for s in d.lecture if s.key == key)


def words(blocks):
    return " ".join(b.text for b in blocks if isinstance(b, Prose))


def formulas(blocks):
    return [" = ".join(b.parts) for b in blocks if isinstance(b, Formula)]


def test_batchnorm_is_told_as_on_the_board():
    d = derive("batchnorm")
    assert [s.key for s in d.lecture] == [
        "result", "given", "depends", "solved", "invariants", "backward", "proof", "numpy",
    ]  # fmt: skip
    depends = section(d, "depends").blocks
    assert r"Each $z_i$ feeds every $\hat z_i$, not only its own, through $\mu_B$ and $\sigma_B^2$" in words(depends)
    assert r"$z \to \mu_B \to \sigma_B^2 \to u \to \hat z$" in words(depends)
    assert r"\frac{\partial \hat z_i}{\partial z_q}" in formulas(depends)[0]
    assert r"\delta_{qi} - 1 - u_q\,u_i" in formulas(depends)[0]
    assert formulas(section(d, "solved").blocks) == [r"z_i = \mu_B + \sqrt{\sigma_B^2 + \epsilon}\,u_i"]
    assert r"From the definition of $\mu_B$, with what was found for $z$ put in:" in words(
        section(d, "invariants").blocks
    )
    backward = formulas(section(d, "backward").blocks)
    slope = r"\frac{\partial \sigma_B^2}{\partial \mu_B}"
    assert rf"{slope} = -\frac{{2\,\sqrt{{\sigma_B^2 + \epsilon}}}}{{B}}\,\sum_{{j=1}}^{{B}} u_j = 0" in backward
    chain = next(f for f in backward if f.startswith(r"\frac{\partial L}{\partial z_i} ="))
    for name in (r"\mu_B", r"\sigma_B^2", "u_i"):
        assert rf"\frac{{\partial L}}{{\partial {name}}}\,\frac{{\partial {name}}}{{\partial z_i}}" in chain
    assert chain.endswith(d.latex_of(d.trees["z"]))


@pytest.mark.parametrize("name", catalogue())
def test_every_step_of_every_lecture_is_proved_and_the_chain_rule_adds_up(name):
    d = derive(name)
    for part in d.lecture:
        for block in part.blocks:
            if isinstance(block, Formula) and block.certificate is not None:
                assert block.certificate.verdict == "PROVED", (part.key, block.parts)
    for node in [*d.record.arguments.values(), *stops(d).values()]:
        if node is not d.record.output:
            total = ZERO
            for link in links(d, node):
                total = total + link.term
            assert prove_zero(d.program, total - d.adjoint(node)), shown(d, node).name


def test_a_wrong_direct_derivative_is_not_certified(monkeypatch):
    from symgrad.symbolic import chain

    real = chain._slope
    monkeypatch.setattr(chain, "_slope", lambda *args: real(*args).scale(2))
    d = derive("batchnorm")
    verdicts = {link.certificate.verdict for link in links(d, d.record.arguments["z"])}
    assert verdicts == {"FALSE"}


def flow(d, name):
    node = d.record.arguments[name]
    moving, at = tangents(d.reader, d.record.forward, node)
    return coupled(moving[d.record.output.serial], at, indices_of(d.record.output.shape))


def test_what_keeps_its_index_is_said_and_what_is_stopped_is_no_way():
    depends = words(section(derive("softmax"), "depends").blocks)
    assert "feeds every $p_{ic}$ with the same $i$, not only its own, through $S$, which collects" in depends
    assert r"x \to m" not in depends


def test_what_is_coupled():
    assert len(flow(derive("batchnorm"), "z")) == 1
    features = derive("batchnorm_2d")
    assert [i.size[0][0][0] for i in flow(features, "z")] == ["B"]
    assert [i.size[0][0][0] for i in flow(derive("layernorm"), "z")] == ["D"]
    assert flow(derive("silu"), "x") == []


def test_paths_are_cut_where_there_are_many():
    def deep(x):
        for k in range(12):
            x = sg.named(x + sg.named(sg.tanh(x), f"t{k}"), f"x{k}")
        return x

    d = derive(deep, x=sg.spec("N"))
    assert len(paths(d, d.record.arguments["x"])) <= 12


def test_an_argument_that_does_not_reach_the_output_is_said():
    d = derive(lambda x, y: x * 2 + 0 * sg.stop_gradient(y), x=sg.spec("N"), y=sg.spec("N"))
    assert "its gradient is zero" in words(section(d, "depends").blocks)
    assert "UNKNOWN" not in d.text()


@pytest.mark.parametrize("name", catalogue())
def test_every_format_tells_all_steps(name):
    d = derive(name)
    sections = d.lecture
    markdown, page, text, document = d.markdown(), d.html(), d.text(), d.latex(document=True)
    root = ElementTree.fromstring(body_of(page))
    seals = root.findall(".//*[@class='verdict good']")
    certified = [b for s in sections for b in s.blocks if isinstance(b, Formula) and b.certificate]
    assert len(seals) == len(certified) == text.count("PROVED: ") == document.count(r"\seal{PROVED}")
    for s in sections:
        assert f'id="{s.key}"' in page
        for b in s.blocks:
            if isinstance(b, Formula):
                assert all(plain(part) in text for part in b.parts)
                assert all(part in markdown and part in document for part in b.parts)
                assert equations(b.parts) in page
            if isinstance(b, Listing):
                assert b.code in markdown
    plain_parts = re.sub(r"(?s)```.*?```|\$\$.*?\$\$|\$.*?\$", "", markdown)
    assert "\\" not in plain_parts.replace(r"\_", "")
    assert "<script" not in page


def test_hostile_names_stay_names():
    hostile = '</style><script>alert("x")</script>$`|[a](b)'
    d = derive(lambda z: sg.named(z * 2, hostile) * z, z=sg.spec("N"))
    page = d.html()
    assert "<script" not in page
    ElementTree.fromstring(body_of(page))
    d.text(), d.markdown()


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"\frac{a + b}{c\,d}", "(a + b)/(c d)"),
        (r"-\frac{1}{2}\,x_{ij}^{2}", "−1/2 x_{ij}²"),
        (r"\sum_{j=1}^{B} \left(z_j - \mu_B\right)^{2}", "Σ_{j=1..B} (z_j − μ_B)²"),
        (r"\hat z_i \to \bar{t}", "z\u0302_i → t\u0304"),
        (r"\left|x\right|^{p}", "|x|^p"),
        (r"e^{-x}", "e^(−x)"),
        (r"\sqrt{2}", "√2"),
        (r"\operatorname{erf}\left(x\right)", "erf(x)"),
    ],
)
def test_formulas_on_one_line(latex, text):
    assert plain(latex) == text


def test_unbalanced_latex_is_shown_and_not_an_error():
    for text in (r"\frac{a", "}", "a_{", r"\left(", "^", "_", "\\", r"\sqrt", "{}", "$", "&<>"):
        ElementTree.fromstring(mathml(text))
        plain(text)
