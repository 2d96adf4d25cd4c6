"""The lecture's optimizers (L1 to L15, L21 to L30) with mutants of their rules; errata, as printed and mended."""

import sys
from pathlib import Path

import numpy as np
import pytest

import symgrad as sg
from symgrad import nn, optim
from symgrad.optim import rules, schedules

sys.path.insert(0, str(Path(__file__).parent))
from mutants import holds_only_for

SCALES = np.array([1.0, 100.0])  # a quadratic of condition 100


def quadratic(x):
    return 0.5 * (SCALES * x * x).sum()


def descend(rule, steps=50, start=(1.0, 1.0), gradient=lambda x: SCALES * x, state=(), **hyper):
    """Where a rule goes from a start."""
    x, state, seen = np.array(start), list(state), []
    for _ in range(steps):
        x, *state = rule(x, gradient(x), *state, **hyper)
        state = [s for s in state if s is not None]
        seen.append(x)
    return np.array(seen)


# --- gradient descent


def test_l1_the_risk_is_a_mean():
    def check(risk):
        assert risk(np.array([1.0, 2.0, 6.0]), np.zeros(3)).item() == pytest.approx(41 / 3)

    holds_only_for(check, sg.losses.mse, summed=lambda a, b: ((a - b) ** 2).sum())


def printed_loop(f, slope, x, eta, eps, limit, again):
    """The loop of the slides, with the test of the while as an argument."""
    k, values = 0, [np.inf, f(x)]
    while k < limit and again(abs(values[-1] - values[-2]), eps):
        x = x - eta * slope(x)
        values.append(f(x))
        k += 1
    return k, x


def test_l2_descent_until_the_change_is_small_and_e1_the_printed_test_is_inverted():
    f, slope = (lambda x: x * x), (lambda x: 2 * x)
    steps, x = printed_loop(f, slope, 3.0, 0.1, 1e-10, 1000, lambda change, eps: change > eps)
    assert 20 < steps < 100
    assert abs(x) < 1e-4
    steps, x = printed_loop(f, slope, 3.0, 0.1, 1e-10, 1000, lambda change, eps: change < eps)
    assert (steps, x) == (0, 3.0)  # as printed it never starts
    steps, _ = printed_loop(f, slope, 0.0, 0.1, 1e-10, 1000, lambda change, eps: change < eps or eps == np.inf)
    assert steps == 0


def test_e2_counting_before_stepping_looks_at_the_step_before():
    """As printed k grows first, so x^1 is never set and the test compares values that are one step old."""

    def printed(x, eta=0.1, eps=1e-3):
        xs, k = {0: x}, 0
        values = {-1: np.inf, 0: x * x}
        while abs(values[k] - values[k - 1]) > eps:
            k = k + 1
            xs[k + 1] = xs.get(k, x) - eta * 2 * xs.get(k, x)
            values[k] = values.get(k, xs.get(k, x) ** 2)
        return xs, k

    def mended(x, eta=0.1, eps=1e-3):
        xs, k, values = {0: x}, 0, {-1: np.inf, 0: x * x}
        while abs(values[k] - values[k - 1]) > eps:
            xs[k + 1] = xs[k] - eta * 2 * xs[k]
            k = k + 1
            values[k] = xs[k] ** 2
        return xs, k

    old, steps = printed(1.0)
    assert 1 not in old
    assert steps == 1  # the value at x^1 is that at x^0: it stops at once
    new, steps = mended(1.0)
    assert 1 in new
    assert steps > 5


def data(n=24):
    random = np.random.default_rng(0)
    X = random.standard_normal((n, 3))
    return X, X @ np.array([[1.0], [-2.0], [0.5]]) + 0.1 * random.standard_normal((n, 1))


def gradient_of(w, X, y):
    w.grad = None
    sg.losses.mse(X @ w, y).backward()
    return w.grad


