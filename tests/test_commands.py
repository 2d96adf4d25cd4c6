"""derive, prove, diagnose and check from the command line, with everything that people get wrong."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import numpy as np
import pytest

from symgrad.cli import main
from symgrad.cli.frame import MistakeError
from symgrad.cli.loading import shapes_of, split

FILE = """
import numpy as np
import symgrad as sg

print("loading")

def layer(x, w):
    return sg.sum(sg.tanh(x) * w, axis=-1)

def right(x, w, g):
    t = np.tanh(x)
    return {"x": (1 - t * t) * w * g[..., None], "w": (g[..., None] * t).sum(axis=0)}

def forgets(z, gamma, beta, eps, g):
    h = z.var() + eps
    u = (z - z.mean()) / np.sqrt(h)
    return gamma / np.sqrt(h) * (g - g.mean()), (g * u).sum(), g.sum()

def raises(z, g):
    raise KeyError("no such thing")

def leaves(z, g):
    raise SystemExit(3)

def branches(x):
    return sg.sum(x[1:])

number = 3
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return path


def run(capsys, *arguments):
    code = main(list(arguments))
    out, err = capsys.readouterr()
    return code, out, err


def mistake(capsys, *arguments):
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert out == ""
    lines = [line for line in err.splitlines() if line != "loading"]
    assert len(lines) == 1
    assert lines[0].startswith("symgrad: ")
    return lines[0]


# derive ----------------------------------------------------------------------------------------------------------


def test_derive_batchnorm(capsys):
    code, out, _ = run(capsys, "derive", "batchnorm")
    assert code == 0
    assert "∂L/∂z_i = γ/(B √(σ_B² + ϵ)) (B g_i − Σ_{j=1..B} g_j − u_i Σ_{j=1..B} g_j u_j)" in out
    assert "UNKNOWN" not in out


