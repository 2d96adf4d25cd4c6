"""The lecture on batch normalisation: items L30 to L38, errata E12 to E14; with mutants that each test must catch."""

from functools import partial

import numpy as np
import pytest
from mutants import fails_with

import symgrad as sg
from symgrad import data, losses, nn, optim
from symgrad.derived import fuse
from symgrad.derived.kernels import batch_norm as kernel
from symgrad.nn import batchnorm, kernels
from symgrad.train import Trainer, trainer

RNG = np.random.default_rng(0)
Z, G = RNG.normal(2.0, 3.0, (6, 3)), RNG.normal(size=(6, 3))


def instead(formula):
    """Plant another formula of (z, gamma, beta, eps); the statistics that the layer remembers stay right."""

    def wrong(z, gamma, beta, eps):
        mu = z.mean(axis=0)
        return formula(z, gamma, beta, eps), mu, ((z - mu) ** 2).mean(axis=0)

    return lambda patch: patch.setattr(kernels, "batch_norm", wrong)


def formula(z, gamma, beta, eps, centre=True, ddof=0, inside=True, stop=lambda x: x):
    mu = stop(z.mean(axis=0)) if centre else 0.0
    variance = stop(((z - z.mean(axis=0)) ** 2).sum(axis=0) / (z.shape[0] - ddof))
    scale = (variance + eps) ** 0.5 if inside else variance**0.5 + eps
    return gamma * (z - mu) / scale + beta


def layer(n=3, **options):
    made = nn.BatchNorm1d(n, **options)
    made.weight.assign(np.linspace(0.5, 2.0, n))
    made.bias.assign(np.linspace(-1.0, 1.0, n))
    return made


@fails_with(
    no_shift=lambda patch: patch.setattr(data.BatchShift, "__call__", lambda self, X, y, random: (X, y)),
    uncentred=instead(partial(formula, centre=False)),
    unscaled=instead(lambda z, gamma, beta, eps: gamma * (z - z.mean(axis=0)) + beta),
)
def test_l30_minibatches_shift_and_batch_norm_moves_all_to_one_place():
    shift = data.BatchShift(0.5, 2.0)
    shifted = [shift(Z, None, np.random.default_rng(k))[0] for k in range(3)]
    assert np.std([z.mean() for z in shifted]) > 0.3
    normed = [nn.BatchNorm1d(3, eps=0.0)(sg.tensor(z)).numpy() for z in shifted]
    np.testing.assert_allclose(normed[1], normed[0], atol=1e-12)
    np.testing.assert_allclose(normed[2], normed[0], atol=1e-12)


@fails_with(uncentred=instead(partial(formula, centre=False)))
def test_l31_a_bias_before_batch_norm_is_taken_away():
    norm, bias = layer(), sg.tensor([5.0, -7.0, 1.0], requires_grad=True)
    y = norm(sg.tensor(Z) + bias)
    np.testing.assert_allclose(y.numpy(), norm(sg.tensor(Z)).numpy(), atol=1e-12)
    (y * G).sum().backward()
    np.testing.assert_allclose(bias.grad, 0, atol=1e-12)


def test_l31_a_bias_before_batch_norm_is_warned_of(caplog):
    nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.ReLU())
    assert "make it with bias=False" in caplog.text


@fails_with(
    bessel=instead(partial(formula, ddof=1)),
    eps_outside=instead(partial(formula, inside=False)),
    uncentred=instead(partial(formula, centre=False)),
)
def test_l32_biased_variance_and_eps_inside_the_root():
    u = (Z - Z.mean(0)) / np.sqrt(((Z - Z.mean(0)) ** 2).mean(0) + 0.5)
    norm = layer(eps=0.5)
    np.testing.assert_allclose(norm(sg.tensor(Z)).numpy(), norm.weight.numpy() * u + norm.bias.numpy(), rtol=1e-12)


DETACHED = instead(partial(formula, stop=sg.stop_gradient))


@fails_with(detached=DETACHED)
def test_l33_the_loss_of_one_example_depends_on_all():
    z = sg.tensor(Z, requires_grad=True)
    (layer()(z)[0] * G[0]).sum().backward()
    assert np.abs(z.grad).min() > 1e-4


def lecture_gradients(z, gamma, g, eps):
    """Step by step, as on the slides."""
    B, mu = len(z), z.mean(0)
    variance = ((z - mu) ** 2).mean(0)
    u = (z - mu) / np.sqrt(variance + eps)
    dgamma, dbeta, du = (u * g).sum(0), g.sum(0), gamma * g
    dvariance = (du * (z - mu) * -0.5 * (variance + eps) ** -1.5).sum(0)
    dmu = -(du / np.sqrt(variance + eps)).sum(0)
    dz = du / np.sqrt(variance + eps) + dvariance * 2 * (z - mu) / B + dmu / B
    return dz, dgamma, dbeta


