"""Penalties, proximal steps, projections and penalties of the input, against their definitions."""

import numpy as np
import pytest
from scipy.optimize import minimize

import symgrad as sg
from symgrad import losses, nn, optim, regularizers
from symgrad.train import Trainer

W = np.array([[3.0, -1.0, 0.2], [0.5, -2.0, 0.1]])
B = np.array([-4.0, 0.0, 1.0])


def parameters():
    weight = sg.tensor(W, requires_grad=True, name="weight")
    return {"weight": weight, "bias": sg.tensor(B, requires_grad=True, name="bias")}


ALL = np.concatenate([W.ravel(), B])
PENALTIES = {
    "l1": (regularizers.L1(0.3), 0.3 * np.abs(ALL).sum()),
    "l2": (regularizers.L2(0.3), 0.15 * (ALL**2).sum()),
    "l2, not halved": (regularizers.L2(0.3, half=False), 0.3 * (ALL**2).sum()),
    "elastic net": (regularizers.ElasticNet(0.3, 0.25), 0.3 * (0.25 * np.abs(ALL).sum() + 0.375 * (ALL**2).sum())),
    "power": (regularizers.LpPower(0.3, 3), 0.3 * (np.abs(ALL) ** 3).sum()),
    "weights only": (regularizers.L1(0.3, exclude=("bias",)), 0.3 * np.abs(W).sum()),
    "rows": (regularizers.GroupLasso(0.3), 0.3 * 3**0.5 * np.linalg.norm(W, axis=1).sum()),
    "columns": (
        regularizers.GroupLasso(0.3, axis=0, exclude=()),
        0.3 * (2**0.5 * np.linalg.norm(W, axis=0).sum() + 3**0.5 * np.linalg.norm(B)),
    ),
}


@pytest.mark.parametrize("name", PENALTIES)
def test_penalties_are_their_formulas_and_differentiate(name):
    penalty, expected = PENALTIES[name]
    assert penalty(parameters()).item() == pytest.approx(expected, rel=1e-14)
    away = [W + 0.05, B + 0.07]
    assert sg.gradcheck(lambda w, b: penalty({"weight": w, "bias": b}), away, order=2)


def test_a_quasi_norm_differentiates_and_leaves_what_is_0():
    w = sg.tensor([1.0, 0.0, -4.0], requires_grad=True)
    penalty = regularizers.Lp(2.0, 0.5)
    value = penalty([w])
    value.backward()
    assert value.item() == pytest.approx(2 * 9)
    np.testing.assert_allclose(w.grad, [2 * 3, 0, -2 * 1.5])  # sign |theta|^(p-1) / norm^(p-1), and 0
    assert sg.gradcheck(lambda x: penalty([x]), [W + 0.05], order=2)
    w.assign(np.zeros(3))
    w.grad = None
    penalty([w]).backward()
    assert not w.grad.any()


PROXIMAL = {
    "l1": regularizers.L1(0.3, proximal=True),
    "l2": regularizers.L2(0.3, proximal=True),
    "elastic net": regularizers.ElasticNet(0.3, 0.4, proximal=True),
    "groups": regularizers.GroupLasso(0.3, proximal=True, exclude=()),
    "norm 1": regularizers.Lp(0.3, 1, proximal=True),
    "norm 2": regularizers.Lp(0.3, 2, proximal=True),
}


@pytest.mark.parametrize("name", PROXIMAL)
def test_proximal_steps_minimize_what_they_should(name):
    """The step must be the minimum of r(u) + |u - w|^2 / (2 lr), which SciPy finds without derivatives."""
    proximal, lr = PROXIMAL[name], 0.5
    values = [np.array([[0.9, -0.4], [0.05, 0.1]]), np.array([-0.7])]
    options = {k: v for k, v in vars(proximal).items() if k in ("lam", "p", "ratio", "axis", "half")}
    plain = type(proximal)(**options, exclude=())
    leaves = [sg.tensor(v, requires_grad=True) for v in values]
    assert proximal(leaves) == 0
    proximal.after_step(leaves, lr)
    found = np.concatenate([p.numpy().ravel() for p in leaves])
    start = np.concatenate([v.ravel() for v in values])

    def objective(u):
        parts = [u[:4].reshape(2, 2), u[4:]]
        return float(np.asarray(plain.penalty(parts))) + ((u - start) ** 2).sum() / (2 * lr)

    assert objective(found) <= minimize(objective, found + 0.01, method="Nelder-Mead").fun + 1e-12
    random = np.random.default_rng(0)
    assert all(objective(found) < objective(found + 1e-3 * random.standard_normal(5)) for _ in range(50))


