"""Ask symgrad torch's own questions: every sample of every differentiable op of torch's op database.

python tests/oracles/torch_samples.py              how many ops agree in value, gradient and second derivative
python tests/oracles/torch_samples.py NAME ...     these ops, with what differs in each sample
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from opdb import DEFINITE, FLOORS, NO_SECOND, NOT_ASKED, OUT_OF_SCOPE, call_of
from torch.testing._internal.common_methods_invocations import op_db
from torch.testing._internal.opinfo.core import gradcheck_wrapper_hermitian_input

import symgrad as sg

NO_AXIS = "out of range for 0 axes"
TOLERANCE = {
    np.dtype(np.float64): 1e-9,
    np.dtype(np.float32): 1e-6,
}  # of the largest number of the array, or of a floor
NAN, NONE = "torch's derivative is NaN in places", "torch has no derivative"
Answers = dict[str, Any]


def differentiable() -> dict[str, Any]:
    """The public ops of the database that torch differentiates in float64, by name and variant."""
    with_gradient = [o for o in op_db if torch.float64 in o.dtypes and o.supports_autograd]
    public = [o for o in with_gradient if not o.name.startswith("_")]
    return {f"{o.name}.{o.variant_test_name}".rstrip("."): o for o in public}


@dataclass
class Finding:
    """What came of one op."""

    name: str
    verdict: str = "agrees"  # or: differs, refuses, missing, out of scope
    samples: int = 0
    why: list[str] = field(default_factory=list)
    unanswered: Counter[str] = field(default_factory=Counter)  # samples that torch itself answers in part
    not_asked: Counter[str] = field(default_factory=Counter)  # samples that are no question to symgrad


def examine(name: str, op: Any) -> Finding:
    """All samples of an op, asked of torch and of symgrad."""
    found = Finding(name)
    call = symmetric(op, call_of(op.name, op.variant_test_name))
    if call is None:
        reason = OUT_OF_SCOPE.get(f"{op.name}.{op.variant_test_name}", OUT_OF_SCOPE.get(op.name))
        found.verdict, found.why = ("out of scope", [reason]) if reason else ("missing", [])
        return found
    torch.manual_seed(0)
    for sample in op.sample_inputs("cpu", torch.float64, requires_grad=True):
        args, options = (sample.input, *sample.args), dict(sample.kwargs)
        if op.name in DEFINITE:
            args, options = DEFINITE[op.name](args, options)
        asked = NOT_ASKED.get(op.name)
        reason = asked(args, options) if asked is not None else None
        if reason:
            found.not_asked[reason] += 1
            continue
        found.samples += 1
        trouble, unanswered = disagreement(op, call, args, options)
        found.unanswered.update(unanswered)
        if trouble and NO_AXIS in trouble[1]:
            found.samples -= 1
            found.not_asked["torch gives a number an axis 0, NumPy does not"] += 1
        elif trouble:
            found.verdict = "differs" if found.verdict == "differs" or trouble[0] == "differs" else "refuses"
            found.why.append(f"{shown(args)} {shown(options)}: {trouble[1]}")
    if not found.samples:
        found.verdict = "missing"
        found.why.append("no sample")
    return found


def symmetric(op: Any, call: Any) -> Any:
    """The call, with the symmetric part (twice) of its first argument if torch's tests do so with this op."""
    if call is None or op.gradcheck_wrapper is not gradcheck_wrapper_hermitian_input:
        return call
    return lambda a, *args, **options: call(a + a.swapaxes(-1, -2), *args, **options)


def disagreement(op: Any, call: Callable[..., Any], args: Any, options: Any) -> tuple[tuple[str, str] | None, set[str]]:
    """What one sample shows: None, or (verdict, what); and which of torch's own answers are missing."""
    leaves = list(floats_of((args, options)))
    try:
        theirs, complete = by_torch(op, args, options, leaves)
    except RuntimeError as error:
        return ("differs", f"torch: {error}"), set()
    unanswered = {NAN for part, y in theirs.items() if not part.startswith("value") and np.isnan(y).any()}
    if not complete:
        unanswered.add(NONE)
    try:
        with np.errstate(all="ignore"):
            ours = by_symgrad(call, args, options, leaves, theirs)
    except Exception as error:  # whatever a user would see
        return ("refuses", f"{type(error).__name__}: {error}"), unanswered
    what = difference(ours, theirs, FLOORS.get(op.name, 1e-3))
    return (("differs", what) if what else None), unanswered


# Trees of arguments


