"""What symgrad aims at, as data: time as a ratio to torch eager, without extras and with `fast`; and other limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

__all__ = ["LIMITS", "OF_FLOOR", "OF_JAX", "REFERENCES", "TARGETS", "Verdict", "verdicts"]

TARGETS: dict[str, dict[str, float]] = {
    "tiny MLP": {"symgrad": 0.06, "symgrad fast": 0.035},
    "small MLP": {"symgrad": 0.14, "symgrad fast": 0.09},
    "small MLP, BatchNorm": {"symgrad": 0.17, "symgrad fast": 0.085},
    "image MLP": {"symgrad": 0.77, "symgrad fast": 0.70},
    "image MLP, BatchNorm": {"symgrad": 0.88, "symgrad fast": 0.75},
    "small CNN": {"symgrad": 0.42},
    "chain of 1e3": {"symgrad eager": 0.50},
    "chain of 1e4": {"symgrad eager": 0.40},
    "chain of 1e5": {"symgrad eager": 0.40},
    "chain of 1e3, replayed": {"symgrad": 0.06},
    "BatchNorm 64x256": {"symgrad": 0.6, "symgrad fast": 0.15, "symgrad emitted": 0.6},
    "BatchNorm 256x512": {"symgrad": 1.2, "symgrad emitted": 1.2},
    "BatchNorm 1024x1024": {"symgrad": 2.5, "symgrad fast": 0.85},
    "Hessian of 10 variables": {"symgrad": 0.008},
}
"""Family -> contender -> the ratio to torch eager that is wanted."""

OF_JAX: dict[str, dict[str, float]] = {
    "tiny MLP": {"symgrad": 0.65, "symgrad fast": 0.4},
    "small MLP": {"symgrad": 1.0, "symgrad fast": 0.7},
    "small MLP, BatchNorm": {"symgrad": 1.05, "symgrad fast": 0.55},
    "image MLP": {"symgrad": 0.9, "symgrad fast": 0.8},
    "image MLP, BatchNorm": {"symgrad": 1.0, "symgrad fast": 0.85},
    "small CNN": {"symgrad": 0.65},
}
"""Family -> contender -> the ratio to jax.jit that is wanted as well."""

OF_FLOOR: dict[str, dict[str, float]] = {
    "image MLP": {"symgrad": 1.3, "symgrad fast": 1.15},
    "image MLP, BatchNorm": {"symgrad": 1.4, "symgrad fast": 1.15},
}
"""Family -> contender -> the ratio to NumPy's matrix products alone that is wanted as well."""

REFERENCES = {"torch": TARGETS, "jax.jit": OF_JAX, "products alone": OF_FLOOR}
"""To whose time the ratios are."""

LIMITS: dict[str, tuple[str, str, dict[str, float]]] = {
    "first step": ("first", "s", {"symgrad": 0.050, "symgrad fast": 1.2}),
    "peak memory": ("peak", "B", {"symgrad": 50e6, "symgrad fast": 200e6}),
}
"""What else is limited -> figure, unit, contender -> the most that is wanted."""
LIMITED = {"first step": ("tiny MLP", "small MLP", "image MLP"), "peak memory": ("image MLP",)}
IMPORT = 0.25  # seconds


class Verdict(NamedTuple):
    """One target, what was measured, and why it was missed where it was."""

    what: str
    contender: str
    target: float
    found: float
    unit: str
    reason: str
    reference: str = ""  # whose time a ratio is to

    @property
    def shown(self) -> float:
        """The figure as it is printed: three digits of it."""
        return float(f"{self.found:.3g}")

    @property
    def met(self) -> bool:
        """Whether the figure, as it is printed, is not above the target."""
        return self.shown <= self.target


def _reason(contender: str, rows: dict[str, Any], unit: float) -> str:
    """Where the time goes: the part of matrix products in it, which is the floor, and the profile of the step."""
    parts = []
    if "products alone" in rows:
        floor, own = (rows[name]["ratio"] for name in ("products alone", contender))
        parts.append(f"NumPy's matrix products alone take {floor / unit:.3g}, which is {floor / own:.0%} of it")
    if shares := rows[contender].get("profile"):
        parts.append("by profile " + ", ".join(f"{share:.0%} {name} ({count}x)" for name, count, share in shares))
    return "; ".join(parts)


def _ratios(family: str, rows: dict[str, Any]) -> Iterator[Verdict]:
    """The targets of a family's times, each judged by itself."""
    for contender in TARGETS[family]:
        for reference, table in REFERENCES.items():
            target = table.get(family, {}).get(contender)
            if target is not None and contender in rows and reference in (*rows, "torch"):
                unit = 1.0 if reference == "torch" else rows[reference]["ratio"]
                found, reason = rows[contender]["ratio"] / unit, _reason(contender, rows, unit)
                yield Verdict(family, contender, target, found, "", reason, reference)


def verdicts(results: dict[str, Any]) -> Iterator[Verdict]:
    """Every target that the figures tell of."""
    families = results["families"]
    for family in TARGETS:
        yield from _ratios(family, families.get(family, {}))
    for what, (figure, unit, limits) in LIMITS.items():
        for family in LIMITED[what]:
            rows = families.get(family, {})
            for contender, limit in limits.items():
                if contender in rows:
                    yield Verdict(f"{what}, {family}", contender, limit, rows[contender][figure], unit, "")
    if "symgrad" in results.get("import", {}):
        yield Verdict("import", "symgrad", IMPORT, results["import"]["symgrad"], "s", "")
