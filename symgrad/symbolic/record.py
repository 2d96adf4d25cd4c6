"""A function on abstract arguments, and the cotangents of all its nodes: the graph that training runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from symgrad.errors import SymbolicError
from symgrad.op import Op
from symgrad.reverse import adjoints
from symgrad.shapes import Dim, bind
from symgrad.symbolic.sharing import unused
from symgrad.tensor import Tensor, abstract, reachable

__all__ = ["Record", "Spec", "at_sizes", "in_order", "record"]


FLOAT = np.dtype(np.float64)


@dataclass(frozen=True)
class Spec:
    """Shape, sign and element type of an abstract argument."""

    shape: tuple[Any, ...] = ()
    positive: bool = False
    dtype: Any = FLOAT


@dataclass(frozen=True)
class Record:
    """The function with its options, arguments by name, output, cotangent, nodes, adjoints by serial.

    ``arguments`` are differentiated; ``held`` (masks and labels) and ``constants`` (numbers such as eps) are not.
    """

    function: Callable[..., Any]
    arguments: dict[str, Any]
    held: dict[str, Any]
    constants: dict[str, Any]
    defaults: dict[str, float]
    output: Any
    cotangent: Any
    forward: list[Any]
    backward: list[Any]
    adjoints: dict[int, Any]


def record(f: Callable[..., Any], given: Mapping[str, Any]) -> Record:
    """Run f on abstract arguments, and its pullbacks on an abstract cotangent."""
    specs, f = _split(_plain(f), given)
    arguments, held, constants, defaults = _inputs(f, specs)
    output = f(**arguments, **held, **constants)
    if not isinstance(output, Tensor):
        raise SymbolicError(
            f"derive: {_name(f)} returned {type(output).__name__}; it must return one Tensor "
            "(sum the parts that a loss is made of)"
        )
    taken = arguments | held | constants
    name = "g" if "g" not in taken else unused("g_bar", taken)
    cotangent = _abstract(output.shape, name, positive=False, differentiated=True)  # nothing that it enters is constant
    forward = reachable([output])
    kept = adjoints(output, cotangent)
    known = {n.serial for n in forward}
    backward = [n for n in reachable(list(kept.values())) if n.serial not in known]
    return Record(f, arguments, held, constants, defaults, output, cotangent, forward, backward, kept)


def at_sizes(f: Callable[..., Any], sizes: Mapping[str, int]) -> Callable[..., Any]:
    """The function with numbers for the symbolic sizes among its options."""
    return partial(f.func, **{n: bind(x, sizes) for n, x in f.keywords.items()}) if isinstance(f, partial) else f


def in_order(f: Callable[..., Any], given: tuple[Any, ...]) -> dict[str, Any]:
    """Positional specs by the names of the arguments."""
    names = [n for n, p in inspect.signature(_plain(f)).parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    if len(given) > len(names):
        raise SymbolicError(f"derive: {_name(f)} takes {len(names)} positional argument(s), got {len(given)} specs")
    return dict(zip(names, given, strict=False))


def _plain(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose arguments have names; those of an op are x, y, z, as in its symbol."""
    if not isinstance(f, Op):
        return f
    ops: dict[int, Callable[..., Any]] = {1: lambda x: f(x), 2: lambda x, y: f(x, y), 3: lambda x, y, z: f(x, y, z)}
    if f.arity not in ops:
        raise SymbolicError(f"derive: {f.name} takes {f.arity or 'a list of'} arrays; give a function that calls it")
    return ops[f.arity]


def _split(f: Callable[..., Any], given: Mapping[str, Any]) -> tuple[dict[str, Any], Callable[..., Any]]:
    """Specs, and the function with the options (values that are no specs) put in."""
    parameters = inspect.signature(f).parameters
    unknown = given.keys() - parameters.keys()
    if unknown:
        raise SymbolicError(
            f"derive: {_name(f)} has no argument {sorted(unknown)}; its arguments are {list(parameters)}"
        )
    words = [n for n, p in parameters.items() if isinstance(p.default, str)]
    options = {n: x for n, x in given.items() if n in words or isinstance(x, int | float | tuple | Dim | None)}
    return {n: x for n, x in given.items() if n not in options}, partial(f, **options) if options else f


def _inputs(f: Callable[..., Any], specs: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    arguments: dict[str, Any] = {}
    held: dict[str, Any] = {}
    constants, defaults = {}, {}
    for name, parameter in inspect.signature(f).parameters.items():
        default = parameter.default
        if name == "pi":
            raise SymbolicError(
                f"derive: the argument 'pi' of {_name(f)} has the name of a number; give it another name"
            )
        if name in specs:
            spec = as_spec(specs[name], name)
            differentiated = spec.dtype.kind == "f"
            node = _abstract(spec.shape, name, spec.positive, differentiated, spec.dtype)
            (arguments if differentiated else held)[name] = node
        elif isinstance(default, float):
            constants[name] = _abstract((), name, default > 0, False)
            defaults[name] = default
        elif default is inspect.Parameter.empty and parameter.kind is not parameter.VAR_KEYWORD:
            raise SymbolicError(f"derive: argument {name!r} of {_name(f)} needs a spec, such as {name}=sg.spec('B')")
    if not arguments:
        raise SymbolicError(f"derive: no argument of {_name(f)} has a spec, so there is nothing to differentiate by")
    return arguments, held, constants, defaults


def as_spec(given: Any, name: str) -> Spec:
    """A spec from anything that has a shape."""
    if not hasattr(given, "shape"):
        raise SymbolicError(f"derive: argument {name!r} needs a spec, such as {name}=sg.spec('B'), got {given!r}")
    meta = getattr(given, "meta", given)
    dtype = np.dtype(getattr(given, "dtype", np.float64))
    return Spec(tuple(given.shape), bool(getattr(meta, "positive", False)), dtype)


def _abstract(shape: tuple[Any, ...], name: str, positive: bool, differentiated: bool, dtype: Any = np.float64) -> Any:
    sizes = tuple([Dim(s) if isinstance(s, str) else s for s in shape])
    kind = FLOAT if np.dtype(dtype).kind == "f" else np.dtype(dtype)
    node = abstract(sizes, kind, name=name, positive=positive)
    node.requires_grad = differentiated
    return node


def _name(f: Any) -> str:
    return getattr(getattr(f, "func", f), "__name__", "the function")
