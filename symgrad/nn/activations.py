"""Activations as layers: one class per function, its options as arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from symgrad.errors import SymgradError
from symgrad.nn import functional, init
from symgrad.nn.module import Layer
from symgrad.nn.parameter import Parameter, sizes
from symgrad.op import Op

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "Activation",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "Mish",
    "PReLU",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Threshold",
]


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


class CELU(Activation):
    r""":math:`\max(x, 0) + \min(0, \alpha (e^{x/\alpha} - 1))`."""

    function = staticmethod(functional.celu)


class ELU(Activation):
    r"""x above 0, :math:`\alpha (e^x - 1)` below."""

    function = staticmethod(functional.elu)


class GELU(Activation):
    r""":math:`x\, \Phi(x)` with the normal distribution function, or its approximation by tanh."""

    function = staticmethod(functional.gelu)


class GLU(Activation):
    r"""One half of the features times the sigmoid of the other: :math:`a\, \sigma(b)`."""

    function = staticmethod(functional.glu)


class Hardshrink(Activation):
    r"""x where :math:`|x| > \lambda`, else 0."""

    function = staticmethod(functional.hardshrink)


class Hardsigmoid(Activation):
    r""":math:`\min(\max(x/6 + 1/2, 0), 1)`."""

    function = staticmethod(functional.hardsigmoid)


class Hardswish(Activation):
    """x times its `Hardsigmoid`."""

    function = staticmethod(functional.hardswish)


class Hardtanh(Activation):
    """x, clipped to an interval."""

    function = staticmethod(functional.hardtanh)


class LeakyReLU(Activation):
    """x above 0, a small multiple of it below."""

    function = staticmethod(functional.leaky_relu)


class LogSigmoid(Activation):
    r""":math:`\ln \sigma(x)`, stable."""

    function = staticmethod(functional.logsigmoid)


class LogSoftmax(Activation):
    r"""Log-probabilities :math:`x_i - \ln \sum_j e^{x_j}` along an axis, the last by default."""

    function = staticmethod(functional.log_softmax)


class Mish(Activation):
    r""":math:`x \tanh \ln(1 + e^x)`."""

    function = staticmethod(functional.mish)


class ReLU(Activation):
    r""":math:`\max(x, 0)`, with derivative 0 at 0."""

    function = staticmethod(functional.relu)


class ReLU6(Activation):
    r""":math:`\min(\max(x, 0), 6)`."""

    function = staticmethod(functional.relu6)


class SELU(Activation):
    """`ELU` with the constants that keep mean 0 and variance 1 from layer to layer."""

    function = staticmethod(functional.selu)


class SiLU(Activation):
    r""":math:`x\, \sigma(x)`, also called swish."""

    function = staticmethod(functional.silu)


class Sigmoid(Activation):
    """:math:`1 / (1 + e^{-x})`."""

    function = staticmethod(functional.sigmoid)


class Softmax(Activation):
    r"""Probabilities :math:`e^{x_i} / \sum_j e^{x_j}` along an axis, the last by default."""

    function = staticmethod(functional.softmax)


class Softmin(Activation):
    """The `Softmax` of -x."""

    function = staticmethod(functional.softmin)


class Softplus(Activation):
    r""":math:`\ln(1 + e^{\beta x}) / \beta`."""

    function = staticmethod(functional.softplus)


class Softshrink(Activation):
    r"""x moved to 0 by :math:`\lambda`, and 0 within."""

    function = staticmethod(functional.softshrink)


class Softsign(Activation):
    """:math:`x / (1 + |x|)`."""

    function = staticmethod(functional.softsign)


class Tanh(Activation):
    r""":math:`\tanh x`."""

    function = staticmethod(functional.tanh)


class Tanhshrink(Activation):
    r""":math:`x - \tanh x`."""

    function = staticmethod(functional.tanhshrink)


class Threshold(Activation):
    """x above a threshold, a value below."""

    function = staticmethod(functional.threshold)


class PReLU(Layer):
    """x above 0, a learnt multiple of it below.

    Parameters
    ----------
    num_parameters : int
        One for all, or one for each feature on axis 1.
    init_value : float
    dtype : dtype, optional

    References
    ----------
    K. He et al., "Delving deep into rectifiers", ICCV 2015.

    Examples
    --------
    >>> import symgrad as sg
    >>> from symgrad import nn
    >>> nn.PReLU()(sg.tensor([[-2.0, 2.0]])).tolist()
    [[-0.5, 2.0]]
    """

    def __init__(self, num_parameters: int = 1, init_value: float = 0.25, *, dtype: Any = None) -> None:
        draw = partial(init.constant, value=init_value)
        self.weight = Parameter(draw, sizes("PReLU", (num_parameters,)), dtype=dtype, latex="a")

    def forward(self, x: Any) -> Any:
        """The function of x."""
        return functional.prelu(x, self.weight)
