"""The page about speed, and its plots, from the figures of one run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.targets import verdicts

__all__ = ["write"]

HEAD = """# Speed

<!-- written by `make bench`; do not edit -->

A step of a small network costs the large frameworks ten to fifty times its arithmetic. `sg.compile` traces the whole
step once and replays it as straight calls into fixed buffers, which is why symgrad is quick where networks are small.

All figures are of one run. Each is the time of the same work as a ratio to PyTorch's eager mode: smaller is better.
Families of work come in random order; in each, every contender runs in a process of its own, with one thread and the
kernels that each library chooses itself (a variable such as `OPENBLAS_CORETYPE`, which pins them, is not handed on), in
blocks that take turns in random order. The figure is the median of the ratios of neighbouring blocks, in brackets the
range of its middle 80 %. That all compute the same is checked: the loss after five steps, or a gradient.
"symgrad" has no extras; "symgrad fast" has the extra `fast` (numba). "products alone" are the matrix products of a
step and nothing else, the floor for whoever uses NumPy's BLAS.
"""

WAITED = """The first step is the time that somebody waits, once the library is imported: from making the model to the
first result, so with tracing, compiling and whatever is loaded only then. The very first step with `fast` on a machine
takes some seconds more, in which numba compiles the interpreter, which then lies on disk; the suite runs it beforehand.
All other times, of steps and of imports, are seconds of the processor.
"""

HOW = """
## What makes a plan quick

`fast.plan.source` is the program, so nothing of this is hidden.

1. The whole step is traced: forward, backward, penalties, clipping, update. Equal nodes are merged, dead ones dropped.
2. Rewriting from identities: a bias is a row of the weights and a feature that is always 1; constants meet and merge;
   a sum that is divided by the number of its terms is a mean; a sum of products is a contraction. The rows of a
   Jacobian are computed together, one call per operation; so are the factors of a long product. relu is taken of the
   largest number of a window, instead of the largest of relu of all.
3. Parameters, gradients and the optimizer's state are vectors whose parts are the leaves, so that an update rule is a
   few calls for the whole network, in place.
4. Buffers are made once and shared by lifetime. A matrix with more samples than features lies column by column, so that
   loops run along the longer axis; a convolution keeps the samples on the last axis.
5. With the extra `fast`, most of a step becomes a program of one small interpreter, compiled once by numba and cached
   on disk: one call from Python. It runs elementwise operations and reductions block by block in the first-level
   cache, as vector code of its own or by the inner loops of NumPy's ufuncs, and calls NumPy's own matrix products. The
   operations are ordered so that few sweeps go over memory: BatchNorm forward and backward are three, an update of
   Adam is one. Each operation rounds as NumPy's does; only sums are ordered differently.
6. Large results are written to memory that the caller has let go of.

