"""`Module`: parameters, state and submodules, found by the path of attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from symgrad.context import MODE, RUN, Run, no_grad, run, scope
from symgrad.errors import DTypeError, SymgradError
from symgrad.nn.parameter import Slot, State
from symgrad.op import DISPLAY
from symgrad.tensor import SCALARS, Meta, Tensor, array_like, next_serial, tensor
from symgrad.trees import flatten

__all__ = ["Layer", "Module"]


class Module:
    """Base of all layers and models: set attributes, and define ``forward``.

    Calling it runs ``forward``; a list of numbers is handed over as an array.

    Parameters (leaves that require a gradient), `State` and submodules are found by themselves in
    attributes; submodules also in lists, tuples and dicts. ``super().__init__()`` is not needed.

    Initial values are drawn at first use, keyed by (seed, "init", path): the seed is that of the ambient
    Run, else 0; `initialize` draws them with another.

    Examples
    --------
    >>> import numpy as np
    >>> from symgrad import nn
    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         self.layers = [nn.Linear(2, 3), nn.Linear(3, 1)]
    ...
    ...     def forward(self, x):
    ...         a, b = self.layers
    ...         return b(nn.functional.relu(a(x)))
    >>> net = Net()
    >>> [name for name, _ in net.named_parameters()]
    ['layers.0.weight', 'layers.0.bias', 'layers.1.weight', 'layers.1.bias']
    >>> net.predict(np.ones((5, 2))).shape
    (5, 1)
    """

    training: bool
    _slots: dict[str, Slot]
    _path: str  # as in state_dict
    _shown: str  # the same for people, in pictures and programs: "Linear0" instead of "0"
    _ready: bool

    def __new__(cls, *args: Any, **options: Any) -> Self:
        """Make the module's own books, so that ``__init__`` of a subclass needs no call of this one's."""
        made = super().__new__(cls)
        made.__dict__.update(training=True, _slots={}, _path="", _shown="", _ready=False)
        return made

    def forward(self, *args: Any, **options: Any) -> Any:
        """What the module computes; define it."""
        raise SymgradError(f"{type(self).__name__}: defines no forward(self, x); write one")

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Run ``forward``, marked as a scope of the graph."""
        if not self._ready:
            self._draw()
        own, first = self._shown.rpartition(".")[2] or type(self).__name__, next_serial()
        with scope(own):
            y = self.forward(*map(self._taken, args), **{name: self._taken(x) for name, x in options.items()})
        if isinstance(y, Tensor) and y.op is not None and y.value is not None and y.serial > first:
            y.meta = y.meta or Meta()
            y.meta.spans += ((first, own),)
        return y

    def _taken(self, x: Any) -> Any:
        """An argument as ``forward`` gets it."""
        numbers = isinstance(x, list) and x and all(isinstance(v, SCALARS) for v in flatten(x)[0])
        return array_like(x, self._called()) if numbers else x

    def _called(self) -> str:
        """The module in errors."""
        return f"{type(self).__name__} {self._path!r}" if self._path else type(self).__name__

    # Attributes

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Tensor) and value.op is None and value.requires_grad:
            value = Slot(None, leaf=value)
        if isinstance(value, Slot):
            self.__dict__.pop(name, None)
            self._slots[name] = value
            self._ready = False
            return
        if name in self._slots:
            if value is not None:
                raise SymgradError(
                    f"{type(self).__name__}.{name} is a parameter; change its value with .{name}.assign(value)"
                )
            del self._slots[name]
        self.__dict__[name] = value
        for path, child in _modules_in(value, name):
            self.__dict__["_ready"] = False
            child._relabel(_join(self._path, path), _join(self._shown, _shown(path, {path: child})))

    def __getattr__(self, name: str) -> Any:
        slot = self.__dict__.get("_slots", {}).get(name)
        if slot is None:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return slot.leaf if slot.leaf is not None else self._leaf(name, slot)

    def _leaf(self, name: str, slot: Slot, seed: int | None = None) -> Tensor:
        """The leaf of a slot, drawn now if it was not (or again, with a seed)."""
        path = _join(self._path, name)
        if slot.leaf is None or seed is not None:
            slot.draw(_ambient().seed if seed is None else seed, path)
        assert slot.leaf is not None
        _name(slot.leaf, _join(self._shown, name))
        return slot.leaf

    def _relabel(self, path: str, shown: str) -> None:
        """Tell this module and all below where they are."""
        found = dict(self.named_modules())
        for below, module in found.items():
            module.__dict__.update(_path=_join(path, below), _shown=_join(shown, _shown(below, found)))

    def _draw(self, seed: int | None = None) -> None:
        """Settle the paths of all modules below, then draw what was not drawn (or, with a seed, all)."""
        self._relabel(self._path, self._shown)
        for _, module in self.named_modules():
            for name, slot in module._slots.items():
                module._leaf(name, slot, seed)
            module.__dict__["_ready"] = True
        for _, module in self.named_modules():
            for name, state in module._states():
                _name(state.leaf, _join(module._shown, name))

    def initialize(self, seed: int = 0) -> Self:
        """Draw all initial values, now or again, with this seed; returns the module.

        Examples
        --------
        >>> from symgrad import nn
        >>> layer = nn.Linear(3, 2).initialize(seed=1)
        """
        self._draw(seed)
        return self

    # Looking

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """Path and module, this one first (path ""); a module that occurs twice comes once."""
        seen: set[int] = set()
        stack: list[tuple[str, Module]] = [("", self)]
        while stack:
            path, module = stack.pop()
            if id(module) in seen:
                continue
            seen.add(id(module))
            yield path, module
            stack += [(_join(path, name), child) for name, child in reversed(module._children())]

    def _children(self) -> list[tuple[str, Module]]:
        attributes = [(name, value) for name, value in self.__dict__.items() if name != "_slots"]
        return [found for name, value in attributes for found in _modules_in(value, name)]

    def modules(self) -> list[Module]:
        """All modules, the first of which is this one."""
        return [module for _, module in self.named_modules()]

    def named_parameters(self) -> list[tuple[str, Tensor]]:
        """Path and leaf of every parameter; one that is shared comes once."""
        self._draw()
        found: dict[int, tuple[str, Tensor]] = {}
        for path, module in self.named_modules():
            for name, slot in module._slots.items():
                leaf = module._leaf(name, slot)
                found.setdefault(id(leaf), (_join(path, name), leaf))
        return list(found.values())

    def parameters(self) -> list[Tensor]:
        """Every parameter once, in the order of `named_parameters`."""
        return [leaf for _, leaf in self.named_parameters()]

    def named_states(self) -> list[tuple[str, State]]:
        """Path and `State` of everything that modules remember."""
        return [(_join(path, name), value) for path, module in self.named_modules() for name, value in module._states()]

    def _states(self) -> list[tuple[str, State]]:
        return [(name, value) for name, value in self.__dict__.items() if isinstance(value, State)]

    # Saving

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Copies of all parameters and states, by path."""
        return {name: np.array(leaf.numpy()) for name, leaf in self._leaves().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the values of a `state_dict`; nothing changes unless all of it fits.

        Raises
        ------
        SymgradError
            Naming what is missing, unknown, or of another shape.
        """
        leaves = self._leaves()
        missing, unknown = sorted(leaves.keys() - state.keys()), sorted(state.keys() - leaves.keys())
        wrong = [
            f"{name}: {np.shape(state[name])} instead of {leaf.shape}"
            for name, leaf in leaves.items()
            if name in state and np.shape(state[name]) != leaf.shape
        ]
        problems = {"missing": missing, "unknown": unknown, "of another shape": wrong}
        if any(problems.values()):
            text = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in problems.items() if names)
            raise SymgradError(f"load_state_dict: this state is of another model: {text}")
        for name, leaf in leaves.items():
            leaf.assign(state[name])

    def _leaves(self) -> dict[str, Tensor]:
        return dict(self.named_parameters()) | {name: state.leaf for name, state in self.named_states()}

    # Modes

    def train(self, mode: bool = True) -> Self:
        """Set training mode for this module and all below it; returns the module."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Set evaluation mode for this module and all below it; returns the module."""
        return self.train(False)

    def in_training(self) -> bool:
        """Whether the module is in training mode, and the ambient Run, if any, is too."""
        current = MODE.get()
        tracing = current is not None and current.trace is not None
        training = current.trace.flag(self, "training") if tracing else self.training  # type: ignore[union-attr]
        return training and _ambient().training

    def predict(self, X: Any, batch_size: int = 1024) -> NDArray[Any]:
        """The output for X in evaluation mode, as an array; nothing is recorded and nothing changes.

        Parameters
        ----------
        X : array_like, shape (n, ...)
            Floats are taken in the dtype of the parameters.
        batch_size : int
            How many examples run at once.
        """
        X, ambient = self.cast(X), _ambient()
        if X.ndim == 0 or len(X) == 0:
            raise SymgradError(f"predict: X has shape {X.shape}; its first axis must hold at least one example")
        with no_grad(), run(ambient.seed, ambient.step, training=False):
            parts = [self(tensor(X[k : k + batch_size])).numpy() for k in range(0, len(X), batch_size)]
        return np.concatenate(parts)

    def cast(self, X: Any) -> NDArray[Any]:
        """X as an array; floats in the dtype of the parameters."""
        array: NDArray[Any] = np.asarray(X)
        wanted = next((leaf.dtype for leaf in self.parameters()), array.dtype)
        return array.astype(wanted, copy=False) if array.dtype.kind == "f" else array

    # Text

    def summary(self) -> str:
        """A table of all modules with the shapes and numbers of their own parameters."""
        rows = [("path", "module", "parameters", "count")]
        self._draw()
        for path, module in self.named_modules():
            leaves = {name: module._leaf(name, slot) for name, slot in module._slots.items()}
            shapes = ", ".join(f"{name} {leaf.shape}" for name, leaf in leaves.items())
            rows.append((path or ".", type(module).__name__, shapes, str(sum(leaf.size for leaf in leaves.values()))))
        rows.append(("total", "", "", str(sum(leaf.size for leaf in self.parameters()))))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        return Summary("\n".join(lines))

    def extra(self) -> str:
        """The arguments that `repr` shows; a layer may define it."""
        return ""

    def __repr__(self) -> str:
        below = self._children()
        if not below:
            return f"{type(self).__name__}({self.extra()})"
        lines = [f"  {name}: " + repr(child).replace("\n", "\n  ") for name, child in below]
        return "\n".join([f"{type(self).__name__}(", *lines, ")"])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        show = DISPLAY.get("module")
        return show(self) if show is not None else {"text/plain": repr(self)}


