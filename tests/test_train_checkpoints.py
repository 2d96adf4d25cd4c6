"""Checkpoints: a run that was cut at any point ends as if it had not been; damage is refused by name."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest

import symgrad as sg
from symgrad import data, files, losses, nn, optim, saving
from symgrad.train import Callback, Checkpoint, EarlyStopping, HistoryWriter, LearningRateLogger, Trainer, lock


def blobs(n=26, seed=0):
    random = np.random.default_rng(seed)
    y = np.arange(n) % 3
    return data.Dataset(random.standard_normal((n, 4)) + 1.5 * np.eye(3, 4)[y], y)


def trainer(folder, callbacks=(), steps=1, **options):
    """All that draws or remembers: BatchNorm, dropout, Adam, a schedule, patience, history, transforms."""
    model = nn.Sequential(nn.Linear(4, 5, bias=False), nn.BatchNorm1d(5), nn.Dropout(keep=0.8), nn.Linear(5, 3))
    watching = [Checkpoint(folder, steps=steps), HistoryWriter(folder / "history.csv"), EarlyStopping(patience=2)]
    defaults = {
        "loss": losses.cross_entropy,
        "optimizer": partial(optim.Adam, lr=0.01),
        "schedule": optim.schedules.exponential(0.03, 0.1, unit="epoch")
        * optim.schedules.Plateau(1.0, factor=0.5, patience=0, threshold=0.5),
        "metrics": ["accuracy"],
        "transform": lambda X, y, random: (X + 0.01 * random.standard_normal(X.shape), y),
        "batch_size": 10,
        "compiled": False,
    }
    return Trainer(model, callbacks=[*watching, *callbacks], **defaults | options)


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of the run that nothing cut."""
    folder = tmp_path_factory.mktemp("whole")
    trainer(folder).fit(blobs(), blobs(seed=1), epochs=3)
    return contents(folder)


def ends_as(whole, folder, **options):
    """Resume, or start where nothing was saved yet, and compare every byte."""
    again = trainer(folder, **options)
    if any(folder.glob("step-*")):
        again.resume(folder, blobs(), blobs(seed=1))
    else:
        again.fit(blobs(), blobs(seed=1), epochs=3)
    found = contents(folder)
    assert found.keys() == whole.keys()
    assert [name for name in whole if found[name] != whole[name]] == []
    return again


class KilledError(BaseException):
    """Stands for SIGKILL: from the n-th call to the system on, nothing works any more."""


def kill_at(monkeypatch, n):
    """Die at the n-th call of the file functions; returns how many there were."""
    calls = [0]

    class Dying:
        def __getattr__(self, name):
            found = getattr(os, name)
            if not callable(found):
                return found

            def call(*args, **options):
                calls[0] += 1
                if calls[0] >= n:
                    raise KilledError
                return found(*args, **options)

            return call

    monkeypatch.setattr(files, "os", Dying())
    return calls


