"""Plots: what is drawn is what was given, told apart without colour, labels apart from each other."""

import itertools
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import symgrad as sg
import viz
from symgrad import losses, nn
from symgrad.optim import schedules
from symgrad.train import History

pytestmark = pytest.mark.skipif(not viz.engines()["matplotlib"], reason="no matplotlib here")


@pytest.fixture(scope="module")
def model():
    return nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))


def loss_of(model):
    X = np.random.default_rng(0).normal(size=(8, 2))
    return lambda: losses.mse(model(sg.tensor(X)), sg.tensor(X[:, :1]))


def lines(plot):
    return [line for line in plot.figure.axes[0].lines if line.get_color() != "white"]


def plots(model):
    history = History({"epoch": [1, 2, 3], "loss": [1.0, 0.5, 0.25], "val_loss": [1.1, None, 0.3]})
    return {
        "history": viz.plot_history(history),
        "schedules": viz.plot_schedules({"a": schedules.cosine(0.1, 20), "b": schedules.constant(0.1)}, 20),
        "surface": viz.plot_surface(lambda a, b: a * a + b * b, paths={"x": [(1, 1), (0, 0)]}, points=9),
        "gradients": viz.plot_gradients(loss_of(model)()),
        "weights": viz.plot_histograms(model),
        "activations": viz.plot_histograms(loss_of(model)()),
    }


def test_every_plot_in_every_format(model, tmp_path):
    for plot in plots(model).values():
        ET.fromstring(plot.svg)
        assert "image/svg+xml" in plot._repr_mimebundle_()
    assert plots(model)["activations"].svg == plot.svg
    assert plot.png[:8] == b"\x89PNG\r\n\x1a\n"
    assert plot.save(tmp_path / "a.pdf").read_bytes()[:5] == b"%PDF-"
    with pytest.raises(sg.SymgradError, match="use one of"):
        plot.save(tmp_path / "a.gif")


def test_lines_are_told_apart_without_colour(model):
    for name in ("history", "schedules", "gradients"):
        drawn = lines(plots(model)[name])
        assert len({line.get_linestyle() for line in drawn}) == len(drawn) > 1
    many = {str(k): schedules.constant(0.1 * (k + 1)) for k in range(6)}
    styles = [str(line._dash_pattern) for line in lines(viz.plot_schedules(many, 5))]
    assert len(set(styles)) == 6


def test_labels_do_not_touch():
    many = {f"schedule {k}": schedules.constant(0.1 + 1e-4 * k) for k in range(6)}
    figure = viz.plot_schedules(many, 10).figure
    figure.draw_without_rendering()
    boxes = sorted((t.get_window_extent() for t in figure.axes[0].texts), key=lambda b: b.y0)
    assert len(boxes) == 6
    for low, high in itertools.pairwise(boxes):
        assert high.y0 >= low.y1 - 4
    assert all(box.x1 <= figure.bbox.x1 for box in boxes)


def test_what_is_drawn_is_what_was_given(model):
    history, *_ = lines(plots(model)["history"])
    assert history.get_ydata().tolist() == [1.0, 0.5, 0.25]
    loss = loss_of(model)()
    gradients = {line.get_color(): line.get_ydata() for line in lines(viz.plot_gradients(loss))}
    adjoints = sg.adjoints(loss)
    expected = [float(np.sqrt(np.mean(adjoints[p.serial] ** 2))) for p in model.parameters()]
    assert gradients["#D55E00"].tolist() == pytest.approx(expected)


def test_a_plane_through_the_weights(model):
    loss = loss_of(model)
    before, value = model.state_dict(), float(loss())
    plane = viz.loss_plane(model, loss, seed=3)
    assert plane.function(0.0, 0.0) == value
    assert plane.function(0.5, -0.5) != value
    assert all((before[n] == x).all() for n, x in model.state_dict().items())
    at = 0
    for p in model.parameters():  # every filter of a direction is as long as the model's own; biases stay
        d = plane.first[at : at + p.size].reshape(p.shape)
        at += p.size
        own = np.zeros(p.shape[-1]) if p.ndim < 2 else np.linalg.norm(p.numpy(), axis=0)
        assert np.linalg.norm(np.atleast_2d(d), axis=0) == pytest.approx(own)


def test_the_plane_of_a_trajectory(model):
    loss = loss_of(model)
    rng = np.random.default_rng(1)
    start = model.state_dict()
    u, v = ({n: rng.normal(size=np.shape(x)) for n, x in start.items()} for _ in range(2))
    states = [{n: x + t * u[n] + t * t * v[n] for n, x in start.items()} for t in (0, 0.3, 0.5, 1.0, -1.0)]
    plane = viz.loss_plane(model, loss, how="pca", trajectory=states)
    assert sum(plane.shares) == pytest.approx(1.0)
    rebuilt = plane.origin + plane.path @ np.stack([plane.first, plane.second])
    assert rebuilt == pytest.approx(np.array([np.concatenate([np.ravel(s[n]) for n in s]) for s in states]))
    with pytest.raises(sg.DataError, match="trajectory"):
        viz.loss_plane(model, loss, how="pca")


def test_mistakes():
    with pytest.raises(sg.DataError, match="no column accuracy"):
        viz.plot_history(History({"epoch": [1], "loss": [1.0]}), "accuracy")
    for call in (lambda: viz.plot_schedules({}), lambda: viz.plot_histograms({}),
                 lambda: viz.plot_gradients(sg.tensor(1.0)),
                 lambda: viz.plot_surface(lambda a, b: a, paths={"x": [1, 2]})):  # fmt: skip
        with pytest.raises(sg.DataError):
            call()


def test_values_that_are_not_finite():
    for plot in (viz.plot_histograms({"a": np.array([1.0, np.nan, np.inf, 2.0])}),
                 viz.plot_history(History({"epoch": [1, 2], "loss": [np.nan, 1.0]})),
                 viz.plot_surface(lambda a, b: np.inf if a > 0 else a * a + b * b, points=9)):  # fmt: skip
        assert plot.png
