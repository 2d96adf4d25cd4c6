"""Random inputs, drawn by the ambient Run."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.context import MODE, current_run, generator
from symgrad.op import function
from symgrad.ops.arithmetic import sqrt
from symgrad.ops.exponential import log
from symgrad.ops.trigonometric import cos
from symgrad.tensor import Tensor, tensor

__all__ = ["random_normal", "random_uniform"]


@function()
def random_uniform(path: str, shape: Any, dtype: Any = np.float64) -> Tensor:
    """Uniform numbers in [0, 1), keyed by the Run's seed and step and by a path.

    Parameters
    ----------
    path : str
        Where in the model; equal layers at different paths draw differently.
    shape : tuple of int
    dtype : dtype

    Raises
    ------
    SymgradError
        Outside of a Run (``with sg.run(seed=0, step=k)``).
    """
    current = MODE.get()
    if current is not None and current.trace is not None:
        return current.trace.draw(path, shape, dtype)  # type: ignore[no-any-return]
    key = current_run(f"the random draw at {path!r}").key("draw", path)
    return tensor(generator(key).random(tuple(shape), dtype=np.dtype(dtype)))


@function()
def random_normal(path: str, shape: Any, dtype: Any = np.float64) -> Tensor:
    r"""Standard normal numbers, :math:`\sqrt{-2 \ln u}\, \cos 2 \pi v` of two draws of `random_uniform`.

    Parameters
    ----------
    path, shape, dtype
        As in `random_uniform`.

    References
    ----------
    G. E. P. Box and M. E. Muller, "A note on the generation of random normal deviates", 1958.
    """
    u, v = random_uniform(path, shape, dtype), random_uniform(path, shape, dtype)
    return sqrt(-2 * log(1 - u)) * cos(2 * np.pi * v)  # type: ignore[no-any-return]
