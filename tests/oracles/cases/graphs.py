"""Ops of the graph itself, and small formulas."""

from __future__ import annotations

import numpy as np

import symgrad as sg
from symgrad.op import OPS
from symgrad.ops.marks import arange

from .base import Case, case, composition


def _marks() -> list[Case]:
    inner = sg.checkpoint(lambda a, b: sg.sin(a) * b)
    pair = sg.checkpoint(lambda a: (sg.exp(a), a * a))
    return [
        case(
            "call",
            "one output",
            lambda a, b: inner(a, b),
            (3,),
            (2, 3),
            ref=lambda a, b: np.sin(a) * b,
            torch=lambda t, a, b: t.sin(a) * b,
        ),
        case(
            "call",
            "two outputs",
            lambda a: pair(a)[0] * pair(a)[1],
            (3,),
            ref=lambda a: np.exp(a) * a * a,
            torch=lambda t, a: t.exp(a) * a * a,
        ),
        case("named", "mu", lambda x: sg.named(x, "mu") * 2, (3,), ref=lambda x: 2 * x, torch=lambda t, x: 2 * x),
        case("alias", "x", lambda x: OPS["alias"](x) * 2, (2, 2), ref=lambda x: 2 * x, torch=lambda t, x: 2 * x),
        case(
            "stop_gradient",
            "x",
            lambda x: sg.stop_gradient(x) * x,
            (3,),
            ref=lambda x: x * x,
            torch=lambda t, x: x.detach() * x,
        ),
        case(
            "astype",
            "there and back",
            lambda x: sg.astype(sg.astype(x, np.float32), np.float64) * 3.0,
            (3,),
            ref=lambda x: 3.0 * x.astype(np.float32).astype(np.float64),
            torch=lambda t, x: x.float().double() * 3.0,
        ),
        case(
            "astype",
            "to int",
            lambda x: x * sg.astype(x, np.int64),
            (3,),
            ref=lambda x: x * x.astype(np.int64),
            torch=lambda t, x: x * x.long(),
        ),
        case(
            "const", "literal", lambda x: x * 2.5 + 1, (3,), ref=lambda x: 2.5 * x + 1, torch=lambda t, x: 2.5 * x + 1
        ),
        case(
            "arange",
            "rows",
            lambda x: x * arange(x.shape[0])[:, None],
            (4, 2),
            ref=lambda x: x * np.arange(4)[:, None],
            torch=lambda t, x: x * t.arange(4)[:, None],
        ),
        case("size", "rows", lambda x: x / x.shape[0], (4, 2), ref=lambda x: x / 4, torch=lambda t, x: x / 4),
    ]


COMPOSITIONS = [
    composition("x**3", lambda x: x**3, (3,), ref=lambda x: x**3, torch=lambda t, x: x**3),
    composition("2**x", lambda x: 2**x, (3,), ref=lambda x: 2**x, torch=lambda t, x: 2**x),
    composition("x*x*x", lambda x: x * x * x, (3,), ref=lambda x: x**3, torch=lambda t, x: x * x * x),
    composition("x**x", lambda x: x**x, (3,), ref=lambda x: x**x, torch=lambda t, x: x**x, domain=(0.3, 2)),
    composition(
        "rosenbrock",
        lambda x: ((1 - x[:-1]) ** 2 + 100 * (x[1:] - x[:-1] ** 2) ** 2).sum(),
        (5,),
        ref=lambda x: np.sum((1 - x[:-1]) ** 2 + 100 * (x[1:] - x[:-1] ** 2) ** 2),
        torch=lambda t, x: ((1 - x[:-1]) ** 2 + 100 * (x[1:] - x[:-1] ** 2) ** 2).sum(),
    ),
    composition(
        "where unused",
        lambda x: sg.where(x > 0, sg.sqrt(sg.maximum(x, 0.0)), x * 2),
        (6,),
        ref=lambda x: np.where(x > 0, np.sqrt(np.maximum(x, 0)), 2 * x),
        torch=lambda t, x: t.where(x > 0, t.sqrt(t.where(x > 0, x, 1.0)), 2 * x),
    ),
]

CASES = _marks() + COMPOSITIONS
