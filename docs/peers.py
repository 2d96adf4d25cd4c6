"""Who else has a function under which name, and what the tests compare each with: read from the tables of the tests."""

import inspect
import re
import sys
from functools import cache
from pathlib import Path
from types import CodeType

import numpy as np
import scipy.special

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "oracles"))

from cases import FAMILIES, OP_CASES
from numpy_calls import NUMPY
from opdb import CALLS

from symgrad.op import FUNCTIONS, OPS, Op

TORCH_ALONE = {"max.binary": "maximum", "min.binary": "minimum"}


def called(code: CodeType) -> set[str]:
    """The names that a function's text mentions."""
    inner = [c for c in code.co_consts if isinstance(c, CodeType)]
    return set(code.co_names).union(*map(called, inner))


@cache
def mentions() -> list[tuple[object, set[str]]]:
    """Every case, with the names of the functions that it may call."""
    return [(one, names_in(one.f)) for cases in FAMILIES.values() for one in cases]


@cache
def numpy_names() -> set[str]:
    """The functions that are called as NumPy's are."""
    return set().union(*[names_in(ours) for ours, _ in NUMPY.values()])


def names_in(f: object) -> set[str]:
    own = {getattr(f, "__name__", "")}
    cells = [c.cell_contents for c in getattr(f, "__closure__", None) or ()]
    held = [f, *(getattr(f, "__defaults__", None) or ()), *cells]
    own |= {h for h in held if isinstance(h, str)}  # the name of a function that the case looks up
    return own.union(*[called(g.__code__) | {g.__name__} for g in held if inspect.isfunction(g)])


@cache
def torch_names() -> dict[str, set[str]]:
    """Torch's names by symgrad's, from the table that torch's samples are asked by."""
    found: dict[str, set[str]] = {}
    for name, call in CALLS.items():
        plain = name.rpartition(".")[2] if name in TORCH_ALONE else name
        plain = TORCH_ALONE.get(name, plain)
        ours = call.rpartition(".")[2] if isinstance(call, str) else plain.rpartition(".")[2]
        found.setdefault(ours, set()).add(plain)
    return found


def peers(names: set[str]) -> str:
    """The names of a function in NumPy, SciPy and torch."""
    rows = {
        "numpy": [n for n in names if hasattr(np, n)] + [f"linalg.{n}" for n in names if hasattr(np.linalg, n)],
        "scipy.special": [n for n in names if hasattr(scipy.special, n)],
        "torch": list(set().union(*[torch_names().get(n, set()) for n in names])),
    }
    return "; ".join(f"{who} " + ", ".join(f"`{n}`" for n in sorted(found)) for who, found in rows.items() if found)


def all_names(f: object) -> set[str]:
    """Every name of a function or op in symgrad's table."""
    return {n for n, g in FUNCTIONS.items() if g is f} | {getattr(f, "name", None) or f.__name__}


def checked_against(f: object) -> str:
    """What the tests compare an op or a function with."""
    names = all_names(f)
    if isinstance(f, Op):
        cases = OP_CASES.get(f.name, [])
    else:
        cases = [one for one, mentioned in mentions() if names & mentioned]
        cases += [one for n in names & OPS.keys() for one in OP_CASES.get(n, [])]
    found = []
    if (
        isinstance(f, Op)
        and f.symbol
        and f.indices == "elementwise"
        and not re.search("Eq|Ne|And|Or|Not|<|>", f.symbol)
    ):
        found.append("mpmath")
    if any(one.reference is not None for one in cases) or (not isinstance(f, Op) and names & numpy_names()):
        found.append("NumPy and SciPy")
    if any(one.torch is not None for one in cases):
        found.append("torch")
    if any(n in torch_names() for n in names):
        found.append("torch's samples")
    return ", ".join(found)
