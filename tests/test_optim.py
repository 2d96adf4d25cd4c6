"""Update rules against torch's recorded trajectories and the literal recurrences; optimizers eagerly and in a trace."""

import copy
import json
import pickle
import re

import numpy as np
import optim_papers as papers
import pytest
import record_optim as oracle
from optim_cases import AVERAGES, OPTIONS
from optim_cases import RULES as RULES_COMPARED

import symgrad as sg
import viz
from symgrad import optim, symbolic
from symgrad.optim import rules
from symgrad.optim.rules.declare import declaration

RECORDED = json.loads(oracle.FILE.read_text(encoding="utf-8"))


def leaves(dtype=np.float64):
    return [sg.tensor(p, requires_grad=True, name=f"p{k}", dtype=dtype) for k, p in enumerate(oracle.start())]


def flat(params):
    return np.concatenate([np.ravel(p.numpy()) for p in params])


def give(params, gradients):
    for p, g in zip(params, gradients, strict=True):
        p.grad = g.astype(p.dtype)


def made(case, params, **more):
    """symgrad's optimizer of a case."""
    return getattr(optim, case.kind)(case.spread(params), **case.common, **case.options, **more)


def run_tape(make, dtype=np.float64, watched=range(1, oracle.STEPS + 1), restart=None):
    params = leaves(dtype)
    optimizer = make(params)
    lr = optimizer.lr.item()
    seen = []
    for k, gradients in enumerate(oracle.tape()):
        if k == restart:
            saved = optimizer.state_dict()
            optimizer = make(params)
            optimizer.load_state_dict(saved)

        def closure(gradients=gradients):
            give(params, gradients)

        closure()
        optimizer.lr = lr * oracle.rate(k)
        ahead = optimizer.groups[0].declared.point is not None
        optimizer.step(closure if ahead else None, loss=oracle.loss_of(k))
        if k + 1 in watched:
            seen.append(flat(params))
    return np.array(seen)


def scale(rows):
    """The size that errors are relative to: of a parameter, or of the whole vector where steps are."""
    return np.maximum(np.abs(rows), np.abs(rows).max() * 1e-3)


@pytest.mark.parametrize("name", oracle.CASES)
def test_trajectories_are_the_oracle_s(name):
    """200 steps, scheduled, with zero gradients and a parameter without axes; state is saved and restored midway."""
    case = oracle.CASES[name]
    found = run_tape(lambda params: made(case, params), watched=oracle.WATCHED, restart=100)
    error = np.max(np.abs(found - RECORDED[name]) / scale(RECORDED[name]))
    assert error <= 1e-12


@pytest.mark.parametrize("name", AVERAGES)
def test_averages_are_the_oracle_s(name):
    options, params = AVERAGES[name][1], leaves()
    optimizer = getattr(optim, name)(optim.SGD(params, lr=oracle.RATE), **options)
    seen = []
    for gradients in oracle.tape():
        give(params, gradients)
        optimizer.step()
        kept = optimizer.state_dict()
        seen.append(kept[f"{name}.slow" if name == "Lookahead" else f"{name}.average"])
    np.testing.assert_allclose([seen[k - 1] for k in oracle.WATCHED], RECORDED[name], rtol=1e-12)


def rule_name(case):
    return made(case, leaves()).groups[0].rule.__name__


def test_every_rule_has_an_oracle_for_every_option():
    """By the first oracle of a rule: as it stands, and with each option that all optimizers have."""
    compared = {rule_name(case) for case in RULES_COMPARED.values()} | {name.lower() for name in AVERAGES}
    assert compared == set(rules.__all__)
    assert {f"{name}, {option}" for name in RULES_COMPARED for option in OPTIONS} <= oracle.CASES.keys()


SIGNS = ("Rprop", "iRprop", "Lion", "Signum", "signSGD", "Keras Lion")  # a sign of a rounded number may be the other


