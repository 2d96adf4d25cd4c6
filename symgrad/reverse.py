"""Reverse mode: one loop over pullbacks.

It runs the pullbacks on arrays where nobody differentiates further, and on Tensors where somebody may:
the same rules, so that every derivative is an ordinary graph again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgrad.context import MODE
from symgrad.errors import DTypeError, GradientError, ShapeError
from symgrad.op import FUNCTIONS, OPS, Op
from symgrad.ops.marks import item
from symgrad.ops.reduction import expand, sum_to
from symgrad.recording import check_finite, outputs_of
from symgrad.shapes import broadcast, concrete, same_shape, size_of
from symgrad.tensor import Tensor, as_tensor, check_fresh, constant

__all__ = ["accumulate", "adjoints", "backward", "ones", "order_below", "seeded", "zeros"]

_ASTYPE = OPS["astype"]


def order_below(roots: Sequence[Tensor], bit: int, floor: int) -> list[Tensor]:
    """Nodes that gradients pass, from roots down to arguments; none older than the floor."""
    found = {r.serial: r for r in roots if r.requires_grad & bit and r.serial >= floor}
    stack = list(found.values())
    push = stack.append
    while stack:
        node = stack.pop()
        first = node._first
        if first is None:
            continue
        for x in (first,) if type(first) is Tensor else first:
            s = x.serial
            if s not in found and x.requires_grad & bit and s >= floor:
                found[s] = x
                push(x)
        x = node._second
        if x is not None:
            s = x.serial
            if s not in found and x.requires_grad & bit and s >= floor:
                found[s] = x
                push(x)
    return [found[s] for s in sorted(found, reverse=True)]


@np.errstate(all="ignore")  # rules pass through 0/0 and overflow on their way to documented values
def accumulate(order: list[Tensor], cotangents: dict[int, Any], bit: int, arrays: bool, keep: bool) -> dict[int, Any]:
    """Run the pullbacks from the roots down; the cotangents of terminals (or of all) by serial."""
    kept: dict[int, Any] = {}
    anomaly = (m := MODE.get()) is not None and m.anomaly
    quick = arrays and not anomaly
    take, before = cotangents.pop, cotangents.get
    for node in order:
        s = node.serial
        g = take(s, None)
        if g is None:
            continue
        op = node.op
        if op is None:
            kept[s] = g
            continue
        rule = op.pullback
        if keep or not rule:
            kept[s] = g
        x, second = node._first, node._second
        if not quick or type(rule) is not tuple or type(x) is not Tensor:
            _pull_back(node, g, cotangents, bit, arrays, anomaly)
            continue
        # What follows is `_pull_back` on arrays for one and two inputs, inlined: the hot path of eager training.
        f, v, y = rule[0], x.value, node.value
        values = (v,) if second is None else (v, second.value)
        if node.params:
            values += node.params
        while True:
            t = x.serial
            if t > s:
                check_fresh(node)
            if f is not None and x.requires_grad & bit:
                c = f(g, y, *values)
                try:
                    fits = c.shape == v.shape and c.dtype is v.dtype
                except AttributeError:
                    fits = False
                if not fits:
                    c = _fitted(op, c, v, True)
                old = before(t)
                cotangents[t] = c if old is None else old + c
            if second is None:
                break
            x, f, v, second = second, rule[1], second.value, None
    return kept


def _pull_back(node: Tensor, g: Any, cotangents: dict[int, Any], bit: int, arrays: bool, anomaly: bool) -> None:
    """Add what one node sends to its inputs: on arrays, or on Tensors."""
    op: Any = node.op
    inputs, rule = node.inputs, op.pullback
    check_fresh(node)
    if op is item:
        parent = inputs[0]
        bundle = cotangents.setdefault(parent.serial, [None] * len(parent.op.outputs))  # type: ignore[union-attr]
        k = node.params[0]
        bundle[k] = g if bundle[k] is None else bundle[k] + g
        return
    if rule is None:
        raise GradientError(f"{op.name}: has no pullback; declare one, sg.op({op.name!r}, ..., pullback=...)")
    y, args = (node.value, tuple([x.value for x in inputs])) if arrays else (outputs_of(node), inputs)
    wanted = [x.requires_grad & bit for x in inputs]
    if type(rule) is tuple:
        sent = [f(g, y, *args, *node.params) if f and w else None for f, w in zip(rule, wanted, strict=False)]
    else:
        sent = rule(g, y, args, node.params)
    for c, x, w in zip(sent, inputs, wanted, strict=False):
        if c is not None and w:
            _add(cotangents, x, _fitted(op, c, x, arrays), node if anomaly else None)


def _fitted(op: Op, c: Any, x: Any, arrays: bool) -> Any:
    """A contribution in the shape and dtype of its input: broadcasting undone, a number repeated."""
    if not hasattr(c, "shape"):
        c = np.asarray(c, x.dtype) if arrays else as_tensor(c, x.dtype)
    if not same_shape(c.shape, x.shape):
        c = _reshaped(op, c, x)
    return c if c.dtype == x.dtype else _ASTYPE(c, x.dtype.name)


def _reshaped(op: Op, c: Any, x: Any) -> Any:
    """A contribution summed over, or repeated along, the axes along which the input was repeated."""
    try:
        wide = broadcast(c.shape, x.shape)
    except ShapeError:
        wide = ()
    if same_shape(wide, c.shape):
        return sum_to(c, tuple(x.shape))
    if same_shape(wide, x.shape):
        return expand(c, tuple(x.shape))
    raise GradientError(f"{op.name}: its pullback gave shape {tuple(c.shape)} for an input of shape {tuple(x.shape)}")


def _add(cotangents: dict[int, Any], x: Tensor, c: Any, checked: Tensor | None) -> None:
    """Add a contribution; under anomaly detection, check it."""
    if checked is not None:
        value = c.value if isinstance(c, Tensor) else c
        if value is not None:
            check_finite(f"backward of {checked.op.name}", value, checked.inputs)  # type: ignore[union-attr]
    before = cotangents.get(x.serial)
    cotangents[x.serial] = c if before is None else before + c


def seeded(y: Tensor, g: Any, arrays: bool, where: str) -> Any:
    """The cotangent of an output, checked, as an array or a Tensor."""
    if g is None:
        if not concrete(y.shape) or size_of(y.shape) != 1:
            raise GradientError(
                f"{where}: needs a scalar, got {y._describe()}; reduce it, for example with .sum() or .mean(), "
                "or pass the cotangent (gradient=..., sg.vjp)"
            )
        if not arrays:
            return ones(y)
        g = np.ones(y.shape, y.dtype)
    g = g if isinstance(g, Tensor) else np.asarray(g)
    if not same_shape(g.shape, y.shape):
        raise ShapeError(f"{where}: the cotangent has shape {tuple(g.shape)}, the output has {tuple(y.shape)}")
    if g.dtype.kind not in "biuf":
        raise DTypeError(f"{where}: the cotangent must be real numbers, got {g.dtype}")
    if arrays:
        value = g.value if isinstance(g, Tensor) else g
        return value if value.dtype == y.dtype else value.astype(y.dtype)
    g = as_tensor(g)
    return g if g.dtype == y.dtype else FUNCTIONS["astype"](g, y.dtype)


def backward(y: Tensor, gradient: Any = None) -> None:
    """Add the gradient of y to ``.grad`` of every leaf below it; see `Tensor.backward`."""
    if not isinstance(y, Tensor):
        raise GradientError(f"backward: needs a Tensor, got {type(y).__name__}")
    if not y.requires_grad:
        raise GradientError(
            f"backward: no leaf below {y._describe()} requires a gradient; make one with "
            "sg.tensor(data, requires_grad=True), outside of sg.no_grad()"
        )
    current = MODE.get()
    trace = current.trace if current is not None else None
    arrays = trace is None and y.value is not None
    order = order_below([y], 3, 0)
    kept = accumulate(order, {y.serial: seeded(y, gradient, arrays, "backward")}, 3, arrays, False)
    for node in reversed(order):
        g = kept.get(node.serial)
        if g is None or not (node.op is None or node.op.pullback == ()):
            continue
        if trace is not None:
            trace.add_grad(node, g)
        else:
            node._grad = np.array(g) if node._grad is None else np.asarray(node._grad + g)


def adjoints(y: Tensor, gradient: Any = None) -> dict[int, Any]:
    """The gradient of y with respect to every node below it, by serial number.

    Parameters
    ----------
    y : Tensor
    gradient : array_like or Tensor, optional
        The cotangent of y; needed unless it has one element.

    Returns
    -------
    dict of int to ndarray
        Multi-output nodes hold a list, one entry per output. Where y is abstract, the gradients are
        Tensors: the graph of the backward pass.

    Examples
    --------
    >>> import symgrad as sg
    >>> x = sg.tensor(3.0, requires_grad=True)
    >>> y = x * x
    >>> sg.adjoints(y)[x.serial]
    array(6.)
    """
    arrays = y.value is not None
    order = order_below([y], 3, 0)
    kept = accumulate(order, {y.serial: seeded(y, gradient, arrays, "adjoints")}, 3, arrays, True)
    return {s: g if isinstance(g, (list, Tensor)) else np.asarray(g) for s, g in kept.items()}


def _filled(x: Tensor, literal: float) -> Tensor:
    y = constant(literal, x.dtype)
    return OPS["expand"](y, tuple(x.shape)) if x.shape else y


def zeros(x: Tensor) -> Tensor:
    """Zeros of the shape and dtype of a Tensor."""
    return _filled(x, 0.0)


def ones(x: Tensor) -> Tensor:
    """Ones of the shape and dtype of a Tensor."""
    return _filled(x, 1.0)


FUNCTIONS["backward"] = backward
