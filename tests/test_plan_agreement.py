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
            value = value + penalty(model)
        value.backward()
        optimizer.step()
        if penalty is not None:
            penalty.after_step(model, optimizer.lr)
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


def _is_activation(name):
    found = getattr(nn, name)
    return inspect.isclass(found) and issubclass(found, nn.Activation) and "Pool" not in name and name not in (
        "Activation", "GLU", "Threshold")  # abstract, another shape, needs arguments  # fmt: skip


FLAT = {
    "GLU": lambda: nn.Sequential(nn.GLU(), nn.Linear(3, 6)),
    "Threshold": lambda: nn.Threshold(0.1, -0.2),
    "Linear": lambda: nn.Linear(6, 6),
    "wide": lambda: nn.Sequential(nn.Linear(6, 40), nn.Linear(40, 6)),
    "unbiased": lambda: nn.Linear(6, 6, bias=False),
    "BatchNorm1d": lambda: nn.BatchNorm1d(6),
    "LayerNorm": lambda: nn.LayerNorm(6),
    "RMSNorm": lambda: nn.RMSNorm(6),
    "GroupNorm": lambda: nn.GroupNorm(2, 6),
    "Dropout": lambda: nn.Dropout(keep=0.7),
    "DropConnect": lambda: nn.DropConnect(nn.Linear(6, 6), keep=0.7),
    "GaussianDropout": lambda: nn.GaussianDropout(keep=0.7),
    "GaussianNoise": lambda: nn.GaussianNoise(0.1),
    "WeightNorm": lambda: nn.WeightNorm(nn.Linear(6, 6)),
    "Identity": nn.Identity,
    "PReLU": lambda: nn.PReLU(6),
    "Standardize": lambda: nn.Standardize(np.arange(6.0), np.arange(1.0, 7.0)),
    "Rescale": lambda: nn.Rescale(np.arange(6.0), np.arange(1.0, 7.0)),
    "Reshape": lambda: nn.Sequential(nn.Reshape(3, 2), nn.Tanh()),
    "Residual": lambda: nn.Residual(nn.Sequential(nn.Linear(6, 6), nn.Tanh())),
    **{name: getattr(nn, name) for name in nn.__all__ if _is_activation(name)},
}
IMAGE = {
    "Conv2d": lambda: nn.Conv2d(2, 3, 3),
    "padded": lambda: nn.Conv2d(2, 3, 3, stride=2, padding=1),
    "MaxPool2d": lambda: nn.MaxPool2d(2),
    "AvgPool2d": lambda: nn.AvgPool2d(2),
    "AdaptiveAvgPool2d": lambda: nn.AdaptiveAvgPool2d(1),
    "BatchNorm2d": lambda: nn.BatchNorm2d(2),
    "InstanceNorm2d": lambda: nn.InstanceNorm2d(2),
    "SpatialDropout": lambda: nn.SpatialDropout(keep=0.7),
}
SEQUENCE = {
    "Conv1d": lambda: nn.Conv1d(2, 3, 3),
    "MaxPool1d": lambda: nn.MaxPool1d(2),
    "AvgPool1d": lambda: nn.AvgPool1d(2),
    "AdaptiveAvgPool1d": lambda: nn.AdaptiveAvgPool1d(2),
    "InstanceNorm1d": lambda: nn.InstanceNorm1d(2),
}
STEPS = {
    "RNNCell": lambda: nn.Recurrent(nn.RNNCell(4, 5)),
    "LSTMCell": lambda: nn.Recurrent(nn.LSTMCell(4, 5)),
    "GRUCell": lambda: nn.Recurrent(nn.GRUCell(4, 5), last=True),
    "MultiheadAttention": lambda: nn.MultiheadAttention(4, 2),
}
WORDS = {"Embedding": lambda: nn.Embedding(7, 4)}
LAYERS = {
    **{name: (make, (8, 5), lambda: nn.Linear(5, 6)) for name, make in FLAT.items()},
    **{name: (make, (4, 2, 6, 6), lambda: nn.Conv2d(2, 2, 1)) for name, make in IMAGE.items()},
    **{name: (make, (4, 2, 6), lambda: nn.Conv1d(2, 2, 1)) for name, make in SEQUENCE.items()},
    **{name: (make, (4, 3, 5), lambda: nn.Linear(5, 4)) for name, make in STEPS.items()},
    **{name: (make, (4, 3), None) for name, make in WORDS.items()},
}
"""Layer -> how it is made, the shape of its inputs, and the layer in front of it that has gradients through it."""
ABSTRACT = {"Activation", "Module"}


