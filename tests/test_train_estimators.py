"""The estimators of scikit-learn."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import symgrad as sg
from symgrad import data
from symgrad.train.estimators import SymGradClassifier, SymGradRegressor

SMALL = {"hidden": (16,), "epochs": 20, "lr": 0.05, "random_state": 0}


@parametrize_with_checks([SymGradClassifier(**SMALL), SymGradRegressor(**SMALL)])
@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_s_own_checks(estimator, check):
    check(estimator)


def test_labels_of_any_kind_and_a_search():
    xor = data.xor(100)
    y = np.array(["same", "different"])[xor.y]
    search = GridSearchCV(
        make_pipeline(StandardScaler(), SymGradClassifier(epochs=20, random_state=0)),
        {"symgradclassifier__hidden": [(), (8,)]}, cv=3,
    ).fit(xor.X, y)  # fmt: skip
    assert search.best_params_ == {"symgradclassifier__hidden": (8,)}
    assert search.score(xor.X, y) > 0.95
    assert set(search.predict(xor.X)) == {"same", "different"}
    np.testing.assert_allclose(search.predict_proba(xor.X).sum(axis=1), 1)


def test_one_seed_one_result_and_copies():
    xor = data.xor(60)
    first = SymGradClassifier(**SMALL).fit(xor.X, xor.y)
    again = pickle.loads(pickle.dumps(clone(first).fit(xor.X, xor.y)))
    np.testing.assert_array_equal(first.predict_proba(xor.X), again.predict_proba(xor.X))
    assert len(first.loss_curve_) == first.n_iter_ == 20
    assert first.loss_curve_[-1] < first.loss_curve_[0]


def test_mistakes_are_named():
    xor = data.xor(20)
    with pytest.raises(sg.SymgradError, match=r"optimizer='adm' is unknown; did you mean"):
        SymGradClassifier(optimizer="adm").fit(xor.X, xor.y)
    with pytest.raises(sg.SymgradError, match=r"activation='rel' is unknown; did you mean 'relu'\?"):
        SymGradClassifier(activation="rel").fit(xor.X, xor.y)
