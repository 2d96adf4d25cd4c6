"""Penalties that are added to the loss, proximal steps, and projections of the parameters."""

from symgrad.regularizers.base import Regularizer, named
from symgrad.regularizers.inputs import gradient_penalty, jacobian_penalty
from symgrad.regularizers.penalties import L1, L2, ElasticNet, GroupLasso, Lp, LpPower
from symgrad.regularizers.projections import Box, L1Ball, L2Ball, MaxNorm, NonNegative, Simplex, UnitNorm, WeightDecay

__all__ = [
    "L1",
    "L2",
    "Box",
    "ElasticNet",
    "GroupLasso",
    "L1Ball",
    "L2Ball",
    "Lp",
    "LpPower",
    "MaxNorm",
    "NonNegative",
    "Regularizer",
    "Simplex",
    "UnitNorm",
    "WeightDecay",
    "gradient_penalty",
    "jacobian_penalty",
    "named",
]
