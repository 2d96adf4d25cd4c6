"""One case: a call, its inputs, and what others call the same thing."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Shape = tuple[int, ...]
Draw = Callable[[np.random.Generator], Any]


@dataclass(frozen=True)
class Case:
    """One call: symgrad's function, shapes (or draws) of its inputs, and the references."""

    name: str
    f: Callable[..., Any]
    args: tuple[Shape | Draw, ...]
    reference: Callable[..., Any] | None = None
    torch: Callable[..., Any] | None = None  # (torch, *tensors)
    domain: tuple[Any, ...] = (-3, 3)
    piece: str | None = None
    op: str | None = None
    orders: tuple[int, ...] = ()
    derivatives: int = 2  # to which order it is compared with torch

    def inputs(self, dtype: Any = np.float64) -> list[Any]:
        """The inputs, the same at every call: drawn from the domain, and inside of the piece."""
        rng = np.random.default_rng(sum(map(ord, self.name)))
        if self.piece is not None:
            return self._in_piece(rng, dtype)
        return [self._draw(rng, k, dtype) for k in range(len(self.args))]

    def _interval(self, k: int) -> tuple[float, float]:
        bounds = self.domain[k] if isinstance(self.domain[0], tuple) else self.domain
        return float(bounds[0]), float(bounds[1])

    def _draw(self, rng: np.random.Generator, k: int, dtype: Any) -> Any:
        arg = self.args[k]
        if callable(arg):
            found = np.asarray(arg(rng))
            return found.astype(dtype) if found.dtype.kind == "f" else found
        if k in self.orders:
            return rng.integers(0, 3, arg)
        return rng.uniform(*self._interval(k), arg).astype(dtype)

    def _in_piece(self, rng: np.random.Generator, dtype: Any) -> list[Any]:
        """Inputs of equal shapes, element by element inside of the piece."""
        shape = np.broadcast_shapes(*self.args)  # type: ignore[arg-type]
        count = math.prod(shape)
        found = [np.empty(count, np.int64 if k in self.orders else dtype) for k in range(len(self.args))]
        for at in range(count):
            while True:
                point = [
                    rng.integers(0, 3) if k in self.orders else rng.uniform(*self._interval(k))
                    for k in range(len(self.args))
                ]
                if inside(str(self.piece), point):
                    break
            for array, value in zip(found, point, strict=True):
                array[at] = value
        return [array.reshape(shape) for array in found]


def inside(piece: str, values: list[Any]) -> bool:
    """Whether all elements are inside of a piece such as ``(x > y) & (y > 0)`` (text of this repository only)."""
    names = dict(zip("xyz", map(np.asarray, values), strict=False))
    return bool(np.all(eval(piece, {"__builtins__": {}}, names)))


def bools(*shape: int) -> Draw:
    return lambda rng: rng.random(shape) < 0.5


def integers(low: int, high: int, *shape: int) -> Draw:
    return lambda rng: rng.integers(low, high, shape)


def spread_out(*shape: int) -> Draw:
    """Distinct numbers, at least 0.05 apart, so that no order changes in a small step."""
    return lambda rng: (rng.permutation(math.prod(shape)) * 0.17 - 1.0).reshape(shape)


def positive_definite(n: int, *lead: int) -> Draw:
    """Symmetric matrices with eigenvalues far apart."""

    def draw(rng: np.random.Generator) -> Any:
        q = np.linalg.qr(rng.normal(size=(*lead, n, n)))[0]
        return q * (1.0 + 1.5 * np.arange(n)) @ np.swapaxes(q, -1, -2)

    return draw


def case(op: str, title: str, f: Any, *args: Any, ref: Any = None, torch: Any = None, domain: Any = (-3, 3)) -> Case:
    return Case(f"{op} {title}", f, args, ref, torch, domain, op=op)


def composition(title: str, f: Any, *args: Any, ref: Any = None, torch: Any = None, domain: Any = (-3, 3)) -> Case:
    return Case(title, f, args, ref, torch, domain)


def torch_named(name: str) -> Callable[..., Any]:
    """The torch function of this name, as a reference."""
    return lambda t, *xs: getattr(t, name)(*xs)
