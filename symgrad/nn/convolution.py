"""Convolutions and pooling as layers; channels are on axis 1, as in torch."""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Any, ClassVar

from symgrad.errors import ShapeError
from symgrad.functions.convolution import repeated
from symgrad.nn import functional, init
from symgrad.nn.activations import Activation
from symgrad.nn.module import Layer
from symgrad.nn.parameter import Parameter, sizes

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AvgPool1d",
    "AvgPool2d",
    "Conv1d",
    "Conv2d",
    "MaxPool1d",
    "MaxPool2d",
]


class Conv2d(Layer):
    r"""Weighted sums over windows of images: :math:`z_{bo} = b_o + \sum_c w_{oc} \star x_{bc}`.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size : int or tuple of int
        Of the window.
    stride, padding, dilation : int or tuple of int
        Steps between windows, zeros around the image (or "same"), steps within a window.
    groups : int
        Divides the channels into parts that do not see each other.
    bias : bool
        Leave it out in front of a `BatchNorm2d`, which takes it away again.
    dtype : dtype, optional
    weight_init : callable, optional
        By default torch's: uniform within :math:`\pm 1 / \sqrt{n}` for n numbers in a window, as is the bias.

    Attributes
    ----------
    weight : Tensor, shape (out_channels, in_channels / groups, kernel_size...)
    bias : Tensor, shape (out_channels,)

    Examples
    --------
    >>> import numpy as np
    >>> from symgrad import nn
    >>> nn.Conv2d(3, 8, 3, padding=1)(np.ones((2, 3, 16, 16))).shape
    (2, 8, 16, 16)
    """

    axes: ClassVar[int] = 2
    out_axis: ClassVar[int] = 0

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        dtype: Any = None,
        weight_init: Any = None,
    ) -> None:
        name = type(self).__name__
        self.in_channels, self.out_channels, self.groups = sizes(name, (in_channels, out_channels, groups))
        if in_channels % groups or out_channels % groups:
            raise ShapeError(f"{name}: {in_channels} and {out_channels} channels do not divide into {groups} groups")
        self.kernel_size = repeated(kernel_size, self.axes, name, "kernel_size")
        self.stride, self.padding, self.dilation = stride, padding, dilation
        shape = (out_channels, in_channels // groups, *self.kernel_size)
        bound = prod(shape[1:]) ** -0.5
        draw = partial(init.uniform, low=-bound, high=bound)
        self.weight = Parameter(_turned(weight_init) if weight_init else draw, shape, dtype=dtype, latex="W")
        self.bias = Parameter(draw, (out_channels,), dtype=dtype, latex="b") if bias else None

    def forward(self, x: Any) -> Any:
        """The sums of the windows of x, of shape (B, in_channels, ...)."""
        if len(x.shape) != self.axes + 2:
            axes = "HWD"[: self.axes] if self.axes > 1 else "L"
            wanted = ", ".join(["B", str(self.in_channels), *axes])
            raise ShapeError(f"{self._called()}: takes ({wanted}), got an input of shape {tuple(x.shape)}")
        return self.of(x, self.weight)

    def of(self, x: Any, weight: Any) -> Any:
        """The output with another weight."""
        convolve = getattr(functional, f"conv{self.axes}d")
        return convolve(x, weight, self.bias, self.stride, self.padding, self.dilation, self.groups)

    def extra(self) -> str:
        """The arguments that `repr` shows."""
        given = {"stride": (self.stride, 1), "padding": (self.padding, 0), "dilation": (self.dilation, 1)}
        given |= {"groups": (self.groups, 1), "bias": ("bias" in self._slots, True)}
        others = "".join(f", {name}={value!r}" for name, (value, usual) in given.items() if value != usual)
        return f"{self.in_channels}, {self.out_channels}, {self.kernel_size}{others}"


class Conv1d(Conv2d):
    """Weighted sums over windows of sequences (B, in_channels, L); arguments as in `Conv2d`."""

    axes: ClassVar[int] = 1


def _turned(draw: Any) -> Any:
    """An initialiser, which takes (in, out, ...), for a weight of shape (out, in, ...)."""
    return lambda random, shape: draw(random, (shape[1], shape[0], *shape[2:])).swapaxes(0, 1)


class MaxPool1d(Activation):
    """The largest number of every window of sequences; the arguments of `nn.functional.max_pool1d`."""

    function = staticmethod(functional.max_pool1d)


class MaxPool2d(Activation):
    """The largest number of every window of images; the arguments of `nn.functional.max_pool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> from symgrad import nn
    >>> nn.MaxPool2d(2)(np.arange(16.0).reshape(1, 1, 4, 4)).tolist()
    [[[[5.0, 7.0], [13.0, 15.0]]]]
    """

    function = staticmethod(functional.max_pool2d)


class AvgPool1d(Activation):
    """The mean of every window of sequences; the arguments of `nn.functional.avg_pool1d`."""

    function = staticmethod(functional.avg_pool1d)


class AvgPool2d(Activation):
    """The mean of every window of images; the arguments of `nn.functional.avg_pool2d`."""

    function = staticmethod(functional.avg_pool2d)


class AdaptiveAvgPool1d(Activation):
    """Means over as many windows as asked; ``AdaptiveAvgPool1d(1)`` is the mean over the sequence."""

    function = staticmethod(functional.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(Activation):
    """Means over as many windows as asked; ``AdaptiveAvgPool2d(1)`` is the mean over the image."""

    function = staticmethod(functional.adaptive_avg_pool2d)
