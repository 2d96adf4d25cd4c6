"""The LaTeX documents compile: make test-tex."""

from __future__ import annotations

import subprocess

import pytest

import symgrad as sg
from symgrad.symbolic import catalogue, derive

COMMAND = ["pdflatex", "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "a.tex"]


def compiled(folder, document):
    (folder / "a.tex").write_text(document, encoding="ascii")
    done = subprocess.run(COMMAND, cwd=folder, capture_output=True, text=True, errors="replace", timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (folder / "a.pdf").stat().st_size > 10_000
    return done.stdout


@pytest.mark.parametrize("name", catalogue())
def test_every_document_compiles(name, tmp_path):
    log = compiled(tmp_path, derive(name).latex(document=True))
    assert "undefined" not in log


@pytest.mark.parametrize(
    "name", ["a%b", "c#d", "e{f", "g}h", "i\\j", "k$l", "m^n_o", "p&q~r", "größe", "名", "<x>", "a b"]
)
def test_names_with_characters_that_tex_reads(name, tmp_path):
    def f(z):
        return sg.named(z * 2, name) * z

    compiled(tmp_path, derive(f, z=sg.spec("N")).latex(document=True))
