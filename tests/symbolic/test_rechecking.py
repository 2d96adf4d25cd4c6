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


X, G, ROW, COLUMN = ["ref", "x", []], ["ref", "g", []], ["i", "1*B"], ["j", "1*C"]
XI, GI, LEAF = ["ref", "x", ["i"]], ["ref", "g", ["i"]], {"indices": [], "positive": False, "binary": False}
VECTOR = {**LEAF, "indices": [ROW]}
POSITIVE, NONZERO = [[">", X, []]], [["!=", X, []]]


def number(value):
    return ["num", str(value)]


def power(base, exponent):
    return ["pow", base, number(exponent)]


def log(*arguments):
    return ["call", "log", *arguments]


def claimed(output, gradient, *before, **changed):
    """Data that say: the gradient of g times the output by a number x is this."""
    step = ("gradient", "x", [], X, gradient)
    steps = [dict(zip(("rule", "node", "indices", "before", "after"), s, strict=True)) for s in (*before, step)]
    data = {"sizes": ["B", "C"], "extents": {f"1*{n}": ["ref", n, []] for n in "BC"}, "arguments": {"x": LEAF},
            "constants": {}, "cotangent": {"g": LEAF}, "held": [], "truths": [], "conditions": [],
            "total": ["mul", G, output], **changed}  # fmt: skip
    return bound_again(data | {"steps": [{**s, "certificate": {}} for s in steps]})


def vector(gradient, **changed):
    """The same of the sum of g_i x_i."""
    data = claimed(X, gradient, arguments={"x": VECTOR}, cotangent={"g": VECTOR}, total=["sum", [ROW], ["mul", GI, XI]])
    data["steps"][0] |= {"indices": [ROW], "before": XI}
    return bound_again(data | changed)


def test_claims_written_by_hand_hold():
    assert recheck(claimed(X, G))
    assert recheck(claimed(power(X, -1), ["mul", number(-1), G, power(X, -2)], conditions=NONZERO))
    assert recheck(claimed(log(X), ["mul", G, power(X, -1)], conditions=POSITIVE))
    assert recheck(claimed(power(power(X, 2), "1/2"), ["mul", G, X, power(power(X, 2), "-1/2")], conditions=NONZERO))
    assert recheck(vector(GI))


@pytest.mark.parametrize(
    "tree",
    [["call", "log"], log(X, X), ["call", "exp", X, X], ["call", "Step", X, X], ["call", "stop", X, X],
     ["call", "stop"], ["call", "pow", X, number(2)], ["call", []], ["num"], ["num", "1", "2"], ["num", 1],
     ["num", "1e9"], ["num", "1/0"], ["delta", "i"], ["ref", "x"], ["ref", "x", [], []], ["ref", "x", ["i"]],
     ["ref", [], []], ["add"], ["mul"], ["pow", X], ["pow", X, ["num", "2", "3"]], ["pow", X, X],
     ["pow", X, number(2), X], power(number(9), 10**15), power(number(9), -(10**15)), ["sum", [], X, X],
     ["sum", ["i"], X], ["sum", [ROW, ["i", "1*C"]], X], ["reduce", "max"], {}, None, "x", 1],
    ids=json.dumps,
)  # fmt: skip
def test_malformed_expressions_are_refused_wherever_they_stand(tree):
    rest = ["mul", number(0), tree]
    assert not recheck(claimed(rest, number(0), conditions=POSITIVE))
    assert not recheck(claimed(X, ["add", G, rest], conditions=POSITIVE))
    assert not recheck(claimed(X, G, ("definition", "u", [], ["ref", "u", []], rest), conditions=POSITIVE))


U = ["ref", "u", []]
ONES = ["sum", [["j", "s"]], number(1)]
FALSE = {
    "a value as the derivative": claimed(X, G, ("invariant", "x", [], X, G)),
    "a derivative twice as large": claimed(X, G, ("adjoint", "x", [], X, ["mul", number(2), G])),
    "another name's derivative": claimed(X, G, ("adjoint", "x", [], G, X)),
    "the argument is defined": claimed(X, number(0), ("definition", "x", [], X, number(1))),
    "a name is defined twice": claimed(U, G, ("definition", "u", [], U, X), ("definition", "u", [], U, number(1))),
    "a name means itself": claimed(U, number(0), ("definition", "u", [], U, U)),
    "a constant is the argument": claimed(log(X), ["mul", G, power(X, -1)],
                                          constants={"x": {**LEAF, "positive": True}}),
    "a size is the argument": claimed(log(X), ["mul", G, power(X, -1)], sizes=["B", "C", "x"]),
    "a size depends on it": claimed(ONES, number(0), extents={"s": X}),
    "a size is 0": claimed(["mul", X, log(ONES)], ["mul", G, log(ONES)], extents={"s": number(0)}),
    "a size is not known": claimed(["mul", X, ONES, power(ONES, -1)], G),
    "a delta over another size": vector(["sum", [COLUMN], ["mul", ["delta", "i", "j"], GI]]),
    "a sum over another size": vector(GI, total=["sum", [["i", "1*C"]], ["mul", GI, XI]]),
    "an index is left over": claimed(X, G, arguments={"x": VECTOR}, total=["mul", G, XI]),
    "an index twice": vector(GI, arguments={"x": {**VECTOR, "indices": [ROW, ROW]}}),
    "no condition": claimed(power(X, -1), ["mul", number(-1), G, power(X, -2)]),
    "a condition of another kind": claimed(log(X), ["mul", G, power(X, -1)], conditions=NONZERO),
    "a relation that it does not know": claimed(log(X), ["mul", G, power(X, -1)], conditions=[["<", X, []]]),
    "a condition on the negative": claimed(log(["mul", number(-1), X]), ["mul", G, power(X, -1)], conditions=POSITIVE),
    "a root loses the sign": claimed(power(power(X, 2), "1/2"), G, conditions=NONZERO),
    "a root of a negative number": claimed(X, ["mul", G, power(number(-1), "1/2"), power(number(-1), "-1/2")]),
    "a step moves": claimed(["call", "Step", X], number(0)),
    "a step at 0 is 1": claimed(["mul", X, ["call", "Step", number(0)]], G),
    "a division by 0": claimed(X, ["add", G, ["mul", number(0), power(number(0), -1)]]),
    "a division by 0 that is stated": claimed(X, ["add", G, power(number(0), -1)], conditions=[["!=", number(0), []]]),
    "a function that is held has a slope": claimed(["call", "exp", X], number(0), held=["exp"]),
    "a value among the trees": claimed(log(({}, 2)), number(0)),
}  # fmt: skip


