"""Local derivatives for edges: every one is the op's own pullback, run on other numbers.

With a cotangent of 1 the rule gives the number (on arrays) and the formula (on SymPy scalars); rules
that couple elements run on abstract Tensors with the cotangent g, and the graph they record is printed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgrad.errors import SymgradError
from symgrad.op import OPS, Op
from symgrad.ops.marks import item
from symgrad.recording import apply
from symgrad.reverse import adjoints
from symgrad.shapes import size_of
from symgrad.tensor import Tensor, abstract, tensor

__all__ = [
    "Path",
    "contribution",
    "flat",
    "is_one",
    "is_scalar",
    "jacobian",
    "local_number",
    "local_symbol",
    "recorded_rule",
    "symbol_of",
]

Path = tuple[tuple[Tensor, int], ...]
"""From a card's op down: each Tensor with the position of the argument that is followed."""

_FAILURES = (SymgradError, TypeError, ValueError, AttributeError, NotImplementedError, KeyError, IndexError)


def is_scalar(node: Tensor) -> bool:
    """Whether a node has a value of one element."""
    return isinstance(node.value, np.ndarray) and node.value.size == 1


def is_one(node: Tensor) -> bool:
    """Whether a node has one element, known or not."""
    return not (node.op is not None and node.op.outputs) and all(isinstance(n, int) and n == 1 for n in node.shape)


def _pull(op: Op, position: int, g: Any, y: Any, inputs: tuple[Any, ...], params: tuple[Any, ...]) -> Any:
    """The cotangent that the op's rule gives to one argument."""
    rule = op.pullback
    if isinstance(rule, tuple):
        part: Callable[..., Any] | None = rule[position] if position < len(rule) else None
        return None if part is None else part(g, y, *inputs, *params)
    return None if rule is None else list(rule(g, y, inputs, params))[position]


def local_number(path: Path) -> float | None:
    """The local derivative along a path, where everything on it has one element."""
    product = 1.0
    for node, position in path:
        if node.op is None or node.op.outputs or not is_scalar(node) or not is_scalar(node.inputs[position]):
            return None
        values = tuple(x.value for x in node.inputs)
        try:
            with np.errstate(all="ignore"):
                found = _pull(node.op, position, np.ones(node.shape, node.dtype), node.value, values, node.params)
        except _FAILURES:
            return None
        if found is None:
            return None
        product *= float(np.sum(found))
    return product


def local_symbol(path: Path, stand_in: Callable[[Tensor], Any]) -> Any:
    """The elementwise local derivative along a path as a SymPy expression, or None.

    ``stand_in`` gives the SymPy expression of a Tensor on the path.
    """
    import sympy

    product: Any = sympy.Integer(1)
    for node, position in path:
        if node.op is None or node.op.indices != "elementwise" or node.op.outputs:
            return None
        try:
            found = _derivative(node.op, position, len(node.inputs))
            if found is None:
                return None
            values = [stand_in(node), *_roots(node.op, [stand_in(x) for x in node.inputs])]
            names = [sympy.Symbol(name, real=True) for name in _names(len(node.inputs))]
            product *= found.xreplace(dict(zip(names, values, strict=True)))
        except _FAILURES:
            return None
    return product.xreplace({x: sympy.Integer(int(x)) for x in product.atoms(sympy.Float) if float(x).is_integer()})


def _names(count: int) -> tuple[str, ...]:
    return ("own", *(f"argument{k}" for k in range(count)))


@lru_cache(maxsize=512)
def _derivative(op: Op, position: int, count: int) -> Any:
    """The local derivative in placeholders for the result and the arguments."""
    import sympy

    from symgrad.symbolic.scalars import local_derivative

    found = local_derivative(op, position, _names(count))
    return None if found is None else sympy.sympify(found)


def symbol_of(op: Op, arguments: Iterable[Any]) -> Any:
    """An elementwise op on SymPy scalars."""
    from symgrad.symbolic.scalars import symbol_of as evaluate

    return evaluate(op, tuple(_roots(op, list(arguments))))


def _roots(op: Op, arguments: list[Any]) -> list[Any]:
    """The arguments of an op, with 0.5 as an exponent read as the root that it means."""
    import sympy

    if op is OPS["power"] and arguments[1] in (sympy.Float(0.5), sympy.Float(-0.5)):
        return [arguments[0], sympy.Rational(arguments[1])]
    return arguments


