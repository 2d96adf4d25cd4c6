"""The lecture's regularizers (L42 to L49), each with mutants of its rule; errata E18, E20 and E21 shown."""

import numpy as np
import pytest
from mutants import holds_only_for

import symgrad as sg
from symgrad import data, losses, nn, optim, regularizers
from symgrad.regularizers.penalties import shrink, soft_threshold

INF = float("inf")


def leaves(*values):
    return [sg.tensor(np.array(v), requires_grad=True, name=f"p{k}") for k, v in enumerate(values)]


@pytest.mark.parametrize("p", [1, 1.5, 2, 3, INF])
def test_l42_the_penalty_is_a_norm_of_all_parameters(p):
    """A norm, not its power, not halved, biases too; its gradient is sign |theta|^(p-1) / norm^(p-1)."""
    weight, bias = leaves([[3.0, -1.0], [0.5, 2.0]], [-4.0, 0.0])
    theta = np.array([3.0, -1.0, 0.5, 2.0, -4.0, 0.0])
    norm = np.abs(theta).max() if p == INF else (np.abs(theta) ** p).sum() ** (1 / p)

    def check(penalty):
        for x in (weight, bias):
            x.grad = None
        value = penalty({"weight": weight, "bias": bias})
        assert value.item() == pytest.approx(0.3 * norm, rel=1e-14)
        value.backward()
        found = np.concatenate([weight.grad.ravel(), bias.grad])
        expected = np.where(np.abs(theta) == norm, 1, 0) if p == INF else (np.abs(theta) / norm) ** (p - 1)
        np.testing.assert_allclose(found, 0.3 * np.sign(theta) * expected, rtol=1e-13, atol=1e-16)

    def power(parameters):
        return 0.3 * sum((sg.abs(x) ** 2).sum() for x in parameters.values())

    def apart(parameters):
        return sum(regularizers.Lp(0.3, p)([x]) for x in parameters.values())

    holds_only_for(
        check,
        regularizers.Lp(0.3, p),
        power=power,
        halved=regularizers.Lp(0.15, p),
        without_biases=regularizers.Lp(0.3, p, exclude=("bias",)),
        **({"tensor_by_tensor": apart} if p != 1 else {}),  # the 1-norm of all is the sum of the 1-norms
    )


def test_l42_the_norm_neither_overflows_nor_divides_by_0():
    (huge,) = leaves([1e200, -1e200])
    assert regularizers.Lp(1.0, 3)([huge]).item() == pytest.approx(2 ** (1 / 3) * 1e200)
    (zero,) = leaves([0.0, 0.0])
    for p in (1, 1.5, 2, 3, INF):
        zero.grad = None
        regularizers.Lp(1.0, p)([zero]).backward()
        assert zero.grad.tolist() == [0.0, 0.0]


def fitted(regularizer, steps=600, lr=0.05):
    """Weights of a linear model, only two of whose eight features matter."""
    random = np.random.default_rng(0)
    X = random.standard_normal((60, 8))
    y = X[:, :2] @ np.array([2.0, -1.0]) + 0.1 * random.standard_normal(60)
    (w,) = leaves(np.zeros(8) + 0.1)
    optimizer = optim.SGD([w], lr=lr)

    def step():
        optimizer.zero_grad()
        loss = losses.mse(X @ w, y) + regularizer([w])
        loss.backward()
        optimizer.step()
        regularizer.after_step([w], optimizer.lr)
        return loss

    run = sg.compile(step)
    for _ in range(steps):
        run()
    return w.numpy()


def test_l43_and_e21_p_1_gives_fewer_weights_only_by_a_proximal_step():
    def zeros(regularizer):
        return int((fitted(regularizer) == 0).sum())

    def check(regularizer):
        assert zeros(regularizer) == 6

    holds_only_for(
        check,
        regularizers.L1(0.3, proximal=True),
        subgradient=regularizers.L1(0.3),  # E21: it jitters around 0
        ridge=regularizers.L2(0.3),
        proximal_ridge=regularizers.L2(0.3, proximal=True),
    )
    near = np.abs(fitted(regularizers.L1(0.3)))
    assert (near < 0.05).sum() == 6


