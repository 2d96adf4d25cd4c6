"""Loss surfaces with the paths of optimizers: over two parameters, or over a plane through a model's weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgrad.context import no_grad
from symgrad.errors import DataError
from symgrad.nn import Module
from symgrad.tensor import Tensor
from viz.plotting import STYLES, Plot
from viz.theme import Theme

__all__ = ["Plane", "loss_plane", "plot_surface"]

_BLUES = ("#FFFFFF", "#DCEAF6", "#9CC7E4", "#4E9BCB", "#0072B2", "#08306B")


@dataclass(frozen=True)
class Plane:
    r"""A plane :math:`\theta_0 + a\,d_1 + b\,d_2` through the parameters of a model, and the loss on it.

    Attributes
    ----------
    function : callable
        The loss at (a, b).
    origin, first, second : ndarray
        All parameters as one vector, and the two directions.
    path : ndarray, shape (n, 2)
        The trajectory in the plane's coordinates, if one was given.
    shares : tuple of float
        For ``how="pca"``, the parts of the trajectory's variance along the two directions.
    """

    function: Callable[[float, float], float]
    origin: NDArray[Any]
    first: NDArray[Any]
    second: NDArray[Any]
    path: NDArray[Any] | None = None
    shares: tuple[float, float] | None = None


def loss_plane(
    model: Module,
    loss: Callable[[], Any],
    *,
    how: str = "random",
    trajectory: Sequence[Any] | None = None,
    seed: int = 0,
) -> Plane:
    r"""Choose a plane through a model's parameters.

    Parameters
    ----------
    model : Module
        Its parameters now are the origin; they are the same again after every evaluation.
    loss : callable
        Without arguments: the loss of the model as it is, as a Tensor or a number.
    how : {"random", "pca"}
        Random directions, each filter (column of a weight) scaled to the norm of the model's own, biases left alone;
        or the two principal directions of a trajectory.
    trajectory : sequence of state_dict, optional
        As `Module.state_dict` gave them while training; needed for ``"pca"``.
    seed : int

    References
    ----------
    H. Li, Z. Xu, G. Taylor, C. Studer and T. Goldstein, "Visualizing the loss landscape of neural nets", NeurIPS 2018.

    Examples
    --------
    >>> import numpy as np, symgrad as sg, viz
    >>> from symgrad import nn
    >>> model, X = nn.Linear(2, 1), np.ones((3, 2))
    >>> plane = viz.loss_plane(model, lambda: (model(sg.tensor(X)) ** 2).mean())
    >>> plane.function(0.0, 0.0) == float((model(sg.tensor(X)) ** 2).mean())
    True
    """
    leaves = model.parameters()
    origin = _flat([x.numpy() for x in leaves])
    points = None
    if trajectory is not None:
        names = [name for name, _ in model.named_parameters()]
        points = np.array([_flat([np.asarray(state[n]) for n in names]) for state in trajectory])
    shares = None
    if how == "random":
        rng = np.random.default_rng(seed)
        first, second = (_flat([_filtered(rng, x.numpy()) for x in leaves]) for _ in range(2))
    elif how == "pca":
        if points is None or len(points) < 3:
            raise DataError('loss_plane: how="pca" needs a trajectory of at least 3 states')
        _, sizes, directions = np.linalg.svd(points - origin, full_matrices=False)
        first, second = directions[0], directions[1]
        total = float(np.sum(sizes**2)) or 1.0
        shares = (float(sizes[0] ** 2) / total, float(sizes[1] ** 2) / total)
    else:
        raise DataError(f"loss_plane: how={how!r} is none of 'random', 'pca'")
    basis = np.stack([first, second], axis=1)
    path = None if points is None else np.linalg.lstsq(basis, (points - origin).T, rcond=None)[0].T

    def function(a: float, b: float) -> float:
        try:
            _put(leaves, origin + a * first + b * second)
            with no_grad():
                return float(np.asarray(loss()))
        finally:
            _put(leaves, origin)

    return Plane(function, origin, first, second, path, shares)


def _flat(arrays: Sequence[Any]) -> NDArray[Any]:
    return np.concatenate([np.ravel(x) for x in arrays]) if arrays else np.zeros(0)


def _put(leaves: Sequence[Tensor], vector: NDArray[Any]) -> None:
    at = 0
    for leaf in leaves:
        leaf.assign(vector[at : at + leaf.size].reshape(leaf.shape))
        at += leaf.size


def _filtered(rng: np.random.Generator, x: NDArray[Any]) -> NDArray[Any]:
    """A random direction, every filter (last axis) as long as the model's own; none for biases."""
    if x.ndim < 2:
        return np.zeros(x.shape)
    d = rng.normal(size=x.shape)
    axes = tuple(range(x.ndim - 1))
    own, drawn = (np.sqrt(np.sum(v**2, axis=axes, keepdims=True)) for v in (x, d))
    return np.asarray(d * own / np.where(drawn > 0, drawn, 1.0))