def floats_of(tree: Any) -> Iterator[Any]:
    """The tensors of a tree that are differentiated."""
    if isinstance(tree, torch.Tensor):
        if tree.requires_grad:
            yield tree
    elif isinstance(tree, dict):
        for v in tree.values():
            yield from floats_of(v)
    elif isinstance(tree, (tuple, list)):
        for v in tree:
            yield from floats_of(v)


def mapped(f: Callable[[Any], Any], tree: Any) -> Any:
    """A tree with every tensor replaced."""
    if isinstance(tree, torch.Tensor):
        return f(tree)
    if isinstance(tree, dict):
        return {k: mapped(f, v) for k, v in tree.items()}
    if type(tree) in (tuple, list, torch.Size):
        return tuple(mapped(f, v) for v in tree) if type(tree) is not list else [mapped(f, v) for v in tree]
    return tree


def numpy_types(tree: Any) -> Any:
    """A tree with NumPy's element types in place of torch's."""
    if isinstance(tree, torch.dtype):
        return np.dtype(str(tree).removeprefix("torch."))
    if isinstance(tree, dict):
        return {k: numpy_types(v) for k, v in tree.items()}
    return type(tree)(map(numpy_types, tree)) if type(tree) in (tuple, list) else tree


def outputs(tree: Any) -> list[Any]:
    """The arrays of a result, in order."""
    if isinstance(tree, (tuple, list)):
        return [y for part in tree for y in outputs(part)]
    return [] if tree is None else [tree]


def shown(tree: Any) -> str:
    """Arguments with shapes in place of tensors."""
    return str(mapped(lambda t: f"{str(t.dtype).removeprefix('torch.')}{list(t.shape)}", tree))


# Answers


def weights(what: str, shape: Any) -> Any:
    """Fixed numbers that both sides use as cotangent and direction."""
    return np.random.default_rng(sum(map(ord, what))).uniform(-1, 1, tuple(shape))


def curvature(value: Any) -> float:
    """The factor of y**2 in the scalar that is differentiated."""
    finite = np.abs(value[np.isfinite(value)])
    return 1 / float(1 + np.max(finite, initial=0.0))


def by_torch(op: Any, args: Any, options: Any, leaves: list[Any]) -> tuple[Answers, bool]:
    """Values, the gradient of a curved and weighted sum of them, and that gradient's derivative along a direction.

    Also whether torch has all of these.
    """
    fresh = {id(t): t.detach().requires_grad_() for t in leaves}
    args, options = mapped(lambda t: fresh.get(id(t), t), (args, options))
    xs = list(fresh.values())
    results = outputs(symmetric(op, op)(*args, **options))
    found: Answers = {f"value{k}": y.numpy(force=True) for k, y in enumerate(results)}
    scalar = None
    for k, y in enumerate(results):
        if y.is_floating_point() and y.requires_grad:
            w = torch.tensor(weights(f"y{k}", y.shape), dtype=y.dtype)
            term = ((y + curvature(found[f"value{k}"]) * y * y) * w).sum()
            scalar = term if scalar is None else scalar + term
    if scalar is None or not xs:
        return found, True
    twice = op.supports_gradgrad and f"{op.name}.{op.variant_test_name}" not in NO_SECOND
    first = derivatives(scalar, xs, create_graph=twice)
    if first is None:
        return found, False
    first = [torch.zeros_like(x) if g is None else g for g, x in zip(first, xs, strict=True)]
    found |= {f"first{k}": g.numpy(force=True) for k, g in enumerate(first)}
    if not twice:
        return found, False
    slope = sum((g * torch.tensor(weights(f"v{k}", g.shape), dtype=g.dtype)).sum() for k, g in enumerate(first))
    second = derivatives(slope, xs) if slope.requires_grad else [None] * len(xs)
    if second is None:
        return found, False
    for k, (h, x) in enumerate(zip(second, xs, strict=True)):
        found[f"second{k}"] = np.zeros(x.shape) if h is None else h.numpy(force=True)
    return found, True


def derivatives(y: Any, xs: list[Any], **options: Any) -> Any:
    """Torch's derivatives, or None where it says that it has none."""
    try:
        return torch.autograd.grad(y, xs, allow_unused=True, **options)
    except RuntimeError as error:
        if "not implemented" in str(error):
            return None
        raise


