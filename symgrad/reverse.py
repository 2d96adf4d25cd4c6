"""Reverse mode: one loop over pullbacks.

It runs the pullbacks on arrays where nobody differentiates further, and on Tensors where somebody may:
the same rules, so that every derivative is an ordinary graph again.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from heapq import heappop, heappush
from typing import Any, NamedTuple

import numpy as np

from symgrad.context import MODE
from symgrad.errors import DTypeError, GradientError, ShapeError
from symgrad.op import FUNCTIONS, OPS, Op
from symgrad.ops.marks import item
from symgrad.ops.reduction import expand, sum_to
from symgrad.recording import check_finite, outputs_of
from symgrad.shapes import broadcast, concrete, same_shape, size_of
from symgrad.tensor import Tensor, as_tensor, check_fresh, constant

__all__ = ["accumulate", "adjoints", "backward", "nodes_below", "ones", "seeded", "zeros"]

_ASTYPE = OPS["astype"]


def nodes_below(roots: Sequence[Tensor], bit: int, floor: int) -> list[Tensor]:
    """Nodes that gradients pass on their way from roots to arguments; none older than the floor."""
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
    return list(found.values())


@np.errstate(all="ignore")  # rules pass through 0/0 and overflow on their way to documented values
def accumulate(
    seeds: list[tuple[Tensor, Any]], bit: int, floor: int, arrays: bool, ends: Container[int] = (), keep: bool = False
) -> dict[int, tuple[Tensor, Any]]:
    """Run the pullbacks from the seeds down; the cotangents of terminals and ends (or of all), by serial."""
    kept: dict[int, tuple[Tensor, Any]] = {}
    waiting = sent, serials = _Waiting({}, [])
    for y, g in seeds:
        _add(waiting, y, g)
    anomaly = (m := MODE.get()) is not None and m.anomaly
    quick = arrays and not anomaly
    take, before = sent.pop, sent.get
    while serials:
        s = -heappop(serials)
        node, g = pair = take(s)
        op: Any = node.op
        rule = () if op is None or s in ends else op.pullback
        if keep or not rule:
            kept[s] = pair
            if rule == ():
                continue
        x, second = node._first, node._second
        if not quick or type(rule) is not tuple or type(x) is not Tensor:
            _pull_back(node, g, waiting, bit, floor, arrays, anomaly)
            continue
        # What follows is `_pull_back` on arrays for one and two inputs, inlined: the hot path of eager training.
        y, params, f, v = node.value, node.params, rule[0], x.value
        a, b = v, None if second is None else second.value
        while True:
            t = x.serial
            if t > s:
                check_fresh(node)
            if f is not None and t >= floor and x.requires_grad & bit:
                if params:
                    c = f(g, y, a, *params) if b is None else f(g, y, a, b, *params)
                else:
                    c = f(g, y, a) if b is None else f(g, y, a, b)
                try:
                    fits = c.shape == v.shape and c.dtype is v.dtype
                except AttributeError:
                    fits = False
                if not fits:
                    c = _fitted(op, c, v, True)
                old = before(t)
                if old is None:
                    sent[t] = x, c
                    heappush(serials, -t)
                else:
                    sent[t] = x, old[1] + c
            if second is None:
                break
            x, f, v, second = second, rule[1], b, None
    return kept


class _Waiting(NamedTuple):
    """Nodes that something was sent to, with its sum, by serial; and a heap of their serials: the youngest is next."""

    sent: dict[int, tuple[Tensor, Any]]
    serials: list[int]


def _pull_back(node: Tensor, g: Any, waiting: _Waiting, bit: int, floor: int, arrays: bool, anomaly: bool) -> None:
    """Add what one node sends to its inputs: on arrays, or on Tensors."""
    op: Any = node.op
    inputs, rule = node.inputs, op.pullback
    check_fresh(node)
    if op is item:
        (parent,) = inputs
        bundle: list[Any] = [None] * len(parent.op.outputs)  # type: ignore[union-attr]
        bundle[node.params[0]] = g
        _add(waiting, parent, bundle)
        return
    if rule is None:
        raise GradientError(f"{op.name}: has no pullback; declare one, sg.op({op.name!r}, ..., pullback=...)")
    y, args = (node.value, tuple([x.value for x in inputs])) if arrays else (outputs_of(node), inputs)
    wanted = [x.requires_grad & bit and x.serial >= floor for x in inputs]
    if type(rule) is tuple:
        sent = [f(g, y, *args, *node.params) if f and w else None for f, w in zip(rule, wanted, strict=False)]
    else:
        sent = rule(g, y, args, node.params)
    for c, x, w in zip(sent, inputs, wanted, strict=False):
        if c is not None and w:
            c = _fitted(op, c, x, arrays)
            if anomaly:
                _check(node, c)
            _add(waiting, x, c)


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


def _check(node: Tensor, c: Any) -> None:
    """Raise AnomalyError if what a node sends is not finite."""
    value = c.value if isinstance(c, Tensor) else c
    if value is not None:
        check_finite(f"backward of {node.op.name}", value, node.inputs)  # type: ignore[union-attr]


def _add(waiting: _Waiting, x: Tensor, c: Any) -> None:
    """Add a contribution; to a node of several outputs, one for each of them or None."""
    s = x.serial
    if s not in waiting.sent:
        heappush(waiting.serials, -s)
    else:
        _, before = waiting.sent[s]
        if isinstance(c, list):
            pairs = zip(before, c, strict=True)
            c = [b if a is None else a if b is None else a + b for a, b in pairs]
        else:
            c = before + c
    waiting.sent[s] = x, c


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
    kept = accumulate([(y, seeded(y, gradient, arrays, "backward"))], 3, 0, arrays)
    for node, g in reversed(kept.values()):
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
    kept = accumulate([(y, seeded(y, gradient, arrays, "adjoints"))], 3, 0, arrays, keep=True)
    return {s: g if isinstance(g, (list, Tensor)) else np.asarray(g) for s, (_, g) in kept.items()}


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
