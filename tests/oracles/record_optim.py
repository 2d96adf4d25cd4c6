"""Record what peers and papers do with a tape of gradients, for tests/test_optim.py (which needs no peer).

python tests/oracles/record_optim.py          writes optim.json beside this file
python tests/oracles/record_optim.py --check  exits with 1 if they do something else than recorded

The cases stand in optim_cases.py.
"""

import inspect
import json
import os
import sys
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import optim_papers
from optim_cases import AVERAGES, CASES, LBFGS, SECOND, Case

os.environ.setdefault("KERAS_BACKEND", "jax")  # that on NumPy calculates with 32 bits whatever it is told
FILE = Path(__file__).with_name("optim.json")
SHAPES = ((3, 2), (2,), (), (1, 4))
STEPS = 200
WATCHED = (1, 2, 10, STEPS)


def rate(k: Any) -> Any:
    """A schedule, for every case: the rate of step k over that of step 0."""
    return 1 / (1 + k / 50)


def loss_of(k: int) -> float:
    """A loss beside the gradients of step k, for rules that compare losses."""
    return float(k % 3)


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


def double() -> Any:
    """torch, with doubles."""
    import torch

    torch.set_default_dtype(torch.float64)
    return torch


def has(function: Any, name: str) -> bool:
    return name in inspect.signature(function).parameters


class Torch:
    """A case, run by torch; the gradient is taken from a tape, or from a function of the parameters."""

    def __init__(self, case: Case, values: list[np.ndarray]) -> None:
        self.torch = torch = double()
        self.params = [torch.tensor(p, requires_grad=True) for p in values]
        kind = getattr(torch.optim, case.other)
        groups, common = case.spread(self.params), case.common
        self.decays = [0.0] * len(values)
        if not has(kind, "weight_decay"):  # then it is added to the gradients by hand
            self.decays = [SECOND["weight_decay"] if case.groups and k >= 2 else case.decay for k in range(len(values))]
            common.pop("weight_decay", None)
            groups = [{k: x for k, x in g.items() if k != "weight_decay"} for g in groups] if case.groups else groups
        self.optimizer = kind(groups, **common, **case.arguments)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]

    def step(self, k: int, gradients: Any) -> np.ndarray:
        if callable(gradients):
            self.optimizer.zero_grad()
            gradients(self.torch, self.params).backward()
        else:
            for p, g in zip(self.params, gradients, strict=True):
                p.grad = self.torch.tensor(g)
        for p, decay in zip(self.params, self.decays, strict=True):
            p.grad = p.grad + decay * p.detach() if decay else p.grad
        for group, lr in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = lr * rate(k)
        self.optimizer.step()
        return flat([p.detach().numpy() for p in self.params])


class Parts:
    """A case, run by a peer that knows no groups: one `part` for every group, on torch's gradients or a tape's."""

    def __init__(self, case: Case, values: list[np.ndarray]) -> None:
        self.case, self.values = case, values
        self.parts = [(slice(0, None), self.part(values, case.lr, case.decay))]
        if case.groups:
            second = self.part(values[2:], SECOND["lr"], SECOND["weight_decay"])
            self.parts = [(slice(0, 2), self.part(values[:2], case.lr, case.decay)), (slice(2, None), second)]

    def step(self, k: int, gradients: Any) -> np.ndarray:
        loss = loss_of(k)
        if callable(gradients):
            torch = double()
            leaves = [torch.tensor(p, requires_grad=True) for p in self.values]
            found = gradients(torch, leaves)
            found.backward()
            loss, gradients = found.item(), [p.grad.numpy() for p in leaves]
        gradients = [-g for g in gradients] if self.case.maximize else list(gradients)
        self.values = [p for where, part in self.parts for p in part(k, gradients[where], self.values[where], loss)]
        return flat(self.values)


class Optax(Parts):
    def part(self, values: list[np.ndarray], lr: float, decay: float) -> Any:
        import jax
        import optax

        jax.config.update("jax_enable_x64", True)
        case = self.case
        kind, arguments, before = getattr(optax, case.other), dict(case.arguments), []
        if decay and has(kind, "weight_decay"):
            arguments["weight_decay"] = decay
        elif decay:
            before = [optax.add_decayed_weights(decay)]
        learning_rate = lr if case.other == "rprop" else lambda k: lr * rate(k)
        optimizer = optax.chain(*before, kind(learning_rate, **arguments))
        # Counts are 32-bit integers, whose powers and quotients JAX makes 32-bit floats: here they are doubles.
        as_double = lambda x: x.astype("float64") if x.dtype.kind == "i" else x  # noqa: E731
        state = jax.tree.map(as_double, optimizer.init([jax.numpy.asarray(p) for p in values]))

        @jax.jit
        def update(g: Any, state: Any, params: Any) -> tuple[Any, Any]:
            updates, state = optimizer.update(g, state, params)
            return optax.apply_updates(params, updates), state

        def step(k: int, gradients: Any, values: Any, loss: float) -> list[np.ndarray]:
            nonlocal state
            found, state = update(gradients, state, values)
            return [np.asarray(p) for p in found]

        return step


