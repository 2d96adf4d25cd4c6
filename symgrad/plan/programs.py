"""Programs of `symgrad.plan.kernels`: how nodes and their arrays become rows of a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from symgrad.op import OPS
from symgrad.ops.indexing import decode
from symgrad.passes import builtin_name
from symgrad.plan.loops import address, inner_loop, product, product_layout
from symgrad.plan.memory import zeros
from symgrad.plan.rewriting import ADD_AT
from symgrad.plan.storage import order_of
from symgrad.tensor import Tensor

if TYPE_CHECKING:
    from symgrad.plan.fusing import Fuser

__all__ = ["BLOCK", "WHOLE", "Program", "Segment", "filling", "fits_whole", "name_of", "picks", "reduced", "space"]

Array = NDArray[Any]
BLOCK = 1024  # numbers per block: some ten arrays of them fit into the first-level cache


@dataclass
class Segment:
    """Instructions over one space of R rows and C columns, or one node as a whole."""

    shape: tuple[int, ...]
    turned: bool = False  # whether that is the reverse of what the nodes have
    columns: int | None = None
    nodes: list[Tensor] = field(default_factory=list)
    members: set[int] = field(default_factory=set)  # the same
    reduced: set[int] = field(default_factory=set)
    wrote: list[int] = field(default_factory=list)  # nodes that are written where somebody wants them
    whole: bool = False


class Program:
    """The table of integers of a chain."""

    def __init__(self, fuser: Fuser, dtype: Any) -> None:
        from symgrad.plan import kernels

        self.codes, self.marks = kernels.CODES, kernels
        self.fuser, self.dtype = fuser, np.dtype(dtype)
        self.rows: list[list[int]] = []
        self.names: list[str] = []  # of the nodes that the rows compute
        self.name = ""  # of the one that is written now
        self.keep: list[Array] = []  # arrays that only addresses refer to

    def array(self, size: int, value: float | None = None) -> Array:
        """A register, filled for good if it is a constant."""
        made = zeros((size,), self.dtype)
        made[...] = 0 if value is None else value
        self.keep.append(made)
        return made

    def segment(self, segment: Segment) -> None:
        """The header and the instructions of a segment."""
        if segment.whole:
            (node,) = segment.nodes
            WHOLE[name_of(node)](self, node)
            self.names += [self.fuser.writer.name_of[node.serial]] * (len(self.rows) - len(self.names))
            return
        total = int(np.prod(segment.shape))
        self.columns = segment.columns or 1
        self.count = total // self.columns
        self.step = min(self.count, max(1, BLOCK // self.columns))
        self.size = self.step * self.columns
        self.once: list[tuple[str, list[int]]] = []  # name of the node, and the instruction
        self.each: list[tuple[str, list[int]]] = []
        self.after: list[tuple[str, list[int]]] = []
        self.place: dict[Any, tuple[int, int]] = {}  # value -> address, bytes per row
        self.free: list[Array] = []
        self.reads = {x.serial: k for k, node in enumerate(segment.nodes) for x in node.inputs}
        self.registers: dict[int, Array] = {}
        for k, node in enumerate(segment.nodes):
            self.name = self.fuser.writer.name_of[node.serial]
            self.node(node, k, segment)
        header = [
            self.marks.SEGMENT,
            len(self.once),
            len(self.each),
            self.count,
            self.columns,
            self.step,
            len(self.after),
            0,
            0,
        ]
        for name, row in (("", header), *self.once, *self.each, *self.after):
            self.names.append(name)
            self.rows.append(row)

    def places(self, rows: Array, array: Array) -> Array:
        """Row, column and offset of every address inside of an array."""
        inside = np.argwhere((rows >= address(array)) & (rows < address(array) + array.nbytes))
        offsets = rows[inside[:, 0], inside[:, 1]] - address(array)
        self.keep.append(array)  # nothing else may ever have its address
        return np.ascontiguousarray(np.column_stack([inside, offsets]))

    def matmul(self, node: Tensor) -> None:
        """A product of matrices, by BLAS."""
        a, b = map(self.fuser.array, node.inputs)
        own = self.fuser.array(node)
        layout = product_layout(a, b, own)
        assert layout is not None
        swapped, block = layout
        self.keep.append(block)
        factors = [address(b), address(a)] if swapped else [address(a), address(b)]
        self.rows.append([self.marks.PRODUCT, product(self.dtype), address(own), *factors, address(block), 0, 0, 0])

    def scatter(self, node: Tensor) -> None:
        """Zeros, and numbers written to one slice of them."""
        own, g = self.fuser.array(node), self.fuser.array(node.inputs[0])
        zero = self.array(1, 0.0)
        self.rows += [
            [self.marks.SEGMENT, 2, 0, 0, 1, 1, 0, 0, 0],
            [self.codes["fill"], address(own), 0, address(zero), 0, 0, 0, 0, own.size],
            [self.codes["copy"], address(_slice(own, node)), 0, address(g), 0, 0, 0, 0, g.size],
        ]

    def pick(self, node: Tensor) -> None:
        """Numbers of a matrix at pairs of a row and a column."""
        own, x, rows, columns = [self.fuser.array(y) for y in (node, *node.inputs)]
        sizes = self._sizes(x, rows.size, 1)
        self.rows.append([self.marks.PICK, address(own), address(x), *map(address, (rows, columns, sizes)), 0, 0, 0])

    def add_at(self, node: Tensor) -> None:
        """A matrix with numbers added at pairs of a row and a column."""
        own, x, g, rows, columns = [self.fuser.array(y) for y in (node, *node.inputs)]
        if address(own) != address(x):
            self.rows += [
                [self.marks.SEGMENT, 1, 0, 0, 1, 1, 0, 0, 0],
                [self.codes["copy"], address(own), 0, address(x), 0, 0, 0, 0, own.size],
            ]
        sizes = self._sizes(own, rows.size, g.strides[0] // g.itemsize if g.ndim else 0)
        self.rows.append([self.marks.ADD_AT, address(own), address(g), *map(address, (rows, columns, sizes)), 0, 0, 0])

    def _sizes(self, x: Array, n: int, step: int) -> Array:
        """What the instructions that pick have to know: how many, the strides and sizes of the axes, the step of g."""
        sizes = np.array([n, *(s // x.itemsize for s in x.strides), *x.shape, step])
        self.keep.append(sizes)
        return sizes

    def node(self, node: Tensor, k: int, segment: Segment) -> None:
        """The instructions of one node."""
        name, arrays = builtin_name(node), self.fuser.storage.arrays
        own = arrays[node.serial]
        if node.serial in segment.reduced:
            self.reduction(node, own)
            return
        name, operands = self.merged(name, node, [self.operand(x, node, k) for x in node.inputs])
        inside = self.fuser.inside(node, segment)
        taken = set() if name in self.codes else {place for place, _ in operands}  # NumPy's loops are slow in place
        if not inside and address(own) not in taken:
            self.place[node.serial] = address(own), self.columns * self.dtype.itemsize
            self.instruction(name, self.place[node.serial], operands)
            return
        if not taken:
            self.release(node, k)
        register = self.register(taken)
        self.registers[node.serial] = register
        self.place[node.serial] = address(register), 0
        self.instruction(name, self.place[node.serial], operands)
        if not inside:
            self.instruction("copy", (address(own), self.columns * self.dtype.itemsize), [self.place[node.serial]])
        self.release(node, k)

    def release(self, node: Tensor, k: int) -> None:
        """Use the registers again of which the node with this number is the last reader."""
        for serial in {x.serial for x in node.inputs}:
            if self.reads.get(serial) == k and serial in self.registers:
                self.free.append(self.registers.pop(serial))

    def merged(self, name: str, node: Tensor, operands: list[tuple[int, int]]) -> tuple[str, list[tuple[int, int]]]:
        """A sum or difference as one instruction with the product that it takes, where that has been the last one."""
        if name not in ("add", "subtract") or node.inputs[0] is node.inputs[1]:
            return name, operands
        for j in (1, 0):
            factors = self.product_before(node.inputs[j])
            if factors is not None:
                word = "product_add" if name == "add" else ("product_subtract", "subtract_product")[j]
                return word, [*factors, operands[1 - j]]
        return name, operands

    def product_before(self, x: Tensor) -> list[tuple[int, int]] | None:
        """The factors of a value, and its instruction taken back, if that is the last one and nobody else reads it."""
        if x.serial not in self.registers or not self.each or len(self.fuser.readers[x.serial]) > 1:
            return None
        code, out, _, a, a_step, b, b_step, *_ = self.each[-1][1]
        if out != address(self.registers[x.serial]) or code not in (self.codes["multiply"], self.codes["square"]):
            return None
        self.each.pop()
        return [(a, a_step), (a, a_step) if code == self.codes["square"] else (b, b_step)]

    def register(self, operands: set[int]) -> Array:
        """An array for the numbers of one block, used before or not, but none of the operands that are given."""
        k = next((k for k, array in enumerate(self.free) if address(array) not in operands), None)
        return self.array(self.size) if k is None else self.free.pop(k)

    def instruction(self, name: str, out: tuple[int, int], operands: list[tuple[int, int]]) -> None:
        """One row, that of a ufunc's inner loop where the operation has no code of its own."""
        if name not in self.codes:
            loop = inner_loop(OPS[name].forward, self.dtype)
            assert loop is not None
            name, operands = f"loop{len(operands)}", [operands[0], operands[-1], loop]
        padded = (operands + [operands[0]] * 2)[:3]
        self.each.append((self.name, [self.codes[name], *out, *(v for pair in padded for v in pair)]))

    def operand(self, x: Tensor, node: Tensor, k: int) -> tuple[int, int]:
        """Where a block of an operand lies, after instructions that repeat it where it is smaller."""
        if x.serial in self.place:
            return self.place[x.serial]
        array = self.fuser.array(x)
        turned = space(self.fuser.array(node))[1]
        kind = filling(array, node.shape, turned)
        assert kind is not None
        if kind[0] == "full":
            return address(array), self.columns * self.dtype.itemsize
        if kind[0] == "scalar" and x.op is OPS["const"]:
            key = ("const", x.value.tobytes())
            if key not in self.place:
                self.place[key] = address(self.array(self.size, x.value[()])), 0
            return self.place[key]
        register = self.array(self.size)
        name = {"scalar": "fill", "row": "repeat_row", "column": "repeat_column"}[kind[0]]
        if kind[0] == "column":
            self.instruction(name, (address(register), 0), [(address(array), self.dtype.itemsize)])
        else:
            row = [self.codes[name], address(register), 0, address(array), 0, 0, 0, 0, self.size]
            self.once.append((self.name, row))
        self.place[x.serial] = address(register), 0
        return self.place[x.serial]

    def reduction(self, node: Tensor, own: Array) -> None:
        """A sum, mean or maximum."""
        name, size = builtin_name(node), self.dtype.itemsize
        (x, *others) = node.inputs
        source = self.operand(x, x, -1)
        factors = [source, self.operand(others[0], x, -1)] if others else None
        array = self.fuser.array(x)
        kept = reduced(node, *space(array))
        assert kept is not None
        step = size if kept[0].endswith("_rows") else 0
        if not step:
            start = self.array(1, -np.inf if name == "max" else 0.0)
            row = [self.codes["fill"], address(own), 0, address(start), 0, 0, 0, 0, own.size]
            self.once.append((self.name, row))
        if kept[0].startswith("sum") and factors is None:
            factors = self.product_before(x)
        code = kept[0] if factors is None else kept[0].replace("sum", "products")
        self.instruction(code, (address(own), step), [source] if factors is None else factors)
        if name == "mean":
            scale = self.array(own.size, own.size / array.size)
            row = [self.codes["multiply"], address(own), 0, address(own), 0, address(scale), 0, 0, own.size]
            self.after.append((self.name, row))


