"""Matrix decompositions: ops with several outputs."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from symgrad.errors import ShapeError
from symgrad.op import FUNCTIONS, OPS, Op, builtin
from symgrad.ops.arithmetic import div0
from symgrad.ops.layout import expand_dims, swapaxes
from symgrad.ops.product import matmul
from symgrad.shapes import same_size
from symgrad.tensor import array_like

__all__ = ["EighResult", "eigh"]


class EighResult(NamedTuple):
    """Eigenvalues in ascending order, and eigenvectors as columns."""

    eigenvalues: Any
    eigenvectors: Any


def _eigh_rule(g: Any, y: Any, inputs: Any, params: Any) -> Any:
    (gw, gv), (w, v) = g, y
    inner: Any = 0.0
    if gw is not None:
        inner = expand_dims(gw, -1) * np.eye(gw.shape[-1], dtype=gw.dtype)
    if gv is not None:
        gap = expand_dims(w, -2) - expand_dims(w, -1)
        mixed = matmul(swapaxes(v, -1, -2), gv)
        diagonal = np.eye(v.shape[-1], dtype=v.dtype)
        inner = inner + div0(mixed * (1.0 - diagonal), gap + diagonal)
    full = matmul(matmul(v, inner), swapaxes(v, -1, -2))
    return [(full + swapaxes(full, -1, -2)) / 2]


_eigh: Op = builtin("eigh", lambda a: tuple(np.linalg.eigh(a)), pullback=_eigh_rule, arity=1, indices="opaque",
                outputs=("w", "v"), notation=r"\operatorname{{eigh}}({0})",
                shape=lambda a: (a[:-1], a), dtype=lambda a: (a, a))  # fmt: skip


def eigh(a: Any) -> EighResult:
    r"""Eigenvalues and eigenvectors of symmetric matrices, :math:`A = V \operatorname{diag}(w) V^{\mathsf T}`.

    Only the symmetric part :math:`(A + A^{\mathsf T})/2` counts. Gradients of eigenvectors need
    distinct eigenvalues; where two coincide the part between them is 0 if its cotangent is, else infinite.

    Parameters
    ----------
    a : Tensor or array, shape (..., n, n)

    Returns
    -------
    EighResult
        ``eigenvalues`` (..., n) ascending, ``eigenvectors`` (..., n, n) as columns.

    Raises
    ------
    ShapeError
        If the last two axes are not equal.

    References
    ----------
    M. Giles, "An extended collection of matrix derivative results", 2008, section 3.1.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.linalg.eigh(sg.tensor([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
    Tensor([1., 2.])
    """
    a = array_like(a, "eigh")
    if len(a.shape) < 2 or not same_size(a.shape[-1], a.shape[-2]):
        raise ShapeError(f"eigh: needs square matrices, got shape {tuple(a.shape)}")
    bundle = _eigh((a + swapaxes(a, -1, -2)) / 2)
    if isinstance(bundle, tuple):
        return EighResult(*bundle)
    return EighResult(OPS["item"](bundle, 0), OPS["item"](bundle, 1))


FUNCTIONS["eigh"] = eigh
