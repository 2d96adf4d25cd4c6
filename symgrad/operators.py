"""The operators and methods of `Tensor`: NumPy's names, each looked up in the tables when called."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import signature
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from symgrad.errors import ShapeError, SymgradError, UnsupportedError
from symgrad.op import FUNCTIONS

if TYPE_CHECKING:
    from symgrad.tensor import Tensor

__all__ = ["Operators"]


_QUESTIONS = (np.shape, np.ndim, np.size)


class Operators:
    """What a Tensor can do by NumPy's operators, methods and function dispatch."""

    __slots__ = ()

    if TYPE_CHECKING:

        @property
        def shape(self) -> tuple[Any, ...]:
            """Sizes of the axes."""

        @property
        def ndim(self) -> int:
            """Number of axes."""

        def _describe(self) -> str: ...

        def __getattr__(self, name: str) -> Any: ...  # METHODS

        def _operator(self, other: Any) -> Tensor: ...

        __add__ = __sub__ = __mul__ = __truediv__ = __pow__ = _operator
        __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __rpow__ = _operator

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
        if func in _QUESTIONS and not options and len(args) == 1:
            return getattr(args[0], func.__name__)
        found = FUNCTIONS.get(func.__name__)
        if found is None or func in _QUESTIONS:
            raise UnsupportedError(
                f"np.{func.__name__} is not differentiable in symgrad; "
                "use x.numpy() for plain arrays, or declare it with sg.op(...)"
            )
        try:
            return found(*args, **options)
        except TypeError as error:
            if isinstance(error, SymgradError):
                raise
            raise UnsupportedError(f"np.{func.__name__}: {error}; on Tensors it takes {signature(found)}") from error

    # Operators (those of every formula are set by `recording.operator`, where the ops are declared)

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
        return _call("negative", self)

    def __pos__(self) -> Tensor:
        return self  # type: ignore[return-value]

    def __abs__(self) -> Tensor:
        return _call("abs", self)

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


METHODS = ("all", "any", "argmin", "argsort", "cumprod", "cumsum", "dot", "round", "swapaxes", "take")


def _method(name: str) -> Any:
    def method(self: Tensor, *args: Any, **options: Any) -> Any:
        return FUNCTIONS[name](self, *args, **options)

    method.__name__, method.__qualname__ = name, f"Tensor.{name}"
    method.__doc__ = f"`symgrad.{name}` of this Tensor; the arguments are those of NumPy's method."
    return method


for _name in METHODS:
    setattr(Operators, _name, _method(_name))


def _call(name: str, *args: Any, **options: Any) -> Tensor:
    result: Tensor = FUNCTIONS[name](*args, **options)
    return result
