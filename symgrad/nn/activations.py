"""Activations as layers: one class per function, its options as arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from symgrad.errors import SymgradError
from symgrad.nn import functional
from symgrad.nn.module import Layer
from symgrad.op import Op

__all__ = ["Activation", "LogSoftmax", "ReLU", "Sigmoid", "Softmax", "Tanh"]


class Activation(Layer):
    """A function of `symgrad.nn.functional` as a layer.

    Parameters
    ----------
    **options
        The keyword arguments of the function, such as the ``axis`` of a softmax.

    Examples
    --------
    >>> import symgrad as sg
    >>> from symgrad import nn
    >>> nn.ReLU()(sg.tensor([-1.0, 2.0]))
    Tensor([0., 2.])
    """

    function: Callable[..., Any]

    def __init__(self, *values: Any, **options: Any) -> None:
        f = type(self).function
        allowed = list(f.params if isinstance(f, Op) else inspect.signature(f).parameters)[isinstance(f, Op) ^ 1 :]
        options |= zip(allowed, values, strict=False)
        if len(values) > len(allowed) or options.keys() - set(allowed):
            raise SymgradError(
                f"{type(self).__name__}: takes {', '.join(allowed) or 'no options'}, got "
                f"{', '.join([*map(repr, values), *options])}"
            )
        self.options = options

    def forward(self, x: Any) -> Any:
        """The function of x."""
        return type(self).function(x, **self.options)

    def extra(self) -> str:
        """The arguments that `repr` shows."""
        return ", ".join(f"{name}={value!r}" for name, value in self.options.items())


class ReLU(Activation):
    r""":math:`\max(x, 0)`, with derivative 0 at 0."""

    function = staticmethod(functional.relu)


class Tanh(Activation):
    r""":math:`\tanh x`."""

    function = staticmethod(functional.tanh)


class Sigmoid(Activation):
    r""":math:`1 / (1 + e^{-x})`."""

    function = staticmethod(functional.sigmoid)


class Softmax(Activation):
    r"""Probabilities :math:`e^{x_i} / \sum_j e^{x_j}` along an axis, the last by default."""

    function = staticmethod(functional.softmax)


class LogSoftmax(Activation):
    r"""Log-probabilities :math:`x_i - \ln \sum_j e^{x_j}` along an axis, the last by default."""

    function = staticmethod(functional.log_softmax)
