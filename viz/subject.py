"""What is drawn, as Tensors: of a Tensor, Graph, Module, Derivation, update rule or any function.

A fused op (a forward with a derived backward) is drawn as the composed formula that it was derived from.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from symgrad.context import RUN, no_grad, run
from symgrad.errors import SymgradError
from symgrad.graph import Graph
from symgrad.nn import Module
from symgrad.op import FUNCTIONS
from symgrad.optim.rules.declare import declaration
from symgrad.shapes import bind
from symgrad.tensor import Meta, Tensor, make, reachable
from symgrad.tracing import spec, trace

__all__ = ["Subject", "scopes_of", "subject"]


@dataclass(slots=True)
class Subject:
    """Roots to draw, the kinds that are known by serial, rows to add by serial, and what it is called."""

    roots: list[Tensor]
    title: str = "computation"
    kinds: dict[int, str] = field(default_factory=dict)
    notes: dict[int, str] = field(default_factory=dict)  # LaTeX of a gradient, by serial


def subject(x: Any, inputs: tuple[Any, ...] = ()) -> Subject:
    """The subject of a picture; ``inputs`` are arrays or specs for what takes arguments."""
    if isinstance(x, Tensor):
        if inputs:
            raise SymgradError("draw: a Tensor takes no inputs; it already has its value")
        return Subject(_composed([x]))
    if isinstance(x, Graph):
        return _of_graph(x, inputs, "computation")
    if isinstance(x, Module):
        given = inputs or (_example(x),)
        arrays = not any(_is_spec(v) for v in given)
        with nullcontext() if RUN.get() is not None else run(seed=0):
            found = _of_graph(trace(x, *given), given if arrays else (), type(x).__name__, assigned=False)
        return _renamed(found, [f"x{k}" for k in range(len(given))], list(inspect.signature(x.forward).parameters))
    if hasattr(x, "record") and hasattr(x, "steps"):
        return _of_derivation(x)
    if callable(x):
        return _of_function(x, inputs)
    raise SymgradError(
        f"draw: needs a Tensor, a Graph (see sg.trace), a Module, a Derivation or a function, got {type(x).__name__}"
    )


def _renamed(found: Subject, old: list[str], new: list[str]) -> Subject:
    """The subject with its inputs called as in the module's ``forward``."""
    names = dict(zip(old, new, strict=False))
    for node in reachable(found.roots):
        if found.kinds.get(node.serial) == "data" and node.meta is not None:
            node.meta.name = names.get(node.name or "", node.name)
    return found


def _is_spec(x: Any) -> bool:
    return hasattr(x, "positive") or (hasattr(x, "value") and x.value is None)


def _example(module: Module) -> Any:
    """A minibatch for a model whose first parameter tells the number of features."""
    first = next((leaf for _, leaf in module.named_parameters()), None)
    if first is not None and first.ndim in (1, 2):
        return spec("B", int(first.shape[0]), dtype=first.dtype)
    raise SymgradError(
        f"draw: the shape of the input of {type(module).__name__} is not known; give an example, viz.draw(model, X), "
        'or its shape, viz.draw(model, sg.spec("B", 3))'
    )


# Graphs


def _of_graph(graph: Graph, inputs: tuple[Any, ...], title: str, assigned: bool = True) -> Subject:
    values = graph.values(_arrays(graph, inputs)) if inputs else None
    roots = [*graph.outputs, *([new for _, new in graph.assigned] if assigned else [])]
    if not roots:
        raise SymgradError(f"draw: {title} returns no Tensor, so there is nothing to draw; let it return its result")
    wanted = {node.serial for node in reachable(roots)}
    replay = _Replay(values, _sizes(graph, inputs))
    differentiate = not any(leaf.requires_grad for leaf, _ in graph.leaves)
    for node in graph.inputs:
        replay.leaf(node, requires_grad=differentiate and node.dtype.kind == "f")
    for leaf, stand_in in graph.leaves:
        replay.leaf(stand_in, leaf.value, bool(leaf.requires_grad))
    for draw in graph.draws:
        replay.leaf(draw.node)
    for node in graph.nodes:
        if node.serial in wanted:
            replay.node(node)
    made = replay.made
    kinds = {made[x.serial].serial: "data" for x in (*graph.inputs, *(d.node for d in graph.draws))}
    kinds |= {made[s.serial].serial: "parameter" if leaf.requires_grad else "constant" for leaf, s in graph.leaves}
    return Subject(list(dict.fromkeys(made[r.serial] for r in roots)), title, kinds)


