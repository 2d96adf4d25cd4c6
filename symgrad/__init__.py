"""symgrad: a formula is written once; one graph of it runs, differentiates, derives, draws and compiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from symgrad import data, linalg, losses, nn, optim, regularizers, special
from symgrad.calling import checkpoint
from symgrad.checking import GradCheck, gradcheck
from symgrad.context import current_run, detect_anomaly, no_grad, run, scope
from symgrad.differentiate import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
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
from symgrad.functions import batch_norm, layer_norm, log_softmax, logsumexp, norm, prod, rms_norm, softmax, std, var
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
from symgrad.ops.reduction import all_ as all
from symgrad.ops.reduction import any_ as any
from symgrad.ops.reduction import argmax, argmin, max, mean, min, sum
from symgrad.ops.sliding import overlap_add, sliding_window_view, windows
from symgrad.ops.trigonometric import arccos, arcsin, arctan, arctan2, cos, sin, tan
from symgrad.plan import compile
from symgrad.reverse import adjoints, backward
from symgrad.saving import load, save
from symgrad.shapes import Dim
from symgrad.tensor import Tensor, tensor
from symgrad.tracing import spec, trace
from symgrad.train import History, Trainer

if TYPE_CHECKING:
    from symgrad import symbolic
    from symgrad.symbolic import derive

__all__ = [
    "FUNCTIONS",
    "OPS",
    "AnomalyError",
    "DTypeError",
    "DataError",
    "Dim",
    "GradCheck",
    "GradientError",
    "Graph",
    "GraphError",
    "History",
    "Op",
    "OpError",
    "ShapeError",
    "StaleGraphError",
    "SymbolicError",
    "SymgradError",
    "Tensor",
    "TracingError",
    "Trainer",
    "UnsupportedError",
    "abs",
    "add",
    "adjoints",
    "all",
    "any",
    "arccos",
    "arcsin",
    "arctan",
    "arctan2",
    "argmax",
    "argmin",
    "astype",
    "backward",
    "batch_norm",
    "broadcast_to",
    "checkpoint",
    "clip",
    "compile",
    "concatenate",
    "cos",
    "cosh",
    "current_run",
    "data",
    "derive",
    "detect_anomaly",
    "divide",
    "dot",
    "einsum",
    "equal",
    "erf",
    "exp",
    "expand_dims",
    "expm1",
    "floor",
    "floor_divide",
    "getitem",
    "grad",
    "gradcheck",
    "greater",
    "greater_equal",
    "hessian",
    "hvp",
    "hypot",
    "isfinite",
    "jacobian",
    "jvp",
    "layer_norm",
    "less",
    "less_equal",
    "linalg",
    "load",
    "log",
    "log1p",
    "log_softmax",
    "logaddexp",
    "logical_and",
    "logical_not",
    "logical_or",
    "logsumexp",
    "losses",
    "matmul",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "moveaxis",
    "multiply",
    "named",
    "negative",
    "nn",
    "no_grad",
    "norm",
    "not_equal",
    "op",
    "optim",
    "outer",
    "overlap_add",
    "pad",
    "power",
    "prod",
    "random_uniform",
    "ravel",
    "reciprocal",
    "regularizers",
    "relu",
    "remainder",
    "reshape",
    "rms_norm",
    "run",
    "save",
    "scatter",
    "scope",
    "sigmoid",
    "sign",
    "sin",
    "sinh",
    "sliding_window_view",
    "softmax",
    "spec",
    "special",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "stop_gradient",
    "subtract",
    "sum",
    "swapaxes",
    "symbolic",
    "take",
    "tan",
    "tanh",
    "tensor",
    "trace",
    "transpose",
    "value_and_grad",
    "var",
    "vjp",
    "where",
    "windows",
]

__version__ = "0.1.0"


def _to_sympy(graph: Any) -> Any:
    from symgrad.symbolic import to_sympy

    return to_sympy(graph)


FUNCTIONS.setdefault("to_sympy", _to_sympy)  # until symgrad.symbolic, which needs SymPy, is imported

_LAZY = {"derive": "symgrad.symbolic", "symbolic": "symgrad"}  # they need SymPy, which takes long to load


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _LAZY:
        raise AttributeError(f"module 'symgrad' has no attribute {name!r}")
    found = import_module("symgrad.symbolic")
    return found if name == "symbolic" else getattr(found, name)
