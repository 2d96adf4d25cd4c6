"""`fuse`: a forward and a derived backward as one differentiable function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from symgrad.context import mode
from symgrad.op import op
from symgrad.recording import apply
from symgrad.tensor import Tensor, as_tensor

__all__ = ["fuse"]

Kernel = Callable[..., Any]


def fuse(name: str, forward: Kernel, backward: Kernel) -> Callable[..., Any]:
    """A function whose gradient is computed by a derived kernel instead of op by op.

    Parameters
    ----------
    name : str
        Of the op that pictures and errors show.
    forward : callable
        ``(*arrays, eps) -> (y, saved)``; saved is a tuple of arrays and sizes.
    backward : callable
        ``(g, saved) -> tuple of gradients``, one per array argument.

    Returns
    -------
    callable
        ``(*arrays, eps=...) -> y``. Values and derivatives of every order are those of the composed function:
        where somebody differentiates again, backward is recorded as the ordinary function that it is.
        With ``saved=True`` it returns ``(y, saved)``; no gradient flows through what is saved.

    Examples
    --------
    >>> import numpy as np
    >>> from symgrad.derived import fuse
    >>> double = fuse("double", lambda x: (2 * x, ()), lambda g, saved: (2 * g,))
    >>> import symgrad as sg
    >>> sg.grad(double)(3.0)
    array(2.)
    """

    def pullback(g: Any, y: Any, inputs: Any, params: Any) -> Any:
        arguments, options, sizes = inputs[1 : 1 + params[0]], dict(params[1]), list(params[2])
        if isinstance(g, Tensor):
            saved = forward(*arguments, **options)[1]  # recorded, so that it is differentiated too
        else:
            rest = list(inputs[1 + params[0] :])
            saved = tuple(rest.pop(0) if size is None else size for size in sizes)
        return [None, *backward(g, saved), *[None] * (len(inputs) - 1 - params[0])]

    node = op(
        name,
        lambda values, *params: values[0],
        pullback=pullback,
        arity=None,
        params=("arguments", "options", "sizes"),
        promotes=(),
        indices="identity",
        identity=True,
        shape=lambda shapes, *params: shapes[0],
        dtype=lambda *dtypes_and_params: dtypes_and_params[0],
    )

    def fused(*arrays: Any, saved: bool = False, **options: Any) -> Any:
        if not any(isinstance(x, Tensor) for x in arrays):
            y, values = forward(*arrays, **options)
            return (y, values) if saved else y
        tensors = [as_tensor(x, arrays[0].dtype) for x in arrays]
        with mode(recording=False):
            y, values = forward(*tensors, **options)
        kept = [x for x in values if isinstance(x, Tensor)]
        sizes = tuple(None if isinstance(x, Tensor) else x for x in values)
        y = apply(node, (y, *tensors, *kept), (len(tensors), tuple(sorted(options.items())), sizes))
        return (y, values) if saved else y

    fused.__name__ = fused.__qualname__ = name
    fused.__doc__ = f"`{name}` with its derived gradient; see `symgrad.derived`."
    return fused
