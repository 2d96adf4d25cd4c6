"""`Optimizer`: an update rule, its state and its hyperparameters, on all parameters at once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from symgrad.context import MODE, no_grad
from symgrad.errors import GradientError, SymgradError
from symgrad.functions.rearranging import flat
from symgrad.ops.marks import astype
from symgrad.ops.piecewise import isfinite, logical_and, where
from symgrad.ops.reduction import all_
from symgrad.optim.groups import Group, Recipe, Unit, called, checked, groups_of
from symgrad.optim.presets import PRESETS
from symgrad.optim.rules.declare import decayed, declaration
from symgrad.tensor import Tensor, tensor

__all__ = ["Optimizer", "reader"]


def _any_rule(rule: Callable[..., Any], **hyperparameters: Any) -> Recipe:
    return Recipe(rule, hyperparameters)


class Optimizer:
    r"""An update rule at work on parameters, which it sees as one vector of length P.

    Parameters
    ----------
    params : iterable of Tensor, of (name, Tensor), or of groups
        Leaves that require a gradient; ``model.parameters()``. A group is a dict with its own ``"params"`` and any
        other options, as in torch; ``"frozen": True`` leaves its parameters as they are.
    rule : callable
        ``rule(theta, g, *state, **hyperparameters) -> (theta, *state)``, see `symgrad.optim.rules`. It runs
        on arrays in eager mode and on Tensors in a trace, so operators and symgrad functions are all it may use.
        The classes of `symgrad.optim` know theirs.
    like : str, optional
        The defaults of another library, for those classes that list some.
    weight_decay : float
        Adds :math:`\lambda \theta` to the gradient (coupled), unless the rule has a decay of its own.
    decoupled : bool
        Let the weight decay multiply the parameters by :math:`1 - \eta \lambda` before the step instead.
    exclude : sequence of str
        Parameters with one of these words in their name do not decay, as in ``exclude=("bias", "norm")``.
    maximize : bool
        Go up.
    transforms : sequence of callables
        What is done to the gradients first, such as ``optim.transforms.clip_global_norm(1.0)``.
    accumulate : int
        Update at every n-th call of `step` only, with the mean of the n gradients.
    skip_nonfinite : bool
        Change nothing where a gradient is not finite (while accumulating: leave that gradient out of the sum).
    **hyperparameters : float or Schedule
        Each becomes a leaf, readable and settable as an attribute: ``optimizer.lr = 0.1``. Compiled steps
        read it at every call. A `Schedule` of steps is computed from the number of updates so far, inside of the
        step. Those left at the rule's own default are no leaves but constants of the rule.

    Attributes
    ----------
    groups : list of Group
        ``optimizer.groups[1]["lr"]`` reads and sets a hyperparameter of one group; also as ``param_groups``.
    state : dict of str to Tensor
        One leaf per state variable of the rule, of shape (P,); the step count ``t`` of shape (). With several
        groups, and for rules that see every tensor by itself, the number of the part stands in front: ``"1.v"``.
    hyperparameters : dict of str to Tensor
        Of the first group.

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

    configure: ClassVar[Callable[..., Recipe]] = staticmethod(_any_rule)
    """The rule, its hyperparameters and the start of its state, for the options of a class."""

    def __init_subclass__(cls) -> None:
        """Show the options of `configure` where the signature is asked for."""
        if "configure" not in cls.__dict__:
            return
        own = list(inspect.signature(cls.configure).parameters.values())
        common = [p for p in inspect.signature(Optimizer.__init__).parameters.values() if p.kind is p.KEYWORD_ONLY]
        first = inspect.Parameter("params", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        decay = {"weight_decay": 0.0, "decoupled": False}
        common += [inspect.Parameter(k, inspect.Parameter.KEYWORD_ONLY, default=v) for k, v in decay.items()
                   if k not in {p.name for p in own}]  # fmt: skip
        spread = [p for p in own if p.kind is p.VAR_KEYWORD]
        own = [p for p in own if p.kind is not p.VAR_KEYWORD]
        cls.__signature__ = inspect.Signature([first, *own, *common, *spread])  # type: ignore[attr-defined]

    def __init__(
        self,
        params: Iterable[Any],
        *given: Any,
        like: str | None = None,
        maximize: bool = False,
        exclude: Iterable[str] = (),
        transforms: Iterable[Callable[..., Any]] = (),
        accumulate: int = 1,
        skip_nonfinite: bool = False,
        **options: Any,
    ) -> None:
        self.__dict__["groups"] = []
        if accumulate < 1 or accumulate != int(accumulate):
            raise SymgradError(f"{self._name}: accumulate={accumulate!r} must be a whole number of at least 1")
        self.maximize, self.transforms = maximize, list(transforms)
        self.accumulate, self.skip_nonfinite = int(accumulate), skip_nonfinite
        given_options = self._options(given, options, like)
        self.groups: list[Group] = groups_of(params, self._recipe, given_options, exclude)
        self.params = [p for group in self.groups for p in group.params]
        self.dtype = self.params[0].dtype
        checked(self.params)
        scheduled = any(group.schedules for group in self.groups)
        counted = scheduled or self.accumulate > 1 or any(getattr(f, "needs_step", False) for f in self.transforms)
        self.counters: dict[str, Tensor] = {"calls": tensor(0.0)} if counted else {}
        self.sums: list[Tensor] = []
        if self.accumulate > 1:
            self.sums = [tensor(np.zeros(u.size, self.dtype)) for u in self._units()]
        for group in self.groups:
            for name, schedule in group.schedules.items():
                group.hyperparameters[name].assign(float(schedule(0)))

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _options(self, given: tuple[Any, ...], options: dict[str, Any], like: str | None) -> dict[str, Any]:
        """The options as `configure` takes them: what is given, else what `like` says."""
        parameters = inspect.signature(self.configure).parameters.values()
        names = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
        if len(given) > len(names):
            raise SymgradError(f"{self._name}: takes the options {names}, got {len(given)} without names")
        found = dict(zip(names, given, strict=False))
        if twice := found.keys() & options.keys():
            raise SymgradError(f"{self._name}: got {sorted(twice)} twice")
        presets: dict[str, Any] = next((PRESETS[k.__name__] for k in type(self).__mro__ if k.__name__ in PRESETS), {})
        if like is not None and like not in presets:
            raise SymgradError(f"{self._name}: like={like!r} is none of {sorted(presets)}")
        return {**(presets[like] if like is not None else {}), **found, **options}

    def _recipe(self, options: Mapping[str, Any]) -> Recipe:
        """The recipe for the options of one group."""
        general = {name: options[name] for name in ("weight_decay", "decoupled") if name in options}
        parameters = inspect.signature(self.configure).parameters
        rest = {k: v for k, v in options.items() if k not in general or k in parameters}
        open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        if unknown := [] if open_ended else sorted(rest.keys() - parameters.keys()):
            raise SymgradError(f"{self._name}: has no hyperparameter {unknown}; it has {list(parameters)}")
        recipe = self.configure(**rest)
        own = declaration(recipe.rule).hyperparameters
        for name, value in general.items():
            if name == "decoupled":
                recipe.decoupled = bool(value)
            elif "weight_decay" not in own and not (isinstance(value, int | float) and value == 0):
                recipe.hyperparameters.setdefault("weight_decay", value)
        recipe.check(self._name)
        return recipe

    # The step

    def step(self, closure: Callable[[], Any] | None = None, *, loss: Any = None) -> Any:
        """Apply the rule to all parameters and their gradients.

        Parameters
        ----------
        closure : callable, optional
            Computes the loss and its gradients, and returns the loss; rules that take the gradient elsewhere (true
            Nesterov) need it.
        loss : scalar, optional
            The loss whose gradients these are; rules that compare losses (iRprop+) need it, or a closure.

        Returns
        -------
        Tensor or None
            What the closure returned.

        Raises
        ------
        GradientError
            Naming the parameters that have no gradient.
        """
        units = self._units()
        read = reader()
        olds = [flat([read(p) for p in u.params]) for u in units]
        states = [[None if s is None else read(s) for s in u.state.values()] for u in units]
        self._follow_schedules()
        hypers = [u.group.read(read) for u in units]
        result = self._evaluate(closure, units, olds, states, hypers)
        loss = result if loss is None else loss
        gradients, finite = self._gradients(units)
        due = None
        if self.accumulate > 1:
            calls = read(self.counters["calls"]) + 1
            due = calls % self.accumulate == 0
            totals = [read(s) + g for s, g in zip(self.sums, gradients, strict=True)]
            for leaf, total in zip(self.sums, totals, strict=True):
                leaf.assign(where(due, 0.0, total))
            gradients = [total / self.accumulate for total in totals]
        elif self.skip_nonfinite:
            due = finite
        for k, u in enumerate(units):
            found = self._updated(u, olds[k], gradients[k], states[k], hypers[k], loss)
            if due is not None:
                before = [olds[k], *states[k]]
                found = [new if new is None else where(due, new, old) for new, old in zip(found, before, strict=True)]
            u.publish(found)
        if self.counters:
            leaf = self.counters["calls"]
            leaf.assign(read(leaf) + 1)
        return result

    def _units(self) -> list[Unit]:
        return [u for group in self.groups for u in group.units if not group.frozen]

    def _follow_schedules(self) -> None:
        """Give scheduled hyperparameters their values of this step."""
        for group in self.groups:
            for name, schedule in group.schedules.items():
                with no_grad():
                    k = reader()(self.counters["calls"]) // self.accumulate
                    group.hyperparameters[name].assign(astype(schedule(k), self.dtype))

    def _evaluate(self, closure: Any, units: list[Unit], olds: Any, states: Any, hypers: Any) -> Any:
        """What the closure returns, called where the rules want their gradients."""
        for u, old, state, hyper in zip(units, olds, states, hypers, strict=True):
            point = u.group.declared.point
            if point is None:
                continue
            if closure is None:
                raise GradientError(
                    f"step: {self._name} takes its gradient at another point than the parameters; pass a closure that "
                    "calls zero_grad() and backward() and returns the loss"
                )
            wanted = {k: v for k, v in hyper.items() if k in u.group.declared.hyperparameters}
            u.place(point(old, *state, **wanted))
        return None if closure is None else closure()

    def _gradients(self, units: list[Unit]) -> tuple[list[Any], Any]:
        """One flat gradient per unit, transformed; and whether all were finite, if that is asked."""
        params = [p for u in units for p in u.params]
        missing = [called(p, k) for k, p in enumerate(params) if p.grad is None]
        if missing:
            raise GradientError(
                f"step: no gradient for {', '.join(missing)}; call loss.backward() first, and give the optimizer only "
                "parameters that the loss depends on"
            )
        found = [p.grad for p in params]
        finite = None
        if self.skip_nonfinite:
            finite = reduce(logical_and, [all_(isfinite(g)) for g in found])
            found = [where(finite, g, 0.0) for g in found]
        if self.transforms:
            read = reader()
            values = [read(p) for p in params]
            step = read(self.counters["calls"]) if self.counters else None
            for transform in self.transforms:
                found = transform(found, values, step) if getattr(transform, "needs_step", False) else transform(
                    found, values
                )  # fmt: skip
        vectors, start = [], 0
        for u in units:
            stop = start + len(u.params)
            g = flat(found[start:stop])
            vectors.append(-g if self.maximize else g)
            start = stop
        return vectors, finite

    def _updated(self, u: Unit, theta: Any, g: Any, state: Any, hyper: dict[str, Any], loss: Any) -> list[Any]:
        """The new parameters and state of one unit."""
        rule = u.group.rule
        names = u.group.declared.hyperparameters
        if "weight_decay" in hyper and "weight_decay" not in names:
            decay = hyper.pop("weight_decay")
            if u.group.decoupled:
                theta = theta * (1 - hyper["lr"] * decay)
            else:
                g = decayed(theta, g, decay)
        if "loss" in names:
            if loss is None:
                raise GradientError(f"step: {self._name} compares losses; call step(loss=loss), or pass a closure")
            hyper["loss"] = loss if _traced() else np.asarray(loss, self.dtype)
        found = list(rule(theta, g, *state, **hyper))
        return found + [None] * (1 + len(state) - len(found))

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for p in self.params:
            p.grad = None

    # Looking and saving

    @property
    def param_groups(self) -> list[Group]:
        """The groups, under torch's name: ``optimizer.param_groups[0]["lr"] = 0.1``."""
        return self.groups

    @property
    def state(self) -> dict[str, Tensor]:
        """The leaves of the state, by name."""
        units = [u for group in self.groups for u in group.units]
        found = {(k, name): leaf for k, u in enumerate(units) for name, leaf in u.state.items() if leaf is not None}
        return {name if len(units) == 1 else f"{k}.{name}": leaf for (k, name), leaf in found.items()}

    @property
    def hyperparameters(self) -> dict[str, Tensor]:
        """The leaves of the hyperparameters of the first group, by name."""
        return self.groups[0].hyperparameters if self.groups else {}

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
        found = self.state | self.counters | {f"sum.{k}": leaf for k, leaf in enumerate(self.sums)}
        for k, group in enumerate(self.groups):
            prefix = "" if len(self.groups) == 1 else f"group{k}."
            found |= {f"{prefix}{name}": leaf for name, leaf in group.hyperparameters.items()}
        return found

    def __getattr__(self, name: str) -> Any:
        for group in self.__dict__.get("groups", ()):
            if name in group.hyperparameters:
                return group.hyperparameters[name]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        groups = self.__dict__.get("groups", ())
        having = [group for group in groups if name in group.hyperparameters]
        if having:
            for group in having:
                group[name] = value * group.share if name == "lr" and not callable(value) else value
        elif groups and name in {"weight_decay", *groups[0].declared.hyperparameters}:
            raise SymgradError(f"{type(self).__name__}: made without {name}; pass {name}= when you make the optimizer")
        else:
            self.__dict__[name] = value

    def __repr__(self) -> str:
        first = self.groups[0]
        shown = "".join(f", {name}={leaf.item():g}" for name, leaf in first.hyperparameters.items())
        several = f"{len(self.groups)} groups, " if len(self.groups) > 1 else ""
        numbers = sum(p.size for p in self.params)
        return f"{self._name}({several}{len(self.params)} parameters, {numbers} numbers{shown})"


def _traced() -> bool:
    mode = MODE.get()
    return mode is not None and mode.trace is not None


def reader() -> Callable[[Tensor], Any]:
    """How leaves are read: as arrays eagerly, as themselves in a trace."""
    return (lambda leaf: leaf) if _traced() else (lambda leaf: leaf.value)
