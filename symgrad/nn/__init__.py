"""Layers: formulas with parameters and state."""

from symgrad.nn import functional, init
from symgrad.nn.activations import Activation, LogSoftmax, ReLU, Sigmoid, Softmax, Tanh
from symgrad.nn.attention import MultiheadAttention
from symgrad.nn.batchnorm import BatchNorm1d, BatchNorm2d, population_statistics
from symgrad.nn.building import mlp
from symgrad.nn.convolution import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AvgPool1d,
    AvgPool2d,
    Conv1d,
    Conv2d,
    MaxPool1d,
    MaxPool2d,
)
from symgrad.nn.dropout import (
    DropConnect,
    Dropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout,
    dropout_average,
    dropout_samples,
    restyle_dropout,
)
from symgrad.nn.layers import Embedding, Flatten, Identity, Linear, Reshape, Residual, Sequential
from symgrad.nn.module import Module
from symgrad.nn.normalization import (
    GroupNorm,
    InstanceNorm1d,
    InstanceNorm2d,
    LayerNorm,
    Rescale,
    RMSNorm,
    Standardize,
    WeightNorm,
)
from symgrad.nn.parameter import Parameter, State
from symgrad.nn.recurrent import GRUCell, LSTMCell, Recurrent, RNNCell

__all__ = [
    "Activation",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AvgPool1d",
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv1d",
    "Conv2d",
    "DropConnect",
    "Dropout",
    "Embedding",
    "Flatten",
    "GRUCell",
    "GaussianDropout",
    "GaussianNoise",
    "GroupNorm",
    "Identity",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "LSTMCell",
    "LayerNorm",
    "Linear",
    "LogSoftmax",
    "MaxPool1d",
    "MaxPool2d",
    "Module",
    "MultiheadAttention",
    "Parameter",
    "RMSNorm",
    "RNNCell",
    "ReLU",
    "Recurrent",
    "Rescale",
    "Reshape",
    "Residual",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "SpatialDropout",
    "Standardize",
    "State",
    "Tanh",
    "WeightNorm",
    "dropout_average",
    "dropout_samples",
    "functional",
    "init",
    "mlp",
    "population_statistics",
    "restyle_dropout",
]
