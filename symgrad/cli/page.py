"""The tour's page: one file that loads nothing and runs nothing."""

from __future__ import annotations

import base64
import statistics
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import symgrad as sg
import viz
from symgrad.cli import chapters
from symgrad.cli.chapters import code_of, source_of
from symgrad.cli.findings import SEEDS, Findings
from symgrad.symbolic.mathml import mathml
from symgrad.symbolic.page import page as frame
from symgrad.symbolic.page import verdict

__all__ = ["write_page"]


def write_page(path: Path, findings: Findings) -> None:
    """Write the page, and each picture as a file beside it."""
    pictures = {"neuron": findings.neuron, "batchnorm": findings.batch}
    for name, picture in pictures.items():
        picture.save(path.parent / f"{name}.svg")
    viz.write_text(path, page(findings))


def page(f: Findings) -> str:
    """The page as text."""
    return frame(
        title="symgrad: one graph, five readers",
        brand=f"symgrad {sg.__version__}",
        headline="One graph, five readers",
        lead="A formula is written once. The same graph of it runs, differentiates, derives, draws and compiles. "
        "Everything on this page was computed by the lines of code that stand beside it.",
        sections=[_formula(), _derivation(f), _proof(f), _check(f), _pictures(f), _plan(f), _training(f)],
        footer="<p>Made by <code>symgrad tour</code>. Digits: E. Alpaydin and C. Kaynak, Optical Recognition of "
        "Handwritten Digits, UCI Machine Learning Repository, 1998, doi:10.24432/C50P49, CC BY 4.0.</p>",
    )


def _code(text: str) -> str:
    return f'<pre tabindex="0"><code>{escape(text)}</code></pre>'


def _math(latex: str) -> str:
    return f'<div class="math">{mathml(latex, display=True)}</div>'


def _verdict(word: str, method: str = "") -> str:
    return f"{verdict(word)} {escape(method)}"


def _formula() -> tuple[str, str, str]:
    return (
        "formula",
        "The formula, written once",
        f"""
<p>BatchNorm as an ordinary function: the one that everything below reads.
Nobody wrote a gradient for it.</p>
{_code(source_of(sg.batch_norm))}""",
    )


