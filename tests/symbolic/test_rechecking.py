"""The independent re-checker: what the engine derived holds again, and what was changed is refused."""

from __future__ import annotations

import ast
import copy
import json
from pathlib import Path

import pytest

import symgrad as sg
from symgrad import rechecking
from symgrad.rechecking import recheck
from symgrad.symbolic import catalogue, derive


def bound_again(data):
    """The data with digests worked out anew, as somebody would who wants a changed claim to pass."""
    digest = rechecking._digest("", {n: x for n, x in data.items() if n != "steps"})
    for step in data["steps"]:
        digest = rechecking._digest(digest, {n: x for n, x in step.items() if n != "certificate"})
        step["certificate"]["claim"] = digest
    return data


@pytest.fixture(scope="module")
def data():
    return derive("batchnorm").data()


@pytest.mark.parametrize("name", catalogue())
def test_the_catalogue_holds_again(name):
    text = json.dumps(derive(name).data())
    found = recheck(json.loads(text))
    assert found, found


def test_it_shares_no_code_and_is_short():
    source = Path(rechecking.__file__).read_text(encoding="utf-8")
    tree = ast.parse(source)
    imported = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    imported |= {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert not [name for name in imported if name.startswith(("symgrad", "sympy"))]
    assert len(source.splitlines()) < 300


def test_data_are_plain_and_deterministic(data):
    assert json.loads(json.dumps(data)) == data
    assert derive("batchnorm").data() == data


def test_deleting_a_step_is_refused(data):
    for k in range(len(data["steps"])):
        changed = copy.deepcopy(data)
        del changed["steps"][k]
        assert not recheck(changed), k
        if data["steps"][k]["rule"] in ("definition", "gradient"):
            assert not recheck(bound_again(changed)), k


def test_altering_a_step_is_refused(data):
    for k, step in enumerate(data["steps"]):
        for side in ("before", "after"):
            changed = copy.deepcopy(data)
            changed["steps"][k][side] = ["mul", ["num", "2"], step[side]]
            assert recheck(changed).reason == "the certificate belongs to another claim"
            zero = step["rule"] == "invariant" and step["after"] == ["num", "0"]
            assert zero or not recheck(bound_again(changed)), (k, side)


def test_swapping_is_refused(data):
    for k, step in enumerate(data["steps"]):
        changed = copy.deepcopy(data)
        changed["steps"][k]["before"], changed["steps"][k]["after"] = step["after"], step["before"]
        assert not recheck(changed)
        if step["rule"] in ("definition", "adjoint", "gradient"):
            assert not recheck(bound_again(changed)), k


def test_a_certificate_of_another_claim_is_refused(data):
    for k in range(1, len(data["steps"])):
        changed = copy.deepcopy(data)
        certificates = [step["certificate"] for step in changed["steps"]]
        changed["steps"][k]["certificate"] = certificates[k - 1]
        assert recheck(changed).step == k
    other = derive("layernorm").data()
    changed = copy.deepcopy(data)
    for mine, theirs in zip(changed["steps"], other["steps"], strict=True):
        mine["certificate"] = theirs["certificate"]
    assert recheck(changed).step == 0


@pytest.mark.parametrize("name", ["batchnorm", "batchnorm_bessel", "lp_norm", "cosine", "weight_norm"])
def test_a_side_condition_that_is_removed_is_missed(name):
    whole = derive(name).data()
    needed = []
    for k in range(len(whole["conditions"])):
        changed = copy.deepcopy(whole)
        del changed["conditions"][k]
        assert not recheck(changed)
        needed.append(not recheck(bound_again(changed)))
    positive = copy.deepcopy(whole)
    for leaf in positive["constants"].values():
        leaf["positive"] = False
    assert any(needed) or not recheck(bound_again(positive))


@pytest.mark.parametrize("name", ["x", "exp", "positive", "Abs", "Step"])
def test_no_name_of_an_argument_is_a_side_condition(name):
    whole = json.loads(json.dumps(derive(sg.log, sg.spec("N")).data()).replace('"x"', json.dumps(name)))
    assert recheck(bound_again(copy.deepcopy(whole)))
    whole["conditions"] = []
    assert "condition is missing" in recheck(bound_again(whole)).reason


@pytest.mark.parametrize("index", ["k", "?0", "!0", "0"])
def test_no_name_of_an_index_is_captured(index):
    d = derive(lambda x: x * sg.named(sg.sum(x), "S"), sg.spec("N"))
    text = json.dumps(d.data()).replace('"j0"', json.dumps(index))
    assert recheck(bound_again(json.loads(text)))


def test_a_wrong_gradient_is_refused_though_its_digests_fit(data):
    terms = [k for k, step in enumerate(data["steps"]) if step["rule"] == "gradient"]
    for k in terms:
        for other in terms:
            changed = copy.deepcopy(data)
            changed["steps"][k]["after"] = data["steps"][other]["after"]
            assert bool(recheck(bound_again(changed))) == (k == other)


def test_what_it_cannot_read_is_refused():
    assert recheck({}).reason.startswith("malformed")
    whole = derive("mse").data()
    for tree in (["call", "spy", ["num", "1"]], ["num", "x"], [[{}, 2]], [], ["ref", "nobody", []], ["sum", [], []]):
        changed = copy.deepcopy(whole)
        changed["steps"][-1]["after"] = tree
        assert not recheck(bound_again(changed))


def test_a_stopped_value_is_no_variable():
    d = derive(lambda x: x * sg.stop_gradient(x * x), x=sg.spec("N"))
    assert str(d.gradients["x"]) == "g[i]*x[i]**2"
    assert recheck(d.data())
    assert d.check()


def test_the_diagonal_of_a_gradient_is_not_the_gradient():
    whole = derive(lambda x: sg.sum(x * x.T), x=sg.spec("N", "N")).data()
    assert recheck(whole)
    (i, _), (j, _) = whole["steps"][-1]["indices"]
    changed = copy.deepcopy(whole)
    changed["steps"][-1] = json.loads(json.dumps(whole["steps"][-1]).replace(json.dumps(j), json.dumps(i)))
    assert not recheck(bound_again(changed))
