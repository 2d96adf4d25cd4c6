"""Common networks in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symgrad.errors import SymgradError, nearest
from symgrad.nn import activations
from symgrad.nn.batchnorm import BatchNorm1d
from symgrad.nn.dropout import Dropout
from symgrad.nn.layers import Identity, Linear, Sequential
from symgrad.nn.module import Module

__all__ = ["ACTIVATIONS", "activation", "mlp"]

ACTIVATIONS: dict[str, type[Module]] = {
    name.lower(): getattr(activations, name)
    for name in activations.__all__
    if name not in ("Activation", "GLU", "Threshold")  # without arguments, and keeping the shape
} | {"linear": Identity}
"""Activations by their names in small letters."""


def activation(name: str) -> Module:
    """An activation by its name in small letters, such as "relu"."""
    if name not in ACTIVATIONS:
        raise SymgradError(f"activation={name!r} is unknown{nearest(name, ACTIVATIONS)}")
    return ACTIVATIONS[name]()


def mlp(
    inputs: int,
    outputs: int,
    hidden: Sequence[int] = (64,),
    activation: str = "relu",
    batchnorm: bool = False,
    dropout: float = 0.0,
    *,
    dtype: Any = None,
) -> Sequential:
    """A multilayer perceptron: hidden layers of these widths, then an affine one.

    Parameters
    ----------
    inputs, outputs : int
    hidden : sequence of int
        The widths of the hidden layers; none make a linear model.
    activation : str
        In small letters, such as "relu" or "tanh".
    batchnorm : bool
        Whether every hidden layer is normalised between the weighted sums, then without bias, and the activation.
    dropout : float
        The probability that a hidden unit is left out of a training step.
    dtype : dtype, optional

    Examples
    --------
    >>> from symgrad import nn
    >>> print(nn.mlp(4, 3, (8,), batchnorm=True))
    Sequential(
      0: Linear(4, 8, bias=False)
      1: BatchNorm1d(8, stats='population')
      2: ReLU()
      3: Linear(8, 3)
    )
    """
    layers: list[Module] = []
    for width in hidden:
        layers.append(Linear(inputs, width, bias=not batchnorm, dtype=dtype))
        if batchnorm:
            layers.append(BatchNorm1d(width, dtype=dtype))
        layers.append(_activation(activation))
        if dropout:
            layers.append(Dropout(drop=dropout))
        inputs = width
    return Sequential(*layers, Linear(inputs, outputs, dtype=dtype))


_activation = activation  # the argument of `mlp` has its name
