"""Pictures of computations: cards with values and gradients, local derivatives on every edge."""

from __future__ import annotations

from viz import notebooks as _notebooks  # fills the table of displays
from viz.coupled import Coupling, coupling
from viz.drawing import draw, draw_backprop, engines
from viz.picture import Picture
from viz.plots import plot_gradients, plot_histograms, plot_histories, plot_history, plot_schedules
from viz.plotting import Plot
from viz.render import EngineError, write_text
from viz.rows import draw_batchnorm, draw_coupling
from viz.scene import Card, Edge, Frame, Label, Row, Run, Scene, plain
from viz.stepping import Page, step_through
from viz.surfaces import Plane, loss_plane, plot_surface

__all__ = [
    "Card",
    "Coupling",
    "Edge",
    "EngineError",
    "Frame",
    "Label",
    "Page",
    "Picture",
    "Plane",
    "Plot",
    "Row",
    "Run",
    "Scene",
    "coupling",
    "draw",
    "draw_backprop",
    "draw_batchnorm",
    "draw_coupling",
    "engines",
    "loss_plane",
    "plain",
    "plot_gradients",
    "plot_histograms",
    "plot_histories",
    "plot_history",
    "plot_schedules",
    "plot_surface",
    "step_through",
    "write_text",
]

del _notebooks
