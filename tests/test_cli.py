"""The command line: the tour, help texts, exit codes."""

import json
import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser

import pytest
import typer

from symgrad.cli import COMMANDS, main, touring
from symgrad.cli.frame import Answer, MistakeError, Say, command, write


@pytest.fixture(scope="module")
def tour(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tour") / "a folder"
    code = main(["tour", "--out", str(folder), "--epochs", "12", "--quiet"])
    return code, folder


class Collector(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.links, self.text = set(), [], []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data):
        self.text.append(data)


def test_the_tour_writes_one_page_that_loads_nothing(tour):
    code, folder = tour
    assert code == 0
    page = (folder / "index.html").read_text(encoding="utf-8")
    found = Collector()
    found.feed(page)
    assert not found.tags & {"script", "iframe", "object", "link"}
    assert {link.split(":")[0] for link in found.links if ":" in link} <= {"data"}
    for link in found.links:
        if link.startswith("#"):
            assert f'id="{link[1:]}"' in page
        elif not link.startswith("data:"):
            assert (folder / link).is_file()
    assert "default-src 'none'" in page
    assert not re.search(r"\sstyle=", page)
    assert {"math", "svg", "img"} <= found.tags


def test_the_tour_says_what_was_found(tour):
    page = (tour[1] / "index.html").read_text(encoding="utf-8")
    found = Collector()
    found.feed(page)
    text = " ".join(found.text)
    assert text.count("PROVED") >= 10
    assert "RIGHT" in text
    assert "FALSE" not in text
    assert "def batch_norm(" in text
    assert 'sg.derive("batchnorm")' in text
    assert not re.search(r"\bnan\b", text)


def test_the_tour_as_json(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(touring, "SEEDS", 1)
    assert main(["tour", "--out", str(tmp_path), "--epochs", "15", "--json", "--seed", "3"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["right"] is True
    assert found["proofs"] == {"z": "PROVED", "gamma": "PROVED", "beta": "PROVED"}
    assert 0.9 < found["test_accuracy"] <= 1
    assert found["largest_difference"] < 1e-12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tor"], "tor"),
        (["tour", "--epochs", "0"], "--epochs"),
        (["tour", "--seed", "-1"], "--seed"),
        (["tour", "--colour"], "--colour"),
    ],
)
def test_mistakes_are_one_line_and_exit_2(arguments, message, capsys):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error
    assert "Traceback" not in error


def test_a_file_in_the_place_of_the_folder(tmp_path, capsys):
    (tmp_path / "taken").write_text("mine")
    assert main(["tour", "--out", str(tmp_path / "taken")]) == 2
    assert "is a file" in capsys.readouterr().err
    assert (tmp_path / "taken").read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_one_line_with_the_remedy(tmp_path, capsys):
    (tmp_path / "taken").write_text("")
    assert main(["tour", "--out", str(tmp_path / "taken" / "tour")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{tmp_path / 'taken' / 'tour'}: " in line
    assert line.endswith("; see that the file or folder is there and is yours to read and write, or name another")
    assert "Errno" not in line


def test_what_goes_wrong_while_something_is_done_is_said_on_a_line_of_its_own(capsys):
    with pytest.raises(MistakeError), Say().doing("counting"):
        raise MistakeError("no numbers")
    assert capsys.readouterr().out == "  counting ...\n"


def test_ctrl_c_exits_130(tmp_path, capsys, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(touring, "explore", interrupted)
    assert main(["tour", "--out", str(tmp_path)]) == 130
    assert not list(tmp_path.iterdir())


def test_something_wrong_exits_1(tmp_path, monkeypatch):
    real = touring.explore

    def wrong(seed, epochs, progress):
        from dataclasses import replace

        return replace(real(seed, epochs, progress), check=False)

    monkeypatch.setattr(touring, "explore", wrong)
    monkeypatch.setattr(touring, "SEEDS", 1)
    assert main(["tour", "--out", str(tmp_path), "--epochs", "1", "--quiet"]) == 1


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example_and_the_shared_options(name, capsys):
    assert main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert re.search(rf"Examples?:\s+symgrad {name} ", text)
    assert {"--json", "--seed", "--quiet"} <= set(text.split())


def test_the_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("symgrad ")


@pytest.fixture
def double(monkeypatch):
    """A command that answers with twice a number."""

    @command
    def double(number: float, *, seed: int, say: Say) -> Answer:
        """Twice a number."""
        if number < 0:
            raise MistakeError("the number is\x1b[31m negative,\n which it must not be")
        say("thinking")
        return Answer(f"{2 * number:g}", {"doubled": 2 * number, "seed": seed}, number != 13)

    app = typer.Typer()
    app.command()(double)
    app.callback()(lambda: None)
    monkeypatch.setattr("symgrad.cli.application", lambda names: app)


@pytest.mark.parametrize(
    ("arguments", "code", "out", "err"),
    [
        (["double", "21"], 0, "thinking\n42\n", ""),
        (["double", "21", "--quiet"], 0, "", ""),
        (["double", "13"], 1, "thinking\n26\n", ""),
        (["double", "13", "--quiet"], 1, "", ""),
        (["double", "21", "--json", "--seed", "7"], 0, '{\n "doubled": 42.0,\n "seed": 7\n}\n', ""),
        (["double", "--", "-1"], 2, "", "symgrad: the number is\\x1b[31m negative, which it must not be\n"),
    ],
)
def test_the_frame_prints_and_counts_for_all_commands(double, arguments, code, out, err, capsys):
    assert main(arguments) == code
    assert capsys.readouterr() == (out, err)


def test_what_reads_our_output_may_stop_early():
    program = "import sys; from symgrad.cli import main; sys.exit(main(['--help']))"
    piped = f"{shlex.quote(sys.executable)} -c {shlex.quote(program)} | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", piped], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_file_is_written_whole_into_a_folder_that_is_there(tmp_path):
    write(tmp_path / "a", "one")
    assert (tmp_path / "a").read_text() == "one"
    with pytest.raises(MistakeError, match="no folder"):
        write(tmp_path / "b" / "a", "two")
    with pytest.raises(MistakeError, match="is a folder"):
        write(tmp_path, "two")
