"""The command line: ``symgrad tour`` and its kin.

Exit codes: 0 done, 1 checked and wrong, 2 the user's mistake (one line), 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click
import typer

from symgrad.cli.tour import tour
from symgrad.errors import SymgradError

__all__ = ["app", "main"]

app = typer.Typer(
    name="symgrad",
    help="Derive, prove, check, draw and train: one graph per formula.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _root() -> None:
    """Derive, prove, check, draw and train: one graph per formula."""


app.command()(tour)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; by default those of the process.
    """
    command = typer.main.get_command(app)
    try:
        result = command.main(args=list(arguments) if arguments is not None else None, prog_name="symgrad",
                              standalone_mode=False)  # fmt: skip
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.ClickException as error:
        return _mistake(error.format_message())
    except (SymgradError, OSError) as error:
        return _mistake(str(error))
    except (KeyboardInterrupt, click.Abort):
        sys.stderr.write("symgrad: interrupted\n")
        return 130
    return result if isinstance(result, int) else 0


def _mistake(message: str) -> int:
    sys.stderr.write(f"symgrad: {' '.join(message.split())}\n")
    return 2