def projected(regularizer):
    leaves = parameters()
    regularizer.after_step(leaves, 0.1)
    return leaves["weight"].numpy(), leaves["bias"].numpy()


def test_projections():
    weight, bias = projected(regularizers.MaxNorm(1.0))
    np.testing.assert_allclose(np.linalg.norm(weight, axis=0), [1.0, 1.0, np.hypot(0.2, 0.1)])
    assert (bias == B).all()
    weight, bias = projected(regularizers.L2Ball(2.0))
    assert (np.linalg.norm(weight), np.linalg.norm(bias)) == (pytest.approx(2), pytest.approx(2))
    np.testing.assert_allclose(np.linalg.norm(projected(regularizers.UnitNorm())[0], axis=0), 1)
    assert (projected(regularizers.NonNegative())[0] == np.maximum(W, 0)).all()
    assert (projected(regularizers.Box(-1, 0.3))[1] == np.clip(B, -1, 0.3)).all()
    weight, bias = projected(regularizers.WeightDecay(0.5))
    np.testing.assert_allclose(weight, W * 0.95)
    assert (bias == B).all()
    zero = sg.tensor(np.zeros((2, 2)), requires_grad=True)
    for projection in (regularizers.MaxNorm(1.0), regularizers.UnitNorm()):
        projection.after_step([zero], 0.1)
        assert not zero.numpy().any()


@pytest.mark.parametrize("seed", range(4))
def test_projections_to_the_1_norm_and_to_shares_are_the_nearest_points(seed):
    """By bisection on the threshold, which needs no sorting; inside nothing moves."""
    random = np.random.default_rng(seed)
    w = random.standard_normal((3, 7)) * 10.0 ** random.integers(-1, 2)

    def by_bisection(v, total):
        low, high = v.min() - total, v.max()
        for _ in range(200):
            middle = (low + high) / 2
            low, high = (middle, high) if np.maximum(v - middle, 0).sum() > total else (low, middle)
        return np.maximum(v - low, 0)

    def projection(regularizer, start=w):
        leaf = sg.tensor(start, requires_grad=True)
        regularizer.after_step([leaf], 0.1)
        return leaf.numpy()

    np.testing.assert_allclose(
        projection(regularizers.Simplex(2.0)), [by_bisection(row, 2.0) for row in w], rtol=1e-9, atol=1e-12
    )
    np.testing.assert_allclose(
        projection(regularizers.Simplex(2.0, axis=0)).T, [by_bisection(row, 2.0) for row in w.T], rtol=1e-9, atol=1e-12
    )
    length = np.abs(w).sum()
    expected = np.sign(w) * by_bisection(np.abs(w).ravel(), length / 3).reshape(w.shape)
    small = projection(regularizers.L1Ball(length / 3))
    np.testing.assert_allclose(small, expected, rtol=1e-9, atol=1e-12)
    assert np.abs(small).sum() == pytest.approx(length / 3)
    np.testing.assert_array_equal(projection(regularizers.L1Ball(length * 1.01)), w)
    np.testing.assert_allclose(projection(regularizers.Simplex(2.0), small * 0 + 2 / 7), np.full(w.shape, 2 / 7))
    assert not projection(regularizers.L1Ball(0.0)).any()


def test_projections_compile():
    leaf = sg.tensor([[3.0, -2.0, 0.5]], requires_grad=True)
    run = sg.compile(lambda x: (regularizers.L1Ball(2.0).update(x, 0.1), regularizers.Simplex().update(x, 0.1)))
    first, second = run(leaf)
    np.testing.assert_allclose(first.numpy(), [[1.5, -0.5, 0.0]])
    np.testing.assert_allclose(second.numpy(), [[1.0, 0.0, 0.0]])


def test_penalties_of_the_jacobian():
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).initialize(0)
    X = np.random.default_rng(0).standard_normal((5, 3))
    exact = [np.asarray(sg.jacobian(lambda x: model(x[None])[0])(x)) for x in X]
    found = regularizers.jacobian_penalty(model, X)
    assert found.item() == pytest.approx(np.mean([(J**2).sum() for J in exact]))
    found.backward()
    assert model[0].weight.grad.any()
    lengths = [np.linalg.norm(J.sum(axis=0)) for J in exact]
    penalty = regularizers.gradient_penalty(lambda x: model(x).sum(axis=1), X)
    assert penalty.item() == pytest.approx(np.mean((np.array(lengths) - 1) ** 2))


