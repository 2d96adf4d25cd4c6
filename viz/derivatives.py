"""Local derivatives for edges: every one is the op's own pullback, run on other numbers.

With a cotangent of 1 the rule gives the number (on arrays) and the formula (on SymPy scalars); rules
that couple elements run on abstract Tensors with the cotangent g, and the graph they record is printed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symgrad.errors import SymgradError
from symgrad.op import CONVERTERS, Op
from symgrad.tensor import Tensor, abstract

__all__ = ["is_scalar", "local_number", "local_symbol", "recorded_rule"]

_FAILURES = (SymgradError, TypeError, ValueError, AttributeError, NotImplementedError, KeyError, IndexError)


def is_scalar(node: Tensor) -> bool:
    """Whether a node has a value of one element."""
    return isinstance(node.value, np.ndarray) and node.value.size == 1


def _pull(op: Op, position: int, g: Any, y: Any, inputs: tuple[Any, ...], params: tuple[Any, ...]) -> Any:
    """The cotangent that the op's rule gives to one argument."""
    rule = op.pullback
    if isinstance(rule, tuple):
        part: Callable[..., Any] | None = rule[position] if position < len(rule) else None
        return None if part is None else part(g, y, *inputs, *params)
    return None if rule is None else list(rule(g, y, inputs, params))[position]


def local_number(node: Tensor, position: int) -> float | None:
    """The local derivative by one argument, where both have one element."""
    if node.op is None or node.op.outputs or not is_scalar(node) or not is_scalar(node.inputs[position]):
        return None
    values = tuple(x.value for x in node.inputs)
    try:
        with np.errstate(all="ignore"):
            found = _pull(node.op, position, np.ones(node.shape, node.dtype), node.value, values, node.params)
    except _FAILURES:
        return None
    return None if found is None else float(np.sum(found))


def local_symbol(node: Tensor, position: int, own: Any, arguments: list[Any]) -> Any:
    """The elementwise local derivative as a SymPy expression, or None.

    ``own`` and ``arguments`` are what stands for the result and the inputs.
    """
    import sympy

    op = node.op
    if op is None or op.indices != "elementwise" or op.outputs:
        return None
    _register_sympy()
    try:
        found = _pull(op, position, sympy.Integer(1), own, tuple(arguments), node.params)
        return None if found is None else sympy.sympify(found)
    except _FAILURES:
        return None


def recorded_rule(node: Tensor, position: int, own: str, arguments: list[str]) -> Tensor | None:
    """What the rule does to a cotangent named g, as a graph of abstract Tensors, or None."""
    op = node.op
    if op is None or op.outputs or node.dtype.kind != "f":
        return None
    try:
        g = abstract(node.shape, node.dtype, name="g")
        y = abstract(node.shape, node.dtype, name=own)
        inputs = tuple(abstract(x.shape, x.dtype, name=n) for x, n in zip(node.inputs, arguments, strict=True))
        found = _pull(op, position, g, y, inputs, node.params)
    except _FAILURES:
        return None
    return found if isinstance(found, Tensor) else None


def _register_sympy() -> None:
    """Make ops accept SymPy scalars, unless `symgrad.symbolic` has done so."""
    import sympy

    CONVERTERS.setdefault(sympy.Basic, _on_sympy)
    if sympy.logic.boolalg.Boolean not in CONVERTERS:
        CONVERTERS[sympy.logic.boolalg.Boolean] = CONVERTERS[sympy.Basic]


def _on_sympy(op: Op, inputs: tuple[Any, ...], params: tuple[Any, ...]) -> Any:
    """An elementwise op on SymPy scalars, by its declared symbol (text of the op's author, in x, y, z)."""
    import sympy

    if op.identity:
        return inputs[0]
    if op.symbol is None or params:
        raise TypeError(f"{op.name}: has no scalar symbol")
    exact = [sympy.nsimplify(x) if isinstance(x, (int, float)) else x for x in inputs]
    if op.symbol.isidentifier() and op.symbol not in "xyz":
        return getattr(sympy, op.symbol)(*exact)
    return sympy.sympify(op.symbol, locals=dict(zip("xyz", exact, strict=False)))
