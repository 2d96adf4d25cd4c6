"""Record what torch's and optax's optimizers do on a tape of gradients, for tests/test_optim.py (which needs neither).

python tests/oracles/record_optim.py          writes optim.json beside this file
python tests/oracles/record_optim.py --check  exits with 1 if they do something else than recorded
"""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

FILE = Path(__file__).with_name("optim.json")
SHAPES = ((3, 2), (2,), (), (1, 4))
STEPS = 200
WATCHED = (1, 2, 10, STEPS)


@dataclass
class Case:
    """What to compare: symgrad's class and options, and the oracle's name and options (symgrad's if None)."""

    kind: str
    options: dict[str, Any] = field(default_factory=dict)
    oracle: str = "torch"
    other: str | None = None
    arguments: dict[str, Any] | None = None
    groups: bool = False
    lr: float | None = None  # for optax, which has no default

    def spread(self, params: list[Any]) -> Any:
        """The parameters, in two groups if the case has two."""
        if not self.groups:
            return params
        second: dict[str, Any] = {"params": params[2:], "lr": 0.02}
        if self.decays:
            second["weight_decay"] = 0.2
        return [{"params": params[:2]}, second]

    @property
    def decays(self) -> bool:
        return "weight_decay" in self.options


def _torch_cases() -> dict[str, Case]:
    """torch's classes: defaults, weight decay, maximize, two groups; and what each has of its own."""
    cases = {}
    for kind in ("SGD", "ASGD", "Adagrad", "Adadelta", "RMSprop", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "Rprop"):
        lr = {} if kind in ("Rprop", "Adadelta") else {"lr": 0.01}
        decays = {} if kind == "Rprop" else {"weight_decay": 0.1}
        cases[kind] = Case(kind, dict(lr) if kind == "SGD" else {})
        if decays:
            cases[f"{kind}, weight decay"] = Case(kind, lr | decays)
        cases[f"{kind}, maximize"] = Case(kind, lr | {"maximize": True})
        if kind != "Rprop":
            cases[f"{kind}, groups"] = Case(kind, lr | decays, groups=True)
    return cases


