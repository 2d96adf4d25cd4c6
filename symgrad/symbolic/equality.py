"""`prove`: whether two expressions (SymPy, text, or symgrad functions) are equal for all sizes and real inputs.

Examples
--------
>>> prove("tanh(x)*tanh(x)", "tanh(x)**2").verdict
'PROVED'
>>> prove("sqrt(x**2)", "x").verdict
'FALSE'
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy

from symgrad.errors import SymbolicError
from symgrad.symbolic.expr import Expr, Operations, Ref, bound_of, fold, free_of
from symgrad.symbolic.factors import Var
from symgrad.symbolic.indices import Extent, Index
from symgrad.symbolic.latex import Latex
from symgrad.symbolic.normal import Poly
from symgrad.symbolic.program import ANY, POSITIVE, Program, Value
from symgrad.symbolic.proof import Certificate, prove_zero
from symgrad.symbolic.read import Instance, Reader
from symgrad.symbolic.record import record
from symgrad.symbolic.sympy_io import Letters, _extent, from_sympy
from symgrad.symbolic.text import parse, read

__all__ = ["in_program", "prove"]

EXPONENTIAL = {
    "sinh": "(exp(x) - exp(-x))/2",
    "cosh": "(exp(x) + exp(-x))/2",
    "tanh": "(exp(x) - exp(-x))/(exp(x) + exp(-x))",
}


def prove(a: Any, b: Any, /, **specs: Any) -> Certificate:
    """Prove or refute that two expressions are equal.

    Parameters
    ----------
    a, b : SymPy expression, number, text formula, or symgrad function
        Functions are compared by their outputs on abstract arguments.
    **specs : spec
        For functions: one per argument, as in `derive`.

    Returns
    -------
    Certificate
        ``verdict`` is PROVED, FALSE (with ``counterexample``) or UNKNOWN; truthy only if proved.

    Examples
    --------
    >>> import symgrad as sg
    >>> prove(lambda z: sg.sum(z * 2), lambda z: 2 * sg.sum(z), z=sg.spec("B")).verdict
    'PROVED'
    """
    found = _proved(Program(), a, b, specs)
    return found if found.verdict != "UNKNOWN" else _proved(_Exponentials(), a, b, specs)


def _proved(program: Program, a: Any, b: Any, specs: Mapping[str, Any]) -> Certificate:
    if callable(a) and callable(b):
        left, right = (_output(program, f, specs) for f in (a, b))
    else:
        left, right = _values(program, a, b)
    return prove_zero(program, left - right, _assumed(program))


class _Exponentials(Program):
    """The algebra in which hyperbolic functions are written with exp."""

    def call(self, name: str, args: list[Value]) -> Value:
        if name not in EXPONENTIAL:
            return super().call(name, args)
        return fold(parse(EXPONENTIAL[name]), Instance(self, {"x": args[0]}))  # type: ignore[no-any-return]


def _output(program: Program, f: Any, specs: Mapping[str, Any]) -> Poly:
    """The normal form of a function's output, with arguments shared by name."""
    made = record(f, specs)
    reader = Reader(program)
    for nodes, constant in ((made.arguments, False), ({**made.constants, **made.held}, True)):
        for name, node in nodes.items():
            program.reserved.update(n for s in node.shape if hasattr(s, "names") for n in s.names())
            reader.leaf(node, name, POSITIVE if node.meta.positive else ANY, constant)
    reader.read(made.forward)
    return reader.value(made.output, constant=True).poly


def _values(program: Program, a: Any, b: Any) -> tuple[Poly, Poly]:
    sized = _sizes([e for e in (a, b) if isinstance(e, sympy.Basic)])
    free = {
        i: Index(i.name, sized.get((x.base.name, k), ((("n",), 1),)))
        for e in (a, b)
        if isinstance(e, sympy.Basic)
        for x in e.atoms(sympy.Indexed)
        for k, i in enumerate(x.indices)
        if isinstance(i, sympy.Symbol)
    }
    others = {id(e): _tree(e, free) for e in (a, b) if not isinstance(e, str)}
    texts = iter(_texts([e for e in (a, b) if isinstance(e, str)], list(others.values())))
    trees = [next(texts) if isinstance(e, str) else others[id(e)] for e in (a, b)]
    shapes: dict[str, tuple[Extent, ...]] = {}
    for v in (v for t in trees for v in _all_refs(t)):
        sizes = tuple([i.size for i in v.indices])
        if shapes.setdefault(v.name, sizes) != sizes:
            raise SymbolicError(f"prove: {v.name!r} is used with different indices, or over different sizes")
    extents = [*sized.values(), *[i.size for t in trees for i in bound_of(t) | free_of(t)]]
    program.reserved.update(n for size in extents for names, _ in size for n in names)
    positive = {v.name for t in trees for v in _all_refs(t) if v.positive} | program.reserved
    left, right = (fold(t, _Reading(program, positive)).poly for t in trees)
    return left, right


