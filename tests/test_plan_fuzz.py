"""Random functions of arrays whose sizes coincide: eager, compiled and fast give the same results and leaves.

Equal sizes, sizes of 1 and 0, broadcasts along every axis, views in every order of memory, and leaves that are
assigned what was computed from them, are what plans confuse most easily. `make fuzz` draws thousands.
"""

import os

import numpy as np
import pytest

import symgrad as sg
from symgrad import nn
from symgrad.plan.fusing import available

EXAMPLES = int(os.environ.get("SYMGRAD_EXAMPLES", "200"))
PER_TEST = 20
CALLS = 3
LIMIT = 1e3  # larger values are not drawn on
MODES = (False, *((True,) if available() else ()))

UNARY = {
    "double": lambda x: x * 2,
    "more": lambda x: x + 1,
    "tanh": sg.tanh,
    "exp": lambda x: sg.exp(-sg.abs(x)),
    "square": sg.square,
    "choice": lambda x: sg.where(x > 0.1, x, -x),
    "cumsum": lambda x: sg.cumsum(x, axis=0),
    "softmax": lambda x: sg.softmax(x, axis=-1),
    "layer_norm": lambda x: nn.functional.layer_norm(x, (x.shape[-1],), eps=0.1),
    "center": lambda x: x - x.mean(axis=0),
    "scale": lambda x: x / (1 + sg.abs(x).sum(axis=-1, keepdims=True)),
    "gram": lambda x: x @ x.T,
    "reverse": lambda x: x.T,
    "permute": lambda x: x.transpose(1, 2, 0),
    "swap": lambda x: sg.swapaxes(x, 0, 1),
    "flip": lambda x: x[::-1],
    "rest": lambda x: x[1:],
    "first": lambda x: x[0],
    "column": lambda x: x[..., :1],
    "rows": lambda x: x[None],
    "columns": lambda x: x[..., None],
    "merge": lambda x: x.reshape(x.shape[0], -1),
    "ravel": lambda x: x.reshape(-1),
    "take": lambda x: x[np.array([0, -1, 0])],
}
BINARY = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / (sg.abs(y) + 0.5),
    "maximum": sg.maximum,
    "larger": lambda x, y: sg.where(sg.tanh(x) > y, x, y * 2),
    "both": lambda x, y: sg.where((x > 0) & (y < 0.3), x - y, 0.0),
    "matmul": lambda x, y: x @ y,
    "turned_matmul": lambda x, y: x.T @ y,
    "below": lambda x, y: sg.concatenate([x, y], axis=0),
    "beside": lambda x, y: sg.concatenate([x, y], axis=-1),
    "products": lambda x, y: (x * y).sum(axis=0),
    "by_rows": lambda x, y: x * y.sum(axis=-1, keepdims=True),
    "by_columns": lambda x, y: x * y.mean(axis=0),
}
REDUCTIONS = {"sum": sg.sum, "mean": sg.mean, "max": sg.max}


