"""The examples run as a newcomer would run them."""

import subprocess
import sys
from pathlib import Path

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
