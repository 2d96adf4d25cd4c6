"""Ensembles: votes are their formulas, members are trained alike in parallel and serially."""

import sys

import numpy as np
import pytest
import scipy.special

import symgrad as sg
from symgrad import data, losses, nn, optim
from symgrad.train import Ensemble, Trainer


def constant(logits):
    """A model that says the same for every row."""
    layer = nn.Linear(1, len(logits))
    layer.weight.assign(np.zeros((1, len(logits))))
    layer.bias.assign(np.array(logits, float))
    return layer


LOGITS = np.array([[2.0, 0.0, 1.0], [0.0, 3.0, 2.9], [0.5, 0.4, 0.0]])
ROW = np.zeros((1, 1))
P = scipy.special.softmax(LOGITS, axis=1)
VOTES = {
    "soft": P.mean(axis=0),
    "hard": [2 / 3, 1 / 3, 0],
    "geometric": np.prod(P, axis=0) ** (1 / 3) / (np.prod(P, axis=0) ** (1 / 3)).sum(),
    "mean": LOGITS.mean(axis=0),
}


@pytest.mark.parametrize("vote", VOTES)
def test_votes_are_their_formulas(vote):
    ensemble = Ensemble([constant(row) for row in LOGITS], vote)
    np.testing.assert_allclose(ensemble.predict(ROW)[0], VOTES[vote], rtol=1e-12)


def test_members_can_count_differently():
    ensemble = Ensemble([constant(row) for row in LOGITS], weights=[1, 3, 0])
    np.testing.assert_allclose(ensemble.predict(ROW)[0], (P[0] + 3 * P[1]) / 4, rtol=1e-12)


def member(k):
    """Another seed and another width for each."""
    model = nn.Sequential(nn.Linear(64, 8 + k), nn.ReLU(), nn.Linear(8 + k, 10))
    return Trainer(model, loss=losses.cross_entropy, optimizer=optim.Adam, seed=k)


@pytest.fixture(scope="module")
def digits():
    found = data.digits()
    return data.Dataset(found.X[:200], found.y[:200])


@pytest.mark.parametrize("bootstrap", [False, True])
def test_parallel_serial_and_by_hand_are_equal(digits, bootstrap, monkeypatch):
    parallel = Ensemble.fit(member, digits, members=2, epochs=2, bootstrap=bootstrap, n_jobs=2)
    assert [m[0].out_features for m in parallel.members] == [8, 9]
    monkeypatch.setitem(sys.modules, "joblib", None)
    serial = Ensemble.fit(member, digits, members=2, epochs=2, bootstrap=bootstrap)
    np.testing.assert_array_equal(parallel.predict(digits.X), serial.predict(digits.X))
    by_hand = member(1)
    by_hand.fit(digits, epochs=2)
    same = np.array_equal(by_hand.predict(digits.X), serial.members[1].predict(digits.X))
    assert same != bootstrap


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda: Ensemble([]), "members must be a list of models"),
        (lambda: Ensemble([nn.ReLU()], "loud"), "vote='loud' is none of 'soft'"),
        (lambda: Ensemble([nn.ReLU()], weights=[1, 2]), "weights must be 1 numbers"),
        (lambda: Ensemble.fit(lambda k: None, (np.ones((2, 1)), [0, 1])), r"make\(0\) must return a Trainer"),
    ],
)
def test_mistakes_are_named(mistake, message):
    with pytest.raises(sg.SymgradError, match=message):
        mistake()
