"""Pictures of computations: cards with values and gradients, local derivatives on every edge."""

from __future__ import annotations

from viz.drawing import draw, draw_backprop, engines
from viz.picture import Picture
from viz.plots import plot_histories
from viz.render import EngineError, write_text
from viz.scene import Card, Edge, Label, Row, Run, Scene, plain

__all__ = [
    "Card",
    "Edge",
    "EngineError",
    "Label",
    "Picture",
    "Row",
    "Run",
    "Scene",
    "draw",
    "draw_backprop",
    "engines",
    "plain",
    "plot_histories",
    "write_text",
]
