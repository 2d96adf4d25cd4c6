"""The command line: one file per command, and the frame that all of them share.

Exit codes: 0 done, 1 checked and wrong, 2 the user's mistake (one line), 130 interrupted.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

import typer
from typer.exceptions import Abort, TyperException

from symgrad import __version__
from symgrad.cli.checking import check
from symgrad.cli.deriving import derive
from symgrad.cli.diagnosing import diagnose
from symgrad.cli.drawing import draw
from symgrad.cli.proving import prove
from symgrad.cli.touring import tour
from symgrad.cli.training import evaluate, predict, resume, train
from symgrad.errors import SymgradError

__all__ = ["COMMANDS", "app", "main"]

COMMANDS = (
    tour,
    derive,
    prove,
    diagnose,
    check,
    draw,
    train,
    resume,
    evaluate,
    predict,
)

app = typer.Typer(name="symgrad", no_args_is_help=True, add_completion=False, rich_markup_mode=None)
for each in COMMANDS:
    app.command()(each)


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"symgrad {__version__}\n")
        raise typer.Exit


@app.callback(epilog="Try it: symgrad tour --out tour")
def _root(version: bool = typer.Option(False, "--version", callback=_version, help="Show the version.")) -> None:
    """Derive, prove, check, draw and train: one graph per formula."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; by default those of the process.
    """
    command = typer.main.get_command(app)
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without ∂ shows \u2202 and goes on
    try:
        result = command.main(args=given, prog_name="symgrad", standalone_mode=False)
        sys.stdout.flush()
    except TyperException as error:
        return _mistake(error.format_message())
    except (BrokenPipeError, SystemExit):  # typer makes the second of the first
        return _closed()
    except (SymgradError, OSError) as error:
        return _mistake(str(error))
    except MemoryError as error:
        return _mistake(f"not enough memory: {error}")
    except (KeyboardInterrupt, Abort):
        sys.stderr.write("symgrad: interrupted; nothing half-written is left\n")
        return 130
    return result if isinstance(result, int) else 0


def _mistake(message: str) -> int:
    line = " ".join(message.split())
    if line:
        printable = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)  # no escape sequence of a name
        sys.stderr.write(f"symgrad: {printable}\n")
    return 2


def _closed() -> int:
    """Whoever read our output has seen enough, as in ``symgrad derive batchnorm | head -1``."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # so that nothing complains at the end
    return 0
