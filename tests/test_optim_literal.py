"""Rules that no library here has, or that Keras has otherwise: their published recurrences, one number at a time."""

import math

import numpy as np
import pytest
import record_optim as oracle

import symgrad as sg
from symgrad import optim

GRADIENTS = np.array([np.concatenate([np.ravel(g) for g in step]) for step in oracle.tape()])
START = np.concatenate([np.ravel(p) for p in oracle.start()])


def run(kind, options):
    params = [sg.tensor(p, requires_grad=True) for p in oracle.start()]
    optimizer, seen = getattr(optim, kind)(params, **options), []
    lr = optimizer.lr.item()
    for k, gradients in enumerate(oracle.tape()):
        for p, g in zip(params, gradients, strict=True):
            p.grad = g
        optimizer.lr = lr * oracle.rate(k)
        optimizer.step(loss=float(k % 3))
        seen.append(np.concatenate([np.ravel(p.numpy()) for p in params]))
    return np.array(seen)


def sign(x):
    return (x > 0) - (x < 0)


def keras_sgd(w, tape, v=0.0):
    for g, lr in tape(0.01):
        v = 0.9 * v - lr * g
        w = w + 0.9 * v - lr * g
        yield w


def keras_adagrad(w, tape, s=0.1):
    for g, lr in tape(1e-3):
        s += g * g
        w -= lr * g / math.sqrt(s + 1e-7)
        yield w


def keras_adadelta(w, tape, s=0.0, d=0.0):
    for g, lr in tape(1e-3):
        s = 0.95 * s + 0.05 * g * g
        u = math.sqrt(d + 1e-7) / math.sqrt(s + 1e-7) * g
        d = 0.95 * d + 0.05 * u * u
        w -= lr * u
        yield w


def keras_rmsprop(w, tape, s=0.0, mean=0.0, v=0.0):
    for g, lr in tape(1e-3):
        s, mean = 0.9 * s + 0.1 * g * g, 0.9 * mean + 0.1 * g
        v = 0.5 * v + lr * g / math.sqrt(s - mean * mean + 1e-7)
        w -= v
        yield w


def keras_adam(w, tape, m=0.0, v=0.0):
    for t, (g, lr) in enumerate(tape(1e-3), 1):
        alpha = lr * math.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        m += (g - m) * (1 - 0.9)
        v += (g * g - v) * (1 - 0.999)
        w -= m * alpha / (math.sqrt(v) + 1e-7)
        yield w


def keras_adamax(w, tape, m=0.0, u=0.0):
    for t, (g, lr) in enumerate(tape(1e-3), 1):
        m += (g - m) * (1 - 0.9)
        u = max(0.999 * u, abs(g))
        w -= lr * m / ((1 - 0.9**t) * (u + 1e-7))
        yield w


def keras_nadam(w, tape, m=0.0, v=0.0, product=1.0):
    for t, (g, lr) in enumerate(tape(1e-3), 1):
        u, following = 0.9 * (1 - 0.5 * 0.96**t), 0.9 * (1 - 0.5 * 0.96 ** (t + 1))
        product *= u
        m += (g - m) * (1 - 0.9)
        v += (g * g - v) * (1 - 0.999)
        ahead = following * m / (1 - product * following) + (1 - u) * g / (1 - product)
        w -= ahead * lr / (math.sqrt(v / (1 - 0.999**t)) + 1e-7)
        yield w


def keras_ftrl(w, tape, s=0.1, z=0.0, l1=0.2, l2=0.1, beta=0.3):
    for g, lr in tape(0.05):
        new = s + g * g
        z += g - (new**0.5 - s**0.5) / lr * w
        quadratic = new**0.5 / lr + 2 * (l2 + beta / (2 * lr))
        w = (min(max(z, -l1), l1) - z) / quadratic
        s = new
        yield w


