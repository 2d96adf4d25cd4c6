"""Dropout."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from symgrad.errors import SymgradError
from symgrad.functions.random import random_uniform
from symgrad.nn.module import Layer

__all__ = ["Dropout"]


class Dropout(Layer):
    r"""In training, keep every unit with probability `keep` and set it to 0 otherwise; its own draw for every sample.

    Draws are keyed by the Run's (seed, step) and by the layer's path, so training needs a Run.

    Parameters
    ----------
    keep, drop : float
        Exactly one of them: the probability that a unit stays, or that it goes (torch's ``p``).
    style : {"inverted", "lecture"}
        "inverted" divides by `keep` in training, and evaluation is the identity. "lecture" leaves training
        as it is, and evaluation multiplies by `keep` (which is to scale the weights that follow).

    References
    ----------
    N. Srivastava et al., "Dropout", JMLR 15:1929-1958, 2014.

    Examples
    --------
    >>> import numpy as np, symgrad as sg
    >>> from symgrad import nn
    >>> layer = nn.Dropout(keep=0.5)
    >>> with sg.run(seed=0, step=0):
    ...     sorted(set(layer(sg.tensor(np.ones(100))).tolist()))
    [0.0, 2.0]
    >>> layer.eval()(sg.tensor([1.0, 2.0]))
    Tensor([1., 2.])
    """

    def __init__(
        self, *unnamed: float, keep: float | None = None, drop: float | None = None, style: str = "inverted"
    ) -> None:
        if unnamed or (keep is None) == (drop is None):
            raise SymgradError("Dropout: say keep=0.8 (the probability to stay) or drop=0.2 (to go), one of them")
        name, given = ("keep", keep) if drop is None else ("drop", drop)
        number: Any = given if isinstance(given, Real) else np.nan
        stays = number if drop is None else 1 - number
        if not 0 < stays <= 1:
            raise SymgradError(f"Dropout: the probability to stay must be above 0 and at most 1, got {name}={given!r}")
        if style not in ("inverted", "lecture"):
            raise SymgradError(f"Dropout: style={style!r} is none of 'inverted', 'lecture'")
        self.keep, self.style = stays, style

    def forward(self, x: Any) -> Any:
        """A random part of x in training, its expectation in evaluation."""
        if not self.in_training():
            return x if self.style == "inverted" else x * self.keep
        dtype = x.dtype if x.dtype.kind == "f" else np.float64
        stays = random_uniform(self._path or "Dropout", x.shape, dtype) < self.keep
        return x * stays if self.style == "lecture" else x * stays / self.keep

    def extra(self) -> str:
        """The arguments that `repr` shows."""
        return f"keep={self.keep:g}" + ("" if self.style == "inverted" else f", style={self.style!r}")