def network(name):
    make, shape, before = LAYERS[name]
    front = [] if before is None else [before()]
    probe = nn.Sequential(*front, make(), nn.Flatten())
    probe.initialize(seed=0)
    with sg.run(seed=0):
        n = probe(sg.tensor(np.ones(shape, int if before is None else float))).shape[1]
    return nn.Sequential(*([] if before is None else [before()]), make(), nn.Flatten(), nn.Linear(n, 3))


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer(name):
    _, shape, before = LAYERS[name]
    batches = data(shape)
    if before is None:
        batches = [(np.abs(x * 2).astype(int) % 7, y) for x, y in batches]
    agree(lambda: network(name), sg.losses.mse, sgd, batches)


def _types(module):
    found = {type(module).__name__}
    for child in vars(module).values():
        for one in child if isinstance(child, (list, tuple)) else [child]:
            found |= _types(one) if isinstance(one, nn.Module) else set()
    return found


def test_no_layer_is_left_out():
    layers = {
        name for name in nn.__all__ if inspect.isclass(getattr(nn, name)) and issubclass(getattr(nn, name), nn.Module)
    }
    tried = set().union(*(_types(network(name)) for name in LAYERS))
    assert layers - ABSTRACT <= tried, layers - ABSTRACT - tried


APART = {"EMA", "SWA", "Lookahead", "LBFGS", "LevenbergMarquardt", "Newton", "ScipyMinimize", "Optimizer",
         "rules", "schedules", "transforms"}  # fmt: skip
"""Averages of other rules' results, methods that call the loss themselves, and modules."""
RULES = [name for name in optim.__all__ if name not in APART]


@pytest.mark.parametrize("name", RULES)
def test_every_update_rule(name):
    def model():
        return nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3))

    agree(model, sg.losses.mse, getattr(optim, name), data((8, 5), steps=4), 1e-8)


def _real(rng):
    return rng.standard_normal((8, 3))


def _signs(rng):
    return rng.choice([-1.0, 1.0], (8, 3))


def _shares(rng):
    return rng.dirichlet(np.ones(3), 8)


def _bits(rng):
    return rng.integers(0, 2, (8, 3)).astype(float)


def _labels(rng):
    return rng.integers(0, 3, 8)


def _sign_rows(rng):
    return rng.choice([-1.0, 1.0], 8)


def _counts(rng):
    return rng.integers(0, 4, (8, 3)).astype(float)


def _positions(rng):
    return np.array([[0, 2, -1], [1, -1, -1], [2, 1, 0], [-1, -1, -1]] * 2)


L = sg.losses
LOSSES = {
    "mse": (L.mse, _real),
    "mse_loss": (L.mse_loss, _real),
    "l1_loss": (L.l1_loss, _real),
    "huber_loss": (L.huber_loss, _real),
    "smooth_l1_loss": (L.smooth_l1_loss, _real),
    "log_cosh_loss": (L.log_cosh_loss, _real),
    "quantile_loss": (lambda y, t: L.quantile_loss(y, t, 0.3), _real),
    "percentage_loss": (L.percentage_loss, _signs),
    "squared_log_loss": (lambda y, t: L.squared_log_loss(sg.exp(y), t), _counts),
    "tweedie_loss": (lambda y, t: L.tweedie_loss(sg.exp(y), t), _counts),
    "poisson_nll_loss": (L.poisson_nll_loss, _counts),
    "gaussian_nll_loss": (lambda y, t: L.gaussian_nll_loss(y, t, sg.exp(y)), _real),
    "cross_entropy": (L.cross_entropy, _labels),
    "soft labels": (L.cross_entropy, _shares),
    "label smoothing": (lambda y, t: L.cross_entropy(y, t, label_smoothing=0.1), _labels),
    "nll_loss": (lambda y, t: L.nll_loss(nn.functional.log_softmax(y, 1), t), _labels),
    "kl_div": (lambda y, t: L.kl_div(nn.functional.log_softmax(y, 1), t), _shares),
    "linear_cross_entropy": (lambda y, t: L.linear_cross_entropy(y, y[:3], t), _labels),
    "focal_loss": (L.focal_loss, _bits),
    "dice_loss": (L.dice_loss, _bits),
    "tversky_loss": (lambda y, t: L.tversky_loss(y, t, 0.3, 0.7), _bits),
    "binary_cross_entropy": (lambda y, t: L.binary_cross_entropy(sg.sigmoid(y), t), _bits),
    "binary_cross_entropy_with_logits": (L.binary_cross_entropy_with_logits, _bits),
    "hinge_loss": (L.hinge_loss, _signs),
    "squared_hinge_loss": (L.squared_hinge_loss, _signs),
    "soft_margin_loss": (L.soft_margin_loss, _signs),
    "hinge_embedding_loss": (L.hinge_embedding_loss, _signs),
    "multilabel_soft_margin_loss": (L.multilabel_soft_margin_loss, _bits),
    "multilabel_margin_loss": (L.multilabel_margin_loss, _positions),
    "multi_margin_loss": (L.multi_margin_loss, _labels),
    "margin_ranking_loss": (lambda y, t: L.margin_ranking_loss(y[:, 0], y[:, 1], t, 0.1), _sign_rows),
    "cosine_embedding_loss": (lambda y, t: L.cosine_embedding_loss(y, y[::-1], t, 0.1), _sign_rows),
    "triplet_margin_loss": (lambda y, t: L.triplet_margin_loss(y, t, y[::-1]), _real),
    "triplet_margin_with_distance_loss": (lambda y, t: L.triplet_margin_with_distance_loss(y, t, y[::-1]), _real),
}


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss(name):
    loss, targets = LOSSES[name]
    rng = np.random.default_rng(0)
    batches = [(rng.standard_normal((8, 5)), targets(rng)) for _ in range(3)]
    agree(lambda: nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3)), loss, optim.Adam, batches, 1e-8)


