"""What all optimizers share: compiled steps, saved state, groups, decay, transforms, accumulation, averages."""

import inspect
import re

import numpy as np
import pytest
import record_optim as oracle

import symgrad as sg
from symgrad import nn, optim
from symgrad.optim import transforms
from symgrad.optim.presets import PRESETS

CLASSES = [
    name for name in optim.__all__
    if inspect.isclass(kind := getattr(optim, name)) and issubclass(kind, optim.Optimizer)
    and "configure" in kind.__dict__ and name != "Optimizer"
]  # fmt: skip
VARIANTS = {
    **{name: (name, {}) for name in CLASSES},
    "SGD, momentum": ("SGD", {"momentum": 0.9, "dampening": 0.1}),
    "SGD, nesterov": ("SGD", {"momentum": 0.9, "nesterov": True, "lr_in_velocity": True}),
    "SGD, ahead": ("SGD", {"momentum": 0.9, "nesterov": "ahead"}),
    "RMSprop, all": ("RMSprop", {"momentum": 0.9, "centered": True, "eps": 1e-2}),
    "Adam, AMSGrad, decoupled": ("Adam", {"amsgrad": True, "weight_decay": 0.1, "decoupled": True}),
    "Adam, accumulating": ("Adam", {"accumulate": 3}),
    "Adam, skipping, clipped": ("Adam", {"skip_nonfinite": True, "transforms": [transforms.clip_global_norm(0.5)]}),
    "LAMB, accumulating, decay": ("LAMB", {"accumulate": 2, "weight_decay": 0.1}),
    **{f"Rprop, {variant}": ("Rprop", {"variant": variant}) for variant in ("irprop+", "rprop-", "rprop+", "lecture")},
}


def leaves(values=None):
    values = oracle.start() if values is None else values
    return [sg.tensor(p, requires_grad=True, name=f"p{k}") for k, p in enumerate(values)]


def flat(params):
    return np.concatenate([np.ravel(p.numpy()) for p in params])


def stepper(optimizer, params):
    def step(x):
        def closure():
            optimizer.zero_grad()
            loss = sum(((p - x) ** 2 + sg.sin(3 * p)).sum() for p in params)
            loss.backward()
            return loss

        optimizer.step(closure)

    return step


def trained(make, steps=6, compiled=False, restart=None):
    params = leaves()
    optimizer = make(params)
    step = stepper(optimizer, params)
    run = sg.compile(step) if compiled else lambda x: step(sg.tensor(x))
    for k in range(steps):
        if k == restart:
            saved = optimizer.state_dict()
            optimizer = make(params)
            optimizer.load_state_dict(saved)
            step = stepper(optimizer, params)
        run(np.asarray(0.1 * k))
    return np.concatenate([flat(params), *[np.ravel(s.numpy()) for s in optimizer.state.values()]])


def maker(name):
    kind, options = VARIANTS[name]
    return lambda params: getattr(optim, kind)(params, **options)


@pytest.mark.parametrize("name", VARIANTS)
def test_compiled_steps_are_eager_steps(name):
    np.testing.assert_allclose(trained(maker(name), compiled=True), trained(maker(name)), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", VARIANTS)
def test_state_saved_midway_changes_no_bit(name):
    np.testing.assert_array_equal(trained(maker(name), restart=4), trained(maker(name)))


@pytest.mark.parametrize("name", CLASSES)
def test_signatures_tell_all_options(name):
    kind = getattr(optim, name)
    shown = inspect.signature(kind).parameters
    assert next(iter(shown)) == "params"
    assert {
        "lr",
        "weight_decay",
        "decoupled",
        "maximize",
        "exclude",
        "transforms",
        "accumulate",
        "like",
    } <= shown.keys()
    assert re.search(r"rules\.\w+|Adam", kind.__doc__) or name == "SGD"


# --- parameter groups and decay


def test_groups_have_rates_and_decay_of_their_own():
    a, b = leaves([np.array([1.0]), np.array([1.0])])
    optimizer = optim.SGD([{"params": [a]}, {"params": b, "lr": 0.5, "weight_decay": 0.2}], lr=0.1)
    a.grad, b.grad = np.array([1.0]), np.array([1.0])
    optimizer.step()
    assert (a.item(), b.item()) == (pytest.approx(0.9), pytest.approx(1 - 0.5 * 1.2))
    optimizer.lr = 0.2  # a schedule's: the ratio stays
    assert [g["lr"].item() for g in optimizer.param_groups] == [0.2, 1.0]
    optimizer.param_groups[1]["lr"] = 0.3
    assert [g["lr"].item() for g in optimizer.groups] == [0.2, 0.3]
    assert optimizer.state_dict().keys() == {"group0.lr", "group1.lr", "group1.weight_decay"}


def test_frozen_groups_stay_and_need_no_gradient():
    a, b = leaves([np.array([1.0]), np.array([1.0])])
    optimizer = optim.Adam([{"params": [a], "frozen": True}, {"params": [b]}])
    b.grad = np.array([1.0])
    optimizer.step()
    assert a.item() == 1
    assert b.item() < 1


def test_biases_and_norms_are_excluded_from_decay():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 1)).initialize(0)
    before = {name: p.numpy() for name, p in model.named_parameters()}
    optimizer = optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.5, exclude=("bias", "norm"))
    for p in model.parameters():
        p.grad = np.zeros(p.shape)
    optimizer.step()
    for name, p in model.named_parameters():
        share = 0.95 if name in ("0.weight", "2.weight") else 1.0
        np.testing.assert_allclose(p.numpy(), share * before[name], rtol=1e-15)
    pairs = optim.SGD(model.named_parameters(), weight_decay=0.5, exclude=("bias",))
    assert [len(g.params) for g in pairs.groups] == [3, 3]


