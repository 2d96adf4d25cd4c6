"""Values, gradients and second derivatives against what torch gave when `oracles/record.py` was run."""

import numpy as np
import pytest
from cases import ALL, FAMILIES
from compare import by_symgrad, difference
from record import CASES, FOLDER, read

RECORDED = {name: found for family in FAMILIES for name, found in read(family).items()}


def test_every_case_that_torch_has_is_recorded():
    assert {f.stem for f in FOLDER.iterdir()} == set(FAMILIES)
    assert RECORDED.keys() == CASES.keys()
    assert len(CASES) > 0.75 * len([c for c in ALL if all(np.size(a) for a in c.inputs())])
    assert sum(f.stat().st_size for f in FOLDER.iterdir()) < 1_000_000


@pytest.mark.parametrize("name", RECORDED)
def test_symgrad_gives_what_torch_gave(name):
    arrays, answers = RECORDED[name]
    assert difference(by_symgrad(CASES[name], arrays), answers) is None


@pytest.mark.parametrize("name", RECORDED)
def test_the_inputs_are_those_that_were_recorded(name):
    for recorded, now in zip(RECORDED[name][0], CASES[name].inputs(), strict=True):
        np.testing.assert_allclose(now, recorded, rtol=1e-13)  # matrix products differ by NumPy's version


def test_a_small_difference_is_found():
    answers = RECORDED["tanh ((3, 4),)"][1]
    assert {"value", "first0", "second0"} == answers.keys()
    for part, a in answers.items():
        changed = a.copy()
        changed.flat[0] += 2e-9 * np.max(np.abs(a))
        assert part in difference(answers | {part: changed}, answers)
        assert part in difference(answers | {part: a * np.nan}, answers)
        assert part in difference(answers | {part: a[:1]}, answers)
    assert difference({"value": answers["value"]}, answers) is not None
