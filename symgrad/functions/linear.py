"""Products of vectors and matrices by name: all are `matmul` and `einsum`."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from symgrad.errors import ShapeError
from symgrad.op import function
from symgrad.ops.layout import expand_dims, moveaxis, ravel, reshape, squeeze, stack, swapaxes, transpose
from symgrad.ops.product import einsum, matmul
from symgrad.ops.reduction import sum
from symgrad.ops.solving import inv
from symgrad.shapes import broadcast, normalize_axis, same_size, size_of
from symgrad.tensor import array_like

__all__ = [
    "addbmm",
    "addmm",
    "addmv",
    "addr",
    "baddbmm",
    "bilinear",
    "bmm",
    "cross",
    "inner",
    "linear",
    "matrix_power",
    "matvec",
    "mm",
    "multi_dot",
    "mv",
    "tensordot",
    "vdot",
    "vecdot",
    "vecmat",
]


@function()
def inner(a: Any, b: Any) -> Any:
    """Sums of products over the last axes; products with a scalar."""
    a, b = array_like(a, "inner"), array_like(b, "inner")
    if not len(a.shape) or not len(b.shape):
        return a * b
    if not same_size(a.shape[-1], b.shape[-1]):
        raise ShapeError(f"inner: shapes {tuple(a.shape)} and {tuple(b.shape)} differ on the last axis")
    return tensordot(a, b, ((-1,), (-1,)))


@function()
def vdot(a: Any, b: Any) -> Any:
    """Sum of products of all elements of two arrays of equal size."""
    return inner(ravel(a), ravel(b))


@function()
def vecdot(x1: Any, x2: Any, axis: int = -1) -> Any:
    """Sums of products along an axis; the other axes broadcast."""
    x1, x2 = array_like(x1, "vecdot"), array_like(x2, "vecdot")
    for x in (x1, x2):
        if not len(x.shape):
            raise ShapeError("vecdot: scalars have no axis to sum along; use *")
    if not same_size(x1.shape[axis], x2.shape[axis]):
        raise ShapeError(f"vecdot: shapes {tuple(x1.shape)} and {tuple(x2.shape)} differ on axis {axis}")
    wide = x1 * x2
    return sum(wide, axis)


@function()
def matvec(x1: Any, x2: Any) -> Any:
    """Matrices times vectors: the last two axes of x1 and the last of x2."""
    return squeeze(matmul(x1, expand_dims(x2, -1)), -1)


@function()
def vecmat(x1: Any, x2: Any) -> Any:
    """Vectors times matrices: the last axis of x1 and the last two of x2."""
    return squeeze(matmul(expand_dims(x1, -2), x2), -2)


@function()
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """Sums of products over several axes of each array.

    Parameters
    ----------
    a, b : Tensor or array
    axes : int, or (axes of a, axes of b)
        A number means the last axes of a and the first of b.

    Examples
    --------
    >>> import numpy as np, symgrad as sg
    >>> sg.tensordot(sg.tensor(np.ones((2, 3))), np.ones((3, 4)), 1).shape
    (2, 4)
    """
    a, b = array_like(a, "tensordot"), array_like(b, "tensordot")
    if np.ndim(axes) == 0:
        n = operator.index(axes)
        if not 0 <= n <= min(len(a.shape), len(b.shape)):
            raise ShapeError(f"tensordot: axes={n} for shapes {tuple(a.shape)} and {tuple(b.shape)}")
        left, right = tuple(range(len(a.shape) - n, len(a.shape))), tuple(range(n))
    else:
        given = [k if isinstance(k, (tuple, list)) else (k,) for k in axes]
        left, right = (
            tuple(normalize_axis(k, len(x.shape), "tensordot") for k in ks) for x, ks in zip((a, b), given, strict=True)
        )
    if [a.shape[k] for k in left] != [b.shape[k] for k in right]:
        raise ShapeError(f"tensordot: shapes {tuple(a.shape)} and {tuple(b.shape)} differ on the axes {left}, {right}")
    rows = [k for k in range(len(a.shape)) if k not in left]
    columns = [k for k in range(len(b.shape)) if k not in right]
    total = size_of(a.shape, left)
    flat_a = reshape(transpose(a, (*rows, *left)), (size_of(a.shape, rows), total))
    flat_b = reshape(transpose(b, (*right, *columns)), (total, size_of(b.shape, columns)))
    shape = (*(a.shape[k] for k in rows), *(b.shape[k] for k in columns))
    return reshape(matmul(flat_a, flat_b), shape)


@function()
def multi_dot(arrays: Any) -> Any:
    """Product of several matrices (the first and last may be vectors), in the order of least work."""
    items = [array_like(x, "multi_dot") for x in arrays]
    if len(items) < 2 or any(len(x.shape) != 2 for x in items[1:-1]):
        raise ShapeError("multi_dot: needs at least two arrays, matrices but for the first and the last")
    if any(len(x.shape) not in (1, 2) for x in items):
        raise ShapeError("multi_dot: the first and the last must be matrices or vectors")
    first, last = len(items[0].shape) == 1, len(items[-1].shape) == 1
    items[0] = expand_dims(items[0], 0) if first else items[0]
    items[-1] = expand_dims(items[-1], 1) if last else items[-1]
    sizes = [*(x.shape[0] for x in items), items[-1].shape[1]]
    y = _in_order(items, _best_order(sizes), 0, len(items) - 1)
    drop = ((0,) if first else ()) + ((1,) if last else ())
    return squeeze(y, drop) if drop else y


def _best_order(sizes: list[int]) -> dict[tuple[int, int], int]:
    """Where to split every chain of matrices (Cormen et al., Introduction to Algorithms, 15.2)."""
    n = len(sizes) - 1
    cost = {(k, k): 0 for k in range(n)}
    split = {}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            choices = {k: cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1] for k in range(i, j)}
            split[i, j] = min(choices, key=choices.__getitem__)
            cost[i, j] = choices[split[i, j]]
    return split


def _in_order(items: list[Any], split: Any, i: int, j: int) -> Any:
    if i == j:
        return items[i]
    k = split[i, j]
    return matmul(_in_order(items, split, i, k), _in_order(items, split, k + 1, j))


@function()
def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """Vector product along an axis of three elements (of two: the third component alone), as `numpy.cross`.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.cross(sg.tensor([1.0, 0.0, 0.0]), [0.0, 1.0, 0.0])
    Tensor([0., 0., 1.])
    """
    a, b = array_like(a, "cross"), array_like(b, "cross")
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = moveaxis(a, axisa, -1), moveaxis(b, axisb, -1)
    if any(x.shape[-1] not in (2, 3) for x in (a, b)):
        raise ShapeError(f"cross: vectors have two or three elements, got {a.shape[-1]} and {b.shape[-1]}")
    x, y = (tuple(v[..., k] for k in range(v.shape[-1])) for v in (a, b))
    third = x[0] * y[1] - x[1] * y[0]
    if len(x) == len(y) == 2:
        return third
    zero = (0.0,)
    (a0, a1, a2), (b0, b1, b2) = (v if len(v) == 3 else v + zero for v in (x, y))
    parts = [a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, third]
    return moveaxis(stack(parts, -1), -1, axisc)


@function()
def matrix_power(a: Any, n: int) -> Any:
    """Square matrices multiplied n times with themselves; negative powers are those of the inverse."""
    a, n = array_like(a, "matrix_power"), operator.index(n)
    if len(a.shape) < 2 or not same_size(a.shape[-1], a.shape[-2]):
        raise ShapeError(f"matrix_power: needs square matrices, got shape {tuple(a.shape)}")
    if n < 0:
        return matrix_power(inv(a), -n)
    if n == 0:
        return a * 0 + np.eye(a.shape[-1], dtype=a.dtype)
    y, square = None, a
    while n:
        if n & 1:
            y = square if y is None else matmul(y, square)
        n >>= 1
        square = matmul(square, square) if n else square
    return y


# torch's names


def mm(input: Any, mat2: Any) -> Any:
    """Product of two matrices."""
    return matmul(_with_axes(input, 2, "mm"), _with_axes(mat2, 2, "mm"))


def mv(input: Any, vec: Any) -> Any:
    """A matrix times a vector."""
    return matmul(_with_axes(input, 2, "mv"), _with_axes(vec, 1, "mv"))


def bmm(input: Any, mat2: Any) -> Any:
    """Products of two lists of matrices of equal length."""
    a, b = _with_axes(input, 3, "bmm"), _with_axes(mat2, 3, "bmm")
    if not same_size(a.shape[0], b.shape[0]):
        raise ShapeError(f"bmm: {a.shape[0]} matrices by {b.shape[0]}; matmul broadcasts")
    return matmul(a, b)


def _with_axes(x: Any, n: int, where: str) -> Any:
    x = array_like(x, where)
    if len(x.shape) != n:
        raise ShapeError(f"{where}: needs {n} axes, got shape {tuple(x.shape)}")
    return x


def _fitting(input: Any, shape: Any, where: str) -> Any:
    input = array_like(input, where)
    if broadcast(input.shape, shape) != tuple(shape):
        raise ShapeError(
            f"{where}: shape {tuple(input.shape)} does not broadcast to that of the product, {tuple(shape)}"
        )
    return input


def _added(name: str, product: Any, formula: str) -> Any:
    def add(input: Any, left: Any, right: Any, *, beta: float = 1, alpha: float = 1) -> Any:
        y = product(left, right)
        input = _fitting(input, y.shape, name)
        return alpha * y if beta == 0 else beta * input + alpha * y

    add.__name__ = add.__qualname__ = name
    add.__doc__ = f"{formula}, with torch's arguments; beta = 0 leaves the input out."
    return function()(add)


def _outer(a: Any, b: Any) -> Any:
    return expand_dims(_with_axes(a, 1, "addr"), 1) * expand_dims(_with_axes(b, 1, "addr"), 0)


addmm = _added("addmm", mm, "beta input + alpha left @ right for matrices")
addmv = _added("addmv", mv, "beta input + alpha left @ right for a matrix and a vector")
addr = _added("addr", _outer, "beta input + alpha times all products of two vectors")
baddbmm = _added("baddbmm", bmm, "beta input + alpha left @ right for lists of matrices")
addbmm = _added("addbmm", lambda a, b: sum(bmm(a, b), 0), "beta input + alpha times the sum of all left @ right")


@function()
def linear(input: Any, weight: Any, bias: Any = None) -> Any:
    r"""The layer :math:`x W^{\mathsf T} + b`, weights as torch stores them (outputs by inputs)."""
    weight = array_like(weight, "linear")
    y = matmul(input, swapaxes(weight, -1, -2) if len(weight.shape) > 1 else weight)
    return y if bias is None else y + bias


@function()
def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Any:
    r"""The layer :math:`y_o = \sum_{ij} x_i W_{oij} z_j + b_o`."""
    y = einsum("...i,oij,...j->...o", input1, weight, input2)
    return y if bias is None else y + bias