def test_decoupled_decay_is_no_gradient():
    (w,) = leaves([np.array([2.0])])
    w.grad = np.array([0.0])
    optimizer = optim.RMSprop([w], lr=0.1, weight_decay=0.5, decoupled=True)
    optimizer.step()
    assert w.item() == pytest.approx(2 * (1 - 0.05))


# --- transforms


def test_transforms_are_their_formulas():
    g = [np.array([[3.0, -0.1], [4.0, 0.2]]), np.array([12.0])]
    w = [np.array([[0.3, 3.0], [0.4, 4.0]]), np.array([0.0])]
    close = lambda a, b: [np.testing.assert_allclose(x, y, rtol=1e-14) for x, y in zip(a, b, strict=True)]  # noqa: E731
    length = np.sqrt(9 + 16 + 144 + 0.05)
    close(transforms.clip_value(1.0)(g, w), [[[1, -0.1], [1, 0.2]], [1]])
    close(transforms.clip_norm(6.0)(g, w), [g[0], [6.0]])
    size = np.sqrt((9 + 16 + 0.05) / 4)
    close(transforms.clip_rms(2.0)(g, w), [np.array(g[0]) * 2 / size, [2.0]])
    close(transforms.clip_global_norm(1.0)(g, w), [x / (length + 1e-6) for x in g])
    close(transforms.clip_global_norm(1.0, like="optax")(g, w), [x / length for x in g])
    close(transforms.clip_global_norm(99.0)(g, w), g)
    close(transforms.adaptive_clip(1.0)(g, w), [[[0.3, -0.1], [0.4, 0.2]], [1e-3]])
    close(transforms.centralize()(g, w), [[[-0.5, -0.15], [0.5, 0.15]], [12.0]])


def test_noise_is_drawn_by_the_run_and_fades():
    noise = transforms.noise(0.04, decay=2.0)
    zeros = [np.zeros(4000)]
    with sg.run(seed=0, step=0):
        first = noise(zeros, zeros, np.array(0.0))[0]
    with sg.run(seed=0, step=0):
        later = noise(zeros, zeros, np.array(9.0))[0]
    assert np.std(np.asarray(first)) == pytest.approx(0.2, rel=0.05)
    assert abs(np.mean(np.asarray(first))) < 0.01
    np.testing.assert_allclose(np.asarray(later), np.asarray(first) / 10)


def test_noise_in_a_compiled_step():
    w = sg.tensor([1.0, 2.0], requires_grad=True)
    optimizer = optim.SGD([w], lr=0.1, transforms=[transforms.noise(1.0)])
    step = sg.compile(stepper(optimizer, [w]))
    ends = []
    for k in (0, 0, 1):
        w.assign([1.0, 2.0])
        with sg.run(seed=0, step=k):
            step(np.asarray(0.0))
        ends.append(w.numpy().tolist())
    assert ends[0] != ends[2]


def test_accumulation_is_the_mean_of_gradients():
    (w,), (v,) = leaves([np.array([1.0, 2.0])]), leaves([np.array([1.0, 2.0])])
    several, once = optim.Adam([w], accumulate=4), optim.Adam([v])
    gradients = np.random.default_rng(0).standard_normal((8, 2))
    for k, g in enumerate(gradients):
        w.grad = g
        several.step()
        if k % 4 == 3:
            v.grad = gradients[k - 3 : k + 1].mean(axis=0)
            once.step()
        np.testing.assert_allclose(w.numpy(), v.numpy(), rtol=1e-14)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_steps_with_a_bad_gradient_are_skipped(bad):
    params, twins = leaves(), leaves()
    careful, plain = optim.Adam(params, skip_nonfinite=True), optim.Adam(twins)
    for k, gradients in enumerate(oracle.tape()):
        if k == 10:
            break
        for p, q, g in zip(params, twins, gradients, strict=True):
            p.grad, q.grad = g, g
        if k in (3, 4):
            params[2].grad = np.array(bad)
        else:
            plain.step()
        careful.step()
        np.testing.assert_array_equal(flat(params), flat(twins))


