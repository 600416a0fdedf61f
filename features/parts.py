"""Which files a log consists of: one answer for every reader, on this machine or elsewhere."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Final

from pyarrow import fs

from .errors import BadInput

EVENTS_FILE: Final = "events.parquet"
TRUTH_FILE: Final = "truth.parquet"
TABLE_SUFFIXES: Final = (".parquet", ".csv")
HERE: Final[fs.FileSystem] = fs.LocalFileSystem()


def parts_of(path: str | Path, *, filesystem: fs.FileSystem = HERE) -> tuple[str, ...]:
    """Return the files of the log at ``path``, by name.

    A file is itself. In a folder, ``events.parquet`` (a file or a folder of parts) is the log; without it,
    every Parquet and CSV file at any depth but ``truth.parquet`` is. What begins with ``.`` or ``_`` are
    the notes that Spark and others leave beside their parts, and so are files of other names: no events.

    Raises
    ------
    BadInput
        Nothing is there, a file of another kind, or a folder without events.
    """
    path = str(path).rstrip("/") or "/"
    found = _info(path, filesystem)
    if found.type == fs.FileType.NotFound:
        raise BadInput(f"{path}: no such file or folder")
    if found.type == fs.FileType.File:
        if not _is_table(path):
            raise BadInput(f"{path}: neither .parquet nor .csv")
        return (path,)
    inside = f"{path}/{EVENTS_FILE}"
    if _info(inside, filesystem).type != fs.FileType.NotFound:
        return parts_of(inside, filesystem=filesystem)
    parts = _tables_in(path, filesystem)
    if not parts:
        raise BadInput(f"{path}: holds no {EVENTS_FILE} and no other .parquet or .csv file of events")
    return parts


def is_csv(part: str) -> bool:
    """Tell a CSV file by its name."""
    return part.lower().endswith(".csv")


def _info(path: str, filesystem: fs.FileSystem) -> fs.FileInfo:
    try:
        return filesystem.get_file_info(path)
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: cannot be looked at ({error})") from error


def _tables_in(folder: str, filesystem: fs.FileSystem) -> tuple[str, ...]:
    try:
        found = filesystem.get_file_info(fs.FileSelector(folder, recursive=True))
    except OSError as error:
        raise BadInput(f"{folder}: cannot be looked at ({error})") from error
    paths = [PurePosixPath(i.path) for i in found if i.type == fs.FileType.File and _is_table(i.path)]
    events = [p for p in paths if p.name != TRUTH_FILE and not _hidden(p, folder)]
    return tuple(map(str, sorted(events)))


def _is_table(path: str) -> bool:
    return path.lower().endswith(TABLE_SUFFIXES)


def _hidden(path: PurePosixPath, folder: str) -> bool:
    below = path.parts[len(PurePosixPath(folder).parts) :]
    return any(name.startswith((".", "_")) for name in below)
