"""The emitted NumPy of the catalogue against torch in float64, and second derivatives of the graph against torch."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402

import symgrad as sg  # noqa: E402
from symgrad.symbolic import derive  # noqa: E402
from symgrad.symbolic.checking import random_arrays  # noqa: E402

BN = lambda z, gamma, beta: F.batch_norm(z, None, None, gamma, beta, True, 0.1, 1e-5)  # noqa: E731


def group_norm(z, gamma, beta):
    n, g, k, p = z.shape
    return F.group_norm(z.reshape(n, g * k, p), g, gamma.reshape(-1), beta.reshape(-1)).reshape(z.shape)


def bessel(z, gamma, beta):
    return gamma * (z - z.mean(0)) / torch.sqrt(z.var(0, correction=1) + 1e-5) + beta


def focal(logits, target):
    p = torch.softmax(logits, -1)
    return -(target * (1 - p) ** 2 * torch.log(p)).sum(-1).mean()


def info_nce(a, b):
    s = a @ b.T / 0.1
    return (torch.logsumexp(s, 1) - (a * b).sum(1) / 0.1).mean()


def network(x, W1, gamma, beta, W2, b, t):
    return F.cross_entropy(torch.tanh(BN(x @ W1, gamma, beta)) @ W2 + b, t)


TORCH = {
    "batch_norm_features": BN,
    "batch_norm_positions": BN,
    "batch_norm_bessel": bessel,
    "layer_norm": lambda z, gamma, beta: F.layer_norm(z, z.shape[-1:], gamma, beta),
    "group_norm": group_norm,
    "rms_norm": lambda z, gamma: F.rms_norm(z, z.shape[-1:], gamma, 1e-5),
    "softmax": lambda x: torch.softmax(x, -1),
    "log_softmax": lambda x: torch.log_softmax(x, -1),
    "logsumexp": lambda x: torch.logsumexp(x, -1),
    "cross_entropy": F.cross_entropy,
    "binary_cross_entropy": F.binary_cross_entropy_with_logits,
    "kl_divergence": lambda t, z: F.kl_div(torch.log_softmax(z, -1), t, reduction="none").sum(-1),
    "focal_loss": focal,
    "info_nce": info_nce,
    "cosine_similarity": lambda a, b: F.cosine_similarity(a, b, dim=-1),
    "mse": F.mse_loss,
    "huber": F.huber_loss,
    "gaussian_nll": lambda mu, v, target: F.gaussian_nll_loss(mu, target, v),
    "lp_norm": lambda x: torch.linalg.vector_norm(x, 3.0),
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "softplus": F.softplus,
    "mish": F.mish,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "linear": lambda x, W, b: F.linear(x, W.T, b),
    "attention": lambda q, k, v: F.scaled_dot_product_attention(q, k, v, scale=0.125),
    "bn_tanh_network": network,
}


@pytest.mark.parametrize("name", TORCH)
def test_emitted_code_agrees_with_torch(name):
    d = derive(name)
    arrays = random_arrays(d, 3)
    derived = d.backward(**arrays)
    g = torch.tensor(arrays.pop("g"))
    inputs = {n: torch.tensor(x, requires_grad=True) for n, x in arrays.items()}
    gradients = torch.autograd.grad(TORCH[name](*inputs.values()), list(inputs.values()), g, allow_unused=True)
    for n, expected in zip(inputs, gradients, strict=True):
        wanted = np.zeros(derived[n].shape) if expected is None else expected.numpy()
        np.testing.assert_allclose(derived[n], wanted, rtol=1e-12, atol=1e-12, err_msg=n)


@pytest.mark.parametrize("name", TORCH)
def test_second_derivatives_agree_with_torch(name):
    d = derive(name)
    arrays = random_arrays(d, 5)
    g = arrays.pop("g")
    first = next(iter(arrays))
    direction = np.random.default_rng(1).standard_normal(arrays[first].shape)

    def along(x):
        rest = {n: a for n, a in arrays.items() if n != first}
        gradient = sg.grad(lambda y: sg.sum(d.function(**{first: y}, **rest) * g))(x)
        return sg.sum(gradient * direction)

    twice = sg.grad(along)(arrays[first])
    inputs = {n: torch.tensor(x, requires_grad=n == first) for n, x in arrays.items()}
    value = (TORCH[name](*inputs.values()) * torch.tensor(g)).sum()
    (gradient,) = torch.autograd.grad(value, inputs[first], create_graph=True)
    total = (gradient * torch.tensor(direction)).sum()
    expected = torch.autograd.grad(total, inputs[first])[0] if total.requires_grad else torch.zeros(twice.shape)
    np.testing.assert_allclose(twice, expected.numpy(), rtol=1e-10, atol=1e-10)
    double = d.double(first)
    *_, way = double.record.arguments
    emitted = double.backward(**arrays, **{"g": g, way: direction, double.record.cotangent.name: 1.0})[first]
    np.testing.assert_allclose(emitted, expected.numpy(), rtol=1e-10, atol=1e-10)
