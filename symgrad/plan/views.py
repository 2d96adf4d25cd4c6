"""Passes over views: chains of them become one or none, and what is computed element by element keeps its order."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.graph import Graph
from symgrad.op import OPS
from symgrad.passes import builtin_name, rewrite
from symgrad.recording import infer
from symgrad.tensor import Meta, Tensor, make

__all__ = ["apply", "merge_views", "sink_permutes"]

_VIEWS = ("reshape", "permute", "squeeze", "unsqueeze")
_WINDOWS = ("window_max", "window_argmax", "window_put", "window_pick")


def merge_views(graph: Graph) -> Graph:
    """A chain of reshapes and permutations that leaves all elements in order is one reshape, or nothing."""
    bases: dict[int, tuple[Tensor, Any]] = {}  # view -> its base, and an array of its layout

    def rule(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor | None:
        if builtin_name(node) not in _VIEWS:
            return None
        (x,) = inputs
        base, layout = bases.get(x.serial, (x, None))
        layout = np.empty(tuple(base.shape), np.int8) if layout is None else layout  # real memory, never looked into
        seen = np.asarray(node.op.forward(layout, *node.params))  # type: ignore[union-attr]
        if not np.may_share_memory(seen, layout) or 0 in seen.shape:  # a copy: the chain ends here
            return None
        if not seen.flags.c_contiguous:
            new = apply(node.op, (x,), node.params, node)
        elif seen.shape == tuple(base.shape):
            return base
        else:
            new = apply(OPS["reshape"], (base,), (seen.shape,), node)
        bases[new.serial] = base, seen
        return new

    return rewrite(graph, rule)


def sink_permutes(graph: Graph) -> Graph:
    """An elementwise op (or one over windows) of permuted arrays is the permuted op of the arrays."""

    def rule(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor | None:
        over_windows = builtin_name(node) in _WINDOWS
        if not (over_windows or (node.op.indices == "elementwise" and node.op.name != "add_at")):  # type: ignore[union-attr]
            return None
        turned = [x for x in inputs if x.op is OPS["permute"]]
        if not turned or any(x.shape for x in inputs if x.op is not OPS["permute"]):
            return None
        axes = turned[0].params[0]
        if any(x.params[0] != axes for x in turned) or len(node.shape) != len(axes):
            return None
        params = node.params
        if over_windows:
            params = _permuted(builtin_name(node), params, axes)
        inner = apply(node.op, tuple([x.inputs[0] if x.shape else x for x in inputs]), params, node)
        return apply(OPS["permute"], (inner,), (axes,), node)

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
