"""Record what torch's optimizers do on a tape of gradients, for tests/test_optim.py (which needs no torch).

python tests/oracles/record_optim.py          writes optim.json beside this file
python tests/oracles/record_optim.py --check  exits with 1 if torch does something else than recorded
"""

import json
import sys
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("optim.json")
SHAPES = ((3, 2), (2,), (), (1, 4))
STEPS = 200
WATCHED = (1, 2, 10, STEPS)

# name: class, and arguments that torch and symgrad share
CASES = {
    "sgd": ("SGD", {"lr": 0.01}),
    "sgd, weight decay": ("SGD", {"lr": 0.01, "weight_decay": 0.1}),
    "momentum": ("SGD", {"lr": 0.01, "momentum": 0.9}),
    "momentum, weight decay": ("SGD", {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.1}),
    "nesterov": ("SGD", {"lr": 0.01, "momentum": 0.9, "nesterov": True}),
    "nesterov, weight decay": ("SGD", {"lr": 0.01, "momentum": 0.5, "nesterov": True, "weight_decay": 0.1}),
    "adam": ("Adam", {}),
    "adam, arguments": ("Adam", {"lr": 0.1, "betas": (0.8, 0.99), "eps": 1e-3}),
    "adam, weight decay": ("Adam", {"lr": 0.01, "weight_decay": 0.1}),
}


def rate(k):
    """A schedule, for every case: the rate of step k over that of step 0."""
    return 1 / (1 + k / 50)


def start():
    random = np.random.default_rng(1)
    return [np.asarray(random.standard_normal(shape)) for shape in SHAPES]


def tape():
    """Heavy-tailed gradients; the bias has a zero one for a while."""
    random = np.random.default_rng(0)
    for k in range(STEPS):
        g = [np.asarray(random.standard_normal(s) * np.exp(random.standard_normal(s))) for s in SHAPES]
        if 20 <= k < 40:
            g[1] = np.zeros(SHAPES[1])
        yield g


def trajectory(name):
    """All parameters of a case in one list, at the watched steps, by torch."""
    import torch

    kind, options = CASES[name]
    params = [torch.tensor(p, dtype=torch.float64, requires_grad=True) for p in start()]
    optimizer = getattr(torch.optim, kind)(params, **options)
    lr = optimizer.param_groups[0]["lr"]
    seen = []
    for k, gradients in enumerate(tape()):
        for p, g in zip(params, gradients, strict=True):
            p.grad = torch.tensor(g)
        optimizer.param_groups[0]["lr"] = lr * rate(k)
        optimizer.step()
        if k + 1 in WATCHED:
            seen.append([x for p in params for x in p.detach().numpy().ravel().tolist()])
    return seen


def main():
    found = {name: trajectory(name) for name in CASES}
    if "--check" not in sys.argv:
        FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        return 0
    recorded = json.loads(FILE.read_text(encoding="utf-8"))
    wrong = [name for name in CASES if not np.allclose(found[name], recorded[name], rtol=1e-13, atol=1e-15)]
    print("differs from the record:", wrong) if wrong else print("as recorded")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