def test_l3_l4_l5_stochastic_batch_and_minibatch_gradients():
    """The mean of the gradients of all samples is the batch's; a ragged last minibatch counts its own size."""
    X, y = data(10)
    w = sg.tensor(np.ones((3, 1)), requires_grad=True)
    whole = gradient_of(w, X, y)
    single = np.mean([gradient_of(w, X[k : k + 1], y[k : k + 1]) for k in range(10)], axis=0)
    np.testing.assert_allclose(single, whole, rtol=1e-13)
    parts = [slice(0, 4), slice(4, 8), slice(8, 10)]
    sizes = [4, 4, 2]
    weighted = sum(n * gradient_of(w, X[s], y[s]) for s, n in zip(parts, sizes, strict=True)) / 10
    np.testing.assert_allclose(weighted, whole, rtol=1e-13)
    unweighted = sum(gradient_of(w, X[s], y[s]) for s in parts) / 3
    assert np.abs(unweighted - whole).max() > 1e-3

    def check(rule):
        (new,) = rule(w.numpy(), whole, lr=0.1)
        np.testing.assert_allclose(new, w.numpy() - 0.1 * whole, rtol=1e-15)

    holds_only_for(check, rules.sgd, up=lambda w, g, lr: (w + lr * g,), half=lambda w, g, lr: (w - lr * g / 2,))


def test_l6_stochastic_steps_reach_a_loss_in_fewer_samples_and_fluctuate():
    X, y = data(240)

    def losses(batch, steps, lr=0.05):
        w = sg.tensor(np.zeros((3, 1)), requires_grad=True)
        random, seen = np.random.default_rng(0), []
        for _ in range(steps):
            chosen = random.permutation(len(X))[:batch]
            g = gradient_of(w, X[chosen], y[chosen])
            w.assign(rules.sgd(w.numpy(), g, lr=lr)[0])
            seen.append(float(np.mean((X @ w.numpy() - y) ** 2)))
        return np.array(seen)

    one, all_ = losses(1, 240), losses(240, 1)
    assert one[-1] < all_[-1] / 10  # after the same number of samples
    smooth = losses(240, 100)
    assert (np.diff(smooth) <= 1e-12).all()
    assert (np.diff(one[100:]) > 0).any()


@pytest.mark.parametrize(("eta", "fate"), [(0.9, "monotone"), (1.7, "oscillates"), (2.1, "diverges")])
def test_l7_l8_convergence_on_a_quadratic(eta, fate):
    """R = (1 - eta lambda)^2 at every step; below 1/lambda monotone, below 2/lambda oscillating, above diverging."""
    x = descend(rules.sgd, 20, start=(1.0,), gradient=lambda x: x, lr=eta)[:, 0]
    loss = 0.5 * np.array([1.0, *x]) ** 2
    np.testing.assert_allclose(loss[1:] / loss[:-1], (1 - eta) ** 2, rtol=1e-9)
    found = "diverges" if abs(x[-1]) > 1 else "oscillates" if (x[1:] * x[:-1] < 0).any() else "monotone"
    assert found == fate


def test_l9_convexity_by_the_hessian():
    def definite(f, points):
        return all(np.linalg.eigvalsh(np.asarray(sg.hessian(f)(p))).min() >= -1e-12 for p in points)

    points = np.random.default_rng(0).standard_normal((20, 2))
    X, y = data()
    assert definite(lambda w: ((X[:, :2] @ w - y[:, 0]) ** 2).mean(), points)
    assert not definite(lambda w: ((X[:, 0] * w[0] * w[1] - y[:, 0]) ** 2).mean(), points)


def test_l10_a_saddle_holds_descent_and_lets_it_go():
    saddle = lambda x: np.array([2 * x[0], -2 * x[1]])  # noqa: E731
    assert descend(rules.sgd, 300, (1.0, 0.0), saddle, lr=0.1)[-1][1] == 0
    steps = [
        np.argmax(np.abs(descend(rules.sgd, 400, (1.0, y), saddle, lr=0.05)[:, 1]) > 1) for y in (1e-2, 1e-6, 1e-12)
    ]
    assert steps[0] < steps[1] < steps[2]
    assert steps[1] - steps[0] == pytest.approx(np.log(1e4) / np.log(1.1), abs=2)  # as the logarithm
    np.testing.assert_array_equal(np.sign(np.linalg.eigvalsh(np.asarray(
        sg.hessian(lambda x: x[0] ** 2 - x[1] ** 2)(np.zeros(2))))), [-1, 1])  # fmt: skip


def test_l11_wider_networks_end_at_more_equal_losses():
    X, y = data(40)

    def end(width, seed):
        model = nn.Sequential(nn.Linear(3, width), nn.Tanh(), nn.Linear(width, 1)).initialize(seed)
        optimizer = optim.Adam(model.parameters(), lr=0.03)

        def step():
            optimizer.zero_grad()
            loss = sg.losses.mse(model(X), np.sin(3 * y))
            loss.backward()
            optimizer.step()
            return loss

        run = sg.compile(step)
        return [float(run()) for _ in range(150)][-1]

    narrow, wide = ([end(width, seed) for seed in range(4)] for width in (2, 48))
    assert np.ptp(wide) < np.ptp(narrow)


