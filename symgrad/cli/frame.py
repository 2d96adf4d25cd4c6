r"""What all commands share: ``--json``, ``--seed``, ``--quiet``, the answer they give, and its exit code.

A command is an ordinary function with typer's annotations for its own options, and returns an `Answer`:

    @command
    def double(number: Annotated[float, typer.Argument()]) -> Answer:
        '''Twice a number.'''
        return Answer(f"{2 * number}", {"doubled": 2 * number})

A parameter ``seed`` gets the value of ``--seed``; if that was not given 0, or None where the annotation has it. A
parameter ``say`` gets a `Say`, to tell what goes on meanwhile.
A user's mistake is a `SymgradError`, raised anywhere: it becomes one line and exit code 2.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import typer

from symgrad.errors import SymgradError

__all__ = ["Answer", "MistakeError", "Say", "command", "write"]


class MistakeError(SymgradError):
    """What was asked on the command line cannot be done as asked."""


@dataclass(frozen=True)
class Answer:
    """What a command found.

    Attributes
    ----------
    text, data
        For people, and for ``--json``.
    right : bool
        Whether all that was checked is right.
    signal : int
        The number of the signal that cut the command short, if one did.
    """

    text: str
    data: dict[str, Any] = field(default_factory=dict)
    right: bool = True
    signal: int = 0


class Say:
    """Tells on standard output what goes on; says nothing under ``--quiet`` and ``--json``."""

    def __init__(self, silent: bool = False) -> None:
        self.silent = silent

    def __call__(self, text: str, end: str = "\n") -> None:
        """Write a line."""
        if not self.silent:
            sys.stdout.write(text + end)
            sys.stdout.flush()

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """One line per thing done, with the time that it took."""
        self(f"  {what} ...", end="")
        start = time.perf_counter()
        try:
            yield
        except BaseException:
            self("")  # what went wrong is said on a line of its own
            raise
        self(f" {time.perf_counter() - start:.1f} s")


Json = Annotated[bool, typer.Option("--json", help="Print what was found as JSON, and nothing else.")]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Decides every random number that is drawn.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors; the exit code tells.")]


_EXAMPLES = re.compile(r"\n\n( *)Examples?\n *-+\n")  # a section of a docstring; after \b typer keeps lines as they are


def command(function: Callable[..., Answer]) -> Callable[..., int]:
    """The function as typer takes it: with the shared options, printing its answer, returning the exit code."""
    hints = get_type_hints(function, include_extras=True)
    own = [p.replace(annotation=hints[n]) for n, p in inspect.signature(function).parameters.items()]
    supplied = {p.name for p in own} & {"seed", "say"}

    @wraps(function)
    def run(**given: Any) -> int:
        as_json, seed, quiet = given.pop("as_json"), given.pop("seed"), given.pop("quiet")
        optional = type(None) in get_args(hints.get("seed"))
        extra = {"seed": 0 if seed is None and not optional else seed, "say": Say(silent=as_json or quiet)}
        answer = function(**given, **{name: extra[name] for name in supplied})
        if as_json:
            sys.stdout.write(json.dumps(answer.data, indent=1, default=str, ensure_ascii=False) + "\n")
        elif not quiet and answer.text:
            sys.stdout.write(answer.text.rstrip("\n") + "\n")
        return 128 + answer.signal if answer.signal else int(not answer.right)

    shared = {"seed": (Seed, None), "as_json": (Json, False), "quiet": (Quiet, False)}
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [p for p in own if p.name not in supplied]
    parameters += [inspect.Parameter(n, keyword, default=x, annotation=a) for n, (a, x) in shared.items()]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__doc__ = _EXAMPLES.sub("\n\n\\1\b\n\\1Examples:\n", function.__doc__ or "")
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all, in UTF-8; the folder must be there."""
    from viz import write_text

    if path.is_dir():
        raise MistakeError(f"{path} is a folder; give the name of a file with --out")
    if not path.parent.is_dir():
        raise MistakeError(f"there is no folder {path.parent}; make it, or give another --out")
    write_text(path, text)
