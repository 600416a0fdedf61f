"""Write files so that a reader finds the old one or the whole new one, never a part."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from features.errors import BadInput


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary sibling to write to; it takes the name of ``path`` when the block succeeds.

    Raises
    ------
    BadInput
        ``path`` is a folder, or its folder cannot be made or written to.
    """
    if path.is_dir():
        raise BadInput(f"{path}: is a folder; name a file or remove it")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise BadInput(f"{path}: cannot be written ({error.strerror or error})") from error
