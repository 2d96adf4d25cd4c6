"""Compositions of special functions, under SciPy's names."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.constants import PI, ROOT_HALF
from symgrad.errors import DataError, DTypeError, ShapeError
from symgrad.functions.elementwise import xlogy
from symgrad.op import OPS, function
from symgrad.ops.arithmetic import divide, multiply, square
from symgrad.ops.exponential import exp, log, log1p
from symgrad.ops.piecewise import abs, less, where
from symgrad.ops.reduction import sum
from symgrad.ops.special import erfc, erfcx, gammaln, ndtri
from symgrad.shapes import as_integer
from symgrad.tensor import array_like, operand

__all__ = ["beta", "betaln", "digamma", "erfcinv", "factorial", "i0", "i0e", "i1", "i1e", "iv", "ive", "log_ndtr",
           "multigammaln", "ndtr", "polygamma", "rel_entr", "sinc", "spherical_jn"]  # fmt: skip


def _order(n: Any, where: str) -> Any:
    """An order of a special function as a float, or DTypeError; orders are integers, and have no gradient."""
    given = array_like(n, where)
    if given.dtype.kind not in "iu":
        raise DTypeError(f"{where}: the order must be an integer, got {given.dtype}")
    value = getattr(given, "value", given)
    if value is not None and (value < 0).any():
        raise DataError(f"{where}: the order must be at least 0, got {np.min(value)}")
    return n


# Gamma functions


@function()
def polygamma(n: Any, x: Any) -> Any:
    r"""Derivatives of the logarithm of the gamma function: :math:`\psi^{(n)}(x)`, the digamma function for n = 0.

    Parameters
    ----------
    n : int or integers
        The order, at least 0. It has no gradient.
    x : Tensor or array

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.special.polygamma(1, 1.0)
    array(1.64493407)
    """
    return OPS["polygamma"](_order(n, "polygamma"), x)


@function("psi")
def digamma(x: Any) -> Any:
    r"""Derivative of `gammaln`: :math:`\psi(x) = \Gamma'(x)/\Gamma(x)`."""
    return OPS["polygamma"](0, x)


@function("mvlgamma")
def multigammaln(a: Any, d: int) -> Any:
    r"""Logarithm of the multivariate gamma function of dimension d.

    .. math:: \frac{d(d-1)}{4} \ln \pi + \sum_{i=1}^d \ln \Gamma\left(a - \frac{i-1}{2}\right)
    """
    a, d = array_like(a, "multigammaln"), as_integer(d, "multigammaln", "d")
    if not 1 <= d <= 1000:
        raise ShapeError(f"multigammaln: the dimension must be from 1 to 1000, got {d}")
    value = getattr(a, "value", a)
    if value is not None and (value <= (d - 1) / 2).any():
        raise DataError(f"multigammaln: elements must be above (d - 1) / 2 = {(d - 1) / 2}, got {np.min(value)}")
    steps = np.arange(d) / -2.0
    terms = gammaln(a[..., None] + steps.astype(a.dtype if a.dtype.kind == "f" else np.float64))
    return sum(terms, axis=-1) + d * (d - 1) / 4 * float(np.log(PI))


@function()
def betaln(a: Any, b: Any) -> Any:
    r"""Logarithm of the beta function: :math:`\ln \Gamma(a) + \ln \Gamma(b) - \ln \Gamma(a + b)`."""
    a, b = (multiply(operand(x, "betaln"), 1.0) for x in (a, b))
    return gammaln(a) + gammaln(b) - gammaln(a + b)


@function()
def beta(a: Any, b: Any) -> Any:
    r"""Beta function of positive arguments: :math:`\Gamma(a) \Gamma(b) / \Gamma(a + b)`."""
    return exp(betaln(a, b))


@function()
def factorial(n: Any) -> Any:
    r"""Factorial :math:`\Gamma(n + 1)`."""
    return OPS["gamma"](array_like(n, "factorial") + 1.0)


# Normal distribution


@function()
def ndtr(x: Any) -> Any:
    r"""Normal distribution function :math:`\Phi(x) = \frac12 \operatorname{erfc}(-x/\sqrt2)`."""
    return divide(erfc(multiply(x, -ROOT_HALF)), 2.0)


@function()
def log_ndtr(x: Any) -> Any:
    r"""Logarithm of the normal distribution function, :math:`\ln \Phi(x)`, accurate in both tails.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.special.log_ndtr(sg.tensor([-40.0, 0.0])).tolist()[0]
    -804.6084420137
    """
    low, high = where(less(x, -1.0), x, -1.0), where(less(x, -1.0), -1.0, x)
    tail = log(erfcx(multiply(low, -ROOT_HALF)) / 2.0) - square(low) / 2.0
    return where(less(x, -1.0), tail, log1p(erfc(multiply(high, ROOT_HALF)) / -2.0))


@function()
def erfcinv(x: Any) -> Any:
    """Inverse of erfc."""
    return multiply(ndtri(divide(x, 2.0)), -ROOT_HALF)


# Bessel functions


@function()
def ive(v: Any, z: Any) -> Any:
    r"""Modified Bessel function of the first kind, scaled: :math:`e^{-|z|} I_v(z)` for integer orders v."""
    return OPS["ive"](_order(v, "ive"), z)


@function()
def iv(v: Any, z: Any) -> Any:
    """Modified Bessel function of the first kind :math:`I_v(z)` for integer orders v."""
    z = operand(z, "iv")
    root = exp(abs(z) / 2.0)
    return ive(v, z) * root * root


@function()
def i0(x: Any) -> Any:
    """Modified Bessel function :math:`I_0(x)`."""
    return iv(0, x)


@function()
def i0e(x: Any) -> Any:
    """Scaled modified Bessel function :math:`e^{-|x|} I_0(x)`; its gradient at 0 is 0."""
    return ive(0, x)


@function()
def i1(x: Any) -> Any:
    """Modified Bessel function :math:`I_1(x)`."""
    return iv(1, x)


@function()
def i1e(x: Any) -> Any:
    """Scaled modified Bessel function :math:`e^{-|x|} I_1(x)`."""
    return ive(1, x)


@function()
def spherical_jn(n: Any, z: Any) -> Any:
    """Spherical Bessel function :math:`j_n(z)`, smooth at 0."""
    return OPS["spherical_jn"](_order(n, "spherical_jn"), z)


@function()
def sinc(x: Any) -> Any:
    r"""Sine cardinal :math:`\frac{\sin \pi x}{\pi x} = j_0(\pi x)`, with all derivatives at 0.

    Examples
    --------
    >>> import symgrad as sg
    >>> second = sg.grad(sg.grad(sg.sinc))
    >>> sg.sinc(0.0), second(0.0)
    (array(1.), array(-3.28986813))
    """
    return OPS["spherical_jn"](0, multiply(x, PI))


# Entropy


@function()
def rel_entr(x: Any, y: Any) -> Any:
    r"""Relative entropy :math:`x \ln(x / y)` of positive x and y; 0 where x = 0."""
    return xlogy(x, divide(x, y))
