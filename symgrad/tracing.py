"""`trace`: run a function on abstract Tensors and keep the Graph of what it did."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from symgrad.context import mode
from symgrad.errors import DTypeError, GraphError, ShapeError, TracingError
from symgrad.graph import Draw, Graph
from symgrad.op import FUNCTIONS, OPS
from symgrad.recording import apply, outputs_of
from symgrad.shapes import Dim, same_shape
from symgrad.tensor import Tensor, abstract, as_tensor, next_serial
from symgrad.trees import flatten, tree_map, unflatten

__all__ = ["Spec", "Trace", "positional", "spec", "trace"]


@dataclass(frozen=True, slots=True)
class Spec:
    """Shape, dtype and sign of an argument that has no value yet."""

    shape: tuple[Any, ...]
    dtype: Any
    positive: bool = False


def spec(*sizes: str | int | Dim, dtype: Any = np.float64, positive: bool = False) -> Spec:
    """Describe an argument for `trace` and `derive`: sizes by name or number.

    Parameters
    ----------
    *sizes : str, int or Dim
        One per axis; a name is a symbolic size of at least 1. None at all is a scalar.
    dtype : dtype
    positive : bool
        Whether all elements are known to be positive.

    Examples
    --------
    >>> import symgrad as sg
    >>> sg.spec("B", 3).shape
    (B, 3)
    """
    shape = tuple(Dim(n) if isinstance(n, str) else n for n in sizes)
    for n in shape:
        if not isinstance(n, (int, Dim)) or isinstance(n, bool) or (isinstance(n, int) and n < 0):
            raise ShapeError(f"spec: a size is a name or a non-negative integer, got {n!r}")
    found = np.dtype(dtype)
    if found.kind not in "biuf" or found.itemsize not in (1, 2, 4, 8) or found == np.float16:
        raise DTypeError(f"spec: {found} is not supported; use float64, float32, bool or an integer type")
    return Spec(shape, found, positive)


class Trace:
    """What one trace has met: leaves, their newest versions, their gradients, random draws, flags.

    Parameters
    ----------
    inside : bool
        Whether nodes of an enclosing trace are leaves of this one.
    """

    def __init__(self, inside: bool = False) -> None:
        self.floor = next_serial() if inside else 0
        self.flags: dict[tuple[int, str], tuple[Any, str, Any]] = {}
        self.leaves: dict[int, tuple[Tensor, Tensor]] = {}
        self.newest: dict[int, Tensor] = {}
        self.owner: dict[int, Tensor] = {}
        self.grads: dict[int, tuple[Tensor, Any]] = {}
        self.assigned: dict[int, Tensor] = {}
        self.draws: list[Draw] = []

    def read(self, x: Tensor) -> Tensor:
        """The node that stands for a Tensor in this trace: itself, or a leaf's newest version."""
        if (x.value is None and x.serial > self.floor) or (x.op is not None and x.op.name == "const"):
            return x
        found = self.newest.get(id(x))
        if found is None:
            found = abstract(x.shape, x.dtype, name=x.name, latex=x.latex)
            found.requires_grad = x.requires_grad
            self.leaves[id(x)] = (x, found)
            self._version(x, found)
        return found

    def _version(self, leaf: Tensor, node: Tensor) -> None:
        self.newest[id(leaf)] = node
        self.owner[node.serial] = leaf

    def assign(self, leaf: Tensor, new: Any) -> None:
        """Make a new version of a leaf; the leaf itself is not touched."""
        if leaf.value is None:
            raise TracingError(f"assign: {leaf._describe()} is an argument of the traced function; assign to leaves")
        new = as_tensor(new, leaf.dtype)
        if not same_shape(new.shape, leaf.shape):
            raise ShapeError(f"assign: {leaf._describe()} got a value of shape {tuple(new.shape)}")
        if new.dtype.kind == "f" and leaf.dtype.kind != "f":
            raise DTypeError(f"assign: {leaf._describe()} got {new.dtype}; convert it first")
        if new.dtype != leaf.dtype:
            new = FUNCTIONS["astype"](new, leaf.dtype)
        self.read(leaf)
        version = apply(OPS["stop_gradient"], (new,))
        version.requires_grad = leaf.requires_grad
        self.assigned[id(leaf)] = leaf
        self._version(leaf, version)

    def grad_of(self, leaf: Tensor) -> Any:
        """The gradient that the trace has added up for a leaf."""
        if id(leaf) not in self.grads and leaf._grad is not None:
            raise TracingError(
                f"grad: {leaf._describe()} has a gradient from before the traced function; "
                "call zero_grad() first inside the function, or set .grad = None before tracing"
            )
        return self.grads.get(id(leaf), (leaf, None))[1]

    def set_grad(self, leaf: Tensor, new: Any) -> None:
        """Replace the gradient of a leaf, inside the trace only."""
        self.grads[id(leaf)] = (leaf, new)

    def add_grad(self, node: Tensor, g: Tensor) -> None:
        """Add to the gradient of the leaf that this node stands for."""
        leaf = self.owner.get(node.serial)
        if leaf is not None:
            before = self.grad_of(leaf)
            self.grads[id(leaf)] = (leaf, g if before is None else before + g)

    def flag(self, thing: Any, name: str) -> Any:
        """An attribute that decides what is traced, remembered."""
        value = getattr(thing, name)
        self.flags[id(thing), name] = (thing, name, value)
        return value

    def draw(self, path: str, shape: Any, dtype: Any) -> Tensor:
        """A random input."""
        node = abstract(tuple(shape), np.dtype(dtype), name=path.rpartition(".")[2])
        self.draws.append(Draw(node, path))
        return node


