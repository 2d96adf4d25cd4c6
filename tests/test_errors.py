"""Wrong uses: each is an error of the family that says what, where, and what to do."""

import ast
from pathlib import Path

import numpy as np
import pytest

import symgrad as sg
from symgrad import errors, losses
from symgrad.errors import (
    AnomalyError,
    DataError,
    DTypeError,
    GradientError,
    OpError,
    ShapeError,
    SymgradError,
    TracingError,
    UnsupportedError,
)
from symgrad.op import FUNCTIONS, OPS, Op

X = np.arange(6.0).reshape(2, 3)


def leaf(data=X):
    return sg.tensor(data, requires_grad=True)


# --- the family


def test_every_error_is_of_the_family_and_of_a_python_kind():
    for name in errors.__all__:
        kind = getattr(errors, name)
        assert issubclass(kind, SymgradError)
        assert kind.__doc__
        assert getattr(sg, name) is kind
        if kind is not SymgradError:
            assert issubclass(kind, (ValueError, TypeError, FloatingPointError))


# --- shapes, axes, indices

SHAPES = [
    (lambda x: x + np.ones(2), r"^add: shapes \(2, 3\) and \(2,\) do not broadcast; reshape"),
    (lambda x: np.ones((4, 1, 1)) * x * np.ones(5), r"^multiply: shapes \(4, 2, 3\) and \(5,\) do not broadcast"),
    (lambda x: sg.where(x > 0, x, np.ones(4)), r"^where: .*\(4,\) do not broadcast"),
    (lambda x: x @ x, r"^matmul: shapes \(2, 3\) and \(2, 3\) do not chain: 3 columns against 2 rows"),
    (lambda x: x @ 2.0, r"^matmul: scalars .*use \*"),
    (lambda x: x @ np.ones(2), r"^matmul: .*3 columns against 2 rows"),
    (lambda x: sg.einsum("ij,jk->ik", x, x), r"^einsum: index 'j' has sizes 3 and 2 in 'ij,jk->ik'"),
    (lambda x: sg.einsum("ijk->i", x), r"^einsum: subscripts 'ijk' do not fit shape \(2, 3\)"),
    (lambda x: sg.einsum("ij->k", x), r"^einsum: the output index 'k'"),
    (lambda x: sg.einsum("ij,ij", x), r"^einsum: 'ij,ij' names 2 operand\(s\), got 1"),
    (lambda x: sg.einsum(x, x), "^einsum: the first argument is the subscripts"),
    (lambda x: x.sum(axis=2), r"^sum: axis 2 is out of range for 2 axes \(-2 to 1\)"),
    (lambda x: x.mean(axis=-3), "^mean: axis -3 is out of range"),
    (lambda x: x.max(axis=(0, 0)), r"^max: axis \(0, 0\) names an axis twice"),
    (lambda x: x.sum(axis=1.0), r"^sum: axis must be an integer, got 1\.0"),
    (lambda x: x.var(axis="rows"), "^(mean|var): axis must be an integer, got 'rows'"),
    (lambda x: sg.softmax(x, 5), r"axis 5 is out of range"),
    (lambda x: x[:, :0].max(axis=1), r"^max: the maximum of no elements \(shape \(2, 0\), axis 1\)"),
    (lambda x: x[:0].mean(), r"^mean: the mean of no elements"),
    (lambda x: x[:0].min(), r"^min: the minimum of no elements"),
    (lambda x: x.std(axis=0, ddof=2), "^std: 2 element.* with ddof=2 leave nothing"),
    (lambda x: x.var(ddof=6), "^var: 6 element.* with ddof=6"),
    (lambda x: x.reshape(4), r"^reshape: shape \(2, 3\) has 6 elements, \(4,\) has 4"),
    (lambda x: x.reshape(4, -1), r"^reshape: shape \(2, 3\) does not fit into \(4, -1\)"),
    (lambda x: x.reshape(-1, -1), "^reshape: only one size may be -1"),
    (lambda x: x.reshape(2.5), "^reshape: a shape is made of integers, got 2.5"),
    (lambda x: sg.reshape(x, 6, order="F"), "^reshape: order 'F' is not supported"),
    (lambda x: x.transpose(0, 0), r"^transpose: axes \(0, 0\) is not a permutation"),
    (lambda x: x.transpose(0), r"is not a permutation|out of range"),
    (lambda x: x.squeeze(0), r"^squeeze: axis 0 of shape \(2, 3\) does not have size 1"),
    (lambda x: sg.expand_dims(x, 4), "^expand_dims: axis 4 is out of range"),
    (lambda x: sg.moveaxis(x, 0, 2), "^moveaxis: axis 2 is out of range"),
    (lambda x: sg.broadcast_to(x, (3, 3)), r"^expand: .*\(2, 3\).*\(3, 3\)"),
    (lambda x: sg.concatenate([x, np.ones((2, 2))], 0), r"^concatenate: .*\(2, 3\).*\(2, 2\)|^concatenate: "),
    (lambda x: sg.concatenate([]), "^concatenate: needs at least one array"),
    (lambda x: sg.concatenate([x.sum()]), "^concatenate: scalars have no axis.*stack"),
    (lambda x: sg.stack([x, x[0]]), "^concatenate: |^stack: "),
    (lambda x: sg.pad(x, -1), "^pad: widths must be at least 0.*slice"),
    (lambda x: sg.pad(x, 1.5), "^pad: pad_width is an integer"),
    (lambda x: sg.pad(x, ((1, 2), (3, 4), (5, 6))), "^pad: pad_width is"),
    (lambda x: sg.pad(x, 1, mode="edge"), "^pad: mode 'edge' is not supported; use 'constant'"),
    (lambda x: x[2], "^getitem: .*index 2 is out of (range|bounds)"),
    (lambda x: x[0, 0, 0], r"^getitem: 3 indices for shape \(2, 3\)"),
    (lambda x: x[..., ..., 0], r"^getitem: an index may hold one '\.\.\.' only"),
    (lambda x: x[[0, 5]], "^getitem: index 5 is out of bounds"),
    (lambda x: x[1.5:], r"^getitem: slice bounds are integers, got 1\.5"),
    (lambda x: x[np.array([True])], r"^getitem: a mask of shape \(1,\) does not fit shape \(2, 3\) at axis 0"),
    (lambda x: x[True], "^getitem: a single truth value is not an index"),
    (lambda x: x[[[0], [1, 2]]], "^getitem: the index .* is not a regular nest"),
    (lambda x: sg.take(x, [7], 1), "^getitem: index 7 is out of bounds|^take"),
    (lambda x: sg.take(x, [0], 2), "^take: axis 2 is out of range"),
    (lambda x: sg.scatter(x, 0, (2,)), "^scatter: "),
    (lambda x: sg.scatter(x, 0, "ab"), "^scatter: a shape is made of integers"),
    (lambda x: sg.linalg.eigh(x), r"^eigh: needs square matrices, got shape \(2, 3\)"),
    (lambda x: sg.linalg.norm(x, 2), "^norm: matrix norms are not supported; pass axis="),
    (lambda x: sg.linalg.norm(x, 0.5, axis=0), "^norm: ord=0.5 is not supported"),
    (lambda x: losses.mse(x, x[0]), r"^mse: the prediction has shape \(2, 3\), the target \(3,\); give both one shape"),
    (lambda x: losses.cross_entropy(x[0], [1]), r"^cross_entropy: logits have shape \(3,\)"),
    (lambda x: losses.cross_entropy(x, [1]), r"^cross_entropy: labels have shape \(1,\), logits \(2, 3\)"),
    (lambda x: sg.argmax(x, 3), "^argmax: axis 3 is out of range"),
    (lambda x: x[:, :0].argmax(axis=1), "^argmax: "),
]


