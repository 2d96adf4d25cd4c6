"""`fused`: a user's own function with its derived gradient, as one op of the graph."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import numpy as np

from symgrad.derived.fusing import fuse
from symgrad.errors import SymbolicError
from symgrad.op import OPS
from symgrad.tensor import Tensor

__all__ = ["fused"]

SIZES = "BDCHWTUKMN"
_KERNELS: dict[str, Callable[..., Any]] = {}  # by what the graph computes


def fused(f: Callable[..., Any]) -> Callable[..., Any]:
    r"""The function with its gradient in closed form: derived, proved, and put into the graph as one op.

    Reverse mode then runs the few lines of NumPy that a person would have written, in the place of one pullback per
    op. The derivation is made when the function is first called with a new pattern of shapes, and shared by all
    functions with the same graph. It holds for all sizes, so other sizes of the same pattern use it again.

    Parameters
    ----------
    f : callable
        An ordinary symgrad function that returns one Tensor. Arguments without a default are arrays; those with a float
        (``eps=1e-5``) are symbolic constants; all others are options.

    Returns
    -------
    callable
        Called as f is. Values and derivatives of every order are those of f.

    Raises
    ------
    SymbolicError
        At the first call, if f cannot be derived, if a gradient is not proved, or if the code that was made from it
        does not compute what the graph computes.

    Examples
    --------
    >>> import numpy as np, symgrad as sg
    >>> @sg.fused
    ... def rms(x, gamma, eps=1e-6):
    ...     u = sg.named(x / sg.sqrt(sg.mean(x**2, axis=-1, keepdims=True) + eps), "u")
    ...     return gamma * u
    >>> sg.grad(lambda x: rms(x, np.ones(2)).sum())(np.array([[3.0, 4.0]])).round(4)
    array([[ 0.0453, -0.0339]])
    """
    signature = inspect.signature(f)
    made: dict[Any, Callable[..., Any]] = {}

    @wraps(f)
    def called(*args: Any, **given: Any) -> Any:
        bound = signature.bind(*args, **given).arguments
        arrays, constants, options = _sorted(signature, bound)
        key = (_pattern(arrays), repr(sorted(options.items())))
        if key not in made:
            made[key] = _kernel(f, arrays, options)
        return made[key](*arrays.values(), **constants)

    return called


def _sorted(signature: inspect.Signature, given: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """What was given, as arrays, numbers that stand as symbols, and options."""
    arrays, constants, options = {}, {}, {}
    for name, value in given.items():
        default = signature.parameters[name].default
        if default is inspect.Parameter.empty or isinstance(value, Tensor | np.ndarray):
            arrays[name] = value if isinstance(value, Tensor) else np.asarray(value)
        elif isinstance(default, float):
            constants[name] = value
        else:
            options[name] = value
    return arrays, constants, options


def _pattern(arrays: dict[str, Any]) -> tuple[Any, ...]:
    """Which axes are equally long, and which have size 1: that is what a derivation depends on."""
    names: dict[Any, str] = {}
    free = [s for s in SIZES if s not in arrays] + [f"n{k}" for k in range(64)]
    found = []
    for name, x in arrays.items():
        sizes = [1 if s == 1 else names.setdefault(s, free[len(names)]) for s in x.shape]
        found.append((name, tuple(sizes)))
    return tuple(found)


def _kernel(f: Callable[..., Any], arrays: dict[str, Any], options: dict[str, Any]) -> Callable[..., Any]:
    """The op for one pattern of shapes."""
    from symgrad.symbolic import derive
    from symgrad.tracing import spec

    if held := [n for n, x in arrays.items() if x.dtype.kind != "f"]:
        raise SymbolicError(f"fused: {held[0]!r} is no array of floats; give masks as floats, and close over labels")
    specs = {n: spec(*sizes) for n, sizes in _pattern(arrays)}
    d = derive(f, **specs, **options)
    digest = _digest(d.record)
    if digest not in _KERNELS:
        unproved = {n: p.verdict for n, p in d.proofs.items() if p.verdict != "PROVED"}
        if unproved:
            raise SymbolicError(f"fused: {d.name}: a gradient is not proved ({unproved}); use the function as it is")
        check = d.check()
        if not check:
            raise SymbolicError(f"fused: {d.name}: the emitted code is not the graph ({check}); please report it")
        _KERNELS[digest] = fuse(d.name, *_in_order(d, list(arrays)))
    return _KERNELS[digest]


def _in_order(d: Any, names: list[str]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Forward and backward with the arrays in the order in which they were given."""

    def forward(*arrays: Any, **constants: Any) -> Any:
        return d.compiled["forward"](**dict(zip(names, arrays, strict=True)), **constants)

    def backward(g: Any, saved: Any) -> tuple[Any, ...]:
        found = dict(zip(d.record.arguments, d.compiled["backward"](g, saved), strict=True))
        return tuple([found[n] for n in names])

    return forward, backward


def _digest(record: Any) -> str:
    """What a recorded function computes, as text: ops, parameters and who feeds whom."""
    inputs = {**record.arguments, **record.constants}
    place = {node.serial: f"{name}{tuple(node.shape)}" for name, node in inputs.items()}
    lines = [f"{name}={x!r}" for name, x in record.defaults.items()]
    for k, node in enumerate(record.forward):
        if node.serial not in place:
            name = node.op.name if node.op is not None else "array"
            own = "" if OPS.get(name) is node.op else f"@{id(node.op)}"  # a user's op
            data = node.value.tobytes().hex() if node.value is not None else ""
            feeds = ",".join(place[x.serial] for x in node.inputs)
            lines.append(f"{k}:{name}{own}({feeds};{node.params!r};{data};{node.name})")
            place[node.serial] = str(k)
    return hashlib.sha256("\n".join([*lines, place[record.output.serial]]).encode()).hexdigest()
