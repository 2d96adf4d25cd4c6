import numpy as np
import pytest

import symgrad as sg


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
