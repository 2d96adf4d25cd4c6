"""Pictures of computations: cards with values and gradients, local derivatives on every edge."""

from __future__ import annotations

from viz import notebooks as _notebooks  # fills the table of displays
from viz.coupled import Coupling, coupling
from viz.drawing import draw, draw_backprop, engines
from viz.picture import Picture
from viz.plots import plot_histories
from viz.render import EngineError, write_text
from viz.rows import draw_batchnorm, draw_coupling
from viz.scene import Card, Edge, Frame, Label, Row, Run, Scene, plain
from viz.stepping import Page, step_through

__all__ = [
    "Card",
    "Coupling",
    "Edge",
    "EngineError",
    "Frame",
    "Label",
    "Page",
    "Picture",
    "Row",
    "Run",
    "Scene",
    "coupling",
    "draw",
    "draw_backprop",
    "draw_batchnorm",
    "draw_coupling",
    "engines",
    "plain",
    "plot_histories",
    "step_through",
    "write_text",
]

del _notebooks
