"""Affine maps, tables of vectors, and the containers of layers."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar

from symgrad.errors import DTypeError, ShapeError, SymgradError
from symgrad.nn import init
from symgrad.nn.batchnorm import BatchNorm1d
from symgrad.nn.module import Layer, Module
from symgrad.nn.parameter import Parameter, sizes
from symgrad.ops.indexing import labels, take
from symgrad.shapes import same_size, size_of
from symgrad.tensor import array_like

__all__ = ["Embedding", "Flatten", "Identity", "Linear", "Reshape", "Residual", "Sequential"]

_log = logging.getLogger("symgrad")


class Linear(Layer):
    r"""The affine map :math:`z = x W + b`.

    Parameters
    ----------
    in_features, out_features : int
    bias : bool
        Leave it out in front of a `BatchNorm1d`, which takes it away again.
    dtype : dtype, optional
        float64 by default.
    weight_init : callable, optional
        By default torch's: uniform within :math:`\pm 1 / \sqrt{\mathrm{in}}`, as is the bias.

    Attributes
    ----------
    weight : Tensor, shape (in_features, out_features)
        The transpose of torch's, so that one product and one sum say it all.
    bias : Tensor, shape (out_features,)
        None without bias.

    Examples
    --------
    >>> import symgrad as sg
    >>> from symgrad import nn
    >>> nn.Linear(3, 2)(sg.tensor([[1.0, 2.0, 3.0]])).shape
    (1, 2)
    """

    out_axis: ClassVar[int] = 1

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, *, dtype: Any = None, weight_init: Any = None
    ) -> None:
        in_features, out_features = sizes("Linear", (in_features, out_features))
        self.in_features, self.out_features = in_features, out_features
        bound = in_features**-0.5
        draw = partial(init.uniform, low=-bound, high=bound)
        self.weight = Parameter(weight_init or draw, (in_features, out_features), dtype=dtype, latex="W")
        self.bias = Parameter(draw, (out_features,), dtype=dtype, latex="b") if bias else None

    def forward(self, x: Any) -> Any:
        """The weighted sums of x, whose last axis holds the features."""
        check_features(self, x, self.in_features)
        return self.of(x, self.weight)

    def of(self, x: Any, weight: Any) -> Any:
        """The output with another weight."""
        z = x @ weight
        return z if self.bias is None else z + self.bias

    def extra(self) -> str:
        """The arguments that `repr` shows."""
        return f"{self.in_features}, {self.out_features}" + ("" if "bias" in self._slots else ", bias=False")


class Embedding(Module):
    """A table of vectors, looked up by integers.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        How many vectors, and how long each is.
    dtype : dtype, optional

    Attributes
    ----------
    weight : Tensor, shape (num_embeddings, embedding_dim)
        Normal numbers at first, as in torch.

    Raises
    ------
    DataError
        If an index is outside of the table.

    Examples
    --------
    >>> import numpy as np
    >>> from symgrad import nn
    >>> nn.Embedding(10, 3)(np.array([[1, 2], [2, 0]])).shape
    (2, 2, 3)
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, *, dtype: Any = None) -> None:
        self.num_embeddings, self.embedding_dim = sizes("Embedding", (num_embeddings, embedding_dim))
        self.weight = Parameter(init.normal, (self.num_embeddings, self.embedding_dim), dtype=dtype, latex="E")

    def forward(self, x: Any) -> Any:
        """The vectors of the indices x, in a new last axis."""
        x = array_like(x, self._called())
        if x.dtype.kind not in "iu":
            raise DTypeError(f"{self._called()}: takes integers, got {x.dtype}; convert with .astype(int)")
        return take(self.weight, labels(x, self.num_embeddings, self._called()), 0)

    def extra(self) -> str:
        """The arguments that `repr` shows."""
        return f"{self.num_embeddings}, {self.embedding_dim}"


class Flatten(Layer):
    """All axes but the first in one.

    Examples
    --------
    >>> import numpy as np
    >>> from symgrad import nn
    >>> nn.Flatten()(np.ones((2, 3, 4))).shape
    (2, 12)
    """

    def forward(self, x: Any) -> Any:
        """The samples as rows."""
        return x.reshape((x.shape[0], size_of(x.shape[1:])))


