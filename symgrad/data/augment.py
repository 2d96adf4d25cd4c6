"""Transforms of minibatches: images moved, bent, lit and erased; labels smoothed and mixed.

Each is a function ``(X, y, random) -> (X, y)`` on arrays, for ``Trainer(transform=...)``, which hands over a
generator keyed by seed and step; `augmented` makes larger data sets with them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgrad.context import Run, generator
from symgrad.data.checks import number, whole_number
from symgrad.data.dataset import Dataset
from symgrad.data.sources import one_hot
from symgrad.errors import DataError

__all__ = ["BatchShift", "CutMix", "Images", "LabelSmoothing", "Mixup", "augmented"]

Array = NDArray[Any]


class Images:
    """Random changes of images that keep their labels; every image gets its own. All are off by default.

    Everything that moves pixels is composed to one map of coordinates, so that images are interpolated once
    (linearly), in one call for the whole minibatch.

    Parameters
    ----------
    shape : tuple of int, optional
        (H, W) or (C, H, W) of one image, where X holds them as rows; by default X is (n, H, W) or (n, C, H, W).
    rotate, shear : float
        Largest angles, in degrees.
    scale : float
        Largest change of the size: 0.1 means factors from 1 / 1.1 to 1.1.
    translate : float
        Largest shift, as a share of height and width.
    flip : {"", "h", "v", "hv"}
        Mirror left and right, top and bottom, or both, each with probability 1/2. Not for digits: they change.
    crop : float
        Largest share of height and width that is cut away; the rest is enlarged to the full size.
    elastic : float
        Strength of a smooth random deformation, in pixels (Simard's alpha), and
    smoothness : float
        the standard deviation of the Gaussian that smooths it, in pixels.
    brightness : float
        Largest number that is added to all pixels.
    contrast, gamma, colour : float
        Largest relative change of differences from the mean, of the exponent, and of single channels.
    illumination : float
        Largest difference that a light from one side makes between opposite edges, from the middle.
    blur : float
        Largest standard deviation of a Gaussian blur, in pixels.
    noise : float
        Standard deviation of normal noise.
    erase : float
        Largest share of height and width of a rectangle that is filled in.
    fill : float
        What stands outside of the image and in erased rectangles.

    References
    ----------
    P. Y. Simard, D. Steinkraus and J. C. Platt, "Best practices for convolutional neural networks applied to
    visual document analysis", ICDAR 2003 (elastic deformation); Z. Zhong et al., "Random erasing", AAAI 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from symgrad import data
    >>> digits = data.digits()
    >>> change = data.Images(shape=(8, 8), rotate=10, translate=0.1)
    >>> X, y = change(digits.X[:5], digits.y[:5], np.random.default_rng(0))
    >>> X.shape, bool((y == digits.y[:5]).all())
    ((5, 64), True)
    """

    def __init__(
        self,
        shape: tuple[int, ...] | None = None,
        *,
        rotate: float = 0.0,
        shear: float = 0.0,
        scale: float = 0.0,
        translate: float = 0.0,
        flip: str = "",
        crop: float = 0.0,
        elastic: float = 0.0,
        smoothness: float = 2.0,
        brightness: float = 0.0,
        contrast: float = 0.0,
        gamma: float = 0.0,
        colour: float = 0.0,
        illumination: float = 0.0,
        blur: float = 0.0,
        noise: float = 0.0,
        erase: float = 0.0,
        fill: float = 0.0,
    ) -> None:
        amounts = {name: x for name, x in locals().items() if name not in ("self", "shape", "flip", "fill")}
        for name, x in amounts.items():
            if not x >= 0 or (name in ("crop", "erase", "contrast", "gamma") and x >= 1):
                raise DataError(f"Images: {name}={x!r} must be at least 0" + (" and below 1" if x >= 1 else ""))
        if flip not in ("", "h", "v", "hv"):
            raise DataError(f"Images: flip={flip!r} is none of '', 'h', 'v', 'hv'")
        if shape is not None and len(shape) not in (2, 3):
            raise DataError(f"Images: shape={shape!r} must be (H, W) or (C, H, W)")
        self.shape = None if shape is None else tuple(whole_number("CutMix: shape", n, 1) for n in shape)
        self.shape, self.flip, self.fill = shape, flip, fill
        self.amounts: dict[str, float] = amounts

    def __call__(self, X: Array, y: Array, random: np.random.Generator) -> tuple[Array, Array]:
        """The changed images, of the shape and dtype of X, and the labels as they are."""
        images = np.asarray(X, np.float64).reshape(len(X), *(self.shape or X.shape[1:]))
        if images.ndim not in (3, 4):
            raise DataError(f"Images: X has shape {X.shape}; give (n, H, W), (n, C, H, W), or shape=")
        images = images.reshape(len(images), -1, *images.shape[-2:])
        images = self._moved(images, random)
        for name, change in _LIGHTS.items():
            if self.amounts[name]:
                images = change(images, self.amounts[name], random)
        if self.amounts["erase"]:
            images = self._erased(images, random)
        return images.reshape(X.shape).astype(X.dtype if X.dtype.kind == "f" else np.float64), y

    def _moved(self, images: Array, random: np.random.Generator) -> Array:
        """The images at the places that every pixel comes from."""
        moves = ("rotate", "shear", "scale", "translate", "crop", "elastic")
        if not self.flip and not any(self.amounts[m] for m in moves):
            return images
        from scipy.ndimage import map_coordinates

        n, channels, height, width = images.shape
        places = self._places(n, height, width, random)
        which = np.broadcast_to(np.arange(n * channels, dtype=float)[:, None, None], (n * channels, height, width))
        repeated = np.repeat(places, channels, axis=0)
        flat = images.reshape(n * channels, height, width)
        coordinates = np.stack([which, repeated[:, 0], repeated[:, 1]])
        moved: Array = map_coordinates(flat, coordinates, order=1, mode="grid-constant", cval=self.fill)
        return moved.reshape(images.shape)

    def _places(self, n: int, height: int, width: int, random: np.random.Generator) -> Array:
        """Where in the old image each pixel of the new one lies, of shape (n, 2, height, width)."""
        a = self.amounts
        size = np.array([height, width], float)
        centre = (size - 1) / 2
        grid = (
            np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij")).reshape(2, -1) - centre[:, None]
        )
        shift = a["translate"] * size * random.uniform(-1, 1, (n, 2))
        zoom = 1 - a["crop"] * random.random(n)  # the share of the image that stays
        shift_of_window = (1 - zoom[:, None]) / 2 * size * random.uniform(-1, 1, (n, 2))
        matrix = self._matrices(n, random) * zoom[:, None, None]
        moved = matrix @ (grid[None] - shift[:, :, None]) + (centre + shift_of_window)[:, :, None]
        places: Array = moved.reshape(n, 2, height, width)
        if a["elastic"]:
            from scipy.ndimage import gaussian_filter

            field = random.uniform(-1, 1, places.shape)
            places = places + a["elastic"] * gaussian_filter(field, a["smoothness"], axes=(2, 3))
        return places

    def _matrices(self, n: int, random: np.random.Generator) -> Array:
        """From new coordinates (row, column) around the centre to old ones."""
        a = self.amounts
        turn = np.deg2rad(a["rotate"] * random.uniform(-1, 1, n))
        slant = np.tan(np.deg2rad(a["shear"] * random.uniform(-1, 1, n)))
        factor = (1 + a["scale"]) ** random.uniform(-1, 1, n)
        mirror = np.where(random.random((n, 2)) < [0.5 * ("v" in self.flip), 0.5 * ("h" in self.flip)], -1.0, 1.0)
        zeros, ones = np.zeros(n), np.ones(n)
        rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        shearing = np.array([[ones, zeros], [slant, ones]])
        scaling = np.array([[mirror[:, 0] / factor, zeros], [zeros, mirror[:, 1] / factor]])
        found: Array = np.einsum("abn,bcn,cdn->nad", rotation, shearing, scaling)
        return found

    def _erased(self, images: Array, random: np.random.Generator) -> Array:
        n, _, height, width = images.shape
        sides = np.ceil(self.amounts["erase"] * random.random((n, 2)) * [height, width])
        corner = random.random((n, 2)) * ([height, width] - sides)
        inside = [
            (np.arange(m) >= corner[:, k, None]) & (np.arange(m) < corner[:, k, None] + sides[:, k, None])
            for k, m in enumerate((height, width))
        ]
        return np.where((inside[0][:, :, None] & inside[1][:, None, :])[:, None], self.fill, images)


def _each(n: int) -> tuple[int, ...]:
    return (n, 1, 1, 1)


def _brightness(images: Array, amount: float, random: np.random.Generator) -> Array:
    return images + amount * random.uniform(-1, 1, _each(len(images)))


def _contrast(images: Array, amount: float, random: np.random.Generator) -> Array:
    mean: Array = images.mean(axis=(1, 2, 3), keepdims=True)
    return mean + (images - mean) * (1 + amount * random.uniform(-1, 1, _each(len(images))))


def _gamma(images: Array, amount: float, random: np.random.Generator) -> Array:
    return np.sign(images) * np.abs(images) ** (1 + amount * random.uniform(-1, 1, _each(len(images))))


def _colour(images: Array, amount: float, random: np.random.Generator) -> Array:
    return images * (1 + amount * random.uniform(-1, 1, (*images.shape[:2], 1, 1)))


def _illumination(images: Array, amount: float, random: np.random.Generator) -> Array:
    n, _, height, width = images.shape
    angle = random.uniform(0, 2 * np.pi, _each(n))
    rows, columns = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None, :]
    light = (np.cos(angle) * rows + np.sin(angle) * columns) * amount * random.random(_each(n))
    return images + light


def _blur(images: Array, amount: float, random: np.random.Generator) -> Array:
    from scipy.ndimage import gaussian_filter

    widths = amount * random.random(len(images))
    return np.stack([gaussian_filter(image, s, axes=(1, 2)) for image, s in zip(images, widths, strict=True)])


def _noise(images: Array, amount: float, random: np.random.Generator) -> Array:
    return images + amount * random.standard_normal(images.shape)


_LIGHTS: dict[str, Callable[[Array, float, np.random.Generator], Array]] = {
    "brightness": _brightness,
    "contrast": _contrast,
    "gamma": _gamma,
    "colour": _colour,
    "illumination": _illumination,
    "blur": _blur,
    "noise": _noise,
}


class LabelSmoothing:
    r"""Labels as probabilities :math:`(1 - \epsilon)` for the class and :math:`\epsilon / K` for each.

    Parameters
    ----------
    classes : int
        The K.
    eps : float

    References
    ----------
    C. Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016, section 7.

    Examples
    --------
    >>> import numpy as np
    >>> from symgrad import data
    >>> data.LabelSmoothing(4, 0.2)(np.ones((1, 1)), np.array([2]), None)[1].tolist()
    [[0.05, 0.05, 0.8500000000000001, 0.05]]
    """

    def __init__(self, classes: int, eps: float = 0.1) -> None:
        self.classes = whole_number("LabelSmoothing: classes", classes, 2)
        if not 0 <= number(eps) < 1:
            raise DataError(f"LabelSmoothing: eps={eps!r} must be a number of at least 0 and below 1")
        self.eps = eps

    def __call__(self, X: Array, y: Array, random: Any) -> tuple[Array, Array]:
        """The inputs as they are, the labels as probabilities."""
        return X, (1 - self.eps) * probabilities(y, self.classes) + self.eps / self.classes


class Mixup:
    r"""Every example mixed with another: :math:`\lambda x_i + (1 - \lambda) x_j`, and the labels likewise.

    Parameters
    ----------
    classes : int
    alpha : float
        One :math:`\lambda \sim \mathrm{Beta}(\alpha, \alpha)` is drawn for every minibatch.

    References
    ----------
    H. Zhang, M. Cisse, Y. N. Dauphin and D. Lopez-Paz, "mixup: Beyond empirical risk minimization", ICLR 2018.
    """

    def __init__(self, classes: int, alpha: float = 0.2) -> None:
        self.classes = whole_number("Mixup: classes", classes, 2)
        self.alpha = _concentration("Mixup", alpha)

    def __call__(self, X: Array, y: Array, random: np.random.Generator) -> tuple[Array, Array]:
        """The mixed examples, and their labels as probabilities."""
        share, other = random.beta(self.alpha, self.alpha), random.permutation(len(X))
        labels = probabilities(y, self.classes)
        return share * X + (1 - share) * X[other], share * labels + (1 - share) * labels[other]


class CutMix:
    r"""A rectangle of every image taken from another, and the labels mixed by area.

    The rectangle has the shape of the image and the share :math:`1 - \lambda` of its area, less what lies outside.

    Parameters
    ----------
    classes : int
    shape : tuple of int, optional
        (H, W) or (C, H, W) of one image, where X holds them as rows; by default X is (n, H, W) or (n, C, H, W).
    alpha : float
        One :math:`\lambda \sim \mathrm{Beta}(\alpha, \alpha)` and one rectangle are drawn for every minibatch.

    References
    ----------
    S. Yun et al., "CutMix: Regularization strategy to train strong classifiers", ICCV 2019.
    """

    def __init__(self, classes: int, shape: tuple[int, ...] | None = None, alpha: float = 1.0) -> None:
        self.classes = whole_number("CutMix: classes", classes, 2)
        if shape is not None and (np.shape(shape) not in ((2,), (3,))):
            raise DataError(f"CutMix: shape={shape!r} must be (H, W) or (C, H, W)")
        self.shape = None if shape is None else tuple(whole_number("CutMix: shape", n, 1) for n in shape)
        self.alpha = _concentration("CutMix", alpha)

    def __call__(self, X: Array, y: Array, random: np.random.Generator) -> tuple[Array, Array]:
        """The patched images, and their labels as probabilities."""
        shape = X.shape[1:] if self.shape is None else self.shape
        if np.prod(shape) != np.prod(X.shape[1:]):
            raise DataError(f"CutMix: shape={self.shape} does not fit examples of shape {X.shape[1:]}")
        images = np.array(X).reshape(len(X), *shape)
        if images.ndim not in (3, 4):
            raise DataError(f"CutMix: X has shape {X.shape}; give (n, H, W), (n, C, H, W), or shape=")
        size, other = np.array(images.shape[-2:]), random.permutation(len(X))
        half = size * np.sqrt(1 - random.beta(self.alpha, self.alpha)) / 2
        centre = random.random(2) * size
        low, high = np.rint(np.clip([centre - half, centre + half], 0, size)).astype(int)
        patch = (..., slice(low[0], high[0]), slice(low[1], high[1]))
        images[patch] = images[other][patch]
        share, labels = 1 - np.prod(high - low) / np.prod(size), probabilities(y, self.classes)
        return images.reshape(X.shape), share * labels + (1 - share) * labels[other]


class BatchShift:
    """Every minibatch scaled and shifted as a whole: the covariate shift between minibatches that BatchNorm takes away.

    Parameters
    ----------
    scale : float
        Factors are from 1 / (1 + scale) to 1 + scale.
    shift : float
        Largest number that is added.
    """

    def __init__(self, scale: float = 0.5, shift: float = 1.0) -> None:
        self.scale, self.shift = scale, shift

    def __call__(self, X: Array, y: Array, random: np.random.Generator) -> tuple[Array, Array]:
        """The shifted inputs, and the targets as they are."""
        return X * (1 + self.scale) ** random.uniform(-1, 1) + self.shift * random.uniform(-1, 1), y


def _concentration(who: str, alpha: float) -> float:
    """The parameter of a beta distribution."""
    if not 0 < number(alpha) < np.inf:
        raise DataError(f"{who}: alpha={alpha!r} must be a finite number above 0")
    return float(alpha)


def probabilities(y: Array, classes: int) -> Array:
    """Labels as one-hot rows; what already is of shape (n, classes) stays."""
    return y if y.ndim == 2 and y.shape[1] == classes else one_hot(y, range(classes))


def augmented(dataset: Dataset, transform: Callable[..., Any], copies: int = 1, seed: int = 0) -> Dataset:
    """A data set with the examples of another and changed copies of them, made once.

    Parameters
    ----------
    dataset : Dataset
    transform : callable
        ``(X, y, random) -> (X, y)`` with targets of the same kind, such as `Images`.
    copies : int
    seed : int

    Examples
    --------
    >>> from symgrad import data
    >>> len(data.augmented(data.digits(), data.Images((8, 8), rotate=10), copies=2))
    5391
    """
    copies = whole_number("augmented: copies", copies, 0)
    made = [transform(dataset.X, dataset.y, generator(Run(seed, k).key("augmented", "data"))) for k in range(copies)]
    X = np.concatenate([dataset.X, *(X for X, _ in made)])
    y = np.concatenate([dataset.y, *(y for _, y in made)])
    return Dataset(X, y, dataset.names)
