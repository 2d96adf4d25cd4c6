"""Which symgrad call answers each op of torch's own op database, as data: one module per half of the op surface.

A module holds ``CALLS``: torch's name (or ``name.variant``) and the call. Text is the name of a function of symgrad,
called with torch's arguments (``dim`` and ``keepdim`` are NumPy's ``axis`` and ``keepdims``); a function gets torch's
arguments as they are, arrays and Tensors in place of torch's tensors. ``scope`` says why the other ops have no
counterpart, and which samples are no question to symgrad.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import symgrad as sg

from . import numeric, structural
from .scope import DEFINITE, FLOORS, NO_SECOND, OUT_OF_SCOPE
from .scope import NOT_ASKED as NOT_ASKED_OF_ANY

__all__ = ["CALLS", "DEFINITE", "FLOORS", "NOT_ASKED", "NO_SECOND", "OUT_OF_SCOPE", "call_of"]

CALLS: dict[str, str | Callable[..., Any]] = {**numeric.CALLS, **structural.CALLS}
NOT_ASKED = {**NOT_ASKED_OF_ANY, **structural.NOT_ASKED}
NUMPY_NAMES = {"dim": "axis", "keepdim": "keepdims"}


def call_of(name: str, variant: str = "") -> Callable[..., Any] | None:
    """The call that answers an op of the database, or None."""
    if f"{name}.{variant}" in OUT_OF_SCOPE:
        return None
    found = CALLS.get(f"{name}.{variant}", CALLS.get(name))
    if not isinstance(found, str):
        return found
    path = found.split(".")

    def call(*args: Any, **options: Any) -> Any:
        f = reduce(getattr, path, sg)
        return f(*args, **{NUMPY_NAMES.get(k, k): v for k, v in options.items()})

    return call
