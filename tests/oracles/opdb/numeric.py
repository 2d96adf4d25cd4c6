"""Elementwise functions, special functions, reductions, scans and sorting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import symgrad as sg
from symgrad.functions.scans import picked

Call = str | Callable[..., Any]

# Torch's arguments in NumPy's words


def axes(dim: Any) -> Any:
    """No axes are all axes."""
    return None if isinstance(dim, (tuple, list)) and not dim else tuple(dim) if isinstance(dim, list) else dim


def renamed(options: dict[str, Any]) -> dict[str, Any]:
    found = {{"dim": "axis", "keepdim": "keepdims"}.get(k, k): v for k, v in options.items() if k != "dtype"}
    return {k: axes(v) if k == "axis" else v for k, v in found.items()}


def in_type(x: Any, dtype: Any) -> Any:
    return x if dtype is None else sg.astype(x, dtype)


def scaled(f: Callable[..., Any]) -> Callable[..., Any]:
    """Torch's add and sub with alpha."""
    return lambda x, y, alpha=1: f(x, y if alpha == 1 else sg.multiply(y, alpha))


def rounded_quotient(x: Any, y: Any, *, rounding_mode: str | None = None) -> Any:
    q = sg.floor_divide(x, y) if rounding_mode == "floor" else sg.divide(x, y)
    return sg.trunc(q) if rounding_mode == "trunc" else q


def reduction(f: Callable[..., Any]) -> Callable[..., Any]:
    """Torch's (input, dim, keepdim, dtype)."""
    return lambda x, dim=None, keepdim=False, dtype=None: f(in_type(x, dtype), axis=axes(dim), keepdims=keepdim)


def spread_of(f: Callable[..., Any]) -> Callable[..., Any]:
    """Torch's variance and standard deviation: (input, dim, unbiased, keepdim) or correction=."""

    def call(x: Any, dim: Any = None, unbiased: Any = None, keepdim: bool = False, correction: Any = 1) -> Any:
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        ddof = (1 if correction is None else correction) if unbiased is None else int(unbiased)
        return f(x, axis=axes(dim), ddof=ddof, keepdims=keepdim)

    return call


def with_mean(f: Callable[..., Any]) -> Callable[..., Any]:
    def call(x: Any, dim: Any = None, *args: Any, **options: Any) -> Any:
        axis = None if isinstance(dim, bool) else axes(dim)
        keep = options.get("keepdim", args[1] if len(args) > 1 else False)
        return spread_of(f)(x, dim, *args, **options), sg.mean(x, axis, keepdims=keep)

    return call


def positioned(f: Callable[..., Any]) -> Callable[..., Any]:
    """Functions that give values and positions along an axis; a number is its own, at 0."""
    return lambda x, *args, **options: tuple(f(x, *args, **renamed(options)))


def extreme(find: Callable[..., Any], f: Callable[..., Any]) -> Callable[..., Any]:
    """Torch's max and min: of all, or along an axis with positions."""

    def call(x: Any, *args: Any, **options: Any) -> Any:
        if not args and not options:
            return f(x)
        dim, keep = options.get("dim", args[0] if args else None), options.get("keepdim", len(args) > 1 and args[1])
        at = find(x, dim, keepdims=True)
        return tuple(part if keep else sg.squeeze(part, dim) for part in (picked(x, at, dim % x.ndim), at))

    return call


