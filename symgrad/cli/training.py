"""``symgrad train``, ``resume``, ``evaluate`` and ``predict``."""

from __future__ import annotations

import csv
import inspect
import io
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from symgrad.cli.configuration import Configuration
from symgrad.cli.frame import Answer, MistakeError, Say, command, write

if TYPE_CHECKING:  # data, layers and trainers are loaded by the commands, not by their --help
    from symgrad.cli.runs import Run
    from symgrad.data import Dataset
    from symgrad.train import Trainer

__all__ = ["evaluate", "predict", "resume", "train"]

Folder = Annotated[Path, typer.Argument(help="The folder that --checkpoint of symgrad train named.")]


def options(function: Callable[..., Answer]) -> Callable[..., Answer]:
    """Give a command one option per field of `Configuration`; the function gets what was given as ``**given``."""
    positional = [p for p in inspect.signature(function).parameters.values() if p.kind is not p.VAR_KEYWORD]
    own = []
    for f in fields(Configuration):
        if f.name in ("data", "seed"):
            continue
        kind: Any = {"bool": bool, "int": int, "float": float}.get(str(f.type).partition(" ")[0], str)
        flag = "--" + f.name.replace("_", "-")
        usual = "" if f.default in (None, "", False) else f" [{_usual(f.default)}]"
        name = f"{flag}/--no-{flag[2:]}" if kind is bool else flag
        annotation = Annotated[kind | None, typer.Option(name, help=f.metadata["help"] + usual, show_default=False)]
        own.append(inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation))
    function.__signature__ = inspect.Signature([*positional, *own])  # type: ignore[attr-defined]
    function.__annotations__ |= {p.name: p.annotation for p in own}
    return function


def _usual(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value).lower()


@command
@options
def train(
    source: Annotated[
        str, typer.Argument(help="digits, mnist, DATA.csv, DATA.npz, or a CONFIG.toml with these options.")
    ],
    seed: int | None,
    say: Say,
    **given: Any,
) -> Answer:
    """Train a network on a data set, and measure it on a part that was held out.

    The data are split into parts for training, validation (when to stop) and test. Keys of a TOML file are the
    options, with _ for -; options win.

    Example: symgrad train digits --batchnorm --epochs 30 --checkpoint run
    """
    from symgrad.cli.runs import Run

    configuration = Configuration.gather(source, given | {"seed": seed})
    run = Run.of(configuration)
    trainer = run.trainer()
    run.save()
    if run.table is not None:
        say(run.table.report())
    train, validation, _ = run.parts
    trainer.fit(train, validation, epochs=configuration.epochs, progress=False if say.silent else None)
    return _result(run, trainer)


@command
def resume(
    folder: Folder,
    say: Say,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="How many in all; by default as many as the training was to have.")
    ] = None,
) -> Answer:
    """Go on with a training that was cut short, exactly as if it had not been; or train longer.

    Example: symgrad resume run
    """
    from symgrad.cli.runs import open_run

    run = open_run(folder)
    trainer = run.trainer()
    train, validation, _ = run.parts
    begun = any(folder.glob("step-*"))
    progress = False if say.silent else None
    if begun:
        trainer.resume(folder, train, validation, epochs=epochs, progress=progress)
    else:
        trainer.fit(train, validation, epochs=epochs or run.configuration.epochs, progress=progress)
    return _result(run, trainer)


@command
def evaluate(
    folder: Folder,
    data: Annotated[str | None, typer.Argument(help="A .csv or .npz file; by default the part held out.")] = None,
) -> Answer:
    """Measure a trained network on the part of its data that was held out, or on another file.

    Example: symgrad evaluate run
    """
    from symgrad.cli.runs import open_run, trained

    run = open_run(folder)
    trainer = trained(run)
    dataset = run.parts[2] if data is None else _read(run, data)
    found = trainer.evaluate(dataset)
    text = "\n".join([f"{len(dataset)} examples", *_lines(found)])
    return Answer(text, {"data": data or "held out", "examples": len(dataset), **found})


@command
def predict(
    folder: Folder,
    data: Annotated[str, typer.Argument(help="A .csv or .npz file with the inputs.")],
    out: Annotated[Path | None, typer.Option(help="Write the predictions to this CSV file.")] = None,
) -> Answer:
    """Predict with a trained network: a class with its probabilities, or a number, for every row.

    Example: symgrad predict run new.csv --out predictions.csv
    """
    from symgrad.cli.runs import open_run, read_inputs, trained

    run = open_run(folder)
    X = np.asarray(read_inputs(run, data))
    wanted = run.parts[0].X.shape[1:]
    if X.ndim < 1 or X.shape[1:] != wanted:
        raise MistakeError(f"{data}: its examples have shape {X.shape[1:]}, the network takes {wanted}")
    output = trained(run).predict(X)
    rows = _class_rows(run, output) if run.classes else [{"prediction": row.tolist()[0]} for row in output]
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    if out is not None:
        write(out, text.getvalue())
        return Answer(f"wrote {len(rows)} predictions to {out}", {"out": str(out), "predictions": rows})
    return Answer(text.getvalue(), {"predictions": rows})


def _class_rows(run: Run, logits: Any) -> list[dict[str, Any]]:
    from symgrad.functions.normalization import softmax

    names = run.parts[0].names or tuple(map(str, range(run.classes)))
    probabilities = np.asarray(softmax(logits.astype(np.float64)))
    return [
        {"prediction": names[int(p.argmax())], **{f"p({n})": float(x) for n, x in zip(names, p, strict=True)}}
        for p in probabilities
    ]


def _read(run: Run, path: str) -> Dataset:
    from symgrad.data import Dataset
    from symgrad.data.archives import Archive

    if run.table is not None:
        return Dataset(run.table.encode(path), run.table.targets(path), run.table.classes)
    if not path.endswith(".npz"):
        raise MistakeError(f"{path}: must be a .npz file with the arrays X and y")
    found = Archive.read(path).dataset(run.labels)
    return replace(found, y=found.y[:, None]) if not run.classes and found.y.ndim == 1 else found


def _result(run: Run, trainer: Trainer) -> Answer:
    """What training found, or where a signal ended it."""
    folder = run.configuration.checkpoint
    if trainer.signal:
        return Answer(
            f"stopped after step {trainer.step}" + (f"; go on: symgrad resume {folder}" if folder else ""),
            {"stopped_after_step": trainer.step, "signal": trainer.signal, "checkpoint": folder},
            signal=trainer.signal,
        )
    measured = {
        name: trainer.evaluate(part) for name, part in zip(("train", "validation", "test"), run.parts, strict=True)
    }
    size = sum(p.size for p in trainer.model.parameters())
    epochs = len(trainer.history)
    stopped = epochs < trainer.target
    text = [
        f"{size} parameters, {epochs} epochs" + (" (stopped early)" if stopped else ""),
        *(f"{name:<10} " + "  ".join(_lines(found)) for name, found in measured.items()),
        f"saved in {folder}" if folder else "nothing was saved; --checkpoint DIR keeps the network",
    ]
    found = {
        "data": run.configuration.data,
        "seed": run.configuration.seed,
        "parameters": size,
        "epochs": epochs,
        "stopped_early": stopped,
        **measured,
        **{f"held_out_{name}": value for name, value in measured["test"].items()},
        "checkpoint": folder,
    }
    return Answer("\n".join(text), found)


def _lines(found: dict[str, float]) -> list[str]:
    return [f"{name} {value:.4g}" for name, value in found.items()]