CASES: dict[str, Case] = {
    **_torch_cases(),
    "momentum": Case("SGD", {"lr": 0.01, "momentum": 0.9}),
    "momentum, weight decay": Case("SGD", {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.1}),
    "momentum, dampening": Case("SGD", {"lr": 0.01, "momentum": 0.9, "dampening": 0.3}),
    "momentum, groups": Case("SGD", {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.1}, groups=True),
    "nesterov": Case("SGD", {"lr": 0.01, "momentum": 0.9, "nesterov": True}),
    "nesterov, weight decay": Case("SGD", {"lr": 0.01, "momentum": 0.5, "nesterov": True, "weight_decay": 0.1}),
    "ASGD, averaging": Case("ASGD", {"lr": 0.02, "lambd": 0.01, "alpha": 0.6, "t0": 20.0}),
    "Rprop, arguments": Case(
        "Rprop", {"lr": 0.05, "etas": (0.4, 1.3), "step_min": 0.001, "step_max": 0.5},
        arguments={"lr": 0.05, "etas": (0.4, 1.3), "step_sizes": (0.001, 0.5)},
    ),
    "Adagrad, arguments": Case(
        "Adagrad", {"lr": 0.1, "lr_decay": 0.05, "initial": 0.2, "eps": 1e-3},
        arguments={"lr": 0.1, "lr_decay": 0.05, "initial_accumulator_value": 0.2, "eps": 1e-3},
    ),
    "RMSprop, centered": Case("RMSprop", {"lr": 0.01, "centered": True, "eps": 1e-4}),
    "RMSprop, momentum": Case("RMSprop", {"lr": 0.01, "momentum": 0.9, "alpha": 0.9}),
    "RMSprop, both": Case("RMSprop", {"lr": 0.01, "momentum": 0.5, "centered": True, "weight_decay": 0.1}),
    "Adam, arguments": Case("Adam", {"lr": 0.1, "betas": (0.8, 0.99), "eps": 1e-3}),
    "AMSGrad": Case("Adam", {"lr": 0.01, "amsgrad": True}),
    "AMSGrad, decoupled": Case("AdamW", {"lr": 0.01, "amsgrad": True}),
    "NAdam, decoupled": Case(
        "NAdam", {"weight_decay": 0.1, "decoupled": True, "momentum_decay": 0.1},
        arguments={"weight_decay": 0.1, "decoupled_weight_decay": True, "momentum_decay": 0.1},
    ),
    "RAdam, decoupled": Case(
        "RAdam", {"weight_decay": 0.1, "decoupled": True},
        arguments={"weight_decay": 0.1, "decoupled_weight_decay": True},
    ),
    "RAdam, short memory": Case("RAdam", {"betas": (0.9, 0.9)}),
    "optax sgd": Case("SGD", {"momentum": 0.9, "nesterov": True}, "optax", "sgd", lr=0.01),
    "optax adagrad": Case("Adagrad", {"like": "optax"}, "optax", "adagrad", {}, lr=0.1),
    "optax adadelta": Case("Adadelta", {"rho": 0.8}, "optax", "adadelta", lr=0.5),
    "optax rmsprop": Case("RMSprop", {"like": "optax"}, "optax", "rmsprop", {}, lr=0.01),
    "optax rmsprop, centered, momentum": Case(
        "RMSprop", {"like": "optax", "centered": True, "momentum": 0.9, "initial": 1.0}, "optax", "rmsprop",
        {"centered": True, "momentum": 0.9, "initial_scale": 1.0}, lr=0.01,
    ),
    "optax adam": Case("Adam", {"betas": (0.8, 0.95)}, "optax", "adam", {"b1": 0.8, "b2": 0.95}, lr=0.01),
    "optax adamw": Case("AdamW", {"like": "optax"}, "optax", "adamw", {}, lr=0.01),
    "optax amsgrad": Case("Adam", {"amsgrad": "corrected"}, "optax", "amsgrad", {}, lr=0.01),
    "optax adamax": Case("Adamax", {"like": "optax"}, "optax", "adamax", {}, lr=0.01),
    "optax nadam": Case("Adam", {"nesterov": True}, "optax", "nadam", {}, lr=0.01),
    "optax nadamw": Case(
        "AdamW", {"nesterov": True, "weight_decay": 0.1}, "optax", "nadamw", {"weight_decay": 0.1}, lr=0.01
    ),
    "optax radam": Case("RAdam", {"like": "optax"}, "optax", "radam", {}, lr=0.01),
    "Yogi": Case("Yogi", {"like": "optax"}, "optax", "yogi", {}, lr=0.01),
    "Yogi, arguments": Case(
        "Yogi", {"betas": (0.8, 0.95), "eps": 1e-2}, "optax", "yogi", {"b1": 0.8, "b2": 0.95, "eps": 1e-2}, lr=0.1
    ),
    "AdaBelief": Case("AdaBelief", {"like": "optax"}, "optax", "adabelief", {}, lr=0.01),
    "AdaBelief, arguments": Case(
        "AdaBelief", {"betas": (0.8, 0.95), "eps": 1e-6, "eps_root": 1e-8}, "optax", "adabelief",
        {"b1": 0.8, "b2": 0.95, "eps": 1e-6, "eps_root": 1e-8}, lr=0.1,
    ),
    "Lion": Case("Lion", {"like": "optax"}, "optax", "lion", {}, lr=0.001),
    "Lion, weight decay": Case(
        "Lion", {"betas": (0.8, 0.95), "weight_decay": 0.1}, "optax", "lion",
        {"b1": 0.8, "b2": 0.95, "weight_decay": 0.1}, lr=0.01,
    ),
    "signSGD": Case("Signum", {"momentum": 0.0}, "optax", "sign_sgd", {}, lr=0.01),
    "LARS": Case("LARS", {"like": "optax"}, "optax", "lars", {}, lr=0.1),
    "LARS, arguments": Case(
        "LARS", {"weight_decay": 0.1, "momentum": 0.5, "nesterov": True, "eps": 1e-3, "trust_coefficient": 0.1},
        "optax", "lars", lr=0.1,
    ),
    "LAMB": Case("LAMB", {"like": "optax"}, "optax", "lamb", {}, lr=0.01),
    "LAMB, weight decay": Case(
        "LAMB", {"weight_decay": 0.1, "betas": (0.8, 0.95)}, "optax", "lamb",
        {"weight_decay": 0.1, "b1": 0.8, "b2": 0.95}, lr=0.01,
    ),
    "NovoGrad": Case("NovoGrad", {"like": "optax"}, "optax", "novograd", {}, lr=0.01),
    "NovoGrad, weight decay": Case(
        "NovoGrad", {"weight_decay": 0.1, "betas": (0.8, 0.5)}, "optax", "novograd",
        {"weight_decay": 0.1, "b1": 0.8, "b2": 0.5}, lr=0.01,
    ),
}  # fmt: skip

# What optax 0.2.8 does otherwise than the papers, and than torch where torch has it: expected to differ.
WRONG = {
    "Rprop": Case("Rprop", {}, "optax", "rprop", {}, lr=0.01),
    "Adan": Case("Adan", {}, "optax", "adan", {"eps_root": 0.0}, lr=0.01),
}


LBFGS = {
    "LBFGS": {"lr": 0.7, "max_iter": 5, "history_size": 4},
    "LBFGS, strong Wolfe": {"max_iter": 5, "line_search_fn": "strong_wolfe"},
    "LBFGS, strong Wolfe, short": {"lr": 0.1, "max_iter": 3, "max_eval": 7, "line_search_fn": "strong_wolfe"},
}


def valley(lib: Any, w: Any) -> Any:
    """A curved valley in six dimensions."""
    steep, flat = w[1:] - w[:-1] ** 2, 1 - w[:-1]
    return (lib.tanh(steep) * steep * 5).sum() + (flat * flat).sum() + (w**4).sum() / 100


