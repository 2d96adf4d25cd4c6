"""Elementwise functions that are composed of ops, special functions and statistics among them."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
import scipy.special

import symgrad as sg
from symgrad import special

from .base import composition, torch_named

UNARY, BINARY, TERNARY = [((3, 4),), ((),)], [((2, 1, 3), (4, 1)), ((3,), ())], [((2, 1), (3,), ())]
POSITIVE, UNIT = (0.3, 3), (0.05, 0.95)


def torch_special(name: str) -> Any:
    return lambda t, *xs: getattr(t.special, name)(*xs)


# function, reference, torch (True: its function of this name), domain
ELEMENTWISE: list[tuple[Any, Any, Any, Any]] = [
    (sg.exp2, np.exp2, True, (-3, 3)),
    (sg.rsqrt, lambda x: 1 / np.sqrt(x), True, POSITIVE),
    (sg.ceil, np.ceil, True, (-3, 3)),
    (sg.trunc, np.trunc, True, (-3, 3)),
    (sg.round, np.round, True, (-3, 3)),
    (sg.frac, lambda x: x - np.trunc(x), True, (-3, 3)),
    (sg.signbit, np.signbit, True, (-3, 3)),
    (sg.real, np.real, None, (-3, 3)),
    (sg.imag, np.imag, None, (-3, 3)),
    (sg.angle, np.angle, True, (-3, 3)),
    (sg.deg2rad, np.deg2rad, True, (-90, 90)),
    (sg.rad2deg, np.rad2deg, True, (-3, 3)),
    (sg.isnan, np.isnan, True, (-3, 3)),
    (sg.isinf, np.isinf, True, (-3, 3)),
    (sg.isposinf, np.isposinf, True, (-3, 3)),
    (sg.isneginf, np.isneginf, True, (-3, 3)),
    (sg.nan_to_num, np.nan_to_num, True, (-3, 3)),
    (sg.logit, scipy.special.logit, True, UNIT),
    (sg.sinc, np.sinc, True, (-3, 3)),
    (sg.i0, np.i0, True, (-3, 3)),
    (special.i0e, scipy.special.i0e, torch_special("i0e"), (-3, 3)),
    (special.i1, scipy.special.i1, torch_special("i1"), (-3, 3)),
    (special.i1e, scipy.special.i1e, torch_special("i1e"), (-3, 3)),
    (special.digamma, scipy.special.digamma, None, POSITIVE),
    (special.ndtr, scipy.special.ndtr, torch_special("ndtr"), (-4, 4)),
    (special.log_ndtr, scipy.special.log_ndtr, torch_special("log_ndtr"), (-9, 4)),
    (special.erfcinv, scipy.special.erfcinv, lambda t, x: t.erfinv(1 - x), (0.1, 1.9)),
    (special.factorial, scipy.special.factorial, lambda t, x: t.exp(t.lgamma(x + 1)), POSITIVE),
    (sg.fmod, np.fmod, True, ((-3, 3), (0.3, 3))),
    (sg.fmax, np.fmax, True, (-3, 3)),
    (sg.fmin, np.fmin, True, (-3, 3)),
    (sg.heaviside, np.heaviside, None, (-3, 3)),
    (sg.isclose, np.isclose, True, (-3, 3)),
    (sg.logical_xor, np.logical_xor, True, (-3, 3)),
    (sg.clamp_min, np.maximum, True, (-3, 3)),
    (sg.clamp_max, np.minimum, True, (-3, 3)),
    (sg.logaddexp2, np.logaddexp2, True, (-3, 3)),
    (sg.xlogy, scipy.special.xlogy, True, POSITIVE),
    (special.xlog1py, scipy.special.xlog1py, torch_special("xlog1py"), POSITIVE),
    (special.rel_entr, scipy.special.rel_entr, lambda t, x, y: x * t.log(x / y), POSITIVE),
    (special.beta, scipy.special.beta, lambda t, a, b: t.exp(t.lgamma(a) + t.lgamma(b) - t.lgamma(a + b)), POSITIVE),
    (special.betaln, scipy.special.betaln, lambda t, a, b: t.lgamma(a) + t.lgamma(b) - t.lgamma(a + b), POSITIVE),
    (sg.lerp, lambda a, b, w: a + w * (b - a), True, (-3, 3)),
    (sg.addcmul, lambda x, a, b: x + a * b, True, (-3, 3)),
    (sg.addcdiv, lambda x, a, b: x + a / b, True, POSITIVE),
]


def _elementwise() -> list[Any]:
    found = []
    for f, reference, torch, domain in ELEMENTWISE:
        name = f.__name__
        arity = 3 if name in ("lerp", "addcmul", "addcdiv") else inspect.unwrap(f).__code__.co_argcount
        arity = {"round": 1, "nan_to_num": 1, "logit": 1, "isclose": 2}.get(name, arity)
        for shapes in (UNARY, BINARY, TERNARY)[arity - 1]:
            other = torch_named(name) if torch is True else torch
            found.append(composition(f"{name} {shapes}", f, *shapes, ref=reference, torch=other, domain=domain))
    return found


MASK = np.array([[True, False, True, True], [False, True, True, False], [True, True, True, True]])
HOLES = np.where(MASK, 0, np.float32(np.nan))


def _holes(t: Any, x: Any) -> Any:
    return x + t.tensor(HOLES, dtype=x.dtype)


# fmt: off
OTHERS: list[tuple[str, Any, Any, Any]] = [
    ("logit eps", lambda x: sg.logit(x / 4, 0.3), lambda x: scipy.special.logit(np.clip(x / 4, 0.3, 0.7)), lambda t, x: t.logit(x / 4, 0.3)),
    ("round decimals", lambda x: np.round(x, 1) + x, lambda x: np.round(x, 1) + x, lambda t, x: t.round(x, decimals=1) + x),
    ("round to tens", lambda x: sg.round(20 * x, -1), lambda x: np.round(20 * x, -1), lambda t, x: t.round(20 * x, decimals=-1)),
    ("frexp", lambda x: sg.frexp(x)[0], lambda x: np.frexp(x)[0], lambda t, x: t.frexp(x).mantissa),
    ("ldexp", lambda x: sg.ldexp(x, [3, -2, 0, 1]), lambda x: np.ldexp(x, [3, -2, 0, 1]), lambda t, x: t.ldexp(x, t.tensor([3.0, -2, 0, 1], dtype=x.dtype))),
    ("ldexp float", lambda x: sg.ldexp(2.0, x), lambda x: 2.0 * 2.0**x, lambda t, x: 2.0 * 2.0**x),
    ("modf", lambda x: np.modf(x)[0] + np.modf(x)[1], lambda x: x, lambda t, x: x + 0),
    ("divmod", lambda x: sg.divmod(x, 0.7)[1], lambda x: np.divmod(x, 0.7)[1], lambda t, x: x - 0.7 * t.floor(x / 0.7)),
    ("addcmul value", lambda x: sg.addcmul(x, x, x, value=0.5), lambda x: x + x * x / 2, lambda t, x: t.addcmul(x, x, x, value=0.5)),
    ("addcdiv value", lambda x: sg.addcdiv(x, 2.0, x, value=0.5), lambda x: x + 1 / x, lambda t, x: x + 1 / x),
    ("multigammaln", lambda x: special.multigammaln(x, 2), lambda x: np.vectorize(lambda v: scipy.special.multigammaln(v, 2))(x), lambda t, x: t.mvlgamma(x, 2)),
    ("polygamma", lambda x: special.polygamma(2, x), lambda x: scipy.special.polygamma(2, x), lambda t, x: t.polygamma(2, x)),
    ("iv", lambda x: special.iv(1, x), lambda x: scipy.special.iv(1, x), lambda t, x: t.special.i1(x)),
    ("ive", lambda x: special.ive(0, x), lambda x: scipy.special.ive(0, x), lambda t, x: t.special.i0e(x)),
    ("spherical_jn", lambda x: special.spherical_jn(0, x), lambda x: np.sin(x) / x, lambda t, x: t.sin(x) / x),
    ("nansum", lambda x: np.nansum(x + HOLES, axis=0), lambda x: np.nansum(x + HOLES, 0), lambda t, x: t.nansum(_holes(t, x), 0)),
    ("nanmean", lambda x: sg.nanmean(x + HOLES, -1, keepdims=True), lambda x: np.nanmean(x + HOLES, -1, keepdims=True), lambda t, x: t.nanmean(_holes(t, x), -1, True)),
    ("nanprod", lambda x: sg.nanprod(x + HOLES, 0), lambda x: np.nanprod(x + HOLES, 0), lambda t, x: t.nan_to_num(_holes(t, x), 1.0).prod(0)),
    ("nanvar", lambda x: sg.nanvar(x + HOLES, 1, ddof=1), lambda x: np.nanvar(x + HOLES, 1, ddof=1), lambda t, x: t.masked.var(x, 1, True, mask=t.tensor(MASK))),
    ("nanstd", lambda x: sg.nanstd(x + HOLES), lambda x: np.nanstd(x + HOLES), lambda t, x: t.masked.std(x, (0, 1), False, mask=t.tensor(MASK))),
    ("nanmax", lambda x: sg.nanmax(x + HOLES, 1), lambda x: np.nanmax(x + HOLES, 1), lambda t, x: t.masked.amax(x, 1, mask=t.tensor(MASK))),
    ("nanmin", lambda x: sg.nanmin(x + HOLES, 1), lambda x: np.nanmin(x + HOLES, 1), lambda t, x: t.masked.amin(x, 1, mask=t.tensor(MASK))),
    ("sum where", lambda x: np.sum(x, axis=0, where=MASK, initial=2.0), lambda x: np.sum(x, axis=0, where=MASK, initial=2.0), lambda t, x: t.masked.sum(x, 0, mask=t.tensor(MASK)) + 2),
    ("mean where", lambda x: sg.mean(x, axis=1, where=MASK), lambda x: np.mean(x, axis=1, where=MASK), lambda t, x: t.masked.mean(x, 1, mask=t.tensor(MASK))),
    ("max where", lambda x: np.max(x, axis=0, where=MASK, initial=0.0), lambda x: np.max(x, axis=0, where=MASK, initial=0.0), lambda t, x: t.clamp(t.masked.amax(x, 0, mask=t.tensor(MASK)), min=0.0)),
    ("count_nonzero", lambda x: sg.count_nonzero(x > 1, 0), lambda x: np.count_nonzero(x > 1, 0), lambda t, x: t.count_nonzero(x > 1, 0)),
    ("aminmax", lambda x: sg.aminmax(x, 0)[0] * sg.aminmax(x, 0)[1], lambda x: x.min(0) * x.max(0), lambda t, x: x.amin(0) * x.amax(0)),
    ("ptp", lambda x: np.ptp(x, axis=1), lambda x: np.ptp(x, axis=1), lambda t, x: x.amax(1) - x.amin(1)),
    ("average", lambda x: np.average(x, 1, np.array([1, 2, 0, 1])), lambda x: np.average(x, 1, np.array([1, 2, 0, 1])), lambda t, x: x @ t.tensor([0.25, 0.5, 0, 0.25], dtype=x.dtype)),
    ("norm 0.5", lambda x: sg.linalg.vector_norm(x, 0.5, 0), lambda x: np.sum(np.abs(x) ** 0.5, 0) ** 2, lambda t, x: t.linalg.vector_norm(x, 0.5, 0)),
    ("norm -1.5", lambda x: sg.linalg.vector_norm(x, -1.5, 0), lambda x: np.sum(np.abs(x) ** -1.5, 0) ** (-1 / 1.5), lambda t, x: t.linalg.vector_norm(x, -1.5, 0)),
    ("norm -inf", lambda x: sg.linalg.vector_norm(x, -math.inf, 0), lambda x: np.min(np.abs(x), 0), lambda t, x: t.linalg.vector_norm(x, -math.inf, 0)),
    ("norm 0", lambda x: sg.linalg.vector_norm(x, 0, 0), lambda x: np.sum(x != 0, 0).astype(x.dtype), lambda t, x: t.linalg.vector_norm(x, 0, 0)),
]

# fmt: on

CASES = _elementwise() + [
    composition(
        title, f, lambda rng: 1.0 + (rng.permutation(12) * 0.17 + 0.613).reshape(3, 4), ref=reference, torch=torch
    )
    for title, f, reference, torch in OTHERS
]
