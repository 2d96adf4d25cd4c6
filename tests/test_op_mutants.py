"""Wrong rules planted in every op of the table, one input at a time: the cases of the op must find each of them."""

import numpy as np
import pytest
from cases import OP_CASES
from compare import by_symgrad, difference
from record import FAMILIES, read

import symgrad as sg
from symgrad.op import OPS

RECORDED = {name: found for family in FAMILIES for name, found in read(family).items()}
CASES = {name: [one for one in cases if np.asarray(one.f(*one.inputs())).dtype.kind == "f"]
         for name, cases in OP_CASES.items()}  # fmt: skip
DIFFERENTIABLE = [n for n, op in OPS.items() if op.pullback and CASES[n] and n != "writers"]  # it gives integers


def reversed_elements(c):
    """The cotangent, its elements in the opposite order."""
    return sg.reshape(sg.flip(sg.ravel(c)), np.shape(c))


def one_moved(c):
    """A hundredth of the cotangent's size more on its last element."""
    flat = sg.ravel(c)
    return sg.reshape(flat + 0.01 * sg.norm(flat) * (np.arange(flat.shape[0]) == flat.shape[0] - 1), np.shape(c))


MUTANTS = {
    "0.1 % too large": lambda c: c * 1.001,
    "nothing": lambda c: c * 0.0,
    "reversed": reversed_elements,
    "one moved": one_moved,
}
# What no case can tell from the right rule, and why.
EQUAL = {("astype", 0, "reversed"): "there and back, so it is reversed twice"}


class Planted:
    """An op whose k-th cotangent is spoilt while the test runs; ``reached`` tells whether it was asked for."""

    def __init__(self, op, k, spoil):
        self.op, self.k, self.spoil, self.reached, self.right = op, k, spoil, False, op.pullback

    def __enter__(self):
        right, k = self.right, self.k

        def spoilt(c):
            self.reached = True
            return c if c is None or not np.size(c) else self.spoil(c)

        if isinstance(right, tuple):
            rules = tuple(
                (lambda *args, r=r: spoilt(r(*args))) if j == k and r is not None else r for j, r in enumerate(right)
            )
        else:

            def rules(*args):
                found = list(right(*args))
                return [spoilt(c) if j == k else c for j, c in enumerate(found)]

        object.__setattr__(self.op, "pullback", rules)
        return self

    def __exit__(self, *raised):
        object.__setattr__(self.op, "pullback", self.right)


def rules_of(op, cases):
    """The inputs that get a cotangent."""
    if isinstance(op.pullback, tuple):
        return [k for k, rule in enumerate(op.pullback) if rule is not None]
    return list(range(max(sum(a.dtype.kind == "f" for a in one.inputs()) for one in cases)))


def found_by(one):
    """Whether a case sees a difference from what torch gave, or from differences."""
    with np.errstate(all="ignore"):
        if one.name in RECORDED:
            arrays, answers = RECORDED[one.name]
            return difference(by_symgrad(one, arrays), answers) is not None
        arrays = one.inputs()
        y = np.asarray(one.f(*arrays))
        places = [k for k, a in enumerate(arrays) if a.dtype.kind == "f"]
        w, vs = np.random.default_rng(0).normal(size=y.shape), [np.cos(arrays[k] + k) for k in places]

        def f(*xs):
            given = list(arrays)
            for k, x in zip(places, xs, strict=True):
                given[k] = x
            y = one.f(*given)
            return ((y + y * y) * w).sum()

        xs, h = [arrays[k] for k in places], 1e-5
        up, down = (float(f(*[x + s * v for x, v in zip(xs, vs, strict=True)])) for s in (h, -h))
        gradient = sg.grad(f, tuple(range(len(xs))))(*xs)
        slope = sum(np.sum(g * v) for g, v in zip(gradient, vs, strict=True))
        return not abs(slope - (up - down) / (2 * h)) <= 1e-6 * (1 + abs(slope))


def test_nearly_every_op_is_spoilt():
    assert len(DIFFERENTIABLE) > 0.7 * len(OPS)
    assert not any(found_by(CASES[name][0]) for name in DIFFERENTIABLE)  # nothing is found where nothing is planted


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_every_planted_rule_is_found(name):
    op, cases = OPS[name], CASES[name]
    for k in rules_of(op, cases):
        for title, spoil in MUTANTS.items():
            reached = False
            for one in cases:
                with Planted(op, k, spoil) as planted:
                    found = found_by(one)
                reached |= planted.reached
                if found:
                    break
            else:
                assert (name, k, title) in EQUAL, f"{title} of input {k}: {'not found' if reached else 'not reached'}"
