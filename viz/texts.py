"""Texts of single Tensors: the rows of cards, literals, and recorded rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symgrad.op import OPS, Op
from symgrad.tensor import Tensor
from viz.derivatives import is_scalar
from viz.mathtext import bracketed, is_loose, notation_text
from viz.numbers import figure, figures, sizes
from viz.reading import is_literal
from viz.scene import Row, Run, Text, plain

__all__ = ["exact", "grad_row", "literal_text", "norm", "notated", "printed", "value_rows"]


def value_rows(node: Tensor, abstract: bool = False, vectors: bool = True) -> list[Row]:
    """The value of one element (or a few: ``vectors``), or shape and norm; if ``abstract``, the shape alone."""
    value = node.value
    if abstract or not isinstance(value, np.ndarray):
        shape = sizes(node.shape) if node.op is None or not node.op.outputs else "several"
        return [Row("shape", shape, "note")]
    if value.size == 1:
        return [Row("value", figure(value.reshape(())), "value")]
    if vectors and value.size <= 4 and value.ndim == 1:
        return [Row("value", figures(value), "value")]
    if value.dtype.kind == "f":
        return [Row("shape", sizes(node.shape), "note"), Row("‖value‖", figure(norm(value)), "value")]
    return [Row("shape", sizes(node.shape), "note")]


def grad_row(node: Tensor, grad: Any, vectors: bool = True) -> Row:
    """The gradient in the same form; a dash where none flows."""
    if grad is None or isinstance(grad, list):
        return Row("grad", "—", "grad")
    if np.size(grad) == 1:
        return Row("grad", figure(np.sum(grad)), "grad")
    if vectors and np.size(grad) <= 4 and np.ndim(grad) == 1:
        return Row("grad", figures(grad), "grad")
    return Row("‖grad‖", figure(norm(grad)), "grad")


def norm(value: Any) -> float:
    """The Euclidean norm, without overflow."""
    with np.errstate(all="ignore"):
        scale = float(np.max(np.abs(value), initial=0.0))
        if not 0 < scale < np.inf:
            return scale
        return scale * float(np.sqrt(np.sum(np.square(value / scale, dtype=np.float64))))


def literal_text(x: Tensor) -> Text:
    """A literal in a formula."""
    if x.op is not None:
        return (Run(str(x.params[0]) if x.op.indices == "size" else figure(x.params[0])),)
    return (Run(figure(x.value.reshape(()))),) if is_scalar(x) else (Run("…"),)


def exact(x: Tensor) -> Any:
    """A literal as a SymPy number: an integer, or the decimal that was written."""
    import sympy

    value = x.params[0] if x.op is not None else x.value.item() if is_scalar(x) else None
    if isinstance(value, bool):
        return sympy.true if value else sympy.false
    if isinstance(value, (int, float)):
        return sympy.Integer(int(value)) if np.isfinite(value) and value == int(value) else sympy.Float(value)
    return sympy.Symbol("…")


def printed(node: Tensor, known: Mapping[str, Text], depth: int) -> Text:
    """A recorded graph in notation; its inputs by name."""
    if node.op is None or depth == 0:
        return known.get(node.name or "", (Run("…"),))
    if is_literal(node):
        return literal_text(node)
    arguments = [printed(x, known, depth - 1) for x in node.inputs]
    if node.op.notation is None:
        return (Run(node.op.name), *bracketed(arguments[0] if arguments else ()))
    if node.op.indices == "permute":
        arguments = [bracketed(a) if is_loose(a) or "\u2009" in plain(a) else a for a in arguments]
    return notated(node.op, arguments)


def notated(op: Op, arguments: Sequence[Text]) -> Text:
    """An op in its notation; of a product, the number comes first."""
    if op is OPS["multiply"] and plain(arguments[1])[:1].isdigit():
        if plain(arguments[0])[:1].isdigit():
            return notation_text(r"{0} \cdot {1}", arguments)
        arguments = arguments[::-1]
    return notation_text(op.notation or "", arguments)
