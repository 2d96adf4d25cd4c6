"""Eager, compiled and fast are the same function: for every layer, loss and update rule, and for random networks."""

import inspect

import numpy as np
import pytest

import symgrad as sg
from symgrad import nn, optim, regularizers
from symgrad.plan.fusing import available

MODES = {"compiled": False, **({"fast": True} if available() else {})}


def train(model, loss, make, batches, mode, penalty=None):
    """Steps of training: losses and final leaves, and the report of the compiled function."""
    model.initialize(seed=0)
    optimizer = make(model.parameters())

    def step(x, y):
        optimizer.zero_grad()
        value = loss(model(x), y)
        if penalty is not None:
            value = value + penalty(list(model.parameters()))
        value.backward()
        optimizer.step()
        return value

    run = step if mode == "eager" else sg.compile(step, fast=MODES[mode])
    losses = []
    for k, (x, y) in enumerate(batches):
        with sg.run(seed=1, step=k):
            losses.append(float(run(x, y) if mode != "eager" else run(sg.tensor(x), sg.tensor(y)).item()))
    state = {**model.state_dict(), **{f"optimizer.{k}": v for k, v in optimizer.state_dict().items()}}
    return losses, state, "" if mode == "eager" else run.report()


def agree(make_model, loss, make_optimizer, batches, tolerance=1e-9, penalty=None):
    expected = train(make_model(), loss, make_optimizer, batches, "eager", penalty)
    for mode in MODES:
        found = train(make_model(), loss, make_optimizer, batches, mode, penalty)
        assert "0 eager call(s)" in found[2], found[2]
        np.testing.assert_allclose(found[0], expected[0], rtol=tolerance, err_msg=mode)
        assert found[1].keys() == expected[1].keys()
        for name, value in expected[1].items():
            np.testing.assert_allclose(found[1][name], value, rtol=tolerance * 100, atol=tolerance * 100,
                                       err_msg=f"{mode} {name}")  # fmt: skip


def data(shape, targets=3, steps=3, seed=0):
    rng = np.random.default_rng(seed)
    return [(rng.standard_normal(shape), rng.standard_normal((shape[0], targets))) for _ in range(steps)]


def sgd(params):
    return optim.SGD(params, lr=0.05, momentum=0.9)


OTHER = ("Activation", "GLU", "Threshold")  # abstract, another shape, needs arguments


def _is_activation(name):
    found = getattr(nn, name)
    return inspect.isclass(found) and issubclass(found, nn.Activation) and "Pool" not in name and name not in OTHER


FLAT = {
    "glu": lambda: nn.Sequential(nn.GLU(), nn.Linear(3, 6)),
    "threshold": lambda: nn.Threshold(0.1, -0.2),
    "linear": lambda: nn.Linear(6, 6),
    "wide": lambda: nn.Sequential(nn.Linear(6, 40), nn.Linear(40, 6)),
    "unbiased": lambda: nn.Linear(6, 6, bias=False),
    "batchnorm": lambda: nn.BatchNorm1d(6),
    "layernorm": lambda: nn.LayerNorm(6),
    "rmsnorm": lambda: nn.RMSNorm(6),
    "groupnorm": lambda: nn.GroupNorm(2, 6),
    "dropout": lambda: nn.Dropout(keep=0.7),
    "residual": lambda: nn.Residual(nn.Sequential(nn.Linear(6, 6), nn.Tanh())),
    **{name: getattr(nn, name) for name in nn.__all__ if _is_activation(name)},
}


@pytest.mark.parametrize("name", FLAT)
def test_every_layer_of_features(name):
    agree(lambda: nn.Sequential(nn.Linear(5, 6), FLAT[name](), nn.Linear(6, 3)), sg.losses.mse, sgd, data((8, 5)))


IMAGE = {
    "conv": lambda: nn.Conv2d(2, 3, 3),
    "padded": lambda: nn.Conv2d(2, 3, 3, stride=2, padding=1),
    "maxpool": lambda: nn.MaxPool2d(2),
    "avgpool": lambda: nn.AvgPool2d(2),
    "adaptive": lambda: nn.AdaptiveAvgPool2d(1),
    "batchnorm": lambda: nn.BatchNorm2d(2),
    "instancenorm": lambda: nn.InstanceNorm2d(2),
}


