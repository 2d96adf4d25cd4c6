"""The lecture on generalisation: items L39 to L41, L50 to L54, erratum E19; with mutants that each test must catch."""

import dataclasses
import json
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from mutants import fails_with, holds_only_for

import symgrad as sg
from symgrad import data, losses, nn, optim
from symgrad.cli import main, runs
from symgrad.data import augment, sources
from symgrad.train import EarlyStopping, Ensemble, Trainer, ensembles


def noisy(n, seed):
    random = np.random.default_rng(seed)
    x = random.uniform(-1, 1, (n, 1))
    return x, np.sin(4 * x) + 0.5 * random.standard_normal((n, 1))


def overfitting(*callbacks, epochs=160):
    model = nn.Sequential(nn.Linear(1, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 1))
    t = Trainer(
        model, loss=losses.mse, optimizer=partial(optim.Adam, lr=0.05), batch_size=12, callbacks=callbacks, seed=0
    )
    t.fit(noisy(12, 0), noisy(60, 1), epochs=epochs)
    return t


def cheating(patch):
    right = Trainer.evaluate
    patch.setattr(Trainer, "evaluate", lambda self, held_out: right(self, noisy(12, 0)))


@fails_with(measured_on_the_training_data=cheating)
def test_l39_training_error_falls_while_the_error_on_other_data_rises_again():
    history = overfitting(epochs=160).history
    held_out = np.array(history["val_loss"])
    best = held_out.argmin()
    assert history["loss"][-1] < 0.7 * history["loss"][best]
    assert held_out[-1] > 1.2 * held_out[best]
    assert held_out[0] > 1.2 * held_out[best]


def leaking(patch):
    right = nn.Standardize.of.__func__

    def of(cls, X, *, dtype=None):
        whole = data.read_csv(LEAK[0]).dataset.X
        return right(cls, whole, dtype=dtype)

    patch.setattr(nn.Standardize, "of", classmethod(of))


def careless(patch):
    right = runs.Run.of.__func__

    def of(cls, *given, **options):
        run = right(cls, *given, **options)
        return dataclasses.replace(run, parts=(data.read_csv(LEAK[0]).dataset,) * 3)

    patch.setattr(runs.Run, "of", classmethod(of))


LEAK = []


@fails_with(
    standardised_with_all_data=leaking,
    trained_on_all_data=careless,
)
def test_l40_sixty_twenty_twenty_and_training_never_sees_the_test_part():
    import contextlib
    import io
    import tempfile
    from pathlib import Path

    parts = data.digits().split()
    assert [len(part) for part in parts] == [1078, 360, 359]
    for part in parts:  # stratified: every class has its share
        np.testing.assert_allclose(np.bincount(part.y) / len(part), np.bincount(data.digits().y) / 1797, atol=0.003)
    random = np.random.default_rng(0)
    X, y = random.normal(size=(100, 2)), np.arange(100) % 2
    marked = data.Dataset(np.arange(100)[:, None], y).split(seed=0)[2].X[:, 0]
    weights = []
    with tempfile.TemporaryDirectory() as folder:
        for scale in (1.0, 100.0):  # only the test part differs
            changed = X.copy()
            changed[marked] *= scale
            file = Path(folder) / "data.csv"
            LEAK[:] = [file]
            file.write_text(
                "a,b,y\n" + "".join(f"{a!r},{b!r},{k}\n" for (a, b), k in zip(changed.tolist(), y, strict=True))
            )
            arguments = ["train", str(file), "--model", "mlp:4", "--epochs", "3", "--json"]
            with contextlib.redirect_stdout(io.StringIO()) as out:
                assert main(arguments) == 0
            found = json.loads(out.getvalue())
            weights.append((found["train"], found["validation"]))
    assert weights[0] == weights[1]


@fails_with(
    never=lambda patch: patch.setattr(EarlyStopping, "on_epoch_end", lambda self, trainer, row: None),
    no_restore=lambda patch: patch.setattr(EarlyStopping, "on_fit_end", lambda self, trainer: None),
)
def test_l41_early_stopping():
    t = overfitting(EarlyStopping(patience=25), epochs=160)
    held_out = t.history["val_loss"]
    assert len(held_out) < 160
    assert np.argmin(held_out) == len(held_out) - 1 - 25
    assert t.evaluate(noisy(60, 1))["loss"] == pytest.approx(min(held_out), rel=1e-12)


def test_e19_the_printed_rule_stops_at_the_first_rise_and_keeps_the_worse_network():
    literal = overfitting(EarlyStopping(patience=1, restore_best=False), epochs=160)
    held_out = literal.history["val_loss"]
    assert held_out[-1] >= held_out[-2]
    assert all(b < a for a, b in pairwise(held_out[:-1]))
    assert literal.evaluate(noisy(60, 1))["loss"] == pytest.approx(held_out[-1], rel=1e-12)
    corrected = overfitting(EarlyStopping(patience=25), epochs=160)
    assert corrected.evaluate(noisy(60, 1))["loss"] < literal.evaluate(noisy(60, 1))["loss"]


KINDS = {
    "rotate": 15, "scale": 0.2, "translate": 0.2, "shear": 15, "elastic": 5, "flip": "h", "brightness": 0.2,
    "contrast": 0.3, "gamma": 0.3, "illumination": 0.3, "noise": 0.1, "erase": 0.4, "crop": 0.3,
}  # fmt: skip


