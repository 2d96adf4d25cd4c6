"""Plots of training, by matplotlib: lines that are labelled where they end."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symgrad.errors import DataError
from viz.render import EngineError
from viz.theme import THEMES

__all__ = ["plot_histories"]

_LINES = (("#0072B2", "-"), ("#D55E00", "--"), ("#009E73", "-."), ("#A23B7A", ":"))


def plot_histories(
    histories: Mapping[str, Sequence[Any]], column: str = "val_loss", *, label: str | None = None, log: bool = False
) -> str:
    """One line per kind of run, the mean over its seeds, with a band from the smallest to the largest; as SVG.

    Parameters
    ----------
    histories : dict of str to list of History
        By the name of the kind; at most four kinds.
    column : str
        What is plotted against the epoch.
    label : str, optional
        Of the vertical axis; by default the column's name.
    log : bool
        Logarithmic vertical axis.

    Returns
    -------
    str
        An ``<svg>`` element.

    Raises
    ------
    EngineError
        Without matplotlib.
    DataError
        If there is nothing to plot.

    Examples
    --------
    >>> from symgrad.train import History
    >>> history = History()
    >>> for k in range(3):
    ...     history.append({"epoch": k + 1, "loss": 1 / (k + 1)})
    >>> plot_histories({"run": [history]}, "loss")[:4]
    '<svg'
    """
    if not 1 <= len(histories) <= len(_LINES) or not all(histories.values()):
        raise DataError(f"plot_histories: takes one to {len(_LINES)} kinds of runs, each with a history")
    try:
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ImportError:
        raise EngineError("plot_histories: needs matplotlib; install it with `pip install symgrad[plots]`") from None
    theme = THEMES["light"]
    figure = Figure(figsize=(7.2, 3.6), layout="constrained")
    axes = figure.add_subplot()
    ends = []
    for (name, runs), (color, dash) in zip(histories.items(), _LINES, strict=False):
        epochs = np.array(runs[0]["epoch"])
        values = np.array([run[column] for run in runs], dtype=float)
        axes.plot(epochs, values.mean(axis=0), color=color, linestyle=dash, linewidth=2)
        axes.fill_between(epochs, values.min(axis=0), values.max(axis=0), color=color, alpha=0.15, linewidth=0)
        ends.append((float(values.mean(axis=0)[-1]), float(epochs[-1]), name, color))
    _label_ends(axes, ends)
    axes.set_xlabel("epoch", color=theme.muted)
    axes.set_ylabel(label or column, color=theme.muted)
    axes.set_yscale("log" if log else "linear")
    axes.margins(x=0.02)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=theme.muted)
    axes.grid(axis="y", color=theme.rule, linewidth=0.6)
    buffer = io.StringIO()
    canvas: Any = FigureCanvasSVG(figure)
    canvas.print_svg(buffer, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _label_ends(axes: Any, ends: list[tuple[float, float, str, str]]) -> None:
    """Names beside the ends of the lines, kept apart."""
    for rank, (value, epoch, name, color) in enumerate(sorted(ends)):
        above = rank > 0 or len(ends) == 1
        axes.annotate(name, (epoch, value), xytext=(-4, 8 if above else -14), textcoords="offset points", ha="right",
                      color=color, weight="bold", fontsize=10)  # fmt: skip
