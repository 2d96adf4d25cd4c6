"""A function on abstract arguments, and the cotangents of all its nodes: the graph that training runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from symgrad.errors import SymbolicError
from symgrad.reverse import adjoints
from symgrad.shapes import Dim
from symgrad.tensor import Tensor, abstract, reachable

__all__ = ["Record", "Spec", "record"]


@dataclass(frozen=True)
class Spec:
    """Shape and sign of an abstract argument."""

    shape: tuple[Any, ...] = ()
    positive: bool = False


@dataclass(frozen=True)
class Record:
    """Arguments by name, constants with their default values, output, cotangent, nodes, adjoints by serial."""

    arguments: dict[str, Any]
    constants: dict[str, Any]
    defaults: dict[str, float]
    output: Any
    cotangent: Any
    forward: list[Any]
    backward: list[Any]
    adjoints: dict[int, Any]


def record(f: Callable[..., Any], specs: Mapping[str, Any]) -> Record:
    """Run f on abstract arguments, and its pullbacks on an abstract cotangent."""
    arguments, constants, defaults = _inputs(f, specs)
    output = f(**arguments, **constants)
    if not isinstance(output, Tensor):
        raise SymbolicError(
            f"derive: {_name(f)} returned {type(output).__name__}; it must return one Tensor "
            "(sum the parts that a loss is made of)"
        )
    name = "g" if "g" not in arguments | constants else "g_bar"
    cotangent = abstract(output.shape, output.dtype, name=name)
    forward = reachable([output])
    kept = adjoints(output, cotangent)
    known = {n.serial for n in forward}
    backward = [n for n in reachable(list(kept.values())) if n.serial not in known]
    return Record(arguments, constants, defaults, output, cotangent, forward, backward, kept)


def _inputs(f: Callable[..., Any], specs: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[str, float]]:
    arguments, constants, defaults = {}, {}, {}
    parameters = inspect.signature(f).parameters
    unknown = specs.keys() - parameters.keys()
    if unknown:
        raise SymbolicError(
            f"derive: {_name(f)} has no argument {sorted(unknown)}; its arguments are {list(parameters)}"
        )
    for name, parameter in parameters.items():
        default = parameter.default
        if name in specs:
            spec = as_spec(specs[name], name)
            arguments[name] = _abstract(spec.shape, name, spec.positive, True)
        elif parameter.kind is parameter.KEYWORD_ONLY and default is not inspect.Parameter.empty:
            continue  # an option, such as an axis: not part of the formula
        elif isinstance(default, (int, float)) and not isinstance(default, bool):
            constants[name] = _abstract((), name, default > 0, False)
            defaults[name] = float(default)
        elif default is inspect.Parameter.empty:
            raise SymbolicError(f"derive: argument {name!r} of {_name(f)} needs a spec, such as {name}=sg.spec('B')")
    return arguments, constants, defaults


def as_spec(given: Any, name: str) -> Spec:
    """A spec from anything that has a shape."""
    if not hasattr(given, "shape"):
        raise SymbolicError(f"derive: argument {name!r} needs a spec, such as {name}=sg.spec('B'), got {given!r}")
    meta = getattr(given, "meta", given)
    return Spec(tuple(given.shape), bool(getattr(meta, "positive", False)))


def _abstract(shape: tuple[Any, ...], name: str, positive: bool, differentiated: bool) -> Any:
    sizes = tuple([Dim(s) if isinstance(s, str) else s for s in shape])
    node = abstract(sizes, np.dtype(np.float64), name=name, positive=positive)
    node.requires_grad = differentiated
    return node


def _name(f: Any) -> str:
    return getattr(f, "__name__", "the function")
