"""`Plan`: a Graph as a program of NumPy calls, readable, on fixed buffers."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgrad.errors import AnomalyError, GraphError, SymgradError
from symgrad.graph import Graph
from symgrad.passes import builtin_name
from symgrad.plan.calls import save_calls
from symgrad.plan.choosing import gather
from symgrad.plan.emission import CALLED
from symgrad.plan.measuring import Line, flops, profile
from symgrad.plan.ordering import in_sweeps
from symgrad.plan.recycling import LARGE, Recycler
from symgrad.plan.rewriting import optimize
from symgrad.plan.storage import Storage
from symgrad.plan.writer import Writer
from symgrad.shapes import size_of
from symgrad.tensor import Tensor, next_serial
from symgrad.trees import Structure, unflatten

__all__ = ["Plan"]


class Plan:
    """A traced step as a program: `source` to read, `run` to call, by one thread at a time.

    Attributes
    ----------
    source : str
        The program: straight-line NumPy with the author's names and a comment per module; and below it, what is
        computed from leaves alone, when one of them has changed.
    memory : int
        Bytes of all fixed buffers.
    calls : int
        Number of NumPy calls per run.
    flops : int
        Floating-point operations per run: 2 per product and sum of a contraction, 1 per element of anything else.
    hand_out : callable
        Makes copies of what `run` returns, in the structure that the traced function returned.
    """

    def __init__(self, graph: Graph, name: str = "step", fast: bool = False) -> None:
        self.graph = in_sweeps(gather(optimize(graph))) if fast else save_calls(optimize(graph))
        self.structure = graph.structure
        self.flags = graph.flags
        writer = Writer(self.graph, fast)
        writer.names[name] = None  # the program's own; a leaf may be called the same
        inputs = [writer.terminal(x, x.name or "x") for x in self.graph.inputs]
        owned = {id(leaf) for leaf, _ in (*writer.storage.owned, *writer.storage.mirrors)}
        reads = [(leaf, s) for leaf, s in self.graph.leaves if id(leaf) not in owned]
        values = [writer.terminal(s, leaf.name or "leaf") for leaf, s in reads]
        drawn = [writer.terminal(d.node, d.node.name or "random") for d in self.graph.draws]
        writer.write()
        results = [writer.result(y) for y in self.graph.outputs]
        prelude = [f"{value} = {writer.bind(f'leaf_{value}', leaf)}.value"
                   for (leaf, s), value in zip(reads, values, strict=True) if s.serial in writer.used]  # fmt: skip
        body = [*prelude, *writer.lines, f"return ({', '.join(results)}{',' if results else ''})"]
        self.source = _function(f"{name}({', '.join([*inputs, *drawn])})", body)
        prepare = writer.unique(f"{name}_prepare")
        if writer.steady:
            self.source += "\n" + _function(f"{prepare}()", ["# when a leaf has changed", *writer.steady])
        self.memory, self.calls, self.flops = writer.storage.bytes, writer.calls, flops(self.graph)
        self._owned = [_State(leaf, array) for leaf, array in writer.storage.owned]
        mirrors = (*writer.storage.mirrors, *writer.mirrors)
        self._states = [*self._owned, *(_State(leaf, array) for leaf, array in mirrors)]
        self._groups = _groups(writer.storage, self._owned)
        self._pending = False
        self.hand_out = _hander([_copier(y, y.serial in writer.fresh) for y in self.graph.outputs], self.structure)
        self._next = 0  # the serial that comes next if nobody else makes or assigns anything
        namespace = {k: v for k, v in writer.names.items() if v is not None}
        namespace.update(CALLED)
        namespace.update({node.op.forward.__name__: node.op.forward for node in self.graph.nodes
                          if node.op is not None and isinstance(node.op.forward, np.ufunc)})  # fmt: skip
        if fast:
            from symgrad.plan.kernels import execute

            namespace.update(fused=execute)
            self._keep = writer.keep
        self.programs = writer.programs
        self._file = f"<plan of {name}>"
        exec(compile(self.source, self._file, "exec"), namespace)
        self.namespace = namespace
        self._prepare = np.errstate(all="ignore")(namespace[prepare]) if writer.steady else None
        self._step = np.errstate(all="ignore")(namespace[name]) if _may_warn(self.graph) else namespace[name]

    def holds(self) -> bool:
        """Whether the attributes that the traced function has read are what they were."""
        return all([getattr(thing, name) == value for thing, name, value in self.flags])

    def profile(self, *arrays: Any, repeats: int = 20) -> list[Line]:
        """The time of every line: the shortest of some runs, after which everything is as it was.

        A program of the extra ``fast`` is one line; the comments that say what it computes have the times of that,
        measured by programs that end there, and the line has what is left.

        Parameters
        ----------
        *arrays : array_like
            What the plan is called with; ones by default.
        repeats : int

        Returns
        -------
        list of Line
            With ``number``, ``text``, ``scope`` and ``seconds``.

        Examples
        --------
        >>> import numpy as np, symgrad as sg
        >>> fast = sg.compile(lambda x: sg.sin(sg.sin(x)), fast=False)
        >>> y = fast(np.ones(3))
        >>> [line.text for line in fast.plan.profile()]
        ['sin(x, sin1)', 'sin(sin1, sin2)', 'return (sin2,)']
        """
        inputs = self.graph.inputs
        if arrays and len(arrays) != len(inputs):
            raise GraphError(f"profile: takes {len(inputs)} array(s), got {len(arrays)}")
        given = [np.asarray(a, x.dtype) for a, x in zip(arrays, inputs, strict=True)] if arrays else [
            np.ones(tuple(x.shape), x.dtype) for x in inputs]  # fmt: skip
        drawn = [np.random.default_rng(0).random(tuple(d.node.shape), d.node.dtype) for d in self.graph.draws]
        self._read()
        return profile(self, (*given, *drawn), repeats)

    def freeze(self) -> list[NDArray[Any]]:
        """Copies of the arrays of all leaves that the plan owns."""
        return [state.array.copy() for state in self._owned]

    def thaw(self, arrays: Sequence[NDArray[Any]]) -> None:
        """Put copies made by `freeze` back."""
        for state, array in zip(self._owned, arrays, strict=True):
            np.copyto(state.array, array)

    def run(self, arrays: Sequence[Any], publish: bool = True) -> tuple[Any, ...]:
        """One call on plain arrays: read the leaves, run the program, publish the new leaf values.

        Parameters
        ----------
        arrays : sequence of ndarray
            Of the shapes and dtypes that the plan was traced for.
        publish : bool
            Whether leaves get their new values now; otherwise at the next `publish`. Whatever was not published
            when a later run fails is lost: the leaves keep the values that they showed last.

        Returns
        -------
        tuple of ndarray or NumPy scalar
            The outputs; they live in the plan's buffers until the next run.
        """
        serial = next_serial()
        if self.graph.draws:
            arrays = (*arrays, *[d.sample({}) for d in self.graph.draws])
        try:
            if serial != self._next:
                self._read()
            results = self._step(*arrays)
        except BaseException as error:
            self._next = 0
            for state in self._states:  # buffers may be half done: the leaves' published values count
                state.serial = 0
            self._pending = False
            self._explain(error, arrays)
            raise
        if publish:
            self._publish()
        else:
            self._pending = True
        self._next = serial + 1 + (len(self._owned) if publish else 0)
        return results  # type: ignore[no-any-return]

    def _read(self) -> None:
        """Follow the leaves that have changed since the last run."""
        changed = [state for state in self._states if state.leaf.serial != state.serial]
        for state in changed:
            state.read()
        if changed and self._prepare is not None:
            self._prepare()

    def _explain(self, error: BaseException, arrays: Sequence[Any]) -> None:
        """Raise the failure of a NumPy call as an error that names the line of the program and its arguments."""
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == self._file]
        numeric = isinstance(error, (ValueError, TypeError, IndexError, FloatingPointError))
        if not numeric or isinstance(error, SymgradError) or not lines:
            return
        kind = AnomalyError if isinstance(error, FloatingPointError) else GraphError
        given = ", ".join(f"{x.name} {a.dtype}{a.shape}" for x, a in zip(self.graph.inputs, arrays, strict=False))
        line = self.source.splitlines()[lines[0] - 1].strip()  # type: ignore[operator]
        raise kind(f"plan: {error} in line {lines[0]}, `{line}`; the arguments were {given}") from error

    def publish(self) -> None:
        """Give all leaves that the plan owns their newest values."""
        if self._pending:
            for state in self._owned:
                if state.leaf.serial != state.serial:  # assigned since: that is newer
                    state.read()
            self._publish()

    def _publish(self) -> None:
        self._pending = False
        for buffer, members in self._groups:
            snapshot = buffer.flatten()
            snapshot.flags.writeable = False
            for state, start, stop, shape in members:
                leaf = state.leaf
                leaf.value = snapshot[start:stop].reshape(shape)
                leaf.serial = state.serial = next_serial()

    def __repr__(self) -> str:
        return f"Plan({self.calls} calls, {self.flops:,} flops, {self.memory:,} bytes)"


def _function(head: str, lines: Sequence[str]) -> str:
    return f"def {head}:\n" + "".join(f"    {line}\n" for line in lines)


def _hander(copiers: list[Callable[[Any], Any]], structure: Structure) -> Callable[[Any], Any]:
    """What makes copies of results, in a structure."""
    if structure is None:
        (only,) = copiers
        return lambda results: only(results[0])
    nest = _nester(structure)
    return lambda results: nest([copy(y) for copy, y in zip(copiers, results, strict=True)])


def _nester(structure: Structure) -> Callable[[list[Any]], Any]:
    """What puts results into a structure: quickly for some in a row."""
    if structure is not None and structure == (tuple, None, (None,) * len(structure[2])):
        return tuple
    return functools.partial(unflatten, structure)


def _copier(node: Tensor, fresh: bool) -> Callable[[Any], Any]:
    """What makes a result the caller's own."""
    if fresh:  # it is nobody else's already
        return lambda y: y
    if int(size_of(node.shape)) * node.dtype.itemsize < LARGE:
        return np.array
    new = Recycler(tuple(node.shape), node.dtype)

    def copy(y: Any) -> Any:
        array = new()
        np.copyto(array, y)
        return array

    return copy


