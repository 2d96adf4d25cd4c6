"""The lecture's experiments: every script is complete; those of a few seconds run here, each with its control."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")
LECTURE = Path(__file__).parents[1] / "examples" / "lecture"
SCRIPTS = sorted(LECTURE.glob("x[0-9][0-9]_*.py"))
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
    assert experiment.verdict(record) == (True, True)
    shown = (RECORDED / f"{script.stem}.md").read_text(encoding="utf-8")
    for check in experiment.checks:
        assert check.spread(record["on"]) in shown
    assert (RECORDED / f"{script.stem}.svg").exists()
    pages = "".join(p.read_text(encoding="utf-8") for p in RECORDED.parent.glob("*.md"))
    assert f"results/{script.stem}.svg" in pages
    assert f"results/{script.stem}.md" in pages
