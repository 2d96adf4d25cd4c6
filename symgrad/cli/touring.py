"""``symgrad tour``: the whole idea on real data, as one page to open."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from symgrad.cli.findings import SEEDS, Findings
from symgrad.errors import SymgradError

__all__ = ["explore", "tour"]


def explore(seed: int, epochs: int, progress: Any) -> Findings:
    """Run all chapters."""
    from symgrad.cli import chapters

    with progress("deriving BatchNorm's gradient for a symbolic batch size, and proving it"):
        derivation = chapters.show_derive()
        start = time.perf_counter()
        again = chapters.show_derive()
        _ = again.gradients, again.proofs, again.latex(), again.numpy_source
        derive_seconds = time.perf_counter() - start
    with progress("checking it against the graph and against finite differences"):
        check, gradcheck, differences = derivation.check(), chapters.show_check(), chapters.show_agree()
    with progress("drawing backpropagation"):
        neuron, batch = chapters.show_neuron(), chapters.show_batch()
        _ = neuron.svg, batch.svg
    histories: dict[str, list[Any]] = {"with BatchNorm": [], "without": []}
    accuracies: dict[str, list[float]] = {name: [] for name in histories}
    plan = None
    start = time.perf_counter()
    for name in histories:
        for k in range(SEEDS):
            with progress(f"training on digits {name}, seed {seed + k}"):
                model = chapters.show_network(batchnorm=name == "with BatchNorm")
                history, accuracy, trainer = chapters.show_train(model, seed + k, epochs)
            histories[name].append(history)
            accuracies[name].append(accuracy)
            plan = trainer.plan if plan is None else plan
    return Findings(derivation, derive_seconds, check, gradcheck, differences, neuron, batch, plan, histories,
                    accuracies, time.perf_counter() - start)  # fmt: skip


def tour(
    out: Annotated[Path, typer.Option(help="Folder for the page and its pictures; made if needed.")] = Path("tour"),
    seed: Annotated[int, typer.Option(min=0, help="Decides splits, initial weights and batches.")] = 0,
    epochs: Annotated[int, typer.Option(min=1, help="Passes through the training data.")] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON, and nothing else.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> int:
    """Derive, prove, check, draw, compile and train BatchNorm; write one page to open.

    Example: symgrad tour --out tour
    """
    page = out / "index.html"
    if out.exists() and not out.is_dir():
        raise SymgradError(f"tour: {out} is a file; give a folder with --out")
    out.mkdir(parents=True, exist_ok=True)
    findings = explore(seed, epochs, _quiet if quiet or as_json else _progress)
    from symgrad.cli.page import write_page

    write_page(page, findings)
    if as_json:
        sys.stdout.write(json.dumps({**findings.summary(), "page": str(page)}, indent=1) + "\n")
    elif not quiet:
        sys.stdout.write(_closing(findings, page))
    return 0 if findings.right else 1


@contextmanager
def _quiet(what: str) -> Iterator[None]:
    yield


@contextmanager
def _progress(what: str) -> Iterator[None]:
    """One line per thing done, with its time."""
    sys.stdout.write(f"  {what} ...")
    sys.stdout.flush()
    start = time.perf_counter()
    yield
    sys.stdout.write(f" {time.perf_counter() - start:.1f} s\n")


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
