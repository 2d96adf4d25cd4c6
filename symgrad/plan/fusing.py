"""Chains of elementwise operations and reductions as one call of `symgrad.plan.kernels` (the `fast` extra)."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from symgrad.graph import Graph
from symgrad.op import OPS
from symgrad.passes import builtin_name, remake, rewrite
from symgrad.plan.storage import Storage, same_memory
from symgrad.shapes import size_of
from symgrad.tensor import Tensor

if TYPE_CHECKING:
    from symgrad.plan.writer import Writer

__all__ = ["Fuser", "available", "gather"]

_log = logging.getLogger("symgrad")
Array = NDArray[Any]
BLOCK = 1024  # numbers per block: some ten arrays of them fit into the first-level cache

ELEMENTWISE = {"add": "{} + {}", "subtract": "{} - {}", "multiply": "{} * {}", "divide": "{} / {}", "negative": "-{}",
               "square": "{0} * {0}", "sqrt": "sqrt({})", "abs": "abs({})", "maximum": "maximum({}, {})",
               "minimum": "minimum({}, {})", "relu": "relu({})", "where": "where({}, {}, {})", "sign": "sign({})",
               "div0": "div0({}, {})", "mul0": "mul0({}, {})", "reciprocal": "1 / {}"}  # fmt: skip
"""Op -> how a comment shows it."""
TESTS = {"greater": "{} > {}", "greater_equal": "{} >= {}", "less": "{} < {}", "less_equal": "{} <= {}",
         "equal": "{} == {}", "not_equal": "{} != {}", "logical_and": "{} & {}", "logical_or": "{} | {}",
         "logical_not": "~{}", "isfinite": "isfinite({})"}  # fmt: skip
"""The same for what is true or false: a 1 or a 0 that never leaves the chain."""
_KINDS = (np.dtype(np.float32), np.dtype(np.float64))
REDUCTIONS = ("sum", "mean", "sum_to", "max")


@functools.cache
def available() -> bool:
    """Whether the extra is installed and works; what keeps it from working is logged once."""
    if importlib.util.find_spec("numba") is None:
        return False
    try:
        importlib.import_module("symgrad.plan.kernels")
    except Exception as error:  # numba that does not fit NumPy or Python says so in many ways
        _log.warning("compile: the extra `fast` is installed but does not work, so plans do without it: %s", error)
        return False
    return True


def fusable(node: Tensor) -> bool:
    """Whether a chain may hold this node, as far as the graph tells."""
    name = builtin_name(node)
    if name in TESTS:
        return True
    if node.dtype not in _KINDS or any(0 in x.shape for x in (node, *node.inputs)):
        return False
    if name in ELEMENTWISE:
        return node.shape != () and all(x.dtype == node.dtype or builtin_name(x) in TESTS for x in node.inputs)
    if name == "einsum":
        return _total_of_products(node)
    return name in REDUCTIONS and node.inputs[0].dtype == node.dtype


def _total_of_products(node: Tensor) -> bool:
    """Whether an einsum sums products of two equal shapes over leading axes, or over all."""
    sources, _, target = node.params[0].partition("->")
    return (
        len(node.inputs) == 2
        and len(set(sources.split(","))) == 1
        and sources.split(",")[0].endswith(target)
        and len({x.dtype for x in node.inputs}) == 1
    )


def gather(graph: Graph) -> Graph:
    """With nodes that chains may hold put off until somebody else needs one, and tests right in front of choices."""
    graph = _private_tests(graph)
    order: list[Tensor] = []
    waiting: dict[int, Tensor] = {}
    for node in graph.nodes:
        joins = fusable(node) or (node.op is not None and node.op.view and len(node.inputs) == 1)
        if joins and (not node.op.view or node.inputs[0].serial in waiting):  # type: ignore[union-attr]
            waiting[node.serial] = node
            continue
        if any(x.serial in waiting for x in node.inputs):
            order += waiting.values()
            waiting.clear()
        order.append(node)
    return rewrite(graph, lambda node, inputs: None, [*order, *waiting.values()])


def _is_test(x: Tensor) -> bool:
    return builtin_name(x) in TESTS


def _private_tests(graph: Graph) -> Graph:
    """Every choice reads a test of its own, made right before it."""

    def rule(node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor | None:
        if not any(map(_is_test, inputs)):
            return None
        return remake(node, tuple([remake(x, x.inputs) if _is_test(x) else x for x in inputs]))

    return rewrite(graph, rule)


@dataclass
class _Segment:
    """Instructions over one space of R rows and C columns."""

    shape: tuple[int, ...]
    columns: int | None = None
    nodes: list[Tensor] = field(default_factory=list)
    reduced: set[int] = field(default_factory=set)


class Fuser:
    """Collects nodes for a chain, and writes its program when somebody else needs the results."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.storage: Storage = writer.storage
        self.pending: list[Tensor] = []
        self.segments: list[_Segment] = []
        self.where: dict[int, int] = {}  # serial -> index of its segment
        self.copies: dict[int, Array] = {}  # values that are bound at every call, in arrays that are copied to
        self.lines: list[str] = []  # that copy
        self.given: dict[int, Array] = {}  # values that programs read where the caller has them: stand-ins
        self.readers: dict[int, list[Tensor]] = {}
        for node in writer.graph.nodes:
            for x in node.inputs:
                self.readers.setdefault(self.storage.root[x.serial], []).append(node)

    # Collecting

    def take(self, node: Tensor, wanted: str) -> bool:
        """Put a node into the chain, under a name like the wanted one; False if it does not fit into one."""
        if not fusable(node) or not self._read_by_choices(node):
            return False
        if self.pending and self._dtype(self.pending[0]) != self._dtype(node):
            self.flush()
        if any(not self._at_hand(x, node) for x in node.inputs):
            return False
        reduces = builtin_name(node) in (*REDUCTIONS, "einsum")
        self._place(node)
        own = self.array(node)
        inner = node.inputs[0] if reduces else node
        shape, turned = _space(self.array(inner))
        found = self._columns(node, shape, turned, reduces) if own.size else None
        if found is None or not (own.flags.c_contiguous or own.flags.f_contiguous):
            self._unplace(node)
            return False
        self.writer.name_of[node.serial] = self.writer.bind(wanted, None if _is_test(node) else own)
        self._add(node, shape, found, reduces, turned)
        return True

    @staticmethod
    def _dtype(node: Tensor) -> Any:
        return next((x.dtype for x in node.inputs if x.dtype.kind == "f"), node.dtype)

    def _read_by_choices(self, node: Tensor) -> bool:
        """Whether a truth value is read only by what the chain can hold, right after it."""
        if not _is_test(node):
            return True
        if self.storage.last.get(node.serial, 0) >= len(self.storage.graph.nodes):
            return False
        kinds = {x.dtype for x in node.inputs if x.serial not in self.where}
        return len(kinds) <= 1 and self._dtype(node) in _KINDS and all(map(fusable, self.readers.get(node.serial, [])))

    def _at_hand(self, x: Tensor, node: Tensor) -> bool:
        """Whether a value lies in a fixed array, or can be put into one now."""
        if x.serial in self.where:
            return True
        if _is_test(x) or x.dtype not in _KINDS:
            return False
        if x.serial in self.writer.scalar_of:
            self.writer.array(x)
        if x.serial not in self.storage.arrays and x.op is None:
            self._fetch(x, self.storage.orders.get(node.serial, "C"))
        return self.known(x)

    def _fetch(self, x: Tensor, order: Any) -> None:
        """Get a value that is bound at every call: by a copy if it is small or must be turned, else in its place."""
        if x.serial in self.copies or x.serial in self.given:
            return
        if order == "C" and any(x is y for y in self.writer.graph.inputs) and size_of(x.shape) > BLOCK:
            self.given[x.serial] = np.empty(tuple(x.shape), x.dtype)
            return
        array = self.copies[x.serial] = self.storage.new(x.shape, x.dtype, order)
        source = self.writer.name_of[x.serial]
        name = self.writer.bind(f"{source}_", array)
        self.lines.append(f"copyto({name}, {source})" if x.shape else f"{name}[()] = {source}")

    def known(self, x: Tensor) -> bool:
        """Whether a value has an array that programs can name."""
        return any(x.serial in known for known in (self.storage.arrays, self.copies, self.given))

    def array(self, x: Tensor) -> Array:
        """The array in which programs find a value."""
        for known in (self.storage.arrays, self.copies):
            if x.serial in known:
                return known[x.serial]
        return self.given[x.serial]

    def _place(self, node: Tensor) -> None:
        if not _is_test(node):
            self.storage.out(node)
            return
        order = self.storage.orders.get(node.serial, "C")
        self.storage.arrays[node.serial] = np.empty(tuple(node.shape), self._dtype(node), order)

    def _unplace(self, node: Tensor) -> None:
        array = self.storage.arrays.pop(node.serial)
        if _is_test(node):
            return
        if self.storage.pooled.pop(node.serial, None) is not None:
            self.storage.give_back(array)

    def _columns(self, node: Tensor, shape: tuple[int, ...], turned: bool, reduces: bool) -> set[int] | None:
        """The numbers of columns that the operands ask for; None if one of them has no place in the space."""
        wanted = set()
        for x in node.inputs:
            kind = _kind(self.array(x), node.inputs[0].shape if reduces else node.shape, turned)
            if kind is None or (reduces and kind[0] != "full"):
                return None
            if kind[0] in ("row", "column"):
                wanted.add(kind[1])
        if reduces:
            kept = _reduced(node, shape, turned)
            if kept is None:
                return None
            if kept[0] != "sum_all":
                wanted.add(kept[1])
        elif _space(self.storage.arrays[node.serial]) != (shape, turned):
            return None
        return wanted if len(wanted) <= 1 else None

    def _add(self, node: Tensor, shape: tuple[int, ...], wanted: set[int], reduces: bool, turned: bool) -> None:
        columns = next(iter(wanted), None)
        now = self.segments[-1] if self.segments else None
        fits = now is not None and now.shape == shape and (None in (columns, now.columns) or now.columns == columns)
        if now is None or not fits or self._comes_later(now, node, turned, reduces) or self._shifted(now, node):
            now = _Segment(shape)
            self.segments.append(now)
        now.columns = now.columns or columns
        now.nodes.append(node)
        if reduces:
            now.reduced.add(node.serial)
        self.where[node.serial] = len(self.segments) - 1
        self.pending.append(node)

    def _comes_later(self, segment: _Segment, node: Tensor, turned: bool, reduces: bool) -> bool:
        """Whether the node needs more than one block of what the segment computes."""
        here = {n.serial for n in segment.nodes}
        shape = node.inputs[0].shape if reduces else node.shape
        for x in node.inputs:
            root = self.storage.root[x.serial]
            whole = _kind(self.array(x), shape, turned) == ("full", 0)
            if root in segment.reduced or (root in here and not whole):
                return True
        return False

    def _shifted(self, segment: _Segment, node: Tensor) -> bool:
        """Whether the node writes what the segment reads at other places, or the other way round."""
        arrays = self.storage.arrays
        read = [self.array(x) for n in (*segment.nodes, node) for x in n.inputs if not _is_test(x)]
        own = arrays[node.serial]
        wrote = [arrays[n.serial] for n in segment.nodes if n.serial in self.storage.wanted]
        mine = [own] if node.serial in self.storage.wanted else []
        pairs = [(a, own) for a in read if mine] + [(self.array(x), b) for x in node.inputs for b in wrote]
        return any(np.may_share_memory(a, b) and not (a.shape == b.shape and same_memory(a, b)) for a, b in pairs)

    # Writing

    def flush(self) -> None:
        """Write the program of what was collected, and one line that runs it."""
        if not self.pending:
            return
        pending, self.pending = self.pending, []
        if len(pending) == 1 and self.segments[0].columns is None:
            self._plainly(pending[0])
            return
        self.writer.lines += self.lines
        self.writer.calls += len(self.lines)
        self.lines.clear()
        loose = self._loose(pending)
        kept = [node for node in pending if node.serial not in loose]
        for segment in self.segments:
            segment.nodes = [node for node in segment.nodes if node.serial not in loose]
        if kept:
            self._write(kept)
        self.segments, self.where, self.given = [], {}, {}
        for node in pending:
            if node.serial in loose:
                del self.storage.arrays[node.serial]
                self.writer.plain(node, self.writer.name_of[node.serial])
        for node in pending:
            self.storage.release(node)
            if _is_test(node) and node.serial not in loose:
                self.writer.keep.append(self.storage.arrays.pop(node.serial))

    def _plainly(self, node: Tensor) -> None:
        """Write a chain of one as the call of NumPy that it is."""
        self.segments, self.where, self.given = [], {}, {}
        if _is_test(node):
            del self.storage.arrays[node.serial]
        else:  # views of it may have been made already
            self.storage.wanted[node.serial] = self.storage.arrays[node.serial]
        name = self.writer.name_of[node.serial]
        self.writer.names.pop(name)
        self.writer.plain(node, name)

    def _loose(self, pending: list[Tensor]) -> set[int]:
        """Tests that somebody outside of the chain reads after all."""
        inside = {node.serial for node in pending}
        return {
            n.serial
            for n in pending
            if _is_test(n) and any(r.serial not in inside for r in self.readers.get(n.serial, ()))
        }

    def _write(self, nodes: list[Tensor]) -> None:
        w = self.writer
        program = _Program(self, self._dtype(nodes[0]))
        for segment in self.segments:
            if segment.nodes:
                program.segment(segment)
        for node in nodes:
            w.comment(node)
            w.lines.append(f"# {w.name_of[node.serial]} = {self._text(node)}")
        rows = np.array(program.rows, np.int64)
        table = w.bind("program", rows)
        w.keep.extend(program.keep)
        for x in [x for x in w.graph.inputs if x.serial in self.given]:
            places = w.bind("places", np.ascontiguousarray(np.argwhere(rows == _address(self.given[x.serial]))))
            kept = w.unique("kept")
            w.names[kept] = None
            w.lines.append(f"{kept} = point({table}, {places}, {w.name_of[x.serial]})")
            w.calls += 1
        kind = w.constant(np.array([0, 1], program.dtype), "numbers")
        w.lines.append(f"fused({table}, {kind})")
        w.calls += 1

    def _text(self, node: Tensor) -> str:
        name = builtin_name(node)
        args = [self.writer.name_of[x.serial] for x in node.inputs]
        pattern = ELEMENTWISE.get(name) or TESTS.get(name)
        if pattern is not None:
            return pattern.format(*args)
        if name == "einsum":
            return f"einsum({node.params[0]!r}, {', '.join(args)})"
        return f"{name.removesuffix('_to')}({args[0]}) of shape {tuple(node.shape)}"

    def inside(self, node: Tensor, segment: _Segment) -> bool:
        """Whether nobody reads a value but this segment, element by element."""
        if node.serial in self.storage.wanted or node.serial in segment.reduced:
            return False
        if self.storage.last.get(node.serial, len(self.storage.graph.nodes)) >= len(self.storage.graph.nodes):
            return False
        here = {n.serial for n in segment.nodes}
        own = self.storage.arrays[node.serial]
        return all(
            r.serial in here and all(self.array(x) is own for x in r.inputs
                                     if self.storage.root[x.serial] == node.serial)
            for r in self.readers.get(node.serial, ())
        )  # fmt: skip


