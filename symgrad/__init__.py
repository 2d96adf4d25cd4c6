"""symgrad: a formula is written once; one graph of it runs, differentiates, derives, draws and compiles."""

from __future__ import annotations

from symgrad import data, linalg, losses, special
from symgrad.calling import checkpoint
from symgrad.context import current_run, detect_anomaly, no_grad, run, scope
from symgrad.differentiate import adjoints, backward, grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from symgrad.errors import (
    AnomalyError,
    DataError,
    DTypeError,
    GradientError,
    GraphError,
    OpError,
    ShapeError,
    StaleGraphError,
    SymbolicError,
    SymgradError,
    TracingError,
    UnsupportedError,
)
from symgrad.functions import batch_norm, layer_norm, log_softmax, logsumexp, norm, prod, softmax, std, var
from symgrad.functions.random import random_uniform
from symgrad.graph import Graph
from symgrad.op import FUNCTIONS, OPS, Op, op
from symgrad.ops.arithmetic import add, divide, hypot, multiply, negative, reciprocal, sqrt, square, subtract
from symgrad.ops.exponential import cosh, erf, exp, expm1, log, log1p, logaddexp, power, sigmoid, sinh, tanh
from symgrad.ops.indexing import getitem, scatter, take
from symgrad.ops.layout import (
    broadcast_to,
    concatenate,
    expand_dims,
    moveaxis,
    pad,
    ravel,
    reshape,
    squeeze,
    stack,
    swapaxes,
    transpose,
)
from symgrad.ops.marks import astype, named, stop_gradient
from symgrad.ops.piecewise import (
    abs,
    clip,
    equal,
    floor,
    floor_divide,
    greater,
    greater_equal,
    isfinite,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    not_equal,
    relu,
    remainder,
    sign,
    where,
)
from symgrad.ops.product import dot, einsum, matmul, outer
from symgrad.ops.reduction import argmax, argmin, max, mean, min, sum
from symgrad.ops.trigonometric import arccos, arcsin, arctan, arctan2, cos, sin, tan
from symgrad.plan import compile
from symgrad.shapes import Dim
from symgrad.tensor import Tensor, tensor
from symgrad.tracing import spec, trace

__version__ = "0.1.0"