def by_symgrad(call: Callable[..., Any], args: Any, options: Any, leaves: list[Any], theirs: Answers) -> Answers:
    """The same with symgrad."""
    places = {id(t): k for k, t in enumerate(leaves)}

    def run(*xs: Any) -> list[Any]:
        def given(t: Any) -> Any:
            if id(t) in places:
                return xs[places[id(t)]]
            a = t.numpy(force=True)
            return sg.tensor(a) if a.dtype.kind == "f" else a

        with_ours, options_ours = mapped(given, numpy_types((args, options)))
        return outputs(call(*with_ours, **options_ours))

    def scalar(*xs: Any) -> Any:
        total: Any = 0.0
        for k, y in enumerate(run(*xs)):
            if y.dtype.kind == "f" and getattr(y, "requires_grad", False):
                curved = y + curvature(theirs[f"value{k}"]) * y * y
                total = total + (curved * weights(f"y{k}", y.shape).astype(y.dtype)).sum()
        return total

    points = [sg.tensor(t.detach().numpy(), requires_grad=True) for t in leaves]
    found: Answers = {f"value{k}": np.asarray(y) for k, y in enumerate(run(*points))}
    if "first0" not in theirs:
        return found
    every, arrays = tuple(range(len(points))), [p.numpy() for p in points]
    first = sg.grad(scalar, every)
    found |= {f"first{k}": np.asarray(g) for k, g in enumerate(first(*arrays))}
    if "second0" in theirs:

        def slope(*xs: Any) -> Any:
            return sum((g * weights(f"v{k}", g.shape)).sum() for k, g in enumerate(first(*xs)))

        found |= {f"second{k}": np.asarray(h) for k, h in enumerate(sg.grad(slope, every)(*arrays))}
    return found


def difference(ours: Answers, theirs: Answers, floor: float) -> str | None:
    """What differs by more than the tolerance, or None; where torch's derivative is NaN it has no answer."""
    if ours.keys() != theirs.keys():
        return f"answers {sorted(ours)} against {sorted(theirs)}"
    for part, y in theirs.items():
        x = ours[part]
        if x.shape != y.shape or x.dtype.kind != y.dtype.kind:
            return f"{part}: {x.dtype}{x.shape} against {y.dtype}{y.shape}"
        tolerance = TOLERANCE.get(theirs["value0"].dtype, TOLERANCE[np.dtype(np.float64)])
        x, y = x.astype(float), y.astype(float)
        known = ~np.isnan(y) if part.startswith(("first", "second")) else np.ones(y.shape, bool)
        x, y = x[known], y[known]
        finite = np.isfinite(y)
        if not np.array_equal(x[~finite], y[~finite], equal_nan=True):
            return f"{part}: {x[~finite][:3]} against {y[~finite][:3]}"
        error = np.max(np.abs(x[finite] - y[finite]), initial=0.0)
        if not error <= tolerance * np.max(np.abs(y[finite]), initial=floor):
            return f"{part}: differs by {error:.3g} of {np.max(np.abs(y[finite]), initial=0.0):.3g}"
    return None


def main(names: list[str]) -> int:
    """Print what agrees and what does not; exit code 1 if something differs or is refused."""
    warnings.simplefilter("ignore")
    found = [examine(n, op) for n, op in differentiable().items() if not names or n in names or op.name in names]
    for verdict in ("differs", "refuses", "missing", "out of scope"):
        for one in found:
            if one.verdict == verdict and (names or verdict in ("differs", "refuses")):
                print(f"{verdict}: {one.name}, {len(one.why)} of {one.samples} samples")
                print(*[f"    {line[-300:]}" for line in one.why[: 100 if names else 1]], sep="\n")
    print("missing:", *[one.name for one in found if one.verdict == "missing"])
    counts = {v: sum(one.verdict == v for one in found) for v in sorted({one.verdict for one in found})}
    asked = [one for one in found if one.verdict != "out of scope"]
    samples = sum(one.samples for one in found if one.verdict == "agrees")
    for what in (NAN, NONE):
        by_name = {one.name: one.unanswered[what] for one in asked if one.unanswered[what]}
        print(f"{what} of {sum(by_name.values())} samples, which count by the rest:", by_name)
    for reason, count in sum((one.not_asked for one in asked), Counter()).items():
        print(f"not asked, {count} samples: {reason}")
    print(f"{len(found)} differentiable ops: " + ", ".join(f"{n} {v}" for v, n in counts.items()))
    print(f"{counts.get('agrees', 0)} of {len(asked)} ops in scope agree on all of torch's {samples} samples")
    return int(bool(counts.get("differs", 0) + counts.get("refuses", 0)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