def _arrays(graph: Graph, inputs: tuple[Any, ...]) -> list[Any]:
    given = graph._flat(inputs)
    if len(given) != len(graph.inputs):
        raise SymgradError(f"draw: takes {len(graph.inputs)} input(s), got {len(given)}")
    pairs = zip(given, graph.inputs, strict=True)
    return [np.asarray(x.value if isinstance(x, Tensor) else x, node.dtype) for x, node in pairs]


def _sizes(graph: Graph, inputs: tuple[Any, ...]) -> dict[str, Any]:
    given = graph._flat(inputs) if inputs else []
    return graph.sizes([np.shape(x.value if isinstance(x, Tensor) else x) for x in given]) if given else {}


class _Replay:
    """Nodes made again: with values where they are known, and without fused ops."""

    def __init__(self, values: Mapping[int, Any] | None, sizes: Mapping[str, Any]) -> None:
        self.values, self.sizes = values, sizes
        self.made: dict[int, Tensor] = {}

    def leaf(self, node: Tensor, value: Any = None, requires_grad: bool = False) -> None:
        if self.values is not None:
            value = np.array(self.values[node.serial])
        self.made[node.serial] = new = make(None, (), (), value, requires_grad)
        new.meta = _meta(node, node.scope, value is None)

    def node(self, node: Tensor, scope: tuple[str, ...] | None = None) -> None:
        if node.serial in self.made:
            return
        scope = node.scope if scope is None else scope
        found = _unfused(node, self.made)
        if found is not None:
            self._rescope(found, scope)
            self.made[node.serial] = found
            return
        inputs = tuple(self.made[x.serial] for x in node.inputs)
        value = node.value if self.values is None else self._value(node)
        params = bind(node.params, self.sizes) if self.sizes and node.params else node.params
        flows = node.op is not None and node.op.pullback != () and any(x.requires_grad for x in inputs)
        new = make(node.op, inputs, params, value, flows)
        new.meta = _meta(node, scope, value is None)
        self.made[node.serial] = new

    def _value(self, node: Tensor) -> Any:
        found = self.values[node.serial]  # type: ignore[index]
        return tuple(map(np.asarray, found)) if node.op is not None and node.op.outputs else np.asarray(found)

    def _rescope(self, root: Tensor, scope: tuple[str, ...]) -> None:
        """Put the nodes that a formula has just made where the fused op stood."""
        known = {x.serial for x in self.made.values()}
        stack = [root]
        while stack:
            x = stack.pop()
            if x.serial in known or x.op is None:
                continue
            known.add(x.serial)
            x.meta = x.meta or Meta()
            x.meta.scope = scope
            stack += x.inputs


def _meta(node: Tensor, scope: tuple[str, ...], abstract: bool) -> Meta:
    meta = node.meta or Meta()
    shape, dtype = (node.shape, node.dtype) if abstract else (None, None)
    return Meta(meta.name, meta.latex, scope, shape, dtype, meta.positive)


# Fused ops


def _is_fused(node: Tensor) -> bool:
    op = node.op
    return op is not None and op.identity and op.arity is None


def _unfused(node: Tensor, made: Mapping[int, Tensor]) -> Tensor | None:
    """The formula behind a fused op, on the nodes made so far; None for every other op."""
    if not _is_fused(node) or node.op is None:
        return None
    count, options = node.params[0], dict(node.params[1])
    formula = FUNCTIONS.get(node.op.name)
    if formula is None:
        return made[node.inputs[0].serial]
    return formula(*(made[x.serial] for x in node.inputs[1 : 1 + count]), **options)  # type: ignore[no-any-return]


