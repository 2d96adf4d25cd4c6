"""Modules, initial values, state, mistakes; the layers themselves are in test_nn_layers.py."""

import copy
import math
import pickle
import re
from functools import partial

import numpy as np
import pytest

import symgrad as sg
from symgrad import nn


def mlp(**options):
    return nn.Sequential(nn.Linear(4, 3, **options), nn.Tanh(), nn.Linear(3, 2, **options))


def data(n=6, features=4, seed=0):
    return np.random.default_rng(seed).standard_normal((n, features))


class Net(nn.Module):
    def __init__(self):
        self.blocks = [nn.Linear(4, 4), nn.Linear(4, 4)]
        self.scale = nn.Parameter([2.0])
        self.head = {"a": nn.Linear(4, 2)}
        self.first = self.blocks[0]
        self.unused = None

    def forward(self, x):
        for block in self.blocks:
            x = sg.tanh(block(x))
        return self.head["a"](x) * self.scale


# --- finding parameters


def test_parameters_are_found_by_path_once():
    net = Net()
    names = [name for name, _ in net.named_parameters()]
    assert names == [
        "scale",
        "blocks.0.weight", "blocks.0.bias", "blocks.1.weight", "blocks.1.bias",
        "head.a.weight", "head.a.bias",
    ]  # fmt: skip
    shown = [re.sub(r"\.(\d)", r".Linear\1", name) for name in names]
    assert [p.name for p in net.parameters()] == shown  # "blocks.Linear0.weight": for people, and in programs
    assert net.blocks[0].weight is dict(net.named_parameters())["blocks.0.weight"]
    assert all(p.is_leaf and p.requires_grad for p in net.parameters())


def test_a_shared_parameter_comes_once_and_stays_shared_in_a_copy():
    net = mlp()
    net[2].weight = sg.tensor(np.ones((3, 2)), requires_grad=True)
    twin = nn.Linear(3, 2)
    twin.weight = net[2].weight
    net.twin = twin
    assert [name for name, _ in net.named_parameters()] == ["0.weight", "0.bias", "2.weight", "2.bias", "twin.bias"]
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert other.twin.weight is other[2].weight
        assert other.twin.weight is not twin.weight


def test_a_parameter_is_not_overwritten_by_mistake():
    layer = nn.Linear(2, 2)
    with pytest.raises(sg.SymgradError, match=r"Linear\.weight is a parameter; change its value with \.weight\.assign"):
        layer.weight = layer.weight * 2
    layer.bias = None
    assert [name for name, _ in layer.named_parameters()] == ["weight"]
    layer.weight = sg.tensor([[1.0], [2.0]], requires_grad=True)
    assert layer.weight.shape == (2, 1)


def test_repr_and_summary():
    model = nn.Sequential(nn.Linear(4, 3, bias=False), nn.BatchNorm1d(3), nn.Dropout(keep=0.5))
    assert repr(model) == (
        "Sequential(\n  0: Linear(4, 3, bias=False)\n  1: BatchNorm1d(3, stats='population')\n  2: Dropout(keep=0.5)\n)"
    )
    rows = [line.split() for line in model.summary().splitlines()]
    assert rows[2] == ["0", "Linear", "weight", "(4,", "3)", "12"]
    assert rows[-1] == ["total", "18"]
    assert repr(model.summary()) == model.summary()  # lines, not "\\n", where a notebook or the prompt shows it


# --- initial values


def test_initial_values_depend_on_seed_and_path_alone():
    values = mlp().state_dict()
    first = mlp()
    _ = first[2].weight  # another order of drawing
    with sg.run(seed=0, step=5):
        traced = mlp()
        sg.trace(traced, data())
    for other in (mlp().initialize(0), first, traced):
        for name, value in other.state_dict().items():
            np.testing.assert_array_equal(value, values[name])
    with sg.run(seed=1):
        seeded = mlp()
        seeded.predict(data())
    for name, value in mlp().initialize(1).state_dict().items():
        np.testing.assert_array_equal(value, seeded.state_dict()[name])
        assert np.abs(value - values[name]).max() > 1e-3


def test_equal_layers_at_different_paths_start_differently():
    net = Net()
    a, b = (block.weight.numpy() for block in net.blocks)
    assert np.abs(a - b).max() > 0.01
    net = nn.Module()
    net.layers = []
    net.layers.append(nn.Linear(4, 4))
    net.layers.append(nn.Linear(4, 4))
    net.forward = lambda x: net.layers[1](net.layers[0](x))
    net(sg.tensor(data()))
    a, b = (layer.weight.numpy() for layer in net.layers)
    assert np.abs(a - b).max() > 0.01


