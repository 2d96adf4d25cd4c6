"""Ops that compute nothing: constants, sizes, names, and the edges of differentiation."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.errors import DTypeError
from symgrad.op import FUNCTIONS, Op, builtin
from symgrad.shapes import Dim
from symgrad.tensor import Meta, Tensor, abstract, array_like

__all__ = ["alias", "arange", "astype", "const", "item", "named", "size", "stop_gradient"]


def _same(x: Any, *params: Any) -> Any:
    return x


const: Op = builtin("const", lambda literal: np.asarray(literal), pullback=(), params=("literal",), indices="const",
                    shape=lambda literal: ())  # fmt: skip

size: Op = builtin("size", lambda dim: np.asarray(float(dim)), pullback=(), params=("dim",), indices="size",
                   shape=lambda dim: ())  # fmt: skip

_arange: Op = builtin("arange", lambda stop: np.arange(stop), pullback=(), params=("stop",), indices="arange",
                      shape=lambda stop: (stop,), dtype=lambda stop: np.dtype(np.int64))  # fmt: skip


def arange(n: Any) -> Any:
    """The integers from 0 to n - 1: an array, or a node where the size is symbolic."""
    return abstract((n,), np.dtype(np.int64), op=_arange, params=(n,)) if isinstance(n, Dim) else np.arange(n)


_named: Op = builtin("named", _same, pullback=(lambda g, y, x, name, latex: g,), params=("name", "latex"),
                     defaults=(None, None), notation="{0}", indices="identity", identity=True)  # fmt: skip

alias: Op = builtin("alias", _same, pullback=(lambda g, y, x: g,), symbol="x", notation="{0}",
                    indices="identity", identity=True)  # fmt: skip

stop_gradient: Op = builtin("stop_gradient", _same, pullback=(None,), symbol="x", notation="{0}",
                            indices="identity", identity=True)  # fmt: skip

item: Op = builtin("item", lambda bundle, k: bundle[k], arity=1, params=("k",), promotes=(),
                   indices="opaque",
                   shape=lambda shapes, k: shapes[k], dtype=lambda dtypes, k: dtypes[k])  # fmt: skip

_astype: Op = builtin(
    "astype",
    lambda x, dtype: x.astype(dtype),
    pullback=(lambda g, y, x, dtype: _astype(g, x.dtype.name),),
    params=("dtype",),
    promotes=(),
    notation="{0}",
    indices="identity",
    shape=lambda own, dtype: own,
    dtype=lambda own, dtype: np.dtype(dtype),
)


def astype(x: Any, dtype: Any) -> Any:
    """The same numbers with another element type (float64, float32, bool or an integer type)."""
    x = array_like(x, "astype")
    try:
        wanted = np.dtype(dtype)
    except TypeError:
        raise DTypeError(f"astype: {dtype!r} is not an element type; use np.float64 or np.float32") from None
    if wanted.kind not in "biuf" or wanted.itemsize > 8 or wanted == np.float16:
        raise DTypeError(f"astype: {wanted} is not supported; use float64, float32, bool or an integer type")
    return x if x.dtype == wanted else _astype(x, wanted.name)


def named(x: Any, name: str, latex: str | None = None) -> Any:
    r"""Give a value the name that derivations, pictures and compiled source show.

    The identity on arrays and SymPy expressions; on a Tensor an alias that plans erase.

    Parameters
    ----------
    x : Tensor, array or SymPy expression
    name : str
    latex : str, optional
        LaTeX of the name, such as ``r"\mu_B"``.

    Examples
    --------
    >>> import symgrad as sg
    >>> x = sg.tensor([1.0, 3.0], requires_grad=True)
    >>> sg.named(x.mean(), "mu", latex=r"\mu").name
    'mu'
    """
    if not isinstance(x, Tensor):
        return x
    y = _named(x, name=name, latex=latex)
    if y.meta is None:
        y.meta = Meta()
    y.meta.name, y.meta.latex = name, latex
    return y


FUNCTIONS["astype"] = astype
FUNCTIONS["named"] = named
