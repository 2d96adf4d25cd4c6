"""`Tensor`, the one node class, and `apply`, which records the application of an op."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from symgrad.context import MODE
from symgrad.errors import (
    AnomalyError,
    DTypeError,
    GradientError,
    OpError,
    ShapeError,
    StaleGraphError,
    SymgradError,
    TracingError,
    UnsupportedError,
)
from symgrad.op import CONVERTERS, DISPLAY, FUNCTIONS, OPS, Op
from symgrad.shapes import Dim, Shape, broadcast, concrete, same_shape, size_of

__all__ = ["Meta", "Tensor", "abstract", "apply", "as_tensor", "constant", "reachable", "tensor"]

_FLOATS = (np.dtype(np.float64), np.dtype(np.float32))
_SCALARS = (bool, int, float, np.bool_, np.integer, np.floating)
_next_serial: Callable[[], int] = itertools.count(1).__next__
_mode = MODE.get
_ndarray = np.ndarray


class Meta:
    """What people see of a node (name, LaTeX, scope), and its spec where it has no value."""

    __slots__ = ("dtype", "latex", "name", "positive", "scope", "shape")

    def __init__(
        self,
        name: str | None = None,
        latex: str | None = None,
        scope: tuple[str, ...] = (),
        shape: Any = None,
        dtype: Any = None,
        positive: bool = False,
    ) -> None:
        self.name, self.latex, self.scope = name, latex, scope
        self.shape, self.dtype, self.positive = shape, dtype, positive


class Tensor:
    """An array that knows how it was computed: one node of the computation graph.

    Make leaves with `symgrad.tensor`; operators, methods, NumPy's functions and symgrad's functions
    on a Tensor make nodes. Nodes never change; a leaf changes by `assign` alone.

    Attributes
    ----------
    op : Op or None
        The op that made it; None for a leaf.
    inputs : tuple of Tensor
        In the order of the op's arguments, repeats kept.
    params : tuple
        The op's static parameters.
    value : ndarray or None
        None where the node is abstract (while tracing).
    serial : int
        Grows with creation, so that sorting by it is a topological order.
    requires_grad : bool
        Whether gradients flow to it.
    grad : ndarray or None
        What `backward` added up (leaves only).

    Examples
    --------
    >>> import symgrad as sg
    >>> x = sg.tensor([1.0, 2.0], name="x", requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    array([2., 4.])
    """

    __slots__ = ("_grad", "inputs", "meta", "op", "params", "requires_grad", "serial", "value")

    op: Op | None
    inputs: tuple[Tensor, ...]
    params: tuple[Any, ...]
    value: Any
    serial: int
    requires_grad: Any  # bit 0: an ordinary leaf below; bit 1: an argument of a running transform below
    meta: Meta | None
    _grad: Any

    def __init__(self) -> None:
        raise OpError("Tensor: make one with sg.tensor(data), or abstractly with sg.spec(...)")

    # What it is

    @property
    def shape(self) -> Shape:
        """Sizes of the axes; while tracing they may be symbolic."""
        value = self.value
        if value is None:
            return self.meta.shape  # type: ignore[union-attr, no-any-return]
        return value.shape if type(value) is _ndarray else tuple(v.shape for v in value)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Element type."""
        value = self.value
        if value is None:
            return self.meta.dtype  # type: ignore[union-attr, no-any-return]
        return value.dtype if type(value) is _ndarray else tuple(v.dtype for v in value)  # type: ignore[return-value]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> Any:
        """Number of elements."""
        return size_of(self.shape)

    @property
    def name(self) -> str | None:
        """The name that the author gave, if any."""
        return self.meta.name if self.meta is not None else None

    @property
    def latex(self) -> str | None:
        """The LaTeX of the name, if the author gave it."""
        return self.meta.latex if self.meta is not None else None

    @property
    def scope(self) -> tuple[str, ...]:
        """Names of the modules that it was traced in, outermost first."""
        return self.meta.scope if self.meta is not None else ()

    @property
    def is_leaf(self) -> bool:
        """Whether no op made it."""
        return self.op is None

    @property
    def grad(self) -> Any:
        """What `backward` added up for this leaf, or None."""
        mode = _mode()
        if mode is not None and mode.trace is not None:
            return mode.trace.grad_of(self)
        return self._grad

    @grad.setter
    def grad(self, new: Any) -> None:
        mode = _mode()
        if mode is not None and mode.trace is not None:
            mode.trace.set_grad(self, new)
        else:
            self._grad = new

    # Leaving the graph

    def numpy(self) -> NDArray[Any]:
        """The value as a read-only array; `np.asarray(x)` is the same. Never on an abstract Tensor."""
        return self._concrete("numpy()")

    def item(self) -> Any:
        """The value of a one-element Tensor as a Python scalar."""
        value = self._concrete("item()")
        if value.size != 1:
            raise ShapeError(f"item: {self._describe()} has {value.size} elements; item() needs exactly 1")
        return value.item()

    def tolist(self) -> Any:
        """The value as nested lists of Python scalars."""
        return self._concrete("tolist()").tolist()

    def detach(self) -> Tensor:
        """The same value, cut off from the graph."""
        return FUNCTIONS["stop_gradient"](self)  # type: ignore[no-any-return]

    def _concrete(self, what: str) -> NDArray[Any]:
        mode = _mode()
        if self.value is None or (mode is not None and mode.trace is not None):
            raise TracingError(
                f"{what} of {self._describe()} is not known while tracing; keep it a Tensor, choose between "
                "values with sg.where(condition, a, b), or compute the decision outside of the traced function"
            )
        self.value.setflags(write=False)
        return self.value  # type: ignore[no-any-return]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        value = self._concrete("np.asarray()")
        return np.array(value, dtype=dtype, copy=copy)

    def __bool__(self) -> bool:
        value = self._concrete("bool()")
        if value.size != 1:
            raise ShapeError(
                f"bool: the truth of {self._describe()} is ambiguous; reduce it with sg.all or sg.any, or use sg.where"
            )
        return bool(value)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.dtype.kind not in "iu":
            raise DTypeError(f"index: {self._describe()} is not an integer; make it one with int(x)")
        return int(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item() if spec else str(self), spec)

    # Changing a leaf

    def assign(self, new: Any) -> None:
        """Give a leaf a new value of the same shape; graphs recorded before become stale.

        Parameters
        ----------
        new : array_like or Tensor, shape of the leaf
            Copied. Cast to the leaf's dtype where that loses no kind (float64 to float32 is fine).

        Raises
        ------
        GradientError
            If this is not a leaf.
        ShapeError
            If the shape differs.
        """
        if self.op is not None:
            raise GradientError(f"assign: {self._describe()} is computed, not a leaf; assign to the leaves it comes from")
        mode = _mode()
        if mode is not None and mode.trace is not None:
            mode.trace.assign(self, new)
            return
        self._publish(_checked_value(new, self, "assign"))

    def _publish(self, value: NDArray[Any]) -> None:
        value.setflags(write=False)
        self.value = value
        self.serial = _next_serial()

    # Differentiation

    def backward(self, gradient: Any = None) -> None:
        """Add the gradient of this scalar to ``.grad`` of every leaf below it.

        Parameters
        ----------
        gradient : array_like, optional
            The cotangent of this Tensor; needed unless it has one element.
        """
        FUNCTIONS["backward"](self, gradient)

    # NumPy

    __array_priority__ = 1000

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if options.get("out") is not None:
            raise UnsupportedError(f"{ufunc.__name__}: out= would change a node; assign the result to a name instead")
        found = FUNCTIONS.get(ufunc.__name__)
        if method != "__call__" or found is None:
            raise UnsupportedError(
                f"np.{ufunc.__name__}{'' if method == '__call__' else '.' + method} is not differentiable in symgrad; "
                "use x.numpy() for plain arrays, or declare it with sg.op(...)"
            )
        return found(*inputs, **options)

    def __array_function__(self, func: Any, types: Any, args: Any, options: Any) -> Any:
        if options.get("out") is not None:
            raise UnsupportedError(f"{func.__name__}: out= would change a node; assign the result to a name instead")
        found = FUNCTIONS.get(func.__name__)
        if found is None:
            raise UnsupportedError(
                f"np.{func.__name__} is not differentiable in symgrad; "
                "use x.numpy() for plain arrays, or declare it with sg.op(...)"
            )
        return found(*args, **options)

    # Operators

    def __add__(self, other: Any) -> Tensor:
        return _binary("add", self, other)

    def __radd__(self, other: Any) -> Tensor:
        return _binary("add", other, self)

    def __sub__(self, other: Any) -> Tensor:
        return _binary("subtract", self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return _binary("subtract", other, self)

    def __mul__(self, other: Any) -> Tensor:
        return _binary("multiply", self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return _binary("multiply", other, self)

    def __truediv__(self, other: Any) -> Tensor:
        return _binary("divide", self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return _binary("divide", other, self)

    def __pow__(self, other: Any) -> Tensor:
        if type(other) is int and other == 2:
            return _unary("square", self)
        return _binary("power", self, other)

    def __rpow__(self, other: Any) -> Tensor:
        return _binary("power", other, self)

    def __mod__(self, other: Any) -> Tensor:
        return _call("remainder", self, other)

    def __rmod__(self, other: Any) -> Tensor:
        return _call("remainder", other, self)

    def __floordiv__(self, other: Any) -> Tensor:
        return _call("floor_divide", self, other)

    def __rfloordiv__(self, other: Any) -> Tensor:
        return _call("floor_divide", other, self)

    def __matmul__(self, other: Any) -> Tensor:
        return _call("matmul", self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return _call("matmul", other, self)

    def __neg__(self) -> Tensor:
        return _unary("negative", self)

    def __pos__(self) -> Tensor:
        return self

    def __abs__(self) -> Tensor:
        return _unary("abs", self)

    def __invert__(self) -> Tensor:
        return _call("logical_not", self)

    def __and__(self, other: Any) -> Tensor:
        return _call("logical_and", self, other)

    def __or__(self, other: Any) -> Tensor:
        return _call("logical_or", self, other)

    def __eq__(self, other: object) -> Tensor:  # type: ignore[override]
        return _call("equal", self, other)

    def __ne__(self, other: object) -> Tensor:  # type: ignore[override]
        return _call("not_equal", self, other)

    def __lt__(self, other: Any) -> Tensor:
        return _call("less", self, other)

    def __le__(self, other: Any) -> Tensor:
        return _call("less_equal", self, other)

    def __gt__(self, other: Any) -> Tensor:
        return _call("greater", self, other)

    def __ge__(self, other: Any) -> Tensor:
        return _call("greater_equal", self, other)

    __hash__ = object.__hash__

    def __getitem__(self, key: Any) -> Tensor:
        return _call("getitem", self, key)

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        raise UnsupportedError(
            "item assignment would change a node of the graph; build a new Tensor with sg.where or sg.scatter, "
            "or give a leaf a new value with leaf.assign(array)"
        )

    def __len__(self) -> int:
        if not self.ndim:
            raise ShapeError(f"len: {self._describe()} has no axes")
        return self.shape[0]  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[Tensor]:
        if not self.ndim:
            raise ShapeError(f"iteration: {self._describe()} has no axes")
        return (self[k] for k in range(self.shape[0]))

    # Methods by NumPy's names

    @property
    def T(self) -> Tensor:
        """All axes reversed."""
        return _call("transpose", self)

    def sum(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """Sum over the axes."""
        return _call("sum", self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """Mean over the axes."""
        return _call("mean", self, axis=axis, keepdims=keepdims)

    def prod(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """Product over the axes."""
        return _call("prod", self, axis=axis, keepdims=keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """Largest element along the axes."""
        return _call("max", self, axis=axis, keepdims=keepdims)

    def min(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """Smallest element along the axes."""
        return _call("min", self, axis=axis, keepdims=keepdims)

    def var(self, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
        """Variance along the axes."""
        return _call("var", self, axis=axis, ddof=ddof, keepdims=keepdims)

    def std(self, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
        """Standard deviation along the axes."""
        return _call("std", self, axis=axis, ddof=ddof, keepdims=keepdims)

    def argmax(self, axis: Any = None) -> Tensor:
        """Index of the first largest element."""
        return _call("argmax", self, axis=axis)

    def reshape(self, *shape: Any) -> Tensor:
        """The same elements in another shape."""
        return _call("reshape", self, shape[0] if len(shape) == 1 else shape)

    def ravel(self) -> Tensor:
        """All elements in one axis."""
        return _call("ravel", self)

    flatten = ravel

    def transpose(self, *axes: Any) -> Tensor:
        """The axes in another order; reversed by default."""
        return _call("transpose", self, *((axes[0] if len(axes) == 1 else axes,) if axes else ()))

    def squeeze(self, axis: Any = None) -> Tensor:
        """Without axes of size 1."""
        return _call("squeeze", self, axis=axis)

    def astype(self, dtype: Any) -> Tensor:
        """With another element type."""
        return _call("astype", self, dtype)

    def clip(self, min: Any = None, max: Any = None) -> Tensor:
        """Limited to an interval."""
        return _call("clip", self, min, max)

    # Text

    def _describe(self) -> str:
        shape = ", ".join(map(str, self.shape)) + ("," if len(self.shape) == 1 else "")
        kind = self.name or (f"<{self.op.name}>" if self.op is not None else "a leaf")
        return f"{kind} {self.dtype}({shape})"

    def __repr__(self) -> str:
        if self.value is None:
            if self.op is not None and self.op.outputs:
                return f"Tensor(<{self.op.name}> -> {self.op.outputs})"
            body = f"{self.dtype}[{', '.join(map(str, self.shape))}]"
        else:
            body = np.array2string(self.value, separator=", ", prefix="Tensor(")
        extra = f", name={self.name!r}" if self.name else ""
        extra += f", op={self.op.name}" if self.op is not None else ""
        extra += ", requires_grad=True" if self.op is None and self.requires_grad else ""
        return f"Tensor({body}{extra})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        show = DISPLAY.get("tensor")
        return show(self) if show is not None else {"text/plain": repr(self)}

    # Copy and pickle

    def __reduce__(self) -> Any:
        if self.op is None:
            return _rebuild_leaf, (self.value, bool(self.requires_grad), self._grad, _meta_state(self.meta))
        order = reachable([self])
        place = {node.serial: k for k, node in enumerate(order)}
        records = []
        for node in order:
            if node.op is None:
                records.append(node)
                continue
            check_fresh(node)
            places = tuple(place[x.serial] for x in node.inputs)
            value = node.value
            records.append((node.op, places, node.params, value, node.requires_grad, _meta_state(node.meta)))
        return _rebuild, (records,)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if self.op is None:
            _, state = self.__reduce__()
            return _rebuild_leaf(*[s.copy() if isinstance(s, _ndarray) else s for s in state])
        _, (records,) = self.__reduce__()
        copied = []
        for record in records:
            if isinstance(record, Tensor):
                if id(record) not in memo:
                    memo[id(record)] = record.__deepcopy__(memo)
                copied.append(memo[id(record)])
            else:
                copied.append(record)
        return _rebuild(copied)


def _meta_state(meta: Meta | None) -> tuple[Any, ...] | None:
    if meta is None:
        return None
    return meta.name, meta.latex, meta.scope, meta.shape, meta.dtype, meta.positive


def _rebuild_leaf(value: Any, requires_grad: bool, grad: Any, meta: Any) -> Tensor:
    if value is not None:
        value.setflags(write=False)
    leaf = _make(None, (), (), value, requires_grad)
    leaf.meta = Meta(*meta) if meta else None
    leaf._grad = grad
    return leaf


def _rebuild(records: list[Any]) -> Tensor:
    """The graph of the records, with new serials in the same order."""
    nodes: list[Tensor] = []
    for record in records:
        if isinstance(record, Tensor):
            nodes.append(record)
            continue
        op, places, params, value, requires_grad, meta = record
        node = _make(op, tuple(nodes[k] for k in places), params, value, requires_grad)
        node.meta = Meta(*meta) if meta else None
        nodes.append(node)
    return nodes[-1]


def reachable(roots: Any) -> list[Tensor]:
    """Every node at or below the roots, inputs before their consumers; no recursion."""
    found = {root.serial: root for root in roots}
    stack = list(found.values())
    while stack:
        for x in stack.pop().inputs:
            if x.serial not in found:
                found[x.serial] = x
                stack.append(x)
    return [found[s] for s in sorted(found)]


def check_fresh(node: Tensor) -> None:
    """Raise StaleGraphError if an input of the node changed after the node was recorded."""
    for x in node.inputs:
        if x.serial > node.serial:
            raise StaleGraphError(
                f"the leaf {x._describe()} was assigned a new value after {node._describe()} was computed from it; "
                "compute the forward pass again before differentiating"
            )


# Making nodes


def _make(op: Op | None, inputs: tuple[Tensor, ...], params: tuple[Any, ...], value: Any, requires_grad: Any) -> Tensor:
    node = _new(Tensor)
    node.op = op
    node.inputs = inputs
    node.params = params
    node.value = value
    node.serial = _next_serial()
    node.requires_grad = requires_grad
    node._grad = None
    node.meta = None
    return node


_new: Callable[[type[Tensor]], Tensor] = object.__new__


def abstract(
    shape: Any, dtype: Any, *, op: Op | None = None, inputs: tuple[Tensor, ...] = (), params: Any = (), **meta: Any
) -> Tensor:
    """A node without a value; its spec stands in its meta."""
    level: Any = False
    for x in inputs:
        level |= x.requires_grad
    node = _make(op, inputs, params, None, level)
    node.meta = Meta(shape=shape, dtype=dtype, **meta)
    return node


def tensor(data: Any, *, name: str | None = None, requires_grad: bool = False, dtype: Any = None) -> Tensor:
    """Make a leaf from data, which is copied.

    Parameters
    ----------
    data : array_like
        Numbers; Python floats become float64.
    name : str, optional
        Shown in formulas, pictures and errors.
    requires_grad : bool
        Whether `backward` fills its ``.grad``.
    dtype : dtype, optional
        float64, float32, bool or an integer type.

    Returns
    -------
    Tensor

    Raises
    ------
    DTypeError
        If the data are not real numbers, or integers asked for gradients.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.tensor([[1.0, 2.0]], name="x", requires_grad=True)
    Tensor([[1., 2.]], name='x', requires_grad=True)
    """
    if isinstance(data, Tensor):
        data = data.numpy()
    value = _array(data, dtype, "tensor")
    if requires_grad and value.dtype not in _FLOATS:
        raise DTypeError(
            f"tensor: gradients need floats, got {value.dtype}; write 3.0 instead of 3, or pass dtype=np.float64"
        )
    value.setflags(write=False)
    leaf = _make(None, (), (), value, bool(requires_grad))
    if name is not None:
        leaf.meta = Meta(name=str(name))
    return leaf


def _array(data: Any, dtype: Any, where: str) -> NDArray[Any]:
    """A fresh array of a supported dtype."""
    try:
        value = np.array(data, dtype=dtype)
    except (ValueError, TypeError, SymgradError) as error:
        if isinstance(error, SymgradError):
            raise
        raise _not_an_array(where, data, error) from None
    if value.dtype.kind not in "biuf" or (value.dtype.kind == "f" and value.dtype not in _FLOATS):
        raise DTypeError(
            f"{where}: {value.dtype} is not supported; symgrad works on float64, float32, integers and bool "
            "(real numbers): convert with .astype(np.float64)"
        )
    return value if value.dtype.isnative else value.astype(value.dtype.newbyteorder("="))


def _not_an_array(where: str, data: Any, error: Exception) -> DTypeError:
    """The error for data that NumPy cannot make an array of."""
    return DTypeError(f"{where}: cannot make an array of {type(data).__name__}: {error}; pass numbers in a regular nest")


def _checked_value(new: Any, leaf: Tensor, where: str) -> NDArray[Any]:
    value = _array(new.numpy() if isinstance(new, Tensor) else new, None, where)
    if value.shape != leaf.shape:
        raise ShapeError(f"{where}: {leaf._describe()} got a value of shape {value.shape}")
    if value.dtype is not leaf.dtype:
        if leaf.dtype.kind != "f" and value.dtype.kind == "f":
            raise DTypeError(f"{where}: {leaf._describe()} got {value.dtype}; convert it first")
        value = value.astype(leaf.dtype)
    return value


def constant(literal: Any, dtype: Any) -> Tensor:
    """A literal as a node, which keeps its Python text."""
    return _make(OPS["const"], (), (_plain(literal),), np.array(literal, dtype), False)


def _plain(literal: Any) -> Any:
    return literal.item() if isinstance(literal, np.generic) else literal


def as_tensor(x: Any, dtype: Any = None) -> Tensor:
    """A Tensor as it is, a literal as a constant, a size as the op `size`, an array as a copied leaf."""
    if isinstance(x, Tensor):
        return x
    if isinstance(x, Dim):
        return abstract((), np.dtype(dtype or np.float64), op=OPS["size"], params=(x,))
    if isinstance(x, _SCALARS):
        return constant(x, _weak(x, dtype))
    return tensor(x)


def _weak(literal: Any, dtype: Any) -> np.dtype[Any]:
    """dtype of a literal beside Tensors of the given dtype."""
    kind = "b" if isinstance(literal, (bool, np.bool_)) else "f" if isinstance(literal, (float, np.floating)) else "i"
    own = {"b": np.dtype(np.bool_), "i": np.dtype(np.int64), "f": np.dtype(np.float64)}[kind]
    if dtype is None or "bif".index(kind) > "biuf".replace("u", "").index("i" if dtype.kind == "u" else dtype.kind):
        return own
    return dtype  # type: ignore[no-any-return]


# Applying ops


def _coerce(op: Op, inputs: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """Tensors of fitting dtypes: literals are weak, integers and bools never widen floats."""
    count = range(len(inputs))
    promoted = count if op.promotes is None else op.promotes
    kinds = [x.dtype for k in promoted if isinstance(x := inputs[k], (Tensor, _ndarray))]
    target = _common(kinds)
    found = []
    for k in count:
        x = as_tensor(inputs[k], target if k in promoted else None)
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
        raise _explain(op, tensors, params, error) from None
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
        return _make(op, tensors, params, value, level)
    return _make(op if op.outputs else None, tensors if op.outputs else (), params, value, False)


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
        raise ShapeError(f"{op.name}: declares no shape rule, so its sizes cannot be symbolic; add shape= to sg.op(...)")
    if op.dtype is not None:
        dtype = op.dtype(*[x.dtype for x in tensors], *params) if callable(op.dtype) else np.dtype(op.dtype)
    elif op.indices == "elementwise":
        dtype = np.asarray(op.forward(*[np.ones((), x.dtype) for x in tensors], *params)).dtype
    else:
        dtype = np.result_type(*[x.dtype for x in tensors]) if tensors else np.dtype(np.float64)
    return shape, dtype


def _explain(op: Op, tensors: tuple[Tensor, ...], params: tuple[Any, ...], error: Exception) -> SymgradError:
    """The failure of a forward as an error that names op, arguments and remedy."""
    shapes = [x.shape for x in tensors]
    if op.indices == "elementwise":
        try:
            broadcast(*shapes)
        except ShapeError as mismatch:
            return ShapeError(f"{op.name}: {mismatch}")
    listed = ", ".join(x._describe() for x in tensors)
    named = "".join(f", {n}={v!r}" for n, v in zip(op.params, params, strict=False))
    kind = DTypeError if isinstance(error, TypeError) else ShapeError
    return kind(f"{op.name}: {error}; the arguments were {listed}{named}")


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


def _call(name: str, *args: Any, **options: Any) -> Any:
    return FUNCTIONS[name](*args, **options)


def _unary(name: str, x: Tensor) -> Tensor:
    """The op of this name on one Tensor: the fast path of `apply`."""
    op = OPS[name]
    value = x.value
    if value is None or not x.requires_grad or _mode() is not None:
        return apply(op, (x,))
    value = op.forward(value)
    if type(value) is not _ndarray:
        value = np.asarray(value)
    node = _new(Tensor)
    node.op = op
    node.inputs = (x,)
    node.params = ()
    node.value = value
    node.serial = _next_serial()
    node.requires_grad = x.requires_grad
    node._grad = None
    node.meta = None
    return node


def _binary(name: str, a: Any, b: Any) -> Tensor:
    """The op of this name on two operands, one of them a Tensor: the fast path of `apply`."""
    op = OPS[name]
    if type(a) is not Tensor or type(b) is not Tensor or _mode() is not None:
        return _convert(op, (a, b))
    x, y = a.value, b.value
    level = a.requires_grad | b.requires_grad
    if x is None or y is None or x.dtype is not y.dtype or not level:
        return apply(op, (a, b))
    try:
        value = op.forward(x, y)
    except (ValueError, TypeError) as error:
        raise _explain(op, (a, b), (), error) from None
    if type(value) is not _ndarray:
        value = np.asarray(value)
    node = _new(Tensor)
    node.op = op
    node.inputs = (a, b)
    node.params = ()
    node.value = value
    node.serial = _next_serial()
    node.requires_grad = level
    node._grad = None
    node.meta = None
    return node


def _convert(op: Op, inputs: tuple[Any, ...]) -> Tensor:
    """Apply, unless the other operand is of a kind that must answer for itself."""
    for x in inputs:
        if not isinstance(x, (Tensor, Dim, _ndarray, list, tuple, *_SCALARS)):
            return NotImplemented  # type: ignore[no-any-return]
    return apply(op, inputs)


def _on_tensor(op: Op, inputs: tuple[Any, ...], params: tuple[Any, ...]) -> Tensor:
    """What calling an op on a Tensor does."""
    if len(inputs) == 1 and not params and op.arity == 1:
        x = inputs[0]
        if x.value is not None and x.requires_grad and _mode() is None and op.pullback and not op.outputs:
            value = op.forward(x.value)
            if type(value) is _ndarray and value.dtype.kind == "f":
                return _make(op, inputs, (), value, x.requires_grad)
    return apply(op, inputs, params)


CONVERTERS[Tensor] = _on_tensor


def shapes_match(a: Any, b: Any) -> bool:
    """Whether two arrays or Tensors have the same shape, symbolic sizes included."""
    return a.shape == b.shape if type(a) is _ndarray else same_shape(a.shape, b.shape)