def test_initialize_keeps_the_leaves_and_does_not_enter_a_trace():
    layer = nn.Linear(2, 2)
    leaf, before = layer.weight, layer.weight.numpy()
    layer.initialize(seed=3)
    assert layer.weight is leaf
    assert np.abs(leaf.numpy() - before).max() > 1e-3
    fresh = nn.Linear(2, 2)
    graph = sg.trace(fresh, np.ones((1, 2)))
    assert graph.assigned == ()
    np.testing.assert_array_equal(graph(np.ones((1, 2))), fresh(sg.tensor(np.ones((1, 2)))).numpy())


def test_initialize_refuses_an_initialiser_of_a_wrong_shape():
    net = nn.Module()
    net.w = nn.Parameter(lambda random, shape: np.zeros(7), shape=(3,))
    with pytest.raises(sg.ShapeError, match=r"parameter w: its initialiser made shape \(7,\) instead of \(3,\)"):
        _ = net.w


@pytest.mark.parametrize(
    ("name", "variance", "bound"),
    [
        ("xavier_uniform", 2 / 700, math.sqrt(6 / 700)),
        ("xavier_normal", 2 / 700, math.inf),
        ("kaiming_uniform", 2 / 400, math.sqrt(6 / 400)),
        ("kaiming_normal", 2 / 400, math.inf),
        ("lecun_normal", 1 / 400, math.inf),
        ("lecun_uniform", 1 / 400, math.sqrt(3 / 400)),
        ("glorot_uniform", 2 / 700, math.sqrt(6 / 700)),
        ("he_uniform", 2 / 400, math.sqrt(6 / 400)),
        ("truncated_normal", 0.87962566103423978**2, 2.0),
    ],
)
def test_initialisers_have_their_variance_and_fill_their_bounds(name, variance, bound):
    w = getattr(nn.init, name)(np.random.default_rng(0), (400, 300))
    assert w.var() == pytest.approx(variance, rel=0.02)
    assert abs(w.mean()) < 5 * math.sqrt(variance / w.size)
    assert (bound == math.inf and np.abs(w).max() > 3 * w.std()) or 0.999 * bound < np.abs(w).max() <= bound


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (3, 2, 5)])
def test_orthogonal_is_orthogonal(shape):
    w = nn.init.orthogonal(np.random.default_rng(0), shape, gain=2.0).reshape(shape[0], -1)
    small = w @ w.T if w.shape[0] < w.shape[1] else w.T @ w
    np.testing.assert_allclose(small, 4 * np.eye(len(small)), atol=1e-12)


def test_special_initialisers():
    random = np.random.default_rng(0)
    np.testing.assert_array_equal(nn.init.eye(random, (2, 3)), [[1, 0, 0], [0, 1, 0]])
    w = nn.init.sparse(random, (10, 7), sparsity=0.7)
    np.testing.assert_array_equal((w == 0).sum(axis=0), [7] * 7)
    w = nn.init.variance_scaling(random, (400, 300), distribution="truncated_normal")
    assert w.var() == pytest.approx(1 / 400, rel=0.02)
    assert np.abs(w).max() < 2.0 / 0.8796 / 20


def test_linear_starts_as_torch_s():
    layer = nn.Linear(25, 400)
    for p in layer.parameters():
        assert np.abs(p.numpy()).max() < 0.2
        assert p.numpy().var() == pytest.approx(0.04 / 3, rel=0.15)


def test_dtype_goes_from_the_parameters_through_the_model():
    model = nn.Sequential(nn.Linear(4, 3, dtype=np.float32), nn.BatchNorm1d(3, dtype=np.float32), nn.Dropout(keep=0.5))
    with sg.run():
        assert model(sg.tensor(data(), dtype=np.float32)).dtype == np.float32
    assert model.predict(data()).dtype == np.float32
    assert {value.dtype for value in model.state_dict().values()} == {np.dtype(np.float32)}


def test_dirac_convolutions_pass_their_input_on():
    x = np.random.default_rng(0).standard_normal((2, 3, 5, 5))
    layer = nn.Conv2d(3, 3, 3, padding=1, bias=False, weight_init=nn.init.dirac)
    np.testing.assert_allclose(layer(x).numpy(), x)


