"""The command line: one file per command, and the frame that all of them share.

Exit codes: 0 done, 1 checked and wrong, 2 the user's mistake (one line), 130 ended by Ctrl-C, 143 by SIGTERM.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module

import typer
from typer.exceptions import Abort, TyperException

from symgrad import __version__
from symgrad.errors import SymgradError

__all__ = ["COMMANDS", "application", "main"]

COMMANDS = {
    "tour": "touring",
    "derive": "deriving",
    "prove": "proving",
    "diagnose": "diagnosing",
    "check": "checking",
    "draw": "drawing",
    "train": "training",
    "resume": "training",
    "evaluate": "training",
    "predict": "training",
}
"""Every command, and the module that is loaded when it is wanted."""


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"symgrad {__version__}\n")
        raise typer.Exit


def _root(version: bool = typer.Option(False, "--version", callback=_version, help="Show the version.")) -> None:
    """Derive, prove, check, draw and train: one graph per formula."""


def application(names: Iterable[str] = COMMANDS) -> typer.Typer:
    """The command line with these commands."""
    app = typer.Typer(name="symgrad", no_args_is_help=True, add_completion=False, rich_markup_mode=None)
    app.callback(epilog="Try it: symgrad tour --out tour")(_root)
    for name in names:
        app.command()(getattr(import_module(f"symgrad.cli.{COMMANDS[name]}"), name))
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; by default those of the process.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    command = typer.main.get_command(application(given[:1] if given and given[0] in COMMANDS else COMMANDS))
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
    except SymgradError as error:
        return _mistake(str(error))
    except OSError as error:
        return _mistake(_refused(error))
    except MemoryError as error:
        return _mistake(f"not enough memory: {error}")
    except (KeyboardInterrupt, Abort):
        sys.stderr.write("symgrad: interrupted; nothing half-written is left\n")
        return 130
    return result if isinstance(result, int) else 0


def _refused(error: OSError) -> str:
    """What the system did not let us do, with the remedy."""
    if error.filename is None:
        return str(error)
    said = f"{error.filename}: {error.strerror}"
    if error.errno in (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", None)):
        return f"{said}; make room there, or name another place"
    return f"{said}; see that the file or folder is there and is yours to read and write, or name another"


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
