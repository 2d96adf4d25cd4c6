"""``symgrad train``, ``resume``, ``evaluate``, ``predict``: from a file of data to a saved network; every mistake."""

import csv
import json
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from symgrad.cli import main

QUICK = ["--epochs", "2", "--model", "mlp:8"]


def run(capsys, *arguments):
    code = main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def found(capsys, *arguments):
    code, out, err = run(capsys, *arguments, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def mistake(capsys, *arguments):
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("symgrad: ")
    assert err.count("\n") == 1
    return err


def flowers(folder, n=90, seed=0, name="flowers.csv"):
    random = np.random.default_rng(seed)
    kinds = np.array(["rose", "lily", "aster"])[np.arange(n) % 3]
    colours = np.where(random.random(n) < 0.5, "red", "white")
    sizes = (np.arange(n) % 3) * 2 + random.normal(0, 0.3, n)
    file = folder / name
    lines = [f"{s:.4f},{c},{k}" for s, c, k in zip(sizes, colours, kinds, strict=True)]
    file.write_text("size,colour,kind\n" + "\n".join(lines) + "\n")
    return file


def test_digits_are_learnt_by_default(capsys):
    result = found(capsys, "train", "digits", "--batchnorm", "--epochs", "12", "--lr", "3e-3")
    assert result["held_out_accuracy"] == result["test"]["accuracy"] > 0.94
    assert result["epochs"] == 12
    assert result["parameters"] == 64 * 64 + 2 * 64 + 64 * 64 + 2 * 64 + 64 * 10 + 10


def test_from_a_table_to_predictions(capsys, tmp_path):
    table, folder = flowers(tmp_path), tmp_path / "run"
    options = ["--model", "mlp:16", "--epochs", "60", "--lr", "0.02", "--checkpoint", folder]
    code, out, _ = run(capsys, "train", table, "--target", "kind", *options)
    assert code == 0
    assert "colour: 2 categories" in out
    assert "target kind: classes: rose, lily, aster" in out
    assert {"run.json", "model.npz", "history.csv"} < {file.name for file in folder.iterdir()}
    held_out = found(capsys, "evaluate", folder)
    assert held_out["examples"] == 18
    assert held_out["accuracy"] > 0.9
    assert found(capsys, "evaluate", folder, flowers(tmp_path, 30, 1, "new.csv"))["accuracy"] > 0.9
    new = tmp_path / "new.csv"
    new.write_text("colour,size\nred,0.1\nwhite,4.2\n,2.0\n")
    predictions = found(capsys, "predict", folder, new)["predictions"]
    assert [row["prediction"] for row in predictions] == ["rose", "aster", "lily"]
    assert sum(v for k, v in predictions[0].items() if k != "prediction") == pytest.approx(1)
    code, out, _ = run(capsys, "predict", folder, new, "--out", tmp_path / "p.csv")
    assert out.startswith("wrote 3 predictions")
    rows = list(csv.DictReader((tmp_path / "p.csv").read_text().splitlines()))
    assert [row["prediction"] for row in rows] == ["rose", "aster", "lily"]


def clouds(file, y, **arrays):
    """Three clouds of points in the plane, of the classes 0, 1, 2 in turn; y says what stands for these."""
    k = np.arange(90) % 3
    X = np.random.default_rng(0).normal(0, 0.2, (90, 2)) + np.array([[0, 0], [3, 0], [0, 3]])[k]
    np.savez(file, X=X, y=np.asarray(y)[k], **arrays)
    return file


WORDS, OTHER = np.array(["ant", "bee", "cow"]), np.array(["cow", "ant", "bee"])
MEASURED = {  # what stands for the classes in training, and in the file that is measured; what is said of a mismatch
    "the same numbers": ([0, 1, 2], {}, [0, 1, 2], {}, None),
    "numbers moved": ([0, 1, 2], {}, [3, 4, 5], {}, "holds '3', unknown among the classes 0, 1, 2; it has 3, 4, 5"),
    "below zero": ([0, 1, 2], {}, [-3, -2, -1], {}, "holds '-1', unknown among the classes 0, 1, 2; it has"),
    "words for numbers": ([0, 1, 2], {}, WORDS, {}, "holds 'ant', unknown among the classes 0, 1, 2; it has ant, bee"),
    "fractions": ([0, 1, 2], {}, [0.0, 1.0, 2.0], {}, "target is float64 of shape .90,.; it must hold one label"),
    "names in another order": ([0, 1, 2], {"names": WORDS}, [1, 2, 0], {"names": OTHER}, None),
    "other names": (
        [0, 1, 2],
        {"names": WORDS},
        [0, 1, 2],
        {"names": ["x", "y", "z"]},
        "among the classes ant, bee, c",
    ),
    "numbers of named classes": ([0, 1, 2], {"names": WORDS}, [0, 1, 2], {}, None),
    "numbers that are also names": ([0, 1, 2], {"names": ["1", "2", "0"]}, [0, 1, 2], {}, None),
    "words of named classes": ([0, 1, 2], {"names": WORDS}, WORDS, {}, None),
    "labels with gaps": ([7, 3, 5], {}, [7, 3, 5], {}, None),
    "words": (WORDS, {}, WORDS, {}, None),
    "numbers of words": (WORDS, {}, [0, 1, 2], {}, "holds '0', unknown among the classes ant, bee, cow"),
}


@pytest.mark.parametrize("case", MEASURED)
def test_classes_of_another_file_are_those_of_the_training(capsys, tmp_path, case):
    trained, names, measured, others, error = MEASURED[case]
    run(capsys, "train", clouds(tmp_path / "a.npz", trained, **names), "--model", "linear", "--epochs", "30", "--lr",
        "0.1", "--quiet", "--checkpoint", tmp_path / "run")  # fmt: skip
    file = clouds(tmp_path / "b.npz", measured, **others)
    if error:
        assert re.search(f"b.npz: .*{error}", mistake(capsys, "evaluate", tmp_path / "run", file))
    else:
        assert found(capsys, "evaluate", tmp_path / "run", file)["accuracy"] > 0.95


def test_a_file_may_lack_classes_of_the_training(capsys, tmp_path):
    run(capsys, "train", clouds(tmp_path / "a.npz", [0, 1, 2]), "--model", "linear", "--epochs", "30", "--lr", "0.1",
        "--quiet", "--checkpoint", tmp_path / "run")  # fmt: skip
    with np.load(tmp_path / "a.npz") as whole:
        some = whole["y"] > 0
        np.savez(tmp_path / "b.npz", X=whole["X"][some], y=whole["y"][some])
    assert found(capsys, "evaluate", tmp_path / "run", tmp_path / "b.npz")["accuracy"] > 0.95


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1, 2]", "it holds no configuration of a run"),
        ('{"configuration": 1}', "it holds no configuration of a run"),
        ('{"configuration": {"data": 3}}', "it holds no configuration of a run"),
        ('{"configuration": {"data": "digits", "colour": 3}}', "its configuration has colour"),
        ("{", "no JSON"),
    ],
)
def test_a_damaged_configuration_is_explained(capsys, tmp_path, text, words):
    (tmp_path / "run.json").write_text(text)
    said = mistake(capsys, "evaluate", tmp_path)
    assert words in said
    assert "run.json: is damaged" in said
    assert "operand" not in said
    assert "argument" not in said