def test_l12_the_loss_is_a_stand_in_for_the_error():
    """Least squares on a separable set with one far point puts the boundary where it makes an error."""
    x, label = np.array([-1.0, -0.5, 0.5, 30.0]), np.array([-1.0, -1.0, 1.0, 1.0])
    A = np.stack([x, np.ones(4)], axis=1)
    w = np.linalg.lstsq(A, label, rcond=None)[0]
    assert (np.sign(A @ w) != label).any()  # the minimum of the squared error
    assert (np.sign(A @ np.array([1.0, 0.0])) == label).all()  # no error, but a larger loss
    assert ((A @ np.array([1.0, 0.0]) - label) ** 2).mean() > ((A @ w - label) ** 2).mean()


def test_l13_a_large_rate_leaves_a_narrow_basin():
    slope = sg.grad(lambda x: (0.05 * (x - 4) ** 2 - 2 * sg.exp(-8 * x * x)).sum())
    ends = [descend(rules.sgd, 300, (0.2,), slope, lr=lr)[-1, 0] for lr in (0.01, 0.3)]
    assert abs(ends[0]) < 0.1
    assert abs(ends[1] - 4) < 0.1


def test_l14_one_rate_for_all_parameters_is_slow():
    plain = descend(rules.sgd, 100, lr=0.019)[-1]
    own = descend(rules.sgd, 100, lr=0.9 / SCALES)[-1]
    assert np.abs(own).max() < 1e-30 < 1e-2 < np.abs(plain).max()


def test_l15_a_network_approximates_a_function():
    x = np.linspace(-2, 2, 40)[:, None]
    errors = []
    for width in (1, 12):
        model = nn.Sequential(nn.Linear(1, width), nn.Tanh(), nn.Linear(width, 1)).initialize(0)
        errors.append(optim.ScipyMinimize(model.parameters(), maxiter=200).step(
            lambda m=model: sg.losses.mse(m(x), np.sin(3 * x))))  # fmt: skip
    assert errors[1] < errors[0] / 50


# --- Rprop


def by_the_slides(w, slope, steps, alpha=1.2, beta=0.5, first=0.1, high=np.inf, low=0.0):
    """The lecture's loop for one number, word by word, with the clamp on the size of the step."""
    D = slope(w)
    prev, size = D, first
    dw = np.sign(D) * size
    seen = []
    for _ in range(steps):
        w = w - dw
        seen.append(w)
        D = slope(w)
        if np.sign(prev) == np.sign(D):
            dw = np.sign(dw) * min(alpha * abs(dw), high)
            prev = D
        else:
            w = w + dw
            dw = np.sign(dw) * max(beta * abs(dw), low)
    return np.array(seen)


def rprop(rule=rules.rprop_lecture, **limits):
    state = (np.full(1, 0.1), np.zeros(1))
    hyper = {"lr": 0.1, "eta_minus": 0.5, "eta_plus": 1.2, **limits}
    return lambda slope, start, steps: descend(rule, steps, (start,), slope, state, **hyper)[:, 0]


def cubic_slope(w):
    return 4 * w**3 - 2 * w + 0.3


@pytest.mark.parametrize("limits", [{}, {"step_min": 1e-6, "step_max": 0.3}])
def test_l21_l22_l23_rprop_backtracks_with_and_without_limits(limits):
    def check(run):
        high, low = limits.get("step_max", np.inf), limits.get("step_min", 0.0)
        for slope, start in ((lambda w: 2 * w, -2.03), (cubic_slope, 2.1), (cubic_slope, -1.7)):
            np.testing.assert_allclose(run(slope, start, 60), by_the_slides(start, slope, 60, high=high, low=low))

    def without(theta, g, size, direction, **hyper):
        """No return to where the step began."""
        new, longer, following = rules.rprop_lecture(theta, g, size, direction, **hyper)
        return new - np.where(direction * g < 0, direction * size, 0.0), longer, following

    def forgets(theta, g, size, direction, **hyper):
        """After the return, the other direction."""
        new, longer, _ = rules.rprop_lecture(theta, g, size, direction, **hyper)
        return new, longer, np.sign(g)

    def slower(theta, g, size, direction, **hyper):
        return rules.rprop_lecture(theta, g, size, direction, **hyper | {"eta_plus": 1.1})

    mutants = {f.__name__: rprop(f, **limits) for f in (without, forgets, slower)}
    holds_only_for(check, rprop(**limits), **mutants)


