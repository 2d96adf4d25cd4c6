"""The frozen `Op`, its one-declaration constructor, and the tables that link the floors."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from symgrad.errors import DTypeError, OpError, ShapeError, SymgradError
from symgrad.shapes import broadcast

__all__ = ["CONVERTERS", "DISPLAY", "FUNCTIONS", "OPS", "Op", "builtin", "explain", "function", "op"]

OPS: dict[str, Op] = {}
"""Every built-in op by name."""

FUNCTIONS: dict[str, Callable[..., Any]] = {}
"""What a NumPy function, a Tensor operator or a Tensor method of that name means on Tensors."""

CONVERTERS: dict[type, Callable[[Op, tuple[Any, ...], tuple[Any, ...]], Any]] = {}
"""Number systems: what calling an op on an argument of that type does (Tensor: record; SymPy: symbol)."""

DISPLAY: dict[str, Callable[..., Any]] = {}
"""Notebook display and text of other floors, by method name."""

_SYSTEM_OF: dict[type, Callable[..., Any] | None] = {np.ndarray: None, float: None, int: None, np.float64: None}


def _system(kind: type) -> Callable[..., Any] | None:
    """The number system of a type, looked up once along its bases."""
    for base in kind.__mro__:
        if base in CONVERTERS:
            _SYSTEM_OF[kind] = CONVERTERS[base]
            return CONVERTERS[base]
    return None  # not remembered: the system may be registered later


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Op:
    """One differentiable operation and everything about it; make one with `symgrad.op`.

    Calling it on arrays runs ``forward``; on Tensors it records a node; on any other number
    system (SymPy scalars) it does what that system registered in ``CONVERTERS``.
    """

    name: str
    forward: Callable[..., Any]
    pullback: tuple[Callable[..., Any] | None, ...] | Callable[..., Any] | None = None
    arity: int | None = 1
    params: tuple[str, ...] = ()
    defaults: tuple[Any, ...] = ()
    symbol: str | None = None
    notation: str | None = None
    indices: str | Callable[..., str] = "elementwise"
    domain: tuple[Any, ...] | None = None
    pieces: tuple[str, ...] = ()
    shape: Callable[..., Any] | None = None
    dtype: Any = None
    promotes: tuple[int, ...] | None = None
    orders: tuple[int, ...] = ()
    outputs: tuple[str, ...] = ()
    view: bool = False
    identity: bool = False
    out: bool = False

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Run, record, or hand over to the number system of the arguments."""
        if len(args) == 1 and self.arity == 1 and not self.params and not options:  # the common case, quickly
            system = _SYSTEM_OF.get(type(args[0]), self)
            if system is None:
                try:
                    return self.forward(args[0])
                except (ValueError, TypeError, IndexError):
                    return self._run(args, ())  # to tell what was wrong
            if system is not self:
                return system(self, args, ())
        if self.arity is None:
            inputs, params = self._inputs(args[0]), self._bind(args[1:], options)
        else:
            n = self.arity
            if len(args) < n:
                raise OpError(f"{self.name}: takes {n} array argument(s), got {len(args)}")
            inputs = args[:n] if len(args) > n else args
            params = self._bind(args[n:], options) if self.params or options or len(args) > n else ()
        for x in inputs:
            kind = type(x)
            system = _SYSTEM_OF[kind] if kind in _SYSTEM_OF else _system(kind)
            if system is not None:
                return system(self, inputs, params)
        return self._run(inputs, params)

    def _run(self, inputs: tuple[Any, ...], params: tuple[Any, ...]) -> Any:
        """The forward on arrays."""
        try:
            return self.forward(*inputs, *params) if self.arity is not None else self.forward(inputs, *params)
        except SymgradError:
            raise
        except (ValueError, TypeError, IndexError) as error:
            raise explain(self, inputs, params, error) from None

    def _inputs(self, given: Any) -> tuple[Any, ...]:
        if not isinstance(given, (tuple, list)) or not given:
            raise OpError(f"{self.name}: takes a non-empty list or tuple of arrays, got {type(given).__name__}")
        return tuple(given)

    def _bind(self, values: tuple[Any, ...], options: dict[str, Any]) -> tuple[Any, ...]:
        """Parameters in declared order, from positional and named values and defaults."""
        if len(values) > len(self.params):
            raise OpError(f"{self.name}: takes parameters {self.params}, got {len(values)} positional ones")
        bound = list(values)
        first_default = len(self.params) - len(self.defaults)
        for k in range(len(values), len(self.params)):
            name = self.params[k]
            if name in options:
                bound.append(options.pop(name))
            elif k >= first_default:
                bound.append(self.defaults[k - first_default])
            else:
                raise OpError(f"{self.name}: parameter {name!r} is missing; it takes {self.params}")
        if options:
            raise OpError(f"{self.name}: unknown parameter(s) {sorted(options)}; it takes {self.params or 'none'}")
        return tuple(bound)

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def __reduce__(self) -> Any:
        if OPS.get(self.name) is not self:
            raise OpError(f"{self.name}: only built-in ops are stored by name; detach the Tensor, or copy its function")
        return _stored, (self.name,)

    def __deepcopy__(self, memo: dict[int, Any]) -> Op:
        return self


