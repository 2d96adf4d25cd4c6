"""``python -m benchmarks [FAMILY ...]``: time all contenders side by side; ratios to torch as table, JSON and page."""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.conditions import environment, machine
from benchmarks.contenders import UNCHECKED, contenders
from benchmarks.page import write
from benchmarks.problems import FAMILIES
from benchmarks.targets import verdicts

LIMIT = 15  # seconds of all blocks of a family, if three rounds do not take longer
QUICK = ("torch", "symgrad", "symgrad fast", "symgrad eager", "NumPy by hand")


class Failed(RuntimeError):
    """A contender did not do its work, or other work than the rest."""


class Worker:
    """A contender's process."""

    def __init__(self, family: str, contender: str, seconds: float) -> None:
        self.name = f"{family}: {contender}"
        command = [sys.executable, "-m", "benchmarks.worker", family, contender, str(seconds)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        stderr=subprocess.PIPE, start_new_session=True,
                                        env=environment())  # fmt: skip
        self.facts: dict[str, Any] = {}
        self.seconds: list[float] = []

    def _line(self) -> str:
        line = self.process.stdout.readline()  # type: ignore[union-attr]
        if not line:
            said = self.process.stderr.read().strip().splitlines()  # type: ignore[union-attr]
            raise Failed(f"{self.name} failed: {said[-1] if said else 'it said nothing'}")
        return line

    def start(self) -> None:
        """Wait for the facts of its start."""
        self.facts = json.loads(self._line())

    def run(self) -> None:
        """Time one block."""
        self.process.stdin.write("go\n")  # type: ignore[union-attr]
        self.process.stdin.flush()  # type: ignore[union-attr]
        self.seconds.append(float(self._line()))

    def stop(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
        self.process.communicate()


def compare(family: str, names: list[str], rounds: int, seconds: float) -> tuple[dict[str, Any], list[str]]:
    """Time contenders in interleaved blocks in random order: figures, and who failed."""
    workers: dict[str, Worker] = {}
    failed: list[str] = []
    try:
        for name in names:
            workers[name] = Worker(family, name, seconds)
            try:
                workers[name].start()
                _check(workers[name], workers["torch"])
            except Failed as error:
                failed.append(str(error))
                workers.pop(name).stop()
                if name == "torch":
                    return {}, failed
        order = list(workers)
        slowest = sum(worker.facts["block"] for worker in workers.values())
        for _ in range(max(3, min(rounds, int(LIMIT / slowest)))):
            random.shuffle(order)
            for name in order:
                workers[name].run()
    finally:
        for worker in workers.values():
            worker.stop()
    return {name: _figures(worker, workers["torch"]) for name, worker in workers.items()}, failed


def _check(worker: Worker, torch: Worker) -> None:
    found, reference = worker.facts["check"], torch.facts["check"]
    if worker.name.split(": ")[-1] not in UNCHECKED and not abs(found - reference) <= 1e-3 * abs(reference):
        raise Failed(f"{worker.name} computed {found}, torch {reference}")


def _figures(worker: Worker, torch: Worker) -> dict[str, Any]:
    ratios = sorted(a / b for a, b in zip(worker.seconds, torch.seconds, strict=True))
    return {"seconds": statistics.median(worker.seconds), "ratio": statistics.median(ratios),
            "low": ratios[len(ratios) // 10], "high": ratios[-1 - len(ratios) // 10],
            **{name: worker.facts[name] for name in ("first", "peak", "profile") if name in worker.facts}}  # fmt: skip


def compile_once() -> float:
    """Seconds of the first step with the extra ``fast``: numba may compile what then lies on disk for all others."""
    worker = Worker("tiny MLP", "symgrad fast", 0.01)
    try:
        worker.start()
    finally:
        worker.stop()
    return float(worker.facts["first"])


def import_seconds(rounds: int) -> dict[str, float]:
    """Median seconds of work of processes that import a library."""

    def spent() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    result = {}
    for name in ("numpy", "symgrad", "torch", "jax", "autograd", "mygrad"):
        times = []
        for k in range(rounds + 1):
            start = spent()
            command = [sys.executable, "-c", f"import {name}"]
            if subprocess.run(command, env=environment(), capture_output=True, check=False).returncode:
                break
            times += [spent() - start] if k else []  # the first one fills the disk's cache
        if times:
            result[name] = statistics.median(times)
    return result


def show(family: str, rows: dict[str, Any]) -> None:
    """Print one family."""
    for name, row in rows.items():
        spread = f"({row['low']:.3f} to {row['high']:.3f})"
        sys.stdout.write(f"{family:24} {name:15} {row['seconds'] * 1e6:12.1f} us  {row['ratio']:7.3f} {spread:18}"
                         f"  first {row['first'] * 1e3:8.1f} ms, peak {row['peak'] / 1e6:4.0f} MB\n")  # fmt: skip
    sys.stdout.flush()


def judge(results: dict[str, Any]) -> None:
    """Print what became of the targets, and who failed."""
    for one in verdicts(results):
        word = "met   " if one.met else "MISSED"
        reason = f"  ({one.reason})" if one.reason and not one.met else ""
        of = f" of {one.reference}" if one.reference else ""
        sys.stdout.write(f"{word} {one.what:26} {one.contender:13} {one.found:9.3g}{one.unit:2}"
                         f" target {one.target:g}{one.unit}{of}{reason}\n")  # fmt: skip
    for line in results["failed"]:
        sys.stdout.write(f"FAILED {line}\n")


def progress(k: int, n: int, start: float, family: str) -> None:
    """Say on the error stream how far the run is."""
    gone = time.monotonic() - start
    left = f", about {gone / k * (n - k):.0f} s to go" if k else ""
    sys.stderr.write(f"[{k + 1}/{n}, {gone:.0f} s{left}] {family}\n")
    sys.stderr.flush()


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """One run of all families, in random order."""
    rounds, seconds = (5, 0.02) if options.quick else (options.rounds, options.seconds)
    results: dict[str, Any] = {"machine": machine(), "families": {}, "failed": []}
    if find_spec("numba"):
        sys.stdout.write(f"the very first step with numba {compile_once():.1f} s\n")
    families = list(options.families or FAMILIES)
    random.shuffle(families)
    start, n = time.monotonic(), len(families) + 1
    for k, family in enumerate(families):
        progress(k, n, start, family)
        names = contenders(family, options.torch_compile)
        if options.quick or options.only:
            names = [name for name in names if name in ("torch", *(options.only or QUICK))]
        rows, failed = compare(family, names, rounds, seconds)
        results["families"][family] = rows
        results["failed"] += failed
        show(family, rows)
    results["families"] = {f: results["families"][f] for f in FAMILIES if results["families"].get(f)}
    progress(n - 1, n, start, "import and growth")
    results["import"] = import_seconds(2 if options.quick else 5)
    for name, value in results["import"].items():
        sys.stdout.write(f"import {name:17} {value:.3f} s\n")
    if not options.quick and not options.families:
        run = [sys.executable, "-m", "benchmarks.growth"]
        results["growth"] = json.loads(subprocess.run(run, env=environment(), capture_output=True, check=True).stdout)
    return results


def main() -> int:
    """Run the suite; its files are written only when all is done."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("families", nargs="*", choices=[*FAMILIES, []], help="default: all")
    parser.add_argument("--rounds", type=int, default=15, help="blocks per contender")
    parser.add_argument("--seconds", type=float, default=0.05, help="length of a block")
    parser.add_argument("--torch-compile", action="store_true", help="also torch.compile, which compiles for minutes")
    parser.add_argument("--quick", action="store_true", help="few contenders and rounds, no growth")
    parser.add_argument("--only", nargs="*", help="these contenders (and torch)")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--page", type=Path, help="write a page with plots here, from the figures of this run")
    parser.add_argument("--from", type=Path, dest="known", help="measure nothing: take the figures from this file")
    options = parser.parse_args()
    try:
        known = options.known
        results = json.loads(known.read_text(encoding="utf-8")) if known else measure(options)
    except KeyboardInterrupt:
        sys.stderr.write("benchmark: interrupted; no file was written\n")
        return 130
    judge(results)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if options.page:
        write(results, options.page)
    return 1 if results["failed"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
