"""Which trajectories of optimizers are compared with which oracle: data only, read by tests, records and the docs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

SECOND = {"lr": 0.02, "weight_decay": 0.2}  # of the second group, where a case has two


@dataclass(frozen=True)
class Case:
    """One trajectory: symgrad's class and options, and the oracle's name and options (symgrad's if None).

    Every case runs on gradients some of which are zero, on parameters one of which has no axes, and under a schedule of
    the rate. Rate, decay, direction and groups stand apart, as every library spells them in its own way.
    """

    kind: str
    options: dict[str, Any] = field(default_factory=dict)
    oracle: str = "torch"
    other: str | None = None
    arguments: dict[str, Any] | None = None
    lr: float | None = None  # None: both have the same default
    decay: float = 0.0
    maximize: bool = False
    groups: bool = False

    def spread(self, params: list[Any]) -> Any:
        """The parameters as symgrad and torch take them, in two groups if the case has two."""
        return [{"params": params[:2]}, {"params": params[2:], **SECOND}] if self.groups else params

    @property
    def common(self) -> dict[str, Any]:
        """The options that all optimizers of symgrad and torch have, where they are not the default."""
        given = {"lr": self.lr, "weight_decay": self.decay or None, "maximize": self.maximize or None}
        return {name: x for name, x in given.items() if x is not None}


def torch(kind: str, arguments: dict[str, Any] | None = None, lr: float | None = 0.01, **options: Any) -> Case:
    return Case(kind, options, "torch", kind, options if arguments is None else arguments, lr)


def optax(kind: str, other: str, arguments: dict[str, Any] | None = None, lr: float = 0.01, **options: Any) -> Case:
    return Case(kind, options, "optax", other, arguments or {}, lr)


def keras(
    kind: str, other: str, arguments: dict[str, Any] | None = None, lr: float | None = None, **options: Any
) -> Case:
    return Case(kind, {"like": "keras", **options}, "keras", other, arguments or {}, lr)


def paper(kind: str, other: str, lr: float | None = None, **options: Any) -> Case:
    return Case(kind, options, "paper", other, {}, lr)


# One case for every rule, by its first oracle; each is compared as it stands and with every option of OPTIONS.
RULES: dict[str, Case] = {
    "SGD": torch("SGD"),
    "momentum": torch("SGD", momentum=0.9),
    "nesterov": torch("SGD", momentum=0.9, nesterov=True),
    "momentum, rate inside": keras("SGD", "SGD", {"momentum": 0.9}, momentum=0.9),
    "nesterov, rate inside": keras("SGD", "SGD", {"momentum": 0.9, "nesterov": True}, momentum=0.9, nesterov=True),
    "ASGD": torch("ASGD", lr=None),
    "Adagrad": torch("Adagrad", lr=None),
    "Adadelta": torch("Adadelta", lr=None),
    "RMSprop": torch("RMSprop", lr=None),
    "Adam": torch("Adam", lr=None),
    "AdamW": torch("AdamW", lr=None),
    "Adamax": torch("Adamax", lr=None),
    "NAdam": torch("NAdam", lr=None),
    "RAdam": torch("RAdam", lr=None),
    "Rprop": torch("Rprop", lr=None),
    "Yogi": optax("Yogi", "yogi", like="optax"),
    "AdaBelief": optax("AdaBelief", "adabelief", like="optax"),
    "Lion": optax("Lion", "lion", lr=0.001, like="optax"),
    "Signum": optax("Signum", "signum"),
    "LARS": optax("LARS", "lars", lr=0.1, like="optax"),
    "LAMB": optax("LAMB", "lamb", like="optax"),
    "NovoGrad": optax("NovoGrad", "novograd", like="optax"),
    "FTRL": keras("FTRL", "Ftrl"),
    "Adan": paper("Adan", "adan"),
    "Rprop+": paper("Rprop", "rprop_plus", variant="rprop+"),
    "iRprop+": paper("Rprop", "irprop_plus", variant="irprop+"),
    "Rprop-": paper("Rprop", "rprop_minus", variant="rprop-"),
    "Rprop of the lecture": paper("Rprop", "rprop_lecture", variant="lecture"),
    "nesterov, true look-ahead": paper("SGD", "momentum_lecture", lr=0.01, momentum=0.9, nesterov="ahead"),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "weight decay": {"decay": 0.1},
    "maximize": {"maximize": True},
    "groups": {"decay": 0.1, "groups": True},
}

# What single classes have of their own, and second oracles.
SPECIAL: dict[str, Case] = {
    "momentum, dampening": torch("SGD", momentum=0.9, dampening=0.3),
    "ASGD, averaging": torch("ASGD", lr=0.02, lambd=0.01, alpha=0.6, t0=20.0),
    "Rprop, arguments": torch(
        "Rprop", {"etas": (0.4, 1.3), "step_sizes": (0.001, 0.5)},
        lr=0.05, etas=(0.4, 1.3), step_min=0.001, step_max=0.5,
    ),
    "Adagrad, arguments": torch(
        "Adagrad", {"lr_decay": 0.05, "initial_accumulator_value": 0.2, "eps": 1e-3},
        lr=0.1, lr_decay=0.05, initial=0.2, eps=1e-3,
    ),
    "RMSprop, centered": torch("RMSprop", centered=True, eps=1e-4),
    "RMSprop, momentum": torch("RMSprop", momentum=0.9, alpha=0.9),
    "RMSprop, both": replace(torch("RMSprop", momentum=0.5, centered=True), decay=0.1),
    "Adam, arguments": torch("Adam", lr=0.1, betas=(0.8, 0.99), eps=1e-3),
    "AMSGrad": torch("Adam", amsgrad=True),
    "AMSGrad, decoupled": torch("AdamW", amsgrad=True),
    "NAdam, decoupled": replace(
        torch("NAdam", {"decoupled_weight_decay": True, "momentum_decay": 0.1}, decoupled=True, momentum_decay=0.1),
        decay=0.1,
    ),
    "RAdam, decoupled": replace(torch("RAdam", {"decoupled_weight_decay": True}, decoupled=True), decay=0.1),
    "RAdam, short memory": torch("RAdam", betas=(0.9, 0.9)),
    "optax sgd": optax("SGD", "sgd", {"momentum": 0.9, "nesterov": True}, momentum=0.9, nesterov=True),
    "optax adagrad": optax("Adagrad", "adagrad", lr=0.1, like="optax"),
    "optax adadelta": optax("Adadelta", "adadelta", {"rho": 0.8}, lr=0.5, rho=0.8),
    "optax rmsprop": optax("RMSprop", "rmsprop", like="optax"),
    "optax rmsprop, centered, momentum": optax(
        "RMSprop", "rmsprop", {"centered": True, "momentum": 0.9, "initial_scale": 1.0},
        like="optax", centered=True, momentum=0.9, initial=1.0,
    ),
    "optax adam": optax("Adam", "adam", {"b1": 0.8, "b2": 0.95}, betas=(0.8, 0.95)),
    "optax adamw": optax("AdamW", "adamw", like="optax"),
    "optax amsgrad": optax("Adam", "amsgrad", amsgrad="corrected"),
    "optax adamax": optax("Adamax", "adamax", like="optax"),
    "optax nadam": optax("Adam", "nadam", nesterov=True),
    "optax nadamw": replace(optax("AdamW", "nadamw", nesterov=True), decay=0.1),
    "optax radam": optax("RAdam", "radam", like="optax"),
    "Yogi, arguments": optax(
        "Yogi", "yogi", {"b1": 0.8, "b2": 0.95, "eps": 1e-2}, lr=0.1, betas=(0.8, 0.95), eps=1e-2
    ),
    "AdaBelief, arguments": optax(
        "AdaBelief", "adabelief", {"b1": 0.8, "b2": 0.95, "eps": 1e-6, "eps_root": 1e-8},
        lr=0.1, betas=(0.8, 0.95), eps=1e-6, eps_root=1e-8,
    ),
    "Lion, arguments": optax("Lion", "lion", {"b1": 0.8, "b2": 0.95, "weight_decay": 0.0}, betas=(0.8, 0.95)),
    "signSGD": optax("Signum", "sign_sgd", momentum=0.0),
    "LARS, arguments": replace(
        optax(
            "LARS", "lars", {"momentum": 0.5, "nesterov": True, "eps": 1e-3, "trust_coefficient": 0.1},
            lr=0.1, momentum=0.5, nesterov=True, eps=1e-3, trust_coefficient=0.1,
        ),
        decay=0.1,
    ),
    "LAMB, arguments": optax("LAMB", "lamb", {"b1": 0.8, "b2": 0.95}, betas=(0.8, 0.95)),
    "NovoGrad, arguments": optax("NovoGrad", "novograd", {"b1": 0.8, "b2": 0.5}, betas=(0.8, 0.5)),
    "Keras SGD": keras("SGD", "SGD"),
    "Keras Adagrad": keras("Adagrad", "Adagrad"),
    "Keras Adadelta": keras("Adadelta", "Adadelta"),
    "Keras RMSprop": keras("RMSprop", "RMSprop"),
    "Keras RMSprop, momentum": keras(
        "RMSprop", "RMSprop", {"momentum": 0.5, "centered": True}, momentum=0.5, centered=True
    ),
    "Keras Adam": keras("Adam", "Adam"),
    "Keras Adam, decay": replace(keras("Adam", "Adam"), decay=0.1),
    "Keras AMSGrad": keras("Adam", "Adam", {"amsgrad": True}, amsgrad=True),
    "Keras AdamW": keras("AdamW", "AdamW"),
    "Keras Adamax": keras("Adamax", "Adamax"),
    "Keras Nadam": keras("NAdam", "Nadam"),
    "Keras Lion": keras("Lion", "Lion"),
    "Keras Lamb": keras("LAMB", "Lamb"),
    "Keras Ftrl, arguments": keras(
        "FTRL", "Ftrl",
        {"l1_regularization_strength": 0.2, "l2_regularization_strength": 0.1, "beta": 0.3},
        lr=0.05, l1=0.2, l2=0.1, beta=0.3,
    ),
}  # fmt: skip

CASES: dict[str, Case] = {
    **{name: case for name, case in RULES.items()},
    **{
        f"{name}, {option}": replace(case, **changes)
        for name, case in RULES.items()
        for option, changes in OPTIONS.items()
    },
    **SPECIAL,
}

# What optax 0.2.8 does otherwise than the papers, and than torch where torch has it: expected to differ.
WRONG = {
    "Rprop": optax("Rprop", "rprop"),
    "Adan": optax("Adan", "adan", {"eps_root": 0.0}),
}

LBFGS = {
    "LBFGS": {"lr": 0.7, "max_iter": 5, "history_size": 4},
    "LBFGS, strong Wolfe": {"max_iter": 5, "line_search_fn": "strong_wolfe"},
    "LBFGS, strong Wolfe, short": {"lr": 0.1, "max_iter": 3, "max_eval": 7, "line_search_fn": "strong_wolfe"},
}

# Averages of the parameters, around plain descent.
AVERAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "EMA": ("torch", {"decay": 0.9}),
    "SWA": ("torch", {}),
    "Lookahead": ("optax", {"every": 5, "alpha": 0.5}),
}
