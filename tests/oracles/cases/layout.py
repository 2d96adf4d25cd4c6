"""Shapes, axes and joining."""

from __future__ import annotations

import numpy as np

import symgrad as sg
from symgrad.op import OPS

from .base import Case, case


def _layout() -> list[Case]:
    return [
        case(
            "reshape",
            "(2,3)->(3,2)",
            lambda x: sg.reshape(x, (3, 2)),
            (2, 3),
            ref=lambda x: np.reshape(x, (3, 2)),
            torch=lambda t, x: x.reshape(3, 2),
        ),
        case("reshape", "-1", lambda x: sg.reshape(x, -1), (2, 3, 2), ref=np.ravel, torch=lambda t, x: x.reshape(-1)),
        case("reshape", "empty", lambda x: sg.reshape(x, (3, 0)), (0, 3), ref=lambda x: np.reshape(x, (3, 0))),
        case(
            "reshape",
            "0-d",
            lambda x: sg.reshape(x, (1, 1)),
            (),
            ref=lambda x: np.reshape(x, (1, 1)),
            torch=lambda t, x: x.reshape(1, 1),
        ),
        case("permute", "T", sg.transpose, (2, 3, 4), ref=np.transpose, torch=lambda t, x: x.permute(2, 1, 0)),
        case(
            "permute",
            "negative",
            lambda x: sg.transpose(x, (-1, 0, 1)),
            (2, 3, 4),
            ref=lambda x: np.transpose(x, (-1, 0, 1)),
            torch=lambda t, x: x.permute(2, 0, 1),
        ),
        case(
            "permute",
            "swapaxes",
            lambda x: sg.swapaxes(x, -1, 0),
            (2, 3, 4),
            ref=lambda x: np.swapaxes(x, -1, 0),
            torch=lambda t, x: x.swapaxes(-1, 0),
        ),
        case(
            "permute",
            "moveaxis",
            lambda x: sg.moveaxis(x, 0, -1),
            (2, 3, 4),
            ref=lambda x: np.moveaxis(x, 0, -1),
            torch=lambda t, x: t.moveaxis(x, 0, -1),
        ),
        case(
            "unsqueeze",
            "0",
            lambda x: sg.expand_dims(x, 0),
            (2, 3),
            ref=lambda x: np.expand_dims(x, 0),
            torch=lambda t, x: x.unsqueeze(0),
        ),
        case(
            "unsqueeze",
            "(0,-1)",
            lambda x: sg.expand_dims(x, (0, -1)),
            (2, 3),
            ref=lambda x: np.expand_dims(x, (0, -1)),
            torch=lambda t, x: x[None, ..., None],
        ),
        case("unsqueeze", "0-d", lambda x: sg.expand_dims(x, -1), (), ref=lambda x: np.expand_dims(x, -1)),
        case("squeeze", "all", sg.squeeze, (1, 3, 1), ref=np.squeeze, torch=lambda t, x: x.squeeze()),
        case(
            "squeeze",
            "-1",
            lambda x: sg.squeeze(x, -1),
            (1, 3, 1),
            ref=lambda x: np.squeeze(x, -1),
            torch=lambda t, x: x.squeeze(-1),
        ),
        case(
            "concatenate",
            "0",
            lambda a, b, c: sg.concatenate([a, b, c]),
            (1, 2),
            (0, 2),
            (3, 2),
            ref=lambda *xs: np.concatenate(xs),
            torch=lambda t, *xs: t.cat(xs),
        ),
        case(
            "concatenate",
            "-1",
            lambda a, b: sg.concatenate([a, b], -1),
            (2, 1),
            (2, 3),
            ref=lambda *xs: np.concatenate(xs, -1),
            torch=lambda t, *xs: t.cat(xs, -1),
        ),
        case(
            "concatenate",
            "twice",
            lambda a: sg.concatenate([a, a]),
            (2, 3),
            ref=lambda a: np.concatenate([a, a]),
            torch=lambda t, a: t.cat([a, a]),
        ),
        case(
            "concatenate",
            "stack",
            lambda a, b: sg.stack([a, b], -1),
            (2, 3),
            (2, 3),
            ref=lambda *xs: np.stack(xs, -1),
            torch=lambda t, *xs: t.stack(xs, -1),
        ),
        case(
            "expand",
            "rows",
            lambda x: sg.broadcast_to(x, (4, 2, 3)),
            (2, 1),
            ref=lambda x: np.broadcast_to(x, (4, 2, 3)),
            torch=lambda t, x: x.expand(4, 2, 3),
        ),
        case(
            "expand",
            "0-d",
            lambda x: sg.broadcast_to(x, (2,)),
            (),
            ref=lambda x: np.broadcast_to(x, (2,)),
            torch=lambda t, x: x.expand(2),
        ),
        case("expand", "empty", lambda x: sg.broadcast_to(x, (0, 3)), (3,), ref=lambda x: np.broadcast_to(x, (0, 3))),
        case(
            "sum_to",
            "(2,1)",
            lambda x: OPS["sum_to"](x, (2, 1)),
            (4, 2, 3),
            ref=lambda x: x.sum(axis=(0, 2), keepdims=True)[0],
            torch=lambda t, x: x.sum_to_size(2, 1),
        ),
        case("sum_to", "()", lambda x: OPS["sum_to"](x, ()), (2, 3), ref=np.sum, torch=lambda t, x: x.sum()),
        case("sum_to", "same", lambda x: OPS["sum_to"](x, (2,)), (2,), ref=lambda x: x, torch=lambda t, x: x + 0),
    ]


CASES = _layout()
