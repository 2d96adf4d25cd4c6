"""``python -m benchmarks [FAMILY ...]``: time all contenders side by side and print ratios to torch."""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.contenders import CONTENDERS

REPEATS = {"chain-1e3": 20, "chain-1e4": 3, "chain-1e5": 1, "tiny-mlp": 500, "small-mlp": 300, "image-mlp": 50}
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR")}


class Worker:
    """A contender's process."""

    def __init__(self, family: str, contender: str) -> None:
        command = [sys.executable, "-m", "benchmarks.worker", family, contender, str(REPEATS[family])]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, **ONE_THREAD})  # fmt: skip
        self.check = float(self._line())
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


def compare(family: str, rounds: int) -> dict[str, Any]:
    """Time the contenders of a family in interleaved blocks in random order."""
    workers = {name: Worker(family, name) for name in CONTENDERS[family]}
    reference = workers["torch"].check
    for name, worker in workers.items():
        if abs(worker.check - reference) > 1e-4 * abs(reference):
            raise SystemExit(f"benchmark {family}: {name} computed {worker.check}, torch {reference}")
    order = list(workers)
    for _ in range(rounds):
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
                      "low": ratios[len(ratios) // 10], "high": ratios[-1 - len(ratios) // 10]}  # fmt: skip
    return rows


def import_seconds(rounds: int) -> dict[str, float]:
    """Median seconds of a process that imports symgrad, and of one that imports only NumPy."""
    result = {}
    for name in ("symgrad", "numpy"):
        times = []
        for _ in range(rounds):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", f"import {name}"], check=True)
            times.append(time.perf_counter() - start)
        result[name] = statistics.median(times)
    return result


def main() -> int:
    """Run the suite."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("families", nargs="*", choices=[*CONTENDERS, []], help="default: all")
    parser.add_argument("--rounds", type=int, default=15, help="blocks per contender; a third for the longest chain")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    results: dict[str, Any] = {}
    for family in options.families or CONTENDERS:
        results[family] = compare(family, options.rounds // 3 if family == "chain-1e5" else options.rounds)
        for name, row in results[family].items():
            time_, spread = f"{row['seconds'] * 1e6:12.1f} us", f"({row['low']:.3f} to {row['high']:.3f})"
            sys.stdout.write(f"{family:12} {name:14} {time_}   ratio to torch {row['ratio']:.3f} {spread}\n")
        sys.stdout.flush()
    results["import"] = import_seconds(5)
    sys.stdout.write(
        f"import       symgrad {results['import']['symgrad']:.3f} s, numpy alone {results['import']['numpy']:.3f} s\n"
    )
    if options.json:
        options.json.write_text(json.dumps(results, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