@pytest.mark.parametrize("name", [name for name in RULES_COMPARED if not name.startswith(SIGNS)])
def test_float32_stays_float32_and_close(name):
    case = oracle.CASES[name]
    found = run_tape(lambda params: made(case, params), np.float32, oracle.WATCHED)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, RECORDED[name], rtol=2e-4, atol=2e-4)


def test_the_record_holds_every_case():
    assert RECORDED.keys() == oracle.CASES.keys() | oracle.LBFGS.keys() | AVERAGES.keys()


# --- recurrences as the sources print them, beside the oracles above


LITERAL = {
    "look-ahead": (lambda p: optim.SGD(p, 0.01, 0.9, nesterov=True, lr_in_velocity=True), papers.lookahead, 0.01, {}),
    "adam": (
        lambda p: optim.Adam(p, 0.1, (0.8, 0.99), 1e-3), papers.adam, 0.1, {"beta1": 0.8, "beta2": 0.99, "eps": 1e-3}
    ),
    "momentum": (lambda p: optim.SGD(p, 0.01, 0.9, lr_in_velocity=True), papers.momentum_lecture, 0.01, {}),
}  # fmt: skip


@pytest.mark.parametrize("name", LITERAL)
def test_trajectories_are_the_paper_s(name):
    make, recurrence, lr, constants = LITERAL[name]
    found = run_tape(make)
    gradients = np.array([np.concatenate([np.ravel(g) for g in step]) for step in oracle.tape()])
    for j, theta in enumerate(np.concatenate([np.ravel(p) for p in oracle.start()])):
        tape = [(g, lr * oracle.rate(k), 0.0) for k, g in enumerate(gradients[:, j])]
        np.testing.assert_allclose(found[:, j], list(recurrence(theta, tape, **constants)), rtol=1e-12, atol=1e-14)


def test_ftrl_gives_exact_zeros():
    assert (run_tape(lambda p: optim.FTRL(p, lr=0.05, l1=300.0)) == 0).all()


def test_the_rate_inside_the_velocity_matters_only_under_a_schedule(monkeypatch):
    def both():
        return [run_tape(lambda p, inside=inside: optim.SGD(p, 0.01, 0.9, lr_in_velocity=inside)) for inside in (0, 1)]

    scheduled = both()
    assert np.abs(scheduled[0] - scheduled[1]).max() > 0.01
    monkeypatch.setattr(oracle, "rate", lambda k: 1.0)
    constant = both()
    np.testing.assert_allclose(constant[0], constant[1], rtol=1e-12, atol=1e-13)


# --- one text for every reader

BETAS = {"lr": 0.1, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8}
SIZES = {"lr": 0.1, "eta_minus": 0.5, "eta_plus": 1.2, "step_min": 1e-6, "step_max": 50.0}
RULES = {
    "sgd": {"lr": 0.1},
    "momentum": {"lr": 0.1, "momentum": 0.9, "dampening": 0.2},
    "nesterov": {"lr": 0.1, "momentum": 0.9},
    "momentum_lecture": {"lr": 0.1, "momentum": 0.9},
    "nesterov_lecture": {"lr": 0.1, "momentum": 0.9},
    "nesterov_ahead": {"lr": 0.1, "momentum": 0.9},
    "signum": {"lr": 0.1, "momentum": 0.9},
    "lion": {"lr": 0.1, "beta1": 0.9, "beta2": 0.99},
    "adagrad": {"lr": 0.1, "eps": 1e-8, "lr_decay": 0.1},
    "adadelta": {"lr": 0.1, "rho": 0.9, "eps": 1e-6},
    "rmsprop": {"lr": 0.1, "alpha": 0.9, "eps": 1e-3, "momentum": 0.5},
    "ftrl": {"lr": 0.1, "l1": 0.01, "l2": 0.1},
    "adam": BETAS,
    "adamax": BETAS,
    "nadam": BETAS | {"momentum_decay": 0.004},
    "radam": BETAS,
    "yogi": BETAS | {"eps": 1e-3},
    "adabelief": BETAS | {"eps_root": 1e-16},
    "adan": BETAS | {"beta3": 0.99},
    "lars": {"lr": 0.1, "momentum": 0.9, "trust_coefficient": 0.1},
    "lamb": BETAS | {"weight_decay": 0.1},
    "novograd": BETAS | {"weight_decay": 0.1},
    "rprop_lecture": SIZES,
    "rprop_minus": SIZES,
    "irprop_minus": SIZES,
    "rprop_plus": SIZES,
    "irprop_plus": SIZES | {"loss": np.array(1.0)},
    "asgd": {"lr": 0.1, "lambd": 0.01, "alpha": 0.75, "t0": 1.0},
    "ema": {"decay": 0.9},
    "swa": {"start": 1.0, "every": 2.0},
    "lookahead": {"every": 2.0, "alpha": 0.5},
}
FOLLOWING = ("ema", "swa", "lookahead")  # of the parameters; they see no gradient


