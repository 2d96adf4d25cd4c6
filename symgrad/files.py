"""Files that are whole or not there."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

__all__ = ["sweep", "write_atomically"]

_MARK = ".symgrad-"


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file such that at every moment, power cuts included, the old one or the new one is there whole.

    The content goes to a temporary file in the same folder, is flushed to the disk and renamed over the
    target; then the folder is flushed. If anything fails, the old file stays and the temporary one is removed.

    Parameters
    ----------
    path : path-like
        In a folder that exists.
    content : bytes

    Raises
    ------
    OSError
        If the disk is full, or the folder cannot be written to.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from symgrad.files import write_atomically
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomically(Path(folder) / "a.txt", b"whole")
    ...     (Path(folder) / "a.txt").read_text()
    'whole'
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} to write {path.name} into")
    handle, temporary = tempfile.mkstemp(prefix=f"{_MARK}{path.name[:40]}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            error.filename = os.fspath(path)  # a full disk tells none, others the temporary one
        raise
    if os.name == "posix":  # elsewhere a folder cannot be opened
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def sweep(folder: str | os.PathLike[str]) -> None:
    """Remove what a process that was killed while writing has left in a folder."""
    for left in Path(folder).glob(f"{_MARK}*"):
        left.unlink(missing_ok=True)
