"""Layout, indexing, linear algebra, and the functions of neural networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import symgrad as sg
from symgrad import linalg
from symgrad.nn import functional as F

__all__ = ["CALLS", "NOT_ASKED"]

Call = Callable[..., Any]

# Where names or the order of arguments differ between NumPy and torch


def _split(x: Any, size: Any, dim: int = 0) -> Any:
    """torch.split: parts of a size, or of several sizes."""
    n = x.shape[dim]
    cuts = np.cumsum(size)[:-1].tolist() if isinstance(size, (list, tuple)) else list(range(size, n, size))
    return sg.array_split(x, cuts, dim)


def _chunk(x: Any, chunks: int, dim: int = 0) -> Any:
    return _split(x, max(-(-x.shape[dim] // chunks), 1), dim)


def _sizes(given: Any) -> tuple[Any, ...]:
    return tuple(given[0]) if len(given) == 1 and isinstance(given[0], (tuple, list)) else tuple(given)


def _scatter(x: Any, dim: int, index: Any, src: Any = None, *, reduce: Any = None, value: Any = None) -> Any:
    src = value if src is None else src
    if reduce is None:
        return sg.put_along_axis(x, index, src, dim)
    return sg.scatter_reduce(x, dim, index, src, {"add": "sum", "multiply": "prod"}[reduce])


def _norm(x: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Any:
    if p == "nuc":
        return linalg.matrix_norm(x, "nuc", dim or (-2, -1), keepdim)
    axes = tuple(dim) if isinstance(dim, (list, tuple)) else dim
    return linalg.vector_norm(x, 2 if p in (None, "fro") else p, axes, keepdim)


def _linalg_norm(x: Any, ord: Any = None, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Any:
    axes = tuple(dim) if isinstance(dim, (list, tuple)) else dim
    if ord is None:
        return linalg.vector_norm(x, 2, axes, keepdim)
    if axes is None and x.ndim == 2:
        return linalg.matrix_norm(x, ord, (0, 1), keepdim)
    if isinstance(axes, tuple) and len(axes) == 2:
        return linalg.matrix_norm(x, ord, axes, keepdim)
    return linalg.vector_norm(x, ord, axes, keepdim)


def _matrix_norm(x: Any, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, dtype: Any = None) -> Any:
    return linalg.matrix_norm(x, ord, tuple(dim), keepdim)


def _pinv(a: Any, *rest: Any, rtol: Any = None, atol: Any = None, rcond: Any = None, hermitian: bool = False) -> Any:
    bound = max((float(np.max(v)) for v in (rtol, rcond) if v is not None), default=1e-15)
    return linalg.pinv((a + sg.swapaxes(a, -1, -2)) / 2 if hermitian else a, bound)


def _low_rank_pinv(a: Any, b: Any) -> Any:
    return linalg.pinv(a @ _mt(b), 1e-12)


def _svd(a: Any, full_matrices: bool = True, some: bool = True, compute_uv: bool = True) -> Any:
    u, s, vh = linalg.svd(a, full_matrices=full_matrices and a.shape[-1] == a.shape[-2])
    return u, s, vh


def _old_svd(a: Any, some: bool = True, compute_uv: bool = True) -> Any:
    u, s, vh = _svd(a)
    return u, s, sg.swapaxes(vh, -1, -2)


def _linear_cross_entropy(*args: Any, options: Any = None, ignore_index: Any = None, **rest: Any) -> Any:
    return F.linear_cross_entropy(*args, ignore_index=-100 if ignore_index is None else ignore_index, **rest)


def _take_along(x: Any, index: Any, dim: Any = None) -> Any:
    return sg.take_along_axis(x, index if dim is not None else index.ravel(), dim)


def _cross(a: Any, b: Any, dim: Any = None) -> Any:
    axis = next(k for k, n in enumerate(a.shape) if n == 3) if dim is None else dim
    a, b = sg.broadcast_arrays(a, b)
    return sg.cross(a, b, axis=axis)


def _cov(x: Any, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Any:
    return sg.cov(x, ddof=correction, fweights=fweights, aweights=aweights)


def _tensor_split(x: Any, parts: Any, dim: int = 0) -> Any:
    parts = parts.tolist() if hasattr(parts, "tolist") else parts
    return sg.array_split(x, parts, dim)


def _triplet(a: Any, p: Any, n: Any, *, distance_function: Any = None, **options: Any) -> Any:
    return F.triplet_margin_with_distance_loss(a, p, n, **options)


def _squeeze(x: Any, dim: Any = None) -> Any:
    axes = range(x.ndim) if dim is None else dim if isinstance(dim, (tuple, list)) else (dim,)
    one = tuple(k for k in axes if x.ndim and x.shape[k] == 1)
    return sg.squeeze(x, one) if one else x


def _view(x: Any, *shape: Any) -> Any:
    shape = _sizes(shape)
    return sg.reshape(x, shape[0].shape if shape and hasattr(shape[0], "shape") else shape)


def _expand(x: Any, *shape: Any) -> Any:
    wanted = _sizes(shape)
    own = (1,) * (len(wanted) - x.ndim) + x.shape
    return sg.broadcast_to(x, tuple(m if n == -1 else n for n, m in zip(wanted, own, strict=True)))


def _sum_to(x: Any, *shape: Any) -> Any:
    return sg.OPS["sum_to"](x, _sizes(shape))


def _repeat(x: Any, *times: Any) -> Any:
    return sg.tile(x, _sizes(times))


def _repeat_interleave(x: Any, repeats: Any, dim: Any = None, output_size: Any = None) -> Any:
    return sg.repeat(x, repeats, dim)


def _slice(x: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
    return x[(*(slice(None),) * (dim % x.ndim), slice(start, end, step))]


def _select(x: Any, dim: int, index: int) -> Any:
    return x[(*(slice(None),) * (dim % x.ndim), index)]


def _unfold(x: Any, dim: int, size: int, step: int) -> Any:
    return sg.windows(x, size, dim, step) if x.ndim else sg.reshape(x, (size,))


def _roll(x: Any, shifts: Any, dims: Any = None) -> Any:
    return sg.roll(x, shifts, dims if dims != () else None)


def _typed(f: Call) -> Call:
    """With the result's type as torch's dtype argument; only float64 is asked for."""
    return lambda x, *args, dtype=None, **options: f(x, *args, **options)


def _lists(f: Call) -> Call:
    """A function of a list, which torch's samples pass as a list or as several arguments."""

    def call(first: Any, *rest: Any, **options: Any) -> Any:
        listed = isinstance(first, (list, tuple))
        return f(first, *rest, **options) if listed else f((first, *rest), **options)

    return call


