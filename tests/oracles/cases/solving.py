"""Systems, determinants, decompositions, and copies with other values at an index."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg

from symgrad import linalg
from symgrad.op import OPS
from symgrad.ops.updating import index_extreme, index_update

from .base import Draw, case, positive_definite


def regular(*shape: int) -> Draw:
    """Matrices with singular values far apart."""

    def draw(rng: np.random.Generator) -> Any:
        *lead, m, n = shape
        u, v = (np.linalg.qr(rng.normal(size=(*lead, k, k)))[0] for k in (m, n))
        k = min(m, n)
        return (u[..., :k] * (1.0 + 0.7 * np.arange(k))) @ v[..., :k, :]

    return draw


def singular(n: int) -> Draw:
    """A matrix of rank n - 1, and a regular one."""
    return lambda rng: np.stack([regular(n, n - 1)(rng) @ regular(n - 1, n)(rng), regular(n, n)(rng)])


def _cofactor(a: Any) -> Any:
    """By minors."""
    n = a.shape[-1]
    found = np.empty_like(a)
    for i, j in np.ndindex(n, n):
        found[i, j] = (-1) ** (i + j) * np.linalg.det(np.delete(np.delete(a, i, 0), j, 1))
    return found


def _low_rank(u: Any, s: Any, vh: Any) -> Any:
    """The part of the largest singular value: it does not depend on signs."""
    return s[..., :1, None] * u[..., :, :1] * vh[..., :1, :]


def _svd(a: Any) -> Any:
    return _low_rank(*linalg.svd(a, full_matrices=False))


def _signed(q: Any, r: Any) -> Any:
    return q**2 * (r**2).sum()


ROWS = np.array([2, 0, 2])

CASES = [
    case("solve", "columns", linalg.solve, regular(3, 3), (3, 2), ref=np.linalg.solve,
         torch=lambda t, a, b: t.linalg.solve(a, b)),
    case("solve", "vector", linalg.solve, regular(2, 2), (2,), ref=np.linalg.solve,
         torch=lambda t, a, b: t.linalg.solve(a, b)),
    case("solve", "broadcast", linalg.solve, regular(2, 2, 2), (2, 3), ref=np.linalg.solve,
         torch=lambda t, a, b: t.linalg.solve(a, b)),
    case("solve", "inverse", linalg.inv, regular(3, 3), ref=np.linalg.inv, torch=lambda t, a: t.linalg.inv(a)),
    case("solve", "triangular", lambda a, b: linalg.solve_triangular(a, b, upper=True), regular(3, 3), (3, 2),
         ref=lambda a, b: scipy.linalg.solve_triangular(a, b),
         torch=lambda t, a, b: t.linalg.solve_triangular(a, b, upper=True)),
    case("det", "regular", linalg.det, regular(3, 3), ref=np.linalg.det, torch=lambda t, a: t.linalg.det(a)),
    case("det", "singular", linalg.det, singular(3), ref=np.linalg.det),
    case("det", "batch", linalg.det, regular(2, 2, 2), ref=np.linalg.det, torch=lambda t, a: t.linalg.det(a)),
    case("cofactor", "regular", lambda a: OPS["cofactor"](a), regular(3, 3), ref=_cofactor,
         torch=lambda t, a: t.linalg.det(a) * t.linalg.inv(a).mT),
    case("minors", "regular", lambda g, a: OPS["minors"](g, a), (3, 3), regular(3, 3),
         ref=lambda g, a: _directional(g, a)),
    case("slogdet", "logarithm", lambda a: linalg.slogdet(a).logabsdet, regular(3, 3),
         ref=lambda a: np.linalg.slogdet(a)[1], torch=lambda t, a: t.linalg.slogdet(a)[1]),
    case("slogdet", "sign", lambda a: linalg.slogdet(a).sign * linalg.slogdet(a).logabsdet, regular(2, 2, 2),
         ref=lambda a: np.multiply(*np.linalg.slogdet(a)), torch=lambda t, a: t.mul(*t.linalg.slogdet(a))),
    case("cholesky", "one", linalg.cholesky, positive_definite(3), ref=np.linalg.cholesky,
         torch=lambda t, a: t.linalg.cholesky((a + a.mT) / 2)),
    case("cholesky", "upper, batch", lambda a: linalg.cholesky(a, upper=True), positive_definite(2, 2),
         ref=lambda a: np.swapaxes(np.linalg.cholesky(a), -1, -2),
         torch=lambda t, a: t.linalg.cholesky((a + a.mT) / 2, upper=True)),
    case("pinv", "tall", linalg.pinv, regular(3, 2), ref=np.linalg.pinv, torch=lambda t, a: t.linalg.pinv(a)),
    case("pinv", "wide", linalg.pinv, regular(2, 3), ref=np.linalg.pinv, torch=lambda t, a: t.linalg.pinv(a)),
    case("matrix_exp", "one", linalg.matrix_exp, (3, 3), ref=scipy.linalg.expm, torch=lambda t, a: t.matrix_exp(a),
         domain=(-1, 1)),
    case("matrix_exp", "batch", linalg.matrix_exp, (2, 2, 2), ref=scipy.linalg.expm,
         torch=lambda t, a: t.matrix_exp(a), domain=(-1, 1)),
    case("svd", "values", linalg.svdvals, regular(3, 2), ref=lambda a: np.linalg.svd(a)[1],
         torch=lambda t, a: t.linalg.svdvals(a)),
    *(case("svd", f"part {shape}", _svd, regular(*shape), ref=lambda a: _low_rank(*np.linalg.svd(a, False)),
           torch=lambda t, a: _low_rank(*t.linalg.svd(a, False))) for shape in ((3, 3), (3, 2), (2, 3))),
    *(case("qr", f"both {shape}", lambda a: _signed(*linalg.qr(a)), regular(*shape),
           ref=lambda a: _signed(*np.linalg.qr(a)), torch=lambda t, a: _signed(*t.linalg.qr(a)))
      for shape in ((3, 3), (3, 2), (2, 3))),
    *(case("lu", f"both {shape}", lambda a: linalg.lu(a).L.sum() * linalg.lu(a).U, regular(*shape),
           ref=lambda a: scipy.linalg.lu(a)[1].sum() * scipy.linalg.lu(a)[2],
           torch=lambda t, a: t.linalg.lu(a)[1].sum() * t.linalg.lu(a)[2]) for shape in ((3, 3), (3, 2), (2, 3))),
    case("writers", "last one counts", lambda x, v, k: index_update(x, k, v), (4, 2), (3, 2), lambda rng: ROWS,
         ref=lambda x, v, k: _put(x, v, k)),
    case("writers", "slice", lambda x, v: index_update(x, (slice(None), ROWS), v), (2, 3), (3,),
         ref=lambda x, v: np.stack([v[1] + 0 * x[:, 0], x[:, 1], v[2] + 0 * x[:, 0]], 1)),
    *(case("extreme_at", name, lambda x, v, sign=sign: index_extreme(x, ROWS, v, sign), (4, 2), (3, 2),
           ref=lambda x, v, f=f: _at(f, x, v),
           torch=lambda t, x, v, name=name: x.index_reduce(0, t.as_tensor(ROWS), v, name))
      for name, sign, f in (("amax", 1, np.maximum), ("amin", -1, np.minimum))),
]  # fmt: skip


def _directional(g: Any, a: Any) -> Any:
    """The derivative of the cofactors along g, which are polynomials: by differences that are exact for them."""
    near, far = (_cofactor(a + h * g) - _cofactor(a - h * g) for h in (0.5, 1.0))
    return (8 * near - far) / 6


def _put(x: Any, v: Any, k: Any) -> Any:
    y = x.copy()
    y[k] = v
    return y


def _at(f: Any, x: Any, v: Any) -> Any:
    y = x.copy()
    f.at(y, ROWS, v)
    return y


COMPOSITIONS = [one for one in CASES if one.op is None]
