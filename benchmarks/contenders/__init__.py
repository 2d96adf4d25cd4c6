"""How each contender does the work: a module per library, imported in the contender's own process only.

A module has one function per kind of problem, ``network``, ``cnn``, ``norm``, ``chain``, ``hessian`` or ``update``,
that takes the problem and options and returns ``step``: it does the work once, and gives a number that all contenders
share (the loss before the step, a sum of gradients, the size of the parameters after the first update).
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from benchmarks.problems import FAMILIES

__all__ = ["CONTENDERS", "contenders"]

CONTENDERS: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "torch": ("torch_", "torch", {}, "network cnn norm chain hessian update"),
    "torch fused": ("torch_", "torch", {"fused": True}, "network cnn update"),
    "torch.compile": ("torch_", "torch", {"compiled": True}, "network cnn norm hessian"),
    "jax.jit": ("jax_", "jax", {}, "network cnn norm replayed hessian update"),
    "autograd": ("autograd_", "autograd", {}, "network norm chain hessian"),
    "MyGrad": ("mygrad_", "mygrad", {}, "network norm chain"),
    "scikit-learn": ("sklearn_", "sklearn", {}, "plain"),
    "NumPy by hand": ("numpy_", "numpy", {}, "network norm chain hessian"),
    "products alone": ("floor", "numpy", {}, "network"),
    "symgrad eager": ("symgrad_", "symgrad", {"compiled": False}, "network cnn norm chain hessian update"),
    "symgrad emitted": ("symgrad_", "symgrad", {"compiled": False, "emitted": True}, "norm"),
    "symgrad": ("symgrad_", "symgrad", {"fast": False}, "network cnn norm replayed hessian update"),
    "symgrad fast": ("symgrad_", "numba", {"fast": True}, "network cnn norm replayed hessian update"),
}
"""Name -> module, package it needs, options, kinds of problem."""

SLOW = {"autograd", "MyGrad"}  # left out of the longest chain, where they take minutes
UNCHECKED = {"products alone"}  # they compute something else


def contenders(family: str, slow: bool) -> list[str]:
    """Who competes in a family, of those that are installed."""
    problem = FAMILIES[family]
    kinds = {problem.kind}
    if problem.kind == "chain" and problem.replayed:
        kinds = {"replayed"}
    if problem.kind == "network" and not problem.norm and problem.loss == "cross_entropy":
        kinds.add("plain")
    found = []
    for name, (_, package, _, known) in CONTENDERS.items():
        wanted = kinds & set(known.split()) or (kinds == {"replayed"} and name in ("torch", "NumPy by hand"))
        if name in SLOW and problem.kind == "chain" and problem.links > 10_000:
            continue
        if wanted and find_spec(package) and (slow or name != "torch.compile"):
            found.append(name)
    return found
