"""Hand-written backwards with known slips are told what the slip is."""

from __future__ import annotations

import numpy as np
import pytest

from symgrad.errors import SymbolicError
from symgrad.symbolic import catalogue, derive, diagnose, prove
from symgrad.symbolic.chain import links, shown, stops


def batchnorm(z, gamma, eps, g, *, use_gamma=True, use_mean=True, use_u=1.0, scale=1.0):
    h = z.var(axis=0) + eps
    u = (z - z.mean(axis=0)) / np.sqrt(h)
    dz = scale * (gamma if use_gamma else 1) / np.sqrt(h) * (g - use_mean * g.mean(0) - use_u * u * (g * u).mean(0))
    return {"z": dz, "gamma": (g * u).sum(0), "beta": g.sum(0)}


@pytest.mark.parametrize(
    ("slip", "message"),
    [
        ({"use_gamma": False}, "without the factor gamma"),
        ({"use_mean": False}, "without the term"),
        ({"use_u": 0.0}, "without the term"),
        ({"use_u": -1.0}, "opposite sign of the term"),
        ({"use_u": 2.0}, "twice"),
        ({"scale": -1.0}, "with the opposite sign"),
        ({"scale": 0.37}, "no single slip"),
    ],
)
def test_slips_are_named(slip, message):
    found = diagnose("batchnorm", lambda z, gamma, eps, g: batchnorm(z, gamma, eps, g, **slip))
    assert not found
    assert message in found.message


def test_a_right_backward_is_correct():
    assert diagnose("batchnorm", batchnorm_right)


def batchnorm_right(z, gamma, eps, g):
    return batchnorm(z, gamma, eps, g)


def test_every_wrong_gradient_is_named():
    def backward(z, gamma, beta, eps, g):
        h = z.var() + eps
        u = (z - z.mean()) / np.sqrt(h)
        return 2 * gamma / np.sqrt(h) * (g - g.mean() - u * (g * u).mean()), -(g * u).sum(), g.mean()

    lines = diagnose("batchnorm", backward).message.splitlines()
    assert [line.split(":")[0] for line in lines] == ["dL/dz", "dL/dgamma", "dL/dbeta"]
    assert "times 2" in lines[0]
    assert "opposite sign" in lines[1]
    assert "divided by B" in lines[2]


def test_a_constant_of_its_own_in_the_wrong_place():
    def backward(z, gamma, eps, g):
        h = z.var()  # eps is forgotten
        u = (z - z.mean()) / np.sqrt(h + eps)
        return gamma / np.sqrt(h) * (g - g.mean() - u * (g * u).mean())

    assert not diagnose("batchnorm", backward)  # although eps is small


def test_powers_and_constants():
    def power(z, gamma, eps, g):
        h = z.var() + eps
        u = (z - z.mean()) / np.sqrt(h)
        return gamma / np.sqrt(h) * (g - g.mean()) - gamma / h * u * (g * u).mean()

    assert "with 1/(eps + sigma2) in the place of 1/sqrt(eps + sigma2)" in diagnose("batchnorm", power).message

    def detached(z, gamma, eps, g):
        return gamma / np.sqrt(z.var() + eps) * g

    assert "no single slip" in diagnose("batchnorm", detached).message  # two of them

    def softmax(x, g):
        p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
        return p * g

    assert "S is treated as a constant" in diagnose("softmax", softmax).message


@pytest.mark.parametrize("name", catalogue())
def test_slips_over_the_whole_catalogue(name):
    """The derived backward is right; its opposite, and one without the first term, are not."""
    d = derive(name)
    held = {**d.record.defaults}

    def right(**arrays):
        return d.backward(**{**held, **arrays})

    assert diagnose(name, right)
    first = next(n for n, p in d.polys.items() if p)

    def opposite(**arrays):
        return {first: -right(**arrays)[first]}

    assert f"dL/d{first}: your result equals the formula with the opposite sign" in diagnose(name, opposite).message


# Four bugs of real libraries. The formulas are written anew; what was wrong is the reports'.


def pieces(z, eps):
    h = z.var(axis=0) + eps
    return h, (z - z.mean(axis=0)) / np.sqrt(h), len(z)


def test_miopen_104():
    """The scale is left out of one term only: N*dy - sum(dy*scale) ...; ROCm/MIOpen issue 104."""

    def backward(z, gamma, eps, g):
        h, u, n = pieces(z, eps)
        return (n * g - (gamma * g).sum(0) - u * (gamma * g * u).sum(0)) / (n * np.sqrt(h))

    found = diagnose("batchnorm_2d", backward)
    assert not found
    assert found.term == "gamma[d]"
    assert "without the factor gamma[d] in the term g[i, d]*gamma[d]/sqrt(eps + sigma2[d])" in found.message