def rule_of(name):
    """A rule as all others are: (theta, g, *state) -> (theta, *state), all optional state in use."""
    rule, hyper = getattr(rules, name), RULES[name]
    if name in FOLLOWING:
        return lambda theta, g, *state: rule(theta - 0.1 * g, *state, **hyper)
    return lambda theta, g, *state: rule(theta, g, *state, **hyper)


def state_names(name):
    return declaration(getattr(rules, name)).state


def start_of(name, size=5):
    """State as after some steps."""
    random = np.random.default_rng(2)
    scalars = declaration(getattr(rules, name)).scalars
    return [
        np.array(0.5 if k != "t" else 3.0) if k in scalars else random.random(size) * (0.1 if k == "a" else 1) + 0.1
        for k in state_names(name)
    ]


def test_every_rule_is_here():
    assert set(RULES) == set(rules.__all__)


@pytest.mark.parametrize("name", RULES)
def test_a_rule_on_arrays_is_the_rule_on_tensors_and_in_a_trace(name):
    rule = rule_of(name)
    random = np.random.default_rng(2)
    arrays = [random.standard_normal(5), random.standard_normal(5), *start_of(name)]
    on_arrays = rule(*arrays)
    assert len(on_arrays) == 1 + len(state_names(name))
    on_tensors = rule(*map(sg.tensor, arrays))
    traced = sg.trace(lambda *xs: rule(*xs), *arrays)(*arrays)
    for a, b, c in zip(on_arrays, on_tensors, traced, strict=True):
        assert type(a) is not sg.Tensor
        np.testing.assert_array_equal(a, np.asarray(b))
        np.testing.assert_array_equal(a, c)


@pytest.mark.parametrize("name", [name for name in RULES if name not in FOLLOWING])
def test_gradients_flow_through_rules_to_hyperparameters(name):
    """d theta_3 / d lr of three steps on a quartic, whose gradients come from sg.grad."""
    rule, hyper = getattr(rules, name), RULES[name]
    start, first = np.array([1.0, -0.5]), [sg.tensor(x) for x in start_of(name, 2)]

    def end(lr):
        theta, state = sg.tensor(start), first
        if "size" in state_names(name):
            state = [lr + 0 * x if k == "size" else x for k, x in zip(state_names(name), state, strict=True)]
        for _ in range(3):
            g = sg.grad(lambda w: (w**4 + w * w).sum())(theta)
            theta, *state = rule(theta, g, *state, **hyper | {"lr": lr})
        return (theta * theta).sum()

    def slope(h):
        return (end(0.1 + h).item() - end(0.1 - h).item()) / (2 * h)

    assert sg.grad(end)(0.1) == pytest.approx((4 * slope(1e-4) - slope(2e-4)) / 3, rel=1e-7)


@pytest.mark.parametrize("name", ["sgd", "momentum_lecture", "nesterov", "nesterov_lecture"])
def test_rules_are_derived_and_proved(name):
    rule = getattr(rules, name)

    def new_theta(theta, g, v, lr=0.1, beta=0.9):
        return rule(theta, g, lr=lr)[0] + 0 * v if name == "sgd" else rule(theta, g, v, lr=lr, momentum=beta)[0]

    derived = symbolic.derive(new_theta, **{name: sg.spec("P") for name in ("theta", "g", "v")})
    assert {proof.verdict for proof in derived.proofs.values()} == {"PROVED"}
    assert str(derived.gradients["theta"]) == "g_bar[i]"
    assert r"\mathrm{lr}" in derived.latex()


