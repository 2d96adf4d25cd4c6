"""Reductions, statistics and norms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special

import symgrad as sg

from .base import Case, Shape, case, composition, spread_out


def _reductions() -> list[Case]:
    where: list[tuple[str, Any, bool, Shape]] = [
        ("all", None, False, (3, 4)),
        ("axis 0", 0, False, (3, 4)),
        ("axis -1 kept", -1, True, (3, 4)),
        ("two axes", (0, -1), False, (2, 3, 2)),
        ("all kept", None, True, (2, 3)),
        ("0-d", None, False, ()),
    ]
    smooth: dict[str, tuple[Any, Any]] = {
        "sum": (np.sum, lambda t, x, a, k: t.sum(x, a, k)),
        "mean": (np.mean, lambda t, x, a, k: t.mean(x, a, k)),
        "max": (np.max, lambda t, x, a, k: t.amax(x, a, k)),
        "min": (np.min, lambda t, x, a, k: t.amin(x, a, k)),
        "norm2": (
            lambda x, axis, keepdims: np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims)),
            lambda t, x, a, k: t.linalg.vector_norm(x, 2, a, k),
        ),
    }
    found = []
    for op, (ref, torch) in smooth.items():
        f = sg.linalg.norm if op == "norm2" else getattr(sg, op)
        for title, axis, keep, shape in where:
            found.append(
                case(
                    op,
                    title,
                    lambda x, f=f, axis=axis, keep=keep: f(x, axis=axis, keepdims=keep),
                    spread_out(*shape) if op in ("max", "min") else shape,
                    ref=lambda x, ref=ref, axis=axis, keep=keep: ref(x, axis=axis, keepdims=keep),
                    torch=lambda t, x, g=torch, axis=axis, keep=keep: g(t, x, _torch_axes(x, axis), keep),
                )
            )
    for op in ("sum", "norm2"):
        f = sg.linalg.norm if op == "norm2" else sg.sum
        found.append(case(op, "empty", lambda x, f=f: f(x, axis=0), (0, 3), ref=lambda x: np.zeros(3)))
    found.append(case("max", "empty result", lambda x: sg.max(x, axis=1), (0, 3), ref=lambda x: np.zeros(0)))
    found.append(case("min", "empty result", lambda x: sg.min(x, axis=1), (0, 3), ref=lambda x: np.zeros(0)))
    found.append(case("mean", "empty result", lambda x: sg.mean(x, axis=1), (0, 3), ref=lambda x: np.zeros(0)))
    for op, ref in (("argmax", np.argmax), ("argmin", np.argmin)):
        for title, axis in (("all", None), ("axis -1", -1), ("axis 0", 0)):
            found.append(
                case(
                    op,
                    title,
                    lambda x, op=op, axis=axis: getattr(sg, op)(x, axis),
                    spread_out(3, 4),
                    ref=lambda x, ref=ref, axis=axis: ref(x, axis),
                    torch=lambda t, x, op=op, axis=axis: getattr(t, op)(x, axis),
                )
            )
    for op, ref in (("all", np.all), ("any", np.any)):
        for title, axis, keep in (("all", None, False), ("axis -1", -1, False), ("axes kept", (0, 2), True)):
            found.append(
                case(
                    op,
                    title,
                    lambda x, op=op, axis=axis, keep=keep: getattr(sg, op)(x > 0.5, axis=axis, keepdims=keep),
                    (2, 3, 2),
                    ref=lambda x, ref=ref, axis=axis, keep=keep: ref(x > 0.5, axis=axis, keepdims=keep),
                )
            )
    return found


def _torch_axes(x: Any, axis: Any) -> Any:
    return tuple(range(x.dim())) if axis is None else axis


def _np_norm(p: float) -> Any:
    return lambda x: np.sum(np.abs(x) ** p, axis=-1) ** (1 / p)


COMPOSITIONS = [
    composition(
        "logsumexp all", sg.logsumexp, (3, 4), ref=scipy.special.logsumexp, torch=lambda t, x: t.logsumexp(x, (0, 1))
    ),
    composition(
        "logsumexp kept",
        lambda x: sg.logsumexp(x, -1, keepdims=True),
        (3, 4),
        ref=lambda x: scipy.special.logsumexp(x, -1, keepdims=True),
        torch=lambda t, x: t.logsumexp(x, -1, True),
    ),
    composition("var", sg.var, (3, 4), ref=np.var, torch=lambda t, x: t.var(x, correction=0)),
    composition(
        "var ddof",
        lambda x: sg.var(x, 0, ddof=1),
        (3, 4),
        ref=lambda x: np.var(x, 0, ddof=1),
        torch=lambda t, x: t.var(x, 0, correction=1),
    ),
    composition(
        "std",
        lambda x: sg.std(x, -1),
        (3, 4),
        ref=lambda x: np.std(x, -1),
        torch=lambda t, x: t.std(x, -1, correction=0),
    ),
    composition(
        "std ddof kept",
        lambda x: sg.std(x, 0, ddof=1, keepdims=True),
        (3, 4),
        ref=lambda x: np.std(x, 0, ddof=1, keepdims=True),
        torch=lambda t, x: t.std(x, 0, correction=1, keepdim=True),
    ),
    composition("prod", sg.prod, (2, 3), ref=np.prod, torch=lambda t, x: x.prod()),
    composition(
        "prod axis",
        lambda x: sg.prod(x, -1, keepdims=True),
        (2, 5),
        ref=lambda x: np.prod(x, -1, keepdims=True),
        torch=lambda t, x: x.prod(-1, keepdim=True),
    ),
    composition(
        "prod with zeros",
        lambda x: sg.prod(x * np.array([0, 1, 0, 1]), 0),
        (4,),
        ref=lambda x: np.prod(x * np.array([0, 1, 0, 1])),
        torch=lambda t, x: t.prod(x * t.tensor([0, 1, 0, 1])),
    ),
    composition(
        "norm 1",
        lambda x: sg.linalg.norm(x, 1, axis=-1),
        (3, 4),
        ref=_np_norm(1),
        torch=lambda t, x: t.linalg.vector_norm(x, 1, -1),
    ),
    composition(
        "norm 3",
        lambda x: sg.linalg.norm(x, 3, axis=-1),
        (3, 4),
        ref=_np_norm(3),
        torch=lambda t, x: t.linalg.vector_norm(x, 3, -1),
    ),
    composition(
        "norm 1.5",
        lambda x: sg.linalg.norm(x, 1.5, axis=-1),
        (3, 4),
        ref=_np_norm(1.5),
        torch=lambda t, x: t.linalg.vector_norm(x, 1.5, -1),
    ),
    composition(
        "norm inf",
        lambda x: sg.linalg.norm(x, np.inf, axis=-1),
        spread_out(3, 4),
        ref=lambda x: np.max(np.abs(x), -1),
        torch=lambda t, x: t.linalg.vector_norm(x, math.inf, -1),
    ),
]

CASES = _reductions() + COMPOSITIONS
