"""What is checked, in one form: a function of a list of arrays and its pullback."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from symgrad.checking.numeric import Arrays
from symgrad.differentiate import vjp
from symgrad.errors import DataError, DTypeError, GradientError, OpError, UnsupportedError
from symgrad.tensor import SCALARS, Tensor, array_like, as_tensor, tensor
from symgrad.trees import Structure, flatten, unflatten

__all__ = ["Arguments", "Subject", "arguments_of", "check_outputs", "of_tensors", "paths"]

_FLOATS = (np.dtype(np.float64), np.dtype(np.float32))


@dataclass(frozen=True, slots=True)
class Subject:
    """A function of a list of arrays, and its pullback.

    Attributes
    ----------
    names : tuple of str
        Of the arrays.
    points : list of ndarray
        Where to check, float32 or float64.
    value : callable
        From arrays to the list of outputs.
    pull : callable
        From arrays and cotangents of the outputs to cotangents of the arrays.
    core : callable or None
        The function on Tensors, if it is one of Tensors.
    """

    names: tuple[str, ...]
    points: Arrays
    value: Callable[[Arrays], Arrays]
    pull: Callable[[Arrays, Arrays], Arrays]
    core: Callable[..., Any] | None = None

    def gradient(self, cotangents: Arrays, order: int) -> Subject:
        """The pullback as the next function to check; linear in the cotangents, which become inputs too."""
        core, n = self.core, len(self.points)
        if core is None:
            raise GradientError(
                f"gradcheck: order={order} differentiates the gradient, which only symgrad functions can; "
                "with backward= use order=1"
            )

        def pulled(*arrays: Any) -> Any:
            return vjp(core, *arrays[:n])[1](tuple(arrays[n:]))

        name = "g" if order == 2 else f"g{order - 1}"
        several = len(cotangents) > 1
        names = (*self.names, *(f"{name}[{k}]" if several else name for k in range(len(cotangents))))
        return _of_core(names, [*self.points, *cotangents], pulled)


def _of_core(names: tuple[str, ...], points: Arrays, core: Callable[..., Any]) -> Subject:
    def value(arrays: Arrays) -> Arrays:
        return [as_tensor(y).numpy() for y in core(*map(tensor, arrays))]

    def pull(arrays: Arrays, cotangents: Arrays) -> Arrays:
        return [np.asarray(g) for g in vjp(core, *arrays)[1](tuple(cotangents))]

    return Subject(names, points, value, pull, core)


# Arguments


@dataclass(frozen=True, slots=True)
class Arguments:
    """Positional arguments as flat leaves, some of which are differentiated by.

    Attributes
    ----------
    names : tuple of str
        Of the arguments, as f calls them.
    structures : tuple
        How the leaves of each argument are nested.
    leaves : list
        All leaves, in order.
    places : list of int
        Which leaves are differentiated by.
    paths : tuple of str
        The names of those.
    by_name : bool
        Whether f gets its arguments by keyword.
    """

    names: tuple[str, ...]
    structures: tuple[Structure, ...]
    leaves: list[Any]
    places: list[int]
    paths: tuple[str, ...]
    by_name: bool

    def call(self, f: Callable[..., Any], arrays: Any) -> Any:
        """F with these arrays in the differentiated places."""
        named = self.named(arrays)
        return f(**named) if self.by_name else f(*named.values())

    def named(self, arrays: Any) -> dict[str, Any]:
        """The arguments by name, with these arrays in the differentiated places."""
        leaves = list(self.leaves)
        for place, array in zip(self.places, arrays, strict=True):
            leaves[place] = array
        rest = iter(leaves)
        return {name: unflatten(s, rest) for name, s in zip(self.names, self.structures, strict=True)}

    def points(self) -> Arrays:
        """Copies of the differentiated leaves."""
        return [np.array(self.leaves[k]) for k in self.places]


def arguments_of(f: Callable[..., Any], inputs: Any, argnums: int | tuple[int, ...] | None) -> Arguments:
    """Sort out the inputs: names, nesting, and which arrays are differentiated by; every mistake is named."""
    if not callable(f):
        raise OpError(f"gradcheck: f must be a function, got {type(f).__name__}")
    by_name = isinstance(inputs, dict)
    if isinstance(inputs, list) and inputs and all(isinstance(x, SCALARS) for x in flatten(inputs)[0]):
        inputs = array_like(inputs, "gradcheck: inputs")
    values = list(inputs.values()) if by_name else list(inputs) if isinstance(inputs, (tuple, list)) else [inputs]
    if not values:
        raise GradientError("gradcheck: inputs is empty; pass the arguments of f as a tuple, for example (x, w)")
    names = tuple(inputs) if by_name else _parameters(f, len(values))
    _check_call(f, inputs, names, by_name)
    chosen = _chosen(argnums, len(values))
    structures: list[Structure] = []
    leaves: list[Any] = []
    found: dict[int, str] = {}
    for k, (name, value) in enumerate(zip(names, values, strict=True)):
        own, structure = flatten(value)
        for leaf, path in zip(own, paths(structure, name), strict=True):
            if k in chosen and not _passed_through(leaf):
                found[len(leaves)] = path
                leaf = _checked(leaf, path)
            leaves.append(leaf)
        structures.append(structure)
    if not found:
        raise GradientError("gradcheck: no input is an array of floats, so there is nothing to differentiate by")
    return Arguments(names, tuple(structures), leaves, list(found), tuple(found.values()), by_name)


def _parameters(f: Callable[..., Any], count: int) -> tuple[str, ...]:
    """Names for positional arguments, from the signature of f."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return tuple(names[k] if k < len(names) else f"x{k}" for k in range(count))


