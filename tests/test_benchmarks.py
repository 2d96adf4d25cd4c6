"""The benchmarks: contenders compute the same, and the page shows what was measured."""

import io
import json
import time

import numpy as np
import pytest

problems = pytest.importorskip("benchmarks.problems")

from benchmarks import __main__ as main  # noqa: E402
from benchmarks import conditions, page, profiles, targets, worker  # noqa: E402
from benchmarks.contenders import contenders, floor, numpy_, symgrad_  # noqa: E402
from symgrad.plan.fusing import available  # noqa: E402


@pytest.mark.parametrize("family", ["tiny MLP", "small MLP", "small MLP, BatchNorm"])
def test_symgrad_trains_as_numpy_by_hand(family):
    problem = problems.FAMILIES[family]
    ours, by_hand = symgrad_.network(problem, fast=False), numpy_.network(problem)
    for _ in range(4):
        np.testing.assert_allclose(float(ours()), by_hand(), rtol=1e-4)


@pytest.mark.parametrize("family", ["BatchNorm 64x256", "Hessian of 10 variables"])
def test_other_families_give_what_numpy_gives(family):
    problem = problems.FAMILIES[family]
    ours = getattr(symgrad_, problem.kind)(problem, fast=False)
    np.testing.assert_allclose(float(ours()), getattr(numpy_, problem.kind)(problem)(), rtol=1e-4)


@pytest.mark.parametrize("kind", ["momentum", "adam"])
@pytest.mark.parametrize("options", [{"compiled": False}, {"fast": False}])
def test_an_update_alone_is_numpy_s(kind, options):
    problem = problems.Update(kind, (6, 4, 3))
    parameters, gradients = problems.given(problem)
    numpy_.updater(problem, parameters)(gradients)
    found = symgrad_.update(problem, **options)()
    np.testing.assert_allclose(found, sum(np.abs(p).sum() for p in parameters), rtol=1e-5)


def test_a_replayed_chain_is_the_chain():
    chain = problems.Chain(20, replayed=True)
    np.testing.assert_allclose(float(symgrad_.chain(chain, fast=False)()), numpy_.chain(chain)(), rtol=1e-12)


def test_every_family_has_symgrad_and_nobody_who_is_missing():
    for family, problem in problems.FAMILIES.items():
        names = contenders(family, slow=False)
        assert any(name.startswith("symgrad") for name in names)
        assert "torch.compile" not in names
        if problem.kind == "network":
            assert floor.network(problem)() == 0


def test_contenders_choose_their_kernels_themselves(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "7")
    monkeypatch.setenv("NUMBA_CACHE_DIR", "here")
    found = conditions.environment()
    assert "OPENBLAS_CORETYPE" not in found
    assert (found["OPENBLAS_NUM_THREADS"], found["NUMBA_CACHE_DIR"]) == ("1", "here")


def test_the_page_shows_every_figure(tmp_path):
    pytest.importorskip("matplotlib")
    row = {"seconds": 1e-3, "ratio": 0.125, "low": 0.1, "high": 0.2, "first": 0.02, "peak": 5e7}
    own = {**row, "profile": [("dot", 2, 1.0)]}
    results = {
        "machine": {"python": "3"},
        "families": {"tiny MLP": {"torch": row, "symgrad": own}, "chain of 1e3": {"torch": row}},
        "import": {"symgrad": 0.2},
        "growth": {"step against width": {"unit": "s", "points": [(8, 1e-5), (64, 1e-4)]},
                   "drawing against operations": {"unit": "s", "points": [(1, 1e-3), (2, 2e-3)]}},
    }  # fmt: skip
    page.write(results, tmp_path / "speed.md")
    text = (tmp_path / "speed.md").read_text()
    assert "| tiny MLP | 0.125 (0.100-0.200) | 0.125 (0.100-0.200) |" in text
    assert "| tiny MLP | 20 |  | 20 | 50 |  | 50 |" in text
    assert "| tiny MLP | symgrad | torch | 0.06 | 0.125 | **missed**: by profile 100% dot (2x) |" in text
    assert "| first step, tiny MLP | symgrad |  | 50 ms | 20 ms | met |" in text
    for name in ("ratios", "growth"):
        assert f"speed-{name}.svg" in text
        assert (tmp_path / f"speed-{name}.svg").read_text().startswith("<?xml")


