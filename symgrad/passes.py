"""Passes: pure functions Graph -> Graph that keep all values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from symgrad.graph import Draw, Graph
from symgrad.op import OPS
from symgrad.shapes import Dim
from symgrad.tensor import Meta, Tensor, make

__all__ = ["builtin_name", "eliminate_common", "eliminate_dead", "erase_identities", "remake", "rewrite", "simplify"]


def builtin_name(node: Tensor) -> str:
    """The name of a node's op if it is a built-in one; a user's op of the same name means something else."""
    return node.op.name if node.op is not None and OPS.get(node.op.name) is node.op else ""


def rewrite(
    graph: Graph,
    rule: Callable[[Tensor, tuple[Tensor, ...]], Tensor | None],
    order: Iterable[Tensor] | None = None,
) -> Graph:
    """The graph with every node replaced by what the rule returns for it and its new inputs.

    Parameters
    ----------
    graph : Graph
    rule : callable
        ``(old node, new inputs) -> node``, or None to keep the node (on its new inputs).
    order : iterable of Tensor, optional
        Another topological order of the nodes, which the new graph then has.
    """
    made: dict[int, Tensor] = {}
    for node in graph.nodes if order is None else order:
        inputs = tuple(made[x.serial] for x in node.inputs)
        new = rule(node, inputs) if node.op is not None else node
        made[node.serial] = remake(node, inputs) if new is None else new

    def of(node: Tensor) -> Tensor:
        return made[node.serial]

    return Graph(
        tuple(map(of, graph.inputs)),
        tuple(map(of, graph.outputs)),
        tuple((leaf, of(s)) for leaf, s in graph.leaves),
        tuple(Draw(of(d.node), d.path) for d in graph.draws),
        tuple((leaf, of(new)) for leaf, new in graph.assigned),
        graph.structure,
        graph.arguments,
    )


def remake(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
    """The node again on other inputs; always a new one, so that the order of nodes stays what it was."""
    copy = make(node.op, inputs, node.params, node.value, node.requires_grad)
    meta = node.meta
    if meta is not None:
        copy.meta = Meta(meta.name, meta.latex, meta.scope, meta.shape, meta.dtype, meta.positive)
    return copy


def eliminate_dead(graph: Graph) -> Graph:
    """Without the leaves and draws that no output needs; what a later draw of the same path is counted from stays."""
    needed: set[int] = set()
    stack = [*graph.roots]
    while stack:
        node = stack.pop()
        if node.serial not in needed:
            needed.add(node.serial)
            stack.extend(node.inputs)
    assigned = {id(leaf) for leaf, _ in graph.assigned}
    paths = {d.path for d in graph.draws if d.node.serial in needed}
    return Graph(
        graph.inputs,
        graph.outputs,
        tuple((leaf, s) for leaf, s in graph.leaves if s.serial in needed or id(leaf) in assigned),
        tuple(d for d in graph.draws if d.path in paths),
        graph.assigned,
        graph.structure,
        graph.arguments,
    )


def eliminate_common(graph: Graph) -> Graph:
    """With equal nodes merged: same op, same parameters by type and value, same inputs."""
    seen: dict[Any, Tensor] = {}

    def rule(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor | None:
        key = (id(node.op), exact(node.params), str(node.dtype), tuple(x.serial for x in inputs), node.name)
        if key not in seen:
            seen[key] = remake(node, inputs)
        return seen[key]

    return rewrite(graph, rule)


def exact(value: Any) -> Any:
    """A key that tells 1, 1.0 and True, and 0.0 and -0.0, apart."""
    if isinstance(value, tuple):
        return tuple(exact(v) for v in value)
    if isinstance(value, float):
        return "float", value.hex() if not np.isnan(value) else "nan"
    if isinstance(value, Dim):
        return "Dim", repr(value)
    return type(value).__name__, value


def erase_identities(graph: Graph) -> Graph:
    """Without ops that only mark: a name moves to the node that it names."""
    marks: dict[int, Tensor] = {}
    for node in graph.nodes:
        if node.name is not None and node.op is not None and node.op.identity:
            marks.setdefault(_marked(node).serial, node)
    outputs = {y.serial for y in graph.outputs}

    def rule(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor | None:
        if node.op.identity:  # type: ignore[union-attr]
            return None if node.serial in outputs and inputs[0].op is None else inputs[0]
        mark = marks.get(node.serial)
        if mark is None or node.op is OPS["const"]:
            return None
        named = make(node.op, inputs, node.params, node.value, node.requires_grad)
        named.meta = Meta(mark.name, mark.latex, node.scope, node.shape, node.dtype)
        return named

    return rewrite(graph, rule)


def _marked(node: Tensor) -> Tensor:
    """What a chain of identities marks."""
    while node.op is not None and node.op.identity:
        node = node.inputs[0]
    return node


def simplify(graph: Graph) -> Graph:
    """Identities erased, common nodes merged, dead ones dropped."""
    return eliminate_dead(eliminate_common(erase_identities(graph)))
