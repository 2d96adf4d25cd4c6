"""Layers that standardise every sample by itself, and weights by their norm."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from symgrad import functions
from symgrad.errors import ShapeError, SymgradError
from symgrad.functions.norms import norm
from symgrad.nn import init, normalizing
from symgrad.nn.module import Layer, Module
from symgrad.nn.parameter import Parameter, State, sizes
from symgrad.shapes import same_size

__all__ = [
    "GroupNorm",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "LayerNorm",
    "RMSNorm",
    "Rescale",
    "Standardize",
    "WeightNorm",
]


class LayerNorm(Layer):
    r"""Layer normalisation: every sample standardised over its last axes.

    Parameters
    ----------
    normalized_shape : int or tuple of int
        Sizes of the last axes.
    eps : float
        Inside the root.
    dtype : dtype, optional

    References
    ----------
    J. L. Ba, J. R. Kiros and G. E. Hinton, "Layer normalization", 2016, equation 4.

    Examples
    --------
    >>> import symgrad as sg
    >>> from symgrad import nn
    >>> nn.LayerNorm(2, eps=0.0)(sg.tensor([[1.0, 3.0], [5.0, 1.0]])).tolist()
    [[-1.0, 1.0], [1.0, -1.0]]
    """

    def __init__(self, normalized_shape: int | tuple[int, ...], eps: float = 1e-5, *, dtype: Any = None) -> None:
        shape = _several("LayerNorm", normalized_shape)
        self.normalized_shape, self.eps = shape, eps
        self.weight = Parameter(init.ones, shape, dtype=dtype, latex=r"\gamma")
        self.bias = Parameter(init.zeros, shape, dtype=dtype, latex=r"\beta")

    def forward(self, z: Any) -> Any:
        """The standardised samples."""
        axes = _last_axes(self, z, self.normalized_shape)
        return functions.layer_norm(z, self.weight, self.bias, self.eps, axis=axes)

    def extra(self) -> str:
        """The arguments that `repr` shows."""
        return repr(self.normalized_shape)


class Standardize(Layer):
    r"""Inputs moved to mean 0 and standard deviation 1: :math:`(x - \mu) / \sigma`, by numbers of the training data.

    They are state: saved with the model, not trained. Constant features, of deviation 0, become 0.

    Parameters
    ----------
    mean, std : array_like
        One number per feature.
    dtype : dtype, optional

    Examples
    --------
    >>> from symgrad import nn
    >>> layer = nn.Standardize.of([[1.0, 5.0], [3.0, 5.0]])
    >>> layer.predict([[3.0, 5.0]]).tolist()
    [[1.0, 0.0]]
    """

    def __init__(self, mean: Any, std: Any, *, dtype: Any = None) -> None:
        std = np.asarray(std, np.float64)
        self.mean, self.std = State(mean, dtype), State(np.where(std > 0, std, 1.0), dtype)

    @classmethod
    def of(cls, X: Any, *, dtype: Any = None) -> Self:
        """The layer for these examples: the statistics over their first axis."""
        X = np.asarray(X, np.float64)
        size = np.maximum(np.abs(X).max(axis=0), np.finfo(np.float64).tiny)  # so that no square overflows
        return cls((X / size).mean(axis=0) * size, (X / size).std(axis=0) * size, dtype=dtype)

    def forward(self, x: Any) -> Any:
        """The standardised inputs."""
        return (x - self.mean.read()) / self.std.read()


class Rescale(Standardize):
    r"""The inverse of `Standardize`: :math:`\mu + \sigma x`, to give outputs the scale of their targets.

    Examples
    --------
    >>> from symgrad import nn
    >>> nn.Rescale.of([[1.0], [3.0]]).predict([[1.0]]).tolist()
    [[3.0]]
    """

    def forward(self, x: Any) -> Any:
        """The outputs in the scale of the targets."""
        return self.mean.read() + self.std.read() * x


class RMSNorm(Layer):
    r"""Root mean square normalisation :math:`\gamma z / \sqrt{\frac1n \sum_i z_i^2 + \epsilon}` over the last axes.

    Parameters
    ----------
    normalized_shape : int or tuple of int
        Sizes of the last axes.
    eps : float
        Inside the root.
    dtype : dtype, optional

    References
    ----------
    B. Zhang and R. Sennrich, "Root mean square layer normalization", NeurIPS 2019, equation 4.

    Examples
    --------
    >>> import symgrad as sg
    >>> from symgrad import nn
    >>> nn.RMSNorm(2, eps=0.0)(sg.tensor([[1.0, 7.0]])).tolist()
    [[0.2, 1.4]]
    """

    def __init__(self, normalized_shape: int | tuple[int, ...], eps: float = 1e-5, *, dtype: Any = None) -> None:
        self.normalized_shape, self.eps = _several("RMSNorm", normalized_shape), eps
        self.weight = Parameter(init.ones, self.normalized_shape, dtype=dtype, latex=r"\gamma")

    def forward(self, z: Any) -> Any:
        """The samples, each divided by its root mean square."""
        return functions.rms_norm(z, self.weight, self.eps, axis=_last_axes(self, z, self.normalized_shape))

    def extra(self) -> str:
        """The arguments that `repr` shows."""
        return repr(self.normalized_shape)


class GroupNorm(Layer):
    r"""Group normalisation: the channels of every sample, standardised together with all pixels in groups.

    Parameters
    ----------
    num_groups, num_channels : int
        The channels, on axis 1, are a multiple of the groups. One group is layer normalisation of the whole
        sample; as many groups as channels are instance normalisation.
    eps : float
        Inside the root.
    affine : bool
        Whether every channel has a scale and a shift.
    dtype : dtype, optional

    References
    ----------
    Y. Wu and K. He, "Group normalization", ECCV 2018.

    Examples
    --------
    >>> import symgrad as sg
    >>> from symgrad import nn
    >>> nn.GroupNorm(2, 4, eps=0.0)(sg.tensor([[1.0, 3.0, 10.0, 20.0]])).tolist()
    [[-1.0, 1.0, -1.0, 1.0]]
    """

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True, *, dtype: Any = None
    ) -> None:
        num_groups, num_channels = sizes(type(self).__name__, (num_groups, num_channels))
        if num_channels % num_groups:
            raise ShapeError(f"GroupNorm: {num_channels} channels do not divide into {num_groups} groups")
        self.num_groups, self.num_channels, self.eps = num_groups, num_channels, eps
        self.weight = Parameter(init.ones, (num_channels,), dtype=dtype, latex=r"\gamma") if affine else None
        self.bias = Parameter(init.zeros, (num_channels,), dtype=dtype, latex=r"\beta") if affine else None

    def forward(self, z: Any) -> Any:
        """The standardised samples, of the shape of z."""
        shape, C = tuple(z.shape), self.num_channels
        if len(shape) < 2 or not same_size(shape[1], C):
            raise ShapeError(f"{self._called()}: takes {C} channels on axis 1, got an input of shape {shape}")
        return normalizing.group_norm(z, self.num_groups, self.weight, self.bias, self.eps)

    def extra(self) -> str:
        """The arguments that `repr` shows."""
        return f"{self.num_groups}, {self.num_channels}"


class InstanceNorm2d(GroupNorm):
    """Instance normalisation: every channel of every image standardised over its pixels; without affine, as in torch.

    References
    ----------
    D. Ulyanov, A. Vedaldi and V. Lempitsky, "Instance normalization", 2016.

    Examples
    --------
    >>> import symgrad as sg
    >>> from symgrad import nn
    >>> nn.InstanceNorm2d(1, eps=0.0)(sg.tensor([[[[1.0, 3.0]]]])).tolist()
    [[[[-1.0, 1.0]]]]
    """

    def __init__(self, num_features: int, eps: float = 1e-5, affine: bool = False, *, dtype: Any = None) -> None:
        super().__init__(num_features, num_features, eps, affine, dtype=dtype)

    def extra(self) -> str:
        """The arguments that `repr` shows."""
        return f"{self.num_channels}"


class InstanceNorm1d(InstanceNorm2d):
    """Instance normalisation of sequences (B, C, L); see `InstanceNorm2d`."""


class WeightNorm(Module):
    r"""A layer whose weight is :math:`w = g\, v / \lVert v \rVert`, one length g for every output.

    Parameters
    ----------
    layer : Linear, Conv1d or Conv2d
        Its weight becomes the direction v; the lengths start at :math:`\lVert v \rVert`, so nothing changes at first.

    References
    ----------
    T. Salimans and D. P. Kingma, "Weight normalization", NeurIPS 2016, equation 2.

    Examples
    --------
    >>> import numpy as np, symgrad as sg
    >>> from symgrad import nn
    >>> layer = nn.WeightNorm(nn.Linear(3, 2))
    >>> x = sg.tensor(np.ones((1, 3)))
    >>> bool(np.allclose(layer(x).numpy(), layer.layer(x).numpy()))
    True
    """

    def __init__(self, layer: Any) -> None:
        if not hasattr(layer, "of") or not hasattr(layer, "out_axis"):
            raise SymgradError(f"WeightNorm: takes a Linear or a convolution, got {type(layer).__name__}")
        self.layer = layer
        slot = layer._slots["weight"]
        shape = tuple(n if k == layer.out_axis % len(slot.shape) else 1 for k, n in enumerate(slot.shape))
        self.gain = Parameter(lambda random, shape: self._length().numpy(), shape, dtype=slot.dtype, latex="g")

    def _length(self) -> Any:
        weight = self.layer.weight
        axes = tuple(k for k in range(len(weight.shape)) if k != self.layer.out_axis % len(weight.shape))
        return norm(weight, axis=axes, keepdims=True)

    def forward(self, x: Any) -> Any:
        """The layer's output with the weight of that length."""
        return self.layer.of(x, self.gain * (self.layer.weight / self._length()))


def _several(name: str, given: Any) -> tuple[int, ...]:
    return sizes(name, given if isinstance(given, tuple | list) else (given,))


def _last_axes(layer: Layer, z: Any, wanted: tuple[int, ...]) -> tuple[int, ...]:
    if tuple(z.shape[-len(wanted) :]) != wanted:
        raise ShapeError(f"{layer._called()}: takes last axes {wanted}, got shape {tuple(z.shape)}")
    return tuple(range(-len(wanted), 0))