class Reshape(Layer):
    """Every sample in another shape.

    Parameters
    ----------
    *shape : int
        Without the axis of the samples.

    Examples
    --------
    >>> import numpy as np
    >>> from symgrad import nn
    >>> nn.Reshape(1, 8, 8)(np.ones((5, 64))).shape
    (5, 1, 8, 8)
    """

    def __init__(self, *shape: int) -> None:
        self.shape = sizes("Reshape", shape)

    def forward(self, x: Any) -> Any:
        """The samples in their shape."""
        return x.reshape((x.shape[0], *self.shape))

    def extra(self) -> str:
        """The arguments that `repr` shows."""
        return ", ".join(map(str, self.shape))


class Identity(Layer):
    """The input, unchanged."""

    def forward(self, x: Any) -> Any:
        """The input."""
        return x


class Residual(Module):
    r"""A skip connection :math:`x + f(x)` around modules that keep the shape.

    Parameters
    ----------
    *layers : Module or callable
        The f, as in `Sequential`.
    shortcut : Module or callable, optional
        Takes the place of x where f changes the shape.

    References
    ----------
    K. He et al., "Deep residual learning for image recognition", CVPR 2016, equations 1 and 2.

    Examples
    --------
    >>> import symgrad as sg
    >>> from symgrad import nn
    >>> nn.Residual(nn.ReLU())(sg.tensor([-1.0, 2.0]))
    Tensor([-1.,  4.])
    """

    def __init__(self, *layers: Any, shortcut: Any = None) -> None:
        self.body = Sequential(*layers)
        self.shortcut = shortcut

    def forward(self, x: Any) -> Any:
        """The input, or its shortcut, with what the layers add to it."""
        y, kept = self.body(x), x if self.shortcut is None else self.shortcut(x)
        if tuple(y.shape) != tuple(kept.shape):
            raise ShapeError(
                f"{self._called()}: the layers make shape {tuple(y.shape)} of {tuple(x.shape)}; pass shortcut=, "
                "for example a Linear that makes the same"
            )
        return kept + y


class Sequential(Module):
    """Modules (or functions of one Tensor), each run on the output of the one before.

    Parameters
    ----------
    *layers : Module or callable

    Examples
    --------
    >>> from symgrad import nn
    >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> print(model.summary())
    path   module      parameters                    count
    .      Sequential                                0
    0      Linear      weight (4, 3), bias (3,)      15
    1      ReLU                                      0
    2      Linear      weight (3, 2), bias (2,)      8
    total                                            23
    """

    def __init__(self, *layers: Any) -> None:
        for k, layer in enumerate(layers):
            if not callable(layer):
                raise SymgradError(
                    f"Sequential: layer {k} is {type(layer).__name__}, not callable; pass Sequential(a, b, ...)"
                )
            setattr(self, str(k), layer)
        for k, (layer, after) in enumerate(pairwise(layers)):
            if isinstance(after, BatchNorm1d) and after.units is None and "bias" in getattr(layer, "_slots", ()):
                _log.warning(
                    "Sequential: the bias of layer %d (%s) is taken away again by %s; make it with bias=False",
                    k, type(layer).__name__, type(after).__name__,
                )  # fmt: skip

    def forward(self, x: Any) -> Any:
        """The output of the last layer."""
        for layer in self:
            x = layer(x)
        return x

    def __len__(self) -> int:
        return sum(name.isdigit() for name in self.__dict__)

    def __iter__(self) -> Iterator[Any]:
        return (self.__dict__[str(k)] for k in range(len(self)))

    def __getitem__(self, k: int) -> Any:
        return list(self)[k]


def check_features(layer: Module, x: Any, wanted: int) -> None:
    """Raise ShapeError, naming the layer, unless the last axis of x has this size."""
    if not x.shape or not same_size(x.shape[-1], wanted):
        raise ShapeError(
            f"{layer._called()}: takes {wanted} features in the last axis, got an input of shape {tuple(x.shape)}"
        )