def test_killed_at_every_moment_of_every_save(whole, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        calls = kill_at(patched, 10**9)
        trainer(tmp_path / "count").fit(blobs(), blobs(seed=1), epochs=3)
    assert calls[0] > 80
    for n in range(1, calls[0], 9):  # 9 and the number of calls per save have no common divisor
        folder = tmp_path / str(n)
        with monkeypatch.context() as patched:
            kill_at(patched, n)
            with pytest.raises(KilledError):
                trainer(folder).fit(blobs(), blobs(seed=1), epochs=3)
        for file in folder.glob("step-*"):
            saving.read(file)  # every file is whole
        ends_as(whole, folder)
        shutil.rmtree(folder)


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_train_checkpoints import blobs, trainer
folder = Path(sys.argv[1])
run = trainer(folder)
print("go", flush=True)
if any(folder.glob("step-*")):
    run.resume(folder, blobs(), blobs(seed=1))
else:
    run.fit(blobs(), blobs(seed=1), epochs=3)
"""


def test_killed_for_real_at_random_times(whole, tmp_path):
    random = np.random.default_rng()
    for _ in range(4):
        child = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, tmp_path, os.path.dirname(__file__)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout.readline() == "go\n"
        time.sleep(random.uniform(0.005, 0.06))
        child.kill()
        child.communicate()
    ends_as(whole, tmp_path)


HOLD = """
import sys, time
from pathlib import Path
from symgrad.train import lock
lock.acquire(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_a_folder_is_one_process_s_until_it_ends_or_is_killed(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        before = contents(tmp_path)
        with pytest.raises(sg.DataError, match=f"is in use by process {other.pid} on .*; wait until that ends"):
            trainer(tmp_path).fit(blobs(), blobs(seed=1), epochs=1)
        assert contents(tmp_path) == before
        other.kill()
    trainer(tmp_path).fit(blobs(), blobs(seed=1), epochs=1)
    assert not (tmp_path / lock.NAME).exists()


def test_a_file_system_without_locks_is_trained_on(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def none(file, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    trainer(tmp_path).fit(blobs(), blobs(seed=1), epochs=1)
    assert (tmp_path / "model.npz").exists()


def test_a_failed_training_gives_the_folder_back(tmp_path):
    class Fails(Callback):
        def on_epoch_end(self, trainer, row):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        trainer(tmp_path, [Fails()]).fit(blobs(), blobs(seed=1), epochs=1)
    assert not (tmp_path / lock.NAME).exists()


def at(run, step, act):
    """Do something right after a step."""
    watch = run._watch

    def then(loss):
        watch(loss)
        if run.step == step:
            act()

    run._watch = then
    return run


@pytest.mark.parametrize(
    ("step", "number"),
    [(1, signal.SIGINT), (3, signal.SIGINT), (4, signal.SIGINT), (8, signal.SIGINT), (4, signal.SIGTERM)],
)
def test_ctrl_c_and_sigterm_save_and_only_the_rest_runs(whole, tmp_path, step, number):
    seen = []
    cut = at(trainer(tmp_path, steps=100), step, lambda: signal.raise_signal(number))
    history = cut.fit(blobs(), blobs(seed=1), epochs=3)
    assert history.interrupted
    assert cut.signal == number
    assert history["step"][-1] == step
    assert (tmp_path / f"step-{step:08d}.npz").exists()
    again = trainer(tmp_path, steps=100)
    counted = again.run_step
    again.run_step = lambda *args: seen.append(again.step) or counted(*args)
    again.resume(tmp_path, blobs(), blobs(seed=1))
    assert seen == list(range(step, 9))
    assert (tmp_path / "model.npz").read_bytes() == whole["model.npz"]
    assert (tmp_path / "history.csv").read_bytes() == whole["history.csv"]


@pytest.mark.parametrize("compiled", [False, True])
def test_a_second_fit_in_the_same_process_goes_on_exactly(whole, tmp_path, compiled):
    parts, one = trainer(tmp_path / "parts", compiled=compiled), trainer(tmp_path / "one", compiled=compiled)
    one.fit(blobs(), blobs(seed=1), epochs=3)
    parts.fit(blobs(), blobs(seed=1), epochs=1)
    parts.fit(blobs(), blobs(seed=1), epochs=2)
    assert parts.history.to_dict() == one.history.to_dict()
    assert contents(tmp_path / "parts")["model.npz"] == contents(tmp_path / "one")["model.npz"]


@pytest.mark.parametrize("options", [{"compiled": True, "steps": 4}, {"dtype": np.float32}])
def test_compiled_and_float32_runs_resume_exactly(tmp_path, options):
    steps, dtype = options.get("steps", 1), options.get("dtype", np.float64)

    def make(folder):
        t = trainer(folder, steps=steps, compiled=options.get("compiled", False))
        if dtype == np.float32:
            model = nn.Sequential(
                nn.Linear(4, 5, bias=False, dtype=dtype), nn.BatchNorm1d(5, dtype=dtype), nn.Linear(5, 3, dtype=dtype)
            )
            watching = [Checkpoint(folder, steps=steps, format="safetensors"), LearningRateLogger()]
            t = Trainer(model, loss=losses.cross_entropy, optimizer=optim.Adam, callbacks=watching, batch_size=10)
        return t

    make(tmp_path / "whole").fit(blobs(), blobs(seed=1), epochs=3)
    cut = make(tmp_path / "cut")
    at(cut, 5, cut.stop).fit(blobs(), blobs(seed=1), epochs=3)
    make(tmp_path / "cut").resume(tmp_path / "cut", blobs(), blobs(seed=1))
    a, b = contents(tmp_path / "whole"), contents(tmp_path / "cut")
    assert a.keys() - b.keys() == set()
    assert all(b[name] == a[name] for name in a)


def test_the_last_and_the_best_are_kept(tmp_path):
    values = [0.9, 0.2, 0.7, 0.3, 0.8]

    class Says(Callback):
        def on_epoch_end(self, trainer, row):
            row["score"] = values[trainer.epoch - 1]

    model = nn.Sequential(nn.Linear(4, 3))
    keep = Checkpoint(tmp_path, keep_last=1, keep_best=2, monitor="score", mode="min")
    t = Trainer(model, loss=losses.cross_entropy, optimizer=optim.Adam, callbacks=[keep, Says()], batch_size=13)
    t.fit(blobs(), epochs=5)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "model.npz", "step-00000004.npz", "step-00000008.npz", "step-00000010.npz"
    ]  # fmt: skip


# --- damage


@pytest.fixture
def cut_run(whole, tmp_path):
    """A folder with two checkpoints, the older of them sound."""
    for name, content in whole.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def damage_bit(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)


def later_version(file):
    arrays, words = saving.read(file)
    saving.FORMAT, before = 99, saving.FORMAT
    try:
        saving.write(file, arrays, words)
    finally:
        saving.FORMAT = before


DAMAGE = {
    "bit": (damage_bit, "is damaged"),
    "truncated": (lambda file: file.write_bytes(file.read_bytes()[:-100]), "is damaged"),
    "empty": (lambda file: file.write_bytes(b""), "is damaged"),
    "not ours": (lambda file: np.savez(file, a=np.ones(3)), "not written by symgrad"),
    "later": (later_version, r"later version of symgrad \(format 99"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_refused_by_name_and_the_last_sound_state_is_taken(cut_run, kind, caplog, whole):
    act, message = DAMAGE[kind]
    newest = sorted(cut_run.glob("step-*"))[-1]
    act(newest)
    with pytest.raises(sg.DataError, match=f"{newest.name}: .*{message}"):
        trainer(cut_run).resume(newest, blobs(), blobs(seed=1))
    ends_as(whole, cut_run)
    assert newest.name in caplog.text
    for file in cut_run.glob("step-*"):
        act(file)
    with pytest.raises(sg.DataError, match=f"holds no sound checkpoint; .*{message}"):
        trainer(cut_run).resume(cut_run, blobs(), blobs(seed=1))


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_every_flipped_bit_and_every_truncation_is_found(tmp_path, ending):
    file = tmp_path / f"a.{ending}"
    saving.write(file, {"w": np.arange(3.0)}, {"note": "sha256:" + "0" * 64})
    good = file.read_bytes()
    for k in range(0, 8 * len(good), 13):
        changed = bytearray(good)
        changed[k // 8] ^= 1 << (k % 8)
        file.write_bytes(changed)
        with pytest.raises(sg.DataError):
            saving.read(file)
    for n in range(0, len(good), 7):
        file.write_bytes(good[:n])
        with pytest.raises(sg.DataError):
            saving.read(file)


def test_a_full_disk_loses_nothing(whole, tmp_path, monkeypatch):
    """The third save fails: the error is reported, the checkpoints before it are there, and the run can go on."""
    calls = [0]
    fsync = os.fsync

    def full(handle):
        calls[0] += 1
        if calls[0] in (5, 6, 7):  # two flushes per save
            raise OSError(28, "No space left on device")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: .*step-00000003\.npz"):
        trainer(tmp_path).fit(blobs(), blobs(seed=1), epochs=3)
    assert sorted(p.name for p in tmp_path.glob("*")) == ["step-00000001.npz", "step-00000002.npz"]
    ends_as(whole, tmp_path)


def test_what_cannot_be_resumed_is_named(cut_run):
    good = blobs(), blobs(seed=1)
    with pytest.raises(sg.DataError, match="batch_size: 10 then, 8 now"):
        trainer(cut_run, batch_size=8).resume(cut_run, *good)
    with pytest.raises(sg.DataError, match="seed: 0 then, 5 now"):
        trainer(cut_run, seed=5).resume(cut_run, *good)
    with pytest.raises(sg.SymgradError, match="training data are not those of the checkpoint"):
        trainer(cut_run).resume(cut_run, blobs(seed=7), blobs(seed=1))
    with pytest.raises(sg.DataError, match="holds checkpoints of another run"):
        trainer(cut_run).fit(*good)
    (cut_run / "empty").mkdir()
    with pytest.raises(sg.DataError, match="holds no sound checkpoint"):
        trainer(cut_run).resume(cut_run / "empty", *good)
    with pytest.raises(sg.DataError, match=r"there is no .*nowhere"):
        trainer(cut_run).resume(cut_run / "nowhere", *good)
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere to write"):
        sg.save(nn.Linear(1, 1), cut_run / "nowhere" / "model.npz")


def test_no_pickle_is_read(tmp_path):
    file = tmp_path / "a.npz"
    with pytest.raises(sg.DataError, match="only arrays of numbers"):
        sg.save({"a": np.array([object()])}, file)
    with pytest.raises(sg.DataError, match=r"must end in \.npz or \.safetensors"):
        sg.save({"a": np.ones(2)}, tmp_path / "a.pkl")
    words = {"text": "ä", "list": [1, 2.5, None]}
    saving.write(file, {"a": np.ones(2)}, words)
    assert saving.read(file)[1] == words
    assert json.dumps(words)
