"""symgrad.data: what is refused, exact splits, and batch orders as pure functions."""

import dataclasses
import pickle

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from symgrad import data
from symgrad.errors import DataError, SymgradError

seeds = st.integers(0, 2**64)
sizes = st.integers(1, 60)


@st.composite
def shares(draw):
    weights = draw(st.lists(st.integers(1, 20), min_size=1, max_size=5))
    return tuple(weight / sum(weights) for weight in weights)


def numbered(labels):
    """A data set whose X says which example each row is."""
    return data.Dataset(np.arange(len(labels)), labels)


def order(n, batch_size=1, **key):
    return np.concatenate([*data.batches(n, batch_size, **key)])


# --- digits


def test_digits_are_the_test_part_of_the_uci_set():
    digits, reference = data.digits(), load_digits()
    np.testing.assert_array_equal(digits.X, reference.data / 16)
    np.testing.assert_array_equal(digits.y, reference.target)
    assert (digits.X.dtype, digits.y.dtype) == (np.float64, np.int64)
    assert (digits.X.min(), digits.X.max()) == (0, 1)
    assert digits.names == tuple("0123456789")


# --- Dataset


def test_dataset_is_a_frozen_copy():
    X = np.zeros((3, 2), np.float32)
    dataset = data.Dataset(X, [0.5, 1.5, 2.5])
    X[0] = 7
    assert not dataset.X.any()
    assert dataset.X.dtype == np.float32
    assert dataset.names == ()
    assert repr(dataset) == "Dataset(3 examples, X float32 (2,), y float64 ())"
    with pytest.raises(dataclasses.FrozenInstanceError):
        dataset.X = X
    with pytest.raises(ValueError, match="read-only"):
        dataset.y[0] = 0


def test_dataset_pickles():
    dataset = data.Dataset([[1.0], [2.0]], [0, 1], ["no", "yes"])
    copy = pickle.loads(pickle.dumps(dataset))
    assert repr(copy) == repr(dataset)
    np.testing.assert_array_equal(copy.X, dataset.X)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1.0], [2.0]], [0]), "X holds 2 examples and y 1; their first axes must be equally long"),
        (([[1.0], [2.0, 3.0]], [0, 1]), "X is not a rectangular array; give every example the same shape"),
        (([["a"], ["b"]], [0, 1]), "X has dtype <U1; convert it to integers, float32 or float64"),
        (([[1j], [2j]], [0, 1]), "X has dtype complex128"),
        ((np.zeros((2, 1), np.float16), [0, 1]), "X has dtype float16"),
        (([None, None], [0, 1]), "X has dtype object"),
        (([], []), r"X has shape \(0,\); its first axis must hold at least one example"),
        ((1.0, [0]), r"X has shape \(\)"),
        (([[0.0, 1.0], [2.0, np.nan]], [0, 1]), r"X is nan at index \(1, 1\) \(1 such values\); drop or replace"),
        (([[0.0], [1.0]], [0.0, np.inf]), r"y is inf at index \(1,\)"),
        (([[0.0], [1.0]], [0, 2], ["a", "b"]), "y holds labels from 0 to 2, but there are names for 0 to 1 only"),
        (([[0.0], [1.0]], [0.0, 1.0], ["a", "b"]), "y must hold one integer class label per example, got float64"),
        (([[0.0], [1.0]], [0, 1], ["a", "a"]), "names must be different strings"),
        (([[0.0], [1.0]], [0, 1], "ab"), "names must be different strings"),
    ],
)
def test_dataset_says_what_is_wrong(arguments, message):
    with pytest.raises(DataError, match=rf"^Dataset: {message}") as caught:
        data.Dataset(*arguments)
    assert isinstance(caught.value, SymgradError)


# --- split


