"""What a regularizer is: a penalty, and what is done to the parameters after the optimizer's step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from symgrad.context import no_grad
from symgrad.errors import SymgradError
from symgrad.tensor import Tensor

__all__ = ["Regularizer", "named"]


class Regularizer:
    """A penalty that is added to the loss, and what is done to the parameters after the optimizer's step.

    A trainer asks two things of a regularizer, both inside of the step that it traces:

    - ``regularizer(model)`` before ``backward``: a scalar that it adds to the loss. Any function of a model (or of
      a dict of named parameters) is such a regularizer.
    - ``regularizer.after_step(model, lr)`` after ``optimizer.step()``: proximal steps and projections. Only objects
      that have the method are asked.

    Parameters
    ----------
    exclude : sequence of str
        Parameters with one of these words in their path are left alone, as in ``exclude=("bias", "norm")``.

    Examples
    --------
    >>> from symgrad import nn, regularizers
    >>> class Halved(regularizers.Regularizer):
    ...     def update(self, theta, lr):
    ...         return theta / 2
    >>> model = nn.Linear(1, 1, weight_init=nn.init.ones)
    >>> Halved(exclude=("bias",)).after_step(model, lr=0.1)
    >>> model.weight
    Tensor([[0.5]], name='weight', requires_grad=True)
    """

    def __init__(self, exclude: Iterable[str] = ()) -> None:
        self.exclude = (exclude,) if isinstance(exclude, str) else tuple(exclude)

    def __call__(self, parameters: Any) -> Any:
        """The penalty of a model, or of named parameters; 0 unless there is one."""
        return self.penalty(self.chosen(parameters))

    def penalty(self, parameters: list[Tensor]) -> Any:
        """The penalty of these parameters."""
        return 0.0

    def after_step(self, parameters: Any, lr: Any) -> None:
        """Give the parameters of a model the values that `update` makes of them.

        Parameters
        ----------
        parameters : Module, mapping of str to Tensor, or sequence of Tensor
        lr : float or Tensor
            The rate of the step that was made; proximal steps are as long.
        """
        if type(self).update is Regularizer.update:
            return
        with no_grad():
            for p in self.chosen(parameters):
                p.assign(self.update(p, lr))

    def update(self, theta: Any, lr: Any) -> Any:
        """The new value of one parameter."""
        return theta

    def chosen(self, parameters: Any) -> list[Tensor]:
        """The parameters that are not excluded."""
        found = [p for name, p in named(parameters).items() if not matches((name, p.name), self.exclude)]
        if not found:
            raise SymgradError(f"{type(self).__name__}: no parameter is left by exclude={self.exclude}")
        return found


def named(parameters: Any) -> dict[str, Tensor]:
    """The parameters of a model, or in a mapping or sequence, by name."""
    if hasattr(parameters, "named_parameters"):
        return dict(parameters.named_parameters())
    if isinstance(parameters, Mapping):
        return dict(parameters)
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    return {p.name or str(k): p for k, p in enumerate(parameters)}


def matches(names: Iterable[str | None], words: Iterable[str]) -> bool:
    """Whether one of the words occurs in one of the names; capitals do not matter."""
    return any(word.lower() in name.lower() for name in names if name for word in words)