def _composed(roots: list[Tensor]) -> list[Tensor]:
    """The roots over a graph without fused ops; the very same Tensors where there is none."""
    order = reachable(roots)
    if not any(map(_is_fused, order)):
        return roots
    places = scopes_of(order)
    replay = _Replay(None, {})
    for node in order:
        if node.op is None:
            replay.made[node.serial] = node
        else:
            replay.node(node, places.get(node.serial, ()))
    return [replay.made[root.serial] for root in roots]


def scopes_of(order: list[Tensor]) -> dict[int, tuple[str, ...]]:
    """The modules around every node, outermost first: as traced, or from the spans of eager results."""
    found = {node.serial: node.meta.scope for node in order if node.meta is not None and node.meta.scope}
    spans = [(first, node.serial, name) for node in order if node.meta is not None for first, name in node.meta.spans]
    if not spans:
        return found
    spans.sort(key=lambda s: (s[0], -s[1]))
    open_spans: list[tuple[int, str]] = []
    k = 0
    for node in order:
        while k < len(spans) and spans[k][0] < node.serial:
            first, last, name = spans[k]
            while open_spans and open_spans[-1][0] < first:
                open_spans.pop()
            open_spans.append((last, name))
            k += 1
        while open_spans and open_spans[-1][0] < node.serial:
            open_spans.pop()
        if open_spans and node.op is not None and node.serial not in found:
            found[node.serial] = tuple(name for _, name in open_spans)
    return found


# Derivations and functions


def _of_derivation(d: Any) -> Subject:
    record = d.record
    widest = max((len(x.shape) for x in record.arguments.values()), default=0)
    kinds = {x.serial: "data" if len(x.shape) == widest else "parameter" for x in record.arguments.values()}
    kinds |= {x.serial: "constant" for x in record.constants.values()}
    notes = {}
    by_name = {node.name: node.serial for node in record.forward if node.name is not None}
    for step in d.steps:
        if step.rule in ("adjoint", "gradient") and step.node in by_name:
            notes[by_name[step.node]] = step.after
    return Subject([record.output], d.name, kinds, notes)


def _of_function(f: Callable[..., Any], inputs: tuple[Any, ...]) -> Subject:
    """A function on examples; an update rule, whose signature says all, needs none."""
    title = getattr(f, "__name__", "function").strip("<>")
    if inputs:
        graph = trace(f, *inputs)
        return _of_graph(graph, () if any(map(_is_spec, inputs)) else inputs, title)
    parameters = list(inspect.signature(f).parameters.values())
    if not parameters or parameters[0].name != "theta":
        raise SymgradError(
            f'draw: the arguments of {title} are not known; give examples or shapes: viz.draw({title}, sg.spec("B"))'
        )
    names = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY and p.default is p.empty]
    numbers = [p for p in parameters if p.kind is p.KEYWORD_ONLY and not isinstance(p.default, bool | str | None)]
    numbers = [p for p in numbers if p.default is p.empty or (isinstance(p.default, float) and p.default != 0)]

    def rule(**given: Any) -> Any:
        return f(*[given[n] for n in names], **{p.name: given[p.name] for p in numbers})

    every = [*names, *(p.name for p in numbers)]

    def positional(*given: Any) -> Any:
        return rule(**dict(zip(every, given, strict=True)))

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    positional.__signature__ = inspect.Signature([inspect.Parameter(n, kind) for n in every])  # type: ignore[attr-defined]
    scalars = declaration(f).scalars
    specs = [spec() if n in scalars else spec("n") for n in names] + [spec() for _ in numbers]
    with no_grad():
        graph = trace(positional, *specs)
    found = _of_graph(graph, (), title)
    by_name = {node.name: node for node in reachable(found.roots) if node.op is None}
    for name in (p.name for p in numbers):
        if name in by_name:
            found.kinds[by_name[name].serial] = "constant"
    if "theta" in by_name:
        found.kinds[by_name["theta"].serial] = "parameter"
    return found
