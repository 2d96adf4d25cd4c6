"""Functions of arrays, matrices and networks: all ways to run them, and what they refuse."""

import numpy as np
import pytest
from cases import FAMILIES
from numpy_calls import NUMPY

import symgrad as sg
from symgrad import linalg
from symgrad.nn import functional as F

CASES = FAMILIES["functions"]


def by_name(cases):
    return pytest.mark.parametrize("one", cases, ids=lambda c: c.name)


def curved(one, arrays):
    """A scalar function of the inputs of a case, and its gradient."""
    y = np.asarray(one.f(*arrays))
    w = np.random.default_rng(1).normal(size=y.shape)

    def f(*xs):
        y = one.f(*xs)
        return ((y + y * y) * w.astype(xs[0].dtype)).sum()

    return f, sg.grad(f, tuple(range(len(arrays))))


@by_name(CASES)
def test_compiled_is_the_same(one):
    arrays = one.inputs()
    f, gradient = curved(one, arrays)
    fast, steep = sg.compile(f), sg.compile(gradient)
    for _ in range(2):  # the second call finds the buffers as the first one left them
        np.testing.assert_allclose(fast(*arrays), f(*arrays), rtol=1e-11)
        for got, want in zip(steep(*arrays), gradient(*arrays), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-11 * (1 + np.max(np.abs(want), initial=0)))


@by_name(CASES)
def test_float32_stays_float32(one):
    arrays = one.inputs(np.float32)
    _, gradient = curved(one, arrays)
    value = one.f(*[sg.tensor(a) for a in arrays])
    assert value.dtype == np.float32
    assert all(g.dtype == np.float32 for g in gradient(*arrays))
    every = tuple(range(len(arrays)))
    second = sg.grad(lambda *xs: sum(g.sum() for g in gradient(*xs)), every)(*arrays)
    assert all(h.dtype == np.float32 for h in second)
    np.testing.assert_allclose(np.asarray(value), np.asarray(one.f(*one.inputs())), rtol=2e-3, atol=2e-3)


@by_name([*CASES, *FAMILIES["hard"]])
def test_arrays_in_arrays_out_in_any_memory_layout(one):
    arrays = one.inputs()
    expected = one.f(*[sg.tensor(a) for a in arrays]).numpy()
    on_arrays = one.f(*[np.asfortranarray(np.repeat(a, 2, -1))[..., ::2] if a.ndim else a for a in arrays])
    assert not isinstance(on_arrays, sg.Tensor)
    np.testing.assert_allclose(np.asarray(on_arrays), expected, rtol=1e-12, atol=1e-13)


X = np.random.default_rng(0).normal(size=(4, 3))
UNRECORDED = {
    "multilabel_margin_loss": lambda x: F.multilabel_margin_loss(x, np.array([[2, 0, -1], [1, -1, 0]] * 2)),
    "determinant of a singular matrix": lambda x: linalg.det(x[:3] * np.array([1.0, 1.0, 0.0])),
    "norm of rows": lambda x: F.pairwise_distance(x, x[::-1], p=1.5),
    "gather of one": lambda x: sg.take_along_axis(x, np.array([[1]]), 0),
    "insert": lambda x: sg.insert(x, [0, 2], x[1] * 2, axis=0),
    "delete": lambda x: sg.delete(x, [1, 3], axis=0),
    "put": lambda x: sg.put(x, np.array([0, 5, 5]), x[0] * 3),
    "slices": lambda x: sg.slice_scatter(sg.select_scatter(x, x[1] * 2, 0, 0), x[2:] * 3, 0, 2),
    "split and joined": lambda x: sg.concatenate([2 * p for p in sg.array_split(x, 3)]),
    "nansafe attention": lambda x: F.scaled_dot_product_attention(
        x, x, x, attn_mask=np.eye(4, dtype=bool)[[0, 1, 2, 2]]
    ),
}