def test_a_trainer_takes_penalties_and_projections():
    random = np.random.default_rng(0)
    X = random.standard_normal((40, 6))
    y = X[:, :1] * 2.0
    ends = []
    for compiled in (False, True):
        model = nn.Sequential(nn.Linear(6, 1)).initialize(0)
        trainer = Trainer(
            model, loss=losses.mse, optimizer=lambda ps: optim.SGD(ps, lr=0.1), batch_size=10, compiled=compiled,
            regularizers=[regularizers.L1(0.5, proximal=True), regularizers.Box(-1.5, 1.5)],
        )  # fmt: skip
        trainer.fit((X, y), epochs=30)
        ends.append(model[0].weight.numpy().ravel())
    np.testing.assert_allclose(*ends, rtol=1e-10, atol=1e-14)
    assert ends[0][0] == 1.5
    assert (ends[0][1:] == 0).sum() >= 4


ERRORS = {
    "negative": (lambda: regularizers.L1(-1.0), "lam=-1.0"),
    "no number": (lambda: regularizers.L2("much"), "lam='much'"),
    "no norm": (lambda: regularizers.Lp(1.0, 0), "p=0"),
    "proximal of 3": (lambda: regularizers.Lp(1.0, 3, proximal=True), "p=1 and p=2"),
    "power 1": (lambda: regularizers.LpPower(1.0, 1), "above 1"),
    "all excluded": (
        lambda: regularizers.L1(1.0, exclude=("p",))([sg.tensor([1.0], name="p")]),
        "no parameter is left",
    ),
    "one sum": (lambda: regularizers.jacobian_penalty(lambda x: x.sum(), np.ones((2, 2))), "samples, outputs"),
    "no dropout": (lambda: nn.dropout_average(nn.Linear(2, 1), np.ones((1, 2))), "no Dropout layer"),
    "too many units": (lambda: nn.dropout_average(nn.Sequential(nn.Dropout(keep=0.5)), np.ones((1, 20))), r"2\*\*20"),
    "nothing follows": (
        lambda: nn.restyle_dropout(nn.Sequential(nn.Dropout(keep=0.5)), "lecture"),
        "no weight follows",
    ),
    "mask": (lambda: nn.Dropout(keep=0.5, mask="row"), "mask='row'"),
    "dropconnect": (lambda: nn.DropConnect(nn.ReLU(), keep=0.5), "goes around a Linear"),
    "noise": (lambda: nn.GaussianNoise(-1.0), "std=-1.0"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_mistakes_are_named(name):
    mistake, message = ERRORS[name]
    with pytest.raises(sg.SymgradError, match=message):
        mistake()


# --- noise and DropConnect


def drawn(layer, x, step=0):
    with sg.run(seed=0, step=step):
        return layer.train()(sg.tensor(x)).numpy()


def test_noise_has_its_mean_and_variance():
    x = np.full((200, 100), 2.0)
    noisy = drawn(nn.GaussianNoise(0.5), x)
    assert (noisy.mean(), noisy.std()) == (pytest.approx(2, abs=0.02), pytest.approx(0.5, rel=0.02))
    scaled = drawn(nn.GaussianDropout(keep=0.8), x)
    assert (scaled.mean(), scaled.std()) == (pytest.approx(2, abs=0.02), pytest.approx(2 * 0.25**0.5, rel=0.02))
    for layer in (nn.GaussianNoise(0.5), nn.GaussianDropout(keep=0.8)):
        assert (layer.eval()(sg.tensor(x)).numpy() == x).all()


@pytest.mark.parametrize("style", ["inverted", "lecture"])
def test_dropconnect_expects_what_it_computes_in_evaluation(style):
    layer = nn.DropConnect(nn.Linear(4, 3), keep=0.7, style=style).initialize(0)
    x = np.ones((2, 4))
    outs = np.array([drawn(layer, x, k) for k in range(3000)])
    assert (outs[:, 0] == outs[:, 1]).all()
    share = 1.0 if style == "inverted" else 1 / 0.7 * 0.7
    expected = layer.eval()(sg.tensor(x)).numpy() * share
    np.testing.assert_allclose(outs.mean(axis=0), expected, atol=0.03)
    factor = 1.0 if style == "inverted" else 0.7
    np.testing.assert_allclose(expected, factor * (x @ layer.layer.weight.numpy()) + layer.layer.bias.numpy())


def test_dropout_compiles_in_all_kinds():
    model = nn.Sequential(nn.SpatialDropout(keep=0.5, mask="batch"), nn.GaussianNoise(0.1)).initialize(0)
    run = sg.compile(lambda x: model(x).sum())
    x = np.ones((3, 4, 2, 2))
    with sg.run(seed=0, step=0):
        a = run(x)
    with sg.run(seed=0, step=0):
        b = model(sg.tensor(x)).sum().item()
    assert a == pytest.approx(b)