class Drawn:
    """A random function of two arrays and two leaves, as a list of steps; drawn by running it."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        n = int(self.rng.choice([1, 2, 3, 4, 4, 40]))
        m = int(self.rng.choice([n, n, 1, 3, 0]))
        shapes = [(n, n), (n, n), (n,), (1, n), (n, 1), (n, m), (), *([(n, n, n), (m, n, n)] if n < 10 else [])]
        self.shapes = [shapes[k] for k in self.rng.integers(len(shapes), size=4)]
        self.dtypes = [np.dtype(d) for d in self.rng.choice([np.float64, np.float64, np.float64, np.float32], 4)]
        self.steps, self.assigned = [], []
        values = [sg.tensor(x) for x in (*self.arguments(0), *self.values())]
        for _ in range(60):
            step = self.step(len(values), values)
            try:
                value = apply(step, values)
            except (sg.SymgradError, ValueError, IndexError):  # of shapes that do not fit
                continue
            if value.size < 5000 and np.abs(value.numpy()).max(initial=0) < LIMIT:
                self.steps.append(step)
                values.append(value)
            if len(self.steps) == 10:
                break
        self.outputs = [len(values) - 1, *self.rng.integers(len(values), size=2)]
        for k in (2, 3):
            fits = [j for j, v in enumerate(values)
                    if (v.shape, v.dtype) == (self.shapes[k], self.dtypes[k]) and j != k]  # fmt: skip
            if fits:
                self.assigned.append((k - 2, int(fits[-1])))
        self.differentiates = self.rng.random() < 0.4

    def step(self, n, values):
        """An op, and the numbers of what it is applied to: late values rather than early ones."""
        p = np.arange(1.0, n + 1)
        at = [int(k) for k in self.rng.choice(n, 2, p=p / p.sum())]
        kind = self.rng.random()
        if kind < 0.4:
            return UNARY[self.rng.choice(list(UNARY))], at[:1], {}
        if kind < 0.8:
            return BINARY[self.rng.choice(list(BINARY))], at, {}
        axes = [None, *range(values[at[0]].ndim), (0, 1), (1, 2), (0, 2)]
        options = {"axis": axes[self.rng.integers(len(axes))], "keepdims": bool(self.rng.integers(2))}
        return REDUCTIONS[self.rng.choice(list(REDUCTIONS))], at[:1], options

    def arguments(self, call):
        """New numbers for every call, and another order of memory."""
        rng = np.random.default_rng(call)
        arrays = [np.asarray(rng.standard_normal(s), d) for s, d in zip(self.shapes[:2], self.dtypes[:2], strict=True)]
        return [np.asarray(x, order="F") if call == 1 else x[::-1].copy()[::-1] if call == 2 and x.ndim else x
                for x in arrays]  # fmt: skip

    def values(self):
        rng = np.random.default_rng(7)
        return [np.asarray(rng.standard_normal(s), d) for s, d in zip(self.shapes[2:], self.dtypes[2:], strict=True)]

    def function(self, leaves):
        def computed(*args):
            values = [*args, *leaves]
            for step in self.steps:
                values.append(apply(step, values))
            return values

        def f(x, y):
            values = computed(x, y)
            results = [values[k] for k in self.outputs]
            if self.differentiates:
                results.append(sg.grad(lambda x: sg.sin(computed(x, y)[self.outputs[0]]).sum())(x))
            for k, j in self.assigned:
                leaves[k].assign(values[j])
            return tuple(results)

        return f

    def run(self, fast=None):
        """Results and leaves after every call: eager, or compiled."""
        leaves = [sg.tensor(v, name=f"w{k}") for k, v in enumerate(self.values())]
        f = self.function(leaves)
        called = f if fast is None else sg.compile(f, fast=fast)
        found, held = [], []
        for call in range(CALLS):
            args = self.arguments(call)
            before = [x.copy() for x in args]
            with np.errstate(all="ignore"):
                results = called(*(map(sg.tensor, args) if fast is None else args))
            results = [y.numpy() if fast is None else y for y in results]
            assert all(map(np.array_equal, args, before)), "an argument was written to"
            held.append((results, [y.copy() for y in results]))
            found += [y.copy() for y in (*results, *(leaf.numpy() for leaf in leaves))]
        for results, copies in held:
            assert all(map(np.array_equal, results, copies)), "a result changed later"
        return found


def apply(step, values):
    f, at, options = step
    return f(*[values[k] for k in at], **options)


def largest(arrays):
    return max(float(np.abs(x).max(initial=1)) for x in arrays)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("start", range(0, EXAMPLES, PER_TEST))
def test_random_functions_agree(start):
    for seed in range(start, start + PER_TEST):
        drawn = Drawn(seed)
        expected = drawn.run()
        if not largest(expected) < LIMIT:  # the leaves have grown
            continue
        tolerance = 1e-9 if all(d == np.float64 for d in drawn.dtypes) else 1e-3
        for fast in MODES:
            found, again = drawn.run(fast), drawn.run(fast)
            for k, (a, b, same) in enumerate(zip(found, expected, again, strict=True)):
                where = f"seed {seed}, fast={fast}, result {k}"
                assert (a.shape, a.dtype) == (b.shape, b.dtype), where
                np.testing.assert_array_equal(a, same, err_msg=where)
                np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * largest([b]), err_msg=where)
