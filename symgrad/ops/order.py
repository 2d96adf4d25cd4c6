"""Cumulative sums, and the integer ops of sorting: positions, which have no gradient, to gather values at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symgrad.op import FUNCTIONS, Op, builtin

__all__ = ["argmode", "argsort", "cumargmax", "cumsum", "reversed"]


def reversed(x: Any, axis: int) -> Any:
    """The elements along an axis in reverse."""
    return FUNCTIONS["getitem"](x, (*(slice(None),) * axis, slice(None, None, -1)))


cumsum: Op = builtin(
    "cumsum",
    lambda x, axis: np.cumsum(x, axis=axis),
    pullback=(lambda g, y, x, axis: reversed(cumsum(reversed(g, axis), axis), axis),),
    params=("axis",),
    indices="opaque",
    notation=r"\operatorname{{cumsum}}({0})",
    shape=lambda own, axis: own,
    dtype=lambda own, axis: np.cumsum(np.zeros(1, own)).dtype,
)


def _argsort(x: Any, axis: int, descending: bool) -> Any:
    if not descending:
        return np.argsort(x, axis=axis, kind="stable")
    backwards = np.argsort(np.flip(x, axis), axis=axis, kind="stable")
    return x.shape[axis] - 1 - np.flip(backwards, axis)


def _cumargmax(x: Any, axis: int) -> Any:
    if not x.size:
        return np.zeros(x.shape, np.int64)
    m = np.maximum.accumulate(x, axis=axis)
    own = np.arange(x.shape[axis]).reshape([-1 if k == axis else 1 for k in range(x.ndim)])
    return np.maximum.accumulate(np.where((x == m) | np.isnan(x), own, 0), axis=axis)


def _argmode(x: Any, axis: int) -> Any:
    rows = np.moveaxis(x, axis, -1)
    found = np.empty(rows.shape[:-1], np.int64)
    for at in np.ndindex(found.shape):
        values, counts = np.unique(rows[at], return_counts=True)
        found[at] = np.flatnonzero(rows[at] == values[np.argmax(counts)])[-1]
    return found


def _positions(name: str, forward: Callable[..., Any], notation: str, shape: Any, *params: str) -> Op:
    """An op that gives positions along an axis: integers, through which nothing flows."""
    return builtin(name, forward, pullback=(None,), params=("axis", *params), indices="opaque",
                   notation=rf"\operatorname{{{{{notation}}}}}({{0}})", shape=shape, dtype=np.int64)  # fmt: skip


argsort = _positions("argsort", _argsort, "argsort", lambda own, axis, descending: own, "descending")
cumargmax = _positions("cumargmax", _cumargmax, "cumargmax", lambda own, axis: own)
argmode = _positions("argmode", _argmode, "argmode", lambda own, axis: (*own[:axis], *own[axis + 1 :]))
