"""Initial values: functions of a random generator and a shape; the known names are data.

The fans of a weight of shape (in, out, ...) are its inputs and outputs per unit.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgrad.errors import SymgradError

__all__ = [
    "constant",
    "dirac",
    "eye",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "kaiming_normal",
    "kaiming_uniform",
    "lecun_normal",
    "lecun_uniform",
    "normal",
    "ones",
    "orthogonal",
    "sparse",
    "truncated_normal",
    "uniform",
    "variance_scaling",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]

Generator = np.random.Generator
Shape = tuple[int, ...]


def constant(random: Generator, shape: Shape, value: float) -> NDArray[Any]:
    """The same value everywhere."""
    return np.full(shape, value)


def uniform(random: Generator, shape: Shape, low: float, high: float) -> NDArray[Any]:
    """Uniform numbers in [low, high)."""
    return random.uniform(low, high, shape)


def normal(random: Generator, shape: Shape, std: float = 1.0) -> NDArray[Any]:
    """Normal numbers of mean 0."""
    return std * random.standard_normal(shape)


def variance_scaling(
    random: Generator,
    shape: Shape,
    scale: float = 1.0,
    fan: str = "in",
    distribution: str = "uniform",
) -> NDArray[Any]:
    r"""Numbers of mean 0 and variance :math:`s / n`, so that signals keep their size from layer to layer.

    Parameters
    ----------
    random : Generator
    shape : tuple of int
        (in, out, ...): the first two axes are inputs and outputs, the others the window of a convolution.
    scale : float
        The s.
    fan : {"in", "out", "avg"}
        The n: connections into a unit, out of it, or the mean of both.
    distribution : {"uniform", "normal", "truncated_normal"}
        Uniform numbers lie within :math:`\pm\sqrt{3 s / n}`, truncated ones within 2.27 standard deviations.

    References
    ----------
    X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks",
    AISTATS 2010; K. He et al., "Delving deep into rectifiers", ICCV 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from symgrad.nn import init
    >>> w = init.xavier_uniform(np.random.default_rng(0), (300, 100))
    >>> float(np.abs(w).max()) < (6 / 400) ** 0.5
    True
    """
    if len(shape) < 2:
        raise SymgradError(f"variance_scaling: shape {shape} has no inputs and outputs; use init.uniform or init.zeros")
    window = int(np.prod(shape[2:]))
    into, out = shape[0] * window, shape[1] * window
    fans = {"in": into, "out": out, "avg": (into + out) / 2}
    if fan not in fans or distribution not in ("uniform", "normal", "truncated_normal"):
        raise SymgradError(
            f"variance_scaling: fan={fan!r} must be 'in', 'out' or 'avg', "
            f"distribution={distribution!r} 'uniform', 'normal' or 'truncated_normal'"
        )
    std = (scale / fans[fan]) ** 0.5
    if distribution == "truncated_normal":
        return truncated_normal(random, shape, std / _CUT_STD)
    return normal(random, shape, std) if distribution == "normal" else random.uniform(-std, std, shape) * 3**0.5


def truncated_normal(random: Generator, shape: Shape, std: float = 1.0, cut: float = 2.0) -> NDArray[Any]:
    """Normal numbers of mean 0, drawn again where they are beyond ``cut * std``.

    Parameters
    ----------
    random : Generator
    shape : tuple of int
    std : float
        Before the tails are cut, which makes it smaller: by 0.8796 for cut = 2.
    cut : float
    """
    from scipy.special import ndtr, ndtri

    low = ndtr(-cut)
    drawn: NDArray[Any] = std * np.clip(ndtri(random.uniform(low, 1 - low, shape)), -cut, cut)
    return drawn


_CUT_STD = 0.87962566103423978  # standard deviation of a standard normal number within [-2, 2]


def orthogonal(random: Generator, shape: Shape, gain: float = 1.0) -> NDArray[Any]:
    """A uniformly random matrix of orthonormal columns, or rows if there are fewer of them, times the gain.

    Parameters
    ----------
    random : Generator
    shape : tuple of int
        The first axis is one side of the matrix, the others together are the other.
    gain : float

    References
    ----------
    A. M. Saxe, J. L. McClelland and S. Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep
    linear neural networks", ICLR 2014; F. Mezzadri, Notices of the AMS 54:592-604, 2007 (the signs).

    Examples
    --------
    >>> import numpy as np
    >>> from symgrad.nn import init
    >>> q = init.orthogonal(np.random.default_rng(0), (5, 3))
    >>> bool(np.allclose(q.T @ q, np.eye(3)))
    True
    """
    if len(shape) < 2:
        raise SymgradError(f"orthogonal: shape {shape} is no matrix; use init.zeros for a bias")
    rows, columns = shape[0], int(np.prod(shape[1:]))
    tall = random.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(tall)
    q = q * np.sign(np.diag(r))
    return gain * (q if rows >= columns else q.T).reshape(shape)


def eye(random: Generator, shape: Shape, gain: float = 1.0) -> NDArray[Any]:
    """The identity, as far as the matrix goes, so that a linear layer passes its input on."""
    if len(shape) != 2:
        raise SymgradError(f"eye: shape {shape} is no matrix")
    return gain * np.eye(*shape)


def dirac(random: Generator, shape: Shape, gain: float = 1.0) -> NDArray[Any]:
    """A convolution that passes as many channels on as it has, by the middle of its kernel.

    The weight is (out, in, ...), as that of `nn.Conv2d`.
    """
    if len(shape) < 3:
        raise SymgradError(f"dirac: shape {shape} is no convolution's; use init.eye for a matrix")
    found = np.zeros(shape)
    channels = np.arange(min(shape[:2]))
    middle: Any = (channels, channels, *(k // 2 for k in shape[2:]))
    found[middle] = gain
    return found


def sparse(random: Generator, shape: Shape, sparsity: float = 0.9, std: float = 0.01) -> NDArray[Any]:
    """Normal numbers, of which every unit (column) has the same share of exact zeros at random places.

    References
    ----------
    J. Martens, "Deep learning via Hessian-free optimization", ICML 2010, section 5.
    """
    if len(shape) != 2 or not 0 <= sparsity <= 1:
        raise SymgradError(f"sparse: takes a matrix and a share from 0 to 1, got shape {shape} and {sparsity!r}")
    places = random.permuted(np.tile(np.arange(shape[0])[:, None], (1, shape[1])), axis=0)
    return np.where(places < np.ceil(sparsity * shape[0]), 0.0, std * random.standard_normal(shape))


zeros = partial(constant, value=0.0)
ones = partial(constant, value=1.0)
xavier_uniform = partial(variance_scaling, scale=1.0, fan="avg", distribution="uniform")
xavier_normal = partial(variance_scaling, scale=1.0, fan="avg", distribution="normal")
kaiming_uniform = partial(variance_scaling, scale=2.0, fan="in", distribution="uniform")
kaiming_normal = partial(variance_scaling, scale=2.0, fan="in", distribution="normal")
lecun_uniform = partial(variance_scaling, scale=1.0, fan="in", distribution="uniform")
lecun_normal = partial(variance_scaling, scale=1.0, fan="in", distribution="normal")
glorot_uniform, glorot_normal, he_uniform, he_normal = xavier_uniform, xavier_normal, kaiming_uniform, kaiming_normal
