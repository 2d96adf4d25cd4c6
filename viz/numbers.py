"""Numbers as people read them: three significant figures, a true minus, powers of ten as superscripts."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

__all__ = ["figure", "figures", "sizes"]

MINUS = "−"
_UP = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def figure(value: Any, digits: int = 3) -> str:
    """A number with three significant figures.

    Examples
    --------
    >>> [figure(v) for v in (-0.4434, 1.0, 1234.5, 1.5e-7, float("nan"), float("-inf"), True)]
    ['−0.443', '1', '1230', '1.5·10⁻⁷', 'NaN', '−∞', 'true']
    """
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return "true" if value else "false"
    value = float(value)
    if math.isnan(value):
        return "NaN"
    sign = MINUS if math.copysign(1.0, value) < 0 and value != 0 else ""
    if math.isinf(value):
        return sign + "∞"
    return sign + (_magnitude(abs(value), digits) if value else "0")


def _magnitude(value: float, digits: int) -> str:
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    power = int(exponent)
    if -4 < power < 5:
        text = f"{float(f'{mantissa}e{power}'):.{max(digits - 1 - power, 0)}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa = mantissa.rstrip("0").rstrip(".")
    tens = "10" + str(power).translate(_UP)
    return tens if mantissa == "1" else f"{mantissa}·{tens}"


def figures(values: Iterable[Any]) -> str:
    """A short vector.

    Examples
    --------
    >>> figures([1.0, -2.5])
    '(1, −2.5)'
    """
    return "(" + ", ".join(map(figure, values)) + ")"


def sizes(shape: Iterable[Any]) -> str:
    """A shape.

    Examples
    --------
    >>> sizes((4, 3)), sizes(())
    ('4×3', 'scalar')
    """
    return "×".join(map(str, shape)) or "scalar"
