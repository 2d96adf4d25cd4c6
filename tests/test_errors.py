"""Wrong uses: each is an error of the family that says what, where, and what to do."""

import ast
from pathlib import Path

import numpy as np
import pytest

import symgrad as sg
import viz
from symgrad import data, errors, losses, nn, optim
from symgrad.errors import (
    AnomalyError,
    DataError,
    DTypeError,
    GradientError,
    GraphError,
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
            assert issubclass(kind, (ValueError, TypeError, FloatingPointError, TimeoutError))


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
    (lambda x: sg.pad(x, 1, mode="mean"), "^pad: mode 'mean' is not supported; use 'constant'"),
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
    (lambda x: sg.linalg.norm(x, "p", axis=0), "^norm: ord='p' is not the order"),
    (lambda x: losses.mse(x, x[0]), r"^mse: the prediction has shape \(2, 3\), the target \(3,\); give both one shape"),
    (lambda x: losses.cross_entropy(x[0, 0], 1), r"^cross_entropy: logits have shape \(\)"),
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
    (lambda: sg.tensor(None), DTypeError, "^tensor: cannot make an array of NoneType.*no number; pass numbers"),
    (lambda: sg.tensor(object()), DTypeError, "^tensor: cannot make an array of object"),
    (lambda: sg.tensor({"a": 1}), DTypeError, "^tensor: cannot make an array of dict"),
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
    (lambda: np.linalg.eig(leaf()), UnsupportedError, r"^np\.eig is not differentiable in symgrad; use x\.numpy\(\)"),
    (lambda: np.interp(leaf(), [0, 1], [0, 1]), UnsupportedError, r"^np\.interp.*sg\.op"),
    (lambda: np.nextafter(leaf(), 1.0), UnsupportedError, r"^np\.nextafter is not differentiable"),
    (
        lambda: sg.sum(leaf(), out=np.zeros(())),
        UnsupportedError,
        r"^sum: supports axis, keepdims, .*, got \['out'\]",
    ),
    (lambda: np.max(leaf(), where=True), UnsupportedError, r"^max: where= may pick no element; pass initial="),
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


# --- arguments of the wrong kind, in layers, optimizers, trainers and transforms

LAYERS = {
    "Linear": lambda: nn.Linear(2, 2),
    "BatchNorm1d": lambda: nn.BatchNorm1d(2),
    "LayerNorm": lambda: nn.LayerNorm(2),
    "Dropout": lambda: nn.Dropout(keep=0.5),
    "ReLU": nn.ReLU,
    "Tanh": nn.Tanh,
}
NO_ARRAYS = [
    ("text", "<U4 is not supported"),
    (None, "cannot make an array of NoneType"),
    ({"a": 1}, "cannot make an array of dict"),
    ([[1.0], [1.0, 2.0]], "cannot make an array of list"),
    ([leaf(), leaf()], "got a list of Tensors; join them with sg.stack"),
    (np.ones((2, 2), complex), "takes an array of real numbers, got complex128"),
]


@pytest.mark.parametrize("name", LAYERS)
def test_layers_take_what_is_like_an_array(name):
    expected = None
    for given in (np.array([[1.0, 2.0], [3.0, 5.0]]), [[1, 2], [3, 5]], ((1, 2), (3, 5)), sg.tensor([[1, 2], [3, 5]])):
        layer = LAYERS[name]()
        with sg.run(seed=0, step=0):
            found = np.asarray(layer(given))
        expected = found if expected is None else expected
        np.testing.assert_allclose(found, expected, rtol=1e-15)
    for given, message in NO_ARRAYS:
        with pytest.raises(DTypeError, match=f"^{name}: {message}"):
            LAYERS[name]()(given)


def test_a_module_gets_a_list_of_numbers_as_an_array_and_all_else_as_it_is():
    class Net(nn.Module):
        def forward(self, x, pair, option=None):
            return x * 2, pair, option

    pair = (leaf(), leaf())
    x, second, option = Net()([1.0, 2.0], pair, option=[3.0])
    np.testing.assert_array_equal(x, [2.0, 4.0])
    assert second is pair
    assert isinstance(option, np.ndarray)
    with pytest.raises(DTypeError, match=r"^Net: cannot make an array of list"):
        Net()([[1.0], [1.0, 2.0]], pair)


def trained(**options):
    model = nn.Linear(2, 1)
    return sg.Trainer(model, **{"loss": losses.mse, "optimizer": optim.Adam} | options)


def product(a, b=2.0, *, c=1.0):
    return a * b * c


eigh = OPS["eigh"]
WRONG_KINDS = [
    (lambda: nn.Linear("2", 1), ShapeError, "^Linear: sizes must be integers of at least 1, got '2', 1"),
    (lambda: nn.Linear(2.0, 1), ShapeError, r"^Linear: .*got 2\.0, 1"),
    (lambda: nn.BatchNorm1d(0), ShapeError, "^BatchNorm1d: .*got 0"),
    (lambda: nn.LayerNorm("3"), ShapeError, "^LayerNorm: .*got '3'"),
    (lambda: nn.LayerNorm(()), ShapeError, "^LayerNorm: .*got none"),
    (lambda: nn.Dropout(keep="0.5"), SymgradError, "^Dropout: the probability .*got keep='0.5'"),
    (lambda: nn.Dropout(drop=None, keep=None), SymgradError, "^Dropout: say keep"),
    (lambda: optim.Adam([leaf()], lr="0.1"), SymgradError, r"^Adam: lr='0\.1' must be a number of at least 0"),
    (lambda: optim.SGD([leaf()], lr=None), SymgradError, "^SGD: lr=None must be a number"),
    (lambda: optim.Adam([leaf()], betas=0.9), SymgradError, r"^Adam: betas=0\.9 must be a pair"),
    (lambda: trained(metrics=["acuracy"]), SymgradError, r"^metric 'acuracy' is none of scikit-learn's; 'accuracy'"),
    (lambda: trained(metrics=losses.mse), SymgradError, "^Trainer: metrics must be a list of functions"),
    (lambda: trained(loss="mse"), SymgradError, "^Trainer: loss must be a function such as .*'mse'"),
    (lambda: trained(optimizer="adam"), SymgradError, "^Trainer: optimizer must be .*'adam'"),
    (lambda: trained(schedule=0.1), SymgradError, "^Trainer: schedule must be a function"),
    (lambda: trained(callbacks=[print]), SymgradError, "^Trainer: callbacks must be"),
    (lambda: trained(batch_size=0.5), DataError, "^Trainer: batch_size must be a whole number"),
    (lambda: trained(seed="a"), DataError, "^Trainer: seed must be a whole number"),
    (lambda: trained().fit((X, X[:, :1]), epochs="3"), DataError, "^fit: epochs must be a whole number"),
    (
        lambda: sg.Trainer(3, loss=losses.mse, optimizer=optim.Adam),
        SymgradError,
        r"^Trainer: model must be an nn\.Module",
    ),
    (lambda: data.digits().split(0.5), DataError, r"^split: fractions=0\.5 must be the shares .*\(0\.5, 0\.5\)"),
    (lambda: sg.trace(product, sg.spec(), c=sg.spec()), GraphError, "^trace: c cannot be given by keyword.*lambda x"),
    (lambda: sg.compile(product)(1.0, d=2.0), GraphError, "^compile: .*unexpected keyword argument 'd'"),
    (lambda: sg.compile(product)(a=1.0, c=2.0), GraphError, "^compile: c cannot be given by keyword"),
    (lambda: sg.grad(eigh)(np.eye(2)), GradientError, "^grad: the function returned 2 outputs"),
    (lambda: sg.gradcheck(product, [1.0, 2.0], backward=lambda a: a), OpError, "^gradcheck: "),
    (lambda: viz.draw_backprop(sg.exp(leaf())), GradientError, r"^draw_backprop: needs a scalar.*\.sum\(\)"),
]


@pytest.mark.parametrize(("act", "kind", "message"), WRONG_KINDS)
def test_wrong_kinds(act, kind, message):
    with pytest.raises(kind, match=message):
        act()


def test_keyword_arguments_of_traced_and_compiled_functions():
    graph = sg.trace(product, b=sg.spec(), a=sg.spec("B"))
    assert [x.name for x in graph.inputs] == ["a", "b"]
    fast = sg.compile(product)
    np.testing.assert_array_equal(fast(b=3.0, a=np.ones(2)), graph(np.ones(2), 3.0))
    assert sg.grad(fast)(2.0, b=5.0) == 5.0


def test_the_outputs_of_an_op_with_several_are_a_tuple_in_graphs_and_plans():
    a = np.array([[2.0, 1.0], [1.0, 3.0]])
    for f in (eigh, sg.compile(eigh), sg.trace(lambda a: eigh(a), a)):
        values, vectors = f(a)
        np.testing.assert_allclose(vectors @ np.diag(values) @ vectors.T, a, atol=1e-14)


def test_a_list_of_numbers_is_one_rule_for_all():
    """To trace and compile it is a nest of scalars, as in jax; to gradcheck, whose arguments are a tuple, an array."""
    twice = [1.0, 2.0, 1.0, 2.0]
    assert sg.compile(lambda x: x * 2)([1.0, 2.0]) == twice
    assert sg.trace(lambda x: x * 2, [1.0, 2.0])([1.0, 2.0]) == twice
    np.testing.assert_array_equal(sg.trace(lambda x: x * 2, np.ones(2))([1.0, 2.0]), [2.0, 4.0])
    assert sg.gradcheck(sg.sin, [1.0, 2.0])
    assert [e.index for e in sg.gradcheck(sg.sin, [[1.0], [2.0]]).entries] == [(0, 0), (1, 0)]
    assert sg.gradcheck(lambda x, w: x * w, [np.ones(2), 2.0])
    with pytest.raises(OpError, match="a list of numbers is one array"):
        sg.gradcheck(lambda x, w: x * w, [1.0, 2.0])


# --- what is only known when a graph or a plan runs


def cross(logits, labels):
    return losses.cross_entropy(logits, labels)


WAYS = {
    "eager": lambda f, *args: f(*args),
    "tensors": lambda f, *args: f(*map(sg.tensor, args)),
    "graph": lambda f, *args: sg.trace(f, *args)(*args),
    "compiled": lambda f, *args: sg.compile(f)(*args),
    "compiled gradient": lambda f, *args: sg.compile(sg.value_and_grad(f))(*args)[0],
}


@pytest.mark.parametrize("way", WAYS)
def test_labels_are_checked_wherever_they_are_read(way):
    logits = np.arange(12.0).reshape(4, 3)
    labels = np.array([0, 2, 1, 0])
    for kind in (np.int64, np.int8, np.uint8):
        assert float(WAYS[way](cross, logits, labels.astype(kind))) == pytest.approx(float(cross(logits, labels)))
    for bad in (-1, 3, 100):
        with pytest.raises(DataError, match=rf"^cross_entropy: label {bad} at row 2 is outside of 0\.\.2"):
            WAYS[way](cross, logits, np.array([0, 2, bad, 0]))


def test_checked_labels_keep_their_name_in_pictures():
    logits, labels = sg.tensor(np.zeros((2, 3)), requires_grad=True), sg.tensor([0, 2], name="y")
    scene = viz.draw_backprop(losses.cross_entropy(logits, labels)).scene
    assert "y" in [viz.plain(card.name) for card in scene.cards]


def test_labels_change_between_calls_of_one_plan():
    fast, logits = sg.compile(cross), np.zeros((4, 3))
    fast(logits, np.array([0, 1, 2, 0]))
    with pytest.raises(DataError, match="label -1 at row 3"):
        fast(logits, np.array([0, 1, 2, -1]))
    computed = sg.compile(lambda x, y: cross(x, y - 1))  # labels that the plan computes into a buffer
    computed(logits, np.array([1, 2, 3, 1]))
    with pytest.raises(DataError, match="label -1 at row 0"):
        computed(logits, np.array([0, 2, 3, 1]))


@pytest.mark.parametrize("compiled", [False, True])
def test_a_wrong_label_stops_the_training_and_says_where(compiled):
    rng = np.random.default_rng(0)
    rows, y = rng.normal(size=(20, 2)), np.full(20, 2)
    trainer = sg.Trainer(
        nn.Linear(2, 3), loss=losses.cross_entropy, optimizer=optim.Adam, batch_size=20, compiled=compiled
    )
    trainer.fit((rows, y))
    before = trainer.model.state_dict()
    y[7] = 3
    with pytest.raises(
        DataError, match=r"^Trainer: minibatch 1 of epoch 2, X \(20, 2\) .* cross_entropy: label 3 at row"
    ):
        trainer.fit((rows, y))
    assert all(np.array_equal(value, before[name]) for name, value in trainer.model.state_dict().items())


def test_a_failing_plan_names_its_line_and_its_arguments():
    def pick(table, rows):
        return table[rows] * 2

    table, rows = np.ones((3, 2)), np.array([1])
    fast, graph = sg.compile(pick), sg.trace(pick, table, rows)
    with pytest.raises(ShapeError, match=r"^getitem: index 7 is out of bounds.*rows int64\(1,\)"):
        graph(table, np.array([7]))
    with pytest.raises(
        GraphError,
        match=r"^plan: index 7 is out of bounds .* in line 2, `getitem1 = table\[rows\]`; .*rows int64\(1,\)",
    ):
        fast(table, np.array([7]))
    np.testing.assert_array_equal(fast(table, np.array([-1])), [[2.0, 2.0]])  # counts from the end, as in NumPy
    log = sg.compile(sg.log)
    with np.errstate(divide="raise"), pytest.raises(AnomalyError, match=r"^plan: divide by zero .*`log\(x0, log1\)`"):
        log(np.zeros(2))
    inverse = sg.compile(sg.op("inv", np.linalg.inv, pullback=(None,), indices="opaque", shape=lambda s: s))
    with pytest.raises(GraphError, match=r"^plan: Singular matrix in line"):
        inverse(np.zeros((2, 2)))


# --- nothing is raised that is not of the family


ODD = [None, "text", 1j, object(), [[1.0], [1.0, 2.0]], np.array(["a"]), {}, np.float16(1), np.array([None]), True,
       np.inf, -1, 10**30, (), [], np.zeros((0, 3)), np.ones((2, 3)), slice(1)]  # fmt: skip
INTERNAL = {"backward", "random_uniform", "to_sympy", "named", "call"}
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