_SINGULAR = {"power", "gauss", "div0", "mul0", "mul00", "hypot"}  # what rules pass through on their way to a value


def _may_warn(graph: Graph) -> bool:
    """Whether a rule may divide by zero where the eager backward pass, which ignores that, would too."""
    return any(node.shape != () and builtin_name(node) in _SINGULAR for node in graph.nodes)


class _State:
    """A leaf whose value the plan has in an array of its own, and the serial at which both last agreed."""

    __slots__ = ("array", "leaf", "serial")

    def __init__(self, leaf: Tensor, array: NDArray[Any]) -> None:
        self.leaf, self.array, self.serial = leaf, array, 0

    def read(self) -> None:
        """Copy the leaf's value in."""
        if self.leaf.value.shape != self.array.shape:
            raise GraphError(f"plan: {self.leaf._describe()} changed its shape; compile the step again")
        np.copyto(self.array, self.leaf.value)
        self.serial = self.leaf.serial


def _groups(storage: Storage, owned: list[_State]) -> list[tuple[NDArray[Any], list[Any]]]:
    """Buffers to copy when leaves are published, each with the leaves whose values are parts of it."""
    states = {id(state.leaf): state for state in owned}
    flat = [(buffer, [leaf for leaf, _ in members]) for buffer, members in storage.flat if buffer.flags.c_contiguous]
    together = {id(leaf) for _, leaves in flat for leaf in leaves}
    flat += [(state.array, [state.leaf]) for state in owned if id(state.leaf) not in together]
    groups = []
    for buffer, leaves in flat:
        parts = []
        for leaf in leaves:
            state = states[id(leaf)]
            start = (state.array.ctypes.data - buffer.ctypes.data) // buffer.itemsize
            parts.append((state, start, start + state.array.size, state.array.shape))
        groups.append((buffer, parts))
    return groups
