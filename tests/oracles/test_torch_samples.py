"""Torch's own samples of every op that has a counterpart in symgrad (`make test-oracles`)."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("expecttest")  # which torch's op database imports

from opdb import CALLS, DEFINITE, FLOORS, NO_SECOND, NOT_ASKED, OUT_OF_SCOPE, call_of
from torch_samples import differentiable, examine

OPS = differentiable()
MAPPED = [name for name, op in OPS.items() if call_of(op.name, op.variant_test_name)]


@pytest.mark.parametrize("name", MAPPED)
@pytest.mark.filterwarnings("ignore")  # torch's deprecations
def test_an_op_agrees_on_all_samples(name):
    found = examine(name, OPS[name])
    assert found.verdict == "agrees", found.why


def test_the_tables_name_ops_of_the_database():
    known = OPS.keys() | {op.name for op in OPS.values()}
    for table in (CALLS, DEFINITE, FLOORS, NOT_ASKED, NO_SECOND, OUT_OF_SCOPE):
        assert table.keys() <= known
    assert not CALLS.keys() & OUT_OF_SCOPE.keys()
