"""End to end: gradients, proofs, steps, texts, source and numeric check, with nothing known about any layer."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import sympy

import symgrad as sg
from symgrad.errors import SymbolicError
from symgrad.nn import functional
from symgrad.symbolic import catalogue, derive, parse, prove
from symgrad.symbolic.proof import expand
from symgrad.symbolic.sharing import shared

B = sympy.Symbol("B", integer=True, positive=True)
BN = {"z": sg.spec("B"), "gamma": sg.spec(), "beta": sg.spec()}


def test_batchnorm_formulas():
    d = derive("batchnorm")
    i, j = sympy.symbols("i j", integer=True)
    g, u = (sympy.IndexedBase(n, real=True) for n in "gu")
    gamma, sigma2 = sympy.Symbol("gamma", real=True), sympy.Symbol("sigma2", real=True)
    eps = sympy.Symbol("eps", real=True, positive=True)
    total, moment = sympy.Sum(g[j], (j, 1, B)), sympy.Sum(g[j] * u[j], (j, 1, B))
    assert d.gradients["z"] == gamma / (B * sympy.sqrt(sigma2 + eps)) * (B * g[i] - total - u[i] * moment)
    assert d.gradients["gamma"] == moment
    assert d.gradients["beta"] == total
    assert list(d.definitions) == ["mu", "sigma2", "u", "z_hat"]
    assert d.assumptions == (r"\epsilon > 0",)
    assert {n: p.verdict for n, p in d.proofs.items()} == dict.fromkeys(d.gradients, "PROVED")


def test_batchnorm_latex():
    line = derive("batchnorm").latex().splitlines()[1]
    assert line == (
        r"\frac{\partial L}{\partial z_i} &= \frac{\gamma}{B\,\sqrt{\sigma_B^2 + \epsilon}}\,"
        r"\left(B\,g_i - \sum_{j=1}^{B} g_j - u_i\,\sum_{j=1}^{B} g_j\,u_j\right) \\"
    )


def test_batchnorm_steps_are_all_proved_and_tell_the_story():
    steps = derive("batchnorm").steps
    assert all(s.certificate for s in steps)
    assert [s.node for s in steps if s.rule == "adjoint"] == ["z_hat", "u", "sigma2", "mu"]
    invariants = {s.before: s.after for s in steps if s.rule == "invariant"}
    assert invariants[r"\sum_{j=1}^{B} u_j"] == "0"
    assert len(invariants) == 2


def test_batchnorm_jacobian():
    jacobian = derive("batchnorm").jacobian("z")
    i, q = sympy.symbols("i q", integer=True)
    u = sympy.IndexedBase("u", real=True)
    gamma, sigma2 = sympy.Symbol("gamma", real=True), sympy.Symbol("sigma2", real=True)
    eps = sympy.Symbol("eps", real=True, positive=True)
    expected = gamma / (B * sympy.sqrt(sigma2 + eps)) * (B * sympy.KroneckerDelta(i, q) - 1 - u[i] * u[q])
    assert sympy.simplify(jacobian - expected) == 0


def test_with_a_feature_axis_it_is_the_same_formula():
    d = derive("batchnorm_2d")
    flat = derive("batchnorm")
    text = str(d.gradients["z"]).replace("i, d", "i").replace("j, d", "j").replace("[d]", "")
    names = {n: sympy.IndexedBase(n) for n in "gu"} | {
        n: sympy.Symbol(n) for n in ("B", "gamma", "eps", "sigma2", "i", "j")
    }
    assert sympy.parse_expr(text, names) == sympy.parse_expr(str(flat.gradients["z"]), names)


def composed(z, gamma, beta, eps=1e-5):
    return gamma * (z - sg.mean(z, axis=0)) / sg.sqrt(sg.var(z, axis=0) + eps) + beta


def renamed(z, gamma, beta, eps=1e-5):
    mu = sg.named(z.mean(axis=0), "m")
    s = sg.named(((z - mu) * (z - mu)).mean(axis=0), "v")
    return sg.named((z - mu) * (s + eps) ** -0.5, "xhat") * gamma + beta


def by_sums(z, gamma, beta, eps=1e-5):
    c = z - z.sum(axis=0) / z.shape[0]
    return beta + gamma * c * sg.reciprocal(sg.sqrt(sg.mean(sg.square(c), axis=0) + eps))


def raw_moments(z, gamma, beta, eps=1e-5):
    mu = sg.mean(z, axis=0)
    return beta + gamma * (z - mu) / sg.sqrt(sg.mean(z * z, axis=0) - mu * mu + eps)


def nested(z, gamma, beta, eps=1e-5):
    def centred(x):
        return sg.named(x - sg.named(sg.mean(x), "a"), "b")

    def scaled(x):
        return sg.named(x / sg.named((sg.mean(x**2) + eps) ** 0.5, "c"), "d")

    return sg.named(gamma * scaled(centred(z)) + beta, "e")


def turned(z, gamma, beta, eps=1e-5):
    row = sg.transpose(sg.expand_dims(z, 1))
    c = row - sg.mean(row, axis=1, keepdims=True)
    return sg.squeeze(gamma * c / sg.sqrt(sg.mean(c**2, axis=1, keepdims=True) + eps) + beta, 0)


def pairwise(z, gamma, beta, eps=1e-5):
    differences = sg.expand_dims(z, 1) - z
    return beta + gamma * sg.mean(differences, axis=1) / sg.sqrt(sg.mean(differences**2, axis=(0, 1)) / 2 + eps)


def by_logarithms(z, gamma, beta, eps=1e-5):
    c = z - sg.mean(z)
    return gamma * c * sg.exp(-sg.log(sg.mean(c * c) + eps) / 2) + beta


@pytest.mark.parametrize("f", [composed, renamed, by_sums, raw_moments, nested, turned, pairwise, by_logarithms])
def test_batchnorm_written_in_other_ways_has_the_same_gradient(f):
    d, reference = derive(f, **BN), derive("batchnorm")
    assert all(d.proofs.values())
    assert d.check()
    for name, gradient in reference.gradients.items():
        assert gradient is not None
        assert prove(d.expanded(name), reference.expanded(name)).verdict == "PROVED"  # one normal form: no difference
    assert prove(d.expanded("z"), 2 * reference.expanded("z")).verdict == "FALSE"


def test_swapped_axes():
    def f(z, gamma, beta, eps=1e-5):
        mu = sg.named(sg.mean(z, axis=1, keepdims=True), "mu")
        sigma2 = sg.named(sg.mean((z - mu) ** 2, axis=1, keepdims=True), "sigma2")
        u = sg.named((z - mu) / sg.sqrt(sigma2 + eps), "u")
        return sg.expand_dims(gamma, 1) * u + sg.expand_dims(beta, 1)

    d = derive(f, z=sg.spec("D", "B"), gamma=sg.spec("D"), beta=sg.spec("D"))
    assert all(d.proofs.values())
    assert d.check()
    text = str(d.gradients["z"])
    assert (
        text == "(B*g[i, b] - u[i, b]*Sum(g[i, j]*u[i, j], (j, 1, B)) - Sum(g[i, j], (j, 1, B)))"
        "*gamma[i]/(B*sqrt(eps + sigma2[i]))"
    )


@pytest.mark.parametrize("name", catalogue())
def test_the_catalogue_derives_proves_and_agrees_with_the_graph(name):
    d = derive(name)
    assert {n: p.verdict for n, p in d.proofs.items()} == dict.fromkeys(d.gradients, "PROVED")
    assert all(s.certificate.verdict == "PROVED" for s in d.steps)
    assert d.check(), str(d.check())
    assert d.latex().count("&=") >= len(d.gradients)
    for left, right in d.program.theorems:  # proved without the theorems themselves
        assert not expand(d.program, left - right)


def test_known_formulas():
    assert str(derive("softmax").gradients["x"]) == "(g[i, c] - Sum(g[i, j]*p[i, j], (j, 1, C)))*p[i, c]"
    assert str(derive("logsumexp").gradients["x"]) == "e[i, c]*g[i]/S[i]"
    assert (
        str(derive("weight_norm").gradients["v"]) == "(g[i, d] - u[i, d]*Sum(g[i, j]*u[i, j], (j, 1, D)))*scale[i]/n[i]"
    )
    assert str(derive("linear").gradients["W"]) == "Sum(g[j, c]*x[j, d], (j, 1, B))"
    assert str(derive("linear_tanh").definitions["z_bar"]) == "(1 - a[i, c]**2)*g[i, c]"


def test_source_is_plain_numpy_and_deterministic(tmp_path):
    source = derive("batchnorm").numpy_source
    assert source == derive("batchnorm").numpy_source
    path = tmp_path / "kernel.py"
    path.write_text(source)
    code = (
        "import sys, numpy as np; sys.path.insert(0, sys.argv[1]); import kernel;"
        "z = np.arange(12.0).reshape(4, 3) ** 2;"
        "y, saved = kernel.forward(z, np.ones(3), np.zeros(3));"
        "d = kernel.backward(np.ones((4, 3)), saved);"
        "assert d[0].shape == (4, 3) and np.allclose(d[0], 0); assert 'symgrad' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, cwd=tmp_path)


def test_source_is_the_same_in_another_process():
    code = "from symgrad.symbolic import derive; print(derive('bn_tanh_network').numpy_source)"
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            text=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1


def test_float32_stays_float32_and_large_means_do_not_cancel():
    rng = np.random.default_rng(0)
    z = (rng.standard_normal((64, 3)) + 1e4).astype(np.float32)
    g = rng.standard_normal((64, 3)).astype(np.float32)
    ones = np.ones(3, np.float32)
    d = derive("batchnorm_2d")
    got = d.backward(z=z, gamma=ones, beta=ones, g=g)["z"]
    exact = d.backward(z=z.astype(np.float64), gamma=ones, beta=ones, g=g)["z"]
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, exact, rtol=2e-3, atol=2e-3)


def test_the_cotangent_is_renamed_if_the_function_has_a_g():
    d = derive(lambda g: g * g, g=sg.spec("N"))
    assert str(d.gradients["g"]) == "2*g[i]*g_bar[i]"


def test_hostile_names_do_not_reach_the_source():
    d = derive(lambda z: sg.named(z * 2, "x; import os") * z, z=sg.spec("N"))
    assert "import os" not in d.numpy_source
    assert d.check()


def test_names_that_look_like_temporaries_are_kept_apart():
    def f(t1, s1, c, dt1):
        return sg.sum(t1 * s1) * c * dt1 + sg.sum((t1 - sg.mean(t1)) ** 2)

    d = derive(f, t1=sg.spec("N"), s1=sg.spec("N"), c=sg.spec(), dt1=sg.spec())
    assert d.check()


def test_reading_errors_name_the_op_and_a_remedy():
    with pytest.raises(SymbolicError, match=r"needs a spec"):
        derive(lambda z: z)
    with pytest.raises(SymbolicError, match=r"no argument"):
        derive(lambda z: z, w=sg.spec())
    with pytest.raises(SymbolicError, match=r"remainder.*floor"):
        derive(lambda z: sg.remainder(z, 2.0), z=sg.spec("N"))
    with pytest.raises(SymbolicError, match=r"catalogue"):
        derive("no such layer")
    with pytest.raises(SymbolicError, match=r"unknown"):
        derive("batchnorm").backward(z=np.ones(3), gama=1.0)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "x.y",
        "x[0]",
        "lambda: 1",
        "x if y else z",
        "2**999999",
        "x**",
        "f(x)",
        "exp(x, k=1)",
        "'a'",
        "1e400",
    ],
)
def test_hostile_text_is_refused(text):
    with pytest.raises(SymbolicError):
        parse(text)


def test_text_keeps_numbers_exact():
    from fractions import Fraction

    from symgrad.symbolic.expr import Num

    assert parse("1e-5") == Num(Fraction(1, 100000))


@pytest.mark.parametrize("name", catalogue())
def test_pages_are_well_formed(name):
    from xml.etree import ElementTree

    d = derive(name)
    page = d.html()
    body = page[page.index("<body>") : page.index("</html>")]
    root = ElementTree.fromstring(body)
    assert len(root.findall(".//math") or root.findall(".//{*}math")) >= len(d.steps)
    assert "PROVED" in d.markdown()


def test_a_hostile_name_cannot_become_markup():
    d = derive(lambda z: sg.named(z * 2, "<script>") * z, z=sg.spec("N"))
    assert "<script>" not in d.html()


def test_sums_are_not_made_into_big_arrays():
    source = derive("attention").numpy_source
    assert "[:, :, None]" not in source
    assert source.count("einsum") + source.count(" @ ") >= 6


def test_what_cannot_be_derived_is_said_at_once():
    refused = {
        "max": lambda x: sg.max(x),
        "getitem": lambda x: x[1:],
        "remainder": lambda x: sg.remainder(x, 3.0),
    }
    for name, f in refused.items():
        with pytest.raises(SymbolicError, match=rf"^{name}: ") as caught:
            derive(f, x=sg.spec("N"))
        assert "column" not in str(caught.value)
    with pytest.raises(SymbolicError, match=r"closed over"):
        derive(lambda x: x * sg.tensor([1.0, 2.0]), x=sg.spec(2))
    with pytest.raises(SymbolicError, match=r"'pi'"):
        derive(lambda pi: pi * 2, pi=sg.spec())


def test_specs_in_order():
    d = derive(sg.batch_norm, sg.spec("B"), sg.spec(), beta=sg.spec())
    assert d.gradients == derive("batchnorm").gradients
    with pytest.raises(SymbolicError, match=r"in order and by name"):
        derive(sg.batch_norm, sg.spec("B"), z=sg.spec("B"))
    with pytest.raises(SymbolicError, match=r"takes 1 positional"):
        derive(lambda x: x, sg.spec(), sg.spec())


def test_only_floats_become_symbols():
    def f(x, eps=0.5, n=2, axis=None, flag=True, *, scale=3.0):
        return sg.sum(x**n, axis=axis) * scale + eps if flag else x

    d = derive(f, x=sg.spec("N"))
    assert str(d.gradients["x"]) == "2*g*scale*x[i]"
    assert list(d.record.constants) == ["eps", "scale"]
    assert str(derive(f, x=sg.spec("N", "M"), n=3, axis=0).gradients["x"]) == "3*scale*g[m]*x[i, m]**2"
    assert derive(f, x=sg.spec("N"), eps=2.0).record.defaults["eps"] == 2.0
    with pytest.raises(SymbolicError, match="nothing to differentiate"):
        derive(f, x=1.0)


def test_a_derivation_is_shown_in_a_line():
    assert repr(derive("batchnorm")) == "Derivation(batchnorm, z: (B,), gamma: (), beta: ())"


def test_the_catalogue_reads_the_functions_that_train():
    for name in ("softmax", "log_softmax", "mse"):
        assert derive(name).function is sg.FUNCTIONS[name]
    assert derive("logsumexp").function.func is sg.logsumexp
    assert derive("softmax_cross_entropy").function is sg.losses.cross_entropy
    for name in ("gelu", "silu", "mish", "leaky_relu"):
        assert derive(name).function is getattr(functional, name)
    assert derive("binary_cross_entropy").function is functional.binary_cross_entropy_with_logits


def test_a_word_is_an_option_where_the_default_is_one():
    assert derive(functional.gelu, sg.spec("N"), approximate="tanh").gradients == derive("gelu_tanh").gradients
    with pytest.raises(SymbolicError, match="needs a spec"):
        derive(lambda x, y: x * y, x=sg.spec("N"), y="N")


def test_emitted_logarithms_of_sums_do_not_overflow():
    x = np.array([-700.0, 0.0, 800.0])
    for name in ("softplus", "mish"):
        d = derive(name)
        np.testing.assert_allclose(d.compiled["forward"](x)[0], d.function(x), rtol=1e-15)


def test_emitted_decimals_are_decimals():
    source = derive("gelu").numpy_source
    assert "dx = g * (c_ / 2 + 0.7071067811865476 * exp_ / np.sqrt(np.pi) * x)" in source
    assert "0000000" not in source[source.index("def forward") :]


def test_the_emitted_softmax_family_is_stable():
    x = np.array([[1e4, 0.0, -1e4], [-1e4, -1e4, -1e4 + 1]])
    g = np.array([[1.0, -2.0, 0.5], [0.3, 0.2, 0.1]])
    for name in ("softmax", "log_softmax", "logsumexp"):
        d = derive(name)
        reference = d.function(sg.tensor(x, requires_grad=True))
        assert ".max(" in d.numpy_source
        np.testing.assert_allclose(d.compiled["forward"](x)[0], reference.numpy(), rtol=1e-12)
        cotangent = g if name != "logsumexp" else g[:, 0]
        expected = sg.vjp(d.function, x)[1](cotangent)[0]
        np.testing.assert_allclose(d.backward(x=x, g=cotangent)["x"], expected, rtol=1e-12, atol=1e-15)
    d = derive("softmax_cross_entropy")
    t = np.array([[0.0, 1.0, 0.0], [0.5, 0.25, 0.25]])
    np.testing.assert_allclose(d.compiled["forward"](x, t)[0], d.function(x, t), rtol=1e-12)


def test_a_row_without_a_finite_element_keeps_its_convention():
    x = np.array([[-np.inf, 0.0], [-np.inf, 1.0]])
    np.testing.assert_array_equal(derive("softmax").compiled["forward"](x)[0], sg.softmax(x))


def test_a_reduction_that_is_only_computed_is_computed_once():
    source = derive(lambda x: sg.exp(x - sg.stop_gradient(sg.max(x, axis=0))) * sg.sum(x), x=sg.spec("N")).numpy_source
    assert source.count(".max(") == 1


def test_a_bound_letter_is_no_argument():
    assert "(k, 1" not in str(derive("attention").gradients)


@pytest.mark.parametrize(("lines", "expected"), [
    (["y = f((a + b) * 2) + (a + b)"], ["c1 = a + b", "y = f(c1 * 2) + c1"]),
    (["x = np.exp(a - b)", "y = a - b"], ["y = a - b", "x = np.exp(y)"]),
    (["x = (a - b)**2 * np.sqrt((a - b)**2 + 1)", "y = a - b"], ["y = a - b", "c1 = y**2", "x = c1 * np.sqrt(c1 + 1)"]),
    (["x = z / (B * N)", "y = g / (B * N)"], ["x = z / (B * N)", "y = g / (B * N)"]),
    (["x = a - b - d", "y = a - (b - d)"], ["x = a - b - d", "y = a - (b - d)"]),
])  # fmt: skip
def test_emitted_lines_compute_nothing_twice(lines, expected):
    assert shared(lines, "c", {"B", "N"}) == expected


def test_new_names_of_emitted_lines_are_free():
    assert shared(["y = (a + b)**2 / (a + b)"], "c", (), {"c1"}) == ["c1_ = a + b", "y = c1_**2 / c1_"]


def test_a_size_is_divided_out_of_a_sum_where_that_saves_a_product():
    source = derive("batchnorm").numpy_source
    assert "B * g" not in source
    assert source.count("z - mu") == 1