def test_unit_variance_layer_by_layer():
    X = np.random.default_rng(0).standard_normal((200, 1, 6, 6)) * 7
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 20), nn.Tanh(), nn.Linear(20, 5))
    nn.unit_variance(model, X, tolerance=0.02)
    for end in (1, 4, 6):
        part = nn.Sequential(*[model[k] for k in range(end)])
        assert np.var(part(X).numpy()) == pytest.approx(1, abs=0.02)
    assert all("forward" not in module.__dict__ for module in model.modules())
    with pytest.raises(sg.SymgradError, match="do not vary"):
        nn.unit_variance(nn.Sequential(nn.Linear(3, 2, bias=False)), np.zeros((4, 3)))


@pytest.mark.parametrize(("bias", "X"), [([0.1, 0.2, 0.3], np.zeros((8, 4))), ([0.0, 3.0, -3.0], np.eye(8, 4))])
def test_a_unit_variance_that_biases_forbid_is_refused_and_changes_nothing(bias, X):
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 3))
    model[1].bias.assign(np.array(bias))
    if not X.any():  # nothing but the bias varies
        model = nn.Sequential(model[1])
    before = {name: p.numpy().copy() for name, p in model.named_parameters()}
    with pytest.raises(sg.SymgradError, match=r"Linear\(.*do not reach variance 1 in 10 rounds.* biases be 0"):
        nn.unit_variance(model, X)
    for name, p in model.named_parameters():
        np.testing.assert_array_equal(p.numpy(), before[name])
    assert all("forward" not in module.__dict__ for module in model.modules())


# --- state dicts, copies, modes


def test_state_dict_round_trip():
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    model(sg.tensor(data()))
    saved = model.state_dict()
    assert list(saved) == ["0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var"]
    other = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)).initialize(9)
    assert np.abs(other.predict(data()) - model.predict(data())).max() > 1e-3
    other.load_state_dict(saved)
    np.testing.assert_array_equal(other.predict(data()), model.predict(data()))
    saved["0.weight"][:] = 0
    assert np.abs(model[0].weight.numpy()).max() > 0.1


def test_load_state_dict_says_all_that_does_not_fit_and_changes_nothing():
    model = mlp()
    before = model.state_dict()
    state = {**before, "extra": np.ones(1), "0.weight": np.zeros((4, 4)), "2.bias": np.zeros(2)}
    del state["0.bias"]
    with pytest.raises(sg.SymgradError) as caught:
        model.load_state_dict(state)
    for part in ("missing: 0.bias", "unknown: extra", "0.weight: (4, 4) instead of (4, 3)"):
        assert part in str(caught.value)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
@pytest.mark.parametrize("used", [False, True])
def test_copies_are_equal_and_independent(copied, used):
    model = mlp()
    if used:
        model.predict(data())
    other = copied(model)
    np.testing.assert_array_equal(other.predict(data()), model.predict(data()))
    other[0].weight.assign(np.zeros((4, 3)))
    assert np.abs(model[0].weight.numpy()).max() > 0.1
    other.initialize(5)
    assert np.abs(other[0].weight.numpy()).max() > 0.1


def test_train_and_eval_reach_everything_and_a_run_can_overrule_training():
    model = nn.Sequential(nn.Sequential(nn.Dropout(keep=0.5)), nn.Dropout(drop=0.5))
    x = sg.tensor(np.ones(200))
    model.eval()
    assert not any(module.training for module in model.modules())
    assert model(x).tolist() == x.tolist()
    model.train()
    assert all(module.training for module in model.modules())
    with sg.run(training=False):
        assert model(x).tolist() == x.tolist()
    with sg.run():
        assert set(model(x).tolist()) == {0.0, 4.0}


def test_predict_changes_nothing_and_does_not_depend_on_batches():
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(keep=0.5), nn.Linear(3, 2))
    with sg.run():
        model(sg.tensor(data(seed=1)))
    before = model.state_dict()
    whole = model.predict(data(10))
    assert type(whole) is np.ndarray
    assert all(module.training for module in model.modules())
    np.testing.assert_allclose(model.predict(data(10), batch_size=3), whole, rtol=1e-13)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    with pytest.raises(sg.SymgradError, match="at least one example"):
        model.predict(np.zeros((0, 4)))


