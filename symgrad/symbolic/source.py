"""The emitted NumPy module of a derivation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from symgrad.errors import SymbolicError
from symgrad.symbolic.compact import compact
from symgrad.symbolic.emit import SPECIAL, Emitter, Layout, canonical, identifier, size_code
from symgrad.symbolic.expr import Expr, Ref, free_of, refs, replace_refs
from symgrad.symbolic.indices import At, extent, made
from symgrad.symbolic.sharing import shared, unused
from symgrad.symbolic.structure import axes_of, indices_of
from symgrad.symbolic.sympy_io import to_sympy

if TYPE_CHECKING:
    from symgrad.symbolic.derivation import Derivation

__all__ = ["adjoint_trees", "layout_of", "module", "output", "sizes_of"]


def layout_of(indices: Any) -> Layout:
    """Axes for indices that are named by their position from the right."""
    named = {int(i.name[1:]): i for i in indices}
    return tuple([named.get(p) for p in range(max(named, default=-1), -1, -1)])


def module(d: Derivation, keep: Sequence[str] = ()) -> str:
    """Forward and backward as the text of a Python file; `keep` are named intermediates to save beside the needed."""
    if d.program.unknown:
        name, op = next(iter(d.program.unknown.items()))
        raise SymbolicError(
            f"{d.name}: no NumPy source, because {name} ({op}) has no formula here; the "
            "gradient holds for every value of it; write the function without it, or run the graph"
        )
    needed, saved = _needed(d, keep)
    arguments = [f"{identifier(n)}: Any" for n in (*d.record.arguments, *d.record.held)]
    constants = [f"{identifier(n)}: Any = {value!r}" for n, value in d.record.defaults.items()]
    forward, result = _forward(d, needed)
    backward, gradients = _backward(d)
    arguments += [f"{identifier(n)}: int" for n in sizes_of(d)[1]]
    formulas = "\n".join(f"    d{identifier(n)} = {_formula(d, n)}" for n in d.record.arguments)
    together = _tuple(saved)
    code = "\n".join([*forward, *backward])
    imported = sorted({name for name in SPECIAL.values() if f"{name}(" in code})
    special = [f"from scipy.special import {', '.join(imported)}"] if imported else []
    lines = [
        f'"""Forward and backward of {identifier(d.name)}, derived and proved by symgrad; do not edit.',
        "",
        "Gradients, with g the cotangent of the output:",
        "",
        formulas,
        '"""',
        "",
        "from typing import Any",
        "",
        "import numpy as np",
        *special,
        "",
        "",
        f"def forward({', '.join(arguments + constants)}) -> Any:",
        '    """The output, and what backward needs."""',
        *[f"    {line}" for line in forward],
        f"    return {result}, {together}",
        "",
        "",
        f"def backward({identifier(d.record.cotangent.name)}: Any, saved: Any) -> Any:",
        '    """The gradients of the arguments, in their order."""',
        *([f"    {together} = saved"] if saved else []),
        *[f"    {line}" for line in backward],
        f"    return {_tuple(gradients)}",
        "",
    ]
    return "\n".join(lines)


def _formula(d: Derivation, name: str) -> str:
    """A gradient for the docstring, with identifiers for names: nothing of foreign text gets into the file."""
    tree = d.inlined(d.trees[name], lambda let: let.automatic)
    safe = replace_refs(tree, lambda v: Ref(v._replace(name=identifier(v.name))))
    return str(to_sympy(safe, d.letters(indices_of(d.record.arguments[name].shape)), d.sizes))


def _tuple(names: list[str]) -> str:
    return f"({', '.join(names)}{',' if len(names) == 1 else ''})"


def _needed(d: Derivation, keep: Sequence[str]) -> tuple[set[str], list[str]]:
    """Definitions that forward computes, and values that backward uses or that are kept."""
    lets = d.program.lets
    trees = [*d.trees.values(), *adjoint_trees(d).values()]
    used = {v.name for tree in trees for v in refs(tree)} - d.program.adjoints | _size_names(trees) | set(keep)
    for name, node in d.record.arguments.items():
        if _reshaped(d, name, node):
            used.add(name)
    queue = [v.name for v in refs(output(d))] + sorted(used)
    needed: set[str] = set()
    while queue:
        name = queue.pop()
        if name in lets and name not in needed:
            needed.add(name)
            queue.extend(v.name for v in refs(_definition(d, name)))
    known = [*d.record.arguments, *d.record.held, *d.record.constants, *sorted(d.sizes), *lets]
    return needed, [identifier(n) for n in known if n in used]


def _size_names(trees: list[Expr]) -> set[str]:
    from symgrad.symbolic.expr import Kronecker

    found: set[str] = set()

    def visit(t: Any) -> None:
        if isinstance(t, Kronecker) or (isinstance(t, Ref) and any(isinstance(i, At) for i in t.var.indices)):
            inside = () if isinstance(t, Kronecker) else made(t.var.indices)
            found.update(n for i in (*free_of(t), *inside) for names, _ in i.size for n in names)
        for part in (*getattr(t, "terms", ()), *getattr(t, "factors", ()), *getattr(t, "args", ())):
            visit(part)
        if hasattr(t, "body"):
            visit(t.body)

    for tree in trees:
        visit(tree)
    return found


def adjoint_trees(d: Derivation) -> dict[str, Expr]:
    """Named cotangents at layer boundaries, from the output to the arguments, as far as gradients use them."""
    made = {n: compact(let.poly) for n, let in d.program.lets.items() if n in d.program.adjoints}
    used: set[str] = set()
    queue = [v.name for tree in d.trees.values() for v in refs(tree)]
    while queue:
        name = queue.pop()
        if name in made and name not in used:
            used.add(name)
            queue.extend(v.name for v in refs(made[name]))
    return {n: t for n, t in made.items() if n in used}


