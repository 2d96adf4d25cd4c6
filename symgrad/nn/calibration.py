"""Initial values that are measured on data."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.context import no_grad, run
from symgrad.errors import SymgradError
from symgrad.nn import init
from symgrad.nn.module import Module
from symgrad.tensor import tensor

__all__ = ["unit_variance"]


def unit_variance(model: Module, X: Any, tolerance: float = 0.01, rounds: int = 10, seed: int = 0) -> Module:
    """Layer by layer, orthogonal weights scaled until the layer's outputs have variance 1: LSUV initialisation.

    Parameters
    ----------
    model : Module
        Every module in it that has a `weight` of two axes or more and is called once counts as a layer, in the order
        of calls. Biases stay.
    X : array, shape (n, ...)
        A minibatch of inputs.
    tolerance : float
        How far from 1 a variance may stay.
    rounds : int
        How often one layer is measured at most.
    seed : int
        Of the orthogonal matrices.

    Returns
    -------
    Module
        The model.

    Raises
    ------
    SymgradError
        If a layer's outputs do not vary, or do not reach variance 1, as where the biases alone vary more; then all
        weights are as before.

    References
    ----------
    D. Mishkin and J. Matas, "All you need is a good init", ICLR 2016, algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from symgrad import data, nn
    >>> X = data.digits().X[:100]
    >>> model = nn.unit_variance(nn.Sequential(nn.Linear(64, 30), nn.ReLU(), nn.Linear(30, 10)), X)
    >>> bool(abs(np.var(model.predict(X)) - 1) < 0.01)
    True
    """
    layers = [m for m in model.modules() if len(getattr(getattr(m, "weight", None), "shape", ())) > 1]
    random = np.random.default_rng(seed)
    before = [layer.weight.numpy() for layer in layers]

    def scaled(layer: Any, forward: Any) -> Any:
        """The layer's forward, which scales its weight the first time."""

        def first(*inputs: Any) -> Any:
            del layer.__dict__["forward"]
            layer.weight.assign(init.orthogonal(random, layer.weight.shape).astype(layer.weight.dtype))
            variance = np.nan
            for _ in range(rounds):
                variance = float(np.var(np.asarray(forward(*inputs))))
                if not variance > 0:
                    raise SymgradError(f"unit_variance: the outputs of {layer!r} do not vary on these inputs")
                if abs(variance - 1) < tolerance:
                    return forward(*inputs)
                layer.weight.assign(layer.weight.numpy() / np.sqrt(variance))
            raise SymgradError(f"unit_variance: the outputs of {layer!r} do not reach variance 1 in {rounds} rounds, "
                               f"but {variance:.3g}; let biases be 0 at first, or allow more rounds")  # fmt: skip

        return first

    for layer in layers:
        layer.__dict__["forward"] = scaled(layer, layer.forward)
    try:
        with no_grad(), run(seed, training=False):
            model(tensor(model.cast(X)))
    except BaseException:
        for layer, weight in zip(layers, before, strict=True):
            layer.weight.assign(weight)
        raise
    finally:
        for layer in layers:
            layer.__dict__.pop("forward", None)
    return model
