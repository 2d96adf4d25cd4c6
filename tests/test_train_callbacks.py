"""Early stopping, histories in files, metrics of scikit-learn, regularizers in the loop."""

import csv
import json
import signal
import struct

import numpy as np
import pytest

import symgrad as sg
from symgrad import data, losses, nn, optim, regularizers
from symgrad.train import (
    Callback,
    EarlyStopping,
    HistoryWriter,
    LearningRateLogger,
    TensorBoard,
    Trainer,
    accuracy,
    from_sklearn,
)


def blobs(n=40, seed=0):
    random = np.random.default_rng(seed)
    y = np.arange(n) % 3
    return data.Dataset(random.standard_normal((n, 4)) + 1.5 * np.eye(3, 4)[y], y)


class Script(Callback):
    """Says what the validation loss of every epoch is, and marks the weights with the epoch."""

    def __init__(self, values):
        self.values = values

    def on_epoch_end(self, trainer, row):
        row["val_loss"] = self.values[trainer.epoch - 1]
        trainer.model[0].bias.assign(np.full(3, float(trainer.epoch)))


def scripted(values, *callbacks, epochs=None, **options):
    t = Trainer(
        nn.Sequential(nn.Linear(4, 3)), loss=losses.cross_entropy, optimizer=optim.SGD, batch_size=20,
        callbacks=[Script(values), *callbacks], **options,
    )  # fmt: skip
    t.fit(blobs(), epochs=len(values) if epochs is None else epochs)
    return t


# --- early stopping

STOPS = {  # values, options, epochs run, epoch whose weights are kept
    "patience": ([3, 2, 1, 2, 2, 2, 0], {"patience": 3}, 6, 3),
    "an improvement starts the count anew": ([3, 4, 2, 3, 1, 2, 3], {"patience": 2}, 7, 5),
    "the textbook's": ([3, 2, 2.5, 1], {"patience": 1, "restore_best": False}, 3, 3),
    "min_delta": ([3, 2.9, 2.8, 2.7], {"patience": 2, "min_delta": 0.5}, 3, 1),
    "small gains add up": ([3, 2.8, 2.4, 2.3], {"patience": 2, "min_delta": 0.5}, 4, 3),
    "larger is better": ([1, 3, 2, 2], {"patience": 2, "mode": "max"}, 4, 2),
    "the last epoch": ([3, 1, 2], {"patience": 10}, 3, 2),
}


@pytest.mark.parametrize("name", STOPS)
def test_early_stopping(name):
    values, options, epochs, kept = STOPS[name]
    stopper = EarlyStopping(**options)
    t = scripted(values, stopper)
    assert (len(t.history), t.model[0].bias.numpy()[0]) == (epochs, kept)
    if stopper.restore_best:
        assert (stopper.best, stopper.best_epoch) == (values[kept - 1], kept)


def test_the_best_is_restored_after_ctrl_c_and_training_goes_on_from_the_last():
    class Interrupt(Callback):
        def on_epoch_end(self, trainer, row):
            if trainer.epoch == 3:
                signal.raise_signal(signal.SIGINT)

    t = scripted([3, 1, 2, 4, 5], EarlyStopping(), Interrupt())
    assert (t.history.interrupted, len(t.history)) == (True, 3)
    assert t.model[0].bias.numpy().tolist() == [2.0] * 3
    t.callbacks.pop()
    whole = scripted([3, 1, 2, 4, 5], EarlyStopping())
    t.fit(blobs(), epochs=2)
    assert t.history["loss"] == whole.history["loss"]


def test_what_is_watched_must_be_there():
    with pytest.raises(sg.SymgradError, match="monitor='val_acc' is no column of the history; it has epoch, step"):
        scripted([1, 2], EarlyStopping("val_acc"))
    with pytest.raises(sg.SymgradError, match="mode='least' is none of"):
        EarlyStopping(mode="least")
    with pytest.raises(sg.DataError, match="patience must be at least 1"):
        EarlyStopping(patience=0)


# --- histories in files


def test_histories_are_written_whole(tmp_path):
    t = scripted([3.0, 1 / 3], HistoryWriter(tmp_path / "a" / "h.csv"), HistoryWriter(tmp_path / "a" / "h.jsonl"))
    rows = [json.loads(line) for line in (tmp_path / "a" / "h.jsonl").read_text().splitlines()]
    assert rows == t.history.rows
    table = list(csv.DictReader((tmp_path / "a" / "h.csv").read_text().splitlines()))
    assert [{name: float(x) for name, x in row.items()} for row in table] == rows
    frame = t.history.to_pandas()
    assert frame.to_dict("list") == t.history.to_dict()
    assert t.history._repr_html_().count("<tr>") == 3
    with pytest.raises(sg.SymgradError, match=r"must end in \.csv or \.jsonl"):
        HistoryWriter("h.txt")


