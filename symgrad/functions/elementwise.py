"""Elementwise compositions: roundings, parts, powers of two, comparisons, and torch's combined arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.constants import DEGREE, LN2, PI
from symgrad.errors import ShapeError
from symgrad.op import FUNCTIONS, function
from symgrad.ops.arithmetic import add, divide, multiply, reciprocal, sqrt, subtract
from symgrad.ops.exponential import difference0, log, log1p, logaddexp, power
from symgrad.ops.marks import astype
from symgrad.ops.piecewise import (
    abs,
    clip,
    copysign,
    equal,
    exponent,
    floor,
    floor_divide,
    less,
    less_equal,
    logical_and,
    logical_or,
    maximum,
    minimum,
    not_equal,
    remainder,
    rint,
    where,
)
from symgrad.shapes import as_integer
from symgrad.tensor import array_like, operand

__all__ = ["addcdiv", "addcmul", "angle", "ceil", "clamp_max", "clamp_min", "deg2rad", "divmod", "exp2", "float_power",
           "fmax", "fmin", "fmod", "frac", "frexp", "heaviside", "imag", "isclose", "isinf", "isnan", "isneginf",
           "isposinf", "ldexp", "lerp", "logaddexp2", "logical_xor", "logit", "modf", "nan_to_num", "positive",
           "rad2deg", "real", "round", "rsqrt", "signbit", "trunc", "xlog1py", "xlogy"]  # fmt: skip


# Powers and roots


@function()
def exp2(x: Any) -> Any:
    """Power of two :math:`2^x`."""
    return power(2.0, x)


@function()
def float_power(x1: Any, x2: Any) -> Any:
    """Power :math:`x_1^{x_2}` in float64, whatever the element types, as `numpy.float_power`."""
    return power(*[astype(array_like(operand(x, "float_power"), "float_power"), np.float64) for x in (x1, x2)])


@function()
def rsqrt(x: Any) -> Any:
    r"""Reciprocal root :math:`1/\sqrt{x}`."""
    return reciprocal(sqrt(x))


@function()
def ldexp(x1: Any, x2: Any) -> Any:
    """Product :math:`x_1 2^{x_2}`, in two steps, so that the power alone does not overflow."""
    x1, n = operand(x1, "ldexp"), array_like(operand(x2, "ldexp"), "ldexp")
    if n.dtype.kind != "f":
        n = astype(n, getattr(x1, "dtype", np.float64) if getattr(x1, "dtype", n.dtype).kind == "f" else np.float64)
    half = floor_divide(n, 2.0)
    return multiply(multiply(x1, power(2.0, half)), power(2.0, n - half))


@function()
def frexp(x: Any) -> Any:
    """Mantissa in [1/2, 1) and integer exponent: ``x == mantissa * 2**exponent``. The exponent is constant."""
    x = array_like(x, "frexp")
    n = exponent(x)
    return ldexp(x, -n), n


# Roundings and parts


@function()
def ceil(x: Any) -> Any:
    r"""Smallest integer that is not below: :math:`\lceil x \rceil`. No gradient."""
    return -floor(-array_like(x, "ceil"))


@function("fix")
def trunc(x: Any) -> Any:
    """Integer part, rounded towards 0. No gradient."""
    return where(less(x, 0), ceil(x), floor(x))


@function("around")
def round(x: Any, decimals: int = 0) -> Any:
    """Nearest number with so many decimals, a tie to the even one. No gradient.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.round(sg.tensor([0.5, 1.5, 2.25]), decimals=1)
    Tensor([0.5, 1.5, 2.2])
    """
    x, decimals = array_like(x, "round"), as_integer(decimals, "round", "decimals")
    if abs(decimals) > 300:
        raise ShapeError(f"round: decimals must be from -300 to 300, got {decimals}")
    if x.dtype.kind != "f" and decimals >= 0:
        return x
    scale = 10.0 ** (decimals if decimals > 0 else -decimals)
    if decimals == 0:
        return rint(x)
    return rint(x * scale) / scale if decimals > 0 else rint(x / scale) * scale


@function()
def frac(x: Any) -> Any:
    r"""Fractional part :math:`x - \operatorname{trunc} x`, with the sign of x; its gradient is 1 everywhere."""
    x = array_like(x, "frac")
    return difference0(x, trunc(x))


@function()
def modf(x: Any) -> Any:
    """Fractional and integer parts."""
    return frac(x), trunc(x)


@function()
def fmod(x1: Any, x2: Any) -> Any:
    """Remainder of the division rounded towards 0, with the sign of x1, as C has it.

    See Also
    --------
    remainder : with the sign of the divisor, as Python's ``%``.
    """
    x1, divisor = operand(x1, "fmod"), abs(operand(x2, "fmod"))
    return where(less(x1, 0), -remainder(-x1, divisor), remainder(x1, divisor))


@function()
def divmod(x1: Any, x2: Any) -> Any:
    """Quotient rounded down, and remainder."""
    return floor_divide(x1, x2), remainder(x1, x2)


@function()
def signbit(x: Any) -> Any:
    """Whether the sign is negative, that of -0.0 included."""
    return less(copysign(1.0, x), 0)


@function()
def heaviside(x1: Any, x2: Any) -> Any:
    """Unit step: 0 below 0, 1 above, x2 at 0, which is the only place with a gradient (for x2)."""
    x1, x2 = operand(x1, "heaviside"), operand(x2, "heaviside")
    at_zero = x2 + difference0(x1, x1)  # NaN stays NaN
    return where(x1 > 0, 1.0, where(x1 < 0, 0.0, at_zero))


@function("conj", "conjugate")
def real(x: Any) -> Any:
    """The same numbers, which are real."""
    return array_like(x, "real")


positive = FUNCTIONS["positive"] = real


@function()
def imag(x: Any) -> Any:
    """Zeros: the numbers are real."""
    x = array_like(x, "imag")
    return multiply(x, 0.0)


@function()
def angle(x: Any) -> Any:
    r"""Angle in the complex plane: :math:`\pi` for negative numbers, otherwise 0. No gradient."""
    x = array_like(x, "angle")
    base = difference0(x, x)
    return where(x < 0, base + PI, base)


@function("radians")
def deg2rad(x: Any) -> Any:
    r"""Degrees in radians: :math:`\frac{\pi}{180} x`."""
    return multiply(x, DEGREE)


@function("degrees")
def rad2deg(x: Any) -> Any:
    r"""Radians in degrees: :math:`\frac{180}{\pi} x`."""
    return divide(x, DEGREE)


# Comparisons and NaN


@function()
def isnan(x: Any) -> Any:
    """Whether elements are NaN."""
    return not_equal(x, x)


@function()
def isinf(x: Any) -> Any:
    """Whether elements are infinite."""
    return equal(abs(x), np.inf)


@function()
def isposinf(x: Any) -> Any:
    """Whether elements are +inf."""
    return equal(x, np.inf)


@function()
def isneginf(x: Any) -> Any:
    """Whether elements are -inf."""
    return equal(x, -np.inf)


@function()
def isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    r"""Whether elements agree: :math:`|a - b| \le \mathrm{atol} + \mathrm{rtol}\,|b|`, or both are equal."""
    a, b = operand(a, "isclose"), operand(b, "isclose")
    limit = atol + rtol * abs(b)
    close = logical_or(equal(a, b), logical_and(less_equal(abs(difference0(a, b)), limit), less(limit, np.inf)))
    return logical_or(close, logical_and(isnan(a), isnan(b))) if equal_nan else close


@function()
def logical_xor(x1: Any, x2: Any) -> Any:
    """Whether exactly one of both is true."""
    return not_equal(*[not_equal(operand(x, "logical_xor"), 0) for x in (x1, x2)])


@function()
def fmax(x1: Any, x2: Any) -> Any:
    """Larger element, where NaN counts as missing; a tie shares the gradient equally."""
    return where(isnan(x1), x2, where(isnan(x2), x1, maximum(x1, x2)))


@function()
def fmin(x1: Any, x2: Any) -> Any:
    """Smaller element, where NaN counts as missing; a tie shares the gradient equally."""
    return where(isnan(x1), x2, where(isnan(x2), x1, minimum(x1, x2)))


@function()
def clamp_min(x: Any, min: Any) -> Any:
    """Not less than a bound, at which the gradient passes to x."""
    return clip(x, operand(min, "clamp_min"), None)


@function()
def clamp_max(x: Any, max: Any) -> Any:
    """Not more than a bound, at which the gradient passes to x."""
    return clip(x, None, operand(max, "clamp_max"))


@function()
def nan_to_num(x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """Numbers in place of NaN and infinities, by default 0 and the largest finite ones; no gradient there.

    Parameters
    ----------
    x : Tensor or array
    copy : bool
        Ignored: x never changes.
    nan, posinf, neginf : float, optional

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.nan_to_num(sg.tensor([1.0, float("nan"), float("inf")]), posinf=9.0)
    Tensor([1., 0., 9.])
    """
    x = array_like(x, "nan_to_num")
    if x.dtype.kind != "f":
        return x
    limits = np.finfo(x.dtype)
    highest = float(limits.max) if posinf is None else posinf
    lowest = float(limits.min) if neginf is None else neginf
    return where(isnan(x), nan, where(isposinf(x), highest, where(isneginf(x), lowest, x)))


# Combinations


@function()
def lerp(start: Any, end: Any, weight: Any) -> Any:
    """Linear interpolation ``start + weight * (end - start)``."""
    return add(start, multiply(weight, subtract(end, start)))


@function()
def addcmul(x: Any, tensor1: Any, tensor2: Any, *, value: float = 1) -> Any:
    """Sum ``x + value * tensor1 * tensor2``."""
    product = multiply(tensor1, tensor2)
    return add(x, product if value == 1 else multiply(value, product))


@function()
def addcdiv(x: Any, tensor1: Any, tensor2: Any, *, value: float = 1) -> Any:
    """Sum ``x + value * tensor1 / tensor2``."""
    quotient = divide(tensor1, tensor2)
    return add(x, quotient if value == 1 else multiply(value, quotient))


@function()
def logaddexp2(x1: Any, x2: Any) -> Any:
    r"""Smooth maximum to base 2: :math:`\log_2(2^{x_1} + 2^{x_2})`."""
    return divide(logaddexp(*[multiply(operand(x, "logaddexp2"), LN2) for x in (x1, x2)]), LN2)


@function()
def xlogy(x: Any, y: Any) -> Any:
    r"""Product :math:`x \ln y`, which is 0 with gradient 0 where x = 0 and y is not positive."""
    x, y = operand(x, "xlogy"), operand(y, "xlogy")
    return multiply(x, log(_safe(x, y, 0)))


@function()
def xlog1py(x: Any, y: Any) -> Any:
    r"""Product :math:`x \ln(1 + y)`, which is 0 with gradient 0 where x = 0 and y is at most -1."""
    x, y = operand(x, "xlog1py"), operand(y, "xlog1py")
    return multiply(x, log1p(_safe(x, y, -1)))


def _safe(x: Any, y: Any, bound: float) -> Any:
    """The second factor's argument, 1 where the product is 0 by definition."""
    return where(logical_and(equal(x, 0), less_equal(y, bound)), 1.0, y)


@function()
def logit(x: Any, eps: float | None = None) -> Any:
    r"""Log-odds :math:`\ln \frac{x}{1 - x}`, of x limited to [eps, 1 - eps] if eps is given.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.logit(sg.tensor([0.5, 0.9]))
    Tensor([0.        , 2.19722458])
    """
    x = operand(x, "logit")
    if eps is not None:
        x = clip(x, eps, 1.0 - operand(eps, "logit"))
    return subtract(log(x), log1p(-x))