def _texts(texts: list[str], others: list[Expr]) -> list[Expr]:
    """The trees of formulas; names have the axes that they have in the other expression."""
    known = {v.name: tuple([i.size for i in v.indices]) for t in others for v in _all_refs(t) if v.indices}
    found = read(texts, known)
    for formula in found:
        if formula.name is not None:
            raise SymbolicError(f"prove: {formula.name} = ... is an equation; give its two sides as two formulas")
    return [formula.tree for formula in found]


def _tree(given: Any, free: Mapping[Any, Index]) -> Expr:
    try:
        expression = sympy.sympify(given, strict=True)
    except sympy.SympifyError:
        raise SymbolicError(f"prove: cannot read {given!r}; give SymPy, text, or two symgrad functions") from None
    return from_sympy(expression, free)


def _sizes(expressions: list[Any]) -> dict[tuple[str, int], Extent]:
    """The size of each axis of each indexed name, from the sums over it."""
    found: dict[tuple[str, int], Extent] = {}
    for total in (t for e in expressions for t in e.atoms(sympy.Sum)):
        high = {limit[0]: limit[2] for limit in total.limits}
        for x in total.function.atoms(sympy.Indexed):
            for k, i in enumerate(x.indices):
                if i in high:
                    found[x.base.name, k] = _extent(high[i])
    return found


class _All(Operations):
    def __init__(self) -> None:
        self.found: list[Var] = []

    def ref(self, var: Var) -> Any:
        self.found.append(var)
        return Ref(var)


def _all_refs(tree: Expr) -> list[Var]:
    reader = _All()
    fold(tree, reader)
    return reader.found


class _Reading(Operations):
    """Evaluate a tree in a program; names that it does not know become arguments."""

    def __init__(self, program: Program, positive: set[str]) -> None:
        self.program, self.positive = program, positive
        self.number, self.kronecker, self.add = program.number, program.kronecker, program.add  # type: ignore[method-assign]
        self.mul, self.pow, self.call = program.mul, program.pow, program.call  # type: ignore[method-assign]
        self.total = program.total  # type: ignore[method-assign]

    def ref(self, var: Var) -> Value:
        return self.program.ref(var._replace(positive=var.name in self.positive))


def _assumed(program: Program) -> tuple[str, ...]:
    show = Latex(Letters({}), program.latex)
    return tuple(f"{show(tree)} > 0" for tree in program.assumptions.values())


class _Known(_Reading):
    """Evaluate a tree whose names are those of an existing program."""

    def ref(self, var: Var) -> Value:
        let = self.program.lets.get(var.name)
        own = let.var if let is not None else self.program.leaves.get(var.name)
        if own is None and var.name not in self.program.reserved:
            known = [*self.program.leaves, *self.program.lets]
            raise SymbolicError(f"prove: unknown name {var.name!r}; the names are {known}")
        wanted = 0 if own is None else len(own.indices)
        if len(var.indices) != wanted:
            raise SymbolicError(f"prove: {var.name!r} has {wanted} index(es), not {len(var.indices)}")
        positive = True if own is None else own.positive
        return self.program.ref(Var(0, var.name, var.indices, positive))


def in_program(program: Program, expression: Any, free: Mapping[str, Index]) -> Poly:
    """The normal form of a SymPy expression in the names of a program."""
    if isinstance(expression, str):
        return fold(parse(expression, tuple(free.items())), _Known(program, set())).poly  # type: ignore[no-any-return]
    symbols = {sympy.Symbol(name, integer=True): i for name, i in free.items()}
    plain = {sympy.Symbol(name): i for name, i in free.items()}
    return fold(_tree(expression, {**plain, **symbols}), _Known(program, set())).poly  # type: ignore[no-any-return]