`sg.compile(f, fast=False)` does without the extra. `plan.report()` tells what ran eagerly and why, `plan.profile()`
times every line, and every operation of a program. If steps are slower than here, see whether a variable pins NumPy's
matrix products to an old processor: `OPENBLAS_CORETYPE` should not be set.
"""


def write(results: dict[str, Any], path: Path) -> None:
    """Write the page, and its plots beside it."""
    parts = [HEAD, _table(results), _targets(results), _facts(results)]
    for name, draw in (("ratios", _ratios), ("growth", _growth)):
        if results.get("families" if name == "ratios" else "growth"):
            picture = path.with_name(f"{path.stem}-{name}.svg")
            draw(results, picture)
            parts.append(f"\n![{name}]({picture.name})\n")
    path.write_text("\n".join([*parts, HOW]), encoding="utf-8")


def _names(results: dict[str, Any]) -> list[str]:
    found: dict[str, None] = {}
    for rows in results["families"].values():
        found.update(dict.fromkeys(rows))
    ours = [name for name in found if name.startswith("symgrad")]
    return [*ours, *(name for name in found if name not in ours)]


def _table(results: dict[str, Any]) -> str:
    names = _names(results)
    lines = ["| work | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for family, rows in results["families"].items():
        cells = [f"{rows[n]['ratio']:.3f} ({rows[n]['low']:.3f}-{rows[n]['high']:.3f})" if n in rows else ""
                 for n in names]  # fmt: skip
        lines.append(f"| {family} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _targets(results: dict[str, Any]) -> str:
    lines = ["\n## Targets\n", "Times are ratios to PyTorch's eager mode and, where that is aimed at, to `jax.jit` and",
             "to the products alone; each target is judged by itself.", WAITED,
             "| work | contender | of | target | measured | |", "|---" * 6 + "|"]  # fmt: skip
    for one in verdicts(results):
        scale, unit = {"": (1, ""), "s": (1e3, " ms"), "B": (1e-6, " MB")}[one.unit]
        word = "met" if one.met else f"**missed**: {one.reason}" if one.reason else "**missed**"
        lines.append(f"| {one.what} | {one.contender} | {one.reference} | {one.target * scale:g}{unit} |"
                     f" {one.shown * scale:g}{unit} | {word} |")  # fmt: skip
    return "\n".join(lines) + "\n"


def _facts(results: dict[str, Any]) -> str:
    head = "first step, ms: symgrad | with `fast` | torch | peak memory, MB: symgrad | with `fast` | torch"
    lines = [f"\n| work | {head} |", "|---" * 7 + "|"]
    for family, rows in results["families"].items():
        if "MLP" in family and "step" not in family:
            three = [rows.get(name) for name in ("symgrad", "symgrad fast", "torch")]
            cells = [f"{row[key] * scale:.0f}" if row else "" for key, scale in (("first", 1e3), ("peak", 1e-6))
                     for row in three]  # fmt: skip
            lines.append(f"| {family} | {' | '.join(cells)} |")
    imports = ", ".join(f"{name} {value:.2f} s" for name, value in results["import"].items())
    versions = ", ".join(f"{name} {value}" for name, value in results["machine"].items())
    failed = "".join(f"\n\nFailed: {line}." for line in results.get("failed", ()))
    return "\n".join(lines) + f"\n\nImport: {imports}.{failed}\n\nMeasured with {versions}.\n"


def _figure(*args: Any, **options: Any) -> Any:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "symgrad"
    from matplotlib import pyplot

    return pyplot.subplots(*args, layout="constrained", **options)


def _ratios(results: dict[str, Any], path: Path) -> None:
    families, names = list(results["families"]), _names(results)
    figure, axes = _figure(figsize=(9, 0.42 * len(families) + 1.6))
    marks = dict(zip(names, "oDs^v<>P*Xhp", strict=False))
    for name in names:
        ours = name.startswith("symgrad")
        points = [(results["families"][f][name]["ratio"], k) for k, f in enumerate(families)
                  if name in results["families"][f]]  # fmt: skip
        axes.scatter(*zip(*points, strict=True), marker=marks.get(name, "o"), s=60 if ours else 28,
                     alpha=1 if ours else 0.6, label=name, zorder=3 if ours else 2)  # fmt: skip
    axes.axvline(1, color="0.6", linewidth=1)
    axes.set(xscale="log", xlabel="time, as a ratio to torch eager (smaller is better)", yticks=range(len(families)),
             yticklabels=families)  # fmt: skip
    axes.invert_yaxis()
    axes.grid(axis="x", color="0.9")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    figure.savefig(path, metadata={"Date": None})


def _growth(results: dict[str, Any], path: Path) -> None:
    curves = results["growth"]
    figure, grid = _figure(2, (len(curves) + 1) // 2, figsize=(13, 5.5))
    for axes, (title, curve) in zip(grid.flat, curves.items(), strict=False):
        xs, ys = zip(*curve["points"], strict=True)
        axes.plot(xs, ys, marker="o")
        axes.plot(xs, [ys[-1] * x / xs[-1] for x in xs], linestyle=":", color="0.6")
        axes.set(xscale="log", yscale="log", title=title, ylabel=curve["unit"])
        axes.set_xticks(xs, [f"{x:g}" for x in xs], minor=False)
        axes.set_xticks([], minor=True)
        axes.title.set_fontsize(9)
        axes.grid(color="0.92")
    figure.suptitle("How cost grows (dotted: proportional)", fontsize=10)
    figure.savefig(path, metadata={"Date": None})