def explain(op: Op, inputs: tuple[Any, ...], params: tuple[Any, ...], error: Exception) -> SymgradError:
    """The failure of a forward as an error that names op, arguments and remedy."""
    if op.indices == "elementwise":
        try:
            broadcast(*[x.shape if hasattr(x, "shape") else np.shape(x) for x in inputs])
        except (ShapeError, ValueError) as mismatch:
            return ShapeError(f"{op.name}: {mismatch}")
    listed = ", ".join(x._describe() if hasattr(x, "_describe") else _kind(x) for x in inputs)
    named = "".join(f", {n}={v!r}" for n, v in zip(op.params, params, strict=False))
    kind = DTypeError if isinstance(error, TypeError) else ShapeError
    return kind(f"{op.name}: {error}; the arguments were {listed}{named}")


def _stored(name: str) -> Op:
    """The built-in op of this name, when a pickle is read."""
    return OPS[name]


def op(name: str, forward: Callable[..., Any], **fields: Any) -> Op:
    r"""Declare an op: its forward on arrays, its pullback, and its meaning in mathematics.

    Parameters
    ----------
    name : str
        For people, pictures and errors.
    forward : callable
        On arrays: ``forward(*inputs, *params)``. An op of any number of inputs (``arity=None``)
        gets them as one tuple.
    pullback : tuple of callables, or callable
        One function per input, ``(g, y, *inputs, *params) -> cotangent``, or None where nothing
        flows; or one function ``(g, y, inputs, params) -> tuple`` where work is shared. Elementwise
        pullbacks use operators and ops only, so that they also run on Tensors (any order) and on
        SymPy scalars (proof). Broadcasting is undone by the engine.
    arity : int, optional
        Number of array inputs; by default the length of the pullback tuple.
    params : tuple of str
        Names of the static, hashable parameters that follow the inputs.
    symbol : str
        The scalar meaning: a SymPy function's name or a formula in x, y, z.
    notation : str
        LaTeX with ``{0}``, ``{1}`` for the inputs.
    indices : str
        Meaning in index notation: ``elementwise``, ``sum``, ``mean``, ``expand``, ``sum_to``,
        ``unsqueeze``, ``permute``, ``size``, ``einsum``, ``identity``, ``const``, ``gather``, ``opaque``.
    domain : tuple
        Interval(s) of inputs on which the rule is smooth, for checks.
    orders : tuple of int
        Which inputs are integers, such as the order of a Bessel function: nothing flows to them.

    Returns
    -------
    Op
        Frozen. It is not registered anywhere: keep it and call it.

    Raises
    ------
    OpError
        For an unknown field, or an arity that does not fit the pullback.

    Examples
    --------
    >>> import numpy as np, symgrad as sg
    >>> cube = sg.op("cube", lambda x: x**3, pullback=(lambda g, y, x: g * 3 * x * x,), symbol="x**3")
    >>> sg.grad(cube)(2.0)
    array(12.)
    """
    unknown = fields.keys() - Op.__dataclass_fields__.keys()
    if unknown:
        known = ", ".join(Op.__dataclass_fields__)
        raise OpError(f"op {name!r}: unknown field(s) {sorted(unknown)}; the fields are {known}")
    if not isinstance(name, str) or not name.isidentifier():
        raise OpError(f"op: the name must be an identifier, got {name!r}")
    if not callable(forward):
        raise OpError(f"op {name!r}: forward must be callable, got {type(forward).__name__}")
    pullback = fields.get("pullback")
    if isinstance(pullback, tuple):
        if fields.setdefault("arity", len(pullback)) != len(pullback):
            raise OpError(f"op {name!r}: {fields['arity']} input(s) but {len(pullback)} pullback function(s)")
    elif isinstance(forward, np.ufunc):
        fields.setdefault("arity", forward.nin)
    if isinstance(forward, np.ufunc):
        fields.setdefault("out", True)
    if isinstance(pullback, tuple) and not any(pullback):
        fields["pullback"] = ()  # locally constant: nothing flows to any input
    return Op(name, forward, **fields)


def builtin(name: str, forward: Callable[..., Any], **fields: Any) -> Op:
    """Declare an op and register it in ``OPS`` (and as the function of its name)."""
    made = op(name, forward, **fields)
    if name in OPS:
        raise OpError(f"op {name!r} is declared twice")
    OPS[name] = made
    FUNCTIONS.setdefault(name, made)
    return made


def function(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function on Tensors under its own name and the given NumPy names.

    What it raises is of symgrad's family: an argument of a kind that it cannot work on is named in an `OpError`.
    """

    def register(f: Callable[..., Any]) -> Callable[..., Any]:
        guarded = _guarded(f)
        for name in (f.__name__, *names):
            if name in FUNCTIONS and not isinstance(FUNCTIONS[name], Op):
                raise OpError(f"function {name!r} is declared twice")
            FUNCTIONS[name] = guarded
        return guarded

    return register


def _guarded(f: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with Python's and NumPy's errors about odd arguments told in terms of its own."""

    @functools.wraps(f)
    def call(*args: Any, **options: Any) -> Any:
        try:
            return f(*args, **options)
        except SymgradError:
            raise
        except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            signature = inspect.signature(f)
            try:
                given = signature.bind(*args, **options).arguments
            except TypeError:
                raise error from None  # Python's own words for a wrong signature
            kinds = ", ".join(f"{name}={_kind(value)}" for name, value in given.items())
            raise OpError(f"{f.__name__}: {error}; it was given {kinds}, and takes {_names(signature)}") from error

    return call


def _names(signature: inspect.Signature) -> str:
    """The parameters and their defaults."""
    bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return str(inspect.Signature(bare))


def _kind(value: Any) -> str:
    """An argument in few words."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{value.dtype}{tuple(value.shape)}"
    text = repr(value)
    return text if len(text) < 40 else type(value).__name__