@given(
    labels=st.lists(st.integers(-3, 4), min_size=1, max_size=80), shares=shares(), stratify=st.booleans(), seed=seeds
)
def test_split_is_an_exact_stratified_partition(labels, shares, stratify, seed):
    dataset = numbered(labels)
    try:
        parts = data.split(dataset, shares, stratify, seed)
    except DataError as error:
        assert "too few" in str(error)  # noqa: PT017
        assume(False)
    assert len(parts) == len(shares)
    rows = np.concatenate([part.X for part in parts])
    np.testing.assert_array_equal(np.sort(rows), dataset.X)
    for share, part in zip(shares, parts, strict=True):
        assert (np.diff(part.X) > 0).all()
        np.testing.assert_array_equal(part.y, dataset.y[part.X])
        for label in np.unique(labels) if stratify else []:
            due = share * np.count_nonzero(dataset.y == label)
            assert abs(np.count_nonzero(part.y == label) - due) <= 1 + 1e-9
        if not stratify:
            assert abs(len(part) - share * len(labels)) <= 1 + 1e-9


@given(labels=st.lists(st.integers(0, 2), min_size=9, max_size=40), seed=seeds)
def test_split_is_a_function_of_the_seed(labels, seed):
    dataset = numbered(labels)
    first, again = (dataset.split((0.5, 0.5), seed=seed) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.X, b.X)


def test_split_keeps_names_and_balances_the_parts():
    digits = data.digits()
    parts = digits.split()
    assert [len(part) for part in parts] == [1078, 360, 359]
    assert all(part.names == digits.names for part in parts)
    assert not np.array_equal(parts[0].X, digits.split(seed=1)[0].X)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fractions": (0.5, 0.6)}, r"fractions must be positive and have sum 1, got \(0.5, 0.6\)"),
        ({"fractions": (1.0, 0.0)}, "fractions must be positive"),
        ({"fractions": (1.5, -0.5)}, "fractions must be positive"),
        ({"fractions": ()}, r"fractions has shape \(0,\)"),
        ({"fractions": (0.9, 0.05, 0.05)}, "4 examples are too few for a part of each of fractions"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"seed": 0.5}, r"seed must be a whole number, got 0.5; convert it with int\(\)"),
    ],
)
def test_split_says_what_is_wrong(arguments, message):
    with pytest.raises(DataError, match=rf"^split: {message}"):
        numbered([0, 1, 0, 1]).split(**arguments)


def test_only_class_labels_are_stratified():
    dataset = data.Dataset(np.arange(4), [0.1, 0.2, 0.3, 0.4])
    with pytest.raises(DataError, match=r"stratify=True.* one integer class label per example, got float64"):
        dataset.split((0.5, 0.5))
    assert [len(part) for part in dataset.split((0.5, 0.5), stratify=False)] == [2, 2]


# --- batches


@given(n=sizes, batch_size=sizes, seed=seeds, epoch=st.integers(0, 1000), drop=st.booleans(), merge=st.booleans())
def test_batches_cover_every_example_once(n, batch_size, seed, epoch, drop, merge):
    assume(not drop or n >= batch_size)
    found = [*data.batches(n, batch_size, seed=seed, epoch=epoch, drop_last=drop, merge_singleton=merge)]
    visited = np.concatenate(found)
    covered = n - n % batch_size if drop else n
    assert len(visited) == len(np.unique(visited)) == covered
    assert visited.min() >= 0
    assert visited.max() < n
    assert {len(batch) for batch in found[:-1]} <= {batch_size}
    if drop:
        assert len(found[-1]) == batch_size
    elif merge and batch_size > 1 and n > 1:
        assert 2 <= len(found[-1]) <= batch_size + 1
    else:
        assert len(found[-1]) == (n % batch_size or batch_size)


@given(n=st.integers(2, 50), seed=seeds, epoch=st.integers(0, 50))
def test_batch_order_is_a_pure_function_of_seed_and_epoch(n, seed, epoch):
    wanted = order(n, seed=seed, epoch=epoch)
    np.random.default_rng(0).random(7)  # no draw from elsewhere matters
    order(n, seed=seed, epoch=epoch + 1)
    np.testing.assert_array_equal(order(n, seed=seed, epoch=epoch), wanted)
    np.testing.assert_array_equal(order(n, batch_size=n, seed=seed, epoch=epoch), wanted)


