"""Whole training runs against others: scikit-learn's loss curve live, torch's as it was recorded."""

import json
import warnings
from functools import partial

import numpy as np
import pytest
import record_training

import symgrad as sg
from symgrad import data, losses, nn, optim, regularizers


def test_torch_s_loss_curve_with_batch_norm_and_dropout():
    recorded = json.loads(record_training.FILE.read_text())
    assert recorded[-1] < 0.3 * recorded[0]
    np.testing.assert_allclose(record_training.by_symgrad(), recorded, rtol=1e-10)


SOLVERS = {
    "adam": ({}, partial(optim.Adam, like="sklearn", lr=1e-3)),
    "sgd": (
        {"momentum": 0.9, "nesterovs_momentum": True},
        partial(optim.SGD, lr=1e-3, momentum=0.9, nesterov=True, like="sklearn"),
    ),
}


@pytest.mark.parametrize("solver", SOLVERS)
def test_scikit_learn_s_loss_curve(solver):
    """50 epochs of MLPClassifier, from the same start and in the same order."""
    from sklearn.neural_network import MLPClassifier

    digits = data.digits()
    X, y = digits.X[:320], digits.y[:320]
    options, optimizer = SOLVERS[solver]

    def fitted(epochs, lr):
        peer = MLPClassifier(
            (12,), activation="tanh", solver=solver, alpha=0.1, batch_size=32, shuffle=False, max_iter=epochs,
            learning_rate_init=lr, tol=0.0, n_iter_no_change=1000, random_state=0, **options,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged
            return peer.fit(X, y)

    start, peer = fitted(1, 1e-300), fitted(50, 1e-3)  # the first does not move
    model = nn.Sequential(nn.Linear(64, 12), nn.Tanh(), nn.Linear(12, 10))
    for layer, w, b in zip((model[0], model[2]), start.coefs_, start.intercepts_, strict=True):
        layer.weight.assign(w)
        layer.bias.assign(b)
    penalty = regularizers.L2(0.1 / 32, exclude=["bias"])  # theirs is divided by the size of the minibatch
    trainer = sg.Trainer(
        model, loss=losses.cross_entropy, optimizer=optimizer, regularizers=[penalty], batch_size=32, shuffle=False
    )
    found = trainer.fit((X, y), epochs=50)["loss"]
    assert found[-1] < 0.9 * found[0]
    np.testing.assert_allclose(found, peer.loss_curve_, rtol=1e-10)
    np.testing.assert_allclose(model[0].weight.numpy(), peer.coefs_[0], rtol=1e-8, atol=1e-12)