def without_variance(g, saved):
    gamma, B, _mu, _sigma2, h, u = saved
    return gamma / np.sqrt(h) * (g - g.sum(axis=0) / B), (g * u).sum(axis=0), g.sum(axis=0)


@fails_with(
    no_variance_path=lambda patch: patch.setattr(
        kernels.derived, "batch_norm", fuse("wrong", kernel.forward, without_variance)
    ),
    detached=DETACHED,
)
def test_l34_backpropagation_is_the_lecture_s():
    norm, z = layer(eps=0.3), sg.tensor(Z, requires_grad=True)
    (norm(z) * G).sum().backward()
    dz, dgamma, dbeta = lecture_gradients(Z, norm.weight.numpy(), G, 0.3)
    np.testing.assert_allclose(z.grad, dz, rtol=1e-11)
    np.testing.assert_allclose(norm.weight.grad, dgamma, rtol=1e-11)
    np.testing.assert_allclose(norm.bias.grad, dbeta, rtol=1e-11)
    s, u = np.sqrt(Z.var(0) + 0.3), (Z - Z.mean(0)) / np.sqrt(Z.var(0) + 0.3)
    du = norm.weight.numpy() * G
    np.testing.assert_allclose(z.grad, (6 * du - du.sum(0) - u * (du * u).sum(0)) / (6 * s), rtol=1e-11)


def test_l34_the_closed_form_is_proved():
    derivation = sg.derive("batchnorm")
    assert {name: proof.verdict for name, proof in derivation.proofs.items()} == dict.fromkeys(
        ("z", "gamma", "beta"), "PROVED"
    )


def trained(stats="population"):
    random = np.random.default_rng(1)
    X, y = random.normal(1.0, 2.0, (52, 4)), np.arange(52) % 3
    model = nn.Sequential(nn.Linear(4, 5, bias=False), nn.BatchNorm1d(5, stats=stats), nn.ReLU(), nn.Linear(5, 3))
    t = Trainer(model, loss=losses.cross_entropy, optimizer=partial(optim.Adam, lr=0.05), batch_size=10)
    t.fit((X, y), epochs=2)
    sums = X @ model[0].weight.numpy()  # of the final network
    return model[1], [sums[rows] for rows in data.batches(52, 10, seed=0, epoch=1)]


@fails_with(
    biased=lambda patch: patch.setitem(
        batchnorm._STATISTICS, "population", lambda n, m, v: (m.mean(0), (v * (n - 1) / n).mean(0))
    ),
    one_B=lambda patch: patch.setitem(
        batchnorm._STATISTICS, "population", lambda n, m, v: (m.mean(0), (v * (n - 1) / n).mean(0) * 10 / 9)
    ),
    weighted=lambda patch: patch.setitem(
        batchnorm._STATISTICS, "population", lambda n, m, v: ((n * m).sum(0) / n.sum(), v.mean(0))
    ),
    running=lambda patch: patch.setattr(trainer, "population_statistics", lambda *given: None),
)
def test_l35_inference_uses_the_mean_over_all_minibatches_of_the_final_network():
    norm, batches = trained()
    assert [len(b) for b in batches] == [10, 10, 10, 10, 10, 2]
    mean = np.mean([b.mean(0) for b in batches], axis=0)
    variance = np.mean([len(b) / (len(b) - 1) * b.var(0) for b in batches], axis=0)
    np.testing.assert_allclose(norm.running_mean.read().numpy(), mean, rtol=1e-10)
    np.testing.assert_allclose(norm.running_var.read().numpy(), variance, rtol=1e-10)
    z = batches[0]
    expected = norm.weight.numpy() * (z - mean) / np.sqrt(variance + norm.eps) + norm.bias.numpy()
    np.testing.assert_allclose(norm.predict(z), expected, rtol=1e-10)


def test_l35_the_mainstream_s_running_average_is_an_option():
    norm, batches = trained("running")
    assert np.abs(norm.running_mean.read().numpy() - np.mean([b.mean(0) for b in batches], axis=0)).max() > 1e-3


@fails_with(
    all_units=lambda patch: patch.setattr(
        nn.BatchNorm1d, "_of_units", lambda self, rows: kernels.batch_norm(rows, 1.0, 0.0, self.eps)[0]
    ),
    none=lambda patch: patch.setattr(nn.BatchNorm1d, "_of_units", lambda self, rows: rows),
)
def test_l36_only_some_neurons_are_normalised():
    y = nn.BatchNorm1d(3, units=[False, True, False], eps=0.0)(sg.tensor(Z)).numpy()
    np.testing.assert_array_equal(y[:, [0, 2]], Z[:, [0, 2]])
    np.testing.assert_allclose(y[:, 1], (Z[:, 1] - Z[:, 1].mean()) / Z[:, 1].std(), rtol=1e-12)


