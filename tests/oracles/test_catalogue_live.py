"""The emitted NumPy of the whole catalogue against torch in float64: first and second derivatives to 1e-12.

And second derivatives of the graph that trains, taken numerically, against the same.
"""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from catalogue_cases import NAMES, arrays_of, by_symgrad, by_torch, difference  # noqa: E402

import symgrad as sg  # noqa: E402
from symgrad.symbolic import derive  # noqa: E402


@pytest.mark.parametrize("name", NAMES)
def test_emitted_code_agrees_with_torch(name):
    d, arrays = derive(name), arrays_of(name)
    twice = d.double(next(iter(d.record.arguments)))
    assert difference(by_symgrad(d, twice, arrays), by_torch(name, arrays)) is None


@pytest.mark.parametrize("name", NAMES)
def test_second_derivatives_of_the_graph_agree_with_torch(name):
    d, arrays = derive(name), arrays_of(name)
    given = {n: x for n, x in arrays.items() if n not in ("cotangent", "direction")}
    first = next(iter(given))

    def along(x):
        rest = {n: a for n, a in given.items() if n != first}
        gradient = sg.grad(lambda y: sg.sum(d.function(**{first: y}, **rest) * arrays["cotangent"]))(x)
        return sg.sum(gradient * arrays["direction"])

    wanted = {f"second {first}": by_torch(name, arrays)[f"second {first}"]}
    assert difference({f"second {first}": np.asarray(sg.grad(along)(given[first]))}, wanted) is None
