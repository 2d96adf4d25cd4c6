r"""Penalties of the parameters, and their proximal steps.

A subgradient never stays at a kink; the proximal step
:math:`\operatorname{prox}_{\eta r}(w) = \arg\min_u r(u) + \tfrac{1}{2 \eta} \lVert u - w \rVert^2` lands there, so that
zeros are exact. ``proximal=True`` chooses it: then nothing is added to the loss, and the step follows the optimizer's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import reduce
from math import inf
from operator import add
from typing import Any

from symgrad.context import no_grad
from symgrad.errors import SymgradError
from symgrad.functions.norms import norm
from symgrad.functions.rearranging import flat
from symgrad.ops.arithmetic import div0
from symgrad.ops.piecewise import abs, maximum, sign
from symgrad.ops.reduction import norm2, sum
from symgrad.regularizers.base import Regularizer
from symgrad.tensor import SCALARS, Tensor

__all__ = ["L1", "L2", "ElasticNet", "GroupLasso", "Lp", "LpPower", "shrink", "soft_threshold"]


def soft_threshold(w: Any, threshold: Any) -> Any:
    r"""Every number moved to 0 by at most t: :math:`\operatorname{sign}(w) \max(|w| - t, 0)`.

    Examples
    --------
    >>> import numpy as np
    >>> soft_threshold(np.array([-3.0, 0.5, 1.0]), 1.0)
    array([-2.,  0.,  0.])
    """
    return sign(w) * maximum(abs(w) - threshold, 0.0)


def shrink(w: Any, threshold: Any, axis: Any = None) -> Any:
    r"""Every vector moved to 0 by at most t: :math:`w \max(1 - t / \lVert w \rVert_2, 0)`; all of w is one by default.

    Examples
    --------
    >>> import numpy as np
    >>> shrink(np.array([3.0, 4.0]), 1.0), shrink(np.array([3.0, 4.0]), 6.0)
    (array([2.4, 3.2]), array([0., 0.]))
    """
    length = norm2(w, axis, keepdims=True)
    return w * div0(maximum(length - threshold, 0.0), length)


class _Penalty(Regularizer, ABC):
    """A penalty with a factor, of every parameter by itself; proximal if asked."""

    def __init__(self, lam: float, proximal: bool = False, exclude: Iterable[str] = ()) -> None:
        super().__init__(exclude)
        self.lam = number(type(self).__name__, "lam", lam)
        self.proximal = proximal

    def penalty(self, parameters: list[Tensor]) -> Any:
        return 0.0 if self.proximal else reduce(add, [self.of(p) for p in parameters])

    @abstractmethod
    def of(self, theta: Any) -> Any:
        """The penalty of one parameter."""

    def after_step(self, parameters: Any, lr: Any) -> None:
        if self.proximal:
            super().after_step(parameters, lr)


class Lp(Regularizer):
    r"""The norm of all parameters, biases too: :math:`\lambda \lVert \theta \rVert_p`; not its power, not halved.

    For p = 2 its gradient :math:`\lambda\, \theta / \lVert \theta \rVert_2` has the same length everywhere, so this is
    not weight decay (that is `L2`); it can hold all parameters at exactly 0. The gradient at 0 is 0. Sums are scaled by
    the largest element, so no power overflows.

    Parameters
    ----------
    lam : float
    p : float
        At least 1, or infinity. Below 1 it is no norm but a quasi-norm, which is not convex: it drives fewer weights
        further, and one that is 0 stays 0, as its gradient there is taken to be 0.
    proximal : bool
        For p = 1 and p = 2: step to exact zeros instead of adding to the loss.
    exclude : sequence of str

    Examples
    --------
    >>> import symgrad as sg
    >>> from symgrad import regularizers
    >>> w = [sg.tensor([3.0], requires_grad=True), sg.tensor([[-4.0]], requires_grad=True)]
    >>> [regularizers.Lp(1.0, p)(w).item() for p in (1, 2, float("inf"))]
    [7.0, 5.0, 4.0]
    """

    def __init__(self, lam: float, p: float = 2, proximal: bool = False, exclude: Iterable[str] = ()) -> None:
        super().__init__(exclude)
        if not isinstance(p, SCALARS) or not p > 0:
            raise SymgradError(f"Lp: p={p!r} is no norm's; use a number above 0, or float('inf')")
        if proximal and p not in (1, 2):
            raise SymgradError(f"Lp: the proximal step is known for p=1 and p=2, not for p={p}")
        self.lam = number("Lp", "lam", lam)
        self.p = float(p)
        self.proximal = proximal

    def penalty(self, parameters: list[Tensor]) -> Any:
        """The norm, times its factor."""
        return 0.0 if self.proximal else self.lam * norm(flat(parameters), self.p)

    def after_step(self, parameters: Any, lr: Any) -> None:
        """The proximal step of all parameters together."""
        if not self.proximal:
            return
        chosen = self.chosen(parameters)
        step = soft_threshold if self.p == 1 else shrink
        with no_grad():
            moved, start = step(flat(chosen), lr * self.lam), 0
            for p in chosen:
                p.assign(moved[start : start + p.size].reshape(p.shape))
                start += p.size


class L1(_Penalty):
    r"""The lasso's penalty :math:`\lambda \sum_i |\theta_i|`; exact zeros with ``proximal=True``.

    Parameters
    ----------
    lam : float
    proximal : bool
        Soft thresholding after every step, instead of a subgradient that jitters around 0.
    exclude : sequence of str

    Examples
    --------
    >>> import symgrad as sg
    >>> from symgrad import regularizers
    >>> w = sg.tensor([0.05, -2.0], requires_grad=True)
    >>> regularizers.L1(1.0, proximal=True).after_step([w], lr=0.1)
    >>> w
    Tensor([ 0. , -1.9], requires_grad=True)
    """

    def of(self, theta: Any) -> Any:
        """The penalty of one parameter."""
        return self.lam * sum(abs(theta))

    def update(self, theta: Any, lr: Any) -> Any:
        """The proximal step."""
        return soft_threshold(theta, lr * self.lam)


class L2(_Penalty):
    r"""Ridge, coupled weight decay: :math:`\tfrac{\lambda}{2} \sum_i \theta_i^2`, of gradient :math:`\lambda \theta`.

    Parameters
    ----------
    lam : float
    half : bool
        Without it :math:`\lambda \sum_i \theta_i^2`, as in Keras.
    proximal : bool
    exclude : sequence of str
    """

    def __init__(self, lam: float, half: bool = True, proximal: bool = False, exclude: Iterable[str] = ()) -> None:
        super().__init__(lam, proximal, exclude)
        self.half = half

    def of(self, theta: Any) -> Any:
        """The penalty of one parameter."""
        return (self.lam / 2 if self.half else self.lam) * sum(theta * theta)

    def update(self, theta: Any, lr: Any) -> Any:
        """The proximal step."""
        return theta / (1 + lr * (self.lam if self.half else 2 * self.lam))


class ElasticNet(_Penalty):
    r"""Lasso and ridge: :math:`\lambda \left(\rho \sum_i |\theta_i| + \tfrac{1 - \rho}{2} \sum_i \theta_i^2\right)`.

    Parameters
    ----------
    lam : float
        scikit-learn's ``alpha``.
    ratio : float
        The share :math:`\rho` of the lasso, scikit-learn's ``l1_ratio``.
    proximal : bool
    exclude : sequence of str

    References
    ----------
    H. Zou and T. Hastie, "Regularization and variable selection via the elastic net", 2005.
    """

    def __init__(self, lam: float, ratio: float = 0.5, proximal: bool = False, exclude: Iterable[str] = ()) -> None:
        super().__init__(lam, proximal, exclude)
        self.ratio = number("ElasticNet", "ratio", ratio, 1.0)

    def of(self, theta: Any) -> Any:
        """The penalty of one parameter."""
        return self.lam * (self.ratio * sum(abs(theta)) + (1 - self.ratio) / 2 * sum(theta * theta))

    def update(self, theta: Any, lr: Any) -> Any:
        """The proximal step."""
        return soft_threshold(theta, lr * self.lam * self.ratio) / (1 + lr * self.lam * (1 - self.ratio))


class LpPower(_Penalty):
    r"""Bridge: :math:`\lambda \sum_i |\theta_i|^p` with p above 1, the power of the norm.

    Parameters
    ----------
    lam, p : float
    exclude : sequence of str
    """

    def __init__(self, lam: float, p: float = 2, exclude: Iterable[str] = ()) -> None:
        super().__init__(lam, False, exclude)
        if not number("LpPower", "p", p) > 1:
            raise SymgradError(f"LpPower: p={p!r} must be above 1; p=1 is L1")
        self.p = p

    def of(self, theta: Any) -> Any:
        """The penalty of one parameter."""
        return self.lam * sum(abs(theta) ** self.p)


class GroupLasso(_Penalty):
    r"""Whole groups at 0 or not: :math:`\lambda \sum_g \sqrt{n_g}\, \lVert \theta_g \rVert_2`.

    Parameters
    ----------
    lam : float
    axis : int, tuple of int, or None
        The axes that a group spans; the other axes count groups. For a Linear's weight, of shape (in, out), axis=1
        groups all that leaves an input, and axis=0 all that enters an output. A parameter with fewer axes is one group.
    proximal : bool
    exclude : sequence of str
        Biases by default.

    References
    ----------
    M. Yuan and Y. Lin, "Model selection and estimation in regression with grouped variables", 2006.

    Examples
    --------
    >>> import symgrad as sg
    >>> from symgrad import regularizers
    >>> w = sg.tensor([[3.0, 4.0], [0.3, 0.4]], requires_grad=True)
    >>> regularizers.GroupLasso(1.0, axis=1)([w]).item() / 2**0.5
    5.5
    >>> regularizers.GroupLasso(1.0, axis=1, proximal=True).after_step([w], lr=0.5)
    >>> bool((w.numpy()[1] == 0).all())
    True
    """

    def __init__(self, lam: float, axis: Any = 1, proximal: bool = False, exclude: Iterable[str] = ("bias",)) -> None:
        super().__init__(lam, proximal, exclude)
        self.axis = axis

    def _axes(self, theta: Any) -> tuple[Any, float]:
        """The axes of a group of this parameter, and the root of its size."""
        axes = (self.axis,) if isinstance(self.axis, int) else self.axis
        if axes is None or max_axis(axes) >= len(theta.shape):
            return None, float(theta.size) ** 0.5
        size = 1
        for k in axes:
            size *= theta.shape[k]
        return tuple(axes), float(size) ** 0.5

    def of(self, theta: Any) -> Any:
        """The penalty of one parameter."""
        axes, root = self._axes(theta)
        return self.lam * root * sum(norm2(theta, axes))

    def update(self, theta: Any, lr: Any) -> Any:
        """The proximal step."""
        axes, root = self._axes(theta)
        return shrink(theta, lr * self.lam * root, axes)


def max_axis(axes: Iterable[int]) -> int:
    """How many axes these need, less one."""
    return max(k if k >= 0 else -k - 1 for k in axes)


def number(who: str, name: str, given: Any, high: float = inf) -> float:
    """A number from 0 up, checked."""
    value = float(given) if isinstance(given, SCALARS) else -1.0
    if not 0 <= value <= high or value == inf:
        limit = "" if high == inf else f" and at most {high:g}"
        raise SymgradError(f"{who}: {name}={given!r} must be a number of at least 0{limit}")
    return value
