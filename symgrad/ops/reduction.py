"""Reductions over axes, and the broadcasting that is their adjoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symgrad.errors import ShapeError, UnsupportedError
from symgrad.op import FUNCTIONS, OPS, Op, builtin
from symgrad.ops.arithmetic import div0
from symgrad.ops.layout import expand_dims
from symgrad.ops.piecewise import equal
from symgrad.shapes import broadcast, normalize_axes, normalize_axis, reduced, same_shape, size_of
from symgrad.tensor import array_like

__all__ = ["all_", "any_", "argmax", "argmin", "expand", "max", "mean", "min", "norm2", "spread", "sum", "sum_to"]


def _reduced(shape: Any, axis: Any, keepdims: Any) -> Any:
    return reduced(shape, axis, keepdims)


def spread(g: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """A reduction's result (or cotangent) repeated along the reduced axes, to the shape of x."""
    return expand(g if keepdims else expand_dims(g, axis), x.shape)


def _sum_to(g: Any, shape: Any) -> Any:
    extra = g.ndim - len(shape)
    axes = tuple(k for k in range(g.ndim) if k < extra or shape[k - extra] != g.shape[k])
    return g.sum(axis=axes).reshape(shape) if axes else g


expand: Op = builtin("expand", np.broadcast_to,
                     pullback=(lambda g, y, x, shape: sum_to(g, x.shape),), params=("shape",),
                     indices="expand", notation=r"{0}", view=True,
                     shape=lambda own, shape: _expanded(own, shape))  # fmt: skip

sum_to: Op = builtin("sum_to", _sum_to, pullback=(lambda g, y, x, shape: expand(g, x.shape),), params=("shape",),
                     indices="sum_to", notation=r"\textstyle\sum {0}", shape=lambda own, shape: shape)  # fmt: skip


def _expanded(own: Any, shape: Any) -> Any:
    if not same_shape(broadcast(own, shape), shape):
        raise ShapeError(f"expand: shape {tuple(own)} does not expand to {tuple(shape)}")
    return shape


_sum: Op = builtin(
    "sum",
    lambda x, axis, keepdims: np.add.reduce(x, axis=axis, keepdims=keepdims),
    pullback=(lambda g, y, x, axis, keepdims: spread(g, x, axis, keepdims),),
    params=("axis", "keepdims"),
    indices="sum",
    notation=r"\textstyle\sum {0}",
    shape=_reduced,
    dtype=lambda own, axis, keepdims: np.add.reduce(np.zeros(1, own)).dtype,
)

_mean: Op = builtin(
    "mean",
    lambda x, axis, keepdims: np.mean(x, axis=axis, keepdims=keepdims),
    pullback=(lambda g, y, x, axis, keepdims: spread(g / size_of(x.shape, axis), x, axis, keepdims),),
    params=("axis", "keepdims"),
    indices="mean",
    notation=r"\operatorname{{mean}}({0})",
    shape=_reduced,
    dtype=lambda own, axis, keepdims: own if own.kind == "f" else np.dtype(np.float64),
)


def _max_rule(g: Any, y: Any, x: Any, axis: Any, keepdims: Any) -> Any:
    ties = equal(x, spread(y, x, axis, keepdims))
    count = _sum(FUNCTIONS["astype"](ties, x.dtype), axis, keepdims)
    return FUNCTIONS["where"](ties, spread(g / count, x, axis, keepdims), 0.0)


_max: Op = builtin("max", lambda x, axis, keepdims: np.max(x, axis=axis, keepdims=keepdims), pullback=(_max_rule,),
                   params=("axis", "keepdims"), indices="opaque", notation=r"\max({0})", shape=_reduced)  # fmt: skip

_min: Op = builtin("min", lambda x, axis, keepdims: np.min(x, axis=axis, keepdims=keepdims), pullback=(_max_rule,),
                   params=("axis", "keepdims"), indices="opaque", notation=r"\min({0})", shape=_reduced)  # fmt: skip


def _norm2(x: Any, axis: Any, keepdims: Any) -> Any:
    with np.errstate(over="ignore", under="ignore"):
        y = np.sqrt(np.add.reduce(np.square(x), axis=axis, keepdims=keepdims))
    if not x.size or (np.isfinite(y).all() and (y > np.finfo(y.dtype).tiny ** 0.5 * 4).all()):
        return y
    scale = np.max(np.abs(x), axis=axis, keepdims=True)
    safe = np.where((scale > 0) & np.isfinite(scale), scale, 1)
    y = np.sqrt(np.add.reduce(np.square(x / safe), axis=axis, keepdims=True)) * safe
    return y if keepdims else y.reshape(reduced(x.shape, axis, False))


_norm2_op: Op = builtin(
    "norm2",
    _norm2,
    pullback=(lambda g, y, x, axis, keepdims: spread(g, x, axis, keepdims) * div0(x, spread(y, x, axis, keepdims)),),
    params=("axis", "keepdims"),
    indices="opaque",
    notation=r"\lVert {0} \rVert_2",
    shape=_reduced,
)


