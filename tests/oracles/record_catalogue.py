"""Record first and second derivatives of the catalogue in torch, for tests/symbolic/test_double.py (without torch).

python tests/oracles/record_catalogue.py          writes catalogue.npz beside this file
python tests/oracles/record_catalogue.py --check  exits with 1 if torch gives something else than recorded
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from catalogue_cases import NAMES, Arrays, arrays_of, by_torch, difference

FILE = Path(__file__).with_name("catalogue.npz")


def read() -> dict[str, tuple[Arrays, Arrays]]:
    """Inputs and answers by the name of the entry."""
    found: dict[str, tuple[Arrays, Arrays]] = {}
    with np.load(FILE) as file:
        for key in file.files:
            name, kind, part = key.split("/")
            found.setdefault(name, ({}, {}))[kind == "answer"][part] = file[key]
    return found


def write() -> None:
    made: dict[str, Any] = {}
    for name in NAMES:
        arrays = arrays_of(name)
        for kind, parts in (("input", arrays), ("answer", by_torch(name, arrays))):
            made |= {f"{name}/{kind}/{part}": a for part, a in parts.items()}
    np.savez_compressed(FILE, **made)


def main() -> int:
    if "--check" not in sys.argv:
        write()
        return 0
    recorded = read()
    wrong = {n: w for n in NAMES if n not in recorded or (w := difference(by_torch(n, recorded[n][0]), recorded[n][1]))}
    sys.stdout.write(f"catalogue: {len(NAMES) - len(wrong)} of {len(NAMES)} entries as recorded {wrong or ''}\n")
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main())
