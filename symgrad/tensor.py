"""`Tensor`, the one node class, and the leaves and constants that graphs start from."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgrad.context import MODE
from symgrad.errors import (
    DTypeError,
    GradientError,
    OpError,
    ShapeError,
    StaleGraphError,
    SymgradError,
    TracingError,
)
from symgrad.op import CONVERTERS, DISPLAY, FUNCTIONS, OPS, Op
from symgrad.operators import Operators
from symgrad.shapes import Dim, Shape, size_of

__all__ = ["Meta", "Tensor", "abstract", "array_like", "as_tensor", "check_fresh", "constant", "make", "operand",
           "reachable", "tensor"]  # fmt: skip

_FLOATS = (np.dtype(np.float64), np.dtype(np.float32))
SCALARS = (bool, int, float, np.bool_, np.integer, np.floating)
next_serial: Callable[[], int] = itertools.count(1).__next__
_mode = MODE.get
_ndarray = np.ndarray


class Meta:
    """What people see of a node (name, LaTeX, scope), and its spec where it has no value.

    ``spans`` are the modules that an eager node is the result of, innermost first: each with a serial number
    from before all of the module's own nodes. (An abstract node has its whole ``scope`` instead.)
    """

    __slots__ = ("dtype", "latex", "name", "positive", "scope", "shape", "spans")

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
        self.spans: tuple[tuple[int, str], ...] = ()


class Tensor(Operators):
    """An array that knows how it was computed: one node of the computation graph.

    Make leaves with `symgrad.tensor`; operators, methods, NumPy's functions and symgrad's functions
    on a Tensor make nodes. Nodes never change; a leaf changes by `assign` alone.

    Attributes
    ----------
    op : Op or None
        The op that made it; None for a leaf.
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

    __slots__ = ("_first", "_grad", "_second", "meta", "op", "params", "requires_grad", "serial", "value")

    # The inputs stand in two slots, not in a tuple (of more than two, the first slot holds a tuple): one object
    # less for the garbage collector to follow, which is half of what it costs to record a long chain.
    _first: Any
    _second: Tensor | None
    op: Op | None
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
    def inputs(self) -> tuple[Tensor, ...]:
        """The inputs of the op, in the order of its arguments, repeats kept."""
        a, b = self._first, self._second
        if b is not None:
            return (a, b)
        if a is None:
            return ()
        return (a,) if type(a) is Tensor else a

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
        return self._scalar("item()")

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

    def _scalar(self, what: str) -> Any:
        value = self._concrete(what)
        if value.size != 1:
            raise ShapeError(f"{what[:-2]}: {self._describe()} has {value.size} elements; {what} needs exactly 1")
        return value.item()

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
        return float(self._scalar("float()"))

    def __int__(self) -> int:
        return int(self._scalar("int()"))

    def __index__(self) -> int:
        if self.dtype.kind not in "iu":
            raise DTypeError(f"index: {self._describe()} is not an integer; make it one with int(x)")
        return int(self._scalar("index()"))

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
            raise GradientError(
                f"assign: {self._describe()} is computed, not a leaf; assign to the leaves it comes from"
            )
        mode = _mode()
        if mode is not None and mode.trace is not None:
            mode.trace.assign(self, new)
            return
        self._publish(_checked_value(new, self, "assign"))

    def _publish(self, value: NDArray[Any]) -> None:
        value.setflags(write=False)
        self.value = value
        self.serial = next_serial()

    # Differentiation

    def backward(self, gradient: Any = None) -> None:
        """Add the gradient of this scalar to ``.grad`` of every leaf below it.

        Parameters
        ----------
        gradient : array_like, optional
            The cotangent of this Tensor; needed unless it has one element.
        """
        FUNCTIONS["backward"](self, gradient)

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
        return _rebuild_last, (records_of(reachable([self])),)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if self.op is None:
            _, state = self.__reduce__()
            copies: list[Any] = [s.copy() if isinstance(s, _ndarray) else s for s in state]
            return _rebuild_leaf(*copies)
        _, (records,) = self.__reduce__()
        copied = []
        for record in records:
            if isinstance(record, Tensor):
                if id(record) not in memo:
                    memo[id(record)] = record.__deepcopy__(memo)
                copied.append(memo[id(record)])
            else:
                copied.append(record)
        return rebuild(copied)[-1]


def records_of(nodes: list[Tensor]) -> list[Any]:
    """Nodes, inputs before consumers, as flat data: leaves as they are, the others by place."""
    place = {node.serial: k for k, node in enumerate(nodes)}
    records: list[Any] = []
    for node in nodes:
        if node.op is None:
            records.append(node)
            continue
        check_fresh(node)
        places = tuple(place[x.serial] for x in node.inputs)
        records.append((node.op, places, node.params, node.value, node.requires_grad, _meta_state(node.meta)))
    return records


def _meta_state(meta: Meta | None) -> tuple[Any, ...] | None:
    if meta is None:
        return None
    return meta.name, meta.latex, meta.scope, meta.shape, meta.dtype, meta.positive


def _rebuild_leaf(value: Any, requires_grad: bool, grad: Any, meta: Any) -> Tensor:
    if value is not None:
        value = np.asarray(value)  # joblib maps files to a subclass of ndarray
        value.setflags(write=False)
    leaf = make(None, (), (), value, requires_grad)
    leaf.meta = Meta(*meta) if meta else None
    leaf._grad = grad
    return leaf


