"""What a module holds: parameters, drawn at first use, and state without gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from symgrad.context import Run, generator
from symgrad.errors import ShapeError, SymgradError
from symgrad.tensor import Meta, Tensor, tensor

__all__ = ["Parameter", "Slot", "State", "sizes"]


def sizes(layer: str, given: Any) -> tuple[int, ...]:
    """The sizes that a layer was made with, checked."""
    if not given or not all(isinstance(n, int | np.integer) and not isinstance(n, bool) and n > 0 for n in given):
        raise ShapeError(f"{layer}: sizes must be integers of at least 1, got {', '.join(map(repr, given)) or 'none'}")
    return tuple(map(int, given))


@dataclass(slots=True, eq=False)
class Slot:
    """The place of a parameter in its module: how its initial value is drawn, and the leaf once it is."""

    init: Callable[..., Any] | None
    shape: tuple[int, ...] = ()
    dtype: Any = np.float64
    latex: str | None = None
    leaf: Tensor | None = None

    def draw(self, seed: int, path: str) -> None:
        """Make the leaf, or give it its initial value again; a leaf that came as data keeps its value."""
        if self.init is None:
            return
        value = np.asarray(self.init(generator(Run(seed).key("init", path)), self.shape), self.dtype)
        if value.shape != self.shape:
            raise ShapeError(f"parameter {path}: its initialiser made shape {value.shape} instead of {self.shape}")
        if self.leaf is None:
            self.leaf = tensor(value, requires_grad=True)
            self.leaf.meta = Meta(latex=self.latex)
        else:
            self.leaf._publish(value.copy())  # of the leaf itself, even while tracing


def Parameter(data: Any, shape: Any = None, *, dtype: Any = None, latex: str | None = None) -> Any:
    """Make a parameter of a module: from data, or from an initialiser that draws it at first use.

    Parameters
    ----------
    data : array_like, or callable
        The value itself, as in torch; or a function of (generator, shape), see `symgrad.nn.init`.
        Then the value is drawn when it is first read off its module, keyed by the seed and by the
        path in the model.
    shape : tuple of int, optional
        Only with an initialiser, which needs it.
    dtype : dtype, optional
        float64 by default.
    latex : str, optional

    Returns
    -------
    Tensor or Slot
        A leaf that requires a gradient; or its place holder, which becomes one as attribute of a Module.

    Examples
    --------
    >>> from symgrad import nn
    >>> class Scale(nn.Module):
    ...     def __init__(self, n):
    ...         self.gain = nn.Parameter(nn.init.ones, shape=(n,))
    ...
    ...     def forward(self, x):
    ...         return self.gain * x
    >>> Scale(2).gain
    Tensor([1., 1.], name='gain', requires_grad=True)
    """
    if not callable(data):
        if shape is not None:
            raise SymgradError("Parameter: shape= goes with an initialiser; data have a shape")
        leaf = tensor(data, requires_grad=True, dtype=dtype)
        return leaf
    if shape is None:
        raise SymgradError("Parameter: an initialiser needs shape=, for example Parameter(nn.init.zeros, shape=(3,))")
    return Slot(data, tuple(shape), np.dtype(np.float64 if dtype is None else dtype), latex)


class State:
    """A value that a module remembers between calls, outside of differentiation.

    Parameters
    ----------
    data : array_like
        The first value.

    Examples
    --------
    >>> from symgrad import nn
    >>> count = nn.State(0.0)
    >>> before = count.read()
    >>> count.assign(before + 1)
    >>> before, count.read()
    (Tensor(0.), Tensor(1.))
    """

    def __init__(self, data: Any, dtype: Any = None) -> None:
        self.leaf = tensor(data, dtype=dtype)

    def read(self) -> Tensor:
        """The value now: eagerly a constant that later `assign` does not change, in a trace the newest version."""
        return self.leaf.detach()

    def assign(self, new: Any) -> None:
        """Remember a new value of the same shape."""
        self.leaf.assign(new)

    def __repr__(self) -> str:
        return f"State({self.leaf.value!r})"