def trace(f: Callable[..., Any], /, *examples: Any, **named: Any) -> Graph:
    """The Graph of what f does, for arguments of the shapes and dtypes of the examples.

    Parameters
    ----------
    f : callable
        Of Tensors. Leaves that it closes over become inputs that are read at every call; leaves
        that it assigns to become outputs; other Python values are frozen as they are now.
    *examples, **named : arrays, Tensors, or specs; nested dicts, lists and tuples of them
        Booleans, strings and None are passed through. A list of numbers is such a nest: f gets a list of
        Tensors. For an array write ``np.array([1.0, 2.0])``.

    Returns
    -------
    Graph

    Raises
    ------
    TracingError
        If f needs the value of a Tensor: ``if``, ``float()``, ``.numpy()``, a boolean mask.
    GraphError
        If the keyword arguments have no place among f's positional ones.

    Examples
    --------
    >>> import symgrad as sg
    >>> g = sg.trace(lambda x: x.mean(), sg.spec("B"))
    >>> g([1.0, 3.0]), g([1.0, 2.0, 6.0])
    (array(2.), array(3.))
    """
    return traced(f, positional(f, examples, named, "trace"), Trace())


def traced(f: Callable[..., Any], examples: tuple[Any, ...], recorder: Trace) -> Graph:
    """`trace` with a given recorder."""
    inputs: list[Tensor] = []
    arguments = []
    structures = []
    for name, example in zip(_names(f, len(examples)), examples, strict=True):
        leaves, structure = flatten(example)
        structures.append(structure)
        arguments.append(unflatten(structure, [_input(x, name, inputs) for x in leaves]))
    with mode(trace=recorder, recording=True, anomaly=False, scope=()):
        outputs, structure = flatten(tree_map(outputs_of, f(*arguments)))
        outputs = [recorder.read(as_tensor(y)) for y in outputs]
    assigned = tuple((leaf, recorder.newest[key]) for key, leaf in recorder.assigned.items())
    leaves_met = tuple(recorder.leaves.values())
    draws = tuple(recorder.draws)
    flags = tuple(recorder.flags.values())
    graph = Graph(tuple(inputs), tuple(outputs), leaves_met, draws, assigned, structure, tuple(structures), flags)
    return graph.validate()


def positional(f: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any], where: str) -> tuple[Any, ...]:
    """The arguments of a call in the order of f's signature, those given by keyword too."""
    if not named:
        return args
    try:
        bound = inspect.signature(f).bind(*args, **named)
    except (TypeError, ValueError) as error:
        raise GraphError(f"{where}: the function cannot take these arguments: {error}") from None
    if bound.kwargs:
        raise GraphError(
            f"{where}: {', '.join(bound.kwargs)} cannot be given by keyword, because every argument of a graph has a "
            "position; give the arguments before it too, or close over the value: lambda x: f(x, option=value)"
        )
    return bound.args


def _names(f: Callable[..., Any], count: int) -> list[str]:
    """Names for the positional arguments."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [names[k] if k < len(names) else f"x{k}" for k in range(count)]


def _input(example: Any, name: str, inputs: list[Tensor]) -> Any:
    if isinstance(example, (bool, str)):
        return example
    taken = {x.name for x in inputs}
    unique = name if name not in taken else next(f"{name}_{k}" for k in range(1, 1 << 30) if f"{name}_{k}" not in taken)
    if isinstance(example, Spec):
        node = abstract(example.shape, example.dtype, name=unique, positive=example.positive)
    else:
        x = as_tensor(example)
        if x.op is not None and x.op.outputs:
            raise GraphError("trace: a multi-output node is not an argument; pass its items")
        node = abstract(x.shape, x.dtype, name=unique, latex=x.latex)
    inputs.append(node)
    return node
