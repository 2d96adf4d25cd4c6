r"""The complex step: derivatives of analytic functions without subtraction.

For f analytic at x, :math:`f'(x) = \operatorname{Im} f(x + i h) / h + O(h^2)`; nothing cancels, so h may be
1e-20 and the result is exact to rounding. Through ``abs``, ``max`` or a comparison the imaginary part
silently vanishes, so only graphs made of the ops of `ANALYTIC` are run.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgrad.checking.numeric import Arrays, Estimate, together
from symgrad.op import OPS
from symgrad.tensor import Tensor, abstract, as_tensor, reachable

__all__ = ["ANALYTIC", "Program", "complex_step", "program"]

_EPS = float(np.finfo(np.float64).eps)
_STEP, _OTHER_STEP = 1e-20, 3e-25


def _log1p(z: Any) -> Any:
    """NumPy's complex log1p loses digits of small real parts."""
    return np.log1p(np.real(z)) + 1j * np.arctan2(np.imag(z), 1 + np.real(z))


def _sigmoid(z: Any) -> Any:
    right = np.real(z) >= 0
    e = np.exp(np.where(right, -z, z))
    return np.where(right, 1, e) / (1 + e)


def _logaddexp(a: Any, b: Any) -> Any:
    left = np.real(a) >= np.real(b)
    high, low = np.where(left, a, b), np.where(left, b, a)
    return high + _log1p(np.exp(low - high))


_AS_IT_IS = """
    add subtract multiply divide div0 mul0 difference0 negative square reciprocal sqrt power
    exp expm1 log sinh cosh tanh sin cos tan arcsin arccos arctan erf gauss
    sum mean sum_to expand matmul einsum getitem scatter concatenate reshape permute unsqueeze squeeze
    alias named stop_gradient where
"""

ANALYTIC: dict[str, Callable[..., Any] | None] = {
    **dict.fromkeys(_AS_IT_IS.split()),
    "log1p": _log1p,
    "sigmoid": _sigmoid,
    "logaddexp": _logaddexp,
    "astype": lambda z, dtype: z,
}
"""Ops that are analytic functions of complex arrays; None where ``forward`` itself is. Conditions of `where` are
made by ops that are not among them, unless they do not depend on the inputs."""


@dataclass(frozen=True, slots=True)
class Program:
    """A graph of analytic ops, ready to run on complex arrays."""

    inputs: tuple[Tensor, ...]
    nodes: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    def __call__(self, arrays: Arrays) -> NDArray[Any]:
        """All outputs in one axis."""
        values: dict[int, Any] = {x.serial: a for x, a in zip(self.inputs, arrays, strict=True)}

        def read(x: Tensor) -> Any:
            return values[x.serial] if x.value is None else x.value

        for node in self.nodes:
            op: Any = node.op
            run = ANALYTIC[op.name] or op.forward
            inputs = [read(x) for x in node.inputs]
            values[node.serial] = run(inputs, *node.params) if op.arity is None else run(*inputs, *node.params)
        return np.concatenate([np.ravel(read(y)) for y in self.outputs])


def program(core: Callable[..., Any], points: Arrays) -> Program | None:
    """The graph of a function of Tensors, or None if it is not analytic or depends on values."""
    inputs = tuple(abstract(x.shape, x.dtype) for x in points)
    try:
        outputs = tuple(as_tensor(y) for y in core(*inputs))
    except Exception:  # whatever f does without values: differences need no graph
        return None
    own = {x.serial for x in inputs}
    nodes = tuple(n for n in reachable(outputs) if n.value is None and n.serial not in own)
    return Program(inputs, nodes, outputs) if all(map(_analytic, nodes)) else None


def _analytic(node: Tensor) -> bool:
    op = node.op
    if op is None or op.name not in ANALYTIC or OPS.get(op.name) is not op:
        return False
    return op.name != "astype" or node.params == ("float64",)


def complex_step(
    run: Program,
    weights: NDArray[Any],
    points: Arrays,
    nearby: list[Arrays],
    place: int,
    direction: NDArray[Any],
    noise: NDArray[Any],
) -> Estimate | None:
    r"""The derivative of :math:`\langle v, f \rangle` along a direction, or None at a singular point.

    Parameters
    ----------
    run : Program
    weights : ndarray
        The v, all outputs in one axis.
    points : list of ndarray
    nearby : list of lists of ndarray
        The same points with other last bits: how much the derivative moves is its rounding error.
    place : int
        Which input moves.
    direction : ndarray
        How it moves.
    noise : ndarray
        Rounding noise of the weighted outputs.

    References
    ----------
    W. Squire and G. Trapp, "Using complex variables to estimate derivatives of real functions",
    SIAM Review 40 (1998) 110-112.
    """

    def slopes(at: Arrays, h: float) -> NDArray[Any]:
        moved = [x + 1j * h * direction if k == place else x for k, x in enumerate(at)]
        found: NDArray[Any] = weights * np.imag(run(moved)) / h
        return found

    first, second = slopes(points, _STEP), slopes(points, _OTHER_STEP)
    others = [float(np.sum(slopes(at, _STEP))) for at in nearby]
    # At a branch point, or where NumPy's complex power is inexact, the two steps do not agree.
    value, terms = float(np.sum(first)), float(np.sum(np.abs(first)))
    error = abs(value - float(np.sum(second)))
    if not math.isfinite(value) or not error <= 1e-9 * terms:
        return None
    spread = max((abs(o - value) for o in others if math.isfinite(o)), default=0.0)
    return Estimate(value, error + spread + 4 * _EPS * terms, _STEP, together(noise[first != 0]))