def fixed_order(patch):
    patch.setattr(trainer, "batches", lambda n, size, *, seed, epoch, shuffle: data.batches(n, size, seed=0, epoch=0))


@fails_with(fixed=fixed_order)
def test_l37_minibatches_are_shuffled_anew_in_every_epoch():
    seen = []

    def spy(X, y, random):
        seen.append(X[:, 0].astype(int).tolist())
        return X, y

    t = Trainer(nn.Linear(1, 1), loss=losses.mse, optimizer=optim.SGD, transform=spy, batch_size=5)
    t.fit((np.arange(20.0)[:, None], np.zeros((20, 1))), epochs=3)
    epochs = [[x for rows in seen[k : k + 4] for x in rows] for k in (0, 4, 8)]
    assert all(sorted(order) == list(range(20)) for order in epochs)
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    assert {frozenset(b) for b in seen[:4]} != {frozenset(b) for b in seen[4:8]}


@fails_with(not_normalised=instead(lambda z, gamma, beta, eps: gamma * z + beta))
def test_l38_training_is_faster_with_batch_norm():
    digits = data.digits()

    def accuracy(norm):
        layers, n = [], 64
        for _ in range(3):
            layers += [nn.Linear(n, 50, bias=not norm), *([nn.BatchNorm1d(50)] if norm else []), nn.Sigmoid()]
            n = 50
        t = Trainer(
            nn.Sequential(*layers, nn.Linear(n, 10)), loss=losses.cross_entropy, metrics=["accuracy"],
            optimizer=partial(optim.SGD, lr=0.5), batch_size=60,
        )  # fmt: skip
        return t.fit((digits.X[:900], digits.y[:900]), epochs=4)["accuracy"][-1]

    assert accuracy(norm=True) > 0.8
    assert accuracy(norm=False) < 0.4


# --- errata


@fails_with(as_printed=instead(lambda z, gamma, beta, eps: gamma * (z - z.mean(axis=0)) / (z.var(axis=0) + eps) + beta))
def test_e12_the_square_of_sigma_is_the_variance_not_the_standard_deviation():
    """Dividing by what the slide calls the standard deviation would leave a deviation of 1 / sigma."""
    y = nn.BatchNorm1d(3, eps=0.0)(sg.tensor(Z)).numpy()
    np.testing.assert_allclose(y.std(0), 1, rtol=1e-12)
    printed = (Z - Z.mean(0)) / Z.var(0)
    np.testing.assert_allclose(printed.std(0), 1 / Z.std(0), rtol=1e-12)


def test_e13_every_minibatch_has_its_own_size():
    """The slide's one B for all misses a smaller last minibatch; one of size 1 would divide by zero."""
    batches = [RNG.normal(size=(8, 3)), RNG.normal(size=(8, 3)), RNG.normal(size=(2, 3))]
    norm = nn.BatchNorm1d(3)
    nn.population_statistics(norm, batches)
    corrected = np.mean([b.var(0, ddof=1) for b in batches], axis=0)
    printed = 8 / (7 * 3) * np.sum([b.var(0) for b in batches], axis=0)
    np.testing.assert_allclose(norm.running_var.read().numpy(), corrected, rtol=1e-12)
    assert np.abs(printed / corrected - 1).min() > 0.01
    with pytest.raises(sg.ShapeError, match="a minibatch of 1 has no variance to divide by"):
        norm(sg.tensor(Z[:1]))
    assert [len(rows) for rows in data.batches(9, 4, seed=0, epoch=0)] == [4, 5]


@fails_with(
    within_only=lambda patch: patch.setitem(batchnorm._STATISTICS, "pooled", lambda n, m, v: (m.mean(0), v.mean(0)))
)
def test_e14_the_variance_between_minibatches_is_left_out():
    """Exactly under the covariate shift that BatchNorm is to cure; "pooled" has all of the variance."""
    random = np.random.default_rng(0)
    batches = [random.normal(5.0 * k, 1.0, (20, 3)) for k in range(4)]
    found = {}
    for stats in ("population", "pooled"):
        norm = nn.BatchNorm1d(3, stats=stats)
        nn.population_statistics(norm, batches)
        found[stats] = norm.running_var.read().numpy()
    everything = np.concatenate(batches)
    np.testing.assert_allclose(found["pooled"], everything.var(0, ddof=1), rtol=1e-12)
    assert (found["population"] < everything.var(0) / 10).all()
