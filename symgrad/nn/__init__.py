"""Layers: formulas with parameters and state."""

from symgrad.nn import functional, init
from symgrad.nn.activations import Activation, LogSoftmax, ReLU, Sigmoid, Softmax, Tanh
from symgrad.nn.attention import MultiheadAttention
from symgrad.nn.batchnorm import BatchNorm1d, BatchNorm2d, population_statistics
from symgrad.nn.dropout import Dropout
from symgrad.nn.layers import Embedding, Flatten, Identity, Linear, Residual, Sequential
from symgrad.nn.module import Module
from symgrad.nn.normalization import GroupNorm, InstanceNorm1d, InstanceNorm2d, LayerNorm, RMSNorm, WeightNorm
from symgrad.nn.parameter import Parameter, State
from symgrad.nn.recurrent import GRUCell, LSTMCell, Recurrent, RNNCell

__all__ = [
    "Activation",
    "BatchNorm1d",
    "BatchNorm2d",
    "Dropout",
    "Embedding",
    "Flatten",
    "GRUCell",
    "GroupNorm",
    "Identity",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "LSTMCell",
    "LayerNorm",
    "Linear",
    "LogSoftmax",
    "Module",
    "MultiheadAttention",
    "Parameter",
    "RMSNorm",
    "RNNCell",
    "ReLU",
    "Recurrent",
    "Residual",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "State",
    "Tanh",
    "WeightNorm",
    "functional",
    "init",
    "population_statistics",
]
