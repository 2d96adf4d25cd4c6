"""Plots of training: histories, schedules, gradients per layer, histograms; lines are labelled where they end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symgrad.errors import DataError
from symgrad.nn import Module
from symgrad.reverse import adjoints
from symgrad.tensor import Tensor, reachable
from viz.plotting import STYLES, Plot, label_ends, style_axes
from viz.subject import subject
from viz.theme import Theme

__all__ = [
    "plot_gradients", "plot_histograms", "plot_histories", "plot_history", "plot_schedules",
]  # fmt: skip


def plot_history(history: Any, *columns: str, log: bool = True) -> Plot:
    """Columns of one training history against the epoch.

    Parameters
    ----------
    history : History
    *columns : str
        By default the losses, of training and validation.
    log : bool
        Logarithmic vertical axis.

    Examples
    --------
    >>> import viz
    >>> from symgrad.train import History
    >>> history = History({"epoch": [1, 2, 3], "loss": [1.0, 0.5, 0.2], "val_loss": [1.1, 0.7, 0.6]})
    >>> viz.plot_history(history)
    Plot('loss, val_loss')
    """
    chosen = columns or tuple(c for c in ("loss", "val_loss") if c in history.columns)
    missing = [c for c in chosen if c not in history.columns]
    if not chosen or missing or not len(history):
        have = ", ".join(history.columns) or "nothing"
        raise DataError(f"plot_history: no column {', '.join(missing) or 'loss'}; the history has {have}")
    lines = {c: (history["epoch"], history[c]) for c in chosen}
    return _lines(", ".join(chosen), lines, "epoch", "", log)


def plot_schedules(schedules: Mapping[str, Any], steps: int = 100, *, log: bool = False) -> Plot:
    """Learning rates against the step.

    Parameters
    ----------
    schedules : dict of str to Schedule
        Functions of k = 0, 1, ...
    steps : int
    log : bool

    Examples
    --------
    >>> import viz
    >>> from symgrad.optim import schedules
    >>> viz.plot_schedules({"cosine": schedules.cosine(0.1, 100), "constant": schedules.constant(0.05)})
    Plot('schedules')
    """
    if not schedules:
        raise DataError("plot_schedules: takes at least one schedule, as {name: schedule}")
    lines = {n: (range(steps), [float(np.asarray(s(k))) for k in range(steps)]) for n, s in schedules.items()}
    return _lines("schedules", lines, "step k", "learning rate", log, marks=False)


def _lines(title: str, lines: Mapping[str, Any], x: str, y: str, log: bool, marks: bool = True) -> Plot:
    def draw(figure: Any, theme: Theme) -> None:
        axes = figure.add_subplot()
        ends = []
        for n, (name, (at, values)) in enumerate(lines.items()):
            colour, dash, marker = STYLES[n % len(STYLES)]
            values = np.array([np.nan if v is None else v for v in values], dtype=float)
            every = max(1, len(values) // 12)
            axes.plot(list(at), values, color=colour, linestyle=dash, linewidth=2, marker=marker if marks else "",
                      markevery=every, markersize=5, markerfacecolor="white")  # fmt: skip
            known = np.flatnonzero(np.isfinite(values))
            if len(known):
                ends.append((name, float(list(at)[known[-1]]), float(values[known[-1]]), colour))
        style_axes(axes, theme, x, y, log)
        label_ends(axes, ends)

    return Plot(title, draw)


def plot_histories(
    histories: Mapping[str, Sequence[Any]], column: str = "val_loss", *, label: str | None = None, log: bool = False
) -> str:
    """One line per kind of run, the mean over its seeds, with a band from the smallest to the largest; as SVG.

    Parameters
    ----------
    histories : dict of str to list of History
        By the name of the kind; at most six kinds.
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
    if not 1 <= len(histories) <= len(STYLES) or not all(histories.values()):
        raise DataError(f"plot_histories: takes one to {len(STYLES)} kinds of runs, each with a history")

    def draw(figure: Any, theme: Theme) -> None:
        axes = figure.add_subplot()
        ends = []
        for (name, runs), (colour, dash, marker) in zip(histories.items(), STYLES, strict=False):
            epochs = np.array(runs[0]["epoch"])
            values = np.array([run[column] for run in runs], dtype=float)
            middle = values.mean(axis=0)
            axes.plot(epochs, middle, color=colour, linestyle=dash, linewidth=2, marker=marker,
                      markevery=max(1, len(epochs) // 8), markersize=5, markerfacecolor="white")  # fmt: skip
            axes.fill_between(epochs, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.15, linewidth=0)
            ends.append((name, float(epochs[-1]), float(middle[-1]), colour))
        style_axes(axes, theme, "epoch", label or column, log)
        label_ends(axes, ends)

    return Plot(column, draw, (7.2, 3.6)).svg


def plot_gradients(loss: Tensor) -> Plot:
    """The size of the gradient of every parameter, from the input to the loss: where it vanishes or explodes.

    Parameters
    ----------
    loss : Tensor
        One element, of a model.

    Examples
    --------
    >>> import numpy as np, symgrad as sg, viz
    >>> from symgrad import nn
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    >>> viz.plot_gradients((model(sg.tensor(np.ones((4, 2)))) ** 2).mean())
    Plot('gradients')
    """
    if not isinstance(loss, Tensor) or not loss.requires_grad:
        raise DataError("plot_gradients: takes a loss (a Tensor) that has gradients")
    found = adjoints(loss)
    leaves = [x for x in reachable([loss]) if x.op is None and x.requires_grad and x.serial in found]
    names = [x.name or f"p{k}" for k, x in enumerate(leaves)]
    grads = [float(np.sqrt(np.mean(np.square(found[x.serial])))) for x in leaves]
    sizes = [float(np.sqrt(np.mean(np.square(x.value)))) for x in leaves]

    def draw(figure: Any, theme: Theme) -> None:
        axes = figure.add_subplot()
        for values, (colour, dash, marker) in zip((grads, sizes), STYLES[1::-1], strict=True):
            shown = [v if v > 0 else np.nan for v in values]
            axes.plot(range(len(names)), shown, color=colour, linestyle=dash, marker=marker, linewidth=1.6,
                      markerfacecolor="white")  # fmt: skip
        style_axes(axes, theme, "", "root mean square", log=True)
        axes.set_xticks(range(len(names)), names, rotation=30, ha="right", fontsize=8, parse_math=False)
        last = len(names) - 1
        ends = [("gradient", last, grads[-1], STYLES[1][0]), ("value", last, sizes[-1], STYLES[0][0])]
        label_ends(axes, [e for e in ends if e[2] > 0])

    return Plot("gradients", draw)


def plot_histograms(what: Any, *, bins: int = 40) -> Plot:
    """The distribution of weights or activations: one panel each.

    Parameters
    ----------
    what : Module, Tensor or dict of str to array
        The parameters of a model; the activations below a result (what modules and named steps gave); or arrays.
    bins : int

    Examples
    --------
    >>> import viz
    >>> from symgrad import nn
    >>> viz.plot_histograms(nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1)))
    Plot('histograms')
    """
    if isinstance(what, Module):
        arrays = {name: leaf.numpy() for name, leaf in what.named_parameters()}
    elif isinstance(what, Tensor):
        arrays = _activations(what)
    else:
        arrays = {str(name): np.asarray(x) for name, x in dict(what).items()}
    arrays = {name: x for name, x in arrays.items() if x.size > 1}
    if not arrays:
        raise DataError("plot_histograms: there is no array of more than one number")
    columns = min(4, len(arrays))
    rows = -(-len(arrays) // columns)

    def draw(figure: Any, theme: Theme) -> None:
        for n, (name, x) in enumerate(arrays.items()):
            axes = figure.add_subplot(rows, columns, n + 1)
            finite = x[np.isfinite(x)].ravel()
            axes.hist(finite, bins=bins, color=STYLES[0][0], edgecolor="white", linewidth=0.3)
            axes.axvline(0, color=theme.muted, linewidth=0.8, linestyle=":")
            note = f"mean {finite.mean():.2g}, sd {finite.std():.2g}" if finite.size else "nothing finite"
            lost = x.size - finite.size
            axes.set_title(f"{name}\n{note}" + (f", {lost} not finite" if lost else ""), fontsize=8, color=theme.text,
                           parse_math=False)  # fmt: skip
            axes.spines[["top", "right", "left"]].set_visible(False)
            axes.set_yticks([])
            axes.tick_params(colors=theme.muted, labelsize=7)

    return Plot("histograms", draw, (2.2 * columns + 0.4, 1.8 * rows + 0.3))


def _activations(y: Tensor) -> dict[str, Any]:
    """What modules and named steps gave, by name."""
    found: dict[str, Any] = {}
    for x in reachable(subject(y).roots):
        spans = x.meta.spans if x.meta is not None else ()
        name = spans[0][1] if spans else x.name
        if x.op is not None and name is not None and isinstance(x.value, np.ndarray):
            found[name if name not in found else f"{name} ({len(found)})"] = x.value
    return found