class Keras(Parts):
    def part(self, values: list[np.ndarray], lr: float | None, decay: float) -> Any:
        import jax
        import keras

        jax.config.update("jax_enable_x64", True)

        keras.config.set_floatx("float64")
        leaves = [keras.Variable(p, dtype="float64") for p in values]
        given = {"learning_rate": lr, "weight_decay": decay or None}
        arguments = {**self.case.arguments, **{name: x for name, x in given.items() if x is not None}}
        optimizer = getattr(keras.optimizers, self.case.other)(**arguments)
        optimizer.build(leaves)
        first = usual(self.case.other) if lr is None else lr

        def step(k: int, gradients: Any, values: Any, loss: float) -> list[np.ndarray]:
            optimizer.learning_rate = first * rate(k)
            optimizer.apply([jax.numpy.asarray(g) for g in gradients])
            return [np.array(keras.ops.convert_to_numpy(p)) for p in leaves]

        return step


class Paper(Parts):
    """A recurrence of optim_papers.py, for every number by itself."""

    def part(self, values: list[np.ndarray], lr: float | None, decay: float) -> Any:
        recurrence = getattr(optim_papers, self.case.other)
        own = {"decay": decay} if has(recurrence, "decay") else {}
        first = usual(self.case.other) if lr is None else lr
        tapes: list[deque[Any]] = [deque() for _ in flat(values)]
        walks = [
            recurrence(w, iter(tape.popleft, None), **own) for w, tape in zip(flat(values).tolist(), tapes, strict=True)
        ]
        edges = np.cumsum([p.size for p in values])[:-1]

        def step(k: int, gradients: Any, values: Any, loss: float) -> list[np.ndarray]:
            g = flat(gradients) + (0.0 if own else decay * flat(values))
            for tape, x in zip(tapes, g.tolist(), strict=True):
                tape.append((x, first * rate(k), loss))
            found = np.split(np.array([next(walk) for walk in walks]), edges)
            return [x.reshape(p.shape) for x, p in zip(found, values, strict=True)]

        return step


def usual(name: str) -> float:
    """The rate by default in Keras and in papers."""
    return 0.01 if name == "SGD" or "rprop" in name else 0.001


RUNNERS: dict[str, Any] = {"torch": Torch, "optax": Optax, "keras": Keras, "paper": Paper}


def runner(case: Case, values: list[np.ndarray]) -> Any:
    return RUNNERS[case.oracle](case, values)


def trajectory(name: str) -> list[list[float]]:
    """All parameters of a case in one list, at the watched steps, by its oracle."""
    found = runner(CASES[name], start())
    seen = [found.step(k, g) for k, g in enumerate(tape())]
    return [seen[k - 1].tolist() for k in WATCHED]


# What runs otherwise than on a tape, or does not end in parameters


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
    torch = double()
    w = torch.tensor(np.linspace(-1.5, 1.5, 6), requires_grad=True)
    return minimized(torch, w, torch.optim.LBFGS([w], **LBFGS[name]))


RATE = 0.05  # of the descent that averages follow


def averaged(name: str) -> list[list[float]]:
    """The average that an average keeps of plain descent along the tape, at the watched steps, by its oracle."""
    oracle, options = AVERAGES[name]
    if oracle == "optax":
        import jax
        import optax

        jax.config.update("jax_enable_x64", True)
        around = optax.lookahead(optax.sgd(RATE), options["every"], options["alpha"])
        params = optax.LookaheadParams.init_synced([jax.numpy.asarray(p) for p in start()])
        state, seen = around.init(params), []
        for g in tape():
            updates, state = around.update(g, state, params)
            params = optax.apply_updates(params, updates)
            seen.append(flat(params.slow))
    else:
        torch = double()
        model = torch.nn.ParameterList(map(torch.tensor, start()))
        kept = {"multi_avg_fn": torch.optim.swa_utils.get_ema_multi_avg_fn(**options)} if options else {}
        average, descent = torch.optim.swa_utils.AveragedModel(model, **kept), torch.optim.SGD(model.parameters(), RATE)
        seen = []
        for gradients in tape():
            for p, g in zip(model.parameters(), gradients, strict=True):
                p.grad = torch.tensor(g)
            descent.step()
            average.update_parameters(model)
            seen.append(flat([p.detach().numpy() for p in average.module.parameters()]))
    return [seen[k - 1].tolist() for k in WATCHED]


def main() -> int:
    found = {name: trajectory(name) for name in CASES}
    found |= {name: lbfgs(name) for name in LBFGS} | {name: averaged(name) for name in AVERAGES}
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