def test_derive_only_one_argument_and_the_second_order(capsys):
    code, out, _ = run(capsys, "derive", "batchnorm", "--wrt", "gamma", "--order", "2", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["gradients"] == {"gamma": "Sum(g[j]*u[j], (j, 1, B))"}
    assert found["proofs"]["gamma"]["verdict"] == "PROVED"
    assert list(found["second"]) == ["gamma"]
    assert found["second"]["gamma"]["gamma"] == "0"
    assert set(found["second_proofs"]["gamma"].values()) == {"PROVED"}
    _, text, _ = run(capsys, "derive", "batchnorm", "--wrt", "gamma")
    assert "∂L/∂γ" in text
    assert "∂L/∂β" not in text


def test_derive_own_formulas(capsys):
    lets = ["eps = 1e-5", "mu = mean(z, i)", "s = mean((z - mu)**2, i)", "u = (z - mu)/sqrt(s + eps)", "gamma*u + beta"]
    given = [x for let in lets for x in ("--let", let)]
    code, out, _ = run(capsys, "derive", *given, "--json")
    assert code == 0
    found = json.loads(out)
    assert list(found["arguments"]) == ["z", "gamma", "beta"]
    expected = "gamma*(B*g[i] - u[i]*Sum(g[j]*u[j], (j, 1, B)) - Sum(g[j], (j, 1, B)))/(B*sqrt(eps + s))"
    assert found["gradients"]["z"] == expected


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = set()

    def handle_starttag(self, tag, attrs):
        self.found.add(tag)


@pytest.mark.parametrize("format", ["text", "markdown", "latex", "html", "numpy"])
def test_derive_writes_every_format(format, tmp_path, capsys):
    path = tmp_path / "out"
    code, out, _ = run(capsys, "derive", "softmax", "--format", format, "--out", str(path))
    assert code == 0
    assert out.startswith("x PROVED\n")
    written = path.read_text(encoding="utf-8")
    _, printed, _ = run(capsys, "derive", "softmax", "--format", format)
    assert printed == written
    if format == "html":
        tags = Tags()
        tags.feed(written)
        assert {"math", "mfrac"} <= tags.found
        assert not tags.found & {"script", "link", "img"}
    if format == "numpy":
        namespace = {}
        exec(written, namespace)
        y, saved = namespace["forward"](np.array([[0.0, 1.0]]))
        assert y.sum() == pytest.approx(1)
        assert namespace["backward"](np.ones((1, 2)), saved)[0] == pytest.approx(0, abs=1e-15)


def test_derive_without_anything_lists_the_catalogue(capsys):
    code, out, _ = run(capsys, "derive")
    assert code == 0
    assert "batchnorm" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["derive", "bacthnorm"], "did you mean 'batchnorm'?"),
        (["derive", "batchnorm", "--wrt", "gama"], "did you mean 'gamma'?"),
        (["derive", "batchnorm", "--let", "x = y"], "not both"),
        (["derive", "batchnorm", "--positive", "z"], "--let"),
        (["derive", "batchnorm", "--order", "3"], "--order"),
        (["derive", "batchnorm", "--format", "pdf"], "--format"),
        (["derive", "batchnorm", "--out", "/no/such/folder/x"], "no folder"),
        (["derive", "--let", "y = meen(x, i)"], "did you mean 'mean'?"),
        (["derive", "--let", "y = x[i] + x[i,j]"], "1 index(es) elsewhere, 2 here"),
        (["derive", "--let", "y = mean(x, i)", "--positive", "z"], "'z' is no argument"),
        (["derive", "--let", "y = max(x)"], "function 'max' is not known"),
        (["derive", "--let", "y = abs(x"], "not a formula"),
        (["derive", "--let", "y = x^2"], "a power is written **"),
        (["derive", "--let", "y = 2x"], "product with *"),
        (["derive", "--let", "y = x", "--let", "y = 2*x"], "defined before"),
        (["derive", "--let", "y = __import__('os').system('touch /tmp/x')"], "no meaning here"),
        (["derive", "--let", "y = x.__class__"], "Attribute is not allowed"),
        (["derive", "--let", "y = 9**9**9**9"], "out of range"),
        (["derive", "--let", "y = " + "(" * 100_000], "characters; at most"),
        (["derive", "--let", "y = " + "(" * 900 + "x" + ")" * 900], "not a formula"),
        (["derive", "--let", "y\x1b[31m = x"], "has no meaning here"),
        (["derive", "--let", "y = x[0]"], "not an index"),
        (["derive", "--let", "y = 1"], "nothing to differentiate"),
        (["derive", "--let", ""], "it is empty"),
        (["derive", "--let", "y = x[i] + sum(1, j)"], "the size J of a sum is that of no argument"),
    ],
)
def test_derive_says_in_a_line_what_was_wrong(arguments, message, capsys):
    assert message in mistake(capsys, *arguments)


def test_a_derivation_that_does_not_end_is_stopped(capsys):
    assert "not done after" in mistake(capsys, "derive", "bn_tanh_network", "--limit", "0.001")


# prove -----------------------------------------------------------------------------------------------------------


def test_prove(capsys):
    assert run(capsys, "prove", "(x + 1)**2", "x**2 + 2*x + 1")[0] == 0
    assert run(capsys, "prove", "sum(z - mean(z, i), i)", "0")[0] == 0
    assert run(capsys, "prove", "sum(a[i,d]*b[d], i, d)", "sum(sum(a, i)*b, d)")[0] == 0
    code, out, _ = run(capsys, "prove", "mean(z**2, i)", "mean(z, i)**2")
    assert code == 1
    assert "B = 2" in out
    code, out, _ = run(capsys, "prove", "sqrt(x**2)", "x", "--json")
    found = json.loads(out)
    assert (code, found["verdict"]) == (1, "FALSE")
    assert found["counterexample"]["x"].startswith("-")
    code, out, _ = run(capsys, "prove", "asin(x) + acos(x)", "pi/2")
    assert (code, out.split(":")[0]) == (1, "UNKNOWN")


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ("x = 1", "1", "is an equation"),
        ("x +", "1", "not a formula"),
        ("z[i]*z[i,j]", "1", "1 index(es) elsewhere"),
        ("sum(z)", "1", "needs the index"),
        ("sum(2*w, i) + w[i,j]", "1", "index"),
        ("lambda: 0", "1", "no meaning"),
        ("x if y else z", "1", "not allowed"),
        ("tanh(x, y)", "1", "takes 1 argument"),
        ("0**-1", "1", "0 to a power"),
    ],
)
def test_prove_says_in_a_line_what_was_wrong(a, b, message, capsys):
    assert message in mistake(capsys, "prove", a, b)


