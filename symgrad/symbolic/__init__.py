"""Closed-form gradients for symbolic sizes: derive, prove, print, emit. It needs SymPy: imported on first use."""

from symgrad.rechecking import recheck
from symgrad.symbolic.derivation import Derivation, derive
from symgrad.symbolic.diagnosis import Diagnosis, diagnose
from symgrad.symbolic.entries import catalogue
from symgrad.symbolic.equality import prove
from symgrad.symbolic.export import to_sympy
from symgrad.symbolic.formulas import from_text
from symgrad.symbolic.limits import time_limit
from symgrad.symbolic.proof import Certificate
from symgrad.symbolic.scalars import local_derivative, prove_rule
from symgrad.symbolic.steps import Step
from symgrad.symbolic.text import parse

__all__ = [
    "Certificate",
    "Derivation",
    "Diagnosis",
    "Step",
    "catalogue",
    "derive",
    "diagnose",
    "from_text",
    "local_derivative",
    "parse",
    "prove",
    "prove_rule",
    "recheck",
    "time_limit",
    "to_sympy",
]
