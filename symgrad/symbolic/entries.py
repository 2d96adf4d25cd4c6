r"""The catalogue: formulas of well-known layers and losses, as ordinary symgrad functions with their shapes.

Nothing here is a gradient; each entry is what `derive` starts from. Names inside a formula (`symgrad.named`) are what
its derivation, its pictures and its compiled source show.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from symgrad.errors import SymbolicError, nearest
from symgrad.functions import batch_norm, cross_entropy, layer_norm, log_softmax, logsumexp, mse, softmax
from symgrad.ops.arithmetic import sqrt
from symgrad.ops.exponential import exp, log, sigmoid, tanh
from symgrad.ops.layout import expand_dims
from symgrad.ops.marks import named
from symgrad.ops.piecewise import abs as absolute
from symgrad.ops.reduction import mean
from symgrad.ops.reduction import sum as total
from symgrad.tracing import spec

__all__ = ["Entry", "catalogue", "entry"]


@dataclass(frozen=True)
class Entry:
    """A formula, the shapes of its arguments, and options such as an axis."""

    function: Callable[..., Any]
    specs: dict[str, Any]


def batchnorm_nchw(z: Any, gamma: Any, beta: Any, eps: float = 1e-5) -> Any:
    """Normalise each channel over batch and positions; axes (N, C, P)."""
    return batch_norm(z, expand_dims(gamma, 1), expand_dims(beta, 1), eps, axis=(0, 2))


def rmsnorm(x: Any, gamma: Any, eps: float = 1e-6) -> Any:
    """Divide each sample by its root mean square."""
    ms = named(mean(x**2, axis=-1, keepdims=True), "ms", latex=r"\overline{x^2}")
    u = named(x / sqrt(ms + eps), "u")
    return gamma * u


def weight_norm(v: Any, scale: Any) -> Any:
    """A weight vector as length times direction."""
    n = named(sqrt(total(v**2)), "n", latex=r"\lVert v\rVert")
    u = named(v / n, "u")
    return scale * u


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


def cosine(a: Any, b: Any) -> Any:
    """Cosine of the angle between vectors."""
    na = named(sqrt(total(a**2)), "n_a", latex=r"\lVert a\rVert")
    nb = named(sqrt(total(b**2)), "n_b", latex=r"\lVert b\rVert")
    return named(total(a * b) / (na * nb), "c")


def silu(x: Any) -> Any:
    """X times its logistic value."""
    a = named(sigmoid(x), "a")
    return x * a


def softplus(x: Any) -> Any:
    """The smooth ramp."""
    return log(1 + exp(x))


def lp_norm(x: Any, p: float = 3.0) -> Any:
    """The p-norm, with the exponent as a symbol."""
    n = named(total(absolute(x) ** p), "n")
    return n ** (1 / p)


def batchnorm_bessel(z: Any, gamma: Any, beta: Any, eps: float = 1e-5) -> Any:
    """BatchNorm with the unbiased variance, which divides by B - 1."""
    mu = named(mean(z, axis=0), "mu", latex=r"\mu")
    v = named(total((z - mu) ** 2, axis=0) / (z.shape[0] - 1), "v")
    u = named((z - mu) / sqrt(v + eps), "u")
    return gamma * u + beta


def info_nce(a: Any, b: Any) -> Any:
    """Contrastive loss: each a_i is to find its own b_i among all of the batch."""
    s = named(a @ b.T, "s")
    return mean(logsumexp(s, axis=1) - total(a * b, axis=1))


def kl_divergence(t: Any, z: Any) -> Any:
    """Divergence of softmax(z) from positive targets t, per sample."""
    return total(t * (log(t) - log_softmax(z)), axis=-1)


def attention(q: Any, k: Any, v: Any, scale: float = 0.125) -> Any:
    """Scaled dot-product attention; axes (T, D), (U, D), (U, E)."""
    s = named(q @ k.T * scale, "s")
    return softmax(s) @ v


def bn_tanh_network(x: Any, W1: Any, gamma: Any, beta: Any, W2: Any, b: Any, t: Any, eps: float = 1e-5) -> Any:
    """Linear, BatchNorm, tanh, linear, softmax, cross-entropy, averaged over the batch."""
    z = named(x @ W1, "z")
    zhat = batch_norm(z, gamma, beta, eps)
    a = named(tanh(zhat), "a")
    o = named(a @ W2 + b, "o")
    return cross_entropy(o, t)


@cache
def _entries() -> dict[str, Entry]:
    s = spec
    norm = {"z": s("B", "D"), "gamma": s("D"), "beta": s("D")}
    dense = {"x": s("B", "D"), "W": s("D", "C"), "b": s("C")}
    net = {"x": s("B", "D"), "W1": s("D", "H"), "gamma": s("H"), "beta": s("H"), "W2": s("H", "C"), "b": s("C")}
    return {
        "batchnorm": Entry(batch_norm, {"z": s("B"), "gamma": s(), "beta": s()}),
        "batchnorm_2d": Entry(batch_norm, norm),
        "batchnorm_nchw": Entry(batchnorm_nchw, {"z": s("N", "C", "P"), "gamma": s("C"), "beta": s("C")}),
        "layernorm": Entry(layer_norm, norm),
        "groupnorm": Entry(layer_norm, {"z": s("N", "G", "C"), "gamma": s("G", "C"), "beta": s("G", "C")}),
        "rmsnorm": Entry(rmsnorm, {"x": s("B", "D"), "gamma": s("D")}),
        "weight_norm": Entry(weight_norm, {"v": s("D"), "scale": s()}),
        "softmax": Entry(softmax, {"x": s("B", "C")}),
        "logsumexp": Entry(logsumexp, {"x": s("B", "C"), "axis": -1}),
        "log_softmax": Entry(log_softmax, {"x": s("B", "C")}),
        "softmax_cross_entropy": Entry(cross_entropy, {"logits": s("B", "C"), "target": s("B", "C")}),
        "linear": Entry(linear, dense),
        "linear_tanh": Entry(linear_tanh, dense),
        "linear_sigmoid": Entry(linear_sigmoid, dense),
        "mse": Entry(mse, {"prediction": s("B"), "target": s("B")}),
        "cosine": Entry(cosine, {"a": s("D"), "b": s("D")}),
        "silu": Entry(silu, {"x": s("N")}),
        "softplus": Entry(softplus, {"x": s("N")}),
        "lp_norm": Entry(lp_norm, {"x": s("D")}),
        "batchnorm_bessel": Entry(batchnorm_bessel, {"z": s("B"), "gamma": s(), "beta": s()}),
        "info_nce": Entry(info_nce, {"a": s("B", "D"), "b": s("B", "D")}),
        "kl_divergence": Entry(kl_divergence, {"t": s("B", "C", positive=True), "z": s("B", "C")}),
        "attention": Entry(attention, {"q": s("T", "D"), "k": s("U", "D"), "v": s("U", "E")}),
        "bn_tanh_network": Entry(bn_tanh_network, {**net, "t": s("B", "C")}),
    }


def catalogue() -> tuple[str, ...]:
    """The names that `derive` knows."""
    return tuple(_entries())


def entry(name: str) -> Entry:
    """An entry by name, or an error that lists them."""
    if name not in _entries():
        raise SymbolicError(
            f"derive: no {name!r} in the catalogue{nearest(name, _entries())}; it has {', '.join(_entries())}"
        )
    return _entries()[name]