@pytest.mark.parametrize("name", UNRECORDED)
def test_gradients_against_differences(name):
    assert sg.gradcheck(lambda x: (UNRECORDED[name](x) ** 2).sum(), [X], order=2)


@pytest.mark.parametrize("name", NUMPY)
def test_values_are_those_of_numpy(name):
    ours, theirs = NUMPY[name]
    expected = theirs(X)
    found = ours(sg.tensor(X, requires_grad=True))
    assert found.shape == expected.shape
    np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-12, atol=1e-14)


IMAGE = np.ones((1, 2, 4, 4))
REFUSED = [
    (lambda: F.conv2d(IMAGE, np.ones((3, 1, 2, 2))), "conv2d: the input .* has 2 channels, the weight is for 1"),
    (lambda: F.conv2d(IMAGE, np.ones((3, 2, 5, 5))), "windows: a window of 5 does not fit into axis 1"),
    (lambda: F.conv2d(IMAGE, np.ones((3, 2, 2, 2)), groups=2), "conv2d: groups=2 must divide"),
    (lambda: F.conv2d(IMAGE, np.ones((3, 2, 2, 2)), stride=0), "conv2d: stride must be 2 integer"),
    (lambda: F.conv2d(IMAGE, np.ones((3, 2, 2, 2)), stride=2, padding="same"), "conv2d: padding='same' needs stride 1"),
    (lambda: F.conv2d(IMAGE, np.ones((3, 2, 2, 2)), np.ones(2)), r"conv2d: the bias has shape \(2,\), expected \(3,\)"),
    (lambda: F.conv_transpose2d(IMAGE, np.ones((2, 1, 2, 2)), output_padding=1), "output_padding .* must be smaller"),
    (lambda: F.max_pool2d(IMAGE, 2, padding=2), "max_pool2d: padding .* is more than half"),
    (lambda: F.max_pool2d(IMAGE, 5), "max_pool2d: a window of .* does not fit"),
    (lambda: F.avg_pool2d(IMAGE, 2, divisor_override=0), "divisor_override must not be 0"),
    (lambda: F.interpolate(IMAGE, size=3, mode="linear"), "interpolate: mode 'linear' for 2 axes"),
    (lambda: F.interpolate(IMAGE), "give either size or scale_factor"),
    (lambda: F.pad(IMAGE, (4, 0), "reflect"), "allows 3 at most"),
    (lambda: F.cross_entropy(X, np.array([0, 1, 2, 3])), "label 3 at row 3 is outside of 0..2"),
    (lambda: F.cross_entropy(X, np.array([0, 1, 2, 0]), label_smoothing=2), "label_smoothing must be between"),
    (lambda: F.mse_loss(X, X, reduction="median"), "reduction must be 'mean', 'sum' or 'none'"),
    (lambda: F.binary_cross_entropy(X, X), "inputs are probabilities"),
    (lambda: F.embedding(np.array([4]), X), "label 4 at row 0 is outside of 0..3"),
    (
        lambda: F.embedding(np.array([1]), X, 9),
        "^embedding: padding_idx=9 is no row of a weight of 4 rows.*from -4 to 3",
    ),
    (lambda: F.embedding(np.array([1]), X, -5), "^embedding: padding_idx=-5 is no row"),
    (lambda: F.embedding(np.array([1]), X, 1.5), "^embedding: padding_idx=1.5 is no row"),
    (lambda: F.embedding_bag(np.array([[1]]), X, padding_idx=4), "^embedding_bag: padding_idx=4 is no row"),
    (lambda: F.dropout(X, p=np.float32(1.5)), "^dropout: p is the probability"),
    (lambda: F.dropout(X, p="a"), "^dropout: p is the probability"),
    (lambda: F.glu(X), "axis 1 of size 3 has no halves"),
    (lambda: F.layer_norm(X, (4,)), "does not end with normalized_shape"),
    (lambda: F.group_norm(X, 2), "3 channels do not split into 2 groups"),
    (lambda: F.batch_norm(X[:1], None, None, training=True), "one value per channel"),
    (lambda: F.scaled_dot_product_attention(X, X, X, dropout_p=0.5), "needs a Run"),
    (lambda: linalg.solve(np.zeros((2, 2)), np.ones(2)), "solve: Singular matrix"),
    (lambda: linalg.cholesky(-np.eye(2)), "cholesky: .*add a small multiple"),
    (lambda: linalg.inv(X), r"inv: needs square matrices, got shape \(4, 3\)"),
    (lambda: linalg.svd(X), "svd: .*full_matrices=False"),
    (lambda: linalg.qr(X, mode="complete"), "qr: further columns"),
    (lambda: linalg.matrix_norm(X, 3), "ord=3 is not a matrix norm"),
    (lambda: sg.cholesky_solve(np.ones((2, 1)), np.ones((2, 2))), "the factor is not lower triangular"),
    (lambda: sg.gather(X, 0, np.array([[4, 0, 0]])), "gather|getitem|out of"),
    (lambda: sg.split(X, 3), "4 elements do not split into 3 equal parts"),
    (lambda: sg.tensordot(X, X, 1), "tensordot: shapes"),
    (lambda: sg.cross(X[:, :1], X[:, :1]), "cross: vectors have two or three elements"),
    (lambda: sg.take_along_axis(X, np.array([0])), "take_along_axis: indices of shape"),
    (lambda: sg.masked_scatter(X, X > 9e9, X[:0]), None),
    (lambda: sg.masked_scatter(X, X < 9e9, X[:1]), "12 places for the 3 elements"),
    (lambda: sg.windows(X, 5), "a window of 5 does not fit into axis 1"),
    (lambda: sg.repeat(X, [1, 2], 0), "2 counts for axis 0"),
    (lambda: sg.gather(X, 0, np.array([[-1, 0, 0]])), r"gather: index -1 is outside of 0\.\.3"),
    (lambda: sg.index_select(X, 0, np.array([-1])), "index_select: index -1 is outside of"),
    (lambda: sg.scatter_add(X, 0, np.array([[-1, 0, 0]]), X), "index -1 is outside of"),
    (lambda: sg.masked_fill(X, X.astype(int), 1.0), "masked_fill: the mask must be of bool, got int64"),
    (lambda: sg.kthvalue(X, 4), "kthvalue"),
    (lambda: sg.topk(X, 4), "topk"),
    (lambda: sg.quantile(X, 1.5), "quantile"),
    (lambda: sg.sum(sg.tensor(X), (0, 0)), "sum: .*twice|sum: .*repeated|sum: .*duplicate|sum: .*different"),
    (lambda: sg.max(np.zeros(0)), "max: .*empty|max: .*no elements|max: .*zero-size"),
    (lambda: sg.mode(X, 2), "mode: axis 2"),
    (lambda: sg.cdist(X, X, -1.0), "cdist: p=-1.0 is no norm"),
    (lambda: sg.cov(X, ddof=1.5), "cov: ddof"),
    (lambda: sg.cov(X, fweights=[-1, 1, 1]), "cov: fweights counts repetitions"),
    (lambda: sg.special.polygamma(-1, X), "polygamma: the order must be at least 0, got -1"),
    (lambda: sg.special.spherical_jn(-1, X), "spherical_jn: the order must be at least 0"),
    (lambda: sg.special.multigammaln(X, 3), r"multigammaln: elements must be above \(d - 1\) / 2 = 1.0"),
    (lambda: linalg.lstsq(X[:, 0], X[:, 0]), "lstsq: shapes .* do not fit"),
    (lambda: linalg.lu_unpack(X, [0, 2, 3]), "pivots of lu_factor are integers from 1 to 4"),
    (lambda: linalg.lu_unpack(X[0], [1]), "lu_unpack: needs matrices"),
    (lambda: linalg.householder_product(X, X[:, 0]), "householder_product: 4 factors for 3 columns"),
    (lambda: F.embedding_bag(np.array([0, 1]), X), r"embedding_bag: an input of shape \(2,\) with no offsets"),
    (lambda: F.embedding_bag(np.array([0, 1, 2]), X, np.array([0, 2, 1])), "offsets begin with 0, do not decrease"),
    (lambda: F.embedding_bag(np.array([[0]]), X, per_sample_weights=[[1.0]]), "they are for sums"),
    (lambda: F.local_response_norm(IMAGE, 0), "local_response_norm: size=0 must be at least 1"),
    (lambda: F.scaled_dot_product_attention(X, X, X, np.ones((4, 4), int)), "a mask is of bool or of floats"),
    (
        lambda: F.multi_head_attention_forward(X, X, X, 3, 2, np.ones((9, 3)), None, None, None, False, 0.0, X, None),
        "multi_head_attention_forward: the query has 3 features",
    ),
    (lambda: sg.where(X[:, 0] > 0, X, 0.0), "where: "),  # plain arrays too
    (lambda: sg.concatenate([X, X[0]], 0), "concatenate: "),
    (lambda: sg.take(X, [12]), "getitem: index 12|take: "),
    (lambda: sg.broadcast_to(X, (3, 3)), "broadcast_to: |expand: "),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_what_torch_or_numpy_refuse_is_refused(call, message):
    if message is None:
        call()
        return
    with pytest.raises(sg.SymgradError, match=message):
        call()


def test_pooling_indices_and_unpooling():
    x = np.arange(16.0).reshape(1, 4, 4)
    y, at = F.max_pool2d(sg.tensor(x), 2, return_indices=True)
    np.testing.assert_array_equal(at.numpy(), [[[5, 7], [13, 15]]])
    back = F.max_unpool2d(y, at, 2)
    np.testing.assert_array_equal(back.numpy(), np.where(np.isin(x, [5, 7, 13, 15]), x, 0))


def test_of_equal_elements_the_first_of_a_window_gets_the_gradient():
    x = sg.tensor(np.zeros((1, 1, 2, 4)), requires_grad=True)
    F.max_pool2d(x, 2).sum().backward()
    np.testing.assert_array_equal(x.grad[0, 0], [[1, 0, 1, 0], [0, 0, 0, 0]])


def test_empty_batches():
    x = sg.tensor(np.zeros((0, 2, 5, 5)), requires_grad=True)
    y = F.max_pool2d(F.conv2d(x, np.ones((3, 2, 2, 2))), 2)
    assert y.shape == (0, 3, 2, 2)
    y.sum().backward()
    assert x.grad.shape == x.shape


def test_a_batch_of_symbolic_size_is_traced():
    x, w = sg.spec("B", 2, 5, 5), np.ones((3, 2, 2, 2))
    graph = sg.trace(lambda x: F.max_pool2d(F.relu(F.conv2d(x, w)), 2), x)
    (y,) = graph.outputs
    assert str(y.shape) == "(B, 3, 2, 2)"
    data = np.random.default_rng(0).normal(size=(3, 2, 5, 5))
    np.testing.assert_allclose(graph(data), F.max_pool2d(F.relu(F.conv2d(data, w)), 2))


def test_whole_numbers_drop_out_and_probabilities_may_be_of_numpy():
    ones = np.ones((20, 20), np.int64)
    for drop in (F.dropout, F.alpha_dropout):
        with sg.run(seed=0, step=0):
            expected = drop(ones.astype(float), 0.5, True)
        with sg.run(seed=0, step=0):
            np.testing.assert_array_equal(drop(ones, np.float32(0.5), True), expected)


def test_a_padding_row_may_be_counted_from_the_end():
    for row, same in ((-4, 0), (-1, 3)):
        slopes = [sg.grad(lambda w, k=k: sg.sum(F.embedding(np.arange(4), w, k)))(X) for k in (row, same)]
        np.testing.assert_array_equal(*slopes)
        assert not slopes[0][same].any()
        assert slopes[0].sum() == 9
