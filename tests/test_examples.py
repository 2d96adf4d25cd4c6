"""The examples run as a newcomer would run them."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_the_hundred_line_version_runs_and_proves_itself():
    done = subprocess.run(
        [sys.executable, EXAMPLES / "build_it_yourself.py"], capture_output=True, text=True, check=True, timeout=120
    )
    assert "PROVED" in done.stdout
    assert "trained: loss 0.0000" in done.stdout


def test_it_keeps_its_promise_of_a_hundred_lines():
    lines = (EXAMPLES / "build_it_yourself.py").read_text(encoding="utf-8").splitlines()
    assert sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in lines) <= 100


def test_the_notebook_runs_and_every_result_displays():
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    notebook = nbformat.read(EXAMPLES / "one_formula.ipynb", as_version=4)
    nbclient.NotebookClient(notebook, timeout=300).execute()
    shown = [o for cell in notebook.cells if cell.cell_type == "code" for o in cell.outputs]
    kinds = {kind for o in shown for kind in o.get("data", {})}
    assert {"image/svg+xml", "text/markdown", "text/html"} <= kinds
    assert not [o for o in shown if o.output_type == "error"]
    assert "\ntotal" in shown[-1]["data"]["text/plain"]
