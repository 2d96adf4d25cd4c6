"""Linear algebra under NumPy's names, and those of torch.linalg that NumPy does not have."""

from __future__ import annotations

from symgrad.functions.linear import cross, matrix_power, multi_dot, tensordot, vecdot
from symgrad.functions.matrices import diagonal, trace
from symgrad.functions.matrix_functions import (
    cond,
    eigvalsh,
    householder_product,
    lstsq,
    lu_factor,
    lu_solve,
    lu_unpack,
    matrix_norm,
    matrix_rank,
    svdvals,
    tensorinv,
    tensorsolve,
)
from symgrad.functions.norms import norm, vector_norm
from symgrad.ops.decomposition import eigh, lu, qr, svd
from symgrad.ops.product import matmul, outer
from symgrad.ops.solving import cholesky, det, inv, matrix_exp, pinv, slogdet, solve, solve_triangular

__all__ = [
    "cholesky",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eigh",
    "eigvalsh",
    "householder_product",
    "inv",
    "lstsq",
    "lu",
    "lu_factor",
    "lu_solve",
    "lu_unpack",
    "matmul",
    "matrix_exp",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "multi_dot",
    "norm",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_triangular",
    "svd",
    "svdvals",
    "tensordot",
    "tensorinv",
    "tensorsolve",
    "trace",
    "vecdot",
    "vector_norm",
]
