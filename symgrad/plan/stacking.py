r"""The pass that computes alike rows together: the rows f(a), f(b), ... of an array are f of the array of rows.

.. math::
    \begin{bmatrix} f(a)^{\mathsf T} \\ f(b)^{\mathsf T} \end{bmatrix}
    = f\!\left(\begin{bmatrix} a^{\mathsf T} \\ b^{\mathsf T} \end{bmatrix}\right)

where f works on each row alone. The rows of a Jacobian are one pullback at all unit vectors, so what a trace holds
once per row becomes one call per operation. It goes down from the rows as far as the ops are equal and know how to
work on a stack (`RULES`); what is left below is stacked itself.

New values of alike leaves, such as the running means of all layers, are rows too (`stack_updates`).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import replace
from typing import Any

from symgrad.graph import Graph
from symgrad.op import OPS
from symgrad.passes import builtin_name, exact, rewrite
from symgrad.plan.views import apply, nameless
from symgrad.shapes import size_of
from symgrad.tensor import Tensor

__all__ = ["stack_rows", "stack_updates"]

ROW = 1 << 12  # elements up to which a row costs less than the call that computes it

Rows = tuple[Tensor, ...]  # alike nodes of the old graph
Key = tuple[int, ...]  # their serials
Operand = tuple[Tensor, bool]  # a new node, and whether it is a stack: else all rows share it


def stack_rows(graph: Graph) -> Graph:
    """Arrays whose rows are computed alike are computed as one."""
    stacks = {node.serial: rows for node in graph.nodes if (rows := _rows(node))}
    return rewrite(graph, _Stacker(graph, stacks)) if stacks else graph


def stack_updates(graph: Graph) -> Graph:
    """New values of leaves that are computed alike are computed as the rows of one array, where that saves calls."""
    counts = {node.serial: n for node, n in graph.fan_out().items()}
    outputs = {y.serial for y in graph.outputs}
    alike: dict[Any, dict[Tensor, Tensor]] = {}
    for leaf, new in graph.assigned:
        alone = counts[new.serial] == 0 and new.serial not in outputs
        if alone and _rule(new) is not None and new.shape and int(size_of(new.shape)) <= ROW:
            alike.setdefault(_formula(new, 3), {})[leaf] = new
    for group in alike.values():
        if len(group) > 1 and len({new.serial for new in group.values()}) == len(group):
            graph = min(graph, stack_rows(_with_rows(graph, group)), key=_calls)
    return graph


def _formula(x: Tensor, depth: int) -> Any:
    """What a value is computed by, down to some depth."""
    below = tuple([_formula(i, depth - 1) for i in x.inputs]) if depth else ()
    return _kind(x) if x.op is None or not x.op.outputs else x.serial, below


def _with_rows(graph: Graph, leaves: Container[Tensor]) -> Graph:
    """The graph with the new values of some leaves under each other."""
    pairs = [(leaf, new) for leaf, new in graph.assigned if leaf in leaves]
    parts = [nameless(OPS["reshape"], (new,), ((1, *new.shape),), new) for _, new in pairs]
    whole = nameless(OPS["concatenate"], tuple(parts), (0,), pairs[0][1])
    rows = {leaf: nameless(OPS["getitem"], (whole,), ((k,),), new) for k, (leaf, new) in enumerate(pairs)}
    return replace(graph, assigned=tuple([(leaf, rows.get(leaf, new)) for leaf, new in graph.assigned]))


def _calls(graph: Graph) -> int:
    """About how many calls a plan of a graph takes."""
    n = 0
    for node in graph.nodes:
        if node.op is OPS["concatenate"]:
            n += sum(x.op is None or x.op is OPS["const"] for x in node.inputs)
        elif node.op is not None and not node.op.view and node.op is not OPS["const"]:
            n += 1
    return n


def _rows(node: Tensor) -> Rows | None:
    """The rows that a node puts under each other, if it does nothing else."""
    if node.op is not OPS["concatenate"] or node.params[0] != 0 or len(node.inputs) < 2 or not _alike_shapes(node):
        return None
    rows = [x.inputs[0] if builtin_name(x) in ("reshape", "unsqueeze") else x for x in node.inputs]
    shapes = {tuple(x.shape) for x in rows}
    whole = {tuple(x.shape) for x in node.inputs}
    return tuple(rows) if len(shapes) == 1 and whole == {(1, *s) for s in shapes} else None


def _alike_shapes(node: Tensor) -> bool:
    first = tuple(node.inputs[0].shape)
    return bool(first) and first[0] == 1 and int(size_of(first)) <= ROW


class _Stacker:
    """The rule of the pass: which rows are computed together, and how."""

    def __init__(self, graph: Graph, stacks: dict[int, Rows]) -> None:
        self.stacks = stacks
        self.new: dict[int, Tensor] = {}
        self.made: dict[Key, Tensor] = {}
        found: dict[Key, Rows] = {}
        for rows in stacks.values():
            _collect(rows, found)
        self.together = self._only_together(graph, found)

    def _only_together(self, graph: Graph, found: dict[Key, Rows]) -> set[Key]:
        """The rows that nobody reads one by one, as long as that saves calls."""
        readers: dict[int, set[int]] = {}
        for node in graph.nodes:
            for x in node.inputs:
                readers.setdefault(x.serial, set()).add(node.serial)
        for node in graph.nodes:
            if node.serial in self.stacks:  # what is between it and its rows belongs to it
                readers.update((x.serial, set()) for x in node.inputs if readers[x.serial] == {node.serial})
        joints = {serial for serial, by in readers.items() if not by} | self.stacks.keys()
        lasting = {y.serial for y in graph.roots}
        nodes = {x.serial: x for rows in found.values() for x in rows}
        homes: dict[int, set[Key]] = {x: set() for x in nodes}  # the rows that a node is one of
        for key in found:
            for serial in key:
                homes[serial].add(key)
        inside = joints | homes.keys()
        alone = [s for s in nodes if s in lasting or not readers[s] <= inside]
        left = dict(found)
        while alone:
            for key in tuple(homes[alone.pop()]):
                left.pop(key)
                for serial in set(key):
                    homes[serial].discard(key)
                    if not homes[serial]:  # it is computed by itself, and reads its operands by itself
                        alone += [x.serial for x in nodes[serial].inputs if x.serial in nodes]
        return set(left) if _saved(left) > 0 else set()

    def __call__(self, node: Tensor, inputs: tuple[Tensor, ...]) -> Tensor | None:
        self.new.update(zip((x.serial for x in node.inputs), inputs, strict=True))
        rows = self.stacks.get(node.serial)
        return None if rows is None or _key(rows) not in self.together else self.stack(rows)

    def stack(self, rows: Rows) -> Tensor:
        """The array of these rows, from the last operation down."""
        waiting = [rows]
        while waiting:
            now = waiting[-1]
            below = _columns(now) if _key(now) in self.together else ()
            first = [c for c in below if not _shared(c) and _key(c) not in self.made]
            waiting += first
            if not first:
                waiting.pop()
                if _key(now) not in self.made:
                    self.made[_key(now)] = self._made(now)
        return self.made[_key(rows)]

    def _made(self, rows: Rows) -> Tensor:
        first = rows[0]
        if _key(rows) not in self.together:
            whole = _taken_apart(rows)
            if whole is not None:
                return self.new[whole.serial]
            parts = [nameless(OPS["reshape"], (self.new[x.serial],), ((1, *x.shape),), x) for x in rows]
            whole = nameless(OPS["concatenate"], tuple(parts), (0,), first)
            names = {(x.name or "").rpartition(".")[2] for x in rows}
            if len(names) == 1 and "" not in names:
                whole.meta.name = f"all_{names.pop()}"  # type: ignore[union-attr]
            return whole
        operands = [
            (self.new[c[0].serial], False) if _shared(c) else (self.made[_key(c)], True) for c in _columns(rows)
        ]
        new = _rule(first)(first, len(rows), *operands)  # type: ignore[misc]
        assert new.meta is not None
        new.meta.name, new.meta.latex = first.name, first.latex
        return new


def _taken_apart(rows: Rows) -> Tensor | None:
    """The array whose rows, all and in order, these are."""
    whole = rows[0].inputs[0] if builtin_name(rows[0]) == "getitem" else None
    if whole is None or whole.shape[0] != len(rows):
        return None
    inside = all(x.op is rows[0].op and x.inputs == (whole,) and x.params[0] == (k,) for k, x in enumerate(rows))
    return whole if inside else None


def _key(rows: Rows) -> Key:
    return tuple([x.serial for x in rows])


def _shared(rows: Rows) -> bool:
    return all(x is rows[0] for x in rows)


def _columns(rows: Rows) -> Iterator[Rows]:
    """The first operands of all rows, the second ones, and so on."""
    return zip(*[x.inputs for x in rows], strict=True)


def _collect(rows: Rows, found: dict[Key, Rows]) -> None:
    """What can be computed together, from rows down."""
    waiting = [rows]
    while waiting:
        now = waiting.pop()
        if _key(now) in found or not _alike(now):
            continue
        found[_key(now)] = now
        waiting += [c for c in _columns(now) if not _shared(c)]


def _alike(rows: Rows) -> bool:
    """Whether the rows are one operation with a rule, on operands of equal shapes."""
    first = rows[0]
    if _rule(first) is None:
        return False
    kind = _kind(first)
    return all(x is first or _kind(x) == kind for x in rows[1:])


def _kind(x: Tensor) -> Any:
    operands = tuple([(tuple(i.shape), i.dtype) for i in x.inputs if i.op is None or not i.op.outputs])
    return id(x.op), exact(x.params), tuple(x.shape), x.dtype, operands


def _saved(groups: dict[Key, Rows]) -> int:
    """Calls that are saved, less those that put rows under each other."""
    saved, copied = 0, set()
    for rows in groups.values():
        saved += 0 if rows[0].op.view else len(rows) - 1  # type: ignore[union-attr]
        for column in _columns(rows):
            if not _shared(column) and _key(column) not in groups:
                copied |= {x.serial for x in column if x.op is None or x.op.view or x.op is OPS["const"]}
    return saved - len(copied)


# How ops work on a stack: from the node of one row, the number of rows, and the new operands


def _reshaped(x: Tensor, shape: tuple[Any, ...]) -> Tensor:
    return x if tuple(x.shape) == shape else nameless(OPS["reshape"], (x,), (shape,), x)


def _aligned(x: Operand, n: int, axes: int) -> Tensor:
    """An operand that broadcasts beside stacks of rows with so many axes."""
    array, stacked = x
    if not stacked:
        return array
    own = tuple(array.shape)[1:]
    return _reshaped(array, (n, *(1,) * (axes - len(own)), *own))


def _elementwise(node: Tensor, n: int, *operands: Operand) -> Tensor:
    inputs = tuple([_aligned(x, n, len(node.shape)) for x in operands])
    return apply(node.op, inputs, node.params, node)


def _indexed(node: Tensor, n: int, x: Operand) -> Tensor:
    key = (("slice", None, None, None), *node.params[0])
    params = (key,) if node.op is OPS["getitem"] else (key, (n, *node.params[1]))
    return apply(node.op, (x[0],), params, node)


def _reshape(node: Tensor, n: int, x: Operand) -> Tensor:
    return apply(OPS["reshape"], (x[0],), ((n, *node.shape),), node)


def _permute(node: Tensor, n: int, x: Operand) -> Tensor:
    return apply(node.op, (x[0],), ((0, *(k + 1 for k in node.params[0])),), node)


def _expand(node: Tensor, n: int, x: Operand) -> Tensor:
    return apply(node.op, (_aligned(x, n, len(node.shape)),), ((n, *node.shape),), node)


def _reduce(node: Tensor, n: int, x: Operand) -> Tensor:
    axes, *rest = node.params
    return apply(node.op, (x[0],), (tuple([k + 1 for k in axes]), *rest), node)


def _sum_to(node: Tensor, n: int, x: Operand) -> Tensor:
    own, shape = tuple(x[0].shape)[1:], tuple(node.shape)
    extra = len(own) - len(shape)
    axes = [k + 1 for k in range(len(own)) if k < extra or (shape[k - extra] == 1 and own[k] != 1)]
    return _reshaped(apply(OPS["sum"], (x[0],), (tuple(axes), False), node), (n, *shape))


def _matmul(node: Tensor, n: int, a: Operand, b: Operand) -> Tensor:
    """One product of all rows with what they share, where they share it; else a product per row, in one call."""
    (left, left_stacked), (right, right_stacked) = a, b
    shape, inner = tuple(node.shape), node.inputs[0].shape[-1]
    if not right_stacked and len(node.inputs[0].shape) == len(node.inputs[1].shape) == 2:
        both = apply(node.op, (_reshaped(left, (n * int(shape[0]), inner)), right), (), node)
        return _reshaped(both, (n, *shape))
    if not left_stacked and len(shape) == len(left.shape) == 2 and shape[1] == 1:
        turned = nameless(OPS["permute"], (left,), ((1, 0),), left)
        return _reshaped(apply(node.op, (_reshaped(right, (n, inner)), turned), (), node), (n, *shape))
    return apply(node.op, (_aligned(a, n, len(shape)), _aligned(b, n, len(shape))), (), node)


def _einsum(node: Tensor, n: int, *operands: Operand) -> Tensor:
    sources, _, target = node.params[0].partition("->")
    free = next(c for c in "zyxwvutsrqponmlkjihgfedcba" if c not in node.params[0])
    letters = [free + s if stacked else s for s, (_, stacked) in zip(sources.split(","), operands, strict=True)]
    return apply(node.op, tuple([x for x, _ in operands]), (f"{','.join(letters)}->{free}{target}",), node)


RULES: dict[str, Callable[..., Tensor]] = {
    "getitem": _indexed,
    "scatter": _indexed,
    "reshape": _reshape,
    "unsqueeze": _reshape,
    "squeeze": _reshape,
    "permute": _permute,
    "expand": _expand,
    "sum": _reduce,
    "mean": _reduce,
    "max": _reduce,
    "min": _reduce,
    "sum_to": _sum_to,
    "matmul": _matmul,
    "einsum": _einsum,
}
"""Op name -> how it works on a stack; elementwise ops do it by broadcasting."""


def _rule(node: Tensor) -> Callable[..., Tensor] | None:
    name = builtin_name(node)
    if name in ("getitem", "scatter") and len(node.inputs) > 1:  # arrays of indices go with the rows
        return None
    if name in RULES:
        return RULES[name]
    elementwise = name and node.op.indices == "elementwise" and node.inputs  # type: ignore[union-attr]
    return _elementwise if elementwise else None
