"""What `import symgrad` loads, and that the rest is there at its first use: in processes of their own."""

import ast
import importlib
import subprocess
import sys

import numpy as np
import pytest

import symgrad as sg

THIRD_PARTY = {"sympy", "scipy", "networkx", "matplotlib", "rich", "typer", "sklearn", "graphviz", "numba", "pandas"}
LATER = {"checking", "cli", "data", "derived", "linalg", "losses", "nn", "optim", "plan", "regularizers", "saving",
         "special", "symbolic", "train"}  # fmt: skip


def told(program: str) -> str:
    """What a program prints in a fresh process."""
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout


def loaded(program: str) -> set[str]:
    """The modules that a program leaves loaded."""
    return set(ast.literal_eval(told(f"{program}\nimport sys; print(list(sys.modules))").splitlines()[-1]))


def test_importing_symgrad_loads_numpy_and_nothing_heavy():
    modules = loaded("import symgrad")
    assert not modules & THIRD_PARTY
    assert not modules & {f"symgrad.{name}" for name in LATER}


def test_training_never_loads_sympy():
    modules = loaded(
        "import numpy as np, symgrad as sg\n"
        "from symgrad import nn, optim\n"
        "m = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))\n"
        "sg.Trainer(m, loss=sg.losses.mse, optimizer=optim.Adam).fit((np.eye(4), np.eye(4)[:, :2]))"
    )
    assert "symgrad.train" in modules
    assert not modules & {"sympy", "networkx"}


@pytest.mark.parametrize(
    ("arguments", "unused"),
    [
        (["derive"], {f"symgrad.{name}" for name in LATER - {"cli", "symbolic"}}),
        (["--help"], {*THIRD_PARTY - {"typer"}, "viz", "symgrad.train", "symgrad.symbolic"}),
    ],
)
def test_a_command_loads_its_own_modules(arguments, unused):
    assert not loaded(f"from symgrad.cli import main; main({arguments})") & unused


def test_the_tables_hold_all_ops_and_all_of_numpy_before_anything_else_is_loaded():
    names = set(ast.literal_eval(told("import symgrad as sg; print([*sg.OPS, *sg.FUNCTIONS])")))
    for name in LATER:
        importlib.import_module(f"symgrad.{name}")
    assert names < {*sg.FUNCTIONS}  # activations and their kin, which NumPy has not
    assert set(sg.OPS) <= names
    assert not [n for n in set(sg.FUNCTIONS) - names if hasattr(np, n) or hasattr(np.linalg, n)]


def test_numpy_dispatches_to_symgrad_when_nothing_else_was_used():
    program = (
        "import numpy as np, symgrad as sg\n"
        "x = sg.tensor([[2.0, 1.0], [0.0, 4.0]], requires_grad=True)\n"
        "y = np.linalg.det(x) + np.sort(x, axis=1).sum() + np.linalg.norm(np.linalg.inv(x)) + x.argsort().sum()\n"
        "y.backward()\n"
        "print(type(y).__name__, x.grad.shape)"
    )
    assert told(program) == "Tensor (2, 2)\n"


@pytest.mark.parametrize("name", ["Trainer", "nn.functional.conv2d", "gradcheck", "compile", "save", "linalg.norm"])
def test_a_name_is_loaded_at_its_first_use(name):
    assert told(f"import symgrad as sg; print(callable(sg.{name}))") == "True\n"


def test_names_are_listed_before_they_are_loaded():
    assert told("import symgrad as sg; print({*sg.__all__} - {*dir(sg)})") == "set()\n"
    assert set(ast.literal_eval(told("from symgrad import *; print(dir())"))) >= set(sg.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'symgrad' has no attribute 'trainer'"):
        sg.trainer  # noqa: B018
