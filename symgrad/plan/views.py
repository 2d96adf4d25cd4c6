"""Passes over views: chains of them become one or none, and what is computed element by element keeps its order."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.graph import Graph
from symgrad.op import OPS, Op, op
from symgrad.passes import builtin_name, rewrite
from symgrad.recording import infer
from symgrad.shapes import same_shape, size_of
from symgrad.tensor import Meta, Tensor, make

__all__ = ["COPIED", "apply", "copy_once", "merge_views", "settle_views"]

_VIEWS = ("reshape", "permute", "squeeze", "unsqueeze")
_SHOWN = (*_VIEWS, "windows")
_WINDOWS = ("window_max", "window_argmax", "window_put", "window_pick")


COPIED: Op = op("copied", lambda x, shape: np.array(x, order="C").reshape(shape), arity=1, params=("shape",),
                indices="opaque", shape=lambda own, shape: shape, pullback=None)  # fmt: skip
"""An array row by row in memory of its own, in another shape: an op of plans only."""


class _Layouts:
    """Where the elements of views lie in memory, if what they show lies row by row."""

    def __init__(self) -> None:
        self.bases: dict[int, tuple[Tensor, Any]] = {}  # view -> what it shows, and an array of its layout

    def of(self, x: Tensor) -> tuple[Tensor, Any]:
        """What a node shows, and an array of its layout: real memory, never looked into."""
        return self.bases.get(x.serial) or (x, np.empty(tuple(x.shape), np.int8))

    def see(self, node: Tensor, x: Tensor) -> Any:
        """The layout of a node that shows x; None if it is a copy."""
        _, layout = self.of(x)
        seen = np.asarray(node.op.forward(layout, *node.params))  # type: ignore[union-attr]
        return seen if np.may_share_memory(seen, layout) and 0 not in seen.shape else None

    def keep(self, new: Tensor, x: Tensor, seen: Any) -> Tensor:
        """A new node as what shows the same as x in this layout."""
        self.bases[new.serial] = self.of(x)[0], seen
        return new


def merge_views(graph: Graph) -> Graph:
    """A chain of reshapes and permutations that moves whole axes is one reshape and one permutation, or nothing."""
    layouts = _Layouts()
    return rewrite(graph, lambda node, inputs: _merge(node, inputs, layouts))


def _merge(node: Tensor, inputs: tuple[Tensor, ...], layouts: _Layouts) -> Tensor | None:
    """A view as one of what its chain begins with."""
    if builtin_name(node) not in _SHOWN:
        return None
    (x,) = inputs
    base, _ = layouts.of(x)
    seen = layouts.see(node, x)
    if seen is None:  # a copy: the chain ends here
        return None
    order = sorted(range(seen.ndim), key=lambda k: (-seen.strides[k] * (seen.shape[k] > 1), k))
    rows = seen if seen.flags.c_contiguous else seen.transpose(order)
    if builtin_name(node) not in _VIEWS or not rows.flags.c_contiguous or seen.size != size_of(base.shape):
        return layouts.keep(apply(node.op, (x,), node.params, node), x, seen)
    new = base if rows.shape == tuple(base.shape) else apply(OPS["reshape"], (base,), (rows.shape,), node)
    if rows is not seen:
        new = apply(OPS["permute"], (new,), (tuple(int(k) for k in np.argsort(order)),), node)
    return base if new is base else layouts.keep(new, x, seen)


def _sink(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor | None:
    """An elementwise op (or one over windows) of permuted arrays as the permuted op of the arrays.

    Operands that are repeated along axes, such as the means of columns, are permuted back: they are small.
    """
    over_windows = builtin_name(node) in _WINDOWS
    if not (over_windows or (node.op.indices == "elementwise" and node.op.name != "add_at")):  # type: ignore[union-attr]
        return None
    turned = [x for x in inputs if x.op is OPS["permute"] and (over_windows or same_shape(x.shape, node.shape))]
    if not turned or (over_windows and len(turned) < len(inputs)):
        return None
    axes = turned[0].params[0]
    back = [_back(x, axes, node) for x in inputs]
    if any(x is None for x in back):
        return None
    params = _permuted(builtin_name(node), node.params, axes) if over_windows else node.params
    inner = apply(node.op, tuple(back), params, node)  # type: ignore[arg-type]
    return apply(OPS["permute"], (inner,), (axes,), node)


def _sink_last(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor | None:
    """Windows of a permuted array added up or added back, and what is repeated along axes, as permuted results."""
    name, params, (x, *_) = builtin_name(node), node.params, inputs or (node,)
    if name in ("sum", "mean") and builtin_name(x) == "windows" and x.inputs[0].op is OPS["permute"]:
        (axes,) = x.inputs[0].params
        if params != (tuple(range(len(axes), len(x.shape))), False):
            return None
        inner = apply(x.op, x.inputs[0].inputs, _permuted("windows", x.params, axes), x)
    elif name in ("overlap_add", "expand") and x.op is OPS["permute"]:
        (axes,), inner = x.params, x.inputs[0]
        axes, last = axes[: len(node.shape)], axes[len(node.shape) :]
        if len(node.shape) > len(x.shape) or last != tuple(range(len(axes), len(x.shape))):
            return None
        wide = tuple(node.shape[int(k)] for k in np.argsort(axes))
        params = (wide,) if name == "expand" else _permuted(name, params, axes)
    else:
        return None
    return apply(OPS["permute"], (apply(node.op, (inner,), params, node),), (axes,), node)


def settle_views(graph: Graph) -> Graph:
    """Views merged and permutations sunk in one sweep, as each of the two makes room for the other."""
    layouts = _Layouts()

    def rule(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor | None:
        new = _sink(node, inputs)
        new = _sink_last(node, inputs) if new is None else new
        return _merge(node, inputs, layouts) if new is None else _merge(new, new.inputs, layouts)

    return rewrite(graph, rule)


def _back(x: Tensor, axes: tuple[int, ...], node: Tensor) -> Tensor | None:
    """An operand of a node in the order of axes before a permutation; None if that would be a copy."""
    if x.op is OPS["permute"] and x.params[0] == axes:
        return x.inputs[0]
    core = x.inputs[0] if x.op is OPS["expand"] else x
    if not core.shape:
        return core
    if 2 * size_of(core.shape) > size_of(node.shape) or len(core.shape) > len(axes):
        return None
    wide = apply(OPS["reshape"], (core,), ((1,) * (len(axes) - len(core.shape)) + tuple(core.shape),), x)
    return apply(OPS["permute"], (wide,), (tuple(int(k) for k in np.argsort(axes)),), x)


def copy_once(graph: Graph) -> Graph:
    """A reshape that is no view fills a buffer of the plan, and so does what windows show if its rows have gaps."""
    layouts = _Layouts()

    def rule(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor | None:
        name = builtin_name(node)
        if name not in _SHOWN:
            return None
        (x,) = inputs
        if name == "windows":
            _, layout = layouts.of(x)
            if layout.shape[-1] > 1 and layout.strides[-1] != layout.itemsize:
                x = apply(COPIED, (x,), (tuple(x.shape),), x)
        seen = layouts.see(node, x)
        if seen is None and 0 not in node.shape:
            return apply(COPIED, (x,), node.params, node)
        new = apply(node.op, (x,), node.params, node)
        return new if seen is None else layouts.keep(new, x, seen)

    return rewrite(graph, rule)


def _permuted(name: str, params: tuple[Any, ...], axes: tuple[int, ...]) -> tuple[Any, ...]:
    """The parameters of an op over windows for the axes in their order before the permutation."""
    fields = OPS[name].params
    new = list(params)
    k = fields.index("axes")
    new[k] = tuple(axes[a] for a in params[k])
    if "shape" in fields:
        k = fields.index("shape")
        inverse = np.argsort(axes)
        new[k] = tuple(params[k][i] for i in inverse)
    return tuple(new)


def apply(op: Any, inputs: tuple[Tensor, ...], params: tuple[Any, ...], like: Tensor) -> Tensor:
    """A node with the shape that its op gives, with the name and the scope of another."""
    new = make(op, inputs, params, None, like.requires_grad)
    shape, dtype = infer(op, inputs, params)
    new.meta = Meta(like.name, like.latex, like.scope, shape, dtype)
    return new


def nameless(op: Any, inputs: tuple[Tensor, ...], params: tuple[Any, ...], like: Tensor) -> Tensor:
    """The same, in the scope of another but without its name."""
    new = apply(op, inputs, params, like)
    assert new.meta is not None
    new.meta.name = new.meta.latex = None
    return new
