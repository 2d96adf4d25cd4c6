"""Data sets: validated arrays, exact splits, reproducible batches, and real digits that need no network."""

from symgrad.data.batching import batches
from symgrad.data.bundled import digits
from symgrad.data.dataset import Dataset, split

__all__ = ["Dataset", "batches", "digits", "split"]