class Summary(str):
    """Text of several lines, which a notebook and the prompt show as such."""

    def __repr__(self) -> str:
        return str(self)


class Layer(Module):
    """Base of the layers that take one array of real numbers."""

    def _taken(self, x: Any) -> Any:
        """The argument as an array or Tensor, checked."""
        x = array_like(x, self._called())
        if x.dtype.kind not in "biuf":
            raise DTypeError(f"{self._called()}: takes an array of real numbers, got {x.dtype}")
        return x


def _modules_in(value: Any, name: str) -> list[tuple[str, Module]]:
    """Name and module of the modules in the value of an attribute."""
    if isinstance(value, Module):
        return [(name, value)]
    if isinstance(value, Slot):
        raise SymgradError(f"{name}: a Parameter with an initialiser must be an attribute of its own, not in a list")
    if not isinstance(value, list | tuple | dict):
        return []
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    return [found for key, item in pairs for found in _modules_in(item, f"{name}.{key}")]


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path and name else path or name


def _shown(path: str, modules: Mapping[str, Module]) -> str:
    """A path for people: a number in a list says little, so the kind of the module goes before it."""
    shown = parts = path.split(".")
    for k, part in enumerate(parts):
        module = modules.get(".".join(parts[: k + 1]))
        if part.isdigit() and module is not None:
            shown = [*shown[:k], type(module).__name__ + part, *shown[k + 1 :]]
    return ".".join(shown)


def _name(leaf: Tensor, name: str) -> None:
    """Name a leaf that has no name, for errors, pictures and programs."""
    leaf.meta = leaf.meta or Meta()
    leaf.meta.name = leaf.meta.name or name


def _ambient() -> Run:
    """The current Run, or one of seed 0 in training."""
    return RUN.get() or Run()
