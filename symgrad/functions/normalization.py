"""Softmax and its kin, and the normalisations."""

from __future__ import annotations

from typing import Any

from symgrad.op import function
from symgrad.ops.exponential import difference0, exp, log
from symgrad.ops.layout import squeeze
from symgrad.ops.marks import named, stop_gradient
from symgrad.ops.piecewise import isfinite, where
from symgrad.ops.reduction import max, mean, sum
from symgrad.shapes import normalize_axes
from symgrad.tensor import array_like

__all__ = ["batch_norm", "layer_norm", "log_softmax", "logsumexp", "rms_norm", "softmax"]


def largest(x: Any, axis: Any) -> Any:
    """The largest element, which leaves the result as it is and keeps exp in range."""
    if any(type(n) is int and n == 0 for n in x.shape):
        return 0.0
    m = stop_gradient(max(x, axis, keepdims=True))
    return named(where(isfinite(m), m, 0.0), "m")


@function()
def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    r"""The smooth maximum :math:`\ln \sum_i e^{x_i}`, without overflow.

    Elements that are infinite and largest share the gradient equally.

    Parameters
    ----------
    x : Tensor or array
    axis : int or tuple of int, optional
        All by default.
    keepdims : bool

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.logsumexp(sg.tensor([1000.0, 1000.0]))
    Tensor(1000.69314718)
    """
    x = array_like(x, "logsumexp")
    m = named(stop_gradient(max(x, axis, keepdims=True)), "m")
    e = named(exp(difference0(x, m)), "e")
    y = log(named(sum(e, axis, keepdims=True), "S")) + m
    return y if keepdims else squeeze(y, normalize_axes(axis, len(x.shape), "logsumexp"))


@function()
def softmax(x: Any, axis: int = -1) -> Any:
    r"""Probabilities :math:`p_i = e^{x_i} / \sum_j e^{x_j}` along an axis.

    Parameters
    ----------
    x : Tensor or array
    axis : int

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.softmax(sg.tensor([0.0, 0.0]))
    Tensor([0.5, 0.5], name='p')
    """
    x = array_like(x, "softmax")
    e = named(exp(x - largest(x, axis)), "e")
    return named(e / named(sum(e, axis, keepdims=True), "S"), "p")


@function()
def log_softmax(x: Any, axis: int = -1) -> Any:
    r"""Log-probabilities :math:`x_i - \ln \sum_j e^{x_j}` along an axis, accurate where they are small."""
    x = array_like(x, "log_softmax")
    shifted = x - largest(x, axis)
    e = named(exp(shifted), "e")
    return shifted - log(named(sum(e, axis, keepdims=True), "S"))


@function()
def batch_norm(z: Any, gamma: Any, beta: Any, eps: float = 1e-5, *, axis: Any = 0) -> Any:
    r"""Batch normalisation: every unit standardised over the minibatch, then scaled and shifted.

    .. math::
        \mu_B = \frac1B \sum_i z_i, \quad \sigma_B^2 = \frac1B \sum_i (z_i - \mu_B)^2, \quad
        u_i = \frac{z_i - \mu_B}{\sqrt{\sigma_B^2 + \epsilon}}, \quad \hat z_i = \gamma u_i + \beta

    Parameters
    ----------
    z : Tensor or array, shape (B, ...)
        The weighted sums of a minibatch.
    gamma, beta : Tensor or array
        Scale and shift of every unit.
    eps : float
        Inside the root.
    axis : int or tuple of int
        The axes that hold the samples.

    References
    ----------
    S. Ioffe and C. Szegedy, "Batch normalization", ICML 2015, PMLR 37:448-456, algorithm 1.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.batch_norm(sg.tensor([1.0, 3.0]), 2.0, 1.0, eps=0.0)
    Tensor([-1.,  3.], name='z_hat')
    """
    z = array_like(z, "batch_norm")
    mu = named(mean(z, axis, keepdims=True), "mu", latex=r"\mu_B")
    deviation = z - mu
    sigma2 = named(mean(deviation**2, axis, keepdims=True), "sigma2", latex=r"\sigma_B^2")
    u = named(deviation / (sigma2 + eps) ** 0.5, "u")
    return named(gamma * u + beta, "z_hat", latex=r"\hat z")


@function()
def layer_norm(z: Any, gamma: Any, beta: Any, eps: float = 1e-5, *, axis: Any = -1) -> Any:
    r"""Layer normalisation: every sample standardised over its features; `batch_norm` along another axis.

    References
    ----------
    J. L. Ba, J. R. Kiros and G. E. Hinton, "Layer normalization", 2016, equation 4.
    """
    return batch_norm(z, gamma, beta, eps, axis=axis)


@function()
def rms_norm(z: Any, gamma: Any, eps: float = 1e-5, *, axis: Any = -1) -> Any:
    r"""Every sample divided by its root mean square: :math:`\gamma z / \sqrt{\frac1n \sum_i z_i^2 + \epsilon}`.

    References
    ----------
    B. Zhang and R. Sennrich, "Root mean square layer normalization", NeurIPS 2019, equation 4.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.rms_norm(sg.tensor([1.0, 7.0]), 1.0, eps=0.0)
    Tensor([0.2, 1.4])
    """
    z = array_like(z, "rms_norm")
    m = named(mean(z**2, axis, keepdims=True), "m", latex=r"\overline{z^2}")
    return gamma * (z / (m + eps) ** 0.5)
