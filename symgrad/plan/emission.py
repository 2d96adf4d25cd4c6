"""How each op is written in a plan where that differs from a call of its ufunc: the table `EMIT`.

An entry gets the writer, the node, the names of its inputs and the name of its buffer, and writes
lines; it returns False where it does not apply, and the op's forward is called instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.op import OPS
from symgrad.ops.sliding import find_first, parts_of
from symgrad.passes import builtin_name
from symgrad.plan.rewriting import SHORT
from symgrad.plan.storage import order_of, same_memory
from symgrad.shapes import size_of
from symgrad.tensor import Tensor

if TYPE_CHECKING:
    from symgrad.plan.writer import Writer

__all__ = ["CALLED", "EMIT", "SCALARS", "VIEWS"]


def _matmul(w: Writer, node: Tensor, args: list[str], out: str) -> bool:
    if any(len(x.shape) != 2 for x in node.inputs):
        w.line(f"matmul({args[0]}, {args[1]}, {out})")
    elif _of_rows(w, node, args, out):
        turned = w.scratch((node.shape[1], node.shape[0]), node.dtype)
        w.line(f"dot({w.turned(args[1])}, {w.turned(args[0])}, {turned})")
        w.line(f"copyto({out}, {w.turned(turned)})")
    elif w.names[out].flags.c_contiguous:
        w.line(f"dot({args[0]}, {args[1]}, {out})")
    else:
        w.line(f"dot({w.turned(args[1])}, {w.turned(args[0])}, {w.turned(out)})")
    return True


def _of_rows(w: Writer, node: Tensor, args: list[str], out: str) -> bool:
    """Whether a large product is that of few rows with many: BLAS takes the many first, at up to twice the speed.

    Turning the result costs what that wins where a row has about twice as many terms as there are rows.
    """
    a, b = w.names.get(args[0]), w.names.get(args[1])
    if a is None or b is None or not w.names[out].flags.c_contiguous:
        return False
    large = size_of(node.shape) * a.shape[1] >= SHORT and a.dtype == b.dtype == node.dtype
    few = node.shape[0] < node.shape[1] and 3 * node.shape[0] <= a.shape[1]
    return bool(large and few and a.flags.c_contiguous and b.flags.f_contiguous)


def _summed(node: Tensor) -> tuple[int, ...]:
    """The axes that sum, mean or sum_to reduce."""
    (x,) = node.inputs
    if node.op.name != "sum_to":  # type: ignore[union-attr]
        return node.params[0]  # type: ignore[no-any-return]
    extra = len(x.shape) - len(node.shape)
    return tuple(k for k in range(len(x.shape)) if k < extra or (node.shape[k - extra] == 1 and x.shape[k] != 1))


def _sum(w: Writer, node: Tensor, args: list[str], out: str) -> bool:
    (x,) = node.inputs
    if x.dtype != node.dtype:
        return False
    axes, keepdims = _summed(node), len(node.shape) == len(x.shape)
    scale = int(size_of(x.shape, axes)) if node.op.name == "mean" else 1  # type: ignore[union-attr]
    if len(x.shape) == 2 and len(axes) == 1 and x.dtype.kind == "f":
        n = x.shape[axes[0]]
        shape = (n,) if not keepdims else (1, n) if axes == (0,) else (n, 1)
        weights = w.constant(np.full(shape, 1 / scale, x.dtype), "ones" if scale == 1 else "mean_weights")
        factors = (weights, args[0]) if axes == (0,) else (args[0], weights)
        w.line(f"dot({factors[0]}, {factors[1]}, {out})")
        return True
    n = int(size_of(x.shape))
    if len(axes) == len(x.shape) and x.dtype.kind == "f" and w.is_flat(args[0]) and n <= SHORT:
        weights = w.constant(np.full(n, 1 / scale, x.dtype), "ones" if scale == 1 else "mean_weights")
        w.line(f"dot({weights}, {w.flat(args[0])}, {w.shaped(out, ())})")
        return True
    if builtin_name(x) == "windows" and axes == tuple(range(len(node.shape), len(x.shape))) and n > size_of(node.shape):
        first, *parts = [_at_place(w, args[0], offset) for offset in np.ndindex(*x.shape[len(node.shape) :])]
        for part in parts:
            w.line(f"add({first}, {part}, {out})")
            first = out
    else:  # sum_to may drop some axes and keep others
        target = out if keepdims else w.shaped(out, tuple(n for k, n in enumerate(x.shape) if k not in axes))
        w.line(f"add.reduce({args[0]}, {axes!r}, None, {target}, {keepdims})")
    if scale != 1:
        w.line(f"divide({out}, {w.constant(np.asarray(scale, node.dtype), 'count')}, {out})")
    return True


_EXTREME = {"max": "maximum", "min": "minimum"}


def _max(w: Writer, node: Tensor, args: list[str], out: str) -> bool:
    axes, keepdims = node.params
    (x,) = node.inputs
    array = w.names.get(args[0])
    if len(x.shape) == 2 and axes == (1,) and array is not None and x.shape[1] <= 64:
        turned = w.turned(args[0])  # along the first axis a reduction is quicker
        if array.flags.c_contiguous:
            turned = w.scratch((x.shape[1], x.shape[0]), x.dtype)
            w.line(f"copyto({turned}, {w.turned(args[0])})")
        w.line(f"{_EXTREME[node.op.name]}.reduce({turned}, 0, None, {w.flat(out)})")  # type: ignore[union-attr]
        return True
    w.line(f"{_EXTREME[node.op.name]}.reduce({args[0]}, {axes!r}, None, {out}, {keepdims})")  # type: ignore[union-attr]
    return True


def _where(w: Writer, node: Tensor, args: list[str], out: str) -> bool:
    """A choice against 0 is a product of the bits with the mask: much quicker than a masked copy, and right for NaN."""
    test, a, b = node.inputs
    zero = b.op is not None and b.op.name == "const" and b.params[0] == 0 and not np.signbit(b.value)
    if zero and a.dtype == node.dtype and a.dtype.kind == "f" and w.names.get(out) is not None:
        mask = args[0]
        if int(size_of(test.shape)) <= SHORT and w.names.get(mask) is not None:  # numbers of one kind multiply quicker
            mask = w.scratch(test.shape, f"int{8 * a.dtype.itemsize}", order_of(w.names[mask]))
            w.line(f"copyto({mask}, {args[0]})")
        w.line(f"multiply({w.bits(args[1], a.dtype)}, {mask}, {w.bits(out, a.dtype)})")
        return True
    w.line(f"copyto({out}, {args[2]})")
    w.line(f"copyto({out}, {args[1]}, where={args[0]})")
    return True


def _einsum(w: Writer, node: Tensor, args: list[str], out: str) -> bool:
    """Sums of products, ``ab,ab->b`` over samples and ``ab,ab->`` over all, by products that beat np.einsum."""
    sources, _, target = node.params[0].partition("->")
    if not target and len(set(sources.split(","))) == 1 and len(args) == 2 and len({x.dtype for x in node.inputs}) == 1:
        flat = all(map(w.is_flat, args)) and len({order_of(w.names[a]) for a in args}) == 1
        w.line(f"dot({w.flat(args[0])}, {w.flat(args[1])}, {out})" if flat else f"{out}[()] = vdot({', '.join(args)})")
        return True
    column_sums = len(node.inputs) == 2 and sources == f"{sources[0]}{target},{sources[0]}{target}" and len(target) == 1
    if not column_sums or len({x.dtype for x in node.inputs}) != 1:
        w.line(f"einsum({node.params[0]!r}, {', '.join(args)}, out={out})")
        return True
    rows = node.inputs[0].shape[0]
    array = w.names.get(args[0])
    product = w.scratch(node.inputs[0].shape, node.dtype, "C" if array is None else order_of(array))
    w.line(f"multiply({args[0]}, {args[1]}, {product})")
    w.line(f"dot({w.constant(np.ones(rows, node.dtype), 'ones')}, {product}, {out})")
    return True


def _relu(w: Writer, node: Tensor, args: list[str], out: str) -> bool:
    zeros = w.constant(np.zeros(node.shape, node.dtype, order_of(w.names[out])), "zeros")
    w.line(f"maximum({args[0]}, {zeros}, out={out})")
    return True


def index(key: Any, arrays: list[str]) -> str:
    """An encoded key as the text between brackets."""
    parts = []
    for part in key:
        if type(part) is not tuple:
            parts.append(repr(part))
        elif part[0] == "slice":
            start, stop, step = ("" if v is None else str(v) for v in part[1:])
            parts.append(f"{start}:{stop}" + (f":{step}" if step else ""))
        else:
            parts.append(arrays[part[1]])
    return ", ".join(parts) or "()"


def _scatter(w: Writer, node: Tensor, args: list[str], out: str) -> bool:
    g, *arrays = args
    where = index(node.params[0], arrays)
    w.line(f"{out}.fill(0)")
    if not arrays:
        w.line(f"{out}[{where}] = {g}")
        return True
    if ":" in where:
        return False
    w.line(f"add.at({out}, ({where},), {g})")
    return True


def _add_at(w: Writer, node: Tensor, args: list[str], out: str) -> bool:
    x, g, *arrays = args
    if not same_memory(w.storage.arrays[node.serial], w.storage.arrays.get(node.inputs[0].serial)):
        w.line(f"copyto({out}, {x})")
    where = index(node.params[0], arrays)
    if ":" in where:
        return False
    w.line(f"add.at({out}, ({where},), {g})")
    return True


def _product(w: Writer, node: Tensor, args: list[str], out: str) -> bool:
    w.line(f"multiply.reduce({args[0]}, 0, None, {out})")
    return True


def _astype(w: Writer, node: Tensor, args: list[str], out: str) -> bool:
    w.line(f"copyto({out}, {args[0]}, casting='unsafe')")
    return True


def _window_max(w: Writer, node: Tensor, args: list[str], out: str) -> bool:
    """The parts of all windows one after the other."""
    parts = _window_parts(w, args[0], node.shape, node.params)
    if len(parts) < 2:
        return False
    w.line(f"maximum({parts[0]}, {parts[1]}, out={out})")
    for part in parts[2:]:
        w.line(f"maximum({out}, {part}, out={out})")
    return True


def _window_argmax(w: Writer, node: Tensor, args: list[str], out: str) -> bool:
    """The comparisons of all parts, in one call that looks for missing numbers only if there are some."""
    array = w.names.get(args[0])
    if array is None:
        return False
    parts = w.bind(f"{args[0]}_parts", parts_of(array, node.shape, *node.params[1:]))
    room = w.scratch((2, *node.shape), np.bool_)
    w.line(f"{w.fixed(find_first, 'find_first')}({parts}, {args[1]}, {out}, *{room})")
    return True


def _window_put(w: Writer, node: Tensor, args: list[str], out: str) -> bool:
    """Bits of g times the test whether it is this place: added where windows overlap, else written."""
    g, k = node.inputs
    _shape, *geometry = node.params
    if g.dtype.kind != "f" or w.names.get(out) is None:
        return False
    _, size, step, dilation = geometry
    apart = all(d == 1 and s >= n for n, s, d in zip(size, step, dilation, strict=True))
    parts = _window_parts(w, out, g.shape, geometry)
    test = w.scratch(k.shape, np.bool_)
    chosen = w.scratch(g.shape, g.dtype)
    if not (apart and g.size * len(parts) == node.size):
        w.line(f"{out}.fill(0)")
    for j, part in enumerate(parts):
        w.line(f"equal({args[1]}, {w.constant(np.asarray(j, k.dtype), f'place_{j}')}, {test})")
        w.line(f"multiply({w.bits(args[0], g.dtype)}, {test}, {w.bits(part if apart else chosen, g.dtype)})")
        if not apart:
            w.line(f"add({part}, {chosen}, {part})")
    return True


def _overlap_add(w: Writer, node: Tensor, args: list[str], out: str) -> bool:
    """Every place in the windows in turn."""
    (g,) = node.inputs
    _, *geometry = node.params
    counts = g.shape[: len(g.shape) - len(geometry[1])]
    w.line(f"{out}.fill(0)")
    offsets = np.ndindex(*geometry[1])
    for offset, part in zip(offsets, _window_parts(w, out, counts, geometry), strict=True):
        w.line(f"add({part}, {_at_place(w, args[0], offset)}, {part})")
    return True


def _at_place(w: Writer, name: str, offset: tuple[int, ...]) -> str:
    """What windows that are axes of an array have at one place: a name bound once, or the text."""
    if w.names.get(name) is None:
        return f"{name}[..., {', '.join(map(str, offset))}]"
    return w.bind("_".join([name, "at", *map(str, offset)]), w.names[name][(..., *offset)])


def _window_parts(w: Writer, name: str, counts: Any, geometry: Any) -> list[str]:
    """Names of the views that hold what all windows have at one place; none if the array is not fixed."""
    array = w.names.get(name)
    if array is None:
        return []
    return [w.bind(f"{name}_part", part) for part in parts_of(array, counts, *geometry)]


def _copied(w: Writer, node: Tensor, args: list[str], out: str) -> bool:
    w.line(f"copyto({w.shaped(out, tuple(node.inputs[0].shape))}, {args[0]})")
    return True


def _concatenate(w: Writer, node: Tensor, args: list[str], out: str) -> bool:
    """Parts that live in the buffer already need no line."""
    axis = node.params[0]
    start = 0
    for x, arg in zip(node.inputs, args, strict=True):
        stop = start + x.shape[axis]
        part = w.part_of(out, axis, start, stop)
        own = w.storage.arrays.get(x.serial)
        if x.op is not None and x.op.name == "expand" and x.inputs[0].op is OPS["const"] and len(node.shape) == 2:
            w.names[part][...] = x.inputs[0].value  # once: nothing else is ever written here
        elif own is None or not same_memory(own, w.names[part]):
            w.line(f"copyto({part}, {arg})")
        start = stop
    return True


Emitter = Callable[[Any, Tensor, list[str], str], bool]

EMIT: dict[str, Emitter] = {
    "matmul": _matmul,
    "sum": _sum,
    "mean": _sum,
    "sum_to": _sum,
    "max": _max,
    "min": _max,
    "where": _where,
    "relu": _relu,
    "scatter": _scatter,
    "add_at": _add_at,
    "product": _product,
    "copied": _copied,
    "astype": _astype,
    "concatenate": _concatenate,
    "window_argmax": _window_argmax,
    "window_max": _window_max,
    "window_put": _window_put,
    "overlap_add": _overlap_add,
    "einsum": _einsum,
}
"""Op name -> how a plan writes it."""

_NAMES = (
    "add",
    "copyto",
    "divide",
    "dot",
    "einsum",
    "equal",
    "matmul",
    "maximum",
    "minimum",
    "multiply",
    "sqrt",
    "vdot",
)

# Before NumPy runs a function it looks for arrays of other libraries, which no plan holds: a third of a small `dot`.
CALLED: dict[str, Any] = {name: getattr(f := getattr(np, name), "_implementation", f) for name in _NAMES}
"""NumPy functions that the entries of `EMIT` write by name."""

SCALARS = {"add": "{} + {}", "subtract": "{} - {}", "multiply": "{} * {}", "divide": "{} / {}", "power": "{} ** {}",
           "negative": "-{}", "sqrt": "sqrt({})"}  # fmt: skip
"""Op name -> how it is written on scalars."""

VIEWS: dict[str, Callable[..., str]] = {
    "getitem": lambda x, *rest: f"{x}[{index(rest[-1], list(rest[:-1]))}]",
    "permute": lambda x, axes: f"{x}.T" if axes == tuple(range(len(axes)))[::-1] else f"{x}.transpose({axes!r})",
    "reshape": lambda x, shape: f"{x}.reshape({shape!r})",
}
"""Op name -> how a view or a choice of a value that is bound at every call is written."""
