"""The lecture's optimizers (L1 to L15, L21 to L29) with mutants of their rules; errata, as printed and mended."""

import numpy as np
import pytest
from mutants import holds_only_for

import symgrad as sg
from symgrad import nn, optim
from symgrad.optim import rules, schedules

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
    def check(again):
        steps, x = printed_loop(lambda x: x * x, lambda x: 2 * x, 3.0, 0.1, 1e-10, 1000, again)
        assert 20 < steps < 100
        assert abs(x) < 1e-4

    def as_printed(change, eps):
        return change < eps

    holds_only_for(check, lambda change, eps: change > eps, as_printed=as_printed, for_ever=lambda change, eps: True)
    assert printed_loop(lambda x: x * x, lambda x: 2 * x, 3.0, 0.1, 1e-10, 1000, as_printed) == (0, 3.0)


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
    """The mean of the gradients of all samples is the batch's; a ragged last minibatch counts its own size.

    E4: a sample's gradient is not that of the loss, but its mean over the samples is.
    """
    X, y = data(10)
    w = sg.tensor(np.ones((3, 1)), requires_grad=True)
    whole = gradient_of(w, X, y)
    ragged = [slice(0, 4), slice(4, 8), slice(8, 10)]

    def check_gradients(of):
        single = np.mean([of(w, X[k : k + 1], y[k : k + 1]) for k in range(10)], axis=0)
        np.testing.assert_allclose(single, of(w, X, y), rtol=1e-13)
        weighted = sum((s.stop - s.start) * of(w, X[s], y[s]) for s in ragged) / 10
        np.testing.assert_allclose(weighted, of(w, X, y), rtol=1e-13)

    def one_size(w, X, y):
        """As if every minibatch were a full one."""
        return gradient_of(w, X, y) * len(X) / 4

    holds_only_for(
        check_gradients, gradient_of, summed=lambda w, X, y: gradient_of(w, X, y) * len(X), one_size=one_size
    )

    def check(rule):
        (new,) = rule(w.numpy(), whole, lr=0.1)
        np.testing.assert_allclose(new, w.numpy() - 0.1 * whole, rtol=1e-15)

    holds_only_for(check, rules.sgd, up=lambda w, g, lr: (w + lr * g,), half=lambda w, g, lr: (w - lr * g / 2,))


