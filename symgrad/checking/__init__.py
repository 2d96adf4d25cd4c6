"""The numeric gradient checker: complex step and Ridders' extrapolation, with error bars."""

from symgrad.checking.check import gradcheck
from symgrad.checking.report import Entry, GradCheck

__all__ = ["Entry", "GradCheck", "gradcheck"]