# diagnose and check ----------------------------------------------------------------------------------------------


def test_diagnose(file, capsys):
    code, out, err = run(capsys, "diagnose", f"{file}:forgets", "--layer", "batchnorm")
    assert code == 1
    assert "without the term -gamma*u[i]*Sum(g[j]*u[j]" in out
    assert err == "loading\n"  # what the user's file prints does not mix with ours
    own = ["--layer", f"{file}:layer", "--shape", "x=B,D", "--shape", "w=D"]
    code, out, _ = run(capsys, "diagnose", f"{file}:right", *own, "--json")
    assert code == 0
    assert json.loads(out)["verdict"] == "CORRECT"
    code, out, _ = run(capsys, "diagnose", f"{file}:right", "--let", "sum(tanh(x[i,d])*w[d], d)")
    assert code == 0


def test_check(file, capsys):
    code, out, _ = run(capsys, "check", f"{file}:layer", "--seed", "3")
    assert code == 0
    assert "RIGHT" in out
    assert "x of shape (4, 3)" in out
    given = ["--shape", "x=B,D", "--shape", "w=D", "--backward", f"{file}:right"]
    assert run(capsys, "check", f"{file}:layer", *given)[0] == 0
    wrong = ["--shape", "x=B,D", "--shape", "w=B,D", "--backward", f"{file}:right"]
    assert run(capsys, "check", f"{file}:layer", *wrong)[0] in (1, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["diagnose", "FILE:forget", "--layer", "batchnorm"], "did you mean 'forgets'?"),
        (["diagnose", "FILE:number", "--layer", "batchnorm"], "is int, not a function"),
        (["diagnose", "FILE:raises", "--layer", "batchnorm"], "KeyError: 'no such thing'"),
        (["diagnose", "FILE:leaves", "--layer", "batchnorm"], "SystemExit: 3"),
        (["diagnose", "FILE", "--layer", "batchnorm"], "FILE.py:function"),
        (["diagnose", "FILE:right", "--layer", "batchnorm"], "takes ['x', 'w']"),
        (["diagnose", "FILE:right"], "--layer"),
        (["diagnose", "FILE:right", "--layer", "FILE:layer", "--shape", "x:B"], "z=B,D"),
        (["diagnose", "FILE:right", "--layer", "FILE:layer"], "needs a spec"),
        (["diagnose", "FILE:right", "--layer", "FILE:branches", "--shape", "x=B"], "getitem"),
        (["diagnose", "/no/such/file.py:f", "--layer", "batchnorm"], "there is no file"),
        (["check", "FILE:layer", "--shape", "y=B"], "no argument 'y'"),
        (["check", "FILE:layer", "--shape", "x=B", "--shape", "w=C,D"], "broadcast"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(arguments, message, file, capsys):
    given = [a.replace("FILE", str(file)) for a in arguments]
    assert (
        message.replace("FILE:", str(file)) in mistake(capsys, *given).replace(str(file), "FILE") or message == "FILE"
    )


@pytest.mark.parametrize("text", ["def f(:", "raise ValueError('x')", "\x00", "import no_such_module", "1/0"])
def test_a_file_that_does_not_run(text, tmp_path, capsys):
    (tmp_path / "bad.py").write_text(text)
    assert "failed: " in mistake(capsys, "check", f"{tmp_path / 'bad.py'}:f")


def test_paths_with_a_drive_letter():
    assert [str(part) for part in split(r"C:\x\f.py:g")] == [r"C:\x\f.py", "g"]
    assert split("/a b/f.py:g")[1] == "g"
    for wrong in (r"C:\x\f.py", "f.py", ":g", "f.py:", "f.py:a.b", "f.py:1"):
        with pytest.raises(MistakeError, match="function"):
            split(wrong)


def test_shapes():
    assert shapes_of(["z=B, D", "n=", "w=3"]) == {"z": ("B", "D"), "n": (), "w": (3,)}
    for wrong in ("z", "=B", "z=B-1", "z.x=3", "z=-1"):
        with pytest.raises(MistakeError, match="cannot be read"):
            shapes_of([wrong])
