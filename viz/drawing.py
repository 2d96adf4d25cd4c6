"""The functions that draw."""

from __future__ import annotations

from typing import Any

from symgrad.errors import GradientError, SymgradError
from symgrad.graph import Graph
from symgrad.reverse import adjoints
from symgrad.shapes import concrete
from symgrad.tensor import Tensor
from viz.build import build
from viz.picture import Picture
from viz.reading import read
from viz.render import available

__all__ = ["draw", "draw_backprop", "engines"]


def draw_backprop(loss: Tensor, *, max_nodes: int = 200, inline: bool | None = None, theme: str = "light") -> Picture:
    """Draw how the gradient of a scalar comes about: values forward, gradients backward, local derivatives between.

    Every card shows a tensor's value and the gradient of the loss by it; every edge the local derivative as a
    formula and as a number, both from the op's own rule. Tensors with several elements show norms.

    Parameters
    ----------
    loss : Tensor
        One element, computed from leaves that require gradients.
    max_nodes : int
        Over it, the nodes nearest to the loss are drawn, and a card says how many are not.
    inline : bool, optional
        Whether short unnamed steps are written into the formula of what reads them, and get no card. By default,
        where tensors have several elements.
    theme : {"light", "dark", "print"}

    Returns
    -------
    Picture

    Raises
    ------
    GradientError
        If ``loss`` has no gradient or several elements.

    Examples
    --------
    >>> import symgrad as sg, viz
    >>> x = sg.tensor(1.5, name="x")
    >>> w = sg.tensor(-0.8, name="w", requires_grad=True)
    >>> picture = viz.draw_backprop(sg.tanh(w * x))
    >>> for edge in picture.scene.edges:
    ...     print(edge.symbol, edge.number)
    n0 1.5
    n1 -0.8
    1 - n3**2 0.305
    """
    if not isinstance(loss, Tensor):
        raise GradientError(f"draw_backprop: needs a Tensor, got {type(loss).__name__}")
    if not loss.requires_grad:
        raise GradientError(
            "draw_backprop: no leaf below this Tensor requires a gradient; make one with "
            "sg.tensor(data, requires_grad=True), or use viz.draw"
        )
    several = loss.op is not None and loss.op.outputs
    if several or not concrete(loss.shape) or loss.size != 1:
        raise GradientError(
            f"draw_backprop: needs a scalar, got {loss._describe()}; reduce it, for example with .sum() or .mean(), or "
            "draw it forward with viz.draw"
        )
    reading = read([loss], _limit(max_nodes), inline)
    gradients = adjoints(loss)
    name = "L" if reading.root is None else reading.names.get(reading.nodes[reading.root].serial, ("L", None))[0]
    return Picture(build(reading, f"backprop of {name}", gradients), theme)


def draw(x: Tensor | Graph, *, max_nodes: int = 200, inline: bool | None = None, theme: str = "light") -> Picture:
    """Draw a computation forward: what is computed from what, with values or shapes.

    Parameters
    ----------
    x : Tensor or Graph
        A result, or what `symgrad.trace` returned.
    max_nodes : int
        Over it, the nodes nearest to the result are drawn, and a card says how many are not.
    inline : bool, optional
        Whether short unnamed steps are written into the formula of what reads them, and get no card. By default,
        where tensors have several elements.
    theme : {"light", "dark", "print"}

    Returns
    -------
    Picture

    Examples
    --------
    >>> import symgrad as sg, viz
    >>> viz.draw(sg.trace(lambda x: sg.exp(x).sum(), sg.spec("B")))
    Picture('computation', 2 cards, 1 edge)
    """
    if isinstance(x, Tensor):
        return Picture(build(read([x], _limit(max_nodes), inline), "computation", None), theme)
    if not isinstance(x, Graph):
        raise SymgradError(f"draw: needs a Tensor or a Graph (see sg.trace), got {type(x).__name__}")
    kinds = {node.serial: "data" for node in x.inputs}
    kinds |= {node.node.serial: "data" for node in x.draws}
    kinds |= {stand_in.serial: "parameter" if leaf.requires_grad else "constant" for leaf, stand_in in x.leaves}
    roots: list[Any] = [*x.outputs, *(new for _, new in x.assigned)]
    return Picture(build(read(roots, _limit(max_nodes), inline), "computation", None, kinds), theme)


def engines() -> dict[str, str | None]:
    """What can draw here: versions of Graphviz's `dot`, of pygraphviz, and of what makes PNG and PDF.

    Returns
    -------
    dict of str to str or None
        None for what is missing. SVG and HTML need ``dot`` or ``pygraphviz``; PNG ``resvg_py`` and ``matplotlib``
        (its fonts) as well; PDF ``matplotlib``.

    Examples
    --------
    >>> import viz
    >>> sorted(viz.engines())
    ['dot', 'matplotlib', 'pygraphviz', 'resvg_py']
    """
    return available()


def _limit(max_nodes: int) -> int:
    if not isinstance(max_nodes, int) or max_nodes < 1:
        raise SymgradError(f"viz: max_nodes must be a positive integer, got {max_nodes!r}")
    return max_nodes
