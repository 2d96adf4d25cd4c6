"""Limits that parameters keep: projections after every step, and decay apart from the gradient."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Any

import numpy as np

from symgrad.functions.order import sort
from symgrad.functions.scans import cumsum
from symgrad.ops.arithmetic import div0
from symgrad.ops.layout import ravel
from symgrad.ops.piecewise import abs, clip, maximum, minimum, where
from symgrad.ops.reduction import max, norm2
from symgrad.regularizers.base import Regularizer
from symgrad.regularizers.penalties import number, soft_threshold
from symgrad.shapes import normalize_axis

__all__ = ["Box", "L1Ball", "L2Ball", "MaxNorm", "NonNegative", "Simplex", "UnitNorm", "WeightDecay"]


class MaxNorm(Regularizer):
    r"""No vector of weights longer than c: :math:`w \leftarrow w \min(1, c / \lVert w \rVert_2)` after every step.

    Parameters
    ----------
    limit : float
    axis : int or tuple of int
        The axes of one vector; 0 is what enters a unit, for a Linear's weight of shape (in, out).
    exclude : sequence of str

    References
    ----------
    N. Srivastava et al., "Dropout", JMLR 15:1929-1958, 2014, section 5.1, where it goes with dropout.

    Examples
    --------
    >>> import symgrad as sg
    >>> from symgrad import regularizers
    >>> w = sg.tensor([[3.0, 0.1], [4.0, 0.1]], requires_grad=True)
    >>> regularizers.MaxNorm(1.0).after_step([w], lr=0.1)
    >>> w
    Tensor([[0.6, 0.1],
            [0.8, 0.1]], requires_grad=True)
    """

    def __init__(self, limit: float, axis: Any = 0, exclude: Iterable[str] = ("bias",)) -> None:
        super().__init__(exclude)
        self.limit, self.axis = number(type(self).__name__, "limit", limit), axis

    def update(self, theta: Any, lr: Any) -> Any:
        """The projection of one parameter."""
        length = norm2(theta, self.axis, keepdims=True)
        return theta * where(length > self.limit, div0(self.limit, where(length > 0, length, 1.0)), 1.0)


class L2Ball(MaxNorm):
    r"""Every parameter, as one vector, at most this long."""

    def __init__(self, limit: float, exclude: Iterable[str] = ()) -> None:
        super().__init__(limit, None, exclude)


def _excess(w: Any, total: float, axis: int) -> Any:
    r"""The t with :math:`\sum_i \max(w_i - t, 0) = c`: the largest mean excess of the k largest over c, for any k."""
    n = w.shape[axis]
    k = np.arange(1, n + 1, dtype=w.dtype).reshape(-1, *[1] * (-axis - 1))
    return max((cumsum(sort(w, axis, descending=True), axis) - total) / k, axis, keepdims=True)


class L1Ball(Regularizer):
    r"""Every parameter at the nearest point with :math:`\sum_i |\theta_i| \le c`; small numbers become exactly 0.

    Parameters
    ----------
    limit : float
        The c.
    exclude : sequence of str

    References
    ----------
    J. Duchi et al., "Efficient projections onto the l1-ball for learning in high dimensions", ICML 2008.

    Examples
    --------
    >>> import symgrad as sg
    >>> from symgrad import regularizers
    >>> w = sg.tensor([3.0, -2.0, 0.5], requires_grad=True)
    >>> regularizers.L1Ball(2.0).after_step([w], lr=0.1)
    >>> w
    Tensor([ 1.5, -0.5,  0. ], requires_grad=True)
    """

    def __init__(self, limit: float, exclude: Iterable[str] = ()) -> None:
        super().__init__(exclude)
        self.limit = number("L1Ball", "limit", limit)

    def update(self, theta: Any, lr: Any) -> Any:
        """The projection of one parameter."""
        return soft_threshold(theta, maximum(_excess(abs(ravel(theta)), self.limit, -1), 0.0).reshape(()))


class Simplex(Regularizer):
    r"""Vectors at the nearest point with :math:`\theta_i \ge 0`, :math:`\sum_i \theta_i = c`: shares, as of a mixture.

    Parameters
    ----------
    total : float
        The c.
    axis : int
        The axis of one vector.
    exclude : sequence of str

    References
    ----------
    As of `L1Ball`.

    Examples
    --------
    >>> import symgrad as sg
    >>> from symgrad import regularizers
    >>> w = sg.tensor([[0.5, 0.75, -1.0], [0.2, 0.2, 0.6]], requires_grad=True)
    >>> regularizers.Simplex().after_step([w], lr=0.1)
    >>> w
    Tensor([[0.375, 0.625, 0.   ],
            [0.2  , 0.2  , 0.6  ]], requires_grad=True)
    """

    def __init__(self, total: float = 1.0, axis: int = -1, exclude: Iterable[str] = ("bias",)) -> None:
        super().__init__(exclude)
        self.total, self.axis = number("Simplex", "total", total), axis

    def update(self, theta: Any, lr: Any) -> Any:
        """The projection of one parameter."""
        axis = normalize_axis(self.axis, len(theta.shape), "Simplex") - len(theta.shape)
        return maximum(theta - _excess(theta, self.total, axis), 0.0)


class UnitNorm(Regularizer):
    r"""Every vector of weights of length 1; a zero vector stays. Arguments as in `MaxNorm`."""

    def __init__(self, axis: Any = 0, exclude: Iterable[str] = ("bias",)) -> None:
        super().__init__(exclude)
        self.axis = axis

    def update(self, theta: Any, lr: Any) -> Any:
        """The projection of one parameter."""
        return div0(theta, norm2(theta, self.axis, keepdims=True))


class NonNegative(Regularizer):
    """No number below 0."""

    def update(self, theta: Any, lr: Any) -> Any:
        """The projection of one parameter."""
        return maximum(theta, 0.0)


class Box(Regularizer):
    """Every number from `low` to `high`."""

    def __init__(self, low: float = -inf, high: float = inf, exclude: Iterable[str] = ()) -> None:
        super().__init__(exclude)
        self.low, self.high = low, high

    def update(self, theta: Any, lr: Any) -> Any:
        """The projection of one parameter."""
        return clip(theta, self.low, self.high)


class WeightDecay(Regularizer):
    r"""Decay apart from the gradient: :math:`\theta \leftarrow (1 - \eta \lambda)\, \theta` after every step.

    No rule rescales it, as in `optim.AdamW`, which decays before the step. By default biases and the parameters of
    normalisations are left alone.

    Parameters
    ----------
    lam : float
    exclude : sequence of str
    """

    def __init__(self, lam: float, exclude: Iterable[str] = ("bias", "norm")) -> None:
        super().__init__(exclude)
        self.lam = number("WeightDecay", "lam", lam)

    def update(self, theta: Any, lr: Any) -> Any:
        """The decayed parameter."""
        return theta * (1 - minimum(lr * self.lam, 1.0))