def scalars(folder):
    """What the event files of a folder say, read by the format's definition."""
    from tensorboardX.proto.event_pb2 import Event

    found = {}
    for file in sorted(folder.iterdir()):
        content, at = file.read_bytes(), 0
        while at < len(content):
            (length,) = struct.unpack_from("<Q", content, at)
            event = Event.FromString(content[at + 12 : at + 12 + length])
            found |= {(v.tag, event.step): v.simple_value for v in event.summary.value}
            at += 12 + length + 4
    return found


def test_tensorboard_gets_every_number(tmp_path):
    t = scripted([3.0, 1.0], TensorBoard(tmp_path))
    expected = {(name, row["step"]): row[name] for row in t.history.rows for name in ("loss", "lr")}
    expected |= {("val_loss", 2): 3.0, ("val_loss", 4): 1.0}
    assert scalars(tmp_path) == pytest.approx(expected, rel=1e-6)


def test_a_plateau_is_told_the_validation_loss():
    class Cut(Callback):
        def on_epoch_end(self, trainer, row):
            rates.append(row["lr"])

    rates = []
    t = Trainer(
        nn.Sequential(nn.Linear(4, 3)), loss=losses.cross_entropy, optimizer=optim.SGD, callbacks=[Cut()],
        schedule=optim.schedules.Plateau(1e-9, factor=0.5, patience=1, eps=0.0),
    )  # fmt: skip
    t.fit(blobs(), blobs(seed=1), epochs=6)
    assert rates == pytest.approx([1e-9, 1e-9, 1e-9, 5e-10, 5e-10, 2.5e-10])


def test_rates_are_logged():
    log = LearningRateLogger()
    scripted([1, 2], log, schedule=optim.schedules.inverse_time(0.5))
    assert log.rates == pytest.approx([0.5, 0.25, 0.5 / 3, 0.125])


# --- metrics


def test_metrics_by_name_are_scikit_learn_s():
    from sklearn import metrics

    t = Trainer(
        nn.Sequential(nn.Linear(4, 3)), loss=losses.cross_entropy, optimizer=optim.Adam,
        metrics=["accuracy", "balanced_accuracy_score", from_sklearn("f1_score", average="macro")],
    )  # fmt: skip
    t.fit(blobs(), epochs=2)
    held_out = blobs(seed=1)
    predicted = t.predict(held_out.X).argmax(axis=1)
    assert t.evaluate(held_out) == {
        "loss": t.evaluate(held_out)["loss"],
        "accuracy": metrics.accuracy_score(held_out.y, predicted),
        "balanced_accuracy_score": metrics.balanced_accuracy_score(held_out.y, predicted),
        "f1_score": metrics.f1_score(held_out.y, predicted, average="macro"),
    }
    measure = from_sklearn("r2_score")
    assert measure(np.array([[1.0], [2.0], [4.0]]), np.array([1.0, 2.0, 3.0])) == 0.5
    with pytest.raises(sg.SymgradError, match="metric 'f1_scor' is none of scikit-learn's; 'f1_score'"):
        Trainer(nn.Linear(1, 1), loss=losses.mse, optimizer=optim.Adam, metrics=["f1_scor"])
    with pytest.raises(sg.SymgradError, match=r"metrics must be a list .*got 'accuracy'"):
        Trainer(nn.Linear(1, 1), loss=losses.mse, optimizer=optim.Adam, metrics="accuracy")
    assert accuracy(np.eye(3), np.eye(3)[[0, 1, 1]]) == 2 / 3


# --- regularizers and transforms


@pytest.mark.parametrize("compiled", [False, True])
def test_regularizers_are_added_and_act_after_the_step(compiled):
    def run(*given):
        model = nn.Sequential(nn.Linear(4, 3)).initialize(1)
        t = Trainer(
            model, loss=losses.cross_entropy, optimizer=lambda p: optim.SGD(p, lr=0.1), batch_size=40,
            regularizers=given, compiled=compiled,
        )  # fmt: skip
        return t, t.fit(blobs(), epochs=1)

    plain, history = run()
    start = nn.Sequential(nn.Linear(4, 3)).initialize(1).state_dict()
    both, penalised = run(regularizers.L2(0.2), regularizers.WeightDecay(0.5))
    for name, before in start.items():
        step = plain.model.state_dict()[name] - 0.1 * 0.2 * before
        expected = step if "bias" in name else step * (1 - 0.1 * 0.5)
        np.testing.assert_allclose(both.model.state_dict()[name], expected, rtol=1e-12)
    penalty = 0.1 * sum((a**2).sum() for a in start.values())
    assert penalised["loss"][0] == pytest.approx(history["loss"][0] + penalty)


@pytest.mark.parametrize(
    "optimizer", [lambda p: optim.Rprop(p, variant="irprop+"), lambda p: optim.AdamW(p, exclude=["bias"])]
)
def test_other_optimizers_train_compiled_and_resume(optimizer, tmp_path):
    def make(epochs, compiled=True):
        model = nn.Sequential(nn.Linear(4, 3)).initialize(1)
        t = Trainer(model, loss=losses.cross_entropy, optimizer=optimizer, batch_size=40, compiled=compiled)
        t.fit(blobs(), epochs=epochs)
        return t

    whole, parts = make(6), make(3)
    assert len(whole.optimizer.groups) == (2 if isinstance(whole.optimizer, optim.AdamW) else 1)
    parts.fit(blobs(), epochs=3)
    assert whole.history["loss"] == parts.history["loss"]
    np.testing.assert_allclose(make(6, compiled=False).history["loss"], whole.history["loss"], rtol=1e-9)
    assert "0 eager" in whole._compiled.report()


