"""The data that comes with symgrad (see digits.LICENSE.txt beside it)."""

from __future__ import annotations

from importlib.resources import files

import numpy as np

from symgrad.data.dataset import Dataset

__all__ = ["digits"]


def digits() -> Dataset:
    """Load 1,797 handwritten digits as images of 8x8 pixels.

    Returns
    -------
    Dataset
        X float64 of shape (1797, 64), rows of pixels from 0 (paper) to 1 (ink); y int64 of shape (1797,),
        the digits 0 to 9.

    Notes
    -----
    The test part of [1]_, by 13 writers, under CC BY 4.0.

    References
    ----------
    .. [1] E. Alpaydin and C. Kaynak (1998), Optical Recognition of Handwritten Digits,
       UCI Machine Learning Repository, https://doi.org/10.24432/C50P49.

    Examples
    --------
    >>> from symgrad import data
    >>> data.digits()
    Dataset(1797 examples, X float64 (64,), y int64 (), 10 classes)
    """
    with files("symgrad.data").joinpath("digits.npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return Dataset(arrays["X"] / 16.0, arrays["y"].astype(np.int64), tuple("0123456789"))