def recorded_rule(path: Path) -> tuple[Tensor, dict[str, Tensor]] | None:
    """What the rules along a path do to a cotangent named g, as a graph of abstract Tensors.

    The dictionary says which Tensor each of its named inputs stands for.
    """
    top = path[0][0]
    known: dict[str, Tensor] = {}

    def stand_in(x: Tensor) -> Tensor:
        known[f"t{x.serial}"] = x
        return abstract(x.shape, x.dtype, name=f"t{x.serial}")

    try:
        g: Any = abstract(top.shape, top.dtype, name="g")
        for node, position in path:
            if node.op is None or node.op.outputs or node.dtype.kind != "f":
                return None
            g = _to_shape(g, node.shape)
            g = _pull(node.op, position, g, stand_in(node), tuple(map(stand_in, node.inputs)), node.params)
            g = _to_shape(g, node.inputs[position].shape)
    except _FAILURES:
        return None
    return (g, known) if isinstance(g, Tensor) else None


def _to_shape(g: Any, shape: Any) -> Any:
    """A cotangent brought to a shape: summed where the value was repeated."""
    if tuple(g.shape) == tuple(shape):
        return g
    return OPS["reshape"](g, tuple(shape)) if g.size == size_of(shape) else OPS["sum_to"](g, tuple(shape))


def contribution(path: Path, base: Mapping[int, int], g: Any) -> Any:
    """What the rules along a path send to the tensor at its end, for a cotangent of the tensor at its start.

    The ops on the path run again on a fresh leaf, so that this is reverse mode on the path alone. The cotangent of
    an op of several results is a list, with None where there is nothing.
    """
    steps = _whole(path, base)
    bottom, position = steps[-1]
    leaf = y = _fresh(bottom.inputs[position])
    for node, position in reversed(steps):
        inputs = [y if k == position else _held(x) for k, x in enumerate(node.inputs)]
        y = apply(node.op, tuple(inputs), node.params)  # type: ignore[arg-type]
    if isinstance(g, list):
        parts = [(item(y, k) * part).sum() for k, part in enumerate(g) if part is not None]
        return adjoints(sum(parts[1:], parts[0])).get(leaf.serial) if parts else None
    return adjoints(y, g).get(leaf.serial)


def _fresh(x: Tensor) -> Tensor:
    """A Tensor of the same value with nothing differentiable below it, whose cotangent is kept."""
    if x.op is not None and x.op.outputs:
        inputs = [tensor(below.value, requires_grad=below.dtype.kind == "f") for below in x.inputs]
        return apply(x.op, tuple(inputs), x.params)
    return tensor(x.value, requires_grad=True)


def _whole(path: Path, base: Mapping[int, int]) -> list[tuple[Tensor, int]]:
    """The path with the changes of shape that have no card."""
    steps: list[tuple[Tensor, int]] = []
    for node, position in path:
        steps.append((node, position))
        x = node.inputs[position]
        while base[x.serial] != x.serial:
            steps.append((x, 0))
            x = x.inputs[0]
    return steps


def _held(x: Tensor) -> Tensor:
    """An input that is held fixed."""
    return x if x.op is not None and x.op.outputs else tensor(x.value)


def jacobian(path: Path, base: Mapping[int, int], source: Tensor, target: Tensor) -> NDArray[Any]:
    """The matrix of the derivatives of all elements of the target by all elements of the source."""
    rows = [flat(contribution(path, base, g), source) for g in _units(target)]
    return np.array(rows).reshape(len(rows), -1)


def _values(x: Tensor) -> list[NDArray[Any]]:
    """The results of a Tensor: one, or those of an op of several."""
    return [np.asarray(v) for v in x.value] if isinstance(x.value, tuple) else [np.asarray(x.value)]


def flat(cotangent: Any, x: Tensor) -> NDArray[Any]:
    """The cotangent of a Tensor as one vector, zero where there is nothing."""
    values = _values(x)
    parts = cotangent if isinstance(cotangent, list) else [cotangent] + [None] * (len(values) - 1)
    return np.concatenate([np.zeros(v.size) if g is None else np.ravel(g) for g, v in zip(parts, values, strict=True)])


def _units(x: Tensor) -> Iterator[Any]:
    """The cotangents of a Tensor that pick out one element each."""
    values = _values(x)
    for n, v in enumerate(values):
        for k in range(v.size):
            g = np.zeros(v.shape)
            g.flat[k] = 1.0
            yield g if not isinstance(x.value, tuple) else [g if j == n else None for j in range(len(values))]
