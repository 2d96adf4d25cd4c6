"""Every op compiles to what it is in eager mode: value and gradient, on all that the plan may do with its buffers."""

import numpy as np
import pytest
from cases import COMPOSITIONS, FAMILIES, OP_CASES

import symgrad as sg
from symgrad.op import OPS

ASKED = [*(cases[0] for cases in OP_CASES.values()), *COMPOSITIONS, *FAMILIES["hard"]]
EAGER_ONLY = {"astype there and back"}


def test_every_op_is_asked():
    assert {one.op for one in ASKED} >= OPS.keys()


@pytest.mark.parametrize("one", ASKED, ids=lambda c: c.name)
def test_compiled_is_the_same(one):
    arrays = one.inputs()
    places = tuple(k for k, a in enumerate(arrays) if a.dtype.kind == "f")
    with np.errstate(all="ignore"):
        value = np.asarray(one.f(*[sg.tensor(a) for a in arrays]))
    size = float(1 + np.max(np.abs(value), initial=0.0, where=np.isfinite(value)))
    w = np.random.default_rng(0).normal(size=value.shape)

    def everything(*xs):
        y = one.f(*xs)
        if value.dtype.kind != "f" or not places:
            return (y,)

        def scalar(*floats):
            given = list(xs)
            for k, x in zip(places, floats, strict=True):
                given[k] = x
            y = one.f(*given)
            return ((y + y * y / size) * w).sum()

        return (y, *sg.grad(scalar, tuple(range(len(places))))(*[xs[k] for k in places]))

    fast = sg.compile(everything)
    with np.errstate(all="ignore"):
        expected = [np.asarray(part) for part in everything(*arrays)]
        for _ in range(2):  # the second call finds the buffers as the first one left them
            found = fast(*arrays)
            for got, want in zip(found, expected, strict=True):
                assert (np.shape(got), np.asarray(got).dtype) == (want.shape, want.dtype)
                scale = np.max(np.abs(want), initial=0.0, where=np.isfinite(want))
                np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-13 * scale)
    assert "0 eager call(s)" in fast.report()
