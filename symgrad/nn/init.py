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
    "kaiming_normal",
    "kaiming_uniform",
    "lecun_normal",
    "normal",
    "ones",
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
    random: Generator, shape: Shape, scale: float = 1.0, fan: str = "in", distribution: str = "uniform"
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
    distribution : {"uniform", "normal"}

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
    if fan not in fans or distribution not in ("uniform", "normal"):
        raise SymgradError(
            f"variance_scaling: fan={fan!r} must be 'in', 'out' or 'avg', "
            f"distribution={distribution!r} 'uniform' or 'normal'"
        )
    std = (scale / fans[fan]) ** 0.5
    return normal(random, shape, std) if distribution == "normal" else random.uniform(-std, std, shape) * 3**0.5


zeros = partial(constant, value=0.0)
ones = partial(constant, value=1.0)
xavier_uniform = partial(variance_scaling, scale=1.0, fan="avg", distribution="uniform")
xavier_normal = partial(variance_scaling, scale=1.0, fan="avg", distribution="normal")
kaiming_uniform = partial(variance_scaling, scale=2.0, fan="in", distribution="uniform")
kaiming_normal = partial(variance_scaling, scale=2.0, fan="in", distribution="normal")
lecun_normal = partial(variance_scaling, scale=1.0, fan="in", distribution="normal")
