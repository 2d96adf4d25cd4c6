"""Functions from a user's file, written FILE.py:function, and shapes written z=B,D."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from symgrad.cli.frame import MistakeError
from symgrad.errors import SymgradError, nearest

__all__ = ["function_of", "guarded", "shapes_of", "split"]


def split(target: str) -> tuple[Path, str]:
    r"""File and function of ``FILE.py:function``; the colon of a drive letter is part of the file.

    Examples
    --------
    >>> split(r"C:\layers\mine.py:backward")[1]
    'backward'
    """
    file, colon, name = target.rpartition(":")
    if not colon or not name.isidentifier() or not file:
        raise MistakeError(f"{target!r} names no function; write it as FILE.py:function")
    return Path(file), name


def function_of(target: str) -> Callable[..., Any]:
    """The function that ``FILE.py:function`` names; running the file must not fail."""
    path, name = split(target)
    if not path.is_file():
        if path.is_dir():
            raise MistakeError(f"{path} is a folder; give the name of a Python file")
        here = [p.name for p in path.parent.glob("*.py") if p.is_file()] if path.parent.is_dir() else []
        raise MistakeError(f"there is no file {path}{nearest(path.name, here)}")
    module = _run(path)
    found = getattr(module, name, None)
    own = [n for n, x in vars(module).items() if callable(x) and getattr(x, "__module__", None) == module.__name__]
    if found is None:
        raise MistakeError(f"{path} has no function {name!r}{nearest(name, own)}; it has {', '.join(own) or 'none'}")
    if not callable(found):
        raise MistakeError(f"{name!r} in {path} is {type(found).__name__}, not a function")
    return found  # type: ignore[no-any-return]


def _run(path: Path) -> Any:
    name = f"symgrad_user_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise MistakeError(f"{path} is no Python file; its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # as for any import: dataclasses and pickle look modules up
    sys.path.insert(0, str(path.resolve().parent))
    with guarded(f"running {path}"):
        spec.loader.exec_module(module)
    return module


@contextmanager
def guarded(what: str) -> Iterator[None]:
    """Run foreign code: what it prints goes to standard error, what it raises becomes one line."""
    try:
        with redirect_stdout(sys.stderr):
            yield
    except SymgradError:
        raise
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        where = f" (line {frames[-1].lineno} of {frames[-1].filename})" if len(frames) > 1 else ""
        if isinstance(error, SyntaxError):
            where = f" (line {error.lineno})"
        raise MistakeError(f"{what} failed: {type(error).__name__}: {error}{where}") from error


def shapes_of(texts: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """Shapes by argument from texts such as ``z=B,D`` or ``gamma=`` (a number).

    Examples
    --------
    >>> shapes_of(["z=B,3", "gamma="])
    {'z': ('B', 3), 'gamma': ()}
    """
    found: dict[str, tuple[Any, ...]] = {}
    for text in texts:
        name, equals, sizes = text.partition("=")
        parts = [s.strip() for s in sizes.split(",") if s.strip()]
        if not equals or not name.strip().isidentifier() or not all(p.isdecimal() or p.isidentifier() for p in parts):
            raise MistakeError(f"the shape {text!r} cannot be read; write it as z=B,D, and gamma= for a number")
        found[name.strip()] = tuple([int(p) if p.isdecimal() else p for p in parts])
    return found