def sort(x: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    return sg.sort(x, dim, descending=descending), sg.argsort(x, dim, descending=descending)


def median(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The lower one of two middle elements, with its position if there is an axis."""
    if dim is None:
        return sg.quantile(x, 0.5, method="lower")
    return tuple(sg.kthvalue(x, (x.shape[dim] + 1) // 2 if x.shape else 1, dim, keepdim))


def nanmedian(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The same of what is not NaN; with an axis the samples hold none."""
    return sg.nanquantile(x, 0.5, method="lower") if dim is None else median(x, dim, keepdim)


def quantile(f: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, q, dim=None, keepdim=False, interpolation="linear": f(
        x, q, dim, method=interpolation, keepdims=keepdim
    )


def gradient(x: Any, spacing: Any = None, dim: Any = None, edge_order: int = 1) -> Any:
    steps = () if spacing is None else tuple(spacing) if isinstance(spacing, (tuple, list)) else (spacing,)
    return sg.gradient(x, *steps, axis=axes(dim), edge_order=edge_order)


# Masked arrays: NumPy's where=, or a value that changes nothing


def picking(f: Callable[..., Any], **fixed: Any) -> Callable[..., Any]:
    return lambda x, dim=None, mask=None, **options: f(
        x, axis=axes(dim), where=True if mask is None else mask, **renamed(options), **fixed
    )


def picking_spread(f: Callable[..., Any]) -> Callable[..., Any]:
    def call(x: Any, dim: Any = None, unbiased: Any = None, mask: Any = None, **options: Any) -> Any:
        correction = options.pop("correction", None)
        ddof = int(unbiased) if unbiased is not None else 1 if correction is None else correction
        return f(x, axis=axes(dim), ddof=ddof, where=True if mask is None else mask, **renamed(options))

    return call


def filled(f: Callable[..., Any], fill: float) -> Callable[..., Any]:
    return lambda x, *args, mask=None, **options: f(
        x if mask is None else sg.where(mask, x, fill), *args, **renamed(options)
    )


SAME = (
    "abs angle ceil copysign cos cosh deg2rad exp exp2 expm1 float_power floor fmax fmin fmod frac frexp hypot ldexp "
    "lerp log log10 log1p log2 logaddexp logaddexp2 logit maximum minimum nan_to_num positive rad2deg real reciprocal "
    "remainder round rsqrt sigmoid sign sin sinc sinh sqrt square tan tanh trunc xlogy addcmul addcdiv i0 clamp_min "
    "clamp_max cumsum cumprod logcumsumexp diff trapezoid cumulative_trapezoid"
)
SPECIAL = "entr erfcx i0e i1 i1e log_ndtr ndtr ndtri xlog1py"

CALLS: dict[str, Call] = {
    **{name: name for name in SAME.split()},
    **{f"special.{name}": f"special.{name}" for name in SPECIAL.split()},
    "acos": "arccos",
    "acosh": "arccosh",
    "add": scaled(sg.add),
    "aminmax": reduction(sg.aminmax),
    "amax": reduction(sg.max),
    "amin": reduction(sg.min),
    "asin": "arcsin",
    "asinh": "arcsinh",
    "atan": "arctan",
    "atan2": "arctan2",
    "atanh": "arctanh",
    "clamp": "clip",
    "conj": "real",
    "conj_physical": "real",
    "cummax": positioned(sg.cummax),
    "cummin": positioned(sg.cummin),
    "digamma": "special.digamma",
    "div": rounded_quotient,
    "erf": "special.erf",
    "erfc": "special.erfc",
    "erfinv": "special.erfinv",
    "gradient": gradient,
    "kthvalue": positioned(sg.kthvalue),
    "lgamma": "special.gammaln",
    "logsumexp": reduction(sg.logsumexp),
    "max": extreme(sg.argmax, sg.max),
    "max.binary": "maximum",
    "mean": reduction(sg.mean),
    "median": median,
    "min": extreme(sg.argmin, sg.min),
    "min.binary": "minimum",
    "mode": positioned(sg.mode),
    "msort": lambda x: sg.sort(x, 0),
    "mul": "multiply",
    "mvlgamma": lambda x, p: sg.special.multigammaln(x, p),
    "nanmean": reduction(sg.nanmean),
    "nanmedian": nanmedian,
    "nanquantile": quantile(sg.nanquantile),
    "nansum": reduction(sg.nansum),
    "neg": "negative",
    "polygamma": lambda x, n: sg.special.polygamma(n, x),
    "pow": "power",
    "prod": reduction(sg.prod),
    "quantile": quantile(sg.quantile),
    "rsub": lambda x, y, alpha=1: sg.subtract(y, x if alpha == 1 else alpha * x),
    "sgn": "sign",
    "sort": sort,
    "special.polygamma": lambda x, n: sg.special.polygamma(n, x),
    "std": spread_of(sg.std),
    "std_mean": with_mean(sg.std),
    "sub": scaled(sg.subtract),
    "sum": reduction(sg.sum),
    "topk": positioned(sg.topk),
    "trapz": "trapezoid",
    "true_divide": "divide",
    "var": spread_of(sg.var),
    "var_mean": with_mean(sg.var),
    "masked.amax": picking(sg.max, initial=-np.inf),
    "masked.amin": picking(sg.min, initial=np.inf),
    "masked.cumprod": filled(sg.cumprod, 1.0),
    "masked.cumsum": filled(sg.cumsum, 0.0),
    "masked.log_softmax": filled(sg.log_softmax, -np.inf),
    "masked.logaddexp": lambda x, y, input_mask=None, other_mask=None: sg.logaddexp(
        *[a if mask is None else sg.where(mask, a, -np.inf) for a, mask in ((x, input_mask), (y, other_mask))]
    ),
    "masked.logsumexp": filled(sg.logsumexp, -np.inf),
    "masked.mean": picking(sg.mean),
    "masked.median": filled(
        lambda x, axis, keepdims=False: sg.nanquantile(x, 0.5, axis, method="lower", keepdims=keepdims), np.nan
    ),
    "masked.norm": lambda x, ord=2, dim=None, keepdim=False, mask=None: sg.linalg.vector_norm(
        x if mask is None else sg.where(mask, x, np.inf if ord < 0 else 0.0), ord, axes(dim), keepdim
    ),
    "masked.prod": picking(sg.prod),
    "masked.softmax": filled(sg.softmax, -np.inf),
    "masked.softmin": filled(lambda x, axis: sg.softmax(-x, axis), np.inf),
    "masked.std": picking_spread(sg.std),
    "masked.sum": picking(sg.sum),
    "masked.var": picking_spread(sg.var),
}