@fails_with(
    labels_lost=lambda patch: patch.setattr(
        augment.Images, "__call__", lambda self, X, y, random: (X + 0.1, random.permutation(y))
    ),
    nothing=lambda patch: patch.setattr(augment.Images, "__call__", lambda self, X, y, random: (X, y)),
)
def test_l50_augmentation_makes_more_data_with_the_same_labels():
    digits = data.Dataset(data.digits().X[:40], data.digits().y[:40])
    for name, amount in KINDS.items():
        more = data.augmented(digits, data.Images((8, 8), **{name: amount}), copies=1)
        np.testing.assert_array_equal(more.y, np.tile(digits.y, 2))
        np.testing.assert_array_equal(more.X[:40], digits.X)
        assert np.abs(more.X[40:] - digits.X).max() > 0.05, name
    colours = np.random.default_rng(0).random((4, 3, 8, 8))
    assert np.abs(data.Images(colour=0.3)(colours, None, np.random.default_rng(0))[0] - colours).max() > 0.05
    everything = data.Images((8, 8), **(KINDS | {"flip": ""}))
    mirrored = digits.X.reshape(-1, 8, 8)[:, :, ::-1].reshape(-1, 64)
    assert data.Images((8, 8)).flip == everything.flip == ""  # a mirrored digit is another one
    assert np.abs(everything(digits.X, digits.y, np.random.default_rng(0))[0] - mirrored).max() > 0.1


def members(k):
    model = nn.Sequential(nn.Linear(2, 12 + 2 * k), nn.Tanh(), nn.Linear(12 + 2 * k, 3))
    return Trainer(model, loss=losses.cross_entropy, optimizer=partial(optim.Adam, lr=0.03), seed=k, compiled=False)


@fails_with(
    one_member=lambda patch: patch.setitem(
        ensembles._VOTES, "soft", lambda logits, w: np.asarray(sg.softmax(logits[0]))
    ),
    worst=lambda patch: patch.setitem(
        ensembles._VOTES, "soft", lambda logits, w: np.asarray(sg.softmax(logits)).min(axis=0)
    ),
)
def test_l51_an_ensemble_is_better_than_its_members_on_average():
    train, test = data.spirals(120, noise=0.3, seed=0), data.spirals(300, noise=0.3, seed=1)
    ensemble = Ensemble.fit(members, train, members=4, epochs=15, bootstrap=True, n_jobs=1)

    def loss(p):
        return -np.mean(np.log(p[np.arange(len(test)), test.y]))

    each = [np.asarray(sg.softmax(m.predict(test.X))) for m in ensemble.members]
    together = ensemble.predict(test.X)
    np.testing.assert_allclose(together, np.mean(each, axis=0), rtol=1e-12)
    assert loss(together) < np.mean([loss(p) for p in each]) - 1e-3


def alphabetical(patch):
    right = sources.one_hot
    patch.setattr(data, "one_hot", lambda labels, classes: right(labels, sorted(classes)))


@fails_with(alphabetical=alphabetical)
def test_l52_the_one_hot_code_of_a_person_is_third():
    classes = ("tree", "animal", "person", "bicycle")
    assert data.one_hot(["person", "tree"], classes).tolist() == [[0, 0, 1, 0], [1, 0, 0, 0]]


def test_l53_why_the_rate_decays():
    """Quiz 2: a constant rate jitters around the minimum, a decaying one comes to rest.

    Quiz 3 (Rprop, momentum), 4 (the steps of BatchNorm) and 5 (overfitting) are L21 to L28, L32 and L41.
    """

    def distance(rate):
        random, w = np.random.default_rng(0), np.ones(50)
        for k in range(300):
            (w,) = optim.rules.sgd(w, w - 0.3 * random.standard_normal(50), lr=rate(k))
        return np.abs(w).mean()

    constant = distance(optim.schedules.constant(0.3))

    def check(rate):
        assert distance(rate) < 0.5 * constant

    holds_only_for(
        check,
        optim.schedules.inverse_time(0.3, 0.1),
        constant=optim.schedules.constant(0.3),
        too_fast=optim.schedules.lecture_exponential(0.3, 1.0),
    )


def divergence(patch):
    patch.setattr(losses, "cross_entropy", lambda logits, labels: losses.mse(sg.softmax(logits), np.eye(2)[labels]))


@fails_with(squared_error=divergence)
def test_l54_the_choice_of_the_divergence_matters():
    """From a saturated start, wrong by far, squared error hardly moves; cross-entropy moves at full speed."""
    logits = np.array([[10.0, -10.0]])
    by_entropy = sg.grad(lambda z: losses.cross_entropy(z, np.array([1])))(logits)
    by_square = sg.grad(lambda z: losses.mse(sg.softmax(z), np.eye(2)[[1]]))(logits)
    assert np.abs(by_entropy).max() > 0.99
    assert np.abs(by_square).max() < 1e-8


def test_l54_incremental_updates_are_faster_than_batches():
    """The same number of examples seen: many small steps get further than one large one per epoch."""
    digits = data.digits()

    def loss(batch_size):
        t = Trainer(
            nn.Sequential(nn.Linear(64, 10)), loss=losses.cross_entropy, optimizer=partial(optim.SGD, lr=0.1),
            batch_size=batch_size,
        )  # fmt: skip
        t.fit((digits.X[:600], digits.y[:600]), epochs=5)
        return t.evaluate((digits.X[600:1200], digits.y[600:1200]))["loss"]

    assert loss(10) < 0.5 * loss(600)