def test_e23_a_gradient_has_the_shape_of_its_parameter():
    """The lecture's is a row, transposed in every step; as printed, without it, the step would spread to a matrix."""
    X, y = data(5)
    w = sg.tensor(np.ones((3, 1)), requires_grad=True)
    assert gradient_of(w, X, y).shape == w.shape
    row = np.asarray(sg.jacobian(lambda v: sg.losses.mse(X @ v.reshape(3, 1), y).reshape(1))(np.ones(3)))
    assert row.shape == (1, 3)
    np.testing.assert_allclose(row.T, gradient_of(w, X, y), rtol=1e-13)
    assert (w.numpy() - 0.1 * row).shape == (3, 3)


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

    whole = losses(240, 100)
    assert (np.diff(whole) <= 1e-12).all()

    def check(batch):
        stochastic = losses(batch, 240 // batch)
        assert stochastic[-1] < whole[0] / 10  # both have seen every sample once
        assert (np.diff(losses(batch, 200)[100:]) > 0).any()

    holds_only_for(check, 1, half_of_all=120, all_of_them=240)


@pytest.mark.parametrize(("eta", "fate"), [(0.9, "monotone"), (1.7, "oscillates"), (2.1, "diverges")])
def test_l7_l8_convergence_on_a_quadratic(eta, fate):
    """R = (1 - eta lambda)^2 at every step (E5: between 0 and 1 where it converges); above 2/lambda it diverges."""

    def check(rule):
        x = descend(rule, 20, start=(1.0,), gradient=lambda x: x, lr=eta)[:, 0]
        loss = 0.5 * np.array([1.0, *x]) ** 2
        R = loss[1:] / loss[:-1]
        np.testing.assert_allclose(R, (1 - eta) ** 2, rtol=1e-9)
        found = "diverges" if abs(x[-1]) > 1 else "oscillates" if (x[1:] * x[:-1] < 0).any() else "monotone"
        assert found == fate
        assert (R < 1).all() == (fate != "diverges")

    holds_only_for(
        check,
        rules.sgd,
        half=lambda x, g, lr: (x - lr / 2 * g,),
        by_sign=lambda x, g, lr: (x - lr * np.sign(g),),
    )


def test_l9_convexity_by_the_hessian():
    points = np.random.default_rng(0).standard_normal((20, 2))
    X, y = data()

    def check(hessian):
        def convex(f):
            return all(np.linalg.eigvalsh(np.asarray(hessian(f)(p))).min() >= -1e-12 for p in points)

        assert convex(lambda w: ((X[:, :2] @ w - y[:, 0]) ** 2).mean())
        assert not convex(lambda w: ((X[:, 0] * w[0] * w[1] - y[:, 0]) ** 2).mean())

    def of_slopes(f):
        """The product of the gradient with itself has no negative eigenvalue anywhere."""
        return lambda p: np.outer(sg.grad(f)(p), sg.grad(f)(p))

    holds_only_for(check, sg.hessian, of_slopes=of_slopes, negative=lambda f: lambda p: -np.asarray(sg.hessian(f)(p)))


def test_l10_a_saddle_holds_descent_and_lets_it_go():
    saddle = sg.grad(lambda x: x[0] ** 2 - x[1] ** 2)

    def check(rule):
        assert descend(rule, 300, (1.0, 0.0), saddle, lr=0.1)[-1][1] == 0
        away = [np.abs(descend(rule, 400, (1.0, y), saddle, lr=0.05)[:, 1]) > 1 for y in (1e-2, 1e-6, 1e-12)]
        steps = [np.argmax(gone) for gone in away]
        assert 0 < steps[0] < steps[1] < steps[2]
        assert steps[1] - steps[0] == pytest.approx(np.log(1e4) / np.log(1.1), abs=2)  # as the logarithm

    holds_only_for(
        check,
        rules.sgd,
        shaken=lambda x, g, lr: (x - lr * (g + 1e-9),),
        by_sign=lambda x, g, lr: (x - lr * np.sign(g),),
        ascent=lambda x, g, lr: (x + lr * g,),
    )
    hessian = np.asarray(sg.hessian(lambda x: x[0] ** 2 - x[1] ** 2)(np.zeros(2)))
    np.testing.assert_array_equal(np.sign(np.linalg.eigvalsh(hessian)), [-1, 1])


def test_l12_the_loss_is_a_stand_in_for_the_error():
    """Least squares on a separable set with one far point puts the boundary where it makes an error."""
    x, label = np.array([-1.0, -0.5, 0.5, 30.0]), np.array([-1.0, -1.0, 1.0, 1.0])
    A = np.stack([x, np.ones(4)], axis=1)
    separating = np.array([1.0, 0.0])

    def squared(w):
        return sg.losses.mse(A @ w, label)

    def hinge(w):
        return sg.maximum(1 - label * (A @ w), 0.0).mean()

    def check(loss):
        w = sg.tensor(np.zeros(2), requires_grad=True)
        optim.ScipyMinimize([w], maxiter=200).step(lambda: loss(w))
        assert loss(separating).item() > loss(w).item() + 1e-3
        assert (np.sign(A @ separating) == label).all()
        assert (np.sign(A @ w.numpy()) != label).any()  # the loss is least, the error is not

    holds_only_for(check, squared, hinge=hinge)


def test_l13_a_large_rate_leaves_a_narrow_basin():
    slope = sg.grad(lambda x: (0.05 * (x - 4) ** 2 - 2 * sg.exp(-8 * x * x)).sum())

    def check(rule):
        small, large = (descend(rule, 300, (0.2,), slope, lr=lr)[-1, 0] for lr in (0.01, 0.3))
        assert abs(small) < 0.1
        assert abs(large - 4) < 0.1

    holds_only_for(
        check,
        rules.sgd,
        bounded=lambda x, g, lr: (x - np.clip(lr * g, -0.03, 0.03),),
        frozen=lambda x, g, lr: (x,),
    )


def test_l14_one_rate_for_all_parameters_is_slow():
    plain = descend(rules.sgd, 100, lr=0.019)[-1]
    assert np.abs(plain).max() > 1e-2

    def check(rates):
        assert np.abs(descend(rules.sgd, 100, lr=rates)[-1]).max() < 1e-30

    holds_only_for(check, 0.9 / SCALES, one=np.array([0.009, 0.009]), swapped=0.9 / SCALES[::-1] / 100)


def test_l11_minima_of_wide_networks_are_about_equally_good():
    x = np.linspace(-1, 1, 32)[:, None]
    y = np.sin(5 * x)

    def end(start, width):
        model = nn.Sequential(nn.Linear(1, width), nn.Tanh(), nn.Linear(width, 1)).initialize(start)
        return optim.ScipyMinimize(model.parameters(), maxiter=150).step(lambda: sg.losses.mse(model(x), y))

    def check(end):
        narrow, wide = (np.std([end(start, width) for start in range(6)]) for width in (2, 24))
        assert wide < narrow / 10

    def narrow_alone(start, width):
        return end(start, 2)

    def one_start(start, width):
        return end(0, width)

    holds_only_for(check, end, narrow_alone=narrow_alone, one_start=one_start)


def test_l15_a_network_approximates_a_function():
    x = np.linspace(-2, 2, 40)[:, None]

    def error(width, activation):
        model = nn.Sequential(nn.Linear(1, width), activation(), nn.Linear(width, 1)).initialize(0)
        descent = optim.ScipyMinimize(model.parameters(), maxiter=100)
        return descent.step(lambda: sg.losses.mse(model(x), np.sin(3 * x)))

    def check(activation):
        assert error(12, activation) < error(1, activation) / 50

    holds_only_for(check, nn.Tanh, none=nn.Identity)


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

    def run(rule):
        return rprop(rule, **limits)

    holds_only_for(check, rprop(**limits), without=run(without), forgets=run(forgets), slower=run(slower))


def test_l24_one_gradient_per_iteration():
    """Through the optimizer, whose step after a return takes the shorter way at once."""

    class Asks(optim.Rprop):
        """Looks again after every step, as a line search would."""

        def step(self, closure=None):
            super().step(closure)
            return closure()

    def check(kind):
        w, calls = sg.tensor([2.1], requires_grad=True), []
        optimizer = kind([w], lr=0.1, variant="lecture", step_min=None, step_max=None)

        def closure():
            calls.append(1)
            optimizer.zero_grad()
            loss = (w**4 - w * w + 0.3 * w).sum()
            loss.backward()
            return loss

        for _ in range(37):
            optimizer.step(closure)
        assert len(calls) == 37
        np.testing.assert_allclose(w.numpy(), by_the_slides(2.1, cubic_slope, 37)[-1:], rtol=1e-12)

    holds_only_for(check, optim.Rprop, asks_twice=Asks)


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
    rates = [0.005] * 30
    slides = slides_momentum(np.ones(2), lambda x: SCALES * x, rates)

    class EveryStep(optim.SGD):
        """E11, as printed: the velocity is 0 again at the top of the loop."""

        resets = range(30)

        def step(self, closure=None):
            self.k = getattr(self, "k", -1) + 1
            if self.k in self.resets:
                self.state["v"].assign(np.zeros(2))
            return super().step(closure)

    class EveryEpoch(EveryStep):
        resets = (10, 20)

    def walk(kind, start=0.0):
        w = sg.tensor(np.ones(2), requires_grad=True)
        optimizer, seen = kind([w], lr=0.005, momentum=0.9, lr_in_velocity=True), []
        optimizer.state["v"].assign(optimizer.state["v"].numpy() + start)
        for _ in rates:
            w.grad = SCALES * w.numpy()
            optimizer.step()
            seen.append(w.numpy())
        return np.array(seen)

    def check(given):
        np.testing.assert_allclose(walk(*given), slides, rtol=1e-11)

    holds_only_for(check, (optim.SGD,), every_step=(EveryStep,), every_epoch=(EveryEpoch,), not_0=(optim.SGD, 0.1))
    np.testing.assert_allclose(walk(EveryStep), descend(rules.sgd, 30, lr=0.005), rtol=1e-12)  # plain descent


def test_l28_steps_grow_where_signs_agree_and_e10_weights_add_up_to_10():
    def check(rule):
        def steps(signs):
            v, seen = np.zeros(1), []
            for s in signs:
                x, v = rule(np.zeros(1), np.array([s]), v, lr=1.0, momentum=0.9)
                seen.append(abs(x[0]))
            return seen

        same, flipping = steps([1.0] * 200), steps([1.0, -1.0] * 100)
        assert same[0] == pytest.approx(1)
        assert same[-1] == pytest.approx(10)  # no average: the sum of the weights is 1 / (1 - 0.9)
        assert flipping[-1] == pytest.approx(1 / 1.9)
        assert (np.diff(same) > -1e-12).all()

    def average(x, g, v, lr, momentum):
        v = momentum * v - lr * (1 - momentum) * g
        return x + v, v

    def memoryless(x, g, v, lr, momentum):
        return x - lr * g, v

    holds_only_for(
        check, rules.momentum_lecture, average=average, memoryless=memoryless, nesterov=rules.nesterov_lecture
    )


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
