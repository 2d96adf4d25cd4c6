"""What a training run is made of: options of the command line or keys of a TOML file, checked and explained."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

from symgrad import optim
from symgrad.cli.frame import MistakeError
from symgrad.errors import nearest
from symgrad.nn.building import ACTIVATIONS

__all__ = ["Configuration", "assignments"]

OPTIMIZERS = {
    name.lower(): found
    for name in optim.__all__
    if isinstance(found := getattr(optim, name), type) and issubclass(found, optim.Optimizer)
}
OPTIMIZERS.pop("optimizer")
TASKS, DTYPES, MODELS = ("auto", "classification", "regression"), ("float64", "float32"), ("mlp", "cnn", "linear")


def option(default: Any, help: str) -> Any:
    """A field with the text that ``--help`` shows."""
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True)
class Configuration:
    """Everything that a run of ``symgrad train`` depends on besides the data themselves."""

    data: str = option("digits", "digits, mnist, or a file ending in .csv or .npz")
    target: str | None = option(None, "The column of a CSV file to predict; by default the last.")
    task: str = option("auto", "auto, classification or regression.")
    split: tuple[float, ...] = option((0.6, 0.2, 0.2), "Shares for training, validation and test, such as 0.6,0.2,0.2.")
    model: str = option("mlp:64,64", "linear, mlp:64,64 (widths of hidden layers) or cnn:16,32 (channels; for images).")
    activation: str = option("relu", f"{', '.join(ACTIVATIONS)}.")
    batchnorm: bool = option(False, "Batch normalisation before every activation.")
    dropout: float = option(0.0, "Probability that a hidden unit is left out of a training step.")
    standardize: bool = option(True, "Move inputs (and the target of a regression) to mean 0 and deviation 1.")
    optimizer: str = option("adam", f"{', '.join(OPTIMIZERS)}.")
    lr: float | None = option(None, "The learning rate; by default the optimizer's.")
    momentum: float | None = option(None, "For sgd and rmsprop.")
    weight_decay: float = option(0.0, "Decay of the weights, not of biases and normalisations.")
    schedule: str = option("", "A schedule of the rate, such as inverse_time:decay=0.01 or exponential:decay=1e-3.")
    label_smoothing: float = option(0.0, "Probability that is spread over all classes.")
    augment: str = option("", "Changes of images in training, such as rotate=10,translate=0.1.")
    epochs: int = option(100, "How many at most.")
    batch_size: int = option(32, "Examples per step.")
    patience: int = option(15, "Epochs without a better validation loss before the training stops; 0: never.")
    dtype: str = option("float64", "float64 or float32.")
    checkpoint: str | None = option(None, "Folder for the model, the history and what resuming needs.")
    seed: int = option(0, "Decides every random number.")

    def __post_init__(self) -> None:
        for f in fields(self):
            object.__setattr__(self, f.name, _typed(f.name, getattr(self, f.name), str(f.type)))
        _choice("task", self.task, TASKS)
        _choice("activation", self.activation, ACTIVATIONS)
        _choice("optimizer", self.optimizer, OPTIMIZERS)
        _choice("dtype", self.dtype, DTYPES)
        _choice("model", self.model.partition(":")[0], MODELS)
        self.widths  # noqa: B018
        self.make_schedule()
        for name, low, high in (
            ("epochs", 1, None), ("batch_size", 1, None), ("patience", 0, None), ("seed", 0, None), ("dropout", 0, 1),
            ("label_smoothing", 0, 1), ("weight_decay", 0, None), ("lr", 0, None), ("momentum", 0, 1),
        ):  # fmt: skip
            _within(name, getattr(self, name), low, high)
        if len(self.split) != 3 or min(self.split) <= 0 or abs(sum(self.split) - 1) > 1e-9:
            raise MistakeError(f"split must be three positive shares of sum 1, such as 0.6,0.2,0.2; got {self.split}")

    @classmethod
    def gather(cls, source: str, given: Mapping[str, Any]) -> Configuration:
        """The configuration of a source (a TOML file, or data); options that were given win over its keys."""
        keys: dict[str, Any] = {"data": source}
        if source.endswith(".toml"):
            keys = _read_toml(Path(source))
        known = [f.name for f in fields(cls)]
        for name in keys:
            if name not in known:
                raise MistakeError(f"{source}: unknown key {name!r}{_meant(name, known)}")
        try:
            return cls(**(keys | {name: x for name, x in given.items() if x is not None}))
        except MistakeError as error:
            raise MistakeError(f"{source}: {error}" if source.endswith(".toml") else str(error)) from None

    def to_dict(self) -> dict[str, Any]:
        """The configuration as plain data."""
        return asdict(self) | {"split": list(self.split)}

    # What the texts stand for

    @property
    def widths(self) -> list[int]:
        """The numbers in ``model``."""
        kind, _, text = self.model.partition(":")
        try:
            found = [int(n) for n in text.split(",")] if text else []
        except ValueError:
            found = [0]
        if min(found, default=1) < 1 or (kind == "linear") != (not found):
            raise MistakeError(f"model={self.model!r} must be linear, or like mlp:64,64 or cnn:16,32")
        return found

    def make_optimizer(self) -> Callable[..., optim.Optimizer]:
        """A function of the parameters."""
        options = {"lr": self.lr, "momentum": self.momentum}
        options |= {"weight_decay": self.weight_decay or None}
        made = OPTIMIZERS[self.optimizer]
        known = inspect.signature(made).parameters
        chosen: dict[str, Any] = {name: x for name, x in options.items() if x is not None}
        for name in chosen:
            if name not in known:
                raise MistakeError(f"{name}: {self.optimizer} has no such option")
        if self.weight_decay:
            chosen["exclude"] = ("bias", "norm")
        return partial(made, **chosen)

    def make_schedule(self) -> Callable[[Any], Any] | None:
        """The schedule, with the learning rate as where it starts."""
        if not self.schedule:
            return None
        name, _, text = self.schedule.partition(":")
        known = [n for n in optim.schedules.__all__ if n.islower()]
        _choice("schedule", name, known)
        make = getattr(optim.schedules, name)
        options = assignments("schedule", text)
        parameters = inspect.signature(make).parameters
        if "lr" in parameters and "lr" not in options:
            options["lr"] = 1e-3 if self.lr is None else self.lr
        for given in options:
            if given not in parameters:
                raise MistakeError(f"schedule: {name} has no {given!r}{_meant(given, parameters)}")
        try:
            made: Callable[[Any], Any] = make(**options)
        except TypeError as error:
            raise MistakeError(f"schedule={self.schedule!r}: {error}") from None
        return made


def assignments(key: str, text: str) -> dict[str, Any]:
    """``a=1,b=x`` as a dict; numbers as numbers."""
    found: dict[str, Any] = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if not equals:
            raise MistakeError(f"{key}: {part!r} must be like name=value")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            found[name.strip()] = value.strip()
    return found


def _meant(name: str, known: Iterable[str]) -> str:
    """The end of an error: the name that was probably meant, or all that there are."""
    names = list(known)
    return nearest(name, names) or f"; there are {', '.join(names)}"


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MistakeError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MistakeError(f"{path}: is no TOML file: {error}") from None


def _typed(name: str, value: Any, kind: str) -> Any:
    """The value as its field wants it."""
    if value is None and kind.endswith("None"):
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind.startswith("tuple"):
        try:
            parts = value.split(",") if isinstance(value, str) else value
            return tuple(float(part) for part in parts)
        except (TypeError, ValueError):
            raise MistakeError(f"{name} must be numbers such as 0.6,0.2,0.2; got {value!r}") from None
    wanted = {
        "str": (isinstance(value, str), "a text"),
        "bool": (isinstance(value, bool), "true or false"),
        "int": (number and float(value).is_integer(), "a whole number"),
        "float": (number, "a number"),
    }
    good, words = wanted[kind.partition(" ")[0]]
    if not good:
        raise MistakeError(f"{name} must be {words}, got {value!r}")
    return int(value) if kind == "int" else float(value) if kind.startswith("float") else value


def _choice(name: str, value: str, known: Iterable[str]) -> None:
    if value not in known:
        raise MistakeError(f"{name}={value!r} is unknown{_meant(value, known)}")


def _within(name: str, value: float | None, low: float, high: float | None) -> None:
    if value is not None and (not value >= low or (high is not None and not value < high)):
        raise MistakeError(f"{name} must be at least {low}{'' if high is None else f' and below {high}'}, got {value}")
