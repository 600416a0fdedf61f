"""A log behind a URL of fsspec (``s3://``, ``gs://``, ``memory://`` …), copied to this machine."""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import urlsplit

import fsspec
from pyarrow.fs import FSSpecHandler, PyFileSystem

from features.errors import BadInput
from features.parts import parts_of

PIECE_BYTES: Final = 1 << 22


def fetch(url: str, folder: Path, *, shown: str) -> Path:
    """Copy a log's files, piece by piece, and name what was copied; a folder of this machine stays put.

    Parameters
    ----------
    url : str
        A file or a folder, as `features.log.read_log` takes them.
    folder : Path
        An empty one, for the copy.
    shown : str
        The URL as messages may repeat it.

    Raises
    ------
    BadInput
        The protocol is unknown or its package missing, nothing is there, or it cannot be reached.
    """
    try:
        system, root = fsspec.core.url_to_fs(url)
        if "file" in (system.protocol if isinstance(system.protocol, tuple) else (system.protocol,)):
            return Path(root)
        files = parts_of(root, filesystem=PyFileSystem(FSSpecHandler(system)))
        for name in files:
            _copy(system, name, folder / _below(name, root))
    except BadInput as error:
        raise BadInput(str(error).replace(root, shown)) from error
    except Exception as error:  # each file system raises its own kinds
        raise BadInput(f"{shown}: cannot be read ({_reason(error, url)})") from error
    return folder / PurePosixPath(root).name if files == (root,) else folder


def _below(name: str, root: str) -> PurePosixPath:
    path = PurePosixPath(name)
    return PurePosixPath(path.name) if name == root else path.relative_to(root)


def _copy(system: Any, name: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with system.open(name, "rb") as source, target.open("wb") as copy:
        shutil.copyfileobj(source, copy, PIECE_BYTES)


def _reason(error: Exception, url: str) -> str:
    """Say what is wrong in one line; what the error says of the URL itself may hold a password."""
    first = (str(error).strip().splitlines() or [type(error).__name__])[0].replace(url, "it")
    password = urlsplit(url).password
    return first.replace(password, "***") if password else first
