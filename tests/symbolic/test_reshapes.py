"""Axes that are split and joined: the layer that trains is the layer that is derived, with C = G K channels."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import symgrad as sg
from symgrad import nn
from symgrad.errors import SymbolicError
from symgrad.rechecking import recheck
from symgrad.shapes import Dim
from symgrad.symbolic import derive
from symgrad.symbolic.indices import index, joined, moved, split
from symgrad.symbolic.normal import delta, rename, sum_over, variable
from symgrad.symbolic.proof import shown_zero

G, K = Dim("G"), Dim("K")
WHOLE, FIRST, SECOND = index("c", G * K), index("g", G), index("k", K)
PAIR = split(WHOLE, FIRST.size, SECOND.size)


def test_quotient_and_remainder_join_to_the_whole():
    assert joined(*PAIR) == WHOLE
    assert split(joined(FIRST, SECOND), FIRST.size, SECOND.size) == (FIRST, SECOND)
    assert moved(joined(FIRST, SECOND), dict(zip((FIRST, SECOND), PAIR, strict=True))) == WHOLE


def test_a_sum_over_both_parts_is_the_sum_over_the_whole():
    a, b = variable("a", WHOLE), variable("b", FIRST)
    apart = rename(a, {WHOLE: joined(FIRST, SECOND)})
    assert sum_over(apart, FIRST, SECOND) == sum_over(a, WHOLE)
    grouped = rename(b, {FIRST: PAIR[0]})  # the group of a channel
    assert sum_over(grouped * a, WHOLE) == sum_over(b * apart, FIRST, SECOND)
    assert sum_over(grouped, WHOLE) == sum_over(b, FIRST) * variable("K", positive=True)


def test_a_delta_of_joins_falls_apart_and_comes_together():
    other = index("d", G * K)
    apart = rename(delta(WHOLE, other), {WHOLE: joined(FIRST, SECOND)})
    assert len(next(iter(apart.terms))) == 2
    assert rename(apart, dict(zip((FIRST, SECOND), PAIR, strict=True))) == delta(WHOLE, other)
    assert sum_over(apart * variable("a", FIRST, SECOND), FIRST, SECOND) == rename(
        variable("a", FIRST, SECOND), dict(zip((FIRST, SECOND), split(other, FIRST.size, SECOND.size), strict=True))
    )


@pytest.mark.parametrize(("channels", "groups"), [(G * K, G), (2 * K, 2), (6, 3)], ids=["G", "2", "3 of 6"])
def test_group_norm_as_it_trains_is_derived_for_all_sizes(channels, groups):
    d = derive(
        nn.functional.group_norm,
        input=sg.spec("N", channels, "P"),
        num_groups=groups,
        weight=sg.spec(channels),
        bias=sg.spec(channels),
    )
    assert {p.verdict for p in d.proofs.values()} == {"PROVED"}
    assert d.check()
    assert r"\hat z" in d.latex()  # compact, in the author's names
    assert recheck(d.data())
    if groups is not G:
        return
    twice = d.double("input")
    assert {p.verdict for p in twice.proofs.values()} == {"PROVED"}
    assert twice.check()


def test_a_size_that_no_shape_tells_is_an_argument_of_the_code():
    d = derive(lambda z, n: sg.sum(z.reshape((n, -1)), 1) ** 2, z=sg.spec(G * K), n=G)
    z = np.arange(6.0)
    found = d.backward(z=z, G=2, g=np.ones(2))["z"]
    np.testing.assert_allclose(found, 2 * np.repeat(z.reshape(2, 3).sum(1), 3))
    with pytest.raises(SymbolicError, match=r"missing \['G'\]"):
        d.backward(z=z, g=np.ones(2))


@pytest.mark.parametrize("seed", range(12))
def test_random_reshapes_are_proved(seed):
    rng = np.random.default_rng(seed)
    sizes = [Dim(n) for n in "ABCD"]

    def grouped():
        cuts = sorted(rng.choice([1, 2, 3], size=rng.integers(0, 4), replace=False))
        return tuple(math.prod(sizes[a:b]) for a, b in itertools.pairwise([0, *cuts, 4]))

    first, second, third = grouped(), grouped(), grouped()
    axis = int(rng.integers(0, len(second)))

    def f(z, w):
        y = sg.named(sg.tanh(z).reshape(second), "y")
        m = sg.named(sg.sum(y, axis, keepdims=True), "m")
        return (y * m).reshape(third) * w

    d = derive(f, z=sg.spec(*first), w=sg.spec(*third))
    assert all(shown_zero(d.program, d.total_derivative(x) - d.polys[n]) for n, x in d.record.arguments.items())
    assert recheck(d.data())


def test_one_size_that_is_split_in_two_ways_is_derived_but_not_verified_again():
    d = derive(lambda z, w: z.reshape((G, K)) * w.reshape((K, G)).T, z=sg.spec(G * K), w=sg.spec(G * K))
    assert all(d.proofs.values())
    assert not recheck(d.data())


def test_a_split_that_does_not_divide_is_refused_with_the_remedy():
    with pytest.raises(SymbolicError, match=r"let the size of an axis that is split be a product"):
        derive(lambda z: z.reshape((Dim("A") * 2, Dim("B") * 3)), z=sg.spec(Dim("A") * 3, Dim("B") * 2))
