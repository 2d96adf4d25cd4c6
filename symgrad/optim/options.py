"""Options of optimizers: checked, and left out where they are nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.errors import SymgradError

__all__ = ["betas_of", "is_zero", "nonzero", "one_of"]


def betas_of(who: str, betas: Any, count: int = 2) -> dict[str, float]:
    """The betas by name."""
    if np.shape(betas) != (count,):
        wanted = "a pair of numbers, such as (0.9, 0.999)" if count == 2 else f"{count} numbers"
        raise SymgradError(f"{who}: betas={betas!r} must be {wanted}")
    return {f"beta{k + 1}": beta for k, beta in enumerate(betas)}


def one_of(who: str, name: str, given: Any, known: Any) -> None:
    """Raise SymgradError unless an option has one of its values."""
    if given not in known:
        raise SymgradError(f"{who}: {name}={given!r} is none of {', '.join(map(repr, known))}")


def is_zero(x: Any) -> bool:
    """Whether an option is a literal 0, so that the term it stands before can be left out."""
    return isinstance(x, int | float) and x == 0


def nonzero(**given: Any) -> dict[str, Any]:
    """The options that are no literal 0."""
    return {name: value for name, value in given.items() if not is_zero(value)}
