"""The benchmarks: contenders compute the same, and the page shows what was measured."""

import numpy as np
import pytest

problems = pytest.importorskip("benchmarks.problems")

from benchmarks import page, targets  # noqa: E402
from benchmarks.contenders import contenders, floor, numpy_, symgrad_  # noqa: E402


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


def test_the_page_shows_every_figure(tmp_path):
    pytest.importorskip("matplotlib")
    row = {"seconds": 1e-3, "ratio": 0.125, "low": 0.1, "high": 0.2, "first": 0.02, "peak": 5e7}
    results = {
        "machine": {"python": "3"},
        "families": {"tiny MLP": {"torch": row, "symgrad": row}, "chain of 1e3": {"torch": row}},
        "import": {"symgrad": 0.2},
        "growth": {"step against width": {"unit": "s", "points": [(8, 1e-5), (64, 1e-4)]},
                   "drawing against operations": {"unit": "s", "points": [(1, 1e-3), (2, 2e-3)]}},
    }  # fmt: skip
    page.write(results, tmp_path / "speed.md")
    text = (tmp_path / "speed.md").read_text()
    assert "| tiny MLP | 0.125 (0.100-0.200) | 0.125 (0.100-0.200) |" in text
    assert "| tiny MLP | 20 |  | 20 | 50 |  | 50 |" in text
    assert "| tiny MLP | symgrad | 0.06 | 0.125 |  |  | **missed**: " in text
    assert "| first step, tiny MLP | symgrad | 50 ms | 20 ms |  |  | met |" in text
    for name in ("ratios", "growth"):
        assert f"speed-{name}.svg" in text
        assert (tmp_path / f"speed-{name}.svg").read_text().startswith("<?xml")


def test_every_target_is_of_a_row_that_is_measured():
    for table in (targets.TARGETS, targets.OF_JAX):
        for family, wanted in table.items():
            assert set(wanted) <= set(contenders(family, slow=False)) | {"symgrad fast"}
    assert {family for family, _ in targets.REASONS} <= set(targets.TARGETS)


def test_a_miss_says_why():
    row = {"ratio": 0.1, "first": 0.1, "peak": 1e7}
    row["ratio"] = 0.15
    rows = {"symgrad": row, "jax.jit": {**row, "ratio": 0.3}, "products alone": {**row, "ratio": 0.12}}
    one, two = list(targets.verdicts({"families": {"small MLP": rows}, "import": {"symgrad": 0.1}}))[:2]
    assert not one.met
    assert "80%" in one.reason
    assert one.jax == (1.0, 0.5)
    assert (two.what, two.met) == ("first step, small MLP", False)
