import pytest
import sympy

from viz.algebra import algebra_text
from viz.mathtext import latex_text, name_text, notation_text
from viz.numbers import figure
from viz.scene import plain


@pytest.mark.parametrize(
    ("value", "text"),
    [(-0.8, "−0.8"), (0.0, "0"), (-0.0, "0"), (9.996, "10"), (99999.0, "10⁵"), (12345.0, "12300"),
     (0.00012345, "1.23·10⁻⁴"),
     (-2.5e-8, "−2.5·10⁻⁸"), (float("nan"), "NaN"), (float("-inf"), "−∞"), (True, "true"), (0.99951, "1")],
)  # fmt: skip
def test_figures(value, text):
    assert figure(value) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [("mu", "μ"), ("sigma2", "σ2"), ("z_hat", "ẑ"), ("W1", "W1"), ("loss", "loss"), ("a b", "a b"), ("x__y", "x__y")],
)
def test_names(name, text):
    assert plain(name_text(name)) == text


def test_arguments_are_bracketed_where_they_must_be():
    a, b = name_text("a"), name_text("b")
    total = notation_text("{0} + {1}", [a, b])
    for notation, text in [
        ("{0} - {1}", "a + b − (a + b)"), ("{0} + {1}", "a + b + a + b"), (r"{0}\,{1}", "(a + b)\u2009(a + b)"),
        ("{0}^2", "(a + b)2"), (r"\tanh({0})", "tanh(a + b)"), (r"\frac{{{0}}}{{{1}}}", "(a + b)/(a + b)"),
        ("-{0}", "−(a + b)"), (r"\ln {0}", "ln\u2009(a + b)"), ("e^{{{0}}}", "ea+b"),
    ]:  # fmt: skip
        assert plain(notation_text(notation, [total, total])) == text
    quotient = notation_text(r"\frac{{{0}}}{{{1}}}", [a, b])
    assert plain(notation_text(r"{0}\,{1}", [quotient, a])) == "(a/b)\u2009a"


@pytest.mark.parametrize(
    "latex", ["", "{" * 300, "}" * 300, "^" * 50, "\\", r"\frac", r"\sqrt", r"\text{", "_", r"\hat"]
)
def test_broken_latex_never_raises(latex):
    latex_text(latex)
    name_text("x", latex)


x, y, z = sympy.symbols("x y z", real=True)


@pytest.mark.parametrize(
    ("expression", "text"),
    [(x * (1 - x), "x(1 − x)"), (2 * x, "2x"), (-x / (2 * (y + z)), "−x/(2y + 2z)"), (1 / sympy.sqrt(x), "1/√x"),
     (sympy.exp(-x), "e−x"), (-1 / (1 + x**2), "−1/(x2 + 1)"), (x * y, "x\u2009y"), (3 * x / 2, "3x/2"),
     (sympy.Piecewise((1, x > 0), (0, True)), "1 if x > 0 else 0"), (sympy.pi * x, "π\u2009x"), (x**-2, "1/x2")],
)  # fmt: skip
def test_algebra(expression, text):
    assert plain(algebra_text(expression, {})) == text
