"""Normalisations with the arguments of torch.nn.functional: `functions.batch_norm` along different axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.errors import ShapeError
from symgrad.functions import normalization
from symgrad.functions.padding import constant_pad
from symgrad.ops.layout import reshape
from symgrad.ops.reduction import mean
from symgrad.ops.sliding import windows
from symgrad.shapes import as_shape, quotient, same_shape, size_of
from symgrad.tensor import array_like

__all__ = ["batch_norm", "group_norm", "instance_norm", "layer_norm", "local_response_norm", "rms_norm"]


def _with_channels(input: Any, name: str, least: int = 2) -> Any:
    x = array_like(input, name)
    if len(x.shape) < least:
        raise ShapeError(f"{name}: the input has shape {tuple(x.shape)}; it must be (B, C, ...)")
    return x


def _per_channel(v: Any, x: Any, name: str, default: float) -> Any:
    """A number for each channel, along axis 1 of the input."""
    if v is None:
        return default
    v = array_like(v, name)
    if tuple(v.shape) != (x.shape[1],):
        raise ShapeError(f"{name}: shape {tuple(v.shape)} for {x.shape[1]} channels")
    return reshape(v, (x.shape[1], *(1,) * (len(x.shape) - 2)))


def batch_norm(
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """Every channel standardised over the batch and all other axes (training), or by given statistics.

    Parameters
    ----------
    input : Tensor or array, shape (B, C, ...)
    running_mean, running_var : array, shape (C,), or None
        The statistics that count outside of training. They are not changed: `nn.BatchNorm1d` keeps them.
    weight, bias : Tensor or array, shape (C,), optional
    training : bool
    momentum : float
        For torch's order of arguments; nothing is averaged here.
    eps : float

    Raises
    ------
    ShapeError
        If shapes do not fit, or one value per channel is to be standardised.
    """
    x = _with_channels(input, "batch_norm")
    gamma, beta = _per_channel(weight, x, "batch_norm", 1.0), _per_channel(bias, x, "batch_norm", 0.0)
    axes = (0, *range(2, len(x.shape)))
    if training:
        if size_of(x.shape, axes) == 1:
            raise ShapeError(f"batch_norm: one value per channel (shape {tuple(x.shape)}) cannot be standardised")
        return normalization.batch_norm(x, gamma, beta, eps, axis=axes)
    if running_mean is None or running_var is None:
        raise ShapeError("batch_norm: outside of training running_mean and running_var are needed")
    mu, var = (_per_channel(v, x, "batch_norm", 0.0) for v in (running_mean, running_var))
    return (x - mu) / (var + eps) ** 0.5 * gamma + beta


def layer_norm(input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """Every sample standardised over its last axes, those of normalized_shape, which weight and bias have too."""
    x, axes = _last_axes(input, normalized_shape, (weight, bias), "layer_norm")
    return normalization.layer_norm(x, 1.0 if weight is None else weight, 0.0 if bias is None else bias, eps, axis=axes)


def rms_norm(input: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Any:
    """Every sample divided by the root mean square over its last axes, those of normalized_shape."""
    x, axes = _last_axes(input, normalized_shape, (weight,), "rms_norm")
    eps = float(np.finfo(x.dtype).eps) if eps is None else eps
    return normalization.rms_norm(x, 1.0 if weight is None else weight, eps, axis=axes)


def _last_axes(input: Any, shape: Any, parameters: Any, name: str) -> Any:
    x, shape = array_like(input, name), as_shape(shape, name)
    n = len(shape)
    if not n or len(x.shape) < n or not same_shape(x.shape[-n:], shape):
        raise ShapeError(f"{name}: the input {tuple(x.shape)} does not end with normalized_shape {shape}")
    for p in parameters:
        if p is not None and not same_shape(np.shape(p), shape):
            raise ShapeError(f"{name}: weight or bias has shape {tuple(np.shape(p))}, expected {shape}")
    return x, tuple(range(-n, 0))


def group_norm(input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """Every sample's groups of channels standardised, each over its channels and all other axes.

    References
    ----------
    Y. Wu and K. He, "Group normalization", ECCV 2018, section 3.
    """
    x = _with_channels(input, "group_norm")
    each = None if quotient(x.shape[1], num_groups) is None else quotient(size_of(x.shape[1:]), num_groups)
    if each is None or (type(num_groups) is int and num_groups < 1):
        raise ShapeError(f"group_norm: {x.shape[1]} channels do not split into {num_groups} groups")
    gamma, beta = _per_channel(weight, x, "group_norm", 1.0), _per_channel(bias, x, "group_norm", 0.0)
    apart = reshape(x, (x.shape[0], num_groups, each))
    standard = reshape(normalization.batch_norm(apart, 1.0, 0.0, eps, axis=2), tuple(x.shape))
    return standard if weight is None and bias is None else gamma * standard + beta


def instance_norm(
    input: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """Every channel of every sample standardised over its other axes, or by given statistics.

    References
    ----------
    D. Ulyanov, A. Vedaldi and V. Lempitsky, "Instance normalization", 2016, equation 2.
    """
    x = _with_channels(input, "instance_norm", 3)
    if not use_input_stats:
        return batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
    if size_of(x.shape[2:]) == 1:
        raise ShapeError(f"instance_norm: one value per channel (shape {tuple(x.shape)}) cannot be standardised")
    gamma, beta = _per_channel(weight, x, "instance_norm", 1.0), _per_channel(bias, x, "instance_norm", 0.0)
    return normalization.batch_norm(x, gamma, beta, eps, axis=tuple(range(2, len(x.shape))))


def local_response_norm(input: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Any:
    r"""Every element divided by :math:`(k + \alpha \overline{x^2})^\beta`, the mean being over neighbouring channels.

    References
    ----------
    A. Krizhevsky, I. Sutskever and G. Hinton, "ImageNet classification", NeurIPS 2012, section 3.3.
    """
    x = _with_channels(input, "local_response_norm", 3)
    if size < 1:
        raise ShapeError(f"local_response_norm: size={size!r} must be at least 1 channel")
    if size_of(x.shape) == 0:
        return x
    widths = [(0, 0)] * len(x.shape)
    widths[1] = (size // 2, (size - 1) // 2)
    near = mean(windows(constant_pad(x * x, widths), size, 1), -1)
    return x / (k + alpha * near) ** beta
