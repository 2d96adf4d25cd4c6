"""Activations under the names of torch.nn.functional, with its arguments and its slopes at kinks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from symgrad.errors import ShapeError
from symgrad.functions.normalization import softmax
from symgrad.functions.random import random_uniform
from symgrad.op import function
from symgrad.ops.exponential import expm1, log, logaddexp, sigmoid, tanh
from symgrad.ops.layout import reshape
from symgrad.ops.marks import astype, named, stop_gradient
from symgrad.ops.piecewise import abs, maximum, where
from symgrad.ops.special import erf
from symgrad.shapes import normalize_axis
from symgrad.tensor import array_like, holds

__all__ = [
    "celu",
    "elu",
    "gelu",
    "glu",
    "gumbel_softmax",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "logsigmoid",
    "mish",
    "prelu",
    "relu6",
    "rrelu",
    "selu",
    "silu",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "tanhshrink",
    "threshold",
]

SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717

# Lines with kinks


@function()
def hardtanh(x: Any, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    r"""Between two bounds the identity, constant beyond: :math:`\min(\max(x, a), b)`; the slope at the bounds is 0."""
    x = array_like(x, "hardtanh")
    if holds(min_val > max_val):
        raise ShapeError(f"hardtanh: min_val={min_val} is above max_val={max_val}")
    return where(x <= min_val, min_val, where(x >= max_val, max_val, x))


@function()
def relu6(x: Any) -> Any:
    r"""Rectifier with a ceiling: :math:`\min(\max(x, 0), 6)`."""
    return hardtanh(x, 0.0, 6.0)


@function()
def leaky_relu(x: Any, negative_slope: float = 0.01) -> Any:
    r"""Rectifier that leaks: x if positive, else :math:`a x` (also at 0)."""
    x = array_like(x, "leaky_relu")
    return where(x > 0, x, negative_slope * x)


@function()
def prelu(x: Any, weight: Any) -> Any:
    """Rectifier with a learned leak: one number for all, or one for each channel (axis 1).

    Parameters
    ----------
    x : Tensor or array, shape (B, C, ...)
    weight : Tensor or array, shape (C,), (1,) or ()

    Raises
    ------
    ShapeError
        If there are not as many weights as channels.
    """
    x, weight = array_like(x, "prelu"), array_like(weight, "prelu")
    channels = x.shape[1] if len(x.shape) > 1 else 1
    if len(weight.shape) > 1 or (weight.shape not in ((), (1,)) and tuple(weight.shape) != (channels,)):
        raise ShapeError(f"prelu: weight of shape {tuple(weight.shape)} for {channels} channels")
    if len(x.shape) > 2 and weight.shape not in ((), (1,)):
        weight = reshape(weight, (weight.shape[0], *(1,) * (len(x.shape) - 2)))
    if not len(x.shape):
        weight = reshape(weight, ())
    return where(x > 0, x, weight * x)


@function()
def rrelu(x: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> Any:
    """Rectifier with a random leak between two bounds while training (inside of a Run), else with their mean."""
    x = array_like(x, "rrelu")
    slope: Any = (lower + upper) / 2
    if training:
        slope = lower + (upper - lower) * random_uniform("rrelu", tuple(x.shape), x.dtype)
    return where(x > 0, x, slope * x)


@function()
def threshold(x: Any, threshold: float, value: float) -> Any:
    """X where it is above a threshold, else a constant value."""
    x = array_like(x, "threshold")
    return where(x > threshold, x, float(value))


@function()
def hardshrink(x: Any, lambd: float = 0.5) -> Any:
    r"""Zero where :math:`|x| \le \lambda`, else x."""
    x = array_like(x, "hardshrink")
    return where(abs(x) <= lambd, 0.0, x)


@function()
def softshrink(x: Any, lambd: float = 0.5) -> Any:
    r"""Zero where :math:`|x| \le \lambda`, else x moved by lambda towards 0."""
    x = array_like(x, "softshrink")
    if holds(lambd < 0):
        raise ShapeError(f"softshrink: lambd must be at least 0, got {lambd}")
    return where(x > lambd, x - lambd, where(x < -lambd, x + lambd, 0.0))


@function()
def hardsigmoid(x: Any) -> Any:
    r"""A sigmoid of three lines: :math:`\min(\max(x/6 + 1/2, 0), 1)`."""
    x = array_like(x, "hardsigmoid")
    return where(x <= -3, 0.0, where(x >= 3, 1.0, x / 6 + 0.5))


@function()
def hardswish(x: Any) -> Any:
    r"""The product of x and `hardsigmoid`."""
    x = array_like(x, "hardswish")
    return where(x <= -3, 0.0, where(x >= 3, x, x * (x + 3) / 6))


# Smooth


@function()
def softplus(x: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    r"""A smooth rectifier, :math:`\frac1\beta \ln(1 + e^{\beta x})`; x itself where beta x is above a threshold."""
    x = array_like(x, "softplus")
    return where(beta * x > threshold, x, logaddexp(beta * x, 0.0) / beta)


@function()
def logsigmoid(x: Any) -> Any:
    r"""Logarithm of the logistic function, :math:`-\ln(1 + e^{-x})`, accurate where it is small."""
    return -logaddexp(-array_like(x, "logsigmoid"), 0.0)


@function()
def elu(x: Any, alpha: float = 1.0) -> Any:
    r"""X if positive, else :math:`\alpha (e^x - 1)`."""
    x = array_like(x, "elu")
    return where(x > 0, x, alpha * expm1(where(x > 0, 0.0, x)))


@function()
def celu(x: Any, alpha: float = 1.0) -> Any:
    r"""X if positive, else :math:`\alpha (e^{x/\alpha} - 1)`."""
    if holds(alpha == 0):
        raise ShapeError("celu: alpha must not be 0")
    x = array_like(x, "celu")
    return where(x > 0, x, alpha * expm1(where(x > 0, 0.0, x) / alpha))


@function()
def selu(x: Any) -> Any:
    """`elu` with the scales that keep mean 0 and variance 1.

    References
    ----------
    G. Klambauer et al., "Self-normalizing neural networks", NeurIPS 2017, equation 2.
    """
    return SELU_SCALE * elu(x, SELU_ALPHA)


@function()
def gelu(x: Any, approximate: str = "none") -> Any:
    r"""The product of x and the normal distribution function, :math:`\frac{x}{2} (1 + \operatorname{erf}(x/\sqrt2))`.

    Parameters
    ----------
    x : Tensor or array
    approximate : {"none", "tanh"}
        "tanh" uses :math:`\tanh(\sqrt{2/\pi} (x + 0.044715 x^3))` for erf.

    References
    ----------
    D. Hendrycks and K. Gimpel, "Gaussian error linear units", 2016.
    """
    x = array_like(x, "gelu")
    if approximate == "none":
        return 0.5 * x * (1.0 + erf(x * math.sqrt(0.5)))
    if approximate != "tanh":
        raise ShapeError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}")
    return 0.5 * x * (1.0 + tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))


@function()
def silu(x: Any) -> Any:
    r"""The product of x and the logistic function, :math:`x \sigma(x)`; also called swish."""
    x = array_like(x, "silu")
    return x * named(sigmoid(x), "a")


@function()
def mish(x: Any) -> Any:
    r"""The product :math:`x \tanh(\ln(1 + e^x))`."""
    x = array_like(x, "mish")
    return x * named(tanh(named(logaddexp(x, 0.0), "s")), "a")


@function()
def softsign(x: Any) -> Any:
    r"""The ratio :math:`x / (1 + |x|)`."""
    x = array_like(x, "softsign")
    return x / (1 + abs(x))


@function()
def tanhshrink(x: Any) -> Any:
    r"""The difference :math:`x - \tanh x`."""
    x = array_like(x, "tanhshrink")
    return x - tanh(x)


# Along an axis


@function()
def glu(x: Any, axis: int = -1) -> Any:
    """The first half of an axis times the logistic function of the second."""
    x = array_like(x, "glu")
    axis = normalize_axis(axis, len(x.shape), "glu")
    n = x.shape[axis]
    if n % 2:
        raise ShapeError(f"glu: axis {axis} of size {n} has no halves")
    before = (slice(None),) * axis
    return x[(*before, slice(0, n // 2))] * sigmoid(x[(*before, slice(n // 2, n))])


@function()
def softmin(x: Any, axis: int = -1) -> Any:
    """`softmax` of -x."""
    return softmax(-array_like(x, "softmin"), axis)


@function()
def gumbel_softmax(logits: Any, tau: float = 1.0, hard: bool = False, axis: int = -1) -> Any:
    """A random choice by log-probabilities that has a gradient; needs a Run.

    Parameters
    ----------
    logits : Tensor or array
    tau : float
        The smaller, the nearer to one choice.
    hard : bool
        Return one choice exactly, with the gradient of the soft one.
    axis : int

    References
    ----------
    E. Jang, S. Gu and B. Poole, "Categorical reparameterization with Gumbel-softmax", ICLR 2017.
    """
    logits = array_like(logits, "gumbel_softmax")
    u = maximum(random_uniform("gumbel_softmax", tuple(logits.shape), logits.dtype), float(np.finfo(logits.dtype).tiny))
    y = softmax((logits - log(-log(u))) / tau, axis)
    if not hard:
        return y
    chosen = astype(y == y.max(axis, keepdims=True), y.dtype)
    return stop_gradient(chosen - y) + y