def _spread(f: Call) -> Call:
    """A function of several arrays, which torch's samples pass as a list too."""
    return lambda *xs, **options: f(*(xs[0] if len(xs) == 1 and isinstance(xs[0], (list, tuple)) else xs), **options)


def _renamed(f: Call, **names: str) -> Call:
    return lambda *args, **options: f(*args, **{names.get(k, k): v for k, v in options.items()})


def _meshgrid(*xs: Any, indexing: str = "ij") -> Any:
    return _spread(sg.meshgrid)(*xs, indexing=indexing)


def _t(x: Any) -> Any:
    return x if x.ndim < 2 else sg.swapaxes(x, 0, 1)


def _mt(x: Any) -> Any:
    return sg.swapaxes(x, -1, -2)


def _full_t(x: Any) -> Any:
    return sg.transpose(x)


def _same(x: Any, *args: Any, **options: Any) -> Any:
    return x


def _interpolate(x: Any, size: Any = None, scale_factor: Any = None, **options: Any) -> Any:
    return F.interpolate(x, size, scale_factor, **options)


def _upsample(mode: str, align: Any) -> Call:
    return lambda x, size=None, scale_factor=None: F.interpolate(x, size, scale_factor, mode, align)


def _grid(x: Any, grid: Any, mode: int, padding: int, align: bool) -> Any:
    modes, paddings = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")
    return F.grid_sample(x, grid, modes[mode], paddings[padding], align)


def _vander(x: Any, N: Any = None) -> Any:
    return sg.vander(sg.atleast_1d(x), N, increasing=True)


def _renorm(x: Any, p: float, dim: int, maxnorm: float) -> Any:
    axes = tuple(k for k in range(x.ndim) if k != dim % x.ndim)
    length = linalg.vector_norm(x, p, axes, keepdims=True)
    return sg.where(length > maxnorm, x * (maxnorm / (length + 1e-7)), x)


def _lu(a: Any, *, pivot: bool = True) -> Any:
    return linalg.lu(a)


def _lu_factor(a: Any, *rest: Any, **options: Any) -> Any:
    return linalg.lu_factor(a)


def _qr(a: Any, some: Any = "reduced", mode: Any = None) -> Any:
    mode = mode or (some if isinstance(some, str) else "reduced" if some else "complete")
    return linalg.qr(a, mode)


