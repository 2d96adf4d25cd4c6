"""Training: the loop, its history, its callbacks, and checkpoints."""

from symgrad.train.callbacks import Callback, EarlyStopping, HistoryWriter, LearningRateLogger, TensorBoard
from symgrad.train.checkpoint import Checkpoint
from symgrad.train.ensembles import Ensemble
from symgrad.train.history import History
from symgrad.train.metrics import accuracy, from_sklearn
from symgrad.train.rates import rate_range
from symgrad.train.trainer import Trainer

__all__ = [
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "Ensemble",
    "History",
    "HistoryWriter",
    "LearningRateLogger",
    "TensorBoard",
    "Trainer",
    "accuracy",
    "from_sklearn",
    "rate_range",
]