@pytest.mark.parametrize(("f", "message"), SHAPES)
def test_shapes(f, message):
    with pytest.raises(ShapeError, match=message):
        f(leaf())


# what an index array holds is not known while tracing; running the graph says it
LATER = ("index 5", "index 7")


@pytest.mark.parametrize(("f", "message"), [s for s in SHAPES if not any(m in s[1] for m in LATER)])
def test_shapes_while_tracing(f, message):
    with pytest.raises(SymgradError, match=message):
        sg.trace(f, sg.spec(2, 3))


# --- element types and data

DATA = [
    (lambda: sg.tensor([1 + 2j]), DTypeError, "^tensor: complex128 is not supported.*real numbers"),
    (lambda: sg.tensor(np.array([1 + 2j]), dtype=np.float64), DTypeError, "^tensor: complex128 is not supported"),
    (lambda: sg.tensor(np.float16([1.0])), DTypeError, "^tensor: float16 is not supported.*astype"),
    (lambda: sg.tensor(np.array([1.0], np.longdouble)), DTypeError, "is not supported"),
    (lambda: sg.tensor("text"), DTypeError, r"^tensor: <U4 is not supported"),
    (lambda: sg.tensor(["a", "b"], dtype=float), DTypeError, "^tensor: cannot make an array of list"),
    (lambda: sg.tensor(None), DTypeError, "^tensor: object is not supported"),
    (lambda: sg.tensor(object()), DTypeError, "^tensor: object"),
    (lambda: sg.tensor({"a": 1}), DTypeError, "^tensor: object"),
    (lambda: sg.tensor([[1.0, 2.0], [3.0]]), DTypeError, "^tensor: cannot make an array of list.*regular nest"),
    (lambda: sg.tensor(np.array(["2020-01-01"], "M8[D]")), DTypeError, "datetime64.*not supported"),
    (lambda: sg.tensor([1.0], dtype="nonsense"), DTypeError, "^tensor: "),
    (lambda: sg.tensor([1, 2], requires_grad=True), DTypeError, r"gradients need floats, got int64; write 3\.0"),
    (lambda: sg.tensor(True, requires_grad=True), DTypeError, "gradients need floats, got bool"),
    (lambda: leaf() * 1j, DTypeError, "^multiply: got the complex number 1j; symgrad works on real numbers"),
    (lambda: 1j + leaf(), DTypeError, "^add: got the complex number"),
    (lambda: leaf() + np.array([1j, 2, 3]), DTypeError, "^add: complex128 is not supported"),
    (lambda: leaf() + np.array(["a", "b", "c"]), DTypeError, "^add: <U1 is not supported"),
    (lambda: leaf() + np.float16([1, 2, 3]), DTypeError, "^add: float16 is not supported"),
    (lambda: sg.add(leaf(), [[1.0], [2.0, 3.0]]), DTypeError, "^add: cannot make an array of list"),
    (lambda: sg.exp([1.0, leaf()[0, 0]]), DTypeError, "^exp: got a list of Tensors"),
    (lambda: sg.exp([[1.0], [1.0, 2.0]]), DTypeError, "^exp: cannot make an array of list"),
    (lambda: leaf() == "a", DTypeError, "^equal: "),
    (lambda: leaf() == None, DTypeError, "^equal: "),  # noqa: E711
    (
        lambda: leaf() * [leaf()[0, 0], 1.0, 2.0],
        DTypeError,
        "^multiply: got a list of Tensors; join them with sg.stack",
    ),
    (lambda: sg.sum([leaf(), leaf()]), DTypeError, "^sum: got a list of Tensors"),
    (lambda: sg.astype(leaf(), np.complex64), DTypeError, "^astype: complex64 is not supported"),
    (lambda: sg.astype(leaf(), "nonsense"), DTypeError, "^astype: 'nonsense' is not an element type"),
    (lambda: leaf().astype(np.float16), DTypeError, "^astype: float16"),
    (lambda: sg.tensor(np.int8([1])) + 1000, DTypeError, "literal 1000: .*int8.*astype"),
    (lambda: leaf() + 10**400, DTypeError, "literal 1000.*astype"),
    (lambda: leaf()[[0.5]], DTypeError, r"^getitem: an index must be integers.*float64"),
    (lambda: leaf()["a"], DTypeError, "^getitem: an index must be integers"),
    (
        lambda: losses.cross_entropy(leaf(), [0.0, 1.0]),
        DTypeError,
        "^cross_entropy: labels must be integers, got float64",
    ),
    (lambda: losses.cross_entropy(leaf(), [0, 3]), DataError, r"^cross_entropy: label 3 at row 1 is outside of 0\.\.2"),
    (lambda: losses.cross_entropy(leaf(), [-1, 0]), DataError, "label -1 at row 0"),
    (lambda: sg.grad(lambda x: x)("text"), DTypeError, "<U4 is not supported"),
    (lambda: sg.grad(lambda x: x)(np.array(3)), DTypeError, r"^grad: argument 0 is int64.*3\.0"),
    (lambda: sg.grad(lambda p: p["a"])({"a": 1.0, "n": 3}), DTypeError, "^grad: argument 0 is int64"),
    (lambda: sg.spec("a b"), ShapeError, "not a usable name"),
]