@pytest.mark.parametrize("name", RULES)
def test_rules_have_latex_and_a_picture(name):
    assert re.search(r"math::|:math:`", getattr(rules, name).__doc__)
    arrays = [np.ones(3), np.ones(3), *start_of(name, 3)]
    picture = viz.draw(sg.trace(lambda *xs: rule_of(name)(*xs), *arrays))
    assert picture.dot.startswith("digraph")


def test_hypergradient_of_one_step_by_hand():
    """theta - lr g on theta^2/2: d/dlr of the new loss is -g (theta - lr g)."""
    found = sg.grad(lambda lr: rules.sgd(3.0, 3.0, lr=lr)[0] ** 2 / 2)(0.1)
    assert found == pytest.approx(-3.0 * (3.0 - 0.3))


# --- optimizers

MAKERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.1, weight_decay=0.01),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
    "adam": lambda p: optim.Adam(p, lr=0.1),
}


def problem(dtype=np.float64):
    random = np.random.default_rng(3)
    w = sg.tensor(random.standard_normal((3, 2)), requires_grad=True, name="w", dtype=dtype)
    b = sg.tensor(random.standard_normal(2), requires_grad=True, name="b", dtype=dtype)
    X, y = random.standard_normal((8, 3)).astype(dtype), random.standard_normal((8, 2)).astype(dtype)
    return w, b, X, y


