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

number = 3
"""

ENGINE = viz.engines()["dot"] or viz.engines()["pygraphviz"]


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(SOURCE, encoding="utf-8")
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
        (["net.py:loss", "--out", "a.gif"], ".gif is not supported"),
        (["net.py:loss", "--out", "a.svg", "--format", "png"], "give one of them"),
        (["net.py:loss", "--out", "nowhere/a.svg"], "cannot be written"),
        (["net.py:loss", "--steps", "--format", "png"], "html"),
        (["net.py:loss", "--focus", "nothing"], "has no card"),
        (["--layer", "nothing"], "catalogue"),
    ],
)
def test_mistakes_are_one_line(file, capsys, arguments, message):
    assert main(["draw", *arguments]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert sorted(p.name for p in file.iterdir() if p.suffix != "") == ["net.py"]