def test_e20_the_norm_p_2_is_no_weight_decay():
    """Its gradient has one length everywhere; above the gradient at 0 it holds all weights at 0, as no decay can."""
    for scale in (0.01, 1.0, 100.0):
        (w,) = leaves(scale * np.array([3.0, 4.0]))
        regularizers.Lp(0.7, 2)([w]).backward()
        assert np.linalg.norm(w.grad) == pytest.approx(0.7)
        w.grad = None
        regularizers.L2(0.7)([w]).backward()
        np.testing.assert_allclose(w.grad, 0.7 * w.numpy())
    slope_at_0 = 5.2  # the length of the gradient of `fitted`'s loss at 0 is below
    assert not fitted(regularizers.Lp(slope_at_0, 2, proximal=True)).any()
    assert fitted(regularizers.Lp(1.0, 2, proximal=True)).all()
    assert fitted(regularizers.L2(slope_at_0)).all()


def test_l43_decay_is_the_squared_norm_s_gradient():
    def check(make):
        (w,) = leaves([2.0, -3.0])
        optimizer = make([w])
        w.grad = np.array([0.5, 0.5])
        optimizer.step()
        np.testing.assert_allclose(w.numpy(), [2 - 0.1 * (0.5 + 0.2 * 2), -3 - 0.1 * (0.5 - 0.2 * 3)])

    holds_only_for(
        check,
        lambda ps: optim.SGD(ps, lr=0.1, weight_decay=0.2),
        twice=lambda ps: optim.SGD(ps, lr=0.1, weight_decay=0.4),
        none=lambda ps: optim.SGD(ps, lr=0.1),
        adaptive=lambda ps: optim.Adam(ps, lr=0.1, weight_decay=0.2),
    )


# --- dropout

ONES = np.ones((400, 50))


def drawn(layer, x=ONES, step=0):
    with sg.run(seed=0, step=step):
        return layer.train()(sg.tensor(x)).numpy()


def test_l44_p_is_the_probability_to_keep():
    def check(layer):
        assert (drawn(layer) != 0).mean() == pytest.approx(0.8, abs=0.01)

    holds_only_for(check, nn.Dropout(keep=0.8), dropping=nn.Dropout(drop=0.8), nothing=nn.Dropout(keep=1.0))
    check(nn.Dropout(drop=0.2))
    with pytest.raises(sg.SymgradError, match="keep="):
        nn.Dropout(0.8)


def test_l45_every_minibatch_trains_one_structure_or_every_sample():
    def check(layer):
        out = drawn(layer)
        assert (out == out[0]).all()
        assert (out != drawn(layer, step=1)).any()

    holds_only_for(check, nn.Dropout(keep=0.5, mask="batch"), by_sample=nn.Dropout(keep=0.5))
    channels = drawn(nn.SpatialDropout(keep=0.5), np.ones((20, 6, 4, 4)))
    assert (channels == channels[:, :, :1, :1]).all()
    assert 0.3 < (channels != 0).mean() < 0.7


def test_l46_the_lecture_scales_at_test_time_and_not_in_training():
    def check(layer):
        assert set(np.unique(drawn(layer))) == {0.0, 1.0}
        np.testing.assert_allclose(layer.eval()(sg.tensor(ONES)).numpy(), 0.8)

    holds_only_for(check, nn.Dropout(keep=0.8, style="lecture"), inverted=nn.Dropout(keep=0.8))
    inverted = nn.Dropout(keep=0.8)
    assert set(np.unique(drawn(inverted)).round(12)) == {0.0, 1.25}
    assert (inverted.eval()(sg.tensor(ONES)).numpy() == 1).all()


def network(style="lecture", hidden=6, activation=nn.Tanh):
    layers = (nn.Linear(3, hidden), activation(), nn.Dropout(keep=0.7, style=style), nn.Linear(hidden, 2))
    return nn.Sequential(*layers).initialize(0)


def test_l46_both_styles_are_one_function_after_conversion():
    model, X = network(), np.random.default_rng(0).standard_normal((5, 3))
    before, weight = model.predict(X), model[3].weight.numpy()

    def check(convert):
        model[3].weight.assign(weight)
        model[2].style = "lecture"
        convert(model)
        assert model[2].style == "inverted"
        np.testing.assert_allclose(model.predict(X), before, rtol=1e-14)

    def unscaled(model):
        model[2].style = "inverted"

    def divided(model):
        model[2].style = "inverted"
        model[3].weight.assign(model[3].weight.numpy() / 0.7)

    holds_only_for(check, lambda m: nn.restyle_dropout(m, "inverted"), unscaled=unscaled, divided=divided)
    check(lambda m: nn.restyle_dropout(m, "inverted"))
    nn.restyle_dropout(model, "lecture")
    np.testing.assert_allclose(model[3].weight.numpy(), weight, rtol=1e-15)


