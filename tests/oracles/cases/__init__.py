"""What every op and composition is tested on, as data; each module of this package is a family with its ``CASES``."""

from importlib import import_module
from pkgutil import iter_modules

from .base import Case

FAMILIES: dict[str, list[Case]] = {
    m.name: import_module(f"{__name__}.{m.name}").CASES for m in iter_modules(__path__) if m.name != "base"
}
# Layers have state and give Tensors, functions of networks are many, hard points have no differences: they are
# recorded, and no ops that all tests of ops walk.
APART = ("layers", "functions", "hard")
ALL: list[Case] = [one for family, cases in FAMILIES.items() if family not in APART for one in cases]
COMPOSITIONS: list[Case] = [one for one in ALL if one.op is None]
OP_CASES: dict[str, list[Case]] = {}
for one in ALL:
    if one.op is not None:
        OP_CASES.setdefault(one.op, []).append(one)

__all__ = ["ALL", "COMPOSITIONS", "FAMILIES", "OP_CASES", "Case"]
