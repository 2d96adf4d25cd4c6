"""One contender in one process: prints its check, then the seconds of a block for every line it reads."""

from __future__ import annotations

import os
import sys
import time

__all__ = ["main"]


def main() -> int:
    """Serve ``python -m benchmarks.worker FAMILY CONTENDER REPEATS``."""
    if hasattr(os, "sched_setaffinity"):  # all contenders on one core, which may be quicker or slower than others
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    from benchmarks.contenders import CONTENDERS

    family, contender, repeats = sys.argv[1:]
    block, check = CONTENDERS[family][contender](family, int(repeats))
    block()
    sys.stdout.write(f"{check!r}\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        start = time.process_time()
        block()
        sys.stdout.write(f"{(time.process_time() - start) / int(repeats)!r}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
