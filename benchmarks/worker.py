"""One contender in one process: prints facts of its start, then the seconds of a block for every line it reads."""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time

__all__ = ["main"]


def main() -> int:
    """Serve ``python -m benchmarks.worker FAMILY CONTENDER SECONDS``: blocks of about that many seconds."""
    if hasattr(os, "sched_setaffinity"):  # all contenders on one core, which may be quicker or slower than others
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    from benchmarks.contenders import CONTENDERS
    from benchmarks.problems import FAMILIES

    family, contender, seconds = sys.argv[1:]
    module, _, options, _ = CONTENDERS[contender]
    problem = FAMILIES[family]
    library = importlib.import_module(f"benchmarks.contenders.{module}")
    make = getattr(library, problem.kind)
    start = time.perf_counter()  # somebody waits for the first result: also for disks, and for other processes
    step = make(problem, **options)
    values = [float(step())]
    first = time.perf_counter() - start
    values += [float(step()) for _ in range(4 if problem.kind in ("network", "cnn") else 0)]
    start = time.process_time()
    step()
    once = max(time.process_time() - start, 1e-7)
    repeats = max(1, int(float(seconds) / once))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    facts = {"check": values[-1], "first": first, "peak": peak, "block": repeats * once}
    if hasattr(library, "profile"):
        facts["profile"] = library.profile(step)
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        start = time.process_time()  # one thread: seconds of work, whatever else the machine does
        for _ in range(repeats):
            step()
        sys.stdout.write(f"{(time.process_time() - start) / repeats!r}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
