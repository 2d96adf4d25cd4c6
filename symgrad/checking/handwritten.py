"""A user's own NumPy function and NumPy backward as a subject; every misfit is named."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from symgrad.checking.numeric import Arrays
from symgrad.checking.subject import Arguments, Subject, check_outputs, paths
from symgrad.errors import DTypeError, GradientError, OpError, ShapeError
from symgrad.trees import flatten

__all__ = ["of_numpy"]


def of_numpy(f: Callable[..., Any], backward: Callable[..., Any], given: Arguments) -> Subject:
    """The subject for a NumPy function and its backward, which are run as they are."""
    if not callable(backward):
        raise OpError(f"gradcheck: backward must be a function, got {type(backward).__name__}")

    def value(arrays: Arrays) -> Arrays:
        result = given.call(f, [x.copy() for x in arrays])  # f may work in place
        outputs = [np.asarray(y) for y in flatten(result)[0]]
        if len(outputs) != 1:
            raise OpError(f"gradcheck: with backward= f must return one array, got {len(outputs)}")
        check_outputs([outputs[0].dtype])
        return outputs

    accepts = _keywords(backward)
    known = {**_defaults(f), **dict.fromkeys(given.names)}
    cotangent = "g_bar" if "g" in known else "g"

    def pull(arrays: Arrays, cotangents: Arrays) -> Arrays:
        options = {**_defaults(f), **given.named([x.copy() for x in arrays]), cotangent: cotangents[0].copy()}
        kept = options if accepts is None else {k: v for k, v in options.items() if k in accepts}
        return _gradients(backward(**kept), f, given)

    _check_backward(backward, accepts, {*known, cotangent}, cotangent)
    return Subject(given.paths, given.points(), value, pull)


def _keywords(backward: Callable[..., Any]) -> dict[str, bool] | None:
    """The keywords that a function takes and whether each must be given; None if it takes any."""
    try:
        parameters = inspect.signature(backward).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return None
    return {p.name: p.default is p.empty for p in parameters}


def _check_backward(
    backward: Callable[..., Any], accepts: dict[str, bool] | None, known: set[str], cotangent: str
) -> None:
    if accepts is None:
        return
    called = f"backward is called by keyword with f's argument names and {cotangent}, the cotangent"
    if cotangent not in accepts:
        raise OpError(f"gradcheck: backward{inspect.signature(backward)} has no argument {cotangent}; {called}")
    unknown = [name for name, needed in accepts.items() if needed and name not in known]
    if unknown:
        raise OpError(f"gradcheck: backward needs {unknown}, but f has {sorted(known - {cotangent})}; {called}")


def _defaults(f: Callable[..., Any]) -> dict[str, Any]:
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        return {}
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def _gradients(result: Any, f: Callable[..., Any], given: Arguments) -> Arrays:
    """The cotangents of the differentiated leaves, from whatever form backward returned."""
    by_name = _by_name(result, f, given)
    found: list[Any] = []
    for name, structure in zip(given.names, given.structures, strict=True):
        count = sum(1 for _ in paths(structure, name))
        own = flatten(by_name[name])[0] if name in by_name else [None] * count
        if len(own) not in (0, count):
            raise ShapeError(f"gradcheck: backward returned {len(own)} array(s) for {name!r}, which holds {count}")
        found += own or [None] * count
    return [_gradient(found[k], given.leaves[k], path) for k, path in zip(given.places, given.paths, strict=True)]


def _by_name(result: Any, f: Callable[..., Any], given: Arguments) -> dict[str, Any]:
    if isinstance(result, dict):
        unknown = result.keys() - set(given.names) - _defaults(f).keys()
        if unknown:
            names = list(given.names)
            raise GradientError(
                f"gradcheck: backward returned gradients for {sorted(unknown)}; f's arguments are {names}"
            )
        return result
    if not isinstance(result, (tuple, list)):
        result = (result,)
    for names in (list(given.names), _differentiated(given)):
        if len(result) == len(names):
            return dict(zip(names, result, strict=True))
    raise GradientError(
        f"gradcheck: backward returned {len(result)} gradient(s), f has the arguments {list(given.names)}; return a "
        "dict by name, a tuple in argument order, or one array if there is one argument"
    )


def _differentiated(given: Arguments) -> list[str]:
    """The arguments that hold a differentiated leaf."""
    wanted: list[str] = []
    start = 0
    for name, structure in zip(given.names, given.structures, strict=True):
        stop = start + sum(1 for _ in paths(structure, name))
        if any(start <= k < stop for k in given.places):
            wanted.append(name)
        start = stop
    return wanted


def _gradient(found: Any, leaf: Any, path: str) -> Any:
    if found is None:
        raise GradientError(
            f"gradcheck: backward returned no gradient for {path!r}; return zeros if nothing flows to it"
        )
    array = np.asarray(found)
    if array.dtype.kind not in "biuf":
        raise DTypeError(f"gradcheck: backward returned {array.dtype} for {path!r}; return real numbers")
    if array.shape != np.shape(leaf):
        raise ShapeError(
            f"gradcheck: backward returned shape {array.shape} for {path!r}, which has shape {np.shape(leaf)}; "
            "sum over the axes along which it was broadcast"
        )
    return array