@pytest.mark.parametrize(("act", "kind", "message"), DATA)
def test_data(act, kind, message):
    with pytest.raises(kind, match=message):
        act()


def test_lists_of_numbers_are_arrays():
    for f, expected in [
        (lambda: sg.reshape([1.0, 2.0], (2, 1)), [[1.0], [2.0]]),
        (lambda: sg.ravel([[1, 2]]), [1, 2]),
        (lambda: sg.transpose([[1.0, 2.0]]), [[1.0], [2.0]]),
        (lambda: sg.swapaxes([[1.0, 2.0]], 0, 1), [[1.0], [2.0]]),
        (lambda: sg.moveaxis([[1.0, 2.0]], 0, 1), [[1.0], [2.0]]),
        (lambda: sg.expand_dims([1.0], 0), [[1.0]]),
        (lambda: sg.squeeze([[1.0]]), 1.0),
        (lambda: sg.getitem([1.0, 2.0], 1), 2.0),
        (lambda: sg.take([1.0, 2.0], [1]), [2.0]),
        (lambda: sg.pad([1.0], 1), [0.0, 1.0, 0.0]),
        (lambda: sg.astype([1, 2], np.float64), [1.0, 2.0]),
        (lambda: sg.argmax([1.0, 3.0, 2.0]), 1),
        (lambda: sg.softmax([0.0, 0.0]), [0.5, 0.5]),
        (lambda: sg.sum([1.0, 2.0]), 3.0),
        (lambda: sg.concatenate([[1.0], [2.0]]), [1.0, 2.0]),
        (lambda: sg.stack([[1.0], [2.0]]), [[1.0], [2.0]]),
    ]:
        found = f()
        assert not isinstance(found, sg.Tensor)
        np.testing.assert_array_equal(found, expected)


