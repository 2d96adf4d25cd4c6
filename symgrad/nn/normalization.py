"""Layers that standardise: BatchNorm over the minibatch, LayerNorm over the features."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from symgrad import functions
from symgrad.context import RUN, Run, no_grad, run
from symgrad.errors import ShapeError, SymgradError
from symgrad.nn import init, kernels
from symgrad.nn.layers import check_features
from symgrad.nn.module import Layer, Module
from symgrad.nn.parameter import Parameter, State, sizes
from symgrad.tensor import tensor

__all__ = ["BatchNorm1d", "LayerNorm", "population_statistics"]


class BatchNorm1d(Layer):
    r"""Batch normalisation :math:`\hat z = \gamma\,(z - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta` of every feature.

    In training, :math:`\mu` and :math:`\sigma^2` are those of the minibatch, and gradients flow through them.
    In evaluation they are `running_mean` and `running_var`: while training lasts, a running average
    :math:`(1 - m)\,r + m\,s` over minibatches, with :math:`\sigma_B^2 B / (B - 1)` for the variance.

    Parameters
    ----------
    num_features : int
    eps : float
        Inside the root.
    momentum : float
        The m, the weight of the newest minibatch.
    stats : {"population", "running"}
        What evaluation uses after training: the statistics of the final network over all minibatches
        (`population_statistics`, which the Trainer calls), as in the paper; or the running average, as in torch.
    dtype : dtype, optional

    Attributes
    ----------
    weight, bias : Tensor, shape (num_features,)
        The gamma and beta; torch's names.
    running_mean, running_var : State

    References
    ----------
    S. Ioffe and C. Szegedy, "Batch normalization", ICML 2015, PMLR 37:448-456, algorithms 1 and 2.

    Examples
    --------
    >>> import symgrad as sg
    >>> from symgrad import nn
    >>> nn.BatchNorm1d(1, eps=0.0)(sg.tensor([[1.0], [3.0]])).tolist()
    [[-1.0], [1.0]]
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        *,
        stats: str = "population",
        dtype: Any = None,
    ) -> None:
        if stats not in ("population", "running"):
            raise SymgradError(f"BatchNorm1d: stats={stats!r} is none of 'population', 'running'")
        (num_features,) = sizes("BatchNorm1d", (num_features,))
        self.num_features, self.eps, self.momentum, self.stats = num_features, eps, momentum, stats
        self.weight = Parameter(init.ones, (num_features,), dtype=dtype, latex=r"\gamma")
        self.bias = Parameter(init.zeros, (num_features,), dtype=dtype, latex=r"\beta")
        self.running_mean = State(np.zeros(num_features), dtype)
        self.running_var = State(np.ones(num_features), dtype)

    def forward(self, z: Any) -> Any:
        """The standardised features of z, of shape (B, num_features)."""
        check_features(self, z, self.num_features)
        if len(z.shape) != 2:
            raise ShapeError(f"{self._called()}: takes (B, {self.num_features}), got {tuple(z.shape)}")
        if not self.in_training():
            scale = self.weight / (self.running_var.read() + self.eps) ** 0.5
            return (z - self.running_mean.read()) * scale + self.bias
        B = z.shape[0]
        if isinstance(B, int) and B == 1:
            raise ShapeError(
                f"{self._called()}: a minibatch of 1 has no variance to divide by in training; use "
                "batches of at least 2 (data.batches joins a last batch of one to the one before it), or model.eval()"
            )
        z_hat, mu, sigma2 = kernels.batch_norm(z, self.weight, self.bias, self.eps)
        self._remember(self.running_mean, mu)
        self._remember(self.running_var, sigma2 * B / (B - 1))
        return z_hat

    def _remember(self, state: State, new: Any) -> None:
        state.assign((1 - self.momentum) * state.read() + self.momentum * new)

    def extra(self) -> str:
        """The arguments that `repr` shows."""
        return f"{self.num_features}, stats={self.stats!r}"


class LayerNorm(Layer):
    r"""Layer normalisation: every sample standardised over its last axes.

    Parameters
    ----------
    normalized_shape : int or tuple of int
        Sizes of the last axes.
    eps : float
        Inside the root.
    dtype : dtype, optional

    References
    ----------
    J. L. Ba, J. R. Kiros and G. E. Hinton, "Layer normalization", 2016, equation 4.

    Examples
    --------
    >>> import symgrad as sg
    >>> from symgrad import nn
    >>> nn.LayerNorm(2, eps=0.0)(sg.tensor([[1.0, 3.0], [5.0, 1.0]])).tolist()
    [[-1.0, 1.0], [1.0, -1.0]]
    """

    def __init__(self, normalized_shape: int | tuple[int, ...], eps: float = 1e-5, *, dtype: Any = None) -> None:
        several = isinstance(normalized_shape, tuple | list)
        shape = sizes("LayerNorm", normalized_shape if several else (normalized_shape,))
        self.normalized_shape, self.eps = shape, eps
        self.weight = Parameter(init.ones, shape, dtype=dtype, latex=r"\gamma")
        self.bias = Parameter(init.zeros, shape, dtype=dtype, latex=r"\beta")

    def forward(self, z: Any) -> Any:
        """The standardised samples."""
        n = len(self.normalized_shape)
        if tuple(z.shape[-n:]) != self.normalized_shape:
            raise ShapeError(f"{self._called()}: takes last axes {self.normalized_shape}, got shape {tuple(z.shape)}")
        return functions.layer_norm(z, self.weight, self.bias, self.eps, axis=tuple(range(-n, 0)))

    def extra(self) -> str:
        """The arguments that `repr` shows."""
        return repr(self.normalized_shape)


def population_statistics(model: Module, batches: Iterable[Any]) -> None:
    r"""Give every ``stats="population"`` BatchNorm the statistics of the finished network over all minibatches.

    .. math::
        \mu = \frac1N \sum_{n=1}^N \mu_{B_n}, \qquad \sigma^2 = \frac1N \sum_{n=1}^N \frac{B_n}{B_n - 1} \sigma_{B_n}^2

    While one layer is measured, those below it use the statistics of the minibatch, as in training; all
    else (dropout) is in evaluation mode. Every minibatch counts once, with its own size :math:`B_n`.

    Parameters
    ----------
    model : Module
        Changed in place: the states `running_mean` and `running_var`.
    batches : iterable of arrays, shape (B, ...)
        Inputs of the model, B at least 2.

    Examples
    --------
    >>> from symgrad import nn
    >>> layer = nn.BatchNorm1d(1)
    >>> nn.population_statistics(layer, [[[1.0], [3.0]], [[3.0], [7.0]]])
    >>> layer.running_mean.read().tolist(), layer.running_var.read().tolist()
    ([3.5], [5.0])
    """
    layers = [m for m in model.modules() if isinstance(m, BatchNorm1d) and m.stats == "population"]
    before = [(m, m.training) for m in model.modules()]
    momenta = [layer.momentum for layer in layers]
    ambient = RUN.get() or Run()
    try:
        model.eval()
        for layer in layers:
            layer.training = True
        with no_grad(), run(ambient.seed, ambient.step):
            for k, X in enumerate(batches):
                for layer in layers:
                    layer.momentum = 1 / (k + 1)  # a running average of such weights is the mean
                model(tensor(model.cast(X)))
    finally:
        for module, training in before:
            module.training = training
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
