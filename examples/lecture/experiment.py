"""The frame of every experiment: a claim with its threshold, at least five seeds, and a control that must fail.

A script defines `measure(seed, control)`, which returns named numbers and curves, and `draw(axes, on, off)`, and
says in one `Experiment` what must hold. The control is the same measurement with the mechanism of the claim switched
off: if the checks also held there, they would not test the claim.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import operator
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from symgrad.errors import SymgradError

HERE = Path(__file__).parent
NEEDED = ("joblib", "threadpoolctl", "matplotlib", "rich")
RELATIONS = {"<": operator.lt, ">": operator.gt}
COLORS = ("#0072B2", "#D55E00", "#009E73", "#A23B7A", "#B7791F", "#5A6877")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
Result = dict[str, Any]


@dataclass(frozen=True)
class Check:
    """What must hold of a statistic: for every seed, or of the mean over the seeds where the noise is the subject."""

    statistic: str
    relation: str
    threshold: float
    mean: bool = False

    def holds(self, results: Sequence[Result]) -> bool:
        values = [result[self.statistic] for result in results]
        return all(RELATIONS[self.relation](v, self.threshold) for v in ([np.mean(values)] if self.mean else values))

    def spread(self, results: Sequence[Result]) -> str:
        values = np.array([result[self.statistic] for result in results], dtype=float)
        return f"{values.mean():.4g} ({values.min():.4g} to {values.max():.4g})"

    def line(self, results: Sequence[Result]) -> str:
        scope = "mean" if self.mean else "every seed"
        return f"{self.statistic}: {self.spread(results)}; must be {self.relation} {self.threshold:g}, {scope}"


@dataclass(frozen=True)
class Experiment:
    """One claim of the lecture, how it is measured, and what the numbers must be.

    Parameters
    ----------
    name, title, items : str
        The script's name, a heading, and the items of the lecture it is about.
    claim, control : str
        What is claimed, and what the negative control switches off.
    checks : sequence of Check
    measure : callable
        ``measure(seed, control)``, a pure function of its arguments.
    draw : callable
        ``draw(axes, on, off)`` paints the results of all seeds, with the mechanism and without.
    seeds : sequence of int
    panels : int
    looked : str
        What of the above was set after a first look at the numbers.
    refuted : str
        For a claim that does not reproduce: what was found instead. Its thresholds stay, and it must go on failing.
    """

    name: str
    title: str
    claim: str
    control: str
    checks: Sequence[Check]
    measure: Callable[[int, bool], Result]
    draw: Callable[[Any, list[Result], list[Result]], None]
    seeds: Sequence[int] = range(5)
    panels: int = 1
    looked: str = ""
    refuted: str = ""

    @property
    def source(self) -> Path:
        return HERE / f"{self.name}.py"

    def key(self) -> str:
        """Changes with the script and with this frame."""
        return hashlib.sha256(self.source.read_bytes() + Path(__file__).read_bytes()).hexdigest()[:16]

    def tasks(self) -> list[tuple[int, bool]]:
        return [(seed, control) for control in (False, True) for seed in self.seeds]

    def run(self, jobs: int = 2, done: Callable[[], None] = lambda: None) -> dict[str, Any]:
        """Measure all seeds with and without the mechanism; the record that `report` and the figure read."""
        from joblib import Parallel, delayed

        results, seconds = [], 0.0
        calls = (delayed(timed)(self.source, *task) for task in self.tasks())
        for result, used in Parallel(n_jobs=jobs, return_as="generator")(calls):
            results.append(result)
            seconds += used
            done()
        count, key = len(self.seeds), self.key()
        return {"name": self.name, "key": key, "seconds": plain(seconds), "on": results[:count], "off": results[count:]}

    def verdict(self, record: dict[str, Any]) -> tuple[bool, bool]:
        """Whether the claim holds, and whether the control fails."""
        on, off = (all(check.holds(record[part]) for check in self.checks) for part in ("on", "off"))
        return on, not off

    def outcome(self, record: dict[str, Any]) -> str:
        """PASS; NOT REPRODUCED if that is what is known of the claim; else FAIL."""
        claim, control = self.verdict(record)
        if not control or claim == bool(self.refuted):
            return "FAIL"
        return "NOT REPRODUCED" if self.refuted else "PASS"

    def remarks(self) -> list[tuple[str, str]]:
        """What a reader should know beside claim and numbers, under headings."""
        found = [("Found", self.refuted), ("Set after a first look", self.looked)]
        return [(heading, text) for heading, text in found if text]

    def report(self, record: dict[str, Any]) -> str:
        """What was claimed and measured, in plain text."""
        control = self.verdict(record)[1]
        lines = [f"{self.name}: {self.title}", f"  claim    {self.claim}"]
        lines += [f"           {check.line(record['on'])}" for check in self.checks]
        lines += [f"           {self.outcome(record)} ({len(record['on'])} seeds)"]
        lines += [f"           {heading}: {text}" for heading, text in self.remarks()]
        lines += [f"  control  {self.control}"]
        lines += [f"           {check.line(record['off'])}" for check in self.checks]
        lines += [
            "           fails, as it must" if control else "           HOLDS AS WELL: the checks do not test the claim"
        ]
        return "\n".join(lines)

    def figure(self, record: dict[str, Any], path: Path) -> None:
        """Paint the record as SVG (or PNG, by the suffix)."""
        import matplotlib as mpl
        from matplotlib.figure import Figure

        style = {
            "font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#6B7785",
            "axes.labelcolor": "#1F2933", "xtick.color": "#6B7785", "ytick.color": "#6B7785", "axes.grid": True,
            "grid.color": "#E3E7EB", "grid.linewidth": 0.6, "lines.linewidth": 1.8, "axes.titlesize": 11,
            "axes.titlelocation": "left", "svg.hashsalt": self.name,
        }  # fmt: skip
        with mpl.rc_context(style):
            figure = Figure(figsize=(7.2 if self.panels == 1 else 8.6, 4.0), layout="constrained")
            axes = figure.subplots(1, self.panels)
            self.draw(axes, record["on"], record["off"])
            path.parent.mkdir(parents=True, exist_ok=True)
            metadata = {"Date": None} if path.suffix == ".svg" else None
            figure.savefig(path, dpi=150, metadata=metadata)

    def main(self) -> int:
        """Run as a script: print the numbers, save the record and the figure."""
        parser = command(f"python examples/lecture/{self.name}.py", f"{self.title}. {self.claim}")
        arguments = parser.parse_args()
        return guarded(lambda: self.alone(arguments.out, arguments.jobs), arguments.out)

    def alone(self, out: Path, jobs: int) -> int:
        """Measure, save, print."""
        out.mkdir(parents=True, exist_ok=True)
        record = self.run(jobs)
        self.figure(record, out / f"{self.name}.svg")
        save(record, out)
        sys.stdout.write(self.report(record) + "\n")
        return 1 if self.outcome(record) == "FAIL" else 0


# The command line


def command(prog: str, description: str) -> argparse.ArgumentParser:
    """What one script and all of them have in common."""
    parser = argparse.ArgumentParser(prog=prog, description=description)
    parser.add_argument("--out", type=Path, default=Path("experiments"), help="folder for what is written")
    parser.add_argument("--jobs", type=processes, default=2, help="processes (default 2)")
    return parser


def processes(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of processes; give 1 or more")
    return int(text)


def guarded(work: Callable[[], int], out: Path) -> int:
    """The exit code of a command; what its user can mend is one line with the remedy."""
    try:
        for name in NEEDED:  # before anything is measured
            importlib.import_module(name)
        return work()
    except ImportError as error:
        return complain(f"needs {error.name}; install it with: pip install 'symgrad[all]'")
    except SymgradError as error:
        return complain(str(error))
    except OSError as error:
        return complain(f"cannot write to {out}: {error.strerror}; name another folder with --out")
    except KeyboardInterrupt:
        return complain("stopped; what is finished is kept", 130)


def complain(message: str, code: int = 2) -> int:
    sys.stderr.write(f"{Path(sys.argv[0]).name}: {message}\n")
    return code


def load(source: Path) -> Experiment:
    """The experiment of a script."""
    if str(HERE) not in sys.path:
        sys.path.insert(0, str(HERE))
    return importlib.import_module(source.stem).EXPERIMENT


def measured(source: Path, seed: int, control: bool) -> Result:
    """One measurement as plain data, in single-threaded NumPy; runs in a process of its own."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return {name: plain(value) for name, value in load(source).measure(seed, control).items()}