def test_inputs_that_are_no_archive_are_explained(capsys, tmp_path):
    run(capsys, "train", clouds(tmp_path / "a.npz", [0, 1, 2]), "--model", "linear", *QUICK[:2], "--quiet",
        "--checkpoint", tmp_path / "run")  # fmt: skip
    (tmp_path / "b.npz").write_bytes(b"no archive")
    for command in ("predict", "evaluate"):
        assert "is no archive of arrays; numpy.savez" in mistake(capsys, command, tmp_path / "run", tmp_path / "b.npz")


def test_a_regression(capsys, tmp_path):
    random = np.random.default_rng(0)
    X = random.normal(size=(120, 3))
    y = 1e4 + 500 * (X @ [1.0, -2.0, 0.5]) + random.normal(size=120)
    np.savez(tmp_path / "house.npz", X=X, y=y)
    result = found(
        capsys, "train", tmp_path / "house.npz", "--model", "linear", "--lr", "0.1", "--epochs", "60",
        "--checkpoint", tmp_path / "run",
    )  # fmt: skip
    assert result["test"]["r2_score"] > 0.99
    np.savez(tmp_path / "new.npz", X=[[0.0, 0.0, 0.0]])
    (row,) = found(capsys, "predict", tmp_path / "run", tmp_path / "new.npz")["predictions"]
    assert row["prediction"] == pytest.approx(1e4, rel=0.01)


def test_convolutions_augmentation_schedules_and_float32(capsys):
    result = found(
        capsys, "train", "digits", "--model", "cnn:4,8", "--batchnorm", "--augment", "rotate=10,translate=0.1",
        "--label-smoothing", "0.1", "--schedule", "inverse_time:decay=1e-3", "--dtype", "float32", "--dropout", "0.2",
        "--weight-decay", "1e-4", "--optimizer", "adamw", "--epochs", "3", "--lr", "0.01",
    )  # fmt: skip
    assert result["held_out_accuracy"] > 0.5


def test_a_configuration_file(capsys, tmp_path):
    config = tmp_path / "config.toml"
    config.write_text('data = "digits"\nmodel = "mlp:8"\nepochs = 3\nseed = 5\nsplit = [0.5, 0.25, 0.25]\n')
    first = found(capsys, "train", config)
    assert first == found(capsys, "train", config)
    assert (first["epochs"], first["seed"]) == (3, 5)
    assert found(capsys, "train", config, "--epochs", "2", "--seed", "6")["seed"] == 6
    assert found(capsys, "train", config, "--epochs", "1", "--seed", "0")["seed"] == 0


