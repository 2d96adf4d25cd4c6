"""`Graph.to_sympy`: equations, one per named or shared node, that SymPy evaluates to what the graph computes."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import sympy

import symgrad as sg
from symgrad.errors import SymbolicError


def solved(equations, **given):
    """The last right side, with every definition put in: for graphs of scalars."""
    values = {sympy.Symbol(n, real=True): sympy.Float(x, 30) for n, x in given.items()}
    for e in equations:
        values[e.lhs] = e.rhs.subs(values)
    return float(equations[-1].rhs.subs(values))


def test_batch_norm_with_a_symbolic_batch():
    g = sg.trace(sg.batch_norm, sg.spec("B"), sg.spec(), sg.spec())
    shown = {str(e.lhs): str(e.rhs) for e in g.to_sympy()}
    assert next(iter(shown)) == "mu"
    assert shown["mu"] == "Sum(z[j], (j, 1, B))/B"
    assert shown["t[i]"] == "-mu + z[i]"  # it is used twice
    assert shown["sigma2"] == "Sum(t[j]**2, (j, 1, B))/B"
    assert shown["z_hat[i]"] == "beta + gamma*u[i]"
    assert shown["y[i]"] == "z_hat[i]"


def test_a_scalar_graph_has_the_value_of_the_graph():
    def f(x, w):
        a = sg.tanh(x * w)
        b = sg.named(sg.exp(-a) + a, "b")
        return sg.where(b > x, b * sg.abs(w), sg.maximum(b, w)) + sg.relu(x) + (x > w) * 2.0

    g = sg.trace(f, sg.spec(), sg.spec())
    for x, w in ((0.3, -1.7), (2.1, 0.4), (-0.5, 0.25)):
        assert solved(g.to_sympy(), x=x, w=w) == pytest.approx(float(g(x, w)), rel=1e-13)


def test_a_chain_of_diamonds_stays_small():
    def f(x):
        for _ in range(20):
            x = x * sg.sin(x)
        return x

    equations = sg.trace(f, sg.spec()).to_sympy()
    assert len(equations) == 20
    assert sum(e.count_ops() for e in equations) < 100
    assert solved(equations, x=1.5) == pytest.approx(float(f(np.float64(1.5))), rel=1e-12)


def test_a_long_chain_is_no_deep_expression():
    def f(x):
        for _ in range(2000):
            x = sg.sin(x)
        return x

    equations = sg.trace(f, sg.spec()).to_sympy()
    assert solved(equations, x=0.5) == pytest.approx(float(f(np.float64(0.5))), rel=1e-10)


def test_free_letters_are_not_captured():
    equations = sg.trace(lambda a, b: sg.matmul(a, a.T) @ b, sg.spec("B", "C"), sg.spec("B")).to_sympy()
    right = equations[-1].rhs
    bound = {limit[0] for s in right.atoms(sympy.Sum) for limit in s.limits}
    assert equations[-1].lhs.free_symbols.isdisjoint(bound)
    a, b = np.arange(6.0).reshape(2, 3), np.array([2.0, -1.0])
    assert numbers(right, equations[-1].lhs.indices, {"a": a, "b": b}, {"B": 2, "C": 3}) == pytest.approx(a @ a.T @ b)


def numbers(expression, letters, arrays, sizes):
    """An indexed expression as an array, by SymPy."""
    held = expression.subs({sympy.Symbol(n, integer=True, positive=True): k for n, k in sizes.items()})
    results = []
    for k in range(sizes["B"]):
        value = held.subs(letters[0], k + 1).doit()
        entries = {e: arrays[str(e.base)][tuple(int(i) - 1 for i in e.indices)] for e in value.atoms(sympy.Indexed)}
        results.append(float(value.subs(entries)))
    return results


def test_softmax_shows_its_shift():
    shown = {str(e.lhs): str(e.rhs) for e in sg.trace(sg.softmax, sg.spec("B", "C")).to_sympy()}
    assert "max(x[i, j], (j, 1, C))" in shown.values()
    assert shown["e[i, c]"] == "exp(-m[i] + x[i, c])"


def test_what_has_no_meaning_is_said():
    with pytest.raises(SymbolicError, match="to_sympy: getitem"):
        sg.trace(lambda x: x[1:], sg.spec("B")).to_sympy()
    cube = sg.op("cube", lambda x: x**3, pullback=(lambda g, y, x: g * 3 * x * x,))
    with pytest.raises(SymbolicError, match=r"cube.*symbol="):
        sg.trace(lambda x: cube(x), sg.spec()).to_sympy()


def test_it_is_there_before_sympy_is_loaded():
    code = (
        "import sys, symgrad as sg\n"
        "g = sg.trace(lambda x: x * x, sg.spec())\n"
        "assert 'sympy' not in sys.modules\n"
        "print(g.to_sympy())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[Eq(y, x**2)]"