def _derivation(f: Findings) -> tuple[str, str, str]:
    d = f.derivation
    gradients = "".join(_math(rf"{d.lhs(name)} = {d.latex_of(tree)}") for name, tree in d.trees.items())
    return (
        "derive",
        "Derived, for every batch size",
        f"""
<p>The minibatch couples every sample with every other. symgrad traces the function with a symbolic batch size
<i>B</i>, runs the pullbacks that train, and compacts the result in the author's own names. Once SymPy is
loaded, deriving, proving and printing it takes {1000 * f.derive_seconds:.0f} ms.</p>
{_code(code_of(chapters.show_derive))}
<div class="result">{gradients}</div>
<details open><summary>Step by step, every step checked</summary>{_steps(d)}</details>""",
    )


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], numbers: bool = False) -> str:
    """A table of cells that are markup already; the first cell of a row is its heading."""
    head = "".join(f'<th scope="col">{h}</th>' for h in heads)
    kind = ' class="number"' if numbers else ""
    body = "".join(
        f'<tr><th scope="row">{first}</th>' + "".join(f"<td{kind}>{cell}</td>" for cell in rest) + "</tr>"
        for first, *rest in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _steps(d: Any) -> str:
    titles = {"definition": "Definitions", "solve": "The same, solved backwards", "invariant": "What they imply"}
    out, last = [], ""
    for step in d.steps:
        title = titles.get(step.rule, "From the output back to the inputs")
        if title != last:
            out.append(f"<h3>{title}</h3>")
            last = title
        certificate = _verdict(step.certificate.verdict, step.certificate.method)
        note = "" if step.rule == "definition" else f"<p>{certificate}</p>"
        out.append(f'<div class="step">{_math(step.latex)}{note}</div>')
    return "".join(out)


def _proof(f: Findings) -> tuple[str, str, str]:
    d = f.derivation
    rows = [(mathml(d.lhs(n)), _verdict(p.verdict), escape(p.method)) for n, p in d.proofs.items()]
    assumed = ", ".join(mathml(a) for a in d.assumptions) or "nothing"
    return (
        "proof",
        "Proved",
        f"""
<p>Each gradient is compared with an independent total derivative: forward mode, which differentiates the formulas
themselves and shares no local derivative with the pullbacks. The difference is expanded and shown to be the empty sum.
This holds for every <i>B</i> in exact real arithmetic; it says nothing about rounding. Assumed: {assumed}.</p>
{_table(("gradient", "verdict", "how"), rows)}""",
    )


def _check(f: Findings) -> tuple[str, str, str]:
    rows = [(escape(name), f"{value:.1e}") for name, value in f.differences.items()]
    return (
        "check",
        "Checked against numbers",
        f"""
<p>Against finite differences, to second order, with random cotangents. Numeric derivatives carry their own error
bars.</p>{_code(code_of(chapters.show_check))}
<p>{_verdict(f.gradcheck.verdict)}</p><pre class="table" tabindex="0">{escape(str(f.gradcheck))}</pre>
<p>And the derived formula against the numeric graph, on a batch of 256 samples with 512 units:</p>
{_code(code_of(chapters.show_agree))}{_table(("argument", "largest difference"), rows, numbers=True)}""",
    )


def _pictures(f: Findings) -> tuple[str, str, str]:
    return (
        "draw",
        "Drawn",
        f"""
<p>Values flow along the blue strands, gradients back along the orange ones. Each edge shows its local derivative: the
pullback's own text, read as mathematics. A gradient is the sum over its card's outgoing edges.</p>
{_code(code_of(chapters.show_neuron))}
<figure>{f.neuron.svg}<figcaption>One neuron: value, gradient and local derivative.</figcaption></figure>
{_code(code_of(chapters.show_batch))}
<figure>{f.batch.svg}<figcaption>BatchNorm on a batch of four: three paths lead from a sample to the loss,
because the mean and the variance belong to the whole batch. Both pictures are files beside this page:
<a href="neuron.svg">neuron.svg</a> and <a href="batchnorm.svg">batchnorm.svg</a>.</figcaption></figure>""",
    )


def _plan(f: Findings) -> tuple[str, str, str]:
    size = f"{f.plan.calls} calls, {f.plan.memory / 1024:.0f} kB"
    return (
        "compile",
        "Compiled",
        f"""
<p>The whole training step (forward, backward, update) is traced once and replayed as straight-line NumPy into fixed
buffers: {size}. Parameters and gradients are views of one flat array. This is the program that trained the network
below.</p><details><summary>The compiled step</summary>{_code(f.plan.source)}</details>""",
    )


def _training(f: Findings) -> tuple[str, str, str]:
    curve = viz.plot_histories(f.histories, "val_loss", label="validation loss", log=True)
    image = f"data:image/svg+xml;base64,{base64.b64encode(curve.encode()).decode()}"
    rows = [
        (escape(name), f"{100 * statistics.mean(a):.1f} %", f"{100 * min(a):.1f} to {100 * max(a):.1f} %")
        for name, a in f.accuracies.items()
    ]
    epochs = len(f.histories["with BatchNorm"][0])
    return (
        "train",
        "Trained on real data",
        f"""
<p>Three hidden layers of 64 sigmoid units on 1,797 handwritten digits: 60 % to train, 20 % to validate, 20 % held back
until the end. With and without BatchNorm, {SEEDS} seeds each, {epochs} epochs; {f.train_seconds:.0f}&nbsp;s in all.</p>
{_code(code_of(chapters.show_network))}{_code(code_of(chapters.show_train))}
<figure><img src="{image}" alt="Validation loss against epochs, with and without BatchNorm">
<figcaption>Validation loss: the mean over the seeds, and the band from the smallest to the largest.</figcaption>
</figure>
{_table(("network", "test accuracy, mean", "worst to best"), rows, numbers=True)}""",
    )