def test_l24_one_gradient_per_iteration():
    calls = []

    def slope(w):
        calls.append(1)
        return cubic_slope(w)

    rprop()(slope, 2.1, 37)
    assert len(calls) == 37


def test_l25_parameters_are_independent_and_often_faster_than_descent():
    def check(rule):
        state = (np.full(2, 0.1), np.zeros(2))
        hyper = {"lr": 0.1, "eta_minus": 0.5, "eta_plus": 1.2}
        both = descend(rule, 40, (1.0, -2.0), lambda x: SCALES * x, state, **hyper)
        for k in range(2):
            state = (np.full(1, 0.1), np.zeros(1))
            alone = descend(rule, 40, ((1.0, -2.0)[k],), lambda x, k=k: SCALES[k] * x, state, **hyper)
            np.testing.assert_array_equal(both[:, k], alone[:, 0])

    def coupled(theta, g, size, direction, **hyper):
        """One sign for all."""
        return rules.rprop_lecture(theta, np.full_like(g, g.sum()), size, direction, **hyper)

    holds_only_for(check, rules.rprop_lecture, coupled=coupled)
    state = (np.full(2, 0.1), np.zeros(2))
    fast = descend(rules.rprop_lecture, 200, (1.0, 1.0), state=state, lr=0.1, eta_minus=0.5, eta_plus=1.2)[-1]
    slow = descend(rules.sgd, 200, lr=0.01)[-1]
    assert np.abs(fast).max() < 1e-6 < np.abs(slow).max()


def test_e7_a_clamp_on_the_signed_step_loses_its_sign():
    def printed(w, slope, steps, alpha=1.2, beta=0.5, first=0.1, high=50.0, low=1e-6):
        D = slope(w)
        prev, dw = D, np.sign(D) * first
        for _ in range(steps):
            w = w - dw
            D = slope(w)
            if np.sign(prev) == np.sign(D):
                dw, prev = min(alpha * dw, high), D
            else:
                w = w + dw
                dw = max(beta * dw, low)
        return w

    slope = lambda w: 2 * w  # noqa: E731
    mended = rprop(step_min=1e-6, step_max=50.0)(slope, -2.0, 200)
    assert abs(printed(-2.0, slope, 200)) > 0.3  # a negative step became the smallest positive one
    assert np.abs(mended).min() < 1e-5


def test_e8_a_gradient_of_0_stops_a_parameter_for_ever_as_printed():
    """E8: with sign(0) in the step a parameter that starts dead stays dead; with the size held apart it wakes up."""
    tape = [np.zeros(1), np.zeros(1), *[np.ones(1)] * 5]

    def walk(rule, state):
        theta = np.zeros(1)
        for g in tape:
            theta, *state = rule(theta, g, *state, lr=0.1, eta_minus=0.5, eta_plus=1.2)
        return theta[0]

    def printed(theta, g, dw, prev, *, lr, eta_minus, eta_plus):
        if np.isnan(prev[0]):
            return theta - np.sign(g) * lr, np.sign(g) * lr, g
        same = np.sign(prev) == np.sign(g)
        theta = np.where(same, theta, theta + dw)
        dw = np.where(same, eta_plus * dw, eta_minus * dw)
        return theta - dw, dw, np.where(same, g, prev)

    assert walk(printed, [np.zeros(1), np.full(1, np.nan)]) == 0
    assert walk(rules.rprop_lecture, [np.full(1, 0.1), np.zeros(1)]) == pytest.approx(
        -0.1 * (1 + 1.2 + 1.44 + 1.728 + 2.0736)
    )


def test_e9_the_first_step_has_the_first_size():
    first = rprop()(lambda w: 2 * w, 5.0, 2)
    np.testing.assert_allclose(first, [4.9, 4.9 - 0.12])


# --- momentum


def slides_momentum(x, gradient, rates, beta=0.9):
    dw, seen = 0.0, []
    for eta in rates:
        dw = beta * dw - eta * gradient(x)
        x = x + dw
        seen.append(x)
    return np.array(seen)


def scheduled(rule, rates, state):
    x, seen, state = np.ones(2), [], [state]
    for eta in rates:
        x, *state = rule(x, SCALES * x, *state, lr=eta, momentum=0.9)
        state = [s for s in state if s is not None]
        seen.append(x)
    return np.array(seen)


