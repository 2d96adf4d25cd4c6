"""Closed-form gradients for symbolic sizes: derive, prove, print, emit; imported on first use, because it needs SymPy."""

from symgrad.symbolic.derivation import Derivation, derive
from symgrad.symbolic.prove import Certificate

__all__ = ["Certificate", "Derivation", "derive"]
