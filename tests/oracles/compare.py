"""Value, gradient and second derivative of a case, by torch and by symgrad, and what differs between them."""

from __future__ import annotations

from typing import Any

import numpy as np
from cases import Case

import symgrad as sg

TOLERANCE = 1e-9  # relative to the largest number of the array
Answers = dict[str, np.ndarray[Any, Any]]


def weights(name: str, what: str, shape: Any) -> Any:
    """Fixed numbers that both sides use as cotangent and direction."""
    rng = np.random.default_rng(sum(map(ord, name + what)))
    return rng.uniform(-1, 1, shape)


def floats(arrays: list[Any]) -> list[int]:
    """Positions of the inputs that are differentiated."""
    return [k for k, a in enumerate(arrays) if a.dtype.kind == "f"]


def curved(y: Any, value: Any) -> Any:
    """A curved function of the result, so that cotangents depend on the inputs too."""
    return y + y * y / float(1 + np.max(np.abs(value[np.isfinite(value)]), initial=0.0))


def by_torch(case: Case, arrays: list[Any]) -> Answers:
    """Value, gradient of a curved and weighted sum of it, and that gradient's derivative along a direction."""
    import torch

    xs = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    y = case.torch(torch, *xs)  # type: ignore[misc]
    found = {"value": y.numpy(force=True)}
    places = floats(arrays)
    if not places or not y.dtype.is_floating_point:
        return found
    wanted = [xs[k] for k in places]

    def derivative(scalar: Any) -> list[Any]:
        if not scalar.requires_grad:
            return [torch.zeros_like(x) for x in wanted]
        got = torch.autograd.grad(scalar, wanted, create_graph=True, allow_unused=True)
        return [torch.zeros_like(x) if g is None else g for g, x in zip(got, wanted, strict=True)]

    first = derivative((curved(y, found["value"]) * torch.tensor(weights(case.name, "y", y.shape))).sum())
    found |= {f"first{k}": g.numpy(force=True) for k, g in zip(places, first, strict=True)}
    if case.derivatives < 2:
        return found
    slope = sum(
        ((g * torch.tensor(weights(case.name, f"v{k}", g.shape))).sum() for k, g in zip(places, first, strict=True))
    )
    second = derivative(slope)
    return found | {f"second{k}": h.numpy(force=True) for k, h in zip(places, second, strict=True)}


def by_symgrad(case: Case, arrays: list[Any]) -> Answers:
    """The same with symgrad."""
    found = {"value": np.asarray(case.f(*[sg.tensor(a) for a in arrays]))}
    places = floats(arrays)
    if not places or found["value"].dtype.kind != "f":
        return found

    def scalar(*xs: Any) -> Any:
        given = list(arrays)
        for k, x in zip(places, xs, strict=True):
            given[k] = x
        return (curved(case.f(*given), found["value"]) * weights(case.name, "y", found["value"].shape)).sum()

    every = tuple(range(len(places)))
    first = sg.grad(scalar, every)

    def slope(*xs: Any) -> Any:
        return sum((g * weights(case.name, f"v{k}", g.shape)).sum() for k, g in zip(places, first(*xs), strict=True))

    points = [arrays[k] for k in places]
    found |= {f"first{k}": g for k, g in zip(places, first(*points), strict=True)}
    if case.derivatives < 2:
        return found
    return found | {f"second{k}": h for k, h in zip(places, sg.grad(slope, every)(*points), strict=True)}


def difference(a: Answers, b: Answers) -> str | None:
    """What differs by more than the tolerance, or None."""
    if a.keys() != b.keys():
        return f"{sorted(a)} against {sorted(b)}"
    for part in a:
        x, y = a[part], b[part]
        if x.shape != y.shape or (x.dtype.kind == "b") != (y.dtype.kind == "b"):
            return f"{part}: {x.dtype}{x.shape} against {y.dtype}{y.shape}"
        x, y = x.astype(float), y.astype(float)
        known = np.isfinite(y)
        if not np.array_equal(x[~known], y[~known], equal_nan=True):
            return f"{part}: {x[~known][:3]} against {y[~known][:3]}"
        x, y = x[known], y[known]
        error = np.max(np.abs(x - y), initial=0.0)
        if not error <= TOLERANCE * np.max(np.abs(y), initial=1e-3):
            return f"{part}: differs by {error:.3g} of {np.max(np.abs(y)):.3g}"
    return None
