"""Layers without state: affine maps, activations, sequences."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from symgrad.errors import ShapeError, SymgradError
from symgrad.nn import init
from symgrad.nn.module import Layer, Module
from symgrad.nn.parameter import Parameter, sizes
from symgrad.ops.exponential import sigmoid, tanh
from symgrad.ops.piecewise import relu
from symgrad.shapes import same_size

__all__ = ["Linear", "ReLU", "Sequential", "Sigmoid", "Tanh"]


class Linear(Layer):
    r"""The affine map :math:`z = x W + b`.

    Parameters
    ----------
    in_features, out_features : int
    bias : bool
        Leave it out in front of a `BatchNorm1d`, which takes it away again.
    dtype : dtype, optional
        float64 by default.
    weight_init : callable, optional
        By default torch's: uniform within :math:`\pm 1 / \sqrt{\mathrm{in}}`, as is the bias.

    Attributes
    ----------
    weight : Tensor, shape (in_features, out_features)
        The transpose of torch's, so that one product and one sum say it all.
    bias : Tensor, shape (out_features,)
        None without bias.

    Examples
    --------
    >>> import symgrad as sg
    >>> from symgrad import nn
    >>> nn.Linear(3, 2)(sg.tensor([[1.0, 2.0, 3.0]])).shape
    (1, 2)
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, *, dtype: Any = None, weight_init: Any = None
    ) -> None:
        in_features, out_features = sizes("Linear", (in_features, out_features))
        self.in_features, self.out_features = in_features, out_features
        bound = in_features**-0.5
        draw = partial(init.uniform, low=-bound, high=bound)
        self.weight = Parameter(weight_init or draw, (in_features, out_features), dtype=dtype, latex="W")
        self.bias = Parameter(draw, (out_features,), dtype=dtype, latex="b") if bias else None

    def forward(self, x: Any) -> Any:
        """The weighted sums of x, whose last axis holds the features."""
        check_features(self, x, self.in_features)
        z = x @ self.weight
        return z if self.bias is None else z + self.bias

    def extra(self) -> str:
        """The arguments that `repr` shows."""
        return f"{self.in_features}, {self.out_features}" + ("" if "bias" in self._slots else ", bias=False")


class ReLU(Layer):
    r""":math:`\max(x, 0)`, with derivative 0 at 0."""

    def forward(self, x: Any) -> Any:
        """The positive part of x."""
        return relu(x)


class Tanh(Layer):
    r""":math:`\tanh x`."""

    def forward(self, x: Any) -> Any:
        """The hyperbolic tangent of x."""
        return tanh(x)


class Sigmoid(Layer):
    r""":math:`1 / (1 + e^{-x})`."""

    def forward(self, x: Any) -> Any:
        """The logistic function of x."""
        return sigmoid(x)


class Sequential(Module):
    """Modules (or functions of one Tensor), each run on the output of the one before.

    Parameters
    ----------
    *layers : Module or callable

    Examples
    --------
    >>> from symgrad import nn
    >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> print(model.summary())
    path   module      parameters                    count
    .      Sequential                                0
    0      Linear      weight (4, 3), bias (3,)      15
    1      ReLU                                      0
    2      Linear      weight (3, 2), bias (2,)      8
    total                                            23
    """

    def __init__(self, *layers: Any) -> None:
        for k, layer in enumerate(layers):
            if not callable(layer):
                raise SymgradError(
                    f"Sequential: layer {k} is {type(layer).__name__}, not callable; pass Sequential(a, b, ...)"
                )
            setattr(self, str(k), layer)

    def forward(self, x: Any) -> Any:
        """The output of the last layer."""
        for layer in self:
            x = layer(x)
        return x

    def __len__(self) -> int:
        return sum(name.isdigit() for name in self.__dict__)

    def __iter__(self) -> Iterator[Any]:
        return (self.__dict__[str(k)] for k in range(len(self)))

    def __getitem__(self, k: int) -> Any:
        return list(self)[k]


def check_features(layer: Layer, x: Any, wanted: int) -> None:
    """Raise ShapeError, naming the layer, unless the last axis of x has this size."""
    if not x.shape or not same_size(x.shape[-1], wanted):
        raise ShapeError(
            f"{layer._called()}: takes {wanted} features in the last axis, got an input of shape {tuple(x.shape)}"
        )
