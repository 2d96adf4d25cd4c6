r"""The catalogue: well-known layers and losses, as ordinary symgrad functions with their shapes.

Nothing here is a gradient; each entry is what `derive` starts from. Where symgrad has the function, the entry is that
function, so what is derived is what trains. Names inside a formula (`symgrad.named`) are what its derivation, its
pictures and its compiled source show.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from symgrad.errors import SymbolicError, nearest
from symgrad.functions.activations import gelu, leaky_relu, mish, silu, softplus
from symgrad.functions.attention import scaled_dot_product_attention
from symgrad.functions.further_losses import hinge_loss
from symgrad.functions.losses import cross_entropy, mse
from symgrad.functions.normalization import batch_norm, layer_norm, log_softmax, logsumexp, rms_norm, softmax
from symgrad.functions.regression_losses import binary_cross_entropy_with_logits, huber_loss, kl_div
from symgrad.ops.arithmetic import sqrt
from symgrad.ops.exponential import exp, log, sigmoid, tanh
from symgrad.ops.layout import expand_dims
from symgrad.ops.marks import named
from symgrad.ops.piecewise import abs as absolute
from symgrad.ops.piecewise import relu, where
from symgrad.ops.reduction import mean
from symgrad.ops.reduction import sum as total
from symgrad.tracing import spec

__all__ = ["ALIASES", "Entry", "catalogue", "entry"]


@dataclass(frozen=True)
class Entry:
    """A formula, the shapes of its arguments, and options such as an axis."""

    function: Callable[..., Any]
    specs: Mapping[str, Any]


# normalisations ----------------------------------------------------------------------------------------------------


def batch_norm_positions(z: Any, gamma: Any, beta: Any, eps: float = 1e-5) -> Any:
    """Normalise each channel over batch and positions; axes (N, C, P)."""
    return batch_norm(z, expand_dims(gamma, 1), expand_dims(beta, 1), eps, axis=(0, 2))


def batch_norm_bessel(z: Any, gamma: Any, beta: Any, eps: float = 1e-5) -> Any:
    """BatchNorm with the unbiased variance, which divides by B - 1."""
    mu = named(mean(z, axis=0), "mu", latex=r"\mu")
    v = named(total((z - mu) ** 2, axis=0) / (z.shape[0] - 1), "v")
    u = named((z - mu) / sqrt(v + eps), "u")
    return gamma * u + beta


def batch_norm_selected(z: Any, gamma: Any, beta: Any, selected: Any, eps: float = 1e-5) -> Any:
    """BatchNorm of the selected units; the others pass."""
    return where(selected, batch_norm(z, gamma, beta, eps), z)


def batch_norm_masked(z: Any, gamma: Any, beta: Any, mask: Any, eps: float = 1e-5) -> Any:
    """BatchNorm with the statistics of the samples in the mask, such as those that are no padding."""
    n = named(total(mask, axis=0), "n")
    mu = named(total(mask * z, axis=0) / n, "mu", latex=r"\mu")
    sigma2 = named(total(mask * (z - mu) ** 2, axis=0) / n, "sigma2", latex=r"\sigma^2")
    u = named((z - mu) / sqrt(sigma2 + eps), "u")
    return gamma * u + beta


def group_norm(z: Any, gamma: Any, beta: Any, eps: float = 1e-5) -> Any:
    """Normalise each group of channels over its channels and positions; axes (N, G, C/G, P)."""
    return batch_norm(z, expand_dims(gamma, -1), expand_dims(beta, -1), eps, axis=(2, 3))


def instance_norm(z: Any, gamma: Any, beta: Any, eps: float = 1e-5) -> Any:
    """Normalise each channel of each sample over its positions; axes (N, C, P)."""
    return batch_norm(z, expand_dims(gamma, 1), expand_dims(beta, 1), eps, axis=2)


def weight_norm(v: Any, scale: Any) -> Any:
    """Each row of a weight matrix as length times direction."""
    n = named(sqrt(total(v**2, axis=-1, keepdims=True)), "n", latex=r"\lVert v\rVert")
    u = named(v / n, "u")
    return expand_dims(scale, -1) * u


def weight_standardization(W: Any, eps: float = 1e-5) -> Any:
    """Each row of a weight matrix with mean 0 and variance 1."""
    mu = named(mean(W, axis=-1, keepdims=True), "mu", latex=r"\mu")
    sigma2 = named(mean((W - mu) ** 2, axis=-1, keepdims=True), "sigma2", latex=r"\sigma^2")
    return named((W - mu) / sqrt(sigma2 + eps), "u")


def normalize(x: Any, eps: float = 1e-12) -> Any:
    """Each sample over its length."""
    n2 = named(total(x**2, axis=-1, keepdims=True), "n2", latex=r"\lVert x\rVert^2")
    return named(x / sqrt(n2 + eps), "u")


# losses ------------------------------------------------------------------------------------------------------------


def kl_divergence(t: Any, z: Any) -> Any:
    """Divergence of softmax(z) from positive targets t, per sample."""
    return total(kl_div(log_softmax(z), t, reduction="none"), axis=-1)


def focal_loss(logits: Any, target: Any, focus: float = 2.0) -> Any:
    """Cross-entropy that weighs the probability p of a class by (1 - p) to a power."""
    p = softmax(logits)
    return -mean(total(target * (1 - p) ** focus * log(p), axis=-1))


def info_nce(a: Any, b: Any, temperature: float = 0.1) -> Any:
    """Contrastive loss: each a_i is to find its own b_i among all of the batch."""
    s = named(a @ b.T / temperature, "s")
    return mean(logsumexp(s, axis=1) - total(a * b, axis=1) / temperature)


def cosine_similarity(a: Any, b: Any) -> Any:
    """Cosine of the angle between vectors."""
    na = named(sqrt(total(a**2, axis=-1)), "n_a", latex=r"\lVert a\rVert")
    nb = named(sqrt(total(b**2, axis=-1)), "n_b", latex=r"\lVert b\rVert")
    return named(total(a * b, axis=-1) / (na * nb), "c")


def gaussian_nll(mu: Any, v: Any, target: Any) -> Any:
    """Negative log-likelihood of a normal distribution with a variance that is predicted as well, and not clamped."""
    return mean(log(v) + (target - mu) ** 2 / v) / 2


def lp_penalty(w: Any, lam: float = 1e-3, p: float = 2.5) -> Any:
    """A penalty on weights, with the exponent as a symbol."""
    return lam * total(absolute(w) ** p)


def lp_norm(x: Any, p: float = 3.0) -> Any:
    """The p-norm, with the exponent as a symbol."""
    n = named(total(absolute(x) ** p), "n")
    return n ** (1 / p)


def lp_pooling(x: Any, p: float = 3.0) -> Any:
    """The power mean of positive values in each window; axes (N, windows, places)."""
    m = named(mean(x**p, axis=-1), "m")
    return m ** (1 / p)


# activations -------------------------------------------------------------------------------------------------------


def elu(x: Any, alpha: float = 1.0) -> Any:
    """A ramp that falls to -alpha; without the guard of symgrad's own against overflow, which hides what is 0."""
    return where(x > 0, x, alpha * (exp(x) - 1))


