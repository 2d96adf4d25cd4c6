"""Where every value of a plan lives: fixed buffers, views of them, or a name bound at every call.

The rules, in order:

1. A leaf that the step assigns to has storage of its own, owned by the plan. A small leaf that it only reads is
   mirrored in an array that follows it, and what is small and computed from such leaves alone is steady: it is computed
   when one of them changes, and keeps its buffer between the runs.
2. A ``concatenate`` of vectors or matrices has one fixed buffer, and its parts are placed inside it: leaves
   and computed gradients become views, and joining them costs nothing.
3. A new value of a leaf is computed straight into the leaf's storage when nobody reads the old one later.
4. Views (reshape, transpose, slices, broadcasts) of fixed buffers are made once.
5. Everything else takes a buffer from a pool, and gives it back after its last reader.

A matrix product with more rows (samples) than columns lies column by column in memory, and so does what is computed
from it element by element: loops run along the longer axis, and a column can be joined on without a copy. An argument
that a column is joined on is copied row by row, as it lies.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from symgrad.graph import Graph
from symgrad.op import OPS
from symgrad.passes import builtin_name
from symgrad.plan.memory import zeros
from symgrad.tensor import Tensor

__all__ = ["Storage", "order_of", "orders_of", "same_memory", "view_of"]

Array = NDArray[Any]
Order = Literal["C", "F"]
_CONCATENATE, _RESHAPE, _GETITEM = OPS["concatenate"], OPS["reshape"], OPS["getitem"]
SMALL = 1 << 12  # elements of a leaf that is mirrored, and of what is kept


class Storage:
    """The arrays of a plan, assigned node by node in the order of emission."""

    def __init__(self, graph: Graph, fast: bool = False) -> None:
        self.graph = graph
        self.fast = fast  # programs keep what they compute on the way in registers
        self.place = {node.serial: k for k, node in enumerate(graph.nodes)}
        self.orders = orders_of(graph)
        self.arrays: dict[int, Array] = {}
        self.wanted: dict[int, Array] = {}
        self.root: dict[int, int] = {}
        self.readers = {node.serial: n for node, n in graph.fan_out().items()}
        self.pool: dict[tuple[Any, Any, Order], list[Array]] = {}
        self.pooled: dict[int, Array] = {}
        self.bytes = 0
        self.flat: list[tuple[Array, list[tuple[Tensor, Array]]]] = []
        self.owned: list[tuple[Tensor, Array]] = []
        self.mirrors: list[tuple[Tensor, Array]] = []
        self.steady = _steady(graph)
        self._find_roots()
        self._place_parts()
        self._place_updates()

    def new(self, shape: Any, dtype: Any, order: Order = "C") -> Array:
        """A fresh buffer."""
        array = zeros(tuple(shape), dtype, order)
        self.bytes += array.nbytes
        return array

    # Lifetimes

    def _find_roots(self) -> None:
        """The node whose memory each node shows, and where each memory is read last."""
        forever = len(self.graph.nodes)
        self.last: dict[int, int] = {}
        for k, node in enumerate(self.graph.nodes):
            view = node.op is not None and (node.op.view or node.op.identity) and len(node.inputs) == 1
            self.root[node.serial] = self.root[node.inputs[0].serial] if view else node.serial
            for x in node.inputs:
                self.last[self.root[x.serial]] = k
        for y in self.graph.roots:
            self.last[self.root[y.serial]] = forever

    # Placement

    def _place_parts(self) -> None:
        stand_ins = {leaf: s for leaf, s in self.graph.leaves}
        for leaf, _ in self.graph.assigned:
            s = stand_ins.get(leaf)
            if s is not None:
                self.owned.append((leaf, self.new(s.shape, s.dtype)))
        mine = {stand_ins[leaf].serial: leaf for leaf, _ in self.owned}
        mirrored = {s.serial: leaf for leaf, s in self.graph.leaves if s.serial in self.steady}
        moved: dict[int, Array] = {}
        for node in self.graph.nodes:
            if node.op is not _CONCATENATE or len(node.shape) > 2:
                continue
            axis = node.params[0]
            rewritten = any(_part_of(x, axis).serial in mine for x in node.inputs)  # in place, by the step
            copied = axis and not rewritten and node.inputs[0].op is None and node.shape[0] < 4 * node.shape[1]
            buffer = self.new(node.shape, node.dtype, "F" if axis and not copied else "C")
            self.arrays[node.serial] = self.wanted[node.serial] = buffer
            members = []
            start = 0
            for x in node.inputs:
                stop = start + x.shape[axis]
                part, start = buffer[:, start:stop] if axis else buffer[start:stop], stop
                source = _part_of(x, axis)
                if rewritten and source.serial in self.steady:
                    continue
                if source.serial in moved or source.serial in self.wanted or source.dtype != node.dtype:
                    continue
                view = part.reshape(source.shape)
                if not np.may_share_memory(view, part):
                    continue
                if source.serial in mine:
                    moved[source.serial] = view
                    members.append((mine[source.serial], view))
                elif source.serial in mirrored:
                    moved[source.serial] = view
                elif source.op is not None and not source.op.view and source.op.name != "const":
                    self.wanted[source.serial] = view
            if members:
                self.flat.append((buffer, members))
            elif not self.fast and self._written_at_every_call(node):
                self.pooled[node.serial] = buffer
        self.owned = [(leaf, moved.get(stand_ins[leaf].serial, a)) for leaf, a in self.owned]
        for leaf, array in self.owned:
            self.arrays[stand_ins[leaf].serial] = array
        for serial, leaf in mirrored.items():
            array = moved[serial] if serial in moved else self.new(leaf.shape, leaf.dtype)
            self.arrays[serial] = array
            self.mirrors.append((leaf, array))

    def _written_at_every_call(self, node: Tensor) -> bool:
        """Whether all parts of a vector are computed again at every call, and read by nobody after it."""
        roots = [self.root[x.serial] for x in node.inputs]
        lasting = self.steady | {x.serial for x in self.graph.nodes if x.op is None or x.op.name in ("const", "expand")}
        return len(node.shape) == 1 and all(
            r not in lasting and self.last[r] <= self.last.get(node.serial, -1) for r in roots
        )

    def _place_updates(self) -> None:
        """Let new values of leaves be computed in place of the old ones where nobody reads those later."""
        storage = {leaf: array for leaf, array in self.owned}
        candidates: dict[int, list[tuple[Tensor, Tensor]]] = {}
        for leaf, new in self.graph.assigned:
            candidates.setdefault(self.root[new.serial], []).append((leaf, new))
        nodes = {node.serial: node for node in self.graph.nodes}
        for serial, pairs in candidates.items():
            node = nodes[serial]
            if node.op is None or not node.op.out or node.serial in self.wanted or node.serial in self.steady:
                continue
            target = self._target(node, pairs[0], storage)
            if target is None or not self._old_unread(node, target):
                continue
            if all(same_memory(_replay(new, node, target), storage[leaf]) for leaf, new in pairs if leaf in storage):
                before = None if self.fast else self._on_the_way(node, target)
                self.wanted[serial] = target
                if before is not None:
                    self.wanted[before.serial] = target

    def _on_the_way(self, node: Tensor, target: Array) -> Tensor | None:
        """What a node alone reads that can be computed from the old value where the new one will be."""
        for x in node.inputs:
            if not _elementwise(x) or not x.op.out or x.dtype != target.dtype or tuple(x.shape) != target.shape:  # type: ignore[union-attr]
                continue
            taken = x.serial in self.wanted or self.place[node.serial] != self.last.get(x.serial)
            reads = any(y.serial in self.arrays and same_memory(target, self.arrays[y.serial]) for y in x.inputs)
            if reads and not taken and self.readers[x.serial] == 1 and self._old_unread(x, target):
                return x
        return None

    def _target(self, node: Tensor, pair: tuple[Tensor, Tensor], storage: dict[Tensor, Array]) -> Array | None:
        leaf, _ = pair
        for buffer, members in self.flat:
            if buffer.shape == tuple(node.shape) and any(member is leaf for member, _ in members):
                return buffer
        own = storage.get(leaf)
        return own if own is not None and own.shape == tuple(node.shape) and own.dtype == node.dtype else None

    def _old_unread(self, node: Tensor, target: Array) -> bool:
        """Whether every reader of this memory comes before the node, or is the node reading it elementwise."""
        k = self.place[node.serial]
        aliases = {s for s, a in (self.wanted | self.arrays).items() if np.shares_memory(a, target)}
        for reader in self.graph.nodes[k:]:
            for x in reader.inputs:
                if self.root[x.serial] not in aliases:
                    continue
                same = tuple(x.shape) == target.shape and x.serial in self.arrays
                exact = reader is node and same and _elementwise(node)
                follows = self.root[reader.serial] == self.root[x.serial]  # its own readers come up too
                if not exact and not follows:
                    return False
        lasting = {self.root[y.serial] for y in self.graph.roots}
        return not (lasting - {node.serial}) & aliases

    def overwritten(self, node: Tensor, targets: list[Array]) -> bool:
        """Whether a value lives in the memory of one of these arrays."""
        array = self.arrays.get(self.root[node.serial])
        return array is not None and any(np.shares_memory(array, target) for target in targets)

    # Use, in the order of emission

    def view(self, node: Tensor) -> Array | None:
        """The array of a view of a fixed buffer, made once; None if it must be made at every call."""
        base = self.arrays.get(node.inputs[0].serial)
        if base is None:
            return None
        array = view_of(base, node)
        if array is not None:
            self.arrays[node.serial] = array
        return array

    def out(self, node: Tensor, over: tuple[Tensor, ...] = ()) -> Array:
        """The buffer that a node writes, which may be that of an input in `over` that dies here."""
        self.release(node, over)
        array = self.wanted.get(node.serial)
        if array is None and node.serial in self.steady:
            array = self.new(node.shape, node.dtype, self.orders.get(node.serial, "C"))
        elif array is None:
            key = (tuple(node.shape), np.dtype(node.dtype), self.orders.get(node.serial, "C"))
            free = self.pool.get(key)
            array = free.pop() if free else self.new(*key)
            if self.last.get(node.serial, -1) < len(self.graph.nodes):
                self.pooled[node.serial] = array
        self.arrays[node.serial] = array
        return array

    def added_to(self, node: Tensor) -> tuple[Tensor, ...]:
        """What a node adds numbers to, in whose buffer it may do so: not if it reads more of the same memory."""
        x, *others = node.inputs
        return () if self.root[x.serial] in [self.root[y.serial] for y in others] else (x,)

    def borrow(self, shape: Any, dtype: Any, order: Order = "C") -> Array:
        """A buffer from the pool that stays in the pool: for use within one node."""
        free = self.pool.setdefault((shape, dtype, order), [])
        if not free:
            free.append(self.new(shape, dtype, order))
        return free[-1]

    def release(self, node: Tensor, inputs: tuple[Tensor, ...] | None = None) -> None:
        """Give back the buffers that this node is the last to read, of all inputs or some."""
        k = self.place[node.serial]
        for x in node.inputs if inputs is None else inputs:
            root = self.root[x.serial]
            array = self.pooled.get(root)
            if array is not None and self.last[root] == k:
                del self.pooled[root]
                self.give_back(array)

    def give_back(self, array: Array) -> None:
        """Put a buffer into the pool."""
        self.pool.setdefault((array.shape, array.dtype, order_of(array)), []).append(array)


def order_of(array: Array) -> Order:
    """How an array without gaps lies in memory; "C" where both are true."""
    return "C" if array.flags.c_contiguous else "F"


def _part_of(x: Tensor, axis: int) -> Tensor:
    """What an input of a concatenation shows."""
    return x.inputs[0] if x.op is _RESHAPE and not axis else x


def _steady(graph: Graph) -> set[int]:
    """Small leaves that are read only, and what is small and computed from them alone."""
    assigned = {id(leaf) for leaf, _ in graph.assigned}
    steady = {s.serial for leaf, s in graph.leaves if id(leaf) not in assigned and _small(s) and s.dtype.kind in "biuf"}
    constants = {node.serial for node in graph.nodes if node.op is OPS["const"]}
    for node in graph.nodes:
        inputs = {x.serial for x in node.inputs}
        known = builtin_name(node) not in ("", "call", "const") and not node.op.outputs  # type: ignore[union-attr]
        if known and _small(node) and inputs <= steady | constants and not inputs <= constants:
            steady.add(node.serial)
    return steady


def _small(x: Tensor) -> bool:
    return bool(np.prod(tuple(x.shape)) <= SMALL)


def orders_of(graph: Graph) -> dict[int, Order]:
    """The nodes that lie column by column: see the top."""
    readers: dict[int, list[Tensor]] = {node.serial: [] for node in graph.nodes}
    for node in graph.nodes:
        for x in node.inputs:
            readers[x.serial].append(node)
    rows = {y.serial for y in graph.outputs}  # what must lie row by row
    for node in reversed(graph.nodes):
        alike = [y for y in readers[node.serial] if _elementwise(y) and tuple(y.shape) == tuple(node.shape)]
        if any(map(_merges, readers[node.serial])) or any(y.serial in rows for y in alike):
            rows.add(node.serial)
    orders: dict[int, Order] = {}
    for node in graph.nodes:
        like = _elementwise(node) and any(x.serial in orders and x.shape == node.shape for x in node.inputs)
        if not (like or builtin_name(node) == "matmul"):  # an op of two outputs has two shapes
            continue
        if len(node.shape) == 2 and node.shape[0] >= node.shape[1] > 1 and node.serial not in rows:
            orders[node.serial] = "F"
    return orders


def _merges(node: Tensor) -> bool:
    """Whether a node reshapes a matrix in a way that is no view if it lies column by column."""
    if node.op is not _RESHAPE or not node.inputs[0].shape:
        return False
    rows, *rest = node.inputs[0].shape
    split = [k for k in range(len(node.shape)) if int(np.prod(node.shape[:k])) == rows]
    return not split or list(node.shape[split[-1] :]) != rest


def _elementwise(node: Tensor) -> bool:
    return node.op is not None and (node.op.indices == "elementwise" or node.op.name == "add_at")


def _replay(new: Tensor, node: Tensor, target: Array) -> Array:
    """The views between a node and the new value of a leaf, on another array."""
    if new is node:
        return target
    return _seen(_replay(new.inputs[0], node, target), new)


def _seen(base: Array, node: Tensor) -> Array:
    inputs = (base,) if node.op.arity is not None else ((base,),)  # type: ignore[union-attr]
    return node.op.forward(*inputs, *node.params)  # type: ignore[union-attr, no-any-return]


def view_of(base: Array, node: Tensor) -> Array | None:
    """What a node of one input shows of an array; None if it makes a copy."""
    array = _seen(base, node)
    return array if isinstance(array, np.ndarray) and (not array.size or np.may_share_memory(array, base)) else None


def same_memory(a: Array, b: Array | None) -> bool:
    """Whether two arrays are the same elements."""
    return b is not None and (
        a.__array_interface__["data"][0] == b.__array_interface__["data"][0]
        and a.shape == b.shape
        and a.strides == b.strides
    )
