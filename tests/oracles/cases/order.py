"""Scans, differences, sorting and what is read off sorted elements."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.integrate

import symgrad as sg
from symgrad.op import OPS

from .base import Case, case, composition, spread_out


def _cumargmax(x: Any, axis: int) -> Any:
    m = np.maximum.accumulate(x, axis)
    steps = np.apply_along_axis(
        lambda row: [np.flatnonzero(row[: k + 1] == row[k])[0] for k in range(len(row))], axis, m
    )
    return steps


def _positions() -> list[Case]:
    f = OPS
    return [
        case("argsort", "last", sg.argsort, spread_out(3, 4), ref=np.argsort, torch=lambda t, x: t.argsort(x)),
        case(
            "argsort",
            "descending",
            lambda x: sg.argsort(x, 0, descending=True),
            spread_out(3, 4),
            ref=lambda x: np.argsort(-x, 0),
            torch=lambda t, x: t.argsort(x, 0, descending=True),
        ),
        case("argsort", "empty", sg.argsort, (0, 3), ref=np.argsort),
        case(
            "cumargmax",
            "axis 0",
            lambda x: f["cumargmax"](x, 0),
            spread_out(4, 3),
            ref=lambda x: _cumargmax(x, 0),
            torch=lambda t, x: t.cummax(x, 0).indices,
        ),
        case("cumargmax", "empty", lambda x: f["cumargmax"](x, 0), (0, 3), ref=lambda x: np.zeros((0, 3))),
        case(
            "argmode",
            "axis -1",
            lambda x: f["argmode"](sg.round(x), 1),
            (3, 6),
            ref=lambda x: [_last_mode(np.round(row)) for row in x],
            torch=lambda t, x: t.mode(t.round(x), 1).indices,
        ),
    ]


def _last_mode(row: Any) -> int:
    counts = {v: int(np.sum(row == v)) for v in sorted(set(row))}
    most = max(counts, key=lambda v: counts[v])
    return int(np.flatnonzero(row == most)[-1])


def _sums() -> list[Case]:
    return [
        case("cumsum", "flat", sg.cumsum, (2, 3), ref=np.cumsum, torch=lambda t, x: t.cumsum(x.reshape(-1), 0)),
        case(
            "cumsum",
            "axis 0",
            lambda x: sg.cumsum(x, 0),
            (3, 4),
            ref=lambda x: np.cumsum(x, 0),
            torch=lambda t, x: t.cumsum(x, 0),
        ),
        case(
            "cumsum",
            "axis -1",
            lambda x: np.cumsum(x, axis=-1),
            (2, 2, 3),
            ref=lambda x: np.cumsum(x, -1),
            torch=lambda t, x: t.cumsum(x, -1),
        ),
        case("cumsum", "empty", lambda x: sg.cumsum(x, 0), (0, 3), ref=lambda x: np.cumsum(x, 0)),
    ]


X = np.array([0.0, 0.5, 1.5, 1.75], np.float32)  # exact, and float32 stays float32
HOLES = np.array([[False, True, False, False], [False, False, False, False]])
ORDERED: list[tuple[str, Any, tuple[int, ...], Any, Any]] = [
    ("cumprod", lambda x: sg.cumprod(x, -1), (2, 5), lambda x: np.cumprod(x, -1), lambda t, x: t.cumprod(x, -1)),
    ("cumprod flat", sg.cumprod, (2, 3), np.cumprod, lambda t, x: t.cumprod(x.reshape(-1), 0)),
    (
        "cumprod with zeros",
        lambda x: sg.cumprod(x * np.array([1, 0, 1, 0, 1]), 0),
        (5,),
        lambda x: np.cumprod(x * np.array([1, 0, 1, 0, 1])),
        lambda t, x: t.cumprod(x * t.tensor([1, 0, 1, 0, 1]), 0),
    ),
    (
        "logcumsumexp",
        lambda x: sg.logcumsumexp(x, 0),
        (5, 2),
        lambda x: np.logaddexp.accumulate(x, 0),
        lambda t, x: t.logcumsumexp(x, 0),
    ),
    (
        "cummax",
        lambda x: sg.cummax(x, 0).values,
        (5, 2),
        lambda x: np.maximum.accumulate(x, 0),
        lambda t, x: t.cummax(x, 0).values,
    ),
    (
        "cummin",
        lambda x: sg.cummin(x, -1).values,
        (2, 5),
        lambda x: np.minimum.accumulate(x, -1),
        lambda t, x: t.cummin(x, -1).values,
    ),
    ("diff", sg.diff, (2, 4), np.diff, lambda t, x: t.diff(x)),
    (
        "diff twice",
        lambda x: np.diff(x, 2, axis=0, prepend=0.5, append=x),
        (3, 2),
        lambda x: np.diff(x, 2, axis=0, prepend=0.5, append=x),
        lambda t, x: t.diff(x, 2, 0, t.full((1, 2), 0.5), x),
    ),
    ("trapezoid", sg.trapezoid, (2, 4), np.trapezoid, lambda t, x: t.trapezoid(x)),
    (
        "trapezoid at x",
        lambda y: sg.trapezoid(y, X, axis=0),
        (4, 2),
        lambda y: np.trapezoid(y, X, axis=0),
        lambda t, y: t.trapezoid(y, t.tensor(X), dim=0),
    ),
    (
        "cumulative_trapezoid",
        lambda y: sg.cumulative_trapezoid(y, dx=0.5),
        (2, 4),
        lambda y: scipy.integrate.cumulative_trapezoid(y, dx=0.5),
        lambda t, y: t.cumulative_trapezoid(y, dx=0.5),
    ),
    (
        "gradient",
        lambda x: sg.gradient(x, axis=0),
        (4, 3),
        lambda x: np.gradient(x, axis=0),
        lambda t, x: t.gradient(x, dim=0)[0],
    ),
    (
        "gradient at x",
        lambda y: sg.gradient(y, X, axis=1, edge_order=2),
        (2, 4),
        lambda y: np.gradient(y, X.astype(float), axis=1, edge_order=2),
        lambda t, y: t.gradient(y, spacing=(t.tensor(X, dtype=y.dtype),), dim=1, edge_order=2)[0],
    ),
    ("sort", sg.sort, (3, 4), np.sort, lambda t, x: t.sort(x).values),
    (
        "sort flat",
        lambda x: sg.sort(x, None),
        (3, 2),
        lambda x: np.sort(x, None),
        lambda t, x: t.sort(x.reshape(-1)).values,
    ),
    (
        "sort descending",
        lambda x: sg.sort(x, 0, descending=True),
        (4, 2),
        lambda x: -np.sort(-x, 0),
        lambda t, x: t.sort(x, 0, descending=True).values,
    ),
    ("topk", lambda x: sg.topk(x, 2).values, (2, 5), lambda x: -np.sort(-x)[:, :2], lambda t, x: t.topk(x, 2).values),
    (
        "topk smallest",
        lambda x: sg.topk(x, 3, 0, largest=False).values,
        (4, 2),
        lambda x: np.sort(x, 0)[:3],
        lambda t, x: t.topk(x, 3, 0, largest=False).values,
    ),
    (
        "kthvalue",
        lambda x: sg.kthvalue(x, 2, 0, True).values,
        (4, 2),
        lambda x: np.sort(x, 0)[1:2],
        lambda t, x: t.kthvalue(x, 2, 0, True).values,
    ),
    ("mode", lambda x: sg.mode(x, 0).values, (4, 2), lambda x: np.min(x, 0), lambda t, x: t.mode(x, 0).values),
    ("median", sg.median, (3, 4), np.median, lambda t, x: t.quantile(x, 0.5)),
    (
        "median kept",
        lambda x: np.median(x, axis=(0, 2), keepdims=True),
        (2, 2, 3),
        lambda x: np.median(x, axis=(0, 2), keepdims=True),
        lambda t, x: t.quantile(x.transpose(0, 1).reshape(2, 6), 0.5, 1).reshape(1, 2, 1),
    ),
    ("quantile", lambda x: sg.quantile(x, 0.3), (3, 4), lambda x: np.quantile(x, 0.3), lambda t, x: t.quantile(x, 0.3)),
    *[
        (
            f"quantiles {method}",
            lambda x, method=method: sg.quantile(x, [0.1, 0.62, 1.0], -1, method=method, keepdims=True),
            (2, 5),
            lambda x, method=method: np.quantile(x, [0.1, 0.62, 1.0], -1, method=method, keepdims=True),
            lambda t, x, method=method: t.quantile(
                x, t.tensor([0.1, 0.62, 1.0], dtype=x.dtype), -1, True, interpolation=method
            ),
        )
        for method in ("linear", "lower", "higher", "midpoint", "nearest")
    ],
    (
        "percentile",
        lambda x: np.percentile(x, 30, axis=0),
        (5, 2),
        lambda x: np.percentile(x, 30, axis=0),
        lambda t, x: t.quantile(x, 0.3, 0),
    ),
    (
        "nanquantile",
        lambda x: sg.nanquantile(sg.where(HOLES, np.nan, x), 0.4, 1),
        (2, 4),
        lambda x: np.nanquantile(np.where(HOLES, np.nan, x), 0.4, 1),
        lambda t, x: t.nanquantile(t.where(t.tensor(HOLES), t.nan, x), 0.4, 1),
    ),
    (
        "nanmedian",
        lambda x: sg.nanmedian(sg.where(HOLES, np.nan, x), 1, keepdims=True),
        (2, 4),
        lambda x: np.nanmedian(np.where(HOLES, np.nan, x), 1, keepdims=True),
        lambda t, x: t.nanquantile(t.where(t.tensor(HOLES), t.nan, x), 0.5, 1, True),
    ),
]

CASES = (
    _positions()
    + _sums()
    + [composition(title, f, spread_out(*shape), ref=ref, torch=torch) for title, f, shape, ref, torch in ORDERED]
)