def dropout(x: Any, mask: Any, keep: float = 0.8) -> Any:
    """The elements of a mask, scaled so that the mean stays."""
    return x * mask / keep


# layers and networks -----------------------------------------------------------------------------------------------


def linear(x: Any, W: Any, b: Any) -> Any:
    """A dense layer; W has one row per input."""
    return x @ W + b


def linear_tanh(x: Any, W: Any, b: Any) -> Any:
    """A dense layer with tanh."""
    z = named(x @ W + b, "z")
    return named(tanh(z), "a")


def linear_sigmoid(x: Any, W: Any, b: Any) -> Any:
    """A dense layer with the logistic function."""
    z = named(x @ W + b, "z")
    return named(sigmoid(z), "a")


def linear_batch_norm(x: Any, W: Any, b: Any, gamma: Any, beta: Any, eps: float = 1e-5) -> Any:
    """BatchNorm after a dense layer with a bias, which then has no effect."""
    z = named(x @ W + b, "z")
    return batch_norm(z, gamma, beta, eps)


def masked_attention(q: Any, k: Any, v: Any, mask: Any, scale: float = 0.125) -> Any:
    """Attention to the places in a mask, such as the past."""
    e = named(mask * exp(named(q @ k.T * scale, "s")), "e")
    p = named(e / named(total(e, axis=-1, keepdims=True), "S"), "p")
    return p @ v


