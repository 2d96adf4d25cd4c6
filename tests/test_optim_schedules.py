"""Schedules against their formulas in high precision; composition; plateaus; schedules inside of the step."""

import math

import mpmath as mp
import numpy as np
import pytest
import schedule_cases

import symgrad as sg
from symgrad import optim
from symgrad.optim import schedules

CASES = schedule_cases.CASES
K = sorted({*range(0, 40), *range(0, schedule_cases.N, 97), *range(95, 105), *range(297, 303), 2999, 3000, 3001, 9999})


@pytest.mark.parametrize("name", CASES)
def test_schedules_are_their_formulas(name):
    case = CASES[name]
    found = case.schedule(np.array(K))
    exact = [case.exact(k) for k in K]
    error = max(abs(mp.mpf(float(a)) - b) for a, b in zip(found, exact, strict=True))
    assert error <= mp.mpf("1e-15") * mp.mpf(case.initial)


@pytest.mark.parametrize("name", CASES)
def test_numbers_arrays_tensors_and_traces_agree(name):
    schedule = CASES[name].schedule
    k = np.array([0, 1, 7, 100, 299, 300, 5000, 9999])
    on_array = schedule(k)
    assert [type(schedule(3)), type(schedule(3.0))] == [float, float]
    np.testing.assert_array_equal([schedule(int(j)) for j in k], on_array)
    np.testing.assert_array_equal(schedule(sg.tensor(k)).numpy(), on_array)
    np.testing.assert_array_equal(sg.trace(schedule, k * 1.0)(k * 1.0), on_array)


def test_a_schedule_differentiates():
    slope = sg.grad(schedules.inverse_time(0.3, decay=2.0))(1.5)
    assert slope == pytest.approx(-0.3 * 2 / (1 + 3.0) ** 2)


def test_composition():
    joined = schedules.constant(1.0).then(schedules.linear(1.0, 0.0, 10), at=5)
    assert [joined(k) for k in (4, 5, 10, 15, 99)] == [1.0, 1.0, 0.5, 0.0, 0.0]
    assert (2 * schedules.constant(0.25))(3) == 0.5
    momentum = schedules.one_cycle(0.85, 10, start=0.95, end=0.95)
    assert [momentum(k) for k in (0, 2, 9)] == [0.95, 0.85, 0.95]


# --- plateau


def reference(metrics, lr=1.0, factor=0.1, patience=2, cooldown=1, threshold=0.01, min_lr=1e-3):
    """The rule as told: after more than `patience` epochs without improvement reduce, then rest."""
    best, bad, rest, rates = math.inf, 0, 0, []
    for x in metrics:
        if x < best * (1 - threshold):
            best, bad = x, 0
        else:
            bad += 1
        if rest:
            rest, bad = rest - 1, 0
        if bad > patience:
            smaller, rest, bad = max(lr * factor, min_lr), cooldown, 0
            lr = smaller if lr - smaller > 1e-8 else lr
        rates.append(lr)
    return rates


def test_plateau_is_its_rule_and_resumes():
    metrics = np.abs(np.random.default_rng(0).standard_normal(200)).tolist()
    make = lambda: schedules.Plateau(1.0, patience=2, cooldown=1, threshold=0.01, min_lr=1e-3)  # noqa: E731
    rate, found = make(), []
    for k, x in enumerate(metrics):
        if k == 77:
            saved = rate.state_dict()
            rate = make()
            rate.load_state_dict(saved)
        rate.update(x)
        found.append(rate(k))
    assert found == reference(metrics)
    assert len(set(found)) == 4


def test_a_plateau_multiplies_a_schedule():
    plateau = schedules.Plateau(1.0, factor=0.5, patience=0)
    rate = schedules.step(0.8, 2, 0.5) * plateau
    assert rate(0) == 0.8
    rate.update(1.0)
    rate.update(1.0)
    assert (plateau.bad, plateau(0), rate(2)) == (0, 0.5, 0.2)


# --- in the step


@pytest.mark.parametrize("compiled", [False, True])
def test_any_hyperparameter_follows_a_schedule_inside_of_the_step(compiled):
    w = sg.tensor([1.0, -2.0], requires_grad=True)
    rates = schedules.warmup(schedules.lecture_linear(0.1), 3, 0.01)
    shares = schedules.linear(0.5, 0.9, 10)
    optimizer = optim.SGD([w], lr=rates, momentum=shares, weight_decay=schedules.constant(0.1))

    def step():
        optimizer.zero_grad()
        loss = (w**4).sum()
        loss.backward()
        optimizer.step()
        return loss

    run = sg.compile(step) if compiled else step
    theta, v = np.array([1.0, -2.0]), np.zeros(2)
    for k in range(20):
        run()
        v = shares(k) * v + 4 * theta**3 + 0.1 * theta
        theta = theta - rates(k) * v
        assert optimizer.lr.item() == pytest.approx(rates(k), rel=1e-15)
    np.testing.assert_allclose(w.numpy(), theta, rtol=1e-13)


def test_who_sets_a_scheduled_rate_takes_over():
    w = sg.tensor([1.0], requires_grad=True)
    optimizer = optim.SGD([w], lr=schedules.constant(0.1))
    optimizer.lr = 0.5
    (3.0 * w).sum().backward()
    optimizer.step()
    assert w.item() == 1 - 0.5 * 3


ERRORS = {
    "unit": (lambda: schedules.constant(0.1, unit="hour"), "unit='hour'"),
    "mixed units": (lambda: schedules.step(0.1, 3) * schedules.cosine(1.0, 9, unit="epoch"), "in_steps"),
    "steps already": (lambda: schedules.step(0.1, 3).in_steps(5), "counts steps already"),
    "unknown argument": (lambda: schedules.cosine(0.1, stepz=3), "cosine: .*it takes"),
    "piecewise": (lambda: schedules.piecewise((0.1,), (3,))(0), "1 places separate 2 values"),
    "cyclic": (lambda: schedules.cyclic(0.1, 1.0, 3, mode="square")(0), "mode='square'"),
    "one cycle": (lambda: schedules.one_cycle(0.1, 10, shape="up"), "shape='up'"),
    "plateau": (lambda: schedules.Plateau(0.1, factor=2.0), "factor=2.0"),
    "plateau state": (lambda: schedules.Plateau(0.1).load_state_dict({"lr": 1}), "a state has"),
    "epochs in an optimizer": (lambda: made(schedules.cosine(0.1, 9, unit="epoch")), "in_steps"),
    "plateau in an optimizer": (lambda: made(schedules.constant(0.1) * schedules.Plateau(1.0)), "Trainer"),
}


def made(lr):
    return optim.SGD([sg.tensor([1.0], requires_grad=True)], lr=lr)


@pytest.mark.parametrize("name", ERRORS)
def test_mistakes_are_named(name):
    mistake, message = ERRORS[name]
    with pytest.raises(sg.SymgradError, match=message):
        mistake()
