"""Random compositions of elementwise ops: graph, compiled plan and mpmath agree in derivatives of orders 0 to 3.

`make fuzz` draws thousands; SYMGRAD_EXAMPLES says how many.
"""

import os

import mpmath
import numpy as np
import sympy
from hypothesis import Phase, assume, example, given, settings
from hypothesis import strategies as st

import symgrad as sg
from symgrad.op import OPS

EXAMPLES = int(os.environ.get("SYMGRAD_EXAMPLES", "40"))
DIGITS = 50
ULPS = 32  # of each step's result, and of 1 in each local derivative, carried to the end
LIMIT = 1e4  # larger results are not drawn on
TRUTH = ("Eq(", "Ne(", "And(", "Or(", "Not(", "<", ">")
POOL = [
    name
    for name, op in OPS.items()
    if op.indices == "elementwise" and op.symbol and op.pullback and not op.orders and op.arity in (1, 2)
    if not any(word in op.symbol for word in TRUTH)
]
ORDERED = [f"{name} {n}" for name, op in OPS.items() if op.orders == (0,) and op.pullback for n in (0, 1, 2)]
POOL += ORDERED  # functions of an order and a number, with the order given
X, Y = sympy.symbols("x y", real=True)


def applied(name, *inputs):
    """An op of the table on numbers, arrays or Tensors."""
    base, *order = name.split()
    return OPS[base](*map(int, order), *inputs)


def arity(name):
    return 1 if name in ORDERED else OPS[name].arity


def spherical_bessel(n, z):
    return mpmath.sqrt(mpmath.pi / (2 * z)) * mpmath.besselj(n + mpmath.mpf(1) / 2, z)


def exactly(name):
    """The op's symbol as a function of mpmath's numbers."""
    base, *order = name.split()
    op = OPS[base]
    text = op.symbol if any(c in op.symbol for c in "(+-*/ ") else f"{op.symbol}(x)"
    names = {"x": X, "y": Y}
    f = sympy.lambdify((X, Y)[: op.arity], sympy.sympify(text, locals=names), [{"jn": spherical_bessel}, "mpmath"])

    def real(*inputs):
        value = f(*map(int, order), *inputs)
        if isinstance(value, mpmath.mpc):
            raise ValueError(f"{name} is not real there")
        return value

    return real


EXACT = {name: exactly(name) for name in POOL}


def undisturbed(k, value, inputs, x):
    return value


def run(steps, first, second, apply, disturbed=undisturbed):
    """The last result of a composition, in whatever numbers ``apply`` works on."""
    values = [first, second]
    for k, (name, at) in enumerate(steps):
        inputs = [values[i] for i in at]
        values.append(disturbed(k, apply(name, *inputs), inputs, first))
    return values[-1]


@st.composite
def compositions(draw):
    """A point, and up to eight steps whose values there are finite; each uses the result of the step before."""
    point = [draw(st.floats(0.25, 2.0, width=32)) for _ in range(2)]
    values, steps = list(point), []
    for _ in range(draw(st.integers(1, 8))):
        name = draw(st.sampled_from(POOL))
        before = draw(st.integers(0, len(values) - 1)) if arity(name) == 2 else None
        last = len(values) - 1
        at = (last,) if before is None else (last, before) if draw(st.booleans()) else (before, last)
        with np.errstate(all="ignore"):
            value = float(applied(name, *[np.float64(values[i]) for i in at]))
        if not abs(value) < LIMIT or abs(value) < 1 / LIMIT:
            name, at = "cos", (last,)  # which is never singular
            value = float(np.cos(values[last]))
        steps.append((name, at))
        values.append(value)
    return point, steps


def derivative(steps, order):
    """The derivative by the first argument, as a function of both."""

    def f(x, y):
        return run(steps, x, y, applied)

    for _ in range(order):
        f = lambda x, y, g=f: sg.grad(lambda z: g(z, y).sum())(x)  # noqa: E731
    return f


def exact_derivative(steps, point, order, disturbed=undisturbed, direction=0):
    def f(x):
        return run(steps, x, mpmath.mpf(point[1]), lambda name, *args: EXACT[name](*args), disturbed)

    return mpmath.diff(f, mpmath.mpf(point[0]), order, direction=direction) if order else f(mpmath.mpf(point[0]))


def sensitivity(steps, point, order, true):
    """How much arrives of a relative error in every derivative of every step, and of an absolute one of every rule."""
    tiny, total = mpmath.mpf(10) ** -20, abs(true)
    start = mpmath.mpf(point[0])
    for k, (_, at) in enumerate(steps):
        changes = [lambda v, xs, x, j=j: v + tiny * (xs[j] + xs[j] ** 2 + xs[j] ** 3) for j in range(len(at))]
        for j in range(order + 1):
            own = exact_derivative(steps[: k + 1], point, j) / mpmath.factorial(j)
            changes.append(lambda v, xs, x, j=j, own=own: v + tiny * own * (x - start) ** j)
        for change in changes:
            moved = exact_derivative(
                steps, point, order, lambda n, v, xs, x, k=k, c=change: c(v, xs, x) if n == k else v
            )
            total += abs(moved - true) / tiny
    return total


@settings(max_examples=EXAMPLES, derandomize=EXAMPLES <= 40, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@example(([0.375, 0.43359375], [("erfinv", (1,)), ("subtract", (0, 2)), ("sin", (3,)), ("div0", (4, 3))]), 2)
@given(compositions(), st.integers(0, 3))
def test_random_compositions_agree(drawn, order):
    point, steps = drawn
    with mpmath.workdps(DIGITS):
        try:
            true = exact_derivative(steps, point, order)
            sides = [exact_derivative(steps, point, order, direction=d) for d in (-1, 1)]
            assume(isinstance(true, mpmath.mpf) and mpmath.isfinite(true))
            assume(all(isinstance(s, mpmath.mpf) and abs(s - true) <= (1 + abs(true)) / 10**8 for s in sides))
            scale = sensitivity(steps, point, order, true)
        except (ValueError, ZeroDivisionError, TypeError, mpmath.libmp.NoConvergence):
            assume(False)
        assume(mpmath.isfinite(scale) and scale < 1e9)
        tolerance = float(ULPS * (order + 1) * np.finfo(float).eps * (scale + 1e-15))
    f = derivative(steps, order)
    arrays = [np.array([p]) for p in point]
    with np.errstate(all="ignore"):
        eager = np.asarray(f(*arrays))[0]
        compiled = np.asarray(sg.compile(f)(*arrays))[0]
    assert abs(eager - float(true)) <= tolerance, (point, steps, eager, float(true))
    assert abs(compiled - float(true)) <= tolerance, (point, steps, compiled, float(true))


def test_a_wrong_rule_does_not_pass():
    """The tolerance of an ordinary composition is far below an error of one percent."""
    steps, point = [("tanh", (0,)), ("multiply", (2, 1)), ("exp", (3,)), ("add", (4, 2))], [0.5, 0.75]
    with mpmath.workdps(DIGITS):
        for order in (1, 2, 3):
            true = exact_derivative(steps, point, order)
            assert (
                float(ULPS * (order + 1) * np.finfo(float).eps * sensitivity(steps, point, order, true) / abs(true))
                < 1e-10
            )
