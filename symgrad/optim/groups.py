"""Groups of parameters that share a rule and its hyperparameters, and the vectors the rule runs on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from symgrad.errors import DTypeError, SymgradError
from symgrad.optim.rules.declare import declaration
from symgrad.optim.schedules import Schedule
from symgrad.tensor import SCALARS, Tensor, tensor

__all__ = ["Group", "Recipe", "Unit", "called", "checked", "groups_of"]

# Hyperparameters with limits: low <= value < high.
LIMITS = {
    **dict.fromkeys(("momentum", "beta1", "beta2", "beta3", "alpha", "rho"), (0.0, 1.0)),
    **dict.fromkeys(("lr", "weight_decay", "eps", "eps_root", "l1", "l2", "trust_coefficient"), (0.0, np.inf)),
}


@dataclass
class Recipe:
    """What an optimizer does to a group.

    Attributes
    ----------
    rule : callable
    hyperparameters : dict
        Numbers and schedules become leaves; anything else is a constant of the rule.
    start : dict
        What state starts from, where the rule does not say.
    state : tuple of str
        The optional state that is wanted.
    decoupled : bool
        What weight decay multiplies: the parameters, or (coupled) it adds to the gradient.
    """

    rule: Callable[..., Any]
    hyperparameters: dict[str, Any]
    start: dict[str, Any] = field(default_factory=dict)
    state: tuple[str, ...] = ()
    decoupled: bool = False

    def check(self, who: str) -> None:
        """Raise SymgradError at the first hyperparameter that is unknown or out of its limits."""
        allowed = list(declaration(self.rule).hyperparameters)
        unknown = self.hyperparameters.keys() - {*allowed, "weight_decay"}
        if unknown:
            name = getattr(self.rule, "__name__", who)
            raise SymgradError(f"{name}: has no hyperparameter {sorted(unknown)}; it has {allowed}")
        for name, value in self.hyperparameters.items():
            low, high = LIMITS.get(name, (-np.inf, np.inf))
            if name == "alpha" and "lambd" in allowed:  # ASGD's power, not a share
                low, high = 0.0, np.inf
            if isinstance(value, Schedule) or (name not in LIMITS and isinstance(value, str | bool)):
                continue
            number: Any = value if _is_number(value) else np.nan
            if np.isnan(number) or (name in LIMITS and not low <= number < high):
                limits = f" of at least {low:g} and below {high:g}" if name in LIMITS else ""
                raise SymgradError(f"{who}: {name}={value!r} must be a number{limits}")


class Unit:
    """Parameters that the rule sees as one vector, and their state.

    Attributes
    ----------
    params : list of Tensor
    state : dict of str to Tensor or None
    """

    def __init__(self, group: Group, params: list[Tensor]) -> None:
        self.group, self.params = group, params
        self.edges = np.cumsum([0, *(p.size for p in params)]).tolist()
        self.size: int = self.edges[-1]
        found = group.declared
        self.state: dict[str, Tensor | None] = {}
        for name in found.state:
            if name in found.optional and name not in group.recipe.state:
                self.state[name] = None
                continue
            start = group.recipe.start.get(name, found.start.get(name, 0.0))
            shape = () if name in found.scalars else (self.size,)
            self.state[name] = tensor(np.array(np.broadcast_to(self._start(start), shape), group.dtype), name=name)

    def _start(self, start: Any) -> Any:
        if start == "theta":
            return np.concatenate([np.ravel(p.numpy()) for p in self.params])
        return self.group.hyperparameters[start].numpy() if isinstance(start, str) else start

    def place(self, theta: Any) -> None:
        """Give the parameters the values in a vector."""
        for p, (start, stop) in zip(self.params, pairwise(self.edges), strict=True):
            p.assign(theta[start:stop].reshape(p.shape))

    def publish(self, values: list[Any]) -> None:
        """Take over what the rule returned."""
        new, *states = values
        self.place(new)
        for leaf, value in zip(self.state.values(), states, strict=True):
            if leaf is not None:
                leaf.assign(value)


class Group:
    """Parameters that share a rule and its hyperparameters.

    Reads and sets like torch's groups: ``group["lr"] = 0.1``, ``group["params"]``.

    Attributes
    ----------
    params : list of Tensor
    rule : callable
    declared : Declaration
        What the rule declares.
    hyperparameters : dict of str to Tensor
    units : list of Unit
        One; one per parameter if the rule needs norms of whole tensors.
    share : float
        The group's rate over that of the optimizer; kept when the optimizer's is set.
    """

    def __init__(self, params: list[Tensor], recipe: Recipe, share: float = 1.0, frozen: bool = False) -> None:
        self.params, self.recipe, self.share, self.frozen = params, recipe, share, frozen
        self.rule, self.decoupled, self.dtype = recipe.rule, recipe.decoupled, params[0].dtype
        self.declared = declaration(recipe.rule)
        given = recipe.hyperparameters
        self.schedules: dict[str, Schedule] = {k: v for k, v in given.items() if isinstance(v, Schedule)}
        if by_epoch := [k for k, v in self.schedules.items() if v.unit == "epoch"]:
            raise SymgradError(
                f"optimizer: {by_epoch[0]} follows a schedule of epochs, which an optimizer does not count; give it to "
                "the Trainer, or write it in steps: schedule.in_steps(steps_per_epoch)"
            )
        if watching := [k for k, v in self.schedules.items() if any(True for _ in v.watchers())]:
            raise SymgradError(
                f"optimizer: {watching[0]} follows a metric, which only the Trainer knows; give it to that"
            )
        numbers = {k: v for k, v in given.items() if _is_number(v)}
        self.constants = {k: v for k, v in given.items() if k not in numbers and k not in self.schedules}
        self.hyperparameters: dict[str, Tensor] = {
            k: tensor(0.0 if k in self.schedules else v, dtype=self.dtype, name=k)
            for k, v in given.items()
            if k not in self.constants
        }
        for k, schedule in self.schedules.items():
            self.hyperparameters[k].assign(float(schedule(0)))
        parts = [[p] for p in params] if self.declared.per_tensor else [params]
        self.units = [Unit(self, part) for part in parts]

    def read(self, how: Callable[[Tensor], Any]) -> dict[str, Any]:
        """The hyperparameters as the rule gets them."""
        return {name: how(leaf) for name, leaf in self.hyperparameters.items()} | self.constants

    def __getitem__(self, name: str) -> Any:
        if name == "params":
            return self.params
        return self.hyperparameters[name] if name in self.hyperparameters else self.constants[name]

    def __setitem__(self, name: str, value: Any) -> None:
        if name not in self.hyperparameters:
            raise SymgradError(f"group: has no hyperparameter {name!r}; it has {', '.join(self.hyperparameters)}")
        if isinstance(value, Schedule):
            raise SymgradError(f"group: {name} cannot become a schedule later; pass it when you make the optimizer")
        self.schedules.pop(name, None)  # who sets it by hand has taken over
        self.hyperparameters[name].assign(value)

    def __repr__(self) -> str:
        shown = "".join(f", {name}={leaf.item():g}" for name, leaf in self.hyperparameters.items())
        return f"Group({len(self.params)} parameters{shown}{', frozen' if self.frozen else ''})"


def _is_number(x: Any) -> bool:
    return isinstance(x, SCALARS) and not isinstance(x, bool | np.bool_)


def groups_of(
    params: Iterable[Any], recipe: Callable[[Mapping[str, Any]], Recipe], options: Mapping[str, Any], exclude: Any
) -> list[Group]:
    """The groups that were given, or one; parameters whose name says `exclude` in groups without weight decay."""
    if isinstance(params, Tensor) or not isinstance(params, Iterable):
        raise SymgradError("optimizer: takes a list of parameters; pass model.parameters() or [w]")
    entries = list(params)
    given = entries if entries and all(isinstance(e, Mapping) for e in entries) else [{"params": entries}]
    words = [w.lower() for w in ((exclude,) if isinstance(exclude, str) else exclude)]
    groups = []
    for entry in given:
        if "params" not in entry:
            raise SymgradError(f"optimizer: a group is a dict with 'params', got the keys {sorted(entry)}")
        own = {**options, **{k: v for k, v in entry.items() if k not in ("params", "frozen")}}
        members = entry["params"]
        pairs = [_named(x, k) for k, x in enumerate([members] if isinstance(members, Tensor) else members)]
        kept = [x for name, x in pairs if not any(w in name.lower() for w in words)]
        spared = [x for name, x in pairs if any(w in name.lower() for w in words)]
        share = _share(recipe(own), recipe(options))
        for chosen, changes in ((kept, {}), (spared, {"weight_decay": 0.0})):
            if chosen:
                checked(chosen)
                groups.append(Group(chosen, recipe({**own, **changes}), share, bool(entry.get("frozen", False))))
    if not groups:
        raise SymgradError("optimizer: got no parameters; pass model.parameters() or a list of leaves")
    return groups


def _share(own: Recipe, common: Recipe) -> float:
    """The rate of a group over that of the optimizer."""
    rate, base = own.hyperparameters.get("lr"), common.hyperparameters.get("lr")
    return rate / base if _is_number(rate) and _is_number(base) and base else 1.0


def _named(entry: Any, k: int) -> tuple[str, Any]:
    """Name and leaf of an entry: a Tensor, or a pair as `named_parameters` gives it."""
    if isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], str):
        name, leaf = entry
        return f"{name} {getattr(leaf, 'name', None) or ''}", leaf
    return getattr(entry, "name", None) or str(k), entry


def called(p: Tensor, k: int) -> str:
    """A parameter in errors."""
    return p.name or f"parameter {k} of shape {p.shape}"


def checked(found: list[Any]) -> list[Tensor]:
    """The parameters, as the optimizer needs them."""
    for k, p in enumerate(found):
        if not isinstance(p, Tensor) or p.op is not None or not p.requires_grad:
            raise SymgradError(f"optimizer: parameter {k} is no leaf that requires a gradient: {p!r}")
    if len({id(p) for p in found}) < len(found):
        raise SymgradError("optimizer: a parameter occurs twice")
    if len({p.dtype for p in found}) > 1:
        raise DTypeError(
            "optimizer: parameters have different dtypes "
            + ", ".join(f"{called(p, k)} {p.dtype}" for k, p in enumerate(found))
        )
    return found
