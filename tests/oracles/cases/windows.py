"""Windows, convolutions and pooling."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

import symgrad as sg
from symgrad.nn import functional as F
from symgrad.op import OPS
from symgrad.ops import sliding

from .base import case, composition, spread_out


def _each_window(x: Any, size: Any, step: Any, dilation: Any, f: Any) -> Any:
    """The function of every window over the last axes, one by one."""
    n = len(size)
    reach = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
    counts = [(m - r) // s + 1 for m, r, s in zip(x.shape[-n:], reach, step, strict=True)]
    rows = []
    for at in itertools.product(*map(range, counts)):
        part = tuple(slice(i * s, i * s + r, d) for i, s, r, d in zip(at, step, reach, dilation, strict=True))
        rows.append(f(x[(..., *part)]))
    return np.moveaxis(np.array(rows), 0, -1).reshape(*rows[0].shape, *counts)


def _conv(x: Any, w: Any, b: Any, stride: int = 1, padding: int = 0, dilation: int = 1, groups: int = 1) -> Any:
    n = w.ndim - 2
    x = np.pad(x, [(0, 0), (0, 0)] + [(padding, padding)] * n)
    parts, kernels = np.split(x, groups, 1), np.split(w, groups)
    axes = (list(range(1, n + 2)), list(range(1, n + 2)))
    found = [
        _each_window(part, w.shape[2:], (stride,) * n, (dilation,) * n, lambda p, k=k: np.tensordot(p, k, axes))
        for part, k in zip(parts, kernels, strict=True)
    ]
    return np.concatenate(found, 1) + b.reshape(-1, *(1,) * n)


def _conv_transpose(x: Any, w: Any, stride: int, padding: int, extra: int) -> Any:
    """One element after the other."""
    n, size = w.ndim - 2, w.shape[2:]
    full = [(m - 1) * stride + k + extra for m, k in zip(x.shape[2:], size, strict=True)]
    y = np.zeros((x.shape[0], w.shape[1], *full))
    for at in np.ndindex(x.shape[2:]):
        part = tuple(slice(i * stride, i * stride + k) for i, k in zip(at, size, strict=True))
        y[(..., *part)] += np.tensordot(x[(..., *at)], w, (1, 0))
    return y[(..., *(slice(padding, m - padding) for m in full))] if n else y


def _pool(f: Any, size: int, step: int, n: int, axes: Any = None) -> Any:
    return lambda x: _each_window(x, (size,) * n, (step,) * n, (1,) * n, lambda p: f(p, tuple(range(-n, 0))))


GEOMETRY = ((1,), (3,), (2,), (1,))
PLACES = np.array([[0, 2], [2, 0]])
WHERE = np.array([[0, 4], [2, 2]])  # the same places in rows of 6


def _first(x: Any) -> Any:
    return sliding.window_argmax(x, sliding.window_max(x, 4), 4)


def _put(g: Any, shape: Any) -> Any:
    z = np.zeros(shape)
    np.add.at(z, (np.arange(2)[:, None], WHERE), g)
    return z


def _torch_window(t: Any, op: str, x: Any) -> Any:
    where = t.tensor(WHERE)
    return x.gather(1, where) if op == "window_pick" else t.zeros(2, 6, dtype=x.dtype).scatter_add(1, where, x)


SHOWN = ((0, 2), (2, 2), (2, 1), (1, 2))  # axes, size, step, dilation

CASES = [
    case(
        "windows",
        "two axes",
        lambda x: OPS["windows"](x, *SHOWN),
        (5, 2, 6),
        ref=lambda x: sliding_window_view(x, (2, 3), (0, 2))[::2, :, :, :, ::2],
        torch=lambda t, x: x.unfold(0, 2, 2).unfold(2, 3, 1)[..., ::2],
    ),
    case(
        "windows",
        "one axis",
        lambda x: sg.windows(x, 3, step=2),
        (7,),
        ref=lambda x: sliding_window_view(x, 3)[::2],
        torch=lambda t, x: x.unfold(0, 3, 2),
    ),
    case("windows", "nothing", lambda x: sg.windows(x, 2), (0, 3), ref=lambda x: np.zeros((0, 2, 2))),
    case(
        "overlap_add",
        "rows",
        lambda g: sg.overlap_add(g, (2, 7), step=2),
        (2, 3, 3),
        ref=lambda g: np.stack([sum(np.pad(r[k], (2 * k, 4 - 2 * k)) for k in range(3)) for r in g]),
        torch=lambda t, g: t.nn.functional.fold(g.mT, (1, 7), (1, 3), stride=(1, 2))[:, 0, 0],
    ),
    case(
        "overlap_add",
        "two axes, dilated",
        lambda g: OPS["overlap_add"](g, (5, 6), (0, 1), *SHOWN[1:]),
        (2, 4, 2, 2),
        ref=lambda g: _scattered(g, (5, 6)),
    ),
    *(
        case(
            "window_max",
            title,
            lambda x, size=size, step=step: sliding.window_max(x, (size,) * 2, step=step),
            spread_out(*shape),
            ref=_pool(np.max, size, step, 2),
            torch=lambda t, x, size=size, step=step: t.nn.functional.max_pool2d(x, size, step),
        )
        for title, size, step, shape in (("apart", 2, 2, (2, 4, 5)), ("overlapping", 2, 1, (1, 3, 4)))
    ),
    case(
        "window_argmax",
        "two axes",
        lambda x: sliding.window_argmax(x, x.max((-1, -2), keepdims=True), (2, 3)),
        spread_out(3, 2, 3),
        ref=lambda x: x.reshape(3, 6).argmax(-1).reshape(3, 1, 1),
        torch=lambda t, x: x.reshape(3, 6).argmax(-1).reshape(3, 1, 1),
    ),
    case(
        "window_argmax",
        "ties and nan",
        lambda x: _first(sg.where(x > 1.0, np.nan, sg.floor(x))),
        (40, 4),
        ref=lambda x: np.where(x > 1.0, np.nan, np.floor(x)).argmax(-1)[:, None],
    ),
    *(
        case(
            op,
            title,
            lambda x, op=op, rest=rest: OPS[op](x, PLACES, *rest),
            shape,
            ref=ref,
            torch=lambda t, x, op=op: _torch_window(t, op, x),
        )
        for op, title, rest, shape, ref in (
            ("window_pick", "rows", GEOMETRY, (2, 6), lambda x: np.take_along_axis(x, WHERE, 1)),
            ("window_put", "rows", ((2, 6), *GEOMETRY), (2, 2), lambda g: _put(g, (2, 6))),
        )
    ),
    composition(
        "conv1d",
        lambda x, w, b: F.conv1d(x, w, b, stride=2, padding=1, dilation=2, groups=2),
        (2, 4, 7),
        (6, 2, 3),
        (6,),
        ref=lambda x, w, b: _conv(x, w, b, 2, 1, 2, 2),
        torch=lambda t, x, w, b: t.nn.functional.conv1d(x, w, b, stride=2, padding=1, dilation=2, groups=2),
    ),
    composition(
        "conv2d",
        F.conv2d,
        (2, 2, 4, 5),
        (3, 2, 2, 3),
        (3,),
        ref=_conv,
        torch=lambda t, x, w, b: t.nn.functional.conv2d(x, w, b),
    ),
    composition(
        "conv3d same",
        lambda x, w: F.conv3d(x, w, padding="same"),
        (1, 2, 2, 3, 2),
        (2, 2, 3, 3, 3),
        ref=lambda x, w: _conv(x, w, np.zeros(2), padding=1),
        torch=lambda t, x, w: t.nn.functional.conv3d(x, w, padding="same"),
    ),
    composition(
        "conv_transpose2d",
        lambda x, w: F.conv_transpose2d(x, w, None, 2, 1, 1),
        (1, 2, 2, 3),
        (2, 3, 2, 3),
        ref=lambda x, w: _conv_transpose(x, w, 2, 1, 1),
        torch=lambda t, x, w: t.nn.functional.conv_transpose2d(x, w, None, 2, 1, 1),
    ),
    composition(
        "conv_transpose1d",
        lambda x, w, b: F.conv_transpose1d(x, w, b, groups=2, dilation=2),
        (4, 3),
        (4, 2, 2),
        (4,),
        ref=lambda x, w, b: np.concatenate([_dilated(x[k : k + 2], w[k : k + 2]) for k in (0, 2)]) + b[:, None],
        torch=lambda t, x, w, b: t.nn.functional.conv_transpose1d(x, w, b, groups=2, dilation=2),
    ),
    composition(
        "max_pool2d",
        lambda x: F.max_pool2d(x, 2),
        spread_out(1, 2, 4, 5),
        ref=_pool(np.max, 2, 2, 2),
        torch=lambda t, x: t.nn.functional.max_pool2d(x, 2),
    ),
    composition(
        "max_pool1d ceil",
        lambda x: F.max_pool1d(x, 3, 2, 1, ceil_mode=True),
        spread_out(2, 6),
        ref=lambda x: _pool(np.max, 3, 2, 1)(np.pad(x, ((0, 0), (1, 2)), constant_values=-np.inf)),
        torch=lambda t, x: t.nn.functional.max_pool1d(x, 3, 2, 1, ceil_mode=True),
    ),
    composition(
        "avg_pool2d counted",
        lambda x: F.avg_pool2d(x, 2, 2, 1, count_include_pad=False),
        (1, 3, 4),
        ref=lambda x: _pool(np.sum, 2, 2, 2)(np.pad(x, ((0, 0), (1, 1), (1, 1)))) / [[1, 2, 1], [2, 4, 2]],
        torch=lambda t, x: t.nn.functional.avg_pool2d(x, 2, 2, 1, count_include_pad=False),
    ),
    composition(
        "adaptive_avg_pool1d",
        lambda x: F.adaptive_avg_pool1d(x, 3),
        (2, 5),
        ref=lambda x: np.stack([x[:, :2].mean(1), x[:, 1:4].mean(1), x[:, 3:].mean(1)], 1),
        torch=lambda t, x: t.nn.functional.adaptive_avg_pool1d(x, 3),
    ),
    composition(
        "adaptive_max_pool2d",
        lambda x: F.adaptive_max_pool2d(x, (2, None)),
        spread_out(1, 3, 2),
        ref=lambda x: np.stack([x[:, :2].max(1), x[:, 1:].max(1)], 1),
        torch=lambda t, x: t.nn.functional.adaptive_max_pool2d(x, (2, 2)),
    ),
    composition(
        "lp_pool1d",
        lambda x: F.lp_pool1d(x, 3.0, 2, 1),
        (1, 5),
        ref=lambda x: np.cbrt(x[:, :-1] ** 3 + x[:, 1:] ** 3),
        torch=lambda t, x: t.nn.functional.lp_pool1d(x, 3.0, 2, 1),
        domain=(0.3, 2),
    ),
]


def _scattered(g: Any, shape: Any) -> Any:
    z = np.zeros(shape)
    for i, j, a, b in np.ndindex(g.shape):
        z[2 * i + a, j + 2 * b] += g[i, j, a, b]
    return z


def _dilated(x: Any, w: Any) -> Any:
    y = np.zeros((w.shape[1], x.shape[1] + 2))
    for c, o, k in np.ndindex(w.shape):
        y[o, 2 * k : 2 * k + x.shape[1]] += w[c, o, k] * x[c]
    return y


COMPOSITIONS = [one for one in CASES if one.op is None]
