"""Penalties on how strongly a model's output depends on its input; they need derivatives of derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symgrad.differentiate import grad, vjp
from symgrad.errors import ShapeError
from symgrad.ops.reduction import norm2, sum
from symgrad.tensor import as_tensor

__all__ = ["gradient_penalty", "jacobian_penalty"]


def jacobian_penalty(f: Callable[[Any], Any], x: Any) -> Any:
    r"""The mean over samples of :math:`\lVert \partial f(x_n) / \partial x_n \rVert_F^2`, output by output.

    Parameters
    ----------
    f : callable
        A model of independent samples: (n, ...) to (n, K); no statistics of the batch.
    x : Tensor, shape (n, ...)

    References
    ----------
    S. Rifai et al., "Contractive auto-encoders", ICML 2011.

    Examples
    --------
    >>> import numpy as np, symgrad as sg
    >>> from symgrad import regularizers
    >>> w = sg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> penalty = regularizers.jacobian_penalty(lambda x: x @ w, np.ones((5, 2)))
    >>> penalty.item()
    30.0
    >>> penalty.backward()
    >>> w.grad.tolist()
    [[2.0, 4.0], [6.0, 8.0]]
    """
    x = as_tensor(x)
    y, pull = vjp(f, x)
    if len(y.shape) != 2:
        raise ShapeError(f"jacobian_penalty: f must give (samples, outputs), got shape {tuple(y.shape)}")
    total = 0.0
    for k in range(y.shape[1]):
        chosen = np.zeros(y.shape[1])
        chosen[k] = 1
        (row,) = pull(as_tensor(np.broadcast_to(chosen, y.shape), y.dtype))
        total = total + sum(row * row)
    return total / x.shape[0]


def gradient_penalty(f: Callable[[Any], Any], x: Any, target: float = 1.0) -> Any:
    r"""The mean of :math:`(\lVert \nabla_x f(x_n) \rVert_2 - c)^2` over samples.

    Parameters
    ----------
    f : callable
        (n, ...) to one number per sample.
    x : Tensor, shape (n, ...)
    target : float
        The c.

    References
    ----------
    I. Gulrajani et al., "Improved training of Wasserstein GANs", NeurIPS 2017.
    """
    x = as_tensor(x)
    slopes = grad(lambda x: sum(f(x)))(x)
    excess = norm2(slopes, tuple(range(1, len(x.shape)))) - target
    return sum(excess * excess) / x.shape[0]
