"""Linear systems, determinants, Cholesky factors, pseudo-inverses and the matrix exponential."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from symgrad.errors import DataError, ShapeError
from symgrad.op import FUNCTIONS, OPS, Op, builtin, function
from symgrad.ops.layout import concatenate, expand_dims, squeeze, swapaxes
from symgrad.ops.piecewise import where
from symgrad.ops.product import matmul
from symgrad.ops.reduction import sum
from symgrad.shapes import broadcast, same_size
from symgrad.tensor import array_like

__all__ = ["SlogdetResult", "cholesky", "det", "inv", "matrix_exp", "pinv", "slogdet", "solve", "solve_triangular"]


class SlogdetResult(NamedTuple):
    """The sign of a determinant, and the logarithm of its absolute value."""

    sign: Any
    logabsdet: Any


def _t(x: Any) -> Any:
    return swapaxes(x, -1, -2)


def square(a: Any, name: str) -> Any:
    """Square matrices, checked."""
    a = array_like(a, name)
    if len(a.shape) < 2 or not same_size(a.shape[-1], a.shape[-2]):
        raise ShapeError(f"{name}: needs square matrices, got shape {tuple(a.shape)}")
    return a if a.dtype.kind == "f" else FUNCTIONS["astype"](a, np.float64)


def _inner(a: Any, b: Any) -> Any:
    """Sums of products of matrices."""
    return sum(a * b, (-1, -2), keepdims=True)


# Linear systems


def _solve_forward(a: Any, b: Any) -> Any:
    try:
        return np.linalg.solve(a, b)
    except np.linalg.LinAlgError as error:
        raise DataError(f"solve: {error}; use pinv or lstsq for matrices that may be singular") from None


def _solve_shape(a: Any, b: Any) -> Any:
    return (*broadcast(a[:-2], b[:-2]), *b[-2:])


_solve: Op = builtin(
    "solve",
    _solve_forward,
    pullback=(lambda g, y, a, b: -matmul(_solve(_t(a), g), _t(y)), lambda g, y, a, b: _solve(_t(a), g)),
    indices="opaque",
    notation=r"{0}^{{-1}}\,{1}",
    shape=_solve_shape,
)


@function()
def solve(a: Any, b: Any) -> Any:
    r"""The solution of a linear system, :math:`x = A^{-1} b`.

    Parameters
    ----------
    a : Tensor or array, shape (..., n, n)
    b : Tensor or array, shape (n,) or (..., n, k)
        One vector, or columns.

    Raises
    ------
    DataError
        If a matrix is singular.
    ShapeError
        If the shapes do not fit.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.linalg.solve(sg.tensor([[2.0, 0.0], [0.0, 4.0]]), [2.0, 2.0])
    Tensor([1. , 0.5])
    """
    a, b = square(a, "solve"), array_like(b, "solve")
    if not len(b.shape) or not same_size(b.shape[-1 if len(b.shape) == 1 else -2], a.shape[-1]):
        raise ShapeError(f"solve: shapes {tuple(a.shape)} and {tuple(b.shape)} do not fit; b is (n,) or (..., n, k)")
    if len(b.shape) == 1:
        return squeeze(_solve(a, expand_dims(b, -1)), -1)
    return _solve(a, b)


@function()
def inv(a: Any) -> Any:
    r"""The inverse of square matrices, :math:`A^{-1}`: the solution for the unit vectors."""
    a = square(a, "inv")
    return _solve(a, np.eye(a.shape[-1], dtype=a.dtype))


@function()
def solve_triangular(a: Any, b: Any, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Any:
    """The solution of a triangular system; the other triangle of a is not read.

    Parameters
    ----------
    a : Tensor or array, shape (..., n, n)
    b : Tensor or array, shape (..., n, k), or (..., k, n) if not left
    upper : bool
        Which triangle holds the matrix.
    left : bool
        Solve a x = b, or x a = b.
    unitriangular : bool
        Take the diagonal as ones.
    """
    a = square(a, "solve_triangular")
    n = a.shape[-1]
    mask = np.tri(n, k=-1 if unitriangular else 0, dtype=bool)
    triangle = where(mask.T if upper else mask, a, np.zeros((), a.dtype))
    if unitriangular:
        triangle = triangle + np.eye(n, dtype=a.dtype)
    return solve(triangle, b) if left else _t(solve(_t(triangle), _t(b)))


# Determinants


def _complement(s: Any) -> Any:
    """Products of all but one, and of all but two elements of vectors; without division, so also with zeros."""
    n = s.shape[-1]
    without = ~np.eye(n, dtype=bool)
    one = np.where(without, s[..., None, :], 1).prod(-1)
    two = np.where(without[:, None] & without[None], s[..., None, None, :], 1).prod(-1)
    return one, two


def _oriented(a: Any) -> Any:
    """Singular value decomposition, and the sign of U and V together."""
    u, s, vh = np.linalg.svd(a)
    return u, s, vh, np.linalg.slogdet(u)[0] * np.linalg.slogdet(vh)[0]


def _cofactor(a: Any) -> Any:
    u, s, vh, sign = _oriented(a)
    return (u * (sign[..., None] * _complement(s)[0])[..., None, :]) @ vh


def _minors(g: Any, a: Any) -> Any:
    u, s, vh, sign = _oriented(a)
    two = _complement(s)[1]
    inner = np.swapaxes(u, -1, -2) @ g @ np.swapaxes(vh, -1, -2)
    off = two * ~np.eye(s.shape[-1], dtype=bool)
    diagonal = (off @ np.diagonal(inner, 0, -2, -1)[..., None])[..., 0]
    turned = np.eye(s.shape[-1]) * diagonal[..., None] - off * np.swapaxes(inner, -1, -2)
    return ((u @ turned @ vh) * sign[..., None, None]).astype(a.dtype)


def _minors_rule(h: Any, y: Any, g: Any, a: Any) -> Any:
    """The third derivative of the determinant, for invertible matrices."""
    k = _t(inv(a))
    d = expand_dims(det(a), (-1, -2))
    kg, kh = _inner(k, g), _inner(k, h)
    first, second = (matmul(matmul(k, _t(x)), k) for x in (g, h))
    mixed = matmul(matmul(first, _t(h)), k)
    twice = matmul(matmul(second, _t(g)), k)
    return d * (k * (kg * kh - _inner(first, h)) - first * kh - second * kg + mixed + twice)


_det: Op = builtin("det", np.linalg.det, pullback=(lambda g, y, a: expand_dims(g, (-1, -2)) * _cofactor_op(a),),
                   indices="opaque", notation=r"\det {0}", shape=lambda a: a[:-2])  # fmt: skip

_cofactor_op: Op = builtin("cofactor", _cofactor, pullback=(lambda g, y, a: _minors_op(g, a),), indices="opaque",
                           notation=r"\operatorname{{cof}}({0})", shape=lambda a: a)  # fmt: skip

_minors_op: Op = builtin("minors", _minors,
                         pullback=(lambda h, y, g, a: _minors_op(h, a), _minors_rule), indices="opaque",
                         notation=r"\operatorname{{cof}}'({1})\,{0}", shape=lambda g, a: a)  # fmt: skip


@function()
def det(a: Any) -> Any:
    """Determinants of square matrices; first and second derivatives are exact for singular ones too.

    The third needs invertible matrices.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.grad(sg.linalg.det)(sg.tensor([[1.0, 0.0], [0.0, 0.0]]))
    Tensor([[0., 0.],
            [0., 1.]])
    """
    return _det(square(a, "det"))


def _slogdet_rule(g: Any, y: Any, inputs: Any, params: Any) -> Any:
    (a,) = inputs
    return [None if g[1] is None else expand_dims(g[1], (-1, -2)) * _t(inv(a))]


_slogdet: Op = builtin("slogdet", lambda a: tuple(np.asarray(v) for v in np.linalg.slogdet(a)), pullback=_slogdet_rule,
                       arity=1, indices="opaque", outputs=("sign", "logabsdet"), notation=r"\ln |\det {0}|",
                       shape=lambda a: (a[:-2], a[:-2]), dtype=lambda a: (a, a))  # fmt: skip


@function()
def slogdet(a: Any) -> SlogdetResult:
    """Sign and logarithm of the absolute value of determinants, which does not overflow."""
    bundle = _slogdet(square(a, "slogdet"))
    items = bundle if isinstance(bundle, tuple) else (OPS["item"](bundle, 0), OPS["item"](bundle, 1))
    return SlogdetResult(*items)


# Cholesky


def _cholesky_forward(a: Any) -> Any:
    try:
        return np.linalg.cholesky(a)
    except np.linalg.LinAlgError as error:
        raise DataError(f"cholesky: {error}; add a small multiple of the identity") from None


def _cholesky_rule(g: Any, y: Any, a: Any) -> Any:
    """I. Murray, "Differentiation of the Cholesky decomposition", 2016, equation 9."""
    n = y.shape[-1]
    halved = np.tri(n, dtype=y.dtype) - 0.5 * np.eye(n, dtype=y.dtype)
    inner = matmul(_t(y), g) * halved
    full = _solve(_t(y), _t(_solve(_t(y), _t(inner))))
    return (full + _t(full)) / 2


_cholesky: Op = builtin("cholesky", _cholesky_forward, pullback=(_cholesky_rule,), indices="opaque",
                        notation=r"\operatorname{{chol}}({0})", shape=lambda a: a)  # fmt: skip


@function()
def cholesky(a: Any, *, upper: bool = False) -> Any:
    r"""The lower triangle L with :math:`A = L L^{\mathsf T}` of symmetric positive definite matrices.

    Only the symmetric part :math:`(A + A^{\mathsf T})/2` counts.

    Raises
    ------
    DataError
        If a matrix is not positive definite.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.linalg.cholesky(sg.tensor([[4.0, 0.0], [0.0, 9.0]]))
    Tensor([[2., 0.],
            [0., 3.]])
    """
    a = square(a, "cholesky")
    y = _cholesky((a + _t(a)) / 2)
    return _t(y) if upper else y


# Pseudo-inverse


def _pinv_rule(g: Any, y: Any, a: Any, rcond: Any) -> Any:
    """G. Golub and V. Pereyra, 1973, equation 4.12, transposed."""
    pt, gt = _t(y), _t(g)
    beside = matmul(gt, matmul(y, pt))
    above = matmul(matmul(pt, y), gt)
    return (beside - matmul(a, matmul(y, beside))) + (above - matmul(matmul(above, y), a)) - matmul(matmul(pt, g), pt)


_pinv: Op = builtin("pinv", lambda a, rcond: np.linalg.pinv(a, rcond), pullback=(_pinv_rule,), params=("rcond",),
                    indices="opaque", notation=r"{0}^{{+}}",
                    shape=lambda a, rcond: (*a[:-2], a[-1], a[-2]))  # fmt: skip


@function()
def pinv(a: Any, rcond: float = 1e-15) -> Any:
    r"""The Moore-Penrose inverse :math:`A^+`; derivatives hold where the rank is locally constant.

    Parameters
    ----------
    a : Tensor or array, shape (..., m, n)
    rcond : float
        Singular values below this part of the largest count as 0.
    """
    a = array_like(a, "pinv")
    if len(a.shape) < 2:
        raise ShapeError(f"pinv: needs matrices, got shape {tuple(a.shape)}")
    return _pinv(a, float(rcond))


# Exponential


def _exp_forward(a: Any) -> Any:
    from scipy.linalg import expm

    return np.asarray(expm(a)).astype(a.dtype) if a.size else a.copy()


def _exp_rule(g: Any, y: Any, a: Any) -> Any:
    """The upper right block of exp([[A', G], [0, A']]) (Higham, Functions of Matrices, 2008, equation 3.16)."""
    n, at = a.shape[-1], _t(a)
    above = concatenate([at, g], -1)
    below = concatenate([at * 0.0, at], -1)
    return _exp(concatenate([above, below], -2))[..., :n, n:]


_exp: Op = builtin("matrix_exp", _exp_forward, pullback=(_exp_rule,), indices="opaque", notation=r"e^{{{0}}}",
                   shape=lambda a: a)  # fmt: skip


@function()
def matrix_exp(a: Any) -> Any:
    r"""The matrix exponential :math:`\sum_k A^k / k!` of square matrices; SciPy calls it expm.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.linalg.matrix_exp(sg.tensor([[0.0, 1.0], [0.0, 0.0]]))
    Tensor([[1., 1.],
            [0., 1.]])
    """
    return _exp(square(a, "matrix_exp"))