@pytest.mark.parametrize("name", IMAGE)
def test_every_layer_of_images(name):
    probe = nn.Sequential(IMAGE[name](), nn.Flatten())
    probe.initialize(seed=0)
    n = probe(sg.tensor(np.ones((4, 2, 6, 6)))).shape[1]
    batches = data((4, 2, 6, 6))
    agree(lambda: nn.Sequential(IMAGE[name](), nn.ReLU(), nn.Flatten(), nn.Linear(n, 3)), sg.losses.mse, sgd, batches)


RULES = [name for name in optim.__all__ if "configure" in vars(getattr(optim, name)) and name != "Optimizer"]


@pytest.mark.parametrize("name", RULES)
def test_every_update_rule(name):
    def model():
        return nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3))

    agree(model, sg.losses.mse, getattr(optim, name), data((8, 5), steps=4), 1e-8)


LOSSES = {
    "mse": (sg.losses.mse, lambda rng: rng.standard_normal((8, 3))),
    "labels": (sg.losses.cross_entropy, lambda rng: rng.integers(0, 3, 8)),
    "soft": (sg.losses.cross_entropy, lambda rng: rng.dirichlet(np.ones(3), 8)),
}


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss(name):
    loss, targets = LOSSES[name]
    rng = np.random.default_rng(0)
    batches = [(rng.standard_normal((8, 5)), targets(rng)) for _ in range(3)]
    agree(lambda: nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 3)), loss, optim.Adam, batches)


PENALTIES = {
    "L1": lambda: regularizers.L1(0.01),
    "L2": lambda: regularizers.L2(0.01),
    "ElasticNet": lambda: regularizers.ElasticNet(0.01, 0.5),
    "Lp": lambda: regularizers.Lp(0.01, 3),
}


@pytest.mark.parametrize("name", PENALTIES)
def test_every_penalty(name):
    agree(lambda: nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3)), sg.losses.mse, sgd, data((8, 5)),
          penalty=PENALTIES[name]())  # fmt: skip


@pytest.mark.parametrize("seed", range(12))
def test_random_networks(seed):
    rng = np.random.default_rng(seed)
    dtype = [np.float64, np.float32][seed % 3 == 2]
    batch = int(rng.choice([2, 3, 7, 16]))
    sizes = [int(n) for n in rng.choice([1, 2, 5, 16, 33], 4)]
    between = [str(n) for n in rng.choice(["relu", "tanh", "batchnorm", "layernorm", "dropout", "sigmoid"], 6)]
    made = {"relu": lambda n: nn.ReLU(), "tanh": lambda n: nn.Tanh(), "sigmoid": lambda n: nn.Sigmoid(),
            "batchnorm": lambda n: nn.BatchNorm1d(n, dtype=dtype), "layernorm": lambda n: nn.LayerNorm(n, dtype=dtype),
            "dropout": lambda n: nn.Dropout(keep=0.6)}  # fmt: skip

    def model():
        layers = []
        for k, (a, b) in enumerate(zip(sizes, [*sizes[1:], 3], strict=True)):
            bias = "batchnorm" not in between[k : k + 1]
            layers += [nn.Linear(a, b, bias=bias, dtype=dtype), *([made[between[k]](b)] if k < 3 else [])]
        return nn.Sequential(*layers)

    classes = seed % 2 == 0
    x = rng.standard_normal((4, batch, sizes[0])).astype(dtype)
    y = rng.integers(0, 3, (4, batch)) if classes else rng.standard_normal((4, batch, 3)).astype(dtype)
    loss = sg.losses.cross_entropy if classes else sg.losses.mse
    rule = [sgd, lambda p: optim.Adam(p, eps=1e-3, weight_decay=0.01), lambda p: optim.RMSprop(p, eps=1e-3)][
        int(rng.integers(3))
    ]
    if dtype == np.float32:
        rule = sgd  # rules that divide by small gradients amplify rounding
    agree(model, loss, rule, list(zip(x, y, strict=True)), 2e-3 if dtype == np.float32 else 1e-7)
