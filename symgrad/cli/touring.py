"""``symgrad tour``: the whole idea on real data, as one page to open."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from symgrad.cli.findings import SEEDS, Findings
from symgrad.cli.frame import Answer, MistakeError, Say, command

__all__ = ["explore", "tour"]


def explore(seed: int, epochs: int, say: Say) -> Findings:
    """Run all chapters."""
    from symgrad.cli import chapters

    with say.doing("deriving BatchNorm's gradient for a symbolic batch size, and proving it"):
        derivation = chapters.show_derive()
        start = time.perf_counter()
        again = chapters.show_derive()
        _ = again.gradients, again.proofs, again.latex(), again.numpy_source
        derive_seconds = time.perf_counter() - start
    with say.doing("checking it against the graph and against finite differences"):
        check, gradcheck, differences = derivation.check(), chapters.show_check(), chapters.show_agree()
    with say.doing("drawing backpropagation"):
        neuron, batch = chapters.show_neuron(), chapters.show_batch()
        _ = neuron.svg, batch.svg
    histories: dict[str, list[Any]] = {"with BatchNorm": [], "without": []}
    accuracies: dict[str, list[float]] = {name: [] for name in histories}
    plan = None
    start = time.perf_counter()
    for name in histories:
        for k in range(SEEDS):
            with say.doing(f"training on digits {name}, seed {seed + k}"):
                model = chapters.show_network(batchnorm=name == "with BatchNorm")
                history, accuracy, trainer = chapters.show_train(model, seed + k, epochs)
            histories[name].append(history)
            accuracies[name].append(accuracy)
            plan = trainer.plan if plan is None else plan
    return Findings(derivation, derive_seconds, check, gradcheck, differences, neuron, batch, plan, histories,
                    accuracies, time.perf_counter() - start)  # fmt: skip


@command
def tour(
    *,
    out: Annotated[Path, typer.Option(help="Folder for the page and its pictures; made if needed.")] = Path("tour"),
    epochs: Annotated[int, typer.Option(min=1, help="Passes through the training data.")] = 30,
    seed: int,
    say: Say,
) -> Answer:
    """Derive, prove, check, draw, compile and train BatchNorm; write one page to open.

    Example: symgrad tour --out tour
    """
    page = out / "index.html"
    if out.exists() and not out.is_dir():
        raise MistakeError(f"tour: {out} is a file; give a folder with --out")
    out.mkdir(parents=True, exist_ok=True)
    findings = explore(seed, epochs, say)
    from symgrad.cli.page import write_page

    write_page(page, findings)
    return Answer(_closing(findings, page), {**findings.summary(), "page": str(page)}, findings.right)


def _closing(findings: Findings, page: Path) -> str:
    summary = findings.summary()
    proofs = ", ".join(f"{name} {verdict}" for name, verdict in summary["proofs"].items())
    plain = statistics.mean(findings.accuracies["without"])
    return f"""
Found:
  dL/dz[i] = {summary["gradient"]}
  proofs for every batch size: {proofs}
  graph against finite differences, to second order: {summary["gradcheck"]}
  derived formula against the graph: largest difference {summary["largest_difference"]:.1e}
  digits, {SEEDS} seeds, test part right: {100 * findings.accuracy:.1f} % with BatchNorm, {100 * plain:.1f} % without

The page: {page.resolve().as_uri()}
"""
