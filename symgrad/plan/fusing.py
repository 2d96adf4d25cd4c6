"""Chains of nodes as one call of `symgrad.plan.kernels` (the `fast` extra): most of a step."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import logging
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from symgrad.passes import builtin_name
from symgrad.plan.choosing import ELEMENTWISE, INDEX, KINDS, REDUCTIONS, TESTS, fusable, is_test
from symgrad.plan.emission import index
from symgrad.plan.programs import BLOCK, WHOLE, Program, Segment, filling, fits_whole, name_of, picks, reduced, space
from symgrad.plan.recycling import LARGE, Recycler
from symgrad.plan.storage import Storage, same_memory, view_of
from symgrad.shapes import size_of
from symgrad.tensor import Tensor

if TYPE_CHECKING:
    from symgrad.plan.writer import Writer

__all__ = ["Fuser", "available"]

_log = logging.getLogger("symgrad")
Array = NDArray[Any]


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


class Fuser:
    """Collects nodes for a chain, and writes its program when somebody else needs the results."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.storage: Storage = writer.storage
        self.pending: list[Tensor] = []
        self.segments: list[Segment] = []
        self.where: dict[int, int] = {}  # serial -> index of its segment
        self.copies: dict[int, Array] = {}  # values that are bound at every call, in arrays that are copied to
        self.lines: list[str] = []  # that copy
        self.given: dict[int, Array] = {}  # values that programs read where they are bound: stand-ins
        self.seen: dict[int, Array] = {}  # views of those
        self.leaves = {s.serial: leaf for leaf, s in writer.graph.leaves}
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
        if name_of(node) in WHOLE:
            return self._take_whole(node, wanted)
        reduces = builtin_name(node) in (*REDUCTIONS, "einsum")
        self._place(node)
        own = self.array(node)
        inner = node.inputs[0] if reduces else node
        shape, turned = space(self.array(inner))
        found = self._columns(node, shape, turned, reduces) if own.size else None
        if found is None or not (own.flags.c_contiguous or own.flags.f_contiguous):
            self._unplace(node)
            return False
        self.writer.name_of[node.serial] = self.writer.bind(wanted, None if is_test(node) else own)
        self._add(node, shape, found, reduces, turned)
        return True

    def _take_whole(self, node: Tensor, wanted: str) -> bool:
        """Put a node into the chain that cannot be computed block by block."""
        self.storage.out(node, self.storage.added_to(node) if name_of(node) == "add_at" else ())
        if not fits_whole(node, self):
            self._unplace(node)
            return False
        self.writer.name_of[node.serial] = self.writer.bind(wanted, self.array(node))
        self._open(()).whole = True
        self._append(node)
        return True

    def joins_early(self, node: Tensor) -> bool:
        """Whether parts are joined without the chain that waits: each is in its place, or not computed by it."""
        if builtin_name(node) != "concatenate":
            return False
        whole, start = self.storage.wanted.get(node.serial), 0
        waits = False
        for x in node.inputs:
            stop = start + x.shape[node.params[0]]
            index = (*(slice(None),) * node.params[0], slice(start, stop))
            pending = self.storage.root[x.serial] in self.where
            if pending and (whole is None or not same_memory(self.array(x), whole[index])):
                return False
            waits |= pending
            start = stop
        if waits:  # who reads the whole waits for the parts
            self.where[node.serial] = len(self.segments) - 1
        return whole is not None

    def _open(self, shape: tuple[int, ...], turned: bool = False) -> Segment:
        """A new segment, for which buffers are free again that the last one was the last to read."""
        for node in self.segments[-1].nodes if self.segments else ():
            self.storage.release(node)
        self.segments.append(Segment(shape, turned))
        return self.segments[-1]

    def _append(self, node: Tensor) -> None:
        segment = self.segments[-1]
        segment.nodes.append(node)
        segment.members.add(node.serial)
        if node.serial in self.storage.wanted:
            segment.wrote.append(node.serial)
        self.where[node.serial] = len(self.segments) - 1
        self.pending.append(node)

    @staticmethod
    def _dtype(node: Tensor) -> Any:
        return next((x.dtype for x in node.inputs if x.dtype.kind == "f"), node.dtype)

    def _read_by_choices(self, node: Tensor) -> bool:
        """Whether a truth value is read only by what the chain can hold, right after it."""
        if not is_test(node):
            return True
        if self.storage.last.get(node.serial, 0) >= len(self.storage.graph.nodes):
            return False
        kinds = {x.dtype for x in node.inputs if not is_test(x)}  # NumPy compares numbers of several kinds
        return len(kinds) == 1 and kinds <= {*KINDS} and all(map(fusable, self.readers.get(node.serial, [])))

    def _at_hand(self, x: Tensor, node: Tensor) -> bool:
        """Whether a value lies in a fixed array, or can be put into one now."""
        if x.serial in self.where:
            return True
        if is_test(x) or x.dtype not in (*KINDS, INDEX):
            return False
        if x.serial in self.writer.scalar_of:
            self.writer.array(x)
        if not self.known(x) and self.writer.is_deferred(x):
            return self._at_hand(x.inputs[0], node) and self._see(x)
        if not self.known(x):
            order = "C" if name_of(node) in WHOLE else self.storage.orders.get(node.serial, "C")
            if x.op is None or order == "C":
                self._fetch(x, order)
        return self.known(x)

    def _see(self, x: Tensor) -> bool:
        """Make the view of an array that a program reads."""
        view = view_of(self.array(x.inputs[0]), x)
        if view is None:
            return False
        lasting = x.inputs[0].serial in self.copies
        (self.copies if lasting else self.seen)[x.serial] = view
        return True

    def _fetch(self, x: Tensor, order: Any) -> None:
        """Get a value that is bound at every call: in its place if it is an argument or large, else by a copy."""
        if order == "C" and ((x.op is None and x.shape and x.serial not in self.leaves) or size_of(x.shape) > BLOCK):
            self.given[x.serial] = np.empty(tuple(x.shape), x.dtype)
            return
        array = self.copies[x.serial] = self.storage.new(x.shape, x.dtype, order)
        if x.serial in self.leaves:
            self.writer.mirrors.append((self.leaves[x.serial], array))
            return
        source = self.writer.array(x)
        name = self.writer.bind(f"{source}_", array)
        self.lines.append(f"copyto({name}, {source})" if x.shape else f"{name}[()] = {source}")

    def known(self, x: Tensor) -> bool:
        """Whether a value has an array that programs can name."""
        return any(x.serial in known for known in (self.storage.arrays, self.copies, self.given, self.seen))

    def array(self, x: Tensor) -> Array:
        """The array in which programs find a value."""
        for known in (self.storage.arrays, self.copies, self.given):
            if x.serial in known:
                return known[x.serial]
        return self.seen[x.serial]

    def _place(self, node: Tensor) -> None:
        if not is_test(node):
            self.storage.out(node)
            return
        order = self.storage.orders.get(node.serial, "C")
        self.storage.arrays[node.serial] = np.empty(tuple(node.shape), self._dtype(node), order)

    def _unplace(self, node: Tensor) -> None:
        array = self.storage.arrays.pop(node.serial)
        if is_test(node):
            return
        if self.storage.pooled.pop(node.serial, None) is not None:
            self.storage.give_back(array)

    def _columns(self, node: Tensor, shape: tuple[int, ...], turned: bool, reduces: bool) -> set[int] | None:
        """The numbers of columns that the operands ask for; None if one of them has no place in the space."""
        wanted = set()
        for x in node.inputs:
            kind = filling(self.array(x), node.inputs[0].shape if reduces else node.shape, turned)
            if kind is None or (reduces and kind[0] != "full"):
                return None
            if kind[0] in ("row", "column"):
                wanted.add(kind[1])
        if reduces:
            kept = reduced(node, shape, turned)
            own = self.storage.arrays[node.serial].flags
            if kept is None or not (own.f_contiguous if turned else own.c_contiguous):  # what is kept stays in order
                return None
            if kept[0] != "sum_all":
                wanted.add(kept[1])
        elif space(self.storage.arrays[node.serial]) != (shape, turned):
            return None
        return wanted if len(wanted) <= 1 else None

    def _add(self, node: Tensor, shape: tuple[int, ...], wanted: set[int], reduces: bool, turned: bool) -> None:
        columns = next(iter(wanted), None)
        now = self.segments[-1] if self.segments else None
        fits = (
            now is not None
            and (now.shape, now.turned) == (shape, turned)
            and (None in (columns, now.columns) or now.columns == columns)
        )
        if (
            now is None
            or not fits
            or now.whole
            or self._comes_later(now, node, turned, reduces)
            or self._shifted(now, node)
        ):
            now = self._open(shape, turned)
        now.columns = now.columns or columns
        if reduces:
            now.reduced.add(node.serial)
        self._append(node)

    def _comes_later(self, segment: Segment, node: Tensor, turned: bool, reduces: bool) -> bool:
        """Whether the node needs more than one block of what the segment computes."""
        shape = node.inputs[0].shape if reduces else node.shape
        for x in node.inputs:
            root = self.storage.root[x.serial]
            whole = filling(self.array(x), shape, turned) == ("full", 0)
            if root in segment.reduced or (root in segment.members and not whole):
                return True
        return False

    def _shifted(self, segment: Segment, node: Tensor) -> bool:
        """Whether the node writes what the segment reads at other places, or the other way round."""
        arrays, wanted = self.storage.arrays, self.storage.wanted
        own = arrays[node.serial]
        pairs = [(self.array(x), arrays[serial]) for x in node.inputs for serial in segment.wrote]
        if node.serial in wanted:
            pairs += [(self.array(x), own) for n in (*segment.nodes, node) for x in n.inputs if not is_test(x)]
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
        self._write(pending)
        for node in self.segments[-1].nodes:
            self.storage.release(node)
        self.segments, self.where, self.given, self.seen = [], {}, {}, {}
        for node in filter(is_test, pending):
            own = self.storage.arrays.pop(node.serial)
            self.writer.keep.append(own)
            if node.serial in loose:
                self._as_test(node, own)

    def _as_test(self, node: Tensor, numbers: Array) -> None:
        """Write the ones and zeros of a chain as truth values, for who reads them outside of it."""
        w = self.writer
        source = w.bind(f"{w.name_of[node.serial]}_numbers", numbers)
        self.storage.arrays[node.serial] = array = self.storage.new(node.shape, np.bool_)
        w.names[w.name_of[node.serial]] = array
        w.line(f"copyto({w.name_of[node.serial]}, {source}, casting='unsafe')")

    def _plainly(self, node: Tensor) -> None:
        """Write a chain of one as the call of NumPy that it is."""
        self.segments, self.where, self.given, self.seen = [], {}, {}, {}
        if is_test(node):
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
            if is_test(n) and any(r.serial not in inside for r in self.readers.get(n.serial, ()))
        }

    def _write(self, nodes: list[Tensor]) -> None:
        w = self.writer
        program = Program(self, self._dtype(nodes[0]))
        for segment in self.segments:
            program.segment(segment)
        for node in nodes:
            w.comment(node)
            w.lines.append(f"# {w.name_of[node.serial]} = {self._text(node)}")
        rows = np.array(program.rows, np.int64)
        table = w.bind("program", rows)
        w.programs[id(rows)] = program.names
        w.keep.extend(program.keep)
        found = [(x, program.places(rows, self.given[x.serial])) for x in w.graph.nodes if x.serial in self.given]
        bound = {w.array(x): (x, places) for x, places in found if len(places)}
        for y in self._results(nodes):
            bound[w.name_of[y.serial]] = y, program.places(rows, self.array(y))
            self._hand_out(y)
        if bound:
            from symgrad.plan.pointing import Pointer

            traced = [(name, tuple(x.shape), np.dtype(x.dtype)) for name, (x, _) in bound.items()]
            pointer = w.bind("point", Pointer(rows, traced, [places for _, places in bound.values()]))
            kept = w.unique("kept")
            w.names[kept] = None
            w.line(f"{kept} = {pointer}({', '.join(bound)})")
        kind = w.constant(np.array([0, 1], program.dtype), "numbers")
        w.line(f"fused({table}, {kind})")

    def _results(self, nodes: list[Tensor]) -> list[Tensor]:
        """Large outputs that only this chain reads and writes."""
        graph, inside = self.writer.graph, {node.serial for node in nodes}
        outputs = [y.serial for y in graph.outputs]
        taken = {new.serial for _, new in graph.assigned} | self.storage.wanted.keys()
        return [
            node
            for node in nodes
            if outputs.count(node.serial) == 1
            and node.serial not in taken
            and self.array(node).nbytes >= LARGE
            and self.array(node).flags.c_contiguous
            and all(r.serial in inside for r in self.readers.get(node.serial, ()))
        ]

    def _hand_out(self, node: Tensor) -> None:
        """Let a program write an output to an array that the caller gets."""
        w, name = self.writer, self.writer.name_of[node.serial]
        w.names[name] = None
        w.fresh.add(node.serial)
        self.storage.bytes -= self.storage.arrays.pop(node.serial).nbytes
        w.line(f"{name} = {w.bind(f'new_{name}', Recycler(tuple(node.shape), node.dtype))}()")

    def _text(self, node: Tensor) -> str:
        name = builtin_name(node)
        args = [self.writer.name_of[x.serial] for x in node.inputs]
        pattern = ELEMENTWISE.get(name) or TESTS.get(name)
        if pattern is not None:
            return pattern.format(*args)
        if name == "einsum":
            return f"einsum({node.params[0]!r}, {', '.join(args)})"
        if name in REDUCTIONS:
            return f"{name.removesuffix('_to')}({args[0]}) of shape {tuple(node.shape)}"
        if picks(node):
            x, *rest = args
            key = index(node.params[0], rest[len(rest) - 2 :])
            return f"{x}[{key}]" if len(rest) == 2 else f"{x} with [{key}] += {rest[0]}"
        if name == "scatter":
            return f"zeros of shape {tuple(node.shape)} with [{index(node.params[0], [])}] = {args[0]}"
        return f"{args[0]} @ {args[1]}" if name == "matmul" else f"{name}({', '.join(args)})"

    def inside(self, node: Tensor, segment: Segment) -> bool:
        """Whether nobody reads a value but this segment, element by element."""
        if node.serial in self.storage.wanted or node.serial in segment.reduced:
            return False
        if self.storage.last.get(node.serial, len(self.storage.graph.nodes)) >= len(self.storage.graph.nodes):
            return False
        own = self.storage.arrays[node.serial]
        return all(
            r.serial in segment.members and all(self.array(x) is own for x in r.inputs
                                     if self.storage.root[x.serial] == node.serial)
            for r in self.readers.get(node.serial, ())
        )  # fmt: skip
