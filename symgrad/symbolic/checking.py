"""The emitted NumPy and the graph of a derivation against each other and the formula: evidence beside the proof."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.differentiate import vjp
from symgrad.shapes import bind
from symgrad.symbolic.levels import Level, levels
from symgrad.symbolic.record import at_sizes
from symgrad.symbolic.source import sizes_of

if TYPE_CHECKING:
    from symgrad.symbolic.derivation import Derivation

__all__ = ["Check", "check", "random_arrays"]


@dataclass(frozen=True)
class Check:
    """Verdict AGREES or DIFFERS, the worst entry in float64, and the highest levels of trust that were reached."""

    verdict: str
    worst: str
    index: tuple[int, ...]
    derived: float
    numeric: float
    error: float
    proofs: Mapping[str, str] = field(default_factory=dict)
    levels: tuple[Level, ...] = ()

    def __bool__(self) -> bool:
        return self.verdict == "AGREES"

    def __str__(self) -> str:
        entry = f"d{self.worst}{list(self.index)}"
        values = f"derived {self.derived!r}, graph {self.numeric!r}"
        proofs = ", ".join(f"{n} {verdict}" for n, verdict in self.proofs.items())
        lines = [f"{self.verdict}: worst entry {entry}, {values}, error {self.error:.1e}"]
        lines += [f"the formula, for all sizes: {proofs}"] if proofs else []
        return "\n".join([*lines, *map(str, self.levels)])


def check(d: Derivation, seed: int = 0) -> Check:
    """Compare at random arrays; a cotangent that is not constant, so that nothing cancels by symmetry."""
    arrays = random_arrays(d, seed, positive=bool(d.program.assumptions))
    derived = d.backward(**arrays)
    g = arrays.pop(d.record.cotangent.name)
    held = {n: arrays.pop(n) for n in d.record.held}
    sizes = sizes_at(d)
    for n in sizes_of(d)[1]:
        arrays.pop(n)
    names = list(arrays)
    function = at_sizes(d.function, sizes)
    _, pull = vjp(lambda *xs: function(**dict(zip(names, xs, strict=True)), **held), *arrays.values())
    numeric = dict(zip(names, pull(g), strict=True))
    worst = max((_worst(n, derived[n], np.asarray(numeric[n])) for n in names), key=lambda c: c.error)
    found = tuple(levels(d, seed))
    verdict = worst.verdict if all(level.agrees for level in found) else "DIFFERS"
    return replace(worst, verdict=verdict, proofs={n: p.verdict for n, p in d.proofs.items()}, levels=found)


def sizes_at(d: Derivation, smallest: int = 4) -> dict[str, int]:
    """A number for every size, each another one."""
    return {name: smallest + k for k, name in enumerate(sorted(d.sizes))}


def random_arrays(d: Derivation, seed: int, smallest: int = 4, positive: bool = False) -> dict[str, Any]:
    """Random arguments and cotangent; the sizes differ from each other.

    With ``positive``, all arguments are greater than 0, where assumptions such as log's hold more often.
    """
    rng = np.random.default_rng(seed)
    sizes = sizes_at(d, smallest)
    arrays = {
        n: _random(rng, bind(tuple(x.shape), sizes), positive or x.meta.positive) for n, x in d.record.arguments.items()
    }
    for n, x in d.record.held.items():
        shape = bind(tuple(x.shape), sizes)
        arrays[n] = rng.random(shape) < 0.6 if x.dtype.kind == "b" else rng.integers(0, min(sizes.values()), shape)
    arrays |= {n: sizes[n] for n in sizes_of(d)[1]}
    arrays[d.record.cotangent.name] = rng.standard_normal(bind(tuple(d.record.output.shape), sizes))
    return arrays


def _random(rng: Any, shape: tuple[int, ...], positive: bool) -> Any:
    x = rng.standard_normal(shape) * 1.5 + 0.3
    return np.abs(x) + 0.2 if positive else x


def _worst(name: str, derived: Any, numeric: Any) -> Check:
    if derived.shape != numeric.shape:
        return Check("DIFFERS", name, (), float("nan"), float("nan"), float("inf"))
    error = np.abs(derived - numeric) / (1 + np.abs(numeric).max())
    at = np.unravel_index(int(np.argmax(error)), error.shape) if error.shape else ()
    index = tuple(int(k) for k in at)
    worst = float(error[index])
    limit = 1e3 * np.finfo(np.float64).eps
    verdict = "AGREES" if worst <= limit else "DIFFERS"
    return Check(verdict, name, index, float(derived[index]), float(numeric[index]), worst)
