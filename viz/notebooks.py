"""What notebooks show once viz is imported: of Tensors, graphs and models a picture beside the text, never an error."""

from __future__ import annotations

from typing import Any

from symgrad.op import DISPLAY
from symgrad.tensor import Tensor
from viz.derivatives import is_one
from viz.drawing import draw

__all__ = ["show"]

_CARDS = 60  # more are folded


def show(x: Any) -> dict[str, Any]:
    """The forms in which a notebook may show something; the text alone where there is nothing to draw with.

    Examples
    --------
    >>> import symgrad as sg
    >>> show(sg.tensor([1.0, 2.0], name="x"))
    {'text/plain': "Tensor([1., 2.], name='x')"}
    """
    text = repr(x)
    try:
        if isinstance(x, Tensor) and x.op is None:
            return {"text/plain": text}
        backward = isinstance(x, Tensor) and is_one(x) and x.requires_grad and x.value is not None
        picture = draw(x, mode="both" if backward else "forward", max_nodes=_CARDS)
        return {"image/svg+xml": picture.svg, "text/plain": text}
    except Exception:
        return {"text/plain": text}


DISPLAY.update(tensor=show, graph=show, module=show)