@pytest.mark.parametrize("style", ["lecture", "inverted"])
def test_l47_the_test_output_is_the_expected_training_output(style):
    """Exactly, for the weighted sum that follows: the mean over all 2^6 masks."""
    model, X = network(style), np.random.default_rng(0).standard_normal((5, 3))

    def check(predict):
        np.testing.assert_allclose(predict(X), nn.dropout_average(model, X), rtol=1e-12)

    def untouched(X):
        model[2].keep, keep = 1.0, model[2].keep
        try:
            return model.predict(X) * (1.0 if style == "lecture" else 1.01)
        finally:
            model[2].keep = keep

    holds_only_for(check, model.predict, unscaled=untouched)


def test_e18_through_a_nonlinearity_it_is_so_only_to_first_order():
    model = nn.Sequential(network(), nn.Tanh(), nn.Linear(2, 1)).initialize(1)
    gaps = []
    for scale in (1.0, 0.1):
        X = np.full((1, 3), 0.8) * scale
        model[0][0].bias.assign(np.zeros(6))
        model[0][3].bias.assign(np.zeros(2))
        gaps.append(np.abs(model.predict(X) - nn.dropout_average(model, X)).max())
    assert gaps[0] > 1e-4
    assert gaps[1] < gaps[0] / 300  # the gap is of third order


def test_l48_random_masks_approach_the_average_over_thinned_networks():
    model, X = network(), np.random.default_rng(0).standard_normal((2, 3))
    exact = nn.dropout_average(model, X)

    def check(draw):
        samples = np.array(list(draw(model, X, 300)))
        error = np.abs(samples.mean(axis=0) - exact)
        assert (error < 4 * samples.std(axis=0) / np.sqrt(300)).all()
        assert samples.std(axis=0).min() > 0.01
        np.testing.assert_array_equal(samples[:3], np.array(list(draw(model, X, 3))))

    def of_another_keep(model, X, samples):
        model[2].keep, keep = 0.4, model[2].keep
        try:
            return list(nn.dropout_samples(model, X, samples))
        finally:
            model[2].keep = keep

    holds_only_for(
        check,
        nn.dropout_samples,
        of_another_keep=of_another_keep,
        one_network=lambda model, X, samples: [next(nn.dropout_samples(model, X, 1))] * samples,
        without_seed=lambda model, X, samples: nn.dropout_samples(model, X, samples, seed=samples),
    )


def test_l49_dropout_lowers_the_error_on_other_data_for_a_large_range_of_keep():
    """A wide network on few digits, some of them with wrong labels."""
    train, held_out = data.digits().split((0.08, 0.92), seed=0)
    random = np.random.default_rng(0)
    y = np.where(random.random(len(train.y)) < 0.2, random.integers(0, 10, len(train.y)), train.y)

    def loss(layer):
        model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), layer, nn.Linear(32, 10)).initialize(0)
        optimizer = optim.Adam(model.parameters(), lr=0.02)

        def step():
            optimizer.zero_grad()
            value = losses.cross_entropy(model(train.X), y)
            value.backward()
            optimizer.step()
            return value

        run = sg.compile(step)
        for k in range(60):
            with sg.run(seed=0, step=k):
                run()
        return losses.cross_entropy(model.predict(held_out.X), held_out.y).item()

    with_all = loss(nn.Identity())

    def check(layer):
        assert all(loss(layer(keep)) < with_all for keep in (0.7, 0.4))

    holds_only_for(check, lambda keep: nn.Dropout(keep=keep), none=lambda keep: nn.Dropout(keep=1.0))


def test_proximal_formulas():
    w = np.linspace(-2, 2, 9)
    np.testing.assert_allclose(soft_threshold(w, 0.5), [np.sign(x) * max(abs(x) - 0.5, 0) for x in w])
    assert not shrink(np.array([0.3, 0.4]), 0.5).any()
