"""Record what torch gives for every case: value, gradient and second derivative in float64.

python tests/oracles/record.py           write recorded.npz anew
python tests/oracles/record.py --check   compare symgrad and recorded.npz with this torch; exit 1 on a difference
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
from cases import ALL, Case

import symgrad as sg

FILE = Path(__file__).with_name("recorded.npz")
TOLERANCE = 1e-9  # relative to the largest number of the array
CASES = {c.name: c for c in ALL if c.torch is not None and all(np.size(a) for a in c.inputs())}

Answers = dict[str, np.ndarray[Any, Any]]


def weights(name: str, what: str, shape: Any) -> Any:
    """Fixed numbers that both sides use as cotangent and direction."""
    rng = np.random.default_rng(sum(map(ord, name + what)))
    return rng.uniform(-1, 1, shape)


def floats(arrays: list[Any]) -> list[int]:
    """Positions of the inputs that are differentiated."""
    return [k for k, a in enumerate(arrays) if a.dtype.kind == "f"]


def curved(y: Any, value: Any) -> Any:
    """A curved function of the result, so that cotangents depend on the inputs too."""
    return y + y * y / float(1 + np.max(np.abs(value), initial=0.0))


def by_torch(case: Case, arrays: list[Any]) -> Answers:
    """Value, gradient of a curved and weighted sum of it, and that gradient's derivative along a direction."""
    import torch

    xs = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    y = case.torch(torch, *xs)  # type: ignore[misc]
    found = {"value": y.numpy(force=True)}
    places = floats(arrays)
    if not places or not y.dtype.is_floating_point:
        return found
    wanted = [xs[k] for k in places]

    def derivative(scalar: Any) -> list[Any]:
        if not scalar.requires_grad:
            return [torch.zeros_like(x) for x in wanted]
        got = torch.autograd.grad(scalar, wanted, create_graph=True, allow_unused=True)
        return [torch.zeros_like(x) if g is None else g for g, x in zip(got, wanted, strict=True)]

    first = derivative((curved(y, found["value"]) * torch.tensor(weights(case.name, "y", y.shape))).sum())
    slope = sum(
        ((g * torch.tensor(weights(case.name, f"v{k}", g.shape))).sum() for k, g in zip(places, first, strict=True))
    )
    second = derivative(slope)
    for k, g, h in zip(places, first, second, strict=True):
        found[f"first{k}"], found[f"second{k}"] = g.numpy(force=True), h.numpy(force=True)
    return found


def by_symgrad(case: Case, arrays: list[Any]) -> Answers:
    """The same with symgrad."""
    found = {"value": np.asarray(case.f(*[sg.tensor(a) for a in arrays]))}
    places = floats(arrays)
    if not places or found["value"].dtype.kind != "f":
        return found

    def scalar(*xs: Any) -> Any:
        given = list(arrays)
        for k, x in zip(places, xs, strict=True):
            given[k] = x
        return (curved(case.f(*given), found["value"]) * weights(case.name, "y", found["value"].shape)).sum()

    every = tuple(range(len(places)))
    first = sg.grad(scalar, every)

    def slope(*xs: Any) -> Any:
        return sum((g * weights(case.name, f"v{k}", g.shape)).sum() for k, g in zip(places, first(*xs), strict=True))

    points = [arrays[k] for k in places]
    for k, g, h in zip(places, first(*points), sg.grad(slope, every)(*points), strict=True):
        found[f"first{k}"], found[f"second{k}"] = g, h
    return found


def difference(a: Answers, b: Answers) -> str | None:
    """What differs by more than the tolerance, or None."""
    if a.keys() != b.keys():
        return f"{sorted(a)} against {sorted(b)}"
    for part in a:
        x, y = a[part], b[part]
        if x.shape != y.shape or (x.dtype.kind == "b") != (y.dtype.kind == "b"):
            return f"{part}: {x.dtype}{x.shape} against {y.dtype}{y.shape}"
        error = np.max(np.abs(x.astype(float) - y.astype(float)), initial=0.0)
        if not error <= TOLERANCE * np.max(np.abs(y.astype(float)), initial=1e-3):
            return f"{part}: differs by {error:.3g} of {np.max(np.abs(y)):.3g}"
    return None


def record() -> dict[str, tuple[list[Any], Answers]]:
    """Inputs and torch's answers, by case."""
    return {name: (c.inputs(), by_torch(c, c.inputs())) for name, c in CASES.items()}


def write(path: Path = FILE) -> None:
    """Write the recorded references: one vector of numbers, and the list of what they are."""
    parts, contents = [], []
    for name, (arrays, answers) in record().items():
        inputs = {f"in{k}": a for k, a in enumerate(arrays)}
        for part, a in (inputs | answers).items():
            parts.append(a.astype(np.float64).ravel())  # booleans and small integers too: exact
            contents.append([name, part, str(a.dtype), list(a.shape)])
    np.savez_compressed(path, contents=np.array(json.dumps(contents)), numbers=np.concatenate(parts))


def read(path: Path = FILE) -> dict[str, tuple[list[Any], Answers]]:
    """Inputs and answers as they were recorded, by case."""
    found: dict[str, tuple[list[Any], Answers]] = {}
    with np.load(path, allow_pickle=False) as stored:
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


def check(path: Path = FILE) -> list[str]:
    """Differences of symgrad and of the recorded references from the torch of this environment."""
    live, recorded = record(), read(path)
    wrong = [f"recorded, but not a case: {name}" for name in sorted(recorded.keys() - live.keys())]
    for name, (arrays, answers) in live.items():
        if name not in recorded:
            wrong.append(f"not recorded: {name}")
            continue
        stored_arrays, stored = recorded[name]
        if any(not np.array_equal(a, b) for a, b in zip(arrays, stored_arrays, strict=True)):
            wrong.append(f"other inputs: {name}")
        for who, theirs in (("recorded", stored), ("symgrad", by_symgrad(CASES[name], arrays))):
            found = difference(theirs, answers)
            if found:
                wrong.append(f"{who}, {name}: {found}")
    return wrong


def main(arguments: list[str]) -> int:
    """Write, or with --check compare."""
    if arguments not in ([], ["--check"]):
        print(__doc__)
        return 2
    if not arguments:
        write()
        print(f"{len(CASES)} cases, {FILE.stat().st_size} bytes")
        return 0
    wrong = check()
    print("\n".join(wrong) or f"{len(CASES)} cases agree with torch")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