def signum(w, tape, v=0.0):
    for g, lr in tape(1e-3):
        v = 0.9 * v + (1 - 0.9) * g
        w -= lr * sign(v)
        yield w


def adan(w, tape, m=0.0, d=0.0, n=0.0, before=None):
    """The authors' algorithm; their betas are 1 less ours."""
    b1, b2, b3 = 0.02, 0.08, 0.01
    for t, (g, lr) in enumerate(tape(1e-3), 1):
        change = 0.0 if before is None else g - before
        m = (1 - b1) * m + b1 * g
        d = (1 - b2) * d + b2 * change
        n = (1 - b3) * n + b3 * (g + (1 - b2) * change) ** 2
        m_hat, d_hat, n_hat = m / (1 - (1 - b1) ** t), d / (1 - (1 - b2) ** t), n / (1 - (1 - b3) ** t)
        w = (1 - lr * 0.1) * w - lr * (m_hat + (1 - b2) * d_hat) / (math.sqrt(n_hat) + 1e-8)
        before = g
        yield w


def rprop(weight_backtracking, improved=False, minus=False):
    """Riedmiller's and Igel and Hüsken's pseudocode: Rprop+, iRprop+, Rprop-."""

    def recurrence(w, tape):
        size, before, step, error = 0.01, 0.0, 0.0, math.inf
        for k, (g, _) in enumerate(tape(0.0)):
            loss = float(k % 3)
            if g * before > 0:
                size = min(size * 1.2, 50.0)
                step = -sign(g) * size
                w += step
                before = g
            elif g * before < 0:
                size = max(size * 0.5, 1e-6)
                if minus:
                    w -= sign(g) * size
                    before = g
                else:
                    undone = not improved or loss > error
                    w -= step if undone else 0.0
                    step = -step if undone else 0.0
                    before = 0.0
            else:
                step = -sign(g) * size
                w += step
                before = g
            error = loss
            yield w

    return recurrence


CASES = {
    "Keras SGD": (keras_sgd, "SGD", {"like": "keras", "momentum": 0.9, "nesterov": True}),
    "Keras Adagrad": (keras_adagrad, "Adagrad", {"like": "keras"}),
    "Keras Adadelta": (keras_adadelta, "Adadelta", {"like": "keras"}),
    "Keras RMSprop": (keras_rmsprop, "RMSprop", {"like": "keras", "momentum": 0.5, "centered": True}),
    "Keras Adam": (keras_adam, "Adam", {"like": "keras"}),
    "Keras Adamax": (keras_adamax, "Adamax", {"like": "keras"}),
    "Keras Nadam": (keras_nadam, "NAdam", {"like": "keras"}),
    "Keras FTRL": (keras_ftrl, "FTRL", {"like": "keras", "lr": 0.05, "l1": 0.2, "l2": 0.1, "beta": 0.3}),
    "Signum": (signum, "Signum", {}),
    "Adan": (adan, "Adan", {"weight_decay": 0.1}),
    "Rprop+": (rprop(True), "Rprop", {"variant": "rprop+"}),
    "iRprop+": (rprop(True, improved=True), "Rprop", {"variant": "irprop+"}),
    "Rprop-": (rprop(False, minus=True), "Rprop", {"variant": "rprop-"}),
}


@pytest.mark.parametrize("name", CASES)
def test_trajectories_are_the_published_recurrences(name):
    recurrence, kind, options = CASES[name]
    found = run(kind, options)
    for j, w in enumerate(START.tolist()):
        column = GRADIENTS[:, j].tolist()

        def tape(lr, column=column):
            return [(g, lr * oracle.rate(k)) for k, g in enumerate(column)]

        expected = np.array(list(recurrence(w, tape)))
        np.testing.assert_allclose(found[:, j], expected, rtol=1e-12, atol=1e-12 * np.abs(expected).max())


def test_ftrl_gives_exact_zeros():
    assert (run("FTRL", {"lr": 0.05, "l1": 300.0}) == 0).all()