def _definition(d: Derivation, name: str) -> Expr:
    from symgrad.symbolic.derivation import definition

    return definition(d.program.lets[name])


def output(d: Derivation) -> Expr:
    """The tree of the output as it was written."""
    tree = d.reader.values[d.record.output.serial].expr
    assert tree is not None, "forward values keep their trees"
    return tree


def _taken(d: Derivation) -> set[str]:
    """Every identifier that stands for a name of the derivation; two names must not share one."""
    names = [*d.program.leaves, *d.program.lets, *d.sizes]
    found: dict[str, str] = {}
    for name in names:
        other = found.setdefault(identifier(name), name)
        if other != name:
            raise SymbolicError(f"derive: the names {other!r} and {name!r} are the same in source; rename one of them")
    return set(found)


def _stored(d: Derivation) -> dict[str, Layout]:
    nodes = {**d.record.arguments, **d.record.held, d.record.cotangent.name: d.record.cotangent}
    return {name: axes_of(node.shape) for name, node in nodes.items()}


def _forward(d: Derivation, needed: set[str]) -> tuple[list[str], str]:
    emitter = Emitter(_stored(d), "s", _taken(d))
    emitter.lines.extend(_sizes(d, needed))
    first = identifier(next(iter(d.record.arguments)))
    for name in d.program.binary & d.record.held.keys():
        emitter.lines.append(f"{identifier(name)} = np.asarray({identifier(name)}, np.result_type({first}))")
    for let in d.program.lets.values():
        if let.var.name in needed:
            emitter.assign(let.var.name, _definition(d, let.var.name), layout_of(let.var.indices))
    layout = axes_of(d.record.output.shape)
    text = emitter(canonical(output(d)), layout)
    if _narrow(d):
        sizes = [size_code(i.size) if i is not None else "1" for i in layout]
        text = f"np.broadcast_to({text}, ({', '.join(sizes)}{',' * (len(sizes) == 1)}))"
    if not text.isidentifier():
        result = unused("y", _taken(d))
        emitter.lines.append(f"{result} = {text}")
        text = result
    return _shared(d, emitter), text


def _shared(d: Derivation, emitter: Emitter) -> list[str]:
    """The emitter's lines, with what they repeat in lines of its own."""
    return shared(emitter.lines, "c", {identifier(n) for n in d.sizes}, _taken(d))


def _narrow(d: Derivation) -> bool:
    """Whether the output has axes that broadcasting its formula does not give."""
    layout = axes_of(d.record.output.shape)
    return layout[:1] == (None,) or not {i for i in layout if i is not None} <= free_of(output(d))


def _sizes(d: Derivation, needed: set[str]) -> list[str]:
    """Symbolic sizes that the formulas mention, read off the arguments."""
    trees = [*d.trees.values(), *adjoint_trees(d).values(), output(d), *[_definition(d, n) for n in needed]]
    used = {v.name for tree in trees for v in refs(tree)} | _size_names(trees)
    if _narrow(d):
        used |= {n for i in indices_of(d.record.output.shape) for names, _ in i.size for n in names}
    found, _ = sizes_of(d)
    for size in reversed(found):
        used |= found[size][1] if size in used else set()
    return [f"{identifier(size)} = {text}" for size, (text, _) in found.items() if size in used]


def sizes_of(d: Derivation) -> tuple[dict[str, tuple[str, set[str]]], tuple[str, ...]]:
    """How each size is read off the arguments, with the sizes that takes; and those that must be given.

    An axis of ``G*K`` channels gives K where G is known, and tells neither alone.
    """
    arrays = {**d.record.arguments, **d.record.held}
    shapes = [(identifier(name), k, n) for name, node in arrays.items() for k, n in enumerate(node.shape)]
    axes = [(f"{name}.shape[{k}]", extent(n)) for name, k, n in shapes]
    found: dict[str, tuple[str, set[str]]] = {}
    given: list[str] = []
    while left := sorted(d.sizes - found.keys() - set(given)):
        for text, size in axes:
            names, c = size[0] if len(size) == 1 else ((), 0)
            unknown = [n for n in names if n in left]
            if len(unknown) == 1:
                others = [*([str(c)] if c != 1 else []), *[identifier(n) for n in names if n not in left]]
                by = f" // ({' * '.join(others)})" if len(others) > 1 else f" // {others[0]}" if others else ""
                found[unknown[0]] = text + by, {n for n in names if n not in left}
                break
        else:
            given.append(left[0])
    return found, tuple(given)


def _reshaped(d: Derivation, name: str, node: Any) -> bool:
    layout = axes_of(node.shape)
    tree = d.trees[name]
    return None in layout or not refs(tree) or free_of(tree) != {i for i in layout if i is not None}


def _backward(d: Derivation) -> tuple[list[str], list[str]]:
    stored, taken = _stored(d), _taken(d)
    stored.update({let.var.name: layout_of(let.var.indices) for let in d.program.lets.values()})
    emitter = Emitter(stored, "t", taken)
    for name, tree in adjoint_trees(d).items():
        emitter.assign(name, tree, layout_of(d.program.lets[name].var.indices))
    results = []
    for name, node in d.record.arguments.items():
        layout = axes_of(node.shape)
        results.append(unused(f"d{identifier(name)}", taken))
        if _reshaped(d, name, node):
            text = emitter(canonical(d.trees[name]), layout)
            emitter.lines.append(f"{results[-1]} = np.broadcast_to({text}, np.shape({identifier(name)}))")
        else:
            emitter.line(results[-1], d.trees[name], layout)
    return _shared(d, emitter), results
