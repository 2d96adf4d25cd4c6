"""How local derivatives are found, for the step page: those of ops, and those of whole modules."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

from symgrad.errors import SymgradError
from symgrad.op import Op
from symgrad.recording import apply
from symgrad.shapes import size_of
from symgrad.tensor import Tensor
from viz.fold import Unit
from viz.mathmarkup import math, row
from viz.mathtext import name_text, notation_text
from viz.reading import Reading
from viz.scene import Run

__all__ = ["module_rule", "op_rule"]

_LETTERS = "DEFHKMNPQ"  # of sizes that are not the batch
_MOST = 24  # ops of a module that is derived


def op_rule(op: Op) -> dict[str, Any]:
    """The derivation of an op's local derivatives."""
    names = "xyz"
    arguments = [name_text(names[k]) for k in range(min(op.arity or 1, 3))]
    own = op.notation is not None and op.arity is not None and op.arity <= 3
    formula = notation_text(op.notation or "", arguments) if own else (Run(op.name),)
    parts = [math(f"<mi>v</mi><mo>=</mo>{row(formula)}")]
    verdict = "its rule couples elements; it is proved in index notation where it has one (see the op table)"
    if op.indices == "elementwise" and op.symbol and op.pullback:
        import sympy

        from symgrad.symbolic import local_derivative, prove_rule
        from viz.algebra import algebra_text

        known = {n: name_text(n) for n in ("x", "y", "z")} | {"v": name_text("v")}
        for k in range(op.arity or 1):
            derivative = local_derivative(op, k, ("v", *names[: op.arity or 1]))
            if derivative is not None:
                text = algebra_text(sympy.sympify(derivative), known)
                fraction = f"<mfrac><mrow><mi>∂</mi><mi>v</mi></mrow><mrow><mi>∂</mi><mi>{names[k]}</mi></mrow></mfrac>"
                parts.append(math(f"<mrow>{fraction}<mo>=</mo>{row(text)}</mrow>"))
        proof = prove_rule(op)
        verdict = f"{proof.verdict}: {proof.method}"
    return {"name": op.name, "link": f"How this derivative is found: {op.name}", "parts": parts, "verdict": verdict}


def module_rule(unit: Unit, reading: Reading) -> dict[str, Any] | None:
    """The gradients of a module in closed form, derived from its own part of the graph; None where they have none.

    Its sizes become symbols: B for the first axis of what it reads, letters for the others.
    """
    if sum(reading.nodes[m].op is not None for m in unit.members) > _MOST:
        return None
    from symgrad.symbolic import derive
    from symgrad.symbolic.mathml import mathml

    try:
        names, specs, f = _function(unit, reading)
        d = derive(f, **specs)
        steps = [step for step in d.steps if step.rule in ("definition", "gradient")]
        proofs = {proof.verdict: proof.method for proof in d.proofs.values()}
    except SymgradError:
        return None
    title = re.sub(r"[._]?\d+$", "", unit.title) or unit.title
    about = f"Derived from the ops of this module alone, for every size, by {', '.join(names)}"
    verdict = "; ".join([about, *(f"{word}: {method}" for word, method in sorted(proofs.items()))])
    parts = [mathml(step.latex) for step in steps]
    return {"name": title, "link": f"How the gradients of {title} are derived", "parts": parts, "verdict": verdict}


def _function(unit: Unit, reading: Reading) -> tuple[list[str], dict[str, Any], Callable[..., Tensor]]:
    """A module as a function of what it reads and of its parameters, with the specs of both."""
    nodes, members = reading.nodes, set(unit.members)
    read = dict.fromkeys(e.source for e in reading.links if e.target in members and e.source not in members)
    leaves = [m for m in sorted(members) if nodes[m].op is None]
    stops = {nodes[k].serial: nodes[k] for k in (*read, *leaves)}
    letters: dict[int, str] = {}
    names: dict[int, str] = {}
    specs: dict[str, Any] = {}
    for serial, x in stops.items():
        known, latex = reading.names.get(serial, ("x", None))
        short = latex.removeprefix("\\") if latex and re.fullmatch(r"\\?[A-Za-z]+", latex) else known.rpartition(".")[2]
        good = short.isidentifier() and short not in (*specs, "pi", "g")
        names[serial] = short if good else f"x{len(specs) + 1}"
        specs[names[serial]] = _spec(x, x.op is not None or not x.requires_grad, letters)
    order = _between(nodes[unit.out], stops, reading)

    def f(**given: Any) -> Tensor:
        made: dict[int, Any] = {}

        def value(x: Tensor) -> Any:
            stop = _stop(x, stops, reading)
            return given[names[stop]] if stop is not None else made.get(x.serial, x)

        for node in order:
            if node.op is not None and node.inputs:
                y = apply(node.op, tuple(map(value, node.inputs)), node.params)
                made[node.serial] = _named(y, reading.names.get(node.serial))
        return made[nodes[unit.out].serial]  # type: ignore[no-any-return]

    parameter = inspect.Parameter
    f.__signature__ = inspect.Signature([parameter(n, parameter.POSITIONAL_OR_KEYWORD) for n in specs])  # type: ignore[attr-defined]
    return list(specs), specs, f


def _named(y: Tensor, known: tuple[str, str | None] | None) -> Tensor:
    from symgrad import named

    return y if known is None or not known[0].isidentifier() else named(y, known[0], latex=known[1])


def _spec(x: Tensor, batch: bool, letters: dict[int, str]) -> Any:
    """The shape of a Tensor in letters; 1 stays 1."""
    from symgrad import spec

    shape: list[Any] = []
    for axis, n in enumerate(x.shape):
        size = int(size_of((n,)))
        if batch and axis == 0 and size > 1:
            shape.append("B")
        else:
            shape.append(letters.setdefault(size, _letter(len(letters))) if size > 1 else 1)
    return spec(*shape)


def _letter(k: int) -> str:
    """The name of the k-th size; when letters run out, with a number."""
    return _LETTERS[k] if k < len(_LETTERS) else f"{_LETTERS[0]}{k}"


def _stop(x: Tensor, stops: Mapping[int, Tensor], reading: Reading) -> int | None:
    """The argument that a Tensor is, if it is one."""
    below = reading.base.get(x.serial, x.serial)
    return below if below in stops and tuple(stops[below].shape) == tuple(x.shape) else None


def _between(out: Tensor, stops: Mapping[int, Tensor], reading: Reading) -> list[Tensor]:
    """The Tensors from the arguments to the result, in the order in which they were made."""
    found: dict[int, Tensor] = {}
    stack = [out]
    while stack:
        x = stack.pop()
        if x.serial not in found and (x is out or _stop(x, stops, reading) is None):
            found[x.serial] = x
            stack += x.inputs
    return [found[s] for s in sorted(found)]