class _Program:
    """The table of integers of a chain."""

    def __init__(self, fuser: Fuser, dtype: Any) -> None:
        from symgrad.plan.kernels import CODES, SEGMENT

        self.codes, self.mark = CODES, SEGMENT
        self.fuser, self.dtype = fuser, np.dtype(dtype)
        self.rows: list[list[int]] = []
        self.keep: list[Array] = []  # arrays that only addresses refer to

    def array(self, size: int, value: float | None = None) -> Array:
        """A register, filled for good if it is a constant."""
        made = np.empty(size, self.dtype) if value is None else np.full(size, value, self.dtype)
        self.keep.append(made)
        return made

    def segment(self, segment: _Segment) -> None:
        """The header and the instructions of a segment."""
        total = int(np.prod(segment.shape))
        self.columns = segment.columns or 1
        self.count = total // self.columns
        self.step = min(self.count, max(1, BLOCK // self.columns))
        self.size = self.step * self.columns
        self.once: list[list[int]] = []
        self.each: list[list[int]] = []
        self.after: list[list[int]] = []
        self.place: dict[Any, tuple[int, int]] = {}  # value -> address, bytes per row
        self.free: list[Array] = []
        self.reads = {x.serial: k for k, node in enumerate(segment.nodes) for x in node.inputs}
        self.registers: dict[int, Array] = {}
        for k, node in enumerate(segment.nodes):
            self.node(node, k, segment)
        header = [self.mark, len(self.once), len(self.each), self.count, self.columns, self.step, len(self.after), 0, 0]
        self.rows += [header, *self.once, *self.each, *self.after]

    def node(self, node: Tensor, k: int, segment: _Segment) -> None:
        """The instructions of one node."""
        name, arrays = builtin_name(node), self.fuser.storage.arrays
        own = arrays[node.serial]
        if node.serial in segment.reduced:
            self.reduction(node, own)
            return
        operands = [self.operand(x, node, k) for x in node.inputs]
        inside = self.fuser.inside(node, segment)
        overwrites = any(address == _address(own) for address, _ in operands)
        if not inside and not overwrites:
            self.place[node.serial] = _address(own), self.columns * self.dtype.itemsize
            self.instruction(name, self.place[node.serial], operands)
            return
        register = self.register()
        self.registers[node.serial] = register
        self.place[node.serial] = _address(register), 0
        self.instruction(name, self.place[node.serial], operands)
        if not inside:
            self.instruction("copy", (_address(own), self.columns * self.dtype.itemsize), [self.place[node.serial]])
        for x in {x.serial for x in node.inputs}:
            if self.reads.get(x) == k and x in self.registers:
                self.free.append(self.registers.pop(x))

    def register(self) -> Array:
        return self.free.pop() if self.free else self.array(self.size)

    def instruction(self, name: str, out: tuple[int, int], operands: list[tuple[int, int]]) -> None:
        padded = (operands + [operands[0]] * 2)[:3]
        self.each.append([self.codes[name], *out, *(v for pair in padded for v in pair)])

    def operand(self, x: Tensor, node: Tensor, k: int) -> tuple[int, int]:
        """Where a block of an operand lies, after instructions that repeat it where it is smaller."""
        if x.serial in self.place:
            return self.place[x.serial]
        array = self.fuser.array(x)
        turned = _space(self.fuser.array(node))[1]
        kind = _kind(array, node.shape, turned)
        assert kind is not None
        if kind[0] == "full":
            return _address(array), self.columns * self.dtype.itemsize
        if kind[0] == "scalar" and x.op is OPS["const"]:
            key = ("const", x.value.tobytes())
            if key not in self.place:
                self.place[key] = _address(self.array(self.size, x.value[()])), 0
            return self.place[key]
        register = self.array(self.size)
        name = {"scalar": "fill", "row": "repeat_row", "column": "repeat_column"}[kind[0]]
        if kind[0] == "column":
            self.instruction(name, (_address(register), 0), [(_address(array), self.dtype.itemsize)])
        else:
            self.once.append([self.codes[name], _address(register), 0, _address(array), 0, 0, 0, 0, self.size])
        self.place[x.serial] = _address(register), 0
        return self.place[x.serial]

    def reduction(self, node: Tensor, own: Array) -> None:
        """A sum, mean or maximum."""
        name, size = builtin_name(node), self.dtype.itemsize
        (x, *others) = node.inputs
        source = self.operand(x, x, -1)
        if others:  # of products
            register = self.register()
            self.instruction("multiply", (_address(register), 0), [source, self.operand(others[0], x, -1)])
            source = _address(register), 0
            self.free.append(register)
        array = self.fuser.array(x)
        kept = _reduced(node, *_space(array))
        assert kept is not None
        step = size if kept[0].endswith("_rows") else 0
        if not step:
            start = self.array(1, -np.inf if name == "max" else 0.0)
            self.once.append([self.codes["fill"], _address(own), 0, _address(start), 0, 0, 0, 0, own.size])
        self.instruction(kept[0], (_address(own), step), [source])
        if name == "mean":
            scale = self.array(own.size, own.size / array.size)
            self.after.append(
                [self.codes["multiply"], _address(own), 0, _address(own), 0, _address(scale), 0, 0, own.size]
            )


def _address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])


