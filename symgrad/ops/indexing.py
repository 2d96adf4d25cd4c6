"""Reading and adding at indices: one linear op, `getitem`, and its adjoint, `scatter`.

A key is encoded as a hashable tuple: integers, None (a new axis), ``("slice", start, stop, step)``,
and ``("array", k)`` for the k-th index array. Index arrays are inputs, never parameters.
"""

from __future__ import annotations

import contextlib
import itertools
import operator
from types import EllipsisType
from typing import Any

import numpy as np

from symgrad.errors import DataError, DTypeError, ShapeError, TracingError
from symgrad.op import FUNCTIONS, Op, builtin
from symgrad.shapes import Dim, as_shape, broadcast, concrete, normalize_axis, same_shape, same_size
from symgrad.tensor import Tensor, array_like

__all__ = ["getitem", "labels", "scatter", "take"]

Key = tuple[Any, ...]


def decode(key: Key, arrays: Any) -> Any:
    """The index of NumPy that an encoded key stands for."""
    decoded = []
    for part in key:
        if type(part) is not tuple:
            decoded.append(part)
        elif part[0] == "slice":
            decoded.append(slice(*part[1:]))
        else:
            decoded.append(arrays[part[1]])
    return tuple(decoded)


def _get(inputs: Any, key: Key) -> Any:
    x, *arrays = inputs
    return x[decode(key, arrays)]


def _scatter(inputs: Any, key: Key, shape: Any) -> Any:
    g, *arrays = inputs
    z = np.zeros(shape, g.dtype)
    where = decode(key, arrays)
    if arrays:
        np.add.at(z, where, g)
    else:
        z[where] = g
    return z


def _sliced(n: Any, part: Any) -> Any:
    """Number of elements that a slice takes of an axis; symbolic for plain steps."""
    _, start, stop, step = part
    if concrete([n, start, stop]):
        return len(range(*slice(start, stop, step).indices(n)))
    if (start, stop, step) == (None, None, -1):
        return n
    if step not in (None, 1):
        raise TracingError(f"getitem: a step of {step} over the symbolic size {n} is not known while tracing")
    return _edge(stop, n, n) - _edge(start, n, 0)


def _edge(at: Any, n: Any, default: Any) -> Any:
    if at is None:
        return default
    return n + at if type(at) is int and at < 0 else at


def indexed(shapes: Any, key: Key) -> Any:
    own, *arrays = shapes
    result: list[Any] = []
    gathered: list[int] = []
    axis = 0
    for part in key:
        if part is None:
            result.append(1)
            continue
        if axis >= len(own):
            raise ShapeError(f"getitem: too many indices for shape {tuple(own)}")
        if type(part) is tuple and part[0] == "slice":
            result.append(_sliced(own[axis], part))
        else:
            gathered.append(len(result))
            if type(part) is not tuple:
                _check_range(part, own[axis], axis)
        axis += 1
    result += own[axis:]
    if not arrays:
        return tuple(result)
    together = all(b == a for a, b in itertools.pairwise(gathered))
    at = gathered[0] if together else 0
    return (*result[:at], *broadcast(*arrays), *result[at:])


def _scattered(shapes: Any, key: Key, shape: Any) -> Any:
    place = indexed((shape, *shapes[1:]), key)
    if not same_shape(broadcast(shapes[0], place), place):
        raise ShapeError(f"scatter: shape {tuple(shapes[0])} does not fit into the place of shape {tuple(place)}")
    return shape


def _check_range(k: int, n: Any, axis: int) -> None:
    if type(n) is int and not -n <= k < n:
        raise ShapeError(f"getitem: index {k} is out of range for axis {axis} of size {n}")


get: Op = builtin(
    "getitem",
    _get,
    arity=None,
    pullback=lambda g, y, inputs, params: [add_at((g, *inputs[1:]), params[0], inputs[0].shape)],
    params=("key",),
    promotes=(),
    indices="gather",
    notation="{0}[...]",
    view=True,
    shape=indexed,
    dtype=lambda own, *rest: own,
)

add_at: Op = builtin(
    "scatter",
    _scatter,
    arity=None,
    pullback=lambda g, y, inputs, params: [get((g, *inputs[1:]), params[0])],
    params=("key", "shape"),
    promotes=(),
    indices="scatter",
    notation=r"\operatorname{{scatter}}({0})",
    shape=lambda shapes, key, shape: _scattered(shapes, key, shape),
    dtype=lambda own, *rest: own,
)


_UNSIGNED = {size: np.dtype(f"u{size}") for size in (1, 2, 4, 8)}


def _checked_labels(x: Any, classes: int, where: str) -> Any:
    unsigned = x.view(_UNSIGNED[x.dtype.itemsize])  # where a negative label is a huge one
    if x.size and not unsigned.item(unsigned.argmax()) < classes:  # several times quicker than the maximum
        at = int(np.argmax(((x < 0) | (x >= classes)).ravel()))
        raise DataError(f"{where}: label {x.ravel()[at]} at row {at} is outside of 0..{classes - 1}")
    return x.copy()


_labels: Op = builtin("labels", _checked_labels, pullback=(None,), params=("classes", "where"), promotes=(),
                      indices="identity", notation="{0}", shape=lambda own, classes, where: own,
                      dtype=lambda own, classes, where: own)  # fmt: skip


def labels(x: Any, classes: Any, where: str) -> Any:
    """Class labels as they are, checked whenever they are read: now, or when a graph or plan runs.

    Parameters
    ----------
    x : integers
    classes : int
        Labels are 0 to classes - 1.
    where : str
        What the error names.
    """
    checked = _labels(x, classes, where)
    return x if getattr(checked, "value", x) is not None else checked  # what was checked now keeps its name