def minimized(lib: Any, w: Any, optimizer: Any, steps: int = 10) -> list[list[float]]:
    """Where L-BFGS is after every step, by torch or symgrad."""
    seen = []

    def closure():
        optimizer.zero_grad()
        loss = valley(lib, w)
        loss.backward()
        return loss

    for _ in range(steps):
        optimizer.step(closure)
        seen.append(np.array(w.detach().numpy()).tolist())
    return seen


def lbfgs(name: str) -> list[list[float]]:
    import torch

    torch.set_default_dtype(torch.float64)
    w = torch.tensor(np.linspace(-1.5, 1.5, 6), requires_grad=True)
    return minimized(torch, w, torch.optim.LBFGS([w], **LBFGS[name]))


def rate(k: Any) -> Any:
    """A schedule, for every case: the rate of step k over that of step 0."""
    return 1 / (1 + k / 50)


def start() -> list[np.ndarray]:
    random = np.random.default_rng(1)
    return [np.asarray(random.standard_normal(shape)) for shape in SHAPES]


def tape():
    """Heavy-tailed gradients; the bias has a zero one at first and for a while."""
    random = np.random.default_rng(0)
    for k in range(STEPS):
        g = [np.asarray(random.standard_normal(s) * np.exp(random.standard_normal(s))) for s in SHAPES]
        if k < 2 or 20 <= k < 40:
            g[1] = np.zeros(SHAPES[1])
        yield g


def flat(params: Any) -> np.ndarray:
    return np.concatenate([np.ravel(np.asarray(p)) for p in params])


class Torch:
    """A case, run by torch; the gradient is taken from a tape, or from a function of the parameters."""

    def __init__(self, case: Case, values: list[np.ndarray]) -> None:
        import torch

        torch.set_default_dtype(torch.float64)
        self.torch = torch
        self.params = [torch.tensor(p, dtype=torch.float64, requires_grad=True) for p in values]
        arguments = case.options if case.arguments is None else case.arguments
        self.optimizer = getattr(torch.optim, case.other or case.kind)(case.spread(self.params), **arguments)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]

    def step(self, k: int, gradients: Any) -> np.ndarray:
        if callable(gradients):
            self.optimizer.zero_grad()
            gradients(self.torch, self.params).backward()
        else:
            for p, g in zip(self.params, gradients, strict=True):
                p.grad = self.torch.tensor(g)
        for group, lr in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = lr * rate(k)
        self.optimizer.step()
        return flat([p.detach().numpy() for p in self.params])


class Optax:
    """The same by optax."""

    def __init__(self, case: Case, values: list[np.ndarray]) -> None:
        import jax
        import optax

        jax.config.update("jax_enable_x64", True)
        self.jax, self.optax = jax, optax
        arguments = case.options if case.arguments is None else case.arguments
        self.optimizer = getattr(optax, case.other)(
            case.lr if case.other == "rprop" else lambda k: case.lr * rate(k), **arguments
        )
        self.params = [jax.numpy.asarray(p) for p in values]
        # Counts are 32-bit integers, whose powers and quotients JAX makes 32-bit floats: here they are doubles.
        double = lambda x: x.astype("float64") if x.dtype.kind == "i" else x  # noqa: E731
        self.state = jax.tree.map(double, self.optimizer.init(self.params))
        self.update = jax.jit(self._update)
        self.gradient: Any = None

    def step(self, k: int, gradients: Any) -> np.ndarray:
        if callable(gradients):
            if self.gradient is None:
                self.gradient = self.jax.jit(self.jax.grad(lambda params: gradients(self.jax.numpy, params)))
            g = self.gradient(self.params)
        else:
            g = [self.jax.numpy.asarray(x) for x in gradients]
        self.params, self.state = self.update(g, self.state, self.params)
        return flat(self.params)

    def _update(self, g: Any, state: Any, params: Any) -> tuple[Any, Any]:
        updates, state = self.optimizer.update(g, state, params)
        return self.optax.apply_updates(params, updates), state


def runner(case: Case, values: list[np.ndarray]) -> Torch | Optax:
    return (Torch if case.oracle == "torch" else Optax)(case, values)


def trajectory(name: str) -> list[list[float]]:
    """All parameters of a case in one list, at the watched steps, by its oracle."""
    found = runner(CASES[name], start())
    seen = [found.step(k, g) for k, g in enumerate(tape())]
    return [seen[k - 1].tolist() for k in WATCHED]


def main() -> int:
    found = {name: trajectory(name) for name in CASES} | {name: lbfgs(name) for name in LBFGS}
    if "--check" not in sys.argv:
        lines = [f"{json.dumps(name)}: {json.dumps(rows)}" for name, rows in found.items()]
        FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
        return 0
    recorded = json.loads(FILE.read_text(encoding="utf-8"))
    wrong = [name for name in found if not np.allclose(found[name], recorded[name], rtol=1e-13, atol=1e-15)]
    print("differs from the record:", wrong) if wrong else print("as recorded")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