def test_nan_in_data_is_named_where_it_was_asked_for():
    x = sg.tensor([1.0, np.nan], name="batch", requires_grad=True)  # data may hold it
    with sg.detect_anomaly(), pytest.raises(AnomalyError, match=r"not finite already: batch float64\(2,\)"):
        sg.exp(x)


# --- what symgrad leaves out on purpose


class Item:
    """What item assignment looks like."""

    @staticmethod
    def assign():
        leaf()[0] = 1.0

    @staticmethod
    def add_in_place():
        a = np.ones((2, 3))
        a += leaf()


UNSUPPORTED = [
    (Item.assign, UnsupportedError, r"^item assignment .*sg\.where or sg\.scatter.*leaf\.assign"),
    (Item.add_in_place, UnsupportedError, "^add: out= would change a node; assign the result to a name"),
    (lambda: np.exp(leaf(), out=np.empty((2, 3))), UnsupportedError, "^exp: out= would change a node"),
    (lambda: np.sum(leaf(), out=np.empty(())), UnsupportedError, "^sum: out= would change a node|^sum: "),
    (lambda: np.add.outer(leaf(), leaf()), UnsupportedError, r"^np\.add\.outer is not differentiable.*x\.numpy\(\)"),
    (lambda: np.linalg.svd(leaf()), UnsupportedError, r"^np\.svd is not differentiable in symgrad; use x\.numpy\(\)"),
    (lambda: np.interp(leaf(), [0, 1], [0, 1]), UnsupportedError, r"^np\.interp.*sg\.op"),
    (lambda: np.nextafter(leaf(), 1.0), UnsupportedError, r"^np\.nextafter is not differentiable"),
    (
        lambda: np.sum(leaf(), dtype=np.float32),
        UnsupportedError,
        r"^sum: supports axis and keepdims only, got \['dtype'\]",
    ),
    (lambda: np.mean(leaf(), where=True), UnsupportedError, r"^mean: supports axis and keepdims only, got \['where'\]"),
    (lambda: np.std(leaf(), dtype=np.float32), UnsupportedError, r"^np\.std: .*dtype.*it takes \(x"),
    (lambda: sg.sum(leaf(), 0, np.float64), UnsupportedError, "more positional arguments"),
    (lambda: sg.sum(leaf(), bogus=1), UnsupportedError, r"\['bogus'\]"),
    (lambda: sg.exp(leaf(), 2), OpError, r"^exp: takes parameters \(\), got 1"),
    (lambda: sg.exp(leaf(), bogus=2), OpError, r"^exp: unknown parameter\(s\) \['bogus'\]; it takes none"),
    (lambda: sg.exp(), OpError, r"^exp: takes 1 array argument\(s\), got 0"),
    (lambda: sg.add(leaf()), OpError, r"^add: takes 2 array argument\(s\), got 1"),
    (lambda: OPS["sum"](leaf()), OpError, r"^sum: parameter 'axis' is missing; it takes \('axis', 'keepdims'\)"),
    (lambda: OPS["concatenate"](leaf(), 0), OpError, "^concatenate: takes a non-empty list or tuple"),
    (sg.Tensor, OpError, r"sg\.tensor\(data\)"),
    (lambda: (leaf() * 2).assign(X), GradientError, "^assign: .*is computed, not a leaf"),
]


