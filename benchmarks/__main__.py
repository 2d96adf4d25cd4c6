"""``python -m benchmarks [FAMILY ...]``: time all contenders side by side; ratios to torch as table, JSON and page."""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.contenders import UNCHECKED, contenders
from benchmarks.page import write
from benchmarks.problems import FAMILIES

LIMIT = 20  # seconds of all blocks of a family, if three rounds do not take longer
QUICK = ("torch", "symgrad", "symgrad fast", "symgrad eager", "NumPy by hand")
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA")}
ONE_THREAD["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


class Worker:
    """A contender's process."""

    def __init__(self, family: str, contender: str, seconds: float) -> None:
        command = [sys.executable, "-m", "benchmarks.worker", family, contender, str(seconds)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, **ONE_THREAD})  # fmt: skip
        self.facts = json.loads(self._line())
        self.seconds: list[float] = []

    def _line(self) -> str:
        line = self.process.stdout.readline()  # type: ignore[union-attr]
        if not line:
            raise SystemExit(f"benchmark: a contender failed: {' '.join(self.process.args)}")  # type: ignore[arg-type]
        return line

    def run(self) -> None:
        """Time one block."""
        self.process.stdin.write("go\n")  # type: ignore[union-attr]
        self.process.stdin.flush()  # type: ignore[union-attr]
        self.seconds.append(float(self._line()))

    def stop(self) -> None:
        """End the process."""
        self.process.stdin.close()  # type: ignore[union-attr]
        self.process.wait()


def compare(family: str, names: list[str], rounds: int, seconds: float) -> dict[str, Any]:
    """Time contenders in interleaved blocks in random order."""
    workers = {name: Worker(family, name, seconds) for name in names}
    reference = workers["torch"].facts["check"]
    for name, worker in workers.items():
        found = worker.facts["check"]
        if name not in UNCHECKED and abs(found - reference) > 1e-3 * abs(reference):
            raise SystemExit(f"benchmark {family}: {name} computed {found}, torch {reference}")
    order = list(workers)
    slowest = sum(worker.facts["block"] for worker in workers.values())
    for _ in range(max(3, min(rounds, int(LIMIT / slowest)))):
        random.shuffle(order)
        for name in order:
            workers[name].run()
    for worker in workers.values():
        worker.stop()
    torch = workers["torch"].seconds
    rows = {}
    for name, worker in workers.items():
        ratios = sorted(a / b for a, b in zip(worker.seconds, torch, strict=True))
        rows[name] = {"seconds": statistics.median(worker.seconds), "ratio": statistics.median(ratios),
                      "low": ratios[len(ratios) // 10], "high": ratios[-1 - len(ratios) // 10],
                      "first": worker.facts["first"], "peak": worker.facts["peak"]}  # fmt: skip
    return rows


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
            if subprocess.run([sys.executable, "-c", f"import {name}"], capture_output=True, check=False).returncode:
                break
            times += [spent() - start] if k else []  # the first one fills the disk's cache
        if times:
            result[name] = statistics.median(times)
    return result


def machine() -> dict[str, str]:
    """What the figures depend on."""
    found = {"python": platform.python_version(), "processor": platform.processor() or platform.machine()}
    for name in ("numpy", "numba", "torch", "jax", "autograd", "mygrad", "scikit-learn"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def show(family: str, rows: dict[str, Any]) -> None:
    """Print one family."""
    for name, row in rows.items():
        spread = f"({row['low']:.3f} to {row['high']:.3f})"
        sys.stdout.write(f"{family:24} {name:15} {row['seconds'] * 1e6:12.1f} us  {row['ratio']:7.3f} {spread:18}"
                         f"  first {row['first'] * 1e3:8.1f} ms, peak {row['peak'] / 1e6:4.0f} MB\n")  # fmt: skip
    sys.stdout.flush()


def main() -> int:
    """Run the suite."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("families", nargs="*", choices=[*FAMILIES, []], help="default: all")
    parser.add_argument("--rounds", type=int, default=15, help="blocks per contender")
    parser.add_argument("--seconds", type=float, default=0.05, help="length of a block")
    parser.add_argument("--torch-compile", action="store_true", help="also torch.compile, which compiles for minutes")
    parser.add_argument("--quick", action="store_true", help="few contenders and rounds, no growth")
    parser.add_argument("--only", nargs="*", help="these contenders (and torch)")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--page", type=Path, help="write a page with plots here, from the figures of --json")
    options = parser.parse_args()
    rounds, seconds = (5, 0.02) if options.quick else (options.rounds, options.seconds)
    results: dict[str, Any] = {"machine": machine(), "families": {}}
    for family in options.families or FAMILIES:
        names = contenders(family, options.torch_compile)
        if options.quick or options.only:
            names = [n for n in names if n in ("torch", *(options.only or QUICK))]
        results["families"][family] = compare(family, names, rounds, seconds)
        show(family, results["families"][family])
    results["import"] = import_seconds(2 if options.quick else 5)
    for name, value in results["import"].items():
        sys.stdout.write(f"import {name:17} {value:.3f} s\n")
    if not options.quick and not options.families:
        run = [sys.executable, "-m", "benchmarks.growth"]
        environment = {**os.environ, **ONE_THREAD}
        results["growth"] = json.loads(subprocess.run(run, env=environment, capture_output=True, check=True).stdout)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if options.page:
        write(results, options.page)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
