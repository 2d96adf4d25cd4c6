"""The command line: ``symgrad tour`` and its kin.

Exit codes: 0 done, 1 checked and wrong, 2 the user's mistake (one line), 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer
from typer.exceptions import Abort, TyperException

from symgrad import __version__
from symgrad.cli.touring import tour
from symgrad.errors import SymgradError

__all__ = ["app", "main"]

app = typer.Typer(name="symgrad", no_args_is_help=True, add_completion=False, rich_markup_mode=None)
app.command()(tour)


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
    try:
        result = command.main(args=given, prog_name="symgrad", standalone_mode=False)
    except TyperException as error:
        return _mistake(error.format_message())
    except (SymgradError, OSError) as error:
        return _mistake(str(error))
    except (KeyboardInterrupt, Abort):
        sys.stderr.write("symgrad: interrupted; nothing half-written is left\n")
        return 130
    return result if isinstance(result, int) else 0


def _mistake(message: str) -> int:
    if message.strip():
        sys.stderr.write(f"symgrad: {' '.join(message.split())}\n")
    return 2