def _reducer(op: Op, empty: str | None = None, fill: Any = None, join: Callable[[Any, Any], Any] | None = None) -> Any:
    """The public form of a reduction.

    ``empty`` names what is not defined of no elements; ``fill`` stands in for elements that ``where`` leaves out, and
    ``join`` takes ``initial`` in.
    """

    def call(
        x: Any,
        axis: Any = None,
        *unsupported: Any,
        keepdims: bool = False,
        dtype: Any = None,
        initial: Any = None,
        where: Any = None,
        **options: Any,
    ) -> Any:
        if unsupported or any(v is not None for v in options.values()):
            given = sorted(options) or "more positional arguments"
            raise UnsupportedError(f"{op.name}: supports axis, keepdims, dtype, initial and where, got {given}")
        x = array_like(x, op.name)
        if dtype is not None:
            x = FUNCTIONS["astype"](x, dtype)
        if initial is not None and join is None:
            raise UnsupportedError(f"{op.name}: takes no initial value")
        if where is not None:
            if fill is None and initial is None:
                raise UnsupportedError(
                    f"{op.name}: where= may pick no element; pass initial=, which is then the result"
                )
            x = FUNCTIONS["where"](where, x, initial if fill is None else fill)
        axes = normalize_axes(axis, len(x.shape), op.name)
        if empty and any(type(x.shape[k]) is int and x.shape[k] == 0 for k in axes):
            if initial is None:
                shape = f"(shape {tuple(x.shape)}, axis {axis})"
                raise ShapeError(f"{op.name}: {empty} of no elements {shape} is not defined")
            return expand(FUNCTIONS["astype"](np.asarray(initial), x.dtype), reduced(x.shape, axes, bool(keepdims)))
        y = op(x, axes, bool(keepdims))
        return y if initial is None or join is None else join(y, initial)

    call.__name__ = call.__qualname__ = op.name
    return call


sum = _reducer(_sum, fill=0, join=OPS["add"])
sum.__doc__ = r"""Sum over axes: :math:`y = \sum_i x_i`.

Parameters
----------
x : Tensor or array
axis : int or tuple of int, optional
    All by default.
keepdims : bool
    Keep the reduced axes, with size 1.
dtype : dtype, optional
    Converts the elements first.
initial : float, optional
    One more term.
where : array of bool, optional
    Which elements count.

Examples
--------
>>> import symgrad as sg
>>> sg.sum(sg.tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0)
Tensor([4., 6.])
"""
_mean_of_all = _reducer(_mean, "the mean")


def mean(x: Any, axis: Any = None, *more: Any, where: Any = None, **options: Any) -> Any:
    r"""Mean over axes: :math:`y = \frac1n \sum_i x_i`; parameters as in `sum`, without ``initial``."""
    if where is None:
        return _mean_of_all(x, axis, *more, **options)
    x = array_like(x, "mean")
    counted = sum(expand(where, x.shape), axis, keepdims=options.get("keepdims", False))
    return sum(x, axis, *more, where=where, **options) / counted


max = _reducer(_max, "the maximum", join=OPS["maximum"])
max.__doc__ = """Largest element along axes; a tie shares the gradient equally. Parameters as in `sum`."""
min = _reducer(_min, "the minimum", join=OPS["minimum"])
min.__doc__ = """Smallest element along axes; a tie shares the gradient equally. Parameters as in `sum`."""
norm2 = _reducer(_norm2_op, fill=0)
norm2.__doc__ = r"""Euclidean norm over axes, without overflow; its gradient at 0 is 0. Parameters as in `sum`."""


def _truth(name: str, forward: Any, quantifier: str) -> Any:
    op = builtin(name, lambda x, axis, keepdims: forward(x, axis=axis, keepdims=keepdims), pullback=(None,),
                 params=("axis", "keepdims"), indices="opaque", notation=rf"{quantifier} {{0}}", shape=_reduced,
                 dtype=np.bool_)  # fmt: skip
    call = _reducer(op, fill=name == "all")
    call.__doc__ = f"Whether {name} elements are true along axes (no gradient). Parameters as in `sum`."
    FUNCTIONS[name] = call
    return call


all_ = _truth("all", np.all, r"\forall")
any_ = _truth("any", np.any, r"\exists")


def _arg(name: str, forward: Any) -> Any:
    op = builtin(name, lambda x, axis: np.asarray(forward(x, axis=axis)), pullback=(None,), params=("axis",),
                 indices="opaque", notation=rf"\arg\{name[3:]}({{0}})", dtype=np.int64,
                 shape=lambda own, axis: () if axis is None else reduced(own, (axis,), False))  # fmt: skip

    def call(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
        x = array_like(x, name)
        k = None if axis is None else normalize_axis(axis, len(x.shape), name)
        size = size_of(x.shape, None if k is None else (k,))
        if type(size) is int and size == 0:
            raise ShapeError(f"{name}: the index of no elements (shape {tuple(x.shape)}, axis {axis}) is not defined")
        y = op(x, k)
        return expand_dims(y, tuple(range(len(x.shape))) if k is None else k) if keepdims else y

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"Index of the first {name[3:]} element, over all or along one axis (integers, no gradient)."
    FUNCTIONS[name] = call
    return call


argmax = _arg("argmax", np.argmax)
argmin = _arg("argmin", np.argmin)

FUNCTIONS.update(sum=sum, mean=mean, max=max, amax=max, min=min, amin=min)
