"""symgrad and the recorded references against the torch of this environment (`make test-oracles`)."""

import numpy as np
import pytest

pytest.importorskip("torch")

from compare import by_symgrad, by_torch, difference
from record import CASES, FAMILIES, check, file_of, main, write


@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore:.*is in beta")  # torch's own
def test_symgrad_agrees_with_torch(name):
    case = CASES[name]
    arrays = case.inputs()
    assert difference(by_symgrad(case, arrays), by_torch(case, arrays)) is None


@pytest.mark.parametrize("family", FAMILIES)
def test_the_recorded_references_are_those_of_this_torch(family):
    assert check(family) == []


def test_check_finds_a_changed_reference(tmp_path):
    write("graphs", tmp_path)
    assert check("graphs", tmp_path) == []
    path = file_of("graphs", tmp_path)
    with np.load(path) as stored:
        contents, numbers = stored["contents"], stored["numbers"].copy()
    numbers[-1] += 1e-3
    np.savez_compressed(path, contents=contents, numbers=numbers)
    (found,) = check("graphs", tmp_path)
    assert found.startswith("recorded, ")


def test_unknown_arguments_print_the_usage(capsys):
    assert main(["--everything"]) == 2
    assert "--check" in capsys.readouterr().out
