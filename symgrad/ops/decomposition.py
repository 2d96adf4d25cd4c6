"""Matrix decompositions: ops with several outputs.

Their rules divide by differences of eigenvalues or singular values. Where two coincide, the part between them is 0
if its cotangent is, else infinite: only functions that do not depend on the choice of the vectors have a derivative.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from symgrad.errors import ShapeError, UnsupportedError
from symgrad.op import FUNCTIONS, OPS, Op, builtin, function
from symgrad.ops.arithmetic import div0
from symgrad.ops.layout import expand_dims, swapaxes
from symgrad.ops.piecewise import where
from symgrad.ops.product import matmul
from symgrad.ops.solving import solve
from symgrad.shapes import same_size
from symgrad.tensor import array_like

__all__ = ["EighResult", "LUResult", "QRResult", "SVDResult", "eigh", "lu", "qr", "svd"]


class EighResult(NamedTuple):
    """Eigenvalues in ascending order, and eigenvectors as columns."""

    eigenvalues: Any
    eigenvectors: Any


class SVDResult(NamedTuple):
    """Left singular vectors as columns, singular values in descending order, right singular vectors as rows."""

    U: Any
    S: Any
    Vh: Any


class QRResult(NamedTuple):
    """Orthonormal columns, and an upper triangular matrix."""

    Q: Any
    R: Any


class LUResult(NamedTuple):
    """A permutation, a lower triangular matrix with ones on the diagonal, and an upper triangular one."""

    P: Any
    L: Any
    U: Any


def _t(x: Any) -> Any:
    return swapaxes(x, -1, -2)


def _eye(x: Any) -> Any:
    return np.eye(x.shape[-1], dtype=x.dtype)


def _diagonal(v: Any) -> Any:
    """Matrices with vectors on the diagonal."""
    return expand_dims(v, -1) * _eye(v)


def _masked(x: Any, mask: Any) -> Any:
    return where(mask, x, np.zeros((), x.dtype))


def _lower(x: Any, k: int = 0) -> Any:
    return _masked(x, np.tri(x.shape[-2], x.shape[-1], k, dtype=bool))


def _upper(x: Any, k: int = 0) -> Any:
    return _masked(x, ~np.tri(x.shape[-2], x.shape[-1], k - 1, dtype=bool))


def _outputs(bundle: Any, result: Any) -> Any:
    """A bundle of arrays, or the items of a node with several outputs, by their names."""
    if isinstance(bundle, tuple):
        return result(*bundle)
    return result(*(OPS["item"](bundle, k) for k in range(len(result._fields))))


def _matrices(a: Any, where: str, square: bool = False) -> Any:
    a = array_like(a, where)
    if len(a.shape) < 2 or (square and not same_size(a.shape[-1], a.shape[-2])):
        raise ShapeError(f"{where}: needs {'square ' if square else ''}matrices, got shape {tuple(a.shape)}")
    return a


# Eigenvalues


def _eigh_rule(g: Any, y: Any, inputs: Any, params: Any) -> Any:
    (gw, gv), (w, v) = g, y
    inner: Any = 0.0
    if gw is not None:
        inner = _diagonal(gw)
    if gv is not None:
        gap = expand_dims(w, -2) - expand_dims(w, -1)
        mixed = matmul(_t(v), gv)
        inner = inner + div0(mixed * (1.0 - _eye(v)), gap + _eye(v))
    full = matmul(matmul(v, inner), _t(v))
    return [(full + _t(full)) / 2]


_eigh: Op = builtin("eigh", lambda a: tuple(np.linalg.eigh(a)), pullback=_eigh_rule, arity=1, indices="opaque",
                outputs=("w", "v"), notation=r"\operatorname{{eigh}}({0})",
                shape=lambda a: (a[:-1], a), dtype=lambda a: (a, a))  # fmt: skip


@function()
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
    a = _matrices(a, "eigh", square=True)
    return _outputs(_eigh((a + _t(a)) / 2), EighResult)  # type: ignore[no-any-return]


# Singular values


def _svd_rule(g: Any, y: Any, inputs: Any, params: Any) -> Any:
    """J. Townsend, "Differentiating the singular value decomposition", 2016."""
    (gu, gs, gvh), (u, s, vh) = g, y
    columns, rows = expand_dims(s, -2), expand_dims(s, -1)
    gap = (columns - rows) * (columns + rows) + _eye(vh[..., : s.shape[-1]])
    off = 1.0 - _eye(vh[..., : s.shape[-1]])
    inner: Any = 0.0 if gs is None else _diagonal(gs)
    total: Any = 0.0
    if gu is not None:
        skew = matmul(_t(u), gu)
        inner = inner + div0((skew - _t(skew)) * off, gap) * columns
        if not same_size(u.shape[-2], u.shape[-1]):
            total = total + matmul(div0(gu - matmul(u, skew), columns), vh)
    if gvh is not None:
        skew = matmul(vh, _t(gvh))
        inner = inner + rows * div0((skew - _t(skew)) * off, gap)
        if not same_size(vh.shape[-2], vh.shape[-1]):
            total = total + matmul(u, div0(gvh - matmul(_t(skew), vh), rows))
    return [total + matmul(matmul(u, inner), vh)]


def _svd_shape(a: Any) -> Any:
    k = min(a[-2:])
    return (*a[:-1], k), (*a[:-2], k), (*a[:-2], k, a[-1])


_svd: Op = builtin("svd", lambda a: tuple(np.linalg.svd(a, full_matrices=False)), pullback=_svd_rule, arity=1,
                   indices="opaque", outputs=("u", "s", "vh"), notation=r"\operatorname{{svd}}({0})",
                   shape=_svd_shape, dtype=lambda a: (a, a, a))  # fmt: skip


@function()
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    r"""Singular value decomposition, :math:`A = U \operatorname{diag}(s) V^{\mathsf T}`.

    Parameters
    ----------
    a : Tensor or array, shape (..., m, n)
    full_matrices : bool
        True (NumPy's default) only for square matrices: the further vectors are not functions of A.
    compute_uv : bool
        Whether to return the vectors too.

    Returns
    -------
    SVDResult, or the singular values
        ``U`` (..., m, k), ``S`` (..., k) descending, ``Vh`` (..., k, n) with k = min(m, n). Signs of the vectors
        are arbitrary; gradients through them need distinct singular values.

    Raises
    ------
    UnsupportedError
        For full matrices of a matrix that is not square.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.linalg.svd(sg.tensor([[0.0, 2.0], [1.0, 0.0]]), compute_uv=False)
    Tensor([2., 1.])
    """
    a = _matrices(a, "svd")
    if compute_uv and full_matrices and not same_size(a.shape[-1], a.shape[-2]):
        raise UnsupportedError(
            f"svd: the further singular vectors of shape {tuple(a.shape)} are not functions of the matrix; "
            "pass full_matrices=False"
        )
    found = _outputs(_svd(a), SVDResult)
    return found if compute_uv else found.S


# Triangular factors


def _right_solve(x: Any, triangle: Any) -> Any:
    """X R^-T for an upper triangular R."""
    return _t(solve(triangle, _t(x)))


def _qr_rule(g: Any, y: Any, inputs: Any, params: Any) -> Any:
    (gq, gr), (q, r) = g, y
    gq = q * 0.0 if gq is None else gq
    m = matmul(r, _t(gr)) - matmul(_t(gq), q) if gr is not None else -matmul(_t(gq), q)
    return [_right_solve(gq + matmul(q, _lower(m) + _t(_lower(m, -1))), r)]


_qr: Op = builtin("qr", lambda a: tuple(np.linalg.qr(a)), pullback=_qr_rule, arity=1, indices="opaque",
                  outputs=("q", "r"), notation=r"\operatorname{{qr}}({0})",
                  shape=lambda a: (a, (*a[:-2], a[-1], a[-1])), dtype=lambda a: (a, a))  # fmt: skip


@function()
def qr(a: Any, mode: str = "reduced") -> Any:
    r"""QR decomposition, :math:`A = Q R` with orthonormal columns and an upper triangle.

    Parameters
    ----------
    a : Tensor or array, shape (..., m, n)
        Its first min(m, n) columns must be independent.
    mode : {"reduced", "r", "complete"}
        "complete" only if m <= n: further columns are not functions of A.

    Returns
    -------
    QRResult, or R alone for mode "r"

    References
    ----------
    S. F. Walter and L. Lehmann, "Algorithmic differentiation of linear algebra functions", 2010.

    Examples
    --------
    >>> import symgrad as sg
    >>> abs(sg.linalg.qr(sg.tensor([[3.0, 1.0], [4.0, 2.0]]), mode="r")[0, 0]).item()
    5.0
    """
    a = _matrices(a, "qr")
    m, n = a.shape[-2:]
    if mode not in ("reduced", "r", "complete"):
        raise ShapeError(f"qr: mode must be 'reduced', 'r' or 'complete', got {mode!r}")
    if mode == "complete" and m > n:
        raise UnsupportedError(
            f"qr: further columns of Q for shape {tuple(a.shape)} are not functions of the matrix; use mode='reduced'"
        )
    if m >= n:
        found = _outputs(_qr(a), QRResult)
    else:
        q, r = _outputs(_qr(a[..., :m]), QRResult)
        found = QRResult(q, FUNCTIONS["concatenate"]([r, matmul(_t(q), a[..., m:])], -1))
    return found.R if mode == "r" else found


def _lu_forward(a: Any) -> Any:
    from scipy.linalg import lu as scipy_lu

    if a.ndim == 2:
        return tuple(scipy_lu(a))
    flat = [scipy_lu(m) for m in a.reshape(-1, *a.shape[-2:])]
    shapes = _lu_shape(a.shape)
    stacked = [np.array([f[k] for f in flat], a.dtype).reshape(shape) for k, shape in enumerate(shapes)]
    return tuple(stacked)


def _lu_shape(a: Any) -> Any:
    m, n = a[-2:]
    k = min(m, n)
    return (*a[:-2], m, m), (*a[:-2], m, k), (*a[:-2], k, n)


def _lu_rule(g: Any, y: Any, inputs: Any, params: Any) -> Any:
    """S. F. Walter and L. Lehmann, 2010, for the square part; what is beyond it is a triangular product."""
    (_, gl, gu), (p, low, up) = g, y
    gl = low * 0.0 if gl is None else _lower(gl, -1)
    gu = up * 0.0 if gu is None else _upper(gu)
    k = low.shape[-1]
    low1, low2, up1, up2 = low[..., :k, :], low[..., k:, :], up[..., :k], up[..., k:]
    inner = _lower(matmul(_t(low1), gl[..., :k, :]) - matmul(gu[..., k:], _t(up2)), -1)
    inner = inner + _upper(matmul(gu[..., :k], _t(up1)) - matmul(_t(low2), gl[..., k:, :]))
    blocks = solve(_t(low1), _t(solve(up1, _t(inner))))
    if up.shape[-1] > k:  # columns beside the square part: U = L1^-1 A there
        blocks = FUNCTIONS["concatenate"]([blocks, solve(_t(low1), gu[..., k:])], -1)
    if low.shape[-2] > k:  # rows below it: L = A U1^-1 there
        blocks = FUNCTIONS["concatenate"]([blocks, _t(solve(up1, _t(gl[..., k:, :])))], -2)
    return [matmul(p, blocks)]


_lu: Op = builtin("lu", _lu_forward, pullback=_lu_rule, arity=1, indices="opaque", outputs=("p", "l", "u"),
                  notation=r"\operatorname{{lu}}({0})", shape=_lu_shape, dtype=lambda a: (a, a, a))  # fmt: skip


@function()
def lu(a: Any) -> LUResult:
    r"""Factors of Gaussian elimination with pivoting, :math:`A = P L U`; P is locally constant.

    Parameters
    ----------
    a : Tensor or array, shape (..., m, n)
        Its leading square part must be invertible for derivatives.
    """
    return _outputs(_lu(_matrices(a, "lu")), LUResult)  # type: ignore[no-any-return]
