r"""What is done to gradients before the rule sees them: ``optim.Adam(params, transforms=[clip_global_norm(1.0)])``.

A transform is a function of the list of gradients and the list of parameters, shaped, and returns new gradients. One
with the attribute ``needs_step`` gets the number of the step as well. They run in order, in the traced step too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import add
from typing import Any

from symgrad.errors import SymgradError
from symgrad.functions.random import random_normal
from symgrad.ops.arithmetic import sqrt
from symgrad.ops.piecewise import clip, maximum, minimum, where
from symgrad.ops.reduction import mean, norm2

__all__ = [
    "adaptive_clip",
    "centralize",
    "clip_global_norm",
    "clip_norm",
    "clip_rms",
    "clip_value",
    "global_norm",
    "noise",
]

Transform = Callable[..., list[Any]]


def global_norm(gradients: list[Any]) -> Any:
    r"""The Euclidean norm of all gradients together.

    Examples
    --------
    >>> import numpy as np
    >>> float(global_norm([np.array([3.0]), np.array([[4.0]])]))
    5.0
    """
    lengths = [norm2(g) for g in gradients]
    return sqrt(reduce(add, [n * n for n in lengths]))


def clip_value(limit: float) -> Transform:
    r"""Every number at most this large: :math:`g \leftarrow \operatorname{clip}(g, -c, c)`."""
    c = _positive("clip_value", limit)
    return lambda gradients, params: [clip(g, -c, c) for g in gradients]


def clip_norm(limit: float) -> Transform:
    r"""Every tensor at most this long: :math:`g \leftarrow g \min(1, c / \lVert g \rVert)`."""
    c = _positive("clip_norm", limit)
    return lambda gradients, params: [_shortened(g, norm2(g), c) for g in gradients]


def clip_rms(limit: float) -> Transform:
    r"""Every tensor's root mean square at most this: :math:`g \leftarrow g / \max(1, \mathrm{RMS}(g) / c)`.

    References
    ----------
    N. Shazeer and M. Stern, "Adafactor", ICML 2018, section 6.
    """
    c = _positive("clip_rms", limit)
    return lambda gradients, params: [g / maximum(sqrt(mean(g * g)) / c, 1.0) for g in gradients]


def clip_global_norm(limit: float, like: str = "torch") -> Transform:
    r"""All gradients together at most this long.

    Parameters
    ----------
    limit : float
    like : {"torch", "optax"}
        torch's factor is :math:`\min(1, c / (\lVert g \rVert + 10^{-6}))`; optax's has no :math:`10^{-6}`.

    Examples
    --------
    >>> import numpy as np
    >>> clip_global_norm(1.0, like="optax")([np.array([3.0]), np.array([4.0])], [])
    [array([0.6]), array([0.8])]
    """
    c = _positive("clip_global_norm", limit)
    if like not in ("torch", "optax"):
        raise SymgradError(f"clip_global_norm: like={like!r} is none of 'torch', 'optax'")

    def transform(gradients: list[Any], params: list[Any]) -> list[Any]:
        length = global_norm(gradients)
        if like == "torch":
            factor = minimum(c / (length + 1e-6), 1.0)
            return [g * factor for g in gradients]
        return [_shortened(g, length, c) for g in gradients]

    return transform


def adaptive_clip(limit: float = 0.01, eps: float = 1e-3) -> Transform:
    r"""Every unit's gradient at most this long, in lengths of the unit's weights.

    .. math:: g_u \leftarrow g_u \min\left(1, \frac{c \max(\lVert w_u \rVert, \epsilon)}{\lVert g_u \rVert}\right)

    A unit of a weight of shape (in, ..., out) is a slice of the last axis; a vector is one unit.

    References
    ----------
    A. Brock et al., "High-performance large-scale image recognition without normalization", ICML 2021.
    """
    c = _positive("adaptive_clip", limit)

    def one(g: Any, w: Any) -> Any:
        axes = tuple(range(len(g.shape) - 1)) if len(g.shape) > 1 else None
        allowed = c * maximum(norm2(w, axes, keepdims=True), eps)
        return _shortened(g, norm2(g, axes, keepdims=True), allowed)

    return lambda gradients, params: [one(g, w) for g, w in zip(gradients, params, strict=True)]


def centralize() -> Transform:
    r"""Every unit's gradient with mean 0: :math:`g_u \leftarrow g_u - \bar g_u`; vectors stay. Units as above.

    References
    ----------
    H. Yong et al., "Gradient centralization", ECCV 2020.
    """

    def one(g: Any) -> Any:
        return g - mean(g, tuple(range(len(g.shape) - 1)), keepdims=True) if len(g.shape) > 1 else g

    return lambda gradients, params: [one(g) for g in gradients]


def noise(variance: float = 0.01, decay: float = 0.55) -> Transform:
    r"""Normal noise of variance :math:`\eta / (1 + k)^\gamma` at step k; needs a Run (`symgrad.run`), as all draws.

    References
    ----------
    A. Neelakantan et al., "Adding gradient noise improves learning for very deep networks", arXiv:1511.06807.
    """
    start = _positive("noise", variance)

    def transform(gradients: list[Any], params: list[Any], step: Any) -> list[Any]:
        width = sqrt(start / (1 + step) ** decay)
        draws = [random_normal(f"gradient noise {k}", g.shape, g.dtype) for k, g in enumerate(gradients)]
        return [g + (width * z).astype(g.dtype) for g, z in zip(gradients, draws, strict=True)]

    transform.needs_step = True  # type: ignore[attr-defined]
    return transform


def _shortened(g: Any, length: Any, limit: Any) -> Any:
    """G, made as long as the limit where it is longer."""
    longer = length > limit
    return g * where(longer, limit / where(longer, length, 1.0), 1.0)


def _positive(who: str, x: Any) -> float:
    if not isinstance(x, int | float) or not x > 0:
        raise SymgradError(f"{who}: {x!r} must be a number above 0")
    return float(x)
