"""Rewriting passes of the plan: each a pure function Graph -> Graph that keeps all values."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.errors import ShapeError
from symgrad.graph import Graph
from symgrad.op import OPS, Op, op
from symgrad.ops.indexing import decode
from symgrad.passes import builtin_name, eliminate_common, eliminate_dead, erase_identities, remake, rewrite
from symgrad.plan.factoring import factor_out
from symgrad.plan.joining import join_biases
from symgrad.plan.pooling import pool_first
from symgrad.plan.views import copy_once, merge_views, settle_views
from symgrad.shapes import broadcast, same_shape, size_of
from symgrad.tensor import Meta, Tensor, constant, make

__all__ = [
    "ADD_AT",
    "SHORT",
    "add_in_place",
    "collect_factors",
    "contract",
    "drop_expansions",
    "find_means",
    "fold_constants",
    "optimize",
    "remove_neutral",
    "sharpen",
]


SHORT = 1 << 16  # up to here a sum by `dot` is as exact as it needs to be; above, NumPy adds in pairs


def optimize(graph: Graph) -> Graph:
    """All passes in the order in which they feed each other."""
    graph = eliminate_common(erase_identities(graph))
    for step in PASSES:
        graph = step(graph)
    return eliminate_dead(graph)


def _is_const(x: Tensor, *values: float) -> bool:
    return x.op is OPS["const"] and (not values or x.params[0] in values)


def _replace(node: Tensor, op: str | Op, *inputs: Tensor, params: tuple[Any, ...] = ()) -> Tensor:
    """Another op in the place of a node: same name, shape and dtype."""
    new = make(OPS[op] if isinstance(op, str) else op, inputs, params, None, node.requires_grad)
    meta: Meta = node.meta  # type: ignore[assignment]
    new.meta = Meta(meta.name, meta.latex, meta.scope, node.shape, node.dtype, meta.positive)
    return new


def _scalar(x: Tensor) -> Tensor:
    """The constant that a repeated one repeats; else the node itself."""
    core = x
    while builtin_name(core) in ("expand", "unsqueeze", "reshape", "permute"):
        core = core.inputs[0]
    return core if _is_const(core) else x


def fold_constants(graph: Graph) -> Graph:
    """What is computed from constants alone becomes a constant, repeated if it has a shape."""

    def rule(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor | None:
        cores = [_scalar(x) for x in inputs]
        if node.shape and node.op.indices == "elementwise" and cores and all(map(_is_const, cores)):  # type: ignore[union-attr]
            value = node.op.forward(*[x.value for x in cores], *node.params)  # type: ignore[union-attr]
            return _replace(node, "expand", constant(np.asarray(value).item(), node.dtype), params=(tuple(node.shape),))
        if not inputs or node.op.outputs or not all(map(_is_const, inputs)):  # type: ignore[union-attr]
            return None
        x = inputs[0]
        if builtin_name(node) in ("expand", "sum_to", "reshape") and same_shape(x.shape, node.shape):
            return x
        if node.shape != () or node.op.arity is None:  # type: ignore[union-attr]
            return None
        value = node.op.forward(*[x.value for x in inputs], *node.params)  # type: ignore[union-attr]
        return constant(np.asarray(value, node.dtype).item(), node.dtype)

    return rewrite(graph, rule)


def remove_neutral(graph: Graph) -> Graph:
    """Without products by 1, differences from 0, repetitions to the same shape, and double negation.

    ``x + 0`` stays: it makes 0.0 of -0.0.
    """

    def rule(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor | None:
        name = builtin_name(node)
        if name in ("expand", "sum_to", "reshape") and same_shape(inputs[0].shape, node.shape):
            return inputs[0]
        if name in ("multiply", "mul0", "divide", "div0", "subtract"):
            neutral = 0 if name == "subtract" else 1
            a, b = inputs
            if _is_const(b, neutral) and _fits(a, node):
                return a
            if name in ("multiply", "mul0") and _is_const(a, neutral) and _fits(b, node):
                return b
        if name == "negative" and inputs[0].op is OPS["negative"]:
            return inputs[0].inputs[0]
        return None

    return rewrite(graph, rule)


def _fits(x: Tensor, node: Tensor) -> bool:
    """Whether x can stand in the place of a node."""
    return x.dtype == node.dtype and same_shape(x.shape, node.shape)


_LOW, _HIGH = 1e-9, 1e9


def collect_factors(graph: Graph) -> Graph:
    """Constant factors of a product of floats become one: ``x + x`` is ``2 x``, and ``3 (2 x)`` is ``6 x``."""

    def rule(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor | None:
        name = builtin_name(node)
        if name not in ("add", "multiply") or node.dtype.kind != "f":
            return None
        if name == "add" and inputs[0] is inputs[1]:
            return _scaled(node, 2, inputs[0])
        if name == "multiply":
            for c, x in (inputs, inputs[::-1]):
                if _is_const(c) and x.op is OPS["multiply"] and _fits(x, node):
                    return _scaled(node, c.params[0], x)
        return None

    return rewrite(graph, rule)


def _ordinary(*factors: float) -> bool:
    """Whether factors are of ordinary size: the product of others may overflow where 3 (2 x) does not."""
    return all(_LOW < abs(v) < _HIGH for v in factors)


def _scaled(node: Tensor, factor: float, x: Tensor) -> Tensor:
    """Factor * x in the place of the node, with a constant factor of x taken in."""
    if x.op is OPS["multiply"]:
        for c, rest in (x.inputs, x.inputs[::-1]):
            if _is_const(c) and _fits(rest, node) and _ordinary(factor, c.params[0]):
                factor, x = factor * c.params[0], rest
                break
    elif x.op is OPS["divide"] and x.inputs[1].op is OPS["multiply"]:
        a, b = x.inputs
        for c, rest in (b.inputs, b.inputs[::-1]):
            if _is_const(c, factor) and _fits(rest, b) and _ordinary(factor):
                return _replace(node, "divide", a, rest)
    return _replace(node, "multiply", constant(float(factor), node.dtype), x)


def _shared(graph: Graph) -> set[int]:
    """What several nodes read, or somebody outside."""
    several = {node.serial for node, n in graph.fan_out().items() if n > 1}
    return several | {y.serial for y in graph.roots}


def find_means(graph: Graph) -> Graph:
    """A sum divided by the number of its terms, and read by nobody else, is a mean."""
    shared = _shared(graph)

    def rule(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor | None:
        if builtin_name(node) != "divide" or node.dtype.kind != "f" or node.inputs[0].serial in shared:
            return None
        total, n = inputs
        if builtin_name(total) != "sum" or not _is_const(n) or not _fits(total, node):
            return None
        (x,) = total.inputs
        terms = int(size_of(x.shape, total.params[0]))
        return _replace(node, "mean", x, params=total.params) if terms and n.params[0] == terms else None

    return rewrite(graph, rule)


def contract(graph: Graph) -> Graph:
    """The sum (or mean) of all products of two arrays is one contraction, without the products."""
    shared = _shared(graph)

    def rule(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor | None:
        name = builtin_name(node)
        if name not in ("sum", "mean") or node.shape != () or node.inputs[0].serial in shared:
            return None
        (x,) = inputs
        factors = x.inputs if x.op is OPS["multiply"] else x.inputs * 2 if x.op is OPS["square"] else ()
        if len(factors) != 2 or x.dtype.kind != "f" or not all(same_shape(f.shape, x.shape) for f in factors):
            return None
        letters = "abcdefgh"[: len(x.shape)]
        if len(x.shape) > len(letters) or int(size_of(x.shape)) > SHORT:
            return None
        total = _replace(node, "einsum", *factors, params=(f"{letters},{letters}->",))
        return total if name == "sum" else _scaled(node, 1 / int(size_of(x.shape)), total)

    return rewrite(graph, rule)


def _add_at(inputs: Any, key: Any) -> Any:
    x, g, *arrays = inputs
    y = np.array(x)
    np.add.at(y, decode(key, arrays), g)
    return y


ADD_AT: Op = op("add_at", _add_at, arity=None, params=("key",), indices="opaque", shape=lambda shapes, key: shapes[0],
                dtype=lambda own, *rest: own, pullback=None)  # fmt: skip
"""x with g added at an index: an op of plans only."""


def add_in_place(graph: Graph) -> Graph:
    """``x + scatter(g)`` adds at the places of g only, without an array of zeros."""
    readers = graph.fan_out()
    once = {node.serial for node, n in readers.items() if n == 1}
    once -= {y.serial for y in graph.roots}

    def rule(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor | None:
        if builtin_name(node) != "add":
            return None
        for k in (1, 0):
            x, s = inputs[1 - k], inputs[k]
            simple = builtin_name(s) == "scatter" and node.inputs[k].serial in once and len(s.inputs) > 1
            if simple and _fits(x, node) and same_shape(s.shape, node.shape) and x.op is not None and not x.op.view:
                return _replace(node, ADD_AT, x, *s.inputs, params=(s.params[0],))
        return None

    return rewrite(graph, rule)


def _repeats(x: Tensor) -> bool:
    """Whether broadcasting can do what this node does: repeat, or give axes to what has none."""
    if x.op is None or x.op.name not in ("expand", "unsqueeze", "reshape", "permute"):
        return False
    return x.op is OPS["expand"] or _is_const(_scalar(x)) or not x.inputs[0].shape


def _broadcast_to(shapes: list[Any], wanted: Any) -> bool:
    """Whether shapes broadcast together to the wanted one."""
    try:
        return same_shape(broadcast(*shapes), wanted)
    except ShapeError:
        return False


def drop_expansions(graph: Graph) -> Graph:
    """Elementwise ops read the small array where NumPy's broadcasting gives the same result."""

    def rule(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor | None:
        if node.op.indices != "elementwise":  # type: ignore[union-attr]
            return None
        small = list(inputs)
        for k, x in enumerate(inputs):
            while _repeats(x):
                x = x.inputs[0]
                tried = [*small[:k], x, *small[k + 1 :]]
                if not _broadcast_to([t.shape for t in tried], node.shape):
                    break
                small = tried
        if all(a is b for a, b in zip(small, inputs, strict=True)):
            return None
        return _replace(node, node.op, *small, params=node.params)  # type: ignore[arg-type]

    return rewrite(graph, rule)


# Signs: what makes div0 and mul0 plain division and product

_NONNEGATIVE = {"square", "abs", "relu", "norm2", "exp", "sigmoid", "gauss"}
_KEEPS = {"expand", "reshape", "permute", "unsqueeze", "squeeze", "sum", "mean", "sum_to", "getitem", "max", "astype",
          "sqrt", "power"}  # fmt: skip
_BOUNDED = {"add", "subtract", "difference0", "multiply", "mul0", "mul00", "negative", "square", "hypot", "reshape",
            "permute", "unsqueeze", "squeeze", "concatenate", "matmul", "einsum", "tanh", "sigmoid", "logaddexp",
            "gauss", "erf", "getitem", "scatter", "labels", "const", "size", "named", "alias", "stop_gradient",
            "astype", "sign", "floor", "where", "abs", "relu", "maximum", "minimum", "clip", "expand", "sum_to",
            "sum", "mean", "max", "min", "norm2", "sin", "cos", "arctan", "arctan2"}  # fmt: skip


def _sign(x: Tensor, known: dict[int, int]) -> int:
    """2 if all elements are positive (also in floating point), 1 if none is negative, else 0."""
    name = builtin_name(x)
    of = [known[i.serial] for i in x.inputs]
    if name == "const":
        return 2 if x.params[0] > 0 else 1 if x.params[0] == 0 else 0
    if name in ("multiply", "mul0") and x.inputs[0] is x.inputs[1]:
        return max(1, of[0])
    if name in ("size", "cosh") or (name == "sum" and x.inputs[0].op is OPS["exp"] and _shifted(x.inputs[0].inputs[0])):
        return 2
    if name in _NONNEGATIVE:
        return 1
    if name in _KEEPS:
        return of[0]
    if name == "add":
        return max(of) if min(of) >= 1 else 0
    if name in ("multiply", "mul0", "divide", "div0"):
        return min(of)
    return max(of) if name == "maximum" else 0


def _bounded(x: Tensor, signs: dict[int, int]) -> bool:
    """Whether this op makes finite elements of moderate inputs: no pole, no exponential growth, no bounded domain."""
    name = builtin_name(x)
    if name in ("divide", "div0"):
        return signs[x.inputs[1].serial] == 2
    if name in ("log", "reciprocal"):
        return signs[x.inputs[0].serial] == 2
    if name == "sqrt":
        return signs[x.inputs[0].serial] >= 1
    if name == "power":
        return signs[x.inputs[0].serial] == 2 and _is_const(x.inputs[1])
    if name == "exp":
        return _shifted(x.inputs[0])
    return x.op is None or name in _BOUNDED or x.dtype.kind != "f"


def _shifted(x: Tensor) -> bool:
    """X - max(x), the shift of every softmax (where the largest element is finite)."""
    if x.op not in (OPS["subtract"], OPS["difference0"]):
        return False
    shift = x.inputs[1]
    while shift.op is not None and shift.op.name in ("where", "expand"):
        shift = shift.inputs[1] if shift.op.name == "where" else shift.inputs[0]
    return shift.op is OPS["max"] and shift.inputs[0] is x.inputs[0]


def sharpen(graph: Graph) -> Graph:
    """``div0`` by a positive number is division; ``mul0`` by a number that is finite is a product."""
    signs: dict[int, int] = {}
    finite: dict[int, bool] = {}

    def rule(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor | None:
        name = builtin_name(node)
        new = None
        if name == "div0" and signs[inputs[1].serial] == 2:
            new = _replace(node, "divide", *inputs)
        elif name == "mul0" and finite[inputs[1].serial]:
            new = _replace(node, "multiply", *inputs)
        kept = new if new is not None else remake(node, inputs)
        signs[kept.serial] = _sign(kept, signs)
        finite[kept.serial] = not node.op.outputs and _bounded(kept, signs) and all(finite[x.serial] for x in inputs)  # type: ignore[union-attr]
        return kept

    for node in graph.nodes:
        if node.op is None:
            signs[node.serial] = 2 if node.meta is not None and node.meta.positive else 0
            finite[node.serial] = True
    return rewrite(graph, rule)


PASSES = (settle_views, merge_views, fold_constants, remove_neutral, sharpen, drop_expansions,
          collect_factors, find_means, factor_out, collect_factors, fold_constants, contract, eliminate_common,
          add_in_place, join_biases, pool_first, copy_once)  # fmt: skip
"""What `optimize` does between merging equal nodes and dropping dead ones, in order."""
