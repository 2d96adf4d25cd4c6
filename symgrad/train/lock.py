"""One process per folder: a lock that the system takes back when its process ends, however it ends."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
from pathlib import Path
from typing import IO

from symgrad.errors import DataError

__all__ = ["acquire", "release"]

NAME = "lock.json"
_FAR = 1 << 30  # on Windows locked bytes cannot be read by others: this one is behind all that is written
_held: dict[Path, IO[str]] = {}


def acquire(folder: Path) -> None:
    """Take a folder for this process; again is nothing.

    Raises
    ------
    DataError
        If another process has it, naming that.
    """
    folder = folder.resolve()
    if folder in _held:
        return
    while True:
        file = open(folder / NAME, "a+", encoding="utf-8")  # noqa: SIM115
        if not _locked(file):
            file.seek(0)
            holder = _holder(file.read())
            file.close()
            raise DataError(f"{folder} is in use by {holder}; wait until that ends, or take another folder")
        if _is_there(file, folder / NAME):
            break
        file.close()  # whoever had it has removed it meanwhile
    file.truncate(0)
    json.dump({"process": os.getpid(), "host": platform.node()}, file)
    file.flush()
    _held[folder] = file


def release(folder: Path) -> None:
    """Give a folder back, if this process has it."""
    folder = folder.resolve()
    file = _held.pop(folder, None)
    if file is None:
        return
    with contextlib.suppress(OSError):  # Windows removes no open file
        os.unlink(folder / NAME)
    file.close()
    if os.name == "nt":
        with contextlib.suppress(OSError):
            os.unlink(folder / NAME)


def _locked(file: IO[str]) -> bool:
    """Lock an open file, unless another process has locked it; where the file system has no locks, do without."""
    try:
        if os.name == "nt":
            import msvcrt

            os.lseek(file.fileno(), _FAR, os.SEEK_SET)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EAGAIN, errno.EACCES, errno.EDEADLK)
    return True


def _is_there(file: IO[str], path: Path) -> bool:
    """Whether an open file still is what its name stands for."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except OSError:
        return False


def _holder(text: str) -> str:
    try:
        found = json.loads(text)
        return f"process {found['process']} on {found['host']}"
    except (ValueError, KeyError, TypeError):
        return "another process"