def stepper(optimizer, w, b):
    def step(X, y):
        optimizer.zero_grad()
        loss = sg.losses.mse(sg.tanh(X @ w + b), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def publish(graph, *args):
    """What a compiled call does: run, then give the leaves their newest versions."""
    values = graph.values(list(args))
    for leaf, node in graph.assigned:
        leaf.assign(values[node.serial])
    return [values[y.serial] for y in graph.outputs]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", MAKERS)
def test_two_steps_in_one_trace_are_two_eager_steps(name, dtype):
    w, b, X, y = problem(dtype)
    optimizer = MAKERS[name]([w, b])
    step = stepper(optimizer, w, b)
    eager = [step(sg.tensor(X), sg.tensor(y)).item() for _ in range(2)]
    expected = [leaf.numpy() for leaf in (w, b, *optimizer.state.values())]

    w, b, X, y = problem(dtype)
    optimizer = MAKERS[name]([w, b])
    before = w.numpy()
    step = stepper(optimizer, w, b)
    graph = sg.trace(lambda X, y: (step(X, y), step(X, y)), X, y)
    assert w.numpy() is before  # tracing touched no leaf
    assert w.grad is None
    losses = publish(graph, X, y)
    tight = 1e-14 if dtype == np.float64 else 1e-6
    np.testing.assert_allclose(losses, eager, rtol=tight)
    for leaf, value in zip((w, b, *optimizer.state.values()), expected, strict=True):
        assert leaf.dtype == dtype
        np.testing.assert_allclose(leaf.numpy(), value, rtol=tight, atol=tight)


def test_a_traced_step_reads_the_rate_at_every_call():
    w, b, X, y = problem()
    optimizer = optim.SGD([w, b], lr=0.5)
    graph = sg.trace(stepper(optimizer, w, b), X, y)
    optimizer.lr = 0.0
    before = w.numpy()
    publish(graph, X, y)
    np.testing.assert_array_equal(w.numpy(), before)
    optimizer.lr = 0.1
    publish(graph, X, y)
    assert np.abs(w.numpy() - before).max() > 1e-3


@pytest.mark.parametrize("name", MAKERS)
def test_a_state_dict_in_the_middle_changes_nothing(name):
    def train(interrupted):
        w, b, X, y = problem()
        optimizer = MAKERS[name]([w, b])
        for k in range(20):
            if interrupted and k == 9:
                saved = pickle.loads(pickle.dumps(optimizer.state_dict()))
                optimizer = MAKERS[name]([w, b])
                optimizer.lr = 77.0
                optimizer.load_state_dict(saved)
            stepper(optimizer, w, b)(sg.tensor(X), sg.tensor(y))
        return flat([w, b])

    np.testing.assert_array_equal(train(True), train(False))


def test_state_dict_is_a_copy():
    w, b, X, y = problem()
    optimizer = optim.Adam([w, b])
    saved = optimizer.state_dict()
    stepper(optimizer, w, b)(sg.tensor(X), sg.tensor(y))
    assert not saved["m"].any()
    saved["m"][:] = 5
    assert optimizer.state["m"].numpy().max() < 5
    shapes = {name: value.shape for name, value in saved.items()}
    assert shapes == {"m": (8,), "v": (8,), **dict.fromkeys(("t", "lr", "beta1", "beta2", "eps"), ())}


def test_zero_grad_forgets():
    w = sg.tensor([1.0, 2.0], requires_grad=True)
    optimizer = optim.SGD([w], lr=1.0)
    for _ in range(2):
        (w * w).sum().backward()
        optimizer.zero_grad()
    assert w.grad is None


def test_hyperparameters_are_leaves_to_read_and_set():
    optimizer = optim.Adam([sg.tensor([1.0], requires_grad=True)], lr=0.5)
    leaf = optimizer.lr
    optimizer.lr = 0.25
    assert optimizer.lr is leaf
    assert leaf.shape == ()
    assert leaf.item() == 0.25
    optimizer.lr *= 0.5
    assert leaf.item() == 0.125


def test_copies_are_independent():
    w, b, X, y = problem()
    pair = ([w, b], optim.Adam([w, b]))
    (v, c), optimizer = copy.deepcopy(pair)
    before = w.numpy()
    stepper(optimizer, v, c)(sg.tensor(X), sg.tensor(y))
    assert w.numpy() is before
    assert np.abs(v.numpy() - before).max() > 1e-4


P = sg.tensor([1.0], requires_grad=True, name="w")
ERRORS = {
    "one Tensor": (lambda: optim.SGD(P), "pass model.parameters"),
    "nothing": (lambda: optim.SGD([]), "no parameters"),
    "twice": (lambda: optim.SGD([P, P]), "twice"),
    "no gradient wanted": (lambda: optim.SGD([sg.tensor([1.0])]), "parameter 0 is no leaf"),
    "no leaf": (lambda: optim.SGD([P * 2]), "parameter 0 is no leaf"),
    "two dtypes": (lambda: optim.SGD([P, sg.tensor([1.0], requires_grad=True, dtype=np.float32)]), "w float64"),
    "rate": (lambda: optim.SGD([P], lr=-1.0), "lr=-1.0"),
    "rate that is no number": (lambda: optim.SGD([P], lr=float("nan")), "lr=nan"),
    "betas": (lambda: optim.Adam([P], betas=(0.9, 1.0)), "beta2=1.0"),
    "nesterov": (lambda: optim.SGD([P], nesterov=True), "momentum="),
    "unknown": (lambda: optim.Optimizer([P], rules.sgd, rate=0.1), r"no hyperparameter \['rate'\]"),
    "made without": (lambda: setattr(optim.SGD([P], 0.1), "weight_decay", 0.1), "made without weight_decay"),
    "other state": (lambda: optim.SGD([P]).load_state_dict({"m": [0.0]}), "another optimizer"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_mistakes_are_named(name):
    mistake, message = ERRORS[name]
    with pytest.raises(sg.SymgradError, match=message):
        mistake()


def test_a_missing_gradient_names_the_parameter():
    v = sg.tensor([1.0], requires_grad=True, name="head.bias")
    w = sg.tensor([1.0], requires_grad=True, name="head.weight")
    (w * w).sum().backward()
    with pytest.raises(sg.GradientError, match=r"no gradient for head\.bias; call"):
        optim.Adam([w, v]).step()
    assert w.numpy() == 1.0
