"""Irrational constants, which keep their formula: a rule that uses one can still be proved exactly."""

from __future__ import annotations

import math

__all__ = ["DEGREE", "LN2", "LN10", "PI", "ROOT_HALF", "TWO_OVER_ROOT_PI", "Constant"]


class Constant(float):
    """A float that knows what it stands for.

    Parameters
    ----------
    value : float
    text : str
        The formula, in SymPy's words.

    Examples
    --------
    >>> PI / 2, PI.text
    (1.5707963267948966, 'pi')
    """

    text: str

    def __new__(cls, value: float, text: str) -> Constant:
        """A float with its formula."""
        made = super().__new__(cls, value)
        made.text = text
        return made

    def __reduce__(self) -> tuple[type[Constant], tuple[float, str]]:
        return Constant, (float(self), self.text)


PI = Constant(math.pi, "pi")
LN2 = Constant(math.log(2), "log(2)")
LN10 = Constant(math.log(10), "log(10)")
DEGREE = Constant(math.pi / 180, "pi/180")
TWO_OVER_ROOT_PI = Constant(2 / math.sqrt(math.pi), "2/sqrt(pi)")
ROOT_HALF = Constant(math.sqrt(0.5), "sqrt(1/2)")
