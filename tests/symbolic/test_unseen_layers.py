"""Layers that nobody has seen: random programs of maps and reductions derive, prove, and hold again."""

from __future__ import annotations

import random

import numpy as np
import pytest

import symgrad as sg
from symgrad.rechecking import recheck
from symgrad.symbolic import derive
from symgrad.symbolic.checking import random_arrays

MAPS = {
    "centred": lambda x, r: x - r,
    "scaled": lambda x, r: x / sg.sqrt(r * r + 1.0),
    "times": lambda x, r: x * r,
    "tanh": lambda x, r: sg.tanh(x - r),
    "bell": lambda x, r: sg.exp(-(x - r) * (x - r) / 2),
    "sigmoid": lambda x, r: x * sg.sigmoid(r + x),
    "square": lambda x, r: x * x + r,
    "relu": lambda x, r: sg.relu(x - r),
}
REDUCTIONS = {
    "mean": lambda x, axis: sg.mean(x, axis=axis, keepdims=True),
    "power": lambda x, axis: sg.mean(x * x, axis=axis, keepdims=True),
    "spread": lambda x, axis: sg.mean((x - sg.mean(x, axis=axis, keepdims=True)) ** 2, axis=axis, keepdims=True),
    "smooth maximum": lambda x, axis: sg.log(sg.sum(sg.exp(x), axis=axis, keepdims=True)),
    "norm": lambda x, axis: sg.sqrt(sg.sum(x * x, axis=axis, keepdims=True) + 1.0),
}


def program(seed):
    """A function of (x, w) that was put together at random, and how."""
    rng = random.Random(seed)
    rounds = [
        (rng.choice(sorted(MAPS)), rng.choice(sorted(REDUCTIONS)), rng.choice([0, 1, (0, 1)]), rng.choice(sorted(MAPS)))
        for _ in range(2 if seed % 8 == 7 else 1)
    ]
    named = rng.random() < 0.7

    def layer(x, w):
        for k, (first, reduction, axis, second) in enumerate(rounds):
            y = MAPS[first](x, w)
            r = REDUCTIONS[reduction](y, axis)
            r = sg.named(r, f"r{k}") if named else r
            x = MAPS[second](y, r)
            x = sg.named(x, f"y{k}") if named else x
        return x

    return layer, rounds


@pytest.mark.parametrize("seed", range(16))
def test_random_layers_are_derived_proved_and_hold_again(seed):
    layer, rounds = program(seed)
    d = derive(layer, x=sg.spec("B", "D"), w=sg.spec("D"))
    assert {n: p.verdict for n, p in d.proofs.items()} == {"x": "PROVED", "w": "PROVED"}, rounds
    arrays = random_arrays(d, seed)
    derived = d.backward(**arrays)
    g = arrays.pop("g")
    numeric = sg.vjp(layer, arrays["x"], arrays["w"])[1](g)
    for name, expected in zip("xw", numeric, strict=True):
        np.testing.assert_allclose(derived[name], expected, rtol=1e-9, atol=1e-9, err_msg=str(rounds))
    wrong = d.certify(d.record.arguments["x"], d.polys["x"].scale(2))
    assert wrong.verdict == "FALSE" or not d.polys["x"], rounds
    again = recheck(d.data())
    assert again, (rounds, again)
