"""The compiled plan: a traced step as straight-line NumPy into preallocated buffers."""

from symgrad.plan.compiled import Compiled, compile
from symgrad.plan.program import Plan

__all__ = ["Compiled", "Plan", "compile"]