def timed(source: Path, seed: int, control: bool) -> tuple[Result, float]:
    """A measurement and the seconds of processor time it took."""
    start = time.process_time()
    return measured(source, seed, control), time.process_time() - start


def plain(value: Any) -> Any:
    """Numbers, lists and dicts of them, to six digits."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if np.ndim(value):
        return [plain(part) for part in value]
    return value if isinstance(value, str | int) else float(f"{float(value):.6g}")


def save(record: dict[str, Any], folder: Path) -> None:
    (folder / f"{record['name']}.json").write_text(json.dumps(record, separators=(",", ":")) + "\n", encoding="utf-8")


# What scripts draw with


def curve(axes: Any, runs: Sequence[Any], label: str, k: int, x: Any = None, end: bool = True) -> None:
    """The mean over seeds with a band from the smallest to the largest; named where it ends."""
    values = np.array(runs, dtype=float)
    x = np.arange(values.shape[1]) if x is None else np.asarray(x)
    color, dash = COLORS[k % len(COLORS)], DASHES[k % len(DASHES)]
    axes.plot(x, values.mean(axis=0), color=color, linestyle=dash, label=label)
    axes.fill_between(x, values.min(axis=0), values.max(axis=0), color=color, alpha=0.15, linewidth=0)
    if end:
        axes.annotate(label, (x[-1], values.mean(axis=0)[-1]), xytext=(5, 0), textcoords="offset points", va="center",
                      color=color, weight="bold", annotation_clip=False)  # fmt: skip


def dots(axes: Any, x: Any, runs: Sequence[Any], label: str, k: int) -> None:
    """One mark for every seed and a line through the means."""
    values = np.array(runs, dtype=float)
    color = COLORS[k % len(COLORS)]
    axes.plot(x, values.mean(axis=0), color=color, linestyle=DASHES[k % len(DASHES)], label=label)
    for row in values:
        axes.plot(x, row, linestyle="none", marker="osD^vP"[k % 6], markersize=3.5, color=color, alpha=0.5)


def thin(values: Any, count: int = 120) -> list[float]:
    """At most so many of the values, evenly spaced, the last included."""
    values = np.asarray(values, dtype=float)
    return values[np.unique(np.linspace(0, len(values) - 1, min(count, len(values))).round().astype(int))].tolist()
