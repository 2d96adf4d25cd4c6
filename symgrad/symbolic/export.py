r"""`Graph.to_sympy`: a graph as SymPy equations, in which every value that is used more than once has a name.

A graph is no tree: written as one expression, a chain of n diamonds would have $2^n$ terms. Sums are built on formula
trees, whose bound indices are fresh, so that a free index letter is never captured.

Examples
--------
>>> import symgrad as sg
>>> g = sg.trace(lambda z: z - sg.named(sg.mean(z), "mu"), sg.spec("B"))
>>> to_sympy(g)
[Eq(mu, Sum(z[j], (j, 1, B))/B), Eq(y[i], -mu + z[i])]
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import sympy

from symgrad.errors import SymbolicError
from symgrad.op import FUNCTIONS
from symgrad.symbolic.expr import Call, Expr, Num, Ref, Total, add, mul, power, rename_tree
from symgrad.symbolic.factors import Number, Var
from symgrad.symbolic.indices import Index, fresh
from symgrad.symbolic.normal import ZERO
from symgrad.symbolic.program import Program, Value
from symgrad.symbolic.read import Reader
from symgrad.symbolic.structure import indices_of
from symgrad.symbolic.symbols import symbol_of, text_of
from symgrad.symbolic.sympy_io import Letters, ToSympy, as_number, letters_for, walk

__all__ = ["to_sympy"]

MAX_DEPTH = 40  # deeper formulas get a name in between
NUMBER = "number"  # a truth value as 0 or 1


def to_sympy(graph: Any) -> list[Any]:
    """The equations of a graph: one per named or shared node, in order, then one per output.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    list of sympy.Eq
        The last ones are the outputs, called y (or y1, y2, ...), then what is assigned to leaves.

    Raises
    ------
    SymbolicError
        If an op has no meaning in index notation.
    """
    return _Export(graph).equations()


class _Trees(Program):
    """The algebra of formula trees alone: nothing is multiplied out, and nothing is learnt."""

    def number(self, value: Number) -> Value:
        return Value(ZERO, Num(value))

    def ref(self, var: Var) -> Value:
        return Value(ZERO, Ref(var))

    def add(self, terms: list[Value]) -> Value:
        return Value(ZERO, add(*map(_tree, terms)))

    def mul(self, factors: list[Value]) -> Value:
        return Value(ZERO, mul(*map(_tree, factors)))

    def pow(self, base: Value, exponent: Value) -> Value:
        return Value(ZERO, power(_tree(base), _tree(exponent)))

    def total(self, bound: tuple[Index, ...], body: Value) -> Value:
        names = {i: fresh(i.size) for i in bound}
        return Value(ZERO, Total(tuple(names.values()), rename_tree(_tree(body), names)))

    def renamed(self, value: Value, names: dict[Index, Index]) -> Value:
        return Value(ZERO, rename_tree(_tree(value), names))

    def define(self, name: str, value: Value, latex: str | None = None) -> Value:
        return value  # nodes are named by the exporter


def _tree(value: Value) -> Expr:
    assert value.expr is not None, "every value here is a tree"
    return value.expr


class _Export:
    """Reads nodes in order; a node that is named, shared or deep becomes an equation."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.reader = Reader(_Trees())
        self.found: list[Any] = []
        self.depth: dict[int, int] = {}
        self.ops: dict[str, Any] = {}  # by the name that stands for them in trees
        self.truths: set[str] = set()  # names of truth values
        shapes = [x.shape for x in graph.nodes]
        self.sizes = frozenset(n for shape in shapes for s in shape if hasattr(s, "names") for n in s.names())
        self.taken = set(self.sizes)

    def equations(self) -> list[Any]:
        """All equations, definitions before what uses them."""
        graph = self.graph
        terminals = [*graph.inputs, *[s for _, s in graph.leaves], *[d.node for d in graph.draws]]
        for k, node in enumerate(terminals):
            self._refer(node, self._unused(node.name or f"x{k}"))
        uses = graph.fan_out()
        for node in graph.nodes:
            if node.serial not in self.reader.values:
                self._read(node)
                trivial = node.op.name in ("const", "size")
                deep = self.depth[node.serial] > MAX_DEPTH
                if not trivial and (node.name or uses[node] > 1 or deep):
                    name = self._unused(node.name or "t")
                    self.found.append(self._equation(name, node))
                    self._refer(node, name)
        ends = [("y" if len(graph.outputs) == 1 else f"y{k}", y) for k, y in enumerate(graph.outputs, 1)]
        ends += [(f"{leaf.name or 'leaf'}_new", node) for leaf, node in graph.assigned]
        return [*self.found, *[self._equation(self._unused(name), node) for name, node in ends]]

    def _unused(self, name: str) -> str:
        name = next(n for k in itertools.count() if (n := f"{name}{k or ''}") not in self.taken)
        self.taken.add(name)
        return name

    def _refer(self, node: Any, name: str) -> None:
        """Let a node be a variable of this name from now on."""
        positive = bool(getattr(node.meta, "positive", False))
        self.reader.values[node.serial] = Value(ZERO, Ref(Var(0, name, indices_of(node.shape), positive)))
        self.depth[node.serial] = 0
        if node.dtype == np.bool_:
            self.truths.add(name)

    def _read(self, node: Any) -> None:
        values = [self.reader.value(x) for x in node.inputs]
        op = node.op
        if op.indices == "elementwise":
            name = next(n for k in itertools.count() if self.ops.get(n := f"{op.name}{k or ''}", op) is op)
            self.ops[name] = op
            value = Value(ZERO, Call(name, tuple(map(_tree, values))))
        else:
            numbers = [self._number(v) if x.dtype == np.bool_ else v for v, x in zip(values, node.inputs, strict=True)]
            value = self.reader.reduction(node, numbers) or self._meaning(node, numbers)
        self.reader.values[node.serial] = value
        self.depth[node.serial] = 1 + max((self.depth[x.serial] for x in node.inputs), default=0)

    def _meaning(self, node: Any, values: list[Value]) -> Value:
        try:
            return self.reader.meaning(node, values)
        except SymbolicError as error:
            reason = str(error).partition("; ")[0].partition(", so no closed form")[0]
            raise SymbolicError(f"to_sympy: {reason}; leave it out of the traced function") from None

    def _number(self, value: Value) -> Value:
        return Value(ZERO, Call(NUMBER, (_tree(value),)))

    def _equation(self, name: str, node: Any) -> Any:
        indices = indices_of(node.shape)
        first = next((i.size for x in self.graph.inputs for i in indices_of(x.shape)), None)
        shown = letters_for(indices, first, self.taken)
        printer = _Printer(shown, self.ops, self.truths)
        value = self.reader.value(node)
        right = walk(_tree(self._number(value) if node.dtype == np.bool_ else value), printer, self.sizes)
        left = ToSympy(shown).ref(Var(0, name, indices, False))
        return sympy.Eq(left, right, evaluate=False)


class _Printer(ToSympy):
    """Trees in which calls are ops, each by its symbol."""

    def __init__(self, letters: Letters, ops: dict[str, Any], truths: set[str]) -> None:
        super().__init__(letters)
        self.ops, self.truths = ops, truths

    def ref(self, var: Var) -> Any:
        return sympy.Ne(super().ref(var), 0) if var.name in self.truths else super().ref(var)

    def call(self, name: str, args: list[Any]) -> Any:
        if name == NUMBER:
            return as_number(args[0])
        if name == "stop":
            return args[0]  # a mark for derivatives
        op = self.ops[name]
        if text_of(op) is None:
            raise SymbolicError(
                f"to_sympy: {op.name} declares no symbol; give it one, sg.op({op.name!r}, ..., symbol=)"
            )
        try:
            return symbol_of(op, tuple(args))
        except TypeError:  # arithmetic with truth values
            return symbol_of(op, tuple(map(as_number, args)))


FUNCTIONS["to_sympy"] = to_sympy