WHOLE = {"matmul": Program.matmul, "scatter": Program.scatter, "getitem": Program.pick, "add_at": Program.add_at}
"""Ops that are written as a whole -> how."""


def name_of(node: Tensor) -> str:
    """The name of a node's op, of plans' own too."""
    return "add_at" if node.op is ADD_AT else builtin_name(node)


def picks(node: Tensor) -> bool:
    """Whether a node reads from a matrix, or adds to it, at pairs of a row and a column."""
    others = {"getitem": 1, "add_at": 2}.get(name_of(node))
    if others is None or len(node.inputs) != others + 2 or len(node.inputs[0].shape) != 2:
        return False
    rows, columns = node.inputs[others:]
    pairs = node.params[0] == (("array", 0), ("array", 1)) and len(rows.shape) == 1 and rows.shape == columns.shape
    return pairs and all(x.dtype == np.int64 for x in (rows, columns)) and node.inputs[0].dtype == node.dtype


def fits_whole(node: Tensor, fuser: Fuser) -> bool:
    """Whether a node can be written as a whole, as its arrays lie."""
    own, *arrays = [fuser.array(x) for x in (node, *node.inputs)]
    if picks(node):
        same = len(arrays) == 3 or (own.strides == arrays[0].strides and arrays[1].dtype == own.dtype)
        return same and order_of(arrays[0]) is not None and all(x.flags.c_contiguous for x in arrays[-2:])
    if builtin_name(node) == "matmul":
        return all(x.ndim == 2 for x in (own, *arrays)) and product_layout(arrays[0], arrays[1], own) is not None
    place = _slice(own, node)
    return place.shape == arrays[0].shape and all(x.flags.c_contiguous for x in (own, arrays[0], place))


def _slice(array: Array, node: Tensor) -> Array:
    """The part of an array that a node without arrays among its indices scatters to."""
    part: Array = array[(*decode(node.params[0], []), ...)]  # a view, also of one number
    return part


def space(array: Array) -> tuple[tuple[int, ...], bool]:
    """The shape in the order of memory, and whether that is the reverse of the array's."""
    turned = not array.flags.c_contiguous
    return (array.shape[::-1] if turned else array.shape), turned


def filling(array: Array, shape: Any, turned: bool) -> tuple[str, int] | None:
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


def reduced(node: Tensor, shape: tuple[int, ...], turned: bool) -> tuple[str, int] | None:
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
    if not any(reduced):
        return None
    if all(reduced):
        return None if word == "max" else ("sum_all", 1)
    split = reduced.index(not reduced[0])
    if any(r == reduced[0] for r in reduced[split:]) and [r for r in reduced[split:]] != [not reduced[0]] * (n - split):
        return None
    columns = int(np.prod(shape[split:]))
    return (f"{word}_columns" if reduced[0] else f"{word}_rows"), columns
