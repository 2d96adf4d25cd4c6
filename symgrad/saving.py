r"""Arrays with a few words in one checksummed file, without pickle: ``sg.save`` and ``sg.load``.

The ending of the name decides the format: ``.npz`` (NumPy's) or ``.safetensors`` (of the extra "io"). Either
way the file carries the SHA-256 of all its other bytes, so that damage of a single bit is found.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgrad.errors import DataError
from symgrad.files import write_atomically

__all__ = ["FORMAT", "load", "read", "save", "write"]

FORMAT = 1
"""The version of what is written; files of a later one are refused."""

_BLANK = b"sha256:" + b"0" * 64
_WORDS = "symgrad.json"  # the member of an npz that holds the words


def save(model: Any, path: str | os.PathLike[str], **words: Any) -> None:
    """Write the parameters and states of a model, an optimizer, or any dict of arrays, to a file.

    Parameters
    ----------
    model : object with ``state_dict()``, or mapping of str to array
        Its arrays are numbers or booleans.
    path : path-like
        Ending in ``.npz`` or ``.safetensors``. A file that is there is replaced only once the new one is whole.
    **words
        Remarks for the reader (`read` returns them): whatever JSON can hold.

    Raises
    ------
    DataError
        If the ending is another, or an array holds objects.
    OSError
        If the file cannot be written; the old one then is still there.

    Examples
    --------
    >>> import tempfile, symgrad as sg
    >>> from symgrad import nn
    >>> model, other = nn.Linear(2, 1).initialize(seed=1), nn.Linear(2, 1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sg.save(model, f"{folder}/model.npz")
    ...     other.load_state_dict(sg.load(f"{folder}/model.npz"))
    >>> bool((model.weight.numpy() == other.weight.numpy()).all())
    True
    """
    arrays = model.state_dict() if hasattr(model, "state_dict") else model
    if not isinstance(arrays, Mapping):
        raise DataError(f"save: takes a model, an optimizer or a dict of arrays, got {type(model).__name__}")
    write(path, arrays, words)


def load(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """Read the arrays that `save` wrote; ``model.load_state_dict(sg.load(path))`` takes them over.

    Raises
    ------
    DataError
        Naming the file, if it is damaged, was not written by symgrad, or by a later version.
    """
    return read(path)[0]


def write(path: str | os.PathLike[str], arrays: Mapping[str, Any], words: Mapping[str, Any]) -> None:
    """Write arrays and words (whatever JSON can hold) to one file."""
    pack, _, locate = _format(path)
    found = {name: np.asarray(value, order="C") for name, value in arrays.items()}
    bad = [f"{name} ({value.dtype})" for name, value in found.items() if value.dtype.kind not in "biuf"]
    if bad:
        raise DataError(f"save: only arrays of numbers can be written, not {', '.join(bad)}")
    try:
        text = json.dumps({"checksum": _BLANK.decode(), "format": FORMAT, "words": words})
    except (TypeError, ValueError) as error:
        raise DataError(f"save: the words must be what JSON can hold: {error}") from None
    content = pack(found, text)
    at = locate(content)
    write_atomically(path, content[:at] + _digest(content, at) + content[at + len(_BLANK) :])


def read(path: str | os.PathLike[str]) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays and the words of a file, checked."""
    _, unpack, locate = _format(path)
    content = Path(path).read_bytes()
    at = locate(content)
    found = content[max(at, 0) : max(at, 0) + len(_BLANK)]
    if not found.startswith(b"sha256:"):
        raise DataError(f"{path}: is damaged or not written by symgrad: it ends before its checksum; use another copy")
    if found != _digest(content, at):
        raise DataError(f"{path}: is damaged: its checksum does not fit its content; use another copy")
    arrays, text = unpack(content)
    head = json.loads(text)
    if head["format"] > FORMAT:
        raise DataError(
            f"{path}: was written by a later version of symgrad (format {head['format']}, this one reads up to "
            f"{FORMAT}); install that version to read it"
        )
    return arrays, head["words"]


def _digest(content: bytes, at: int) -> bytes:
    """The checksum of all bytes but those of the checksum itself."""
    rest = content[:at] + content[at + len(_BLANK) :]
    return b"sha256:" + hashlib.sha256(rest).hexdigest().encode()


def _pack_npz(arrays: Mapping[str, NDArray[Any]], text: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:  # np.savez would take some names for its own arguments
        archive.comment = _BLANK
        archive.writestr(zipfile.ZipInfo(_WORDS), text)
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    return file.getvalue()


def _unpack_npz(content: bytes) -> tuple[dict[str, NDArray[Any]], str]:
    with np.load(io.BytesIO(content), allow_pickle=False) as members:
        arrays = {name: members[name] for name in members.files}
    return arrays, arrays.pop(_WORDS).decode()


def _pack_safetensors(arrays: Mapping[str, NDArray[Any]], text: str) -> bytes:
    content: bytes = _safetensors().save(dict(arrays), {"symgrad": text})
    return content


def _unpack_safetensors(content: bytes) -> tuple[dict[str, NDArray[Any]], str]:
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return _safetensors().load(content), header["__metadata__"]["symgrad"]


def _safetensors() -> Any:
    try:
        from safetensors import numpy
    except ImportError:
        raise DataError(
            "safetensors is not installed: pip install 'symgrad[io]', or use a name ending in .npz"
        ) from None
    return numpy


def _last(content: bytes) -> int:
    return len(content) - len(_BLANK)


def _first(content: bytes) -> int:
    return content.find(b"sha256:")


_FORMATS: dict[str, tuple[Callable[..., bytes], Callable[..., Any], Callable[[bytes], int]]] = {
    ".npz": (_pack_npz, _unpack_npz, _last),  # the comment that ends a zip file
    ".safetensors": (_pack_safetensors, _unpack_safetensors, _first),  # the words come first, and in them the checksum
}


def _format(path: str | os.PathLike[str]) -> tuple[Callable[..., bytes], Callable[..., Any], Callable[[bytes], int]]:
    ending = Path(path).suffix
    if ending not in _FORMATS:
        raise DataError(f"{path}: the name must end in {' or '.join(_FORMATS)}")
    return _FORMATS[ending]
