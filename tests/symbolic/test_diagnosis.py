"""Hand-written backwards with known slips are told what the slip is."""

from __future__ import annotations

import numpy as np
import pytest

from symgrad.errors import SymbolicError
from symgrad.symbolic import diagnose


def batchnorm(z, gamma, eps, g, *, use_gamma=True, use_mean=True, use_u=1.0, scale=1.0):
    h = z.var(axis=0) + eps
    u = (z - z.mean(axis=0)) / np.sqrt(h)
    dz = scale * (gamma if use_gamma else 1) / np.sqrt(h) * (g - use_mean * g.mean(0) - use_u * u * (g * u).mean(0))
    return {"z": dz, "gamma": (g * u).sum(0), "beta": g.sum(0)}


@pytest.mark.parametrize(
    ("slip", "message"),
    [
        ({"use_gamma": False}, "without the factor gamma"),
        ({"use_mean": False}, "without the term"),
        ({"use_u": 0.0}, "without the term"),
        ({"use_u": -1.0}, "opposite sign of the term"),
        ({"use_u": 2.0}, "twice"),
        ({"scale": -1.0}, "with the opposite sign"),
        ({"scale": 0.37}, "no single slip"),
    ],
)
def test_slips_are_named(slip, message):
    found = diagnose("batchnorm", lambda z, gamma, eps, g: batchnorm(z, gamma, eps, g, **slip))
    assert not found
    assert message in found.message


def test_a_right_backward_is_correct():
    assert diagnose("batchnorm", batchnorm_right)


def batchnorm_right(z, gamma, eps, g):
    return batchnorm(z, gamma, eps, g)


def test_a_wrong_shape_is_said():
    found = diagnose("batchnorm", lambda z, gamma, eps, g: {"z": z[:2]})
    assert "shape (2,), expected (4,)" in found.message


def test_an_argument_that_is_not_known_is_said():
    with pytest.raises(SymbolicError, match=r"takes \['saved'\].*gamma"):
        diagnose("batchnorm", lambda z, saved: z)
    assert not diagnose("batchnorm", lambda z, saved=None, *rest, **others: z)
