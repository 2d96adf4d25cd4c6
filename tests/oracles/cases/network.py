"""Layers, activations and losses."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special

import symgrad as sg
from symgrad import losses

from .base import composition


def _torch_batch_norm(t: Any, z: Any, gamma: Any, beta: Any) -> Any:
    return t.nn.functional.batch_norm(z, None, None, gamma, beta, training=True, eps=1e-5)


def _torch_mlp(t: Any, x: Any, w: Any, b: Any, v: Any) -> Any:
    return t.nn.functional.cross_entropy(t.tanh(x @ w + b) @ v, t.tensor([0, 2, 1, 1]))


LABELS = np.array([0, 2, 1, 1])
SOFT = np.tile(np.float32([0.5, 0.25, 0.25]), (4, 1))

COMPOSITIONS = [
    composition(
        "softmax", sg.softmax, (3, 4), ref=lambda x: scipy.special.softmax(x, -1), torch=lambda t, x: t.softmax(x, -1)
    ),
    composition(
        "softmax axis 0",
        lambda x: sg.softmax(x, 0),
        (3, 4),
        ref=lambda x: scipy.special.softmax(x, 0),
        torch=lambda t, x: t.softmax(x, 0),
    ),
    composition(
        "log_softmax",
        sg.log_softmax,
        (3, 4),
        ref=lambda x: scipy.special.log_softmax(x, -1),
        torch=lambda t, x: t.log_softmax(x, -1),
    ),
    composition(
        "batch_norm",
        sg.batch_norm,
        (5, 3),
        (3,),
        (3,),
        torch=_torch_batch_norm,
        ref=lambda z, g, b: g * (z - z.mean(0)) / np.sqrt(z.var(0) + 1e-5) + b,
    ),
    composition(
        "layer_norm",
        sg.layer_norm,
        (4, 3),
        (3,),
        (3,),
        torch=lambda t, z, g, b: t.nn.functional.layer_norm(z, (3,), g, b, 1e-5),
        ref=lambda z, g, b: g * (z - z.mean(-1, keepdims=True)) / np.sqrt(z.var(-1, keepdims=True) + 1e-5) + b,
    ),
    composition(
        "mse",
        losses.mse,
        (3, 2),
        (3, 2),
        ref=lambda a, b: np.mean((a - b) ** 2),
        torch=lambda t, a, b: t.nn.functional.mse_loss(a, b),
    ),
    composition(
        "cross_entropy labels",
        lambda x: losses.cross_entropy(x, LABELS),
        (4, 3),
        ref=lambda x: -np.mean(scipy.special.log_softmax(x, -1)[np.arange(4), LABELS]),
        torch=lambda t, x: t.nn.functional.cross_entropy(x, t.tensor(LABELS)),
    ),
    composition(
        "cross_entropy soft",
        lambda x: losses.cross_entropy(x, SOFT),
        (4, 3),
        ref=lambda x: -np.mean(np.sum(SOFT * scipy.special.log_softmax(x, -1), -1)),
        torch=lambda t, x: t.nn.functional.cross_entropy(x, t.tensor(SOFT, dtype=x.dtype)),
    ),
    composition(
        "mlp",
        lambda x, w, b, v: losses.cross_entropy(sg.tanh(x @ w + b) @ v, LABELS),
        (4, 2),
        (2, 5),
        (5,),
        (5, 3),
        torch=_torch_mlp,
        ref=lambda x, w, b, v: -np.mean(scipy.special.log_softmax(np.tanh(x @ w + b) @ v, -1)[np.arange(4), LABELS]),
    ),
    composition(
        "attention",
        lambda q, k, v: sg.softmax(q @ k.T / 2.0) @ v,
        (3, 4),
        (5, 4),
        (5, 2),
        ref=lambda q, k, v: scipy.special.softmax(q @ k.T / 2.0, -1) @ v,
        torch=lambda t, q, k, v: t.nn.functional.scaled_dot_product_attention(q, k, v),
    ),
]

CASES = COMPOSITIONS
