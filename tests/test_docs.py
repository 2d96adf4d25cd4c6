"""The pages: generated ones are fresh, links resolve, and every example runs and shows what it says."""

import doctest
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(p for p in DOCS.rglob("*.md") if "_build" not in p.parts)
ALL = [*PAGES, ROOT / "README.md"]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def pages(paths):
    return pytest.mark.parametrize("path", paths, ids=lambda p: p.relative_to(ROOT).as_posix())


@pytest.fixture(scope="module")
def generate():
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- generated pages


def test_the_generated_pages_are_fresh(generate, capsys):
    assert generate.main(["--check"]) == 0, capsys.readouterr().out


def test_a_stale_page_is_noticed_and_written_anew(generate, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(generate, "HERE", tmp_path)
    monkeypatch.setattr(generate, "PAGES", {"optimizers.md": generate.optimizers_page})
    assert generate.main(["--check"]) == 1
    assert "optimizers.md is stale" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    assert generate.main(["--wrong"]) == 2


def test_every_op_and_every_rule_has_its_line(generate):
    text = (ROOT / "docs" / "ops.md").read_text(encoding="utf-8")
    for name in generate.OPS:
        assert len(re.findall(rf"^\| `{name}` \|.*\|.*\|.*\|.*\|$", text, re.MULTILINE)) >= 1


def test_no_op_lacks_formula_rule_verdict_or_check(generate):
    for name, op in generate.OPS.items():
        cells = [generate.formula(op), "".join(generate.flows(op)), generate.verdict(op), generate.checked_against(op)]
        assert all(cells), (name, cells)
    text = (ROOT / "docs" / "optimizers.md").read_text(encoding="utf-8")
    for name in (*generate.rules.__all__, *generate.schedules.__all__):
        assert f"### {name}\n" in text or name == "Schedule"


def test_tables_are_rectangular():
    for path in ALL:
        width = None
        for line in path.read_text(encoding="utf-8").splitlines():
            cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else None
            assert width is None or cells in (None, width), f"{path.name}: {line}"
            width = cells


# --- links


def anchors(path):
    """What a heading of a page is called in a link."""
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pages(ALL)
def test_relative_links_resolve(path):
    text = re.sub(r"```.*?```|`[^`\n]*`", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("https://", "http://", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        found = (path.parent / name).resolve() if name else path
        assert found.exists(), f"{path.name}: {target}"
        assert not anchor or anchor in anchors(found), f"{path.name}: no heading for {target}"


def test_every_page_is_reached_from_the_index():
    """Each folder's pages stand in its index; the site's build fails where one is in no contents."""
    for index in DOCS.rglob("index.md"):
        text = index.read_text(encoding="utf-8")
        named = {p.stem for p in index.parent.glob("*.md")} - {"index"}
        assert [name for name in sorted(named) if f"\n{name}\n" not in text] == []


# --- examples (those of README.md run by pytest's own doctest glob)


@pages(PAGES)
def test_examples_run(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed, _ = doctest.testfile(str(path), module_relative=False, optionflags=FLAGS, encoding="utf-8")
    assert not failed


@pages([p for p in ALL if p.name != "gallery.md"])  # generated from the functions that drew it
def test_python_blocks_are_examples(path):
    text = path.read_text(encoding="utf-8")
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        assert block.startswith(">>> "), f"{path.name}: a Python block that no test runs:\n{block}"
