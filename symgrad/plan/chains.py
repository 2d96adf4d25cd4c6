r"""The pass that multiplies many small arrays at once: :math:`((g\, c_1)\, c_2) \cdots c_n` is one product of rows.

What a long chain of links sends back is such a product, one call per factor. Where nobody reads what is between, the
factors are put under each other, and so the calls that compute them can be made together too (`stack_rows`).
A factor that comes again and again is multiplied with its neighbours first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from symgrad.graph import Graph
from symgrad.op import OPS, Op, op
from symgrad.passes import builtin_name, rewrite
from symgrad.plan.views import apply
from symgrad.shapes import size_of
from symgrad.tensor import Tensor

__all__ = ["PRODUCT", "multiply_chains"]

LINKS = 8  # factors of a chain, at least
ROW = 1 << 9  # elements of a factor, at most: where a call costs more than its work
STACK = 1 << 16  # elements of all factors that are multiplied at once, at most

PRODUCT: Op = op("product", lambda x: np.multiply.reduce(x, 0), arity=1, indices="opaque",
                 shape=lambda own: own[1:], dtype=lambda own: own, pullback=None)  # fmt: skip
"""The product of all rows, from the first to the last: an op of plans only."""

Run = tuple[list[Tensor], Tensor | None]  # factors, one after the other, each with one that comes again


def multiply_chains(graph: Graph) -> Graph:
    """Products of many small arrays, of which nobody reads the parts, are products of rows."""
    chains = _chains(graph)
    new: dict[int, Tensor] = {}

    def rule(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor | None:
        new.update(zip((x.serial for x in node.inputs), inputs, strict=True))
        if node.serial not in chains:
            return None
        factors = chains[node.serial]
        product = new[factors[0].serial]
        for run, again in _runs(factors[1:], node):
            own = [new[x.serial] for x in run]
            other = None if again is None else new[again.serial]
            product = _multiplied(product, own, other, node)
        return product

    return rewrite(graph, rule) if chains else graph


def _chains(graph: Graph) -> dict[int, list[Tensor]]:
    """The last product of every long chain, with all factors in order."""
    readers = {node.serial: n for node, n in graph.fan_out().items()}
    lasting = {y.serial for y in graph.roots}
    before: dict[int, Tensor] = {}  # product -> the product that it goes on with
    for node in graph.nodes:
        if builtin_name(node) != "multiply" or node.dtype.kind != "f" or int(size_of(node.shape)) > ROW:
            continue
        for x in node.inputs:
            inside = readers[x.serial] == 1 and x.serial not in lasting
            if inside and x.op is node.op and (tuple(x.shape), x.dtype) == (tuple(node.shape), node.dtype):
                before[node.serial] = x
                break
    inner = {x.serial for x in before.values()}
    chains = {}
    for node in graph.nodes:
        if node.serial in before and node.serial not in inner:
            factors, x = [], node
            while x.serial in before:
                a, b = x.inputs
                factors.append(b if a is before[x.serial] else a)
                x = before[x.serial]
            factors += x.inputs[::-1]
            if len(factors) >= LINKS and all(f.dtype == node.dtype for f in factors):
                chains[node.serial] = factors[::-1]
    return chains


def _runs(factors: list[Tensor], node: Tensor) -> Iterator[Run]:
    """The factors in runs that are multiplied at once."""
    counts = Counter(x.serial for x in factors)
    full = [tuple(x.shape) == tuple(node.shape) and counts[x.serial] == 1 for x in factors]
    pairs: list[tuple[Tensor, Tensor | None]] = []
    for x, own in zip(factors, full, strict=True):
        if not own and pairs and pairs[-1][1] is None:
            pairs[-1] = pairs[-1][0], x
        else:
            pairs.append((x, None))
    most = STACK // max(1, int(size_of(node.shape)))
    run: list[Tensor] = []
    for k, (x, again) in enumerate(pairs):
        run.append(x)
        follows = k + 1 < len(pairs) and pairs[k + 1][1] is again and len(run) < most
        if not follows:
            yield run, again
            run = []


def _multiplied(product: Tensor, run: list[Tensor], again: Tensor | None, node: Tensor) -> Tensor:
    """A product times one run of factors."""
    computed = [x for x in run if x.op is not None and not x.op.view and x.op is not OPS["const"]]
    shape = tuple(node.shape)
    if len(run) < LINKS or 2 * len(computed) < len(run) or any(tuple(x.shape) != shape for x in (product, *run)):
        for x in run:
            factor = x if again is None else apply(OPS["multiply"], (x, again), (), node)
            product = apply(OPS["multiply"], (product, factor), (), node)
        return product
    size = int(size_of(shape))
    factors = [x if again is None else apply(OPS["multiply"], (x, again), (), node) for x in run]
    rows = apply(OPS["concatenate"], tuple([_row(x, size) for x in factors]), (0,), node)
    rows = apply(OPS["concatenate"], (_row(product, size), rows), (0,), node)
    return apply(OPS["reshape"], (apply(PRODUCT, (rows,), (), node),), (shape,), node)


def _row(x: Tensor, size: int) -> Tensor:
    return apply(OPS["reshape"], (x,), ((1, size),), x)
