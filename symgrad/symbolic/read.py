r"""From a traced graph to a `Program`: each op through its declared ``indices`` and ``symbol``, no op by name.

Forward and backward nodes are read alike: reverse mode *is*
the traced pullbacks. `tangents` is the other, independent mode: it differentiates each op's ``symbol`` with SymPy and
never looks at a pullback.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from symgrad.errors import SymbolicError
from symgrad.symbolic.expr import Expr, Num, Operations, Ref, fold, free_of
from symgrad.symbolic.factors import Number, Var
from symgrad.symbolic.indices import Index
from symgrad.symbolic.normal import ZERO, Poly, delta
from symgrad.symbolic.program import ANY, NONNEGATIVE, Program, Value
from symgrad.symbolic.structure import axes_of, dropped, indices_of, structural
from symgrad.symbolic.text import literal, parse

__all__ = ["Instance", "Reader", "formula", "tangents"]

MAX_UNNAMED = 24  # cotangents of more terms get a name
PLACEHOLDERS = ("x", "y", "z")


@lru_cache(maxsize=512)
def formula(symbol: str, arity: int) -> Expr:
    """The tree of an op's symbol: a formula in x, y, z, or the name of a function of them."""
    if symbol.isidentifier() and symbol not in PLACEHOLDERS:
        symbol = f"{symbol}({', '.join(PLACEHOLDERS[:arity])})"
    try:
        return parse(symbol)
    except SymbolicError:
        return _pieces(symbol)


def _pieces(symbol: str) -> Expr:
    """The tree of a piecewise formula."""
    import sympy

    from symgrad.symbolic.symbols import evaluate
    from symgrad.symbolic.sympy_io import from_sympy

    return from_sympy(evaluate(symbol, {name: sympy.Symbol(name, real=True) for name in PLACEHOLDERS}))


class Instance(Operations):
    """Evaluate an op's formula on values, in the program's algebra."""

    def __init__(self, program: Program, env: Mapping[str, Value]) -> None:
        self.program, self.env = program, env
        self.number, self.add, self.mul = program.number, program.add, program.mul  # type: ignore[method-assign]
        self.pow, self.call = program.pow, program.call  # type: ignore[method-assign]

    def ref(self, var: Var) -> Value:
        """An input of the op, or a name of the program."""
        return self.env[var.name] if var.name in self.env else self.program.ref(var)


class Reader:
    """Reads the nodes of graphs into one program, each node once."""

    def __init__(self, program: Program | None = None) -> None:
        self.program = program if program is not None else Program()
        self.values: dict[int, Value] = {}
        self.unread: dict[int, SymbolicError] = {}  # why a node has no meaning through which a derivative may pass
        self.constant: dict[int, Value] = {}  # what such a node is where no derivative passes it

    def leaf(self, node: Any, name: str, sign: int = ANY, constant: bool = False) -> Value:
        """Let a node be an argument of this name; truth values are 0 or 1."""
        if node.dtype.kind == "b":
            self.program.binary.add(name)
            sign = NONNEGATIVE
        self.values[node.serial] = self.program.leaf(name, indices_of(node.shape), sign, constant)
        return self.values[node.serial]

    def read(self, nodes: Iterable[Any]) -> None:
        """Read nodes in topological order; the trees of forward nodes are kept for printing."""
        for node in nodes:
            if node.serial not in self.values:
                self._read(node)

    def _read(self, node: Any) -> None:
        try:
            if node.op is None:
                self.values[node.serial] = self._data(node)
            else:
                stops = node.op.pullback == ()
                inputs = [self.value(x, constant=stops or not x.requires_grad) for x in node.inputs]
                self.values[node.serial] = self.meaning(node, inputs)
        except SymbolicError as error:
            self.unread[node.serial] = error
            if all(x.serial in self.values or x.serial in self.constant for x in node.inputs) and node.op is not None:
                self.constant[node.serial] = self._constant(node)

    def value(self, node: Any, constant: bool = False) -> Value:
        """The value of a node; one that cannot be read has one only where no derivative passes it."""
        if node.serial in self.values:
            return self.values[node.serial]
        if constant and node.serial in self.constant:
            return self.constant[node.serial]
        raise self.unread[node.serial]

    def _constant(self, node: Any) -> Value:
        """What a node that cannot be read is where it is only computed: known by its op, or else by a name alone."""
        op, inputs = node.op, [self.value(x, constant=True) for x in node.inputs]
        try:
            return self.meaning(node, inputs)
        except SymbolicError:
            pass
        if op.indices == "elementwise" and not node.params:
            return self.program.opaque(op, inputs)
        found = self.reduction(node, inputs)
        if found is not None:
            return found
        name = self.program.unused(op.name)
        self.program.unknown[name] = op.name
        return self.program.leaf(name, indices_of(node.shape))

    def read_back(self, nodes: Iterable[Any], boundaries: Mapping[int, Value]) -> None:
        """Read backward nodes; cotangents of layer boundaries (by serial of the cotangent) get names."""
        self.program.writing = False
        for node in nodes:
            if node.serial not in self.values:
                self._read(node)
            value = self.values.get(node.serial)
            if value is None:
                continue
            boundary = boundaries.get(node.serial)
            if boundary is not None and isinstance(boundary.expr, Ref) and len(value.poly.terms) > 1:
                name = boundary.expr.var.name
                latex = rf"\bar{{{self.program.latex.get(name, name)}}}"
                value = self.program.define_adjoint(f"{name}_bar", value, latex)
            elif len(value.poly.terms) > MAX_UNNAMED:
                value = self.program.define_adjoint("t_bar", value, r"\bar{t}")
            self.values[node.serial] = Value(value.poly, None, value.sign)

    def reduction(self, node: Any, inputs: list[Value]) -> Value | None:
        """An opaque reduction along axes, such as a maximum."""
        if node.op.indices != "opaque" or node.op.params != ("axis", "keepdims"):
            return None
        axes, keepdims = node.params
        own = axes_of(node.inputs[0].shape)
        bound = tuple([i for k in axes if (i := own[k]) is not None])
        if not bound or not set(bound) <= free_of(inputs[0].written):
            return None  # nothing to reduce over: what the op makes of one element is not known here
        found = self.program.opaque(node.op, inputs, bound)
        return found if keepdims else dropped(self.program, found, own, axes)

    def meaning(self, node: Any, inputs: list[Value]) -> Value:
        """The value of one node from those of its inputs."""
        rule = structural(node)
        return rule(self, node, inputs) if rule is not None else elementwise(self.program, node, inputs)

    def _data(self, node: Any) -> Value:
        if node.value is not None and node.value.size == 1:
            return self.program.number(literal(repr(node.value.item())))
        raise SymbolicError(
            f"derive: the array {node.name or ''} of shape {tuple(node.shape)} is closed over; make it an argument "
            "of the function with a spec, so that it has a symbol"
        )


