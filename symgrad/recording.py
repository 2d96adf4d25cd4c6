"""`apply`: record the application of an op, eagerly or abstractly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symgrad.context import MODE
from symgrad.errors import AnomalyError, DTypeError, ShapeError, SymgradError
from symgrad.op import CONVERTERS, OPS, Op, explain
from symgrad.shapes import Dim, broadcast, concrete
from symgrad.tensor import SCALARS, Tensor, abstract, array_like, as_tensor, make, next_serial

__all__ = ["apply", "check_finite", "explain", "infer", "operator", "outputs_of", "recorder"]

_mode = MODE.get
_ndarray = np.ndarray
_new: Callable[[type[Tensor]], Tensor] = object.__new__


def _coerce(op: Op, inputs: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """Tensors of fitting dtypes: literals are weak, integers and bools never widen floats."""
    count = range(len(inputs))
    promoted = count if op.promotes is None else op.promotes
    kinds = [x.dtype for k in promoted if isinstance(x := inputs[k], (Tensor, _ndarray))]
    target = _common(kinds)
    found = []
    for k in count:
        x = as_tensor(inputs[k], target if k in promoted else None, op.name)
        if target is not None and target.kind == "f" and k in promoted and x.dtype.kind != "f":
            x = apply(OPS["astype"], (x,), (target.name,))
        found.append(x)
    return tuple(found)


def _common(dtypes: list[Any]) -> Any:
    floats = [d for d in dtypes if d.kind == "f"]
    chosen = floats or dtypes
    return None if not chosen else chosen[0] if len(chosen) == 1 else np.result_type(*chosen)


def apply(op: Op, inputs: tuple[Any, ...], params: tuple[Any, ...] = ()) -> Tensor:
    """Record the application of an op to Tensors, literals and arrays.

    Eagerly the op runs; where an input is abstract, or while tracing, only the shape and dtype of the
    result are computed.
    """
    tensors = _coerce(op, inputs)
    mode = _mode()
    trace = mode.trace if mode is not None else None
    if trace is not None:
        tensors = tuple([trace.read(x) for x in tensors])
    if trace is not None or any(x.value is None for x in tensors):
        return _apply_abstract(op, tensors, params, mode)
    values = [x.value for x in tensors]
    try:
        value = op.forward(*values, *params) if op.arity is not None else op.forward(tuple(values), *params)
    except SymgradError:
        raise
    except (ValueError, TypeError, IndexError, np.linalg.LinAlgError) as error:
        raise explain(op, tensors, params, error) from None
    if op.outputs:
        value = tuple(value)
    elif type(value) is not _ndarray:
        value = np.asarray(value)
    level: Any = False
    for x in tensors:
        level |= x.requires_grad
    if mode is not None:
        level = level if mode.recording else False
        if mode.anomaly:
            check_finite(op.name, value, tensors)
    if level and op.pullback != () and (op.outputs or value.dtype.kind == "f"):
        return make(op, tensors, params, value, level)
    return make(op if op.outputs else None, tensors if op.outputs else (), params, value, False)


def _apply_abstract(op: Op, tensors: tuple[Tensor, ...], params: tuple[Any, ...], mode: Any) -> Tensor:
    scope = mode.scope if mode is not None else ()
    try:
        shape, dtype = infer(op, tensors, params)
    except SymgradError as error:
        raise type(error)(str(error) if str(error).startswith(op.name) else f"{op.name}: {error}") from None
    node = abstract(shape, dtype, op=op, inputs=tensors, params=params, scope=scope)
    floating = op.outputs or dtype.kind == "f"
    if not floating or op.pullback == () or (mode is not None and not mode.recording):
        node.requires_grad = False
    return node


def infer(op: Op, tensors: tuple[Tensor, ...], params: tuple[Any, ...]) -> tuple[Any, Any]:
    """Shape and dtype of the result of an op."""
    shapes = [x.shape for x in tensors]
    if op.shape is not None:
        shape = op.shape(*shapes, *params) if op.arity is not None else op.shape(tuple(shapes), *params)
    elif op.indices == "elementwise" or op.identity:
        shape = broadcast(*shapes)
    elif all(map(concrete, shapes)):
        empty = [np.zeros(s, x.dtype) for s, x in zip(shapes, tensors, strict=True)]
        shape = np.shape(op.forward(*empty, *params))
    else:
        raise ShapeError(
            f"{op.name}: declares no shape rule, so its sizes cannot be symbolic; add shape= to sg.op(...)"
        )
    if op.dtype is not None:
        fixed = isinstance(op.dtype, (type, str, np.dtype))
        dtype = np.dtype(op.dtype) if fixed else op.dtype(*[x.dtype for x in tensors], *params)
    elif op.indices == "elementwise":
        with np.errstate(all="ignore"):  # 1 may be a pole
            dtype = np.asarray(op.forward(*[np.ones((), x.dtype) for x in tensors], *params)).dtype
    else:
        dtype = np.result_type(*[x.dtype for x in tensors]) if tensors else np.dtype(np.float64)
    return shape, dtype


def outputs_of(node: Any) -> Any:
    """The outputs of a node that has several, as a tuple; anything else as it is."""
    if not isinstance(node, Tensor) or node.op is None or not node.op.outputs:
        return node
    return tuple([apply(OPS["item"], (node,), (k,)) for k in range(len(node.op.outputs))])


def check_finite(what: str, value: Any, inputs: tuple[Tensor, ...]) -> None:
    """Raise AnomalyError, naming the place, if a value is not finite."""
    for array in value if isinstance(value, tuple) else (value,):
        if array is None or np.asarray(array).dtype.kind != "f" or np.isfinite(array).all():
            continue
        array = np.asarray(array)
        index = tuple(int(k) for k in np.argwhere(~np.isfinite(array))[0])
        listed = ", ".join(x._describe() for x in inputs)
        bad = [x._describe() for x in inputs if x.value is not None and not _finite(x.value)]
        origin = f"not finite already: {', '.join(bad)}" if bad else "all inputs were finite"
        raise AnomalyError(f"{what}: produced {array[index]} at index {index} from inputs {listed}; {origin}")


def _finite(value: Any) -> bool:
    return all(np.isfinite(v).all() for v in (value if isinstance(value, tuple) else (value,)))


def recorder(op: Op) -> Callable[[Any, Any], Tensor]:
    """What ``a + b`` does with two operands, one of them a Tensor: the fast path of `apply`."""
    forward = op.forward

    def record(a: Any, b: Any) -> Tensor:
        if type(a) is not Tensor or type(b) is not Tensor or _mode() is not None:
            return _convert(op, (a, b))
        x, y = a.value, b.value
        level = a.requires_grad | b.requires_grad
        if x is None or y is None or x.dtype is not y.dtype or not level:
            return apply(op, (a, b))
        try:
            value = forward(x, y)
        except (ValueError, TypeError) as error:
            raise explain(op, (a, b), (), error) from None
        if type(value) is not _ndarray:
            value = np.asarray(value)
        node = _new(Tensor)
        node.op = op
        node._first = a
        node._second = b
        node.params = ()
        node.value = value
        node.serial = next_serial()
        node.requires_grad = level
        node._grad = None
        node.meta = None
        return node

    return record


def operator(name: str, record: Callable[[Any, Any], Tensor]) -> None:
    """Make a function of two operands an operator of Tensors, on both sides."""
    setattr(Tensor, f"__{name}__", record)
    setattr(Tensor, f"__r{name}__", lambda b, a: record(a, b))


def _convert(op: Op, inputs: tuple[Any, ...]) -> Tensor:
    """Apply, unless the other operand is of a kind that must answer for itself."""
    for x in inputs:
        if isinstance(x, (complex, np.complexfloating)):
            raise DTypeError(f"{op.name}: got the complex number {x}; symgrad works on real numbers")
        if not isinstance(x, (Tensor, Dim, _ndarray, list, tuple, *SCALARS)):
            return NotImplemented  # type: ignore[no-any-return]
    return apply(op, inputs)


def _on_tensor(op: Op, inputs: tuple[Any, ...], params: tuple[Any, ...]) -> Tensor:
    """What calling an op on a Tensor does; for one input without parameters, the fast path of `apply`."""
    x = inputs[0]
    if len(inputs) > 1 or params or op.arity != 1 or op.outputs or not op.pullback or _mode() is not None:
        return apply(op, inputs, params)
    value = x.value
    if value is None or not x.requires_grad:
        return apply(op, inputs)
    try:
        value = op.forward(value)
    except (ValueError, TypeError, IndexError) as error:
        raise error if isinstance(error, SymgradError) else explain(op, inputs, (), error) from None
    if type(value) is not _ndarray:
        value = np.asarray(value)
    node = _new(Tensor)
    node.op = op
    node._first = x
    node._second = None
    node.params = ()
    node.value = value
    node.serial = next_serial()
    node.requires_grad = x.requires_grad
    node._grad = None
    node.meta = None
    return node


def _on_list(op: Op, inputs: tuple[Any, ...], params: tuple[Any, ...]) -> Any:
    """What calling an op on a list does: the list is an array, unless it holds Tensors."""
    if op.promotes == ():  # takes tuples as they are
        return op.forward(*inputs, *params)
    inputs = tuple([array_like(x, op.name) if isinstance(x, (list, tuple)) else x for x in inputs])
    return op(*inputs, *params) if op.arity is not None else op(inputs, *params)


CONVERTERS[Tensor] = _on_tensor
CONVERTERS[list] = CONVERTERS[tuple] = _on_list