@pytest.mark.parametrize(("act", "kind", "message"), UNSUPPORTED)
def test_unsupported(act, kind, message):
    with pytest.raises(kind, match=message):
        act()


@pytest.mark.parametrize(
    "f",
    [
        lambda x: 1 if x.sum() > 0 else 2,
        lambda x: bool(x.any() if hasattr(x, "any") else x.sum() > 0),
        lambda x: float(x.sum()),
        lambda x: x.numpy(),
        lambda x: max(x[0, 0], x[0, 1]),
        lambda x: x if x[0, 0] in (1.0, 2.0) else -x,
        lambda x: x[x > 0].sum(),
    ],
)
def test_python_control_flow_on_an_abstract_value(f):
    with pytest.raises(TracingError, match=r"not known while tracing.*sg\.where\("):
        sg.trace(f, sg.spec("B", 3))


def test_errors_name_the_tensor():
    x = sg.tensor(X, name="weights", requires_grad=True)
    with pytest.raises(ShapeError, match=r"weights float64\(2, 3\) has 6 elements"):
        x.item()
    with pytest.raises(GradientError, match=r"<exp> float64\(2, 3\)"):
        sg.exp(x).backward()
    with pytest.raises(ShapeError, match=r"getitem: .*weights float64\(2, 3\)"):
        x[[0, 5]]


def test_failures_inside_of_an_op_of_a_user_are_explained():
    picky = sg.op("picky", lambda x: np.linalg.inv(x), pullback=(lambda g, y, x: g,), indices="opaque")
    with pytest.raises(ShapeError, match=r"^picky: .*; the arguments were x float64\(2, 3\)"):
        picky(sg.tensor(X, name="x", requires_grad=True))
    typed = sg.op("typed", lambda x: x + "a", pullback=(lambda g, y, x: g,))
    with pytest.raises(DTypeError, match=r"^typed: "):
        typed(leaf())


# --- nothing is raised that is not of the family


ODD = [None, "text", 1j, object(), [[1.0], [1.0, 2.0]], np.array(["a"]), {}, np.float16(1), np.array([None]), True,
       np.inf, -1, 10**30, (), [], np.zeros((0, 3)), np.ones((2, 3)), slice(1)]  # fmt: skip
INTERNAL = {"backward", "random_uniform", "to_sympy", "named", "call", "record_unary", "record_binary"}
PUBLIC = [
    n for n, f in FUNCTIONS.items() if n not in INTERNAL and not (isinstance(f, Op) and (f.params or not f.arity))
]
PYTHON = ("missing", "positional argument", "unexpected keyword")  # Python's own words for a wrong signature


def outcome(f, *args):
    """The error of a call, or None."""
    with np.errstate(all="ignore"):
        try:
            f(*args)
        except Exception as error:
            return error
    return None


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_odd_second_arguments_raise_of_the_family_or_work(name):
    for odd in ODD:
        for x in (leaf(np.ones((3, 3))), sg.tensor(np.arange(3))):
            error = outcome(FUNCTIONS[name], x, odd)
            if isinstance(error, SymgradError):
                assert len(str(error)) > 15
            elif error is not None:
                assert isinstance(error, TypeError), (odd, repr(error))
                assert any(words in str(error) for words in PYTHON), (odd, repr(error))


def test_messages_of_the_engine_name_where_they_come_from():
    """Every message starts with what was called, and is more than a few words."""
    root = Path(sg.__file__).parent
    short = []
    for path in [*root.glob("*.py"), *root.glob("ops/*.py"), *root.glob("functions/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
                message = node.exc.args[0]
                text = ast.unparse(message)
                if isinstance(message, (ast.Constant, ast.JoinedStr)) and len(text) < 25:
                    short.append((path.name, node.lineno, text))
    assert not short
