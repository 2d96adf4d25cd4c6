"""Functions of matrices that are compositions: norms, least squares, systems from factors, covariances."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from symgrad.errors import DataError, ShapeError
from symgrad.functions.matrices import diagonal, tril, triu
from symgrad.op import function
from symgrad.ops.arithmetic import sqrt
from symgrad.ops.decomposition import eigh, lu, svd
from symgrad.ops.layout import concatenate, expand_dims, moveaxis, reshape, squeeze, swapaxes, transpose
from symgrad.ops.piecewise import abs, clip, where
from symgrad.ops.product import matmul
from symgrad.ops.reduction import max, min, norm2, sum
from symgrad.ops.solving import inv, pinv, slogdet, solve, solve_triangular
from symgrad.shapes import as_integer, normalize_axis, size_of
from symgrad.tensor import array_like

__all__ = [
    "LstsqResult",
    "cholesky_inverse",
    "cholesky_solve",
    "cond",
    "corrcoef",
    "cov",
    "eigvalsh",
    "householder_product",
    "logdet",
    "lstsq",
    "lu_factor",
    "lu_solve",
    "lu_unpack",
    "matrix_norm",
    "matrix_rank",
    "ormqr",
    "svdvals",
    "tensorinv",
    "tensorsolve",
    "triangular_solve",
]


class LstsqResult(NamedTuple):
    """A least squares solution, the sums of squared residuals (if known to be of full rank), rank, singular values."""

    solution: Any
    residuals: Any
    rank: Any
    singular_values: Any


@function()
def svdvals(x: Any) -> Any:
    """Singular values of matrices, in descending order."""
    return svd(x, full_matrices=False, compute_uv=False)


@function()
def eigvalsh(a: Any) -> Any:
    """Eigenvalues of symmetric matrices, in ascending order; only the symmetric part counts."""
    return eigh(a).eigenvalues


@function()
def logdet(input: Any) -> Any:
    """Logarithm of determinants: NaN where they are negative, -inf where they are 0."""
    sign, logabsdet = slogdet(input)
    return where(array_like(sign, "logdet") < 0, np.nan, logabsdet)


@function()
def matrix_norm(x: Any, ord: Any = "fro", axis: Any = (-2, -1), keepdims: bool = False) -> Any:
    """Norms of matrices.

    Parameters
    ----------
    x : Tensor or array
    ord : {"fro", "nuc", inf, -inf, 1, -1, 2, -2}
        Frobenius, nuclear, largest or smallest sum of a row (inf) or column (1), or singular value (2).
        Ties share the gradient equally; for singular values they must be distinct.
    axis : two ints
    keepdims : bool

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.linalg.matrix_norm(sg.tensor([[1.0, -2.0], [3.0, 4.0]]), 1)
    Tensor(6.)
    """
    x = array_like(x, "matrix_norm")
    rows, columns = (normalize_axis(k, len(x.shape), "matrix_norm") for k in axis)
    if rows == columns:
        raise ShapeError(f"matrix_norm: needs two different axes, got {axis!r}")
    if isinstance(ord, str) and ord == "fro":
        return norm2(x, (rows, columns), keepdims=keepdims)
    if ord in (1, -1, np.inf, -np.inf):
        inner, outer = (rows, columns) if ord in (1, -1) else (columns, rows)
        sums = sum(abs(x), inner, keepdims=True)
        y = (max if ord > 0 else min)(sums, outer, keepdims=True)
    elif ord in ("nuc", 2, -2):
        s = svdvals(moveaxis(x, (rows, columns), (-2, -1)))
        found = sum(s, -1) if ord == "nuc" else s[..., 0 if ord == 2 else -1]
        y = expand_dims(found, (rows, columns))
    else:
        raise ShapeError(f"matrix_norm: ord={ord!r} is not a matrix norm; use 'fro', 'nuc', inf, -inf, 1, -1, 2 or -2")
    return y if keepdims else squeeze(y, (rows, columns))


@function()
def cond(x: Any, p: Any = None) -> Any:
    """Condition number: the norm of a matrix times that of its inverse (of the pseudo-inverse for p None, 2, -2)."""
    if p in (None, 2, -2):
        s = svdvals(x)
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    return matrix_norm(x, p) * matrix_norm(inv(x), p)


@function()
def matrix_rank(A: Any, tol: Any = None) -> Any:
    """How many singular values are above a bound (integers, no gradient)."""
    s = svdvals(A)
    rows, columns = array_like(A, "matrix_rank").shape[-2:]
    if tol is None:
        tol = s[..., :1] * (float(np.maximum(rows, columns)) * float(np.finfo(s.dtype).eps))
    return sum(s > tol, -1)


@function()
def lstsq(a: Any, b: Any, rcond: Any = None) -> LstsqResult:
    """The x of least norm among those that minimise the norm of a x - b.

    Derivatives hold where the rank is locally constant. The residuals are empty where m <= n or the rank is less
    than n; in traced functions, whose shapes are fixed, those of a lower rank are NaN.

    Parameters
    ----------
    a : Tensor or array, shape (..., m, n)
    b : Tensor or array, shape (m,) or (..., m, k)
    rcond : float, optional
        Singular values below this part of the largest count as 0.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.linalg.lstsq(sg.tensor([[1.0], [1.0]]), [1.0, 3.0]).solution
    Tensor([2.])
    """
    a, b = array_like(a, "lstsq"), array_like(b, "lstsq")
    if len(a.shape) < 2 or not len(b.shape) or b.shape[0 if len(b.shape) == 1 else -2] != a.shape[-2]:
        raise ShapeError(f"lstsq: shapes {tuple(a.shape)} and {tuple(b.shape)} do not fit; a is (..., m, n), b is (m,) "
                         "or (..., m, k)")  # fmt: skip
    m, n = a.shape[-2:]
    rcond = float(np.finfo(a.dtype).eps * np.maximum(m, n)) if rcond is None else rcond
    x = matmul(pinv(a, rcond), b)
    s = svdvals(a)
    rank = sum(s > s[..., :1] * rcond, -1)
    error = matmul(a, x) - b
    residuals = sum(error * error, 0 if len(b.shape) == 1 else -2)
    traced = getattr(rank, "value", rank) is None
    if m <= n or not (traced or np.all(np.asarray(rank) == n)):
        residuals = np.zeros((0,), a.dtype)
    elif len(b.shape) == 1:
        residuals = expand_dims(residuals, 0)
    if traced and m > n:
        residuals = where(expand_dims(rank, -1) == n, residuals, np.nan)
    return LstsqResult(x, residuals, rank, s)


# Systems


def _triangle(L: Any, upper: bool, name: str) -> Any:
    """A lower factor, checked where its elements are known."""
    L = array_like(L, name)
    lower = swapaxes(L, -1, -2) if upper else L
    value = getattr(lower, "value", lower)
    if value is not None and np.triu(value, 1).any():
        raise DataError(
            f"{name}: the factor is not {'upper' if upper else 'lower'} triangular; pass tril(L) or triu(L)"
        )
    return lower


@function()
def cholesky_solve(B: Any, L: Any, upper: bool = False) -> Any:
    """The solution of A x = B from a Cholesky factor of A."""
    lower = _triangle(L, upper, "cholesky_solve")
    return solve(swapaxes(lower, -1, -2), solve(lower, B))


@function()
def cholesky_inverse(L: Any, upper: bool = False) -> Any:
    """The inverse of a matrix from its Cholesky factor."""
    inverse = inv(_triangle(L, upper, "cholesky_inverse"))
    return matmul(swapaxes(inverse, -1, -2), inverse)


def triangular_solve(b: Any, A: Any, upper: bool = True, transpose: bool = False, unitriangular: bool = False) -> Any:
    """The solution of A x = b for a triangle, and A, in the order of torch.triangular_solve."""
    system = swapaxes(A, -1, -2) if transpose else A
    return solve_triangular(system, b, upper=upper != transpose, unitriangular=unitriangular), A


@function()
def lu_factor(a: Any) -> Any:
    """Both triangles of an LU decomposition in one matrix, and the pivots, counted from 1 as torch does."""
    P, L, U = lu(a)
    pivots = _pivots(P, tuple(np.shape(a))[-2:])
    k = np.minimum(*np.shape(a)[-2:])
    m, n = np.shape(a)[-2:]
    lower = tril(L, -1)
    wide = lower if n == k else concatenate([lower, np.zeros((*lower.shape[:-1], n - k), lower.dtype)], -1)
    tall = U if m == k else concatenate([U, np.zeros((*U.shape[:-2], m - k, n), U.dtype)], -2)
    return wide + tall, pivots


def _pivots(P: Any, shape: Any) -> Any:
    """The exchanges of rows that make a permutation."""
    matrices = np.asarray(P)
    count = int(np.minimum(*shape))
    flat = matrices.reshape(math.prod(matrices.shape[:-2]), shape[0], shape[0])
    found = np.empty((len(flat), count), np.int32)
    for j, p in enumerate(flat):
        order = list(p.argmax(0)) if p.size else []  # column k of P has its 1 in the row that became row k
        rows = list(range(shape[0]))
        for k in range(count):
            at = rows.index(order[k])
            rows[k], rows[at] = rows[at], rows[k]
            found[j, k] = at + 1
    return found.reshape(*matrices.shape[:-2], count)


def _permutation(pivots: Any, n: int) -> Any:
    """The rows in the order that pivots put them in."""
    pivots = np.asarray(pivots)
    if pivots.dtype.kind not in "iu" or bool(((pivots < 1) | (pivots > n)).any()):
        raise DataError(f"pivots of lu_factor are integers from 1 to {n}, got {pivots.tolist()}")
    flat = pivots.reshape(math.prod(pivots.shape[:-1]), pivots.shape[-1])
    rows = np.tile(np.arange(n), (len(flat), 1))
    for j, exchanges in enumerate(flat):
        for k, at in enumerate(exchanges - 1):
            rows[j, [k, at]] = rows[j, [at, k]]
    return np.eye(n)[rows].reshape(*pivots.shape[:-1], n, n)


@function()
def lu_unpack(LU_data: Any, LU_pivots: Any, unpack_data: bool = True, unpack_pivots: bool = True) -> Any:
    """Permutation, lower and upper triangle from the factors of `lu_factor`; None in place of what is not wanted."""
    LU = array_like(LU_data, "lu_unpack")
    if len(LU.shape) < 2:
        raise ShapeError(f"lu_unpack: needs matrices, got shape {tuple(LU.shape)}")
    m, n = LU.shape[-2:]
    k = int(np.minimum(m, n))
    P = np.swapaxes(_permutation(LU_pivots, m), -1, -2).astype(LU.dtype) if unpack_pivots else None
    if not unpack_data:
        return P, None, None
    return P, tril(LU[..., :k], -1) + np.eye(m, k, dtype=LU.dtype), triu(LU[..., :k, :])


@function()
def lu_solve(LU: Any, pivots: Any, B: Any, *, left: bool = True, adjoint: bool = False) -> Any:
    """The solution of A X = B (or X A = B, or with A transposed) from the factors of `lu_factor`."""
    LU = array_like(LU, "lu_solve")
    if not left:
        return swapaxes(lu_solve(LU, pivots, swapaxes(B, -1, -2), adjoint=not adjoint), -1, -2)
    order = _permutation(pivots, LU.shape[-1]).astype(LU.dtype)
    if not adjoint:
        y = solve_triangular(LU, matmul(order, B), upper=False, unitriangular=True)
        return solve_triangular(LU, y, upper=True)
    turned = swapaxes(LU, -1, -2)
    y = solve_triangular(turned, solve_triangular(turned, B, upper=False), upper=True, unitriangular=True)
    return matmul(np.swapaxes(order, -1, -2), y)


@function()
def householder_product(A: Any, tau: Any) -> Any:
    r"""The first columns of :math:`\prod_k (I - \tau_k v_k v_k^{\mathsf T})`; each v is a column of A."""
    A, tau = array_like(A, "householder_product"), array_like(tau, "householder_product")
    m, n = A.shape[-2:]
    if tau.shape[-1] > n:
        raise ShapeError(f"householder_product: {tau.shape[-1]} factors for {n} columns of {tuple(A.shape)}")
    start = np.broadcast_to(np.eye(m, n, dtype=A.dtype), (*A.shape[:-2], m, n))
    return _reflected(A, tau, start + A * 0.0 if tau.shape[-1] == 0 else start, reversed(range(tau.shape[-1])))


def _reflected(A: Any, tau: Any, y: Any, order: Any) -> Any:
    vectors = tril(A, -1)
    for k in order:
        unit = np.zeros((A.shape[-2], 1), A.dtype)
        unit[k] = 1
        v = vectors[..., k : k + 1] + unit
        y = y - expand_dims(tau[..., k], (-1, -2)) * v * matmul(swapaxes(v, -1, -2), y)
    return y


@function()
def ormqr(input: Any, tau: Any, other: Any, left: bool = True, transpose: bool = False) -> Any:
    """Another matrix times the Q of Householder vectors, as torch.ormqr."""
    input, tau = array_like(input, "ormqr"), array_like(tau, "ormqr")
    if not left:
        return swapaxes(ormqr(input, tau, swapaxes(other, -1, -2), True, not transpose), -1, -2)
    order = range(tau.shape[-1])
    return _reflected(input, tau, other, order if transpose else reversed(order))


@function()
def tensorinv(a: Any, ind: int = 2) -> Any:
    """The inverse with respect to `tensordot` over the first ind axes."""
    a = array_like(a, "tensorinv")
    rows, columns = tuple(a.shape[:ind]), tuple(a.shape[ind:])
    if ind < 1 or size_of(rows) != size_of(columns):
        raise ShapeError(f"tensorinv: the first {ind} axes of shape {tuple(a.shape)} hold {size_of(rows)} elements, "
                         f"the others {size_of(columns)}")  # fmt: skip
    return reshape(inv(reshape(a, (size_of(rows), size_of(columns)))), (*columns, *rows))


@function()
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    """The x with ``tensordot(a, x, x.ndim) == b``."""
    a, b = array_like(a, "tensorsolve"), array_like(b, "tensorsolve")
    if axes is not None:
        moved = tuple(normalize_axis(k, len(a.shape), "tensorsolve") for k in axes)
        a = transpose(a, (*(k for k in range(len(a.shape)) if k not in moved), *moved))
    columns = tuple(a.shape[len(b.shape) :])
    if size_of(columns) != size_of(b.shape):
        raise ShapeError(f"tensorsolve: shapes {tuple(a.shape)} and {tuple(b.shape)} do not make a square system")
    return reshape(solve(reshape(a, (size_of(b.shape), size_of(columns))), reshape(b, (-1,))), columns)


# Statistics of several variables


@function()
def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
) -> Any:
    r"""Covariances of variables, :math:`\frac{1}{n - \mathrm{ddof}} \sum_i (x_i - \bar x)(z_i - \bar z)`.

    Parameters
    ----------
    m, y : Tensor or array
        Variables in rows, observations in columns.
    rowvar : bool
        False: the other way round.
    bias : bool
        Divide by n instead of n - 1.
    ddof : int, optional
        Divide by n - ddof.
    fweights, aweights : array, optional
        How often each observation was made, and how much it counts.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.cov(sg.tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]))
    Tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    x = _variables(m, rowvar)
    if y is not None:
        x = concatenate([x, _variables(y, rowvar)], 0)
    free = (0 if bias else 1) if ddof is None else as_integer(ddof, "cov", "ddof")
    weights: Any = None
    if fweights is not None:
        weights = array_like(fweights, "cov")
        if weights.dtype.kind not in "iu" or bool((np.asarray(weights) < 0).any()):
            raise DataError(f"cov: fweights counts repetitions: integers of at least 0, got {fweights!r}")
    if aweights is not None:
        aweights = array_like(aweights, "cov")
        weights = aweights if weights is None else weights * aweights
    if weights is None:
        total = x.shape[-1]
        mean = sum(x, -1, keepdims=True) / total
        scaled, divisor = x - mean, total - free
    else:
        total = sum(weights)
        mean = sum(x * weights, -1, keepdims=True) / total
        scaled = (x - mean) * weights
        divisor = total - free * (1 if aweights is None else sum(weights * aweights) / total)
    found = matmul(scaled, swapaxes(x - mean, 0, 1)) / divisor
    return squeeze(found)


def _variables(m: Any, rowvar: bool) -> Any:
    x = array_like(m, "cov")
    if len(x.shape) > 2:
        raise ShapeError(f"cov: needs at most two axes, got shape {tuple(x.shape)}")
    if len(x.shape) < 2:
        return reshape(x, (1, size_of(x.shape)))
    return x if rowvar else swapaxes(x, 0, 1)


@function()
def corrcoef(x: Any, y: Any = None, rowvar: bool = True) -> Any:
    """Correlations of variables: covariances divided by both standard deviations, within -1 and 1."""
    c = cov(x, y, rowvar)
    if not len(c.shape):
        return c / c
    deviation = sqrt(diagonal(c))
    return clip(c / expand_dims(deviation, 1) / expand_dims(deviation, 0), -1.0, 1.0)
