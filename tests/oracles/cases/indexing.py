"""Indexing and scattering."""

from __future__ import annotations

from typing import Any

import numpy as np

import symgrad as sg
from symgrad.op import OPS

from .base import Case, Shape, case, integers


def _indexing() -> list[Case]:
    rows, columns = np.array([2, 0, 2]), np.array([1, 1, 0])
    mask = np.array([True, False, True])
    reads: list[tuple[str, Any, Shape]] = [
        ("int", 1, (3, 2)),
        ("negative int", (-1, -2), (3, 2)),
        ("slice", slice(1, None), (3, 2)),
        ("steps", (slice(None, None, 2), slice(None, None, -1)), (5, 4)),
        ("ellipsis", (..., 0), (2, 3, 4)),
        ("new axis", (None, slice(None), None, 1), (3, 2)),
        ("empty", slice(2, 2), (3, 2)),
        ("array", rows, (3, 2)),
        ("two arrays", (rows, columns), (3, 2)),
        ("apart", (rows, slice(None), columns), (3, 4, 2)),
        ("2-d array", np.array([[0, 1], [2, 2]]), (3, 2)),
        ("mask", mask, (3, 2)),
        ("mask of all axes", np.eye(3, dtype=bool), (3, 3)),
        ("int and array", (1, slice(None), columns), (3, 4, 2)),
        ("list", [0, 0, 1], (3,)),
    ]
    not_torch = {"steps", "int and array"}  # it has no negative steps, and puts the axes elsewhere than NumPy
    found = [
        case(
            "getitem",
            title,
            lambda x, key=key: sg.getitem(x, key),
            shape,
            ref=lambda x, key=key: x[key],
            torch=None if title in not_torch else lambda t, x, key=key: x[_torch_key(t, key)],
        )
        for title, key, shape in reads
    ]
    found += [
        case(
            "getitem",
            "take",
            lambda x: sg.take(x, rows, -2),
            (3, 2),
            ref=lambda x: np.take(x, rows, -2),
            torch=lambda t, x: x.index_select(0, t.as_tensor(rows)),
        ),
        case("labels", "of 3 classes", lambda t: OPS["labels"](t, 3, "loss"), integers(0, 3, 5), ref=lambda t: t),
        case("getitem", "take flat", lambda x: sg.take(x, [0, -1]), (3, 2), ref=lambda x: np.take(x, [0, -1])),
        case(
            "scatter",
            "array",
            lambda g: sg.scatter(g, rows, (4, 2)),
            (3, 2),
            torch=lambda t, g: t.zeros(4, 2, dtype=g.dtype).index_add(0, t.as_tensor(rows), g),
            ref=lambda g: np.array([g[1], 0 * g[0], g[0] + g[2], 0 * g[0]]),
        ),
        case(
            "scatter",
            "slice",
            lambda g: sg.scatter(g, slice(1, 3), (4,)),
            (2,),
            ref=lambda g: np.pad(g, (1, 1)),
            torch=lambda t, g: t.nn.functional.pad(g, (1, 1)),
        ),
        case(
            "scatter",
            "pad",
            lambda x: sg.pad(x, ((1, 0), (0, 2))),
            (2, 3),
            ref=lambda x: np.pad(x, ((1, 0), (0, 2))),
            torch=lambda t, x: t.nn.functional.pad(x, (0, 2, 1, 0)),
        ),
        case(
            "scatter",
            "pad with 5",
            lambda x: sg.pad(x, 1, constant_values=5.0),
            (2,),
            ref=lambda x: np.pad(x, 1, constant_values=5.0),
            torch=lambda t, x: t.nn.functional.pad(x, (1, 1), value=5.0),
        ),
    ]
    return found


def _torch_key(t: Any, key: Any) -> Any:
    parts = key if isinstance(key, tuple) else (key,)
    return tuple(t.as_tensor(p) if isinstance(p, (np.ndarray, list)) else p for p in parts)


CASES = _indexing()
