"""Pictures of computations: cards with values and gradients, local derivatives on every edge."""

from __future__ import annotations

from viz.drawing import draw, draw_backprop, engines
from viz.picture import Picture
from viz.render import EngineError
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
]
