"""Ties, extremes and kinks: where elements are equal, huge, tiny or infinite, and where pieces of a function meet.

Differences see none of these derivatives; torch's conventions are what is compared with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

import symgrad as sg
from symgrad.nn import functional as F

from .base import Case, Draw, composition

Call = Callable[..., Any]
INF = np.inf


def tied(*shape: int) -> Draw:
    """Each of three values several times."""
    return lambda rng: rng.integers(-1, 2, shape) * 0.5


def extreme(*shape: int) -> Draw:
    """Magnitudes from 1e-160 to 1e150 of both signs, and zeros, most of them several times."""
    values = np.array([0.0, -0.0, 1e-160, -1e-160, 1.0, -1.0, 1.0, 1e150, -1e150, 1e150])
    return lambda rng: rng.choice(values, shape)


def infinite(*shape: int) -> Draw:
    """Some elements minus infinity, others equal; the first column is finite."""

    def draw(rng: np.random.Generator) -> Any:
        found = rng.choice(np.array([-INF, 0.5, 0.5, 800.0, -800.0]), shape)
        found[:, 0] = 0.5
        return found

    return draw


def at(*points: float) -> Draw:
    """These numbers."""
    return lambda rng: np.array(points)


# title: symgrad's call, torch's call
ORDER: dict[str, tuple[Call, Call]] = {
    "sort": (lambda x: sg.sort(x, -1), lambda t, x: t.sort(x, stable=True).values),
    "sort of axis 0, descending": (
        lambda x: sg.sort(x, 0, descending=True),
        lambda t, x: t.sort(x, dim=0, descending=True, stable=True).values,
    ),
    "argsort": (sg.argsort, lambda t, x: t.argsort(x, stable=True)),
    "median": (lambda x: sg.median(x, 1), lambda t, x: t.quantile(x, 0.5, 1)),
    "quantile": (
        lambda x: sg.quantile(x, [0.0, 0.37, 1.0], 0),
        lambda t, x: t.quantile(x, t.tensor([0.0, 0.37, 1.0], dtype=x.dtype), 0),
    ),
    "cummax": (lambda x: sg.cummax(x, 1).values, lambda t, x: t.cummax(x, 1).values),
    "cummin": (lambda x: sg.cummin(x, 0).values, lambda t, x: t.cummin(x, 0).values),
    "cummax places": (lambda x: sg.cummax(x, 1).indices, lambda t, x: t.cummax(x, 1).indices),
    "max": (sg.max, lambda t, x: t.amax(x)),
    "max of axes kept": (lambda x: sg.max(x, -1, keepdims=True), lambda t, x: t.amax(x, -1, True)),
    "min": (lambda x: sg.min(x, 0), lambda t, x: t.amin(x, 0)),
    "aminmax": (lambda x: sg.subtract(*sg.aminmax(x, axis=1)), lambda t, x: t.sub(*t.aminmax(x, dim=1))),
    "argmax": (lambda x: sg.argmax(x, 1), lambda t, x: t.argmax(x, 1)),
    "argmin": (sg.argmin, lambda t, x: t.argmin(x)),
    "norm inf": (lambda x: sg.linalg.norm(x, INF, axis=-1), lambda t, x: t.linalg.vector_norm(x, INF, -1)),
    "norm -inf": (lambda x: sg.linalg.norm(x, -INF, axis=0), lambda t, x: t.linalg.vector_norm(x, -INF, 0)),
    "maximum": (lambda x: sg.maximum(x, x[:, ::-1]), lambda t, x: t.maximum(x, x.flip(1))),
    "minimum": (lambda x: sg.minimum(x, 0.5), lambda t, x: t.minimum(x, t.tensor(0.5, dtype=x.dtype))),
    "clip": (lambda x: sg.clip(x, -0.5, 0.5), lambda t, x: t.clamp(x, -0.5, 0.5)),
    "max_pool1d": (lambda x: F.max_pool1d(x, 2, 1), lambda t, x: t.nn.functional.max_pool1d(x, 2, 1)),
}
# Torch leaves open which one of equal elements these take: ties are copies here, whose gradients are added up.
LEVELS = np.array([[0, 1, 1, 2, 0, 2], [2, 2, 1, 1, 1, 0], [0, 0, 0, 1, 2, 2], [1, 1, 1, 1, 0, 2]])
CHOSEN: dict[str, tuple[Call, Call]] = {
    "topk": (lambda x: sg.topk(x[LEVELS], 3).values, lambda t, x: t.topk(x[t.as_tensor(LEVELS)], 3).values),
    "kthvalue": (
        lambda x: sg.kthvalue(x[LEVELS], 2, 0).values,
        lambda t, x: t.kthvalue(x[t.as_tensor(LEVELS)], 2, 0).values,
    ),
    "mode": (lambda x: sg.mode(x[LEVELS], 1).values, lambda t, x: t.mode(x[t.as_tensor(LEVELS)], 1).values),
    "nanmedian": (
        lambda x: sg.nanmedian(sg.where(LEVELS == 1, np.nan, x[LEVELS]), 1),
        lambda t, x: t.nanquantile(t.where(t.as_tensor(LEVELS == 1), t.nan, x[t.as_tensor(LEVELS)]), 0.5, 1),
    ),
}
SCANS: dict[str, tuple[Call, Call]] = {
    "cumsum": (lambda x: sg.cumsum(x, -1), lambda t, x: t.cumsum(x, -1)),
    "diff": (lambda x: sg.diff(x, 2, 0), lambda t, x: t.diff(x, 2, 0)),
    "trapezoid": (sg.trapezoid, lambda t, x: t.trapezoid(x)),
    "sum": (lambda x: sg.sum(x, 0), lambda t, x: t.sum(x, 0)),
    "mean": (lambda x: sg.mean(x, -1, keepdims=True), lambda t, x: t.mean(x, -1, True)),
}
PRODUCTS: dict[str, tuple[Call, Call]] = {
    "cumprod": (lambda x: sg.cumprod(x, 0), lambda t, x: t.cumprod(x, 0)),
    "prod": (lambda x: sg.prod(x, 1), lambda t, x: t.prod(x, 1)),
}
SMOOTH_MAXIMA: dict[str, tuple[Call, Call]] = {
    "logcumsumexp": (lambda x: sg.logcumsumexp(x, 1), lambda t, x: t.logcumsumexp(x, 1)),
    "logsumexp": (lambda x: sg.logsumexp(x, -1), lambda t, x: t.logsumexp(x, -1)),
    "softmax": (lambda x: sg.softmax(x, 0), lambda t, x: t.softmax(x, 0)),
    "log_softmax": (lambda x: sg.log_softmax(x, -1)[:, :1], lambda t, x: t.log_softmax(x, -1)[:, :1]),
}
LOGADDEXP = composition(
    "logaddexp, infinite",
    lambda x: sg.logaddexp(x, x[:, :1]),
    infinite(5, 6),
    torch=lambda t, x: t.logaddexp(x, x[:, :1]),
)


def family(calls: dict[str, tuple[Call, Call]], name: str, draw: Draw) -> list[Case]:
    return [composition(f"{title}, {name}", f, draw, torch=torch) for title, (f, torch) in calls.items()]


def kink(name: str, *points: float, **options: Any) -> Case:
    """A function of nn.functional where its pieces meet; second derivatives may jump there."""
    one = composition(
        f"F.{name} at {points}",
        lambda x: getattr(F, name)(x, **options),
        at(*points, -0.25, 7.0),
        torch=lambda t, x: getattr(t.nn.functional, name)(x, **options),
    )
    return replace(one, derivatives=1)


def loss_at(name: str, *points: float, **options: Any) -> Case:
    """A loss at these differences of input and target."""
    target = np.linspace(-1, 1, len(points))
    one = composition(
        f"F.{name} of differences {points}",
        lambda x: getattr(F, name)(x + target.astype(x.dtype), target.astype(x.dtype), **options),
        at(*points),
        torch=lambda t, x: getattr(t.nn.functional, name)(x + t.tensor(target), t.tensor(target), **options),
    )
    return replace(one, derivatives=1)


KINKS = [
    *(kink(name, 0.0, 1.0, -1.0) for name in ("relu", "leaky_relu", "elu", "celu", "selu", "softsign", "logsigmoid")),
    kink("relu6", 0.0, 6.0),
    kink("hardtanh", -1.0, 1.0),
    kink("hardswish", -3.0, 3.0, 0.0),
    kink("hardshrink", -0.5, 0.5),
    kink("softshrink", -0.5, 0.5),
    kink("softplus", 20.0, -800.0, 800.0),
    kink("rrelu", 0.0),
    kink("threshold", 0.5, threshold=0.5, value=2.0),
    loss_at("l1_loss", 0.0, 0.5, -1.0),
    loss_at("mse_loss", 0.0, 0.5, -1.0),
    loss_at("smooth_l1_loss", 0.0, 1.0, -1.0, 2.0),
    loss_at("huber_loss", 0.0, 1.0, -1.0, 2.0),
]

CASES = [
    *family(ORDER, "tied", tied(4, 6)),
    *family(ORDER, "extreme", extreme(4, 6)),
    *family(CHOSEN, "tied", at(0.5, -1.0, 2.0)),
    *family(SCANS, "tied", tied(4, 6)),
    *family(SCANS, "extreme", extreme(4, 6)),
    *family(PRODUCTS, "tied", tied(4, 6)),
    *family(SMOOTH_MAXIMA, "tied", tied(4, 6)),
    *family(SMOOTH_MAXIMA, "infinite", infinite(5, 6)),
    replace(LOGADDEXP, derivatives=1),  # torch's second derivative is NaN
    *KINKS,
]
