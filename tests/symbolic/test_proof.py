"""Soundness: what is proved is true, what is false gets a counterexample, and the known traps."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy

import symgrad as sg
from symgrad.errors import SymbolicError
from symgrad.symbolic import derive, prove
from symgrad.symbolic.exact import Evaluator, Intervals
from symgrad.symbolic.normal import Poly
from symgrad.symbolic.rewrite import free_indices

B = sympy.Symbol("B", integer=True, positive=True)
i, j, k = sympy.symbols("i j k", integer=True)
u, g = sympy.IndexedBase("u"), sympy.IndexedBase("g")


@pytest.fixture(scope="module")
def bn():
    return derive("batchnorm")


@pytest.mark.parametrize(
    ("left", "right", "verdict"),
    [
        ("sqrt(x**2)", "x", "FALSE"),
        ("sqrt(x**2)", "abs(x)", "PROVED"),
        ("(x**2)**1.5", "abs(x)**3", "PROVED"),
        ("(x + y)**2", "x**2 + 2*x*y + y**2", "PROVED"),
        ("(x + y)**2", "x**2 + y**2", "FALSE"),
        ("exp(x)*exp(y)", "exp(x + y)", "PROVED"),
        ("exp(2*x)", "exp(x)**2", "PROVED"),
        ("log(exp(x))", "x", "PROVED"),
        ("1/(1 + exp(-x))", "exp(x)/(1 + exp(x))", "PROVED"),
        ("tanh(x)", "x", "FALSE"),
        ("x/(1 + x**2)", "1/(1 + x**2)*x", "PROVED"),
        ("1/(1 + x**2) + x**2/(1 + x**2)", "1", "PROVED"),
        ("sqrt(2)*sqrt(2)", "2", "PROVED"),
        ("sqrt(8)", "2*sqrt(2)", "PROVED"),
        ("(x - 1)*(x - 2)*(x - 3)", "0", "FALSE"),
        ("sin(x)**2 + cos(x)**2", "1", "PROVED"),
        ("cos(x)**4", "1 - 2*sin(x)**2 + sin(x)**4", "PROVED"),
        ("1 + tan(x)**2", "1/cos(x)**2", "PROVED"),
        ("exp(1/cos(x))", "exp(1)", "FALSE"),
        ("abs(x)**2", "x**2", "PROVED"),
        ("tanh(x)", "(exp(2*x) - 1)/(exp(2*x) + 1)", "PROVED"),
        ("tanh(x)", "(exp(2*x) - 1)/(exp(2*x) + 2)", "FALSE"),
        ("cosh(x)**2 - sinh(x)**2", "1", "PROVED"),
        ("1/(1 + exp(-x))", "(1 + tanh(x/2))/2", "PROVED"),
        ("log(x*y)", "log(x) + log(y)", "PROVED"),
        ("log(x*x)", "2*log(x)", "PROVED"),
        ("log(x + y)", "log(x) + log(y)", "FALSE"),
        ("atan(x) + atan(1/x)", "pi/2", "FALSE"),
        ("asin(x) + acos(x)", "pi/2", "UNKNOWN"),
        ("cos(pi)", "-1", "UNKNOWN"),
        ("pi", "3", "FALSE"),
        ("Sum(2*x[j], (j, 1, B))", "2*Sum(x[k], (k, 1, B))", "PROVED"),
        ("Sum(1, (j, 1, B))", "B", "PROVED"),
        ("Sum(x[j], (j, 1, B))", "B*y", "FALSE"),
    ],
)
def test_scalar_identities(left, right, verdict):
    found = prove(left, right)
    assert found.verdict == verdict
    assert (found.counterexample is not None) == (verdict == "FALSE")


def test_sums_from_sympy():
    double = sympy.Sum(u[j] * g[k], (j, 1, B), (k, 1, B))
    assert prove(double, sympy.Sum(u[j], (j, 1, B)) * sympy.Sum(g[k], (k, 1, B)))
    assert prove(sympy.Sum(u[j] ** 2, (j, 1, B)), sympy.Sum(u[j], (j, 1, B)) ** 2).verdict == "FALSE"
    assert prove(sympy.Sum(1, (j, 1, B)), B)
    assert prove(sympy.Sum(sympy.KroneckerDelta(i, j) * u[j], (j, 1, B)), u[i])


def test_nested_sympy_sums_with_equal_letters_are_not_captured():
    inner = sympy.Sum(u[j], (j, 1, B))
    assert prove(sympy.Sum(g[k] * inner, (k, 1, B)), inner * sympy.Sum(g[j], (j, 1, B)))


def test_functions():
    spec = {"z": sg.spec("B")}
    assert prove(lambda z: sg.sum((z - sg.mean(z)) ** 2), lambda z: sg.sum(z * z) - sg.sum(z) ** 2 / z.shape[0], **spec)
    assert prove(lambda z: sg.sum(z), lambda z: sg.mean(z), **spec).verdict == "FALSE"


def test_the_gradient_itself_and_a_correct_rewriting_are_proved(bn):
    gamma, sigma2, eps = sympy.symbols("gamma sigma2 eps")
    root = sympy.sqrt(sigma2 + eps)
    assert bn.prove("z", bn.gradients["z"])
    total, moment = sympy.Sum(g[j], (j, 1, B)), sympy.Sum(g[j] * u[j], (j, 1, B))
    assert bn.prove("z", gamma / root * (g[i] - total / B - u[i] * moment / B))


def test_a_difference_that_vanishes_at_small_sizes_is_false(bn):
    gamma = sympy.Symbol("gamma")
    wrong = bn.gradients["z"] + gamma * (B - 1) * (B - 2) * (B - 3)
    found = bn.prove("z", wrong)
    assert found.verdict == "FALSE"
    assert found.counterexample["B"] >= 4


def test_a_difference_that_vanishes_only_at_eps_zero_is_false(bn):
    sigma2, eps = sympy.Symbol("sigma2"), sympy.Symbol("eps")
    expected = bn.gradients["z"]
    at_zero = expected * sympy.sqrt(sigma2 + eps) / sympy.sqrt(sigma2)
    assert bn.prove("z", at_zero).verdict == "FALSE"


def test_equivalent_mutant_is_proved(bn):
    wrong_looking = bn.gradients["z"] + sympy.Symbol("gamma") * sympy.Sum(u[j], (j, 1, B)) * u[i]  # sum u = 0
    assert bn.prove("z", wrong_looking)


def mutants(poly):
    """Sign flipped, term dropped, doubled, a factor missing or doubled, an index exchanged: for each term."""
    for monomial, c in sorted(poly.terms.items()):
        term = Poly({monomial: c})
        yield poly - term
        yield poly - term.scale(2)
        yield poly + term
        for f, _ in monomial:
            factor = Poly({((f, 1),): 1})
            if f.rank != 2:
                inverse = Poly({((f, -1),): 1})
                yield poly - term + term * factor
                yield poly - term + term * inverse
            else:
                yield poly - term + term * factor
    yield poly.scale(-1)


def differs(d, argument, mutant, poly):
    """Whether two normal forms differ at a point, evaluated by loops in interval arithmetic, apart from the prover."""
    rng = np.random.default_rng(1)
    sizes = {"B": 5}
    point = {("gamma", ()): Fraction(7, 5), ("beta", ()): Fraction(1, 3), ("eps", ()): Fraction(2, 7)}
    for n in range(5):
        for name in ("z", "g"):
            point[name, (n,)] = Fraction(int(rng.integers(-40, 40)), 7)
    value = Evaluator(sizes, point, d.program, Intervals())
    free = sorted(free_indices(mutant - poly))
    return any(0 not in value.poly(mutant - poly, dict.fromkeys(free, n)) for n in range(5))


@pytest.mark.parametrize("argument", ["z", "gamma", "beta"])
def test_every_mutant_is_refuted_or_truly_equivalent(bn, argument):
    poly = bn.polys[argument]
    node = bn.record.arguments[argument]
    count = 0
    for mutant in mutants(poly):
        found = bn.certify(node, mutant)
        assert found.verdict == ("FALSE" if differs(bn, argument, mutant, poly) else "PROVED"), mutant
        count += found.verdict == "FALSE"
    assert count >= {"z": 30, "gamma": 4, "beta": 4}[argument]


def test_a_wrong_index_is_refuted(bn):
    wrong = bn.gradients["z"] + sympy.Symbol("gamma") * (
        sympy.Sum(g[j] * u[i], (j, 1, B)) - sympy.Sum(g[i] * u[j], (j, 1, B))
    )
    assert bn.prove("z", wrong).verdict == "FALSE"


def test_positivity_is_derived_or_printed():
    derived = derive(lambda z, eps=0.1: 1 / sg.sqrt(sg.sum(z**2) + eps), z=sg.spec("B"))
    assert derived.assumptions == (r"\epsilon > 0",)
    assumed = derive(lambda z: 1 / sg.sqrt(sg.sum(z)), z=sg.spec("B"))
    assert len(assumed.assumptions) == 1
    assert "z_j" in assumed.assumptions[0]
    exponential = derive(lambda z: sg.log(sg.sum(sg.exp(z))), z=sg.spec("B"))
    assert exponential.assumptions == ()


def test_raw_moments_are_not_known_to_be_positive():
    raw = derive(lambda z, eps=0.1: 1 / sg.sqrt(sg.mean(z * z) - sg.mean(z) ** 2 + eps), z=sg.spec("B"))
    assert len(raw.assumptions) == 2


def test_cancelling_keeps_the_point_in_the_domain():
    d = derive(lambda z, w: z / z * w, z=sg.spec("B"), w=sg.spec("B"))
    assert d.gradients["z"] == 0
    assert d.domain == (r"z_i \ne 0",)


def test_a_division_that_is_not_known_to_be_safe_is_in_the_ledger():
    d = derive(lambda x, y: x / (y - 1), x=sg.spec(), y=sg.spec())
    assert d.domain == (r"y - 1 \ne 0",)


def test_abs_excludes_its_kink():
    d = derive(lambda x: sg.abs(x) * x, x=sg.spec("N"))
    assert d.domain == (r"x_i \ne 0",)
    assert d.proofs["x"]


def test_a_counterexample_respects_the_assumptions():
    def f(x):
        return sg.sqrt(x * x * x) / sg.sqrt(x)

    assert prove(f, lambda x: x, x=sg.spec()).verdict != "FALSE"  # equal wherever the roots exist: x > 0
    found = prove(lambda x: sg.sqrt(x) * 2, lambda x: sg.sqrt(x), x=sg.spec())
    assert found.verdict == "FALSE"
    assert found.counterexample["x"] > 0


def test_the_library_softmax_with_its_shift_is_proved_for_every_shift():
    d = derive(lambda z: sg.softmax(z), z=sg.spec("B", "C"))
    assert str(d.gradients["z"]) == "(g[i, c] - Sum(g[i, j]*p[i, j], (j, 1, C)))*p[i, c]"
    assert d.proofs["z"]


def test_second_derivatives_are_symmetric():
    d = derive("batchnorm")
    second = d.second("z", "z")
    q = sympy.Symbol("q", integer=True)
    swapped = second.xreplace({i: q, q: i})
    assert sympy.expand(second - swapped) == 0


def test_the_counterexample_of_the_arc_tangents_is_negative():
    found = prove("atan(x) + atan(1/x)", "pi/2")
    assert found.counterexample["x"] < 0
    assert float(found.counterexample["difference"]) == pytest.approx(-np.pi)


def test_one_name_is_one_array():
    with pytest.raises(SymbolicError, match="different indices"):
        prove("Sum(x[j], (j, 1, B))", "B*x")


def test_what_a_proof_assumes_is_listed():
    assert prove("log(x*y)", "log(x) + log(y)").assumptions == (r"x\,y > 0", "x > 0", "y > 0")


def test_the_size_of_a_power_of_a_function_value_is_no_other_value():
    def f(x):
        y = sg.named(sg.abs(x) + 1.0, "y")
        return (x**2) ** 0.5 * y

    d = derive(f, x=sg.spec("N"))
    assert d.proofs["x"]
    assert d.check()
    assert prove(f, lambda x: sg.abs(x) * (1 + sg.abs(x)), x=sg.spec("N"))


def test_powers_with_a_symbolic_exponent_in_a_definition_that_is_solved():
    def f(t, beta):
        root = sg.named(1 - beta**t, "r")
        return root * beta ** (t + 1)

    d = derive(f, t=sg.spec(), beta=sg.spec(positive=True))
    assert all(d.proofs.values())
    assert d.check()


def test_adam_is_derived_and_proved():
    from symgrad.optim import rules

    s = sg.spec
    hyper = dict.fromkeys(["lr", "beta1", "beta2", "eps"], s(positive=True))
    states = {"theta": s("N"), "g": s("N"), "m": s("N"), "v": s("N"), "t": s(positive=True)}
    for k in range(3):
        d = derive(lambda theta, g, m, v, t, lr, beta1, beta2, eps, k=k: rules.adam(
            theta, g, m, v, t, lr=lr, beta1=beta1, beta2=beta2, eps=eps)[k], **states, **hyper)  # fmt: skip
        assert all(d.proofs.values())


def test_nothing_flows_through_a_stopped_value_or_a_step():
    for held in (sg.stop_gradient, sg.floor, sg.sign, lambda x: x > 0, lambda x: sg.floor(x / 2.0)):
        d = derive(lambda x, held=held: x * held(x), x=sg.spec("B"))
        assert d.proofs["x"]
        assert d.check()
        assert not d.certify(d.record.arguments["x"], d.polys["x"].scale(2))


def test_values_that_are_only_computed_are_compared_by_what_they_compute():
    def shift(factor):
        return lambda x: sg.stop_gradient(sg.max(factor * x, axis=1))

    spec = {"x": sg.spec("B", "C")}
    assert prove(shift(1.0), shift(1.0), **spec)
    assert prove(shift(2.0), shift(1.0), **spec).verdict == "FALSE"
    doubled = prove(shift(2.0), lambda x: 2 * sg.stop_gradient(sg.max(x, axis=1)), **spec)
    assert doubled.verdict == "UNKNOWN"  # true, and not refuted


def test_a_value_that_is_known_by_name_only_refutes_nothing():
    first = prove(lambda x: sg.stop_gradient(x[1:]), lambda x: sg.stop_gradient(x[1:]), x=sg.spec("B"))
    assert first.verdict == "UNKNOWN"


def test_a_wrong_softmax_gradient_is_refuted_with_the_shift_that_it_has():
    d = derive("softmax")
    found = d.certify(d.record.arguments["x"], d.polys["x"].scale(2))
    assert found.verdict == "FALSE"
    assert set(found.counterexample) == {"B", "C", "x", "g", "index", "difference"}


def test_gradients_are_compared_with_text(bn):
    assert bn.prove("z", str(bn.gradients["z"]))
    assert bn.prove("z", "g[i]").verdict == "FALSE"
    assert bn.prove("gamma", "Sum(g[j]*u[j], (j, 1, B))")
    for text in ("g", "g[1]", "g[k]", "w[i]", "__import__('os')", "Sum(g[j], (j, 2, B))"):
        with pytest.raises(SymbolicError):
            bn.prove("z", text)
    with pytest.raises(SymbolicError, match="cannot read"):
        bn.prove("z", object())
