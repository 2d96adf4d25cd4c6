"""Which nodes programs of `symgrad.plan.kernels` can hold, and an order of the graph that keeps those together."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.graph import Graph
from symgrad.op import OPS, Op
from symgrad.passes import builtin_name, remake, rewrite
from symgrad.plan.loops import inner_loop
from symgrad.plan.programs import WHOLE, name_of, picks
from symgrad.tensor import Tensor

__all__ = ["ELEMENTWISE", "INDEX", "KINDS", "REDUCTIONS", "TESTS", "chained", "fusable", "gather", "is_test",
           "is_view", "kind_of", "swept"]  # fmt: skip

ELEMENTWISE = {"add": "{} + {}", "subtract": "{} - {}", "multiply": "{} * {}", "divide": "{} / {}", "negative": "-{}",
               "square": "{0} * {0}", "sqrt": "sqrt({})", "abs": "abs({})", "maximum": "maximum({}, {})",
               "minimum": "minimum({}, {})", "relu": "relu({})", "where": "where({}, {}, {})", "sign": "sign({})",
               "div0": "div0({}, {})", "mul0": "mul0({}, {})", "reciprocal": "1 / {}"}  # fmt: skip
"""Op -> how a comment shows it."""
TESTS = {"greater": "{} > {}", "greater_equal": "{} >= {}", "less": "{} < {}", "less_equal": "{} <= {}",
         "equal": "{} == {}", "not_equal": "{} != {}", "logical_and": "{} & {}", "logical_or": "{} | {}",
         "logical_not": "~{}", "isfinite": "isfinite({})"}  # fmt: skip
"""The same for what is true or false: a 1 or a 0 that never leaves the chain."""
INDEX = np.dtype(np.int64)
KINDS = (np.dtype(np.float32), np.dtype(np.float64))
REDUCTIONS = ("sum", "mean", "sum_to", "max")


def fusable(node: Tensor) -> bool:
    """Whether a chain may hold this node, as far as the graph tells."""
    name = builtin_name(node)
    if name in TESTS:
        return True
    if node.dtype not in KINDS or any(0 in x.shape for x in (node, *node.inputs)):
        return False
    if name in ELEMENTWISE:
        return all(x.dtype == node.dtype or builtin_name(x) in TESTS for x in node.inputs)
    if name == "einsum":
        return _total_of_products(node)
    if name_of(node) in ("getitem", "add_at"):
        return picks(node)
    if any(x.dtype != node.dtype for x in node.inputs):
        return False
    return name in REDUCTIONS or name in WHOLE or _has_loop(node)


def _has_loop(node: Tensor) -> bool:
    """Whether a ufunc computes the node, element by element."""
    op: Op | None = OPS.get(builtin_name(node))
    if op is None:
        return False
    dense = op.indices == "elementwise" and not node.params and isinstance(op.forward, np.ufunc)
    return dense and inner_loop(op.forward, node.dtype) is not None


def _total_of_products(node: Tensor) -> bool:
    """Whether an einsum sums products of two equal shapes over leading axes, or over all."""
    sources, _, target = node.params[0].partition("->")
    return (
        len(node.inputs) == 2
        and len(set(sources.split(","))) == 1
        and sources.split(",")[0].endswith(target)
        and len({x.dtype for x in node.inputs}) == 1
    )


def gather(graph: Graph) -> Graph:
    """With nodes that chains may hold put off until somebody else needs one, and tests right in front of choices."""
    graph = _private_tests(graph)
    order: list[Tensor] = []
    waiting: dict[int, Tensor] = {}
    for node in graph.nodes:
        if chained(node) and (not node.op.view or node.inputs[0].serial in waiting):  # type: ignore[union-attr]
            waiting[node.serial] = node
            continue
        if any(x.serial in waiting for x in node.inputs):
            order += waiting.values()
            waiting.clear()
        order.append(node)
    return rewrite(graph, lambda node, inputs: None, [*order, *waiting.values()])


def chained(node: Tensor) -> bool:
    """Whether a node may stand between those of a chain."""
    return fusable(node) or builtin_name(node) == "concatenate" or is_view(node)


def swept(node: Tensor) -> Tensor:
    """What a program goes through for a node of a chain: its own numbers, or those that it reduces."""
    return node.inputs[0] if builtin_name(node) in (*REDUCTIONS, "einsum") else node


def is_view(node: Tensor) -> bool:
    """Whether a node shows the memory of another one."""
    return node.op is not None and node.op.view and len(node.inputs) == 1


def kind_of(node: Tensor) -> Any:
    """The type of the numbers of the chain that holds a node; None if the node has nothing to do with them."""
    if not fusable(node):
        return None
    return next((x.dtype for x in node.inputs if x.dtype.kind == "f"), node.dtype)


def is_test(x: Tensor) -> bool:
    """Whether a value is true or false: a 1 or a 0 in a program."""
    return builtin_name(x) in TESTS


def _private_tests(graph: Graph) -> Graph:
    """Every choice reads a test of its own, made right before it."""

    def rule(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor | None:
        if not any(map(is_test, inputs)):
            return None
        return remake(node, tuple([remake(x, x.inputs) if is_test(x) else x for x in inputs]))

    return rewrite(graph, rule)
