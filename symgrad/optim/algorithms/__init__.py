r"""The optimizers by name: which rule, with which defaults.

`configure` is all that a class says: its parameters are the options of the class, after ``params``. The options that
all classes share are those of `Optimizer`.
"""

from symgrad.optim.algorithms.adaptive import FTRL, Adadelta, Adagrad, RMSprop
from symgrad.optim.algorithms.descent import ASGD, SGD, Lion, Rprop, Signum
from symgrad.optim.algorithms.layerwise import LAMB, LARS, NovoGrad
from symgrad.optim.algorithms.moments import AdaBelief, Adam, Adamax, AdamW, Adan, NAdam, RAdam, Yogi

__all__ = [
    "ASGD",
    "FTRL",
    "LAMB",
    "LARS",
    "SGD",
    "AdaBelief",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Adan",
    "Lion",
    "NAdam",
    "NovoGrad",
    "RAdam",
    "RMSprop",
    "Rprop",
    "Signum",
    "Yogi",
]