def test_epochs_seeds_and_purposes_have_their_own_orders():
    orders = {tuple(order(20, seed=seed, epoch=epoch)) for seed in range(20) for epoch in range(20)}
    assert len(orders) == 400
    assert not np.array_equal(np.sort(order(20, seed=0, epoch=0)[:10]), numbered([0] * 20).split((0.5, 0.5))[0].X)


def test_every_order_is_as_likely():
    firsts = [order(4, seed=0, epoch=epoch)[0] for epoch in range(2000)]
    assert np.bincount(firsts).min() > 400  # 500 expected, standard deviation 19


def test_only_a_left_over_example_is_merged():
    lengths = [len(batch) for batch in data.batches(3, 1, seed=0, epoch=0)]
    assert lengths == [1, 1, 1]
    assert [len(batch) for batch in data.batches(1, 8, seed=0, epoch=0)] == [1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n": 0}, "n must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"batch_size": 2.5}, "batch_size must be a whole number, got 2.5"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"epoch": -1}, "epoch must be at least 0, got -1"),
        (
            {"batch_size": 8, "drop_last": True},
            "drop_last=True leaves no batch of 8 out of 5 examples; use",
        ),
    ],
)
def test_batches_says_what_is_wrong_before_the_first_batch(change, message):
    with pytest.raises(DataError, match=f"^batches: {message}"):
        data.batches(**{"n": 5, "batch_size": 2, "seed": 0, "epoch": 0} | change)


@pytest.mark.parametrize("as_rows", [True, False])
def test_cutmix_patches_images_and_mixes_labels_by_area(as_rows):
    images = np.broadcast_to(np.arange(1.0, 6)[:, None, None], (5, 8, 6)).copy()
    X = images.reshape(5, -1) if as_rows else images
    change = data.CutMix(5, shape=(8, 6) if as_rows else None)
    shares = []
    for seed in range(30):
        patched, labels = change(X, np.arange(5), np.random.default_rng(seed))
        assert patched.shape == X.shape
        for k, image in enumerate(patched.reshape(5, -1)):
            for other in range(5):
                assert labels[k, other] == pytest.approx(np.mean(image == other + 1))
        shares.append(labels[0, 0])
    assert 0.3 < np.mean(shares) < 0.9
    np.testing.assert_array_equal(images[:, 0, 0], np.arange(1.0, 6))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: data.CutMix(10, (8, 9))(np.ones((3, 64)), np.zeros(3, int), np.random.default_rng(0)),
         r"^CutMix: shape=\(8, 9\) does not fit examples of shape \(64,\)"),
        (lambda: data.CutMix(10, 64), "^CutMix: shape=64 must be"),
        (lambda: data.CutMix(10, alpha="x"), "^CutMix: alpha='x' must be a finite number"),
        (lambda: data.CutMix(10, alpha=float("inf")), "^CutMix: alpha=inf"),
        (lambda: data.Mixup(10, alpha="x"), "^Mixup: alpha='x'"),
        (lambda: data.LabelSmoothing(10, "x"), "^LabelSmoothing: eps='x'"),
    ],
)  # fmt: skip
def test_mistakes_about_mixing_are_named(make, message):
    with pytest.raises(DataError, match=message):
        make()


def test_blur_keeps_the_mean_of_an_image_and_takes_its_contrast():
    X = np.zeros((4, 9, 9))
    X[:, 4, 4] = 1
    blurred, _ = data.Images(blur=1.5)(X, np.zeros(4), np.random.default_rng(0))
    np.testing.assert_allclose(blurred.sum(axis=(1, 2)), 1, rtol=1e-3)
    assert blurred.max() <= 1
    assert blurred.max(axis=(1, 2)).min() < 0.5
