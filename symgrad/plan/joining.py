r"""The pass that multiplies weights and bias in one product, with a feature that is always 1.

.. math::
    h W + \mathbf 1 b^{\mathsf T} = [h\; \mathbf 1] \begin{bmatrix} W \\ b^{\mathsf T} \end{bmatrix}, \qquad
    \begin{bmatrix} h^{\mathsf T} g \\ \mathbf 1^{\mathsf T} g \end{bmatrix} = [h\; \mathbf 1]^{\mathsf T} g

The right-hand sides cost one call instead of two where W and b are neighbours in a joined vector, as all parameters
and all gradients of an optimizer are, and where h is computed straight into its place beside the ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from symgrad.graph import Graph
from symgrad.op import OPS
from symgrad.passes import builtin_name, remake, rewrite
from symgrad.plan.views import nameless
from symgrad.tensor import Tensor, constant

__all__ = ["hoist_joined_leaves", "join_biases"]

_CONCATENATE, _RESHAPE, _GETITEM, _MATMUL, _EXPAND = (
    OPS[n] for n in ("concatenate", "reshape", "getitem", "matmul", "expand")
)


def hoist_joined_leaves(graph: Graph) -> Graph:
    """With vectors that join leaves in front of everything else, so that any node may read a part of them."""
    stand_ins = {s.serial for _, s in graph.leaves}
    early = set(stand_ins)
    for node in graph.nodes:
        joins = node.op in (_RESHAPE, _CONCATENATE) and all(x.serial in early for x in node.inputs)
        if joins or node.op is None:
            early.add(node.serial)
    first = [node for node in graph.nodes if node.serial in early]
    return rewrite(graph, lambda node, inputs: None, [*first, *(n for n in graph.nodes if n.serial not in early)])


def join_biases(graph: Graph, copied: float = 0.25) -> Graph:
    """Bias added by the product with the weights, and their gradients found by one product.

    Parameters
    ----------
    graph : Graph
    copied : float
        The number of columns, per column of the product, up to which an argument is copied beside the ones.
    """
    if not any(node.op is _MATMUL for node in graph.nodes):
        return graph
    graph = hoist_joined_leaves(graph)
    return rewrite(graph, _Joiner(graph, copied))


class _Joiner:
    """The rule of the pass, with what it has met so far."""

    def __init__(self, graph: Graph, copied: float) -> None:
        self.copied = copied
        self.counts = {node.serial: n for node, n in graph.fan_out().items()}
        self.slots: dict[int, tuple[Tensor, int]] = {}  # new leaf -> the vector that holds it, and where
        self.ones: dict[int, Tensor] = {}  # h -> [h 1]
        self.new: dict[int, Tensor] = {}  # old serial -> new node
        self.products: dict[int, Tensor] = {}  # old gradient of weights or bias -> its part of the joint product
        self.pairs = {x.serial: pair for pair in _gradient_pairs(graph) for x in pair}

    def __call__(self, node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor | None:
        self.new.update(zip((x.serial for x in node.inputs), inputs, strict=True))
        if node.op is _CONCATENATE and len(node.shape) == 1:
            return self._joined(node, inputs)
        if builtin_name(node) == "add":
            return self._biased(node, inputs)
        if node.serial in self.pairs:
            return self._gradient(node)
        return None

    def _joined(self, node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
        """A joined vector, which takes neighbouring rows of one array as one part."""
        parts: list[Tensor] = []
        rows: list[tuple[Tensor, int, int] | None] = []
        for x in inputs:
            here = _rows(x)
            before = rows[-1] if rows else None
            if here is not None and before is not None and before[0] is here[0] and before[2] == here[1]:
                rows[-1] = whole = (here[0], before[1], here[2])
                n = int(here[0].shape[1])
                parts[-1] = _apply(_RESHAPE, (_part(here[0], whole[1], whole[2]),), ((whole[2] - whole[1]) * n,), x)
            else:
                parts.append(x)
                rows.append(here)
        new = remake(node, inputs) if len(parts) == len(inputs) else _apply(_CONCATENATE, tuple(parts), 0, node)
        start = 0
        for x in parts:
            core = x.inputs[0] if x.op is _RESHAPE else x
            if core.op is None:
                self.slots[core.serial] = new, start
            start += int(x.shape[0])
        return new

    def _biased(self, node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor | None:
        product, b = inputs
        if product.op is not _MATMUL or self.counts[node.inputs[0].serial] > 1 or len(product.shape) != 2:
            return None
        h, w = product.inputs
        if len(h.shape) != 2 or len(w.shape) != 2 or tuple(b.shape) != (w.shape[1],):
            return None
        here, there = self.slots.get(w.serial), self.slots.get(b.serial)
        if here is None or there is None or not self._worth(h, w):
            return None
        if here[0] is not there[0] or there[1] != here[1] + _size(w):
            return None
        n, m = map(int, w.shape)
        both = _part(here[0], here[1], here[1] + (n + 1) * m)
        both = _apply(_RESHAPE, (both,), (n + 1, m), node)
        assert both.meta is not None
        both.meta.name = f"{w.name or 'weight'}_{(b.name or 'bias').rpartition('.')[2]}"
        new = _apply(_MATMUL, (self._with_ones(h, node), both), None, node)
        new.meta.name, new.meta.latex = node.name, node.latex  # type: ignore[union-attr]
        return new

    def _worth(self, h: Tensor, w: Tensor) -> bool:
        """Whether h can be computed beside the ones, or is copied more cheaply than the bias is added."""
        batch, n = map(int, h.shape)
        return batch >= n and ((h.op is not None and not h.op.view) or n <= self.copied * int(w.shape[1]))

    def _with_ones(self, h: Tensor, node: Tensor) -> Tensor:
        if h.serial not in self.ones:
            ones = _apply(_EXPAND, (constant(1.0, h.dtype),), (int(h.shape[0]), 1), node)
            self.ones[h.serial] = both = _apply(_CONCATENATE, (h, ones), 1, node)
            both.meta.name = f"{h.name or (*h.scope, 'h')[-2 if h.scope else -1]}_and_1"  # type: ignore[union-attr]
        return self.ones[h.serial]

    def _gradient(self, node: Tensor) -> Tensor | None:
        """One product in the place of the first of the pair."""
        if node.serial not in self.products:
            weights, bias = self.pairs[node.serial]
            h, g = self.new.get(weights.inputs[0].inputs[0].serial), self.new[bias.inputs[0].serial]
            joint = None if h is None else self.ones.get(h.serial)
            if h is None or joint is None:
                return None
            n, m = map(int, weights.shape)
            turned = _apply(OPS["permute"], (joint,), (1, 0), node)
            both = _apply(_MATMUL, (turned, g), None, node)
            self.products[weights.serial] = _part(both, 0, n)
            self.products[bias.serial] = _apply(_RESHAPE, (_part(both, n, n + 1),), (m,), node)
        return self.products[node.serial]


def _gradient_pairs(graph: Graph) -> Iterator[tuple[Tensor, Tensor]]:
    """Neighbours h^T g and sum(g, 0) in joined vectors."""
    for node in graph.nodes:
        if node.op is not _CONCATENATE or len(node.shape) != 1:
            continue
        cores = [x.inputs[0] if x.op is _RESHAPE else x for x in node.inputs]
        for weights, bias in pairwise(cores):
            if weights.op is not _MATMUL or builtin_name(bias) not in ("sum", "sum_to") or len(bias.shape) != 1:
                continue
            left, g = weights.inputs
            turned = left.op is OPS["permute"] and len(left.shape) == len(g.shape) == 2
            if turned and bias.inputs[0] is g and (builtin_name(bias) == "sum_to" or bias.params[0] == (0,)):
                yield weights, bias


def _size(x: Tensor) -> int:
    n = 1
    for k in x.shape:
        n *= int(k)
    return n


def _rows(x: Tensor) -> tuple[Tensor, int, int] | None:
    """The matrix and the rows of it that a vector shows, if it does."""
    while x.op is _RESHAPE:
        x = x.inputs[0]
    if x.op is not _GETITEM or len(x.inputs) != 1 or len(x.inputs[0].shape) != 2 or len(x.params[0]) != 1:
        return None
    match x.params[0][0]:
        case ("slice", int(start), int(stop), None) if 0 <= start <= stop:
            return x.inputs[0], start, stop
    return None


def _part(x: Tensor, start: int, stop: int) -> Tensor:
    """Rows of an array; the array itself if it is all of them."""
    if (start, stop) == (0, x.shape[0]):
        return x
    return _apply(_GETITEM, (x,), (("slice", start, stop, None),), x)


def _apply(op: Any, inputs: tuple[Tensor, ...], param: Any, like: Tensor) -> Tensor:
    """A node without a name."""
    return nameless(op, inputs, () if param is None else (param,), like)
