"""Record what torch gives for every case: value, gradient and second derivative in float64.

python tests/oracles/record.py [family ...]   write recorded/<family>.npz anew, for all families or for these
python tests/oracles/record.py --check        compare symgrad and the records with this torch; exit 1 on a difference
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
from cases import FAMILIES, Case
from compare import Answers, by_symgrad, by_torch, difference

FOLDER = Path(__file__).with_name("recorded")
Record = dict[str, tuple[list[Any], Answers]]


def recordable(family: str) -> dict[str, Case]:
    """The cases of a family that torch can answer, by name."""
    return {c.name: c for c in FAMILIES[family] if c.torch is not None and all(np.size(a) for a in c.inputs())}


CASES: dict[str, Case] = {name: c for family in FAMILIES for name, c in recordable(family).items()}


def file_of(family: str, folder: Path = FOLDER) -> Path:
    """Where a family's references are."""
    return folder / f"{family}.npz"


def record(family: str) -> Record:
    """Inputs and torch's answers, by case."""
    return {name: (c.inputs(), by_torch(c, c.inputs())) for name, c in recordable(family).items()}


def write(family: str, folder: Path = FOLDER) -> None:
    """Write the recorded references: one vector of numbers, and the list of what they are."""
    parts, contents = [], []
    for name, (arrays, answers) in record(family).items():
        inputs = {f"in{k}": a for k, a in enumerate(arrays)}
        for part, a in (inputs | answers).items():
            parts.append(a.astype(np.float64).ravel())  # booleans and small integers too: exact
            contents.append([name, part, str(a.dtype), list(a.shape)])
    folder.mkdir(exist_ok=True)
    numbers = np.concatenate(parts)
    np.savez_compressed(file_of(family, folder), contents=np.array(json.dumps(contents)), numbers=numbers)


def read(family: str, folder: Path = FOLDER) -> Record:
    """Inputs and answers as they were recorded, by case."""
    found: Record = {}
    with np.load(file_of(family, folder), allow_pickle=False) as stored:
        contents, numbers = json.loads(str(stored["contents"])), stored["numbers"]
    start = 0
    for name, part, dtype, shape in contents:
        stop = start + math.prod(shape)
        a = numbers[start:stop].reshape(shape).astype(dtype)
        start = stop
        arrays, answers = found.setdefault(name, ([], {}))
        if part.startswith("in"):
            arrays.append(a)
        else:
            answers[part] = a
    return found


def same_to_rounding(a: Any, b: Any) -> bool:
    """Whether inputs are the recorded ones; some are matrix products, whose last bits depend on the processor."""
    a, b = np.asarray(a), np.asarray(b)
    return a.shape == b.shape and a.dtype == b.dtype and np.allclose(a, b, rtol=1e-13, atol=1e-13, equal_nan=True)


def check(family: str, folder: Path = FOLDER) -> list[str]:
    """Differences of symgrad and of the recorded references from the torch of this environment."""
    recorded, cases = read(family, folder), recordable(family)
    wrong = [f"recorded, but not a case: {name}" for name in sorted(recorded.keys() - cases.keys())]
    for name, case in cases.items():
        if name not in recorded:
            wrong.append(f"not recorded: {name}")
            continue
        arrays, stored = recorded[name]
        if any(not same_to_rounding(a, b) for a, b in zip(case.inputs(), arrays, strict=True)):
            wrong.append(f"other inputs: {name}")
        answers = by_torch(case, arrays)
        for who, theirs in (("recorded", stored), ("symgrad", by_symgrad(case, arrays))):
            found = difference(theirs, answers)
            if found:
                wrong.append(f"{who}, {name}: {found}")
    return wrong


def main(arguments: list[str]) -> int:
    """Write, or with --check compare."""
    families = [a for a in arguments if a in FAMILIES]
    if arguments not in (["--check"], families):
        print(__doc__)
        return 2
    if arguments != ["--check"]:
        for family in families or FAMILIES:
            write(family)
            print(f"{family}: {len(recordable(family))} cases, {file_of(family).stat().st_size} bytes")
        return 0
    wrong = [line for family in FAMILIES for line in check(family)]
    print("\n".join(wrong) or f"{len(CASES)} cases agree with torch")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
