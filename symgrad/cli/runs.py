"""A training run of the command line: from a configuration to data, model and trainer; and its folder."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from symgrad import data, losses, nn
from symgrad.cli.configuration import Configuration, assignments
from symgrad.cli.frame import MistakeError
from symgrad.data.archives import Archive, Labels, arrays_of
from symgrad.errors import DataError, SymgradError
from symgrad.files import write_atomically
from symgrad.nn.building import activation
from symgrad.saving import load
from symgrad.train import Callback, Checkpoint, EarlyStopping, HistoryWriter, Trainer
from symgrad.train.lock import acquire

__all__ = ["Run", "open_run", "read_inputs"]

CONFIGURATION = "run.json"
IMAGES = {"digits": (1, 8, 8), "mnist": (1, 28, 28)}


@dataclass(frozen=True)
class Run:
    """A configuration with its data, and how they are to be read again.

    Attributes
    ----------
    parts : tuple of Dataset
        For training, validation and test.
    table : Table or None
        How the columns of a CSV file are understood.
    labels : Labels or None
        What stands for which class in an archive; None in a regression.
    """

    configuration: Configuration
    parts: tuple[data.Dataset, ...]
    table: data.Table | None
    labels: Labels | None

    @classmethod
    def of(cls, c: Configuration) -> Run:
        """Read the data that a configuration names, and split them."""
        table, labels = None, None
        if c.data in IMAGES:
            dataset = data.digits() if c.data == "digits" else data.mnist()
            labels = Labels.numbered(len(dataset.names), dataset.names)
        elif c.data.endswith(".csv"):
            table = data.read_csv(c.data, c.target, task=c.task)
            assert table.dataset is not None, "a file was read"
            dataset = table.dataset
        elif c.data.endswith(".npz"):
            archive = Archive.read(c.data)
            labels = archive.labels(c.task)
            dataset = archive.dataset(labels)
        else:
            raise MistakeError(f"data={c.data!r} must be digits, mnist, or a file ending in .csv, .npz or .toml")
        classes = dataset.y.dtype.kind in "iu" and dataset.y.ndim == 1 and c.task != "regression"
        if len(np.unique(dataset.y, axis=0)) < 2:
            raise MistakeError(f"{c.data}: the target is the same in all {len(dataset)} examples: nothing to learn")
        if not classes and dataset.y.ndim == 1:
            dataset = data.Dataset(dataset.X, dataset.y.astype(float)[:, None])
        try:
            parts = dataset.split(c.split, stratify=classes, seed=c.seed)
        except DataError as error:
            raise MistakeError(f"{c.data}: {error}") from None
        return cls(c, parts, table, labels if classes else None)

    @property
    def classes(self) -> int:
        """How many classes there are; 0 in a regression."""
        y = self.parts[0].y
        if y.dtype.kind not in "iu" or y.ndim != 1:
            return 0
        return len(self.parts[0].names) or 1 + max(int(part.y.max()) for part in self.parts)

    @property
    def image(self) -> tuple[int, ...] | None:
        """Channels, height and width of one example, if it is an image."""
        shape = self.parts[0].X.shape[1:]
        found = IMAGES.get(self.configuration.data) or {2: (1, *shape), 3: shape}.get(len(shape))
        return found

    def model(self) -> nn.Module:
        """The network that the configuration describes."""
        c, train = self.configuration, self.parts[0]
        dtype, outputs = np.dtype(c.dtype), self.classes or train.y.shape[1]
        layers: list[nn.Module] = []
        if train.X.ndim > 2:
            layers.append(nn.Flatten())
        if c.standardize:
            layers.append(nn.Standardize.of(train.X.reshape(len(train), -1), dtype=dtype))
        kind = c.model.partition(":")[0]
        width = int(np.prod(train.X.shape[1:]))
        if kind == "cnn":
            width = self._convolutions(layers, dtype)
        hidden = c.widths if kind == "mlp" else []
        layers += nn.mlp(width, outputs, hidden, c.activation, c.batchnorm, c.dropout, dtype=dtype)
        if not self.classes and c.standardize:
            layers.append(nn.Rescale.of(train.y, dtype=dtype))
        return nn.Sequential(*layers)

    def _convolutions(self, layers: list[nn.Module], dtype: Any) -> int:
        """Add blocks of convolution, activation and pooling; returns the number of features after them."""
        c = self.configuration
        if self.image is None:
            raise MistakeError(f"model={c.model!r} takes images; the examples of {c.data} are rows of numbers")
        channels, *size = self.image
        layers.append(nn.Reshape(channels, *size))
        for n in c.widths:
            layers.append(nn.Conv2d(channels, n, 3, padding=1, bias=not c.batchnorm, dtype=dtype))
            if c.batchnorm:
                layers.append(nn.BatchNorm2d(n, dtype=dtype))
            layers.append(activation(c.activation))
            if min(size) >= 2:
                layers.append(nn.MaxPool2d(2))
                size = [k // 2 for k in size]
            channels = n
        layers.append(nn.Flatten())
        if c.dropout:
            layers.append(nn.Dropout(drop=c.dropout))
        return channels * int(np.prod(size))

    def trainer(self) -> Trainer:
        """The trainer that the configuration describes."""
        c = self.configuration
        callbacks: list[Callback] = []
        if c.patience:
            callbacks.append(EarlyStopping(patience=c.patience))
        if c.checkpoint:
            callbacks += [HistoryWriter(Path(c.checkpoint) / "history.csv"), Checkpoint(c.checkpoint)]
        return Trainer(
            self.model(),
            loss=losses.cross_entropy if self.classes else losses.mse,
            optimizer=c.make_optimizer(),
            schedule=c.make_schedule(),
            metrics=["accuracy"] if self.classes else _regression_metrics(),
            callbacks=callbacks,
            transform=self._transforms(),
            seed=c.seed,
            batch_size=c.batch_size,
        )

    def _transforms(self) -> list[Any]:
        c = self.configuration
        found: list[Any] = []
        if c.augment:
            if self.image is None:
                raise MistakeError(f"augment={c.augment!r}: the examples of {c.data} are no images")
            given = assignments("augment", c.augment)
            try:
                found.append(data.Images(self.image, **given))
            except (TypeError, DataError) as error:
                raise MistakeError(f"augment={c.augment!r}: {error}") from None
        if c.label_smoothing:
            if not self.classes:
                raise MistakeError("label_smoothing: the target has no classes")
            found.append(data.LabelSmoothing(self.classes, c.label_smoothing))
        return found

    def save(self) -> None:
        """Write what `open_run` needs into the folder of the run."""
        c = self.configuration
        if c.checkpoint:
            folder = Path(c.checkpoint)
            if folder.exists() and not folder.is_dir():
                raise MistakeError(f"checkpoint: {folder} is a file")
            if (folder / CONFIGURATION).exists() and any(folder.glob("step-*")):
                raise MistakeError(f"{folder} holds another run; go on with it: symgrad resume {folder}")
            folder.mkdir(parents=True, exist_ok=True)
            acquire(folder)  # until the training, which goes on with it, ends
            source = c.data if c.data in IMAGES else str(Path(c.data).resolve())
            table = None if self.table is None else self.table.to_dict()
            words = {"configuration": c.to_dict() | {"data": source}, "table": table}
            write_atomically(folder / CONFIGURATION, (json.dumps(words, indent=1) + "\n").encode())


def open_run(folder: Path) -> Run:
    """The run of a folder, with its data read again."""
    file = folder / CONFIGURATION
    try:
        words = json.loads(file.read_text(encoding="utf-8"))
    except OSError:
        raise MistakeError(
            f"{folder} is no folder of a run: it has no {CONFIGURATION}; symgrad train makes one"
        ) from None
    except ValueError as error:
        raise MistakeError(f"{file}: is damaged: no JSON: {error}; train again, into another folder") from None
    given = words.get("configuration") if isinstance(words, dict) else None
    if not isinstance(given, dict) or not isinstance(given.get("data"), str):
        raise MistakeError(f"{file}: is damaged: it holds no configuration of a run; train again, into another folder")
    try:
        configuration = Configuration(**(given | {"checkpoint": str(folder)}))
    except TypeError:
        unknown = sorted(given.keys() - {f.name for f in fields(Configuration)})
        raise MistakeError(f"{file}: is damaged, or of another version of symgrad: its configuration has "
                           f"{', '.join(unknown) or 'values of a wrong kind'}") from None  # fmt: skip
    return Run.of(configuration)


def trained(run: Run) -> Trainer:
    """A trainer with the finished model of a run's folder."""
    folder = Path(run.configuration.checkpoint or "")
    made = run.trainer()
    if not (folder / "model.npz").exists():
        raise MistakeError(f"{folder}: the training has not ended yet; symgrad resume {folder}")
    made.model.load_state_dict(load(folder / "model.npz"))
    return made


def read_inputs(run: Run, path: str) -> Any:
    """The inputs in a file of the kind that the run was trained on."""
    if run.table is not None:
        return run.table.encode(path)
    if path.endswith(".npz"):
        found = arrays_of(path, ("X",))
        if "X" not in found:
            raise DataError(f"{path}: has no array 'X'; it has {', '.join(found) or 'none'}")
        return found["X"]
    try:
        return np.loadtxt(path, delimiter=",", ndmin=2)
    except (OSError, ValueError) as error:
        raise MistakeError(
            f"{path}: must hold rows of numbers with commas, or be a .npz with an array X: {error}"
        ) from None


def _regression_metrics() -> list[Any]:
    """R2, where scikit-learn is there."""
    from symgrad.train import from_sklearn

    try:
        return [from_sklearn("r2_score")]
    except SymgradError:
        return []
