"""Every exception of symgrad: each says what was wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = [
    "AnomalyError",
    "DTypeError",
    "DataError",
    "GradientError",
    "GraphError",
    "OpError",
    "ShapeError",
    "StaleGraphError",
    "SymbolicError",
    "SymgradError",
    "TimeLimitError",
    "TracingError",
    "UnsupportedError",
]


class SymgradError(Exception):
    """Base of every error that symgrad raises on purpose.

    Examples
    --------
    >>> import symgrad as sg
    >>> try:
    ...     sg.tensor([1.0, 2.0]) + sg.tensor([1.0, 2.0, 3.0])
    ... except sg.SymgradError as error:
    ...     print(error)
    add: shapes (2,) and (3,) do not broadcast; reshape one of them, or insert an axis of size 1
    """


class ShapeError(SymgradError, ValueError):
    """Shapes, axes or indices do not fit each other."""


class DTypeError(SymgradError, TypeError):
    """The element type is not one that the operation can work on."""


class OpError(SymgradError, TypeError):
    """An op was declared or called in a way that it does not have."""


class UnsupportedError(SymgradError, TypeError):
    """A thing that other array libraries have and symgrad leaves out on purpose."""


class GradientError(SymgradError, ValueError):
    """A derivative was asked for that is not defined as asked."""


class StaleGraphError(GradientError):
    """A leaf was reassigned after the graph that is differentiated was recorded."""


class TracingError(SymgradError, TypeError):
    """The value of an abstract Tensor (or of a symbolic size) was asked for."""


class GraphError(SymgradError, ValueError):
    """A Graph is malformed, or was run on inputs that it was not traced for."""


class AnomalyError(SymgradError, FloatingPointError):
    """A value that is not finite was produced under ``detect_anomaly``."""


class DataError(SymgradError, ValueError):
    """Data handed in from outside cannot be used as asked."""


class SymbolicError(SymgradError, ValueError):
    """A formula cannot be read, derived or proved as asked."""


class TimeLimitError(SymgradError, TimeoutError):
    """A derivation or proof was not done within the time that it was given."""


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is most like a wrong one, as the end of a sentence; nothing if none is like it.

    Examples
    --------
    >>> nearest("bacthnorm", ["batchnorm", "softmax"])
    "; did you mean 'batchnorm'?"
    """
    from difflib import get_close_matches

    found = get_close_matches(name, list(known), 1)
    return f"; did you mean {found[0]!r}?" if found else ""
