"""``symgrad draw``."""

import json

import pytest

import viz
from symgrad.cli import main

SOURCE = """
import numpy as np
import symgrad as sg
from symgrad import losses, nn

model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 1))

def loss():
    X = np.linspace(-1, 1, 8).reshape(4, 2)
    return losses.mse(model(sg.tensor(X, name="x")), sg.tensor(X[:, :1], name="y"))

def f(x, w):
    return sg.tanh(x @ w)

def broken():
    raise ValueError("no")

def raises(x):
    raise RuntimeError("boom")

def returns_nothing(x):
    x + 1

number = 3
"""

ENGINE = viz.render._commands("svg")


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "folder.py").mkdir()
    return tmp_path


@pytest.mark.skipif(not ENGINE, reason="no Graphviz here")
@pytest.mark.parametrize(
    ("arguments", "name", "start"),
    [
        (["net.py:loss", "--mode", "both"], "loss.svg", b"<svg"),
        (["net.py:model", "--fold", "1", "--out", "m.html"], "m.html", b"<!DOCTYPE html>"),
        (["net.py:f", "--shape", "x=B,2", "--shape", "w=2,3", "--format", "dot"], "f.dot", b"digraph"),
        (["--layer", "batchnorm", "--batch", "4", "--backward", "--out", "bn"], "bn.svg", b"<svg"),
        (["net.py:loss", "--steps"], "loss.html", b"<!DOCTYPE html>"),
        (["softmax", "--mode", "both", "--format", "dot", "--down", "--theme", "dark"], "softmax.dot", b"digraph"),
    ],
)
def test_pictures(file, capsys, arguments, name, start):
    assert main(["draw", *arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["file"] == name
    assert (file / name).read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give either"),
        (["net.py:loss", "--layer", "softmax"], "give either"),
        (["net.py:f"], "--shape x=B,3"),
        (["net.py:f", "--shape", "x=B,2"], "also needs --shape w="),
        (["net.py:f", "--shape", "q=2"], "no argument 'q'"),
        (["net.py:number"], "not a function"),
        (["net.py:broken"], "ValueError: no"),
        (["net.py:raises", "--shape", "x=2"], "drawing net.py:raises failed: RuntimeError: boom (line "),
        (["net.py:returns_nothing", "--shape", "x=2"], "returns_nothing returns no Tensor"),
        (["softmax", "--out", "."], "draw: . cannot be written"),
        (["softmax", "--out", "folder.py"], "draw: folder.py cannot be written"),
        (["folder.py:f"], "folder.py is a folder; give the name of a Python file"),
        (["folder.pi:f"], "there is no file folder.pi\n"),
        (["nothing"], "symgrad: catalogue: there is no 'nothing'"),
        (["net.py:loss", "--out", "a.gif"], ".gif is not supported"),
        (["net.py:loss", "--out", "a.svg", "--format", "png"], "give one of them"),
        (["net.py:loss", "--out", "nowhere/a.svg"], "cannot be written"),
        (["net.py:loss", "--steps", "--format", "png"], "html"),
        (["net.py:loss", "--fold", "nothing"], "names no module here; there are Linear0, BatchNorm1d1, ReLU2, Linear3"),
        (["nothing.py:loss"], "there is no file nothing.py"),
        (["net.py:nothing"], "no function 'nothing'"),
        (["C:\\x.py:loss"], "there is no file C:\\x.py"),
        (["net.py:loss", "--theme", "pink"], "the themes are"),
        (["net.py:loss", "--format", "gif"], "'gif' is not one of"),
        (["net.py:loss", "--focus", "nothing"], "has no card"),
        (["--layer", "nothing"], "symgrad: catalogue: there is no 'nothing'"),
    ],
)
def test_mistakes_are_one_line(file, capsys, arguments, message):
    assert main(["draw", *arguments]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert sorted(p.name for p in file.iterdir() if p.suffix != "") == ["folder.py", "net.py"]


def test_a_file_that_cannot_be_written_is_named(file, capsys, monkeypatch):
    def refuse(*args, **options):
        raise PermissionError(13, "Permission denied", "somewhere/.else")

    monkeypatch.setattr("symgrad.files.tempfile.mkstemp", refuse)
    assert main(["draw", "net.py:loss", "--format", "dot"]) == 2
    assert capsys.readouterr().err == (
        "symgrad: draw: loss.dot cannot be written (Permission denied); give another with --out\n"
    )


def test_without_an_engine_one_line_names_both_remedies(file, capsys, monkeypatch):
    real = viz.render.importlib.util.find_spec
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(viz.render.importlib.util, "find_spec", lambda name: None if "graphviz" in name else real(name))
    assert main(["draw", "net.py:loss"]) == 2
    err = capsys.readouterr().err
    assert "apt-get install graphviz" in err
    assert "symgrad[graphviz]" in err
    assert err.count("\n") == 1
    assert main(["draw", "net.py:loss", "--format", "dot"]) == 0  # DOT needs none


def test_help_has_examples_and_interruption_is_quiet(file, capsys, monkeypatch):
    assert main(["draw", "--help"]) == 0
    assert "symgrad draw --layer batchnorm --batch 4 --backward" in capsys.readouterr().out

    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(viz, "draw", interrupted)
    assert main(["draw", "net.py:loss"]) == 130
    assert "Traceback" not in capsys.readouterr().err
    assert not (file / "loss.svg").exists()
