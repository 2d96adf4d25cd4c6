r"""The pass that takes the largest numbers of windows first, and cuts them off at 0 then.

.. math::
    \max_a \operatorname{relu}(x_a) = \operatorname{relu}\bigl(\max_a x_a\bigr)

The right-hand side has as many elements as there are windows. So has its gradient: what relu stops is stopped before
it is sent to the places of the maxima. Which of several zeros would be the largest does not matter, nothing goes there.
"""

from __future__ import annotations

from symgrad.graph import Graph
from symgrad.op import OPS
from symgrad.passes import rewrite
from symgrad.plan.views import apply, nameless
from symgrad.tensor import Tensor

__all__ = ["pool_first"]

_RELU, _GREATER, _WHERE, _MAX, _ARGMAX, _PUT = (
    OPS[n] for n in ("relu", "greater", "where", "window_max", "window_argmax", "window_put")
)


def pool_first(graph: Graph) -> Graph:
    """Relu of the largest numbers of windows, where nobody reads the relu of all and gradients pass it at once."""
    readers = _readers(graph)
    pooled: set[int] = set()  # largest numbers of a relu
    stopped: set[int] = set()  # what is sent to their places
    for r in graph.nodes:
        y = _maximum(r, readers) if r.op is _RELU else None
        if y is not None:
            pooled.add(y.serial)
            stopped.update(p.serial for k in readers[r.serial] if k is not y for p in readers[k.serial])
    largest: dict[int, Tensor] = {}  # their relu -> the largest numbers of windows

    def rule(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor | None:
        if node.serial in pooled:
            m = nameless(_MAX, (inputs[0].inputs[0],), node.params, node)
            y = apply(_RELU, (m,), (), node)
            largest[y.serial] = m
            return y
        if node.op is _ARGMAX and node.inputs[1].serial in pooled:
            return apply(_ARGMAX, (inputs[0].inputs[0], largest[inputs[1].serial]), node.params, node)
        if node.op is _WHERE and node.inputs[1].serial in stopped:
            test, put, zero = inputs
            g, k = put.inputs
            passes = nameless(_GREATER, (k.inputs[1], test.inputs[1]), (), node)
            return apply(_PUT, (nameless(_WHERE, (passes, g, zero), (), node), k), put.params, node)
        return None

    return rewrite(graph, rule)


def _readers(graph: Graph) -> dict[int, list[Tensor]]:
    """Who reads each node; what is handed out is read by itself, which no pattern knows."""
    readers: dict[int, list[Tensor]] = {node.serial: [] for node in graph.nodes}
    for node in graph.nodes:
        for x in node.inputs:
            readers[x.serial].append(node)
    for y in graph.roots:
        readers[y.serial] = [y]
    return readers


def _maximum(r: Tensor, readers: dict[int, list[Tensor]]) -> Tensor | None:
    """The maximum of a relu, if that and its places read it, to which nothing is sent that the relu does not stop."""
    y, *others = sorted(readers[r.serial], key=lambda node: node.op is not _MAX) or [r]
    alone = y.op is _MAX and all(k.op is _ARGMAX and k.inputs[1] is y for k in others)
    sent = [(p, k) for k in others for p in readers[k.serial]]
    return y if alone and all(p.op is _PUT and p.inputs[1] is k and _stops(r, p, readers) for p, k in sent) else None


def _stops(r: Tensor, p: Tensor, readers: dict[int, list[Tensor]]) -> bool:
    """Whether what is sent passes on only where the relu did."""
    for node in readers[p.serial]:
        test, zero = (node.inputs[0], node.inputs[2]) if node.op is _WHERE else (node, node)
        if test.op is not _GREATER or test.inputs[0] is not r.inputs[0] or node.inputs[1] is not p:
            return False
        if not all(c.op is OPS["const"] and c.params[0] == 0 for c in (test.inputs[1], zero)):
            return False
    return True