def _lstsq(a: Any, b: Any, driver: Any = "gelsy") -> Any:
    """Which parts there are depends on LAPACK's routine in torch."""
    x, residuals, rank, s = linalg.lstsq(a, b)
    rank = np.zeros(0, np.int64) if driver == "gels" else rank
    s = sg.stop_gradient(s) if driver in ("gelss", "gelsd") else np.zeros(0)  # which torch does not differentiate
    return x, np.zeros(0) if driver == "gelsy" else residuals, rank, s


def _solve(a: Any, b: Any, *, left: bool = True) -> Any:
    vectors = b.ndim == a.ndim - 1 and b.shape == a.shape[:-1]
    b = sg.expand_dims(b, -1) if vectors else b
    y = linalg.solve(a, b) if left else _mt(linalg.solve(_mt(a), _mt(b)))
    return sg.squeeze(y, -1) if vectors else y


def _solve_triangular(a: Any, b: Any, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Any:
    return linalg.solve_triangular(a, b, upper=upper, left=left, unitriangular=unitriangular)


def _old_lu(a: Any, pivot: bool = True, get_infos: bool = False) -> Any:
    infos = (np.zeros(a.shape[:-2], np.int32),) if get_infos else ()
    return (*linalg.lu_factor(a), *infos)


def _lu_unpack(*args: Any, **options: Any) -> Any:
    return tuple(sg.tensor(np.zeros(0)) if y is None else y for y in linalg.lu_unpack(*args, **options))


def _masked_normalize(x: Any, ord: float, dim: int, *, eps: float = 1e-12, mask: Any = None) -> Any:
    return F.normalize(x if mask is None else sg.where(mask, x, 0.0), ord, dim, eps)


def _rrelu(x: Any, **options: Any) -> Any:
    with sg.run(seed=0, step=0):
        return F.rrelu(x, **options)


def _cholesky_ex(a: Any, upper: bool = False, **options: Any) -> Any:
    return linalg.cholesky(a, upper=upper), np.zeros(a.shape[:-2], np.int32)


SAME = [
    "addbmm", "addmm", "addmv", "addr", "baddbmm", "bmm", "cdist", "cholesky_inverse", "cholesky_solve", "combinations",
    "corrcoef", "diag_embed", "diagonal_scatter", "dot", "fliplr", "flipud", "gather", "index_add", "index_copy",
    "index_fill", "index_put", "index_reduce", "index_select", "inner", "kron", "logdet", "masked_fill",
    "masked_scatter", "masked_select", "matmul", "mm", "mv", "narrow", "ormqr", "outer", "put", "ravel", "scatter_add",
    "scatter_reduce", "select_scatter", "slice_scatter", "triangular_solve", "tril", "triu", "unbind", "unflatten",
    "vdot",
]  # fmt: skip
LINALG = ["cond", "det", "householder_product", "inv", "lu_solve", "matrix_power", "slogdet",
          "svdvals", "tensorinv"]  # fmt: skip
ELSEWHERE = {"affine_grid", "cross_entropy", "dropout1d", "fold", "gumbel_softmax", "log_softmax", "lp_pool1d",
             "lp_pool2d", "lp_pool3d", "one_hot", "rrelu", "sigmoid", "softmax", "tanh", "upsample"}  # fmt: skip

CALLS: dict[str, str | Call | None] = {
    **{name: getattr(sg, name) for name in SAME},
    **{f"linalg.{name}": getattr(linalg, name) for name in LINALG},
    **{f"nn.functional.{name}": getattr(F, name) for name in F.__all__ if name not in ELSEWHERE},
    **{f"nn.functional.{name}": _renamed(_typed(getattr(F, name)), dim="axis") for name in ("glu", "softmin")},
    **{name: _renamed(_typed(getattr(F, name)), dim="axis") for name in ("softmax", "log_softmax")},
    **{name: _spread(getattr(sg, name)) for name in ("block_diag", "cartesian_prod", "broadcast_tensors")
       if hasattr(sg, name)},
    **dict.fromkeys(["clone", "contiguous", "alias_copy", "double", "to"], _same),
    **{name: _lists(getattr(sg, name)) for name in ("column_stack", "dstack", "hstack", "stack", "vstack")},
    **dict.fromkeys(["view", "view_copy", "reshape", "view_as", "reshape_as"], _view),
    **dict.fromkeys(["T", "H"], _full_t),
    **dict.fromkeys(["mT", "mH"], _mt),
    **dict.fromkeys(["t", "t_copy"], _t),
    **dict.fromkeys(["squeeze", "squeeze_copy"], _squeeze),
    **dict.fromkeys(["unsqueeze", "unsqueeze_copy"], _renamed(sg.expand_dims, dim="axis")),
    **dict.fromkeys(["transpose", "transpose_copy"], lambda x, a, b: sg.swapaxes(x, a, b) if x.ndim else x),
    **dict.fromkeys(["permute", "permute_copy"], lambda x, *axes: sg.transpose(x, _sizes(axes))),
    **dict.fromkeys(["expand", "expand_copy", "expand_as", "broadcast_to"],
                    lambda x, *s: _expand(x, s[0].shape if hasattr(s[0], "shape") else _sizes(s))),
    **dict.fromkeys(["split", "split_with_sizes", "split_with_sizes_copy", "unsafe_split"], _split),
    **dict.fromkeys(["chunk", "unsafe_chunk"], _chunk),
    **dict.fromkeys(["unbind", "unbind_copy"], sg.unbind),
    **dict.fromkeys(["unfold", "unfold_copy"], _unfold),
    **dict.fromkeys(["diagonal", "diagonal_copy", "linalg.diagonal"],
                    _renamed(sg.diagonal, dim1="axis1", dim2="axis2")),
    **dict.fromkeys(["narrow", "narrow_copy"], sg.narrow),
    **dict.fromkeys(["linalg.cholesky", "cholesky"], lambda a, upper=False: linalg.cholesky(a, upper=upper)),
    **dict.fromkeys(["linalg.inv_ex"], lambda a, **o: (linalg.inv(a), np.zeros(a.shape[:-2], np.int32))),
    "matrix_exp": linalg.matrix_exp,
    "linalg.svd": _svd, "svd": _old_svd,
    "nn.functional.linear_cross_entropy": _linear_cross_entropy,
    **dict.fromkeys(["qr", "linalg.qr"], _qr),
    **dict.fromkeys(["linalg.pinv", "pinverse"], _pinv),
    "linalg.pinv.singular": _low_rank_pinv,
    **dict.fromkeys(["norm", "norm.fro", "norm.nuc", "norm.inf"], _norm),
    **dict.fromkeys(["linalg.norm", "linalg.norm.subgradients_at_zero"], _linalg_norm),
    **dict.fromkeys(["cross", "linalg.cross"], _cross),
    **dict.fromkeys(["cat"], lambda xs, dim=0: sg.concatenate([x for x in xs if x.shape != (0,)] or xs, dim)),
    "atleast_1d": _spread(sg.atleast_1d), "atleast_2d": _spread(sg.atleast_2d), "atleast_3d": _spread(sg.atleast_3d),
    "broadcast_tensors": _spread(sg.broadcast_arrays),
    "constant_pad_nd": lambda x, pad, value=0.0: F.pad(x, pad, "constant", value),
    "cov": _cov, "diag": _renamed(sg.diag, diagonal="k"), "diagflat": _renamed(sg.diagflat, offset="k"),
    "dist": lambda x, y, p=2: linalg.vector_norm(x - y, p),
    "dsplit": sg.dsplit, "hsplit": sg.hsplit, "vsplit": sg.vsplit, "tensor_split": _tensor_split,
    "einsum": lambda xs, text: sg.einsum(text, *xs),
    "fill": lambda x, value: 0 * x + value, "zero_": lambda x: 0 * x,
    "flatten": sg.flatten, "flip": lambda x, *axes, dims=None: sg.flip(x, dims or _sizes(axes)),
    **dict.fromkeys(["grid_sampler_2d", "grid_sampler_3d"], _grid),
    **{f"fft.{name}": _renamed(getattr(sg, name), dim="axes") for name in ("fftshift", "ifftshift")},
    "float": lambda x, **options: sg.astype(x, np.float32),
    "linalg.lstsq": _lstsq,
    "linalg.lu_factor_ex": lambda a, **o: (*linalg.lu_factor(a), np.zeros(a.shape[:-2], np.int32)),
    "lu_unpack": _lu_unpack,
    "masked.normalize": _masked_normalize,
    "nn.functional.embedding_bag": lambda weight, index, *args, **options: F.embedding_bag(
        index, weight, *args, **options),
    "linalg.cholesky_ex": _cholesky_ex,
    "linalg.lstsq.grad_oriented": lambda *args, **options: _lstsq(*args, **options)[:2],
    "linalg.eigh": lambda a, UPLO="L": linalg.eigh(a), "linalg.eigvalsh": lambda a, UPLO="L": linalg.eigvalsh(a),
    "linalg.solve": _solve, "linalg.solve_ex": lambda a, b, left=True, **o: (
        _solve(a, b, left=left), np.zeros(a.shape[:-2], np.int32)),
    "linalg.lu": _lu, "linalg.lu_factor": _lu_factor,
    "linalg.matrix_norm": _matrix_norm,
    "linalg.multi_dot": linalg.multi_dot,
    "linalg.solve_triangular": _solve_triangular,
    "linalg.tensorsolve": _renamed(linalg.tensorsolve, dims="axes"),
    "linalg.vander": _vander, "linalg.vecdot": _renamed(linalg.vecdot, dim="axis"),
    "linalg.vector_norm": lambda x, ord=2, dim=None, keepdim=False, dtype=None: linalg.vector_norm(
        x, ord, tuple(dim) if isinstance(dim, list) else dim, keepdim),
    "lu": _old_lu, "lu_solve": lambda b, lu, p: linalg.lu_solve(lu, p, b),
    "meshgrid": _meshgrid, "movedim": sg.moveaxis,
    "nn.functional.embedding": lambda weight, index, **options: F.embedding(index, weight, **options),
    "nn.functional.upsample_bilinear": _upsample("bilinear", True),
    "nn.functional.upsample_nearest": _upsample("nearest", None),
    "nn.functional.triplet_margin_with_distance_loss": _triplet,
    "nn.functional.cross_entropy": F.cross_entropy, "nn.functional.rrelu": _rrelu,
    "renorm": _renorm, "repeat": _repeat, "repeat_interleave": _repeat_interleave, "roll": _roll,
    "rot90": _renamed(sg.rot90, dims="axes"), "scatter": _scatter, "select": _select, "slice": _slice,
    "sum_to_size": _sum_to, "take": sg.take,
    "take_along_dim": _take_along,
    "tensordot": _renamed(sg.tensordot, dims="axes"), "tile": _repeat,
    "trace": linalg.trace, "where": lambda x, condition, other: sg.where(condition, x, other),
}  # fmt: skip


# Samples that are no question to symgrad: what is wrong with them


def _writes_twice(axes: int) -> Call:
    """Whether unpooling writes a cell twice."""

    def asked(args: Any, options: Any) -> str | None:
        index = args[1].numpy()
        rows = index.reshape(int(np.prod(index.shape[: index.ndim - axes])), -1)
        twice = any(len(np.unique(row)) < row.size for row in rows)
        return "torch sends the cotangent of a cell to all that wrote it, not to the last one" if twice else None

    return asked


def _when(condition: Callable[[Any, Any], bool], reason: str) -> Call:
    return lambda args, options: reason if condition(args, options) else None


NOT_ASKED: dict[str, Call] = {
    **{f"nn.functional.max_unpool{n}d": _writes_twice(n) for n in (1, 2, 3)},
    "cov": _when(lambda a, o: any("float32" in str(getattr(w, "dtype", "")) for w in o.values()),
                 "weights in single precision"),
    "gather": _when(lambda a, o: a[2].numel() == 0 and a[2].ndim != a[0].ndim, "an empty index of any shape"),
    "linalg.svd": _when(lambda a, o: a[0].shape[-1] > a[0].shape[-2] or (
        o.get("full_matrices", True) and a[0].shape[-1] != a[0].shape[-2]), "arbitrary signs or vectors"),
    "linalg.eigh": _when(lambda a, o: o.get("UPLO") == "U" and bool(a[0].any()), "vectors with arbitrary signs"),
    "linalg.norm": _when(lambda a, o: a[0].ndim == 2 and a[1:2] in ((2,), (-2,)) and not a[0].any(),
                         "equal singular values"),
    "nn.functional.batch_norm": _when(lambda a, o: a[0].ndim < 2, "no channels"),
    "nn.functional.hardsigmoid": _when(lambda a, o: a[0].is_contiguous() and a[0].ndim == 1,
                                       "torch multiplies by 1/6 in single precision"),
    "svd": _when(lambda a, o: a[0].shape[-1] > a[0].shape[-2] or (
        o.get("some") is False and a[0].shape[-1] != a[0].shape[-2]), "arbitrary signs or vectors"),
    "tensordot": _when(lambda a, o: 1 in a[0].shape, "NumPy does not broadcast summed axes"),
}  # fmt: skip
