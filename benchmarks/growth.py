"""How symgrad's cost grows: time of a step, memory of a plan, time to derive and to draw, against size.

``python -m benchmarks.growth`` prints the curves as JSON; the suite runs it in a process with one thread.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

import numpy as np

__all__ = ["grow"]

Curve = list[tuple[float, float]]
HELD = ExitStack()


def best(f: Callable[[], Any], rounds: int = 5, seconds: float = 0.02) -> float:
    """The quickest of some blocks, per call."""
    f()
    start = time.process_time()
    f()
    repeats = max(1, int(seconds / max(time.process_time() - start, 1e-6)))
    found = []
    for _ in range(rounds):
        start = time.process_time()
        for _ in range(repeats):
            f()
        found.append((time.process_time() - start) / repeats)
    return min(found)


def step(width: int = 64, depth: int = 3, batch: int = 64) -> tuple[Callable[[], Any], Any]:
    """A compiled step of a perceptron of this size with Adam."""
    import symgrad as sg
    from symgrad import nn, optim

    layers: list[Any] = [nn.Linear(32, width, dtype=np.float32), nn.ReLU()]
    for _ in range(depth - 2):
        layers += [nn.Linear(width, width, dtype=np.float32), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(width, 10, dtype=np.float32))
    model.initialize(seed=0)
    optimizer = optim.Adam(model.parameters())
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((batch, 32)).astype(np.float32), rng.integers(0, 10, batch)

    def train(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = sg.losses.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    compiled = sg.compile(train)
    HELD.enter_context(compiled.hold())
    compiled(x, y)
    return lambda: compiled(x, y), compiled


def chain(n: int) -> Callable[[], Any]:
    """An eager chain, forward and backward."""
    import symgrad as sg

    def run() -> None:
        x = sg.tensor(np.linspace(0, 1, 10), requires_grad=True)
        y = x
        for _ in range(n):
            y = sg.sin(y) * 0.9 + 0.1
        y.sum().backward()

    return run


def first(width: int) -> float:
    """Seconds of tracing and compiling a step."""
    start = time.process_time()
    step(depth=width)
    return time.process_time() - start


def derive(units: int) -> float:
    """Seconds of deriving a layer with this many named steps."""
    import symgrad as sg

    def layer(z: Any, w: Any) -> Any:
        for k in range(units):
            z = sg.named(sg.tanh(w * z), f"h{k}")
        return z

    start = time.process_time()
    sg.derive(layer, z=sg.spec("B"), w=sg.spec())
    return time.process_time() - start


def draw(nodes: int) -> float:
    """Seconds of drawing a graph with this many operations."""
    import symgrad as sg
    import viz

    x = sg.tensor([1.0, 2.0], name="x", requires_grad=True)
    y = x
    for k in range(nodes):
        y = sg.sin(y) if k % 2 else y * x
    start = time.process_time()
    str(viz.draw(y).dot)
    return time.process_time() - start


def curve(f: Callable[[int], float], sizes: Iterable[int]) -> Curve:
    """The figure at every size."""
    return [(n, f(n)) for n in sizes]


def grow() -> dict[str, dict[str, Any]]:
    """All curves: title -> axes and points."""
    derive(1), draw(2)  # imports
    return {
        "step against width": {"unit": "s", "points": curve(lambda n: best(step(width=n)[0]), (8, 32, 128, 512))},
        "step against depth": {"unit": "s", "points": curve(lambda n: best(step(depth=n)[0]), (2, 4, 8, 16, 32))},
        "step against batch": {"unit": "s", "points": curve(lambda n: best(step(batch=n)[0]), (8, 64, 512, 4096))},
        "eager chain against links": {"unit": "s", "points": curve(lambda n: best(chain(n), 3), (100, 1000, 10_000))},
        "plan's memory against width": {"unit": "bytes",
                                        "points": curve(lambda n: step(width=n)[1].plan.memory, (8, 32, 128, 512))},
        "trace and compile against depth": {"unit": "s", "points": curve(first, (2, 4, 8, 16, 32))},
        "derivation against steps of a layer": {"unit": "s", "points": curve(derive, (1, 2, 3, 4))},
        "drawing against operations": {"unit": "s", "points": curve(draw, (10, 30, 100, 300))},
    }  # fmt: skip


if __name__ == "__main__":
    sys.stdout.write(json.dumps(grow()))
