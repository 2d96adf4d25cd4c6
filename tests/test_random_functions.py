"""The random functions of nn.functional: what they draw, what they keep in the mean, and what they refuse."""

import numpy as np
import pytest

import symgrad as sg
from symgrad import nn
from symgrad.nn import functional as F

X = np.random.default_rng(0).normal(size=(40, 5, 6, 7))
CHANNELS = {"dropout1d": X[0], "dropout2d": X, "dropout3d": X[:8, :, None], "feature_alpha_dropout": X}
ALL = {"dropout": X, "alpha_dropout": X, **CHANNELS}


def drawn(name, x, p=0.3, step=0):
    with sg.run(seed=1, step=step):
        return getattr(F, name)(x, p, training=True)


@pytest.mark.parametrize("name", ALL)
def test_a_draw_is_a_function_of_seed_and_step(name):
    x = sg.tensor(ALL[name])
    np.testing.assert_array_equal(drawn(name, x).numpy(), drawn(name, x).numpy())
    assert (drawn(name, x).numpy() != drawn(name, x, step=1).numpy()).any()


@pytest.mark.parametrize("name", ALL)
def test_off_at_probability_0_and_without_training_it_is_the_identity(name):
    x = ALL[name]
    assert getattr(F, name)(x, 0.3, training=False) is x
    assert getattr(F, name)(x, 0.0, training=True) is x
    np.testing.assert_array_equal(getattr(F, name)(x, 1.0, training=True), 0 * x)


@pytest.mark.parametrize("name", ALL)
def test_the_gradient_is_that_of_what_stays(name):
    x = sg.tensor(ALL[name], requires_grad=True)
    y = drawn(name, x)
    y.sum().backward()
    stays = x.grad != 0
    assert stays.mean() == pytest.approx(0.7, abs=0.25)
    gone = y.numpy()[~stays]
    assert np.ptp(gone) < 1e-12  # all elements that went are the same number
    if "alpha" not in name:
        np.testing.assert_array_equal(gone, 0)
        np.testing.assert_allclose(y.numpy()[stays], ALL[name][stays] / 0.7, rtol=1e-15)


@pytest.mark.parametrize("name", CHANNELS)
def test_channels_go_as_a_whole(name):
    x = sg.tensor(CHANNELS[name], requires_grad=True)
    drawn(name, x).sum().backward()
    after = {"dropout1d": 1, "dropout2d": 2, "dropout3d": 3}.get(name, 2)
    rows = (x.grad != 0).reshape(*x.shape[: x.ndim - after], -1)
    assert (rows.all(-1) | ~rows.any(-1)).all()
    assert 0 < rows.mean() < 1


def test_alpha_dropout_keeps_mean_and_variance():
    x = np.random.default_rng(1).normal(size=400_000)
    y = drawn("alpha_dropout", sg.tensor(x)).numpy()
    assert y.mean() == pytest.approx(0, abs=0.01)
    assert y.var() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ALL)
def test_the_element_type_stays(name, dtype):
    x = sg.tensor(ALL[name].astype(dtype), requires_grad=True)
    y = drawn(name, x)
    y.sum().backward()
    assert y.dtype == x.grad.dtype == dtype


@pytest.mark.parametrize("name", [*ALL, "fractional_max_pool2d", "rrelu"])
def test_compiled_draws_are_those_of_eager_mode(name):
    x, further = ALL.get(name, X), {"fractional_max_pool2d": (2, 3), "rrelu": (0.1, 0.3, True)}.get(name)
    call = getattr(F, name)

    def f(x):
        return call(x, *further) if further else call(x, 0.3, training=True)

    fast = sg.compile(f)
    for step in range(2):
        with sg.run(seed=1, step=step):
            eager = np.asarray(f(x))
        with sg.run(seed=1, step=step):
            compiled = np.asarray(fast(x))
        np.testing.assert_allclose(compiled, eager, rtol=1e-14, atol=1e-15)
    assert "0 eager call(s)" in fast.report()


def test_the_layer_is_the_function():
    layer = nn.Dropout(drop=0.3)
    layer._path = "dropout"
    with sg.run(seed=1, step=0):
        np.testing.assert_array_equal(layer(sg.tensor(X)).numpy(), drawn("dropout", X).numpy())


def test_every_window_of_fractional_pooling_lies_inside():
    x = sg.tensor(np.arange(2.0 * 90).reshape(1, 2, 9, 10))
    for step in range(50):
        with sg.run(seed=0, step=step):
            y, at = F.fractional_max_pool2d(x, 3, output_ratio=0.5, return_indices=True)
        assert y.shape == (1, 2, 4, 5)
        np.testing.assert_array_equal(
            y.numpy(), np.take(x.numpy()[0, 0], at.numpy()) + 90 * np.arange(2)[:, None, None]
        )
        assert (y.numpy()[..., -1, -1] == [89, 179]).all()  # the last windows end at the ends


def test_gumbel_softmax_chooses_by_probability():
    logits = np.log([0.1, 0.2, 0.7]) + 5.0
    with sg.run(seed=0, step=0):
        hard = F.gumbel_softmax(sg.tensor(np.tile(logits, (20_000, 1))), 0.5, hard=True).numpy()
    assert set(np.unique(hard.round(12))) == {0.0, 1.0}
    np.testing.assert_allclose(hard.sum(1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(hard.mean(0), [0.1, 0.2, 0.7], atol=0.015)


def test_a_hard_choice_has_the_gradient_of_the_soft_one():
    x, w = np.random.default_rng(0).normal(size=(2, 4, 3))

    def slope(hard):
        with sg.run(seed=0, step=0):
            return sg.grad(lambda x: (F.gumbel_softmax(x, 0.7, hard, 0) * w).sum())(x)

    np.testing.assert_allclose(slope(True), slope(False), rtol=1e-12)
    with sg.run(seed=0, step=0):
        soft = F.gumbel_softmax(x, 0.7, axis=0)
    inner = (soft * w).sum(0)  # the softmax rule, y (w - w . y) / tau
    np.testing.assert_allclose(slope(False), soft * (w - inner) / 0.7, rtol=1e-12)


REFUSED = [
    (lambda: F.dropout(X, 1.2), "dropout: p is the probability to be set to 0, from 0 to 1, got 1.2"),
    (lambda: F.dropout(X, 0.5), "needs a Run"),
    (lambda: drawn("dropout2d", X[0, 0]), "dropout2d: the input has shape .*with 2 more axes"),
    (lambda: drawn("feature_alpha_dropout", X[0, 0, 0]), "feature_alpha_dropout: the input has shape"),
    (lambda: F.fractional_max_pool2d(X, 2), "give output_size or output_ratio"),
    (lambda: F.fractional_max_pool2d(X, 2, 7), r"\(7, 7\) windows of \(2, 2\) do not fit into \(6, 7\)"),
    (lambda: F.fractional_max_pool2d(X, 2, 3, _random_samples=X[:1, :1, 0, 0]), "samples of shape"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_what_is_wrong_is_refused(call, message):
    with pytest.raises(sg.SymgradError, match=message):
        call()
