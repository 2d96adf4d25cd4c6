"""Which entries of an axis meet: found from the sparsity of Jacobians, with nothing known about any layer.

A function is cut at the names that its author gave. Every name is a function of those before it, and its rules are
run with a cotangent that is zero but in one slice of the axis: where the answer is not zero, there is a dependence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

import symgrad as sg
from symgrad.errors import SymgradError
from symgrad.nn import Module
from symgrad.recording import apply
from symgrad.reverse import adjoints
from symgrad.shapes import Dim, bind
from symgrad.tensor import Tensor, reachable
from viz.subject import subject

__all__ = ["Coupling", "Link", "coupling"]

_OTHERS = 3  # the number behind every other symbolic size
_POINTS = 3  # random points, so that a dead ReLU hides nothing


@dataclass(frozen=True, slots=True)
class Link:
    """How one name depends on another: ``pattern[i, k]`` says that entry i of the target needs entry k of the source.

    A name without the axis has one entry.
    """

    source: Tensor
    target: Tensor
    pattern: Any


@dataclass(slots=True)
class Coupling:
    """The names of a function (in order), how they depend on each other, and what that amounts to.

    ``matrix[i, k]`` says whether output i depends on input k along the axis. For an output without the axis (a mean
    over the batch) it says whether the gradient by entry i depends on entry k.
    """

    title: str
    dim: Dim
    inputs: list[Tensor]
    others: list[Tensor]
    names: list[Tensor]
    links: list[Link]
    matrix: Any
    axis: int
    derivation: Any = None
    output: Tensor | None = None
    along: dict[int, int | None] = field(default_factory=dict)

    @property
    def couples(self) -> bool:
        """Whether any entry depends on another."""
        return bool((self.matrix & ~np.eye(len(self.matrix), dtype=bool)).any())


def coupling(f: Any, *inputs: Any, axis: int = 0, batch: int = 4, seed: int = 0) -> Coupling:
    """Find out which entries along an axis depend on each other.

    Parameters
    ----------
    f : callable, Module or str
        A function of Tensors, a layer, or a name from `symgrad.symbolic.catalogue`.
    *inputs : specs or arrays
        Shapes of the arguments; by default those of the catalogue, or one vector and scalars.
    axis : int
        Of the first argument: 0 for samples, -1 for features or classes.
    batch : int
        The size that the axis gets here.
    seed : int
        Of the random numbers at which the Jacobians are taken.

    Returns
    -------
    Coupling

    Raises
    ------
    SymgradError
        If the axis has no symbolic size.

    Examples
    --------
    >>> import viz
    >>> viz.coupling("batchnorm").couples
    True
    >>> viz.coupling("layernorm", axis=0).couples, viz.coupling("layernorm", axis=-1).couples
    (False, True)
    """
    if batch < 2:
        raise SymgradError(f"coupling: batch={batch}: with fewer than 2 entries there is nothing to couple")
    title, arguments, root, derivation = _function(f, inputs, axis)
    first = next(iter(arguments.values()))
    rank = len(first.shape)
    if not -rank <= axis < rank:
        raise SymgradError(f"coupling: axis={axis}, but the first argument has shape {tuple(first.shape)}")
    dim = first.shape[axis]
    if not isinstance(dim, Dim):
        raise SymgradError(f"coupling: axis {axis} of the first argument has the fixed size {dim}; name it in its spec")
    nodes = reachable([root])
    runs = [_Run(nodes, dim, batch, seed + k) for k in range(_POINTS)]
    run = runs[0]
    named = [x for x in nodes if (x.name is not None and x.op is not None) or x.serial == root.serial]
    named = [x for x in named if not any(y.inputs and y.inputs[0] is x and y.name == x.name for y in named)]
    moving = [x for x in arguments.values() if run.axis_of(x) is not None]
    links = _together([each.links(moving, named) for each in runs])
    reached = _reaching(moving, root, links)
    links = [link for link in links if link.source.serial in reached and link.target.serial in reached]
    own = {x.serial for x in moving}
    others = [x for x in nodes if x.op is None and x.requires_grad and x.serial not in own]
    along = {x.serial: run.axis_of(x) for x in (*moving, *named)}
    kept = [x for x in named if x.serial in reached]
    used = [x for x in moving if x.serial in reached]
    matrix = np.any([each.matrix(moving, root) for each in runs], axis=0)
    return Coupling(title, dim, used, others, kept, links, matrix, axis % rank, derivation, root, along)


def _function(f: Any, inputs: tuple[Any, ...], axis: int) -> tuple[str, dict[str, Tensor], Tensor, Any]:
    """Title, arguments by name, result, and the derivation if there is one."""
    if isinstance(f, Module):
        found = subject(f, inputs)
        nodes = reachable(found.roots)
        data = {x.name or "x": x for x in nodes if found.kinds.get(x.serial) == "data"}
        return found.title, data, found.roots[0], None
    specs = [x if hasattr(x, "positive") else _spec(x, axis if k == 0 else None) for k, x in enumerate(inputs)]
    if not isinstance(f, str) and not specs:
        specs = [sg.spec("B")]
    try:
        d = sg.derive(f, *specs)
        return d.name, d.record.arguments, d.record.output, d
    except SymgradError:
        if isinstance(f, str):
            raise
        graph = sg.trace(f, *specs)
        title = getattr(f, "__name__", "function").strip("<>")
        return title, {x.name or str(k): x for k, x in enumerate(graph.inputs)}, graph.outputs[0], None


def _spec(array: Any, axis: int | None) -> Any:
    """The shape of an example, with the axis as a symbolic size."""
    shape: list[Any] = list(np.shape(array))
    if axis is not None and shape:
        shape[axis] = "B"
    return sg.spec(*shape)


def _together(runs: list[list[Link]]) -> list[Link]:
    """The links that were found at any point."""
    found: dict[tuple[int, int], Link] = {}
    for link in (link for run in runs for link in run):
        key = link.source.serial, link.target.serial
        before = found.get(key)
        found[key] = link if before is None else replace(link, pattern=link.pattern | before.pattern)
    return list(found.values())


def _reaching(starts: Sequence[Tensor], root: Tensor, links: Sequence[Link]) -> set[int]:
    """The names on some way from the inputs to the result."""
    below, above = {x.serial for x in starts}, {root.serial}
    for link in sorted(links, key=lambda e: e.target.serial):
        if link.source.serial in below:
            below.add(link.target.serial)
    for link in sorted(links, key=lambda e: -e.target.serial):
        if link.target.serial in above:
            above.add(link.source.serial)
    return below & above


class _Run:
    """The graph at random numbers, whole or from one name to the next."""

    def __init__(self, nodes: list[Tensor], dim: Dim, batch: int, seed: int) -> None:
        self.nodes, self.dim, self.batch = nodes, dim, batch
        rng = np.random.default_rng(seed)
        sizes: dict[str, Any] = {}
        for x in nodes:
            for n in x.shape if x.op is None else ():
                sizes.update(dict.fromkeys(n.names(), _OTHERS if batch != _OTHERS else 2) if isinstance(n, Dim) else {})
        sizes[str(dim)] = batch
        self.sizes: Mapping[str, Any] = sizes
        self.leaves: dict[int, Tensor] = {}
        self.rng = rng
        for x in nodes:
            if x.op is None:
                shape = bind(tuple(x.shape), sizes)
                positive = x.meta is not None and x.meta.positive
                drawn = rng.uniform(0.5, 1.5, shape) if positive else rng.normal(size=shape)
                value = drawn if x.value is None else x.value
                self.leaves[x.serial] = sg.tensor(value, requires_grad=x.dtype.kind == "f")
        self.values = {s: y.detach() if y.op is not None else y for s, y in self._evaluated({}).items()}

    def axis_of(self, x: Tensor) -> int | None:
        """The first axis of this size."""
        return next((k for k, n in enumerate(x.shape) if isinstance(n, Dim) and str(n) == str(self.dim)), None)

    def _evaluated(self, given: Mapping[int, Tensor], wanted: set[int] | None = None) -> dict[int, Tensor]:
        """Every node (or those wanted) as a Tensor, from the leaves or from what is given."""
        made: dict[int, Tensor] = {**self.leaves, **given}
        for x in self.nodes:
            if x.serial in made or (wanted is not None and x.serial not in wanted):
                continue
            op: Any = x.op
            if op.name == "const":
                made[x.serial] = x
            elif op.name == "size":
                made[x.serial] = sg.tensor(float(bind(x.params, self.sizes)[0]))
            else:
                made[x.serial] = apply(op, tuple(made[y.serial] for y in x.inputs), bind(x.params, self.sizes))
        return made

    def links(self, inputs: Sequence[Tensor], named: Sequence[Tensor]) -> list[Link]:
        """How every name depends on those that it is made of."""
        stops = {x.serial: x for x in (*inputs, *named)}
        found = []
        for target in named:
            inside, parents = self._between(target, stops)
            given = {p.serial: sg.tensor(self.values[p.serial].numpy(), requires_grad=True) for p in parents}
            y = self._evaluated(given, inside)[target.serial]
            if not y.requires_grad:
                continue
            rows = [adjoints(y, g) for g in self._slices(y.shape, self.axis_of(target))]
            for p in parents:
                if given[p.serial].serial in rows[0]:
                    pattern = [self._per_entry(row[given[p.serial].serial], self.axis_of(p)) for row in rows]
                    found.append(Link(p, target, _nonzero(np.array(pattern))))
        return found

    def _between(self, target: Tensor, stops: Mapping[int, Tensor]) -> tuple[set[int], list[Tensor]]:
        """The nodes from a name down to the names that it is made of."""
        inside, parents = {target.serial}, {}
        stack = list(target.inputs)
        while stack:
            x = stack.pop()
            if x.serial in stops:
                parents[x.serial] = x
            elif x.serial not in inside:
                inside.add(x.serial)
                stack += x.inputs
        return inside, [parents[s] for s in sorted(parents)]

    def _slices(self, shape: tuple[int, ...], axis: int | None) -> list[Any]:
        """Random cotangents that are zero but in one slice each."""
        whole = self.rng.normal(size=shape)
        if axis is None:
            return [whole]
        found = []
        for k in range(self.batch):
            g = np.zeros(shape)
            at = (slice(None),) * axis + (k,)
            g[at] = whole[at]
            found.append(g)
        return found

    def _per_entry(self, gradient: Any, axis: int | None) -> Any:
        """The largest part of a gradient in every slice."""
        size = np.abs(np.asarray(gradient))
        if axis is None:
            return np.array([size.max(initial=0.0)])
        return np.moveaxis(size, axis, 0).reshape(self.batch, -1).max(axis=1)

    def matrix(self, inputs: Sequence[Tensor], root: Tensor) -> Any:
        """The sparsity of the whole Jacobian; of the Hessian where the result has no such axis."""
        leaves = [self.leaves[x.serial] for x in inputs]
        axes = [self.axis_of(x) for x in inputs]

        def result(*given: Any) -> Any:
            return self._evaluated(dict(zip((x.serial for x in inputs), given, strict=True)))[root.serial]

        if (axis := self.axis_of(root)) is not None:
            y = result(*leaves)
            found = [adjoints(y, g) for g in self._slices(y.shape, axis)]
            rows: list[list[Any]] = [[row.get(x.serial) for x in leaves] for row in found]
        else:
            gradient = sg.grad(lambda *given: result(*given).sum(), argnums=tuple(range(len(leaves))))
            arrays = [x.numpy() for x in leaves]
            pull = sg.vjp(gradient, *arrays)[1]
            rows = [
                list(pull(tuple(g if j == i else np.zeros(z.shape) for j, z in enumerate(arrays))))
                for i, x in enumerate(arrays)
                for g in self._slices(x.shape, axes[i])
            ]
        sizes = [[self._per_entry(g, a) for g, a in zip(row, axes, strict=True) if g is not None] for row in rows]
        largest = [np.max(row or [np.zeros(self.batch)], axis=0) for row in sizes]
        return _nonzero(np.array(largest).reshape(-1, self.batch, self.batch).max(axis=0))


def _nonzero(size: Any) -> Any:
    """What is not zero but for rounding."""
    return size > 1e-9 * max(float(size.max(initial=0.0)), 1e-3)
