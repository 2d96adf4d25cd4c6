"""L-BFGS against torch's record; SciPy's minimisers, Newton and Levenberg-Marquardt with exact derivatives."""

import json

import numpy as np
import pytest
import record_optim as oracle

import symgrad as sg
from symgrad import nn, optim

RECORDED = json.loads(oracle.FILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", oracle.LBFGS)
def test_lbfgs_is_torch_s(name):
    w = sg.tensor(np.linspace(-1.5, 1.5, 6), requires_grad=True)
    found = oracle.minimized(sg, w, optim.LBFGS([w], **oracle.LBFGS[name]))
    np.testing.assert_allclose(found, RECORDED[name], rtol=1e-8, atol=1e-9)


def test_lbfgs_resumes_to_the_bit():
    def run(interrupted):
        w = sg.tensor(np.linspace(-1.5, 1.5, 6), requires_grad=True)
        options = {"max_iter": 3, "line_search_fn": "strong_wolfe"}
        optimizer = optim.LBFGS([w], **options)
        oracle.minimized(sg, w, optimizer, 3)
        if interrupted:
            saved = optimizer.state_dict()
            optimizer = optim.LBFGS([w], **options)
            optimizer.load_state_dict(saved)
        return oracle.minimized(sg, w, optimizer, 3)

    assert run(True) == run(False)


def network():
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)).initialize(0)
    X = np.random.default_rng(0).standard_normal((20, 2))
    y = np.tanh(X[:, :1] - 2 * X[:, 1:])
    return model, X, y


METHODS = ("CG", "BFGS", "L-BFGS-B", "TNC", "SLSQP", "Newton-CG", "trust-ncg", "trust-krylov", "trust-exact")


@pytest.mark.parametrize("method", METHODS)
def test_scipy_minimizes_a_network(method):
    model, X, y = network()
    optimizer = optim.ScipyMinimize(
        model.parameters(), method=method, **{"maxfun" if method == "TNC" else "maxiter": 60}
    )
    start = sg.losses.mse(model(X), y).item()
    end = optimizer.step(lambda: sg.losses.mse(model(X), y) + 1e-3 * sum((p * p).sum() for p in model.parameters()))
    assert end < 0.1 * start
    assert optimizer.result.fun == end
    assert sg.losses.mse(model(X), y).item() < end


def test_without_gradients():
    w = sg.tensor([1.0, 2.0], requires_grad=True)
    assert optim.ScipyMinimize([w], method="Nelder-Mead").step(lambda: (w * w).sum()) < 1e-6


@pytest.mark.parametrize("solver", ["direct", "cg"])
def test_newton_converges_quadratically(solver):
    w = sg.tensor([0.4, -0.3, 0.2], requires_grad=True)

    def closure():
        return sg.exp(w).sum() + (w * w).sum() + w[0] * w[1]

    optimizer = optim.Newton([w], solver=solver)
    lengths = []
    for _ in range(5):
        optimizer.step(closure)
        w.grad = None
        closure().backward()
        lengths.append(np.abs(w.grad).max())
    assert lengths[0] > 1e-4
    assert lengths[1] < lengths[0] ** 2 * 10
    assert lengths[3] < 1e-12


def test_newton_with_damping_is_its_formula():
    w = sg.tensor([3.0], requires_grad=True)
    optim.Newton([w], lr=0.5, damping=2.0).step(lambda: (w * w * w).sum())
    assert w.item() == pytest.approx(3 - 0.5 * 27 / (18 + 2))


def test_levenberg_marquardt_fits_exactly():
    a, b = sg.tensor(1.0, requires_grad=True), sg.tensor([0.1], requires_grad=True)
    t = np.linspace(0, 2, 30)
    optimizer = optim.LevenbergMarquardt([a, b])
    cost = optimizer.step(lambda: a * sg.exp(-b * t) - 2.5 * np.exp(-1.3 * t))
    assert cost < 1e-20
    assert (a.item(), b.item()) == (pytest.approx(2.5), pytest.approx(1.3))
    assert optimizer.result.njev > 0


ERRORS = {
    "line search": (lambda w: optim.LBFGS([w], line_search_fn="armijo"), "armijo"),
    "no gradient": (lambda w: optim.LBFGS([w]).step(lambda: 1.0), "zero_grad"),
    "solver": (lambda w: optim.Newton([w], solver="qr"), "solver='qr'"),
    "no parameters": (lambda w: optim.ScipyMinimize([]), "no parameters"),
    "two losses": (lambda w: optim.ScipyMinimize([w]).step(lambda: (w.sum(), w.sum())), "returned 2"),
    "other state": (lambda w: optim.LBFGS([w]).load_state_dict({}), "a state has"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_mistakes_are_named(name):
    mistake, message = ERRORS[name]
    with pytest.raises(sg.SymgradError, match=message):
        mistake(sg.tensor([1.0, 2.0], requires_grad=True))
