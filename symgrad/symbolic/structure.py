r"""What each kind of ``indices`` means: one rule per kind, linear in the first input, from values to a value.

Axis ``k`` of a Tensor with ``n`` axes has the index ``x{n-1-k}``, counted from the right as NumPy broadcasts, so that
elementwise operations and broadcasting need no renaming. An array of integers that picks elements is an index whose
value is not known: $z_{i,y_i}$, and its adjoint is a Kronecker delta, $\delta_{c,y_i}$.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, Any

from symgrad.errors import SymbolicError
from symgrad.ops.indexing import indexed
from symgrad.shapes import broadcast
from symgrad.symbolic.expr import Call
from symgrad.symbolic.factors import Var
from symgrad.symbolic.indices import At, Extent, Index, divided, extent, fresh, joined, moved, split
from symgrad.symbolic.normal import Poly
from symgrad.symbolic.program import Program, Value
from symgrad.symbolic.text import literal

if TYPE_CHECKING:
    from symgrad.symbolic.read import Reader

__all__ = ["STRUCTURE", "axes_of", "dropped", "indices_of", "structural"]

POSITION = "index"  # the variable whose value is its own index
EVERY = ("slice", None, None, None)


def axes_of(shape: Any) -> tuple[Index | None, ...]:
    """The index of each axis, counted from the right; None for axes of size 1."""
    n = len(shape)
    return tuple([None if extent(s) == (((), 1),) else Index(f"x{n - 1 - k}", extent(s)) for k, s in enumerate(shape)])


def indices_of(shape: Any) -> tuple[Index, ...]:
    """The indices of a shape without the axes of size 1."""
    return tuple([i for i in axes_of(shape) if i is not None])


def _sum(reader: Reader, node: Any, inputs: list[Value]) -> Value:
    axes, keepdims = node.params
    own = axes_of(node.inputs[0].shape)
    bound = tuple([i for k in axes if (i := own[k]) is not None])
    total = reader.program.total(bound, inputs[0]) if bound else inputs[0]
    return total if keepdims else dropped(reader.program, total, own, axes)


def _mean(reader: Reader, node: Any, inputs: list[Value]) -> Value:
    axes, _ = node.params
    own = axes_of(node.inputs[0].shape)
    total = _sum(reader, node, inputs)
    sizes = [_size_value(reader.program, i.size) for k in axes if (i := own[k]) is not None]
    if not sizes:
        return total
    program = reader.program
    return program.mul([program.pow(program.mul(sizes), program.number(-1)), total])


def dropped(program: Program, value: Value, own: tuple[Index | None, ...], axes: tuple[int, ...]) -> Value:
    """Indices after the axes are removed: those to the left move to the right."""
    kept = [i for k, i in enumerate(own) if k not in axes]
    return program.renamed(value, _moved(kept))


def _moved(kept: list[Index | None]) -> dict[Index, Index]:
    n = len(kept)
    return {i: Index(f"x{n - 1 - k}", i.size) for k, i in enumerate(kept) if i is not None}


def _size_value(program: Program, size: Any) -> Value:
    """A size as a value; its names are positive."""
    terms = []
    for names, c in reversed(size):
        factors = [program.ref(Var(0, name, (), True)) for name in names]
        terms.append(program.mul([program.number(c), *factors]) if factors else program.number(c))
    total = program.add(terms) if terms else program.number(0)
    return total


def _sum_to(reader: Reader, node: Any, inputs: list[Value]) -> Value:
    target = indices_of(node.shape)
    gone = tuple([i for i in indices_of(node.inputs[0].shape) if i not in target])
    return reader.program.total(gone, inputs[0]) if gone else inputs[0]


def _same(reader: Reader, node: Any, inputs: list[Value]) -> Value:
    return inputs[0]


def _identity(reader: Reader, node: Any, inputs: list[Value]) -> Value:
    if node.op.name == "named" and node.name and inputs[0].expr is not None:
        return reader.program.define(node.name, inputs[0], node.latex)
    if node.op.pullback == () and node.inputs[0].serial in reader.values and inputs[0].expr is not None:
        return replace(
            inputs[0], expr=Call("stop", (inputs[0].expr,))
        )  # shown, since its derivative is not the value's
    return inputs[0]


def _permute(reader: Reader, node: Any, inputs: list[Value]) -> Value:
    own = axes_of(node.inputs[0].shape)
    return reader.program.renamed(inputs[0], _moved([own[k] for k in node.params[0]]))


def _reshape(reader: Reader, node: Any, inputs: list[Value]) -> Value:
    own = [i for i in axes_of(node.inputs[0].shape) if i is not None]
    new = [i for i in axes_of(node.shape) if i is not None]
    names = _regrouped(own, new)
    if names is None:
        raise SymbolicError(
            f"{node.op.name}: shape {tuple(node.inputs[0].shape)} to {tuple(node.shape)} splits axes at places where "
            "index notation does not follow; let the size of an axis that is split be a product, such as G * K for "
            "sizes sg.Dim('G') and sg.Dim('K')"
        )
    return reader.program.renamed(inputs[0], names)


def _regrouped(own: list[Index], new: list[Index]) -> dict[Index, Any] | None:
    """What each index of an array is in terms of those of its reshape, or None where sizes do not divide."""
    parts: dict[Index, list[Any]] = {i: [] for i in own}
    sources, targets = [(i, i.size) for i in own], [(i, i.size) for i in new]  # what is left of each
    here: list[Any] = list(new)
    while sources and targets:
        (i, left), (k, room) = sources.pop(0), targets.pop(0)
        index = here.pop(0)
        rest = divided(left, room)
        other = divided(room, left)
        if rest is not None:  # the axis of the reshape is a part of this one
            parts[i].append(index)
            if rest != (((), 1),):
                sources.insert(0, (i, rest))
        elif other is not None:  # it runs through this one and more
            first, second = split(index, left, other)
            parts[i].append(first)
            targets.insert(0, (k, other))
            here.insert(0, second)
        else:
            return None
    return None if sources or targets else {i: reduce(joined, p) for i, p in parts.items()}


def _size(reader: Reader, node: Any, inputs: list[Value]) -> Value:
    return _size_value(reader.program, extent(node.params[0]))


def _const(reader: Reader, node: Any, inputs: list[Value]) -> Value:
    return reader.program.number(literal(repr(node.params[0])))


def _einsum(reader: Reader, node: Any, inputs: list[Value]) -> Value:
    program = reader.program
    text = node.params[0] if node.op.indices == "einsum" else node.op.indices(*[len(x.shape) for x in node.inputs])
    sources, _, target = text.partition("->")
    names: dict[str, Index] = {}
    factors = []
    for letters, x, value in zip(sources.split(","), node.inputs, inputs, strict=True):
        moved: dict[Index, Index] = {}
        for letter, axis in zip(letters, axes_of(x.shape), strict=True):
            if axis is not None:
                position = len(target) - 1 - target.find(letter)
                own = Index(f"x{position}", axis.size) if letter in target else fresh(axis.size)
                moved[axis] = names.setdefault(letter, own)
        factors.append(program.renamed(value, moved))
    product = program.mul(factors)
    bound = tuple([i for letter, i in names.items() if letter not in target])
    return program.total(bound, product) if bound else product


# picking by integers -------------------------------------------------------------------------------------------------


def _arange(reader: Reader, node: Any, inputs: list[Value]) -> Value:
    return Value(Poly({((Var(0, POSITION, indices_of(node.shape), False), 1),): 1}))


def _place(program: Program, value: Value, size: Extent) -> Index | At:
    """The index that an array of integers is, along an axis of this size."""
    pair = value.poly.single()
    plain = pair is not None and pair[1] == 1 and [(f.rank, e) for f, e in pair[0]] == [(0, 1)]
    var = pair[0][0][0] if plain and pair else program.intern(None, (value.poly,), "label", value)
    if var.name == POSITION:
        return var.indices[0]  # type: ignore[no-any-return]
    program.labels.setdefault(var.name, size)
    return At(var.name, size, var.indices)


def _picked(reader: Reader, node: Any, whole: Any, values: list[Value]) -> tuple[list[Any], list[Index | None]]:
    """At which index the part has each axis of the whole, and which indices of the part stay what they are."""
    key, arrays = node.params[0], node.inputs[1:]
    key = (*key, *[EVERY] * (len(whole) - sum(p is not None for p in key)))
    if any(type(p) is int or (type(p) is tuple and p[0] == "slice" and p != EVERY) for p in key):
        raise SymbolicError(
            f"{node.op.name}: a part of an axis has no meaning in index notation; pick by integers in an argument, "
            "sg.spec('B', dtype=int), or give the parts as arguments of their own"
        )
    wide = broadcast(*[x.shape for x in arrays]) if arrays else ()
    places = [k for k, p in enumerate(key) if type(p) is tuple and p[0] == "array"]
    together = places == list(range(places[0], places[-1] + 1)) if places else True
    shape = list(indexed((whole, *[x.shape for x in arrays]), node.params[0]))
    own = axes_of(shape)
    start = (places[0] if places else 0) if together else 0
    middle = own[start : start + len(wide)]
    rest = iter([*own[:start], *own[start + len(wide) :]])
    sizes = iter(axes_of(whole))
    found: list[Any] = []
    for part in key:
        if part is None:
            next(rest)
        elif part == EVERY:
            index = next(rest)
            found.append(None if next(sizes) is None else index)
        else:
            axis, k = next(sizes), part[1]
            inner = axes_of(arrays[k].shape)
            names = {i: j for i, j in zip(reversed(inner), reversed(middle), strict=False) if i is not None}
            place = _place(reader.program, values[k], axis.size) if axis is not None else None
            found.append(None if place is None else moved(place, names))
    return found, list(own)


def _gather(reader: Reader, node: Any, inputs: list[Value]) -> Value:
    whole = node.inputs[0].shape
    places, _ = _picked(reader, node, whole, inputs[1:])
    names = {i: j for i, j in zip(axes_of(whole), places, strict=True) if i is not None}
    return reader.program.renamed(inputs[0], names)


def _scatter(reader: Reader, node: Any, inputs: list[Value]) -> Value:
    program, whole = reader.program, axes_of(node.shape)
    places, part = _picked(reader, node, node.shape, inputs[1:])
    apart = {i: fresh(i.size) for i in part if i is not None}
    deltas, left, back = [], set(apart.values()), {}
    for i, place in zip(whole, places, strict=True):
        if i is not None:
            place = moved(place, apart)
            if place in left:  # an axis that the part has as it is
                back[place] = i
                left.remove(place)
            else:
                deltas.append((i, place))
    shape = dict(zip(axes_of(node.inputs[0].shape), part[len(part) - len(node.inputs[0].shape) :], strict=True))
    own = {i: apart[j] for i, j in shape.items() if i is not None and j is not None}
    names = {i: back.get(k, k) for i, k in own.items()}
    factors = [program.renamed(inputs[0], names)]
    factors += [program.kronecker(moved(i, back), moved(place, back)) for i, place in deltas]
    return program.total(tuple(sorted(left)), program.mul(factors)) if left else program.mul(factors)


Rule = Callable[["Reader", Any, list[Value]], Value]
STRUCTURE: dict[str, Rule] = {
    "sum": _sum,
    "mean": _mean,
    "expand": _same,
    "sum_to": _sum_to,
    "unsqueeze": _reshape,
    "squeeze": _reshape,
    "reshape": _reshape,
    "permute": _permute,
    "size": _size,
    "const": _const,
    "identity": _identity,
    "einsum": _einsum,
    "arange": _arange,
    "gather": _gather,
    "scatter": _scatter,
}


def structural(node: Any) -> Rule | None:
    """The rule of a node, or None where it is elementwise or opaque."""
    kind = node.op.indices
    return _einsum if callable(kind) else STRUCTURE.get(kind)
