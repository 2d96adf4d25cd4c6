"""Losses that torch lacks, beside scikit-learn's metrics and their formulas; their derivatives to second order."""

import numpy as np
import pytest
from sklearn import metrics

import symgrad as sg
from symgrad import losses

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


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: losses.quantile_loss(Y, T, q=1.0), "q must be between 0 and 1, got 1.0"),
        (lambda: losses.tweedie_loss(Y, T, power=0.5), "power must be 0 or at least 1, got 0.5"),
        (lambda: losses.focal_loss(Z, LABELS[:2]), "takes logits"),
        (lambda: losses.dice_loss(P, MASK, reduction="max"), "reduction must be"),
    ],
)
def test_mistakes_are_named(call, words):
    with pytest.raises(sg.ShapeError, match=words):
        call()