@pytest.mark.parametrize("name", FALSE)
def test_false_claims_with_fitting_digests_are_refused(name):
    assert not recheck(FALSE[name])


def test_the_diagonal_is_not_all_of_a_condition():
    whole = derive(lambda x: 1 / x, x=sg.spec("N", "N")).data()
    assert recheck(whole)
    (condition,) = whole["conditions"]
    i, j = (name for name, _ in condition[2])
    whole["conditions"] = [json.loads(json.dumps(condition).replace(json.dumps(j), json.dumps(i)))]
    assert not recheck(bound_again(whole))


ANY, ABOVE, SQUARE = sg.spec("N"), sg.spec("N", positive=True), sg.spec("N", "N")
FUNCTIONS = {
    "powers of equal sums": (lambda x: sg.sum(x) ** 5 * sg.sum(x * x) ** 3, [ANY]),
    "a quotient": (lambda x, y: 1 / (x * y), [ANY, ANY]),
    "a logarithm of a product": (lambda x, y: sg.log(x * y), [ANY, ANY]),
    "a logarithm of a square": (lambda x: sg.log(x**2), [ANY]),
    "a root of a multiple": (lambda x: (3 * x) ** 0.3 / sg.sqrt(2 * x), [ABOVE]),
    "a high power": (lambda x, y: x**20 * y**-20, [ANY, ANY]),
    "a symbolic power": (lambda x, y: x ** (2 * y + 0.5), [ABOVE, ANY]),
    "exp of a logarithm": (lambda x, y: sg.exp(sg.log(x) * y) + sg.exp(3 * sg.log(x)), [ABOVE, ANY]),
    "an absolute product": (lambda x, y: sg.abs(x * y) ** 3, [ANY, ANY]),
    "elementary functions": (lambda x: sg.sin(x) * sg.cos(x) + sg.tan(x) + sg.arctan(sg.sinh(x)) * sg.cosh(x), [ANY]),
    "other functions": (lambda x: sg.erf(x) * sg.sign(x) + sg.tanh(x), [ANY]),
    "a closed chain": (lambda x: sg.sum((x @ x @ x) * x.T), [SQUARE]),
    "a size minus one": (lambda x: sg.sum(x) / (x.shape[0] - 1), [ANY]),
    "a maximum that is held": (lambda x: x * sg.stop_gradient(sg.max(x)), [ANY]),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_derived_holds_again(name):
    f, specs = FUNCTIONS[name]
    d = derive(f, *specs)
    assert all(d.proofs.values())
    found = recheck(d.data())
    assert found, found
    assert ("with max held constant" in found.reason) == (name == "a maximum that is held")


def test_a_name_may_be_empty_and_a_seed_is_none_of_them():
    whole = json.loads(json.dumps(derive(lambda x, y: x * x * y, ANY, ANY).data()).replace('"x"', '""'))
    assert recheck(bound_again(copy.deepcopy(whole)))
    for step in whole["steps"]:
        step["after"] = ["num", "0"]
        assert not recheck(bound_again(copy.deepcopy(whole)))


def test_what_is_missing_from_data_is_a_refusal_and_no_exception(data):
    for name in data.keys() - {"function"}:
        less = {n: x for n, x in data.items() if n != name}
        assert not recheck(bound_again(copy.deepcopy(less)) if name != "steps" else less), name
    assert not recheck([])
    assert not recheck({**data, "steps": {1: data}})
    assert not recheck({**data, "held": {1}})


def doubled(tree, times):
    """Definitions of which each is the square of the one before, from a tree on."""
    names = [["ref", f"d{k}", []] for k in range(times)]
    parts = [tree, *[["mul", x, x] for x in names[:-1]]]
    return names[-1], [("definition", x[1], [], x, part) for x, part in zip(names, parts, strict=True)]


@pytest.mark.parametrize(
    "tree",
    [
        number(3),
        ["add", X, number(1)],
        ["pow", number("1" + "0" * 400), number(999)],
        ["pow", ["pow", number(7), number(90_000)], number(90_000)],
        ["pow", ["add", X, G], number(90_000)],
    ],
)
def test_what_grows_without_end_is_refused(tree):
    output, definitions = doubled(tree, 80)
    assert "too long" in (reason := recheck(claimed(output, G, *definitions)).reason) or "too high" in reason