def elementwise(program: Program, node: Any, inputs: list[Value]) -> Value:
    """An elementwise op through its symbol."""
    tree = _symbol(node)
    return fold(tree, Instance(program, dict(zip(PLACEHOLDERS, inputs, strict=False))))  # type: ignore[no-any-return]


def _symbol(node: Any) -> Expr:
    op = node.op
    if op.indices != "elementwise" or op.symbol is None:
        raise SymbolicError(
            f"{op.name}: has no meaning in index notation (indices={op.indices!r}), so no closed form is derived "
            "through it; write it with sums, means and elementwise functions, or stop the gradient before it"
        )
    try:
        return formula(op.symbol, len(node.inputs))
    except SymbolicError:
        raise SymbolicError(
            f"{op.name}: its symbol {op.symbol!r} is outside of the formulas that derivatives are derived through; use "
            "another function in its place, or stop the gradient before it"
        ) from None


# the independent forward mode ------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def partial(tree: Expr, name: str, constants: tuple[tuple[str, Number], ...]) -> Expr:
    """The derivative of an op's formula, by SymPy, on plain scalar placeholders, off the points where it jumps."""
    import sympy

    from symgrad.symbolic.sympy_io import from_sympy, scalar_sympy

    held = {n: Num(c) for n, c in constants}
    slope = sympy.diff(scalar_sympy(tree, held), sympy.Symbol(name, real=True))
    return from_sympy(slope.replace(sympy.DiracDelta, lambda *point: sympy.Integer(0)))


def tangents(reader: Reader, nodes: Iterable[Any], seed: Any) -> tuple[dict[int, Poly], tuple[Index, ...]]:
    """Total derivative of every node with respect to one leaf at fresh indices, by the chain rule forwards."""
    program = reader.program
    own = indices_of(seed.shape)
    at = tuple([Index(f"q{i.name[1:]}", i.size) for i in own])
    start = Poly({(): 1})
    for a, b in zip(own, at, strict=True):
        start = start * delta(a, b)
    moving: dict[int, Poly] = {seed.serial: start}
    for node in nodes:
        if node.serial in moving or node.op is None or node.serial not in reader.values:
            continue
        flows = [moving.get(x.serial, ZERO) for x in node.inputs]
        if any(flows):
            moving[node.serial] = program.reduce(_pushed(reader, node, flows))
    return moving, at


def _pushed(reader: Reader, node: Any, flows: list[Poly]) -> Poly:
    program = reader.program
    if node.op.pullback == ():
        return ZERO  # locally constant, or declared to stop the derivative
    inputs = [reader.value(x, constant=not x.requires_grad) for x in node.inputs]
    rule = structural(node)
    total = ZERO
    if rule is not None:  # linear in each input
        for k, flow in enumerate(flows):
            if flow:
                total = total + rule(reader, node, [*inputs[:k], Value(flow), *inputs[k + 1 :]]).poly
        return total
    env = dict(zip(PLACEHOLDERS, inputs, strict=False))
    constants = tuple([(n, c) for n, v in env.items() if (c := v.poly.constant()) is not None])
    for name, flow in zip(PLACEHOLDERS, flows, strict=False):
        if flow:
            slope = partial(_symbol(node), name, tuple([(n, c) for n, c in constants if n != name]))
            total = total + fold(slope, Instance(program, env)).poly * flow
    return total