def test_l26_momentum_has_the_rate_inside_of_the_velocity():
    rates = [schedules.lecture_linear(0.01)(k) for k in range(40)]

    def check(rule):
        np.testing.assert_allclose(
            scheduled(rule, rates, np.zeros(2)), slides_momentum(np.ones(2), lambda x: SCALES * x, rates), rtol=1e-12
        )

    holds_only_for(check, rules.momentum_lecture, rate_outside=rules.momentum, nesterov=rules.nesterov_lecture)
    constant = [0.01] * 40  # where both are one
    np.testing.assert_allclose(scheduled(rules.momentum_lecture, constant, np.zeros(2)),
                               scheduled(rules.momentum, constant, np.zeros(2)), rtol=1e-12)  # fmt: skip


def test_l27_the_velocity_persists_and_e11_setting_it_to_0_cancels_momentum():
    x = np.ones(2)
    optimizer_w = sg.tensor(x, requires_grad=True)
    optimizer = optim.SGD([optimizer_w], lr=0.005, like="lecture")
    assert not optimizer.state["v"].numpy().any()
    kept, printed = np.ones(2), np.ones(2)
    v = np.zeros(2)
    for k in range(30):  # epochs end in between, and nothing is reset
        if k == 10:
            assert optimizer.state["v"].numpy().any()
        optimizer_w.grad = SCALES * optimizer_w.numpy()
        optimizer.step()
        kept, v = rules.momentum_lecture(kept, SCALES * kept, v, lr=0.005, momentum=0.9)
        printed, _ = rules.momentum_lecture(printed, SCALES * printed, np.zeros(2), lr=0.005, momentum=0.9)
    np.testing.assert_allclose(optimizer_w.numpy(), kept, rtol=1e-12)
    np.testing.assert_allclose(printed, descend(rules.sgd, 30, lr=0.005)[-1], rtol=1e-12)  # E11: plain descent


def test_l28_steps_grow_where_signs_agree_and_e10_weights_add_up_to_10():
    def ratio(signs):
        v, steps = np.zeros(1), []
        for s in signs:
            _, v = rules.momentum_lecture(np.zeros(1), np.array([s]), v, lr=1.0, momentum=0.9)
            steps.append(abs(v[0]))
        return steps

    same, flipping = ratio([1.0] * 200), ratio([1.0, -1.0] * 100)
    assert same[-1] == pytest.approx(10)  # no average: the sum of the weights is 1 / (1 - 0.9)
    assert flipping[-1] == pytest.approx(1 / 1.9)
    assert (np.diff(same) > -1e-12).all()


def test_l29_nesterov_takes_the_gradient_ahead():
    def reference(steps):
        w, dw, seen = np.ones(2), np.zeros(2), []
        for _ in range(steps):
            dw = 0.9 * dw - 0.005 * SCALES * (w + 0.9 * dw)
            w = w + dw
            seen.append(w)
        return np.array(seen)

    def run(nesterov):
        w = sg.tensor(np.ones(2), requires_grad=True)
        optimizer = optim.SGD([w], lr=0.005, momentum=0.9, nesterov=nesterov, lr_in_velocity=True)

        def closure():
            optimizer.zero_grad()
            quadratic(w).backward()

        seen = []
        for _ in range(100):
            if nesterov == "ahead":
                optimizer.step(closure)
            else:
                closure()
                optimizer.step()
            seen.append(w.numpy())
        return np.array(seen)

    def check(nesterov):
        np.testing.assert_allclose(run(nesterov), reference(100), rtol=1e-9, atol=1e-15)

    holds_only_for(check, "ahead", shifted=True, heavy_ball=False)
    true = reference(101)
    ahead = true[1:] + 0.9 * np.diff(true, axis=0)  # the shifted form follows this point
    np.testing.assert_allclose(run(True)[1:], ahead[:99], rtol=1e-8, atol=1e-13)


def test_l30_batches_of_other_means_are_moved_together():
    layer = nn.BatchNorm1d(3).initialize(0)
    random = np.random.default_rng(0)
    for shift, scale in ((0.0, 1.0), (5.0, 2.0), (-3.0, 0.1)):
        batch = shift + scale * random.standard_normal((50, 3))
        with sg.run(seed=0, step=0):
            out = layer(batch).numpy()
        np.testing.assert_allclose(out.mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(out.std(axis=0), 1, rtol=2e-3)
