"""Shape, order of axes, and joining."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.errors import ShapeError
from symgrad.op import FUNCTIONS, OPS, Op, builtin
from symgrad.shapes import as_shape, normalize_axes, normalize_axis, quotient, same_size, size_of
from symgrad.tensor import array_like

__all__ = ["broadcast_to", "concatenate", "expand_dims", "moveaxis", "permute", "ravel", "reshape", "squeeze",
           "stack", "swapaxes", "transpose"]  # fmt: skip


def _inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(k) for k in np.argsort(axes))


_reshape: Op = builtin("reshape", np.reshape,
                       pullback=(lambda g, y, x, shape: _reshape(g, x.shape),), params=("shape",),
                       indices="reshape", notation="{0}", view=True, shape=lambda own, shape: shape)  # fmt: skip

permute: Op = builtin("permute", np.transpose, pullback=(lambda g, y, x, axes: permute(g, _inverse(axes)),),
                      params=("axes",), indices="permute", notation=r"{0}^{{\mathsf T}}", view=True,
                      shape=lambda own, axes: tuple(own[k] for k in axes))  # fmt: skip

_unsqueeze: Op = builtin("unsqueeze", np.expand_dims,
                         pullback=(lambda g, y, x, axis: _squeeze(g, axis),), params=("axis",),
                         indices="unsqueeze", notation="{0}", view=True,
                         shape=lambda own, axis: _inserted(own, axis))  # fmt: skip

_squeeze: Op = builtin("squeeze", np.squeeze, pullback=(lambda g, y, x, axis: _unsqueeze(g, axis),), params=("axis",),
                       indices="squeeze", notation="{0}", view=True,
                       shape=lambda own, axis: tuple(n for k, n in enumerate(own) if k not in axis))  # fmt: skip


def _inserted(own: Any, axes: tuple[int, ...]) -> Any:
    rest = iter(own)
    return tuple(1 if k in axes else next(rest) for k in range(len(own) + len(axes)))


def reshape(x: Any, shape: Any, *, order: str = "C") -> Any:
    """The same elements in another shape; one size may be -1.

    Parameters
    ----------
    x : Tensor or array
    shape : int or tuple of int
        Symbolic sizes are fine.
    order : {"C"}
        Only row-major order.

    Raises
    ------
    ShapeError
        If the numbers of elements differ.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.reshape(sg.tensor([1.0, 2.0, 3.0, 4.0]), (2, -1)).shape
    (2, 2)
    """
    if order != "C":
        raise ShapeError(f"reshape: order {order!r} is not supported; transpose first, then reshape in C order")
    x, wanted = array_like(x, "reshape"), as_shape(shape, "reshape")
    own = tuple(x.shape)
    free = [k for k, n in enumerate(wanted) if type(n) is int and n == -1]
    if len(free) > 1:
        raise ShapeError(f"reshape: only one size may be -1, got {wanted}")
    if free:
        known = size_of([n for k, n in enumerate(wanted) if k != free[0]])
        rest = quotient(size_of(own), known)
        if rest is None:
            raise ShapeError(f"reshape: shape {own} does not fit into {wanted}: {size_of(own)} elements by {known}")
        wanted = tuple(rest if k == free[0] else n for k, n in enumerate(wanted))
    if not same_size(size_of(own), size_of(wanted)):
        raise ShapeError(f"reshape: shape {own} has {size_of(own)} elements, {wanted} has {size_of(wanted)}")
    return _reshape(x, wanted)


def ravel(x: Any) -> Any:
    """All elements in one axis."""
    x = array_like(x, "ravel")
    return x if len(x.shape) == 1 else _reshape(x, (size_of(x.shape),))


def transpose(x: Any, axes: Any = None) -> Any:
    """The axes in another order; reversed by default.

    Parameters
    ----------
    x : Tensor or array
    axes : tuple of int, optional
        A permutation of the axes.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.transpose(sg.tensor([[1.0, 2.0, 3.0]])).shape
    (3, 1)
    """
    x = array_like(x, "transpose")
    ndim = len(x.shape)
    if axes is None:
        order = tuple(range(ndim))[::-1]
    else:
        given = axes if isinstance(axes, (tuple, list)) else (axes,)
        order = tuple(normalize_axis(a, ndim, "transpose") for a in given)
        if sorted(order) != list(range(ndim)):
            raise ShapeError(f"transpose: axes {tuple(given)} is not a permutation of {tuple(range(ndim))}")
    return x if order == tuple(range(ndim)) else permute(x, order)


def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """Two axes exchanged."""
    x = array_like(x, "swapaxes")
    order = list(range(len(x.shape)))
    a, b = (normalize_axis(k, len(order), "swapaxes") for k in (axis1, axis2))
    order[a], order[b] = b, a
    return transpose(x, order)


def moveaxis(x: Any, source: Any, destination: Any) -> Any:
    """Axes moved to other places; the rest keep their order."""
    x = array_like(x, "moveaxis")
    ndim = len(x.shape)
    given = [k if isinstance(k, (tuple, list)) else (k,) for k in (source, destination)]
    places = [tuple(normalize_axis(k, ndim, "moveaxis") for k in ks) for ks in given]
    if len(places[0]) != len(places[1]) or any(len(set(ks)) != len(ks) for ks in places):
        raise ShapeError(f"moveaxis: source {source!r} and destination {destination!r} must be as many different axes")
    order = [k for k in range(ndim) if k not in places[0]]
    for to, k in sorted(zip(places[1], places[0], strict=True)):
        order.insert(to, k)
    return transpose(x, order)


def expand_dims(x: Any, axis: Any) -> Any:
    """New axes of size 1 at the given places of the result."""
    x = array_like(x, "expand_dims")
    given = axis if isinstance(axis, (tuple, list)) else (axis,)
    if not given:
        return x
    return _unsqueeze(x, normalize_axes(axis, len(x.shape) + len(given), "expand_dims"))


def squeeze(x: Any, axis: Any = None) -> Any:
    """Without the given axes, which must have size 1 (by default, all that have)."""
    x = array_like(x, "squeeze")
    one = tuple(k for k, n in enumerate(x.shape) if type(n) is int and n == 1)
    axes = one if axis is None else normalize_axes(axis, len(x.shape), "squeeze")
    wrong = [k for k in axes if k not in one]
    if wrong:
        raise ShapeError(f"squeeze: axis {wrong[0]} of shape {tuple(x.shape)} does not have size 1")
    return _squeeze(x, axes) if axes else x


def broadcast_to(x: Any, shape: Any) -> Any:
    """Repeat along axes of size 1, and along new leading axes."""
    wanted = as_shape(shape, "broadcast_to")
    return OPS["expand"](x, wanted)


def _joined(shapes: Any, axis: int) -> Any:
    first = shapes[0]
    for shape in shapes[1:]:
        if len(shape) != len(first) or not all(
            k == axis or same_size(a, b) for k, (a, b) in enumerate(zip(first, shape, strict=True))
        ):
            raise ShapeError(f"concatenate: shapes {tuple(map(tuple, shapes))} differ outside of axis {axis}")
    total: Any = 0
    for shape in shapes:
        total = total + shape[axis]
    return tuple(total if k == axis else n for k, n in enumerate(first))


def _parts(g: Any, y: Any, inputs: Any, params: Any) -> Any:
    (axis,) = params
    start: Any = 0
    parts = []
    for x in inputs:
        stop = start + x.shape[axis]
        parts.append(OPS["getitem"]((g,), (*(("slice", None, None, None),) * axis, ("slice", start, stop, None))))
        start = stop
    return parts


_concatenate: Op = builtin("concatenate", np.concatenate,
                           pullback=_parts, arity=None, params=("axis",), indices="opaque",
                           notation=r"[{0}, \ldots]", shape=_joined)  # fmt: skip


def concatenate(arrays: Any, axis: int = 0) -> Any:
    """Join along an existing axis.

    Parameters
    ----------
    arrays : sequence of Tensors or arrays
        Equal shapes but for the axis.
    axis : int
        Where to join.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.concatenate([sg.tensor([1.0]), sg.tensor([2.0, 3.0])])
    Tensor([1., 2., 3.])
    """
    items = list(arrays)
    if not items:
        raise ShapeError("concatenate: needs at least one array")
    items = [array_like(x, "concatenate") for x in items]
    if not len(items[0].shape):
        raise ShapeError("concatenate: scalars have no axis to join along; use stack")
    return _concatenate(items, normalize_axis(axis, len(items[0].shape), "concatenate"))


def stack(arrays: Any, axis: int = 0) -> Any:
    """Join along a new axis; shapes must be equal."""
    items = [array_like(x, "stack") for x in arrays]
    if not items:
        raise ShapeError("stack: needs at least one array")
    axis = normalize_axis(axis, len(items[0].shape) + 1, "stack")
    return concatenate([expand_dims(x, axis) for x in items], axis)


FUNCTIONS.update(
    broadcast_to=broadcast_to, concatenate=concatenate, expand_dims=expand_dims, moveaxis=moveaxis,
    ravel=ravel, reshape=reshape, squeeze=squeeze, stack=stack, swapaxes=swapaxes, transpose=transpose,
    permute_dims=transpose, concat=concatenate,
)  # fmt: skip
