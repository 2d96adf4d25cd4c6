"""scikit-learn's perceptron, one step at a time."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier

from benchmarks.problems import BETA1, BETA2, EPS, MOMENTUM, Network, arrays


def network(problem: Network) -> Any:
    warnings.simplefilter("ignore")
    data = arrays(problem)
    model = MLPClassifier(problem.sizes[1:-1], activation=problem.activation, alpha=0.0, batch_size=problem.batch,
                          solver="adam" if problem.optimizer == "adam" else "sgd", learning_rate_init=problem.lr,
                          momentum=MOMENTUM, nesterovs_momentum=False, beta_1=BETA1, beta_2=BETA2, epsilon=EPS,
                          shuffle=False)  # fmt: skip
    x, y = data["x"], data["y"]
    model.partial_fit(x, y, classes=np.arange(problem.sizes[-1]))
    for own, w in zip(model.coefs_, data["weights"], strict=True):
        own[...] = w
    for own in model.intercepts_:
        own[...] = 0
    del model._optimizer

    def step() -> Any:
        model.partial_fit(x, y)
        return model.loss_

    return step