def test_transforms_draw_by_seed_and_step_and_leave_validation_alone():
    seen = []

    def shifted(X, y, random):
        seen.append(random.random())
        return X + seen[-1], y

    def run(seed):
        seen.clear()
        t = Trainer(
            nn.Sequential(nn.Linear(4, 3)), loss=losses.cross_entropy, optimizer=lambda p: optim.SGD(p, lr=0.0),
            transform=shifted, seed=seed, batch_size=20,
        )  # fmt: skip
        t.fit(blobs(), blobs(), epochs=2)
        return list(seen), t

    first, t = run(0)
    assert len(set(first)) == 4
    assert first == run(0)[0] != run(1)[0]
    assert t.history["val_loss"][0] == t.history["val_loss"][1] == t.evaluate(blobs())["loss"]
    assert t.history["loss"][0] != t.history["loss"][1]


# --- weights


def squares(output, y, reduction="mean"):
    each = (output - y) ** 2
    return each if reduction == "none" else sg.mean(each)


def squares_only(output, y):
    return squares(output, y)


def weighted(sample_weight=None, data=None, compiled=True, loss=squares, **options):
    model = nn.Sequential(nn.Linear(4, 2)).initialize(1)
    t = Trainer(model, loss=loss, optimizer=lambda p: optim.SGD(p, lr=0.1), batch_size=60, compiled=compiled, **options)
    X, y = (blobs().X, blobs().X[:, :2]) if data is None else data
    history = t.fit((X, y), epochs=2, sample_weight=sample_weight)
    return history["loss"], t.model.state_dict()


@pytest.mark.parametrize("compiled", [False, True])
def test_a_weight_of_two_is_an_example_twice_and_of_zero_none(compiled):
    weights = np.array([2.0, 1.0, 0.0] + [1.0] * 37)
    loss, state = weighted(weights, compiled=compiled)
    rows = [0, 0, 1, *range(3, 40)]
    expected = weighted(data=(blobs().X[rows], blobs().X[rows, :2]), compiled=compiled)
    np.testing.assert_allclose(loss, expected[0], rtol=1e-12)
    for name, value in state.items():
        np.testing.assert_allclose(value, expected[1][name], rtol=1e-10, atol=1e-14)


def test_the_loss_of_an_epoch_is_the_mean_by_weight():
    weights = np.arange(1.0, 41.0)
    t = Trainer(nn.Linear(4, 2), loss=squares, optimizer=lambda p: optim.SGD(p, lr=0.0), batch_size=7)
    X, y = blobs().X, blobs().X[:, :2]
    loss = t.fit((X, y), sample_weight=weights)["loss"][0]
    each = ((t.predict(X) - y) ** 2).mean(axis=1)
    assert loss == pytest.approx((each * weights).sum() / weights.sum())


def test_balanced_classes_in_the_cross_entropy():
    digits = data.digits()
    X, y = digits.X[:200], np.minimum(digits.y[:200], 2)  # 0, 1, and all others
    t = Trainer(
        nn.Linear(64, 3), loss=losses.cross_entropy, optimizer=lambda p: optim.SGD(p, lr=0.0), batch_size=60,
        class_weight="balanced",
    )  # fmt: skip
    each = [losses.cross_entropy(t.predict(X[y == k]), y[y == k]) for k in range(3)]
    assert t.fit((X, y))["loss"][0] == pytest.approx(float(np.mean(each)))


def test_class_weights_and_sample_weights_multiply():
    from symgrad.train.weighting import weights_of

    y = np.array([0, 0, 0, 1])
    np.testing.assert_allclose(weights_of(y, None, "balanced"), [2 / 3, 2 / 3, 2 / 3, 2])
    np.testing.assert_allclose(weights_of(y, None, [1, 5]), [1, 1, 1, 5])
    np.testing.assert_allclose(weights_of(y, [1, 2, 3, 4], {0: 1, 1: 5}), [1, 2, 3, 20])
    assert weights_of(y, None, None) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample_weight": [1.0]}, r"sample_weight: must be 40 finite numbers of at least 0.*got shape \(1,\)"),
        ({"sample_weight": -np.ones(40)}, "at least 0"),
        ({"sample_weight": np.ones(40), "loss": squares_only}, "squares_only has no reduction='none'"),
        ({"class_weight": "balanced"}, "must be class labels"),
        ({"class_weight": {0: 1}, "data": (blobs().X, blobs().y)}, "no weight for class 1; it has"),
        ({"class_weight": "even", "data": (blobs().X, blobs().y)}, "class_weight='even'"),
    ],
)
def test_bad_weights_are_named(options, message):
    with pytest.raises(sg.SymgradError, match=message):
        weighted(**options)
