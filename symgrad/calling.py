"""`checkpoint`: a sub-graph as one node, recomputed instead of stored."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from symgrad.context import MODE
from symgrad.differentiate import vjp
from symgrad.graph import Graph
from symgrad.op import FUNCTIONS, OPS, Op, builtin, op
from symgrad.recording import apply
from symgrad.tensor import Tensor, as_tensor
from symgrad.tracing import Trace, traced
from symgrad.trees import flatten, unflatten

__all__ = ["checkpoint"]


def _forward(inputs: Any, graph: Graph) -> Any:
    values = _run(graph, list(inputs))
    return values[0] if len(graph.outputs) == 1 else tuple(values)


def _run(graph: Graph, inputs: list[Any]) -> list[Any]:
    n = len(graph.inputs)
    if any(isinstance(x, Tensor) for x in inputs):
        return graph.apply(inputs[:n], inputs[n:])
    return graph.run(inputs[:n], inputs[n:])


def _pullback(g: Any, y: Any, inputs: Any, params: Any) -> Any:
    """Run the sub-graph again, recorded this time, and pull back through it."""
    (graph,) = params
    outputs, pull = vjp(lambda *xs: tuple(_run(graph, list(xs))), *inputs)
    given = list(g) if len(graph.outputs) > 1 else [g]
    seeds = tuple(0 * out if c is None else c for out, c in zip(outputs, given, strict=True))
    return pull(seeds)


def _shape(shapes: Any, graph: Graph) -> Any:
    found = tuple(tuple(y.shape) for y in graph.outputs)
    return found[0] if len(found) == 1 else found


def _dtype(*dtypes_and_graph: Any) -> Any:
    found = tuple(y.dtype for y in dtypes_and_graph[-1].outputs)
    return found[0] if len(found) == 1 else found


_FIELDS: dict[str, Any] = {"pullback": _pullback, "arity": None, "params": ("graph",), "promotes": (),
                           "indices": "opaque", "shape": _shape, "dtype": _dtype}  # fmt: skip
builtin("call", _forward, **_FIELDS)


@functools.cache
def _call(outputs: int) -> Op:
    """The op `call` for this number of outputs."""
    if outputs == 1:
        return OPS["call"]
    return op("call", _forward, outputs=tuple(f"y{k}" for k in range(outputs)), **_FIELDS)


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function that keeps no intermediate values: its backward pass computes them again.

    Parameters
    ----------
    f : callable
        Of Tensors, traceable; it may close over leaves.

    Returns
    -------
    callable
        With the same values and derivatives, to any order.

    Examples
    --------
    >>> import symgrad as sg
    >>> f = sg.checkpoint(lambda x: sg.sin(sg.sin(x)))
    >>> bool(abs(sg.grad(f)(1.0) - sg.grad(lambda x: sg.sin(sg.sin(x)))(1.0)) < 1e-15)
    True
    """

    @functools.wraps(f)
    def checkpointed(*args: Any) -> Any:
        leaves = [as_tensor(x) for a in args for x in flatten(a)[0] if not isinstance(x, (bool, str))]
        recorder = Trace(inside=True)
        graph = traced(f, args, recorder)
        if (outer := MODE.get()) is not None and outer.trace is not None:
            outer.trace.flags.update(recorder.flags)
        draws, state = graph.draws, [leaf for leaf, _ in graph.assigned]
        # Drawn once: what is computed again must see the same numbers. State is read once, then assigned.
        drawn = [FUNCTIONS["random_uniform"](d.path, d.node.shape, d.node.dtype) for d in draws]
        closed = [OPS["stop_gradient"](x) if any(x is s for s in state) else x for x, _ in graph.leaves]
        outputs = graph.roots
        part = Graph((*graph.inputs, *(d.node for d in draws)), outputs, graph.leaves)
        y = apply(_call(len(outputs)), (*leaves, *drawn, *closed), (part,))
        found = [y] if len(outputs) == 1 else [OPS["item"](y, k) for k in range(len(outputs))]
        for leaf, new in zip(state, found[len(graph.outputs) :], strict=True):
            leaf.assign(new)
        return unflatten(graph.structure, found[: len(graph.outputs)])

    return checkpointed