def _space(array: Array) -> tuple[tuple[int, ...], bool]:
    """The shape in the order of memory, and whether that is the reverse of the array's."""
    turned = not array.flags.c_contiguous
    return (array.shape[::-1] if turned else array.shape), turned


def _kind(array: Array, shape: Any, turned: bool) -> tuple[str, int] | None:
    """How an operand fills a space: full, scalar, row or column (with the number of columns); None if otherwise."""
    try:
        view = np.broadcast_to(array, tuple(shape))
    except ValueError:
        return None
    view = view.T if turned else view
    axes = [(n, s // array.itemsize) for n, s in zip(view.shape, view.strides, strict=True) if n > 1]
    if not any(s for _, s in axes):
        return ("scalar", 0) if axes else ("full", 0)
    moving = [s != 0 for _, s in axes]
    first, last = moving.index(True), len(moving) - moving[::-1].index(True)
    step = 1
    for n, s in reversed(axes[first:last]):
        if s != step:
            return None
        step *= n
    if first and last < len(axes):
        return None
    if first:
        return "row", step
    return ("full", 0) if last == len(axes) else ("column", int(np.prod([n for n, _ in axes[last:]])))


def _reduced(node: Tensor, shape: tuple[int, ...], turned: bool) -> tuple[str, int] | None:
    """The instruction of a reduction over leading axes (by columns), trailing axes (by rows) or all, and C."""
    (x, *_) = node.inputs
    name = builtin_name(node)
    word = "max" if name == "max" else "sum"
    n = len(x.shape)
    if name == "einsum":
        axes = tuple(range(n - len(node.shape)))
    elif name == "sum_to":
        extra = n - len(node.shape)
        axes = tuple(k for k in range(n) if k < extra or node.shape[k - extra] != x.shape[k])
    else:
        axes = node.params[0]
    inner = [n - 1 - k if turned else k for k in axes]
    reduced = [k in inner or shape[k] == 1 for k in range(n)]
    if all(reduced):
        return None if word == "max" else ("sum_all", 1)
    split = reduced.index(not reduced[0])
    if any(r == reduced[0] for r in reduced[split:]) and [r for r in reduced[split:]] != [not reduced[0]] * (n - split):
        return None
    columns = int(np.prod(shape[split:]))
    return (f"{word}_columns" if reduced[0] else f"{word}_rows"), columns