def rebuild(records: list[Any]) -> list[Tensor]:
    """The nodes of the records, with new serials in the same order."""
    nodes: list[Tensor] = []
    for record in records:
        if isinstance(record, Tensor):
            nodes.append(record)
            continue
        op, places, params, value, requires_grad, meta = record
        node = make(op, tuple(nodes[k] for k in places), params, value, requires_grad)
        node.meta = Meta(*meta) if meta else None
        nodes.append(node)
    return nodes


def _rebuild_last(records: list[Any]) -> Tensor:
    return rebuild(records)[-1]


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


def make(op: Op | None, inputs: tuple[Tensor, ...], params: tuple[Any, ...], value: Any, requires_grad: Any) -> Tensor:
    """A new node, with the next serial number."""
    node = _new(Tensor)
    node.op = op
    n = len(inputs)
    node._first = inputs if n > 2 else inputs[0] if n else None
    node._second = inputs[1] if n == 2 else None
    node.params = params
    node.value = value
    node.serial = next_serial()
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
    node = make(op, inputs, params, None, level)
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
    leaf = make(None, (), (), value, bool(requires_grad))
    if name is not None:
        leaf.meta = Meta(name=str(name))
    return leaf


def _array(data: Any, dtype: Any, where: str) -> NDArray[Any]:
    """A fresh array of a supported dtype."""
    source = data.dtype if isinstance(data, (_ndarray, np.generic)) else None
    if source is not None and source.kind == "c":
        dtype = None  # refused below; a cast would drop the imaginary part
    try:
        value = np.array(data, dtype=dtype)
    except (ValueError, TypeError, SymgradError) as error:
        if isinstance(error, SymgradError):
            raise
        raise _not_an_array(where, data, error) from None
    if value.dtype.kind == "O":
        raise _not_an_array(where, data, "it is or holds something that is no number")
    if not value.dtype.isnative:
        value = value.astype(value.dtype.newbyteorder("="))
    if value.dtype.kind not in "biuf" or (value.dtype.kind == "f" and value.dtype not in _FLOATS):
        raise DTypeError(
            f"{where}: {value.dtype} is not supported; symgrad works on float64, float32, integers and bool "
            "(real numbers): convert with .astype(np.float64)"
        )
    return value


def _not_an_array(where: str, data: Any, error: object) -> DTypeError:
    """The error for data that NumPy cannot make an array of."""
    return DTypeError(
        f"{where}: cannot make an array of {type(data).__name__}: {error}; pass numbers in a regular nest"
    )


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
    try:
        value = np.array(literal, dtype)
    except OverflowError as error:
        raise DTypeError(f"literal {literal!r}: {error}; convert the Tensor beside it with .astype(...)") from None
    return make(OPS["const"], (), (_plain(literal),), value, False)


def _plain(literal: Any) -> Any:
    return literal.item() if isinstance(literal, np.generic) else literal


def array_like(x: Any, where: str) -> Any:
    """A Tensor or array as it is, numbers in lists as an array."""
    if hasattr(x, "shape") and hasattr(x, "dtype"):
        return x
    if isinstance(x, (list, tuple)) and any(isinstance(v, Tensor) for v in x):
        raise DTypeError(f"{where}: got a {type(x).__name__} of Tensors; join them with sg.stack or sg.concatenate")
    return _array(x, None, where)


def holds(condition: Any) -> bool:
    """Whether a condition on a number is true; of a symbol, which has no value, it is not known and so it is not."""
    value = condition.value if isinstance(condition, Tensor) else condition
    return value is not None and bool(value)


def operand(x: Any, where: str) -> Any:
    """A Tensor, an array of numbers, a number or a scalar of another number system as it is; a list as an array."""
    if isinstance(x, (Tensor, *SCALARS)) or (isinstance(x, _ndarray) and x.dtype.kind in "biuf"):
        return x
    if not isinstance(x, (list, tuple)) and any(kind in CONVERTERS for kind in type(x).__mro__):
        return x
    return _array(array_like(x, where), None, where)


def as_tensor(x: Any, dtype: Any = None, where: str = "tensor") -> Tensor:
    """A Tensor as it is, a literal as a constant, a size as the op `size`, an array as a copied leaf."""
    if isinstance(x, Tensor):
        return x
    if isinstance(x, Dim):
        return abstract((), np.dtype(dtype or np.float64), op=OPS["size"], params=(x,))
    if isinstance(x, SCALARS):
        return constant(x, weak_dtype(x, dtype))
    value = _array(array_like(x, where), None, where)
    value.setflags(write=False)
    return make(None, (), (), value, False)


def weak_dtype(literal: Any, dtype: Any) -> np.dtype[Any]:
    """Dtype of a literal beside Tensors of the given dtype."""
    kind = "b" if isinstance(literal, (bool, np.bool_)) else "f" if isinstance(literal, (float, np.floating)) else "i"
    own = {"b": np.dtype(np.bool_), "i": np.dtype(np.int64), "f": np.dtype(np.float64)}[kind]
    if dtype is None or "bif".index(kind) > "biuf".replace("u", "").index("i" if dtype.kind == "u" else dtype.kind):
        return own
    return dtype  # type: ignore[no-any-return]