def encode(key: Any, shape: Any, where: str) -> tuple[Key, list[Any]]:
    """The key in encoded form, and its index arrays."""
    parts = key if isinstance(key, tuple) else (key,)
    used = sum(_axes_of(p) for p in parts)
    if sum(p is Ellipsis for p in parts) > 1:
        raise ShapeError(f"{where}: an index may hold one '...' only")
    encoded: list[Any] = []
    arrays: list[Any] = []
    for part in parts:
        if isinstance(part, EllipsisType):
            encoded += [("slice", None, None, None)] * (len(shape) - used)
        elif part is None:
            encoded.append(None)
        elif isinstance(part, slice):
            encoded.append(("slice", *(_integer(v, where) for v in (part.start, part.stop, part.step))))
        elif isinstance(part, (int, np.integer)) and not isinstance(part, bool):
            encoded.append(operator.index(part))
        else:
            axis = sum(p is not None for p in encoded)
            for array in _index_arrays(part, axis, shape, where):
                encoded.append(("array", len(arrays)))
                arrays.append(array)
    if used > len(shape):
        raise ShapeError(f"{where}: {used} indices for shape {tuple(shape)}, which has {len(shape)} axes")
    return tuple(encoded), arrays


def _integer(value: Any, where: str) -> Any:
    if value is None or isinstance(value, Dim):
        return value
    try:
        return operator.index(value)
    except TypeError:
        raise ShapeError(f"{where}: slice bounds are integers, got {value!r}") from None


def _axes_of(part: Any) -> int:
    if part is None or part is Ellipsis:
        return 0
    dtype = getattr(part, "dtype", None)
    if isinstance(part, (list, bool)):
        with contextlib.suppress(ValueError):  # a ragged list is refused when it is read
            array = np.asarray(part)
            return array.ndim if array.dtype == np.bool_ else 1
    return part.ndim if dtype == np.bool_ else 1


def _index_arrays(part: Any, axis: int, shape: Any, where: str) -> list[Any]:
    """Integer index arrays of one part of a key; a boolean mask becomes one per axis."""
    try:
        array = part if isinstance(part, Tensor) else np.asarray(part)
    except ValueError:
        raise ShapeError(f"{where}: the index {part!r} is not a regular nest of numbers") from None
    if array.dtype == np.bool_:
        if not array.ndim:
            raise ShapeError(f"{where}: a single truth value is not an index; use an integer, or a mask of the shape")
        if isinstance(array, Tensor):
            if array.value is None:
                raise TracingError(
                    f"{where}: a boolean mask picks a number of elements that depends on its values, which are not "
                    "known while tracing; use sg.where(mask, a, b)"
                )
            array = array.numpy()
        if not all(map(same_size, shape[axis : axis + array.ndim], array.shape)):
            raise ShapeError(f"{where}: a mask of shape {array.shape} does not fit shape {tuple(shape)} at axis {axis}")
        return list(np.nonzero(array))
    if not array.size:
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise DTypeError(f"{where}: an index must be integers, slices, None, '...' or a mask, got {array.dtype}")
    return [array]


def getitem(x: Any, key: Any) -> Any:
    """Index as NumPy does: integers, slices, None, ``...``, integer arrays, boolean masks.

    Parameters
    ----------
    x : Tensor or array
    key : index
        A mask picks by value, so it works eagerly only.

    Examples
    --------
    >>> import symgrad as sg
    >>> x = sg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> sg.getitem(x, [0, 0, 2]).sum().backward()
    >>> x.grad
    array([2., 0., 1.])
    """
    x = array_like(x, "getitem")
    encoded, arrays = encode(key, x.shape, "getitem")
    return get((x, *arrays), encoded)


def take(x: Any, indices: Any, axis: int | None = None, out: None = None, mode: str = "raise") -> Any:
    """Elements along an axis at integer indices (of any shape), as `numpy.take`.

    Parameters
    ----------
    x : Tensor or array
    indices : integers
    axis : int, optional
        By default of the flattened array.
    out : None
        For NumPy's order of arguments.
    mode : {"raise", "wrap", "clip"}
        What an index out of range means: an error, counting on from the start, or the nearest element.
    """
    if out is not None or mode not in ("raise", "wrap", "clip"):
        raise ShapeError(f"take: takes no out=, and the modes 'raise', 'wrap' and 'clip', got {mode!r}")
    x = array_like(x, "take")
    if axis is None:
        x, axis = FUNCTIONS["ravel"](x), 0
    axis = normalize_axis(axis, len(x.shape), "take")
    index = array_like(indices, "take")
    if mode == "wrap":
        index = index % x.shape[axis]
    elif mode == "clip":
        index = FUNCTIONS["clip"](index, 0, x.shape[axis] - 1)
    return getitem(x, (*(slice(None),) * axis, index))


def scatter(g: Any, key: Any, shape: Any) -> Any:
    """Zeros of a shape with g added at an index: the adjoint of `getitem`.

    Parameters
    ----------
    g : Tensor or array
        Of the shape that indexing gives.
    key : index
        As in `getitem`; repeated places add up.
    shape : tuple of int

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.scatter(sg.tensor([1.0, 2.0, 3.0]), [0, 0, 2], (4,))
    Tensor([3., 0., 3., 0.])
    """
    wanted = as_shape(shape, "scatter")
    encoded, arrays = encode(key, wanted, "scatter")
    return add_at((array_like(g, "scatter"), *arrays), encoded, wanted)


FUNCTIONS.update(getitem=getitem, take=take, scatter=scatter)