def _check_call(f: Callable[..., Any], inputs: Any, names: tuple[str, ...], by_name: bool) -> None:
    try:
        signature = inspect.signature(f)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(**dict.fromkeys(names)) if by_name else signature.bind(*names)
    except TypeError as error:
        given = f"the names {list(names)}" if by_name else f"{len(names)} argument(s) from a {type(inputs).__name__}"
        raise OpError(
            f"gradcheck: f{signature} cannot take {given}: {error}; a tuple holds positional arguments, a dict "
            "arguments by name, and a list of numbers is one array; wrap a single nested argument as (x,)"
        ) from None


def _chosen(argnums: int | tuple[int, ...] | None, count: int) -> set[int]:
    numbers = range(count) if argnums is None else argnums if isinstance(argnums, tuple) else (argnums,)
    for n in numbers:
        if not isinstance(n, int) or not -count <= n < count:
            raise GradientError(f"gradcheck: argnums={argnums!r} does not fit {count} argument(s)")
    return {n % count for n in numbers}


def paths(structure: Structure, name: str) -> Iterator[str]:
    """The names of the leaves of a nested argument, such as ``params['w'][0]``."""
    if structure is None:
        yield name
        return
    _, keys, children = structure
    for key, child in zip(keys if keys is not None else range(len(children)), children, strict=True):
        yield from paths(child, f"{name}[{key!r}]")


def _passed_through(leaf: Any) -> bool:
    return isinstance(leaf, (bool, str, np.bool_)) or getattr(leaf, "dtype", None) == np.bool_


def _checked(leaf: Any, path: str) -> Any:
    """A leaf as an array of finite floats."""
    try:
        array = leaf.numpy() if isinstance(leaf, Tensor) else np.asarray(leaf)
    except (ValueError, TypeError) as error:
        raise DTypeError(f"gradcheck: cannot make an array of argument {path}: {error}; pass numbers") from None
    if array.dtype.kind in "iu":
        raise DTypeError(
            f"gradcheck: argument {path} is {array.dtype}; gradients need floats: write 3.0 instead of 3, convert "
            "with .astype(np.float64), or leave the argument out with argnums="
        )
    if array.dtype not in _FLOATS:
        raise DTypeError(
            f"gradcheck: argument {path} is {array.dtype}; gradients need float64 or float32: convert it, or leave "
            "the argument out with argnums="
        )
    if not np.isfinite(array).all():
        index = tuple(int(k) for k in np.argwhere(~np.isfinite(array))[0])
        raise DataError(
            f"gradcheck: argument {path} is {array[index]} at index {index}; derivatives are checked at finite points"
        )
    return array


# Subjects


def of_tensors(f: Callable[..., Any], given: Arguments) -> Subject:
    """The subject for a symgrad function."""

    def core(*arrays: Any) -> tuple[Any, ...]:
        return tuple(flatten(given.call(f, arrays))[0])

    try:
        outputs = core(*map(tensor, given.points()))
    except (UnsupportedError, TypeError, AttributeError) as error:
        if not _runs_on_arrays(f, given):
            raise
        raise OpError(
            f"gradcheck: f runs on NumPy arrays but not on Tensors ({error}); pass its gradient as backward=, or "
            "write f with the functions of symgrad"
        ) from error
    if not any(isinstance(y, Tensor) for y in outputs):
        raise OpError(
            "gradcheck: f returned no Tensor, so it left the graph (by np.asarray, .numpy() or float) or is constant; "
            "pass its gradient as backward=, or write f with the functions of symgrad"
        )
    check_outputs([as_tensor(y).dtype for y in outputs])
    return _of_core(given.paths, given.points(), core)


def _runs_on_arrays(f: Callable[..., Any], given: Arguments) -> bool:
    try:
        given.call(f, given.points())
    except Exception:  # then the first error is the one to show
        return False
    return True


def check_outputs(dtypes: list[Any]) -> None:
    """Refuse outputs that have no gradients."""
    for k, dtype in enumerate(dtypes):
        if dtype not in _FLOATS:
            raise DTypeError(f"gradcheck: output {k} of f is {dtype}; only float outputs have gradients: leave it out")