def test_calls_are_scopes_in_a_trace():
    graph = sg.trace(Net(), sg.spec("B", 4))
    scopes = [(node.op.name, ".".join(node.scope)) for node in graph.nodes if node.op is not None]
    layer = [[("matmul", f"Net.{name}"), ("add", f"Net.{name}")] for name in ("Linear0", "Linear1", "a")]
    tanh, scale = [("tanh", "Net")], [("multiply", "Net")]
    assert scopes == [*layer[0], *tanh, *layer[1], *tanh, *layer[2], *scale]


# --- mistakes

ERRORS = {
    "features": (lambda: mlp()(sg.tensor(np.ones((2, 5)))), r"Linear '0': takes 4 features .* shape \(2, 5\)"),
    "inner": (
        lambda: nn.Sequential(nn.Linear(4, 3), nn.Linear(4, 2))(sg.tensor(np.ones((2, 4)))),
        r"Linear '1': takes 4 features in the last axis, got an input of shape \(2, 3\)",
    ),
    "no size": (lambda: nn.Linear(0, 3), "^Linear: sizes must be integers of at least 1, got 0, 3"),
    "a list": (lambda: nn.Sequential([nn.Linear(2, 2)]), r"layer 0 is list.*Sequential\(a, b"),
    "no forward": (lambda: nn.Module()(1), "Module: defines no forward"),
    "in a list": (lambda: setattr(nn.Module(), "w", [nn.Parameter(nn.init.zeros, (2,))]), r"w\.0: a Parameter"),
    "no shape": (lambda: nn.Parameter(nn.init.zeros), "needs shape="),
    "data and shape": (lambda: nn.Parameter([1.0], (1,)), "shape= goes with an initialiser"),
    "fan": (lambda: nn.Linear(2, 2, weight_init=partial(nn.init.variance_scaling, fan="on")).weight, "fan='on'"),
    "scaling a bias": (lambda: nn.init.xavier_uniform(np.random.default_rng(0), (3,)), "no inputs and outputs"),
    "batch of one": (lambda: nn.BatchNorm1d(2)(sg.tensor([[1.0, 2.0]])), "minibatch of 1 .* in training"),
    "batch norm axes": (lambda: nn.BatchNorm1d(2)(sg.tensor(np.ones((2, 3)))), r"takes 2 features as \(B, 2\) or"),
    "stats": (lambda: nn.BatchNorm1d(2, stats="moving"), "stats='moving'"),
    "units": (lambda: nn.BatchNorm1d(2, units=[2]), "outside of 0 to 1"),
    "units twice": (lambda: nn.BatchNorm1d(2, units=[1, 1]), "different indices below 2"),
    "residual": (lambda: nn.Residual(nn.Linear(4, 2))(sg.tensor(data())), "pass shortcut="),
    "embedding": (lambda: nn.Embedding(3, 2)(np.array([3])), "Embedding"),
    "embedding of floats": (lambda: nn.Embedding(3, 2)(np.array([1.0])), "takes integers"),
    "heads": (lambda: nn.MultiheadAttention(4, 3), "does not divide into 3 heads"),
    "channels": (lambda: nn.Conv2d(3, 4, 3, groups=2), "do not divide into 2 groups"),
    "images": (lambda: nn.Conv2d(3, 4, 3)(np.ones((2, 3, 4))), r"Conv2d: takes \(B, 3, H, W\), got .*\(2, 3, 4\)"),
    "groups": (lambda: nn.GroupNorm(3, 4), "do not divide into 3 groups"),
    "activation": (lambda: nn.Softmax(dim=1), "Softmax: takes axis, got dim"),
    "weight norm": (lambda: nn.WeightNorm(nn.ReLU()), "takes a Linear or a convolution"),
    "layer norm": (lambda: nn.LayerNorm((2, 3))(sg.tensor(np.ones((5, 3)))), r"last axes \(2, 3\)"),
    "dropout bare": (lambda: nn.Dropout(0.5), "say keep="),
    "dropout both": (lambda: nn.Dropout(keep=0.5, drop=0.5), "one of them"),
    "dropout nothing": (lambda: nn.Dropout(keep=0.0), "above 0"),
    "dropout style": (lambda: nn.Dropout(keep=0.5, style="torch"), "style='torch'"),
    "dropout outside of a run": (lambda: nn.Dropout(keep=0.5)(sg.tensor([1.0])), r"with sg\.run\(seed=0, step=k\)"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_mistakes_are_named(name):
    mistake, message = ERRORS[name]
    with pytest.raises(sg.SymgradError, match=message):
        mistake()


def test_an_unknown_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Linear has no attribute 'wieght'"):
        _ = nn.Linear(2, 2).wieght
