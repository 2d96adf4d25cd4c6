"""The frozen `Graph`: what a function computes, as data that other readers run, rewrite and draw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.context import current_run, generator
from symgrad.errors import DTypeError, GraphError, ShapeError, SymgradError
from symgrad.op import DISPLAY, FUNCTIONS, Op, explain
from symgrad.ops.marks import arange
from symgrad.recording import apply, infer
from symgrad.shapes import Dim, bind, same_shape, size_of, unify
from symgrad.tensor import Tensor, as_tensor, reachable, rebuild, records_of
from symgrad.trees import Structure, flatten, unflatten

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["Draw", "Graph"]


@dataclass(frozen=True, slots=True)
class Draw:
    """A random input: where the ambient Run draws it at every call."""

    node: Tensor
    path: str

    def sample(self, sizes: Mapping[str, int]) -> Any:
        """Uniform numbers in [0, 1) of the node's shape and dtype."""
        run = current_run(f"the random draw at {self.path!r}")
        shape = bind(tuple(self.node.shape), sizes)
        return generator(run.key("draw", self.path)).random(shape, dtype=self.node.dtype)


@dataclass(frozen=True, eq=False, repr=False)
class Graph:
    """A computation as data: nodes in topological order, from inputs and leaves to outputs.

    Make one with `symgrad.trace`. Calling it runs it: on arrays with arrays out, on Tensors with
    Tensors out (so that it differentiates like the function it came from).

    Attributes
    ----------
    inputs : tuple of Tensor
        Abstract inputs, one per array argument of the traced function, in order.
    leaves : tuple of (Tensor, Tensor)
        Leaves that the function closed over, each with its abstract stand-in; read at every call.
    draws : tuple of Draw
        Random inputs.
    outputs : tuple of Tensor
    assigned : tuple of (Tensor, Tensor)
        Leaves that the function assigned to, each with the node of its new value.
    structure, arguments
        How outputs and arguments nest in dicts, lists and tuples.
    flags : tuple of (object, attribute, value)
        Attributes that the traced function has read, such as a module's ``training``.
    nodes : tuple of Tensor
        All of them, inputs before consumers.

    Examples
    --------
    >>> import symgrad as sg
    >>> g = sg.trace(lambda x: sg.exp(x).sum(), sg.spec("B"))
    >>> g
    Graph(1 input, 2 ops -> 1 output)
    >>> g([0.0, 0.0])
    array(2.)
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    leaves: tuple[tuple[Tensor, Tensor], ...] = ()
    draws: tuple[Draw, ...] = ()
    assigned: tuple[tuple[Tensor, Tensor], ...] = ()
    structure: Structure = None
    arguments: tuple[Structure, ...] | None = None
    flags: tuple[tuple[Any, str, Any], ...] = ()
    nodes: tuple[Tensor, ...] = field(init=False)

    def __post_init__(self) -> None:
        roots = (*self.outputs, *(new for _, new in self.assigned))
        terminals = (*self.inputs, *(stand_in for _, stand_in in self.leaves), *(d.node for d in self.draws))
        known = {x.serial for x in terminals}
        nodes = reachable([*terminals, *roots])
        for node in nodes:
            if node.op is None and node.serial not in known:
                raise GraphError(
                    f"graph: {node._describe()} is not an input of the graph; it belongs to another trace "
                    "(was an abstract Tensor stored outside of the traced function?)"
                )
        object.__setattr__(self, "nodes", tuple(nodes))

    # Running

    def __call__(self, *args: Any) -> Any:
        """Run on arrays (arrays out) or Tensors (Tensors out); where an array was traced, a list is an array too."""
        given = self._flat(args)
        closed = [leaf for leaf, _ in self.leaves]
        if any(isinstance(x, Tensor) for x in given) or any(leaf.requires_grad & 2 for leaf in closed):
            return unflatten(self.structure, self.apply([as_tensor(x) for x in given], closed))
        if len(given) != len(self.inputs):
            raise GraphError(f"graph: takes {len(self.inputs)} array(s), got {len(given)}")
        arrays = [_array(x, i) for x, i in zip(given, self.inputs, strict=True)]
        values = self.run(arrays)
        return unflatten(self.structure, [np.array(v) for v in values])

    def _flat(self, args: tuple[Any, ...]) -> list[Any]:
        """The arrays in the arguments; where one array was traced, a list is an array too."""
        structures = self.arguments if self.arguments is not None else (None,) * len(args)
        if len(args) != len(structures):
            raise GraphError(f"graph: takes {len(structures)} argument(s), got {len(args)}")
        leaves = []
        for a, structure in zip(args, structures, strict=True):
            found, own = ([a], None) if structure is None else flatten(a)
            if own != structure:
                raise GraphError("graph: an argument is nested otherwise than the one that was traced")
            leaves += [x for x in found if not isinstance(x, (bool, str))]
        return leaves

    def sizes(self, shapes: Iterable[Any]) -> dict[str, Any]:
        """The numbers (or other sizes) behind the symbolic sizes, from the shapes of the arguments."""
        found: dict[str, Any] = {}
        shapes = list(shapes)
        if len(shapes) != len(self.inputs):
            raise GraphError(f"graph: takes {len(self.inputs)} array(s), got {len(shapes)}")
        for _ in range(2):  # the second time checks the sizes that were unknown at first
            for x, shape in zip(self.inputs, shapes, strict=True):
                unify(x.shape, shape, found, f"graph: argument {x.name or '?'}")
        unknown = {
            n for x in self.inputs for size in x.shape if isinstance(size, Dim) for n in size.names()
        } - found.keys()
        if unknown:
            raise ShapeError(
                f"graph: shapes {tuple(map(tuple, shapes))} do not tell the size(s) {', '.join(sorted(unknown))} in "
                f"{', '.join(str(tuple(x.shape)) for x in self.inputs)}; give an input an axis of that size"
            )
        return found

    def run(self, arrays: list[Any], closed: list[Any] | None = None) -> list[Any]:
        """The outputs on plain arrays; leaves assigned to are left alone."""
        values = self.values(arrays, closed)
        return [values[y.serial] for y in self.outputs]

    def values(self, arrays: list[Any], closed: list[Any] | None = None) -> dict[int, Any]:
        """The value of every node, by serial number."""
        sizes = self.sizes([np.shape(x) for x in arrays])
        values: dict[int, Any] = {x.serial: a for x, a in zip(self.inputs, arrays, strict=True)}
        leaf_values = [leaf.value for leaf, _ in self.leaves] if closed is None else closed
        values.update({s.serial: v for (_, s), v in zip(self.leaves, leaf_values, strict=True)})
        values.update({d.node.serial: d.sample(sizes) for d in self.draws})
        for node in self.nodes:
            if node.serial not in values:
                values[node.serial] = _evaluate(node, [values[x.serial] for x in node.inputs], sizes)
        return values

    def apply(self, arguments: list[Tensor], closed: list[Tensor] | None = None) -> list[Tensor]:
        """The outputs on Tensors, recorded op by op."""
        sizes = self.sizes([x.shape for x in arguments])
        made = {x.serial: a for x, a in zip(self.inputs, arguments, strict=True)}
        leaves = [leaf for leaf, _ in self.leaves] if closed is None else closed
        made.update({s.serial: leaf for (_, s), leaf in zip(self.leaves, leaves, strict=True)})
        made.update({d.node.serial: FUNCTIONS["random_uniform"](d.path, bind(tuple(d.node.shape), sizes), d.node.dtype)
                     for d in self.draws})  # fmt: skip
        for node in self.nodes:
            if node.serial in made:
                continue
            if node.op.name == "const":  # type: ignore[union-attr]
                made[node.serial] = node
                continue
            params = bind(node.params, sizes) if sizes else node.params
            if node.op.name in ("size", "arange"):  # type: ignore[union-attr]
                found = params[0] if node.op.name == "size" else arange(params[0])  # type: ignore[union-attr]
                made[node.serial] = as_tensor(found, node.dtype)
                continue
            y = apply(node.op, tuple([made[x.serial] for x in node.inputs]), params)  # type: ignore[arg-type]
            if node.name is not None:
                y = FUNCTIONS["named"](y, node.name, node.latex) if y.meta is None else y
            made[node.serial] = y
        return [made[y.serial] for y in self.outputs]

    # Looking

    def validate(self) -> Graph:
        """Check that shapes and dtypes of all nodes are what their ops give; returns the graph."""
        for node in self.nodes:
            if node.op is None or node.op.name == "const":
                continue
            try:
                shape, dtype = infer(node.op, node.inputs, node.params)
            except SymgradError as error:
                raise GraphError(f"graph: node {node._describe()} does not fit its inputs: {error}") from None
            same = shape == node.shape if node.op.outputs else same_shape(shape, node.shape)
            if not same or (dtype != node.dtype and node.op.name != "size"):
                raise GraphError(f"graph: node {node._describe()} should be {dtype}{tuple(shape)}")
        return self

    def to_networkx(self) -> nx.MultiDiGraph[int]:
        """The graph as a `networkx.MultiDiGraph`: nodes by place, edges keyed by argument position.

        Node attributes: ``op``, ``name``, ``shape``, ``dtype``, ``role`` (input, leaf, draw, const, op) and
        ``output``. ``x * x`` has two edges, with keys 0 and 1.
        """
        import networkx as nx

        place = {node.serial: k for k, node in enumerate(self.nodes)}
        roles = {x.serial: "input" for x in self.inputs}
        roles.update({s.serial: "leaf" for _, s in self.leaves})
        roles.update({d.node.serial: "draw" for d in self.draws})
        outputs = {y.serial for y in self.outputs}
        view: nx.MultiDiGraph[int] = nx.MultiDiGraph()
        for k, node in enumerate(self.nodes):
            op: Op | None = node.op
            role = roles.get(node.serial, "const" if op is not None and op.name == "const" else "op")
            view.add_node(k, op=op.name if op else None, name=node.name, shape=node.shape, dtype=str(node.dtype),
                          role=role, output=node.serial in outputs)  # fmt: skip
            for position, x in enumerate(node.inputs):
                view.add_edge(place[x.serial], k, key=position)
        return view

    def depth(self) -> int:
        """Number of ops on the longest path."""
        return len(self.critical_path()) - 1 if self.nodes else 0

    def critical_path(self) -> list[Tensor]:
        """The nodes of a longest path from an input to an output."""
        import networkx as nx

        return [self.nodes[k] for k in nx.dag_longest_path(nx.DiGraph(self.to_networkx()))]

    @property
    def roots(self) -> tuple[Tensor, ...]:
        """What all else is computed for: the outputs, and the new values of leaves."""
        return (*self.outputs, *(new for _, new in self.assigned))

    def fan_out(self) -> dict[Tensor, int]:
        """How many times each node is read."""
        counts = {node.serial: 0 for node in self.nodes}
        for node in self.nodes:
            for x in node.inputs:
                counts[x.serial] += 1
        return {node: counts[node.serial] for node in self.nodes}

    def memory_timeline(self, **sizes: int) -> list[int]:
        """Bytes alive after each node, if every value is freed after its last reader.

        Parameters
        ----------
        **sizes : int
            Numbers for the symbolic sizes.
        """
        last = {x.serial: k for k, node in enumerate(self.nodes) for x in node.inputs}
        kept = {y.serial for y in (*self.outputs, *(n for _, n in self.assigned))}
        alive: dict[int, int] = {}
        timeline = []
        for k, node in enumerate(self.nodes):
            alive[node.serial] = _bytes(node, sizes)
            timeline.append(sum(alive.values()))
            for x in node.inputs:
                if last[x.serial] == k and x.serial not in kept:
                    alive.pop(x.serial, None)
        return timeline

    def to_sympy(self) -> Any:
        """SymPy definitions: one equation per named or shared node, then the outputs."""
        return FUNCTIONS["to_sympy"](self)

    def __reduce__(self) -> Any:
        place = {node.serial: k for k, node in enumerate(self.nodes)}
        parts = (
            [place[x.serial] for x in self.inputs],
            [place[y.serial] for y in self.outputs],
            [(leaf, place[s.serial]) for leaf, s in self.leaves],
            [(place[d.node.serial], d.path) for d in self.draws],
            [(leaf, place[new.serial]) for leaf, new in self.assigned],
        )
        return _rebuild, (records_of(list(self.nodes)), parts, self.structure, self.arguments)

    def __repr__(self) -> str:
        ops = sum(node.op is not None and node.op.name != "const" for node in self.nodes)
        return (
            f"Graph({_count(len(self.inputs), 'input')}, {_count(ops, 'op')} -> {_count(len(self.outputs), 'output')})"
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        show = DISPLAY.get("graph")
        return show(self) if show is not None else {"text/plain": repr(self)}


def _rebuild(records: list[Any], parts: tuple[Any, ...], structure: Structure, arguments: Any) -> Graph:
    nodes = rebuild(records)
    inputs, outputs, leaves, draws, assigned = parts
    return Graph(
        tuple(nodes[k] for k in inputs),
        tuple(nodes[k] for k in outputs),
        tuple((leaf, nodes[k]) for leaf, k in leaves),
        tuple(Draw(nodes[k], path) for k, path in draws),
        tuple((leaf, nodes[k]) for leaf, k in assigned),
        structure,
        arguments,
    )


def _array(x: Any, given_for: Tensor) -> Any:
    """An argument in the dtype of its input."""
    x = np.asarray(x)
    if x.dtype.kind == "f" and given_for.dtype.kind != "f":
        raise DTypeError(f"graph: {given_for._describe()} got {x.dtype}; convert it first, or trace with floats")
    return x.astype(given_for.dtype, copy=False)


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


def _bytes(node: Tensor, sizes: Mapping[str, int]) -> int:
    if node.op is not None and node.op.outputs:
        dtypes: Any = node.dtype
        return sum(int(size_of(bind(tuple(s), sizes))) * d.itemsize for s, d in zip(node.shape, dtypes, strict=True))
    return int(size_of(bind(tuple(node.shape), sizes))) * node.dtype.itemsize


def _evaluate(node: Tensor, values: list[Any], sizes: Mapping[str, int]) -> Any:
    """One node on arrays."""
    if node.value is not None:
        return node.value
    op: Op = node.op  # type: ignore[assignment]
    params: tuple[Any, ...] = bind(node.params, sizes) if node.params else ()
    if op.name == "size":
        return np.asarray(params[0], node.dtype)
    try:
        return op.forward(tuple(values), *params) if op.arity is None else op.forward(*values, *params)
    except (ValueError, TypeError, IndexError, np.linalg.LinAlgError) as error:
        raise error if isinstance(error, SymgradError) else explain(op, node.inputs, params, error) from None
