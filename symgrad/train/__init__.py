"""Training: the loop, its history and its callbacks."""

from symgrad.train.callbacks import Callback
from symgrad.train.history import History
from symgrad.train.metrics import accuracy
from symgrad.train.trainer import Trainer

__all__ = ["Callback", "History", "Trainer", "accuracy"]
