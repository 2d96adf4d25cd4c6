"""`Optimizer`: an update rule, its state and its hyperparameters, on all parameters at once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgrad.context import MODE
from symgrad.errors import DTypeError, GradientError, SymgradError
from symgrad.ops.layout import concatenate, ravel
from symgrad.optim import rules
from symgrad.tensor import Tensor, tensor

__all__ = ["SGD", "Adam", "Optimizer"]


class Optimizer:
    r"""An update rule at work on parameters, which it sees as one vector of length P.

    Parameters
    ----------
    params : iterable of Tensor
        Leaves that require a gradient, of one dtype; ``model.parameters()``.
    rule : callable
        ``rule(theta, g, *state, **hyperparameters) -> (theta, *state)``, see `symgrad.optim.rules`. It runs
        on arrays in eager mode and on Tensors in a trace, so operators and symgrad functions are all it may use.
    **hyperparameters : float
        Each becomes a leaf, readable and settable as an attribute: ``optimizer.lr = 0.1``. Compiled steps
        read it at every call. Those left at the rule's own default are no leaves but constants of the rule.

    Attributes
    ----------
    state : dict of str to Tensor
        One leaf per state variable of the rule, of shape (P,); the step count ``t`` of shape ().
    hyperparameters : dict of str to Tensor

    Examples
    --------
    >>> import symgrad as sg
    >>> from symgrad import optim
    >>> def sign_descent(theta, g, *, lr):
    ...     return (theta - lr * sg.sign(g),)
    >>> w = sg.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = optim.Optimizer([w], sign_descent, lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    Tensor([ 0.5, -1.5], requires_grad=True)
    """

    def __init__(self, params: Iterable[Tensor], rule: Callable[..., Any], **hyperparameters: Any) -> None:
        self.__dict__["hyperparameters"] = {}
        self.params = _checked(params)
        self.rule = rule
        self.dtype = self.params[0].dtype
        self.edges = np.cumsum([0, *(p.size for p in self.params)]).tolist()
        names, allowed = _signature(rule)
        if hyperparameters.keys() - allowed:
            raise SymgradError(
                f"{rule.__name__}: has no hyperparameter {sorted(hyperparameters.keys() - allowed)}; it has {allowed}"
            )
        sizes = {name: () if name == "t" else self.edges[-1] for name in names}
        self.state = {name: tensor(np.zeros(size, self.dtype), name=name) for name, size in sizes.items()}
        self.hyperparameters = {name: tensor(x, dtype=self.dtype, name=name) for name, x in hyperparameters.items()}

    def step(self) -> None:
        """Apply the rule to all parameters and their gradients.

        Raises
        ------
        GradientError
            Naming the parameters that have no gradient.
        """
        missing = [_called(p, k) for k, p in enumerate(self.params) if p.grad is None]
        if missing:
            raise GradientError(
                f"step: no gradient for {', '.join(missing)}; call loss.backward() first, and give the optimizer only "
                "parameters that the loss depends on"
            )
        mode = MODE.get()
        read = _value if mode is None or mode.trace is None else _itself
        theta = concatenate([ravel(read(p)) for p in self.params])
        g = concatenate([ravel(p.grad) for p in self.params])
        state = [read(s) for s in self.state.values()]
        new, *states = self.rule(theta, g, *state, **{k: read(h) for k, h in self.hyperparameters.items()})
        for p, (start, stop) in zip(self.params, pairwise(self.edges), strict=True):
            p.assign(new[start:stop].reshape(p.shape))
        for leaf, value in zip(self.state.values(), states, strict=True):
            leaf.assign(value)

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for p in self.params:
            p.grad = None

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Copies of the state and the hyperparameters, by name."""
        return {name: np.array(leaf.numpy()) for name, leaf in self._leaves().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a `state_dict` of the same rule on as many parameters; nothing changes unless all of it fits."""
        leaves = self._leaves()
        shapes = {name: leaf.shape for name, leaf in leaves.items()}
        given = {name: np.shape(value) for name, value in state.items()}
        if given != shapes:
            raise SymgradError(f"load_state_dict: takes {shapes}, got {given}: the state of another optimizer")
        for name, leaf in leaves.items():
            leaf.assign(state[name])

    def _leaves(self) -> dict[str, Tensor]:
        return self.state | self.hyperparameters

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["hyperparameters"][name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.__dict__.get("hyperparameters", ()):
            self.hyperparameters[name].assign(value)
        elif "rule" in self.__dict__ and name in _signature(self.rule)[1]:
            raise SymgradError(f"{type(self).__name__}: made without {name}; pass {name}= when you make the optimizer")
        else:
            self.__dict__[name] = value

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={leaf.item():g}" for name, leaf in self.hyperparameters.items())
        return f"{type(self).__name__}({len(self.params)} parameters, {self.edges[-1]} numbers, {shown})"


class SGD(Optimizer):
    r"""Gradient descent, with momentum if asked; the rules are in `symgrad.optim.rules`.

    Parameters
    ----------
    params : iterable of Tensor
    lr : float
    momentum : float
        The share of the last step that is kept.
    nesterov : bool
        Take the gradient where momentum leads.
    weight_decay : float
        Adds :math:`\lambda \theta` to the gradient.
    lr_in_velocity : bool
        Multiply gradients by the rate as they enter the velocity (Keras, scikit-learn), not as it leaves (torch).

    Examples
    --------
    >>> import symgrad as sg
    >>> from symgrad import optim
    >>> w = sg.tensor(3.0, requires_grad=True)
    >>> optimizer = optim.SGD([w], lr=0.1, momentum=0.9)
    >>> for _ in range(100):
    ...     optimizer.zero_grad()
    ...     (w * w).backward()
    ...     optimizer.step()
    >>> abs(w.item()) < 0.05
    True
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        lr_in_velocity: bool = False,
    ) -> None:
        _within("SGD", lr=(lr, 0, np.inf), momentum=(momentum, 0, 1), weight_decay=(weight_decay, 0, np.inf))
        if momentum == 0 and (nesterov or lr_in_velocity):
            raise SymgradError("SGD: nesterov and lr_in_velocity are kinds of momentum; pass momentum=, such as 0.9")
        rule: Callable[..., Any] = rules.sgd
        if momentum:
            rule = _MOMENTUM[nesterov, lr_in_velocity]
        super().__init__(params, rule, lr=lr, **_without_zeros(momentum=momentum, weight_decay=weight_decay))


_MOMENTUM = {
    (False, False): rules.momentum,
    (True, False): rules.nesterov,
    (False, True): rules.momentum_lecture,
    (True, True): rules.nesterov_lecture,
}


class Adam(Optimizer):
    """Adam, with torch's arguments; the rule is `symgrad.optim.rules.adam`.

    Parameters
    ----------
    params : iterable of Tensor
    lr : float
    betas : pair of float
        Decay of the averages of the gradient and of its square; later the attributes beta1 and beta2.
    eps : float
    weight_decay : float
        Adds that multiple of the parameters to the gradient.

    Examples
    --------
    >>> import symgrad as sg
    >>> from symgrad import optim
    >>> optimizer = optim.Adam([sg.tensor([1.0, 2.0], requires_grad=True)], lr=0.01)
    >>> optimizer
    Adam(1 parameters, 2 numbers, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-08)
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        if np.shape(betas) != (2,):
            raise SymgradError(f"Adam: betas={betas!r} must be a pair of numbers, such as (0.9, 0.999)")
        beta1, beta2 = betas
        _within("Adam", lr=(lr, 0, np.inf), beta1=(beta1, 0, 1), beta2=(beta2, 0, 1), eps=(eps, 0, np.inf),
                weight_decay=(weight_decay, 0, np.inf))  # fmt: skip
        decay = _without_zeros(weight_decay=weight_decay)
        super().__init__(params, rules.adam, lr=lr, beta1=beta1, beta2=beta2, eps=eps, **decay)


def _value(leaf: Tensor) -> Any:
    return leaf.value


def _itself(leaf: Tensor) -> Any:
    return leaf


def _signature(rule: Callable[..., Any]) -> tuple[list[str], list[str]]:
    """Names of the state variables and of the hyperparameters of a rule."""
    found = inspect.signature(rule).parameters.values()
    state = [p.name for p in found if p.kind is not p.KEYWORD_ONLY][2:]
    return state, [p.name for p in found if p.kind is p.KEYWORD_ONLY]


def _called(p: Tensor, k: int) -> str:
    return p.name or f"parameter {k} of shape {p.shape}"


def _checked(params: Iterable[Tensor]) -> list[Tensor]:
    """The parameters, as the optimizer needs them."""
    if isinstance(params, Tensor) or not isinstance(params, Iterable):
        raise SymgradError("optimizer: takes a list of parameters; pass model.parameters() or [w]")
    found = list(params)
    if not found:
        raise SymgradError("optimizer: got no parameters; pass model.parameters() or a list of leaves")
    for k, p in enumerate(found):
        if not isinstance(p, Tensor) or p.op is not None or not p.requires_grad:
            raise SymgradError(f"optimizer: parameter {k} is no leaf that requires a gradient: {p!r}")
    if len({id(p) for p in found}) < len(found):
        raise SymgradError("optimizer: a parameter occurs twice")
    if len({p.dtype for p in found}) > 1:
        raise DTypeError(
            "optimizer: parameters have different dtypes "
            + ", ".join(f"{_called(p, k)} {p.dtype}" for k, p in enumerate(found))
        )
    return found


def _within(who: str, **limits: tuple[float, float, float]) -> None:
    """Check that these are numbers, low <= value < high (every number below infinity)."""
    for name, (value, low, high) in limits.items():
        if np.asarray(value).dtype.kind not in "iuf" or np.ndim(value) or not low <= value < high:
            raise SymgradError(f"{who}: {name}={value!r} must be a number of at least {low} and below {high}")


def _without_zeros(**values: float) -> dict[str, float]:
    return {name: value for name, value in values.items() if value != 0}
