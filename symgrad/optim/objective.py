"""A loss that a closure computes from leaves, as a function of all parameters in one vector."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgrad.differentiate import hessian, hvp, jacobian, value_and_grad
from symgrad.errors import SymgradError
from symgrad.optim.groups import checked
from symgrad.plan import compile
from symgrad.tensor import Tensor
from symgrad.tracing import trace

__all__ = ["FullBatch", "Objective"]

Array = NDArray[Any]


class Objective:
    """A closure's loss as a function of one vector, with its exact derivatives; traced once, then compiled.

    Parameters
    ----------
    closure : callable
        Takes nothing and returns the loss (or residuals); it may call zero_grad and backward, which are not needed.
    params : list of Tensor
    """

    def __init__(self, closure: Callable[[], Any], params: list[Tensor]) -> None:
        self.params = params
        self.edges = np.cumsum([0, *(p.size for p in params)]).tolist()
        graph = trace(closure)
        if len(graph.outputs) != 1:
            raise SymgradError(f"closure: must return one Tensor, the loss; it returned {len(graph.outputs)}")
        place = {id(p): k for k, p in enumerate(params)}

        def value(theta: Any) -> Any:
            parts = [theta[a:b].reshape(p.shape) for p, (a, b) in zip(params, pairwise(self.edges), strict=True)]
            closed = [parts[place[id(leaf)]] if id(leaf) in place else leaf.detach() for leaf, _ in graph.leaves]
            return graph.apply([], closed)[0]

        self.value = value

    @cached_property
    def value_and_grad(self) -> Callable[[Array], tuple[Array, Array]]:
        """The loss and its gradient."""
        return compile(value_and_grad(self.value))

    @cached_property
    def hvp(self) -> Callable[[Array, Array], Array]:
        """The product of the Hessian with a vector, without the Hessian."""
        return compile(lambda theta, v: hvp(self.value, theta, v))

    @cached_property
    def hessian(self) -> Callable[[Array], Array]:
        """The Hessian."""
        return compile(hessian(self.value))

    @cached_property
    def jacobian(self) -> Callable[[Array], Array]:
        """The Jacobian of residuals."""
        return compile(jacobian(self.value))

    def start(self) -> Array:
        """The parameters as they are."""
        return np.concatenate([np.ravel(p.numpy()) for p in self.params])

    def publish(self, theta: Array) -> None:
        """Give the parameters their values."""
        for p, (a, b) in zip(self.params, pairwise(self.edges), strict=True):
            p.assign(theta[a:b].reshape(p.shape))


class FullBatch:
    """Base of methods that ask for the loss at points of their choice; one `step` may be a whole minimisation."""

    def __init__(self, params: Iterable[Tensor]) -> None:
        self.params = checked(list(params))
        if not self.params:
            raise SymgradError(f"{type(self).__name__}: got no parameters; pass model.parameters()")

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for p in self.params:
            p.grad = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.params)} parameters, {sum(p.size for p in self.params)} numbers)"
