"""symgrad and the recorded references against the torch of this environment (`make test-oracles`)."""

import numpy as np
import pytest

pytest.importorskip("torch")

from record import CASES, by_symgrad, by_torch, check, difference, main, write


@pytest.mark.parametrize("name", CASES)
def test_symgrad_agrees_with_torch(name):
    case = CASES[name]
    arrays = case.inputs()
    assert difference(by_symgrad(case, arrays), by_torch(case, arrays)) is None


def test_the_recorded_references_are_those_of_this_torch():
    assert check() == []
    assert main(["--check"]) == 0


def test_check_finds_a_changed_reference(tmp_path):
    path = tmp_path / "recorded.npz"
    write(path)
    assert check(path) == []
    with np.load(path) as stored:
        contents, numbers = stored["contents"], stored["numbers"].copy()
    numbers[-1] += 1e-3
    np.savez_compressed(path, contents=contents, numbers=numbers)
    (found,) = check(path)
    assert found.startswith("recorded, ")