def test_no_loss_is_left_out():
    assert set(L.__all__) <= set(LOSSES), set(L.__all__) - set(LOSSES)


PENALTIES = {
    "L1": lambda: regularizers.L1(0.01),
    "L1, proximal": lambda: regularizers.L1(0.01, proximal=True),
    "L2": lambda: regularizers.L2(0.01),
    "L2, proximal": lambda: regularizers.L2(0.01, proximal=True),
    "ElasticNet": lambda: regularizers.ElasticNet(0.01, 0.5),
    "ElasticNet, proximal": lambda: regularizers.ElasticNet(0.01, 0.5, proximal=True),
    "GroupLasso": lambda: regularizers.GroupLasso(0.01),
    "GroupLasso, proximal": lambda: regularizers.GroupLasso(0.01, proximal=True),
    "Lp": lambda: regularizers.Lp(0.01, 3),
    "Lp, proximal": lambda: regularizers.Lp(0.01, 2, proximal=True),
    "LpPower": lambda: regularizers.LpPower(0.01, 1.5),
    "WeightDecay": lambda: regularizers.WeightDecay(0.01),
    "Box": lambda: regularizers.Box(-0.2, 0.2),
    "L1Ball": lambda: regularizers.L1Ball(0.5),
    "L2Ball": lambda: regularizers.L2Ball(0.5),
    "MaxNorm": lambda: regularizers.MaxNorm(0.5),
    "NonNegative": regularizers.NonNegative,
    "Simplex": regularizers.Simplex,
    "UnitNorm": regularizers.UnitNorm,
}


@pytest.mark.parametrize("name", PENALTIES)
def test_every_penalty(name):
    agree(lambda: nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3)), sg.losses.mse, sgd, data((8, 5)),
          penalty=PENALTIES[name]())  # fmt: skip


OF_INPUTS = {"gradient_penalty": regularizers.gradient_penalty, "jacobian_penalty": regularizers.jacobian_penalty}


@pytest.mark.parametrize("name", OF_INPUTS)
def test_every_penalty_of_inputs(name):
    def make():
        model = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3))
        model.initialize(seed=0)

        def f(x):
            of = (lambda z: model(z).sum(axis=1)) if name == "gradient_penalty" else model
            return OF_INPUTS[name](of, x)

        return f

    x = data((8, 5))[0][0]
    expected = make()(sg.tensor(x)).item()
    for fast in MODES.values():
        run = sg.compile(make(), fast=fast)
        np.testing.assert_allclose(run(x), expected, rtol=1e-10)
        assert "0 eager call(s)" in run.report()


def test_no_regularizer_is_left_out():
    tried = {name.partition(",")[0] for name in (*PENALTIES, *OF_INPUTS)}
    assert set(regularizers.__all__) - {"Regularizer", "named"} <= tried


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


@pytest.mark.parametrize("fast", MODES.values())
def test_labels_that_do_not_count_come_later(fast):
    z, y = np.random.default_rng(0).normal(size=(3, 4)), np.array([0, -100, 2])
    step = sg.compile(lambda z, y: sg.losses.cross_entropy(z, y, ignore_index=-100), fast=fast)
    step(z, np.array([0, 1, 2]))
    np.testing.assert_allclose(step(z, y), sg.losses.cross_entropy(z, y), rtol=1e-14)
    untold = sg.compile(lambda z, y: sg.losses.cross_entropy(z, y), fast=fast)
    with pytest.raises(sg.DataError, match="label -100 at row 1"):
        untold(z, y)
