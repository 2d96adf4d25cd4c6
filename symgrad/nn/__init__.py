"""Layers: formulas with parameters and state."""

from symgrad.nn import functional, init
from symgrad.nn.dropout import Dropout
from symgrad.nn.layers import Linear, ReLU, Sequential, Sigmoid, Tanh
from symgrad.nn.module import Module
from symgrad.nn.normalization import BatchNorm1d, LayerNorm, population_statistics
from symgrad.nn.parameter import Parameter, State

__all__ = [
    "BatchNorm1d",
    "Dropout",
    "LayerNorm",
    "Linear",
    "Module",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "State",
    "Tanh",
    "functional",
    "init",
    "population_statistics",
]
