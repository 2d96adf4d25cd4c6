"""BatchNorm: an all-ones cotangent sees nothing, and bugs that were shipped."""

import numpy as np
import pytest
from planted import BETA, GAMMA, Z

import symgrad as sg


def batch_norm(z, gamma, beta, eps=1e-5):
    return gamma * (z - z.mean(0)) / np.sqrt(z.var(0) + eps) + beta


def parts(z, gamma, g, eps):
    s = np.sqrt(z.var(0) + eps)
    u = (z - z.mean(0)) / s
    return len(z), s, u, {"gamma": (g * u).sum(0), "beta": g.sum(0)}


def right(z, gamma, beta, g, eps):
    _, s, u, rest = parts(z, gamma, g, eps)
    return {"z": gamma / s * (g - g.mean(0) - u * (g * u).mean(0)), **rest}


def gamma_dropped(z, gamma, beta, g, eps):
    """Knet.jl#288: g instead of gamma g in the gradient of z."""
    result = right(z, gamma, beta, g, eps)
    return {**result, "z": result["z"] / gamma}


def sum_for_element(z, gamma, beta, g, eps):
    """MIOpen#104: the sum of gamma g where the element itself belongs."""
    n, s, u, rest = parts(z, gamma, g, eps)
    d = gamma * g
    return {"z": (n * d.sum(0) - d.sum(0) - u * (d * u).sum(0)) / (n * s), **rest}


def divided_twice(z, gamma, beta, g, eps):
    """mlpack#2474: the parenthesis divides the direct term by n, too."""
    n, s, u, rest = parts(z, gamma, g, eps)
    d = gamma * g
    return {"z": (d / s - u * (d * u).mean(0) / s) / n - d.mean(0) / s, **rest}


def without_the_projection(z, gamma, beta, g, eps):
    _, s, _, rest = parts(z, gamma, g, eps)
    return {"z": gamma / s * (g - g.mean(0)), **rest}


def with_an_extra_term(z, gamma, beta, g, eps):
    result = right(z, gamma, beta, g, eps)
    return {**result, "z": result["z"] + (g * z).mean(0) / len(z) ** 2}


def with_a_term_that_is_zero(z, gamma, beta, g, eps):
    """mxnet#1053 calls the paper's second term of the gradient of the mean wrong; sum(z - mean) is 0."""
    n, s, _, rest = parts(z, gamma, g, eps)
    d = gamma * g
    of_variance = -0.5 * (d * (z - z.mean(0))).sum(0) / s**3
    of_mean = -d.sum(0) / s + of_variance * (-2 * (z - z.mean(0))).mean(0)
    return {"z": d / s + of_variance * 2 * (z - z.mean(0)) / n + of_mean / n, **rest}


@pytest.mark.parametrize(
    "backward",
    [gamma_dropped, sum_for_element, divided_twice, without_the_projection, with_an_extra_term],
)
def test_shipped_batch_norm_bugs_are_caught(backward):
    report = sg.gradcheck(batch_norm, (Z, GAMMA, BETA), backward=backward)
    assert report.verdict == "WRONG"
    assert {e.input for e in report.entries if e.status == "wrong"} == {"z"}
    assert report.level == "Ridders"


@pytest.mark.parametrize("backward", [right, with_a_term_that_is_zero])
def test_right_batch_norm_backwards_pass(backward):
    assert sg.gradcheck(batch_norm, (Z, GAMMA, BETA), backward=backward).verdict == "RIGHT"


def test_ones_as_cotangent_would_see_no_bug():
    g = np.ones_like(Z)
    for backward in (right, gamma_dropped, without_the_projection):
        assert np.abs(backward(Z, GAMMA, BETA, g, 1e-5)["z"]).max() < 1e-14


def test_gamma_of_one_hides_the_dropped_gamma():
    assert sg.gradcheck(batch_norm, (Z, np.ones(3), BETA), backward=gamma_dropped, argnums=0)


def test_a_composed_batch_norm_with_gamma_dropped_is_caught():
    normed = sg.op(
        "normed",
        lambda z, gamma: batch_norm(z, gamma, 0.0),
        pullback=(lambda g, y, z, gamma: right(z, 1.0, 0.0, g, 1e-5)["z"], None),
    )
    assert sg.gradcheck(normed, (Z, GAMMA), argnums=0).verdict == "WRONG"
    assert sg.gradcheck(lambda z, gamma, beta: sg.batch_norm(z, gamma, beta), (Z, GAMMA, BETA), order=2)