def bn_tanh_network(x: Any, W1: Any, gamma: Any, beta: Any, W2: Any, b: Any, t: Any, eps: float = 1e-5) -> Any:
    """Linear, BatchNorm, tanh, linear, softmax, cross-entropy, averaged over the batch."""
    z = named(x @ W1, "z")
    zhat = batch_norm(z, gamma, beta, eps)
    a = named(tanh(zhat), "a")
    o = named(a @ W2 + b, "o")
    return cross_entropy(o, t)


def relu_network(x: Any, W1: Any, b1: Any, W2: Any, b2: Any, t: Any) -> Any:
    """Linear, ReLU, linear, mean squared error."""
    z = named(x @ W1 + b1, "z")
    a = named(relu(z), "a")
    return mse(named(a @ W2 + b2, "y"), t)


@cache
def _entries() -> dict[str, Entry]:
    s = spec
    one, norm = {"x": s("N")}, {"gamma": s("D"), "beta": s("D")}
    images = {"z": s("N", "C", "P"), "gamma": s("C"), "beta": s("C")}
    groups = {"z": s("N", "G", "K", "P"), "gamma": s("G", "K"), "beta": s("G", "K")}
    dense = {"x": s("B", "D"), "W": s("D", "C"), "b": s("C")}
    net = {"x": s("B", "D"), "W1": s("D", "H"), "gamma": s("H"), "beta": s("H"), "W2": s("H", "C"), "b": s("C")}
    small = {"x": s("B", "D"), "W1": s("D", "H"), "b1": s("H"), "W2": s("H", "C"), "b2": s("C"), "t": s("B", "C")}
    classes = {"logits": s("B", "C"), "target": s("B", "C")}
    labels = {"logits": s("B", "C"), "target": s("B", dtype=int)}
    pairs = {"prediction": s("B"), "target": s("B")}
    heads = {"q": s("T", "D"), "k": s("U", "D"), "v": s("U", "E")}
    queries = {"query": s("T", "D"), "key": s("U", "D"), "value": s("U", "E")}
    couples = {"a": s("B", "D"), "b": s("B", "D")}
    return {
        "batch_norm": Entry(batch_norm, {"z": s("B"), "gamma": s(), "beta": s()}),
        "batch_norm_features": Entry(batch_norm, {"z": s("B", "D"), **norm}),
        "batch_norm_positions": Entry(batch_norm_positions, images),
        "batch_norm_bessel": Entry(batch_norm_bessel, {"z": s("B"), "gamma": s(), "beta": s()}),
        "batch_norm_selected": Entry(batch_norm_selected, {"z": s("B", "D"), **norm, "selected": s("D", dtype=bool)}),
        "batch_norm_masked": Entry(batch_norm_masked, {"z": s("B", "D"), **norm, "mask": s("B", 1, dtype=bool)}),
        "layer_norm": Entry(layer_norm, {"z": s("B", "D"), **norm}),
        "group_norm": Entry(group_norm, groups),
        "instance_norm": Entry(instance_norm, images),
        "rms_norm": Entry(rms_norm, {"z": s("B", "D"), "gamma": s("D")}),
        "weight_norm": Entry(weight_norm, {"v": s("H", "D"), "scale": s("H")}),
        "weight_standardization": Entry(weight_standardization, {"W": s("H", "D")}),
        "normalize": Entry(normalize, {"x": s("B", "D")}),
        "softmax": Entry(softmax, {"x": s("B", "C")}),
        "log_softmax": Entry(log_softmax, {"x": s("B", "C")}),
        "logsumexp": Entry(logsumexp, {"x": s("B", "C"), "axis": -1}),
        "cross_entropy": Entry(cross_entropy, classes),
        "cross_entropy_labels": Entry(cross_entropy, labels),
        "smoothed_cross_entropy": Entry(cross_entropy, {**classes, "label_smoothing": 0.1}),
        "binary_cross_entropy": Entry(binary_cross_entropy_with_logits, {"input": s("B"), "target": s("B")}),
        "kl_divergence": Entry(kl_divergence, {"t": s("B", "C", positive=True), "z": s("B", "C")}),
        "focal_loss": Entry(focal_loss, classes),
        "info_nce": Entry(info_nce, couples),
        "cosine_similarity": Entry(cosine_similarity, couples),
        "mse": Entry(mse, pairs),
        "huber": Entry(huber_loss, {"input": s("B"), "target": s("B")}),
        "hinge": Entry(hinge_loss, {"input": s("B"), "target": s("B")}),
        "gaussian_nll": Entry(gaussian_nll, {"mu": s("B"), "v": s("B", positive=True), "target": s("B")}),
        "lp_penalty": Entry(lp_penalty, {"w": s("N")}),
        "lp_norm": Entry(lp_norm, one),
        "lp_pooling": Entry(lp_pooling, {"x": s("N", "W", "K", positive=True)}),
        "sigmoid": Entry(sigmoid, one),
        "tanh": Entry(tanh, one),
        "relu": Entry(relu, one),
        "gelu": Entry(gelu, one),
        "gelu_tanh": Entry(gelu, {**one, "approximate": "tanh"}),
        "silu": Entry(silu, one),
        "softplus": Entry(softplus, one),
        "mish": Entry(mish, one),
        "leaky_relu": Entry(leaky_relu, one),
        "elu": Entry(elu, one),
        "dropout": Entry(dropout, {**one, "mask": s("N", dtype=bool)}),
        "linear": Entry(linear, dense),
        "linear_tanh": Entry(linear_tanh, dense),
        "linear_sigmoid": Entry(linear_sigmoid, dense),
        "linear_batch_norm": Entry(linear_batch_norm, {"x": s("B", "E"), "W": s("E", "D"), "b": s("D"), **norm}),
        "attention": Entry(scaled_dot_product_attention, {**queries, "dropout_p": 0}),
        "masked_attention": Entry(masked_attention, {**heads, "mask": s("T", "U", dtype=bool)}),
        "bn_tanh_network": Entry(bn_tanh_network, {**net, "t": s("B", "C")}),
        "bn_tanh_labels": Entry(bn_tanh_network, {**net, "t": s("B", dtype=int)}),
        "relu_network": Entry(relu_network, small),
    }


ALIASES = {"batchnorm": "batch_norm", "batchnorm_2d": "batch_norm_features", "batchnorm_nchw": "batch_norm_positions",
           "batchnorm_bessel": "batch_norm_bessel", "layernorm": "layer_norm", "groupnorm": "group_norm",
           "rmsnorm": "rms_norm", "cosine": "cosine_similarity", "softmax_cross_entropy": "cross_entropy"}  # fmt: skip
"""Other names that `derive` takes."""


def catalogue() -> tuple[str, ...]:
    """The names that `derive` knows."""
    return tuple(_entries())


def entry(name: str) -> Entry:
    """An entry by name, or an error that lists them."""
    found = _entries().get(ALIASES.get(name, name))
    if found is None:
        known = nearest(name, [*_entries(), *ALIASES])
        raise SymbolicError(f"catalogue: there is no {name!r}{known}; it has {', '.join(_entries())}")
    return found
