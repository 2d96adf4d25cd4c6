"""How a plan computes what is found element by element: one call of a ufunc, and the memory that it writes.

Large results are written to memory that the caller gets, from the first call on that only leads to them.

A row that is repeated for all samples is a special case: NumPy's inner loops run over blocks of elements, for which it
copies a shorter row again and again, and that takes as long as the arithmetic. Large arrays are therefore seen with
several samples in one row, as long as a block, and the short row is copied that many times, once. In small ones NumPy
takes longest to see how shapes broadcast, so what is repeated is copied to the whole shape.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.graph import Graph
from symgrad.passes import builtin_name
from symgrad.plan.recycling import LARGE, Recycler
from symgrad.plan.storage import Storage, order_of
from symgrad.shapes import size_of
from symgrad.tensor import Tensor

if TYPE_CHECKING:
    from symgrad.plan.writer import Writer

__all__ = ["by_ufunc", "hosts_of", "out_argument", "write"]

WIDE = 1 << 15  # elements from which on longer rows cost less than a copy of the whole shape


def by_ufunc(node: Tensor) -> bool:
    """Whether a ufunc with an array for its result computes a node."""
    op = node.op
    return op is not None and op.indices == "elementwise" and op.out and len({x.dtype for x in node.inputs}) == 1


def out_argument(ufunc: Any, out: str) -> str:
    """The output by position, which is quicker, but for the two ufuncs that warn about it."""
    return f"out={out}" if ufunc in (np.maximum, np.minimum) else out


def hosts_of(graph: Graph, storage: Storage) -> dict[int, Tensor]:
    """What is computed in an array that the caller gets -> the large output whose array that is.

    That is the output itself, if a ufunc computes it, and what only its ufunc reads, and what only that one's reads.
    """
    outputs = [y.serial for y in graph.outputs]
    counts = {node.serial: n for node, n in graph.fan_out().items()}
    fixed = {storage.root[new.serial] for _, new in graph.assigned} | storage.wanted.keys() | storage.steady
    fixed |= {x.serial for node in graph.nodes for x in node.inputs if not (by_ufunc(node) or _multiplies(node))}
    hosts: dict[int, Tensor] = {}
    for y in graph.outputs:
        large = int(size_of(y.shape)) * y.dtype.itemsize >= LARGE
        x: Tensor | None = y if large and outputs.count(y.serial) == 1 else None
        while x is not None and by_ufunc(x) and x.serial not in fixed:
            hosts[x.serial] = y
            alike = [i for i in x.inputs if counts[i.serial] == 1 and i.serial not in outputs]
            x = next((i for i in alike if (tuple(i.shape), i.dtype) == (tuple(y.shape), y.dtype)), None)
    return hosts


def _multiplies(node: Tensor) -> bool:
    return builtin_name(node) == "matmul"


def write(w: Writer, node: Tensor, args: list[str], wanted: str) -> None:
    """The call that computes a node."""
    y = w.hosts.get(node.serial)
    if y is None:
        out = w.bind(wanted, w.storage.out(node, node.inputs))
    else:
        before = [w.array(x) for x in node.inputs if w.hosts.get(x.serial) is y]
        out = before[0] if before else _new(w, y)
        w.storage.release(node)
    w.name_of[node.serial] = out
    ufunc = node.op.forward  # type: ignore[union-attr]
    samples = _samples(w, node)
    if samples > 1:
        *args, out = _lengthened(w, node, [*args, out], samples)
    else:
        args = _repeated(w, node, args, out)
    w.line(f"{ufunc.__name__}({', '.join([*args, out_argument(ufunc, out)])})")


def _repeated(w: Writer, node: Tensor, names: list[str], out: str) -> list[str]:
    """The names of the inputs; for a short one, a copy in the shape of the result, in its memory if that is free."""
    array = w.names.get(out)
    shapes = [tuple(x.shape) for x in node.inputs]
    if len(shapes) != 2 or array is None or array.ndim < 2 or array.size >= WIDE or not w.is_flat(out):
        return names
    full = [w.names.get(name) for name, shape in zip(names, shapes, strict=True) if shape == array.shape]
    short = [k for k, shape in enumerate(shapes) if 1 < int(size_of(shape)) < array.size]
    if len(full) != 1 or len(short) != 1 or full[0] is None or full[0].strides != array.strides:
        return names
    (k,) = short
    dtype = node.inputs[k].dtype
    free = dtype == array.dtype and not np.may_share_memory(array, full[0])
    copy = out if free else w.scratch(array.shape, dtype, order_of(array))
    w.line(f"copyto({copy}, {names[k]})")
    return [copy if i == k else name for i, name in enumerate(names)]


def _new(w: Writer, y: Tensor) -> str:
    """The name of the array that the caller gets for an output."""
    name = w.bind(y.name or w.numbered("result"), None)
    w.line(f"{name} = {w.bind(f'new_{name}', Recycler(tuple(y.shape), y.dtype))}()")
    w.fresh.add(y.serial)
    return name


def _samples(w: Writer, node: Tensor) -> int:
    """How many samples to see as one row; 1 if rows stay as they are."""
    shape, block = tuple(node.shape), np.getbufsize()
    rows = [x for x in node.inputs if tuple(x.shape) in (shape[1:], (1, *shape[1:]))]
    others = [x for x in node.inputs if tuple(x.shape) == shape]
    if len(shape) != 2 or (len(rows), len(others)) != (1, 1) or len(node.inputs) != 2:
        return 1
    if shape[0] * shape[1] < WIDE or shape[1] >= block or not all(_by_rows(w, x) for x in (node, *others)):
        return 1
    least = -(-block // shape[1])
    return next((k for k in range(least, min(4 * least, shape[0])) if shape[0] % k == 0), 1)


def _by_rows(w: Writer, x: Tensor) -> bool:
    """Whether an array lies row by row, as far as is known."""
    array = w.storage.arrays.get(x.serial)
    return array is None or bool(array.flags.c_contiguous)


def _lengthened(w: Writer, node: Tensor, names: list[str], samples: int) -> list[str]:
    """The names of a call's arrays with several samples in a row, and of rows that are copied as often."""
    batch, features = map(int, node.shape)
    long = (batch // samples, samples * features)
    result = []
    for x, name in zip((*node.inputs, node), names, strict=True):
        if tuple(x.shape) == (batch, features):
            result.append(w.shaped(name, long))
        else:
            copies = w.scratch((samples, features), x.dtype)
            w.line(f"copyto({copies}, {name})")
            result.append(w.shaped(copies, long[1:]))
    return result
