r"""`derive`: closed-form gradients of a function for all sizes, with steps, proofs, LaTeX and NumPy source.

Examples
--------
>>> import symgrad as sg
>>> from symgrad.symbolic import derive
>>> def centred(z):
...     mu = sg.named(sg.mean(z, axis=0), "mu")
...     return z - mu
>>> d = derive(centred, z=sg.spec("B"))
>>> d.gradients["z"], d.proofs["z"].verdict
(g[i] - Sum(g[j], (j, 1, B))/B, 'PROVED')
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from symgrad.errors import SymbolicError
from symgrad.symbolic import source, steps
from symgrad.symbolic.byproducts import Byproduct, byproducts_of, symmetric
from symgrad.symbolic.checking import Check, check
from symgrad.symbolic.claims import Claim, claims_of
from symgrad.symbolic.compact import compact
from symgrad.symbolic.expr import Call, Expr, Mul, Ref, Total, free_of, refs, rename_tree, replace_refs
from symgrad.symbolic.factors import Var
from symgrad.symbolic.indices import Index
from symgrad.symbolic.latex import Latex
from symgrad.symbolic.normal import Poly, rename, sum_over
from symgrad.symbolic.program import ANY, POSITIVE, Let, Program, Value
from symgrad.symbolic.proof import Certificate, prove_zero
from symgrad.symbolic.read import Reader, tangents
from symgrad.symbolic.record import Record, in_order, record
from symgrad.symbolic.structure import indices_of
from symgrad.symbolic.sympy_io import Letters, letters_for, to_sympy

__all__ = ["Derivation", "derive"]


def derive(f: Callable[..., Any] | str, /, *specs: Any, **named: Any) -> Derivation:
    """Derive the gradients of a function for symbolic sizes, or of an entry of the catalogue.

    Parameters
    ----------
    f : callable or str
        An ordinary symgrad function that returns one Tensor, or a name from ``symbolic.catalogue()``.
    *specs, **named : spec
        One per argument, in order or by name. An argument without a spec needs a default. If that is a float (``eps``),
        it becomes a symbolic constant of its name, positive if the default is; anything else (an int, a bool, a tuple,
        None, text) is an option such as an axis and keeps its value. A number, a tuple or None by name replaces a
        default: ``axis=-1``.

    Returns
    -------
    Derivation

    Raises
    ------
    SymbolicError
        If a derivative passes something that has no meaning in index notation; the message names the op and a remedy.

    Examples
    --------
    >>> import symgrad as sg
    >>> derive(lambda x: sg.tanh(x), x=sg.spec("N")).gradients["x"]
    (1 - tanh(x[i])**2)*g[i]
    """
    if isinstance(f, str):
        from symgrad.symbolic.entries import entry

        found = entry(f)
        name, function, given = f, found.function, dict(found.specs)
    else:
        name, function, given = getattr(f, "__name__", getattr(f, "name", "f")).strip("<>"), f, getattr(f, "specs", {})
    ordered = in_order(function, specs)
    if twice := ordered.keys() & named.keys():
        raise SymbolicError(f"derive: {sorted(twice)} given in order and by name; give each argument one spec")
    made = record(function, {**given, **ordered, **named})
    d = Derivation(name, made.function, made)
    _ = d.polys  # reads the graph: what cannot be derived is said now
    return d


@dataclass(frozen=True, repr=False)
class Derivation:
    """The gradients of one function; everything beyond them is worked out when it is asked for."""

    name: str
    function: Callable[..., Any]
    record: Record

    @cached_property
    def reader(self) -> Reader:
        """The graph, forward and backward, in normal form."""
        made = self.record
        reader = Reader(Program())
        program = reader.program
        program.reserved.update(self.sizes, {made.cotangent.name})
        for name, node in made.arguments.items():
            reader.leaf(node, name, POSITIVE if node.meta.positive else ANY)
        for name, node in {**made.constants, **made.held}.items():
            reader.leaf(node, name, POSITIVE if node.meta.positive else ANY, constant=True)
        reader.read(made.forward)
        reader.value(made.output)
        reader.leaf(made.cotangent, made.cotangent.name)
        reader.read_back(made.backward, self._boundaries(reader))
        return reader

    def _boundaries(self, reader: Reader) -> dict[int, Any]:
        """Named results of contractions with an argument (dense layers), by the serial of their cotangent."""
        found = {}
        for node in self.record.forward:
            value = reader.values.get(node.serial, Value(Poly({})))
            let = reader.program.lets.get(value.expr.var.name) if isinstance(value.expr, Ref) else None
            if let is None or let.expr is None or node.serial not in self.record.adjoints:
                continue
            if any(contracted(t) for t in totals(let.expr)):
                found[self.record.adjoints[node.serial].serial] = value
        return found

    @property
    def program(self) -> Program:
        """The definitions and what is known about them."""
        return self.reader.program

    @cached_property
    def sizes(self) -> frozenset[str]:
        """Names of the symbolic sizes."""
        shapes = [n.shape for n in (*self.record.arguments.values(), *self.record.held.values())]
        return frozenset(n for shape in shapes for s in shape if hasattr(s, "names") for n in s.names())

    def __repr__(self) -> str:
        arguments = ", ".join(f"{n}: {tuple(x.shape)}" for n, x in self.record.arguments.items())
        return f"Derivation({self.name}, {arguments})"

    # results -----------------------------------------------------------------------------------------------------

    @cached_property
    def polys(self) -> dict[str, Poly]:
        """The gradients in normal form, from the traced pullbacks."""
        return {name: self.adjoint(node) for name, node in self.record.arguments.items()}

    @cached_property
    def trees(self) -> dict[str, Expr]:
        """The gradients as compact formulas in the author's names."""
        return {name: compact(poly) for name, poly in self.polys.items()}

    @cached_property
    def gradients(self) -> dict[str, Any]:
        """The gradients as SymPy expressions."""
        return {name: self.sympy(tree, self.record.arguments[name]) for name, tree in self.trees.items()}

    @cached_property
    def definitions(self) -> dict[str, Any]:
        """What the author's names mean, as SymPy expressions."""
        return {let.var.name: self.sympy(definition(let), let.var.indices) for let in self.named}

    @property
    def named(self) -> list[Let]:
        """The author's definitions in order."""
        return [let for let in self.program.lets.values() if not let.automatic]

    def expanded(self, name: str) -> Any:
        """A gradient with every definition put in, in terms of the arguments alone."""
        return self.sympy(self.inlined(self.trees[self._known(name)], lambda let: True), self.record.arguments[name])

    @cached_property
    def proofs(self) -> dict[str, Certificate]:
        """For each argument: reverse mode (the traced pullbacks) equals the independent forward mode."""
        return {n: self.proof(n) for n in self.record.arguments}

    def proof(self, name: str) -> Certificate:
        """One of the `proofs`, without the others."""
        if name not in self._proofs:
            self._proofs[name] = self.certify(self.record.arguments[self._known(name)], self.polys[name])
        return self._proofs[name]

    def jacobian(self, name: str) -> Any:
        """The derivative of each output element with respect to each element of an argument."""
        moving, at = tangents(self.reader, self.record.forward, self.record.arguments[self._known(name)])
        poly = moving.get(self.record.output.serial, Poly({}))
        return self.sympy(compact(poly), (*indices_of(self.record.output.shape), *at))

    def second(self, first: str, second: str) -> Any:
        """The derivative of a gradient with respect to another argument, with the cotangent held fixed."""
        poly, at = self.second_poly(first, second)
        return self.sympy(compact(poly), (*indices_of(self.record.arguments[first].shape), *at))

    def second_poly(self, first: str, second: str) -> tuple[Poly, tuple[Index, ...]]:
        """`second` in normal form, and the indices of the second argument."""
        cotangent = self.record.adjoints.get(self.record.arguments[self._known(first)].serial)
        if self._known(second) not in self._seconds:  # what the gradients by all arguments share
            nodes = sorted([*self.record.forward, *self.record.backward], key=lambda n: n.serial)
            self._seconds[second] = tangents(self.reader, nodes, self.record.arguments[second])
        moving, at = self._seconds[second]
        return (Poly({}) if cotangent is None else moving.get(cotangent.serial, Poly({}))), at

    def double(self, name: str) -> Derivation:
        r"""Double backward: the derivation of one gradient times a direction, with proofs and NumPy source of its own.

        Parameters
        ----------
        name : str
            The argument x; the function is :math:`\langle v, \partial \langle g, f \rangle / \partial x \rangle`.

        Examples
        --------
        >>> import symgrad as sg
        >>> d = sg.derive(lambda x: sg.sum(x**3), x=sg.spec("N"))
        >>> d.double("x").gradients["x"]
        6*g*g_bar*v[i]*x[i]
        """
        from symgrad.symbolic.double import double_of

        if name not in self._doubles:
            self._doubles[name] = double_of(self, self._known(name))
        return self._doubles[name]

    def second_proof(self, first: str, second: str) -> Certificate:
        """Whether `second` is right: reverse mode through a gradient's own graph equals forward mode through it.

        Of two arguments it is proved in one order; the other order is right because it gives the same formula. Under
        a `time_limit`, what is not proved in the first half of the time is UNKNOWN; the other half is for formulas.
        """
        from symgrad.symbolic.double import second_proof_of

        return second_proof_of(self, self._known(first), self._known(second))

    @cached_property
    def assumptions(self) -> tuple[str, ...]:
        """What is assumed and could not be derived, as LaTeX."""
        given = [n for n, v in self.program.leaves.items() if v.positive]
        known = [f"{self.latex_of(Ref(self.program.leaves[n]))} > 0" for n in given]
        return (*known, *[f"{self.latex_of(tree)} > 0" for tree in self.program.assumptions.values()])

    @cached_property
    def domain(self) -> tuple[str, ...]:
        """Points left out: what was divided by and is not known to differ from zero, as LaTeX."""
        found = []
        for what, relation in self.program.domain:
            tree = self.inlined(Ref(what) if isinstance(what, Var) else what, lambda let: let.automatic)
            found.append(f"{self.latex_of(tree)} {relation.replace('!=', chr(92) + 'ne')}")
        return tuple(dict.fromkeys(found))

    @cached_property
    def byproducts(self) -> tuple[Byproduct, ...]:
        """Theorems that the gradients imply: sums that vanish, invariances, values without effect."""
        return tuple(byproducts_of(self))

    def symmetric(self, name: str) -> Certificate:
        """Whether the second derivative with respect to one argument, at a fixed cotangent, is symmetric."""
        return symmetric(self, name)

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        """What was shown, one fact after the other."""
        return tuple(claims_of(self))

    def data(self) -> dict[str, Any]:
        """The claims with their certificates as plain data, which `symgrad.rechecking.recheck` verifies again."""
        from symgrad.symbolic.data import data_of

        return data_of(self)

    @cached_property
    def steps(self) -> tuple[steps.Step, ...]:
        """The derivation, one checked step after the other."""
        return tuple(steps.steps_of(self))

    @cached_property
    def lecture(self) -> tuple[Any, ...]:
        """The derivation as a lecturer gives it: sections of prose, certified formulas and code."""
        from symgrad.symbolic.lecture import lecture

        return tuple(lecture(self))

    # texts -------------------------------------------------------------------------------------------------------

    def latex(self, document: bool = False) -> str:
        """The gradients as an aligned block of LaTeX, or the whole derivation as a document for pdflatex."""
        from symgrad.symbolic import pages

        if document:
            return pages.latex(self)
        lets = self.program.lets
        named = {self.latex_of(Ref(lets[n].var)): t for n, t in source.adjoint_trees(self).items()}
        pairs = {**named, **{self.lhs(n): t for n, t in self.trees.items()}}
        rows = [steps.equation(left, self.latex_of(tree), "&=") for left, tree in pairs.items()]
        return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"

    def text(self) -> str:
        """The whole derivation for a terminal."""
        from symgrad.symbolic import pages

        return pages.text(self)

    def markdown(self) -> str:
        """The whole derivation as Markdown with LaTeX."""
        from symgrad.symbolic import pages

        return pages.markdown(self)

    def html(self) -> str:
        """The whole derivation as an HTML page with MathML, without scripts."""
        from symgrad.symbolic import pages

        return pages.html(self)

    @cached_property
    def numpy_source(self) -> str:
        """A plain NumPy file with ``forward`` and ``backward``."""
        return source.module(self)

    @cached_property
    def compiled(self) -> dict[str, Callable[..., Any]]:
        """The two functions of `numpy_source`."""
        namespace: dict[str, Any] = {}
        exec(compile(self.numpy_source, f"<derived {self.name}>", "exec"), namespace)  # our own text, built from trees
        return {k: namespace[k] for k in ("forward", "backward")}

    def backward(self, **arrays: Any) -> dict[str, Any]:
        """The gradients at arrays given by name, with the cotangent of the output, and sizes that no shape tells."""
        import numpy as np

        cotangent = self.record.cotangent.name
        sizes = source.sizes_of(self)[1]
        wanted = [*self.record.arguments, *self.record.held, *sizes, *self.record.constants, cotangent]
        missing = [n for n in wanted if n not in arrays and n not in self.record.defaults]
        unknown = sorted(arrays.keys() - set(wanted))
        if missing or unknown:
            raise SymbolicError(f"backward: missing {missing}, unknown {unknown}; the arguments are {wanted}")
        plain = {*self.record.constants, *sizes}
        given = {n: x if n in plain else np.asarray(x) for n, x in arrays.items() if n != cotangent}
        _, saved = self.compiled["forward"](**given)
        results = self.compiled["backward"](np.asarray(arrays[cotangent]), saved)
        return dict(zip(self.record.arguments, results, strict=True))

    def check(self, seed: int = 0) -> Check:
        """The formula, the graph and the emitted NumPy against each other.

        In float64 at random arrays, and at small sizes in the best arithmetic that can compute them: exact rationals,
        else interval enclosures, else floats of 60 digits. ``levels`` of the result says which was reached.

        Examples
        --------
        >>> import symgrad as sg
        >>> print(sg.derive("mse").check().levels[0])
        the graph equals the formula in exact rationals at B = 2; B = 3; B = 4
        """
        return check(self, seed)

    # helpers of the readers above --------------------------------------------------------------------------------

    @cached_property
    def _proofs(self) -> dict[str, Certificate]:
        return {}

    @cached_property
    def _seconds(self) -> dict[str, tuple[dict[int, Poly], tuple[Index, ...]]]:
        return {}

    @cached_property
    def _doubles(self) -> dict[str, Derivation]:
        return {}

    def adjoint(self, node: Any) -> Poly:
        """What the traced pullbacks give for a node."""
        cotangent = self.record.adjoints.get(node.serial)
        return Poly({}) if cotangent is None else self.reader.value(cotangent).poly

    def total_derivative(self, node: Any) -> Poly:
        """The same by the independent forward mode, contracted with the cotangent."""
        moving, at = tangents(self.reader, self.record.forward, node)
        flow = moving.get(self.record.output.serial, Poly({}))
        g = self.reader.values[self.record.cotangent.serial].poly
        total = sum_over(flow * g, *indices_of(self.record.output.shape))
        return self.program.reduce(rename(total, dict(zip(at, indices_of(node.shape), strict=True))))

    def certify(self, node: Any, poly: Poly) -> Certificate:
        """Whether this is the gradient with respect to the node."""
        return prove_zero(self.program, self.total_derivative(node) - poly, self.assumptions)

    def prove(self, name: str, expression: Any) -> Certificate:
        """Whether an expression in the names of this derivation is the gradient with respect to an argument.

        SymPy, a number, or text: ``d.prove("z", "gamma*g[i]")``, with the letters that the gradients show.
        """
        from symgrad.symbolic.equality import in_program

        node = self.record.arguments[self._known(name)]
        shown = self.letters(indices_of(node.shape))
        expected = self.total_derivative(node)
        fork = self.program.fork()
        given = in_program(fork, expression, {shown[i]: i for i in indices_of(node.shape)})
        return prove_zero(fork, expected - given, self.assumptions)

    def letters(self, indices: Iterable[Index]) -> Letters:
        """Letters for free indices: i for the first axis of the first argument, then the size's own letter."""
        first = next((indices_of(n.shape)[0].size for n in self.record.arguments.values() if indices_of(n.shape)), None)
        return letters_for(indices, first, {*self.program.leaves})

    def sympy(self, tree: Expr, at: Any) -> Any:
        """A tree as SymPy, with automatic names put in."""
        indices = at if isinstance(at, tuple) else indices_of(at.shape)
        return to_sympy(self.inlined(tree, lambda let: let.automatic), self.letters(indices), self.sizes)

    def latex_of(self, tree: Expr, order: Iterable[Index] | None = None) -> str:
        """A tree as LaTeX, with automatic names put in; letters go to the free indices in this order."""
        shown = self.inlined(tree, lambda let: let.automatic)
        free = sorted(free_of(shown), reverse=True) if order is None else order
        return Latex(self.letters(free), {**self.program.latex, **self._letter_names()})(shown)

    def _letter_names(self) -> dict[str, str]:
        return {n.name: n.latex for n in self.record.arguments.values() if n.latex}

    def lhs(self, name: str) -> str:
        """The left side of a gradient's equation."""
        var = self.program.leaves.get(name) or self.program.lets[name].var
        return rf"\frac{{\partial L}}{{\partial {self.latex_of(Ref(var))}}}"

    def inlined(self, tree: Expr, wanted: Callable[[Let], bool]) -> Expr:
        """The tree with the definitions of the wanted names put in."""

        def table(var: Var) -> Expr | None:
            let = self.program.lets.get(var.name)
            if let is None or not wanted(let):
                return None
            own = rename_tree(definition(let), dict(zip(let.var.indices, var.indices, strict=True)))
            return self.inlined(own, wanted)

        return replace_refs(tree, table)

    def _known(self, name: str) -> str:
        if name not in self.record.arguments:
            raise SymbolicError(f"derive: no argument {name!r}; the arguments are {list(self.record.arguments)}")
        return name

    def _repr_markdown_(self) -> str:
        return f"$$\n{self.latex()}\n$$"


def contracted(total: Total) -> bool:
    """Whether a sum is over a product of different variables, as in a matrix product."""
    return (
        isinstance(total.body, Mul)
        and len({v.name for v in refs(total.body) if v.indices}) > 1
        and any(set(a.indices) - set(b.indices) for a in refs(total.body) for b in refs(total.body) if b.indices)
    )


def totals(tree: Expr) -> list[Total]:
    """The outermost sums of a tree."""
    if isinstance(tree, Total):
        return [tree]
    parts = getattr(tree, "terms", ()) or getattr(tree, "factors", ()) or getattr(tree, "args", ())
    return [t for part in parts for t in totals(part)]


def definition(let: Let) -> Expr:
    """The right side of a definition, as written or, for what only pullbacks use, as computed."""
    if let.expr is not None:
        return let.expr
    if let.call is not None:
        return Call(let.call[0], tuple([compact(a) for a in let.call[1]]))
    return compact(let.poly)
