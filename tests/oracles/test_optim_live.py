"""Optimizers and schedules beside torch's and optax's, all steps, on the tape and on a model that they train."""

import json
import os

import mpmath as mp
import numpy as np
import pytest
import record_optim as oracle
import schedule_cases
from optim_cases import AVERAGES, WRONG

import symgrad as sg
from symgrad import optim

os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")  # steps are tiny, compiling them is the work
torch = pytest.importorskip("torch")
pytest.importorskip("optax")

X = np.linspace(-1, 1, 14).reshape(7, 2)
Y = np.sin(3 * X).sum(axis=1, keepdims=True)
# Keras's variables, converted to NumPy's arrays.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def model_loss(lib, params):
    """A small tanh network on fixed data, in the arithmetic of `lib`; all four parameters of the tape's shapes."""
    w, b, c, v = params
    x, y = (torch.tensor(X), torch.tensor(Y)) if lib is torch else (X, Y)
    hidden = lib.tanh(x @ w.T[:, :2] * 0.5 + b)
    out = lib.tanh(hidden @ v.reshape(2, 2) * 0.5) @ w[2].reshape(2, 1) + c
    return ((out - y) ** 2).mean()


def ours(case, values):
    params = [sg.tensor(p, requires_grad=True) for p in values]
    optimizer = getattr(optim, case.kind)(case.spread(params), **case.common, **case.options)
    base = optimizer.lr.item()
    ahead = optimizer.groups[0].declared.point is not None

    def step(k, gradients):
        def closure():
            optimizer.zero_grad()
            if callable(gradients):
                loss = gradients(sg, params)
                loss.backward()
                return loss.item()
            for p, g in zip(params, gradients, strict=True):
                p.grad = g
            return oracle.loss_of(k)

        optimizer.lr = base * oracle.rate(k)
        if ahead:
            optimizer.step(closure)
        else:
            optimizer.step(loss=closure())
        return oracle.flat([p.numpy() for p in params])

    return step


def distance(a, b):
    return np.max(np.abs(a - b) / np.maximum(np.abs(b), np.abs(b).max() * 1e-3))


def peers(case):
    """symgrad's steps and the oracle's."""
    if case.oracle != "paper":
        pytest.importorskip(case.oracle)
    return ours(case, oracle.start()), oracle.runner(case, oracle.start())


@pytest.mark.parametrize("name", oracle.CASES)
def test_every_step_of_the_tape(name):
    mine, other = peers(oracle.CASES[name])
    worst = max(distance(mine(k, g), other.step(k, g)) for k, g in enumerate(oracle.tape()))
    assert worst <= 1e-12


@pytest.mark.parametrize("name", oracle.CASES)
def test_training_a_network(name, monkeypatch):
    monkeypatch.setattr(oracle, "rate", lambda k: 0.02 / (1 + k / 50))  # so slowly that rounding errors do not grow
    case = oracle.CASES[name]
    if case.options.get("nesterov") == "ahead":
        pytest.skip("compared with the shifted form in tests/test_optim_options.py: another point for the gradient")
    if case.kind == "Rprop" and case.maximize:
        pytest.skip("steps of its own length lead to where tanh is flat: its gradient is rounding")
    mine, other = peers(case)
    worst = max(distance(mine(k, model_loss), other.step(k, model_loss)) for k in range(oracle.STEPS))
    assert worst <= 1e-10


@pytest.mark.parametrize("name", AVERAGES)
def test_the_record_of_averages(name):
    np.testing.assert_allclose(oracle.averaged(name), json.loads(oracle.FILE.read_text())[name], rtol=1e-13)


@pytest.mark.parametrize("name", WRONG)
def test_optax_is_still_wrong(name):
    """When this fails, optax has been mended: move the case to CASES."""
    mine, other = peers(WRONG[name])
    assert max(distance(mine(k, g), other.step(k, g)) for k, g in enumerate(oracle.tape())) > 1e-6


K = range(schedule_cases.N)


@pytest.mark.parametrize("name", schedule_cases.CASES)
def test_schedules_in_high_precision(name):
    case = schedule_cases.CASES[name]
    found = case.schedule(np.arange(schedule_cases.N))
    error = max(abs(mp.mpf(float(a)) - case.exact(k)) for k, a in enumerate(found))
    assert error <= mp.mpf("1e-15") * mp.mpf(case.initial)


@pytest.mark.parametrize("name", [n for n, case in schedule_cases.CASES.items() if case.torch])
@pytest.mark.filterwarnings("ignore")
def test_schedules_are_torch_s(name):
    case = schedule_cases.CASES[name]
    p = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([p], lr=case.initial, momentum=0.9)
    scheduler = case.torch(torch.optim.lr_scheduler, optimizer)
    found = []
    for _ in K:
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    closed_form = np.abs(case.schedule(np.array(K)) - found).max()
    assert closed_form <= 1e-12 * case.initial


@pytest.mark.parametrize("name", [n for n, case in schedule_cases.CASES.items() if case.optax])
def test_schedules_are_optax_s(name):
    import jax
    import optax

    jax.config.update("jax_enable_x64", True)
    other = schedule_cases.CASES[name].optax(optax)
    if other is None:
        pytest.skip("optax has another one of the name")
    case = schedule_cases.CASES[name]
    k = np.arange(0, schedule_cases.N, 7)
    found = jax.jit(jax.vmap(other))(jax.numpy.asarray(k, float))
    assert np.abs(case.schedule(k) - np.asarray(found)).max() <= 1e-12 * case.initial


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
def test_plateau_is_torch_s(seed, mode, threshold_mode):
    random = np.random.default_rng(seed)
    options = {"patience": seed % 3, "cooldown": seed % 2, "factor": 0.5, "threshold": 0.05, "min_lr": 1e-4}
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.7)
    other = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode=mode, threshold_mode=threshold_mode, **options)
    mine = optim.schedules.Plateau(0.7, mode=mode, threshold_mode=threshold_mode, **options)
    for k, metric in enumerate(random.standard_normal(300) / (1 + np.arange(300) / 20)):
        other.step(metric)
        mine.update(metric)
        assert mine(k) == optimizer.param_groups[0]["lr"]
