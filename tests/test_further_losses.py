"""Losses that torch lacks, beside scikit-learn's metrics and their formulas; their derivatives to second order."""

import numpy as np
import pytest
from sklearn import metrics

import symgrad as sg
from symgrad import losses
from symgrad.functions import further_losses

RANDOM = np.random.default_rng(0)
Y, T = RANDOM.random(9) + 0.1, RANDOM.random(9) + 0.1
SCORES, SIGNS = RANDOM.standard_normal(9), np.where(RANDOM.random(9) < 0.5, -1.0, 1.0)
Z, LABELS = RANDOM.standard_normal((6, 4)), RANDOM.integers(0, 4, 6)
MASK = (RANDOM.random((3, 2, 5)) < 0.4).astype(float)
P = RANDOM.random((3, 2, 5))


def near(p):
    """Sums of a soft and a hard mask, image by image."""
    return [(2 * (p[k] * MASK[k]).sum() + 1) / (p[k].sum() + MASK[k].sum() + 1) for k in range(3)]


EXPECTED = {
    "log_cosh": (losses.log_cosh_loss, (Y, T), {}, np.log(np.cosh(Y - T)).mean()),
    "quantile": (losses.quantile_loss, (Y, T), {"q": 0.3}, metrics.mean_pinball_loss(T, Y, alpha=0.3)),
    "squared_log": (losses.squared_log_loss, (Y, T), {}, metrics.mean_squared_log_error(T, Y)),
    "percentage": (losses.percentage_loss, (Y, T), {}, metrics.mean_absolute_percentage_error(T, Y)),
    "hinge": (losses.hinge_loss, (SCORES, SIGNS), {}, metrics.hinge_loss(SIGNS, SCORES)),
    "squared_hinge": (losses.squared_hinge_loss, (SCORES, SIGNS), {}, (np.maximum(1 - SCORES * SIGNS, 0) ** 2).mean()),
    **{
        f"tweedie, {p}": (losses.tweedie_loss, (Y, T), {"power": p}, metrics.mean_tweedie_deviance(T, Y, power=p))
        for p in (0, 1, 1.5, 2, 3)
    },
    "focal, labels": (
        losses.focal_loss, (Z, LABELS), {},
        np.mean([-((1 - p[k]) ** 2) * np.log(p[k]) for p, k in zip(np.exp(Z) / np.exp(Z).sum(1, keepdims=True), LABELS,
                                                                   strict=True)]),
    ),
    "focal, soft": (
        losses.focal_loss, (Z, np.eye(4)[LABELS]), {}, float(losses.focal_loss(Z, LABELS)),
    ),
    "dice": (losses.dice_loss, (P, MASK), {}, 1 - np.mean(near(P))),
    "tversky": (
        losses.tversky_loss, (P, MASK), {"alpha": 0.3, "beta": 0.7, "smooth": 0.5},
        np.mean([1 - (0.5 + f) / (0.5 + f + 0.3 * (p.sum() - f) + 0.7 * (t.sum() - f))
                 for p, t in zip(P, MASK, strict=True) for f in [(p * t).sum()]]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXPECTED)
def test_values_and_derivatives(name):
    loss, (given, target), options, expected = EXPECTED[name]
    np.testing.assert_allclose(float(loss(given, target, **options)), expected, rtol=1e-13)
    each = loss(given, target, reduction="none", **options)
    np.testing.assert_allclose(np.mean(np.asarray(each)), expected, rtol=1e-13)
    assert sg.gradcheck(lambda x: loss(x, target, **options), given, order=2)


@pytest.mark.parametrize("size", [1e-9, 30.0, 800.0])
def test_log_cosh_neither_overflows_nor_loses_its_slope(size):
    slope = sg.grad(lambda y: losses.log_cosh_loss(y, 0.0))(size)
    np.testing.assert_allclose(slope, np.tanh(size), rtol=1e-7)
    assert np.isfinite(float(losses.log_cosh_loss(np.array(size), np.array(0.0))))


MISTAKES = {
    "q": (lambda: losses.quantile_loss(Y, T, q=1.0), sg.DataError, "^quantile_loss: q must be between 0 and 1, got"),
    "q, an array": (lambda: losses.quantile_loss(Y, T, q=Y), sg.SymgradError, "^quantile_loss: "),
    "q, a word": (lambda: losses.quantile_loss(Y, T, q="a"), sg.SymgradError, "^quantile_loss: .*q='a'"),
    "power": (lambda: losses.tweedie_loss(Y, T, 0.5), sg.DataError, "^tweedie_loss: power must be 0 or at least 1"),
    "labels' shape": (lambda: losses.focal_loss(Z, LABELS[:2]), sg.ShapeError, "^focal_loss: takes logits"),
    "a negative label": (
        lambda: losses.focal_loss(Z, [0, 1, -1, 0, 0, 0]), sg.DataError, "^focal_loss: label -1 at row 2 is outside"
    ),
    "a large label": (lambda: losses.focal_loss(Z, LABELS * 0 + 4), sg.DataError, "^focal_loss: label 4 at row 0"),
    "labels that are floats": (
        lambda: losses.focal_loss(Z, LABELS * 1.0), sg.DTypeError, "^focal_loss: labels must be integers, got float64"
    ),
    "reduction": (lambda: losses.dice_loss(P, MASK, reduction="max"), sg.ShapeError, "^dice_loss: reduction must be"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_named(name):
    call, kind, words = MISTAKES[name]
    with pytest.raises(kind, match=words):
        call()


def test_labels_are_checked_when_a_graph_runs():
    graph = sg.trace(losses.focal_loss, Z, LABELS)
    graph(Z, LABELS)
    with pytest.raises(sg.DataError, match="focal_loss: label -1 at row 0"):
        graph(Z, LABELS * 0 - 1)


@pytest.mark.parametrize("name", [name for name in losses.__all__ if name in further_losses.__all__])
def test_shapes_that_do_not_fit_are_of_the_family(name):
    with pytest.raises(sg.SymgradError, match=f"^{name}: "):
        getattr(losses, name)(np.ones((2, 3)), np.ones((4, 5)))
