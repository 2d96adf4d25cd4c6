"""Data sets: validated arrays, exact splits, reproducible batches, files, generators, augmentation."""

from symgrad.data.archives import read_npz
from symgrad.data.augment import BatchShift, CutMix, Images, LabelSmoothing, Mixup, augmented
from symgrad.data.batching import batches
from symgrad.data.bundled import digits
from symgrad.data.dataset import Dataset, split
from symgrad.data.sources import mnist, one_hot, spirals, two_basins, xor
from symgrad.data.tables import Column, Table, read_csv

__all__ = [
    "BatchShift",
    "Column",
    "CutMix",
    "Dataset",
    "Images",
    "LabelSmoothing",
    "Mixup",
    "Table",
    "augmented",
    "batches",
    "digits",
    "mnist",
    "one_hot",
    "read_csv",
    "read_npz",
    "spirals",
    "split",
    "two_basins",
    "xor",
]
