"""`Writer`: a Graph as lines of NumPy calls on the buffers of its `Storage`."""

from __future__ import annotations

import keyword
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgrad.graph import Graph
from symgrad.op import Op
from symgrad.passes import builtin_name
from symgrad.plan import ufuncs
from symgrad.plan.chains import PRODUCT
from symgrad.plan.emission import EMIT, SCALARS, VIEWS
from symgrad.plan.fusing import Fuser
from symgrad.plan.rewriting import ADD_AT
from symgrad.plan.storage import Storage
from symgrad.plan.views import COPIED
from symgrad.tensor import Tensor

__all__ = ["Writer"]


class Writer:
    """Writes the lines of a plan, node by node, and collects the arrays that they name."""

    def __init__(self, graph: Graph, fast: bool = False) -> None:
        self.graph = graph
        self.storage = Storage(graph, fast)
        self.names: dict[str, Any] = {}
        self.name_of: dict[int, str] = {}
        self.scalar_of: dict[int, str] = {}
        self.computed: set[int] = set()  # what array calls made: worth an array, not a scalar
        self.lines: list[str] = []
        self.steady: list[str] = []  # lines that run when a leaf has changed
        self.keep: list[Any] = []  # arrays that only programs of the fast extra refer to
        self.programs: dict[int, list[str]] = {}  # identity of a program of the fast extra -> the nodes of its rows
        self.calls = 0
        self.mirrors: list[tuple[Tensor, NDArray[Any]]] = []  # leaves with arrays that follow them between the runs
        self.fresh: set[int] = set()  # outputs that are written to an array of the caller's own
        self.used: set[int] = set()  # what lines name, of all that is bound at every call
        self._scope: tuple[str, ...] = ()
        self._views: dict[Any, str] = {}
        self._counts: dict[str, int] = {}
        self._copies: dict[str, int] = {}  # where the search for a free number goes on
        self.deferred: dict[int, str] = {}  # views of what is bound at every call, which programs may need no line for
        self.fuser = Fuser(self) if fast else None
        self.hosts = {} if fast else ufuncs.hosts_of(graph, self.storage)

    # Names

    def unique(self, wanted: str) -> str:
        """An identifier like the wanted one that is still free."""
        base = "".join(c if c.isalnum() and c.isascii() else "_" for c in wanted).strip("_") or "v"
        base = f"v_{base}" if base[0].isdigit() or keyword.iskeyword(base) or hasattr(np, base) else base
        name, k = base, self._copies.get(base, 1)
        while name in self.names:
            k += 1
            name = f"{base}_{k}"
        self._copies[base] = k
        return name

    def numbered(self, op: str) -> str:
        """The next automatic name for a result of this op."""
        k = self._counts[op] = self._counts.get(op, 0) + 1
        return f"{op}{k}"

    def bind(self, wanted: str, value: Any) -> str:
        """A new name for a value that is fixed when the plan is made."""
        name = self.unique(wanted)
        self.names[name] = value
        return name

    def constant(self, value: NDArray[Any], wanted: str) -> str:
        """The name of a fixed array, shared between equal ones."""
        key = (value.shape, value.strides, value.dtype.str, value.tobytes())
        if key not in self._views:
            self._views[key] = self.bind(wanted, value)
        return self._views[key]

    def fixed(self, value: Any, wanted: str = "p") -> str:
        """A parameter or function as text, or by a name of its own."""
        if isinstance(value, (int, float, str, type(None))) or (isinstance(value, tuple) and not value):
            return repr(value)
        key = (id(value) if callable(value) else repr(value), wanted)
        if key not in self._views:
            self._views[key] = self.bind(f"{wanted}_", value)
        return self._views[key]

    def scratch(self, shape: Any, dtype: Any, order: Any = "C") -> str:
        """The name of a buffer that is free again after the node that asks for it."""
        array = self.storage.borrow(tuple(shape), np.dtype(dtype), order)
        key = ("scratch", id(array))
        if key not in self._views:
            self._views[key] = self.bind("scratch", array)
        return self._views[key]

    def is_flat(self, name: str) -> bool:
        """Whether a name is that of a fixed buffer without gaps, which can be seen in another shape."""
        array = self.names.get(name)
        return array is not None and bool(array.flags.c_contiguous or array.flags.f_contiguous)

    def flat(self, name: str) -> str:
        """The name of a fixed buffer seen as one axis, in the order of its memory."""
        array = self.names[name]
        return self.shaped(name if array.flags.c_contiguous else self.turned(name), (array.size,))

    def turned(self, name: str) -> str:
        """The transpose of an array: a name bound once, or the text for one that is bound at every call."""
        array = self.names.get(name)
        if array is None:
            return f"{name}.T"
        key = ("turned", name)
        if key not in self._views:
            self._views[key] = self.bind(f"{name}_T", array.T)
        return self._views[key]

    def shaped(self, name: str, shape: tuple[int, ...]) -> str:
        """The name of an array seen in another shape; of one that is bound at every call, it is made then."""
        array = self.names[name]
        if array is not None and array.shape == shape:
            return name
        key = ("shaped", name, shape)
        if key not in self._views:
            wanted = f"{name}_{'flat' if len(shape) == 1 else 'view'}"
            self._views[key] = self.bind(wanted, None if array is None else array.reshape(shape))
            if array is None:
                self.line(f"{self._views[key]} = {name}.reshape({shape!r})")
        return self._views[key]

    def bits(self, name: str, dtype: Any) -> str:
        """Floats of a dtype seen as integers of the same bits: a name bound once, or text."""
        if self.names[name] is None:
            return f"{name}.view({f'int{8 * dtype.itemsize}'!r})"
        key = ("bits", name)
        if key not in self._views:
            array = self.names[name]
            self._views[key] = self.bind(f"{name}_bits", array.view(f"int{8 * array.itemsize}"))
        return self._views[key]

    def part_of(self, name: str, axis: int, start: int, stop: int) -> str:
        """The name of a slice of a fixed buffer."""
        key = (name, axis, start, stop)
        if key not in self._views:
            index = (*(slice(None),) * axis, slice(start, stop))
            self._views[key] = self.bind(f"{name}_part", self.names[name][index])
        return self._views[key]

    # Lines

    def line(self, text: str) -> None:
        """One call."""
        self.lines.append(text)
        self.calls += 1

    def comment(self, node: Tensor) -> None:
        """A comment where another module begins."""
        if node.scope and node.scope != self._scope:
            self.lines.append(f"# {'.'.join(node.scope)}")
            self._scope = node.scope

    def flush(self) -> None:
        """Write what waits to be fused."""
        if self.fuser is not None:
            self.fuser.flush()

    def write(self) -> None:
        """All nodes, then the copies of new leaf values that could not be computed in place."""
        place = {}
        for leaf, array in self.storage.owned:
            stand_in = next(s for owner, s in self.graph.leaves if owner is leaf)
            place[id(leaf)] = self.name_of[stand_in.serial] = self.bind(leaf.name or "leaf", array)
        for leaf, array in self.storage.mirrors:
            stand_in = next(s for owner, s in self.graph.leaves if owner is leaf)
            self.name_of[stand_in.serial] = self.bind(leaf.name or "leaf", array)
        for node in self.graph.nodes:
            if node.serial in self.name_of or node.op is None:
                continue
            if node.serial in self.storage.steady:
                self.prepare(node)
            else:
                self.node(node)
        self.flush()
        storage = {id(leaf): array for leaf, array in self.storage.owned}
        copies = []
        for leaf, new in self.graph.assigned:
            made = self.storage.arrays.get(new.serial)
            if made is None or made.__array_interface__ != storage[id(leaf)].__array_interface__:
                copies.append((leaf, new))
        targets = [storage[id(leaf)] for leaf, _ in copies]
        for y in {x.serial: x for x in (*self.graph.outputs, *(new for _, new in copies))}.values():
            if y.serial not in self.scalar_of and self.storage.overwritten(y, targets):
                self.save(y)
        for leaf, new in copies:
            if new.serial in self.scalar_of:
                self.line(f"{place[id(leaf)]}[()] = {self.scalar_of[new.serial]}")
            else:
                self.line(f"copyto({place[id(leaf)]}, {self.array(new)})")

    def save(self, node: Tensor) -> None:
        """Copy a value out of memory that is about to be written."""
        name = self.bind("old", self.storage.new(node.shape, node.dtype))
        self.line(f"copyto({name}, {self.array(node)})")
        self.name_of[node.serial] = name

    def terminal(self, node: Tensor, wanted: str) -> str:
        """The name of a value that is bound at every call."""
        name = self.unique(wanted)
        self.names[name] = None
        self.name_of[node.serial] = name
        return name

    # Scalars: NumPy scalars calculate several times quicker than arrays without axes

    def scalar(self, node: Tensor) -> str:
        """The text of a value without axes as a NumPy scalar."""
        if node.serial in self.scalar_of:
            return self.scalar_of[node.serial]
        if _is_const(node) and np.isfinite(node.params[0]):
            return f"({float(node.params[0])!r})" if node.params[0] < 0 else repr(float(node.params[0]))
        return f"{self.array(node)}[()]"

    def calculate(self, node: Tensor, wanted: str) -> bool:
        """Write a node on scalars alone as an expression; False if it is none."""
        text = SCALARS.get(builtin_name(node))
        if text is None or node.shape != () or node.dtype.kind != "f" or any(x.shape != () for x in node.inputs):
            return False
        if any(x.dtype != node.dtype for x in node.inputs) or all(map(_is_const, node.inputs)):
            return False
        if all(x.serial in self.computed for x in node.inputs):
            return False
        self.scalar_of[node.serial] = name = self.unique(wanted)
        self.names[name] = None
        self.line(f"{name} = {text.format(*[self.scalar(x) for x in node.inputs])}")
        self.storage.release(node)
        return True

    def array(self, node: Tensor) -> str:
        """The name of a value as an array, which scalars and views get when it is first asked for."""
        self.used.add(node.serial)
        if node.serial in self.deferred:
            wanted = self.deferred.pop(node.serial)
            self.names.pop(wanted)
            self._allocating(node, node.op, [self.array(x) for x in node.inputs], wanted)  # type: ignore[arg-type]
        if node.serial not in self.name_of:
            array = self.storage.arrays[node.serial] = self.storage.new((), node.dtype)
            self.name_of[node.serial] = name = self.bind(f"{self.scalar_of[node.serial]}_", array)
            self.line(f"{name}[()] = {self.scalar_of[node.serial]}")
        return self.name_of[node.serial]

    def prepare(self, node: Tensor) -> None:
        """One node that is computed when a leaf has changed."""
        lines, calls, fuser = self.lines, self.calls, self.fuser
        self.lines, self.fuser = self.steady, None
        self.node(node)
        self.lines, self.calls, self.fuser = lines, calls, fuser

    def result(self, node: Tensor) -> str:
        """The name of an output, a scalar or an array."""
        return self.scalar_of[node.serial] if node.serial in self.scalar_of else self.array(node)

    def node(self, node: Tensor) -> None:
        """One node: a constant, a view made once, a call into a buffer, or a call that allocates."""
        op: Op = node.op  # type: ignore[assignment]
        wanted = node.name or self.numbered(_WORDS.get(op.name, op.name))
        if op.name == "const":
            self.name_of[node.serial] = self.constant(node.value, f"c_{node.params[0]}")
            self.storage.arrays[node.serial] = self.names[self.name_of[node.serial]]
            return
        if op.view and len(node.inputs) == 1:
            array = self.storage.view(node)
            if array is not None:
                self.name_of[node.serial] = self.bind(wanted, array)
                return
            if self.fuser is not None and node.inputs[0].serial not in self.storage.arrays:
                self.deferred[node.serial] = self.name_of[node.serial] = self.terminal(node, wanted)
                return
        if self.fuser is not None:
            if self.fuser.take(node, wanted):
                return
            if not self.fuser.joins_early(node):
                self.fuser.flush()
        if node.serial in self.storage.steady or not self.calculate(node, wanted):
            self.plain(node, wanted)

    def is_deferred(self, node: Tensor) -> bool:
        """Whether a node is a view of what is bound at every call that nobody has made yet, or of such a view."""
        return node.serial in self.deferred

    def plain(self, node: Tensor, wanted: str) -> None:
        """One node as a NumPy call."""
        op: Op = node.op  # type: ignore[assignment]
        args = [self.array(x) for x in node.inputs]
        self.comment(node)
        self.computed.add(node.serial)
        if ufuncs.by_ufunc(node):
            ufuncs.write(self, node, args, wanted)
            return
        emit = EMIT.get(op.name if op in (ADD_AT, COPIED, PRODUCT) else builtin_name(node))
        if emit is not None and not op.view:
            lines, calls = len(self.lines), self.calls
            self.name_of[node.serial] = out = self.bind(
                wanted, self.storage.out(node, self.storage.added_to(node) if op is ADD_AT else ())
            )
            if emit(self, node, args, out):
                self.storage.release(node)
                return
            del self.lines[lines:]
            self.calls = calls
        self._allocating(node, op, args, wanted)

    def _allocating(self, node: Tensor, op: Op, args: list[str], wanted: str) -> None:
        """The op's own forward, and a copy where the value has a fixed place."""
        own = builtin_name(node)
        write = VIEWS.get(own)
        if write is not None:
            call = write(*args, *node.params)
        else:
            params = ", ".join(self.fixed(p) for p in node.params)
            listed = f"({', '.join(args)},)" if op.arity is None else ", ".join(args)
            call = f"{self.fixed(op.forward, op.name)}({', '.join(filter(None, (listed, params)))})"
            if own in ("", "call"):  # a function of the user's: what it returns may be a view of what it was given
                call = f"{self.fixed(_fresh, 'fresh')}({call})"
        fixed = self.storage.wanted.get(node.serial)
        if fixed is None and node.serial in self.storage.steady:
            fixed = self.storage.out(node)
        if fixed is None:
            self.storage.arrays.pop(node.serial, None)
            self.name_of[node.serial] = name = self.unique(wanted)
            self.names[name] = None
            self.line(f"{name} = {call}")
        else:
            self.storage.arrays[node.serial] = fixed
            self.name_of[node.serial] = name = self.bind(wanted, fixed)
            self.line(f"copyto({name}, {call})")
        self.storage.release(node)


_WORDS = {"concatenate": "joined"}  # what automatic names are called where that is not the op


def _fresh(value: Any) -> Any:
    """A copy of an array, or of several."""
    return tuple([np.array(v) for v in value]) if isinstance(value, tuple) else np.array(value)


def _is_const(node: Tensor) -> bool:
    return node.op is not None and node.op.name == "const"
