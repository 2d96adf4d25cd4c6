"""Which entries meet is found from Jacobians; the labels are derived and true."""

import numpy as np
import pytest
import sympy

import symgrad as sg
import viz
from symgrad import nn

EYE, FULL = np.eye(4, dtype=bool), np.ones((4, 4), dtype=bool)


@pytest.mark.parametrize(
    ("f", "inputs", "axis", "matrix"),
    [
        ("batchnorm", (), 0, FULL), ("batchnorm_2d", (), 0, FULL), ("batchnorm_2d", (), 1, EYE),
        ("layernorm", (), 0, EYE), ("layernorm", (), -1, FULL), ("softmax", (), -1, FULL), ("softmax", (), 0, EYE),
        ("info_nce", (), 0, FULL), ("softmax_cross_entropy", (), 0, EYE), ("softmax_cross_entropy", (), 1, FULL),
        (nn.Sequential(nn.Linear(2, 3), nn.ReLU()), (), 0, EYE),
        (nn.Sequential(nn.Linear(2, 3, bias=False), nn.BatchNorm1d(3)), (), 0, FULL),
        (lambda x: x - sg.mean(x, axis=0), (sg.spec("B", "D"),), 0, FULL),
        (lambda x: sg.tanh(x) * 2, (np.ones((3, 2)),), 0, EYE),
        (lambda x: x[:-1] * x[1:], (sg.spec("B"),), 0, np.eye(4, k=1, dtype=bool) | np.eye(4, k=-1, dtype=bool)),
    ],
)  # fmt: skip
def test_what_is_coupled(f, inputs, axis, matrix):
    found = viz.coupling(f, *inputs, axis=axis)
    assert found.matrix.tolist() == matrix.tolist()
    assert found.couples == bool((matrix & ~EYE).any())
    viz.draw_coupling(f, *inputs, axis=axis).scene.to_json()


def labels(picture):
    return {
        f"{viz.plain(e.label.top)}/{viz.plain(e.label.bottom)}{viz.plain(e.label.tail)}": e.symbol
        for e in picture.scene.edges
        if e.label
    }


def test_batchnorm_forward_has_all_strands():
    scene = viz.draw_batchnorm(batch=3).scene
    assert [viz.plain(c.name) for c in scene.cards] == [
        "z1", "z2", "z3", "μ", "σ2", "u1", "u2", "u3", "ẑ1", "ẑ2", "ẑ3", "γ, β"]  # fmt: skip
    kinds = {}
    for e in scene.edges:
        kinds[e.strand] = kinds.get(e.strand, 0) + 1
    assert kinds == {"coupling": 3 + 3 + 1 + 3 + 3, "direct": 3, "forward": 3, "parameter": 3}
    assert scene.frames[0].note == "minibatch of B = 3, one feature"
    assert [viz.plain(c.name) for c in viz.draw_batchnorm(batch=None).scene.cards][:4] == ["z1", "z2", "zB", "⋮"]
    assert len(viz.draw_batchnorm(batch=100).scene.cards) == len(viz.draw_batchnorm(batch=None).scene.cards)
    assert "B = 100" in viz.draw_batchnorm(batch=100).scene.frames[0].note


def test_batchnorm_backward_labels():
    assert labels(viz.draw_batchnorm(batch=4, backward=True)) == {
        "∂μ/∂z1 = 1/B": "1/B",
        "∂σ2/∂z4 = 2(z4 − μ)/B": "2*(-mu + z[i])/B",
        "∂σ2/∂μ = 0": "0",
        "∂u1/∂μ = −1/√(σ2 + ε)": "-1/sqrt(eps + sigma2)",
        "∂u4/∂σ2 = −u4/(2\u2009(σ2 + ε))": "-u[i]/(2*(eps + sigma2))",
        "∂u4/∂z4 = 1/√(σ2 + ε)   (dashed)": "1/sqrt(eps + sigma2)",
        "∂ẑ1/∂u1 = γ": "gamma",
    }


def test_the_labels_are_the_derivatives():
    """Each symbol, at numbers, equals a central difference of the definition it belongs to."""
    rng = np.random.default_rng(0)
    z, eps, B = rng.normal(size=4), 1e-5, 4
    definitions = {
        "μ": lambda v: np.mean(v["z"]),
        "σ2": lambda v: np.mean((v["z"] - v["mu"]) ** 2),
        "u": lambda v: (v["z"] - v["mu"]) / np.sqrt(v["sigma2"] + eps),
        "ẑ": lambda v: v["gamma"] * v["u"] + v["beta"],
    }
    at = {"z": z, "mu": z.mean(), "sigma2": z.var(), "gamma": 1.3, "beta": 0.2}
    at["u"] = (z - at["mu"]) / np.sqrt(at["sigma2"] + eps)
    plain = {"μ": "mu", "σ2": "sigma2"}
    for edge in viz.draw_batchnorm(batch=4, backward=True).scene.edges:
        if edge.label is None:
            continue
        top, bottom = (viz.plain(t)[1:] for t in (edge.label.top, edge.label.bottom))
        target, source = (plain.get(t, t[0] if t not in plain else t) for t in (top, bottom))
        k = int(bottom[-1]) - 1 if source in ("z", "u") else None
        i = int(top[-1]) - 1 if target in ("u", "ẑ") else None

        def moved(h, source=source, k=k, i=i, f=definitions[top if top in definitions else top[0]]):
            v = dict(at)
            v[source] = v[source] + h * (np.eye(4)[k] if k is not None else 1.0)
            y = f(v)
            return y if i is None else y[i]

        numeric = (moved(1e-6) - moved(-1e-6)) / 2e-6
        entry = k if k is not None else i
        text = edge.symbol.replace("[i]", "_i")
        values = {"B": B, "eps": eps, **{n: x for n, x in at.items() if np.ndim(x) == 0}}
        values |= {f"{n}_i": at[n][entry] for n in ("z", "u")} if entry is not None else {}
        symbolic = float(sympy.sympify(text, locals={n: sympy.Symbol(n) for n in values}).subs(values))
        assert symbolic == pytest.approx(numeric, abs=1e-7), (top, bottom)


def test_mistakes():
    for batch in (1, 0, True, 2.5):
        with pytest.raises(sg.SymgradError, match="batch"):
            viz.draw_coupling("batchnorm", batch=batch)
    with pytest.raises(sg.SymgradError, match="axis=3"):
        viz.coupling("batchnorm", axis=3)
    with pytest.raises(sg.SymgradError, match="fixed size"):
        viz.coupling(lambda x: x * 2, sg.spec(3), axis=0)
    with pytest.raises(sg.SymgradError, match="catalogue"):
        viz.draw_coupling("nothing")


def test_nothing_overlaps():
    for picture in (viz.draw_batchnorm(4, backward=True), viz.draw_batchnorm(None),
                    viz.draw_coupling("softmax", axis=-1, backward=True), viz.draw_coupling("info_nce")):  # fmt: skip
        layout, scene = picture._layout, picture.scene
        boxes = [*layout.cards, *(b for b, e in zip(layout.labels, scene.edges, strict=True) if e.label)]
        for n, a in enumerate(boxes):
            assert a.x - a.width / 2 > 0
            assert a.x + a.width / 2 < layout.width
            for b in boxes[:n]:
                assert abs(a.x - b.x) >= (a.width + b.width) / 2 - 1 or abs(a.y - b.y) >= (a.height + b.height) / 2 - 1


def test_pinned_dot():
    dot = viz.draw_batchnorm(3).dot
    assert "layout=neato" in dot
    assert dot.count('!"') == 12
    assert dot.count("doublecircle") == 2