def plot_surface(
    loss: Callable[[float, float], Any] | Plane,
    x: tuple[float, float] = (-1.0, 1.0),
    y: tuple[float, float] = (-1.0, 1.0),
    *,
    paths: Mapping[str, Any] | None = None,
    minimum: tuple[float, float] | None = None,
    names: tuple[str, str] = ("w1", "w2"),
    points: int = 61,
    log: bool = True,
) -> Plot:
    """A surface as level lines, with the paths of optimizers on it.

    Parameters
    ----------
    loss : callable or Plane
        Of two numbers; or what `loss_plane` found, whose own path is drawn too.
    x, y : pair of float
        The ranges.
    paths : dict of str to array of shape (n, 2), optional
        Trajectories by name; told apart by colour, dash and marker.
    minimum : pair of float, optional
        Drawn as a star.
    names : pair of str
        Of the axes.
    points : int
        Along each axis.
    log : bool
        Levels at equal steps of the logarithm.

    Examples
    --------
    >>> import viz
    >>> viz.plot_surface(lambda a, b: a * a + 10 * b * b, paths={"SGD": [(1, 1), (0.8, -0.5), (0.6, 0.2)]}, points=9)
    Plot('loss surface')
    """
    lines = {name: np.asarray(path, dtype=float) for name, path in (paths or {}).items()}
    function = loss.function if isinstance(loss, Plane) else loss
    if isinstance(loss, Plane):
        names = ("direction 1", "direction 2") if names == ("w1", "w2") else names
        if loss.shares is not None:
            names = (f"PC 1 ({100 * loss.shares[0]:.0f} %)", f"PC 2 ({100 * loss.shares[1]:.0f} %)")
        if loss.path is not None and not lines:
            lines = {"training": loss.path}
    if points < 3 or any(p.ndim != 2 or p.shape[1] != 2 for p in lines.values()):
        raise DataError("plot_surface: a path is an array of shape (n, 2), and points is at least 3")
    if len(lines) > len(STYLES):
        raise DataError(f"plot_surface: at most {len(STYLES)} paths can be told apart")
    across, up = np.linspace(*x, points), np.linspace(*y, points)
    heights = np.array([[float(np.asarray(function(a, b))) for a in across] for b in up])

    def draw(figure: Any, theme: Theme) -> None:
        from matplotlib.colors import LinearSegmentedColormap

        axes = figure.add_subplot()
        finite = heights[np.isfinite(heights)]
        low = float(finite.min(initial=np.inf)) if finite.size else 0.0
        shown = np.log10(np.maximum(heights - min(low, 0.0), 0) + 1e-9 + (0 if low > 0 else 1e-3)) if log else heights
        shown = np.ma.masked_invalid(shown)
        colours = LinearSegmentedColormap.from_list("symgrad", _BLUES)
        axes.contourf(across, up, shown, levels=14, cmap=colours)
        axes.contour(across, up, shown, levels=14, colors="white", linewidths=0.6, linestyles="solid")
        for path, (colour, dash, marker) in zip(lines.values(), _PATHS, strict=False):
            axes.plot(path[:, 0], path[:, 1], color="white", linewidth=3.6, alpha=0.75)
            axes.plot(path[:, 0], path[:, 1], color=colour, linestyle=dash, linewidth=1.9, marker=marker,
                      markevery=max(1, len(path) // 10), markersize=5.5, markeredgecolor="white")  # fmt: skip
        if minimum is not None:
            axes.plot(*minimum, marker="*", markersize=15, color="#F0E442", markeredgecolor=theme.text, linestyle="")
        axes.set_xlim(*x)
        axes.set_ylim(*y)
        axes.set_xlabel(names[0], color=theme.muted, parse_math=False)
        axes.set_ylabel(names[1], color=theme.muted, parse_math=False)
        axes.tick_params(colors=theme.muted)
        _name_paths(axes, lines)

    return Plot("loss surface", draw, (6.4, 4.8))


_PATHS = (STYLES[4], STYLES[1], STYLES[2], STYLES[3], STYLES[5], STYLES[0])  # dark on blue first


def _name_paths(axes: Any, lines: Mapping[str, Any]) -> None:
    """Names at the right of the picture, level with where each path is most apart from the others."""
    from viz.plotting import label_ends

    ends = []
    for (name, path), (colour, _, _) in zip(lines.items(), _PATHS, strict=False):
        inside = [p for p in path if axes.get_xlim()[0] <= p[0] <= axes.get_xlim()[1]
                  and axes.get_ylim()[0] <= p[1] <= axes.get_ylim()[1]]  # fmt: skip
        if not inside:
            continue
        others = [q for other, q in lines.items() if other != name]
        spread = [min((float(np.min(np.hypot(*(q - p).T))) for q in others), default=p[0]) for p in inside]
        best = inside[int(np.argmax(spread))]
        ends.append((name, float(best[0]), float(best[1]), colour))
    label_ends(axes, ends, always=True)
