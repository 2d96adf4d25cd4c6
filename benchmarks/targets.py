"""What symgrad aims at, as data: time as a ratio to torch eager, without extras and with `fast`; and other limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

__all__ = ["LIMITS", "OF_JAX", "REASONS", "TARGETS", "Verdict", "verdicts"]

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
    "BatchNorm 64x256": {"symgrad": 0.6, "symgrad fast": 0.15},
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

LIMITS: dict[str, tuple[str, str, dict[str, float]]] = {
    "first step": ("first", "s", {"symgrad": 0.050, "symgrad fast": 1.2}),
    "peak memory": ("peak", "B", {"symgrad": 50e6, "symgrad fast": 200e6}),
}
"""What else is limited -> figure, unit, contender -> the most that is wanted."""
LIMITED = {"first step": ("tiny MLP", "small MLP", "image MLP"), "peak memory": ("image MLP",)}
IMPORT = 0.25  # seconds

REASONS: dict[tuple[str, str], str] = {
    ("tiny MLP", "symgrad"): "26 calls of NumPy of some 0.4 us each, of which the nine products are half",
    ("small CNN", "symgrad"): "of some 800 us, windows are copied to matrices in 135 and added back in 77, pooling and"
    " its gradient take 125, products 150, masks of ReLU 80",
    ("chain of 1e3, replayed", "symgrad"): "six calls of NumPy per link, of some 170 ns each on ten numbers: the calls"
    " are the time, and by hand they are no fewer; a program of the extra `fast` needs none",
    ("Hessian of 10 variables", "symgrad"): "some 190 calls of NumPy on ten numbers: each row is a call of its own for"
    " every operation; a program of the extra `fast` is one call",
    ("BatchNorm 64x256", "symgrad"): "22 calls of NumPy, each a pass over 64 kB, and copies of two results",
    (
        "BatchNorm 64x256",
        "symgrad fast",
    ): "of some 15 us, 9 are a dozen passes over 64 kB in the second-level cache, and"
    " 4 find the caller's arrays and hand out the results",
    ("BatchNorm 1024x1024", "symgrad fast"): "one program, all memory: its three sweeps move some ten arrays of 4 MB,"
    " among them the centred values, which are written once and read twice",
}
"""Family and contender -> where the time goes, from ``plan.profile()``."""


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


def _reason(family: str, contender: str, rows: dict[str, Any], unit: float) -> str:
    if (family, contender) in REASONS:
        return REASONS[family, contender]
    if "products alone" not in rows:
        return ""
    floor, own = (rows[name]["ratio"] for name in ("products alone", contender))
    return f"NumPy's matrix products alone take {floor / unit:.3g}, which is {floor / own:.0%} of it"


def _ratios(family: str, rows: dict[str, Any]) -> Iterator[Verdict]:
    """The targets of a family's times, to torch eager and to jax.jit, each judged by itself."""
    for contender in TARGETS[family]:
        for reference, table in (("torch", TARGETS), ("jax.jit", OF_JAX)):
            target = table.get(family, {}).get(contender)
            if target is not None and contender in rows and reference in (*rows, "torch"):
                unit = 1.0 if reference == "torch" else rows[reference]["ratio"]
                found, reason = rows[contender]["ratio"] / unit, _reason(family, contender, rows, unit)
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