CONFIGURATIONS = {
    "epoch = 3": r"config.toml: unknown key 'epoch'; did you mean 'epochs'\?",
    "colour = 3": "unknown key 'colour'; there are data, target",
    'epochs = "ten"': "config.toml: epochs must be a whole number, got 'ten'",
    "epochs = 0": "epochs must be at least 1, got 0",
    "epochs = 2.5": "epochs must be a whole number, got 2.5",
    "batchnorm = 1": "batchnorm must be true or false, got 1",
    'optimizer = "sdg"': r"optimizer='sdg' is unknown; did you mean 'sgd'\?",
    'activation = "rely"': r"activation='rely' is unknown; did you mean 'relu'\?",
    'model = "mlp"': "model='mlp' must be linear, or like mlp:64,64",
    'model = "mlp:64,x"': "must be linear, or like",
    'model = "tree:3"': "model='tree' is unknown",
    "dropout = 1.0": "dropout must be at least 0 and below 1, got 1.0",
    "split = [0.5, 0.5]": "split must be three positive shares of sum 1",
    'schedule = "exponental:decay=1"': r"did you mean 'exponential'\?",
    'schedule = "exponential:decoy=1"': r"exponential has no 'decoy'; did you mean 'decay'\?",
    'schedule = "exponential:1"': "must be like name=value",
    "epochs = ": "is no TOML file",
    'data = "nothing"': "data='nothing' must be digits, mnist, or a file ending in",
    'augment = "rotat=5"': "augment='rotat=5'",
}


@pytest.mark.parametrize("line", CONFIGURATIONS)
def test_mistakes_in_a_configuration_name_the_key_and_what_was_meant(capsys, tmp_path, line):
    import re

    config = tmp_path / "config.toml"
    config.write_text(line + "\n")
    assert re.search(CONFIGURATIONS[line], mistake(capsys, "train", config))


def test_other_mistakes_are_one_line(capsys, tmp_path):
    table = flowers(tmp_path)
    assert "has no column 'kin'; did you mean 'kind'" in mistake(capsys, "train", table, "--target", "kin")
    assert "cannot be read" in mistake(capsys, "train", tmp_path / "none.csv")
    assert "cannot be read" in mistake(capsys, "train", tmp_path / "none.toml")
    assert "takes images" in mistake(capsys, "train", table, "--model", "cnn:4")
    assert "not enough memory" in mistake(capsys, "train", "digits", "--model", "mlp:9999999999")
    assert "momentum: adam has no such option" in mistake(capsys, "train", "digits", "--momentum", "0.9")
    assert "is no folder of a run" in mistake(capsys, "resume", tmp_path)
    (tmp_path / "one.csv").write_text("a,b\n1,2\n")
    assert "tells anything" in mistake(capsys, "train", tmp_path / "one.csv")
    (tmp_path / "few.csv").write_text("a,b\n1,2\n2,3\n4,2\n")
    assert "few.csv" in mistake(capsys, "train", tmp_path / "few.csv")
    np.savez(tmp_path / "one.npz", X=np.eye(30), y=np.zeros(30, int))
    assert "same in all 30 examples: nothing to learn" in mistake(capsys, "train", tmp_path / "one.npz")
    assert run(capsys, "train", table, *QUICK, "--quiet", "--checkpoint", tmp_path / "run")[:2] == (0, "")
    assert "go on with it: symgrad resume" in mistake(capsys, "train", table, *QUICK, "--checkpoint", tmp_path / "run")
    (tmp_path / "bad.csv").write_text("size,colour\n1,green\n")
    assert "holds 'green', unknown among" in mistake(capsys, "predict", tmp_path / "run", tmp_path / "bad.csv")
    table.write_text(table.read_text() + "1,red,rose\n")
    assert "training data are not those of the checkpoint" in mistake(capsys, "resume", tmp_path / "run")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_exits_and_resuming_ends_as_if_nothing_had_been(capsys, tmp_path, number, code):
    table = flowers(tmp_path, n=500)
    options = ["train", table, "--epochs", "40", "--patience", "0", "--dropout", "0.2", "--batchnorm", "--checkpoint"]
    assert run(capsys, *options, tmp_path / "whole", "--quiet")[0] == 0
    child = subprocess.Popen(
        [sys.executable, "-m", "symgrad", *map(str, options), str(tmp_path / "cut")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not list((tmp_path / "cut").glob("step-*")):
        assert child.poll() is None
        time.sleep(0.005)
    child.send_signal(number)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, "Traceback" in err) == (code, False)
    assert "go on: symgrad resume" in out
    assert len((tmp_path / "cut" / "history.csv").read_text().splitlines()) < 41
    again = found(capsys, "resume", tmp_path / "cut")
    assert (again["epochs"], again["stopped_early"]) == (40, False)
    for name in ("model.npz", "history.csv"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert found(capsys, "resume", tmp_path / "cut", "--epochs", "42")["epochs"] == 42
