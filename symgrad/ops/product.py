"""Matrix products and Einstein sums."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.errors import ShapeError
from symgrad.op import FUNCTIONS, OPS, Op, builtin
from symgrad.ops.layout import expand_dims, squeeze, swapaxes
from symgrad.shapes import broadcast, same_size
from symgrad.tensor import array_like

__all__ = ["dot", "einsum", "matmul", "outer"]

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _matmul_shape(a: Any, b: Any) -> Any:
    if not same_size(a[-1], b[-2]):
        raise ShapeError(f"matmul: shapes {tuple(a)} and {tuple(b)} do not chain: {a[-1]} columns against {b[-2]} rows")
    return (*broadcast(a[:-2], b[:-2]), a[-2], b[-1])


def _matmul_indices(a: Any, b: Any) -> str:
    """Einstein subscripts for operands with these numbers of axes."""
    lead = _LETTERS[3 : 3 + max(a, b) - 2]
    return f"{lead[len(lead) - (a - 2) :]}ab,{lead[len(lead) - (b - 2) :]}bc->{lead}ac"


_matmul: Op = builtin(
    "matmul",
    np.matmul,
    arity=2,
    pullback=(
        lambda g, y, a, b: _matmul(g, swapaxes(b, -1, -2)),
        lambda g, y, a, b: _matmul(swapaxes(a, -1, -2), g),
    ),
    indices=_matmul_indices,
    notation=r"{0}\,{1}",
    shape=_matmul_shape,
)


def matmul(a: Any, b: Any) -> Any:
    r"""Matrix product with NumPy's semantics: :math:`y_{ik} = \sum_j a_{ij} b_{jk}`.

    Parameters
    ----------
    a, b : Tensor or array, at least one axis each
        Vectors are rows on the left, columns on the right; leading axes broadcast.

    Raises
    ------
    ShapeError
        If the inner sizes differ, or one is a scalar.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.matmul(sg.tensor([[1.0, 2.0]]), sg.tensor([3.0, 4.0]))
    Tensor([11.])
    """
    a, b = array_like(a, "matmul"), array_like(b, "matmul")
    if not len(a.shape) or not len(b.shape):
        raise ShapeError(f"matmul: scalars have no axes to multiply along (shapes {a.shape}, {b.shape}); use *")
    left, right = len(a.shape) == 1, len(b.shape) == 1
    a2, b2 = expand_dims(a, 0) if left else a, expand_dims(b, 1) if right else b
    _matmul_shape(a2.shape, b2.shape)
    y = _matmul(a2, b2)
    drop = ((-2,) if left else ()) + ((-1,) if right else ())
    return squeeze(y, drop) if drop else y


def dot(a: Any, b: Any) -> Any:
    """`numpy.dot`: a product for scalars, otherwise over the last axis of a and the last but one of b."""
    a, b = array_like(a, "dot"), array_like(b, "dot")
    if not len(a.shape) or not len(b.shape):
        return OPS["multiply"](a, b)
    if len(b.shape) > 2:
        n, m = len(a.shape), len(b.shape)
        left, right = _LETTERS[: n - 1] + "z", _LETTERS[n - 1 : n + m - 3] + "z" + _LETTERS[n + m - 3]
        return einsum(f"{left},{right}->{left[:-1]}{right.replace('z', '')}", a, b)
    return matmul(a, b)


def outer(a: Any, b: Any) -> Any:
    """All products of elements of a with elements of b, as a matrix."""
    a, b = FUNCTIONS["ravel"](a), FUNCTIONS["ravel"](b)
    return expand_dims(a, 1) * expand_dims(b, 0)


def _einsum_rule(g: Any, y: Any, inputs: Any, params: Any) -> Any:
    sources, target = _split(params[0])
    cotangents = []
    for k, own in enumerate(sources):
        others = [s for j, s in enumerate(sources) if j != k]
        seen = set(target).union(*others)
        kept = "".join(c for c in own if c in seen)
        operands = [x for j, x in enumerate(inputs) if j != k]
        part = _einsum([g, *operands], ",".join([target, *others]) + "->" + kept)
        missing = tuple(j for j, c in enumerate(own) if c not in seen)
        cotangents.append(OPS["expand"](expand_dims(part, missing), inputs[k].shape) if missing else part)
    return cotangents


def _split(subscripts: str) -> tuple[list[str], str]:
    left, _, right = subscripts.partition("->")
    return left.split(","), right


def _einsum_shape(shapes: Any, subscripts: str) -> Any:
    sources, target = _split(subscripts)
    sizes: dict[str, Any] = {}
    for letters, shape in zip(sources, shapes, strict=True):
        for letter, n in zip(letters, shape, strict=True):
            known = sizes.setdefault(letter, n)
            if not same_size(known, n):
                raise ShapeError(f"einsum: index {letter!r} has sizes {known} and {n} in {subscripts!r}")
    return tuple(sizes[c] for c in target)


_einsum: Op = builtin(
    "einsum",
    lambda operands, subscripts: np.einsum(subscripts, *operands, optimize=len(operands) > 2),
    arity=None,
    pullback=_einsum_rule,
    params=("subscripts",),
    indices="einsum",
    notation=r"\textstyle\sum {0}\,\cdots",
    shape=_einsum_shape,
)


def einsum(subscripts: str, *operands: Any, optimize: Any = True) -> Any:
    """Einstein summation with NumPy's subscripts (``...``, implicit output and repeated indices included).

    Parameters
    ----------
    subscripts : str
        Such as ``"ij,jk->ik"``.
    *operands : Tensors or arrays
    optimize : bool, optional
        Taken as by NumPy and not needed: the order of contraction is always chosen.

    Raises
    ------
    ShapeError
        If subscripts and shapes do not fit.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.einsum("ii", sg.tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor(5.)
    """
    items = [array_like(x, "einsum") for x in operands]
    sources, target = _explicit(subscripts, items)
    free = [c for c in _LETTERS if c not in "".join(sources) + target]
    for k in range(len(items)):
        for letter in sorted({c for c in sources[k] if sources[k].count(c) > 1}):
            while sources[k].count(letter) > 1:
                other = free.pop(0)
                at = sources[k].rindex(letter)
                items.append(np.eye(items[k].shape[at], dtype=items[k].dtype))
                sources[k] = sources[k][:at] + other + sources[k][at + 1 :]
                sources.append(letter + other)
    _einsum_shape([x.shape for x in items], ",".join(sources) + "->" + target)
    return _einsum(items, ",".join(sources) + "->" + target)


def _explicit(subscripts: str, items: list[Any]) -> tuple[list[str], str]:
    """Subscripts with letters for ``...`` and a written output."""
    if not isinstance(subscripts, str):
        raise ShapeError(f"einsum: the first argument is the subscripts, such as 'ij,jk->ik', got {subscripts!r}")
    text = subscripts.replace(" ", "")
    left, arrow, target = text.partition("->")
    sources = left.split(",")
    if len(sources) != len(items):
        raise ShapeError(f"einsum: {subscripts!r} names {len(sources)} operand(s), got {len(items)}")
    spare = [c for c in _LETTERS if c not in text]
    ranks = [len(x.shape) - len(s.replace("...", "")) for s, x in zip(sources, items, strict=True)]
    for s, x, rank in zip(sources, items, ranks, strict=True):
        if rank < 0 or (rank and "..." not in s):
            raise ShapeError(f"einsum: subscripts {s!r} do not fit shape {tuple(x.shape)}")
    widest = max(ranks, default=0)
    dots = spare[:widest]
    if not arrow:
        once = sorted(c for c in set(left) - set(",.") if left.count(c) == 1)
        target = ("..." if "..." in left else "") + "".join(once)
    filled = [s.replace("...", "".join(dots[widest - r :])) for s, r in zip(sources, ranks, strict=True)]
    output = target.replace("...", "".join(dots))
    for c in output:
        if c not in "".join(filled) or not c.isalpha() or output.count(c) > 1:
            raise ShapeError(f"einsum: the output index {c!r} of {subscripts!r} is not in the operands, or repeated")
    return filled, output


FUNCTIONS.update(matmul=matmul, dot=dot, outer=outer, einsum=einsum)