def test_every_target_is_of_a_row_that_is_measured():
    for table in targets.REFERENCES.values():
        for family, wanted in table.items():
            assert set(wanted) <= set(contenders(family, slow=False)) | {"symgrad fast"}


def test_a_miss_says_why():
    row = {"ratio": 0.1, "first": 0.1, "peak": 1e7}
    row["ratio"] = 0.15
    own = {**row, "profile": [("dot", 9, 0.75), ("others", 4, 0.25)]}
    rows = {"symgrad": own, "jax.jit": {**row, "ratio": 0.3}, "products alone": {**row, "ratio": 0.12}}
    one, two, three, *_ = targets.verdicts({"families": {"small MLP": rows}, "import": {"symgrad": 0.1}})
    assert (one.reference, one.met) == ("torch", False)
    assert "take 0.12, which is 80% of it; by profile 75% dot (9x), 25% others (4x)" in one.reason
    assert (two.reference, two.target, two.found, two.met) == ("jax.jit", 1.0, 0.5, True)
    assert "take 0.4, which is 80%" in two.reason
    assert (three.what, three.met) == ("first step, small MLP", False)


def test_profiles_tell_what_a_step_calls(monkeypatch):
    problem = problems.FAMILIES["tiny MLP"]
    monkeypatch.setattr(symgrad_, "COMPILED", [])
    eager = {name: count for name, count, _ in symgrad_.profile(symgrad_.network(problem, compiled=False))}
    assert eager["others"] > 100
    assert not any("<" in name for name in eager)
    for fast in (False, True) if available() else (False,):
        step = symgrad_.network(problem, fast=fast)
        step()
        compiled = symgrad_.profile(step)
        assert {name: count for name, count, _ in compiled}["dot"] >= 8
        assert sum(share for _, _, share in compiled) == pytest.approx(1)


def test_parts_of_a_profile_are_named_by_what_they_compute():
    lines = {"# a = b @ c": "dot", "# a = b - c": "subtract", "# a = sin(b)": "sin", "# a = b > c": ">",
             "# a = x[i, j]": "others", "a, b = f(x)": "f", "dot(a, b, c)": "dot", "return (a,)": "Python"}  # fmt: skip
    assert [profiles._operation(line) for line in lines] == [*lines.values()]


def test_a_target_to_jax_may_be_missed_beside_one_to_torch_that_is_met(capsys):
    row = {"low": 0.1, "high": 0.2, "first": 0.02, "peak": 4e7}
    rows = {"symgrad": {**row, "ratio": 0.65}, "jax.jit": {**row, "ratio": 0.43}}
    results = {"machine": {}, "families": {"image MLP": rows}, "import": {}, "failed": []}
    assert [one.met for one in targets.verdicts(results)][:2] == [True, False]
    assert "| image MLP | symgrad | jax.jit | 0.9 | 1.51 | **missed** |" in page._targets(results)
    main.judge(results)
    assert (
        "MISSED image MLP                  symgrad            1.51   target 0.9 of jax.jit" in capsys.readouterr().out
    )


def test_a_figure_is_judged_as_it_is_printed():
    found = [targets.Verdict("", "", 0.008, figure, "", "") for figure in (0.00804, 0.0084)]
    assert [(one.shown, one.met) for one in found] == [(0.00804, False), (0.0084, False)]
    assert targets.Verdict("", "", 1.05, 1.054, "", "").met


def test_the_first_step_is_the_time_that_is_waited(monkeypatch, capsys):
    def slow(problem):
        time.sleep(0.05)
        return lambda: 1.0

    monkeypatch.setattr(numpy_, "chain", slow)
    monkeypatch.setattr(worker.os, "sched_setaffinity", lambda *_: None, raising=False)
    monkeypatch.setattr("sys.argv", ["worker", "chain of 1e3", "NumPy by hand", "1e-6"])
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert worker.main() == 0
    assert json.loads(capsys.readouterr().out)["first"] >= 0.05
