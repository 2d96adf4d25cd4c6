r"""The pass that moves small factors together: :math:`\gamma \odot (d / s)` is :math:`(\gamma / s) \odot d`.

A factor with fewer elements than what it multiplies (one number, one row) costs nothing by itself; each product with
it is a pass over the large array. So factors are collected on the way, through products, quotients, sums over samples
and differences, and one product is left where the value is needed.
"""

from __future__ import annotations

from typing import Any

from symgrad.graph import Graph
from symgrad.op import OPS
from symgrad.passes import builtin_name, remake, rewrite
from symgrad.plan.views import apply, nameless
from symgrad.shapes import same_shape, size_of
from symgrad.tensor import Tensor, constant

__all__ = ["factor_out"]

_MULTIPLY, _DIVIDE, _SUBTRACT, _ADD = (OPS[n] for n in ("multiply", "divide", "subtract", "add"))


def factor_out(graph: Graph) -> Graph:
    """Products of a large array with several small ones become products with one."""
    return rewrite(graph, _Rule())


class _Rule:
    """The rule, with the values that are a large core times small / small: core, numerator, denominator."""

    def __init__(self) -> None:
        self.scaled: dict[int, tuple[Tensor, Tensor | None, Tensor | None]] = {}

    def __call__(self, node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor | None:
        name = builtin_name(node)
        several = node.op is not None and bool(node.op.outputs)
        if several or node.dtype.kind != "f" or any(x.dtype != node.dtype for x in inputs):
            return None
        if name == "einsum":
            return self.contracted(node, inputs)
        if name not in ("multiply", "divide", "subtract", "add") or not node.shape:
            return None
        a, b = inputs
        if name == "multiply":
            for small, large in ((a, b), (b, a)):
                if _small(small, node) and same_shape(large.shape, node.shape):
                    core, top, bottom = self.scaled.get(large.serial, (large, None, None))
                    return self.product(node, core, _times(top, small), bottom)
            return None
        if name == "divide":
            if not _small(b, node) or not same_shape(a.shape, node.shape):
                return None
            core, top, bottom = self.scaled.get(a.serial, (a, None, None))
            return self.product(node, core, top, _times(bottom, b))
        return self.difference(node, a, b)

    def product(self, node: Tensor, core: Tensor, top: Tensor | None, bottom: Tensor | None) -> Tensor:
        """The node as one product or quotient, remembered with its factors."""
        if top is None:
            assert bottom is not None
            new = _named(_DIVIDE, node, core, bottom)
        else:
            new = _named(_MULTIPLY, node, top if bottom is None else _over(top, bottom), core)
        self.scaled[new.serial] = core, top, bottom
        return new

    def difference(self, node: Tensor, a: Tensor, b: Tensor) -> Tensor | None:
        """C (x - y / c) for c x - y, where c is one constant number."""
        core, c, bottom = self.scaled.get(a.serial, (a, None, None))
        if c is None or bottom is not None or c.op is not OPS["const"] or not c.params[0] or not _fits(core, node):
            return None
        if _small(b, node):
            rest = _over(b, c)
        elif b.serial in self.scaled and same_shape(b.shape, node.shape):
            other, top, under = self.scaled[b.serial]
            factor = _over(top, c) if top is not None else _over(constant(1.0, node.dtype), c)
            rest = apply(_MULTIPLY, (factor if under is None else _over(factor, under), other), (), node)
        else:
            return None
        inner = apply(node.op, (core, rest), (), node)
        for made in (rest, inner):
            if made.meta is not None and made is not b:
                made.meta.name = made.meta.latex = None
        return self.product(node, inner, c, None)

    def contracted(self, node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor | None:
        """A contraction over the samples, with the factors of features in front."""
        sources, _, target = node.params[0].partition("->")
        letters = sources.split(",")
        if len(set(letters)) != 1 or not letters[0].endswith(target) or not target:
            return None
        cores, result = [], None
        factors = []
        for x in inputs:
            core, top, bottom = self.scaled.get(x.serial, (x, None, None))
            if any(f is not None and tuple(f.shape) not in ((), tuple(node.shape)) for f in (top, bottom)):
                core, top, bottom = x, None, None
            cores.append(core)
            factors.append((top, bottom))
        if all(top is None and bottom is None for top, bottom in factors):
            return None
        result = remake(node, tuple(cores))
        for top, bottom in factors:
            result = result if top is None else _named(_MULTIPLY, node, result, top)
            result = result if bottom is None else _named(_DIVIDE, node, result, bottom)
        return result


def _small(x: Tensor, node: Tensor) -> bool:
    """Whether x has at most a quarter of the elements of the node."""
    return 4 * int(size_of(x.shape)) <= int(size_of(node.shape))


def _fits(x: Tensor, node: Tensor) -> bool:
    return x.dtype == node.dtype and same_shape(x.shape, node.shape)


def _times(a: Tensor | None, b: Tensor) -> Tensor:
    return b if a is None else _plain(_MULTIPLY, a, b)


def _over(a: Tensor, b: Tensor) -> Tensor:
    if a.op is OPS["const"] and b.op is OPS["const"]:
        return constant(a.params[0] / b.params[0], a.dtype)
    return _plain(_DIVIDE, a, b)


def _plain(op: Any, a: Tensor, b: Tensor) -> Tensor:
    """A small product or quotient, without a name."""
    return nameless(op, (a, b), (), a if a.shape else b)


def _named(op: Any, node: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return apply(op, (a, b), (), node)