def test_knet_288():
    """The derivative by the output is never multiplied with the scale; denizyuret/Knet.jl issue 288."""

    def backward(z, gamma, eps, g):
        h, u, n = pieces(z, eps)
        d_sigma2 = -0.5 * (g * u).sum(0) / h
        d_mu = -g.sum(0) / np.sqrt(h) - 2 * d_sigma2 * (z - z.mean(0)).sum(0) / n
        return {
            "z": g / np.sqrt(h) + d_sigma2 * 2 * (z - z.mean(0)) / n + d_mu / n,
            "gamma": (g * u).sum(0),
            "beta": g.sum(0),
        }

    found = diagnose("batchnorm_2d", backward)
    assert not found
    assert found.message == "dL/dz: your result equals the formula without the factor gamma[d]"


def test_mlpack_2474():
    """The second part of the derivative by the mean is missing. It is zero, so nothing is wrong; mlpack pull 2474."""

    def backward(z, gamma, eps, g):
        h, u, n = pieces(z, eps)
        d_sigma2 = -0.5 * (gamma * g * u).sum(0) / h
        d_mu = -(gamma * g).sum(0) / np.sqrt(h)
        return gamma * g / np.sqrt(h) + d_sigma2 * 2 * (z - z.mean(0)) / n + d_mu / n

    assert diagnose("batchnorm_2d", backward)
    assert vanishes()


def test_mxnet_1053():
    """A part is added to the derivative by the mean that was thought too much: it is zero; apache/mxnet issue 1053."""

    def backward(z, gamma, eps, g):
        h, u, n = pieces(z, eps)
        d_sigma2 = -0.5 * (gamma * g * u).sum(0) / h
        extra = d_sigma2 * (-2 * (z - z.mean(0))).sum(0) / n
        d_mu = -(gamma * g).sum(0) / np.sqrt(h) + extra
        return gamma * g / np.sqrt(h) + d_sigma2 * 2 * (z - z.mean(0)) / n + d_mu / n

    assert diagnose("batchnorm_2d", backward)
    assert vanishes()


def vanishes():
    """The direct derivative of the variance by the mean is zero, for every size: the lecture proves it."""
    assert prove("sum(-2*(z[i,d] - mean(z[i,d], i)), i)", "0")
    d = derive("batchnorm_2d")
    mean = next(n for n in stops(d).values() if shown(d, n).name == "mu")
    (link,) = [x for x in links(d, mean) if x.var.name == "sigma2"]
    return link.certificate and not link.slope and link.raw


def test_the_mean_without_its_batch_size():
    """The real slip that stood in the same file once: a sum in the place of a mean; mlpack pull 1327."""

    def backward(z, gamma, eps, g):
        h, u, n = pieces(z, eps)
        d_sigma2 = -0.5 * (gamma * g * u).sum(0) / h
        return gamma * g / np.sqrt(h) + d_sigma2 * 2 * (z - z.mean(0)) / n - (gamma * g).sum(0) / np.sqrt(h)

    message = diagnose("batchnorm_2d", backward).message
    assert "without the factor 1/B in the term" in message
    assert "Sum(g[j, d], (j, 1, B))" in message


@pytest.mark.parametrize(
    ("backward", "message"),
    [
        (lambda z, g: "text", "no array of real numbers"),
        (lambda z, g: {}, "nothing"),
        (lambda z, g: {"w": z}, "'w'"),
        (lambda z, g: (z, z, z, z), "4 gradients"),
        (lambda z, g: 1j * z, "no array of real numbers"),
        (lambda z, g: np.random.default_rng().normal(size=z.shape), "two results"),
    ],
)
def test_what_a_backward_may_not_do(backward, message):
    with pytest.raises(SymbolicError, match=message):
        diagnose("batchnorm", backward)


def test_a_value_that_is_not_finite_is_said():
    def backward(z, g):
        out = np.zeros_like(z)
        out[1] = np.nan
        return out

    assert "nan at index [1], where" in diagnose("batchnorm", backward).message


def test_a_wrong_shape_is_said():
    found = diagnose("batchnorm", lambda z, gamma, eps, g: {"z": z[:2]})
    assert "shape (2,), expected (4,)" in found.message


def test_an_argument_that_is_not_known_is_said():
    with pytest.raises(SymbolicError, match=r"takes \['saved'\].*gamma"):
        diagnose("batchnorm", lambda z, saved: z)
    assert not diagnose("batchnorm", lambda z, saved=None, *rest, **others: z)
