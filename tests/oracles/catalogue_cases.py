"""The entries of the catalogue as torch has them, and their first and second derivatives by both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from symgrad.symbolic import Derivation, catalogue, derive
from symgrad.symbolic.checking import random_arrays

TOLERANCE = 1e-12  # relative to the largest derivative of the same order
SMALLEST = 3  # size; the others are 4, 5, ...
SEED = 3
Arrays = dict[str, Any]


def _functions() -> dict[str, Callable[..., Any]]:
    import torch
    from torch.nn import functional as F

    def norm(z: Any, gamma: Any, beta: Any) -> Any:
        return F.batch_norm(z, None, None, gamma, beta, True, 0.1, 1e-5)

    def group_norm(z: Any, gamma: Any, beta: Any) -> Any:
        n, g, k, p = z.shape
        return F.group_norm(z.reshape(n, g * k, p), g, gamma.reshape(-1), beta.reshape(-1)).reshape(z.shape)

    def masked(z: Any, gamma: Any, beta: Any, mask: Any) -> Any:
        kept = z[mask[:, 0]]
        return gamma * (z - kept.mean(0)) / torch.sqrt(kept.var(0, correction=0) + 1e-5) + beta

    def standardized(w: Any) -> Any:
        return (w - w.mean(-1, keepdim=True)) / torch.sqrt(w.var(-1, correction=0, keepdim=True) + 1e-5)

    def bessel(z: Any, gamma: Any, beta: Any) -> Any:
        return gamma * (z - z.mean(0)) / torch.sqrt(z.var(0, correction=1) + 1e-5) + beta

    def focal(logits: Any, target: Any) -> Any:
        p = torch.softmax(logits, -1)
        return -(target * (1 - p) ** 2 * torch.log(p)).sum(-1).mean()

    def info_nce(a: Any, b: Any) -> Any:
        s = a @ b.T / 0.1
        return (torch.logsumexp(s, 1) - (a * b).sum(1) / 0.1).mean()

    def network(x: Any, w1: Any, gamma: Any, beta: Any, w2: Any, b: Any, t: Any) -> Any:
        return F.cross_entropy(torch.tanh(norm(x @ w1, gamma, beta)) @ w2 + b, t)

    return {
        "batch_norm": lambda z, gamma, beta: norm(z[:, None], gamma[None], beta[None])[:, 0],
        "batch_norm_features": norm,
        "batch_norm_positions": norm,
        "batch_norm_bessel": bessel,
        "batch_norm_selected": lambda z, gamma, beta, on: torch.where(on, norm(z, gamma, beta), z),
        "batch_norm_masked": masked,
        "layer_norm": lambda z, gamma, beta: F.layer_norm(z, z.shape[-1:], gamma, beta),
        "group_norm": group_norm,
        "instance_norm": lambda z, gamma, beta: F.instance_norm(z, weight=gamma, bias=beta, eps=1e-5),
        "rms_norm": lambda z, gamma: F.rms_norm(z, z.shape[-1:], gamma, 1e-5),
        "weight_norm": lambda v, scale: scale[:, None] * F.normalize(v, dim=-1),
        "weight_standardization": standardized,
        "normalize": lambda x: x / torch.sqrt((x * x).sum(-1, keepdim=True) + 1e-12),
        "softmax": lambda x: torch.softmax(x, -1),
        "log_softmax": lambda x: torch.log_softmax(x, -1),
        "logsumexp": lambda x: torch.logsumexp(x, -1),
        "cross_entropy": F.cross_entropy,
        "cross_entropy_labels": F.cross_entropy,
        "smoothed_cross_entropy": lambda logits, target: F.cross_entropy(logits, target, label_smoothing=0.1),
        "binary_cross_entropy": F.binary_cross_entropy_with_logits,
        "kl_divergence": lambda t, z: F.kl_div(torch.log_softmax(z, -1), t, reduction="none").sum(-1),
        "focal_loss": focal,
        "info_nce": info_nce,
        "cosine_similarity": lambda a, b: F.cosine_similarity(a, b, dim=-1),
        "mse": F.mse_loss,
        "huber": F.huber_loss,
        "hinge": lambda input, target: torch.clamp(1 - input * target, min=0).mean(),
        "gaussian_nll": lambda mu, v, target: F.gaussian_nll_loss(mu, target, v),
        "lp_penalty": lambda w: 1e-3 * (w.abs() ** 2.5).sum(),
        "lp_norm": lambda x: torch.linalg.vector_norm(x, 3.0),
        "lp_pooling": lambda x: (x**3).mean(-1) ** (1 / 3),
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "relu": torch.relu,
        "gelu": F.gelu,
        "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
        "silu": F.silu,
        "softplus": F.softplus,
        "mish": F.mish,
        "leaky_relu": F.leaky_relu,
        "elu": F.elu,
        "dropout": lambda x, mask: x * mask / 0.8,
        "linear": lambda x, w, b: F.linear(x, w.T, b),
        "linear_tanh": lambda x, w, b: torch.tanh(F.linear(x, w.T, b)),
        "linear_sigmoid": lambda x, w, b: torch.sigmoid(F.linear(x, w.T, b)),
        "linear_batch_norm": lambda x, w, b, gamma, beta: norm(F.linear(x, w.T, b), gamma, beta),
        "attention": F.scaled_dot_product_attention,
        "masked_attention": lambda q, k, v, on: F.scaled_dot_product_attention(q, k, v, attn_mask=on, scale=0.125),
        "bn_tanh_network": network,
        "bn_tanh_labels": network,
        "relu_network": lambda x, w1, b1, w2, b2, t: F.mse_loss(torch.relu(x @ w1 + b1) @ w2 + b2, t),
    }


NAMES = catalogue()


def arrays_of(name: str) -> Arrays:
    """Arguments and cotangent ``g`` of an entry, and a direction ``v`` for its first argument."""
    d = derive(name)
    arrays = random_arrays(d, SEED, SMALLEST)
    g = arrays.pop(d.record.cotangent.name)
    first = next(iter(arrays))
    return {**arrays, "cotangent": g, "direction": np.random.default_rng(1).standard_normal(arrays[first].shape)}


def by_torch(name: str, arrays: Mapping[str, Any]) -> Arrays:
    """Every gradient, and the derivatives of the first one along the direction."""
    import torch

    inputs = {n: torch.tensor(x, requires_grad=x.dtype.kind == "f") for n, x in arrays.items()}
    g, direction = inputs.pop("cotangent"), inputs.pop("direction")
    moving = [x for x in inputs.values() if x.requires_grad]
    names = [n for n, x in inputs.items() if x.requires_grad]

    def derivative(value: Any) -> list[Any]:
        if not value.requires_grad:
            return [torch.zeros_like(x) for x in moving]
        found = torch.autograd.grad(value, moving, create_graph=True, allow_unused=True)
        return [torch.zeros_like(x) if a is None else a for a, x in zip(found, moving, strict=True)]

    first = derivative((_functions()[name](*inputs.values()) * g).sum())
    second = derivative((first[0] * direction).sum())
    found = {f"first {n}": a for n, a in zip(names, first, strict=True)}
    found |= {f"second {n}": a for n, a in zip(names, second, strict=True)}
    return {n: a.numpy(force=True) for n, a in found.items()}


def by_symgrad(d: Derivation, twice: Derivation, arrays: Mapping[str, Any]) -> Arrays:
    """The same by the emitted NumPy of a derivation, and of the derivation of its double backward."""
    given = {n: x for n, x in arrays.items() if n not in ("cotangent", "direction")}
    cotangent = d.record.cotangent.name
    gradients = d.backward(**given, **{cotangent: arrays["cotangent"]})
    *_, own, way = twice.record.arguments
    second = twice.backward(**given, **{own: arrays["cotangent"], way: arrays["direction"],
                                        twice.record.cotangent.name: np.float64(1.0)})  # fmt: skip
    found = {f"first {n}": a for n, a in gradients.items()}
    return found | {f"second {n}": second[n] for n in gradients}


def difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str | None:
    """The first array that is not the wanted one, or None."""
    if found.keys() != wanted.keys():
        return f"{sorted(found)} instead of {sorted(wanted)}"
    for name, a in wanted.items():
        largest = max(np.max(np.abs(b)) for n, b in wanted.items() if n.split()[0] == name.split()[0])
        error = float(np.max(np.abs(found[name] - a)) / (largest or 1.0))
        if found[name].shape != a.shape or not error <= TOLERANCE:
            return f"{name}: shape {found[name].shape} for {a.shape}, error {error:.1e}"
    return None
