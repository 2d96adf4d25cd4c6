"""Recurrent cells, and what runs one over a sequence."""

from __future__ import annotations

from functools import partial
from typing import Any

from symgrad.errors import ShapeError, SymgradError
from symgrad.nn import functional, init
from symgrad.nn.layers import check_features
from symgrad.nn.module import Module
from symgrad.nn.parameter import Parameter, sizes
from symgrad.ops.layout import stack
from symgrad.shapes import concrete

__all__ = ["Cell", "GRUCell", "LSTMCell", "RNNCell", "Recurrent"]


class Cell(Module):
    r"""Base of recurrent cells: the weighted sums of input and state, for one or more gates.

    Parameters
    ----------
    input_size, hidden_size : int
    bias : bool
    dtype : dtype, optional

    Attributes
    ----------
    weight_ih : Tensor, shape (input_size, gates * hidden_size)
    weight_hh : Tensor, shape (hidden_size, gates * hidden_size)
        The transposes of torch's; the gates in torch's order. Uniform within :math:`\pm 1/\sqrt{\mathrm{hidden}}`.
    bias_ih, bias_hh : Tensor, shape (gates * hidden_size,)
    """

    gates = 1
    states = 1

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, *, dtype: Any = None) -> None:
        self.input_size, self.hidden_size = sizes(type(self).__name__, (input_size, hidden_size))
        draw = partial(init.uniform, low=-(self.hidden_size**-0.5), high=self.hidden_size**-0.5)
        n = self.gates * self.hidden_size
        self.weight_ih = Parameter(draw, (self.input_size, n), dtype=dtype)
        self.weight_hh = Parameter(draw, (self.hidden_size, n), dtype=dtype)
        self.bias_ih = Parameter(draw, (n,), dtype=dtype) if bias else None
        self.bias_hh = Parameter(draw, (n,), dtype=dtype) if bias else None

    def start(self, x: Any) -> Any:
        """The state before the first step: zeros, one row per row of x."""
        zeros = x[:, :1] * 0.0 @ self.weight_hh[:1, : self.hidden_size] * 0.0
        return zeros if self.states == 1 else (zeros,) * self.states

    def _sums(self, x: Any, h: Any) -> tuple[list[Any], list[Any]]:
        """What input and state contribute to every gate."""
        check_features(self, x, self.input_size)
        a, b = x @ self.weight_ih, h @ self.weight_hh
        if self.bias_ih is not None:
            a, b = a + self.bias_ih, b + self.bias_hh
        H = self.hidden_size
        return tuple([s[:, k * H : (k + 1) * H] for k in range(self.gates)] for s in (a, b))  # type: ignore[return-value]

    def extra(self) -> str:
        """The arguments that `repr` shows."""
        return f"{self.input_size}, {self.hidden_size}"


class RNNCell(Cell):
    r"""The simple cell :math:`h' = \tanh(W_x x + b_x + W_h h + b_h)`; parameters as in `Cell`.

    References
    ----------
    J. L. Elman, "Finding structure in time", Cognitive Science 14:179-211, 1990.

    Examples
    --------
    >>> import numpy as np, symgrad as sg
    >>> from symgrad import nn
    >>> nn.RNNCell(3, 2)(sg.tensor(np.ones((4, 3)))).shape
    (4, 2)
    """

    def forward(self, x: Any, h: Any = None) -> Any:
        """The new state (B, hidden_size) after input x (B, input_size); from zeros by default."""
        (a,), (b,) = self._sums(x, self.start(x) if h is None else h)
        return functional.tanh(a + b)


class GRUCell(Cell):
    r"""The gated recurrent unit; parameters as in `Cell`.

    .. math::
        r = \sigma(a_r + b_r), \quad z = \sigma(a_z + b_z), \quad n = \tanh(a_n + r\, b_n), \quad
        h' = (1 - z)\, n + z\, h

    with a the sums of the input and b those of the state.

    References
    ----------
    K. Cho et al., "Learning phrase representations using RNN encoder-decoder", EMNLP 2014; as in torch.
    """

    gates = 3

    def forward(self, x: Any, h: Any = None) -> Any:
        """The new state (B, hidden_size) after input x (B, input_size); from zeros by default."""
        h = self.start(x) if h is None else h
        (ar, az, an), (br, bz, bn) = self._sums(x, h)
        r, z = functional.sigmoid(ar + br), functional.sigmoid(az + bz)
        n = functional.tanh(an + r * bn)
        return (1 - z) * n + z * h


class LSTMCell(Cell):
    r"""Long short-term memory; parameters as in `Cell`.

    .. math::
        i, f, o = \sigma(\cdot), \quad g = \tanh(\cdot), \quad c' = f c + i g, \quad h' = o \tanh c'

    References
    ----------
    S. Hochreiter and J. Schmidhuber, "Long short-term memory", Neural Computation 9:1735-1780, 1997; as in torch.
    """

    gates = 4
    states = 2

    def forward(self, x: Any, state: Any = None) -> Any:
        """The new state (h, c), each (B, hidden_size), after input x (B, input_size); from zeros by default."""
        h, c = self.start(x) if state is None else state
        i, f, g, o = (a + b for a, b in zip(*self._sums(x, h), strict=True))
        c = functional.sigmoid(f) * c + functional.sigmoid(i) * functional.tanh(g)
        return functional.sigmoid(o) * functional.tanh(c), c


class Recurrent(Module):
    """A cell run over the steps of sequences.

    Parameters
    ----------
    cell : Cell
    last : bool
        Whether the output is that of the last step alone.

    Examples
    --------
    >>> import numpy as np, symgrad as sg
    >>> from symgrad import nn
    >>> sequences = sg.tensor(np.ones((4, 7, 3)))
    >>> nn.Recurrent(nn.GRUCell(3, 2))(sequences).shape, nn.Recurrent(nn.LSTMCell(3, 2), last=True)(sequences).shape
    ((4, 7, 2), (4, 2))
    """

    def __init__(self, cell: Cell, last: bool = False) -> None:
        if not isinstance(cell, Cell):
            raise SymgradError(f"Recurrent: takes a cell such as nn.RNNCell(3, 5), got {type(cell).__name__}")
        self.cell, self.last = cell, last

    def forward(self, x: Any) -> Any:
        """The states h of shape (B, T, hidden_size) for sequences (B, T, input_size), or the last (B, hidden_size)."""
        if len(x.shape) != 3 or not concrete(x.shape[1:2]):
            raise ShapeError(f"{self._called()}: takes (B, T, features) with a number T, got {tuple(x.shape)}")
        state, found = self.cell.start(x[:, 0]), []
        for t in range(x.shape[1]):
            state = self.cell(x[:, t], state)
            found.append(state if self.cell.states == 1 else state[0])
        return found[-1] if self.last else stack(found, 1)