# --- closures


def test_true_look_ahead_is_the_shifted_form_seen_from_its_point():
    """The shifted parameters are W + beta dW of the true ones, at every step."""
    (w,), (v,) = leaves([np.array([1.0, -2.0])]), leaves([np.array([1.0, -2.0])])
    true = optim.SGD([w], lr=0.02, momentum=0.9, nesterov="ahead")
    shifted = optim.SGD([v], lr=0.02, momentum=0.9, nesterov=True, lr_in_velocity=True)

    def closure(p, optimizer):
        def run():
            optimizer.zero_grad()
            loss = (p**4 + p * p).sum()
            loss.backward()
            return loss

        return run

    for _ in range(200):
        true.step(closure(w, true))
        shifted.step(closure(v, shifted))
        np.testing.assert_allclose(w.numpy() + 0.9 * true.state["v"].numpy(), v.numpy(), rtol=1e-11, atol=1e-13)


def test_who_needs_a_closure_or_a_loss_says_so():
    (w,) = leaves([np.array([1.0])])
    w.grad = np.array([1.0])
    with pytest.raises(sg.GradientError, match="closure"):
        optim.SGD([w], momentum=0.9, nesterov="ahead").step()
    with pytest.raises(sg.GradientError, match="loss=loss"):
        optim.Rprop([w], variant="irprop+").step()
    optim.Rprop([w], variant="irprop+").step(loss=1.0)


# --- averages


def walk(wrap, steps=7):
    """The averages of w = 8, 4, 2, ... after every step."""
    (w,) = leaves([np.array([16.0])])
    optimizer = wrap(optim.SGD([w], lr=0.25))
    seen = []
    for _ in range(steps):
        optimizer.zero_grad()
        (w * w).sum().backward()
        optimizer.step()
        seen.append((w.item(), *[s.item() for k, s in optimizer._leaves().items() if k.endswith(("average", "slow"))]))
    return seen, optimizer


def test_ema_swa_and_lookahead_are_their_formulas():
    seen, _ = walk(lambda o: optim.EMA(o, 0.5), 4)
    assert seen == [(8, 8), (4, 6), (2, 4), (1, 2.5)]
    seen, _ = walk(lambda o: optim.SWA(o, start=1, every=2), 5)
    assert [a for _, a in seen] == [0, 4, 4, 2.5, 2.5]
    seen, _ = walk(lambda o: optim.Lookahead(o, every=2, alpha=0.5), 4)
    assert seen == [(8, 16), (10, 10), (5, 10), (6.25, 6.25)]


@pytest.mark.parametrize("wrap", [optim.EMA, optim.SWA, optim.Lookahead])
def test_averages_compile_save_and_resume(wrap):
    make = lambda params: wrap(optim.Adam(params, lr=0.1))  # noqa: E731
    eager = trained(make, 8)
    np.testing.assert_allclose(trained(make, 8, compiled=True), eager, rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(trained(make, 8, restart=3), eager)


# --- presets


@pytest.mark.parametrize(("name", "library"), [(n, lib) for n, found in PRESETS.items() for lib in found])
def test_presets_are_defaults_that_can_be_overruled(name, library):
    (w,) = leaves([np.array([1.0])])
    kind = getattr(optim, name)
    made = kind([w], like=library)
    assert kind([w], like=library, lr=0.123).lr.item() == 0.123
    if "lr" in PRESETS[name][library]:
        assert made.lr.item() == PRESETS[name][library]["lr"]


def test_a_class_of_one_s_own_has_the_defaults_of_its_base():
    class Mine(optim.SGD):
        """With another name."""

    assert Mine(leaves(), like="lecture").momentum.item() == 0.9


def test_an_unknown_library_is_named():
    with pytest.raises(sg.SymgradError, match=r"like='mxnet' is none of \['keras', 'optax'"):
        optim.Adam(leaves(), like="mxnet")


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam, optim.ASGD, optim.NAdam, optim.Adagrad, optim.Rprop])
def test_a_rate_set_before_the_first_step_is_that_step_s(kind):
    ends = []
    for made, later in ((0.3, None), (0.01, 0.3)):
        w = sg.tensor([1.0, -2.0], requires_grad=True)
        optimizer = kind([w], lr=made)
        if later is not None:
            optimizer.lr = later
        w.grad = np.array([0.5, 0.25])
        optimizer.step()
        ends.append(w.numpy())
    np.testing.assert_array_equal(*ends)
