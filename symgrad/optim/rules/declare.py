r"""What a rule declares beyond its signature."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

__all__ = ["Declaration", "decayed", "declaration", "rule"]

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Declaration:
    """What an optimizer needs to know of a rule.

    Attributes
    ----------
    state : tuple of str
        The names of its state, in the order of arguments and results.
    optional : tuple of str
        State that is None unless an optimizer asks for it.
    hyperparameters : tuple of str
    scalars : tuple of str
        State of one number, not of the shape of theta.
    start : mapping of str to number or str
        What state starts from where that is not 0: a number, ``"theta"``, or the name of a hyperparameter.
    per_tensor : bool
        Whether it reads norms of whole tensors, so that it must run on every parameter by itself.
    point : callable, optional
        ``point(theta, *state, **hyperparameters)``: where the gradient must be taken, if not at theta.
    follows : bool
        Whether it comes after another rule's step: ``rule(theta, *state, **hyperparameters)``, without a gradient.
    """

    state: tuple[str, ...]
    optional: tuple[str, ...]
    hyperparameters: tuple[str, ...]
    scalars: tuple[str, ...] = ("t",)
    start: Mapping[str, Any] = field(default_factory=dict)
    per_tensor: bool = False
    point: Callable[..., Any] | None = None
    follows: bool = False


def rule(**extra: Any) -> Callable[[F], F]:
    """Declare what a rule's signature does not say: the fields of `Declaration` from scalars on."""

    def mark(f: F) -> F:
        f._declaration = _read(f, **extra)  # type: ignore[attr-defined]
        return f

    return mark


def declaration(f: Callable[..., Any]) -> Declaration:
    """What a rule declares; any function of the right signature is a rule.

    Examples
    --------
    >>> def descent(theta, g, v, t, *, lr, beta=0.9):
    ...     return theta - lr * v, beta * v + g, t + 1
    >>> found = declaration(descent)
    >>> found.state, found.hyperparameters, found.scalars
    (('v', 't'), ('lr', 'beta'), ('t',))
    """
    found: Declaration | None = getattr(f, "_declaration", None)
    return _read(f) if found is None else found


def _read(f: Callable[..., Any], **extra: Any) -> Declaration:
    parameters = inspect.signature(f).parameters.values()
    state = [p for p in parameters if p.kind is not p.KEYWORD_ONLY][1 if extra.get("follows") else 2 :]
    optional = tuple(p.name for p in state if p.default is None)
    hyper = tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)
    return Declaration(tuple(p.name for p in state), optional, hyper, **extra)


def decayed(theta: Any, g: Any, weight_decay: Any) -> Any:
    r"""The gradient with that of the penalty :math:`\frac{\lambda}{2} \lVert \theta \rVert^2`: coupled weight decay."""
    return g + weight_decay * theta


def mean(old: Any, new: Any, beta: Any) -> Any:
    r"""The running mean :math:`\beta a + (1 - \beta) x`, which keeps the share :math:`\beta` of what it was."""
    return beta * old + (1 - beta) * new
